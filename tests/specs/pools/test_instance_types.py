from __future__ import annotations

import gzip
import json
import math
from functools import cache
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automode_constructs.facts.instance_types import instance_types
from automode_constructs.facts.instances import FAMILIES, family_of
from automode_constructs.specs.labels import (
    ARCH,
    CAPACITY_TYPE,
    INSTANCE_CATEGORY,
    INSTANCE_CPU,
    INSTANCE_FAMILY,
    INSTANCE_GENERATION,
    INSTANCE_GPU_COUNT,
    INSTANCE_GPU_MEMORY,
    INSTANCE_GPU_NAME,
    INSTANCE_HYPERVISOR,
    INSTANCE_LOCAL_NVME,
    INSTANCE_SIZE,
    INSTANCE_TYPE,
    ON_EVERY_NODE,
    ZONE,
)
from automode_constructs.specs.pools.instance_types import (
    MAX_PODS,
    Allocatable,
    admits_any,
    admitted,
    allocatable,
    names_unknown_types,
    node_labels,
    only_known_types,
)
from automode_constructs.specs.pools.requirement import Requirement

TOKEN = "${Token[TOKEN.12]}"

TALK = [
    CAPACITY_TYPE.is_in("spot", "on-demand"),
    ARCH.is_in("amd64"),
    INSTANCE_CATEGORY.is_in("g"),
    INSTANCE_GENERATION.greater_than(4),
]
"""The GPU pool of the talk."""

GUARDED = [
    *TALK,
    INSTANCE_GPU_COUNT.is_in("1"),
    INSTANCE_GPU_MEMORY.greater_than(22_000),
    INSTANCE_LOCAL_NVME.greater_than(200),
    INSTANCE_CPU.less_than(33),
]
"""The same, with one GPU of 24 GB and more, and no huge host."""


def names(*requirements: Requirement) -> list[str]:
    return [known.name for known in admitted(requirements)]


def test_the_labels_of_a_gpu_node() -> None:
    assert node_labels(instance_types()["g5.xlarge"]) == {
        "node.kubernetes.io/instance-type": "g5.xlarge",
        "kubernetes.io/arch": "amd64",
        "kubernetes.io/os": "linux",
        "eks.amazonaws.com/compute-type": "auto",
        "eks.amazonaws.com/instance-category": "g",
        "eks.amazonaws.com/instance-family": "g5",
        "eks.amazonaws.com/instance-generation": "5",
        "eks.amazonaws.com/instance-size": "xlarge",
        "eks.amazonaws.com/instance-cpu": "4",
        "eks.amazonaws.com/instance-cpu-manufacturer": "amd",
        "eks.amazonaws.com/instance-memory": "16384",
        "eks.amazonaws.com/instance-ebs-bandwidth": "3500",
        "eks.amazonaws.com/instance-network-bandwidth": "2500",
        "eks.amazonaws.com/instance-hypervisor": "nitro",
        "eks.amazonaws.com/instance-encryption-in-transit-supported": "true",
        "eks.amazonaws.com/instance-local-nvme": "250",
        "eks.amazonaws.com/instance-gpu-name": "a10g",
        "eks.amazonaws.com/instance-gpu-manufacturer": "nvidia",
        "eks.amazonaws.com/instance-gpu-count": "1",
        "eks.amazonaws.com/instance-gpu-memory": "22888",
    }


def test_a_node_without_gpu_and_disks_has_no_labels_of_them() -> None:
    labels = node_labels(instance_types()["m7g.large"])
    assert labels["kubernetes.io/arch"] == "arm64"
    assert labels["eks.amazonaws.com/instance-cpu-manufacturer"] == "aws"
    assert not [key for key in labels if "gpu" in key or "nvme" in key]


@pytest.mark.parametrize(
    ("name", "category", "generation", "family"),
    [
        ("c7i-flex.large", "c", "7", "c7i-flex"),
        ("p6-b200.48xlarge", "p", "6", "p6-b200"),
        ("gr6.4xlarge", "gr", "6", "gr6"),
        ("trn1n.32xlarge", "trn", "1", "trn1n"),
        ("im4gn.large", "im", "4", "im4gn"),
        ("x8aedz.large", "x", "8", "x8aedz"),
        ("hpc8a.96xlarge", "hpc", "8", "hpc8a"),
    ],
)
def test_category_and_generation_come_from_the_familys_name(
    name: str, category: str, generation: str, family: str
) -> None:
    labels = node_labels(instance_types()[name])
    assert labels[INSTANCE_CATEGORY] == category
    assert labels[INSTANCE_GENERATION] == generation
    assert labels[INSTANCE_FAMILY] == family


def test_every_type_has_the_labels_that_no_node_is_without() -> None:
    placed = {ZONE, CAPACITY_TYPE}
    for known in instance_types().values():
        assert (ON_EVERY_NODE - placed) <= node_labels(known).keys(), known.name


def test_the_talks_pool_admits_these_families_up_to_eight_gpus() -> None:
    assert {family_of(name) for name in names(*TALK)} == {"g5", "g6", "g6e", "g7e"}
    assert {"g5.48xlarge", "g6.48xlarge", "g6e.48xlarge", "g7e.48xlarge"} <= set(names(*TALK))


def test_the_guarded_pool_admits_these_types_cheapest_first() -> None:
    assert names(*GUARDED) == [
        "g6.xlarge",
        "g6.2xlarge",
        "g5.xlarge",
        "g5.2xlarge",
        "g6.4xlarge",
        "g5.4xlarge",
        "g6e.xlarge",
        "g6.8xlarge",
        "g6e.2xlarge",
        "g5.8xlarge",
        "g6e.4xlarge",
        "g7e.2xlarge",
        "g7e.4xlarge",
        "g6e.8xlarge",
        "g7e.8xlarge",
    ]


def test_types_without_a_price_come_last_by_name() -> None:
    found = admitted([INSTANCE_FAMILY.is_in("c9g", "c5"), INSTANCE_CPU.at_most(4)])
    assert [(known.name, known.on_demand_price_usd) for known in found] == [
        ("c5.large", 0.085),
        ("c5.xlarge", 0.17),
        ("c9g.large", None),
        ("c9g.xlarge", None),
    ]


def test_all_types_are_admitted_where_nothing_is_required() -> None:
    assert set(names()) == instance_types().keys()


@pytest.mark.parametrize(
    "requirement",
    [
        ZONE.is_in("us-east-1a"),
        CAPACITY_TYPE.is_in("spot"),
        Requirement(key="team", operator="In", values=("a",)),
        INSTANCE_FAMILY.is_in(TOKEN),
        INSTANCE_FAMILY.is_not_in("g5", TOKEN),
        Requirement(key=INSTANCE_FAMILY, operator="In", values=("#{Token[TOKEN.7]}",)),
    ],
)
def test_what_does_not_tell_the_type_restricts_nothing(requirement: Requirement) -> None:
    assert len(names(requirement)) == len(instance_types())
    assert names_unknown_types([requirement]) == ()
    assert not only_known_types([requirement])


def test_an_absent_label_meets_only_what_asks_for_no_value() -> None:
    without = {name for name, known in instance_types().items() if known.gpu is None}
    assert without.isdisjoint(names(INSTANCE_GPU_NAME.is_in("l4")))
    assert without.isdisjoint(names(INSTANCE_GPU_NAME.exists()))
    assert without.isdisjoint(names(INSTANCE_GPU_COUNT.greater_than(0)))
    assert without.isdisjoint(names(INSTANCE_GPU_COUNT.less_than(9)))
    assert without <= set(names(INSTANCE_GPU_NAME.is_not_in("l4")))
    assert without == set(names(INSTANCE_GPU_NAME.does_not_exist()))


def test_a_comparison_needs_a_number() -> None:
    assert names(Requirement(key=INSTANCE_FAMILY, operator="Gt", values=("1",))) == []


def test_old_names_of_labels_count() -> None:
    old = Requirement(key="beta.kubernetes.io/instance-type", operator="In", values=("g5.xlarge",))
    assert names(old) == ["g5.xlarge"]


def test_bare_metal_and_small_sizes_are_never_admitted() -> None:
    assert names(INSTANCE_TYPE.is_in("m5.metal", "t3.small", "t3.medium")) == ["t3.medium"]


@pytest.mark.parametrize(
    ("requirement", "unknown"),
    [
        (INSTANCE_FAMILY.is_in("g6e", "g9x"), ("g9x",)),
        (INSTANCE_TYPE.is_in("g9x.large", "m5.metal"), ("g9x.large", "m5.metal")),
        (INSTANCE_CATEGORY.is_in("g", "quantum"), ("quantum",)),
        (INSTANCE_SIZE.is_in("128xlarge"), ("128xlarge",)),
        (INSTANCE_GPU_NAME.is_in("l4", "r100"), ("r100",)),
        (INSTANCE_HYPERVISOR.is_in("nitro", "next"), ("next",)),
        (INSTANCE_GENERATION.greater_than(9), ("Gt 9",)),
        (INSTANCE_GENERATION.at_least(9), ()),
        (INSTANCE_CPU.is_in("7"), ("7",)),
        (INSTANCE_FAMILY.is_not_in("g9x"), ()),
        (INSTANCE_FAMILY.exists(), ()),
        (ARCH.is_in("arm64"), ()),
        (Requirement(key="kubernetes.io/os", operator="In", values=("linux", "plan9")), ()),
        (ZONE.is_in("xx-moon-1a"), ()),
    ],
)
def test_what_no_known_type_has_is_named(requirement: Requirement, unknown: tuple[str, ...]) -> None:
    assert names_unknown_types([requirement]) == unknown


@pytest.mark.parametrize(
    ("requirements", "only_known"),
    [
        ([INSTANCE_FAMILY.is_in("g5")], True),
        ([INSTANCE_TYPE.is_in("g5.xlarge"), INSTANCE_CPU.greater_than(8)], True),
        ([INSTANCE_FAMILY.is_in("g5", "g9x")], False),
        ([INSTANCE_FAMILY.is_not_in("g5")], False),
        (TALK, False),
        ([], False),
    ],
)
def test_only_named_families_and_types_rule_out_newer_ones(requirements: list[Requirement], only_known: bool) -> None:
    assert only_known_types(requirements) is only_known


@pytest.mark.parametrize(
    ("name", "cpu_millis", "memory_mib"),
    [
        ("g5.xlarge", 3_920, 14_162),
        ("g6.xlarge", 3_920, 14_162),
        ("g5.2xlarge", 7_910, 29_317),
        ("g6e.xlarge", 3_920, 29_317),
        ("g5.4xlarge", 15_890, 57_691),
        ("g6e.4xlarge", 15_890, 118_312),
    ],
)
def test_allocatable_is_karpenters_table_where_each_pod_has_an_address_of_an_interface(
    name: str, cpu_millis: int, memory_mib: int
) -> None:
    known = instance_types()[name]
    assert allocatable(known, max_pods=known.eni_pods) == Allocatable(
        cpu_millis=cpu_millis, memory_mib=memory_mib, pods=known.eni_pods, gpus=1
    )


def test_a_node_has_at_most_110_pods_unless_told_otherwise() -> None:
    assert allocatable(instance_types()["g5.xlarge"]).pods == 58
    large = instance_types()["g5.4xlarge"]
    assert large.eni_pods == 234
    assert (allocatable(large).pods, allocatable(large).memory_mib) == (MAX_PODS, 59_055)


def test_gpus_of_another_maker_are_none_of_nvidias() -> None:
    assert allocatable(instance_types()["g4ad.16xlarge"]).gpus == 0
    assert allocatable(instance_types()["g5.48xlarge"]).gpus == 8


def test_a_node_always_has_less_than_its_type() -> None:
    for known in instance_types().values():
        left = allocatable(known)
        assert 0 < left.cpu_millis < 1000 * known.vcpu
        assert 0 < left.memory_mib < known.memory_mib


# The same question, asked of EC2's own answers and read another way.


@cache
def recorded() -> dict[str, dict[str, Any]]:
    """What moto has recorded of DescribeInstanceTypes, for the types of the catalogue."""
    packed = files("moto").joinpath("ec2", "resources", "instance_types.json.gz").read_bytes()
    known = instance_types().keys()
    return {name: info for name, info in json.loads(gzip.decompress(packed)).items() if name in known}


def told_by_ec2(name: str, info: dict[str, Any], key: str) -> str | None:
    """The value of a label as one reads it off EC2's answer; ``None`` where the node lacks it."""
    gpus = info.get("GpuInfo", {}).get("Gpus", [])
    storage = info.get("InstanceStorageInfo", {})
    family, _, size = name.partition(".")
    letters = "".join(letter for letter in family.split("-")[0] if letter.isalpha() or letter.isdigit())
    start = next(index for index, letter in enumerate(letters) if letter.isdigit())
    match key.rpartition("instance-")[2]:
        case "type":
            return name
        case "kubernetes.io/arch":
            return "arm64" if "arm64" in info["ProcessorInfo"]["SupportedArchitectures"] else "amd64"
        case "category":
            return letters[:start]
        case "family":
            return family
        case "generation":
            return letters[start]
        case "size":
            return size
        case "cpu":
            return str(info["VCpuInfo"]["DefaultVCpus"])
        case "memory":
            return str(info["MemoryInfo"]["SizeInMiB"])
        case "local-nvme":
            return str(storage["TotalSizeInGB"]) if storage else None
        case "network-bandwidth":
            cards = info["NetworkInfo"]["NetworkCards"]
            return str(round(math.fsum(card["BaselineBandwidthInGbps"] for card in cards) * 1000))
        case "gpu-name":
            return "-".join(gpus[0]["Name"].casefold().split()) if gpus else None
        case "gpu-count":
            return str(gpus[0]["Count"]) if gpus else None
        case "gpu-memory":
            return str(gpus[0]["MemoryInfo"]["SizeInMiB"]) if gpus else None
    raise AssertionError(key)


TEXT_VALUES = {
    "node.kubernetes.io/instance-type": ["g5.xlarge", "m5.large", "c9g.24xlarge", "g9x.large"],
    "kubernetes.io/arch": ["amd64", "arm64"],
    "eks.amazonaws.com/instance-category": ["c", "g", "gr", "p", "trn", "m"],
    "eks.amazonaws.com/instance-family": ["g5", "g6e", "c7i-flex", "p6-b200", "r9g", "nope"],
    "eks.amazonaws.com/instance-size": ["large", "xlarge", "48xlarge"],
    "eks.amazonaws.com/instance-gpu-name": ["a10g", "l4", "l40s", "rtx-pro-server-6000", "v100"],
}
NUMBERS = {
    "eks.amazonaws.com/instance-generation": st.integers(1, 10),
    "eks.amazonaws.com/instance-cpu": st.sampled_from([3, 4, 8, 16, 33, 96, 192]),
    "eks.amazonaws.com/instance-memory": st.sampled_from([8_192, 16_384, 65_536, 70_000]),
    "eks.amazonaws.com/instance-local-nvme": st.integers(0, 2_000),
    "eks.amazonaws.com/instance-network-bandwidth": st.integers(0, 50_000),
    "eks.amazonaws.com/instance-gpu-count": st.integers(0, 9),
    "eks.amazonaws.com/instance-gpu-memory": st.integers(8_000, 100_000),
}
KEYS = st.sampled_from([*TEXT_VALUES, *NUMBERS])


@st.composite
def a_requirement(draw: st.DrawFn) -> tuple[str, str, list[str]]:
    key = draw(KEYS)
    operator = draw(
        st.sampled_from(
            ["In", "NotIn", "Exists", "DoesNotExist", *(["Gt", "Lt", "Gte", "Lte"] if key in NUMBERS else [])]
        )
    )
    one = st.sampled_from(TEXT_VALUES[key]) if key in TEXT_VALUES else NUMBERS[key].map(str)
    most = {"In": 3, "NotIn": 3, "Exists": 0, "DoesNotExist": 0}.get(operator, 1)
    return key, operator, draw(st.lists(one, min_size=min(most, 1), max_size=most))


def fits(value: str | None, operator: str, values: list[str]) -> bool:
    """The operators, as Karpenter's page tells them."""
    if operator == "DoesNotExist":
        return value is None
    if operator == "NotIn":
        return value is None or all(value != other for other in values)
    if value is None:
        return False
    if operator == "Exists":
        return True
    if operator == "In":
        return any(value == other for other in values)
    difference = int(value) - int(values[0])
    return (
        difference
        in {"Gt": range(1, 10**9), "Gte": range(10**9), "Lt": range(-(10**9), 0), "Lte": range(-(10**9), 1)}[operator]
    )


@settings(max_examples=150, deadline=None)
@given(st.lists(a_requirement(), max_size=4))
def test_the_evaluator_agrees_with_a_naive_reading_of_ec2s_answers(asked: list[tuple[str, str, list[str]]]) -> None:
    requirements = [
        Requirement.model_validate({"key": key, "operator": operator, **({"values": values} if values else {})})
        for key, operator, values in asked
    ]
    expected = {
        name
        for name, info in recorded().items()
        if all(fits(told_by_ec2(name, info, key), operator, values) for key, operator, values in asked)
    }
    assert {name for name in names(*requirements) if name in recorded()} == expected
    assert admits_any(requirements) == bool(names(*requirements))


def test_the_naive_reading_knows_nearly_all_types() -> None:
    assert {family_of(name) for name in instance_types().keys() - recorded().keys()} == {"g4ad", "p3"}
    assert {family_of(name) for name in recorded()} == FAMILIES - {"g4ad", "p3"}
