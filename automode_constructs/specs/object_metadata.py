"""The metadata of any Kubernetes object: its name, its labels and annotations, as the API server takes them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from automode_constructs.errors import AutoModeError, Cure, Edit, Problem, shown
from automode_constructs.specs.fields import MAX_LABEL_VALUE, near_text
from automode_constructs.specs.rule import rule
from automode_constructs.tokens import is_resolvable, is_token

__all__ = [
    "annotation_problems",
    "finalizer_problems",
    "is_qualified_name",
    "kubernetes_name",
    "label_problems",
    "name_problems",
    "namespace_problems",
    "not_a_text",
]

_NAMES_PAGE = "Kubernetes, 'Object Names and IDs'"
OBJECT_NAME = rule(
    "automode:ObjectName",
    "all",
    severity="error",
    sentence="An object's name and namespace have the form that Kubernetes prescribes for its kind.",
    source=_NAMES_PAGE,
)
OBJECT_METADATA = rule(
    "automode:ObjectMetadata",
    "all",
    severity="error",
    sentence="Labels, annotations and finalizers are texts of the form and length that Kubernetes prescribes.",
    source="Kubernetes, 'Labels and Selectors' and 'Annotations'",
)
SERVICE_NAME_DIGIT = rule(
    "automode:ServiceNameDigit",
    "Service",
    severity="warning",
    sentence="A Service's name begins with a letter: clusters before Kubernetes 1.37 may refuse a digit there.",
    source=f"{_NAMES_PAGE}; KEP-5311",
)


class _Form(NamedTuple):
    """What a name must match, and how many characters it may have."""

    pattern: re.Pattern[str]
    longest: int
    words: str


_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_ENDS = "beginning and ending with a letter or digit"
_SUBDOMAIN = _Form(re.compile(rf"{_LABEL}(\.{_LABEL})*"), 253, f"lower-case letters, digits, '-' and '.', {_ENDS}")
_DNS_LABEL = _Form(re.compile(_LABEL), 63, f"lower-case letters, digits and '-', {_ENDS}")
_SEGMENT = _Form(re.compile(r"(?!\.{1,2}$)[^/%]+"), 253, "characters, without '/' and '%', and not '.' or '..'")
_RBAC = "rbac.authorization.k8s.io"
_FORMS: dict[tuple[str, str], _Form] = {
    ("", "Namespace"): _DNS_LABEL,
    ("", "Service"): _DNS_LABEL,
    (_RBAC, "ClusterRole"): _SEGMENT,
    (_RBAC, "ClusterRoleBinding"): _SEGMENT,
    (_RBAC, "Role"): _SEGMENT,
    (_RBAC, "RoleBinding"): _SEGMENT,
}
_LONGEST = {
    ("batch", "CronJob"): 52,
    ("eks.amazonaws.com", "NodeClass"): MAX_LABEL_VALUE,
    ("karpenter.sh", "NodePool"): MAX_LABEL_VALUE,
}
"""Kinds whose names become part of something shorter: a Job's name, the label of a node."""


def kubernetes_name(where: str, name: str, *, api_version: str = "", kind: str = "", longest: int = 253) -> str:
    """Checks the name of a Kubernetes object: the form that its kind prescribes, without a token in it.

    Args:
        where: the construct path, for the message.
        name: the name.
        api_version: the kind's group and version. Default: the core group's.
        kind: the kind. Default: any whose names are DNS-1123 subdomains, as those of most kinds are.
        longest: the most characters it may have. Default: as many as the kind allows.

    Raises:
        AutoModeError: with the cure.
    """
    if is_token(name) or is_resolvable(name):
        raise AutoModeError.of(
            where,
            field="name",
            message="holds a value known only after deployment",
            cure="give a concrete name: it decides the logical id",
        )
    for problem in name_problems("name", name, api_version=api_version, kind=kind, longest=longest):
        if problem.severity == "error":
            raise AutoModeError(where, [problem])
    return name


def name_problems(
    field: str, name: object, *, api_version: str, kind: str, longest: int = 253, is_prefix: bool = False
) -> Iterator[Problem]:
    """Why the API server refuses a name of an object.

    Args:
        field: where the name stands, for the message.
        name: the name.
        api_version: the kind's group and version.
        kind: the kind.
        longest: the most characters it may have. Default: as many as the kind allows.
        is_prefix: whether Kubernetes makes the name from it (``generateName``). Default: False.
    """
    key = (api_version.rpartition("/")[0], kind)
    form = _FORMS.get(key, _SUBDOMAIN)
    longest = min(longest, form.longest, _LONGEST.get(key, form.longest))
    judged = f"{name}x" if is_prefix and isinstance(name, str) and name.endswith("-") else name
    if not isinstance(judged, str) or len(judged) > longest or form.pattern.fullmatch(judged) is None:
        yield OBJECT_NAME.problem(
            field, f"{shown(name)} cannot be the name of this object", f"use at most {longest} {form.words}"
        )
    elif key == ("", "Service") and judged[:1].isdigit():
        yield SERVICE_NAME_DIGIT.problem(
            field,
            f"{shown(name)} begins with a digit, which clusters before Kubernetes 1.37 may refuse",
            "begin with a letter",
        )


def namespace_problems(field: str, namespace: str) -> Iterator[Problem]:
    """Why the API server refuses a namespace's name."""
    if len(namespace) > _DNS_LABEL.longest or _DNS_LABEL.pattern.fullmatch(namespace) is None:
        yield OBJECT_NAME.problem(
            field,
            f"{shown(namespace)} cannot be the name of a namespace",
            f"use at most {_DNS_LABEL.longest} {_DNS_LABEL.words}",
        )


def not_a_text(field: str, value: object) -> Problem:
    """The problem of a value that YAML does not read as a text; the cure is quotes."""
    # What is true here may have been written yes or on.
    cure = Cure("quote it", Edit(what="text")) if isinstance(value, bool) else near_text(value)
    return OBJECT_METADATA.problem(field, f"needs a text, got {shown(value)}", cure)


_QUALIFIED_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_MOST_ANNOTATIONS = 256 * 1024
_KEY_FORM = "'name' or 'dns.prefix/name', the name of at most 63 letters, digits, '-', '_' and '.'"


def is_qualified_name(key: str) -> bool:
    """Whether a text is a key as Kubernetes takes it: an optional DNS prefix and a name of at most 63 characters."""
    prefix, slash, name = key.rpartition("/")
    if _QUALIFIED_NAME.fullmatch(name) is None:
        return False
    return not slash or (len(prefix) <= _SUBDOMAIN.longest and _SUBDOMAIN.pattern.fullmatch(prefix) is not None)


def label_problems(field: str, labels: Mapping[Any, Any]) -> Iterator[Problem]:
    """Why the API server refuses labels, or the labels of a selector.

    Args:
        field: where they stand.
        labels: the labels.
    """
    for key, value in labels.items():
        if isinstance(key, str) and not is_token(key) and not is_qualified_name(key):
            yield OBJECT_METADATA.problem(
                f"{field}[{shown(key)}]", f"{shown(key)} is not a label key", f"write {_KEY_FORM}"
            )
        if value is None or is_token(value):
            continue
        if not isinstance(value, str):
            yield not_a_text(f"{field}[{shown(key)}]", value)
        elif _VALUE.fullmatch(value) is None:
            yield OBJECT_METADATA.problem(
                f"{field}[{shown(key)}]",
                f"{shown(value)} is not a label value",
                "use at most 63 letters, digits, '-', '_' and '.', beginning and ending with a letter or digit",
            )


def annotation_problems(field: str, annotations: Mapping[Any, Any]) -> Iterator[Problem]:
    """Why the API server refuses annotations.

    Args:
        field: where they stand.
        annotations: the annotations.
    """
    size = 0
    for key, value in annotations.items():
        where = f"{field}[{shown(key)}]"
        if isinstance(key, str) and not is_token(key) and not is_qualified_name(key.lower()):
            yield OBJECT_METADATA.problem(where, f"{shown(key)} is not an annotation key", f"write {_KEY_FORM}")
        if isinstance(value, str):
            size += len(str(key)) + len(value.encode("utf-8", "surrogatepass"))
        elif value is not None and not is_token(value):
            yield not_a_text(where, value)
    if size > _MOST_ANNOTATIONS:
        yield OBJECT_METADATA.problem(
            field, f"hold {size} bytes; Kubernetes takes at most {_MOST_ANNOTATIONS}", "keep less in them"
        )


def finalizer_problems(field: str, finalizers: object) -> Iterator[Problem]:
    """Why the API server refuses finalizers.

    Args:
        field: where they stand.
        finalizers: the finalizers; what is no list of texts is passed over.
    """
    for index, name in enumerate(finalizers if isinstance(finalizers, list | tuple) else ()):
        if isinstance(name, str) and not is_qualified_name(name):
            yield OBJECT_METADATA.problem(
                f"{field}[{index}]", f"{shown(name)} is not the name of a finalizer", f"write {_KEY_FORM}"
            )
