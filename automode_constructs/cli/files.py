"""Finds and reads the files that a command judges."""

from __future__ import annotations

import os
import stat
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from automode_constructs.cli.reading import MAX_BYTES, UnreadableError, decoded
from automode_constructs.errors import on_one_line

__all__ = ["STDIN", "InputFile", "files_in"]

STDIN = "-"
"""The path that means standard input."""

_ENDINGS = (".yaml", ".yml", ".json")
_PATIENCE = 2.0
"""Seconds after which a person learns that the command waits for a pipe."""
_KINDS = (
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


class InputFile(NamedTuple):
    """A file to judge, or standard input."""

    path: str
    named: bool = True
    """Whether the command line names it; if not, it was found in a folder."""

    @property
    def identity(self) -> str:
        """The same text for every path that leads to the same file."""
        try:
            return self.path if self.path == STDIN else os.path.realpath(self.path)
        except (OSError, ValueError):
            return self.path

    def text(self) -> str:
        """The text of the file.

        A named pipe is read to its end, as ``cat`` does; one that was found in a folder is not, because nobody may ever
        write to it.

        Raises:
            UnreadableError: for a file that cannot be read, or is not text.
        """
        if "\0" in self.path:
            raise UnreadableError("cannot be read: its name holds a null character")
        try:
            return decoded(self._bytes())
        except (OSError, ValueError) as error:
            reason = (getattr(error, "strerror", None) or str(error)).lower()
            raise UnreadableError(f"cannot be read: {reason}") from None

    def _bytes(self) -> bytes:
        if self.path == STDIN:
            if sys.stdin is None:
                raise UnreadableError("standard input is closed", "name a file")
            with _patience("standard input"):
                return sys.stdin.buffer.read(MAX_BYTES + 1)
        if not self.path:
            raise UnreadableError("the path is empty", "name a file")
        mode = Path(self.path).stat().st_mode
        if stat.S_ISDIR(mode):
            os.scandir(self.path).close()  # says what is wrong with a folder that cannot be searched
            raise UnreadableError("is a folder", "name a file")
        kind = next((words for is_one, words in _KINDS if is_one(mode)), "")
        if kind and (not self.named or stat.S_ISSOCK(mode)):
            raise UnreadableError(f"is {kind}, not a file", "name it to read it" if "pipe" in kind else "")
        with _patience(self.path if kind else ""), Path(self.path).open("rb") as stream:
            return stream.read(MAX_BYTES + 1)


@contextmanager
def _patience(source: str) -> Iterator[None]:
    """Says on standard error what the command waits for, if it has to wait; nothing for an ordinary file."""
    if not source:
        yield
        return
    line = f"automode: waiting for the end of {on_one_line(source)}\n"
    note = threading.Timer(_PATIENCE, sys.stderr.write, [line])
    note.daemon = True
    note.start()
    try:
        yield
    finally:
        note.cancel()


def files_in(path: str) -> Iterator[InputFile]:
    """The files that a path of the command line stands for: itself, or those in a folder, in the order of their names.

    What cannot be read is among them, so that reading it says why.
    """
    if path == STDIN or not _is_folder(path):
        yield InputFile(path)
        return
    waiting, seen = [path], set[tuple[int, int]]()
    while waiting:
        at = waiting.pop()
        if not _is_folder(at):
            yield InputFile(at, named=False)
            continue
        try:
            known = Path(at).stat()
            if (known.st_dev, known.st_ino) in seen:
                continue  # a link that leads back
            seen.add((known.st_dev, known.st_ino))
            with os.scandir(at) as entries:
                names = sorted(entry.name for entry in entries)
        except OSError:
            yield InputFile(at, named=False)
            continue
        inside = [os.path.normpath(os.path.join(at, name)) for name in names if _is_wanted(at, name)]  # noqa: PTH118
        waiting += reversed(inside)


def _is_wanted(folder: str, name: str) -> bool:
    return name.lower().endswith(_ENDINGS) or (not name.startswith(".") and _is_folder(f"{folder}/{name}"))


def _is_folder(path: str) -> bool:
    """Whether a path leads to a folder; never an error, whatever the path holds."""
    return os.path.isdir(path)  # noqa: PTH112 - Path.is_dir raises for a loop of links
