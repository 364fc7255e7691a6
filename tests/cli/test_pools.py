"""``automode pools``: which types a pool admits, and which requirement excludes one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from automode_constructs.cli.main import main
from tests.cli.test_simulate import POOL, SHOP

GPU = Path(__file__).parents[2] / "examples/gpt_oss.yaml"


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("pool.yaml").write_text(POOL, "utf-8")
    Path("shop.yaml").write_text(SHOP, "utf-8")


def test_each_pool_is_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pools", "pool.yaml", "shop.yaml", str(GPU)]) == 0
    out = capsys.readouterr().out
    assert "NodePool gpu: 15 instance types\n  capacity types  spot, on-demand\n" in out
    assert "  taints          nvidia.com/gpu:NoSchedule\n  limits          nvidia.com/gpu 4\n" in out
    assert "  g6.xlarge    1 x l4                      4   16 GiB   250 GB  $0.8048/h  $0.0628/h\n" in out
    general = out.partition("NodePool gpu")[0]
    assert "zones           those of its NodeClass's subnets" in general
    assert "more; --all shows them" in general
    rows = [line.split() for line in general.splitlines() if line.strip().startswith("c")]
    prices = [float(row[-2].strip("$/h")) for row in rows if row[-1].endswith("/h")]
    assert len(prices) == 15
    assert prices == sorted(prices)


def test_all_types_as_text_and_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pools", "pool.yaml", "--all"]) == 0
    everything = capsys.readouterr().out
    assert main(["pools", "pool.yaml", "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    types = document["pools"][0]["types"]
    assert document["version"] == 1
    assert all(f"  {each['type']} " in everything for each in types)
    assert {each["architecture"] for each in types} == {"amd64"}


def test_why_names_each_requirement_that_excludes_a_type(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pools", "pool.yaml", str(GPU), "--why", "g4dn.xlarge"]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "NodePool general excludes g4dn.xlarge:",
        "  spec.template.spec.requirements[0]: eks.amazonaws.com/instance-category c, and it has g",
        "NodePool gpu excludes g4dn.xlarge:",
        "  spec.template.spec.requirements[2]: eks.amazonaws.com/instance-generation Gt 4, and it has 4",
        "  spec.template.spec.requirements[5]: eks.amazonaws.com/instance-gpu-memory Gt 22000, and it has 16384",
        "  spec.template.spec.requirements[6]: eks.amazonaws.com/instance-local-nvme Gt 200, and it has 125",
    ]


def test_why_of_an_admitted_type(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pools", "pool.yaml", "--why", "c6a.large"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("NodePool general admits c6a.large: $0.0765/h, number 1 of ")
    assert main(["pools", "pool.yaml", str(GPU), "--why", "c6a.large", "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [(each["pool"], each["admits"]) for each in document["pools"]] == [("general", True), ("gpu", False)]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("t3.micro", "--why: Auto Mode launches no nano, micro or small types, 't3.micro' neither"),
        ("c6a.metal", "--why: 'c6a.metal' is bare metal, which is not listed here"),
        (
            "g4dn.xlage",
            "--why: 'g4dn.xlage' is no instance type that is known to run in Auto Mode; did you mean 'g4dn.xlarge'",
        ),
    ],
)
def test_types_that_auto_mode_does_not_launch(name: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pools", "pool.yaml", "--why", name]) == 2
    printed = capsys.readouterr().err
    assert printed.startswith(f"automode: {message}")
    assert len(printed) < 200


def test_no_pool(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pools", "shop.yaml"]) == 2
    assert capsys.readouterr().err == "automode: shop.yaml: holds no NodePool; name the file of the pools too\n"


def test_a_wrong_pool(capsys: pytest.CaptureFixture[str]) -> None:
    Path("pool.yaml").write_text(POOL.replace("operator: In, values: [c]", "operator: Is, values: [c]"), "utf-8")
    assert main(["pools", "pool.yaml"]) == 2
    assert capsys.readouterr().err.startswith("automode: pool.yaml: NodePool 'general': ")
