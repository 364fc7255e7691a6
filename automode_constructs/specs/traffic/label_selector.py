"""The label selector that several kinds share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from automode_constructs.errors import Problem
from automode_constructs.specs.fields import LabelKey, LabelValue, ListOf
from automode_constructs.specs.model import KubeModel
from automode_constructs.specs.rule import rule

__all__ = ["LabelExpression", "LabelSelector"]

LABEL_SELECTOR = rule(
    "automode:LabelSelector",
    "ApplicationNetworkPolicy",
    "ClusterNetworkPolicy",
    "IngressClassParams",
    "TargetGroupBinding",
    severity="error",
    sentence="A label expression has values with In and NotIn, and none with Exists and DoesNotExist.",
    source="Kubernetes API reference, LabelSelectorRequirement",
    stricter="The CRDs leave it to the controller, which cannot use the selector.",
)


class LabelExpression(KubeModel):
    """One condition on a label."""

    key: LabelKey
    """Label key."""
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    """How the label's value relates to ``values``."""
    values: ListOf[LabelValue] | None = None
    """At least one with ``In`` and ``NotIn``; none with ``Exists`` and ``DoesNotExist``."""

    def _broken_rules(self) -> Iterator[Problem]:
        if self.operator in {"In", "NotIn"} and not self.values:
            yield LABEL_SELECTOR.problem("values", f"{self.operator} needs at least one value", "name the values")
        if self.operator in {"Exists", "DoesNotExist"} and self.values:
            yield LABEL_SELECTOR.problem("values", f"{self.operator} takes no values", "leave them out")


class LabelSelector(KubeModel):
    """Objects by their labels: all conditions must hold; a selector without any matches everything."""

    match_labels: Mapping[LabelKey, LabelValue] | None = None
    """Labels with the value each must have."""
    match_expressions: ListOf[LabelExpression] | None = None
    """Other conditions."""
