"""The zones that the objects of a cluster name: names of its Region, and the same for a pod and its volume."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from automode_constructs.checks.placement import LabelDemand, Pods, Pool
from automode_constructs.errors import Problem, Severity, shown
from automode_constructs.facts.regions import known_regions, partition_of, region_of_zone
from automode_constructs.specs.labels import ZONE, stable_key
from automode_constructs.specs.mapping import mapping_at
from automode_constructs.specs.pools.admission import admits_nothing
from automode_constructs.specs.pools.requirement import ZONE_OF_ANOTHER_REGION
from automode_constructs.specs.rule import rule
from automode_constructs.specs.zone_names import wrong_with_zone
from automode_constructs.tokens import is_token

__all__ = ["volume_zone_problems", "zone_problems"]

_WORKLOADS = ("CronJob", "Deployment", "Job", "Pod", "ReplicaSet", "StatefulSet")
ZONE_NAME = rule(
    "automode:ZoneName",
    *_WORKLOADS,
    "StorageClass",
    severity="error",
    sentence="Pods and StorageClasses name zones by their names, not by an id or a Region.",
    source="Kubernetes, 'Well-Known Labels', topology.kubernetes.io/zone",
    warning_where="not all charts of the cluster are known",
    judged="tree",
)
VOLUME_ZONE = rule(
    "automode:VolumeZone",
    *_WORKLOADS,
    severity="warning",
    sentence="A pod can run in a zone of its volumes: an EBS volume is in one zone, and no node of another reaches it.",
    source="EKS User Guide, 'Create a storage class'; Kubernetes, 'Storage Classes', allowedTopologies",
    judged="tree",
)

UNKNOWN_ZONE = rule(
    "automode:UnknownZone",
    *_WORKLOADS,
    "NodePool",
    "StorageClass",
    severity="warning",
    sentence="Zones are of Regions with EKS Auto Mode, and have a letter from a to f.",
    source="EKS User Guide, 'Update organization controls for EKS Auto Mode'; AWS Regions and Availability Zones",
    judged="tree",
)

_ZONE_KEYS = frozenset({str(ZONE), *(f"topology.ebs.csi.{driver}/zone" for driver in ("aws.com", "eks.amazonaws.com"))})


def zone_problems(
    manifests: Sequence[Mapping[str, Any]], pods_of_index: Mapping[int, Pods], *, region: str | None, whole: bool
) -> Iterator[tuple[int, Problem]]:
    """Zones that are none, or of another Region than the cluster's; each problem with the index of its manifest.

    Args:
        manifests: the objects of one cluster.
        pods_of_index: the pods of the workloads among them.
        region: the cluster's Region. Default: not known; then that of the first zone counts.
        whole: whether these are all objects of the cluster.
    """
    named: list[tuple[int, str, str, str]] = []
    for index, manifest in enumerate(manifests):
        pods = pods_of_index.get(index)
        if pods is not None:
            places = _of_pods(pods)
        elif manifest.get("kind") == "StorageClass":
            places = _of_storage_class(manifest)
        elif manifest.get("kind") == "NodePool":
            places = _of_pool(manifest)
        else:
            continue
        named += [(index, str(manifest["kind"]), field, zone) for field, zone in places if not is_token(zone)]
    seen: set[tuple[int, str]] = set()
    for index, kind, field, zone in named:
        what, cure = wrong_with_zone(zone)
        if what and kind != "NodePool":  # of a pool, its requirement says so
            severity: Severity = "error" if whole else "warning"
            yield index, ZONE_NAME.problem(field, f"no node is in {shown(zone)}: it is {what}", cure, severity=severity)
        its = region_of_zone(zone)
        if its is None:
            continue
        if strange := _strangeness(zone, its):
            yield index, UNKNOWN_ZONE.problem(field, f"{shown(zone)} is in {strange}, so that no node is there", _CHECK)
            continue
        region = region or its
        if its != region and (index, its) not in seen:
            seen.add((index, its))
            yield (
                index,
                ZONE_OF_ANOTHER_REGION.problem(
                    field,
                    f"{shown(zone)} is a zone of {its}, and the cluster is in {region}, so that no node is there",
                    f"name zones of {region}, or leave the zone open",
                ),
            )


_CHECK = "correct it, or acknowledge this if AWS has it by now"


def _strangeness(zone: str, region: str) -> str:
    """What a zone's name says that is not known, ``""`` if all is."""
    if region not in known_regions() and partition_of(region).auto_mode:
        return f"{region}, in which EKS Auto Mode is not known"
    letter = zone.removeprefix(region)
    return f"no Region: the letters of zones are a to f, not {letter}" if len(letter) == 1 and letter > "f" else ""


def _of_pods(pods: Pods) -> Iterator[tuple[str, str]]:
    affinity = f"{pods.field}.affinity.nodeAffinity"
    for field, conditions in (
        (f"{pods.field}.nodeSelector", pods.selector),
        *((affinity, term) for term in pods.terms),
    ):
        yield from ((field, zone) for zone in _zones(conditions) or ())


def _of_pool(manifest: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    requirements = mapping_at(manifest, "spec", "template", "spec").get("requirements")
    for number, item in enumerate(requirements if isinstance(requirements, (list, tuple)) else ()):
        if isinstance(item, Mapping) and stable_key(str(item.get("key"))) == ZONE and item.get("operator") == "In":
            for zone in _texts(item.get("values")):
                yield f"spec.template.spec.requirements[{number}].values", zone


def _of_storage_class(manifest: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for number, term in enumerate(_mappings(manifest.get("allowedTopologies"))):
        for place, label in enumerate(_mappings(term.get("matchLabelExpressions"))):
            if label.get("key") in _ZONE_KEYS:
                for zone in _texts(label.get("values")):
                    yield f"allowedTopologies[{number}].matchLabelExpressions[{place}].values", zone


def volume_zone_problems(
    manifests: Sequence[Mapping[str, Any]], pods_of_index: Mapping[int, Pods], pools: Sequence[Pool]
) -> Iterator[tuple[int, Problem]]:
    """Pods that cannot run where their volumes are; each problem with the index of its manifest.

    Args:
        manifests: the objects of one cluster.
        pods_of_index: the pods of the workloads among them.
        pools: all its pools; none if they are not known.
    """
    classes: dict[str, Mapping[str, Any]] = {}
    volumes: dict[str, Mapping[str, Any]] = {}
    claims: dict[tuple[str, str], Mapping[str, Any]] = {}
    for manifest in manifests:
        name = str(mapping_at(manifest, "metadata").get("name"))
        match manifest.get("kind"):
            case "StorageClass":
                classes[name] = manifest
            case "PersistentVolume":
                volumes[name] = manifest
            case "PersistentVolumeClaim":
                claims[_namespace(manifest), name] = mapping_at(manifest, "spec")
    for index, pods in pods_of_index.items() if classes or volumes else ():
        manifest = manifests[index]
        for field, claim in _claims_of(manifest, pods, claims):
            text, zones = _zones_of_claim(claim, classes, volumes)
            if not zones or any(is_token(zone) for zone in zones) or _can_meet(pods, zones, pools):
                continue
            yield (
                index,
                VOLUME_ZONE.problem(
                    field,
                    f"{text} is in {', '.join(sorted(zones)[:5])}, and no node that takes the pods is there, so they "
                    "stay pending",
                    "let the pods, or a pool, use a zone of the volume",
                ),
            )


def _claims_of(
    manifest: Mapping[str, Any], pods: Pods, claims: Mapping[tuple[str, str], Mapping[str, Any]]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    volumes = mapping_at(manifest, *pods.field.split(".")).get("volumes")
    for number, volume in enumerate(_mappings(volumes)):
        name = mapping_at(volume, "persistentVolumeClaim").get("claimName")
        claim = claims.get((_namespace(manifest), str(name)))
        if claim is not None:
            yield f"{pods.field}.volumes[{number}]", claim
    for number, template in enumerate(_mappings(mapping_at(manifest, "spec").get("volumeClaimTemplates"))):
        yield f"spec.volumeClaimTemplates[{number}].spec", mapping_at(template, "spec")


def _zones_of_claim(
    claim: Mapping[str, Any], classes: Mapping[str, Mapping[str, Any]], volumes: Mapping[str, Mapping[str, Any]]
) -> tuple[str, set[str]]:
    """What a claim's volume is, and the zones that it can be in; none where they are not known."""
    volume = volumes.get(str(claim.get("volumeName")))
    if volume is not None:
        terms = mapping_at(volume, "spec", "nodeAffinity", "required").get("nodeSelectorTerms")
        expressions = [_mappings(term.get("matchExpressions")) for term in _mappings(terms)]
        return f"PersistentVolume '{claim['volumeName']}'", _zones_of_terms(expressions)
    name = str(claim.get("storageClassName"))
    topologies = _mappings(classes.get(name, {}).get("allowedTopologies"))
    return (
        f"a volume of StorageClass '{name}'",
        _zones_of_terms([_mappings(term.get("matchLabelExpressions")) for term in topologies]),
    )


def _zones_of_terms(terms: Sequence[Sequence[Mapping[str, Any]]]) -> set[str]:
    """The zones of terms of which one must hold; none if one leaves the zone open."""
    zones: set[str] = set()
    for term in terms:
        listed = [zone for label in term if label.get("key") in _ZONE_KEYS for zone in _texts(label.get("values"))]
        if not listed or any(label.get("operator", "In") != "In" for label in term if label.get("key") in _ZONE_KEYS):
            return set()
        zones |= {*listed}
    return zones


def _can_meet(pods: Pods, zones: set[str], pools: Sequence[Pool]) -> bool:
    here: LabelDemand = (str(ZONE), ("In", sorted(zones)))
    terms = [[*pods.selector, *term, here] for term in pods.terms]
    if not pools:
        return any(
            not admits_nothing(str(ZONE), [demand for key, demand in term if stable_key(key) == ZONE]) for term in terms
        )
    fitting = [pool for pool in pools if pods.select(pool) and not pods.repelled_by(pool)]
    return not fitting or any(pool.admits(term) for pool in fitting for term in terms)


def _zones(conditions: Sequence[LabelDemand]) -> Sequence[str]:
    return [
        zone
        for key, (operator, values) in conditions
        if stable_key(key) == ZONE and operator == "In"
        for zone in values
    ]


def _namespace(manifest: Mapping[str, Any]) -> str:
    return str(mapping_at(manifest, "metadata").get("namespace") or "default")


def _texts(value: object) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, (list, tuple)) else []


def _mappings(value: object) -> list[Mapping[str, Any]]:
    return [item if isinstance(item, Mapping) else {} for item in value] if isinstance(value, (list, tuple)) else []
