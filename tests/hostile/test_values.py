"""Hostile values in specs, bodies and commands: counted first, refused in words, quoted for a shell."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import Any

import cdk8s
import pytest

from automode_constructs import KubernetesObject, NodeClaimSpec, NodeClassSpec, write_yaml_folder
from automode_constructs.specs.nodes.kubelet import Kubelet
from automode_constructs.tokens import shell_word
from charts.__main__ import main as write_charts
from tests.hostile.corpus import VALUES
from tests.refusal import refusal


def _seconds(call: Any) -> tuple[str, float]:
    began = time.process_time()
    words = refusal(call)
    return words, time.process_time() - began


def test_a_list_is_counted_before_its_items_are_judged() -> None:
    class Bomb(dict[str, Any]):
        """An item that no judge may touch."""

        def __iter__(self) -> Any:
            raise AssertionError

        def items(self) -> Any:
            raise AssertionError

    pool: Any = NodeClaimSpec
    words = refusal(lambda: pool(requirements=[Bomb()] * 50_000))
    assert "requirements: must have at most 100 items, got 50000" in words
    node_class: Any = NodeClassSpec
    words = refusal(lambda: node_class(subnet_selector_terms=[Bomb()] * 31))
    assert "subnet_selector_terms: must have at most 30 items, got 31" in words


def test_of_many_wrong_values_a_hundred_are_put_into_words() -> None:
    kubelet: Any = Kubelet
    words, seconds = _seconds(lambda: kubelet(eviction={f"key-{number}": 1 for number in range(20_000)}))
    assert len(words.splitlines()) == 102
    assert words.endswith("  19900 more values are wrong; correct these first")
    assert seconds < 20


def _folder(chart: cdk8s.Chart, path: Path) -> list[Path]:
    return write_yaml_folder([chart], path, default_node_class=True)


@pytest.mark.parametrize("body", [{"data": {"a": "\ud800"}}, {"data": {"\udfff": "a"}}])
def test_no_text_without_characters_is_written(body: dict[str, Any], tmp_path: Path) -> None:
    chart = cdk8s.Chart(cdk8s.App(), "chart")
    KubernetesObject(chart, "a", api_version="v1", kind="ConfigMap", body=body)
    words = refusal(lambda: _folder(chart, tmp_path / "out"))
    assert "chart/a: ConfigMap holds what is no character: " in words
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("value", ["deep", "loop"])
def test_a_body_without_end_is_refused(value: str) -> None:
    chart = cdk8s.Chart(cdk8s.App(), "chart")
    body = {"data": VALUES[value]}
    words = refusal(lambda: KubernetesObject(chart, "a", api_version="v1", kind="ConfigMap", body=body))
    assert words.startswith("chart/a: ")
    assert words.endswith("nests deeper than 64 levels; no Kubernetes object does")


@pytest.mark.parametrize("value", ["plain-1", "x`id`/y", "a b", "$(id)", "';'", "\n"])
def test_a_value_in_a_command_is_one_word(value: str) -> None:
    assert shlex.split(f"aws {shell_word(value)}") == ["aws", value]


def test_a_token_in_a_command_stays_bare() -> None:
    assert shell_word("${Token[AWS.Region.3]}") == "${Token[AWS.Region.3]}"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not JSON ("),
        (b"\xff\xfe{\0}\0", "is not JSON ("),
        (b"[" * 100_000, "is nested too deep"),
        (b"[1]", "is not a JSON object of stacks and their outputs"),
        (b'{"a": {"ClusterValues": "\\ud800"}}', "ClusterValues"),
        (b'{"a": {"ClusterValues": "[[[["}}', "ClusterValues"),
        (b" " * (10 * 1024**2 + 1), "is larger than 10 MiB"),
    ],
    ids=["empty", "UTF-16", "deep", "list", "surrogate", "brackets", "huge"],
)
def test_outputs_that_are_none_are_refused(
    content: bytes, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "outputs.json"
    file.write_bytes(content)
    assert write_charts(["--outputs", str(file), "--out", str(tmp_path / "out")]) == 1
    words = capsys.readouterr().err
    assert words.startswith(f"error: {file}: ")
    assert message in words
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("folder", ["file", "file/below", "a\0b", "x" * 300])
def test_a_folder_that_cannot_be_written_is_named(
    folder: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("mine", "utf-8")
    assert write_charts(["--out", str(tmp_path / folder)]) == 1
    words = capsys.readouterr().err
    assert "cannot be written" in words or "is not a folder" in words
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text("utf-8") == "mine"
