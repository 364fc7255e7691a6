from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from automode_constructs.specs import labels
from automode_constructs.specs.node_pool import (
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
        ("limits", {"cpu": 1.5}, "limits.cpu: 1.5 is not a quantity such as 1000, '500m' or '64Gi'"),
        ("limits", {"cpu": "1 Gi"}, "limits.cpu: '1 Gi' is not a quantity such as 1000, '500m' or '64Gi'"),
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
    assert refusal(lambda: Budget(nodes="0", schedule=schedule, duration="8h")).endswith(
        "is not a cron expression of five fields ('0 9 * * mon-fri'), or '@daily' and the like"
    )


@pytest.mark.parametrize("fields", [{"schedule": "@daily"}, {"duration": "8h"}], ids=str)
def test_schedule_and_duration_come_together(fields: Mapping[str, str]) -> None:
    assert refusal(lambda: made(Budget, nodes="0", **fields)) == (
        "schedule: 'schedule' and 'duration' must be set together"
    )


@pytest.mark.parametrize("duration", ["8h", "90m", "1h30m", "8h0s", "1h30m0s"])
def test_a_budgets_duration_is_hours_and_minutes(duration: str) -> None:
    assert Budget(nodes="0", schedule="@daily", duration=duration).duration == duration


@pytest.mark.parametrize("duration", ["", "30s", "1h30s", "30m1h", "Never", "1d"])
def test_another_duration_is_refused(duration: str) -> None:
    assert refusal(lambda: Budget(nodes="0", schedule="@daily", duration=duration)).endswith(
        "is not hours and minutes such as '8h' or '1h30m'"
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
    assert refusal(lambda: NodeMetadata(labels={key: "x"})) == f"labels: '{key}' is set by Karpenter itself; remove it"


def test_nodes_may_be_labelled_with_a_capacity_type_and_at_most_100_labels() -> None:
    assert NodeMetadata(labels={"karpenter.sh/capacity-type": "spot"}).labels
    assert refusal(lambda: NodeMetadata(labels={f"l{n}": "" for n in range(101)})) == (
        "labels: must have at most 100 labels, got 101"
    )


def test_a_taint_has_a_value_or_none() -> None:
    assert Taint(key="a", effect="NoSchedule").to_manifest() == {"key": "a", "effect": "NoSchedule"}
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
    assert text.splitlines() == [
        "3 problems",
        "  group: 'karpenter.k8s.aws' is not allowed; use 'eks.amazonaws.com'",
        "  kind: 'EC2NodeClass' is not allowed; use 'NodeClass'",
        "  name: must have at least 1 character, got 0",
    ]
