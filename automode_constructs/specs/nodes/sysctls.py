"""Kernel parameters of nodes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import Field

from automode_constructs.errors import Problem
from automode_constructs.specs.model import KubeModel
from automode_constructs.specs.rule import rule
from automode_constructs.specs.wording import field_names, worded

__all__ = ["Kernel", "Sysctls"]

_PAGE = "EKS User Guide, 'Create a Node Class for Amazon EKS', section 'Configure kernel sysctls on nodes'"

DIRTY_RATIOS = rule(
    "automode:DirtyRatios",
    "NodeClass",
    severity="error",
    sentence="vm.dirty_background_ratio and vm.dirty_ratio are both set, the first below the second, or neither.",
    source=_PAGE,
)
NEIGHBOUR_THRESHOLDS = rule(
    "automode:NeighbourThresholds",
    "NodeClass",
    severity="error",
    sentence="net.ipv4.neigh.default.gc_thresh1, 2 and 3 are all set, each above the one before, or none is.",
    source=_PAGE,
)

_DIRTY = ("vm_dirty_background_ratio", "vm_dirty_ratio")
_NEIGHBOURS = tuple(f"net_ipv4_neigh_default_gc_thresh{number}" for number in (1, 2, 3))


def _called(name: str) -> Any:
    return Field(default=None, validation_alias=name, serialization_alias=name)


class Sysctls(KubeModel):
    """Kernel parameters that Auto Mode lets you set, written when a node starts; a change replaces the nodes.

    Fields are the kernel's names with underscores. Default of each: as Auto Mode's image decides.

    Source: EKS User Guide, "Create a Node Class for Amazon EKS".
    """

    fs_aio_max_nr: Annotated[int, Field(ge=65536, le=4194304)] | None = _called("fs.aio-max-nr")
    """Asynchronous I/O requests, 65536 to 4194304."""
    fs_inotify_max_user_instances: Annotated[int, Field(ge=8192, le=1048576)] | None = _called(
        "fs.inotify.max_user_instances"
    )
    """Inotify instances of a user, 8192 to 1048576."""
    fs_inotify_max_user_watches: Annotated[int, Field(ge=8192, le=1048576)] | None = _called(
        "fs.inotify.max_user_watches"
    )
    """Inotify watches of a user, 8192 to 1048576."""
    fs_nr_open: Annotated[int, Field(ge=1048576, le=2147483584)] | None = _called("fs.nr_open")
    """File handles of a process, 1048576 to 2147483584."""
    kernel_perf_event_paranoid: Annotated[int, Field(ge=-1, le=2)] | None = _called("kernel.perf_event_paranoid")
    """How far performance events are kept from unprivileged users, -1 to 2."""
    net_core_netdev_max_backlog: Annotated[int, Field(ge=1000, le=3240000)] | None = _called(
        "net.core.netdev_max_backlog"
    )
    """Packets queued on input for each CPU, 1000 to 3240000."""
    net_core_rmem_max: Annotated[int, Field(ge=212992, le=134217728)] | None = _called("net.core.rmem_max")
    """Bytes of a receive buffer, 212992 to 134217728."""
    net_core_somaxconn: Annotated[int, Field(ge=4096, le=3240000)] | None = _called("net.core.somaxconn")
    """Backlog of a listening socket, 4096 to 3240000."""
    net_core_wmem_max: Annotated[int, Field(ge=212992, le=134217728)] | None = _called("net.core.wmem_max")
    """Bytes of a send buffer, 212992 to 134217728."""
    net_ipv4_neigh_default_gc_thresh1: Annotated[int, Field(ge=0, le=262144)] | None = _called(
        "net.ipv4.neigh.default.gc_thresh1"
    )
    """ARP entries below which none is collected, 0 to 262144; with the two others."""
    net_ipv4_neigh_default_gc_thresh2: Annotated[int, Field(ge=512, le=524288)] | None = _called(
        "net.ipv4.neigh.default.gc_thresh2"
    )
    """Soft limit of ARP entries, 512 to 524288; above the first."""
    net_ipv4_neigh_default_gc_thresh3: Annotated[int, Field(ge=1024, le=1048576)] | None = _called(
        "net.ipv4.neigh.default.gc_thresh3"
    )
    """Hard limit of ARP entries, 1024 to 1048576; above the second."""
    net_ipv4_tcp_congestion_control: Literal["cubic", "reno"] | None = _called("net.ipv4.tcp_congestion_control")
    """Congestion control of new connections."""
    net_ipv4_tcp_fin_timeout: Annotated[int, Field(ge=5, le=120)] | None = _called("net.ipv4.tcp_fin_timeout")
    """Seconds an orphaned connection stays in FIN_WAIT_2, 5 to 120."""
    net_ipv4_tcp_keepalive_time: Annotated[int, Field(ge=30, le=432000)] | None = _called("net.ipv4.tcp_keepalive_time")
    """Seconds between keepalive messages, 30 to 432000."""
    net_ipv4_tcp_max_syn_backlog: Annotated[int, Field(ge=128, le=3240000)] | None = _called(
        "net.ipv4.tcp_max_syn_backlog"
    )
    """Outstanding SYN requests, 128 to 3240000."""
    net_ipv4_tcp_tw_reuse: Annotated[int, Field(ge=0, le=2)] | None = _called("net.ipv4.tcp_tw_reuse")
    """Reuse of sockets in TIME_WAIT: 0 never, 1 always, 2 on loopback."""
    user_max_user_namespaces: Annotated[int, Field(ge=0, le=2147483647)] | None = _called("user.max_user_namespaces")
    """User namespaces of a user, 0 to 2147483647; 0 turns them off."""
    vm_dirty_background_ratio: Annotated[int, Field(ge=1, le=20)] | None = _called("vm.dirty_background_ratio")
    """Percent of memory at which dirty pages are written back, 1 to 20; with ``vm_dirty_ratio``."""
    vm_dirty_expire_centisecs: Annotated[int, Field(ge=0, le=6000)] | None = _called("vm.dirty_expire_centisecs")
    """Hundredths of a second until a dirty page may be written back, 0 to 6000."""
    vm_dirty_ratio: Annotated[int, Field(ge=5, le=40)] | None = _called("vm.dirty_ratio")
    """Percent of memory at which writers must wait, 5 to 40; above ``vm_dirty_background_ratio``."""
    vm_dirty_writeback_centisecs: Annotated[int, Field(ge=0, le=1000)] | None = _called("vm.dirty_writeback_centisecs")
    """Hundredths of a second between write-backs, 0 to 1000."""
    vm_max_map_count: Annotated[int, Field(ge=65530, le=2147483647)] | None = _called("vm.max_map_count")
    """Memory areas of a process, 65530 to 2147483647."""
    vm_swappiness: Annotated[int, Field(ge=0, le=200)] | None = _called("vm.swappiness")
    """Cost of swapping against that of dropping file pages, 0 to 200."""
    vm_watermark_scale_factor: Annotated[int, Field(ge=10, le=3000)] | None = _called("vm.watermark_scale_factor")
    """Memory kept free, in ten-thousandths, 10 to 3000."""

    def _broken_rules(self) -> Iterator[Problem]:
        for names, broken in ((_DIRTY, DIRTY_RATIOS), (_NEIGHBOURS, NEIGHBOUR_THRESHOLDS)):
            values = [getattr(self, name) for name in names]
            used = [name for name, value in zip(names, values, strict=True) if value is not None]
            if used and len(used) < len(names):
                missing = field_names([name for name in names if name not in used], " and ")
                yield broken.problem(
                    used[0], worded("does not stand without {missing}", missing=missing), "set them together"
                )
            elif used and any(low >= high for low, high in pairwise(values)):
                yield broken.problem(
                    names[0],
                    worded(
                        "must be {order}, got {values}",
                        order=field_names(names, " < "),
                        values=", ".join(str(value) for value in values),
                    ),
                )


class Kernel(KubeModel):
    """Settings of a node's kernel."""

    sysctl: Sysctls | None = None
    """Kernel parameters. Default: none; Auto Mode's image decides."""
