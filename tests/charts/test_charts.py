"""What the app runs in its cluster, and the command that writes it as YAML."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import cdk8s
import pytest
import yaml

import app as the_app
import charts
from automode_constructs import patterns
from automode_constructs.manifests.cluster_values import ClusterValues
from automode_constructs.testing import manifests
from charts.__main__ import main

ROOT = Path(__file__).parents[2]
OUTPUTS = ROOT / "examples" / "outputs.json"
STORED = ROOT / "examples" / "manifests"


def test_the_app_has_stacks_for_every_demo_that_has_a_chart() -> None:
    assert [*the_app._DEMO_STACKS] == [*charts.DEMOS] == ["retail-store", "gpt-oss"]


@pytest.mark.parametrize("built_in_pools", [False, True])
def test_the_platform_is_that_of_the_library(built_in_pools: bool) -> None:
    values = ClusterValues.from_outputs(json.loads(OUTPUTS.read_text("utf-8")), where="outputs.json")
    values = ClusterValues(**{**dict(values), "built_in_pools": built_in_pools})
    ours, theirs = (
        [item for chart in platform(cdk8s.App(), values) for item in manifests(chart)]
        for platform in (charts.platform_charts, patterns.platform_charts)
    )
    assert ours == theirs
    pools = {item["metadata"]["name"] for item in ours if item["kind"] == "NodePool"}
    assert pools == {"spot", "graviton"} | (set() if built_in_pools else {"critical", "general"})


def by_name(file: Path) -> dict[tuple[str, str], Any]:
    """The objects of a file, in whatever order they are in."""
    items = list(yaml.safe_load_all(file.read_text("utf-8")))
    found = {(item["kind"], item["metadata"]["name"]): item for item in items}
    assert len(found) == len(items)
    return found


class TestYamlFolder:
    def test_holds_the_stored_objects(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        out = STORED if os.environ.get("AUTOMODE_REGENERATE") else tmp_path / "manifests"
        assert main(["--out", str(out)]) == 0
        written = {file.name: list(yaml.safe_load_all(file.read_text("utf-8"))) for file in out.iterdir()}
        assert written == {file.name: list(yaml.safe_load_all(file.read_text("utf-8"))) for file in STORED.iterdir()}
        assert set(written) == {"00-node-pools.yaml", "01-platform.yaml", "02-network-policies.yaml"}
        assert capsys.readouterr().out.splitlines() == [str(out / name) for name in sorted(written)]

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (None, "cannot be read (No such file or directory); name a file that exists"),
            ("{", "is not JSON"),
            ("[]", "is not a JSON object of stacks and their outputs"),
            ("{}", "ClusterValues: exactly one stack must have this output, got none"),
            ('{"a": {"ClusterValues": "{}"}}', "a.ClusterValues: 5 problems"),
            ('{"a": {"ClusterValues": "["}}', "a.ClusterValues: is not JSON"),
        ],
    )
    def test_bad_outputs_write_nothing(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None, message: str
    ) -> None:
        outputs = tmp_path / "outputs.json"
        if content is not None:
            outputs.write_text(content)
        assert main(["--outputs", str(outputs), "--out", str(tmp_path / "manifests")]) == 1
        told = capsys.readouterr().err
        assert told.startswith(f"error: {outputs}")
        assert message in told
        assert not (tmp_path / "manifests").exists()

    def test_a_token_in_the_outputs_is_refused_by_object_and_field(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        text = OUTPUTS.read_text("utf-8").replace("automode-cluster-ClusterNodeRoleRole-EXAMPLE", "${Token[Role.12]}")
        (tmp_path / "outputs.json").write_text(text)
        assert main(["--outputs", str(tmp_path / "outputs.json"), "--out", str(tmp_path / "manifests")]) == 1
        assert (
            "node-pools/standard: NodeClass 'standard': spec.role holds a value known only after deployment"
        ) in capsys.readouterr().err
        assert not (tmp_path / "manifests").exists()

    def test_the_demos_are_written_too_when_asked_for(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        out = tmp_path / "manifests"
        arguments = ["--demos", "retail-store", "gpt-oss", "--weights-bucket", "automode-weights", "--out", str(out)]
        assert main(arguments) == 0
        (warning,) = capsys.readouterr().err.splitlines()
        assert warning.endswith(
            "is named by a tag, which its maker may move; pin '@sha256:<digest>' [automode:ImageTag]"
        )
        for name in ("retail-store", "gpt-oss"):
            (file,) = [file for file in out.iterdir() if file.stem.endswith(name)]
            stored = STORED.parent / f"{name.replace('-', '_')}.yaml"
            assert by_name(file) == by_name(stored)

    def test_demos_without_a_name_are_an_error_that_names_them(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(SystemExit) as stopped:
            main(["--out", str(tmp_path / "manifests"), "--demos"])
        assert stopped.value.code == 2
        assert "error: argument --demos: name at least one of retail-store, gpt-oss" in capsys.readouterr().err
        assert not (tmp_path / "manifests").exists()

    def test_the_model_needs_a_bucket(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["--demos", "gpt-oss", "--out", str(tmp_path / "manifests")]) == 1
        assert capsys.readouterr().err == (
            "error: --demos: gpt-oss: needs the location of its weights; add --weights-bucket with the bucket's name\n"
        )
        assert not (tmp_path / "manifests").exists()
