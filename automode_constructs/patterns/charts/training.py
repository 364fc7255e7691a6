"""A pool for multi-node training: EFA on every network card, all nodes in one zone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import cdk8s

from automode_constructs.arguments import checked_arguments, place
from automode_constructs.errors import AutoModeError, Problem, shown
from automode_constructs.facts.efa import EfaCards
from automode_constructs.manifests.cluster_values import ClusterValues
from automode_constructs.manifests.kubernetes_object import note_warning
from automode_constructs.manifests.node_class import NodeClass
from automode_constructs.manifests.node_pool import NodePool
from automode_constructs.manifests.reserved_capacity import ReservedCapacity
from automode_constructs.manifests.scope import ChartScope
from automode_constructs.patterns.charts.accelerator_taint import accelerator_taint
from automode_constructs.specs import labels
from automode_constructs.specs.nodes.advanced_compute import AdvancedCompute
from automode_constructs.specs.nodes.capacity import PlacementGroupSelector
from automode_constructs.specs.nodes.efa import EFA_RESOURCE, with_efa
from automode_constructs.specs.nodes.node_class import SecurityGroupSelectorTerm
from automode_constructs.specs.pools.capacity_reservation import CapacityReservation
from automode_constructs.specs.pools.node_pool import Disruption, NodeClaimSpec, NodeClaimTemplate, NodePoolSpec, Taint
from automode_constructs.specs.pools.requirement import Requirement

__all__ = ["TrainingChart"]

_EFA_TAINT = Taint(key="aws.amazon.com/efa", effect="NoSchedule")
"""For types without an accelerator; the EFA device plugin tolerates it by itself."""


class TrainingChart(cdk8s.Chart):
    """A NodeClass and a NodePool of one instance type in one zone, with EFA on every network card that takes it.

    Pods request ``vpc.amazonaws.com/efa`` beside ``nvidia.com/gpu`` or ``aws.amazon.com/neuron``, and tolerate the
    taint of the latter (``aws.amazon.com/efa`` on types without accelerators). Auto Mode's AMI does not include the EFA
    device plugin: until you set ``efa_device_plugin``, there is a warning ``automode:EfaDevicePlugin``.

    Nodes live as long as Auto Mode allows, 20 days plus one to drain: a longer job must write checkpoints; see
    ``automode explain automode:NodeLifetime``. A dynamic pool launches nodes for waiting pods; AWS's notes say that EFA
    works this way, but one public report got nodes from static pools only (?).

    Args:
        scope: the cdk8s app.
        id: the chart's id.
        values: the cluster's values.
        instance_type: the instance type, such as ``p5.48xlarge``; it must have EFA.
        zone: the availability zone of all nodes. A cluster placement group stays in the zone of its first instance.
        nodes: the maximum number of nodes, or with ``static`` the fixed number.
        static: whether nodes exist without pods too; an extra node may appear during a replacement. Cannot be changed
            later. Default: False; we decide, because idle accelerators cost money.
        placement_group: the placement group of all nodes. Leave it out with a Capacity Block, whose instances EC2
            puts side by side itself. Default: none.
        security_groups: security groups besides the cluster's, such as that of an ``EfaSecurityGroup``. Default: none;
            the cluster's own admits EFA by default.
        reservation: a reservation to launch into; instance type and zone must be its own. Default: none, on-demand.
        pod_prefixes: prefixes of 16 addresses for the pods of a node, including DaemonSet pods. Default: 1; we decide.
        advanced_compute: settings of the nodes' operating system. Static hugepages exclude EFA. Default: the cluster's
            node defaults.
        cards: the network cards of an instance type newer than our list. Default: those in our list.
        efa_device_plugin: whether the EFA device plugin is installed, with a toleration of the pool's taint.
            Default: False, with a warning; we decide.
        name: the name of the NodeClass and of the NodePool. Default: ``training``; we decide.
        as_of: the day against which the reservation's end is checked. Default: the day the calendar was last checked.

    Raises:
        AutoModeError: for an instance type without EFA; for settings that exclude EFA; for a reservation of another
            instance type or zone, or one that has ended.

    Source: EKS User Guide, "Manage EFA devices on Amazon EKS" and "Create a Node Class for Amazon EKS"; Amazon EC2 User
    Guide, "Placement groups".
    """

    @checked_arguments
    def __init__(
        self,
        scope: ChartScope,
        id: str,
        *,
        values: ClusterValues,
        instance_type: str,
        zone: str,
        nodes: int,
        static: bool = False,
        placement_group: PlacementGroupSelector | None = None,
        security_groups: Sequence[SecurityGroupSelectorTerm] = (),
        reservation: CapacityReservation | None = None,
        pod_prefixes: int = 1,
        advanced_compute: AdvancedCompute | None = None,
        cards: EfaCards | None = None,
        efa_device_plugin: bool = False,
        name: str = "training",
        as_of: date | None = None,
    ) -> None:
        where = place(scope, id)
        _check(where, instance_type, zone, nodes, reservation)
        node_class_spec = values.node_class_spec()
        changes: dict[str, object] = {
            "security_group_selector_terms": (*node_class_spec.security_group_selector_terms, *security_groups)
        }
        if placement_group is not None:
            changes["placement_group_selector"] = placement_group
        if advanced_compute is not None:
            changes["advanced_compute"] = advanced_compute
        try:
            with_interfaces = with_efa(
                node_class_spec.replace(**changes), instance_type, pod_prefixes=pod_prefixes, cards=cards
            )
        except AutoModeError as error:
            raise error.at(where) from None
        taint = accelerator_taint(instance_type) or _EFA_TAINT
        super().__init__(scope, id)
        if reservation is not None:
            reserved = ReservedCapacity(
                self,
                name,
                reservation=reservation,
                node_class_spec=with_interfaces,
                spec=_pool((), taint, nodes, static=static),
                as_of=as_of,
            )
            self.node_class, self.pool = reserved.node_class, reserved.pool
        else:
            requirements = [
                labels.CAPACITY_TYPE.is_in("on-demand"),
                labels.ZONE.is_in(zone),
                labels.INSTANCE_TYPE.is_in(instance_type),
            ]
            self.node_class = NodeClass(self, "class", name=name, spec=with_interfaces)
            self.pool = NodePool(
                self,
                "pool",
                name=name,
                node_class=self.node_class,
                spec=_pool(requirements, taint, nodes, static=static),
            )
        if not efa_device_plugin:
            note_warning(
                self.node_class,
                "automode:EfaDevicePlugin",
                f"pods get {EFA_RESOURCE} only where the EFA device plugin runs, which Auto Mode's AMI does not "
                "include; install the Helm chart aws-efa-k8s-device-plugin of aws/eks-charts with a toleration of "
                f"{taint.key}, and pass efa_device_plugin=True",
            )


def _check(where: str, instance_type: str, zone: str, nodes: int, reservation: CapacityReservation | None) -> None:
    problems: list[Problem] = []
    if nodes < 1:
        problems.append(Problem(field="nodes", message=f"needs a whole number of at least 1, got {shown(nodes)}"))
    for field, value in (("instance_type", instance_type), ("zone", zone)):
        reserved = value if reservation is None else getattr(reservation, field)
        if reserved != value:
            problems.append(
                Problem(field=field, message=f"is {shown(value)}, but the reservation's is {shown(reserved)}")
            )
    if problems:
        raise AutoModeError(where, problems)


def _pool(requirements: Sequence[Requirement], taint: Taint, nodes: int, *, static: bool) -> NodePoolSpec:
    claim = NodeClaimSpec(
        requirements=requirements,
        taints=[taint],
        # The longest life that Auto Mode allows: 504 hours in all.
        expire_after="480h",
        termination_grace_period="24h",
    )
    template = NodeClaimTemplate(spec=claim)
    if static:
        return NodePoolSpec(template=template, replicas=nodes, limits={"nodes": nodes + 1})
    return NodePoolSpec(
        template=template,
        limits={"nodes": nodes},
        disruption=Disruption(consolidation_policy="WhenEmpty", consolidate_after="10m"),
    )
