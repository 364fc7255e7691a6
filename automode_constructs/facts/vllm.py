"""The flags of ``vllm serve``, as the vLLM packages themselves define them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

__all__ = ["VllmFlag", "VllmSpelling", "flags_of", "pairs_enable_with_disable", "spellings_of", "vllm_versions"]


@dataclass(frozen=True, kw_only=True, slots=True)
class VllmFlag:
    """One flag in one version.

    Args:
        name: the flag with its dashes (``--max-model-len``).
        kind: what it takes: ``switch`` nothing, ``bool`` nothing but with an opposite, ``size`` a whole number that
            may end in k, K, m, M ..., ``json`` a document, ``object`` one with known keys; both also key by key
            (``--flag.key value``).
        aliases: other spellings (``-tp``).
        values: how many: ``1``, exactly so many, ``+`` one or more, ``?`` one or none.
        choices: what its parser accepts, or nothing if it accepts anything.
        names: the names that vLLM accepts after parsing, or nothing if that set is open.
        fold: whether choices and names are compared without ``case``, or ``case-and-dash`` (``-`` is ``_``).
        keys: the keys of an ``object``, or nothing if they are open.
        nullable: whether ``None`` and the empty text mean that it is not set.
        repeats: whether it is meant to be given more than once.
        removal: the version that its deprecation names as its end, or ``None`` if it is not deprecated.
    """

    name: str
    kind: Literal["switch", "bool", "text", "int", "float", "size", "size-or-auto", "json", "json-or-text", "object"]
    aliases: tuple[str, ...] = ()
    values: int | Literal["+", "?"] = 1
    choices: tuple[str | int, ...] = ()
    names: tuple[str, ...] = ()
    fold: Literal["", "case", "case-and-dash"] = ""
    keys: tuple[str, ...] = ()
    nullable: bool = False
    repeats: bool = False
    removal: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class VllmSpelling:
    """One way to write a flag; ``on`` is whether it turns the flag on (``--no-x`` does not)."""

    flag: VllmFlag
    on: bool = True


@cache
def _data() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(Path(__file__).with_name("vllm.json").read_text("utf-8"))
    return loaded


@cache
def vllm_versions() -> tuple[str, ...]:
    """The versions whose packages were read, oldest first."""
    return tuple(_data()["versions"])


@cache
def flags_of(version: str) -> Mapping[str, VllmFlag]:
    """The flags of a version that was read, by name."""
    until = vllm_versions()[: vllm_versions().index(version) + 1]
    flags: dict[str, VllmFlag] = {}
    for name, changes in _data()["flags"].items():
        last = [changes[each] for each in until if each in changes][-1:]
        if last and last[0] is not None:
            fields: dict[str, Any] = {
                key: tuple(value) if isinstance(value, list) else value for key, value in last[0].items()
            }
            flags[name] = VllmFlag(name=name, **fields)
    return flags


def pairs_enable_with_disable(version: str) -> bool:
    """Whether ``--disable-x`` is the opposite of every ``--enable-x`` in a version that was read, and the reverse."""
    return version in _data()["enable_disable_pairs"]


@cache
def spellings_of(version: str) -> Mapping[str, VllmSpelling]:
    """Every way to write each flag of a version that was read, but for abbreviations."""
    spellings: dict[str, VllmSpelling] = {}
    for flag in flags_of(version).values():
        for name in (flag.name, *flag.aliases):
            spellings[name] = VllmSpelling(flag=flag)
            if flag.kind != "bool" or not name.startswith("--"):
                continue
            spellings[f"--no-{name[2:]}"] = VllmSpelling(flag=flag, on=False)
            for one, other in (("--enable-", "--disable-"), ("--disable-", "--enable-")):
                if name.startswith(one) and pairs_enable_with_disable(version):
                    spellings[other + name.removeprefix(one)] = VllmSpelling(flag=flag, on=False)
    return spellings
