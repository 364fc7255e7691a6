"""Checks every document of the files, and locates each finding."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from automode_constructs.checks.document import judge_document, kind_of
from automode_constructs.checks.eks_objects import belongs_to_eks
from automode_constructs.checks.whole_tree import TreeObject, judge_tree, object_key
from automode_constructs.cli.files import InputFile, files_in
from automode_constructs.cli.placeholders import (
    first_placeholder,
    holds_cloudformation,
    holds_placeholder,
    may_hold_placeholders,
    placeholder_in_message,
    template_at,
    unrendered,
    wrong_placeholder,
)
from automode_constructs.cli.reading import UNREADABLE_INPUT, Document, Place, UnreadableError, documents
from automode_constructs.errors import Problem

if TYPE_CHECKING:
    from automode_constructs.cli.fix_text import Change

__all__ = ["LintFinding", "LintRun", "lint", "objects_of"]


@dataclass(frozen=True, kw_only=True, slots=True)
class LintFinding(Problem):
    """A problem and its place; ``kind`` and ``name`` are empty if the object is not known."""

    file: str
    line: int
    column: int
    kind: str = ""
    name: str = ""
    document: int = -1
    """The number of its document among those of the file that are mappings."""
    path: str = ""
    """The field as seen from the document."""

    @property
    def change(self) -> Change | None:
        """The change to the file that cures it, if the cure is exact."""
        from automode_constructs.cli.fix_text import Change

        edit = self.edit
        return None if edit is None else Change(document=self.document, path=self.path, edit=edit)


@dataclass(kw_only=True, slots=True)
class LintRun:
    """The result of a run."""

    findings: list[LintFinding] = field(default_factory=list)
    judged: int = 0
    """Number of documents of kinds that we know."""
    passed_by: int = 0
    """Number of documents of other kinds."""
    unusable: bool = False
    """Whether some input could not be checked."""
    texts: dict[str, str] = field(default_factory=dict)
    """The text of each file that could be read."""
    strict_files: set[str] = field(default_factory=set)
    """Files whose settings let warnings fail too."""

    def sort(self) -> None:
        """Puts the findings of a file in the order of their places."""
        order = {finding.file: number for number, finding in reversed(list(enumerate(self.findings)))}
        self.findings.sort(key=lambda finding: (order[finding.file], finding.line, finding.column))

    def exit_code(self, *, strict: bool) -> int:
        """0 for clean, 1 for findings (warnings count when strict), 2 for unusable input."""
        if self.unusable:
            return 2
        return int(
            any(strict or finding.severity == "error" or finding.file in self.strict_files for finding in self.findings)
        )


@dataclass(kw_only=True, eq=False)
class _Object:
    """A Kubernetes object in a document: the document itself, or an item of a list."""

    file: str
    document: Document
    data: Mapping[str, Any]
    number: int = 0
    """The number of the document among those of the file that are mappings."""
    at: str = ""
    """The field that holds it, for an item of a list."""
    may_hold_placeholders: bool = True
    """Whether the text that it is read from can give a placeholder."""

    @cached_property
    def placeholder(self) -> tuple[str, str] | None:
        """The first placeholder that nothing fills in later, and its field."""
        if not self.may_hold_placeholders:
            return None
        return first_placeholder(self.data, annotations=kind_of(self.data) is not None)

    def path(self, field: str) -> str:
        """The field as seen from the document."""
        return self.at if not field else f"{self.at}.{field}" if self.at else field

    def place(self, field: str) -> Place:
        return self.document.place(self.path(field))

    def where(self) -> str:
        """The file, and the line of the object's name."""
        return f"{self.file}:{self.place('metadata.name')[0]}"

    def finding(self, problem: Problem) -> LintFinding:
        metadata = self.data.get("metadata")
        name = metadata.get("name") if isinstance(metadata, Mapping) else None
        kind = self.data.get("kind")
        return _finding(
            self.file,
            self.place(problem.field),
            problem,
            kind=kind if isinstance(kind, str) else "",
            name=name if isinstance(name, str) else "",
            document=self.number,
            path=self.path(problem.field),
        )


def lint(
    paths: Sequence[str],
    *,
    before: Sequence[str] = (),
    cluster: bool = False,
    texts: Mapping[str, str] | None = None,
) -> LintRun:
    """Checks files, folders and standard input.

    Args:
        paths: files, folders (their ``*.yaml``, ``*.yml`` and ``*.json`` at any depth, without hidden folders), or
            ``-`` for standard input.
        before: the same objects as they are in the cluster, to find immutable fields that change. Default: not known.
        cluster: whether these are all objects of one cluster, besides what EKS makes itself. Then a missing object is
            an error. Default: False; a missing object may be in the cluster already.
        texts: the texts of files, by their paths, where they are not to be read. Default: none.
    """
    run = LintRun()
    objects = _read_paths(paths, run, judging=True, texts=texts)
    run.findings += _together(objects, whole=cluster)
    if before:
        earlier = LintRun()
        run.findings += _changes(_read_paths(before, earlier, judging=False), objects)
        if earlier.unusable:
            run.unusable = True
            run.findings += [finding for finding in earlier.findings if finding.rule == UNREADABLE_INPUT.id]
    run.sort()
    return run


def _read_paths(
    paths: Sequence[str], run: LintRun, *, judging: bool, texts: Mapping[str, str] | None = None
) -> list[_Object]:
    objects: list[_Object] = []
    seen: set[str] = set()
    for path in paths:
        files = list(files_in(path))
        if not files:
            _unusable(run, path, UnreadableError("holds no YAML and no JSON", "name another folder"))
        for file in files:
            # Only once, however many paths and links lead to it.
            if file.identity not in seen:
                seen.add(file.identity)
                _read_file(file, run, objects, judging=judging, text=(texts or {}).get(file.path))
    if not (run.findings or objects or run.passed_by):
        _unusable(run, paths[0], UnreadableError("holds no Kubernetes object"))
    return objects


def _unusable(run: LintRun, file: str, error: UnreadableError) -> None:
    run.unusable = True
    problem = UNREADABLE_INPUT.problem("", error.message, error.cure)
    run.findings.append(_finding(file, error.place, problem))


def _finding(
    file: str, place: Place, problem: Problem, *, kind: str = "", name: str = "", document: int = -1, path: str = ""
) -> LintFinding:
    return LintFinding(
        field=problem.field,
        message=problem.message,
        cure=problem.cure,
        rule=problem.rule or "automode:Value",
        severity=problem.severity,
        file=file,
        line=place[0],
        column=place[1],
        kind=kind,
        name=name,
        document=document,
        path=path,
    )


def _read_file(
    source: InputFile, run: LintRun, objects: list[_Object], *, judging: bool, text: str | None = None
) -> None:
    file = source.path
    findings: list[LintFinding] = []
    mappings = 0
    try:
        text = run.texts[file] = source.text() if text is None else text
        open_values = may_hold_placeholders(text)
        for document in documents(text):
            items = list(_objects(file, document, mappings, may_hold_placeholders=open_values))
            mappings += isinstance(document.data, Mapping)
            objects += items
            verdicts = [_judge(item) for item in items] if judging else []
            ours = [verdict for verdict in verdicts if verdict is not None]
            run.judged += len(ours)
            run.passed_by += len(verdicts) - len(ours)
            if ours:
                findings += [_finding(file, place, problem) for place, problem in document.problems]
            findings += [finding for verdict in ours for finding in verdict]
    except UnreadableError as error:
        if text is not None and holds_cloudformation(text):
            run.passed_by += 1
            return
        template = template_at(text, error.place) if judging and text is not None else None
        if template is None:
            run.findings += findings
            _unusable(run, file, error)
        else:  # the documents before it are incomplete too: one finding covers all
            place, written = template
            run.findings.append(_finding(file, place, unrendered("", written)))
    else:
        run.findings += findings


def _objects(
    file: str, document: Document, number: int = 0, *, may_hold_placeholders: bool = True
) -> Iterator[_Object]:
    for at, data in _unlisted(document.data):
        yield _Object(
            file=file, document=document, number=number, data=data, at=at, may_hold_placeholders=may_hold_placeholders
        )


def _unlisted(data: object, at: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The objects in a document and where each is: itself, or the items of a list, which may be lists too."""
    if not isinstance(data, Mapping):
        return
    kind, items = str(data.get("kind", "")), data.get("items")
    if not (kind.endswith("List") and isinstance(items, list)):
        yield at, data
        return
    # The lists of one kind that the API server returns may leave out what their items are.
    head = {"apiVersion": data.get("apiVersion"), "kind": kind.removesuffix("List")} if kind != "List" else {}
    for index, item in enumerate(items):
        if isinstance(item, Mapping):
            yield from _unlisted(item if "kind" in item else {**head, **item}, f"{at}.items[{index}]".removeprefix("."))


def objects_of(text: str) -> Iterator[Mapping[str, Any]]:
    """The Kubernetes objects of a stream, including the items of lists.

    Raises:
        UnreadableError: at the point where the text stops being YAML.
    """
    for document in documents(text):
        yield from (item.data for item in _objects("", document))


def _judge(item: _Object) -> list[LintFinding] | None:
    """The findings of an object, or ``None`` for one that we skip."""
    if belongs_to_eks(item.data):
        return [] if kind_of(item.data) is not None else None
    head = {name: item.data.get(name) for name in ("apiVersion", "kind")}
    placeholder = first_placeholder(head) if item.may_hold_placeholders else None
    problems = None if placeholder else judge_document(item.data)
    if placeholder is None and problems is None:
        return None
    if placeholder is None and kind_of(item.data) is None:
        return [item.finding(problem) for problem in _rendered(problems or ())]
    placeholder = placeholder or item.placeholder
    if placeholder is None and item.may_hold_placeholders:
        placeholder = wrong_placeholder(item.data, problems or ())
    if placeholder is not None:
        # The placeholder may cause any other finding.
        return [item.finding(unrendered(*placeholder))]
    return [item.finding(problem) for problem in problems or ()]


def _rendered(problems: Sequence[Problem]) -> list[Problem]:
    """The problems; only the placeholder if one is the wrong value."""
    for problem in problems:
        if (text := placeholder_in_message(problem)) is not None:
            return [unrendered(problem.field, text)]
    return list(problems)


def _together(objects: Sequence[_Object], *, whole: bool) -> Iterator[LintFinding]:
    """Findings about all objects together.

    EKS's built-in pools count as on, as they are in most clusters; but if EKS's own objects are among these, so are the
    pools that are on.
    """
    named = [item for item in objects if _is_named(item.data)]
    tree = [TreeObject(where=item.where, manifest=_without_placeholder(item)) for item in named]
    pools_are_here = any(item.data["kind"] == "NodePool" and belongs_to_eks(item.data) for item in named)
    built_in = () if pools_are_here else None
    for problem in judge_tree(tree, default_node_class=True, whole=whole, built_in_pools=built_in, files=True):
        item = named[problem.index]
        if not belongs_to_eks(item.data):
            yield item.finding(problem)


def _without_placeholder(item: _Object) -> Mapping[str, Any]:
    """The object; only its identity if it holds a placeholder, since the rest is not known yet.

    The checks of the tree know a name that is open by its braces, of whichever tool it is.
    """
    metadata = item.data["metadata"]
    if item.may_hold_placeholders and "{" not in (name := metadata["name"]) and holds_placeholder(name):
        metadata = {**metadata, "name": f"{{{name}}}"}
    elif item.placeholder is None:
        return item.data
    return {"apiVersion": item.data["apiVersion"], "kind": item.data["kind"], "metadata": metadata}


def _changes(before: Sequence[_Object], objects: Sequence[_Object]) -> Iterator[LintFinding]:
    """Changes that existing objects do not allow."""
    from automode_constructs.checks.change import judge_change

    existing = {object_key(item.data): item.data for item in before if _is_named(item.data)}
    for item in objects:
        old = existing.get(object_key(item.data)) if _is_named(item.data) else None
        for problem in judge_change(old, item.data) if old is not None else ():
            yield item.finding(problem)


def _is_named(data: Mapping[str, Any]) -> bool:
    metadata = data.get("metadata")
    texts = (data.get("apiVersion"), data.get("kind"), isinstance(metadata, Mapping) and metadata.get("name"))
    return all(isinstance(text, str) and text for text in texts)
