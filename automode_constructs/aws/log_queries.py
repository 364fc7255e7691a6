"""Questions of an operator as queries of CloudWatch Logs Insights, over logs that a cluster has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from automode_constructs.facts.instance_types import instance_types
from automode_constructs.inference.prices import auto_mode_fee_usd

__all__ = ["LONGEST_QUERY", "QUERIES", "LogQuery", "nodes_by_pool"]

LONGEST_QUERY: Final = 10_000
"""In characters. Source: ``AWS::Logs::QueryDefinition``."""

_EVENTS: Final = '@logStream like /kube-apiserver-audit/ and objectRef.resource = "events"'
"""Kubernetes events in the audit log. EKS User Guide, "Troubleshoot EKS Auto Mode"."""

_WHO: Final = "coalesce(requestObject.involvedObject.name, requestObject.regarding.name) as object"
_WHERE: Final = "coalesce(requestObject.involvedObject.namespace, requestObject.regarding.namespace) as namespace"
_WHY: Final = "coalesce(requestObject.message, requestObject.note) as why"


@dataclass(frozen=True, kw_only=True, slots=True)
class LogQuery:
    """A query of CloudWatch Logs Insights.

    Args:
        title: the question.
        log: ``compute``, the log of Auto Mode's compute controller, or ``audit``, that of the control plane.
        lines: the commands, in order.
    """

    title: str
    log: Literal["compute", "audit"]
    lines: Sequence[str]

    @property
    def text(self) -> str:
        """The query."""
        return "\n| ".join(self.lines)


QUERIES: Final[Mapping[str, LogQuery]] = {
    "pods-pending": LogQuery(
        title="Pending pods, and why",
        log="audit",
        lines=[
            f"fields {_WHO}, {_WHERE}, {_WHY}",
            f'filter {_EVENTS} and requestObject.reason = "FailedScheduling"',
            "stats count(*) as times, latest(why) as reason by namespace, object",
            "sort times desc",
            "limit 20",
        ],
    ),
    "launch-failures": LogQuery(
        title="Nodes that did not launch, and why",
        log="audit",
        lines=[
            f"fields {_WHO}, requestObject.reason as reason, {_WHY}",
            (
                f"filter {_EVENTS} and requestObject.reason in "
                '["InsufficientCapacityError", "NoCompatibleInstanceTypes", "NodeClassNotReady", "FailedLaunching"]'
            ),
            "stats count(*) as times, latest(object) as example by reason, why",
            "sort times desc",
            "limit 20",
        ],
    ),
    "disruption-blocked": LogQuery(
        title="Nodes that could not be replaced, and why (drift among them)",
        log="audit",
        lines=[
            f"fields {_WHO}, requestObject.reason as reason, {_WHY}",
            (
                f"filter {_EVENTS} and requestObject.reason in "
                '["DisruptionBlocked", "NodeRepairBlocked", "FailedDraining", "TerminationGracePeriodExpiring"]'
            ),
            "stats count(*) as times, count_distinct(object) as objects, latest(object) as example by reason, why",
            "sort times desc",
            "limit 20",
        ],
    ),
    "nodes-replaced": LogQuery(
        title="Nodes removed or replaced, and why",
        log="compute",
        lines=[
            "fields reason, decision, `disrupted-node-count` as disrupted",
            "filter message like /disrupting node/",
            "stats count(*) as times, sum(disrupted) as nodes by reason, decision",
            "sort nodes desc",
        ],
    ),
    "nodes-repaired": LogQuery(
        title="Nodes repaired, and why",
        log="compute",
        lines=[
            "fields coalesce(condition, reason) as fault, coalesce(Node.name, NodeClaim.name) as node",
            "filter message like /unhealthy node/",
            "stats count(*) as nodes, latest(node) as example by fault",
            "sort nodes desc",
        ],
    ),
    "nodes-created": LogQuery(
        title="Nodes created, by pool and hour",
        log="compute",
        lines=[
            "fields NodePool.name as pool",
            'filter message = "created nodeclaim"',
            "stats count(*) as nodes by bin(1h), pool",
        ],
    ),
    "compute-errors": LogQuery(
        title="Errors of Auto Mode's compute controller",
        log="compute",
        lines=[
            "fields controller, message, coalesce(error, err) as fault",
            'filter level in ["ERROR", "error"]',
            "stats count(*) as times, latest(@timestamp) as last by controller, message, fault",
            "sort times desc",
            "limit 20",
        ],
    ),
}
"""The queries by name.

The compute controller's fields are those that AWS's schema of its log lists; messages are those of open-source
Karpenter, whose build Auto Mode is (?). Events stand in the audit log with every repetition that Karpenter does not
suppress, so ``times`` is no number of failures. Source: EKS User Guide, "Troubleshoot EKS Auto Mode" and "Access
AWS-Managed Component Logs For EKS Auto"; AWS CDK, record fields of ``AUTO_MODE_COMPUTE_LOGS``;
kubernetes-sigs/karpenter, pkg/events/reason.go and pkg/controllers.
"""


def nodes_by_pool(priced_instance_types: Sequence[str] = ()) -> LogQuery:
    """Nodes that joined in the time shown, by pool, type and capacity type, with their price where types are named.

    Args:
        priced_instance_types: types of the catalogue, whose on-demand price and Auto Mode fee in us-east-1 make the
            column ``usd_an_hour``; other types and Spot's lower prices are not in it.
    """
    label = "requestObject.metadata.labels"
    prices = []
    for name in priced_instance_types:
        known = instance_types()[name]
        usd = (known.on_demand_price_usd or 0) + (auto_mode_fee_usd(known) or 0)
        # Whole names only: 'm7i.large' is part of others. The function returns 1 or 0. An alias is not known yet in the
        # command that makes it.
        prices.append(f'strcontains(concat("|", type_, "|"), "|{name}|") * {usd:.5f}')
    cost = f", {' + '.join(prices)} as price" if prices else ""
    total = ", sum(price) as usd_an_hour" if prices else ""
    fields = (
        f"objectRef.name as node, {label}.`karpenter.sh/nodepool` as pool, "
        f"{label}.`node.kubernetes.io/instance-type` as type, {label}.`karpenter.sh/capacity-type` as capacity"
    )
    return LogQuery(
        title="Nodes that joined, by pool" + (", with their on-demand price and fee in USD an hour" if prices else ""),
        log="audit",
        lines=[
            f"fields {fields}",
            (
                'filter @logStream like /kube-apiserver-audit/ and objectRef.resource = "nodes"'
                ' and verb in ["create", "update", "patch"] and ispresent(pool)'
            ),
            "stats latest(pool) as pool_, latest(type) as type_, latest(capacity) as capacity_ by node",
            "fields pool_ as pool, type_ as type, capacity_ as capacity" + cost,
            f"stats count(*) as nodes{total} by pool, type, capacity",
            "sort nodes desc",
        ],
    )
