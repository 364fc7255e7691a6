"""Settings of the kubelet, the node's agent of Kubernetes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from automode_constructs.errors import AutoModeError, Cure, Edit, Problem, shown
from automode_constructs.specs.fields import ListOf, in_units, matching, near_duration, no_number, quoted
from automode_constructs.specs.model import KubeModel
from automode_constructs.specs.rule import rule

__all__ = ["Eviction", "EvictionSignal", "Kubelet", "KubeletLogging"]

_PAGE = "EKS User Guide, 'Create a Node Class for Amazon EKS', section 'Configure kubelet settings on nodes'"

POD_PIDS_LIMIT = rule(
    "automode:PodPidsLimit",
    "NodeClass",
    severity="error",
    sentence="The limit of a pod's processes is -1 (none) or at least 100.",
    source=_PAGE,
)
SOFT_EVICTION_GRACE = rule(
    "automode:SoftEvictionGrace",
    "NodeClass",
    severity="error",
    sentence="Every soft eviction threshold has a grace period.",
    source=_PAGE,
)
SOFT_EVICTION_THRESHOLD = rule(
    "automode:SoftEvictionThreshold",
    "NodeClass",
    severity="error",
    sentence="A soft eviction threshold is reached before the hard one of the same signal.",
    source=_PAGE,
)

EvictionSignal = Literal[
    "memory.available",
    "nodefs.available",
    "nodefs.inodesFree",
    "imagefs.available",
    "imagefs.inodesFree",
    "pid.available",
]
"""A resource that a node can run out of."""

_AMOUNT = r"\+?([0-9]+(\.[0-9]*)?|\.[0-9]+)(([KMGTPE]i)|[numkMGTPE]|([eE][+-]?[0-9]{1,2}))?"
_PERCENT = r"[0-9]+(\.[0-9]+)?%"


def _at_most_all(value: str) -> str:
    if value.endswith("%") and Decimal(value[:-1]) > 100:
        raise AutoModeError.of("", field="", message=f"{shown(value)} is more than 100%")
    return value


_Threshold = Annotated[
    str,
    Field(max_length=40),
    no_number(quoted),
    matching(rf"{_AMOUNT}|{_PERCENT}", "a quantity or a share, such as '500Mi' or '10%'"),
    AfterValidator(_at_most_all),
]
_Thresholds = Mapping[EvictionSignal, _Threshold]

_GracePeriod = Annotated[
    str,
    no_number(in_units),
    matching(r"([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+", "a duration such as '90s' or '1m30s'", near_duration),
]

_LogSize = Annotated[
    str,
    Field(max_length=40),
    no_number(lambda value: f"write '{value}Mi' for MiB, '{value}' for bytes"),
    matching(_AMOUNT, "a size such as '10Mi'"),
]

_UnsafeSysctl = Annotated[
    str,
    matching(
        r"kernel\.(shm|msg)[A-Za-z0-9_./-]*\*?|kernel\.sem|(fs\.mqueue|net)\.([A-Za-z0-9_./-]+\*?|\*)",
        "a sysctl that pods may be allowed",
        "allowed are kernel.shm*, kernel.msg*, kernel.sem, fs.mqueue.* and net.*",
    ),
]


def _amount(value: str) -> Decimal:
    """The number that a quantity or a share stands for."""
    for power, prefix in enumerate("KMGTPE", start=1):
        if value.endswith(f"{prefix}i"):
            return Decimal(value[:-2]) * Decimal(1024**power)
    exponents = {"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18, "%": 0}
    if value[-1] in exponents:
        return Decimal(value[:-1]).scaleb(exponents[value[-1]])
    return Decimal(value)


class Eviction(KubeModel):
    """When a node that runs out of something evicts pods.

    ``{"memory.available": "100Mi", "nodefs.available": "10%"}`` reads: evict when less than that is left.
    """

    hard: _Thresholds | None = None
    """Thresholds below which pods are evicted at once. Default: as Auto Mode decides."""
    soft: _Thresholds | None = None
    """Thresholds below which pods go after a grace period, each above the hard one of its signal. Where one is a
    share and the other a quantity, EKS compares them for each instance type. Default: none."""
    soft_grace_period: Mapping[EvictionSignal, _GracePeriod] | None = None
    """How long each soft threshold must be undershot. Required for every signal of ``soft``."""
    max_pod_grace_period: Annotated[int, Field(ge=0)] | None = None
    """Seconds that an evicted pod has to stop, at most; 0 is the pod's own. Default: as Auto Mode decides."""

    def _broken_rules(self) -> Iterator[Problem]:
        soft = self.soft or {}
        missing = [signal for signal in soft if signal not in (self.soft_grace_period or {})]
        if missing:
            listed = ", ".join(f"'{signal}'" for signal in missing)
            yield SOFT_EVICTION_GRACE.problem(
                "soft_grace_period", f"has no grace period for {listed}", "add one for every signal of 'soft'"
            )
        for signal, early in soft.items():
            late = (self.hard or {}).get(signal)
            if late is None or early.endswith("%") != late.endswith("%"):
                continue
            if _amount(early) <= _amount(late):
                yield SOFT_EVICTION_THRESHOLD.problem(
                    f"soft['{signal}']",
                    f"'{early}' is not reached before the hard threshold '{late}'",
                    "make it larger than the hard one",
                )


class KubeletLogging(KubeModel):
    """How the log files of containers are rotated."""

    container_log_max_size: _LogSize | None = None
    """Size of a file before the next one begins. Default: as Auto Mode decides."""
    container_log_max_files: Annotated[int, Field(ge=2)] | None = None
    """Files of a container, at least 2. Default: as Auto Mode decides."""


class Kubelet(KubeModel):
    """Settings of the kubelet; a change replaces the nodes.

    Source: EKS User Guide, "Create a Node Class for Amazon EKS".
    """

    wrong_names: ClassVar[Mapping[str, str]] = {
        "containerLogMaxFiles": Cure("write it in 'logging'", Edit(what="place", to="logging.containerLogMaxFiles")),
        "containerLogMaxSize": Cure("write it in 'logging'", Edit(what="place", to="logging.containerLogMaxSize")),
        "cpuCFSQuota": "Auto Mode does not offer it: remove it",
        "cpuManagerPolicy": "Auto Mode does not offer it: remove it",
        "evictionHard": Cure("write 'hard' in 'eviction'", Edit(what="place", to="eviction.hard")),
        "evictionMaxPodGracePeriod": Cure(
            "write 'maxPodGracePeriod' in 'eviction'", Edit(what="place", to="eviction.maxPodGracePeriod")
        ),
        "evictionSoft": Cure("write 'soft' in 'eviction'", Edit(what="place", to="eviction.soft")),
        "evictionSoftGracePeriod": Cure(
            "write 'softGracePeriod' in 'eviction'", Edit(what="place", to="eviction.softGracePeriod")
        ),
        "kubeReserved": "Auto Mode does not offer it: remove it",
        "systemReserved": "Auto Mode does not offer it: remove it",
    }

    max_pods: Annotated[int, Field(ge=1, le=110)] | None = None
    """Pods on a node at most, 1 to 110; fewer where the instance has fewer addresses. Default: 110, as EKS decides."""
    pod_pids_limit: int | None = None
    """Processes of a pod at most: -1 for no limit, or at least 100. Default: as Auto Mode decides."""
    ids_per_pod: Annotated[int, Field(ge=65536, le=4294967295, multiple_of=65536)] | None = None
    """User and group ids of a pod's user namespace, a multiple of 65536 up to 4294967295. Needs the sysctl
    ``user_max_user_namespaces`` above 0 in the same class. Default: as Auto Mode decides."""
    single_process_oom_kill: bool | None = Field(
        default=None, validation_alias="singleProcessOOMKill", serialization_alias="singleProcessOOMKill"
    )
    """Whether a container out of memory loses one process, not all. Kubernetes 1.32 and newer; before, EKS warns
    and nothing happens. Default: as Auto Mode decides."""
    eviction: Eviction | None = None
    """When pods are evicted. Default: as Auto Mode decides."""
    logging: KubeletLogging | None = None
    """How container logs are rotated. Default: as Auto Mode decides."""
    allowed_unsafe_sysctls: Annotated[ListOf[_UnsafeSysctl], Field(max_length=64)] | None = None
    """Sysctls that pods may set for themselves, at most 64, with ``*`` at the end for all of a kind; only
    ``kernel.shm*``, ``kernel.msg*``, ``kernel.sem``, ``fs.mqueue.*`` and ``net.*``. Default: none."""

    def _broken_rules(self) -> Iterator[Problem]:
        if self.pod_pids_limit is not None and self.pod_pids_limit != -1 and self.pod_pids_limit < 100:
            yield POD_PIDS_LIMIT.problem(
                "pod_pids_limit", f"must be -1 or at least 100, got {shown(self.pod_pids_limit)}"
            )
