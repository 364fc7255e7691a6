"""The Python that ``automode convert`` writes makes the same objects."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import cdk8s
import pytest
import yaml

from automode_constructs.cli.convert import convert
from automode_constructs.cli.main import main
from automode_constructs.errors import AutoModeError

ROOT = Path(__file__).parents[2]

POOL = """\
apiVersion: karpenter.sh/v1
kind: NodePool
metadata:
  name: batch
  labels: {team: data}
  finalizers: [example.com/keep]
spec:
  template:
    metadata: {labels: {team: data}}
    spec:
      nodeClassRef: {group: eks.amazonaws.com, kind: NodeClass, name: standard}
      requirements:
        - {key: eks.amazonaws.com/instance-category, operator: In, values: [c, m]}
        - {key: eks.amazonaws.com/instance-generation, operator: Gt, values: ["4"]}
        - {key: eks.amazonaws.com/instance-cpu, operator: Lt, values: ["032"]}
        - {key: eks.amazonaws.com/instance-family, operator: Exists, minValues: 2}
        - {key: example.com/mine, operator: DoesNotExist}
      taints: [{key: example.com/batch, effect: NoSchedule}]
      expireAfter: 336h
      terminationGracePeriod: 24h
  disruption: {consolidationPolicy: WhenEmpty, consolidateAfter: 30s, budgets: [{nodes: 10%}]}
  limits: {cpu: 100, memory: 64Gi}
"""
SPARSE_POOL = """\
apiVersion: karpenter.sh/v1
kind: NodePool
metadata: {name: sparse, annotations: {}}
spec:
  template:
    spec:
      nodeClassRef: {group: eks.amazonaws.com, kind: NodeClass, name: default}
      requirements: [{key: eks.amazonaws.com/instance-category, operator: In, values: [c]}]
status: {resources: {cpu: "4"}}
"""
NODE_CLASS = """\
apiVersion: eks.amazonaws.com/v1
kind: NodeClass
metadata: {name: batch}
spec:
  role: nodes
  subnetSelectorTerms: [{tags: {a: 'quote " and \\ and é'}}]
  securityGroupSelectorTerms: [{id: sg-0123456789abcdef0}]
  tags: {Team: data}
"""
STORAGE = """\
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: gp3, annotations: {storageclass.kubernetes.io/is-default-class: "true"}}
provisioner: ebs.csi.eks.amazonaws.com
parameters: {type: gp3, encrypted: "true", tagSpecification_1: "a=b"}
volumeBindingMode: WaitForFirstConsumer
allowVolumeExpansion: true
"""
FOREIGN = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: batch, namespace: apps}
data: {script: "echo ${HOME}\\n\\techo 'a'\\n", empty: ""}
"""
ALL = {"pool": POOL, "sparse": SPARSE_POOL, "class": NODE_CLASS, "storage": STORAGE, "foreign": FOREIGN}
EXAMPLES = sorted((ROOT / "examples/manifests").rglob("*.yaml"))


def rebuilt(code: str) -> Any:
    made: dict[str, Any] = {"__name__": "converted"}
    exec(compile(code, "converted.py", "exec"), made)
    return cdk8s.Testing.synth(made["Converted"](cdk8s.Testing.app(), "converted"))


@pytest.mark.parametrize("text", [*ALL.values(), "---\n".join(ALL.values())], ids=[*ALL, "all"])
def test_running_the_python_gives_the_same_document(text: str) -> None:
    assert rebuilt(convert(text, where="a.yaml")) == list(yaml.safe_load_all(text))


@pytest.mark.parametrize("file", EXAMPLES, ids=[file.stem for file in EXAMPLES])
def test_the_examples_survive_the_way_there_and_back(file: Path) -> None:
    text = file.read_text("utf-8")
    assert rebuilt(convert(text, where=file.name)) == list(yaml.safe_load_all(text))


def test_constructs_and_sentences_are_used_where_they_say_the_same() -> None:
    code = convert(f"{POOL}---\n{SPARSE_POOL}---\n{NODE_CLASS}", where="a.yaml")
    assert 'node_class=NodeClass.from_name("standard", made_elsewhere=True)' in code
    assert 'INSTANCE_CATEGORY.is_in("c", "m")' in code
    assert "INSTANCE_GENERATION.greater_than(4)" in code
    assert 'Requirement(key="eks.amazonaws.com/instance-cpu", operator="Lt", values=["032"])' in code
    assert "spec=NodeClassSpec(" in code
    assert code.count("= NodePool(") == 1, "the sparse pool would get our defaults"
    assert max(len(line) for line in code.splitlines()) <= 120


def test_the_command_prints_a_program_that_prints_the_document(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.yaml").write_text(NODE_CLASS, "utf-8")
    assert main(["convert", str(tmp_path / "a.yaml")]) == 0
    (tmp_path / "a.py").write_text(capsys.readouterr().out, "utf-8")
    ran = subprocess.run(
        [sys.executable, tmp_path / "a.py"], cwd=ROOT, env=_environment(), capture_output=True, text=True, check=True
    )
    assert yaml.safe_load(ran.stdout) == yaml.safe_load(NODE_CLASS)


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        (NODE_CLASS.replace("role:", "rol:"), 1, "NodeClass 'batch': "),
        ("a: 1", 1, "is no Kubernetes object: it has no apiVersion, kind and metadata.name"),
        (POOL.replace("336h", "${EXPIRY}"), 1, "the placeholder '${EXPIRY}' is not filled in"),
        (POOL.replace("name: batch", "name: Batch"), 1, "NodePool: name: 'Batch' cannot be the name of this object"),
        ("a: [", 2, "is not YAML: "),
        (None, 2, "cannot be read: no such file or directory"),
    ],
)
def test_what_cannot_be_converted_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str | None, code: int, message: str
) -> None:
    file = tmp_path / "a.yaml"
    if text is not None:
        file.write_text(text, "utf-8")
    assert main(["convert", str(file)]) == code
    said = capsys.readouterr()
    assert said.out == ""
    assert message in said.err


def test_a_pool_without_its_node_class_is_refused() -> None:
    broken = "\n".join(line for line in POOL.splitlines() if "nodeClassRef" not in line)
    with pytest.raises(AutoModeError) as refused:
        convert(broken, where="a.yaml")
    assert str(refused.value) == ("a.yaml: NodePool 'batch': spec.template.spec.nodeClassRef: is required")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("yes", "a.yaml: is no Kubernetes object: it has no apiVersion, kind and metadata.name"),
        (
            "GPU_pool",
            "a.yaml: NodePool: name: 'GPU_pool' cannot be the name of this object; use at most 63 lower-case letters, "
            "digits, '-' and '.', beginning and ending with a letter or digit",
        ),
    ],
)
def test_a_name_that_kubernetes_refuses_is_refused(name: str, message: str) -> None:
    with pytest.raises(AutoModeError) as refused:
        convert(POOL.replace("name: batch", f"name: {name}", 1), where="a.yaml")
    assert str(refused.value) == message


def test_labels_that_are_no_texts_are_refused() -> None:
    with pytest.raises(AutoModeError, match=r"metadata.labels\['team'\]: needs a text, got True; quote it"):
        convert(POOL.replace("labels: {team: data}", "labels: {team: true}", 1), where="a.yaml")
