"""A ValidatingAdmissionPolicy and its bindings as plain data, and texts as CEL writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

__all__ = ["AdmissionPolicy", "Resources", "listed", "offence_policy", "text", "texts"]

_MOST_LISTED = 8

_NAMESPACE_NAME = "kubernetes.io/metadata.name"
"""The label that the API server puts on every namespace and lets nobody change."""


def text(value: str) -> str:
    """A text as a CEL literal."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def texts(values: Sequence[str]) -> str:
    """A list of texts as a CEL literal."""
    return f"[{', '.join(text(value) for value in dict.fromkeys(values))}]"


def listed(values: Sequence[str]) -> str:
    """Values in a message, which has a limit: the first ones, and how many there are beside them."""
    shown, rest = values[:_MOST_LISTED], len(values) - _MOST_LISTED
    return ", ".join(shown) + (f" and {rest} more" if rest > 0 else "")


@dataclass(frozen=True, kw_only=True, slots=True)
class Resources:
    """Resources of one API group, and the operations on them."""

    group: str
    version: str
    names: tuple[str, ...]
    operations: tuple[str, ...] = ("CREATE", "UPDATE")

    def to_manifest(self) -> dict[str, Any]:
        """A rule of ``resourceRules``."""
        return {
            "apiGroups": [self.group],
            "apiVersions": [self.version],
            "resources": [*self.names],
            "operations": [*self.operations],
            "scope": "*",
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class AdmissionPolicy:
    """A ValidatingAdmissionPolicy, and a binding that makes it apply to the whole cluster.

    Args:
        name: the name of the policy and of its first binding.
        resources: what is checked.
        expression: the CEL expression that must be true.
        message: what the API server answers if it is not, where ``message_expression`` fails.
        message_expression: a CEL expression of the same answer, with the values of the object.
        variables: CEL expressions by name; each may use those before it.
        conditions: CEL expressions by name; the policy is skipped if one of them is false.
        spared_namespaces: namespaces that the policy never looks at.
        only_warned: resources whose breaches are only warned of, whatever the policy does otherwise.
        only_warns: whether breaches are only warned of.
    """

    name: str
    resources: tuple[Resources, ...]
    expression: str
    message: str
    message_expression: str
    variables: Mapping[str, str] = field(default_factory=dict)
    conditions: Mapping[str, str] = field(default_factory=dict)
    spared_namespaces: tuple[str, ...] = ()
    only_warned: tuple[Resources, ...] = ()
    only_warns: bool = False

    def warning(self) -> AdmissionPolicy:
        """The same policy, which refuses nothing."""
        return replace(self, only_warns=True)

    def under(self, conditions: Mapping[str, str]) -> AdmissionPolicy:
        """The same policy with further conditions, which come first."""
        return replace(self, conditions={**conditions, **self.conditions})

    def spec(self) -> dict[str, Any]:
        """``spec`` of the ValidatingAdmissionPolicy."""
        return {
            # What cannot be evaluated passes no barrier; what only warns must never be one.
            "failurePolicy": "Ignore" if self.only_warns else "Fail",
            "matchConstraints": {
                "matchPolicy": "Equivalent",
                "namespaceSelector": self._namespaces(),
                "objectSelector": {},
                "resourceRules": [rule.to_manifest() for rule in (*self.resources, *self.only_warned)],
            },
            "matchConditions": _named(self.conditions),
            "variables": _named(self.variables),
            "validations": [
                {
                    "expression": self.expression,
                    "message": self.message,
                    "messageExpression": self.message_expression,
                    "reason": "Forbidden",
                }
            ],
        }

    def bindings(self) -> dict[str, dict[str, Any]]:
        """``spec`` of each ValidatingAdmissionPolicyBinding, by its name."""
        if self.only_warns:
            return {self.name: self._binding(["Warn", "Audit"], (*self.resources, *self.only_warned))}
        bindings = {self.name: self._binding(["Deny"], self.resources)}
        if self.only_warned:
            bindings[f"{self.name}-early"] = self._binding(["Warn", "Audit"], self.only_warned)
        return bindings

    def _binding(self, actions: list[str], resources: Sequence[Resources]) -> dict[str, Any]:
        return {
            "policyName": self.name,
            "validationActions": actions,
            "matchResources": {
                "matchPolicy": "Equivalent",
                "namespaceSelector": {},
                "objectSelector": {},
                "resourceRules": [rule.to_manifest() for rule in resources],
            },
        }

    def _namespaces(self) -> dict[str, Any]:
        if not self.spared_namespaces:
            return {}
        values = [*dict.fromkeys(self.spared_namespaces)]
        return {"matchExpressions": [{"key": _NAMESPACE_NAME, "operator": "NotIn", "values": values}]}


def offence_policy(
    name: str,
    *,
    resources: tuple[Resources, ...],
    found: str,
    before: str,
    message: str,
    what: str,
    cure: str,
    variables: Mapping[str, str] | None = None,
    spared_namespaces: tuple[str, ...] = (),
    only_warned: tuple[Resources, ...] = (),
) -> AdmissionPolicy:
    """A policy that refuses what an object has, or what a change adds to it.

    What an object had before it may keep: its labels, replicas and finalizers can always be written, also if it is
    older than the policy.

    Args:
        name: the policy's name.
        resources: what is checked.
        found: a CEL expression of a list of texts: what is wrong with the object.
        before: the same of ``oldObject``.
        message: the whole answer, without values.
        what: the beginning of the answer; the list follows.
        cure: its end.
        variables: CEL expressions by name, for ``found`` and ``before``.
        spared_namespaces: namespaces that the policy never looks at.
        only_warned: resources whose breaches are only warned of.
    """
    return AdmissionPolicy(
        name=name,
        resources=resources,
        variables={
            **(variables or {}),
            "found": found,
            "before": f"request.operation == 'UPDATE' ? ({before}) : []",
            "added": "variables.found.filter(one, !(one in variables.before))",
        },
        expression="size(variables.added) == 0",
        message=message,
        message_expression=f"{text(f'{what}: ')} + variables.added.join(', ') + {text(f'; {cure}')}",
        spared_namespaces=spared_namespaces,
        only_warned=only_warned,
    )


def _named(expressions: Mapping[str, str]) -> list[dict[str, str]] | None:
    """Expressions as the API server lists them; none is no field."""
    return [{"name": name, "expression": expression} for name, expression in expressions.items()] or None
