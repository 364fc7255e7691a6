"""Persistent volumes: the zones that a pod is bound to by them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from automode_constructs.simulation.market import ZONE_KEY, Market
from automode_constructs.specs.labels import stable_key

__all__ = ["Volumes"]


@dataclass(slots=True)
class _Claim:
    storage_class: str | None
    volume: str | None = None
    zone: str | None = None


class Volumes:
    """The persistent volume claims of the cluster."""

    def __init__(self, market: Market) -> None:
        """None at first."""
        self._market = market
        self._claims: dict[str, _Claim] = {}
        self._volumes: dict[str, frozenset[str] | None] = {}
        self._classes: dict[str, tuple[frozenset[str] | None, bool, bool]] = {}

    def apply(self, manifest: Mapping[str, Any]) -> None:
        """Takes in a claim, a volume or a storage class."""
        metadata, spec = manifest.get("metadata") or {}, manifest.get("spec") or {}
        name = str(metadata.get("name"))
        match manifest.get("kind"):
            case "StorageClass":
                zones = _zones(
                    expression
                    for term in manifest.get("allowedTopologies") or ()
                    for expression in term.get("matchLabelExpressions") or ()
                )
                immediate = manifest.get("volumeBindingMode", "Immediate") == "Immediate"
                annotations = metadata.get("annotations") or {}
                is_default = annotations.get("storageclass.kubernetes.io/is-default-class") == "true"
                self._classes[name] = (zones, immediate, is_default)
            case "PersistentVolume":
                terms = ((spec.get("nodeAffinity") or {}).get("required") or {}).get("nodeSelectorTerms") or ()
                self._volumes[name] = _zones(
                    expression for term in terms for expression in term.get("matchExpressions") or ()
                )
            case _:
                namespace = metadata.get("namespace") or "default"
                key = f"{namespace}/{name}"
                self._claims.setdefault(key, self._new(spec.get("storageClassName"), spec.get("volumeName")))

    def make_claim(self, claim: str, classes: Mapping[str, str | None]) -> None:
        """A claim from the template of a StatefulSet or of a pod's own volume."""
        name = claim.partition("/")[2]
        template = max((each for each in classes if name.startswith(f"{each}-")), key=len, default=None)
        if template is not None:
            self._claims.setdefault(claim, self._new(classes[template], None))

    def missing(self, claims: Sequence[str]) -> str | None:
        """The first claim that does not exist."""
        return next((claim for claim in claims if claim not in self._claims), None)

    def zones_of(self, claims: Sequence[str]) -> frozenset[str] | None:
        """The zones in which all claims can be used; ``None`` for all."""
        zones: frozenset[str] | None = None
        for name in claims:
            claim = self._claims.get(name)
            if claim is None:
                continue
            own = frozenset([claim.zone]) if claim.zone is not None else self._volumes.get(claim.volume or "")
            if own is None and claim.zone is None:
                own = self._class(claim.storage_class)[0]
            if own is not None:
                zones = own if zones is None else zones & own
        return zones

    def bind(self, claims: Sequence[str], zone: str) -> None:
        """A volume is made where its first pod runs."""
        for name in claims:
            claim = self._claims.get(name)
            if claim is not None and claim.zone is None and claim.volume is None:
                claim.zone = zone

    def _new(self, storage_class: str | None, volume: str | None) -> _Claim:
        claim = _Claim(storage_class, volume)
        zones, immediate, _ = self._class(storage_class)
        if volume is None and immediate and storage_class in self._classes:
            # A volume of an Immediate class is made in any zone, before anyone looks at the pod.
            claim.zone = min(zones) if zones else self._market.zones[0]
        return claim

    def _class(self, name: str | None) -> tuple[frozenset[str] | None, bool, bool]:
        if name is None:
            return next((each for each in self._classes.values() if each[2]), (None, False, True))
        return self._classes.get(name, (None, False, False))


def _zones(expressions: Any) -> frozenset[str] | None:
    zones: frozenset[str] | None = None
    for expression in expressions:
        if stable_key(str(expression.get("key"))) == ZONE_KEY:
            zones = frozenset(map(str, expression.get("values") or ())) | (zones or frozenset())
    return zones
