"""Limits that limit nothing or leave no room, and requirements that together admit no instance type."""

from __future__ import annotations

from typing import Any

import pytest

from automode_constructs.specs.pools.node_pool import NodePoolSpec

GENERATION, CATEGORY = "eks.amazonaws.com/instance-generation", "eks.amazonaws.com/instance-category"
FAMILY, TYPE, ARCH = "eks.amazonaws.com/instance-family", "node.kubernetes.io/instance-type", "kubernetes.io/arch"
GPU_NAME, CPU = "eks.amazonaws.com/instance-gpu-name", "eks.amazonaws.com/instance-cpu"


def found(*requirements: tuple[str, str, str], limits: dict[str, Any] | None = None, **spec: Any) -> list[str]:
    nodes = {
        "nodeClassRef": {"group": "eks.amazonaws.com", "kind": "NodeClass", "name": "default"},
        "requirements": [
            {"key": key, "operator": operator, "values": values.split(",")} for key, operator, values in requirements
        ],
        "taints": [{"key": "nvidia.com/gpu", "effect": "NoSchedule"}],
    }
    _, problems = NodePoolSpec.read({"template": {"spec": nodes}, "limits": limits, **spec})
    return [f"{each.severity} {each.rule} {each}" for each in problems]


ORDINARY = (CATEGORY, "In", "m")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("gpu", "nvidia.com/gpu"),
        ("GPUs", "nvidia.com/gpu"),
        ("nvidia.com/gpus", "nvidia.com/gpu"),
        ("nvidia/gpu", "nvidia.com/gpu"),
        ("aws.amazon.com/neurons", "aws.amazon.com/neuron"),
        ("CPU", "cpu"),
        ("limits.memory", "memory"),
        ("Memory", "memory"),
        ("storage", "ephemeral-storage"),
        ("node", "nodes"),
    ],
)
def test_a_limit_for_a_name_that_no_resource_has_limits_nothing(name: str, meant: str) -> None:
    assert found(ORDINARY, limits={name: "1000"}) == [
        f"warning automode:LimitOfNoResource limits['{name}']: no node has a resource '{name}', so it limits nothing; "
        f"did you mean '{meant}'?"
    ]


def test_a_name_like_no_resource_is_listed_with_those_that_are() -> None:
    (finding,) = found(ORDINARY, limits={"money": 4})
    assert finding.endswith("use one of 'cpu', 'memory', 'ephemeral-storage', 'pods', 'nodes', or a device's full name")


@pytest.mark.parametrize(
    "name",
    ["cpu", "memory", "ephemeral-storage", "pods", "nodes", "nvidia.com/gpu", "hugepages-2Mi", "example.com/fpga"],
)
def test_a_limit_of_a_resource_passes(name: str) -> None:
    assert found(ORDINARY, limits={name: "1000Gi"}) == []


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"cpu": 1}, "limits['cpu']: the smallest instance that the pool admits has 2 vCPU, more than 1"),
        ({"cpu": "1500m"}, "limits['cpu']: the smallest instance that the pool admits has 2 vCPU, more than 1500m"),
        (
            {"memory": "64"},
            "limits['memory']: the smallest instance that the pool admits has 8589934592 bytes of memory",
        ),
        ({"memory": "4Gi"}, "limits['memory']: the smallest instance that the pool admits has 8589934592 bytes"),
    ],
    ids=str,
)
def test_a_limit_below_one_node_is_a_warning(limits: dict[str, Any], message: str) -> None:
    (finding,) = found(ORDINARY, limits=limits)
    assert finding.startswith(f"warning automode:LimitBelowOneNode {message}")
    assert "so the pool never launches a node; raise the limit, or admit smaller instances" in finding


@pytest.mark.parametrize("limits", [{"cpu": 0}, {"cpu": 2}, {"memory": "8Gi"}, {"cpu": "1000"}], ids=str)
def test_a_limit_with_room_or_of_nothing_at_all_passes(limits: dict[str, Any]) -> None:
    assert found(ORDINARY, limits=limits) == []


@pytest.mark.parametrize(
    "requirements",
    [
        [(CATEGORY, "In", "g"), (ARCH, "In", "arm64"), (GENERATION, "Gt", "6")],
        [(FAMILY, "In", "c7g,m7g"), (ARCH, "In", "amd64")],
        [(CATEGORY, "In", "c,m,r"), (GPU_NAME, "In", "l4")],
        [(TYPE, "In", "m7i.large"), (CPU, "Gt", "8")],
        [(CATEGORY, "In", "p"), (FAMILY, "In", "g6")],
    ],
    ids=str,
)
def test_requirements_that_together_admit_no_known_type_are_a_warning(requirements: list[tuple[str, str, str]]) -> None:
    assert found(*requirements) == [
        "warning automode:NoInstanceType template.spec.requirements: admit no instance type that is known here, so the "
        "pool launches no node unless AWS has a newer one; loosen a requirement: automode estimate shows which types a "
        "pool admits"
    ]


def test_a_family_that_is_not_listed_is_said_once() -> None:
    (finding,) = found((FAMILY, "In", "g99"), (ARCH, "In", "amd64"))
    assert "automode:UnlistedInstances" in finding
