"""Reads the settings of a folder: ``automode.toml``, or ``[tool.automode]`` in ``pyproject.toml``."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

from automode_constructs.cli.files import STDIN
from automode_constructs.cli.reading import UNREADABLE_INPUT
from automode_constructs.errors import AutoModeError, did_you_mean, shown

__all__ = ["Settings", "judged_by_lint", "settings_for"]

_OWN, _SHARED = "automode.toml", "pyproject.toml"
_TABLE = "automode"
_KEYS = ("select", "ignore", "per-file-ignores", "strict")
_MOST_BYTES = 1024 * 1024


class Settings(NamedTuple):
    """The settings of a file, or of none."""

    folder: str = ""
    """The folder of the settings, from which patterns start."""
    select: frozenset[str] = frozenset()
    """The only rules that are reported; all where it is empty."""
    ignore: frozenset[str] = frozenset()
    per_file_ignores: tuple[tuple[str, frozenset[str]], ...] = ()
    """Patterns of paths, and the rules that are not reported there."""
    strict: bool = False
    """Whether warnings fail too."""

    def ignores_in(self, file: str, rule: str) -> bool:
        """Whether a rule is not reported in this one file."""
        return any(rule in rules and self._matches(pattern, file) for pattern, rules in self.per_file_ignores)

    def _matches(self, pattern: str, file: str) -> bool:
        """Whether a path fits a pattern: ``*`` stands for any text, a name without ``/`` is that of any file."""
        path = file if file == STDIN else Path(os.path.relpath(os.path.abspath(file), self.folder)).as_posix()  # noqa: PTH100 - links stay as they are named
        name = path.rpartition("/")[2]
        return fnmatchcase(path if "/" in pattern else name, pattern) or fnmatchcase(path, pattern.removeprefix("**/"))


def judged_by_lint(ids: Iterable[str], *, option: str, ignoring: bool = False) -> frozenset[str]:
    """The full ids of rules that the linter reports.

    Args:
        ids: as somebody wrote them.
        option: where they stand, for the message.
        ignoring: whether they are ids of rules to ignore.

    Raises:
        AutoModeError: for an unknown id, for a rule that is judged in an app only, and for one that cannot be ignored.
    """
    found = set()
    for id in ids:
        from automode_constructs.cli.explain import rule_called  # it loads every rule

        known = rule_called(id)
        if isinstance(known, str):
            raise AutoModeError.of("", field=option, message=known)
        if known.judged == "app":
            raise AutoModeError.of(
                "",
                field=option,
                message=f"{known.id} is judged in a CDK app, not by automode lint",
                cure="acknowledge it there",
            )
        if ignoring and known is UNREADABLE_INPUT:
            raise AutoModeError.of(
                "", field=option, message=f"{known.id} cannot be ignored", cure="leave out what is not to be judged"
            )
        found.add(known.id)
    return frozenset(found)


def settings_for(file: str, cache: dict[str, Settings]) -> Settings:
    """The settings of a file: those in its folder, or in the nearest folder above it that has some.

    Args:
        file: a path; standard input is in the current folder.
        cache: the settings of folders that were looked into before.

    Raises:
        AutoModeError: for settings that cannot be read, and for each value that is wrong.
    """
    start = os.path.dirname(os.path.abspath("_" if file == STDIN else file))  # noqa: PTH100, PTH120 - links stay as they are named
    passed: list[str] = []
    settings = None
    for folder in (start, *(str(above) for above in Path(start).parents)):
        settings = cache.get(folder) or _settings_in(folder)
        if settings is not None:
            break
        passed.append(folder)
    for folder in (start, *passed):
        cache[folder] = settings or Settings()
    return cache[start]


def _settings_in(folder: str) -> Settings | None:
    own = _table(Path(folder, _OWN))
    if own is not None:
        return _read(own, where=str(Path(folder, _OWN)), folder=folder)
    shared = Path(folder, _SHARED)
    tools = (_table(shared, mark=_TABLE) or {}).get("tool")
    if not isinstance(tools, Mapping) or _TABLE not in tools:
        return None
    return _read(tools[_TABLE], where=f"{shared} [tool.{_TABLE}]", folder=folder)


def _table(file: Path, mark: str = "") -> dict[str, Any] | None:
    """The content of a TOML file; ``None`` if there is no such file, or none that holds the mark."""
    try:
        if not file.is_file():
            return None
        with file.open("rb") as stream:
            data = stream.read(_MOST_BYTES + 1)
        if len(data) > _MOST_BYTES:
            raise AutoModeError.of(str(file), field="", message="is larger than 1 MiB, too large for settings")
        text = data.decode("utf-8-sig")
        if mark not in text:
            return None
        import tomllib

        return tomllib.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        if isinstance(error, AutoModeError):
            raise
        reason = getattr(error, "strerror", None) or (
            "is nested too deep" if isinstance(error, RecursionError) else error
        )
        raise AutoModeError.of(str(file), field="", message=f"cannot be read: {reason}") from None


def _read(table: Any, *, where: str, folder: str) -> Settings:
    if not isinstance(table, Mapping):
        raise AutoModeError.of(where, field="", message=f"needs a table, got {shown(table)}")
    for key in table:
        if key not in _KEYS:
            raise AutoModeError.of(where, field=key, message="is not a known key", cure=did_you_mean(key, _KEYS))
    strict = table.get("strict", False)
    if not isinstance(strict, bool):
        raise AutoModeError.of(where, field="strict", message=f"needs true or false, got {shown(strict)}")
    patterns = table.get("per-file-ignores", {})
    if not isinstance(patterns, Mapping):
        raise AutoModeError.of(
            where, field="per-file-ignores", message=f"needs a table of patterns, got {shown(patterns)}"
        )
    return Settings(
        folder=folder,
        select=_ids(table.get("select", []), where=where, key="select"),
        ignore=_ids(table.get("ignore", []), where=where, key="ignore", ignoring=True),
        per_file_ignores=tuple(
            (pattern, _ids(ids, where=where, key=f"per-file-ignores[{shown(pattern)}]", ignoring=True))
            for pattern, ids in patterns.items()
        ),
        strict=strict,
    )


def _ids(value: Any, *, where: str, key: str, ignoring: bool = False) -> frozenset[str]:
    if not isinstance(value, list) or not all(isinstance(id, str) for id in value):
        raise AutoModeError.of(where, field=key, message=f"needs a list of rule ids, got {shown(value)}")
    try:
        return judged_by_lint(value, option=key, ignoring=ignoring)
    except AutoModeError as error:
        raise error.at(where) from None
