"""The demo replays the talk with the charts' own manifests.

After a chart has changed: ``python -m tests.cli.test_demo``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from automode_constructs.cli.demo import beside_the_talk, demo
from automode_constructs.cli.main import main
from automode_constructs.cli.simulate import SimulateRun
from automode_constructs.rendering.yaml_folder import to_yaml

ROOT = Path(__file__).parents[2]
TIMELINES = ROOT / "automode_constructs/simulation/timelines"
CHARTS = {"retail-store.yaml": "retail_store.yaml", "gpt-oss.yaml": "gpt_oss.yaml"}
"""The stored output of the charts, which tests/test_examples.py and tests/charts hold against the charts."""
DECIDE = {"Namespace", "NodeClass", "NodePool", "Deployment", "Job", "PodDisruptionBudget"}
"""The kinds that decide which nodes come."""


def objects(file: Path) -> list[dict[str, Any]]:
    return [item for item in yaml.safe_load_all(file.read_text("utf-8")) if item]


def wanted(stored: str) -> list[dict[str, Any]]:
    return [item for item in objects(ROOT / "examples" / stored) if item["kind"] in DECIDE]


@pytest.mark.parametrize(("name", "stored"), CHARTS.items())
def test_its_manifests_are_those_of_the_charts(name: str, stored: str) -> None:
    assert objects(TIMELINES / name) == wanted(stored)
    assert len(wanted(stored)) >= 3


@pytest.fixture(scope="module")
def talk() -> SimulateRun:
    return demo()


def test_the_talk_comes_out(talk: SimulateRun) -> None:
    nodes = [[(node.pool, sum(node.pods.values())) for node in step.nodes] for step in talk.result.steps]
    assert nodes == [
        [],  # an empty cluster has no node
        [("general-purpose", 1)],
        # c6a.large has room for three pods of 1 GiB; the chart prefers zones that have fewer.
        [("general-purpose", 3), ("general-purpose", 4), ("general-purpose", 3)],
        [],
        [],  # a GPU pool that nobody uses
        [("gpu", 1), ("general-purpose", 0)],  # the node that staged the weights is still there
        [],
    ]
    assert talk.result.steps[-1].pending == {}
    assert talk.exit_code == 0
    assert talk.remarks == []


def test_the_numbers_of_the_talk_stand_beside_ours(talk: SimulateRun) -> None:
    assert beside_the_talk(talk).splitlines() == [
        "                                        THE TALK    HERE",
        "nodes of the empty cluster              0           0",
        "nodes for the first shop pod            1           1",
        "ten pods, by node                       3 + 7       3 + 7",
        "the same, spread over zones             -           3 + 4 + 3",
        "pending pod to Ready node               about 17 s  17 s (assumed)",
        "nodes at zero shop pods                 0           0",
        "nodes of the unused GPU pool            0           0",
        "node for GPT-OSS-20B                    g5.4xlarge  g6.xlarge (spot)",
        "14 GB, one layer at a time, g5.4xlarge  2-3 min     194 s",
        "14 GB, pulled in parallel, g5.4xlarge   75 s        76 s",
        "14 GB, pulled in parallel, g6.xlarge    -           200 s",
        "nodes at zero model pods                0           0",
    ]


def test_the_command_prints_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("0:00:00  wait 30 s\n0:00:30  apply Namespace/retail-store")
    assert "ten pods, by node" in printed
    assert main(["demo", "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert len(document["steps"]) == 7


if __name__ == "__main__":
    for name, stored in CHARTS.items():
        heading = f"# Objects of examples/{stored} that decide which nodes come; written by tests/cli/test_demo.py.\n"
        (TIMELINES / name).write_text(heading + to_yaml(wanted(stored)), "utf-8")
