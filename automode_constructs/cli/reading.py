"""Reads YAML and JSON as Kubernetes does, with line and column of everything; safe for untrusted input.

Most documents are clean, and nobody asks where their fields stand. So a text is first read without places, by a loop
that knows plain mappings, lists and scalars only. Where it meets anything else (an alias, a merge, a tag, a key that
stands twice, a fault), and where a place is asked for, the text is read again with all places and all words.

This module builds the documents from the parser's events, one after the other and without recursion. PyYAML's own
composer recurses in C and crashes on a few hundred thousand brackets, resolves scalars as YAML 1.1 does (``12:30:45``
is 45045 there) and silently lets a duplicate key win. Nesting depth and alias expansion are counted as the events
arrive, so too much of either is never built; no tag creates an object.

Scalars are read as ``sigs.k8s.io/yaml`` reads them, the library behind kubectl and the API server: unquoted
``yes``, ``no``, ``on``, ``off``, ``y`` and ``n`` are booleans, ``010`` and ``0o10`` are 8, ``0x1F`` is 31, ``1e3`` is
1000, dates and ``12:30:45`` are strings, keys are always strings, and ``<<`` merges. Any other reading would check a
different object from the one that reaches the cluster. Source: kubernetes-sigs/yaml, goyaml.v2/resolve.go.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import islice
from typing import Any, NamedTuple

import yaml

from automode_constructs.errors import AutoModeError, Problem, shown
from automode_constructs.specs.rule import rule

__all__ = [
    "LOADER",
    "MAX_BYTES",
    "MAX_DEPTH",
    "MAX_EXPANDED",
    "Document",
    "Place",
    "UnreadableError",
    "decoded",
    "documents",
]

MAX_BYTES = 10 * 1024 * 1024
"""The largest file that is read; etcd takes 1.5 MiB per object, so this is a long stream."""
MAX_DEPTH = 64
"""The maximum nesting depth of mappings and lists; the deepest of our kinds has a dozen levels."""
MAX_EXPANDED = 100_000
"""The maximum number of values that the aliases of one stream may expand to."""
_MOST_DUPLICATES = 100
"""The most keys of one document that are reported to stand twice; with one, the document is wrong already."""

_SOURCE = "YAML 1.2.2; kubernetes-sigs/yaml, which kubectl reads with"
UNREADABLE_INPUT = rule(
    "automode:UnreadableInput",
    "all",
    severity="error",
    sentence="What is to be judged is there, is UTF-8 text of at most 10 MiB, and is YAML of bounded depth and growth.",
    source=_SOURCE,
    stricter="Kubernetes bounds neither depth nor size at 64 levels and 10 MiB, but no object of its own comes near.",
)
DUPLICATE_KEY = rule(
    "automode:DuplicateKey",
    "all",
    severity="error",
    sentence="A mapping has each key once: of two, one is lost.",
    source=_SOURCE,
)

Place = tuple[int, int]
"""Line and column, counted from 1."""


class UnreadableError(Exception):
    """A problem that stops the reading of a text.

    Args:
        message: what is wrong.
        cure: what to do about it.
        place: where.
    """

    def __init__(self, message: str, cure: str = "", place: Place = (1, 1)) -> None:
        super().__init__(message)
        self.message, self.cure, self.place = message, cure, place

    def at(self, file: str) -> AutoModeError:
        """The same as an error of a file."""
        line, column = self.place
        return AutoModeError.of(f"{file}:{line}:{column}", field="", message=self.message, cure=self.cure)


@dataclass(kw_only=True, eq=False)
class Document:
    """One document of a stream: its data, and the place of each key and item, which is looked for when it is needed."""

    data: Any
    problems: list[tuple[Place, Problem]] = field(default_factory=list)
    """Problems that did not stop the reading: duplicate keys."""
    _read: _Located | Callable[[], _Located]
    """The same with places, or what reads it so."""
    _lines_before: int = 0
    """How many lines of the stream stand before what is read with places."""

    @cached_property
    def _located(self) -> _Located:
        return self._read if isinstance(self._read, _Located) else self._read()

    def place(self, path: str) -> Place:
        """The place of a field (``spec.requirements[0].key``); of a missing one, its nearest existing parent's."""
        located = self._located
        place, at = located.start, located.data
        for step in re.finditer(_STEP, path):
            text, index, quoted = step["name"], step["index"], step["quoted"]
            key: Any = int(index) if index and not isinstance(at, Mapping) else (index or text or _unquoted(quoted))
            places = located.places.get(id(at), {}) if isinstance(at, (dict, list)) else {}
            if key not in places:
                break
            place, at = places[key], at[key]
        return place[0] + self._lines_before, place[1]


# Compiled when they are needed: a clean run needs neither.
_STEP = r"\[(?P<index>\d{1,9})\]|\[(?P<quoted>'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")\]|(?P<name>[^.\[\]]+)"


def _unquoted(text: str) -> str:
    return re.sub(r"\\(['\"\\])", r"\1", text[1:-1])


def decoded(data: bytes) -> str:
    """The text of a file.

    Raises:
        UnreadableError: for more than ``MAX_BYTES``, for binary data, and for an encoding other than UTF-8.
    """
    if len(data) > MAX_BYTES:
        raise UnreadableError(f"is larger than {MAX_BYTES // 1024**2} MiB", "split it")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise UnreadableError("is UTF-16", "save it as UTF-8")
    if b"\0" in data:
        before = data[: data.index(b"\0")]
        raise UnreadableError("is binary: it holds a zero byte", place=_place_after(before))
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        raise UnreadableError(
            f"is not UTF-8: byte 0x{data[error.start]:02x} cannot stand here", "save it as UTF-8", _place_after(before)
        ) from None


def _place_after(before: bytes) -> Place:
    return before.count(b"\n") + 1, len(before) - (before.rfind(b"\n") + 1) + 1


@dataclass(slots=True)
class _Open:
    """A mapping or list that is still being read."""

    data: Any
    places: dict[Any, Place]
    anchor: str | None
    place: Place
    key: Any = None
    """The key whose value comes next; ``None`` while a key is expected."""
    key_place: Place = (1, 1)
    merged: list[Any] = field(default_factory=list)
    size: int = 1
    height: int = 1


class _Anchored(NamedTuple):
    data: Any
    size: int
    height: int


class _Expansion:
    """How many values the aliases of a stream have stood for so far."""

    values = 0


class _Merge:
    """The key ``<<``, written plain."""


_MERGE = _Merge()
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def documents(text: str) -> Iterator[Document]:
    """The documents of a stream, each yielded when it is complete; empty ones are skipped.

    Raises:
        UnreadableError: at the point where the text stops being YAML, or exceeds a bound.
    """
    text = _with_whole_escapes(text) if text.lstrip().startswith("{") else text
    number = 0
    try:
        for data, begins, ends, lines in _plain_data(text):
            again = partial(_located_document, text, begins, ends)
            yield Document(data=data, _read=again, _lines_before=lines)
            number += 1
    except _NotPlainError:
        for located in islice(_located_documents(text), number, None):
            yield Document(data=located.data, problems=located.problems, _read=located)


class _NotPlainError(Exception):
    """Raised for a text that is not read without places."""


def _plain_data(text: str) -> Iterator[tuple[Any, int, int, int]]:
    """The data of each document, as long as they hold plain mappings, lists and scalars only.

    Each comes with where its text begins and ends, in characters, and with the number of lines before.
    """
    scalar, alias, end = yaml.ScalarEvent, yaml.AliasEvent, yaml.StreamEndEvent
    mapping, sequence = yaml.MappingStartEvent, yaml.SequenceStartEvent
    closing, start = (yaml.MappingEndEvent, yaml.SequenceEndEvent), yaml.DocumentStartEvent
    hints, no_key = _HINTS, _NO_KEY
    outer: list[tuple[Any, Any]] = []
    data: Any = []
    key: Any = no_key
    begins = lines = -1
    if text.startswith("\ufeff"):  # not counted among the characters
        raise _NotPlainError
    try:
        get_event = LOADER(text).get_event
        while True:
            event = get_event()
            kind = type(event)
            if kind is scalar:
                if event.tag is not None:
                    raise _NotPlainError
                value = event.value
                if event.implicit[0] and (not value or value[0] in hints):
                    value = _resolved(value)
                    if type(value) is float and not math.isfinite(value):
                        raise _NotPlainError
                if type(data) is dict and key is no_key:
                    if type(value) is not str or value == "<<" or value in data:
                        raise _NotPlainError
                    key = value
                    continue
            elif kind is mapping or kind is sequence:
                if event.tag is not None or len(outer) >= MAX_DEPTH or (type(data) is dict and key is no_key):
                    raise _NotPlainError
                outer.append((data, key))
                data, key = {} if kind is mapping else [], no_key
                continue
            elif kind in closing:
                value = data
                data, key = outer.pop()
            elif kind is start:
                data, key = [], no_key
                # The first may begin within its line, where its text would have other columns.
                begins, lines = (event.start_mark.index, event.start_mark.line) if begins >= 0 else (0, 0)
                continue
            elif kind is end:
                return
            elif kind is alias:
                raise _NotPlainError
            else:  # the end of a document, the start of the stream
                if data and data[0] is not None:
                    yield data[0], begins, event.end_mark.index, lines
                continue
            if key is no_key:
                data.append(value)
            else:
                data[key] = value
                key = no_key
    except (yaml.YAMLError, UnicodeEncodeError):
        raise _NotPlainError from None


_NO_KEY = object()
"""The key while one is expected, and in lists."""


@dataclass(kw_only=True, slots=True)
class _Located:
    """A document with all its places."""

    data: Any
    start: Place
    problems: list[tuple[Place, Problem]] = field(default_factory=list)
    places: dict[int, dict[Any, Place]] = field(default_factory=dict)


def _located_document(text: str, begins: int, ends: int) -> _Located:
    """The document that stands between two places of a text."""
    return next(_located_documents(text[begins:ends]))


def _located_documents(text: str) -> Iterator[_Located]:
    events = _events(text)
    expansion = _Expansion()
    for event in events:
        if isinstance(event, yaml.DocumentStartEvent):
            document = _document(events, expansion)
            if document.data is not None:
                yield document


_PAIR = r"(?<!\\)((?:\\\\)*)\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})"


def _with_whole_escapes(text: str) -> str:
    """JSON writes characters beyond 16 bits as two escapes, YAML as one; YAML reads all other JSON unchanged."""

    def joined(pair: re.Match[str]) -> str:
        high, low = int(pair[2], 16) - 0xD800, int(pair[3], 16) - 0xDC00
        return f"{pair[1]}\\U{0x10000 + (high << 10) + low:08x}"

    return re.sub(_PAIR, joined, text)


def _events(text: str, loader: Any = LOADER) -> Iterator[yaml.Event]:
    count = 0
    try:
        for count, event in enumerate(yaml.parse(text, Loader=loader), start=1):  # noqa: B007 - for the error below
            yield event
    except yaml.MarkedYAMLError as error:
        if loader is not yaml.SafeLoader and "maximum nesting depth" in str(error.problem):
            # Newer versions of libyaml stop before the depth that we name, and say less.
            yield from islice(_events(text, yaml.SafeLoader), count, None)
            return
        mark = error.problem_mark or error.context_mark
        place = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        place = min(
            place, _place_after(text.rstrip().encode("utf-8", "surrogatepass"))
        )  # report the end where the text ends
        reason = ", ".join(part for part in (error.context, error.problem) if part)
        cure = "indent with spaces" if _tab_at(text, place) else ""
        raise UnreadableError(f"is not YAML: {reason}", cure, place) from None
    except yaml.reader.ReaderError as error:
        before = text.encode("utf-8", "surrogatepass")[: error.position]
        raise UnreadableError(f"is not YAML: {error.reason}", place=_place_after(before)) from None
    except UnicodeEncodeError as error:
        character = shown(error.object[error.start])
        raise UnreadableError(f"is no text: {character} is no character", "save it as UTF-8") from None
    except yaml.YAMLError as error:
        raise UnreadableError(f"is not YAML: {error}") from None


def _tab_at(text: str, place: Place) -> bool:
    line = text.split("\n", place[0])[place[0] - 1 : place[0]]
    return bool(line) and "\t" in line[0][: place[1]]


def _document(events: Iterator[Any], expansion: _Expansion) -> _Located:
    document = _Located(data=None, start=(1, 1))
    open_: list[_Open] = []
    anchors: dict[str, _Anchored | None] = {}  # None while the anchored value is not finished
    for event in events:
        kind = type(event)
        if kind is yaml.DocumentEndEvent:
            break
        place = (event.start_mark.line + 1, event.start_mark.column + 1)
        size = height = 1
        if kind is yaml.ScalarEvent:
            value = _scalar(event, place)
            height = 0
            if event.anchor is not None:
                anchors[event.anchor] = _Anchored(value, 1, 0)
        elif kind is yaml.AliasEvent:
            known = anchors.get(event.anchor)
            if known is None:
                why = "stands inside itself" if event.anchor in anchors else "is defined nowhere"
                raise UnreadableError(f"is not YAML: the alias '*{event.anchor}' {why}", place=place)
            value, size, height = known.data, known.size, known.height
            expansion.values += size
            if expansion.values > MAX_EXPANDED:
                raise UnreadableError(
                    f"has aliases that stand for more than {MAX_EXPANDED} values", "write less by aliases", place
                )
            if len(open_) + height > MAX_DEPTH:
                raise _too_deep(place)
        elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
            if len(open_) >= MAX_DEPTH:
                raise _too_deep(place)
            if open_ and open_[-1].key is None and isinstance(open_[-1].data, dict):
                raise UnreadableError("has a mapping or a list as a key, which Kubernetes does not read", place=place)
            if event.tag not in (None, "!", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"):
                raise _tagged(event.tag, place)
            data: Any = {} if kind is yaml.MappingStartEvent else []
            here: dict[Any, Place] = {}
            document.places[id(data)] = here
            if event.anchor is not None:
                anchors[event.anchor] = None
            open_.append(_Open(data, here, event.anchor, place))
            continue
        else:  # the end of a mapping or list
            done = open_.pop()
            value, place, size, height = done.data, done.place, done.size, done.height
            if done.merged:
                _merge(done)
            if done.anchor is not None:
                anchors[done.anchor] = _Anchored(value, size, height)
        if not open_:
            document.data, document.start = value, place
            continue
        outer = open_[-1]
        outer.size += size
        outer.height = max(outer.height, height + 1)
        if isinstance(outer.data, list):
            outer.places[len(outer.data)] = place
            outer.data.append(value)
        elif outer.key is None:
            outer.key, outer.key_place = _key(event, value, place), place
        elif outer.key is _MERGE:
            _take_merge(outer, value, place)
            outer.key = None
        else:
            if outer.key in outer.data and len(document.problems) < _MOST_DUPLICATES:
                problem = DUPLICATE_KEY.problem("", f"the key {shown(outer.key)} stands twice", "take one away")
                document.problems.append((outer.key_place, problem))
            outer.data[outer.key] = value
            outer.places[outer.key] = outer.key_place
            outer.key = None
    return document


def _too_deep(place: Place) -> UnreadableError:
    return UnreadableError(f"is nested deeper than {MAX_DEPTH} levels", "no Kubernetes object is", place)


_OF_CLOUDFORMATION = frozenset(
    f"!{name}"
    for name in (
        *("Base64", "Cidr", "FindInMap", "GetAZs", "GetAtt", "If", "ImportValue", "Join", "Ref", "Select", "Split"),
        *("Sub", "Transform", "And", "Equals", "Not", "Or", "Condition"),
    )
)


def _tagged(tag: str, place: Place) -> UnreadableError:
    if tag in _OF_CLOUDFORMATION:
        return UnreadableError(
            f"has the tag {shown(tag)}, which CloudFormation fills in and Kubernetes does not read",
            "write the value, or deliver the object by a CDK app",
            place,
        )
    return UnreadableError(f"has the tag {shown(tag)}, which Kubernetes does not read", "take the tag away", place)


def _key(event: Any, value: Any, place: Place) -> Any:
    if isinstance(value, str):
        plain = type(event) is yaml.ScalarEvent and event.implicit[0] and event.tag is None
        return _MERGE if plain and value == "<<" else value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    words = "an empty key" if value is None else "a mapping or a list as a key"
    raise UnreadableError(f"has {words}, which Kubernetes does not read", place=place)


def _take_merge(outer: _Open, value: Any, place: Place) -> None:
    sources = value if isinstance(value, list) else [value]
    if not all(isinstance(source, dict) for source in sources):
        raise UnreadableError("is not YAML: '<<' merges mappings only", place=place)
    outer.merged += sources


def _merge(done: _Open) -> None:
    for source in done.merged:
        for key, value in source.items():
            if key not in done.data:
                done.data[key] = value
                done.places[key] = done.place


_WORDS: Mapping[str, bool | float | None] = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
}
_HINTS = frozenset("+-.0123456789yYnNtTfFoO~")
_INTEGER = re.compile(
    r"(?P<sign>[-+]?)(?:0[xX](?P<x>[0-9a-fA-F]+)|0[bB](?P<b>[01]+)|0[oO]?(?P<o>[0-7]+)|(?P<d>[0-9]+))"
)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_LONGEST_INTEGER, _LONGEST_NUMBER = 67, 1000
"""In characters: 64 bits with a sign and a prefix; and a length that no meaningful number needs."""
_TAGS = frozenset(f"tag:yaml.org,2002:{name}" for name in ("bool", "int", "float", "null", "timestamp"))


def _scalar(event: Any, place: Place) -> Any:
    text: str = event.value
    tag = event.tag
    if (tag is None and not event.implicit[0]) or tag in ("!", "tag:yaml.org,2002:str", "tag:yaml.org,2002:binary"):
        return text
    if tag is not None and tag not in _TAGS:
        raise _tagged(tag, place)
    value = _resolved(text)
    if isinstance(value, float) and not math.isfinite(value):
        raise UnreadableError(f"has the number {text}, which JSON and so Kubernetes does not know", place=place)
    return value


def _resolved(text: str) -> Any:
    if text and text[0] not in _HINTS:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "+-.0123456789":
        return text
    plain = text if text[0] == "." else text.replace("_", "")
    if len(plain) <= _LONGEST_INTEGER:
        number = _INTEGER.fullmatch(plain)
        if number is not None and (number["d"] is None or number["d"] == "0" or number["d"][0] != "0"):
            value = next(
                int(digits, base)
                for digits, base in ((number["x"], 16), (number["b"], 2), (number["o"], 8), (number["d"], 10))
                if digits is not None
            )
            value = -value if number["sign"] == "-" else value
            if -(2**63) <= value < 2**64:
                return value
    if len(plain) <= _LONGEST_NUMBER and _FLOAT.fullmatch(plain):
        real = float(plain)
        if math.isfinite(real):
            # Written as JSON, a whole number is a whole number.
            return int(real) if real.is_integer() and abs(real) < 2**53 else real
    return text
