"""Placeholders of templates in documents: what something fills in before the document reaches the cluster.

There is one clear word for a document that holds one, since it may be the cause of any other finding. What Kubernetes,
a shell in a pod, a driver or a proxy fills in later is none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from automode_constructs.errors import Problem, shown
from automode_constructs.specs.rule import rule

__all__ = [
    "first_placeholder",
    "holds_cloudformation",
    "holds_placeholder",
    "may_hold_placeholders",
    "placeholder_in_message",
    "template_at",
    "unrendered",
    "wrong_placeholder",
]

UNRENDERED_TEMPLATE = rule(
    "automode:UnrenderedTemplate",
    "all",
    severity="error",
    sentence="What is judged is what goes to the cluster: no placeholder (${...}, {{ ... }}) is left in it.",
    source="Helm documentation, 'helm template'; kubectl sends a placeholder as it stands",
)

# Bounded, so that a long line of braces costs no more than its length.
# As texts, which are compiled when a file may hold a placeholder.
_PLACEHOLDER = (
    r"\$\{[^{}\n]{0,300}\}|\$\([A-Za-z_][\w.]{0,100}\)|\{\{'(?:Ref|Fn::)[^\n]{0,2000}\}\}|\{\{[^{\n]{0,300}?\}\}"
    r"|\{%[^{}\n]{0,300}%\}|<%[^<>\n]{0,300}%>"
)
# What stands for a whole value: of envsubst, of sed scripts, of documentation.
_WHOLE_PLACEHOLDER = (
    r"\$[A-Za-z_]\w{0,100}|<[A-Za-z][^<>\n]{0,100}>|\[\[[^\[\]\n]{0,100}\]\]|(?P<mark>__|%|@)[A-Z][A-Z0-9_]{0,100}(?P=mark)"
    r"|(?i:replace|change)[-_]?(?i:me)|YOUR[-_][A-Z0-9_-]{1,100}"
)
# The same inside a single word. Prose, JSON and HTML may mean them.
_IN_A_WORD = r"\$[A-Z][A-Z0-9_]{1,100}\b|<[A-Za-z][\w.-]{0,100}>|__[A-Z][A-Z0-9_]{0,100}?__"
_WORD = r"[^\s\"'{\[]+"
# What is a placeholder only where it cannot be a value: of shells, Terraform, Octopus, Azure Pipelines, documentation.
_PERHAPS = (
    r"\$[A-Za-z_]\w{0,100}|<[A-Za-z][^<>\n]{0,100}>|[#%]\{[^{}\n]{1,100}\}|\$\[[^\[\]\n]{1,100}\]"
    r"|(?P<sign>__|%|@)[A-Za-z][A-Za-z0-9_]{0,100}?(?P=sign)"
)
# What a text with any of these holds; a backslash may write any character of them. Each begins with a character of its
# own, which is quick to look for.
_MAY_HOLD_PLACEHOLDERS = (
    r"\$|\\|\{\{|\{%|#\{|%\{|<[%A-Za-z]|\[\s*\[|__[A-Za-z]|%[A-Za-z]|@[A-Za-z]|YOUR[-_]|Ref\b(?<=\bRef)|Fn::"
    r"|r(?i:eplace[-_]?me)|R(?i:eplace[-_]?me)|c(?i:hange[-_]?me)|C(?i:hange[-_]?me)"
)
# A CDK token, and the form in which this repository's examples show values that CloudFormation fills in.
_OF_CLOUDFORMATION = r"\$\{Token\[|\{\{'(Ref|Fn::)|\{\{resolve:|\$\{AWS::|Ref$|Fn::"
_CLOUDFORMATION_TEMPLATE = r"(?m)^(AWSTemplateFormatVersion|Resources) *:"
_KUBERNETES_OBJECT = r"(?m)^apiVersion *:"
# What a template of Helm, Jinja, ERB, Terraform or sed writes outside quotes, where it may be no YAML.
_TEMPLATE = (
    r"\{\{[^{\n]{0,300}?\}\}|\{%[^{\n]{0,300}?%\}|\{#[^{\n]{0,300}?#\}|<%[^\n]{0,300}?%>|[$%]\{[^{}\n]{0,300}\}"
    r"|(?<![^\s\[,])(?P<mark>[@%])[A-Za-z]\w{0,100}(?P=mark)"
)

# The programs of a pod, in whose texts a shell or Kubernetes fills in $(NAME) and ${NAME}; no rule asks for its image.
_CONTAINER = r"(.*\.)?(containers|initContainers|ephemeralContainers)\[[0-9]+\]"
_PROGRAMS = rf"{_CONTAINER}\.(args|command|env|image|lifecycle|\w+Probe|volumeMounts\[[0-9]+\]\.subPathExpr)\b.*"
_ANNOTATIONS = r"(.*\.)?metadata\.annotations\b.*"
# Texts for people and proxies, and the form of an upload. Source of ${filename} there: Amazon S3, "POST Object".
_FREE_TEXTS = (
    r"metadata\.annotations\b.*([sS]nippet|[dD]escription|change-cause|last-applied-configuration)\b.*|spec\.description"
    r"|spec\.packetCapture\.upload\.fields\b.*"
)
# Placeholders that the driver itself fills in. Source: kubernetes-sigs/aws-ebs-csi-driver, docs/tagging.md.
_TAG_PARAMETER = r"parameters\.tagSpecification_\w+"
_OF_THE_DRIVER = r"\{\{-?\s*\.(PVC?Name|PVCNamespace|VolumeSnapshot(Content)?Name|VolumeSnapshotNamespace)\b.*"
_LONGEST_KEY = 80
"""The longest key that messages show whole."""
_LINE_ENDS = re.compile(r"\r\n|\r|\n")


def may_hold_placeholders(text: str) -> bool:
    """Whether any document of a text may hold a placeholder."""
    return re.search(_MAY_HOLD_PLACEHOLDERS, text) is not None


def holds_cloudformation(text: str) -> bool:
    """Whether a text is a template of CloudFormation, whose tags Kubernetes does not know."""
    return re.search(_CLOUDFORMATION_TEMPLATE, text) is not None and not re.search(_KUBERNETES_OBJECT, text)


def unrendered(path: str, text: str) -> Problem:
    """The finding for a placeholder."""
    if re.match(_OF_CLOUDFORMATION, text):
        return UNRENDERED_TEMPLATE.problem(
            path,
            f"{shown(text)} stands for a value that only a deployment knows",
            "deliver the chart by its CDK app, or write it with the values of a deployment "
            "(ClusterValues.from_outputs)",
        )
    return UNRENDERED_TEMPLATE.problem(
        path,
        f"the placeholder {shown(text)} is not filled in",
        "judge what the template makes (helm template, kustomize build, envsubst), or write the value",
    )


def first_placeholder(data: object, *, annotations: bool = True) -> tuple[str, str] | None:
    """The first placeholder in a document that nothing fills in later, and its field.

    Args:
        data: the document.
        annotations: whether those in annotations count. Default: True; in objects of other kinds, whoever reads an
            annotation may fill it in.
    """
    for path, text in _texts(data):
        found = [text] if _is_function(text) else _placeholders(text)
        if not found or re.fullmatch(_FREE_TEXTS, path) or (not annotations and re.fullmatch(_ANNOTATIONS, path)):
            continue
        if re.fullmatch(_PROGRAMS, path):
            found = [each for each in found if each.startswith("{{")]
        elif re.fullmatch(_TAG_PARAMETER, path):
            found = [each for each in found if not re.fullmatch(_OF_THE_DRIVER, each)]
        if found:
            return path, found[0]
    return None


def _texts(data: object) -> Iterator[tuple[str, str]]:
    """Every text of a document with its field, keys too, in their order; a function of CloudFormation by its name."""
    waiting: list[tuple[str, object]] = [("", data)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, str):
            if path or not _is_function(value):
                yield path, value
        elif isinstance(value, Mapping):
            only = str(next(iter(value))) if len(value) == 1 and path else ""
            if _is_function(only):
                yield path, only
                continue
            inner: list[tuple[str, object]] = []
            for key, below in value.items():
                place = _below(path, str(key))
                inner += [(place, "" if _is_function(str(key)) else key), (place, below)]
            waiting += reversed(inner)
        elif isinstance(value, list):
            if len(value) == 1 and isinstance(value[0], list) and len(value[0]) == 1 and isinstance(value[0][0], str):
                yield path, f"[[ {value[0][0]} ]]"  # no field of ours is a list of lists
            waiting += reversed([(f"{path}[{index}]", below) for index, below in enumerate(value)])


def _below(path: str, key: str) -> str:
    if not re.fullmatch(r"[\w-]+", key):
        return f"{path}[{shown(key)}]" if len(key) <= _LONGEST_KEY else path
    return f"{path}.{key}" if path else key


def _is_function(name: str) -> bool:
    return name == "Ref" or name.startswith("Fn::")


def _placeholders(text: str) -> list[str]:
    if not may_hold_placeholders(text):
        return []
    found = [match[0] for match in re.finditer(_PLACEHOLDER, text)]
    if not found and re.fullmatch(_WHOLE_PLACEHOLDER, text):
        return [text]
    if not found and re.fullmatch(_WORD, text):
        return [match[0] for match in re.finditer(_IN_A_WORD, text)]
    return found


def holds_placeholder(name: str) -> bool:
    """Whether the name of an object, in which no placeholder can be meant, holds one."""
    return bool(_placeholders(name)) or re.search(_PERHAPS, name) is not None


def wrong_placeholder(data: object, problems: Sequence[Problem]) -> tuple[str, str] | None:
    """What is a placeholder, as a problem shows that it is no value, and its field."""
    for path, text in _texts(data) if problems else ():
        found = re.search(_PERHAPS, text)
        if found is not None and any(shown(text) in problem.message for problem in problems):
            return path, found[0]
    return None


def placeholder_in_message(problem: Problem) -> str | None:
    """The placeholder that a problem of another kind is about. In its scripts and texts a placeholder may stand."""
    found = re.search(_PLACEHOLDER, problem.message)
    return None if found is None else found[0]


def template_at(text: str, place: tuple[int, int]) -> tuple[tuple[int, int], str] | None:
    """The part of a template that may be why a text is no YAML, and its line and column.

    It stands in the same document as the error, not behind its line, and outside comments, blocks of text and quotes,
    but for quotes in which the error is.

    Args:
        text: the text.
        place: line and column of the error.
    """
    lines = _LINE_ENDS.split(text)
    last = min(place[0], len(lines))
    first = max((number for number in range(last) if lines[number].startswith("---")), default=0)
    for number in range(first, last):
        for found in re.finditer(_TEMPLATE, lines[number]):
            before = lines[number][: found.start()]
            here = (number + 1, found.start() + 1)
            quoted = before.count('"') % 2 or before.count("'") % 2
            inside = here[0] == place[0] and here < place
            if re.search(r"(^|\s)#", before) or (quoted and not inside):
                continue
            if not _is_in_block(lines[first : number + 1]):
                return here, found[0]
    return None


def _is_in_block(lines: Sequence[str]) -> bool:
    """Whether the last of the lines is in a block of text (``|`` or ``>``)."""
    column = _indentation(lines[-1])
    for line in reversed(lines[:-1]):
        if line.strip() and _indentation(line) < column:
            column = _indentation(line)
            if re.search(r"[:-] +[|>][-+0-9]*\s*(#.*)?$", line):
                return True
    return False


def _indentation(line: str) -> int:
    return len(line) - len(line.lstrip(" "))
