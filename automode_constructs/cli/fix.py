"""Makes the exact cures of a linter run in the files, and judges what it made."""

from __future__ import annotations

import contextlib
import difflib
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from automode_constructs.cli.files import STDIN, InputFile, files_in
from automode_constructs.cli.fix_text import Change, edited
from automode_constructs.cli.lint import LintFinding, LintRun
from automode_constructs.cli.reading import UnreadableError
from automode_constructs.errors import on_one_line

__all__ = ["FixRun", "fix", "write_file"]

_MOST_ROUNDS = 25
"""A cure may show what it hid before; no document hides so much."""


@dataclass(kw_only=True, slots=True)
class FixRun:
    """The texts before and after, and what is still to do by hand."""

    run: LintRun
    """What the linter finds in the new texts."""
    before: Mapping[str, str]
    """The texts of the files, by path."""
    texts: dict[str, str]
    """The same with the cures."""
    cured: int = 0
    """Number of findings that were cured."""
    refused: dict[tuple[str, Change | None], str] = field(default_factory=dict)
    """Changes that are not made, by file, and why."""

    @property
    def changed(self) -> list[str]:
        """The files that change."""
        return [path for path, text in self.texts.items() if text != self.before[path]]

    def diff(self) -> str:
        """The changes as a unified diff."""
        parts: list[str] = []
        for path in self.changed:
            name = on_one_line("stdin" if path == STDIN else path)
            lines = difflib.unified_diff(_lines(self.before[path]), _lines(self.texts[path]), name, name)
            parts += [line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines]
        return "".join(parts)

    def summary(self, *, written: bool = True) -> str:
        """What was cured in one line, after one line for each exact cure that was not made.

        Args:
            written: whether the files were written.
        """
        left = [
            f"{on_one_line(finding.file)}:{finding.line}:{finding.column} left alone: {self.refused[key]}"
            for finding in self.run.findings
            if (key := _key(finding)) in self.refused
        ]
        cured = f"{self.cured} finding{'' if self.cured == 1 else 's'}"
        files = f"{len(self.changed)} file{'' if len(self.changed) == 1 else 's'}"
        return "\n".join([*left, f"{cured} {'' if written else 'can be '}cured in {files}"])


def _lines(text: str) -> list[str]:
    # Not splitlines: for diff and patch, a line ends with a line feed only.
    *whole, rest = text.split("\n")
    return [*(f"{line}\n" for line in whole), *([rest] if rest else [])]


def fix(paths: Sequence[str], judge: Callable[[Mapping[str, str]], LintRun]) -> FixRun:
    """Makes every cure that is exact, in texts; writes no file.

    Cures are kept if their findings are gone afterwards, nothing else in the data has changed, and no error came but
    those that a cured error hid.

    Args:
        paths: files, folders, or ``-`` for standard input, as for ``lint``.
        judge: the linter's run over these paths, with the texts of files by their paths.

    Raises:
        UnreadableError: for standard input that cannot be read.
    """
    texts = _texts(paths)
    fixed = FixRun(run=judge(texts), before=dict(texts), texts=texts)

    def make(path: str, findings: Sequence[LintFinding]) -> str:
        """Makes the cures of findings in a file, or says why not."""
        new, made, reasons = edited(texts[path], [finding.change for finding in findings if finding.change is not None])
        fixed.refused |= {(path, change): reason for change, reason in reasons.items()}
        if new == texts[path]:
            return next(iter(reasons.values()), "")
        run = judge({**texts, path: new})
        why_not = _worse(fixed.run, run, path, [finding for finding in findings if finding.change in made])
        if not why_not:
            fixed.cured += len(fixed.run.findings) - len(_kept(fixed.run, run))
            texts[path], fixed.run = new, run
        return why_not

    for _ in range(_MOST_ROUNDS):
        waiting = _waiting(fixed)
        if not waiting:
            break
        for path, findings in waiting.items():
            if make(path, findings):
                for finding in findings:
                    why_not = make(path, [finding])
                    if why_not:
                        fixed.refused[_key(finding)] = why_not
    return fixed


def _key(finding: LintFinding) -> tuple[str, Change | None]:
    return finding.file, finding.change


def _waiting(fixed: FixRun) -> dict[str, list[LintFinding]]:
    """The findings with an exact cure that was not refused, by file."""
    waiting: dict[str, list[LintFinding]] = {}
    for finding in fixed.run.findings:
        if finding.change is not None and _key(finding) not in fixed.refused:
            waiting.setdefault(finding.file, []).append(finding)
    return waiting


def _texts(paths: Sequence[str]) -> dict[str, str]:
    texts: dict[str, str] = {}
    for file in (file for path in paths for file in files_in(path)):
        try:
            texts[file.path] = texts[file.path] if file.path in texts else file.text()
        except UnreadableError:
            if file.path == STDIN:  # nobody can read it twice
                raise
            # The linter says why.
    return texts


_LINE = re.compile(r":[0-9]+")


def _identity(finding: LintFinding) -> tuple[str, str, int, str, str]:
    """What makes two findings the same, wherever their lines are."""
    return finding.file, finding.rule, finding.document, finding.path, _LINE.sub("", finding.message)


def _kept(old: LintRun, new: LintRun) -> list[LintFinding]:
    after = {_identity(finding) for finding in new.findings}
    return [finding for finding in old.findings if _identity(finding) in after]


def _worse(old: LintRun, new: LintRun, path: str, cured: Sequence[LintFinding]) -> str:
    """Why a new text is no better, ``""`` if it is."""
    before = {_identity(finding) for finding in old.findings}
    hiding = {finding.document for finding in cured if finding.severity == "error"}
    for finding in new.findings:
        is_new = finding.severity == "error" and _identity(finding) not in before
        if is_new and (finding.file != path or finding.document not in hiding):
            return f"it would bring an error: {finding}"
    kept = _kept(old, new)
    return "its finding would stay" if any(finding in kept for finding in cured) else ""


def write_file(path: str, old: str, new: str) -> None:
    """Replaces the text of a file as a whole: a reader sees the old text or the new one.

    A link stays a link, and its target gets the text; permissions stay.

    Args:
        path: the file.
        old: the text that was judged; if the file has another by now, nothing is written.
        new: the new text.

    Raises:
        UnreadableError: for a file that cannot be written.
    """
    try:
        target = Path(os.path.realpath(path))
        status = target.stat()
        if not stat.S_ISREG(status.st_mode):
            raise UnreadableError("is no file that can be written", "name a file, or use --diff")
        if not status.st_mode & 0o222:
            raise UnreadableError("is read-only", "make it writable, or use --diff")
        if InputFile(path).text() != old:
            raise UnreadableError("has changed meanwhile", "run the command again")
        with target.open("rb") as stream:
            mark = b"\xef\xbb\xbf" if stream.read(3) == b"\xef\xbb\xbf" else b""
        _replace(target, mark + new.encode(), status)
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        raise UnreadableError(f"cannot be written: {reason}") from None


def _replace(target: Path, data: bytes, status: os.stat_result) -> None:
    handle, name = tempfile.mkstemp(prefix=f".{target.name[:100]}.", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        shutil.copymode(target, name)
        with contextlib.suppress(AttributeError, OSError):  # only its owner may give a file away
            os.chown(name, status.st_uid, status.st_gid)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
