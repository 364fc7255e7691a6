"""Changes single values, names and places in YAML and JSON text, and nothing else in it.

The changes are made in the text itself, at the positions that the parser reports, so that every byte beside them stays:
comments, order, quotes, layout. Each is checked: the new text is read again, and its data must equal the old data with
that one change. What text cannot show in one place (an alias, a merge, an anchor that something else uses) fails that
check and is left alone.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import yaml

from automode_constructs.cli.reading import UnreadableError, documents
from automode_constructs.errors import Edit

__all__ = ["CannotEditError", "Change", "Replacement", "edited", "replacements"]


class CannotEditError(Exception):
    """Raised for a change that cannot be made in the text alone; says why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """An edit and the field that it is for.

    Args:
        document: the number of the document among those of the stream that are mappings, from 0.
        path: the field in that document, such as ``spec.requirements[0].key``.
        edit: the edit.
    """

    document: int
    path: str
    edit: Edit


@dataclass(slots=True)
class _Node:
    """A value in the text."""

    start: int
    end: int
    kind: str
    """``scalar``, ``mapping``, ``list`` or ``alias``."""
    style: str = ""
    """The quote or sign of a scalar, ``{`` for a mapping or list in brackets, ``""`` for plain."""
    value: str = ""
    fixed: bool = False
    """Whether an anchor or a tag stands before it."""
    keys: list[_Node] = field(default_factory=list)
    values: list[_Node] = field(default_factory=list)

    def entry(self, name: str) -> int:
        """The number of the entry with this name; of two, the last, which wins."""
        scalars = [(number, key) for number, key in enumerate(self.keys) if key.kind == "scalar"]
        found = [number for number, key in scalars if key.value == name]
        found = found or [number for number, key in scalars if not key.style and _reads_as(key.value, name)]
        if self.kind != "mapping" or not found:
            raise CannotEditError("it comes by an alias or a merge; change it where its anchor is")
        return found[-1]


def _reads_as(plain: str, name: str) -> bool:
    """Whether a key without quotes has this name: ``n`` is ``false``, and ``010`` is 8."""
    try:
        return any(name in document.data for document in documents(f"{plain}: 0"))
    except UnreadableError:
        return False


_Step = str | int
_Splice = tuple[int, int, str]
"""Start and end of what is replaced, and the text that stands there then."""

_STEP = re.compile(r"\.?([^.\[\]]+)|\[([0-9]{1,9})\]|\[('(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")\]")
_PAIR = re.compile(r"(?<!\\)((?:\\\\)*)\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}")
_PLAIN = re.compile(r"[A-Za-z0-9_./+-]([\w./%+-]|:(?=[\w/]))*", re.ASCII)
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def edited(text: str, changes: Sequence[Change]) -> tuple[str, list[Change], dict[Change, str]]:
    """The text with as many of the changes as can be made together, these, and why others cannot be made at all.

    What is neither made nor refused is for another call: two changes may meet in one place.

    Args:
        text: YAML or JSON that can be read.
        changes: what to change.
    """
    batch = list(_one_move_a_document(changes))
    try:
        return _edited(text, batch), batch, {}
    except CannotEditError:
        made: list[Change] = []
        refused: dict[Change, str] = {}
        for change in batch:
            try:
                text = _edited(text, [change])
                made.append(change)
            except CannotEditError as error:
                refused[change] = str(error)
        return text, made, refused


def _one_move_a_document(changes: Sequence[Change]) -> Iterator[Change]:
    moved: set[int] = set()
    for change in dict.fromkeys(changes):
        if change.edit.what != "place":
            yield change
        elif change.document not in moved:
            moved.add(change.document)
            yield change


@dataclass(frozen=True, kw_only=True, slots=True)
class Replacement:
    """A part of a text, from one index to another, and what stands there instead."""

    start: int
    end: int
    text: str


_MOST_TRIED = 100
"""The most changes of one text that are tried one by one."""


def replacements(text: str, changes: Sequence[Change]) -> dict[Change, list[Replacement]]:
    """What each of the changes replaces in the text; without those that cannot be made.

    Args:
        text: YAML or JSON that can be read.
        changes: what to change, each by itself.
    """
    made, alone = list(_one_move_a_document(changes)), list[Change]()
    try:
        _edited(text, made)
    except CannotEditError:
        made, alone = [], list(dict.fromkeys(changes))
    else:
        alone = [change for change in dict.fromkeys(changes) if change not in made]
    for change in alone[:_MOST_TRIED]:
        with suppress(CannotEditError):
            _edited(text, [change])
            made.append(change)
    roots = _roots(text) if made else []
    parts: dict[Change, list[Replacement]] = {}
    for change in made:
        splices = _splices(text, roots[change.document], _steps(change.path + change.edit.at), change.edit)
        parts[change] = [
            Replacement(start=start, end=end, text=_with_its_line_ends(text, instead))
            for start, end, instead in splices
        ]
    return parts


def _edited(text: str, changes: Sequence[Change]) -> str:
    """The text with all of the changes, of which each is checked."""
    roots = _roots(text)
    before = [document.data for document in documents(text) if isinstance(document.data, dict)]
    wanted = json.loads(json.dumps(before))  # without shared parts: what an alias stands for must not change
    splices: list[_Splice] = []
    for change in sorted(changes, key=lambda change: -len(_steps(change.path))):
        steps = _steps(change.path + change.edit.at)
        root = roots[change.document]
        splices += _splices(text, root, steps, change.edit)
        try:
            _apply(wanted[change.document], steps, change.edit, _written(text, root, steps))
        except LookupError:
            raise CannotEditError("another change moves it") from None
    new, end_of_last = text, len(text) + 1
    for start, end, instead in sorted(splices, reverse=True):
        if end > end_of_last:
            raise CannotEditError("another change meets it")
        end_of_last = start
        new = new[:start] + _with_its_line_ends(text, instead) + new[end:]
    try:
        data = [document.data for document in documents(new) if isinstance(document.data, dict)]
    except UnreadableError as error:
        raise CannotEditError(f"the text would not be YAML any more: {error.message}") from None
    # As JSON, because True equals 1 in Python.
    if json.dumps(data, sort_keys=True) != json.dumps(wanted, sort_keys=True):
        raise CannotEditError("other fields would change with it, by an alias, a merge or the layout")
    return new


def _with_its_line_ends(text: str, part: str) -> str:
    """A new part of a text, with line ends like the others."""
    return re.sub(r"(?<!\r)\n", "\r\n", part) if "\r\n" in text else part


def _steps(path: str) -> list[_Step]:
    steps: list[_Step] = []
    for name, index, quoted in _STEP.findall(path):
        steps.append(int(index) if index else name or re.sub(r"\\(['\"\\])", r"\1", quoted[1:-1]))
    return steps


def _roots(text: str) -> list[_Node]:
    """The documents that are mappings."""
    # Two escapes of JSON for one character, which YAML does not read; what stands for them here is as long.
    readable = _PAIR.sub(lambda pair: "x" * len(pair[0]), text) if text.lstrip().startswith("{") else text
    roots: list[_Node] = []
    open_: list[_Node] = []
    for event in yaml.parse(readable, Loader=_LOADER):
        node = _node(event, text)
        if node is not None and not open_:
            roots.append(node)
        elif node is not None:
            outer = open_[-1]
            names = outer.kind == "mapping" and len(outer.keys) == len(outer.values)
            (outer.keys if names else outer.values).append(node)
        if isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)) and node is not None:
            open_.append(node)
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            done = open_.pop()
            # The end that the parser reports for a block is where the next thing begins, behind comments.
            done.end = _span(event)[1] if done.style else max([done.start, *(node.end for node in done.values)])
    return [root for root in roots if root.kind == "mapping"]


def _span(event: Any) -> tuple[int, int]:
    return event.start_mark.index, event.end_mark.index


def _node(event: yaml.Event, text: str) -> _Node | None:
    start, end = _span(event)
    if isinstance(event, yaml.AliasEvent):
        return _Node(start, end, "alias")
    if isinstance(event, yaml.ScalarEvent):
        fixed = event.anchor is not None or (event.tag is not None and not event.implicit[0])
        style = event.style or ""
        if style in "|>" and style:
            end = start + len(text[start:end].rstrip())
        return _Node(start, end, "scalar", style, event.value, fixed)
    if isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
        kind = "mapping" if isinstance(event, yaml.MappingStartEvent) else "list"
        style = "{" if event.flow_style else ""
        return _Node(start, end, kind, style, fixed=event.anchor is not None)
    return None


def _find(root: _Node, steps: Sequence[_Step]) -> _Node:
    at = root
    for step in steps:
        if at.kind == "alias":
            raise CannotEditError("it comes by an alias; change it where its anchor is")
        if isinstance(step, int) and at.kind == "list" and step < len(at.values):
            at = at.values[step]
        else:
            at = at.values[at.entry(str(step))]
    return at


def _written(text: str, root: _Node, steps: Sequence[_Step]) -> str:
    node = _find(root, steps)
    return text[node.start : node.end]


def _apply(data: Any, steps: Sequence[_Step], edit: Edit, written: str) -> None:
    """Makes the change in the data."""
    outer = _at(data, steps[:-1])
    if edit.what in ("value", "text"):
        outer[steps[-1]] = edit.to if edit.what == "value" else written
        return
    value = outer.pop(steps[-1])
    names = [edit.to] if edit.what == "key" else _steps(str(edit.to))
    home = outer if edit.what == "key" else _at(data, steps[: len(steps) - edit.up])
    for name in names[:-1]:
        home = home.setdefault(name, {})
        if not isinstance(home, dict):
            raise CannotEditError(f"{name} is no mapping")
    if names[-1] in home:
        raise CannotEditError(f"{names[-1]} stands there already")
    home[names[-1]] = value


def _at(data: Any, steps: Sequence[_Step]) -> Any:
    for step in steps:
        data = data[step]
    return data


def _splices(text: str, root: _Node, steps: Sequence[_Step], edit: Edit) -> list[_Splice]:
    if edit.what == "place":
        return list(_move(text, root, steps, edit))
    outer = _find(root, steps[:-1])
    if edit.what == "key":
        node = outer.keys[outer.entry(str(steps[-1]))]
        if any(key.value == edit.to for key in outer.keys):
            raise CannotEditError(f"{edit.to} stands there already")
    else:
        node = _find(outer, steps[-1:])
    if node.kind != "scalar" or node.style in ("|", ">"):
        raise CannotEditError("it is no single value in the text")
    if node.fixed:
        raise CannotEditError("it has an anchor or a tag, so that others may share it")
    if edit.what == "text":
        return [(node.start, node.end, _quoted(text[node.start : node.end], _quote(root)))]
    return [(node.start, node.end, _scalar(edit.to, node.style, _quote(root)))]


def _scalar(value: str | bool | int, style: str, quote: str) -> str:
    if not isinstance(value, str):
        return json.dumps(value)
    if style:
        return _quoted(value, style)
    read = next((document.data for document in documents(value)), None) if _PLAIN.fullmatch(value) else None
    return value if isinstance(read, str) else _quoted(value, quote)


def _quoted(value: str, quote: str) -> str:
    return json.dumps(value, ensure_ascii=False) if quote == '"' else "'" + value.replace("'", "''") + "'"


def _quote(root: _Node) -> str:
    """The quotes that the document uses most."""
    waiting, styles = [root], Counter[str]({"'": 0})
    while waiting:
        node = waiting.pop()
        styles[node.style] += node.style in ("'", '"')
        waiting += [*node.keys, *node.values]
    return '"' if styles['"'] > styles["'"] else "'"


def _move(text: str, root: _Node, steps: Sequence[_Step], edit: Edit) -> Iterator[_Splice]:
    outer = _find(root, steps[:-1])
    number = outer.entry(str(steps[-1]))
    names = [str(step) for step in _steps(str(edit.to))]
    home = _find(root, steps[: len(steps) - edit.up])
    while len(names) > 1 and any(key.value == names[0] for key in home.keys):
        home = home.values[home.entry(names.pop(0))]
    if home.kind != "mapping" or any(node.fixed for node in (home, outer)):
        raise CannotEditError("its new place is no mapping, or has an anchor")
    if home is outer and len(names) == 1:
        raise CannotEditError("it stands there already")
    key, value = outer.keys[number], outer.values[number]
    moved = _Entry(text, key, value, outer, names)
    if outer.style and home.style:
        yield from _take_from_brackets(outer, number)
        yield _put_in_brackets(text, home, moved.in_brackets())
        return
    if outer.style:
        yield from _take_from_brackets(outer, number)
        yield _put_in_block(text, home, moved.from_brackets(_column(text, home.keys[0].start)))
        return
    start, end = moved.lines
    if home is outer:  # its new parent takes its place
        yield (start, end, moved.in_block(_column(text, key.start)))
        return
    if start == key.start and _column(text, start):
        raise CannotEditError("it stands in the line of something else")
    if len(outer.keys) == 1:
        holder = _find(root, steps[:-2])
        if holder.kind != "mapping" or len(steps) < 2:
            raise CannotEditError("nothing would be left in its item")
        behind = text.index(":", holder.keys[holder.entry(str(steps[-2]))].end) + 1
        yield (behind, behind, " {}")
    start = moved.comments
    yield (start, end, "")
    if home.style:
        yield _put_in_brackets(text, home, moved.in_brackets())
    else:
        yield _put_in_block(text, home, moved.with_comments(_column(text, home.keys[0].start)))


@dataclass(slots=True)
class _Entry:
    """A key with its value that moves, and the names of its new place."""

    text: str
    key: _Node
    value: _Node
    outer: _Node
    names: list[str]

    @property
    def lines(self) -> tuple[int, int]:
        """Where its lines begin and end, with the line break."""
        start = self.text.rfind("\n", 0, self.key.start) + 1
        if self.text[start : self.key.start].strip(" "):
            start = self.key.start
        return start, _line_end(self.text, max(self.key.end, self.value.end))

    @property
    def comments(self) -> int:
        """Where the comments begin that stand right above it."""
        start, column = self.lines[0], _column(self.text, self.key.start)
        while start:
            before = self.text.rfind("\n", 0, start - 1) + 1
            line = self.text[before:start]
            if not line.startswith("#", column) or line[:column].strip(" "):
                break
            start = before
        return start

    def with_comments(self, column: int) -> str:
        """The same with the comments above it."""
        lines = self.text[self.comments : self.lines[0]].splitlines(keepends=True)
        shift = column - _column(self.text, self.key.start)
        return "".join(_indented(line, shift) for line in lines) + self.in_block(column)

    def in_block(self, column: int) -> str:
        """As lines of a block that begins in a column."""
        start, end = self.lines
        lines = self.text[self.key.start : end].splitlines(keepends=True)
        lines[0] = self._name() + lines[0][self.key.end - self.key.start :]
        shift = column + 2 * (len(self.names) - 1) - _column(self.text, self.key.start)
        shifted = [_indented(line, shift) for line in lines[1:]]
        parents = [f"{' ' * (column + 2 * depth)}{name}:\n" for depth, name in enumerate(self.names[:-1])]
        first = " " * (column + 2 * (len(self.names) - 1)) + lines[0]
        whole = "".join([*parents, first, *shifted])
        if start == self.key.start:  # behind the dash of a list: that line's indentation is there
            whole = whole[column:]
        return whole

    def from_brackets(self, column: int) -> str:
        """As lines of a block that begins in a column, for an entry in brackets."""
        parents = [f"{' ' * (column + 2 * depth)}{name}:\n" for depth, name in enumerate(self.names[:-1])]
        value = self.text[self.value.start : self.value.end]
        return "".join([*parents, f"{' ' * (column + 2 * len(parents))}{self._name()}: {value}\n"])

    def in_brackets(self) -> str:
        """As an entry in brackets."""
        if (self.value.kind != "scalar" and not self.value.style) or self.value.style in ("|", ">"):
            raise CannotEditError("it has several lines, and its new place is in brackets")
        quote = self.key.style
        value = self.text[self.value.start : self.value.end]
        parents = "".join(f"{_quoted(name, quote) if quote else name}: {{" for name in self.names[:-1])
        return f"{parents}{self._name()}: {value}" + "}" * (len(self.names) - 1)

    def _name(self) -> str:
        return _scalar(self.names[-1], self.key.style, "'") if self.names[-1] != self.key.value else self._key()

    def _key(self) -> str:
        return self.text[self.key.start : self.key.end]


def _indented(line: str, shift: int) -> str:
    if not line.strip():
        return line
    if shift >= 0:
        return " " * shift + line
    return line[min(-shift, len(line) - len(line.lstrip(" "))) :]


def _column(text: str, index: int) -> int:
    return index - (text.rfind("\n", 0, index) + 1)


def _line_end(text: str, index: int) -> int:
    end = text.find("\n", index)
    return len(text) if end < 0 else end + 1


def _take_from_brackets(outer: _Node, number: int) -> Iterator[_Splice]:
    """Takes an entry out, with the comma before or behind it."""
    if number + 1 < len(outer.keys):
        yield (outer.keys[number].start, outer.keys[number + 1].start, "")
    else:
        before = outer.values[number - 1].end if number else outer.start + 1
        yield (before, max(outer.keys[number].end, outer.values[number].end), "")


def _put_in_brackets(text: str, home: _Node, entry: str) -> _Splice:
    """Puts an entry behind the last; on a line of its own if those are."""
    if not home.keys:
        return (home.start + 1, home.end - 1, entry)
    last = max(home.keys[-1].end, home.values[-1].end)
    line = text.rfind("\n", home.start, home.keys[-1].start)
    gap = text[line : home.keys[-1].start] if line >= 0 else " "
    return (last, last, f",{gap if not gap.strip() else ' '}{entry}")


def _put_in_block(text: str, home: _Node, lines: str) -> _Splice:
    """Puts lines behind the last entry."""
    at = _line_end(text, home.end)
    if at and text[at - 1] != "\n":
        return (at, at, "\n" + lines.removesuffix("\n"))
    return (at, at, lines if lines.endswith("\n") else lines + "\n")
