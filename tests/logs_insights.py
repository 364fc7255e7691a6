"""A small strict engine for the part of Logs Insights QL that the library's queries use.

No engine of AWS's runs outside of it, and moto's knows fields, sort and limit only. This one follows AWS's pages: a
command, function or operator that it does not know is an error, as is a field name that would need backticks, so it
accepts less than CloudWatch does. What it cannot show: how AWS discovers fields, and how ties are sorted.

Source: CloudWatch Logs User Guide, "CloudWatch Logs Insights language query syntax" and the pages of its commands;
"Supported logs and discovered fields".
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

__all__ = ["QueryError", "matches_pattern", "run"]

_TOKEN = re.compile(
    r'\s*(?:(?P<text>"(?:[^"\\]|\\.)*")|(?P<regex>/(?:[^/\\]|\\.)+/)|(?P<number>\d+(?:\.\d+)?)(?P<unit>[smhd]\b)?'
    r"|(?P<name>(?:@?[A-Za-z_]\w*|`[^`]+`)(?:\.(?:[A-Za-z_]\w*|`[^`]+`))*)"
    r"|(?P<sign>!=|<=|>=|[=<>()\[\],*+\-/]))"
)
_KEYWORDS = {"as", "by", "and", "or", "not", "in", "like", "asc", "desc"}

Row = dict[str, Any]


class QueryError(ValueError):
    """A query that is not in the language, as far as this engine knows it."""


class _Tokens:
    def __init__(self, text: str) -> None:
        self._all: list[tuple[str, str]] = []
        at = 0
        while text[at:].strip():
            # A slash begins a regular expression only behind 'like'.
            match = _TOKEN.match(text, at)
            if match is None:
                raise QueryError(f"cannot read {text[at:]!r}")
            kind = str(match.lastgroup)
            if kind == "unit":
                self._all.append(("span", match["number"] + match["unit"]))
            else:
                self._all.append((kind, match[kind]))
            at = match.end()
        self._at = 0

    def peek(self) -> tuple[str, str]:
        return self._all[self._at] if self._at < len(self._all) else ("end", "")

    def next(self) -> tuple[str, str]:
        token = self.peek()
        self._at += 1
        return token

    def take(self, *values: str) -> str | None:
        if self.peek()[1] in values and self.peek()[0] in ("sign", "name"):
            return self.next()[1]
        return None

    def need(self, value: str) -> None:
        if self.take(value) is None:
            raise QueryError(f"needs {value!r}, got {self.peek()[1]!r}")


Expression = Callable[[Row], Any]


def _field(name: str) -> Expression:
    parts = [part.strip("`") for part in re.findall(r"`[^`]+`|[^.]+", name)]

    def read(row: Row) -> Any:
        if name in row:
            return row[name]
        value: Any = row
        for part in parts:
            if not isinstance(value, Mapping) or part not in value:
                return None
            value = value[part]
        return value

    return read


def _number(value: Any) -> float:
    return 0.0 if value is None else float(value)


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "coalesce": lambda *values: next((value for value in values if value is not None), None),
    "concat": lambda *values: "".join("" if value is None else str(value) for value in values),
    "strcontains": lambda text, part: int(text is not None and str(part) in str(text)),
    "ispresent": lambda value: value is not None,
}
_AGGREGATES: dict[str, Callable[[Sequence[Any]], Any]] = {
    "count": len,
    "sum": lambda values: sum(_number(value) for value in values),
    "max": lambda values: max(values, default=None),
    "min": lambda values: min(values, default=None),
    "count_distinct": lambda values: len({json.dumps(value) for value in values if value is not None}),
    "latest": lambda values: next((value for value in reversed(values) if value is not None), None),
}
"""Rows come in the order of their time."""


def _primary(tokens: _Tokens) -> Expression:
    kind, value = tokens.next()
    if kind == "text":
        text = json.loads(value)
        return lambda row: text
    if kind == "number":
        return lambda row: float(value)
    if value == "(":
        inner = _or(tokens)
        tokens.need(")")
        return inner
    if kind != "name" or value in _KEYWORDS:
        raise QueryError(f"needs a value, got {value!r}")
    if tokens.take("("):
        if value not in _FUNCTIONS:
            raise QueryError(f"does not know the function {value!r}")
        arguments = [_or(tokens)]
        while tokens.take(","):
            arguments.append(_or(tokens))
        tokens.need(")")
        return lambda row: _FUNCTIONS[value](*(argument(row) for argument in arguments))
    return _field(value)


def _product(tokens: _Tokens) -> Expression:
    left = _primary(tokens)
    while sign := tokens.take("*", "/"):
        left = _arithmetic(sign, left, _primary(tokens))
    return left


def _sum(tokens: _Tokens) -> Expression:
    left = _product(tokens)
    while sign := tokens.take("+", "-"):
        left = _arithmetic(sign, left, _product(tokens))
    return left


def _arithmetic(sign: str, left: Expression, right: Expression) -> Expression:
    operation: dict[str, Callable[[float, float], float]] = {
        "*": lambda a, b: a * b,
        "/": lambda a, b: a / b,
        "+": lambda a, b: a + b,
        "-": lambda a, b: a - b,
    }
    return lambda row: operation[sign](_number(left(row)), _number(right(row)))


def _comparison(tokens: _Tokens) -> Expression:
    if tokens.take("not"):
        inner = _comparison(tokens)
        return lambda row: not inner(row)
    left = _sum(tokens)
    if tokens.take("like"):
        kind, value = tokens.next()
        if kind not in ("regex", "text"):
            raise QueryError(f"needs a text or a regular expression behind like, got {value!r}")
        pattern = re.compile(value[1:-1] if kind == "regex" else re.escape(json.loads(value)))
        return lambda row: left(row) is not None and pattern.search(str(left(row))) is not None
    if tokens.take("in"):
        tokens.need("[")
        items = [_primary(tokens)]
        while tokens.take(","):
            items.append(_primary(tokens))
        tokens.need("]")
        return lambda row: left(row) in [item(row) for item in items]
    sign = tokens.take("=", "!=", "<", ">", "<=", ">=")
    if sign is None:
        return left
    right = _sum(tokens)
    compare: dict[str, Callable[[Any, Any], bool]] = {
        "=": lambda a, b: a == b,
        "!=": lambda a, b: a != b,
        "<": lambda a, b: a < b,
        ">": lambda a, b: a > b,
        "<=": lambda a, b: a <= b,
        ">=": lambda a, b: a >= b,
    }
    return lambda row: compare[str(sign)](left(row), right(row))


def _both(left: Expression, right: Expression) -> Expression:
    return lambda row: bool(left(row)) and bool(right(row))


def _either(left: Expression, right: Expression) -> Expression:
    return lambda row: bool(left(row)) or bool(right(row))


def _and(tokens: _Tokens) -> Expression:
    left = _comparison(tokens)
    while tokens.take("and"):
        left = _both(left, _comparison(tokens))
    return left


def _or(tokens: _Tokens) -> Expression:
    left = _and(tokens)
    while tokens.take("or"):
        left = _either(left, _and(tokens))
    return left


def _alias(tokens: _Tokens, default: str) -> str:
    if tokens.take("as"):
        kind, name = tokens.next()
        if kind != "name" or "." in name or "`" in name or name in _KEYWORDS:
            raise QueryError(f"{name!r} is no alias")
        return name
    return default


def _fields(tokens: _Tokens, rows: list[Row], grouped: bool) -> list[Row]:
    columns: list[tuple[str, Expression]] = []
    while True:
        start = tokens.peek()[1]
        expression = _or(tokens)
        columns.append((_alias(tokens, start), expression))
        if not tokens.take(","):
            break
    return [{**row, **{name: expression(row) for name, expression in columns}} for row in rows]


def _filter(tokens: _Tokens, rows: list[Row], grouped: bool) -> list[Row]:
    condition = _or(tokens)
    return [row for row in rows if condition(row)]


def _stats(tokens: _Tokens, rows: list[Row], grouped: bool) -> list[Row]:
    columns: list[tuple[str, str, Expression | None]] = []
    while True:
        kind, name = tokens.next()
        if kind != "name" or name not in _AGGREGATES:
            raise QueryError(f"does not know the aggregation {name!r}")
        tokens.need("(")
        expression = None
        if tokens.take("*"):
            if name != "count":
                raise QueryError(f"{name}(*) is not in the language")
        else:
            expression = _or(tokens)
        tokens.need(")")
        columns.append((_alias(tokens, f"{name}()"), name, expression))
        if not tokens.take(","):
            break
    keys: list[tuple[str, Expression]] = []
    if tokens.take("by"):
        while True:
            kind, name = tokens.next()
            if name == "bin":
                tokens.need("(")
                span = tokens.next()[1]
                tokens.need(")")
                if not re.fullmatch(r"\d+[smhd]", span):
                    raise QueryError(f"{span!r} is no period")
                keys.append((f"bin({span})", _bin(span)))
            elif kind == "name" and name not in _KEYWORDS:
                keys.append((name, _field(name)))
            else:
                raise QueryError(f"needs a field behind by, got {name!r}")
            if not tokens.take(","):
                break
    groups: dict[str, list[Row]] = {}
    heads: dict[str, Row] = {}
    for row in rows:
        head = {name: expression(row) for name, expression in keys}
        place = json.dumps(head, sort_keys=True)
        groups.setdefault(place, []).append(row)
        heads[place] = head
    return [
        {
            **heads[place],
            **{
                alias: _AGGREGATES[name]([row if each is None else each(row) for row in members])
                for alias, name, each in columns
            },
        }
        for place, members in groups.items()
    ]


def _bin(span: str) -> Expression:
    seconds = int(span[:-1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[span[-1]]
    return lambda row: row["@timestamp"] // seconds * seconds


def _sort(tokens: _Tokens, rows: list[Row], grouped: bool) -> list[Row]:
    kind, name = tokens.next()
    if kind != "name":
        raise QueryError(f"cannot sort by {name!r}")
    known = grouped and rows and name not in rows[0]
    if known:
        raise QueryError(f"sorts by {name!r}, which the query no longer has")
    down = tokens.take("asc", "desc") != "asc"
    return sorted(rows, key=lambda row: _number(_field(name)(row)), reverse=down)


def _limit(tokens: _Tokens, rows: list[Row], grouped: bool) -> list[Row]:
    kind, value = tokens.next()
    if kind != "number" or not 1 <= int(value) <= 10_000:
        raise QueryError(f"{value!r} is no limit")
    return rows[: int(value)]


_COMMANDS = {"fields": _fields, "filter": _filter, "stats": _stats, "sort": _sort, "limit": _limit}


def run(query: str, records: Iterable[Mapping[str, Any]]) -> list[Row]:
    """The rows of a query over records of JSON, which have ``@timestamp`` in seconds and may have ``@logStream``.

    Raises:
        QueryError: for what this engine does not know.
    """
    rows = sorted(({**record} for record in records), key=lambda row: row["@timestamp"])
    grouped = 0
    for line in re.split(r"\n\| ", query):
        word, _, rest = line.strip().partition(" ")
        if word not in _COMMANDS:
            raise QueryError(f"does not know the command {word!r}")
        grouped += word == "stats"
        if grouped > 2:
            raise QueryError("has more than two stats commands")
        tokens = _Tokens(rest)
        rows = _COMMANDS[word](tokens, rows, bool(grouped))
        if tokens.peek()[0] != "end":
            raise QueryError(f"cannot read {tokens.peek()[1]!r} in {line!r}")
    return rows


_TERM = re.compile(r'\(?\s*\$\.(\w+)\s*=\s*"([^"]*)"\s*\)?')


def matches_pattern(pattern: str, record: Mapping[str, Any]) -> bool:
    """Whether a metric filter's pattern for JSON matches: terms ``$.field = "text"`` with ``*``, joined by ``||``.

    Source: CloudWatch Logs User Guide, "Filter pattern syntax".
    """
    inner = re.fullmatch(r"\{ (.+) \}", pattern)
    if inner is None:
        raise QueryError(f"{pattern!r} is no pattern for JSON")
    found = False
    for part in inner[1].split("||"):
        term = _TERM.fullmatch(part.strip())
        if term is None:
            raise QueryError(f"cannot read {part!r}")
        glob = re.escape(term[2]).replace(r"\*", ".*")
        found = found or re.fullmatch(glob, str(record.get(term[1], "")), re.DOTALL) is not None
    return found
