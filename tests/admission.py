"""What an API server with admission policies answers: the policies' own expressions, in a CEL evaluator.

What is around the expressions is here: which policy looks at a request, variables, conditions, bindings and their
actions, as Kubernetes documents them. Kubernetes' own addition to CEL that the policies use is ``join``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import celpy
from celpy.adapter import json_to_cel
from celpy.celtypes import ListType, MapType, StringType
from celpy.evaluation import CELEvalError

__all__ = ["SERVICE_ACCOUNT", "STRANGER", "ApiServer", "Request", "User"]

_PLURALS = {
    "CronJob": "cronjobs",
    "DaemonSet": "daemonsets",
    "Deployment": "deployments",
    "Ingress": "ingresses",
    "IngressClassParams": "ingressclassparams",
    "Job": "jobs",
    "LoadBalancerConfiguration": "loadbalancerconfigurations",
    "Namespace": "namespaces",
    "NodeClass": "nodeclasses",
    "NodePool": "nodepools",
    "Pod": "pods",
    "Service": "services",
    "StatefulSet": "statefulsets",
}

# Made here, because making it raises the recursion limit, which hypothesis watches while a test runs.
_CEL = celpy.Environment()


@dataclass(frozen=True, kw_only=True)
class User:
    """Who sends a request."""

    username: str
    groups: tuple[str, ...] = ("system:authenticated",)

    def to_manifest(self) -> dict[str, Any]:
        # Empty fields are left out, as in the JSON of an AdmissionRequest.
        groups = {"groups": [*self.groups]} if self.groups else {}
        return {"username": self.username, **groups} if self.username else groups


STRANGER = User(username=":".join(["arn", "aws", "sts", "", "111122223333", "assumed-role/Developer/jane"]))
SERVICE_ACCOUNT = User(
    username="system:serviceaccount:kube-system:replicaset-controller",
    groups=("system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated"),
)
"""The controller that creates pods of Deployments, in all namespaces."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """A write, as admission sees it."""

    new: Mapping[str, Any] | None
    old: Mapping[str, Any] | None = None
    user: User = STRANGER
    subresource: str = ""
    namespace_labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def operation(self) -> str:
        return "CREATE" if self.old is None else "DELETE" if self.new is None else "UPDATE"

    @property
    def manifest(self) -> Mapping[str, Any]:
        found = self.old if self.new is None else self.new
        assert found is not None
        return found

    @property
    def resource(self) -> tuple[str, str, str]:
        group, _, version = self.manifest["apiVersion"].rpartition("/")
        plural = _PLURALS.get(self.manifest["kind"], self.manifest["kind"].lower() + "s")
        return group, version, f"{plural}/{self.subresource}".rstrip("/")

    @property
    def labels(self) -> Mapping[str, str] | None:
        """The labels that a namespaceSelector reads; ``None`` for an object without a namespace."""
        metadata = self.manifest["metadata"]
        if self.manifest["kind"] == "Namespace":
            return {**metadata.get("labels", {}), "kubernetes.io/metadata.name": metadata["name"]}
        if "namespace" not in metadata:
            return None
        return {"kubernetes.io/metadata.name": metadata["namespace"], **self.namespace_labels}

    def variables(self) -> dict[str, Any]:
        group, version, _ = self.resource
        metadata = self.manifest["metadata"]
        request = {
            "operation": self.operation,
            "kind": {"group": group, "version": version, "kind": self.manifest["kind"]},
            "name": metadata.get("name", ""),
            "userInfo": self.user.to_manifest(),
        }
        if "namespace" in metadata:
            request["namespace"] = metadata["namespace"]
        return {"object": self.new, "oldObject": self.old, "request": request}


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What one binding says to a request."""

    policy: str
    actions: Sequence[str]
    message: str


class ApiServer:
    """The admission policies among some manifests, as an API server applies them."""

    def __init__(self, manifests: Iterable[Mapping[str, Any]]) -> None:
        by_kind: dict[str, dict[str, Any]] = {}
        for manifest in manifests:
            by_kind.setdefault(manifest["kind"], {})[manifest["metadata"]["name"]] = manifest["spec"]
        self.policies = by_kind["ValidatingAdmissionPolicy"]
        self.bindings = by_kind["ValidatingAdmissionPolicyBinding"]

    def answers(self, request: Request) -> Iterator[Answer]:
        """The answers of all bindings that something is wrong with."""
        for binding in self.bindings.values():
            policy = self.policies[binding["policyName"]]
            if not _matches(policy["matchConstraints"], request) or not _matches(binding["matchResources"], request):
                continue
            message = _breach(policy, request)
            if message is not None:
                yield Answer(policy=binding["policyName"], actions=binding["validationActions"], message=message)

    def refusals(self, request: Request) -> list[str]:
        """Why the API server refuses a request."""
        return [answer.message for answer in self.answers(request) if "Deny" in answer.actions]

    def warnings(self, request: Request) -> list[str]:
        """What it only warns of."""
        return [answer.message for answer in self.answers(request) if "Warn" in answer.actions]


def _matches(constraints: Mapping[str, Any], request: Request) -> bool:
    group, version, resource = request.resource
    return _selects(constraints["namespaceSelector"], request.labels) and any(
        group in rule["apiGroups"]
        and {version, "*"} & {*rule["apiVersions"]}
        and resource in rule["resources"]
        and request.operation in rule["operations"]
        for rule in constraints["resourceRules"]
    )


def _selects(selector: Mapping[str, Any], labels: Mapping[str, str] | None) -> bool:
    if labels is None:
        return True
    for expression in selector.get("matchExpressions", ()):
        assert expression["operator"] == "NotIn"
        if labels.get(expression["key"]) in expression["values"]:
            return False
    return True


def _breach(policy: Mapping[str, Any], request: Request) -> str | None:
    """The message of a policy that is broken; with a failure that refuses, the failure."""
    given = {name: json_to_cel(value) for name, value in request.variables().items()}
    try:
        if not all(_evaluate(condition["expression"], given) for condition in policy["matchConditions"]):
            return None
        variables = MapType({})
        given["variables"] = variables
        for variable in policy.get("variables", ()):
            variables[StringType(variable["name"])] = _evaluate(variable["expression"], given)
        for validation in policy["validations"]:
            if not _evaluate(validation["expression"], given):
                return str(_evaluate(validation["messageExpression"], given))
    except CELEvalError as error:
        return None if policy["failurePolicy"] == "Ignore" else f"failed expression: {error}"
    return None


def _evaluate(expression: str, given: Mapping[str, Any]) -> Any:
    found = _program(expression).evaluate(dict(given))
    # A list of lists that were added up is a plain list.
    return ListType(found) if isinstance(found, list) else found


@cache
def _program(expression: str) -> celpy.Runner:
    return _CEL.program(_CEL.compile(expression), functions={"join": _join})


def _join(items: Sequence[StringType], separator: StringType) -> StringType:
    return StringType(str(separator).join(items))
