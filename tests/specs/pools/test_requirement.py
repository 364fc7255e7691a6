from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from automode_constructs.errors import AutoModeError
from automode_constructs.specs import labels
from automode_constructs.specs.pools.requirement import Requirement
from tests.refusal import made, refusal

KEY_FORM = "is not a label key ('name' or 'dns.prefix/name', name of 1 to 63)"
VALUE_FORM = "is not a label value (at most 63 letters, digits, '-', '_', '.')"


@pytest.mark.parametrize("key", ["a", "A_b.c-d", "a" * 63, "a.b/c", f"{'a' * 252}/b", "karpenter.sh/capacity-type"])
def test_a_label_key_may_have_a_dns_prefix(key: str) -> None:
    assert Requirement(key=key, operator="Exists").key == key


@pytest.mark.parametrize("key", ["", "-a", "a b", "a/b/c", "/a", "a/", "A.b/c", "a" * 64, f"{'a' * 254}/b", "a\n"])
def test_what_is_no_label_key_is_refused(key: str) -> None:
    assert refusal(lambda: Requirement(key=key, operator="Exists")).endswith(KEY_FORM)


def test_a_label_key_has_at_most_316_characters() -> None:
    assert refusal(lambda: Requirement(key=f"{'a' * 253}/{'b' * 63}", operator="Exists")) == (
        "key: must have at most 316 characters, got 317"
    )


@pytest.mark.parametrize("value", ["-a", "a b", "a/b", "a" * 64, "ä", "a\n"])
def test_what_is_no_label_value_is_refused(value: str) -> None:
    assert refusal(lambda: Requirement(key="a", operator="In", values=[value])).endswith(VALUE_FORM)


@pytest.mark.parametrize(
    "key", ["karpenter.sh/nodepool", "kubernetes.io/hostname", "karpenter.sh/x", "x.karpenter.sh/y"]
)
def test_karpenters_own_labels_are_no_requirements(key: str) -> None:
    assert refusal(lambda: Requirement(key=key, operator="Exists")) == (
        f"key: '{key}' cannot be a requirement; Karpenter sets it itself"
    )


@pytest.mark.parametrize("operator", ["In", "NotIn"])
@pytest.mark.parametrize("values", [None, []], ids=repr)
def test_in_and_not_in_need_a_value(operator: Any, values: Any) -> None:
    assert refusal(lambda: Requirement(key="a", operator=operator, values=values)) == (
        f"values: operator {operator} needs at least one value"
    )


@pytest.mark.parametrize("operator", ["Exists", "DoesNotExist"])
def test_exists_takes_no_values(operator: Any) -> None:
    assert refusal(lambda: Requirement(key="a", operator=operator, values=["a", "b"])) == (
        f"values: operator {operator} takes no values, got 2"
    )
    assert Requirement(key="a", operator=operator, values=[]).to_manifest()["values"] == []


@pytest.mark.parametrize("operator", ["Gt", "Lt", "Gte", "Lte"])
@pytest.mark.parametrize(
    ("values", "got"),
    [
        (None, "0 values"),
        (["1", "2"], "2 values"),
        (["-1"], None),
        (["1.5"], "'1.5'"),
        (["x"], "'x'"),
        ([""], "''"),
        (["9" * 19], f"'{'9' * 19}'"),
    ],
    ids=repr,
)
def test_comparisons_need_one_whole_number(operator: Any, values: Any, got: str | None) -> None:
    text = refusal(lambda: Requirement(key="a", operator=operator, values=values))
    if got is None:
        assert text.endswith(VALUE_FORM)
    else:
        assert text == f"values: operator {operator} needs exactly one whole number of at least 0, got {got}"


def test_min_values_is_at_most_the_number_of_values_and_50() -> None:
    assert Requirement(key="a", operator="In", values=["a", "b"], min_values=2).min_values == 2
    assert refusal(lambda: Requirement(key="a", operator="In", values=["a"], min_values=2)) == (
        "min_values: 2 is more than the number of values given (1); lower it or add values"
    )
    assert refusal(lambda: Requirement(key="a", operator="Exists", min_values=51)) == (
        "min_values: must be at most 50, got 51"
    )
    assert refusal(lambda: Requirement(key="a", operator="Exists", min_values=0)) == (
        "min_values: must be at least 1, got 0"
    )


def test_all_broken_rules_are_told_at_once() -> None:
    assert refusal(lambda: Requirement(key="karpenter.sh/x", operator="In", min_values=2)).splitlines() == [
        "3 problems",
        "  key: 'karpenter.sh/x' cannot be a requirement; Karpenter sets it itself",
        "  values: operator In needs at least one value",
        "  min_values: 2 is more than the number of values given (0); lower it or add values",
    ]


def test_values_that_only_a_deployment_knows_are_not_counted_or_compared() -> None:
    some, zones = "${Token[TOKEN.1]}", ["#{Token[TOKEN.2]}"]
    assert Requirement(key="a", operator="In", values=zones, min_values=3).values == tuple(zones)
    assert Requirement(key="a", operator="Gt", values=[some]).values == (some,)
    assert refusal(lambda: Requirement(key="a", operator="Exists", values=zones)) == (
        "values: operator Exists takes no values, got 1"
    )


def test_an_unknown_operator_is_told_the_known_ones() -> None:
    assert refusal(lambda: made(Requirement, key="a", operator="in")) == (
        "operator: 'in' is not allowed; did you mean 'In'? "
        "Use one of 'In', 'NotIn', 'Exists', 'DoesNotExist', 'Gt', 'Lt', 'Gte', 'Lte'"
    )


@pytest.mark.parametrize(
    ("requirement", "operator", "values"),
    [
        (labels.ARCH.is_in("amd64", "arm64"), "In", ["amd64", "arm64"]),
        (labels.ARCH.is_not_in("arm64"), "NotIn", ["arm64"]),
        (labels.ARCH.exists(), "Exists", None),
        (labels.ARCH.does_not_exist(), "DoesNotExist", None),
        (labels.INSTANCE_GPU_COUNT.greater_than(4), "Gt", ["4"]),
        (labels.INSTANCE_GPU_COUNT.at_least(4), "Gte", ["4"]),
        (labels.INSTANCE_GPU_COUNT.less_than(4), "Lt", ["4"]),
        (labels.INSTANCE_GPU_COUNT.at_most(0), "Lte", ["0"]),
    ],
    ids=lambda case: case if isinstance(case, str) else "",
)
def test_a_label_makes_its_requirements(requirement: Requirement, operator: str, values: list[str] | None) -> None:
    manifest = requirement.to_manifest()
    assert (manifest["operator"], manifest.get("values")) == (operator, values)
    assert manifest["key"] in {"kubernetes.io/arch", "eks.amazonaws.com/instance-gpu-count"}


def test_a_label_is_the_text_of_its_key() -> None:
    assert {labels.COMPUTE_TYPE: "auto"} == {"eks.amazonaws.com/compute-type": "auto"}


def test_every_label_is_a_key_that_may_be_required() -> None:
    named = {name: getattr(labels, name) for name in labels.__all__ if name.isupper()}
    assert all(key.exists().key == key for key in named.values())
    assert len(set(named.values())) == len(named) == 25


def test_a_comparison_takes_whole_numbers_only() -> None:
    numbers: list[Any] = [-1, 1.5, True, "x"]
    for number in numbers:
        assert refusal(partial(labels.INSTANCE_CPU.greater_than, number)).startswith(
            "requirement of 'eks.amazonaws.com/instance-cpu': values"
        )
    token: Any = -1.8881545897087626e289
    assert refusal(lambda: labels.INSTANCE_CPU.greater_than(token)).endswith(
        "make a text of a number with Token.as_string(...)"
    )


def warned(requirement: Requirement) -> list[str]:
    return [f"{problem.rule} {problem}" for problem in requirement.warnings()]


@pytest.mark.parametrize(
    ("key", "cure"),
    [
        ("instance-category", "use 'eks.amazonaws.com/instance-category'"),
        ("instance-gpu-nam", "did you mean 'eks.amazonaws.com/instance-gpu-name'?"),
        ("ec2nodeclass", "Auto Mode has no such label: require the instance family or type"),
    ],
)
def test_a_label_of_open_source_karpenter_is_told_auto_modes(key: str, cure: str) -> None:
    assert refusal(lambda: Requirement(key=f"karpenter.k8s.aws/{key}", operator="Exists")) == (
        f"key: 'karpenter.k8s.aws/{key}' is a label of open-source Karpenter, which no node of Auto Mode has; {cure}"
    )


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (
            "eks.amazonaws.com/instance-catagory",
            "'eks.amazonaws.com/instance-catagory' is not among the labels that AWS documents, so no node may fit; "
            "did you mean 'eks.amazonaws.com/instance-category'?",
        ),
        (
            "eks.amazonaws.com/capacity-type",
            "'eks.amazonaws.com/capacity-type' is not among the labels that AWS documents, so no node may fit; "
            "use 'karpenter.sh/capacity-type'",
        ),
        (
            "eks.amazonaws.com/shiny",
            "'eks.amazonaws.com/shiny' is not among the labels that AWS documents, so no node may fit; "
            "acknowledge this if it is a newer one",
        ),
        (
            "kubernetes.io/architecture",
            "'kubernetes.io/architecture' is a label that Auto Mode's nodes do not get, so no node may fit; "
            "did you mean 'kubernetes.io/arch'?",
        ),
        (
            "topology.kubernetes.io/zones",
            "'topology.kubernetes.io/zones' is a label that Auto Mode's nodes do not get, so no node may fit; "
            "did you mean 'topology.kubernetes.io/zone'?",
        ),
        (
            "eks.amazonaws.co/instance-size",
            "'eks.amazonaws.co/instance-size' is a label that Auto Mode's nodes do not get, so no node may fit; "
            "did you mean 'eks.amazonaws.com/instance-size'?",
        ),
    ],
)
def test_a_key_that_is_nearly_a_known_one_is_a_warning(key: str, message: str) -> None:
    assert warned(Requirement(key=key, operator="Exists")) == [f"automode:UnknownLabel key: {message}"]


@pytest.mark.parametrize(
    "key",
    [
        *("arch", "team", "example.com/instance-size", "example.com/zone", "node-role.kubernetes.io/worker"),
        *(
            "kubernetes.io/os",
            "topology.kubernetes.io/region",
            "topology.kubernetes.io/rack",
            "beta.kubernetes.io/arch",
        ),
        *("eks.amazonaws.com/nodeclass", "topology.k8s.aws/zone-id"),
    ],
)
def test_anyones_own_labels_and_those_that_nodes_have_pass(key: str) -> None:
    assert warned(Requirement(key=key, operator="Exists")) == []


@pytest.mark.parametrize(
    ("requirement", "passes"),
    [
        (partial(Requirement, key="kubernetes.io/os", operator="In", values=["linux"]), True),
        (partial(Requirement, key="kubernetes.io/os", operator="In", values=["linux", "windows"]), True),
        (partial(Requirement, key="kubernetes.io/os", operator="NotIn", values=["windows"]), True),
        (partial(Requirement, key="kubernetes.io/os", operator="In", values=["${Token[TOKEN.1]}"]), True),
        (partial(Requirement, key="kubernetes.io/os", operator="In", values=["windows"]), False),
        (partial(Requirement, key="kubernetes.io/os", operator="NotIn", values=["linux"]), False),
        (partial(Requirement, key="node.kubernetes.io/windows-build", operator="Exists"), False),
        (partial(Requirement, key="node.kubernetes.io/windows-build", operator="DoesNotExist"), True),
    ],
)
def test_auto_mode_launches_linux_only(requirement: Any, passes: bool) -> None:
    if passes:
        assert warned(requirement()) == []
    else:
        assert refusal(requirement).endswith(
            ": Auto Mode launches Linux only, so that this admits nothing; remove the requirement"
        )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            partial(labels.ARCH.is_in, "x86"),
            "'kubernetes.io/arch' is never 'x86', so that this admits nothing; "
            "did you mean 'amd64'? Use one of 'amd64', 'arm64'",
        ),
        (
            partial(labels.ARCH.is_in, "arm"),
            "'kubernetes.io/arch' is never 'arm', so that this admits nothing; "
            "did you mean 'arm64'? Use one of 'amd64', 'arm64'",
        ),
        (
            partial(labels.CAPACITY_TYPE.is_in, "on_demand", "Spot"),
            "'karpenter.sh/capacity-type' is never 'on_demand', 'Spot', so that this admits nothing; "
            "did you mean 'on-demand'? Use one of 'spot', 'on-demand', 'reserved'",
        ),
        (
            partial(labels.COMPUTE_TYPE.is_in, "ec2"),
            "'eks.amazonaws.com/compute-type' is never 'ec2', so that this admits nothing; use 'auto'",
        ),
        (
            partial(labels.INSTANCE_CPU.is_in, "four"),
            "'eks.amazonaws.com/instance-cpu' is never 'four', so that this admits nothing; give whole numbers",
        ),
    ],
)
def test_a_requirement_that_no_label_value_meets_is_refused(make: Any, message: str) -> None:
    assert refusal(make) == f"values: {message}"


@pytest.mark.parametrize(
    ("requirement", "message"),
    [
        (
            labels.ARCH.is_in("amd64", "arm"),
            "'kubernetes.io/arch' is never 'arm', which has no effect; did you mean 'arm64'? Use one of "
            "'amd64', 'arm64'",
        ),
        (
            labels.ARCH.is_not_in("arm"),
            "'kubernetes.io/arch' is never 'arm', which has no effect; did you mean 'arm64'? Use one of "
            "'amd64', 'arm64'",
        ),
        (
            labels.INSTANCE_CPU.is_in("4", "8x"),
            "'eks.amazonaws.com/instance-cpu' is never '8x', which has no effect; give whole numbers",
        ),
    ],
)
def test_a_value_among_others_that_the_label_never_has_is_a_warning(requirement: Requirement, message: str) -> None:
    assert warned(requirement) == [f"automode:SomeLabelValues values: {message}"]


@pytest.mark.parametrize(
    "requirement",
    [
        labels.ARCH.is_in("amd64", "${Token[TOKEN.1]}"),
        labels.ZONE.is_in("#{Token[TOKEN.2]}"),
        labels.CAPACITY_TYPE.is_in("#{Token[TOKEN.2]}"),
        labels.INSTANCE_TYPE.is_in("${Token[TOKEN.1]}"),
        labels.INSTANCE_CPU.is_in("4", "${Token[TOKEN.1]}"),
        labels.INSTANCE_GPU_NAME.is_in("b9000"),
        labels.INSTANCE_CPU_MANUFACTURER.is_in("riscv-maker"),
        labels.INSTANCE_FAMILY.is_not_in("a1"),
        labels.INSTANCE_CATEGORY.is_not_in("y"),
        labels.INSTANCE_SIZE.is_not_in("nano", "micro"),
    ],
)
def test_open_sets_and_values_known_late_pass(requirement: Requirement) -> None:
    assert warned(requirement) == []


def test_comparing_a_text_is_a_warning() -> None:
    assert warned(Requirement(key=str(labels.INSTANCE_CATEGORY), operator="Gt", values=["4"])) == [
        "automode:ComparedText operator: Gt compares numbers, and 'eks.amazonaws.com/instance-category' is a text, so "
        "that no node fits; use In or NotIn"
    ]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            partial(labels.INSTANCE_SIZE.is_in, "small", "nano"),
            "Auto Mode never launches small, nano; the smallest size is medium or large",
        ),
        (
            partial(labels.INSTANCE_TYPE.is_in, "t3.small"),
            "Auto Mode never launches t3.small; the smallest size is medium or large",
        ),
        (
            partial(labels.INSTANCE_CPU.less_than, 2),
            "Auto Mode launches no instance of less than 2 vCPU; admit 2 and more",
        ),
        (
            partial(labels.INSTANCE_CPU.at_most, 1),
            "Auto Mode launches no instance of less than 2 vCPU; admit 2 and more",
        ),
        (
            partial(labels.INSTANCE_CPU.is_in, "1"),
            "Auto Mode launches no instance of less than 2 vCPU; admit 2 and more",
        ),
    ],
)
def test_a_pool_of_instances_that_are_never_launched_is_refused(make: Any, message: str) -> None:
    assert refusal(make) == f"requirement of '{make.func.__self__}': values: {message}"


@pytest.mark.parametrize(
    ("requirement", "message"),
    [
        (
            labels.INSTANCE_TYPE.is_in("t3.small", "t3.medium"),
            "automode:SomeInstancesTooSmall values: Auto Mode never launches t3.small; "
            "the smallest size is medium or large",
        ),
        (
            labels.INSTANCE_FAMILY.is_in("m7i", "m77"),
            "automode:UnlistedInstances values: m77: not in Auto Mode's list of 15 Sep 2026, so it may launch "
            "none; did you mean 'm7i'?",
        ),
        (
            labels.INSTANCE_CATEGORY.is_in("g6e"),
            "automode:UnlistedInstances values: g6e: not in Auto Mode's list of 15 Sep 2026, so it may launch "
            "none; did you mean 'g'?",
        ),
        (
            labels.INSTANCE_TYPE.is_in("qq1.large"),
            "automode:UnlistedInstances values: qq1.large: not in Auto Mode's list of 15 Sep 2026, so it may "
            "launch none; "
            "acknowledge this if Auto Mode has it by now",
        ),
    ],
)
def test_instances_that_may_not_launch_are_a_warning(requirement: Requirement, message: str) -> None:
    assert warned(requirement) == [message]


def test_every_problem_names_its_rule() -> None:
    with pytest.raises(AutoModeError) as caught:
        Requirement(key="karpenter.sh/x", operator="In", min_values=2)
    assert [problem.rule for problem in caught.value.problems] == [
        "automode:RestrictedLabel",
        "automode:OperatorValues",
        "automode:MinValues",
    ]
