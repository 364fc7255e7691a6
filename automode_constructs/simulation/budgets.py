"""PodDisruptionBudgets: how many pods must stay up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from automode_constructs.simulation.pods import Selector, selector_of

__all__ = ["PodBudget", "pod_budget_from"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PodBudget:
    """A PodDisruptionBudget."""

    name: str
    namespace: str
    selector: Selector | None
    min_available: str | None
    max_unavailable: str | None
    always_evicts_unready: bool

    @property
    def never_allows(self) -> bool:
        """Whether it lets no pod go, whatever happens."""
        return self.max_unavailable in {"0", "0%"} or self.min_available == "100%"

    def selects(self, labels: Mapping[str, str]) -> bool:
        """Whether it is about pods with these labels."""
        return self.selector is not None and self.selector.selects(labels)

    def allows(self, *, expected: int, healthy: int, is_ready: bool) -> bool:
        """Whether one of the pods may be evicted now."""
        if self.max_unavailable is not None:
            wanted = expected - _scaled(self.max_unavailable, expected)
        else:
            wanted = _scaled(self.min_available or "0", expected)
        if not is_ready:
            return self.always_evicts_unready or healthy >= wanted
        return healthy - max(wanted, 0) > 0


def pod_budget_from(manifest: Mapping[str, Any]) -> PodBudget:
    """Reads a PodDisruptionBudget."""
    metadata, spec = manifest.get("metadata") or {}, manifest.get("spec") or {}
    least, most = spec.get("minAvailable"), spec.get("maxUnavailable")
    return PodBudget(
        name=str(metadata.get("name")),
        namespace=str(metadata.get("namespace") or "default"),
        selector=selector_of(spec.get("selector")),
        min_available=None if least is None else str(least),
        max_unavailable=None if most is None else str(most),
        always_evicts_unready=spec.get("unhealthyPodEvictionPolicy") == "AlwaysAllow",
    )


def _scaled(value: str, whole: int) -> int:
    """A number or a share, which is rounded up."""
    if value.endswith("%"):
        return -(-whole * int(value[:-1]) // 100)
    return int(value)
