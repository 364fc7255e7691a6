"""What a timeline says when it is wrong, and what it takes as a duration."""

from __future__ import annotations

from typing import Any

import pytest

from automode_constructs.errors import AutoModeError
from automode_constructs.simulation import Timeline, simulate
from automode_constructs.simulation.timeline import seconds_of
from tests.simulation.scenes import apply, play, pool, workload


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "a timeline is a mapping with 'steps', got a list of 0"),
        ({}, "steps: needs a list of at least one step, got None"),
        ({"steps": []}, "steps: needs a list of at least one step, got a list of 0"),
        ({"steps": ["wait"]}, "steps[0]: needs a mapping with one of apply, scale, patch,"),
        ({"steps": [{}]}, "steps[0]: needs one of apply, scale, patch,"),
        ({"steps": [{"aply": "Pod/a"}]}, "did you mean 'apply'?"),
        ({"steps": [{"wait": 1, "apply": "Pod/a"}]}, "steps[0]: has apply and wait; write one step for each"),
        ({"steps": [{"wait": 1, "replicas": 2}]}, "steps[0].replicas: is not a field of a step 'wait'"),
        ({"steps": [{"wait": "soon"}]}, "steps[0].wait: needs a duration such as '90s' or '5m', got 'soon'"),
        ({"steps": [{"wait": float("inf")}]}, "steps[0].wait: needs a duration such as '90s' or '5m', got inf"),
        ({"steps": [{"wait": float("nan")}]}, "steps[0].wait: needs a duration such as '90s' or '5m', got nan"),
        ({"steps": [{"wait": True}]}, "steps[0].wait: needs a duration such as '90s' or '5m', got True"),
        (
            {"steps": [{"delete": "Pod/a", "settle": -1}]},
            "steps[0].settle: needs a duration such as '90s' or '5m', got -1",
        ),
        ({"steps": [{"apply": []}]}, "steps[0].apply: needs references such as 'Deployment/shop/ui', got a list of 0"),
        (
            {"steps": [{"apply": "web"}]},
            "steps[0].apply: 'web' names no object; write Kind/name or Kind/namespace/name",
        ),
        ({"steps": [{"scale": "Deployment/a"}]}, "steps[0].replicas: needs a whole number of at least 0, got None"),
        (
            {"steps": [{"scale": "Deployment/a", "replicas": True}]},
            "steps[0].replicas: needs a whole number of at least 0, got True",
        ),
        (
            {"steps": [{"patch": "Pod/a", "merge": []}]},
            "steps[0].merge: needs a JSON merge patch (a mapping), got a list",
        ),
        ({"steps": [{"interrupt_spot": 1}]}, "needs a mapping of count, instance_type, node, pool, zone, got 1"),
        (
            {"steps": [{"interrupt_spot": {"pol": "a"}}]},
            "steps[0].interrupt_spot.pol: is unknown here; did you mean 'pool'?",
        ),
        (
            {"steps": [{"interrupt_spot": {"count": "two"}}]},
            "steps[0].interrupt_spot.count: needs a whole number of at least 1, got 'two'",
        ),
        (
            {"steps": [{"capacity_shortage": {"capacity_type": "spott"}}]},
            "steps[0].capacity_shortage.capacity_type: needs 'on-demand' or 'spot', got 'spott'",
        ),
        ({"steps": [{"zone_outage": 1}]}, "steps[0].zone_outage: needs a text, got 1"),
        ({"steps": [{"upgrade": "new"}]}, "steps[0].upgrade: needs a Kubernetes version such as '1.35', got 'new'"),
        ({"steps": [{"upgrade": 1.35}]}, "steps[0].upgrade: needs a text, got 1.35"),
        ({"steps": [{"wait": 1}], "step": []}, "step: is not a field of a timeline; did you mean 'steps'?"),
        ({"steps": [{"wait": 1}], "objects": "a"}, "objects: needs a list of manifests, got 'a'"),
        ({"steps": [{"wait": 1}], "start": "noon"}, "start: needs a time such as '2026-01-05T09:00:00Z', got 'noon'"),
        ({"steps": [{"wait": 1}], "zones": "abc"}, "zones: needs a list of zone names, got 'abc'"),
        ({"steps": [{"wait": 1}], "version": 1.34}, "version: needs a Kubernetes version such as '1.34', got 1.34"),
        ({"steps": [{"wait": 1}], "images": {"a": "14GB"}}, "images['a']: needs a number of bytes, got '14GB'"),
        ({"steps": [{"wait": 1}], "starts": {"a": "x"}}, "starts['a']: needs a duration such as '90s', got 'x'"),
    ],
)
def test_what_it_refuses(data: Any, message: str) -> None:
    with pytest.raises(AutoModeError) as caught:
        Timeline.of(data)
    assert message in str(caught.value)


def test_it_tells_all_that_is_wrong_at_once_and_where() -> None:
    with pytest.raises(AutoModeError) as caught:
        Timeline.of({"steps": [{"wait": "x"}, {"apply": 3}], "zones": 1}, where="talk.yaml")
    assert "talk.yaml" in str(caught.value)
    assert all(each in str(caught.value) for each in ("steps[0].wait", "steps[1].apply", "zones"))


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ({"scale": "Deployment/shop/webb", "replicas": 1}, "there is no Deployment/shop/webb; did you mean"),
        ({"scale": "NodePool/main", "replicas": 1}, "NodePool/main has no replicas to scale; scale a Deployment,"),
        ({"delete": "Node/n7"}, "there is no Node/n7"),
        ({"zone_outage": "us-east-1q"}, "zone: 'us-east-1q' is no zone of the cluster or of a pool; did you mean"),
        ({"zone_recovery": "us-east-1q"}, "zone: 'us-east-1q' is no zone of the cluster or of a pool"),
        ({"interrupt_spot": {"pool": "mian"}}, "pool: 'mian' is no NodePool; use 'main'"),
        ({"capacity_shortage": {"instance_type": "c6a.lagre"}}, "instance_type: 'c6a.lagre' is not in the catalogue"),
        ({"capacity_shortage": {"zone": "x"}}, "zone: 'x' is no zone of the cluster or of a pool"),
        ({"reservation_end": "cr-1"}, "reservation_end: 'cr-1' is in no NodeClass that was applied"),
        ({"patch": "NodePool/main", "merge": {"spec": {"weight": "x"}}}, "NodePool main: weight: needs a whole number"),
        (
            {"patch": "Deployment/shop/web", "merge": {"spec": {"replicas": "x"}}},
            "Deployment shop/web: spec.replicas: needs a whole number, got 'x'",
        ),
    ],
)
def test_what_a_step_refuses(step: dict[str, Any], message: str) -> None:
    with pytest.raises(AutoModeError) as caught:
        play(apply(pool()), apply(workload()), step)
    assert message in str(caught.value)


def test_two_manifests_of_one_name() -> None:
    steps = [{"wait": 1}]
    simulate(Timeline.of({"objects": [workload(), workload()], "steps": steps}))
    with pytest.raises(AutoModeError) as caught:
        simulate(Timeline.of({"objects": [workload(), workload(replicas=2)], "steps": steps}))
    assert str(caught.value) == (
        "objects: Deployment/shop/web is there twice, and the two differ; "
        "simulate one cluster at a time, or write a patch step for the second"
    )


def test_a_manifest_without_a_name() -> None:
    with pytest.raises(AutoModeError) as caught:
        simulate(Timeline.of({"objects": [{"kind": "Pod"}], "steps": [{"wait": 1}]}))
    assert str(caught.value) == "objects: a manifest has no kind or no metadata.name"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("5m", 300), ("1h30m", 5400), ("1.5h", 5400), (7, 7), (0, 0), ("", None), ("5", None), ("1d", None)],
)
def test_durations(text: object, seconds: float | None) -> None:
    assert seconds_of(text) == seconds


def test_a_huge_number_is_no_duration() -> None:
    assert seconds_of(10**400) is None
