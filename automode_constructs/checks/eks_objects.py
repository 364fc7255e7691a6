"""The objects that EKS makes and keeps in a cluster itself, as ``kubectl get`` gives them back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from automode_constructs.specs.mapping import mapping_at

__all__ = ["belongs_to_eks"]


def belongs_to_eks(document: Mapping[str, Any]) -> bool:
    """Whether EKS keeps an object itself, by its label. A person cannot change it for long: EKS reverts that.

    Source: EKS User Guide, "Enable or Disable Built-in NodePools": label ``app.kubernetes.io/managed-by: eks``.
    """
    return mapping_at(document, "metadata", "labels").get("app.kubernetes.io/managed-by") == "eks"
