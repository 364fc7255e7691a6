"""A requirement of a NodePool: which label values its nodes may have."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from automode_constructs.errors import Problem, shown
from automode_constructs.specs.model import KubeModel, LabelKey, LabelValue, TokenListOf
from automode_constructs.tokens import is_list_token, is_token

__all__ = ["Operator", "Requirement", "is_karpenters_own"]

Operator = Literal["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt", "Gte", "Lte"]


class Requirement(KubeModel):
    """What a NodePool demands of one label of its nodes; see ``specs.labels`` for keys that build it.

    Source: CRD ``nodepools.karpenter.sh``, ``spec.template.spec.requirements``.
    """

    key: LabelKey
    """The label's key, at most 316 characters."""
    operator: Operator
    """How the label's value is held against ``values``."""
    values: TokenListOf[LabelValue] | None = None
    """Text values; none for ``Exists`` and ``DoesNotExist``, one whole number for ``Gt``, ``Lt``, ``Gte``, ``Lte``."""
    min_values: Annotated[int, Field(ge=1, le=50)] | None = None
    """How many different values the nodes' choice must keep open (1 to 50).

    Default: not set; Karpenter asks for none.
    """

    def _broken_rules(self) -> Iterator[Problem]:
        values = self.values or ()
        if is_karpenters_own(self.key):
            yield Problem(field="key", message=f"'{self.key}' cannot be a requirement", cure="Karpenter sets it itself")
        if self.operator in {"In", "NotIn"} and not values:
            yield Problem(field="values", message=f"operator {self.operator} needs at least one value")
        if self.operator in {"Exists", "DoesNotExist"} and values:
            yield Problem(field="values", message=f"operator {self.operator} takes no values, got {len(values)}")
        if self.operator in {"Gt", "Lt", "Gte", "Lte"}:
            number = values[0] if len(values) == 1 else ""
            if not is_token(number) and re.fullmatch(r"[0-9]{1,18}", number) is None:
                got = shown(values[0]) if len(values) == 1 else f"{len(values)} values"
                yield Problem(
                    field="values",
                    message=f"operator {self.operator} needs exactly one whole number of at least 0, got {got}",
                )
        if (
            self.min_values is not None
            and self.operator == "In"
            and not is_list_token(values)
            and len(values) < self.min_values
        ):
            yield Problem(
                field="min_values",
                message=f"{self.min_values} is more than the number of values given ({len(values)})",
                cure="lower it or add values",
            )


def is_karpenters_own(key: str) -> bool:
    """Whether a node label belongs to Karpenter or the kubelet, so that no pool may set or require it."""
    if key == "kubernetes.io/hostname":
        return True
    return key.split("/")[0].endswith("karpenter.sh") and key != "karpenter.sh/capacity-type"
