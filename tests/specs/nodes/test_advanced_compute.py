"""Hugepages, kubelet and kernel parameters."""

from __future__ import annotations

import inspect
import re
from functools import partial
from typing import Any

import pytest

from automode_constructs.specs.nodes.advanced_compute import AdvancedCompute
from automode_constructs.specs.nodes.hugepages import Hugepages, StaticHugepages, TransparentHugepages
from automode_constructs.specs.nodes.kubelet import Eviction, Kubelet, KubeletLogging
from automode_constructs.specs.nodes.sysctls import Kernel, Sysctls
from tests.refusal import made, refusal

# Hugepages.


def test_hugepages_of_each_size_and_transparent_ones_are_written() -> None:
    hugepages = Hugepages(
        pages=[StaticHugepages(size="2Mi", count=512), StaticHugepages(size="1Gi", count=2)],
        transparent=TransparentHugepages(enabled="always", defrag="defer+madvise"),
    )
    document = {
        "pages": [{"size": "2Mi", "count": 512}, {"size": "1Gi", "count": 2}],
        "transparent": {"enabled": "always", "defrag": "defer+madvise"},
    }
    assert hugepages.to_manifest() == document
    assert Hugepages.from_manifest(document) == hugepages


def test_a_size_of_hugepages_stands_once() -> None:
    page = StaticHugepages(size="2Mi", count=1)
    assert refusal(lambda: Hugepages(pages=[page, page])) == "pages[1]: '2Mi' is there already; add up the counts"


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("size", "4Mi", "size: '4Mi' is not allowed; did you mean '2Mi'? Use one of '2Mi', '1Gi'"),
        ("count", -1, "count: must be at least 0, got -1"),
        ("count", "512", "count: needs a whole number, got '512'"),
    ],
)
def test_other_hugepages_are_refused(field: str, value: object, message: str) -> None:
    assert refusal(lambda: made(StaticHugepages, **{"size": "2Mi", "count": 1, field: value})) == message


@pytest.mark.parametrize("defrag", [None, "never"])
def test_transparent_hugepages_can_be_off(defrag: Any) -> None:
    assert TransparentHugepages(enabled="never", defrag=defrag).enabled == "never"


@pytest.mark.parametrize("defrag", ["always", "defer", "defer+madvise", "madvise"])
def test_transparent_hugepages_that_are_off_are_not_defragmented(defrag: Any) -> None:
    assert TransparentHugepages(defrag=defrag).defrag == TransparentHugepages(enabled="always", defrag=defrag).defrag
    assert refusal(lambda: TransparentHugepages(enabled="never", defrag=defrag)) == (
        f"defrag: '{defrag}' does not go with 'enabled' of 'never'; remove it or write 'never'"
    )


# Kubelet.

KUBELET: dict[str, Any] = {
    "maxPods": 60,
    "podPidsLimit": 4096,
    "idsPerPod": 65536,
    "singleProcessOOMKill": False,
    "eviction": {
        "hard": {"memory.available": "100Mi", "nodefs.available": "10%"},
        "soft": {"memory.available": "500Mi", "nodefs.available": "15%"},
        "softGracePeriod": {"memory.available": "1m30s", "nodefs.available": "2m"},
        "maxPodGracePeriod": 60,
    },
    "logging": {"containerLogMaxSize": "10Mi", "containerLogMaxFiles": 5},
    "allowedUnsafeSysctls": ["net.core.somaxconn", "kernel.shm*"],
}
"""The sample of AWS's page."""


def test_the_kubelet_of_awss_page_comes_back_as_it_was_written() -> None:
    assert Kubelet.from_manifest(KUBELET).to_manifest() == KUBELET
    assert made(Kubelet, single_process_oom_kill=True).to_manifest() == {"singleProcessOOMKill": True}


@pytest.mark.parametrize(
    ("field", "least", "most"),
    [("max_pods", 1, 110), ("ids_per_pod", 65536, 4294901760), ("pod_pids_limit", 100, None)],
)
def test_bounds_of_the_kubelet(field: str, least: int, most: int | None) -> None:
    for value in (least, most or 10**12):
        assert getattr(made(Kubelet, **{field: value}), field) == value
    assert "must be" in refusal(lambda: made(Kubelet, **{field: least - 1}))
    if most is not None:
        assert "must be at most" in refusal(lambda: made(Kubelet, **{field: most + 65536}))


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("max_pods", 111, "max_pods: must be at most 110, got 111"),
        ("pod_pids_limit", 99, "pod_pids_limit: must be -1 or at least 100, got 99"),
        ("pod_pids_limit", 0, "pod_pids_limit: must be -1 or at least 100, got 0"),
        ("pod_pids_limit", -2, "pod_pids_limit: must be -1 or at least 100, got -2"),
        ("ids_per_pod", 0, "ids_per_pod: must be at least 65536, got 0"),
        ("ids_per_pod", 65537, "ids_per_pod: must be a multiple of 65536, got 65537"),
        ("allowed_unsafe_sysctls", ["net.a"] * 65, "allowed_unsafe_sysctls: must have at most 64 items, got 65"),
    ],
)
def test_what_the_kubelet_does_not_take(field: str, value: object, message: str) -> None:
    assert refusal(lambda: made(Kubelet, **{field: value})) == message


@pytest.mark.parametrize(
    ("field", "cure"),
    [
        ("evictionHard", "write 'hard' in 'eviction'"),
        ("containerLogMaxSize", "write it in 'logging'"),
        ("systemReserved", "Auto Mode does not offer it: remove it"),
    ],
)
def test_fields_of_kubernetes_own_kubelet_settings_are_told_where_they_went(field: str, cure: str) -> None:
    assert refusal(lambda: Kubelet.from_manifest({field: {}})) == f"{field}: is not a known field; {cure}"


def test_a_pod_may_have_any_number_of_processes() -> None:
    assert Kubelet(pod_pids_limit=-1).to_manifest() == {"podPidsLimit": -1}


@pytest.mark.parametrize(
    "name",
    [
        *("kernel.shm*", "kernel.shmmax", "kernel.msg*", "kernel.msgmnb", "kernel.sem", "fs.mqueue.*", "net.*"),
        *("fs.mqueue.msg_max", "net.core.somaxconn", "net.ipv4.*", "net.ipv4.conf.eth0/1.rp_filter"),
    ],
)
def test_unsafe_sysctls_that_pods_may_be_allowed(name: str) -> None:
    assert Kubelet(allowed_unsafe_sysctls=[name]).allowed_unsafe_sysctls == (name,)


@pytest.mark.parametrize(
    "name",
    ["", "*", "vm.swappiness", "kernel.*", "kernel.sem*", "kernel.panic", "fs.*", "net", "net.", "net.*.x", "net*"],
)
def test_unsafe_sysctls_that_pods_may_not_be_allowed(name: str) -> None:
    assert refusal(lambda: Kubelet(allowed_unsafe_sysctls=[name])) == (
        f"allowed_unsafe_sysctls[0]: '{name}' is not a sysctl that pods may be allowed; "
        "allowed are kernel.shm*, kernel.msg*, kernel.sem, fs.mqueue.* and net.*"
    )


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"container_log_max_files": 1}, "container_log_max_files: must be at least 2, got 1"),
        ({"container_log_max_size": "10 MB"}, "container_log_max_size: '10 MB' is not a size such as '10Mi'"),
        (
            {"container_log_max_size": 10},
            "container_log_max_size: needs a text, got 10; write '10Mi' for MiB, '10' for bytes",
        ),
    ],
)
def test_bounds_of_container_logs(fields: dict[str, Any], message: str) -> None:
    assert KubeletLogging(container_log_max_files=2, container_log_max_size="1e7").container_log_max_files == 2
    assert refusal(lambda: made(KubeletLogging, **fields)) == message


SIGNALS = (
    "memory.available",
    "nodefs.available",
    "nodefs.inodesFree",
    "imagefs.available",
    "imagefs.inodesFree",
    "pid.available",
)


@pytest.mark.parametrize("signal", SIGNALS)
@pytest.mark.parametrize("value", ["100Mi", "1.5Gi", "0", "5%", "12.5%", "100%", "1e3", "500m"])
def test_a_threshold_is_a_quantity_or_a_share(signal: str, value: str) -> None:
    assert made(Eviction, hard={signal: value}).to_manifest() == {"hard": {signal: value}}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"hard": {"memory.avail": "1Mi"}},
            "hard['memory.avail']: 'memory.avail' is not allowed; did you mean 'memory.available'? Use one of "
            + ", ".join(f"'{signal}'" for signal in SIGNALS),
        ),
        (
            {"hard": {"pid.available": "-1"}},
            "hard['pid.available']: '-1' is not a quantity or a share, such as '500Mi' or '10%'",
        ),
        (
            {"soft": {"pid.available": "ten"}},
            "soft['pid.available']: 'ten' is not a quantity or a share, such as '500Mi' or '10%'",
        ),
        ({"hard": {"pid.available": "100.5%"}}, "hard['pid.available']: '100.5%' is more than 100%"),
        ({"hard": {"pid.available": 100}}, "hard['pid.available']: needs a text, got 100; quote it: '100'"),
        (
            {"soft_grace_period": {"pid.available": "1 minute"}},
            "soft_grace_period['pid.available']: '1 minute' is not a duration such as '90s' or '1m30s'; write '1m'",
        ),
        ({"max_pod_grace_period": -1}, "max_pod_grace_period: must be at least 0, got -1"),
    ],
)
def test_other_thresholds_are_refused(fields: dict[str, Any], message: str) -> None:
    assert refusal(lambda: made(Eviction, **fields)) == message


def test_every_soft_threshold_has_a_grace_period() -> None:
    soft = {"memory.available": "1Gi", "nodefs.available": "10%", "pid.available": "5%"}
    grace = {"nodefs.available": "2m"}
    assert refusal(lambda: made(Eviction, soft=soft, soft_grace_period=grace)) == (
        "soft_grace_period: has no grace period for 'memory.available', 'pid.available'; "
        "add one for every signal of 'soft'"
    )


@pytest.mark.parametrize(
    ("hard", "soft"),
    [
        ("100Mi", "100Mi"),
        ("1Gi", "1024Mi"),
        ("1Gi", "1G"),
        ("10%", "9.9%"),
        ("1k", "999"),
        ("1M", "999999"),
        ("1", "999m"),
    ],
)
def test_a_soft_threshold_is_reached_first(hard: str, soft: str) -> None:
    grace = {"memory.available": "1m"}
    limits = {"hard": {"memory.available": hard}, "soft": {"memory.available": soft}}
    assert refusal(lambda: made(Eviction, **limits, soft_grace_period=grace)) == (
        f"soft['memory.available']: '{soft}' is not reached before the hard threshold '{hard}'; "
        "make it larger than the hard one"
    )


@pytest.mark.parametrize(
    ("hard", "soft"), [("1Gi", "1025Mi"), ("1G", "1Gi"), ("9.9%", "10%"), ("999m", "1"), ("0", "1n")]
)
def test_a_soft_threshold_above_the_hard_one_passes(hard: str, soft: str) -> None:
    limits = {"hard": {"memory.available": hard}, "soft": {"memory.available": soft}}
    document = limits | {"softGracePeriod": {"memory.available": "1m"}}
    assert Eviction.from_manifest(document).to_manifest() == document


@pytest.mark.parametrize(("hard", "soft"), [("50%", "1Mi"), ("100Gi", "1%")])
def test_a_share_and_a_quantity_are_left_to_eks_to_compare(hard: str, soft: str) -> None:
    made(
        Eviction,
        hard={"memory.available": hard},
        soft={"memory.available": soft},
        soft_grace_period={"memory.available": "1m"},
    )


# Kernel parameters.

RANGES = {
    "fs.aio-max-nr": (65536, 4194304),
    "fs.inotify.max_user_instances": (8192, 1048576),
    "fs.inotify.max_user_watches": (8192, 1048576),
    "fs.nr_open": (1048576, 2147483584),
    "kernel.perf_event_paranoid": (-1, 2),
    "net.core.netdev_max_backlog": (1000, 3240000),
    "net.core.rmem_max": (212992, 134217728),
    "net.core.somaxconn": (4096, 3240000),
    "net.core.wmem_max": (212992, 134217728),
    "net.ipv4.neigh.default.gc_thresh1": (0, 262144),
    "net.ipv4.neigh.default.gc_thresh2": (512, 524288),
    "net.ipv4.neigh.default.gc_thresh3": (1024, 1048576),
    "net.ipv4.tcp_fin_timeout": (5, 120),
    "net.ipv4.tcp_keepalive_time": (30, 432000),
    "net.ipv4.tcp_max_syn_backlog": (128, 3240000),
    "net.ipv4.tcp_tw_reuse": (0, 2),
    "user.max_user_namespaces": (0, 2147483647),
    "vm.dirty_background_ratio": (1, 20),
    "vm.dirty_expire_centisecs": (0, 6000),
    "vm.dirty_ratio": (5, 40),
    "vm.dirty_writeback_centisecs": (0, 1000),
    "vm.max_map_count": (65530, 2147483647),
    "vm.swappiness": (0, 200),
    "vm.watermark_scale_factor": (10, 3000),
}
"""The numbers of the table of AWS's page."""

# Those that stand only with others.
WITH = {
    "vm.dirty_ratio": {"vm.dirty_background_ratio": 1},
    "vm.dirty_background_ratio": {"vm.dirty_ratio": 40},
    "net.ipv4.neigh.default.gc_thresh1": {
        "net.ipv4.neigh.default.gc_thresh2": 524288,
        "net.ipv4.neigh.default.gc_thresh3": 1048576,
    },
    "net.ipv4.neigh.default.gc_thresh2": {
        "net.ipv4.neigh.default.gc_thresh1": 0,
        "net.ipv4.neigh.default.gc_thresh3": 1048576,
    },
    "net.ipv4.neigh.default.gc_thresh3": {
        "net.ipv4.neigh.default.gc_thresh1": 0,
        "net.ipv4.neigh.default.gc_thresh2": 512,
    },
}


def test_the_sysctls_are_those_of_awss_table() -> None:
    fields = Sysctls.model_fields.values()
    assert {field.serialization_alias for field in fields} == {*RANGES, "net.ipv4.tcp_congestion_control"}


@pytest.mark.parametrize("name", RANGES)
def test_a_sysctl_is_within_its_range(name: str) -> None:
    least, most = RANGES[name]
    others = WITH.get(name, {})
    for value in (least, most):
        document = {name: value, **others}
        assert Sysctls.from_manifest(document).to_manifest() == document
    for value, bound in ((least - 1, f"at least {least}"), (most + 1, f"at most {most}")):
        document = {name: value, **others}
        assert refusal(partial(Sysctls.from_manifest, document)) == f"['{name}']: must be {bound}, got {value}"


def test_docstrings_tell_the_ranges() -> None:
    source = inspect.getsource(Sysctls)
    untold = {name for name, (least, most) in RANGES.items() if not re.search(rf" {least} to {most}\b", source)}
    assert untold == {"net.ipv4.tcp_tw_reuse"}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"vm_swappiness": "30"}, "vm_swappiness: needs a whole number, got '30'"),
        ({"vm_swappiness": True}, "vm_swappiness: needs a whole number, got True"),
        (
            {"net_ipv4_tcp_congestion_control": "bbr"},
            "net_ipv4_tcp_congestion_control: 'bbr' is not allowed; use one of 'cubic', 'reno'",
        ),
    ],
)
def test_other_values_of_sysctls_are_refused(fields: dict[str, Any], message: str) -> None:
    assert refusal(lambda: made(Sysctls, **fields)) == message


def test_a_misspelt_sysctl_is_told_by_the_kernels_name() -> None:
    text = refusal(lambda: Kernel.from_manifest({"sysctl": {"vm.swapiness": 30}}))
    assert text.startswith("sysctl['vm.swapiness']: is not a known field; did you mean 'vm.swappiness'?")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"vm_dirty_ratio": 20},
            "vm_dirty_ratio: does not stand without 'vm_dirty_background_ratio'; set them together",
        ),
        (
            {"vm_dirty_background_ratio": 20, "vm_dirty_ratio": 20},
            "vm_dirty_background_ratio: must be 'vm_dirty_background_ratio' < 'vm_dirty_ratio', got 20, 20",
        ),
        (
            {"net_ipv4_neigh_default_gc_thresh2": 1024},
            "net_ipv4_neigh_default_gc_thresh2: does not stand without 'net_ipv4_neigh_default_gc_thresh1' and "
            "'net_ipv4_neigh_default_gc_thresh3'; set them together",
        ),
        (
            {f"net_ipv4_neigh_default_gc_thresh{number}": 2048 for number in (1, 2, 3)},
            "net_ipv4_neigh_default_gc_thresh1: must be 'net_ipv4_neigh_default_gc_thresh1' < "
            "'net_ipv4_neigh_default_gc_thresh2' < 'net_ipv4_neigh_default_gc_thresh3', got 2048, 2048, 2048",
        ),
    ],
)
def test_sysctls_that_belong_together(given: dict[str, int], message: str) -> None:
    assert refusal(lambda: made(Sysctls, **given)) == message


def test_sysctls_that_belong_together_are_told_by_the_kernels_names_when_yaml_was_read() -> None:
    assert refusal(lambda: Kernel.from_manifest({"sysctl": {"vm.dirty_ratio": 20}})) == (
        "sysctl['vm.dirty_ratio']: does not stand without 'vm.dirty_background_ratio'; set them together"
    )


# Across the three.


@pytest.mark.parametrize(
    ("kernel", "got"),
    [
        (None, "nothing"),
        ({}, "nothing"),
        ({"sysctl": {}}, "nothing"),
        ({"sysctl": {"user.max_user_namespaces": 0}}, "0"),
    ],
)
def test_ids_of_a_pod_need_user_namespaces(kernel: dict[str, Any] | None, got: str) -> None:
    document = {"kubelet": {"idsPerPod": 65536}} | ({} if kernel is None else {"kernel": kernel})
    assert refusal(lambda: AdvancedCompute.from_manifest(document)) == (
        "kubelet.idsPerPod: needs the sysctl 'user.max_user_namespaces' above 0 in the same NodeClass, "
        f"got {got}; set it in 'kernel.sysctl'"
    )


def test_ids_of_a_pod_go_with_user_namespaces() -> None:
    compute = AdvancedCompute(
        kubelet=Kubelet(ids_per_pod=131072), kernel=Kernel(sysctl=Sysctls(user_max_user_namespaces=1))
    )
    assert compute.to_manifest() == {
        "kubelet": {"idsPerPod": 131072},
        "kernel": {"sysctl": {"user.max_user_namespaces": 1}},
    }
    assert refusal(lambda: AdvancedCompute(kubelet=Kubelet(ids_per_pod=65536))).startswith(
        "kubelet.ids_per_pod: needs the sysctl 'user_max_user_namespaces' above 0"
    )


def test_the_sample_of_awss_page_is_accepted_whole() -> None:
    document = {
        "kubelet": KUBELET,
        "kernel": {
            "sysctl": {
                "user.max_user_namespaces": 1000,
                "vm.swappiness": 30,
                "net.core.somaxconn": 4096,
                "net.ipv4.tcp_congestion_control": "cubic",
                "vm.dirty_background_ratio": 10,
                "vm.dirty_ratio": 20,
            }
        },
    }
    assert AdvancedCompute.from_manifest(document).to_manifest() == document
