"""Settings of the operating system of a class's nodes: hugepages, kubelet, kernel."""

from __future__ import annotations

from collections.abc import Iterator

from automode_constructs.errors import Problem
from automode_constructs.specs.model import KubeModel
from automode_constructs.specs.nodes.hugepages import Hugepages
from automode_constructs.specs.nodes.kubelet import Kubelet
from automode_constructs.specs.nodes.sysctls import Kernel
from automode_constructs.specs.rule import rule
from automode_constructs.specs.wording import worded

__all__ = ["AdvancedCompute"]

USER_NAMESPACES = rule(
    "automode:UserNamespaces",
    "NodeClass",
    severity="error",
    sentence="A class that sets the ids of a pod sets the sysctl user.max_user_namespaces above 0.",
    source="EKS User Guide, 'Create a Node Class for Amazon EKS', section 'Configure kubelet settings on nodes'",
)


class AdvancedCompute(KubeModel):
    """Settings of the nodes' operating system.

    Source: EKS User Guide, "Create a Node Class for Amazon EKS".
    """

    hugepages: Hugepages | None = None
    """Large memory pages. Default: none set aside, as EKS decides."""
    kubelet: Kubelet | None = None
    """Settings of the kubelet. Default: Auto Mode's."""
    kernel: Kernel | None = None
    """Kernel parameters. Default: Auto Mode's."""

    def _broken_rules(self) -> Iterator[Problem]:
        if self.kubelet is None or self.kubelet.ids_per_pod is None:
            return
        sysctl = self.kernel.sysctl if self.kernel is not None else None
        if sysctl is None or not sysctl.user_max_user_namespaces:
            value = "nothing" if sysctl is None or sysctl.user_max_user_namespaces is None else "0"
            yield USER_NAMESPACES.problem(
                "kubelet.ids_per_pod",
                worded(
                    "needs the sysctl '{user_max_user_namespaces}' above 0 in the same NodeClass, got {value}",
                    value=value,
                ),
                "set it in 'kernel.sysctl'",
            )
