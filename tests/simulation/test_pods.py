"""What pods request, tolerate and select, against what Kubernetes' API server and scheduler take them for."""

from __future__ import annotations

from typing import Any

import pytest

from automode_constructs.errors import AutoModeError
from automode_constructs.simulation.pods import PodShape, pod_shape, selector_of
from tests.simulation.scenes import container, demand, near, on_nodes, spread

GI = 1024**3


def shape(*containers: dict[str, Any], labels: dict[str, str] | None = None, **spec: Any) -> PodShape:
    template = {"metadata": {"labels": labels or {}}, "spec": {"containers": list(containers), **spec}}
    return pod_shape(
        template, app="shop/web", kind="Deployment", namespace="shop", priorities={}, where="Deployment shop/web"
    )


def requests(*containers: dict[str, Any], **spec: Any) -> dict[str, int]:
    """CPU in thousandths and memory in Gi."""
    found = shape(*containers, **spec).requests
    return {"cpu": found.get("cpu", 0), "memory": found.get("memory", 0) // GI}


def always(cpu: str, memory: str) -> dict[str, Any]:
    return container(cpu, memory, name="sidecar", restartPolicy="Always")


# Requests: k8s.io/component-helpers, resource/helpers.go --------------------------------------------------------------


def test_containers_add_up_and_a_pod_counts_as_one() -> None:
    found = shape(container("500m", "1Gi"), container("0.25", "2Gi"))
    assert found.requests == {"cpu": 750, "memory": 3 * GI, "pods": 1}


def test_the_largest_init_container_counts_if_it_is_larger() -> None:
    init = [container("2", "1Gi", name="one"), container("100m", "4Gi", name="two")]
    # CPU of the first, memory of the second: each resource by itself.
    assert requests(container("500m", "2Gi"), initContainers=init) == {"cpu": 2000, "memory": 4}


def test_a_sidecar_counts_with_the_init_containers_after_it_only() -> None:
    before = [container("2", "1Gi", name="init"), always("300m", "1Gi")]
    assert requests(container("500m", "1Gi"), initContainers=before) == {"cpu": 2000, "memory": 2}
    after = [always("300m", "1Gi"), container("2", "1Gi", name="init")]
    assert requests(container("500m", "1Gi"), initContainers=after) == {"cpu": 2300, "memory": 2}


def test_two_sidecars_and_the_containers() -> None:
    # 300 + 200 + 500 while the pod runs; 300 + 400 while it starts.
    sidecars = [always("300m", "1Gi"), container("400m", "1Gi", name="init"), always("200m", "1Gi")]
    assert requests(container("500m", "1Gi"), initContainers=sidecars) == {"cpu": 1000, "memory": 3}


def test_limits_count_where_nothing_is_requested() -> None:
    limited = container(None, "1Gi", resources={"limits": {"cpu": "2", "memory": "4Gi"}, "requests": {"memory": "1Gi"}})
    assert requests(limited) == {"cpu": 2000, "memory": 1}


def test_the_pod_as_a_whole_counts_in_place_of_its_containers() -> None:
    whole = {"requests": {"cpu": "3", "memory": "8Gi"}}
    assert requests(container("500m", "1Gi"), resources=whole) == {"cpu": 3000, "memory": 8}


def test_a_limit_of_the_pod_counts_only_where_no_container_requests() -> None:
    # pkg/apis/core/v1/defaults.go, defaultPodRequests: what containers request comes before the pod's limit.
    whole = {"limits": {"cpu": "3", "memory": "8Gi"}}
    assert requests(container("500m", None), resources=whole) == {"cpu": 500, "memory": 8}


def test_overhead_is_added() -> None:
    assert requests(container("500m", "1Gi"), overhead={"cpu": "250m", "memory": "1Gi"}) == {"cpu": 750, "memory": 2}


def test_amounts_are_rounded_up_to_a_thousandth() -> None:
    assert shape(container("0.0001", "1")).requests["cpu"] == 1


def test_a_quantity_that_is_none() -> None:
    with pytest.raises(AutoModeError) as caught:
        shape(container("a lot", "1Gi"))
    assert str(caught.value) == "Deployment shop/web: c.resources.cpu: 'a lot' is no quantity; write '500m' or '1Gi'"


def test_a_condition_that_is_none() -> None:
    with pytest.raises(AutoModeError) as caught:
        shape(container(), affinity=on_nodes([demand("size", "big", operator="Gt")]))
    assert str(caught.value) == (
        "Deployment shop/web: nodeAffinity 'size': operator 'Gt' with values a list of 1 is no condition"
    )


# Tolerations ----------------------------------------------------------------------------------------------------------


def test_a_pod_that_requests_a_device_tolerates_its_taint() -> None:
    # EKS turns on the admission plugin ExtendedResourceToleration.
    gpu = shape(container(resources={"limits": {"nvidia.com/gpu": 1}}))
    assert gpu.tolerates_all((("nvidia.com/gpu", "", "NoSchedule"),))
    assert not gpu.tolerates_all((("amd.com/gpu", "", "NoSchedule"),))
    assert not shape(container()).tolerates_all((("nvidia.com/gpu", "", "NoSchedule"),))


def test_a_toleration_of_everything() -> None:
    everything = shape(container(), tolerations=[{"operator": "Exists"}])
    assert everything.tolerates_all((("a", "1", "NoSchedule"), ("b", "", "NoExecute")))


# Preferences ----------------------------------------------------------------------------------------------------------


def test_the_order_in_which_a_pod_gives_up() -> None:
    # preferences.go: terms of node affinity but the last, soft pod affinity and anti-affinity from the heaviest,
    # preferences of nodes, soft spread, and then PreferNoSchedule taints.
    affinity = on_nodes([demand("a", "1")], [demand("a", "2")])
    affinity["nodeAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"] = [
        {"weight": 1, "preference": {"matchExpressions": [demand("b", "1")]}}
    ]
    term = near("kubernetes.io/hostname")["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"][0]
    affinity["podAffinity"] = {
        "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 5, "podAffinityTerm": term}]
    }
    found: PodShape | None = shape(container(), affinity=affinity, topologySpreadConstraints=[spread(hard=False)])
    lost = []
    while found is not None:
        parts = (found.required, found.preferred_affinity, found.preferred, found.spread)
        lost.append((*map(len, parts), found.tolerates_preferences))
        found = found.relaxed(tolerate_preferences=True)
    assert lost == [
        (2, 1, 1, 1, False),
        (1, 1, 1, 1, False),
        (1, 0, 1, 1, False),
        (1, 0, 0, 1, False),
        (1, 0, 0, 0, False),
        (1, 0, 0, 0, True),
    ]


# Selectors ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("selector", "labels", "selects"),
    [
        ({}, {"app": "web"}, True),
        ({"matchLabels": {"app": "web"}}, {"app": "web", "v": "1"}, True),
        ({"matchLabels": {"app": "web"}}, {"app": "api"}, False),
        ({"matchExpressions": [demand("app", "web", "api")]}, {"app": "api"}, True),
        ({"matchExpressions": [demand("app", "web", operator="NotIn")]}, {}, True),
        ({"matchExpressions": [demand("app", operator="Exists")]}, {}, False),
        ({"matchExpressions": [demand("app", operator="DoesNotExist")]}, {}, True),
    ],
)
def test_selectors(selector: dict[str, Any], labels: dict[str, str], *, selects: bool) -> None:
    found = selector_of(selector)
    assert found is not None
    assert found.selects(labels) is selects


def test_no_selector_selects_nothing() -> None:
    assert selector_of(None) is None


@pytest.mark.parametrize(("field", "selects_own"), [("matchLabelKeys", True), ("mismatchLabelKeys", False)])
def test_keys_of_its_own_labels_in_affinity(field: str, *, selects_own: bool) -> None:
    term = near("kubernetes.io/hostname", apart=True)
    term["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"][0][field] = ["v"]
    selector = shape(container(), labels={"app": "web", "v": "2"}, affinity=term).anti_affinity[0].selector
    assert selector is not None
    assert selector.selects({"app": "web", "v": "2"}) is selects_own
    assert selector.selects({"app": "web", "v": "1"}) is not selects_own


def test_host_ports_clash_by_address() -> None:
    found = shape(container(ports=[80]), hostNetwork=True)
    assert found.host_ports == {("0.0.0.0", "TCP", 80)}
