"""Checks the arguments of ``vllm serve`` against the flags and names in the vLLM package."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from automode_constructs.checks.app_rules import VLLM_ARGUMENT
from automode_constructs.checks.vllm_command import WrittenFlag, is_flag, written_flag
from automode_constructs.errors import AutoModeError, Problem, shown
from automode_constructs.facts.vllm import VllmFlag, flags_of, spellings_of, vllm_versions
from automode_constructs.tokens import is_token

__all__ = ["check_arguments"]

_VERSION = re.compile(r"v?([0-9]+)\.([0-9]+)(?![0-9]).*")
_SIZE = re.compile(r"\d+(\.\d+)?[kmgt]|\d+[KMGT]")
_SIZE_IN_JSON = re.compile(r"(\"(?:[^\"\\]|\\.)*\")|\b(?:(\d+)[kKmMgGtT]|(\d+\.\d+)[kmgt])\b")
_JSON_OBJECT = re.compile(r"\s*{.*}\s*", re.DOTALL)

_PLUGINS = {"--tool-call-parser": "--tool-parser-plugin", "--reasoning-parser": "--reasoning-parser-plugin"}
"""Flags for which a plugin can add names, and the flag that loads the plugin."""

_KINDS = {
    "int": "a whole number",
    "float": "a number",
    "size": "a whole number, which may end in k (1000), K (1024), m, M, g, G, t or T",
    "size-or-auto": "'auto' or a whole number, which may end in k (1000), K (1024), m, M, g, G, t or T",
    "json": "JSON",
    "json-or-text": "JSON where it begins with '{'",
    "object": "a JSON object",
}

_NEEDS = {
    "--enable-auto-tool-choice": ("--tool-call-parser", "name the parser that fits the model"),
    "--enable-log-outputs": ("--enable-log-requests", "give both or neither"),
}
"""Flags that vLLM rejects after parsing unless another flag is set."""


def check_arguments(arguments: Sequence[str], *, version: str | None = None) -> list[Problem]:
    """Checks the arguments that follow ``vllm serve``.

    Flags are read as vLLM's parser reads them: ``--flag=value`` and ``--flag value``, underscores for dashes,
    ``--no-flag``, ``--flag.key value``. Names that the parser accepts and vLLM rejects at startup are checked too:
    parsers, attention backends, KV cache types, load formats, quantizations. A CDK token counts as a valid value.
    JSON keys below the first level, and the content of a ``--config`` file, are not checked.

    Args:
        arguments: the flags and their values, in order; the model may come first.
        version: the vLLM version of the image (``0.27.1``). Versions that differ only in their last number count as
            one. Between two versions that were read, only what both reject is an error. Outside them, an unknown name
            or flag is a warning. Default: the newest version that was read (ours); what an older one accepts is a
            warning then.

    Returns:
        First the errors: what that version of vLLM rejects, while parsing or at startup. Then the warnings: what it may
        reject, or reads differently than it looks.

    Raises:
        AutoModeError: if ``version`` does not start with a number of the form ``0.27``.

    Source: the vllm packages of PyPI.
    """
    if isinstance(arguments, str):
        return [VLLM_ARGUMENT.problem("arguments", "must be a list of strings, got one string", "split it up")]
    if wrong := [(at, each) for at, each in enumerate(arguments) if not isinstance(each, str)]:
        return [VLLM_ARGUMENT.problem(f"arguments[{at}]", f"must be text, got {shown(each)}") for at, each in wrong]
    versions = vllm_versions()
    minor = None if version is None else _minor(version)
    upper = next((each for each in versions if minor and _minor(each) >= minor), versions[-1])
    lower = next((each for each in reversed(versions) if minor and _minor(each) <= minor), versions[0])
    outside = minor is not None and not _minor(versions[0]) <= minor <= _minor(versions[-1])
    findings = _judged(arguments, upper)
    others = {
        each: _judged(arguments, each) for each in (versions[:-1] if minor is None else (lower,)) if each != upper
    }
    doubt = f"vLLM {version} is not known here" if minor else "pass the image's version for a definite answer"

    errors: list[Problem] = []
    warnings: list[Problem] = []
    for each in findings:
        takers = [other for other, theirs in others.items() if each.key not in {one.key for one in theirs}]
        if each.problem.severity == "warning":
            warnings.append(each.problem)
        elif outside and each.dated:
            warnings.append(_doubted(each.problem, doubt))
        elif takers:
            warnings.append(_doubted(each.problem, f"vLLM {takers[-1]} takes it; {doubt}"))
        else:
            errors.append(each.problem)
    if minor is not None:
        keys = {each.key for each in findings}
        late = [
            each
            for theirs in others.values()
            for each in theirs
            if each.key not in keys and each.problem.severity == "error"
        ]
        warnings += [_doubted(each.problem, f"vLLM {upper} takes it; {doubt}") for each in late]
    return [*errors, *warnings]


def _doubted(problem: Problem, doubt: str) -> Problem:
    return replace(problem, cure=f"{doubt}; {problem.cure}" if problem.cure else doubt, severity="warning")


def _minor(version: str) -> tuple[int, int]:
    match = _VERSION.fullmatch(version)
    if match is None:
        raise AutoModeError.of(
            "", field="version", message=f"{shown(version)} is not a version of vLLM", cure="write it as '0.27.1'"
        )
    return int(match[1]), int(match[2])


@dataclass(frozen=True, kw_only=True, slots=True)
class _Finding:
    """A problem with a key that identifies it in every version; ``dated`` if another version may know the name."""

    key: tuple[str, str]
    problem: Problem
    dated: bool = False


def _judged(arguments: Sequence[str], version: str) -> list[_Finding]:
    return list(_Reading(version=version, arguments=list(arguments)).findings())


@dataclass(kw_only=True, slots=True)
class _Reading:
    """One pass over the arguments, with the flags found."""

    version: str
    arguments: list[str]
    at: int = 0
    values: dict[str, list[str]] = field(default_factory=dict)
    on: dict[str, bool] = field(default_factory=dict)

    def findings(self) -> Iterator[_Finding]:
        if self.arguments and not is_flag(self.arguments[0]):
            self.at = 1
        while self.at < len(self.arguments):
            text = self.arguments[self.at]
            self.at += 1
            if is_flag(text):
                yield from self.flag(text)
            elif not is_token(text):
                cure = "values follow their flag, and flags that turn something on take none"
                yield _finding("stray", text, f"{shown(text)} does not belong to a flag", cure)
        for name, values in self.values.items():
            yield from self.names(flags_of(self.version)[name], values)
        yield from self.together()

    def flag(self, text: str) -> Iterator[_Finding]:
        written = written_flag(text)
        name, value = written.name, written.value
        names = written.spellings(self.version)
        if len(names) != 1:
            yield self.unknown_flag(name)
            self.take("+" if value is None else 0)
            return
        if names[0] != name:
            cure = "write it in full: a newer version may have two flags that begin like this"
            yield _finding("short", name, f"'{name}' is short for '{names[0]}'", cure, warning=True)
        spelling = spellings_of(self.version)[names[0]]
        flag = spelling.flag
        if written.keys:
            yield from self.dotted(flag, name, written)
            return
        yield from self.judged_before(flag, name)
        self.on[flag.name] = spelling.on
        if flag.kind in ("switch", "bool"):
            self.values.setdefault(flag.name, [])
            if value is not None:
                off = f"'--no-{flag.name[2:]}'" if flag.kind == "bool" else "leave it out"
                cure = f"write '{flag.name}' or {off}"
                yield _finding("valued", flag.name, f"'{name}' takes no value, got {shown(value)}", cure)
            return
        values = [value] if value is not None else self.take(flag.values)
        self.values[flag.name] = values
        least = flag.values if isinstance(flag.values, int) else 1 if flag.values == "+" else 0
        if len(values) < least:
            yield _finding("bare", flag.name, f"'{name}' needs {'a value' if least == 1 else f'{least} values'}")
        for each in values:
            yield from _value_findings(flag, name, each)

    def take(self, count: int | str) -> list[str]:
        """The values that follow, up to the next flag."""
        limit = {"+": len(self.arguments), "?": 1}.get(str(count), count)
        start = self.at
        while self.at < len(self.arguments) and self.at - start < int(limit) and not is_flag(self.arguments[self.at]):
            self.at += 1
        return self.arguments[start : self.at]

    def dotted(self, flag: VllmFlag, name: str, written: WrittenFlag) -> Iterator[_Finding]:
        """``--flag.key value``: vLLM takes the next argument as the value, whatever it looks like."""
        self.values.setdefault(flag.name, [])
        spelling = ".".join((name, *written.keys))
        if flag.kind not in ("json", "json-or-text", "object"):
            yield _finding("dotted", flag.name, f"'{spelling}': '{flag.name}' takes no keys", f"write '{flag.name}'")
        yield from _key_findings(flag, name, [written.keys[0].removesuffix("+")])
        if written.value is not None:
            return
        if self.at == len(self.arguments):
            yield _finding("bare", spelling, f"'{spelling}' needs a value")
        self.at += 1

    def unknown_flag(self, name: str) -> _Finding:
        versions = [each for each in vllm_versions() if name in spellings_of(each)]
        position = vllm_versions().index(self.version)
        later = [each for each in versions if vllm_versions().index(each) > position]
        if later:
            message = f"'{name}' is not in vLLM {self.version}; the first known version with it is {later[0]}"
            cure = f"leave it out, or use an image with vLLM {later[0]} or newer"
            return _finding("unknown", name, message, cure, dated=True)
        if versions:
            message = f"'{name}' is no longer in vLLM {self.version}; the last known version with it is {versions[-1]}"
            return _finding("unknown", name, message, "leave it out", dated=True)
        message = f"{shown(name)} is not a flag of vLLM {self.version}"
        return _finding("unknown", name, message, _near(name, spellings_of(self.version)), dated=True)

    def judged_before(self, flag: VllmFlag, name: str) -> Iterator[_Finding]:
        """Problems that a valid value does not fix."""
        if flag.name in self.on and not flag.repeats:
            yield _finding("twice", flag.name, f"'{flag.name}' is given twice", "vLLM takes the last", warning=True)
        if flag.name == "--model":
            message = f"'{name}' is deprecated for 'vllm serve'"
            yield _finding("old", flag.name, message, "give the model first", warning=True)
        if flag.removal is not None:
            end = f", which announces its removal in {flag.removal}" if flag.removal else ""
            message = f"'{name}' is deprecated in vLLM {self.version}{end}"
            yield _finding("old", flag.name, message, "leave it out", warning=True)

    def names(self, flag: VllmFlag, values: Iterable[str]) -> Iterator[_Finding]:
        """Names that vLLM looks up after parsing."""
        if not flag.names or _PLUGINS.get(flag.name, "") in self.values:
            return
        names = {_folded(flag, each) for each in flag.names}
        for value in values:
            unset = is_token(value) or not value or (value.lower() == "none" and (flag.nullable or "none" in names))
            if not unset and _folded(flag, value) not in names:
                message = f"'{flag.name}' does not take {shown(value)} in vLLM {self.version}"
                yield _finding("name", f"{flag.name} {value}", message, _near(value, flag.names), dated=True)

    def together(self) -> Iterator[_Finding]:
        """Combinations that vLLM rejects although each flag is valid; a ``--config`` file may hold the missing one."""
        if "--config" in self.values:
            return
        for name, (other, cure) in _NEEDS.items():
            if self.on.get(name) and not self.on.get(other):
                yield _finding("alone", name, f"'{name}' needs '{other}'", cure)
        if self.on.get("--enable-per-request-metrics") and self.on.get("--disable-log-stats"):
            message = "'--enable-per-request-metrics' cannot be combined with '--disable-log-stats'"
            yield _finding("together", "--disable-log-stats", message, "leave one out")


def _finding(
    what: str, name: str, message: str, cure: str = "", *, dated: bool = False, warning: bool = False
) -> _Finding:
    problem = VLLM_ARGUMENT.problem("arguments", message, cure, severity="warning" if warning else "error")
    return _Finding(key=(what, name), problem=problem, dated=dated)


def _near(name: str, choices: Iterable[str]) -> str:
    """The nearest known name, or all if there are few; a number has no near name."""
    names = {each.casefold(): each for each in choices}
    near = [] if name.isdecimal() else difflib.get_close_matches(name.casefold(), names, n=1, cutoff=0.6)
    if near:
        return f"did you mean '{names[near[0]]}'?"
    return f"use one of {', '.join(repr(each) for each in names.values())}" if len(names) <= 30 else ""


def _folded(flag: VllmFlag, value: object) -> str:
    text = str(value)
    if flag.fold:
        text = text.lower()
    return text.replace("-", "_") if flag.fold == "case-and-dash" else text


def _value_findings(flag: VllmFlag, name: str, value: str) -> Iterator[_Finding]:
    if is_token(value) or (flag.nullable and value in ("", "None")):
        return
    if not _is_of_kind(flag, value):
        message = f"'{name}' takes {_KINDS[flag.kind]}, got {shown(value)}"
        yield _finding("kind", f"{flag.name} {value}", message, _size_cure(flag, value))
    elif flag.kind == "object":
        yield from _key_findings(flag, name, _document(value))
    elif flag.choices:
        folded = _folded(flag, int(value) if flag.kind == "int" else value)
        if folded not in {_folded(flag, each) for each in flag.choices}:
            cure = _near(value, [str(each) for each in flag.choices])
            yield _finding("name", f"{flag.name} {value}", f"'{name}' does not take {shown(value)}", cure, dated=True)


def _key_findings(flag: VllmFlag, name: str, keys: Iterable[str]) -> Iterator[_Finding]:
    for key in keys:
        if flag.keys and key not in flag.keys and not is_token(key):
            message = f"'{name}' has no key {shown(key)}"
            yield _finding("key", f"{flag.name} {key}", message, _near(key, flag.keys), dated=True)


def _document(value: str) -> Any:
    """A JSON text whose numbers may end in k, K, m, M ...; the suffix is not multiplied out."""
    return json.loads(_SIZE_IN_JSON.sub(lambda part: part[1] or part[2] or part[3], value))


def _size_cure(flag: VllmFlag, value: str) -> str:
    """Decimals are allowed with lower-case suffixes only."""
    if flag.kind.startswith("size") and _SIZE.fullmatch(value.lower()):
        return f"a fraction needs a lower-case suffix: '{value.lower()}'"
    return ""


def _is_of_kind(flag: VllmFlag, value: str) -> bool:
    try:
        if flag.kind == "int":
            int(value)
        elif flag.kind == "float":
            float(value)
        elif flag.kind.startswith("size"):
            plain = value.strip()
            automatic = flag.kind == "size-or-auto" and plain.lower() == "auto"
            _ = automatic or _SIZE.fullmatch(plain) or int(plain)
        elif flag.kind == "json" or (flag.kind == "json-or-text" and _JSON_OBJECT.fullmatch(value)):
            json.loads(value)
        elif flag.kind == "object":
            return isinstance(_document(value), dict)
    except (ValueError, RecursionError):
        return False
    return True
