"""``lint --fix`` makes the cures that are exact, and nothing else."""

from __future__ import annotations

import difflib
import json
import os
import re
import stat
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from automode_constructs.checks.document import KINDS
from automode_constructs.cli.fix import FixRun, fix, write_file
from automode_constructs.cli.lint import lint
from automode_constructs.cli.main import main
from automode_constructs.cli.reading import UnreadableError, documents
from automode_constructs.errors import Problem, did_you_mean, meant_by
from tests.specs.documents import BINDING, CLASS, DIAGNOSTIC, PARAMS, places_of
from tests.specs.documents import POOL as SPECS_POOL

ROOT = Path(__file__).parents[2]
TRIALS = sorted((ROOT.parent / "shared/trials").glob("*.yaml"))
EXAMPLES = sorted((ROOT / "examples").rglob("*.yaml"))

POOL = """\
# Batch jobs of the data team.
apiVersion: karpenter.sh/v1
kind: NodePool
metadata:
  name: batch   # as in the jobs' nodeSelector
spec:
  template:
    spec:
      nodeClassRef: {group: eks.amazonaws.com, kind: NodeClass, name: default}
      requirements:
        - key: "eks.amazonaws.com/instance-category"
          operator: In
          values: [c, m]

      # A fortnight.
      expireAfter: 336h
      terminationGracePeriod: 24h
  disruption:
    consolidationPolicy: WhenEmpty
    consolidateAfter: 30s
    budgets:
    - nodes: '10%'
  limits: {cpu: 100, memory: 64Gi}
"""
NODE_CLASS = """\
apiVersion: eks.amazonaws.com/v1
kind: NodeClass
metadata: {name: batch}
spec:
  role: nodes
  subnetSelectorTerms: [{id: subnet-0123456789abcdef0}]
  securityGroupSelectorTerms: [{id: sg-0123456789abcdef0}]
  ephemeralStorage:
    size: 100Gi
  advancedNetworking: {httpsProxy: http://proxy.example.com:3128}
  tags:
    team: data  # who pays
"""
STORAGE = """\
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: gp3}
provisioner: ebs.csi.eks.amazonaws.com
volumeBindingMode: WaitForFirstConsumer
parameters:
  type: gp3
  csi.storage.k8s.io/fstype: ext4
  kmsKeyId: arn:aws:kms:eu-west-1:111122223333:key/a
"""
INGRESS_PARAMS = """\
apiVersion: eks.amazonaws.com/v1
kind: IngressClassParams
metadata: {name: alb}
spec:
  scheme: internal
  certificateARNs: []
"""
SERVICE = """\
apiVersion: v1
kind: Service
metadata:
  name: a
  annotations:
    service.beta.kubernetes.io/aws-load-balancer-scheme: internal
    service.beta.kubernetes.io/aws-load-balancer-healthcheck-port: "8080"
spec:
  type: LoadBalancer
  loadBalancerClass: eks.amazonaws.com/nlb
  ports: [{port: 80}]
"""

EXACT = {
    # renamed labels
    "label of open-source Karpenter": (POOL, '"eks.amazonaws.com/instance-c', '"karpenter.k8s.aws/instance-c'),
    "label of another domain": (POOL, "eks.amazonaws.com/instance-c", "karpenter.sh/instance-c"),
    "misspelt label": (POOL, "eks.amazonaws.com/instance-category", "eks.amazonaws.com/instance-categry"),
    # apiVersions
    "older version": (POOL, "karpenter.sh/v1\n", "karpenter.sh/v1beta1\n"),
    "version of the class": (NODE_CLASS, "eks.amazonaws.com/v1\n", "eks.amazonaws.com/v1beta1\n"),
    "pool of open-source Karpenter": (POOL, "apiVersion: karpenter.sh/v1\n", "apiVersion: karpenter.k8s.aws/v1\n"),
    # the class that a pool refers to
    "kind of open-source Karpenter": (POOL, "kind: NodeClass", "kind: EC2NodeClass"),
    "group of open-source Karpenter": (POOL, "group: eks.amazonaws.com", "group: karpenter.k8s.aws"),
    # spelled names
    "key in another case": (POOL, "nodeClassRef", "nodeclassRef"),
    "key in snake case": (POOL, "consolidateAfter", "consolidate_after"),
    "misspelt key": (POOL, "terminationGracePeriod", "terminationGracePerod"),
    "exchanged letters": (POOL, "expireAfter", "expireAfetr"),
    "key of the spec": (NODE_CLASS, "subnetSelectorTerms", "subnetSelectorTerm"),
    "key of an item": (POOL, "operator: In", "Operator: In"),
    "key of the object": (POOL, "\nspec:", "\nSpec:"),
    "key of a storage class": (STORAGE, "kmsKeyId", "kmsKeyID"),
    "old parameter": (STORAGE, "csi.storage.k8s.io/fstype", "fsType"),
    "key of the load balancer": (INGRESS_PARAMS, "certificateARNs", "certificateArns"),
    "annotation of a Service": (SERVICE, "balancer-scheme", "balancer-schema"),
    # spelled values
    "operator": (POOL, "operator: In", "operator: in"),
    "policy": (POOL, "WhenEmpty", "whenempty"),
    "misspelt policy": (POOL, "WhenEmpty", "WhenEmty"),
    "scheme": (INGRESS_PARAMS, "internal", "Internal"),
    "binding mode": (STORAGE, "WaitForFirstConsumer", "WaitforFirstConsumer"),
    # durations, shares and quantities
    "days": (POOL, "336h", "14d"),
    "weeks": (POOL, "336h", "2 weeks"),
    "quantity": (POOL, "64Gi", "64 gi"),
    "storage": (NODE_CLASS, "100Gi", "100gib"),
    "storage that the CRD's pattern forgets": (NODE_CLASS, "100Gi", "18Ti", "18432Gi"),
    # texts
    "number of nodes": (POOL, "'10%'", "10", '"10"'),
    "label's value": (POOL, "[c, m]", "[c, 7]", "[c, '7']"),
    "annotation's value": (SERVICE, '"8080"', "8080", "'8080'"),
    "tag's value": (NODE_CLASS, "team: data ", "team: 007 ", "team: '007' "),
    "tag that reads as true": (NODE_CLASS, "team: data ", "team: yes ", "team: 'yes' "),
    # places
    "key of the storage": (
        NODE_CLASS,
        "    size: 100Gi\n",
        "    size: 100Gi\n  # the team's key\n  kmsKeyID: alias/nodes # old\n",
        "    size: 100Gi\n    # the team's key\n    kmsKeyID: alias/nodes # old\n",
    ),
    "network in brackets": (
        NODE_CLASS,
        "advancedNetworking: {httpsProxy: http://proxy.example.com:3128}\n",
        "associatePublicIPAddress: false\n  advancedNetworking: {httpsProxy: http://proxy.example.com:3128}\n",
        "advancedNetworking: {httpsProxy: http://proxy.example.com:3128, associatePublicIPAddress: false}\n",
    ),
    "a part that is not there yet": (
        NODE_CLASS,
        "  tags:",
        "  fips: true\n  tags:",
        "  advancedSecurity:\n    fips: true\n  tags:",
    ),
}


INGRESS_CLASS = """\
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: alb}
spec: {controller: eks.amazonaws.com/alb}
"""
GATEWAY_CLASS = """\
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: alb}
spec: {controllerName: eks.amazonaws.com/gateway-alb}
"""
SWITCH = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: amazon-vpc-cni, namespace: kube-system}
data: {enable-network-policy-controller: "true"}
"""
INGRESS = """\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: web
  annotations:
    alb.ingress.kubernetes.io/healthcheck-path: /
    alb.ingress.kubernetes.io/healthcheck-port: "8080"
spec:
  ingressClassName: alb
  defaultBackend: {service: {name: web, port: {number: 80}}}
"""
DETAILS = """\
apiVersion: eks.amazonaws.com/v1
kind: NodeClass
metadata: {name: details}
spec:
  role: nodes
  subnetSelectorTerms: [{id: subnet-0123456789abcdef0}]
  securityGroupSelectorTerms: [{id: sg-0123456789abcdef0}]
  capacityReservationSelectorTerms:
    - tags: {team: data}
      ownerID: '012345678901'
  advancedNetworking:
    ipv4PrefixSize: '32'
    associatePublicIPAddress: false
  ephemeralStorage:
    iops: 4000
  advancedCompute:
    kubelet:
      logging:
        containerLogMaxFiles: 5
      maxPods: 50
"""
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      volumes: [{name: data, emptyDir: {}}]
      containers:
        - name: web
          image: example.com/web:1
          imagePullPolicy: IfNotPresent
          env: [{name: DEBUG, value: '1'}]
          volumeMounts: [{name: data, mountPath: /data, readOnly: true}]
"""
EXACT |= {
    "key of the switch": (SWITCH, "enable-network-policy-controller", "enable-network-policy"),
    "value of the switch": (SWITCH, '"true"', "true", "'true'"),
    "annotation of an Ingress": (INGRESS, "healthcheck-path", "healthcheck-paht"),
    "annotation's value of an Ingress": (INGRESS, '"8080"', "8080", "'8080'"),
    "name in Python's spelling": (SERVICE, "loadBalancerClass", "load_balancer_class"),
    "names of the open-source controller": (
        INGRESS_PARAMS,
        "certificateARNs: []\n",
        "inboundCidrs: []\n  PrefixListsIDs: []\n  listeners: [{protocol: HTTP, port: 80, listenerAttributes: []}]\n",
        "inboundCIDRs: []\n  prefixListsIDs: []\n  listeners: [{protocol: HTTP, port: 80, attributes: []}]\n",
    ),
    "account": (DETAILS, "'012345678901'", "012345678901"),
    "prefix size": (DETAILS, "'32'", "32"),
    "truth value in quotes": (DETAILS, "IPAddress: false", "IPAddress: 'False'"),
    "number in quotes": (DETAILS, "4000", '"4000"'),
    "setting of the logs": (
        DETAILS,
        "      logging:\n        containerLogMaxFiles: 5\n      maxPods: 50\n",
        "      containerLogMaxFiles: 5\n      maxPods: 50\n",
    ),
    "key of a Deployment": (DEPLOYMENT, "replicas", "replica"),
    "choice of a Deployment": (DEPLOYMENT, "IfNotPresent", "ifNotPresent"),
    "number of a Deployment": (DEPLOYMENT, "replicas: 2", 'replicas: "2"'),
    "truth value of a Deployment": (DEPLOYMENT, "readOnly: true", "readOnly: 'true'"),
    "variable of a Deployment": (DEPLOYMENT, "'1'", "1"),
    "label of a Deployment": (
        DEPLOYMENT,
        "metadata: {name: web}",
        "metadata: {name: web, labels: {a: on}}",
        "metadata: {name: web, labels: {a: 'on'}}",
    ),
    "name that reads as true": (NODE_CLASS, "{name: batch}", "{name: yes}", "{name: 'yes'}"),
    "never": (POOL, "30s", "never", "Never"),
    "share as a number": (POOL, "'10%'", "0.1", "10%"),
    "quantity with a fraction": (POOL, "cpu: 100", "cpu: 0.5", "cpu: '0.5'"),
}


def fixed(tmp_path: Path, text: str, *, name: str = "a.yaml", judge: Any = lint) -> FixRun:
    file = tmp_path / name
    file.write_bytes(text.encode())
    return fix([str(file)], lambda texts: judge([str(file)], texts=texts))


def text_of(run: FixRun) -> str:
    (text,) = run.texts.values()
    return text


@pytest.mark.parametrize("case", EXACT.values(), ids=EXACT)
def test_an_exact_cure_gives_the_right_text_back(tmp_path: Path, case: tuple[str, ...]) -> None:
    whole, right, wrong, *instead = case
    assert right in whole
    broken = whole.replace(right, wrong, 1)
    found = lint([write(tmp_path, broken)]).findings
    assert found, "the linter does not find it"
    run = fixed(tmp_path, broken)
    assert text_of(run) == whole.replace(right, instead[0] if instead else right, 1)
    assert not [finding for finding in run.run.findings if finding.severity == "error"]
    assert run.cured >= 1


def write(tmp_path: Path, text: str) -> str:
    (tmp_path / "a.yaml").write_bytes(text.encode())
    return str(tmp_path / "a.yaml")


_SHORT = NODE_CLASS.partition("  ephemeralStorage")[0]
LAYOUTS = {
    "the only field of its parent": (
        "  advancedNetworking:  # none\n    # the team's: old\n    kmsKeyID: alias/a\n",
        "  advancedNetworking: {}  # none\n  # the team's: old\n  ephemeralStorage:\n    kmsKeyID: alias/a\n",
    ),
    "another name there": (
        "  advancedCompute:\n    kubelet:\n      evictionHard:\n        memory.available: 5% # x\n      maxPods: 50\n",
        "  advancedCompute:\n    kubelet:\n      eviction:\n        hard:\n          memory.available: 5% # x\n"
        "      maxPods: 50\n",
    ),
    "no line break at the end": ("  kmsKeyID: alias/a", "  ephemeralStorage:\n    kmsKeyID: alias/a"),
    "after a block of text": (
        "  tags:\n    a: |\n      b\n\n  fips: true\n",
        "  tags:\n    a: |\n      b\n\n  advancedSecurity:\n    fips: true\n",
    ),
    "two fields and a new parent": (
        "  kmsKeyID: alias/a\n  iops: 4000\n  size: 100gi\n",
        "  ephemeralStorage:\n    kmsKeyID: alias/a\n    iops: 4000\n    size: 100Gi\n",
    ),
    "into brackets of several lines": (
        "  ephemeralStorage: {\n    size: 100Gi\n  }\n  kmsKeyID: alias/a\n",
        "  ephemeralStorage: {\n    size: 100Gi,\n    kmsKeyID: alias/a\n  }\n",
    ),
    "into empty brackets": (
        "  ephemeralStorage: {}\n  kmsKeyID: alias/a\n",
        "  ephemeralStorage: {kmsKeyID: alias/a}\n",
    ),
    "out of brackets": (
        "  advancedSecurity: {fips: true, kmsKeyID: alias/a}\n",
        "  advancedSecurity: {fips: true}\n  ephemeralStorage:\n    kmsKeyID: alias/a\n",
    ),
    "the comments above it only": (
        "  # all\n\n  # its own\n  kmsKeyID: alias/a\n  # of the next\n  ephemeralStorage:\n    size: 1Gi\n  # z\n",
        "  # all\n\n  # of the next\n  ephemeralStorage:\n    size: 1Gi\n    # its own\n    kmsKeyID: alias/a\n  # z\n",
    ),
    "texts as they were written": (
        "  tags:\n    a: 7\n    b: yes # y\n    c: 1.10\n    d: 0x1F\n",
        "  tags:\n    a: '7'\n    b: 'yes' # y\n    c: '1.10'\n    d: '0x1F'\n",
    ),
    "keys that read as something else": (
        '  tags: {n: 7, 010: 8, "\U0001f600": 9}  # \U0001f600\n',
        '  tags: {n: "7", 010: "8", "\U0001f600": "9"}  # \U0001f600\n',
    ),
    "a key in another notation": ("  ? kmsKeyID\n  : alias/a\n", "  ? kmsKeyID\n  : alias/a\n"),
    "a key that stands twice": ("  fips: true\n  fips: false\n", "  fips: true\n  fips: false\n"),
    "a merge": ("  <<: &x {fips: true}\n", "  <<: &x {fips: true}\n"),
}


@pytest.mark.parametrize("case", LAYOUTS.values(), ids=LAYOUTS)
def test_layout_stays_where_fields_move(tmp_path: Path, case: tuple[str, str]) -> None:
    broken, right = case
    assert text_of(fixed(tmp_path, _SHORT + broken)) == _SHORT + right


INEXACT = {
    "right in a new Service only": (SERVICE, "amazonaws.com/nlb", "amazonaws.com/NLB"),
    "a controller, right in a new IngressClass only": (INGRESS_CLASS, "eks.amazonaws.com/alb", "eks.amazonaws.com/ALB"),
    "a controller, right in a new GatewayClass only": (GATEWAY_CLASS, "gateway-alb", "gateway-abl"),
    "number without unit": (POOL, "30s", "30"),
    "decimal or binary": (POOL, "64Gi", "64GB"),
    "a category": (POOL, "[c, m]", "[c, q]"),
    "two names are as near": (POOL, "WhenEmpty", "WhenEmptyUnderutilized"),
    "another name": (POOL, "budgets", "limitsOfDisruption"),
    "another driver": (STORAGE, "ebs.csi.eks.amazonaws.com", "ebs.csi.aws.com"),
    "two conditions": (SERVICE, "balancer-scheme", "balancer-internal"),
    "key stands there already": (POOL, "expireAfter: 336h\n", "expireAfter: 336h\n      expire_after: 24h\n"),
}


@pytest.mark.parametrize("case", INEXACT.values(), ids=INEXACT)
def test_a_cure_that_is_not_exact_is_left_to_people(tmp_path: Path, case: tuple[str, str, str]) -> None:
    whole, right, wrong = case
    assert right in whole
    broken = whole.replace(right, wrong, 1)
    assert lint([write(tmp_path, broken)]).findings
    assert text_of(fixed(tmp_path, broken)) == broken


def test_what_a_cure_shows_is_cured_too(tmp_path: Path) -> None:
    broken = POOL.replace("karpenter.sh/v1\n", "karpenter.sh/v1beta1\n").replace(
        "nodeClassRef: {group: eks.amazonaws.com, kind: NodeClass",
        "nodeclassref: {group: karpenter.k8s.aws, kind: EC2NodeClass",
    )
    run = fixed(tmp_path, broken)
    assert text_of(run) == POOL
    assert run.cured == 5, "the right name is no longer missing"


def test_a_field_moves_out_and_takes_its_comments_along(tmp_path: Path) -> None:
    inside = POOL.replace("      # A fortnight.\n      expireAfter: 336h\n", "").replace(
        "    consolidateAfter: 30s\n", "    consolidateAfter: 30s\n    # A fortnight.\n    expireAfter: 14d # at most\n"
    )
    assert text_of(fixed(tmp_path, inside)) == POOL.replace(
        "      # A fortnight.\n      expireAfter: 336h\n", ""
    ).replace("Period: 24h\n", "Period: 24h\n      # A fortnight.\n      expireAfter: 336h # at most\n")


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_line_ends_and_the_byte_order_mark_stay(tmp_path: Path, newline: str, mark: str) -> None:
    broken = NODE_CLASS.replace("  tags:", "  fips: true\n  tags:").replace("100Gi", "100gi")
    file = tmp_path / "a.yaml"
    file.write_bytes((mark + broken.replace("\n", newline)).encode())
    assert main(["lint", "--fix", str(file)]) == 0
    right = NODE_CLASS.replace("  tags:", "  advancedSecurity:\n    fips: true\n  tags:")
    assert file.read_bytes() == (mark + right.replace("\n", newline)).encode()


def test_json_stays_json(tmp_path: Path) -> None:
    data = yaml.safe_load(NODE_CLASS)
    data["spec"]["kmsKeyID"] = "alias/\U0001f600"
    data["spec"]["ephemeralStorage"]["size"] = "100gi"
    data["spec"]["tags"]["number"] = 7
    run = fixed(tmp_path, json.dumps(data, indent=2), name="a.json")
    storage = data["spec"]["ephemeralStorage"]
    storage["kmsKeyID"], storage["size"], data["spec"]["tags"]["number"] = data["spec"].pop("kmsKeyID"), "100Gi", "7"
    assert json.loads(text_of(run)) == data
    assert text_of(run) == json.dumps(data, indent=2), "and keeps its layout"


def test_items_of_a_list_and_other_documents_of_a_stream(tmp_path: Path) -> None:
    listed = "apiVersion: v1\nkind: List\nitems:\n" + "- " + "\n  ".join(POOL.splitlines()[1:]) + "\n"
    broken = listed.replace("WhenEmpty", "whenEmpty")
    stream = f"# nothing\n---\n- a list\n---\n{POOL}---\n{broken}"
    assert text_of(fixed(tmp_path, stream)) == stream.replace("whenEmpty", "WhenEmpty")


def test_an_alias_is_left_alone_with_a_word(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shared = POOL.replace("expireAfter: 336h", "expireAfter: &long 14d").replace("Period: 24h", "Period: *long")
    file = write(tmp_path, shared)
    assert main(["lint", "--fix", file]) == 1
    assert Path(file).read_text() == shared
    said = capsys.readouterr().err
    assert "a.yaml:16:7 left alone: it has an anchor or a tag, so that others may share it" in said
    assert "0 findings cured in 0 files" in said


def test_a_shared_mapping_is_left_alone(tmp_path: Path) -> None:
    requirement = "{key: karpenter.k8s.aws/instance-cpu, operator: Gt, values: ['4']}"
    shared = POOL.replace('- key: "eks', f'- &one {requirement}\n        - *one\n        - key: "eks')
    run = fixed(tmp_path, shared)
    assert text_of(run) == shared
    assert "left alone: other fields would change with it, by an alias, a merge or the layout" in run.summary()


def test_a_template_is_left_alone_with_a_word(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    template = POOL.replace("name: batch", "name: ${NAME}").replace("WhenEmpty", "whenEmpty")
    file = write(tmp_path, template)
    assert main(["lint", "--fix", file]) == 1
    assert Path(file).read_text() == template
    assert "the placeholder '${NAME}' is not filled in" in capsys.readouterr().out


def test_what_is_ignored_is_not_cured(tmp_path: Path) -> None:
    broken = POOL.replace("    consolidationPolicy: WhenEmpty\n", "    consolidationPolicy: whenEmpty\n").replace(
        "      expireAfter: 336h\n", "      # automode: ignore=Value the team wants it\n      expireAfter: 14d\n"
    )
    assert main(["lint", "--fix", write(tmp_path, broken)]) == 0
    assert (tmp_path / "a.yaml").read_text() == broken.replace("whenEmpty", "WhenEmpty")
    assert main(["lint", "--fix", "--select", "UnknownField", write(tmp_path, broken)]) == 0
    assert (tmp_path / "a.yaml").read_text() == broken


def test_diff_shows_and_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = POOL.replace("WhenEmpty", "whenEmpty")
    file = write(tmp_path, broken)
    assert main(["lint", "--diff", file]) == 1
    assert Path(file).read_text() == broken
    said = capsys.readouterr()
    lines = difflib.unified_diff(broken.splitlines(True), POOL.splitlines(True), file, file)
    assert said.out == "".join(lines)
    assert "1 finding can be cured in 1 file" in said.err
    assert main(["lint", "--fix", file]) == 0
    assert main(["lint", "--diff", file]) == 0
    assert capsys.readouterr().out == ""


def test_standard_input_is_printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def give(text: bytes) -> None:
        import io

        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text)))

    give(POOL.replace("WhenEmpty", "whenEmpty").encode())
    assert main(["lint", "--fix", "-"]) == 0
    assert capsys.readouterr().out == POOL
    give(POOL.encode())
    assert main(["lint", "--fix", "-"]) == 0
    assert capsys.readouterr().out == POOL, "a filter prints what needs no cure too"
    give(b"\xff\xfea")
    assert main(["lint", "--fix", "-"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "is UTF-16" in said.err
    assert main(["lint", "--fix", "--format", "json", "-"]) == 2
    assert "would share standard output" in capsys.readouterr().err


def test_a_link_stays_and_permissions_stay(tmp_path: Path) -> None:
    target, link = tmp_path / "target.yaml", tmp_path / "links" / "a.yaml"
    target.write_text(POOL.replace("WhenEmpty", "whenEmpty"))
    target.chmod(0o640)
    link.parent.mkdir()
    link.symlink_to("../target.yaml")
    assert main(["lint", "--fix", str(link)]) == 0
    assert link.is_symlink()
    assert target.read_text() == POOL
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert {path.name for path in tmp_path.iterdir()} == {"links", "target.yaml"}


def test_a_read_only_file_is_said_and_the_others_are_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = tmp_path / "a.yaml", tmp_path / "b.yaml"
    for file, name in ((first, "one"), (second, "two")):
        file.write_text(POOL.replace("WhenEmpty", "whenEmpty").replace("name: batch", f"name: {name}"))
    first.chmod(0o444)
    assert main(["lint", "--fix", str(tmp_path)]) == 2
    assert "a.yaml:1:1: is read-only; make it writable, or use --diff" in capsys.readouterr().err
    assert "whenEmpty" in first.read_text()
    assert "whenEmpty" not in second.read_text()


def test_a_file_that_changes_meanwhile_is_not_written(tmp_path: Path) -> None:
    file = write(tmp_path, POOL)
    with pytest.raises(UnreadableError, match="has changed meanwhile"):
        write_file(file, POOL.replace("batch", "other"), "new")
    assert Path(file).read_text() == POOL
    with pytest.raises(UnreadableError, match="cannot be written: no such file or directory"):
        write_file(str(tmp_path / "gone.yaml"), "", "")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UnreadableError, match="is no file that can be written"):
        write_file(str(tmp_path / "pipe"), "", "")


def test_a_failure_half_way_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(tmp_path, POOL)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UnreadableError, match="cannot be written: no space left on device"):
        write_file(file, POOL, POOL + "# more\n")
    assert Path(file).read_text() == POOL
    assert [path.name for path in tmp_path.iterdir()] == ["a.yaml"]


def test_a_cure_that_would_bring_an_error_is_taken_back(tmp_path: Path) -> None:
    runs: list[str] = []

    def worse(paths: Any, **rest: Any) -> Any:
        run = lint(paths, **rest)
        if runs:  # every text but the first
            first = lint(paths).findings[0]
            other = Problem(field="spec", message="is worse now", rule="automode:Value")
            run.findings.append(
                type(first)(
                    **{n: getattr(first, n) for n in ("file", "line", "column")},
                    document=7,
                    field=other.field,
                    message=other.message,
                    rule=other.rule,
                )
            )
        runs.append("")
        return run

    broken = POOL.replace("WhenEmpty", "whenEmpty")
    run = fixed(tmp_path, broken, judge=worse)
    assert text_of(run) == broken
    assert "left alone: it would bring an error: spec: is worse now" in run.summary()


SLIPS = [
    ("whenempty", ["WhenEmpty", "Balanced"], "WhenEmpty"),
    ("When_Empty", ["WhenEmpty", "Balanced"], "WhenEmpty"),
    ("WhenEmpt", ["WhenEmpty", "Balanced"], "WhenEmpty"),
    ("WhenEmpyt", ["WhenEmpty", "Balanced"], "WhenEmpty"),
    ("WhenEmp", ["WhenEmpty", "Balanced"], ""),
    ("ON_DEMAND", ["on-demand", "spot"], "on-demand"),
    ("spott", ["on-demand", "spot"], ""),
    ("amr64", ["amd64", "arm64"], ""),
    ("arm46", ["amd64", "arm64"], ""),
    ("type1", ["type2", "other"], ""),
    ("cat", ["car", "cap"], ""),
    ("", ["-", "a"], ""),
    ("x" * 400, ["x" * 400], ""),
]


@pytest.mark.parametrize(("word", "known", "meant"), SLIPS)
def test_a_slip_has_one_meaning_or_none(word: str, known: list[str], meant: str) -> None:
    assert meant_by(word, known) == meant
    edit = did_you_mean(word, known, edits="key").edit
    assert (edit.to if edit is not None else "") == meant


# Generated: valid documents, damaged in ways that the linter finds, with layouts of many kinds.


@st.composite
def damaged(draw: st.DrawFn) -> tuple[str, str]:
    """A stream with faults, and what is right."""
    broken, right = zip(*draw(st.lists(_documents(), min_size=1, max_size=3)), strict=True)
    return "---\n".join(broken), "---\n".join(right)


@st.composite
def _documents(draw: st.DrawFn) -> tuple[str, str]:
    whole = draw(st.sampled_from([POOL, NODE_CLASS, STORAGE, INGRESS_PARAMS, SERVICE]))
    broken = right = whole
    layout = draw(st.sampled_from(["text", "text", "json", "json lines", "block", "flow"]))
    faults = draw(
        st.lists(st.sampled_from([case for case in EXACT.values() if case[0] is whole]), max_size=5, unique=True)
    )
    for _, good, bad, *instead in faults:
        # Written anew, a number has lost the form that its writer gave it.
        if good in broken and good in right and (layout == "text" or not re.search(r"\b(007|yes|on)\b", bad)):
            broken, right = broken.replace(good, bad, 1), right.replace(good, instead[0] if instead else good, 1)
    if layout == "text":
        return broken, right
    (document,) = documents(broken)
    if layout in ("json", "json lines"):
        indent = draw(st.integers(1, 4)) if layout == "json lines" else None
        return json.dumps(document.data, indent=indent) + "\n", right
    flow, width = layout == "flow", draw(st.integers(20, 90))
    text: str = yaml.safe_dump(document.data, sort_keys=False, default_flow_style=flow, width=width)
    return text, right


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(damaged())
def test_cures_are_idempotent_and_change_nothing_else(tmp_path: Path, case: tuple[str, str]) -> None:
    broken, right = case
    run = never_worse(tmp_path, broken)
    assert [document.data for document in documents(text_of(run))] == [document.data for document in documents(right)]


@st.composite
def disordered(draw: st.DrawFn) -> str:
    """A whole object with some of its fields renamed, moved, or with a value of another type."""
    kind = draw(st.sampled_from(KINDS[:5]))
    specs = {"NodeClass": CLASS, "NodePool": SPECS_POOL, "IngressClassParams": PARAMS, "TargetGroupBinding": BINDING}
    spec = json.loads(json.dumps(specs.get(kind.kind, DIAGNOSTIC)))
    for _ in range(draw(st.integers(1, 4))):
        places = [(outer, key) for outer, key in places_of(spec) if isinstance(outer, dict) and key]
        outer, key = draw(st.sampled_from(places))
        what = draw(st.sampled_from(["case", "letter", "snake", "move", "text"]))
        value = outer[key]
        if what == "move":
            home = draw(st.sampled_from([spec, *(each[at] for each, at in places if isinstance(each[at], dict))]))
            outer.pop(key)
            home.setdefault(key, value)
        elif what == "text" and isinstance(value, (str, int)):
            number = isinstance(value, str) and value.isdecimal() and value[0] != "0"
            outer[key] = int(value) if number else str(value).lower()
        else:
            letter = draw(st.integers(0, len(key) - 1))
            names = {
                "case": key.upper(),
                "letter": key[:letter] + key[letter + 1 :],
                "snake": re.sub("([A-Z])", r"_\1", key).lower(),
            }
            outer[names.get(what, key)] = outer.pop(key)
    whole = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": "a"}, "spec": spec}
    flow = draw(st.sampled_from([True, False, None]))
    text: str = yaml.safe_dump(whole, sort_keys=False, default_flow_style=flow)
    return text


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(disordered())
def test_disorder_is_never_made_worse(tmp_path: Path, text: str) -> None:
    never_worse(tmp_path, text)


@pytest.mark.parametrize("file", [*EXAMPLES, *TRIALS], ids=lambda file: file.stem)
def test_examples_and_trials_are_never_worse(tmp_path: Path, file: Path) -> None:
    text = file.read_text("utf-8")
    run = never_worse(tmp_path, text)
    if file in EXAMPLES:
        assert text_of(run) == text


def never_worse(tmp_path: Path, text: str) -> FixRun:
    before = lint([write(tmp_path, text)])
    run = fixed(tmp_path, text)
    new = text_of(run)
    assert text_of(fixed(tmp_path, new)) == new, "a second run has nothing to do"
    assert run.run.exit_code(strict=False) <= before.exit_code(strict=False)
    if not run.cured:
        assert new == text
    assert leaves(text) == leaves(new), "nothing comes or goes"
    # Another judge than the fixer's own: a cure changes a line, or moves a field with its comments below a new parent.
    old, changed = (Counter(line.strip() for line in each.splitlines()) for each in (text, new))
    assert ((old - changed) + (changed - old)).total() <= 8 * run.cured
    assert sorted(comments(text)) == sorted(comments(new))
    return run


def comments(text: str) -> list[str]:
    return [line[line.index("# ") :] for line in text.splitlines() if "# " in line]


def leaves(text: str) -> int:
    waiting, number = [document.data for document in documents(text)], 0
    while waiting:
        at = waiting.pop()
        number += not isinstance(at, (dict, list))
        waiting += at.values() if isinstance(at, dict) else at if isinstance(at, list) else ()
    return number
