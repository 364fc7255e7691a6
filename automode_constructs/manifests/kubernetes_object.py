"""Base of our cdk8s constructs: one Kubernetes object with an explicit name and an escape hatch for unknown fields."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

import cdk8s
from constructs import Construct

from automode_constructs.arguments import checked_arguments, place
from automode_constructs.errors import AutoModeError, Problem, shown
from automode_constructs.specs.model import KubeModel
from automode_constructs.specs.object_metadata import annotation_problems, kubernetes_name
from automode_constructs.tokens import is_resolvable

__all__ = ["JOB_DONE", "JOB_FAILED", "KubernetesObject", "note_warning", "validated", "wait_for"]

Spec = TypeVar("Spec", bound=KubeModel)

_ID_TAKEN = "There is already a Construct with name"
"""How the constructs library expresses that."""

WARNING_METADATA = "automode:warning"
"""Type of the construct metadata that carries a chart's warning to the CDK app."""


WAIT_METADATA = "automode:wait"
"""Type of the construct metadata that says when an object counts as ready."""


JOB_DONE = ".status.completionTime"
"""A Job has this if it succeeded, and only then."""

JOB_FAILED = "".join(
    f'range .status.conditions[?(@.type=="{condition}")]}}{{.type}} ({{.reason}}): {{.message}}. {{end}}{{'
    for condition in ("FailureTarget", "Failed")
).removesuffix("}{")
"""Why a Job failed. Since Kubernetes 1.31, ``FailureTarget`` is set at once, ``Failed`` when its pods are gone."""


def wait_for(api_object: cdk8s.ApiObject, json_path: str | None = None, *, gives_up: str | None = None) -> None:
    """Makes dependents of an object wait until a JSON path of it has a value, such as ``.status.succeeded``.

    Applies only to deployment by CloudFormation: YAML for GitOps waits for nothing. The wait ends after 14 minutes, and
    the deployment then fails. It fails within a minute once ``gives_up`` has a value; the event quotes that value.

    Args:
        api_object: the object.
        json_path: the path as for ``kubectl get -o jsonpath``, without braces. Default for a Job: that it succeeded.
        gives_up: the path whose value says that the object will never be ready, and why. Default for a Job: that it
            failed, with its reason and message; else none.

    Raises:
        AutoModeError: without ``json_path`` for an object that is not a Job.

    Source: Kubernetes documentation, "JSONPath Support"; API reference, ``JobStatus``.
    """
    if api_object.kind == "Job" and api_object.api_group == "batch":
        json_path, gives_up = json_path or JOB_DONE, gives_up or JOB_FAILED
    if json_path is None:
        raise AutoModeError.of(
            api_object.node.path,
            field="json_path",
            message=f"is not known for a {api_object.kind}",
            cure="give the path that has an answer once the object is ready, such as '.status.succeeded'",
        )
    api_object.node.add_metadata(WAIT_METADATA, {"json_path": json_path, "gives_up": gives_up})


def note_warning(construct: Construct, rule: str, message: str) -> None:
    """Adds a warning to a cdk8s construct; delivery repeats it in the CDK app, where it can be acknowledged."""
    construct.node.add_metadata(WARNING_METADATA, {"rule": rule, "message": message})


def validated(scope: Construct, id: str, spec: Spec, *, field: str = "spec") -> Spec:
    """The spec of a construct about to be created, validated again: a copy may have been changed without validation.

    Args:
        scope: the construct's scope.
        id: the construct's id.
        spec: the spec.
        field: the argument that holds it.

    Raises:
        AutoModeError: with everything that is wrong with the spec, prefixed by the construct's path and the argument.
    """
    try:
        return spec.validated()
    except AutoModeError as error:
        raise error.at(place(scope, id), field) from None


class KubernetesObject(cdk8s.ApiObject):
    """One Kubernetes object of a chart: a cdk8s ``ApiObject`` with an explicit name.

    Args:
        scope: the cdk8s chart, or a construct in one.
        id: the construct's id. Objects of different kinds may share an id; in the tree, all but the first then have
            their kind appended.
        api_version: group and version.
        kind: kind.
        body: the object without ``apiVersion``, ``kind`` and ``metadata``.
        name: ``metadata.name``. Default: the construct's id; we decide, so that names stay the same when code moves.
        longest_name: the maximum length of the name in characters.
        annotations: ``metadata.annotations``. Default: none.
        cluster_scoped: whether the kind has no namespace, so that the chart's must not be written.
        warnings: warnings about the object; delivery repeats them in the CDK app.

    Raises:
        AutoModeError: if the name is not a valid Kubernetes name, or the scope is not in a cdk8s chart.
    """

    @checked_arguments
    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        api_version: str,
        kind: str,
        body: Mapping[str, Any],
        name: str | None = None,
        longest_name: int = 253,
        annotations: Mapping[str, str] | None = None,
        cluster_scoped: bool = True,
        warnings: Iterable[Problem] = (),
    ) -> None:
        where = f"{scope.node.path}/{id}".removeprefix("/")  # every access to a node is a message to Node.js
        name = kubernetes_name(
            where, id if name is None else name, api_version=api_version, kind=kind, longest=longest_name
        )
        for problem in annotation_problems("annotations", annotations or {}):
            raise AutoModeError(where, [problem])
        chart = _chart_of(scope, where)
        self._where = where
        self._body: dict[str, Any] = _plain(where, "", body)
        make = partial(
            super().__init__,
            scope,
            api_version=api_version,
            kind=kind,
            metadata=cdk8s.ApiObjectMetadata(name=name, annotations=annotations),
        )
        try:
            make(id)
        except RuntimeError as error:
            if _ID_TAKEN not in str(error):
                raise
            make(_id_beside(scope, id, kind, where))
        patches = [cdk8s.JsonPatch.add(_pointer([field]), value) for field, value in self._body.items()]
        if cluster_scoped and chart.namespace is not None:
            patches.append(cdk8s.JsonPatch.remove("/metadata/namespace"))
        self.add_json_patch(*patches)
        for problem in warnings:
            note_warning(self, problem.rule, str(problem))

    @checked_arguments
    def add_override(self, path: str, value: object) -> None:
        r"""Sets a field this library does not know yet, bypassing all checks.

        Args:
            path: dotted, in the manifest's camelCase: ``spec.template.spec.newField``; a number is a list index, a
                dot inside a key is written ``\.``.
            value: what to write, as plain data; it replaces an existing value, and ``None`` removes it.

        Raises:
            AutoModeError: if the path goes through something that is not a mapping or list, or to a field that
                identifies the object; if the value is not plain data.
        """
        *outer, last = [part.replace(r"\.", ".") for part in re.split(r"(?<!\\)\.", path)]
        if not last or not all(outer) or (outer or [last])[0] in {"apiVersion", "kind", "metadata"}:
            raise AutoModeError.of(
                self._where,
                field=path,
                message="is no path below apiVersion, kind and metadata",
                cure="begin with a field such as 'spec'; for labels and annotations use metadata",
            )
        value = _plain(self._where, path, value)
        at: Any = self._body
        for position, part in enumerate(outer):
            inner = _step(at, part)
            if inner is None:
                # JSON patches cannot add below a missing path: add the missing rest as one value.
                for missing in reversed([*outer[position + 1 :], last]):
                    value = value if value is None else {missing: value}
                outer, last = outer[:position], part
                break
            at = inner
        self._write(at, outer, last, value, path)

    def _write(self, at: Any, outer: Sequence[str], last: str, value: Any, path: str) -> None:
        pointer = _pointer([*outer, last])
        if isinstance(at, dict):
            if value is not None:
                at[last] = value
                patch = cdk8s.JsonPatch.add(pointer, value)
            elif at.pop(last, None) is not None:
                patch = cdk8s.JsonPatch.remove(pointer)
            else:
                return
        elif not isinstance(at, list):
            raise AutoModeError.of(self._where, field=path, message=f"'{last}' has no place in {shown(at)}")
        elif _step(at, last) is None:
            raise AutoModeError.of(self._where, field=path, message=f"'{last}' is no index of a list of {len(at)}")
        elif value is None:
            del at[int(last)]
            patch = cdk8s.JsonPatch.remove(pointer)
        else:
            at[int(last)] = value
            patch = cdk8s.JsonPatch.replace(pointer, value)
        self.add_json_patch(patch)


def _id_beside(scope: Construct, id: str, kind: str, where: str) -> str:
    """An id for an object whose id is taken by another kind: Kubernetes names are unique only within a kind."""
    beside = f"{id}-{kind}"
    for taken in (id, beside):
        other = scope.node.try_find_child(taken)
        if other is None:
            return beside
        what = other.kind if isinstance(other, cdk8s.ApiObject) else "construct"
        if what in (kind, "construct"):
            break
    raise AutoModeError.of(where, field="id", message=f"a {what} has the id '{id}' already", cure="choose another one")


def _chart_of(scope: Construct, where: str) -> cdk8s.Chart:
    if isinstance(scope, cdk8s.Chart):
        return scope
    try:
        return cdk8s.Chart.of(scope)
    except RuntimeError:
        raise AutoModeError.of(
            where,
            field="scope",
            message="is in no cdk8s chart",
            cure="make the object in a cdk8s.Chart, and deliver that with ChartDelivery",
        ) from None


def _pointer(parts: Sequence[str]) -> str:
    return "".join(f"/{part.replace('~', '~0').replace('/', '~1')}" for part in parts)


def _step(at: object, part: str) -> object | None:
    if isinstance(at, dict):
        inner: object | None = at.get(part)
        return inner
    if isinstance(at, list) and re.fullmatch(r"[0-9]{1,4}", part) and int(part) < len(at):
        item: object = at[int(part)]
        return item
    return None


_DEEPEST = 64


def _plain(where: str, path: str, value: Any, depth: int = 0) -> Any:
    """A copy of plain data. cdk8s would write anything else as a string such as ``<unresolved-token>``."""
    if depth > _DEEPEST:
        raise AutoModeError.of(
            where, field=shown(path), message=f"nests deeper than {_DEEPEST} levels", cure="no Kubernetes object does"
        )
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        inner = {key: _plain(where, f"{path}.{key}".removeprefix("."), item, depth + 1) for key, item in value.items()}
        return {key: item for key, item in inner.items() if item is not None}
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return [_plain(where, f"{path}[{index}]", item, depth + 1) for index, item in enumerate(value)]
    if value is None or isinstance(value, (str, int, float)):
        return value
    cure = "pass the text that stands for it, for example with Token.as_string(...)" if is_resolvable(value) else ""
    raise AutoModeError.of(where, field=path, message=f"needs plain data, got {type(value).__name__}", cure=cure)
