from __future__ import annotations

from pathlib import Path
from typing import Any

import aws_cdk as cdk
import cdk8s
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from automode_constructs.manifests.kubernetes_object import KubernetesObject, note_warning
from automode_constructs.manifests.node_class import NodeClass
from automode_constructs.manifests.node_pool import NodePool
from automode_constructs.rendering import yaml_folder
from automode_constructs.rendering.yaml_folder import HEADER, ChartWarning, to_yaml, write_yaml_folder
from automode_constructs.specs.labels import INSTANCE_CATEGORY
from automode_constructs.specs.nodes.node_class import NodeClassSpec, SecurityGroupSelectorTerm, SubnetSelectorTerm
from automode_constructs.specs.pools.node_pool import NodeClaimSpec, NodeClaimTemplate, NodePoolSpec
from tests.refusal import refusal

SPEC = NodePoolSpec(template=NodeClaimTemplate(spec=NodeClaimSpec(requirements=[INSTANCE_CATEGORY.is_in("c")])))


def _node_class(scope: cdk8s.Chart, id: str, *, role: str = "nodes") -> NodeClass:
    return NodeClass(
        scope,
        id,
        spec=NodeClassSpec(
            role=role,
            subnet_selector_terms=[SubnetSelectorTerm(id="subnet-1")],
            security_group_selector_terms=[SecurityGroupSelectorTerm(id="sg-1")],
        ),
    )


def _config_map(scope: cdk8s.Chart, name: str, namespace: str | None = None) -> cdk8s.ApiObject:
    return cdk8s.ApiObject(
        scope,
        f"config-{name}",
        api_version="v1",
        kind="ConfigMap",
        metadata=cdk8s.ApiObjectMetadata(name=name, namespace=namespace),
    )


def _pools(id: str = "pools", **more: Any) -> cdk8s.Chart:
    chart = cdk8s.Chart(cdk8s.App(), id)
    pool_on = more.pop("pool_on", None)
    node_class = NodeClass.from_name(pool_on) if pool_on else None
    NodePool(chart, "spot", node_class=node_class or _node_class(chart, "standard", **more), spec=SPEC)
    return chart


def _write(charts: list[cdk8s.Chart], folder: Path, *, default_node_class: bool = False) -> list[Path]:
    return write_yaml_folder(charts, folder, default_node_class=default_node_class)


def _read(file: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(file.read_text("utf-8")))


def _content(folder: Path) -> dict[str, str]:
    return {file.name: file.read_text("utf-8") for file in folder.iterdir()}


# Texts.

WORDS = ("y", "N", "yes", "No", "ON", "off", "true", "FALSE", "null", "NaN", "Inf")
"""Letters only, and yet some reader of YAML 1.1 takes them for something else."""

_ODD = (
    *("~", "", "010", "0x1F", "1e3", "1_000", "12:30:45", "=", "<<", "2026-11-23", ".inf", ".NaN", "-", "---", "..."),
    *("a: b", "a #b", "\n", " a", "a ", "a\n\n", "\n a\nb", "a\r\nb", "{{resolve:x}}", "!!str", "&a", "*a", "a\x85b"),
    *("\u2028", "\ufeff", "😀", "x" * 200, "word " * 40),
)
_texts = st.one_of(
    st.text(),
    st.text(alphabet="\n \t#:-|>'\"\\%@&*!?[]{},", max_size=12),
    st.sampled_from([*WORDS, *_ODD]),
)
_values = st.recursive(
    _texts | st.integers(-(2**53), 2**53) | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(st.lists(st.dictionaries(_texts, _values, max_size=4), max_size=3))
def test_every_yaml_reader_sees_the_same_data(manifests: list[dict[str, Any]]) -> None:
    text = to_yaml(manifests)
    assert list(yaml.safe_load_all(text)) == manifests
    assert list(yaml.load_all(text, Loader=yaml.BaseLoader)) == [_as_texts(manifest) for manifest in manifests]
    text.encode("utf-8", errors="strict")


def _as_texts(value: Any) -> Any:
    """What a reader sees that resolves nothing: texts must not depend on it."""
    if isinstance(value, dict):
        return {key: _as_texts(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_as_texts(item) for item in value]
    return str(value).lower() if isinstance(value, bool) else str(value)


def test_texts_that_look_like_something_else_are_quoted_and_plain_ones_are_not() -> None:
    manifest = {
        "a": "yes",
        "b": "010",
        "c": "12:30:45",
        "d": "amd64",
        "e": "a/b.c-d_e",
        "f": "x\ny\n",
        "g": 5,
        "h": True,
    }
    assert to_yaml([manifest]).splitlines() == [
        "---",
        'a: "yes"',
        'b: "010"',
        'c: "12:30:45"',
        "d: amd64",
        "e: a/b.c-d_e",
        "f: |",
        "  x",
        "  y",
        "g: 5",
        "h: true",
    ]


@pytest.mark.parametrize("text", [*WORDS, *_ODD])
def test_no_text_becomes_something_else_as_key_or_value(text: str) -> None:
    manifest = {"value": text, text: ["x", text]}
    assert list(yaml.safe_load_all(to_yaml([manifest]))) == [manifest]


@pytest.mark.parametrize("word", WORDS)
def test_words_of_yaml_1_1_are_quoted(word: str) -> None:
    assert to_yaml([{word: word}]) == f'---\n"{word}": "{word}"\n'


def test_long_texts_stay_on_one_line_and_nothing_is_an_alias() -> None:
    shared = {"note": "word " * 60}
    assert len(to_yaml([{"a": shared, "b": shared}]).splitlines()) == 5
    assert "&" not in to_yaml([{"a": shared, "b": shared}])


# The folder.


def test_a_file_a_chart_named_by_number_and_id_in_the_order_of_applying(tmp_path: Path) -> None:
    more = cdk8s.Chart(cdk8s.App(), "more")
    _config_map(more, "z")
    folder = tmp_path / "deep" / "manifests"
    files = _write([_pools(), more], folder)
    assert files == [folder / "00-pools.yaml", folder / "01-more.yaml"]
    assert sorted(folder.iterdir()) == files
    assert all(file.read_text("utf-8").startswith(HEADER + "---\n") for file in files)
    assert [manifest["kind"] for manifest in _read(files[0])] == ["NodeClass", "NodePool"]
    assert [file.name for file in tmp_path.rglob(".*")] == []


def test_objects_come_in_the_order_in_which_they_must_be_applied(tmp_path: Path) -> None:
    chart = cdk8s.Chart(cdk8s.App(), "chart")
    first, second = _config_map(chart, "a"), _config_map(chart, "b")
    first.add_dependency(second)
    namespace = cdk8s.ApiObjectMetadata(name="team")
    cdk8s.ApiObject(chart, "ns", api_version="v1", kind="Namespace", metadata=namespace)
    (file,) = _write([chart], tmp_path / "out")
    assert [manifest["metadata"]["name"] for manifest in _read(file)] == ["team", "b", "a"]


def test_more_than_a_hundred_charts_still_sort(tmp_path: Path) -> None:
    charts = []
    for number in range(101):
        charts.append(cdk8s.Chart(cdk8s.App(), f"c{number}"))
        _config_map(charts[-1], f"m{number}")
    files = _write(charts, tmp_path / "out")
    assert (files[0].name, files[-1].name) == ("000-c0.yaml", "100-c100.yaml")
    assert sorted(files) == files


def test_another_run_replaces_the_folder_as_a_whole(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    _write([_pools("old"), _other("gone")], folder)
    folder.chmod(0o750)
    assert [file.name for file in _write([_pools("new")], folder)] == ["00-new.yaml"]
    assert set(_content(folder)) == {"00-new.yaml"}
    assert folder.stat().st_mode & 0o777 == 0o750
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def _other(id: str) -> cdk8s.Chart:
    chart = cdk8s.Chart(cdk8s.App(), id)
    _config_map(chart, id)
    return chart


def test_the_same_charts_give_the_same_bytes(tmp_path: Path) -> None:
    _write([_pools()], tmp_path / "a")
    _write([_pools()], tmp_path / "b")
    assert _content(tmp_path / "a") == _content(tmp_path / "b")


def test_a_link_to_a_folder_stays_a_link(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir()
    link = tmp_path / "link"
    link.symlink_to(real)
    assert _write([_pools()], link) == [link / "00-pools.yaml"]
    assert link.is_symlink()
    assert set(_content(real)) == {"00-pools.yaml"}


@pytest.mark.parametrize("name", ["README.md", "00-mine.yaml", ".gitkeep", "zz"])
def test_a_folder_with_a_file_we_did_not_write_is_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine", "utf-8")
    assert refusal(lambda: _write([_pools()], tmp_path)) == (
        f"{tmp_path}: holds '{name}', which this command did not write; name a folder of its own"
    )
    assert _content(tmp_path) == {name: "mine"}


def test_a_folder_with_a_folder_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "00-pools.yaml").mkdir()
    assert "holds '00-pools.yaml', which this command did not write" in refusal(lambda: _write([_pools()], tmp_path))


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    file = tmp_path / "out"
    file.write_text("mine", "utf-8")
    assert refusal(lambda: _write([_pools()], file)) == (
        f"{file}: is not a folder; name one, or one that does not exist yet"
    )
    assert "deeper: cannot be written (" in refusal(lambda: _write([_pools()], file / "deeper"))


def test_when_writing_fails_the_old_folder_is_intact(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "out"
    _write([_pools("old")], folder)
    before = _content(folder)
    rename = Path.rename

    def no_space(self: Path, target: Path) -> Path:
        if self.name == "fresh":
            raise OSError(28, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", no_space)
    assert refusal(lambda: _write([_pools("new")], folder)) == (
        f"{folder}: cannot be written (No space left on device); name a folder that can"
    )
    assert _content(folder) == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_when_a_chart_is_wrong_nothing_is_written(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    assert "the chart is empty" in refusal(lambda: _write([_pools(), cdk8s.Chart(cdk8s.App(), "empty")], folder))
    assert list(tmp_path.iterdir()) == []
    _write([_pools("old")], folder)
    before = _content(folder)
    refusal(lambda: _write([_pools(role=cdk.Aws.REGION)], folder))
    assert _content(folder) == before


def test_a_token_is_told_with_object_and_field(tmp_path: Path) -> None:
    chart = _pools(role=cdk.Aws.STACK_NAME)
    _config_map(chart, "cm").add_json_patch(cdk8s.JsonPatch.add("/data", {cdk.Aws.REGION: "x"}))
    cure = (
        "holds a value known only after deployment; give a concrete value, for example from the outputs of a deployment"
    )
    assert refusal(lambda: _write([chart], tmp_path / "out")).splitlines() == [
        f"{tmp_path / 'out'}: 2 problems",
        f"  pools/standard: NodeClass 'standard': spec.role {cure}",
        f"  pools/config-cm: ConfigMap 'cm': data.{cdk.Aws.REGION} {cure}",
    ]


def test_all_findings_come_together(tmp_path: Path) -> None:
    broken = cdk8s.Chart(cdk8s.App(), "broken")
    cdk8s.ApiObject(broken, "nameless", api_version="v1", kind="ConfigMap").metadata.add("name", None)
    broken.node.add_metadata("aws:cdk:error", "this is wrong")
    text = refusal(
        lambda: _write([_pools("a"), _pools("b"), _pools("c", pool_on="gone"), broken, _empty()], tmp_path / "out")
    )
    for part in (
        "broken: this is wrong",
        "empty: the chart is empty; leave it out",
        "b/standard: metadata.name: NodeClass 'standard' is also created by a/standard",
        "b/spot: metadata.name: NodePool 'spot' is also created by a/spot",
        "no chart of this cluster creates the NodeClass 'gone'",
    ):
        assert part in text
    assert not (tmp_path / "out").exists()


def _empty() -> cdk8s.Chart:
    return cdk8s.Chart(cdk8s.App(), "empty")


def test_a_pool_on_eks_own_node_class_needs_a_built_in_pool(tmp_path: Path) -> None:
    assert "only beside a built-in pool" in refusal(lambda: _write([_pools(pool_on="default")], tmp_path / "out"))
    assert _write([_pools(pool_on="default")], tmp_path / "out", default_node_class=True)


def test_objects_that_wait_for_each_other_are_refused(tmp_path: Path) -> None:
    chart = cdk8s.Chart(cdk8s.App(), "chart")
    first, second = _config_map(chart, "a"), _config_map(chart, "b")
    first.add_dependency(second)
    second.add_dependency(first)
    assert "these objects wait for each other" in refusal(lambda: _write([chart], tmp_path / "out"))


def test_what_is_risky_is_warned_of_with_the_rule_s_id(tmp_path: Path) -> None:
    chart = _pools()
    note_warning(chart, "automode:Risk", "is risky")
    with pytest.warns(ChartWarning, match=r"^pools: is risky \[automode:Risk\]$"):
        assert _write([chart], tmp_path / "out")


def test_no_chart_at_all_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    _write([_pools()], folder)
    assert refusal(lambda: _write([], folder)) == f"{folder}: charts: there is none; give at least one"
    assert set(_content(folder)) == {"00-pools.yaml"}


def test_what_is_written_is_known_by_its_first_line() -> None:
    assert yaml_folder.HEADER.startswith("# Written by automode-constructs")
    assert HEADER.endswith("\n")


@pytest.mark.parametrize(
    ("built_in", "fits"), [(None, True), (["system"], True), (["general-purpose"], False), ([], False)]
)
def test_a_workload_may_fit_eks_own_pools_that_are_on(tmp_path: Path, built_in: list[str] | None, fits: bool) -> None:
    chart = _pools(pool_on="default")
    pods = {"nodeSelector": {"karpenter.sh/nodepool": "system"}, "tolerations": [{"operator": "Exists"}]}
    workload = cdk8s.ApiObject(
        chart, "work", api_version="apps/v1", kind="Deployment", metadata=cdk8s.ApiObjectMetadata(name="work")
    )
    containers, labels = [{"name": "a", "image": "a"}], {"app": "a"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": containers, **pods}}
    spec = {"selector": {"matchLabels": labels}, "template": template}
    workload.add_json_patch(cdk8s.JsonPatch.add("/spec", spec))

    def write() -> list[Path]:
        return write_yaml_folder([chart], tmp_path / "out", default_node_class=True, built_in_pools=built_in)

    if fits:
        assert len(write()) == 1
    else:
        assert refusal(write).endswith(
            "spec.template.spec.nodeSelector: Deployment 'work' fits no pool: no pool launches nodes with "
            "karpenter.sh/nodepool=system; correct the nodeSelector, or set these labels or requirements in a pool"
        )


def test_images_are_judged_where_nodes_do_not_reach_the_internet(tmp_path: Path) -> None:
    def written(image: str, internet: bool | None) -> None:
        chart = cdk8s.Chart(cdk8s.App(), "jobs")
        body = {"spec": {"containers": [{"name": "main", "image": image}]}}
        KubernetesObject(chart, "once", api_version="v1", kind="Pod", cluster_scoped=False, body=body)
        write_yaml_folder([chart], tmp_path / "out", default_node_class=True, internet=internet)

    said = refusal(lambda: written("docker.io/library/nginx:1.29", False))
    where = f"{tmp_path / 'out'}: jobs/once: Pod 'once': spec.containers[0].image: "
    assert said.startswith(f"{where}container 'main': the image 'docker.io/library/nginx:1.29' comes from 'docker.io'")
    written("docker.io/library/nginx:1.29", None)
    written("111122223333.dkr.ecr.eu-central-1.amazonaws.com/nginx:1.29", False)
    with pytest.warns(ChartWarning, match=r"\[automode:ImageSource\]"):
        written("registry.corp.example/nginx:1.29", False)


def test_a_load_balancer_of_ipv4_is_refused_for_an_ipv6_cluster(tmp_path: Path) -> None:
    chart = cdk8s.Chart(cdk8s.App(), "shop")
    body = {"spec": {"type": "LoadBalancer", "ports": [{"port": 80}]}}
    KubernetesObject(chart, "web", api_version="v1", kind="Service", cluster_scoped=False, body=body)
    write_yaml_folder([chart], tmp_path / "out", default_node_class=True)
    write_yaml_folder([chart], tmp_path / "out", default_node_class=True, ip_family="ipv4")
    words = refusal(lambda: write_yaml_folder([chart], tmp_path / "out", default_node_class=True, ip_family="ipv6"))
    assert "is not set, which means ipv4, in an IPv6 cluster: the controller refuses it: 'lb not dual-stack'" in words
