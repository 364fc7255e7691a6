"""The command line of a vLLM server, read as vLLM's own parser reads it.

A flag has many spellings: aliases, underscores, abbreviations, ``--flag=value`` and ``--flag value``, JSON and its keys
one by one. What counts is how the server reads them.
"""

from __future__ import annotations

import json
import re
import shlex
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from automode_constructs.facts.vllm import spellings_of, vllm_versions

__all__ = ["VllmCommand", "WrittenFlag", "command_of", "is_flag", "read_command", "written_flag"]

_NEGATIVE_NUMBER = re.compile(r"-\d+|-\d*\.\d+")
_VLLM_IMAGE = re.compile(r"(?:.*/)?vllm(?:-openai)?(?:[:@].*)?")
_SHELL_OPERATORS = frozenset({"&", "&&", ";", "|", "||", ">", ">>", "2>&1"})
_REFERENCE = re.compile(r"\$\(([A-Za-z_][A-Za-z0-9_.-]*)\)")
_ASSIGNMENT = re.compile(r"([A-Z_][A-Z0-9_]*)=(.*)", re.DOTALL)


@dataclass(frozen=True, kw_only=True, slots=True)
class WrittenFlag:
    """A flag as it stands on a command line.

    Args:
        name: with its dashes; underscores are dashes already, as for vLLM.
        keys: the keys of ``--flag.key.key``, or none.
        value: what stands after ``=``, or ``None`` where the value follows or there is none.
    """

    name: str
    keys: tuple[str, ...] = ()
    value: str | None = None

    def spellings(self, version: str) -> tuple[str, ...]:
        """The spellings of a vLLM version that the name stands for: itself, or all that begin with it."""
        spellings = spellings_of(version)
        if self.name in spellings:
            return (self.name,)
        return tuple(each for each in spellings if self.name != "--" and each.startswith(self.name))


@dataclass(frozen=True, kw_only=True, slots=True)
class VllmCommand:
    """The settings of a vLLM server.

    Args:
        model: the model that it loads, or ``""`` if its arguments name none.
        values: the values of each flag on the command line, by the flag's full name; the last one counts.
        off: the flags that a ``--no-x`` turns off.
        environment: the variables whose values are in the manifest.
    """

    model: str = ""
    values: Mapping[str, Sequence[str]] = field(default_factory=dict)
    off: frozenset[str] = frozenset()
    environment: Mapping[str, str] = field(default_factory=dict)

    def value(self, flag: str) -> str | None:
        """The value of a flag, or ``None`` where it is not given."""
        return next(iter(self.values.get(flag, ())), None)

    def number(self, flag: str, default: int) -> int:
        """The value of a flag that takes a whole number."""
        text = self.value(flag) or ""
        return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else default

    def has(self, flag: str) -> bool:
        """Whether a flag that takes no value is on."""
        return flag in self.values and flag not in self.off

    def mapping(self, flag: str) -> Mapping[str, Any] | None:
        """The value of a flag that takes JSON, empty where it is not given, ``None`` where it cannot be read."""
        text = self.value(flag)
        if text is None or text in ("", "None"):
            return {}
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            return None
        return document if isinstance(document, Mapping) else None

    @property
    def processes(self) -> int:
        """How many processes of a pod load the model, which is one for each GPU."""
        flags = ("--tensor-parallel-size", "--pipeline-parallel-size", "--prefill-context-parallel-size")
        count = self.number("--data-parallel-size-local", self.number("--data-parallel-size", 1))
        for flag in flags:
            count *= self.number(flag, 1)
        return max(count, 1)


def is_flag(text: str) -> bool:
    """Whether argparse takes a text for a flag: ``-1`` and what has a space before any ``=`` are values."""
    if not text.startswith("-") or text == "-" or _NEGATIVE_NUMBER.fullmatch(text):
        return False
    return " " not in text.partition("=")[0]


def written_flag(text: str) -> WrittenFlag:
    """Parses a flag, as vLLM does before it looks the name up."""
    name, equals, value = text.partition("=")
    name, dot, keys = name.partition(".")
    if name.startswith("--"):
        name = name.replace("_", "-")
    elif name.startswith("-O") and name != "-O":  # -O3 and -O.x
        return WrittenFlag(name="--optimization-level", value=f"{name[2:]}{dot}{keys}")
    elif name == "-O":
        return WrittenFlag(name="--optimization-level", value=value if equals else None)
    return WrittenFlag(name=name, keys=tuple(keys.split(".")) if dot else (), value=value if equals else None)


def read_command(arguments: Sequence[str], *, environment: Mapping[str, str] | None = None) -> VllmCommand:
    """Reads the arguments after ``vllm serve``; those that vLLM does not know are skipped.

    Args:
        arguments: the model and the flags, in order.
        environment: the variables of the container. Default: none.

    Source: vLLM, ``FlexibleArgumentParser`` and Python's argparse.
    """
    version = vllm_versions()[-1]
    waiting = deque(_keys_as_json(arguments))
    model = waiting.popleft() if waiting and not is_flag(waiting[0]) else ""
    values: dict[str, Sequence[str]] = {}
    off: set[str] = set()
    while waiting:
        text = waiting.popleft()
        if not is_flag(text):
            continue
        written = written_flag(text)
        names = written.spellings(version)
        if len(names) != 1:
            continue
        spelling = spellings_of(version)[names[0]]
        flag = spelling.flag
        most = 0 if flag.kind in ("switch", "bool") else {"+": len(waiting), "?": 1}.get(str(flag.values), flag.values)
        if written.value is not None:
            values[flag.name] = [written.value]
        else:
            following: list[str] = []
            while waiting and len(following) < int(most) and not is_flag(waiting[0]):
                following.append(waiting.popleft())
            values[flag.name] = following
        (off.discard if spelling.on else off.add)(flag.name)
    return VllmCommand(
        model=next(iter(values.get("--model", ())), model),
        values=values,
        off=frozenset(off),
        environment=environment or {},
    )


def _keys_as_json(arguments: Sequence[str]) -> list[str]:
    """``--flag.key value`` written as ``--flag {"key": value}``, at the end, where vLLM puts it: it replaces others."""
    others: list[str] = []
    documents: dict[str, dict[str, Any]] = {}
    waiting = deque(arguments)
    while waiting:
        text = waiting.popleft()
        written = written_flag(text) if is_flag(text) else None
        if written is None or not written.keys:
            others.append(text)
            continue
        # The next argument is the value, whatever it looks like.
        value = written.value if written.value is not None else waiting.popleft() if waiting else ""
        *outer, last = written.keys
        at = documents.setdefault(written.name, {})
        for key in outer:
            inner = at.setdefault(key, {})
            at = at.setdefault(key, inner) if isinstance(inner, dict) else {}
        at[last.removesuffix("+")] = value.split(",") if last.endswith("+") else _as_json(value)
    return [*others, *(part for name, document in documents.items() for part in (name, json.dumps(document)))]


def _as_json(value: str) -> Any:
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def command_of(container: Mapping[str, Any]) -> VllmCommand | None:
    """The settings of the vLLM server in a container, or ``None`` if it runs none."""
    variables = {
        str(entry["name"]): entry["value"]
        for entry in _mappings(container.get("env"))
        if "name" in entry and isinstance(entry.get("value"), str)
    }
    words = [_REFERENCE.sub(lambda match: variables.get(match[1], match[0]), word) for word in _words(container)]
    start = _start(words, container)
    if start is None:
        return None
    for word in words[:start]:  # a shell's: X=1 vllm serve, export X=1
        assigned = _ASSIGNMENT.fullmatch(word)
        if assigned is not None:
            variables[assigned[1]] = assigned[2]
    end = next((at for at, word in enumerate(words) if at >= start and word in _SHELL_OPERATORS), len(words))
    return read_command(words[start:end], environment=variables)


def _start(words: Sequence[str], container: Mapping[str, Any]) -> int | None:
    """Where the server's arguments begin, or ``None`` where there is no server."""
    for at, (one, two) in enumerate(pairwise(words)):
        if one.rpartition("/")[2] == "vllm" and two == "serve":
            return at + 2
    for at, word in enumerate(words):
        if word.startswith("vllm.entrypoints"):
            return at + 1
    if container.get("command") or _VLLM_IMAGE.fullmatch(str(container.get("image"))) is None:
        return None
    return int(words[:1] == ["serve"])


def _words(container: Mapping[str, Any]) -> list[str]:
    """The words of command and arguments, those in a shell's script too."""
    texts = [*_texts(container.get("command")), *_texts(container.get("args"))]
    return [word for text in texts for word in _split(text)]


def _split(text: str) -> Iterator[str]:
    if not re.search(r"\s", text) or text.startswith(("-", "{")):
        yield text
        return
    script = text.replace("\\\n", " ")
    try:
        lexer = shlex.shlex(script, posix=True, punctuation_chars=";&|")
        lexer.whitespace_split, lexer.commenters = True, ""
        yield from lexer
    except ValueError:
        yield from script.split()


def _mappings(value: object) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def _texts(value: object) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else []
