"""The programs of docs/first-programs.md run, are as short as they claim, and deliver what they say."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest

from tests.support import manifests, of_type

ROOT = Path(__file__).parents[1]
PROGRAMS: dict[str, str] = dict(
    re.findall(
        r"^## ([^\n]+)\n(?:(?!^## ).)*?^```python\n(.*?)^```",
        (ROOT / "docs" / "first-programs.md").read_text("utf-8"),
        flags=re.DOTALL | re.MULTILINE,
    )
)
GPU, VPC, SPOT = "A GPU pool on a new cluster", "A cluster in an existing VPC", "Spot and Graviton, with budgets"


@pytest.fixture(scope="module")
def synthesised() -> dict[str, dict[str, dict[str, Any]]]:
    """The templates of each program by their stacks."""
    templates: dict[str, dict[str, dict[str, Any]]] = {}
    for name, program in PROGRAMS.items():
        names: dict[str, Any] = {"__name__": "__main__"}
        exec(compile(program, name, "exec"), names)
        templates[name] = {stack.stack_name: stack.template for stack in names["app"].synth().stacks}
    return templates


def _delivered(templates: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {item["kind"]: item for template in templates.values() for item in manifests(template)}


def test_there_are_three() -> None:
    assert list(PROGRAMS) == [GPU, VPC, SPOT]


def test_the_gpu_pool_is_the_minimal_example_of_twelve_lines() -> None:
    assert PROGRAMS[GPU] == (ROOT / "examples" / "minimal.py").read_text("utf-8")
    assert len([line for line in PROGRAMS[GPU].splitlines() if line]) == 12


def test_the_gpu_class_and_pool_have_one_name(synthesised: dict[str, dict[str, dict[str, Any]]]) -> None:
    delivered = _delivered(synthesised[GPU])
    assert {kind: item["metadata"]["name"] for kind, item in delivered.items()} == {
        "NodeClass": "gpu",
        "NodePool": "gpu",
    }
    assert delivered["NodePool"]["spec"]["template"]["spec"]["nodeClassRef"]["name"] == "gpu"
    assert delivered["NodePool"]["spec"]["limits"] == {"nvidia.com/gpu": 4}


def test_the_cluster_is_in_the_vpc_of_the_program(synthesised: dict[str, dict[str, dict[str, Any]]]) -> None:
    (template,) = synthesised[VPC].values()
    (vpc,) = of_type(template, "AWS::EC2::VPC")
    (cluster,) = of_type(template, "AWS::EKS::Cluster").values()
    subnets = {reference["Ref"] for reference in cluster["Properties"]["ResourcesVpcConfig"]["SubnetIds"]}
    private = {name for name in of_type(template, "AWS::EC2::Subnet") if "Private" in name}
    assert vpc.startswith("Vpc")
    assert subnets
    assert subnets <= private


def test_one_statement_says_spot_graviton_and_budgets(synthesised: dict[str, dict[str, dict[str, Any]]]) -> None:
    statements = [node for node in ast.parse(PROGRAMS[SPOT]).body if "NodePool(" in ast.unparse(node)]
    assert len(statements) == 1
    pool = _delivered(synthesised[SPOT])["NodePool"]["spec"]
    required = {item["key"]: item["values"] for item in pool["template"]["spec"]["requirements"]}
    assert required["karpenter.sh/capacity-type"] == ["spot", "on-demand"]
    assert required["kubernetes.io/arch"] == ["arm64"]
    assert pool["disruption"]["budgets"] == [
        {"nodes": "10%"},
        {"nodes": "0", "schedule": "0 9 * * mon-fri", "duration": "8h", "reasons": ["Underutilized"]},
    ]
    assert pool["template"]["metadata"] == {"labels": {"team": "batch"}}
