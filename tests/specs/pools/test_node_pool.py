from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from automode_constructs.errors import AutoModeError
from automode_constructs.specs import labels
from automode_constructs.specs.model import KubeModel
from automode_constructs.specs.pools.node_pool import (
    Budget,
    Disruption,
    NodeClaimSpec,
    NodeClaimTemplate,
    NodeClassReference,
    NodeMetadata,
    NodePoolSpec,
    Taint,
    duration_in_seconds,
)
from automode_constructs.specs.pools.requirement import Requirement
from tests.refusal import made, refusal

TEMPLATE = NodeClaimTemplate(spec=NodeClaimSpec(requirements=[labels.ARCH.is_in("amd64")]))


def test_a_whole_pool_is_written_in_camel_case_and_holds_only_what_was_set() -> None:
    spec = NodePoolSpec(
        template=NodeClaimTemplate(
            metadata=NodeMetadata(labels={"team": "ml"}, annotations={"note": "x"}),
            spec=NodeClaimSpec(
                node_class_ref=NodeClassReference(group="eks.amazonaws.com", kind="NodeClass", name="gpu"),
                requirements=[labels.ARCH.is_in("amd64")],
                taints=[Taint(key="nvidia.com/gpu", effect="NoSchedule")],
                startup_taints=[Taint(key="a", value="b", effect="NoExecute")],
                expire_after="100h",
                termination_grace_period="1h30m",
            ),
        ),
        disruption=Disruption(
            consolidation_policy="WhenEmpty",
            consolidate_after="Never",
            budgets=[Budget(nodes="10%", reasons=["Drifted"], schedule="0 9 * * mon-fri", duration="8h")],
        ),
        limits={"cpu": 1000, "nvidia.com/gpu": "8"},
        weight=10,
    )
    assert spec.to_manifest() == {
        "template": {
            "metadata": {"labels": {"team": "ml"}, "annotations": {"note": "x"}},
            "spec": {
                "nodeClassRef": {"group": "eks.amazonaws.com", "kind": "NodeClass", "name": "gpu"},
                "requirements": [{"key": "kubernetes.io/arch", "operator": "In", "values": ["amd64"]}],
                "taints": [{"key": "nvidia.com/gpu", "effect": "NoSchedule"}],
                "startupTaints": [{"key": "a", "value": "b", "effect": "NoExecute"}],
                "expireAfter": "100h",
                "terminationGracePeriod": "1h30m",
            },
        },
        "disruption": {
            "consolidationPolicy": "WhenEmpty",
            "consolidateAfter": "Never",
            "budgets": [{"nodes": "10%", "reasons": ["Drifted"], "schedule": "0 9 * * mon-fri", "duration": "8h"}],
        },
        "limits": {"cpu": 1000, "nvidia.com/gpu": "8"},
        "weight": 10,
    }
    assert set(NodePoolSpec(template=TEMPLATE).to_manifest()) == {"template"}


@pytest.mark.parametrize(
    ("expire", "grace"),
    [
        ("480h", None),
        (None, "168h"),
        ("504h", "0s"),
        ("503h59m", "60s"),
        ("1h", "503h"),
        ("1814400s", "0h"),
        (None, None),
    ],
)
def test_a_node_may_live_21_days_with_its_grace_period(expire: str | None, grace: str | None) -> None:
    assert NodeClaimSpec(requirements=[], expire_after=expire, termination_grace_period=grace).expire_after == expire


@pytest.mark.parametrize(
    ("expire", "grace", "told"),
    [
        ("480h1s", None, ("480h1s", "24h")),
        (None, "168h1m", ("336h", "168h1m")),
        ("504h", "1s", ("504h", "1s")),
        ("720h", None, ("720h", "24h")),
        ("0s", "505h", ("0s", "505h")),
    ],
)
def test_a_node_may_not_live_longer(expire: str | None, grace: str | None, told: tuple[str, str]) -> None:
    assert refusal(lambda: NodeClaimSpec(requirements=[], expire_after=expire, termination_grace_period=grace)) == (
        f"expire_after: the sum of expire_after ({told[0]}) and termination_grace_period ({told[1]}) "
        "is over 21 days (504h); shorten one of them"
    )


def test_who_reads_yaml_is_told_the_names_that_stand_there() -> None:
    nodes = {"requirements": [{"key": "a", "operator": "In", "values": ["b"], "minValues": 2}]}
    assert refusal(lambda: NodePoolSpec.from_manifest({"template": {"spec": nodes}})) == (
        "template.spec.requirements[0].minValues: 2 is more than the number of values given (1); lower it or add values"
    )
    old = {"template": {"spec": {"requirements": [], "expireAfter": "720h"}}}
    assert refusal(lambda: NodePoolSpec.from_manifest(old)) == (
        "template.spec.expireAfter: the sum of expireAfter (720h) and terminationGracePeriod (24h) "
        "is over 21 days (504h); shorten one of them"
    )


def test_a_node_never_lives_for_ever() -> None:
    assert refusal(lambda: NodeClaimSpec(requirements=[], expire_after="Never")) == (
        "expire_after: 'Never' cannot work: Auto Mode replaces every node within 21 days; "
        "with termination_grace_period it may be at most 504h"
    )
    assert refusal(lambda: NodeClaimSpec(requirements=[], termination_grace_period="Never")) == (
        "termination_grace_period: 'Never' is not a duration such as '30s' or '1h30m'"
    )


@pytest.mark.parametrize("text", ["", "30", "1d", "1.5h", "-1h", "h", "1H", "1h 30m", "٣h", "1h\n", f"{'9' * 10}s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    assert "is not a duration such as '30s', '1h30m' or 'Never'" in refusal(lambda: Disruption(consolidate_after=text))


def test_a_duration_has_a_length() -> None:
    assert [duration_in_seconds(text) for text in ("90s", "1h30m", "1m1h1s", "0s")] == [90, 5400, 3661, 0]
    with pytest.raises(ValueError, match="'Never' has no length"):
        duration_in_seconds("Never")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"weight": 1}, "weight: a static pool (with replicas) has no weight; remove one of the two"),
        (
            {"limits": {"cpu": 1, "nodes": 5, "memory": "1Gi"}},
            "limits: a static pool takes only the limit 'nodes', got cpu, memory; remove the others",
        ),
        (
            {"limits": {"nodes": 2}},
            "limits.nodes: 2 is less than the 3 nodes of the static pool; "
            "set it above replicas, with room for nodes that are being replaced",
        ),
        (
            {"limits": {"nodes": "2"}},
            "limits.nodes: 2 is less than the 3 nodes of the static pool; "
            "set it above replicas, with room for nodes that are being replaced",
        ),
    ],
)
def test_a_static_pool_is_refused_what_it_cannot_have(fields: dict[str, Any], message: str) -> None:
    assert refusal(lambda: made(NodePoolSpec, template=TEMPLATE, replicas=3, **fields)) == message
    assert made(NodePoolSpec, template=TEMPLATE, **fields).to_manifest()


@pytest.mark.parametrize("limits", [None, {}, {"nodes": 3}, {"nodes": "4"}, {"nodes": "1k"}], ids=repr)
def test_a_static_pool_may_limit_its_nodes(limits: dict[str, Any] | None) -> None:
    assert NodePoolSpec(template=TEMPLATE, replicas=3, limits=limits).replicas == 3


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("weight", 0, "weight: must be at least 1, got 0"),
        ("weight", 101, "weight: must be at most 100, got 101"),
        ("weight", True, "weight: needs a whole number, got True"),
        ("replicas", -1, "replicas: must be at least 0, got -1"),
        ("replicas", 2**53, "replicas: must be at most 9007199254740991, got 9007199254740992"),
        ("limits", {"cpu": True}, "limits.cpu: True is not a quantity such as 1000, '500m' or '64Gi'"),
        ("limits", {"cpu": 1.5}, "limits.cpu: 1.5 is not a quantity such as 1000, '500m' or '64Gi'; write '1.5'"),
        ("limits", {"cpu": "1 G i"}, "limits.cpu: '1 G i' is not a quantity such as 1000, '500m' or '64Gi'"),
        ("limits", {"cpu": None}, "limits.cpu: None is not a quantity such as 1000, '500m' or '64Gi'"),
        (
            "limits",
            {"cpu": 2**53},
            "limits.cpu: 9007199254740992 is too large to stand as a number; write it as a text",
        ),
        ("limits", {1: 1}, "limits[1]: needs a text, got 1"),
    ],
)
def test_bounds_of_a_pool(field: str, value: object, message: str) -> None:
    assert refusal(lambda: made(NodePoolSpec, template=TEMPLATE, **{field: value})) == message


@pytest.mark.parametrize(
    "quantity", [0, 1, 2**53 - 1, "1", "0.5", ".5", "1.", "500m", "64Gi", "1e3", "1E-2", "+1", "8k"]
)
def test_quantities_are_kept_as_written(quantity: int | str) -> None:
    assert NodePoolSpec(template=TEMPLATE, limits={"x": quantity}).to_manifest()["limits"] == {"x": quantity}


@pytest.mark.parametrize("nodes", ["0", "5", "0%", "100%", "12345"])
def test_a_budget_is_a_number_or_a_share(nodes: str) -> None:
    assert Budget(nodes=nodes).nodes == nodes


@pytest.mark.parametrize("nodes", ["", "101%", "-1", "1.5", "10 %", "%", "a"])
def test_another_budget_is_refused(nodes: str) -> None:
    assert refusal(lambda: Budget(nodes=nodes)) == f"nodes: '{nodes}' is not a number of nodes ('5') or a share ('10%')"


@pytest.mark.parametrize("schedule", ["@daily", "@hourly", "0 9 * * mon-fri", "*/15 0,12 1-7 JAN ?"])
def test_a_budgets_schedule_is_cron(schedule: str) -> None:
    assert Budget(nodes="0", schedule=schedule, duration="8h").schedule == schedule


@pytest.mark.parametrize(
    "schedule", ["", "daily", "@every 1h", "0 9 * *", "0 0 9 * * *", "TZ=UTC 0 9 * * *", "0 9 * * *\n"]
)
def test_another_schedule_is_refused(schedule: str) -> None:
    cure = "; leave the time zone out: times are UTC" if "TZ" in schedule else ""
    assert refusal(lambda: Budget(nodes="0", schedule=schedule, duration="8h")).endswith(
        f"is not a cron expression of five fields ('0 9 * * mon-fri'), or '@daily' and the like{cure}"
    )


@pytest.mark.parametrize("fields", [{"schedule": "@daily"}, {"duration": "8h"}], ids=str)
def test_schedule_and_duration_come_together(fields: Mapping[str, str]) -> None:
    assert refusal(lambda: made(Budget, nodes="0", **fields)) == (
        "schedule: 'schedule' and 'duration' must be set together"
    )


@pytest.mark.parametrize("duration", ["8h", "90m", "1h30m", "8h0s", "1h30m0s"])
def test_a_budgets_duration_is_hours_and_minutes(duration: str) -> None:
    assert Budget(nodes="0", schedule="@daily", duration=duration).duration == duration


@pytest.mark.parametrize(
    ("duration", "cure"),
    [("", ""), ("30s", ""), ("1h30s", ""), ("30m1h", "; write '90m'"), ("Never", ""), ("1d", "; write '24h'")],
)
def test_another_duration_is_refused(duration: str, cure: str) -> None:
    assert refusal(lambda: Budget(nodes="0", schedule="@daily", duration=duration)).endswith(
        f"is not hours and minutes such as '8h' or '1h30m'{cure}"
    )


def test_a_budget_names_a_reason_once() -> None:
    assert refusal(lambda: Budget(nodes="0", reasons=["Empty", "Drifted", "Empty"])) == (
        "reasons: names a reason twice; name each once"
    )
    assert "did you mean 'Empty'? Use one of 'Underutilized', 'Empty', 'Drifted'" in refusal(
        lambda: made(Budget, nodes="0", reasons=["empty"])
    )


def test_there_are_at_most_50_budgets_and_100_requirements() -> None:
    budget, requirement = Budget(nodes="1"), labels.ARCH.exists()
    assert Disruption(budgets=[budget] * 50).budgets == (budget,) * 50
    assert refusal(lambda: Disruption(budgets=[budget] * 51)) == "budgets: must have at most 50 items, got 51"
    assert refusal(lambda: NodeClaimSpec(requirements=[requirement] * 101)) == (
        "requirements: must have at most 100 items, got 101"
    )


@pytest.mark.parametrize("key", ["kubernetes.io/hostname", "karpenter.sh/nodepool", "x.karpenter.sh/y"])
def test_karpenters_own_labels_are_not_set(key: str) -> None:
    assert refusal(lambda: NodeMetadata(labels={key: "x"})) == (
        f"labels['{key}']: '{key}' is set by Karpenter itself; remove it"
    )


def test_nodes_may_be_labelled_with_a_capacity_type_and_at_most_100_labels() -> None:
    assert NodeMetadata(labels={"karpenter.sh/capacity-type": "spot"}).labels
    assert refusal(lambda: NodeMetadata(labels={f"l{n}": "" for n in range(101)})) == (
        "labels: must have at most 100 labels, got 101"
    )


def test_a_taint_has_a_value_or_none() -> None:
    assert Taint(key="a", effect="NoSchedule").to_manifest() == {"key": "a", "effect": "NoSchedule"}
    timed = {"key": "a", "effect": "NoExecute", "timeAdded": "2026-01-31T12:00:00Z"}
    assert Taint.from_manifest(timed).to_manifest() == timed
    assert refusal(lambda: Taint.from_manifest({**timed, "timeAdded": "noon"})) == (
        "timeAdded: 'noon' is not a time such as '2026-01-31T12:00:00Z'"
    )
    assert refusal(lambda: Taint(key="a", value="", effect="NoSchedule")) == (
        "value: must have at least 1 character, got 0"
    )


def test_a_taint_comes_once_with_an_effect_startup_taints_counted_in() -> None:
    taint, other = Taint(key="a", effect="NoSchedule"), Taint(key="a", effect="NoExecute")
    assert NodeClaimSpec(requirements=[], taints=[taint, other]).taints == (taint, other)
    again = Taint(key="a", value="b", effect="NoSchedule")
    assert refusal(lambda: NodeClaimSpec(requirements=[], taints=[taint, other], startup_taints=[other, again])) == (
        "2 problems\n"
        "  startup_taints[0]: the nodes have a taint 'a' with effect NoExecute already; remove one of the two\n"
        "  startup_taints[1]: the nodes have a taint 'a' with effect NoSchedule already; remove one of the two"
    )


def test_only_auto_modes_own_node_class_can_be_referred_to() -> None:
    text = refusal(lambda: made(NodeClassReference, group="karpenter.k8s.aws", kind="EC2NodeClass", name=""))
    assert refusal(lambda: made(NodeClassReference, group="eks.amazonaws.com", kind="Nodeclass", name="a")) == (
        "kind: 'Nodeclass' is not a class of Auto Mode; use 'NodeClass'"
    )
    assert text.splitlines() == [
        "3 problems",
        "  group: 'karpenter.k8s.aws' is open-source Karpenter's and not served on Auto Mode; use 'eks.amazonaws.com'",
        "  kind: 'EC2NodeClass' is open-source Karpenter's and not served on Auto Mode; use 'NodeClass'",
        "  name: must have at least 1 character, got 0",
    ]


def ruled(make: Callable[[], object]) -> list[str]:
    with pytest.raises(AutoModeError) as caught:
        make()
    return [f"{problem.rule} {problem}" for problem in caught.value.problems]


def warned(model: KubeModel) -> list[str]:
    return [f"{problem.rule} {problem}" for problem in model.warnings()]


def template(*requirements: Requirement, **metadata: str) -> NodeClaimTemplate:
    kept = {f"eks.amazonaws.com/instance-{key}" if key != "arch" else labels.ARCH: metadata[key] for key in metadata}
    return NodeClaimTemplate(
        metadata=NodeMetadata(labels=kept) if kept else None, spec=NodeClaimSpec(requirements=requirements)
    )


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        ("60 9 * * *", "the minute is 0 to 59, got '60'"),
        ("0 24 * * *", "the hour is 0 to 23, got '24'"),
        ("0 9 0 * *", "the day of the month is 1 to 31, got '0'"),
        ("0 9 * 13 *", "the month is 1 to 12 or jan to dec, got '13'"),
        ("0 9 * * 7", "the day of the week is 0 to 6 or sun to sat, got '7'"),
        ("0 9 * * monday", "the day of the week is 0 to 6 or sun to sat, got 'monday'"),
        ("0 9 * * fri-mon", "the day of the week has a range that goes from low to high, got 'fri-mon'"),
        ("0 9-10-11 * * *", "the hour has a range that goes from low to high, got '9-10-11'"),
        ("*/0 * * * *", "the minute has one step of at least 1, got '*/0'"),
        ("0/5/5 * * * *", "the minute has one step of at least 1, got '0/5/5'"),
        ("- * * * *", "the minute is 0 to 59, got '-'"),
        ("1234567890 * * * *", "the minute is 0 to 59, got '1234567890'"),
        ("0 9 L * *", "the day of the month is 1 to 31, got 'L'"),
    ],
)
def test_the_fields_of_a_schedule_have_ranges(schedule: str, message: str) -> None:
    assert ruled(lambda: Budget(nodes="0", schedule=schedule, duration="8h")) == [
        f"automode:BudgetSchedule schedule: '{schedule}': {message}; see crontab(5); times are UTC"
    ]


@pytest.mark.parametrize(
    "schedule",
    [
        "59 23 31 12 6",
        "0000000000000 */07 1 1 1",
        "0 0 1 1 0",
        "0/15 */2 ? JAN-MAR,dec Sun",
        "0  9 * *  mon-fri/2",
        "@weekly",
    ],
)
def test_a_schedule_within_its_ranges_passes(schedule: str) -> None:
    assert Budget(nodes="0", schedule=schedule, duration="8h").schedule == schedule


def test_a_disruption_without_consolidate_after_is_a_warning() -> None:
    assert warned(Disruption(consolidation_policy="WhenEmpty")) == [
        "automode:ConsolidateAfterMissing consolidate_after: is missing, which the open-source CRD of Karpenter 1.14 "
        "refuses beside other fields of disruption; write '30s', as EKS's own pools have it"
    ]
    assert warned(Disruption(consolidate_after="0s")) == []
    pool = template(labels.INSTANCE_CATEGORY.is_in("m"))
    (problem,) = NodePoolSpec(template=pool, disruption=Disruption(budgets=[Budget(nodes="5")])).warnings(by_alias=True)
    assert problem.field == "disruption.consolidateAfter"


@pytest.mark.parametrize(
    ("fields", "warnings"),
    [
        (
            {"limits": {"nodes": 3}},
            [
                "automode:StaticPoolNoRoom limits.nodes: 3 leaves a static pool of as many nodes no room to "
                "replace one; set it above replicas"
            ],
        ),
        (
            {"limits": {"nodes": "3000m"}},
            [
                "automode:StaticPoolNoRoom limits.nodes: 3000m leaves a static pool of as many nodes no room to "
                "replace one; set it above replicas"
            ],
        ),
        ({"limits": {"nodes": "4"}}, []),
        ({"limits": {"nodes": "1e999999999999999999"}}, []),
        ({}, []),
    ],
)
def test_a_static_pool_needs_room_to_replace_a_node(fields: dict[str, Any], warnings: list[str]) -> None:
    pool = template(labels.INSTANCE_CATEGORY.is_in("m"))
    assert warned(made(NodePoolSpec, template=pool, replicas=3, **fields)) == warnings


@pytest.mark.parametrize("nodes", ["2.5", "2999m", "0.002k", "1e0", "-1Ki"])
def test_quantities_are_compared_as_numbers(nodes: str) -> None:
    assert ruled(lambda: NodePoolSpec(template=TEMPLATE, replicas=3, limits={"nodes": nodes})) == [
        f"automode:StaticPoolLimit limits.nodes: {nodes} is less than the 3 nodes of the static pool; "
        "set it above replicas, with room for nodes that are being replaced"
    ]


@pytest.mark.parametrize(
    ("requirements", "message"),
    [
        (
            [labels.ZONE.is_in("us-east-1a"), labels.ZONE.is_not_in("us-east-1a")],
            "no node has what is required of 'topology.kubernetes.io/zone': In us-east-1a and NotIn us-east-1a",
        ),
        (
            [labels.INSTANCE_GENERATION.greater_than(5), labels.INSTANCE_GENERATION.less_than(5)],
            "no node has what is required of 'eks.amazonaws.com/instance-generation': Gt 5 and Lt 5",
        ),
        (
            [labels.ARCH.does_not_exist()],
            "no node has what is required of 'kubernetes.io/arch': DoesNotExist",
        ),
        (
            [labels.ARCH.is_in("arm64"), labels.TextLabel("beta.kubernetes.io/arch").is_in("amd64")],
            "no node has what is required of 'kubernetes.io/arch': In arm64 and In amd64",
        ),
    ],
)
def test_requirements_that_no_node_can_meet_are_refused(requirements: Sequence[Requirement], message: str) -> None:
    assert ruled(lambda: NodeClaimSpec(requirements=requirements)) == [
        f"automode:RequirementsAdmitNothing requirements: {message}; "
        "all requirements must hold: put what is wanted into one"
    ]


def test_labels_of_reserved_nodes_need_reserved_capacity() -> None:
    block = labels.CAPACITY_RESERVATION_TYPE.is_in("capacity-block")
    assert ruled(lambda: NodeClaimSpec(requirements=[block, labels.CAPACITY_TYPE.is_in("on-demand", "spot")])) == [
        "automode:RequirementsAdmitNothing requirements: only reserved nodes have "
        "'eks.amazonaws.com/capacity-reservation-type', and karpenter.sh/capacity-type leaves reserved out; "
        "add reserved to the values of karpenter.sh/capacity-type"
    ]
    for fine in (labels.CAPACITY_TYPE.is_in("reserved", "spot"), labels.CAPACITY_TYPE.is_not_in("spot")):
        assert NodeClaimSpec(requirements=[block, fine]).requirements == (block, fine)
    unwanted = labels.CAPACITY_RESERVATION_ID.does_not_exist()
    assert NodeClaimSpec(requirements=[unwanted, labels.CAPACITY_TYPE.is_in("spot")]).requirements


def test_requirements_of_a_label_that_nodes_may_lack_contradict_each_other_with_a_warning() -> None:
    own = labels.TextLabel("example.com/team")
    assert warned(NodeClaimSpec(requirements=[own.is_in("a"), own.is_in("b")])) == [
        "automode:RequirementsContradict requirements: no value of its own is what is required of 'example.com/team': "
        "In a and In b; all requirements must hold: put what is wanted into one"
    ]
    assert warned(NodeClaimSpec(requirements=[own.is_in("a", "b"), own.is_in("b")])) == []


def test_a_label_that_the_requirements_rule_out_is_refused() -> None:
    assert ruled(lambda: template(labels.ARCH.is_in("arm64"), arch="amd64")) == [
        "automode:RequirementsAdmitNothing metadata.labels['kubernetes.io/arch']: 'kubernetes.io/arch' is 'amd64', "
        "which the requirements rule out: In arm64; remove the label: nodes get it by themselves"
    ]
    assert template(labels.ARCH.is_in("arm64"), arch="arm64").metadata


@pytest.mark.parametrize(
    ("pool", "admitted"),
    [
        (template(labels.ARCH.is_in("amd64")), "g, gr, inf, p, trn"),
        (template(labels.INSTANCE_GENERATION.greater_than(4)), "g, gr, inf, p, trn"),
        (template(labels.INSTANCE_CATEGORY.is_not_in("g", "p", "t")), "gr, inf, trn"),
        (template(labels.INSTANCE_FAMILY.is_not_in("p5")), "g, gr, inf, p, trn"),
        (template(labels.INSTANCE_GPU_NAME.is_not_in("t4")), "g, gr, inf, p, trn"),
        (template(labels.INSTANCE_GPU_COUNT.is_not_in("8")), "g, gr, inf, p, trn"),
        (template(labels.INSTANCE_GPU_MANUFACTURER.is_not_in("amd")), "g, gr, inf, p, trn"),
    ],
)
def test_a_pool_that_admits_accelerators_by_accident_is_a_warning(pool: NodeClaimTemplate, admitted: str) -> None:
    assert warned(pool) == [
        f"automode:AcceleratedByAccident spec.requirements: admit accelerated instances ({admitted}), which are used "
        "when all else fails; require eks.amazonaws.com/instance-category In the categories that are wanted, for "
        "example 'c', 'm', 'r'"
    ]


@pytest.mark.parametrize(
    "pool",
    [
        template(labels.INSTANCE_CATEGORY.is_in("c", "g")),
        template(labels.INSTANCE_CATEGORY.is_not_in("g", "gr", "p", "inf", "trn")),
        template(labels.INSTANCE_CATEGORY.is_not_in("${Token[TOKEN.1]}")),
        template(labels.INSTANCE_FAMILY.is_in("m7i")),
        template(labels.INSTANCE_TYPE.is_in("g6e.xlarge")),
        template(labels.INSTANCE_GPU_COUNT.does_not_exist()),
        template(labels.INSTANCE_GPU_NAME.is_in("l4")),
        template(labels.CAPACITY_TYPE.is_in("reserved")),
        template(labels.ARCH.is_in("amd64"), category="m"),
        NodeClaimTemplate(
            spec=NodeClaimSpec(
                requirements=[labels.ARCH.is_in("amd64")], taints=[Taint(key="nvidia.com/gpu", effect="NoSchedule")]
            )
        ),
    ],
)
def test_a_pool_that_says_what_it_wants_is_not_warned_of_accelerators(pool: NodeClaimTemplate) -> None:
    assert warned(pool) == []


def test_an_accelerated_pool_that_admits_graviton_by_accident_is_a_warning() -> None:
    pool = template(labels.INSTANCE_CATEGORY.is_in("g"), labels.INSTANCE_GENERATION.greater_than(4))
    assert pool.instance_types()[0].name == "g5g.xlarge"
    assert warned(pool) == [
        "automode:GravitonByAccident spec.requirements: leave kubernetes.io/arch open and admit accelerated types of "
        "both, g5g.xlarge, g5g.2xlarge, g5g.4xlarge (arm64) beside g6.xlarge, g6.2xlarge, g5.xlarge (amd64), between "
        "which the price decides: an image for one of them alone ends in an exec format error on the other; require "
        "kubernetes.io/arch In 'amd64', or In both where the images are for both"
    ]


@pytest.mark.parametrize(
    "pool",
    [
        # Said, or not open: both may be meant.
        template(labels.INSTANCE_CATEGORY.is_in("g"), labels.ARCH.is_in("amd64")),
        template(labels.INSTANCE_CATEGORY.is_in("g"), labels.ARCH.is_in("amd64", "arm64")),
        template(labels.INSTANCE_CATEGORY.is_in("g"), labels.ARCH.is_not_in("arm64")),
        template(labels.INSTANCE_CATEGORY.is_in("g"), Requirement(key="beta.kubernetes.io/arch", operator="Exists")),
        template(labels.INSTANCE_CATEGORY.is_in("g"), arch="amd64"),
        template(labels.INSTANCE_CATEGORY.is_in("g"), labels.INSTANCE_CPU_MANUFACTURER.is_in("intel", "amd")),
        template(labels.INSTANCE_CATEGORY.is_in("g"), labels.INSTANCE_GPU_MEMORY.greater_than(20_000)),
        template(labels.INSTANCE_FAMILY.is_in("g5", "g6")),
        template(labels.INSTANCE_FAMILY.is_in("g5g")),
        template(labels.INSTANCE_CATEGORY.is_in("p", "inf", "trn")),
        # Types of which nobody knows anything.
        template(labels.INSTANCE_GPU_NAME.is_in("gb200")),
        template(labels.INSTANCE_CATEGORY.is_in("${Token[TOKEN.1]}")),
        # Ordinary pools of both architectures are common.
        template(labels.INSTANCE_CATEGORY.is_in("c", "m", "r")),
    ],
)
def test_an_accelerated_pool_of_one_architecture_or_with_a_word_on_it_is_not_warned(pool: NodeClaimTemplate) -> None:
    assert [told for told in warned(pool) if "Graviton" in told] == []


def test_a_pool_without_requirements_is_one_warning() -> None:
    assert warned(NodePoolSpec(template=template())) == [
        "automode:NoRequirements template.spec.requirements: is empty, so that the pool admits every instance, "
        "accelerated ones too; require instance categories, for example INSTANCE_CATEGORY.is_in('c', 'm', 'r')"
    ]


def test_every_problem_names_its_rule() -> None:
    taint = Taint(key="a", effect="NoSchedule")
    reference = {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": "x"}
    broken: list[Callable[[], object]] = [
        lambda: NodeClaimSpec(requirements=[], expire_after="Never", taints=[taint, taint]),
        lambda: NodeClaimSpec(requirements=[], expire_after="505h"),
        lambda: NodeMetadata(labels={f"l{n}": "" for n in range(101)} | {"karpenter.sh/x": ""}),
        lambda: NodePoolSpec(template=TEMPLATE, replicas=1, weight=1, limits={"cpu": 1}),
        lambda: Budget(nodes="0", duration="8h", reasons=["Empty", "Empty"]),
        lambda: made(NodeClassReference, **reference),
    ]
    assert [[text.split()[0].removeprefix("automode:") for text in ruled(make)] for make in broken] == [
        ["NodeLifetime", "DuplicateTaint"],
        ["NodeLifetime"],
        ["NodeLabels", "RestrictedLabel"],
        ["StaticPool", "StaticPool"],
        ["BudgetSchedule", "BudgetReasons"],
        ["NodeClassReference", "NodeClassReference"],
    ]


def test_a_pool_tells_the_instance_types_it_admits() -> None:
    def admitted(**labelled: str) -> list[str]:
        metadata = NodeMetadata(labels=labelled) if labelled else None
        nodes = NodeClaimSpec(requirements=[labels.INSTANCE_FAMILY.is_in("g6"), labels.INSTANCE_CPU.less_than(9)])
        spec = NodePoolSpec(template=NodeClaimTemplate(metadata=metadata, spec=nodes))
        return [one.name for one in spec.instance_types()]

    assert admitted() == ["g6.xlarge", "g6.2xlarge"]
    # Karpenter counts the labels of a pool's nodes as requirements.
    assert admitted(team="ml") == ["g6.xlarge", "g6.2xlarge"]
    assert admitted(**{"eks.amazonaws.com/instance-size": "2xlarge"}) == ["g6.2xlarge"]


def test_an_annotation_that_holds_every_node_blocks_upgrades() -> None:
    _, problems = NodePoolSpec.read(
        {
            "template": {
                "metadata": {"annotations": {"karpenter.sh/do-not-disrupt": "true"}},
                "spec": {
                    "nodeClassRef": {"group": "eks.amazonaws.com", "kind": "NodeClass", "name": "default"},
                    "requirements": [{"key": "eks.amazonaws.com/instance-category", "operator": "In", "values": ["m"]}],
                },
            }
        }
    )
    assert [(problem.rule, problem.severity, str(problem)) for problem in problems] == [
        (
            "automode:UpgradeBlocked",
            "warning",
            "template.metadata.annotations['karpenter.sh/do-not-disrupt']: 'true' holds every node of the pool: nodes "
            "follow an upgrade of the cluster only as they expire, and EKS refuses to roll it back; annotate the pods "
            "that must not move, which only delays, or give the pool a budget with a schedule",
        )
    ]


@pytest.mark.parametrize("value", ["false", "8h"])
def test_another_value_of_the_annotation_holds_no_node(value: str) -> None:
    annotations = {"karpenter.sh/do-not-disrupt": value}
    assert list(NodeMetadata(annotations=annotations).warnings()) == []
