"""The chart of reserved pools, and the taint that accelerators get."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import cdk8s
import pytest

from automode_constructs.errors import AutoModeError
from automode_constructs.manifests.cluster_values import ClusterValues
from automode_constructs.patterns.charts.accelerator_taint import accelerator_taint
from automode_constructs.patterns.charts.reserved_capacity import ReservedCapacityChart
from automode_constructs.specs.pools.capacity_reservation import CapacityReservation

OUTPUTS = Path(__file__).parents[3] / "examples" / "outputs.json"
VALUES = ClusterValues.from_outputs(json.loads(OUTPUTS.read_text("utf-8")), where="outputs.json")


@pytest.fixture(scope="module")
def pools() -> dict[str, Any]:
    chart = ReservedCapacityChart(
        cdk8s.App(),
        "reserved",
        values=VALUES,
        reservations={
            "web": CapacityReservation(id="cr-1", instance_type="m8i.4xlarge", zone="us-east-1a"),
            "block": CapacityReservation(
                id="cr-2", kind="capacity-block", instance_type="p5.48xlarge", zone="us-east-1a", ends=date(2027, 1, 1)
            ),
        },
        fallback=["on-demand"],
        limits={"web": {"nodes": 8}, "block": None},
        as_of=date(2026, 12, 1),
    )
    return {item["metadata"]["name"]: item["spec"] for item in chart.to_json() if item["kind"] == "NodePool"}


def test_only_pools_with_accelerators_keep_other_pods_away(pools: dict[str, Any]) -> None:
    assert "taints" not in pools["web"]["template"]["spec"]
    assert pools["block"]["template"]["spec"]["taints"] == [{"key": "nvidia.com/gpu", "effect": "NoSchedule"}]


def test_paid_nodes_are_never_emptied(pools: dict[str, Any]) -> None:
    for pool in pools.values():
        assert pool["disruption"] == {"consolidationPolicy": "WhenEmpty", "consolidateAfter": "10m"}


def test_a_fallback_reaches_every_pool(pools: dict[str, Any]) -> None:
    for pool in pools.values():
        assert pool["template"]["spec"]["requirements"][0]["values"] == ["reserved", "on-demand"]


def test_beside_a_fallback_each_pool_has_the_limit_that_its_name_has(pools: dict[str, Any]) -> None:
    assert pools["web"]["limits"] == {"nodes": 8}
    assert "limits" not in pools["block"]


def test_a_fallback_without_a_limit_is_refused_and_so_is_a_limit_of_no_pool() -> None:
    web = CapacityReservation(id="cr-1", instance_type="m8i.4xlarge", zone="us-east-1a")
    with pytest.raises(AutoModeError) as refused:
        ReservedCapacityChart(
            cdk8s.App(),
            "reserved",
            values=VALUES,
            reservations={"web": web},
            fallback=["spot"],
            limits={"wbe": {"nodes": 8}},
        )
    assert str(refused.value) == (
        "reserved: 2 problems\n"
        "  limits['wbe']: is for a pool that is not created; use 'web'\n"
        "  limits['web']: is needed beside fallback, which launches nodes without end when the reservation is "
        "full; give the most that the pool may have, such as {'nodes': 8}, or None for no limit"
    )


def test_without_a_fallback_the_reservation_is_the_ceiling() -> None:
    web = CapacityReservation(id="cr-1", instance_type="m8i.4xlarge", zone="us-east-1a")
    chart = ReservedCapacityChart(cdk8s.App(), "reserved", values=VALUES, reservations={"web": web})
    (pool,) = (item["spec"] for item in chart.to_json() if item["kind"] == "NodePool")
    assert "limits" not in pool


@pytest.mark.parametrize(
    ("instance_type", "key"),
    [
        ("p5.48xlarge", "nvidia.com/gpu"),
        ("trn2.48xlarge", "aws.amazon.com/neuron"),
        ("inf2.xlarge", "aws.amazon.com/neuron"),
        ("m8i.4xlarge", None),
        ("g4ad.xlarge", None),  # AMD
        ("p9.96xlarge", "nvidia.com/gpu"),
        ("trn9.48xlarge", "aws.amazon.com/neuron"),
        ("c99.large", None),
    ],
)
def test_accelerators_have_their_taint(instance_type: str, key: str | None) -> None:
    taint = accelerator_taint(instance_type)
    assert (None if taint is None else taint.key) == key
