"""Spread, affinity and anti-affinity of pods over zones, hosts and other domains, as Karpenter counts them.

Source: kubernetes-sigs/karpenter, ``pkg/controllers/provisioning/scheduling/topology.go`` and ``topologygroup.go``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from automode_constructs.simulation.market import CAPACITY_KEY, ZONE_KEY, Market
from automode_constructs.simulation.node import Node, Pod, Taint
from automode_constructs.simulation.pods import HOSTNAME, AffinityTerm, PodShape, Selector
from automode_constructs.simulation.pool import Pool
from automode_constructs.specs.pools.label_values import ANY_VALUE, LabelValues, agree, values_of

__all__ = ["Topology", "TopologyGroup"]

_NOTHING = values_of("DoesNotExist")


class TopologyGroup:
    """The counts of the pods that one constraint selects, by domain."""

    def __init__(
        self,
        kind: str,
        key: str,
        selector: Selector | None,
        namespaces: frozenset[str],
        *,
        max_skew: int = 1,
        min_domains: int | None = None,
        node_filter: PodShape | None = None,
        honors_taints: bool = False,
    ) -> None:
        self.kind = kind
        self.key = key
        self._selector = selector
        self._spaces = namespaces
        self.max_skew = max_skew
        self.min_domains = min_domains
        self.filter = node_filter
        self.honors_taints = honors_taints
        self.domains: dict[str, int] = {}
        self.owners: set[PodShape] = set()
        self._selects: dict[PodShape, bool] = {}

    def selects(self, shape: PodShape) -> bool:
        """Whether the constraint counts pods of this shape."""
        known = self._selects.get(shape)
        if known is None:
            known = self._selects[shape] = (
                self._selector is not None and shape.namespace in self._spaces and self._selector.selects(shape.labels)
            )
        return known

    def matches_node(
        self, taints: tuple[Taint, ...], labels: Mapping[str, LabelValues], open_labels: frozenset[str] = frozenset()
    ) -> bool:
        """Whether a node counts: the owner's selector, and its tolerations where it says so."""
        if self.filter is None:
            return True
        if self.honors_taints and not self.filter.tolerates_all(taints):
            return False
        if not self.filter.required:
            return agree(labels, self.filter.selector, open_labels)
        return any(agree(labels, {**self.filter.selector, **term}, open_labels) for term in self.filter.required)

    def record(self, domain: str, number: int = 1) -> None:
        """So many more pods in a domain."""
        self.domains[domain] = self.domains.get(domain, 0) + number

    def domain_for(self, shape: PodShape, pod_domains: LabelValues, node_domains: LabelValues) -> LabelValues:
        """The domains that a pod may take on a node that can be in ``node_domains``; none if it cannot."""
        if self.kind == "spread":
            return self._spread(shape, pod_domains, node_domains)
        if self.kind == "affinity":
            return self._affinity(shape, pod_domains, node_domains)
        return self._anti_affinity(pod_domains, node_domains)

    def _host(self, node_domains: LabelValues) -> str | None:
        if self.key == HOSTNAME and node_domains.listed is not None and len(node_domains.listed) == 1:
            (host,) = node_domains.listed
            return host
        return None

    def _spread(self, shape: PodShape, pod_domains: LabelValues, node_domains: LabelValues) -> LabelValues:
        more = 1 if self.selects(shape) else 0
        host = self._host(node_domains)
        if host is not None:
            return values_of("In", (host,)) if self.domains.get(host, 0) + more <= self.max_skew else _NOTHING
        least, supported = None, 0
        if self.key == HOSTNAME:
            least = 0
        else:
            for domain, count in self.domains.items():
                if pod_domains.has(domain):
                    supported += 1
                    least = count if least is None or count < least else least
            if least is None or (self.min_domains is not None and supported < self.min_domains):
                least = 0
        best: tuple[int, str] | None = None
        for domain, count in self.domains.items():
            if not node_domains.has(domain):
                continue
            then = count + more
            if then - least <= self.max_skew and (best is None or (then, domain) < best):
                best = (then, domain)
        return _NOTHING if best is None else values_of("In", (best[1],))

    def _affinity(self, shape: PodShape, pod_domains: LabelValues, node_domains: LabelValues) -> LabelValues:
        first = self.selects(shape) and not any(
            count and pod_domains.has(domain) for domain, count in self.domains.items()
        )
        host = self._host(node_domains)
        if host is not None:
            fits = pod_domains.has(host) and (self.domains.get(host, 0) > 0 or first)
            return values_of("In", (host,)) if fits else _NOTHING
        options = [
            domain
            for domain, count in self.domains.items()
            if count > 0 and pod_domains.has(domain) and node_domains.has(domain)
        ]
        if options:
            return values_of("In", tuple(sorted(options)))
        if first:
            for domain in sorted(self.domains):
                if pod_domains.has(domain) and node_domains.has(domain):
                    return values_of("In", (domain,))
        return _NOTHING

    def _anti_affinity(self, pod_domains: LabelValues, node_domains: LabelValues) -> LabelValues:
        host = self._host(node_domains)
        if host is not None:
            return values_of("In", (host,)) if self.domains.get(host, 0) == 0 else _NOTHING
        options = [
            domain
            for domain, count in self.domains.items()
            if count == 0 and pod_domains.has(domain) and node_domains.has(domain)
        ]
        return values_of("In", tuple(sorted(options))) if options else _NOTHING


class Topology:
    """All constraints of one planning run."""

    def __init__(
        self,
        pools: Sequence[Pool],
        nodes: Sequence[Node],
        market: Market,
        namespaces: Mapping[str, Mapping[str, str]],
        batch: Iterable[Pod],
        leaving: Sequence[Node] = (),
    ) -> None:
        """Counts the pods that run, without those of the batch, which are on nodes that leave or on none."""
        self._pools = pools
        self._market = market
        self._namespaces = namespaces
        self._batch = {pod.number for pod in batch}
        self._groups: dict[object, TopologyGroup] = {}
        self._inverse: dict[object, TopologyGroup] = {}
        self._of_shape: dict[PodShape, list[TopologyGroup]] = {}
        self._hosts = [node.name for node in nodes]
        self._selecting: dict[PodShape, list[TopologyGroup]] = {}
        self._selecting_inverse: dict[PodShape, list[TopologyGroup]] = {}
        self._domains: dict[tuple[str, object], list[str]] = {}
        self._counted = [(node, node.running) for node in nodes] + [
            (node, _left_on(node, self._batch)) for node in leaving
        ]
        for node, shapes in self._counted:
            for shape, number in shapes.items():
                for group in self._inverse_of(shape) if shape.anti_affinity else ():
                    domain = node.domain(group.key)
                    if domain is not None:
                        group.record(domain, number)

    @property
    def is_empty(self) -> bool:
        """Whether no pod has a constraint."""
        return not self._groups and not self._inverse

    def take_in(self, shape: PodShape) -> None:
        """Makes the constraints of a shape known."""
        if shape in self._of_shape:
            return
        for term in shape.anti_affinity:
            self._inverse_of(shape, term)
        groups = []
        for each in shape.spread:
            key = (
                "spread",
                each.key,
                each.max_skew,
                each.selector,
                shape.namespace,
                each.min_domains,
                each.honors_taints,
                each.honors_affinity,
                _filter_key(shape) if each.honors_affinity or each.honors_taints else None,
            )
            group = TopologyGroup(
                "spread",
                each.key,
                each.selector,
                frozenset([shape.namespace]),
                max_skew=each.max_skew,
                min_domains=each.min_domains,
                node_filter=shape if each.honors_affinity or each.honors_taints else None,
                honors_taints=each.honors_taints,
            )
            groups.append(self._shared(key, group, shape))
        for kind, terms in (
            ("affinity", [*shape.affinity, *(term for _, term in shape.preferred_affinity)]),
            ("anti", [*shape.anti_affinity, *(term for _, term in shape.preferred_anti_affinity)]),
        ):
            for term in terms:
                group = TopologyGroup(kind, term.key, term.selector, self._spaces(term))
                groups.append(self._shared((kind, term), group, shape))
        self._of_shape[shape] = groups
        self._selecting.clear()
        self._selecting_inverse.clear()

    def narrowing(
        self,
        shape: PodShape,
        strict: Mapping[str, LabelValues],
        node: Mapping[str, LabelValues],
    ) -> dict[str, LabelValues] | TopologyGroup:
        """What placing a pod of this shape on a node demands of the node; the group that forbids it, if one does."""
        demands: dict[str, LabelValues] = {}
        for group in [*self._of_shape[shape], *self._inverse_for(shape)]:
            pod_domains = strict.get(group.key, ANY_VALUE)
            node_domains = demands.get(group.key) or node.get(group.key, ANY_VALUE)
            found = group.domain_for(shape, pod_domains, node_domains)
            if not found.values:
                return group
            known = demands.get(group.key)
            demands[group.key] = found if known is None else known.and_(found)
            if not demands[group.key].values:
                return group
        return demands

    def record(
        self,
        shape: PodShape,
        taints: tuple[Taint, ...],
        node: Mapping[str, LabelValues],
        open_labels: frozenset[str],
    ) -> None:
        """Counts a pod that was placed."""
        for group in self._counting(shape):
            if not group.matches_node(taints, node, open_labels):
                continue
            domains = node.get(group.key)
            if domains is None or domains.listed is None:
                continue
            if group.kind == "anti":
                for domain in domains.listed:
                    group.record(domain)
            elif len(domains.listed) == 1:
                group.record(next(iter(domains.listed)))
        for group in self._inverse.values():
            if shape in group.owners:
                for domain in node[group.key].listed or () if group.key in node else ():
                    group.record(domain)

    def register_host(self, host: str) -> None:
        """A new host is a new domain."""
        for group in (*self._groups.values(), *self._inverse.values()):
            if group.key == HOSTNAME:
                group.domains.setdefault(host, 0)

    def _counting(self, shape: PodShape) -> list[TopologyGroup]:
        known = self._selecting.get(shape)
        if known is None:
            known = self._selecting[shape] = [group for group in self._groups.values() if group.selects(shape)]
        return known

    def _inverse_for(self, shape: PodShape) -> list[TopologyGroup]:
        known = self._selecting_inverse.get(shape)
        if known is None:
            known = self._selecting_inverse[shape] = [group for group in self._inverse.values() if group.selects(shape)]
        return known

    def _shared(self, key: object, group: TopologyGroup, shape: PodShape) -> TopologyGroup:
        known = self._groups.get(key)
        if known is None:
            self._count(group, shape)
            known = self._groups[key] = group
        known.owners.add(shape)
        return known

    def _inverse_of(self, shape: PodShape, only: AffinityTerm | None = None) -> list[TopologyGroup]:
        groups = []
        for term in shape.anti_affinity if only is None else (only,):
            group = self._inverse.get(term)
            if group is None:
                group = self._inverse[term] = TopologyGroup("anti", term.key, term.selector, self._spaces(term))
                for domain in self._domains_of(term.key, None):
                    group.domains.setdefault(domain, 0)
                self._selecting_inverse.clear()
            group.owners.add(shape)
            groups.append(group)
        return groups

    def _spaces(self, term: AffinityTerm) -> frozenset[str]:
        if term.namespace_selector is None:
            return term.namespaces
        selected = {name for name, labels in self._namespaces.items() if term.namespace_selector.selects(labels)}
        return term.namespaces | selected

    def _count(self, group: TopologyGroup, shape: PodShape) -> None:
        group.domains |= dict.fromkeys(self._domains_of(group.key, shape if group.honors_taints else None), 0)
        for node, shapes in self._counted:
            if not node.ready and not shapes:
                continue
            domain = node.domain(group.key)
            if domain is None or not group.matches_node(node.taints, node.label_values):
                continue
            group.domains.setdefault(domain, 0)
            for other, number in shapes.items():
                if group.selects(other):
                    group.record(domain, number)
        if group.key == HOSTNAME:
            for host in self._hosts:
                group.domains.setdefault(host, 0)

    def _domains_of(self, key: str, tolerating: PodShape | None) -> list[str]:
        known = self._domains.get((key, tolerating))
        if known is not None:
            return known
        found: dict[str, None] = {}
        catalogue = self._market.catalogue
        for pool in self._pools:
            if tolerating is not None and not tolerating.tolerates_all(pool.taints):
                continue
            values = pool.requirements.get(key)
            if key == ZONE_KEY:
                found |= dict.fromkeys(pool.zones)
            elif key == CAPACITY_KEY:
                kinds = ("on-demand", "reserved", "spot")
                found |= dict.fromkeys(kind for kind in kinds if values is None or values.has(kind))
            elif key in catalogue.label_keys:
                has = catalogue.values(key, pool.types)
                found |= dict.fromkeys(value for value in has if values is None or values.has(value))
            elif values is not None and values.listed:
                found |= dict.fromkeys(sorted(values.listed))
        known = self._domains[key, tolerating] = list(found)
        return known


def _left_on(node: Node, batch: set[int]) -> dict[PodShape, int]:
    """The pods of a node that stay on it, by shape."""
    counts: dict[PodShape, int] = {}
    for pod in node.pods.values():
        if pod.number not in batch and not pod.stopping:
            counts[pod.shape] = counts.get(pod.shape, 0) + 1
    return counts


def _filter_key(shape: PodShape) -> object:
    return (
        tuple(sorted(shape.selector.items(), key=lambda item: item[0])),
        tuple(tuple(sorted(term.items(), key=lambda item: item[0])) for term in shape.required),
        json_of(shape.tolerations),
    )


def json_of(tolerations: Iterable[Mapping[str, object]]) -> tuple[tuple[tuple[str, str], ...], ...]:
    """Tolerations as a key of a mapping."""
    return tuple(tuple(sorted((str(key), str(value)) for key, value in each.items())) for each in tolerations)
