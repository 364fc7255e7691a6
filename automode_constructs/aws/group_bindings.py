"""Groups of access entries that nothing in the cluster binds: EKS accepts them, and their members may do nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import cdk8s
import jsii
from aws_cdk import Annotations, Aspects, IAspect
from constructs import Construct, IConstruct

from automode_constructs.delivery.chart_delivery import ChartTarget

__all__ = ["warn_of_unbound_groups"]

_KINDS = frozenset({"ClusterRoleBinding", "RoleBinding", "ValidatingAdmissionPolicy"})
"""The kinds that name groups: bindings give them rights, admission policies look at them."""


def warn_of_unbound_groups(
    construct: Construct, leaf: Construct, *, cluster: ChartTarget, groups: Sequence[str]
) -> None:
    """Makes synthesis warn about groups that no delivered chart names, if the app delivers charts to its own cluster.

    Args:
        construct: what gets the warning.
        leaf: a construct without children in it, so that there is one visit.
        cluster: the cluster of the access entries.
        groups: the groups.
    """
    if groups and cluster.charts_are_all_known:
        Aspects.of(leaf).add(_UnboundGroups(construct, cluster, tuple(dict.fromkeys(groups))))


@jsii.implements(IAspect)
class _UnboundGroups:
    """Looks when synthesis begins, since charts may be delivered after access is granted."""

    def __init__(self, construct: Construct, cluster: ChartTarget, groups: Sequence[str]) -> None:
        self._construct = construct
        self._cluster = cluster
        self._groups = groups

    def visit(self, node: IConstruct) -> None:  # noqa: ARG002 - it is added to one resource only
        """Adds the warning."""
        if not self._cluster.deliveries:
            return
        texts = list(_texts(self._cluster))
        # In an admission policy, a group stands somewhere in an expression.
        for group in self._groups:
            if not any(group in text for text in texts):
                Annotations.of(self._construct).add_warning_v2(
                    "automode:UnboundGroup",
                    f"kubernetes_groups: no chart of the app binds '{group}', so that its members have no rights by "
                    f"it; bind it with KubernetesGroup(chart, '{group}', ...), or acknowledge this if others do",
                )


def _texts(cluster: ChartTarget) -> Iterator[str]:
    for chart in {delivery.place: delivery.chart for delivery in cluster.deliveries}.values():
        for construct in chart.node.find_all():
            if isinstance(construct, cdk8s.ApiObject) and construct.kind in _KINDS:
                yield json.dumps(construct.to_json())
