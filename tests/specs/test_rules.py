"""Every rule has a test that quotes it."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from automode_constructs.checks.document import judge_document
from automode_constructs.cli.explain import rules_page

TESTS = Path(__file__).parents[1]

SOUND = {
    "NodeClass": """
apiVersion: eks.amazonaws.com/v1
kind: NodeClass
metadata: {name: a}
spec:
  role: nodes
  subnetSelectorTerms:
  - {id: subnet-1}
  securityGroupSelectorTerms:
  - {id: sg-1}
""",
    "NodePool": """
apiVersion: karpenter.sh/v1
kind: NodePool
metadata: {name: a}
spec:
  template:
    spec:
      nodeClassRef: {group: eks.amazonaws.com, kind: NodeClass, name: a}
      requirements:
      - key: eks.amazonaws.com/instance-category
        operator: In
        values: [c]
""",
    "IngressClassParams": """
apiVersion: eks.amazonaws.com/v1
kind: IngressClassParams
metadata: {name: a}
spec: {}
""",
    "IngressClass": """
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: a}
spec:
  controller: eks.amazonaws.com/alb
  parameters: {apiGroup: eks.amazonaws.com, kind: IngressClassParams, name: a}
""",
    "TargetGroupBinding": """
apiVersion: eks.amazonaws.com/v1
kind: TargetGroupBinding
metadata: {name: a}
spec:
  serviceRef: {name: a, port: 80}
  targetGroupARN: arn:a
  targetType: instance
""",
    "NodeDiagnostic": """
apiVersion: eks.amazonaws.com/v1alpha1
kind: NodeDiagnostic
metadata: {name: a}
spec: {}
""",
    "StorageClass": """
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: a}
provisioner: ebs.csi.eks.amazonaws.com
volumeBindingMode: WaitForFirstConsumer
""",
    "ApplicationNetworkPolicy": """
apiVersion: networking.k8s.aws/v1alpha1
kind: ApplicationNetworkPolicy
metadata: {name: a}
spec:
  podSelector: {}
""",
    "ClusterNetworkPolicy": """
apiVersion: networking.k8s.aws/v1alpha1
kind: ClusterNetworkPolicy
metadata: {name: a}
spec:
  tier: Admin
  priority: 1
  subject:
    namespaces: {}
""",
}
"""A document of each kind, in order."""

BREACHES = [
    (
        "NodeClass",
        "spec: null",
        "error automode:MissingField spec: is required",
    ),
    (
        "NodeClass",
        "apiVersion: eks.amazonaws.com/v1beta1",
        "error automode:ApiVersion apiVersion: 'eks.amazonaws.com/v1beta1' is not served; write eks.amazonaws.com/v1",
    ),
    (
        "NodePool",
        "apiVersion: karpenter.sh/v1beta1",
        "error automode:ApiVersion apiVersion: 'karpenter.sh/v1beta1' is not served; write karpenter.sh/v1",
    ),
    (
        "NodePool",
        "apiVersion: karpenter.k8s.aws/v1",
        "error automode:OpenSourceKarpenter apiVersion: 'NodePool' is open-source Karpenter's and not served on Auto "
        "Mode; write karpenter.sh/v1",
    ),
    (
        "NodePool",
        "apiVersion: eks.amazonaws.com/v1",
        "error automode:ApiVersion apiVersion: 'eks.amazonaws.com/v1' is not served; write karpenter.sh/v1",
    ),
    (
        "NodeClass",
        "metadata: {name: default}",
        "error automode:ReservedName metadata.name: 'default' belongs to EKS; choose another name",
    ),
    (
        "NodePool",
        "metadata: {name: system}",
        "error automode:ReservedName metadata.name: 'system' belongs to EKS; choose another name",
    ),
    (
        "NodeClass",
        "{apiVersion: karpenter.k8s.aws/v1, kind: EC2NodeClass}",
        "error automode:OpenSourceKarpenter apiVersion: 'EC2NodeClass' is open-source Karpenter's and not served on "
        "Auto Mode; write a NodeClass of eks.amazonaws.com/v1",
    ),
    (
        "NodeClass",
        "spec: {subnetSelectorTerms: [{id: subnet-1, tags: {a: b}}]}",
        "error automode:SelectorTerm spec.subnetSelectorTerms[0]: a selector term needs exactly one of 'id', "
        "'tags', got 'id' and 'tags'; write a term for each way to select",
    ),
    (
        "NodeClass",
        "spec: {subnetSelectorTerms: [{tags: {a: ''}}]}",
        "error automode:SelectorTag spec.subnetSelectorTerms[0].tags: an empty tag key or value selects nothing; "
        "use '*' for any value of a key",
    ),
    (
        "NodeClass",
        "spec: {instanceProfile: nodes}",
        "error automode:NodeIdentity spec.role: a NodeClass needs exactly one of 'role' and 'instanceProfile', got "
        "both",
    ),
    (
        "NodeClass",
        "spec: {podSubnetSelectorTerms: [{id: subnet-2}]}",
        "error automode:PodNetwork spec.podSubnetSelectorTerms: 'podSubnetSelectorTerms' and "
        "'podSecurityGroupSelectorTerms' must be set together",
    ),
    (
        "NodeClass",
        "spec: {tags: {'aws:a': b}}",
        "error automode:ReservedTag spec.tags: the tag key 'aws:a' is reserved for Auto Mode; remove it",
    ),
    (
        "NodeClass",
        "spec: {capacityReservationSelectorTerms: [{id: cr-1, owner: '111122223333'}]}",
        "error automode:ReservationTerm spec.capacityReservationSelectorTerms[0]: a term with an 'id' has no other "
        "field, got 'owner' too; write a term for each way to select",
    ),
    (
        "NodeClass",
        "spec: {placementGroupSelector: {}}",
        "error automode:PlacementGroup spec.placementGroupSelector: needs exactly one of 'name' and 'id', got neither",
    ),
    (
        "NodeClass",
        "spec: {certificateBundles: [{name: a, data: '-----BEGIN CERTIFICATE-----'}]}",
        "error automode:CertificateData spec.certificateBundles[0].data: is a PEM text, not base64; write the PEM "
        "file encoded in base64",
    ),
    (
        "NodeClass",
        "spec: {advancedNetworking: {networkInterfaces: [{networkCardIndex: 0, deviceIndex: 1, interfaceType: "
        "interface, secondaryIPv4PrefixCount: 1}]}}",
        "error automode:PrimaryInterface spec.advancedNetworking.networkInterfaces: has no interface at network "
        "card 0, device 0; add it, with type 'interface'",
    ),
    (
        "NodeClass",
        "spec: {advancedNetworking: {networkInterfaces: [{networkCardIndex: 0, deviceIndex: 0, interfaceType: "
        "interface, secondaryIPv4PrefixCount: 1}, {networkCardIndex: 0, deviceIndex: 0, interfaceType: interface}]}}",
        "error automode:InterfaceTwice spec.advancedNetworking.networkInterfaces[1]: network card 0, device 0 has "
        "an interface already; use the next device index",
    ),
    (
        "NodeClass",
        "spec: {advancedNetworking: {networkInterfaces: [{networkCardIndex: 0, deviceIndex: 0, interfaceType: "
        "interface, secondaryIPv4Count: 1, secondaryIPv4PrefixCount: 1}]}}",
        "error automode:SecondaryAddresses spec.advancedNetworking.networkInterfaces[0].secondaryIPv4PrefixCount: "
        "an interface has one of 'secondaryIPv4Count' and 'secondaryIPv4PrefixCount', got both",
    ),
    (
        "NodeClass",
        "spec: {advancedNetworking: {associatePublicIPAddress: true, networkInterfaces: [{networkCardIndex: 0, "
        "deviceIndex: 0, interfaceType: interface, secondaryIPv4Count: 1}, {networkCardIndex: 0, deviceIndex: 1, "
        "interfaceType: interface}]}}",
        "error automode:PublicAddressOfManyInterfaces spec.advancedNetworking.associatePublicIPAddress: a node with "
        "2 network interfaces cannot have a public address; remove it",
    ),
    (
        "NodeClass",
        "spec: {advancedNetworking: {networkInterfaces: [{networkCardIndex: 0, deviceIndex: 0, interfaceType: "
        "interface, secondaryIPv4PrefixCount: 1}, {networkCardIndex: 1, deviceIndex: 0, interfaceType: efa-only}]}, "
        "advancedCompute: {hugepages: {pages: [{size: 2Mi, count: 1}]}}}",
        "error automode:EfaWithHugepages spec.advancedCompute.hugepages.pages: static hugepages and 'efa-only' "
        "network interfaces exclude each other; use a NodeClass for each",
    ),
    (
        "NodeClass",
        "spec: {advancedCompute: {hugepages: {pages: [{size: 2Mi, count: 1}, {size: 2Mi, count: 2}]}}}",
        "error automode:HugepageSizeTwice spec.advancedCompute.hugepages.pages[1]: '2Mi' is there already; add up "
        "the counts",
    ),
    (
        "NodeClass",
        "spec: {advancedCompute: {hugepages: {transparent: {enabled: never, defrag: always}}}}",
        "error automode:TransparentHugepages spec.advancedCompute.hugepages.transparent.defrag: 'always' does not "
        "go with 'enabled' of 'never'; remove it or write 'never'",
    ),
    (
        "NodeClass",
        "spec: {advancedCompute: {kubelet: {podPidsLimit: 99}}}",
        "error automode:PodPidsLimit spec.advancedCompute.kubelet.podPidsLimit: must be -1 or at least 100, got 99",
    ),
    (
        "NodeClass",
        "spec: {advancedCompute: {kubelet: {eviction: {soft: {memory.available: 10%}}}}}",
        "error automode:SoftEvictionGrace spec.advancedCompute.kubelet.eviction.softGracePeriod: has no grace "
        "period for 'memory.available'; add one for every signal of 'soft'",
    ),
    (
        "NodeClass",
        "spec: {advancedCompute: {kubelet: {eviction: {hard: {memory.available: 10%}, soft: {memory.available: 5%}, "
        "softGracePeriod: {memory.available: 1m}}}}}",
        "error automode:SoftEvictionThreshold spec.advancedCompute.kubelet.eviction.soft['memory.available']: '5%' "
        "is not reached before the hard threshold '10%'; make it larger than the hard one",
    ),
    (
        "NodeClass",
        "spec: {advancedCompute: {kubelet: {idsPerPod: 65536}}}",
        "error automode:UserNamespaces spec.advancedCompute.kubelet.idsPerPod: needs the sysctl "
        "'user.max_user_namespaces' above 0 in the same NodeClass, got nothing; set it in 'kernel.sysctl'",
    ),
    (
        "NodeClass",
        "spec: {advancedCompute: {kernel: {sysctl: {vm.dirty_ratio: 10}}}}",
        "error automode:DirtyRatios spec.advancedCompute.kernel.sysctl['vm.dirty_ratio']: does not stand without "
        "'vm.dirty_background_ratio'; set them together",
    ),
    (
        "NodeClass",
        "spec: {advancedCompute: {kernel: {sysctl: {net.ipv4.neigh.default.gc_thresh1: 2048, "
        "net.ipv4.neigh.default.gc_thresh2: 1024, net.ipv4.neigh.default.gc_thresh3: 4096}}}}",
        "error automode:NeighbourThresholds "
        "spec.advancedCompute.kernel.sysctl['net.ipv4.neigh.default.gc_thresh1']: must be "
        "'net.ipv4.neigh.default.gc_thresh1' < 'net.ipv4.neigh.default.gc_thresh2' < "
        "'net.ipv4.neigh.default.gc_thresh3', got 2048, 1024, 4096",
    ),
    (
        "NodePool",
        "spec: {template: {spec: {requirements: [{key: karpenter.k8s.aws/instance-category, operator: In, values: "
        "[c]}, {key: eks.amazonaws.com/instance-category, operator: In, values: [c]}]}}}",
        "error automode:OpenSourceKarpenterLabel spec.template.spec.requirements[0].key: "
        "'karpenter.k8s.aws/instance-category' is a label of open-source Karpenter, which no node of Auto Mode has; "
        "use 'eks.amazonaws.com/instance-category'",
    ),
    (
        "NodePool",
        "spec: {template: {spec: {requirements: [{key: kubernetes.io/os, operator: In, values: [windows]}]}}}",
        "error automode:Windows spec.template.spec.requirements[0].values: Auto Mode launches Linux only, so that "
        "this admits nothing; remove the requirement",
    ),
    (
        "NodePool",
        "spec: {template: {spec: {requirements: [{key: kubernetes.io/arch, operator: In, values: [x86]}]}}}",
        "error automode:LabelValue spec.template.spec.requirements[0].values: 'kubernetes.io/arch' is never 'x86', "
        "so that this admits nothing; did you mean 'amd64'? Use one of 'amd64', 'arm64'",
    ),
    (
        "NodePool",
        "spec: {template: {spec: {requirements: [{key: node.kubernetes.io/instance-type, operator: In, values: "
        "[t3.micro]}]}}}",
        "error automode:InstancesTooSmall spec.template.spec.requirements[0].values: Auto Mode never launches "
        "t3.micro; the smallest size is medium or large",
    ),
    (
        "NodePool",
        "spec: {template: {spec: {expireAfter: 720h}}}",
        "error automode:NodeLifetime spec.template.spec.expireAfter: the sum of expireAfter (720h) and "
        "terminationGracePeriod (24h) is over 21 days (504h); shorten one of them",
    ),
    (
        "NodePool",
        "spec: {template: {spec: {taints: [{key: a, effect: NoSchedule}, {key: a, value: b, effect: NoSchedule}]}}}",
        "error automode:DuplicateTaint spec.template.spec.taints[1]: the nodes have a taint 'a' with effect "
        "NoSchedule already; remove one of the two",
    ),
    (
        "NodePool",
        "spec: {template: {spec: {nodeClassRef: {group: karpenter.k8s.aws}}}}",
        "error automode:NodeClassReference spec.template.spec.nodeClassRef.group: 'karpenter.k8s.aws' is "
        "open-source Karpenter's and not served on Auto Mode; use 'eks.amazonaws.com'",
    ),
    (
        "StorageClass",
        "parameters: {type: gp2, throughput: '250'}",
        "error automode:StorageThroughput parameters.throughput: only gp3 has a throughput, not gp2; remove it",
    ),
    (
        "StorageClass",
        "parameters: {encrypted: 'false', kmsKeyId: 'arn:aws:kms:us-west-2:111122223333:key/a'}",
        "error automode:StorageKey parameters.kmsKeyId: a volume that is not encrypted has no key; remove it",
    ),
    (
        "StorageClass",
        "parameters: {kmsKeyId: alias/a}",
        "warning automode:StorageKeyArn parameters.kmsKeyId: 'alias/a' is not an ARN, which the driver asks "
        "for, so it may make no volume; write the key's full ARN. An existing StorageClass refuses this "
        "change: delete it and create it again",
    ),
    (
        "StorageClass",
        "parameters: {type: io2}",
        "warning automode:StorageIops parameters.iops: io2 needs one of 'iops' and 'iopsPerGB', got neither, "
        "so no volume is made",
    ),
    (
        "StorageClass",
        "parameters: {tagSpecification_1: team}",
        "error automode:StorageTag parameters['tagSpecification_1']: 'team' is not a tag; write key=value",
    ),
    (
        "StorageClass",
        "volumeBindingMode: Immediate",
        "warning automode:VolumeBinding volumeBindingMode: is Immediate, so a volume is made before its pod "
        "has a node, in a zone where that may never run; write WaitForFirstConsumer. An existing StorageClass "
        "refuses this change: delete it and create it again",
    ),
    (
        "IngressClassParams",
        "spec: {subnets: {ids: [subnet-1], matchTags: [{key: a}]}}",
        "error automode:IngressSubnets spec.subnets: subnets need exactly one of 'ids' and 'matchTags', got both",
    ),
    (
        "IngressClassParams",
        "spec: {tags: [{key: 'aws:a', value: b}]}",
        "error automode:AwsTagPrefix spec.tags[0].key: 'aws:a' begins with 'aws:'; choose another key",
    ),
    (
        "IngressClassParams",
        "spec: {namespaceSelector: {matchExpressions: [{key: a, operator: In}]}}",
        "error automode:LabelSelector spec.namespaceSelector.matchExpressions[0].values: In needs at least one "
        "value; name the values",
    ),
    (
        "IngressClass",
        "spec: {controller: eks.amazonaws.com/nlb}",
        "warning automode:IngressController spec.controller: 'eks.amazonaws.com/nlb' is not known, so no controller "
        "makes load balancers for its Ingresses; write eks.amazonaws.com/alb. An existing IngressClass refuses this "
        "change: delete it and create it again",
    ),
    (
        "IngressClass",
        "spec: {parameters: {apiGroup: elbv2.k8s.aws}}",
        "error automode:IngressClassParameters spec.parameters: 'IngressClassParams' of 'elbv2.k8s.aws' is not read "
        "by Auto Mode; write apiGroup: eks.amazonaws.com and kind: IngressClassParams",
    ),
    (
        "IngressClass",
        "spec: {parameters: {namespace: b}}",
        "error automode:ParametersNamespace spec.parameters.namespace: does not fit scope Cluster; leave out scope "
        "and namespace",
    ),
    (
        "TargetGroupBinding",
        "spec: {networking: {ingress: [{from: [{securityGroup: {groupID: sg-1}}], ports: [{port: http}]}]}}",
        "error automode:TargetPort spec.networking.ingress[0].ports[0].port: 'http' is not a number, which target "
        "type instance needs; write the node port",
    ),
    (
        "NodeDiagnostic",
        "spec: {packetCapture: {duration: 2h, upload: {url: 'https://a', fields: {}}}}",
        "error automode:CaptureDuration spec.packetCapture.duration: '2h' is more than an hour; write 1h or less",
    ),
    (
        "ApplicationNetworkPolicy",
        "spec: {egress: [{to: [{domainNames: [a.b], podSelector: {}}]}]}",
        "error automode:PolicyPeer spec.egress[0].to[0]: a peer is selected in one way, got 'podSelector' and "
        "'domainNames'; write a peer for each",
    ),
    (
        "ApplicationNetworkPolicy",
        "spec: {egress: [{ports: [{port: 90, endPort: 80}]}]}",
        "error automode:PolicyPort spec.egress[0].ports[0].endPort: 80 needs a 'port' that is a number and not "
        "above it, got 90",
    ),
    (
        "ClusterNetworkPolicy",
        "spec: {egress: [{action: Deny, to: [{domainNames: [a.b]}]}]}",
        "error automode:DeniedDomain spec.egress[0].to[0].domainNames: domain names cannot be denied; accept some "
        "and deny networks below",
    ),
    (
        "ClusterNetworkPolicy",
        "spec: {egress: [{action: Accept, to: [{networks: [10.0.0.0/8, 10.0.0.0/8]}]}]}",
        "error automode:PolicyList spec.egress[0].to[0].networks: names one twice; name each once",
    ),
    (
        "NodePool",
        "spec: {disruption: {consolidateAfter: 1h, budgets: [{nodes: '1', reasons: [Empty, Empty]}]}}",
        "error automode:BudgetReasons spec.disruption.budgets[0].reasons: names a reason twice; name each once",
    ),
]
"""What is changed in a sound document, and all that is found then."""


def found(document: dict[str, Any]) -> list[str]:
    findings = judge_document(document) or []
    return [f"{finding.severity} {finding.rule} {finding}" for finding in findings]


def changed(document: Any, change: Any) -> Any:
    if not isinstance(document, dict) or not isinstance(change, dict):
        return change
    made = {**document, **{name: changed(document.get(name), value) for name, value in change.items()}}
    return {name: value for name, value in made.items() if value is not None}


@pytest.mark.parametrize("kind", SOUND)
def test_a_sound_document_breaks_no_rule(kind: str) -> None:
    assert found(yaml.safe_load(SOUND[kind])) == []


@pytest.mark.parametrize(("kind", "change", "finding"), BREACHES)
def test_a_breach_is_told_by_its_rule(kind: str, change: str, finding: str) -> None:
    assert found(changed(yaml.safe_load(SOUND[kind]), yaml.safe_load(change))) == [finding]


SPOILT = {
    "NodeClass": ({"spec": {"snatPolicy": 7}}, "error automode:Value spec.snatPolicy: 7 is not allowed; "),
    "NodePool": ({"spec": {"weight": 101}}, "error automode:Value spec.weight: must be at most 100, got 101"),
}


@pytest.mark.parametrize(
    ("kind", "change", "finding"), [breach for breach in BREACHES if breach[0] in SPOILT and "spec: {" in breach[1]]
)
def test_a_wrong_value_hides_no_breach_that_has_nothing_to_do_with_it(kind: str, change: str, finding: str) -> None:
    fault, told = SPOILT[kind]
    document = changed(changed(yaml.safe_load(SOUND[kind]), yaml.safe_load(change)), fault)
    other, *rest = sorted(found(document), key=lambda text: not text.startswith(told))
    assert other.startswith(told)
    assert rest == [finding]


@pytest.mark.parametrize(
    ("nodes", "rules"),
    [
        ({"expireAfter": "720h", "requirements": [{"key": "a", "operator": "in"}]}, ["Value", "NodeLifetime"]),
        ({"expireAfter": "720h", "requirements": [{"key": "a", "operator": "In"}]}, ["NodeLifetime", "OperatorValues"]),
        ({"expireAfter": "720h", "taints": [{"key": "a"}]}, ["MissingField", "NodeLifetime"]),
        ({"expireAfter": "720h", "requirements": []}, ["NodeLifetime", "NoRequirements"]),
        # Whether these nodes live too long, or are all accelerated, hangs on what cannot be read.
        ({"expireAfter": 720, "terminationGracePeriod": "700h"}, ["Value"]),
        ({"expireAfer": "1h", "terminationGracePeriod": "500h"}, ["UnknownField"]),
        ({"requirements": [{"key": "a", "operator": "In", "value": ["b"]}]}, ["UnknownField"]),
        ({"requirements": None}, ["MissingField"]),
    ],
)
def test_beside_a_wrong_field_those_rules_are_judged_that_do_not_look_at_it(
    nodes: dict[str, Any], rules: list[str]
) -> None:
    told = found(changed(yaml.safe_load(SOUND["NodePool"]), {"spec": {"template": {"spec": nodes}}}))
    assert [text.split()[1].removeprefix("automode:") for text in told] == rules


def test_a_node_has_at_most_100_labels_of_its_pool() -> None:
    labels = {f"label-{number}": "a" for number in range(101)}
    change = {"spec": {"template": {"metadata": {"labels": labels}}}}
    assert found(changed(yaml.safe_load(SOUND["NodePool"]), change)) == [
        "error automode:NodeLabels spec.template.metadata.labels: must have at most 100 labels, got 101"
    ]


def test_every_rule_is_quoted_by_a_test() -> None:
    listed = set(re.findall(r"`(automode:[A-Za-z]+)`", rules_page()))
    quoted: set[str] = set()
    for file in TESTS.rglob("test_*.py"):
        tree = ast.parse(file.read_text("utf-8"))
        docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
                quoted |= set(re.findall(r"automode:[A-Za-z]+", node.value))
    assert listed
    assert sorted(listed - quoted) == []
