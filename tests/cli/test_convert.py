"""The Python that ``automode convert`` writes makes the same objects."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zlib
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

import cdk8s
import pytest
import yaml

from automode_constructs.checks.document import KINDS
from automode_constructs.cli.convert import _FLAT, convert
from automode_constructs.cli.main import main
from automode_constructs.errors import AutoModeError
from automode_constructs.manifests.flat import fields_at
from automode_constructs.specs.messages import inner_model

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
PARAMS = """\
apiVersion: eks.amazonaws.com/v1
kind: IngressClassParams
metadata: {name: alb}
spec: {scheme: internet-facing, group: {name: shared}}
"""
INGRESS_CLASS = """\
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: alb, annotations: {ingressclass.kubernetes.io/is-default-class: "true", example.com/a: "b"}}
spec:
  controller: eks.amazonaws.com/alb
  parameters: {apiGroup: eks.amazonaws.com, kind: IngressClassParams, name: alb}
"""
SNAPSHOTS = """\
apiVersion: snapshot.storage.k8s.io/v1
kind: VolumeSnapshotClass
metadata: {name: snapshots, annotations: {snapshot.storage.kubernetes.io/is-default-class: "true"}}
driver: ebs.csi.eks.amazonaws.com
deletionPolicy: Delete
"""
ATTRIBUTES = """\
apiVersion: storage.k8s.io/v1
kind: VolumeAttributesClass
metadata: {name: fast}
driverName: ebs.csi.eks.amazonaws.com
parameters: {iops: "4000"}
"""
GATEWAY = """\
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: gateway}
spec: {controllerName: eks.amazonaws.com/gateway-alb}
"""
BINDING = """\
apiVersion: eks.amazonaws.com/v1
kind: TargetGroupBinding
metadata: {name: web, namespace: apps}
spec:
  serviceRef: {name: web, port: 80}
  targetGroupARN: arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/web/0123456789abcdef
  targetType: ip
"""
STATIC_POOL = """\
apiVersion: karpenter.sh/v1
kind: NodePool
metadata: {name: "0-static.pool"}
spec:
  replicas: 2
  template:
    metadata: {}
    spec:
      nodeClassRef: {group: eks.amazonaws.com, kind: NodeClass, name: batch}
      requirements: [{key: node.kubernetes.io/instance-type, operator: In, values: [m7g.large]}]
"""
BARE_STORAGE = """\
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: bare}
provisioner: ebs.csi.eks.amazonaws.com
"""
STATIC_WITH_BUDGET = STATIC_POOL.replace("  replicas: 2", "  replicas: 2\n  disruption: {budgets: [{nodes: '1'}]}")
ALL = {
    "pool": POOL,
    "sparse": SPARSE_POOL,
    "static": STATIC_POOL,
    "static with a budget": STATIC_WITH_BUDGET.replace("0-static", "1-static"),
    "class": NODE_CLASS,
    "storage": STORAGE,
    "bare storage": BARE_STORAGE,
    "params": PARAMS,
    "ingress class": INGRESS_CLASS,
    "snapshots": SNAPSHOTS,
    "attributes": ATTRIBUTES,
    "gateway": GATEWAY,
    "binding": BINDING,
    "foreign": FOREIGN,
}
STREAM = "---\n".join(ALL.values())
EXAMPLES = sorted((ROOT / "examples").rglob("*.yaml"))


def rebuilt(code: str) -> Any:
    made: dict[str, Any] = {"__name__": "converted"}
    exec(compile(code, "converted.py", "exec"), made)
    return in_order(cdk8s.Testing.synth(made["Converted"](cdk8s.Testing.app(), "converted")))


def in_order(objects: Iterable[Any]) -> list[Any]:
    return sorted(objects, key=lambda each: (each["kind"], each["metadata"]["name"]))


def formatted(code: str, length: int) -> str:
    command = [sys.executable, "-m", "ruff", "format", "--isolated", "--line-length", str(length), "-"]
    return subprocess.run(command, input=code, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("text", [*ALL.values(), STREAM], ids=[*ALL, "all"])
def test_running_the_python_gives_the_same_objects(text: str) -> None:
    assert rebuilt(convert(text, where="a.yaml")) == in_order(yaml.safe_load_all(text))


@pytest.mark.parametrize("file", EXAMPLES, ids=[file.stem for file in EXAMPLES])
def test_the_examples_survive_the_way_there_and_back(file: Path) -> None:
    objects = [filled_in(each) for each in yaml.safe_load_all(file.read_text("utf-8")) if each]
    if not objects:
        return
    code = convert(yaml.safe_dump_all(objects), where=file.name)
    assert rebuilt(code) == in_order(objects)
    assert formatted(code, 88) == code


def filled_in(value: Any, path: str = "") -> Any:
    """An example's object with values for what only a deployment knows."""
    if isinstance(value, dict):
        return {key: filled_in(item, f"{path}.{key}") for key, item in value.items()}
    if isinstance(value, list):
        return [filled_in(item, path) for item in value]
    if not isinstance(value, str) or not re.search(r"\{\{'|\$\{", value):
        return value
    ids = {
        "ecurityGroup": "sg-0123456789abcdef0",
        "ubnet": "subnet-0123456789abcdef0",
        "role": "nodes",
        "CIDR": "2001:db8::/32",
        "domainNames": f"known-{zlib.crc32(value.encode())}.example.com",
    }
    return next((id for name, id in ids.items() if name in path), "known-later")


@pytest.mark.parametrize("length", [88, 120])
def test_the_python_is_as_ruff_formats_it(length: int) -> None:
    odd = NODE_CLASS.replace("Team: data", 'Team: "it\'s\\t\\\\ \\"quoted\\" é\\x00"').replace(
        "name: batch", "name: odd"
    )
    code = convert(f"{STREAM}---\n{odd}", where="a.yaml")
    assert formatted(code, length) == code


def test_constructs_take_the_short_form() -> None:
    code = convert(f"{POOL}---\n{NODE_CLASS}".replace("name: standard", "name: batch"), where="a.yaml")
    body = code.partition("super().__init__(scope, id)\n")[2].partition("\n\n")[0]
    assert (
        body
        == """\
        batch_class = NodeClass(
            self,
            "batch",
            role="nodes",
            subnet_selector_terms=[
                SubnetSelectorTerm(tags={"a": 'quote " and \\\\ and é'}),
            ],
            security_group_selector_terms=[
                SecurityGroupSelectorTerm(id="sg-0123456789abcdef0"),
            ],
            tags={"Team": "data"},
        )
        batch_pool = NodePool(
            self,
            "batch-nodepool",
            name="batch",
            node_class=batch_class,
            requirements=[
                labels.INSTANCE_CATEGORY.is_in("c", "m"),
                labels.INSTANCE_GENERATION.greater_than(4),
                Requirement(
                    key="eks.amazonaws.com/instance-cpu",
                    operator="Lt",
                    values=["032"],
                ),
                Requirement(
                    key="eks.amazonaws.com/instance-family",
                    operator="Exists",
                    min_values=2,
                ),
                Requirement(key="example.com/mine", operator="DoesNotExist"),
            ],
            taints=[Taint(key="example.com/batch", effect="NoSchedule")],
            expire_after="336h",
            termination_grace_period="24h",
            labels={"team": "data"},
            limits={"cpu": 100, "memory": "64Gi"},
            consolidation_policy="WhenEmpty",
            consolidate_after="30s",
            budgets=[Budget(nodes="10%")],
        )
        batch_pool.metadata.add_label("team", "data")
        batch_pool.add_json_patch(
            cdk8s.JsonPatch.add("/metadata/finalizers", ["example.com/keep"]),
        )"""
    )


def test_a_class_is_made_once_and_handed_to_its_pools() -> None:
    other = POOL.replace("name: batch", "name: other")
    code = convert(f"{POOL}---\n{other}---\n{NODE_CLASS}".replace("name: standard", "name: batch"), where="a.yaml")
    assert code.count("NodeClass(") == 1
    assert code.count("node_class=batch_class,") == 2
    assert 'node_class=NodeClass.from_name("standard", made_elsewhere=True)' in convert(POOL, where="a.yaml")
    assert "params=alb_params" in convert(f"{INGRESS_CLASS}---\n{PARAMS}", where="a.yaml")
    assert "KubernetesObject(" in convert(INGRESS_CLASS, where="a.yaml"), "nothing stands for params made elsewhere"


def test_what_the_construct_would_add_is_taken_away() -> None:
    code = convert(SPARSE_POOL, where="a.yaml")
    assert re.findall(r"add_override\((.*), None\)", code) == [
        '"spec.template.spec.expireAfter"',
        '"spec.template.spec.terminationGracePeriod"',
        '"spec.disruption"',
    ]


@pytest.mark.parametrize("kind", _FLAT)
def test_keywords_and_defaults_are_those_of_the_construct(kind: str) -> None:
    flat = _FLAT[kind]
    module = import_module(f"automode_constructs.manifests.{flat.module}")
    model = next(each.model for each in KINDS if each.kind == kind)
    known: dict[str, str] = {}
    for place in flat.places:
        part: Any = model
        for name in filter(None, place.split(".")):
            part = inner_model(part.model_fields[name].annotation)
        known |= fields_at(place, part, but=flat.constants)
    wholes = {place: place for place in flat.places if place in module.FIELDS}
    assert {**known, **wholes} == module.FIELDS


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
        (NODE_CLASS.replace("role: nodes", "role: nodes\n  role: other"), 1, "the key 'role' stands twice"),
        (
            NODE_CLASS.replace("eks.amazonaws.com/v1", "karpenter.k8s.aws/v1").replace("NodeClass", "EC2NodeClass"),
            1,
            "EC2NodeClass 'batch': apiVersion: 'EC2NodeClass' is open-source Karpenter's",
        ),
        (POOL.replace("336h", "${EXPIRY}"), 1, "the placeholder '${EXPIRY}' is not filled in"),
        (POOL.replace("name: batch", "name: Batch"), 1, "metadata.name: 'Batch' cannot be the name of this object"),
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
        ("yes", "a.yaml: NodePool: metadata.name: needs a text, got True; quote it"),
        (
            "GPU_pool",
            "a.yaml: NodePool 'GPU_pool': metadata.name: 'GPU_pool' cannot be the name of this object; use at most 63 "
            "lower-case letters, digits, '-' and '.', beginning and ending with a letter or digit",
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
