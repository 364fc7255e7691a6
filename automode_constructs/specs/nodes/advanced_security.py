"""Security settings of a node's operating system."""

from __future__ import annotations

from typing import Literal

from automode_constructs.specs.model import KubeModel

__all__ = ["AdvancedSecurity", "KernelLockdown"]


KernelLockdown = Literal["integrity", "none", "Integrity", "None"]
"""How far the kernel keeps root from changing it. AWS's page writes ``integrity`` and ``none``; the spellings with a
capital are seen in the field and pass too, because no page says that they are refused."""


class AdvancedSecurity(KubeModel):
    """Security settings of a node's operating system.

    Source: EKS User Guide, "Configure advanced security settings for nodes".
    """

    fips: bool | None = None
    """Whether nodes run images with FIPS 140 validated modules. AWS has them in the regions of the United States
    and, as one of its pages says, of Canada. Default: false, as EKS decides."""
    kernel_lockdown: KernelLockdown | None = None
    """How far the kernel keeps root from changing it. AWS's page writes ``integrity`` and ``none``; the spellings
    with a capital are seen in the field and pass too, because no page says that they are refused.

    Default: not documented; EKS decides.
    """
