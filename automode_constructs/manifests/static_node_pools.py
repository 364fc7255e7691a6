"""A fixed number of nodes, on request spread evenly over zones."""

from __future__ import annotations

from collections.abc import Sequence

from constructs import Construct

from automode_constructs.arguments import checked_arguments, is_whole_number
from automode_constructs.errors import AutoModeError, Problem, shown
from automode_constructs.manifests.kubernetes_object import validated
from automode_constructs.manifests.node_class import NamedNodeClass, NodeClass
from automode_constructs.manifests.node_pool import NodePool
from automode_constructs.specs.labels import ZONE
from automode_constructs.specs.pools.instance_types import admitted, only_known_types
from automode_constructs.specs.pools.node_pool import NodePoolSpec
from automode_constructs.tokens import is_token

__all__ = ["StaticNodePools"]


class StaticNodePools(Construct):
    """Static NodePools: their number of nodes is fixed, with or without pods for them.

    Creates one NodePool, or with ``zones`` one for each zone with an even share of the nodes: a single static pool over
    several zones does not guarantee an even spread.

    The number is fixed, the nodes are not. Auto Mode replaces each node when it expires (after 336h, and at most 21
    days with its grace period) or drifts from a new image, and consolidates none. The new node is launched before the
    old one is removed if ``limits.nodes`` leaves room. An existing pool can never change between static and dynamic, so
    static pools need new names if they replace dynamic ones.

    Args:
        scope: the cdk8s chart, or a construct in one.
        id: the construct's id.
        node_class: the NodeClass of the nodes, or ``NodeClass.from_name(...)``.
        spec: the pools, without ``replicas``, ``limits`` and ``weight``.
        replicas: the total number of nodes in all pools, 0 or more; they cost money from the first minute.
        zones: zones to spread the nodes over; if there is a remainder, the first zones get one more node. Default: one
            pool; Auto Mode decides in which of the NodeClass's zones its nodes run.
        room: the number of nodes that each pool may have above its share during replacement. Default: a tenth of the
            share, rounded up; we decide, because that is how many Karpenter replaces at once without a disruption
            budget.
        name: the name of the pool; with ``zones``, the pools are named ``<name>-<zone>``. Default: the construct's id;
            we decide.

    Raises:
        AutoModeError: for fewer nodes than zones, a zone named twice or known only after deployment; for a ``spec``
            that has ``replicas``, ``limits`` or ``weight``, or that no instance type satisfies.

    Source: EKS User Guide, "Static Capacity Node Pools in EKS Auto Mode"; CRD ``nodepools.karpenter.sh``.
    """

    @checked_arguments
    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        node_class: NodeClass | NamedNodeClass,
        spec: NodePoolSpec,
        replicas: int,
        zones: Sequence[str] = (),
        room: int | None = None,
        name: str | None = None,
    ) -> None:
        where = f"{scope.node.path}/{id}".removeprefix("/")
        spec = validated(scope, id, spec)
        _check(where, spec, replicas, zones, room)
        specs: dict[str, NodePoolSpec] = {}
        for zone, share in _shares(replicas, zones).items():
            try:
                specs[zone] = _static(spec, share, _room(share) if room is None else room, zone)
            except AutoModeError as error:
                raise error.at(where, "spec") from None
        super().__init__(scope, id)
        self.pools = {
            zone: NodePool(
                self,
                zone or "pool",
                name=f"{name or id}-{zone}" if zone else name or id,
                node_class=node_class,
                spec=zonal,
            )
            for zone, zonal in specs.items()
        }
        """The pools, keyed by zone; a single pool has the key ``""``."""


def _check(where: str, spec: NodePoolSpec, replicas: int, zones: Sequence[str], room: int | None) -> None:
    problems: list[Problem] = []
    for field, number in (("replicas", replicas), ("room", room)):
        if number is not None and (not is_whole_number(number) or number < 0):
            problems.append(Problem(field=field, message=f"needs a whole number of at least 0, got {shown(number)}"))
    for index, zone in enumerate(zones):
        if is_token(zone):
            problems.append(
                Problem(
                    field=f"zones[{index}]",
                    message="is known only after deployment, and a pool is named after its zone",
                    cure="name the zone, such as 'us-east-1a'",
                )
            )
        elif zone in zones[:index]:
            problems.append(Problem(field=f"zones[{index}]", message=f"'{zone}' is there already", cure="remove it"))
    if not problems and 0 < replicas < len(zones):
        problems.append(
            Problem(
                field="replicas",
                message=f"{replicas} cannot be spread over {len(zones)} zones",
                cure="ask for a node in each zone at least, or name fewer zones",
            )
        )
    problems += [
        Problem(field=f"spec.{field}", message=f"{why}, got {shown(getattr(spec, field))}", cure="leave it out")
        for field, why in (
            ("replicas", "is shared out by 'replicas'"),
            ("limits", "is written by 'replicas' and 'room'"),
            ("weight", "does not go with static pools"),
        )
        if getattr(spec, field) is not None
    ]
    requirements = spec.template.spec.requirements
    if only_known_types(requirements) and not admitted(requirements):
        problems.append(
            Problem(
                field="spec.template.spec.requirements",
                message="no instance type fits, so that no node would ever come",
                cure="widen them; NodePoolSpec.instance_types() lists what fits",
            )
        )
    if problems:
        raise AutoModeError(where, problems)


def _shares(replicas: int, zones: Sequence[str]) -> dict[str, int]:
    """How many nodes each zone gets."""
    if not zones:
        return {"": replicas}
    share, rest = divmod(replicas, len(zones))
    return {zone: share + (index < rest) for index, zone in enumerate(zones)}


def _room(share: int) -> int:
    return max(1, -(-share // 10))


def _static(spec: NodePoolSpec, share: int, room: int, zone: str) -> NodePoolSpec:
    template = spec.template
    if zone:
        nodes = template.spec
        try:
            template = template.replace(spec=nodes.replace(requirements=[*nodes.requirements, ZONE.is_in(zone)]))
        except AutoModeError as error:
            raise error.at("", "template.spec") from None
    return spec.replace(template=template, replicas=share, limits={"nodes": share + room})
