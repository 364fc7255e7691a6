"""Disruption budgets that do not do what they say, together and over time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automode_constructs.specs.pools.cron import ALWAYS, active_minutes
from automode_constructs.specs.pools.node_pool import NodePoolSpec

POLICIES = {"empty": "WhenEmpty", "both": "WhenEmptyOrUnderutilized"}


def found(*budgets: dict[str, Any], policy: str = "both", after: str = "30s", **spec: Any) -> list[str]:
    nodes = {
        "nodeClassRef": {"group": "eks.amazonaws.com", "kind": "NodeClass", "name": "default"},
        "requirements": [{"key": "eks.amazonaws.com/instance-category", "operator": "In", "values": ["m"]}],
    }
    disruption = {"consolidationPolicy": POLICIES[policy], "consolidateAfter": after, "budgets": [*budgets]}
    document = {"template": {"spec": nodes}, "disruption": disruption, **spec}
    _, problems = NodePoolSpec.read(document)
    return [f"{each.severity} {each.rule} {each}" for each in problems]


def window(nodes: str, schedule: str, duration: str, *reasons: str) -> dict[str, Any]:
    return {"nodes": nodes, "schedule": schedule, "duration": duration, **({"reasons": [*reasons]} if reasons else {})}


def test_a_budget_that_holds_in_its_window_only_leaves_all_nodes_open_outside() -> None:
    always = {"nodes": "10%", "reasons": ["Underutilized", "Empty"]}
    assert found(always, window("90%", "0 12 * * *", "3h", "Drifted")) == [
        "warning automode:BudgetGap disruption.budgets: outside the schedule no budget holds for Drifted, so all such "
        "nodes may go at once; add a budget without schedule, or turn the window round: the times of nodes: '0' are "
        "those without disruption (UTC)"
    ]


def test_a_reason_that_no_budget_names_is_open() -> None:
    assert found({"nodes": "10%", "reasons": ["Empty"]}) == [
        "warning automode:BudgetGap disruption.budgets: no budget holds for Underutilized and Drifted, so all such "
        "nodes may go at once; add a budget without schedule that names no reasons, for example nodes: 10%"
    ]
    assert "no budget holds for Empty, Underutilized and Drifted" in found()[0]


@pytest.mark.parametrize("nodes", ["10%", "1"])
def test_empty_nodes_without_a_word_about_them_may_go(nodes: str) -> None:
    assert found({"nodes": nodes, "reasons": ["Underutilized", "Drifted"]}) == []
    assert found({"nodes": nodes, "reasons": ["Drifted"]}, policy="empty") == []


@pytest.mark.parametrize(
    ("reasons", "open_ones"),
    [((), "Empty, Underutilized and Drifted"), (("Underutilized", "Drifted"), "Underutilized and Drifted")],
)
def test_a_lone_window_without_disruption_loses_the_default(reasons: tuple[str, ...], open_ones: str) -> None:
    assert found(window("0", "0 9 * * mon-fri", "8h", *reasons)) == [
        f"warning automode:BudgetGap disruption.budgets: outside the schedule no budget holds for {open_ones}, so all "
        "such nodes may go at once; add a budget without schedule, for example nodes: 10%, the default of pools "
        "without budgets"
    ]


@pytest.mark.parametrize(
    ("schedule", "duration"),
    [("@daily", "24h"), ("@daily", "24h30m"), ("@hourly", "60m"), ("0 0 * * 0-6", "24h"), ("*/5 * * * *", "5m")],
)
def test_a_window_that_begins_as_the_last_one_ends_never_lifts(schedule: str, duration: str) -> None:
    assert found(window("0", schedule, duration)) == [
        "warning automode:BudgetNeverLifts disruption.budgets[0].schedule: the next window of nodes: '0' begins before "
        "or as one ends, so no node is ever replaced for Empty, Underutilized and Drifted until it expires; shorten "
        "the duration"
    ]


@pytest.mark.parametrize("budget", [{"nodes": "0"}, {"nodes": "0%", "reasons": ["Drifted"]}], ids=str)
def test_a_budget_that_never_lets_a_node_drift_blocks_upgrades(budget: dict[str, Any]) -> None:
    (blocked,) = (each for each in found(budget, {"nodes": "100%", "reasons": ["Empty"]}) if "Upgrade" in each)
    assert blocked == (
        f"warning automode:UpgradeBlocked disruption.budgets[0].nodes: '{budget['nodes']}' without a schedule lets no "
        "node be replaced for drift: nodes follow an upgrade of the cluster only as they expire, and EKS refuses to "
        "roll it back; limit the budget to other reasons (Empty, Underutilized), or give it a schedule and a duration"
    )


def test_a_budget_for_consolidation_alone_blocks_no_upgrade() -> None:
    assert found({"nodes": "0", "reasons": ["Empty", "Underutilized"]}, {"nodes": "10%", "reasons": ["Drifted"]}) == []


def test_a_static_pool_is_judged_too() -> None:
    (blocked,) = found({"nodes": "0"}, replicas=2, limits={"nodes": "3"})
    assert "automode:UpgradeBlocked disruption.budgets[0].nodes: '0' without a schedule" in blocked


def test_two_windows_together_may_never_lift() -> None:
    day, night = window("0", "0 6 * * *", "12h"), window("0%", "0 18 * * *", "12h", "Drifted")
    (lifts,) = found({"nodes": "10%"}, day, night)
    assert "automode:BudgetNeverLifts disruption.budgets[1].schedule" in lifts
    assert "for Drifted until it expires" in lifts


@pytest.mark.parametrize(
    "budgets",
    [
        [{"nodes": "10%"}],
        [{}],
        [{"nodes": "20%"}, {"nodes": "5"}],
        [{"nodes": "10%"}, window("0", "0 9 * * mon-fri", "8h")],
        [{"nodes": "10%"}, window("0", "@daily", "10m", "Underutilized")],
        [window("20%", "0 6 * * *", "12h"), window("0", "0 18 * * *", "12h")],
        [{"nodes": "2"}, {"nodes": "1", "reasons": ["Drifted"]}],
        [window("5%", "0 0 29 2 *", "24h"), {"nodes": "10%"}],
    ],
    ids=str,
)
def test_budgets_that_do_what_they_say_pass(budgets: list[dict[str, Any]]) -> None:
    assert found(*budgets) == []


@pytest.mark.parametrize("schedule", ["0 0 30 2 *", "0 0 31 4,6,9,11 *", "0 0 31 feb *"])
def test_a_date_that_never_comes_is_a_warning(schedule: str) -> None:
    assert found({"nodes": "10%"}, window("0", schedule, "8h")) == [
        "warning automode:BudgetWithoutEffect disruption.budgets[1].schedule: its date never comes, so the budget "
        "never counts; correct it, or remove the budget"
    ]


def test_a_window_of_no_length_is_a_warning() -> None:
    (finding,) = found({"nodes": "10%"}, window("0", "@daily", "0m"))
    assert "disruption.budgets[1].duration: is no time at all, so the budget never counts" in finding


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"nodes": "10%"}, {"nodes": "50%"}),
        ({"nodes": "5"}, {"nodes": "5"}),
        ({}, window("50%", "0 22 * * *", "6h")),
        ({"nodes": "0"}, {"nodes": "5"}),
        ({"nodes": "1"}, {"nodes": "2", "reasons": ["Drifted"]}),
        (window("0", "0 0 * * *", "12h"), window("20%", "0 3 * * *", "1h")),
    ],
    ids=str,
)
def test_the_strictest_budget_wins(first: dict[str, Any], second: dict[str, Any]) -> None:
    others = ("BudgetGap", "UpgradeBlocked")
    findings = [each for each in found(first, second) if not any(other in each for other in others)]
    nodes = first.get("nodes", "10%")
    assert findings == [
        f"warning automode:BudgetWithoutEffect disruption.budgets[1].nodes: budgets[0] ({nodes}) counts whenever this "
        f"one ({second['nodes']}) does, and the strictest wins, so this one never decides; limit the other one to "
        "other times or reasons, or remove this one"
    ]


def test_reasons_that_never_occur_are_a_warning() -> None:
    never = {"nodes": "0", "reasons": ["Underutilized"]}
    assert found({"nodes": "10%"}, never, policy="empty") == [
        "warning automode:BudgetWithoutEffect disruption.budgets[1].reasons: no node of this pool is disrupted for "
        "Underutilized, so the budget never counts; name other reasons, or change consolidationPolicy or "
        "consolidateAfter"
    ]
    assert found({"nodes": "10%"}, never, after="Never") != []
    assert found({"nodes": "1", "reasons": ["Drifted"]}, after="Never") == []


def test_a_static_pool_is_not_consolidated() -> None:
    assert found({"nodes": "1", "reasons": ["Drifted"]}, replicas=3) == []


def test_budgets_that_are_broken_are_not_judged_together() -> None:
    assert all("Budget" not in each or "BudgetSchedule" in each for each in found(window("0", "61 * * * *", "24h")))


_NUMBERS = {
    "minute": st.sampled_from(["0", "30", "*/20", "5-10", "*", "7/13"]),
    "hour": st.sampled_from(["*", "0", "22", "9-17", "*/6", "1,13"]),
    "day": st.sampled_from(["*", "1", "31", "*/10", "13"]),
    "month": st.sampled_from(["*", "feb", "1-6", "12"]),
    "weekday": st.sampled_from(["*", "mon-fri", "0", "5", "?"]),
}


@given(st.tuples(*_NUMBERS.values()), st.integers(1, 3000), st.integers(0, 4 * 365 * 24 * 60 - 1))
def test_a_window_is_open_after_a_start_of_another_cron(fields: tuple[str, ...], minutes: int, at: int) -> None:
    cron = _starts(*fields)
    now = datetime(2028, 1, 1, tzinfo=UTC) + timedelta(minutes=at)
    expected = any(cron(now - timedelta(minutes=back)) for back in range(minutes))
    assert bool(active_minutes(" ".join(fields), minutes) >> at & 1) is expected


def _starts(minute: str, hour: str, day: str, month: str, weekday: str) -> Any:
    """A second reading of the few expressions above, by their meaning."""
    minutes = {"0": {0}, "30": {30}, "*/20": {0, 20, 40}, "5-10": {*range(5, 11)}, "*": {*range(60)}}
    minutes["7/13"] = {7, 20, 33, 46, 59}
    hours = {"*": {*range(24)}, "0": {0}, "22": {22}, "9-17": {*range(9, 18)}, "*/6": {0, 6, 12, 18}, "1,13": {1, 13}}
    days = {"*": {*range(1, 32)}, "1": {1}, "31": {31}, "*/10": {1, 11, 21, 31}, "13": {13}}
    months = {"*": {*range(1, 13)}, "feb": {2}, "1-6": {*range(1, 7)}, "12": {12}}
    weekdays = {"*": {*range(1, 8)}, "?": {*range(1, 8)}, "mon-fri": {*range(1, 6)}, "0": {7}, "5": {5}}

    def starts(now: datetime) -> bool:
        by_day, by_weekday = now.day in days[day], now.isoweekday() in weekdays[weekday]
        both = by_day or by_weekday if day != "*" and weekday not in {"*", "?"} else by_day and by_weekday
        return now.minute in minutes[minute] and now.hour in hours[hour] and now.month in months[month] and both

    return starts


@pytest.mark.parametrize("schedule", ["@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually"])
def test_every_nickname_opens_some_time(schedule: str) -> None:
    assert 0 < active_minutes(schedule, 1) < ALWAYS
