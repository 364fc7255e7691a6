"""What the API server refuses in Kubernetes' own kinds."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from automode_constructs.checks.document import judge_document
from automode_constructs.checks.kubernetes_objects import kubernetes_problems
from tests.specs.test_rules import changed

SOUND = {
    "Deployment": """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 25%, maxUnavailable: 0}}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web, tier: front}}
    spec:
      nodeSelector: {eks.amazonaws.com/compute-type: auto}
      tolerations: [{key: a, operator: Exists, effect: NoSchedule}]
      volumes: [{name: data, emptyDir: {}}, {name: bare}]
      initContainers: [{name: first, image: a, restartPolicy: Always}]
      containers:
        - name: web
          image: nginx
          command: [sh, -c, "echo ${HOME} {{ here }}"]
          ports: [{name: http, containerPort: 80}, {name: udp, containerPort: 80, protocol: UDP}]
          env: [{name: A, value: "1"}, {name: B, value: "", valueFrom: {fieldRef: {fieldPath: metadata.name}}}]
          resources: {requests: {cpu: 500m, memory: 1Gi, nvidia.com/gpu: 1}, limits: {memory: 1Gi, nvidia.com/gpu: 1}}
          readinessProbe: {httpGet: {path: /, port: http}}
          volumeMounts: [{name: data, mountPath: /data}]
""",
    "StatefulSet": """
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: db, image: db, volumeMounts: [{name: data, mountPath: /data}]}]}
  volumeClaimTemplates:
    - {metadata: {name: data}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}
""",
    "Job": """
apiVersion: batch/v1
kind: Job
metadata: {name: once}
spec:
  podFailurePolicy: {rules: [{action: Ignore, onPodConditions: [{type: DisruptionTarget, status: "True"}]}]}
  template: {spec: {restartPolicy: Never, containers: [{name: a, image: b}]}}
status: {succeeded: 1}
""",
    "CronJob": """
apiVersion: batch/v1
kind: CronJob
metadata: {name: daily}
spec:
  schedule: "@daily"
  jobTemplate: {spec: {template: {spec: {restartPolicy: OnFailure, containers: [{name: a, image: b}]}}}}
""",
    "Pod": """
apiVersion: v1
kind: Pod
metadata: {name: one}
spec: {containers: [{name: a, image: b}]}
""",
    "Service": """
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: http}, {name: dns, port: 80, protocol: UDP, targetPort: 53}]
""",
    "NLB": """
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {type: LoadBalancer, loadBalancerClass: eks.amazonaws.com/nlb, ports: [{port: 80, targetPort: 8080}]}
""",
    "Ingress": """
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
spec:
  ingressClassName: alb
  rules:
    - host: "*.example.com"
      http: {paths: [{path: /*, pathType: ImplementationSpecific, backend: {service: {name: a, port: {number: 80}}}}]}
    - http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: a, port: {name: http}}}}]}
""",
    "PersistentVolumeClaim": """
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 10Gi}}}
""",
    "ConfigMap": """
apiVersion: v1
kind: ConfigMap
metadata: {name: a}
data: {nginx.conf: "server ${host} {{ name }}"}
binaryData: {b: YQ==}
""",
    "Secret": """
apiVersion: v1
kind: Secret
metadata: {name: a}
data: {a: YQ==}
stringData: {b: plain}
""",
    "PodDisruptionBudget": """
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: a}
spec: {minAvailable: 50%, selector: {matchLabels: {app: a}}}
""",
    "NetworkPolicy": """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: a}
spec: {podSelector: {}, policyTypes: [Ingress], ingress: [{ports: [{port: http}, {port: 80, endPort: 90}]}]}
""",
    "HorizontalPodAutoscaler": """
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: a}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  maxReplicas: 3
  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 60}}}]
""",
}


def found(kind: str, change: str) -> list[str]:
    document = changed(yaml.safe_load(SOUND[kind]), yaml.safe_load(change))
    return [f"{one.severity} {one.rule} {one}" for one in judge_document(document) or ()]


@pytest.mark.parametrize("kind", SOUND)
def test_a_sound_object_has_no_finding(kind: str) -> None:
    assert not judge_document(yaml.safe_load(SOUND[kind]))


_POD = "spec.template.spec"
_WEB = f"{_POD}.containers[0]"


def container(**fields: Any) -> str:
    whole = {"name": "web", "image": "nginx", **fields}
    return yaml.safe_dump({"spec": {"template": {"spec": {"containers": [whole]}}}})


REFUSED: list[tuple[str, str, str]] = [
    # Types, names and required fields.
    (
        "Deployment",
        "spec: {replicas: '2'}",
        "automode:Value spec.replicas: needs a whole number, got '2'; write 2 without quotes",
    ),
    ("Deployment", "spec: {replicas: -1}", "automode:Value spec.replicas: must be at least 0, got -1"),
    (
        "Deployment",
        "spec: {replicas: 3000000000}",
        "automode:Value spec.replicas: 3000000000 is too large for this field",
    ),
    (
        "Deployment",
        "spec: {paused: 'true'}",
        "automode:Value spec.paused: needs true or false, got 'true'; write true without quotes",
    ),
    ("Deployment", "spec: {selector: null}", "automode:MissingField spec.selector: is required"),
    ("Deployment", "spec: {template: []}", "automode:Value spec.template: needs a mapping, got a list of 0"),
    (
        "Deployment",
        "spec: {containers: []}",
        "automode:UnknownField spec.containers: is not a known field; write it in 'template.spec'",
    ),
    (
        "Deployment",
        "spec: {template: {replicas: 2}}",
        "automode:UnknownField spec.template.replicas: is not a known field; write it further out, beside 'template'",
    ),
    (
        "Deployment",
        "spec: {strategy: {rollingUpdate: {maxSurge: '25'}}}",
        "automode:Value spec.strategy.rollingUpdate.maxSurge: '25' is neither a whole number nor a share such as "
        "'25%'; "
        "write 25 without quotes",
    ),
    (
        "Deployment",
        "spec: {template: {metadata: {labels: {tier: 1}}}}",
        "automode:ObjectMetadata spec.template.metadata.labels['tier']: needs a text, got 1; quote it: '1'",
    ),
    (
        "Deployment",
        "spec: {template: {spec: {nodeSelector: {a: true}}}}",
        f"automode:ObjectMetadata {_POD}.nodeSelector['a']: needs a text, got True; quote it",
    ),
    (
        "Deployment",
        "spec: {template: {spec: {tolerations: [{effect: NoSchedul}]}}}",
        f"automode:Value {_POD}.tolerations[0].effect: 'NoSchedul' is not allowed; did you mean 'NoSchedule'? Use "
        "one of "
        "'', 'NoSchedule', 'PreferNoSchedule', 'NoExecute'",
    ),
    (
        "Deployment",
        container(image=None, imagePullPolicy="Sometimes"),
        f"automode:Value {_WEB}.imagePullPolicy: 'Sometimes' is not allowed; use one of 'Always', 'IfNotPresent', "
        "'Never'",
    ),
    (
        "Deployment",
        container(name="Web"),
        f"automode:Value {_WEB}.name: 'Web' is not allowed; use at most 63 lower-case letters, digits and '-', "
        "beginning and ending with a letter or digit",
    ),
    (
        "Deployment",
        container(env=[{"name": "A", "value": 1}]),
        f"automode:Value {_WEB}.env[0].value: needs a text, got 1; quote it: '1'",
    ),
    (
        "Deployment",
        container(env=[{"name": "A=B"}]),
        f"automode:Value {_WEB}.env[0].name: 'A=B' is not the name of a variable; use letters, digits, '_', '-' and "
        "'.'",
    ),
    ("Deployment", container(args=[8080]), f"automode:Value {_WEB}.args[0]: needs a text, got 8080; quote it: '8080'"),
    ("Deployment", container(args=[None]), f"automode:Value {_WEB}.args[0]: is empty; remove it"),
    (
        "Deployment",
        container(ports=[{"containerPort": 0}]),
        f"automode:Value {_WEB}.ports[0].containerPort: must be 1 to 65535, got 0",
    ),
    (
        "Deployment",
        container(ports=[{"containerPort": 80, "name": "much-too-long-a-name"}]),
        f"automode:Value {_WEB}.ports[0].name: 'much-too-long-a-name' is not allowed; use at most 15 lower-case "
        "letters, digits and '-', with a letter among them and no '-' at either end",
    ),
    (
        "Deployment",
        container(resources={"limits": {"memory": "1GB"}}),
        f"automode:Value {_WEB}.resources.limits['memory']: '1GB' is not a quantity such as 1000, '500m' or '64Gi'; "
        "did you mean '1G' or '1Gi'?",
    ),
    (
        "NetworkPolicy",
        "spec: {ingress: [{ports: [{port: '80'}]}]}",
        "automode:Value spec.ingress[0].ports[0].port: '80' is the name of a port, and a name has a letter; write 80 "
        "without quotes",
    ),
    ("HorizontalPodAutoscaler", "spec: {maxReplicas: 0}", "automode:Value spec.maxReplicas: must be at least 1, got 0"),
    # Pods.
    (
        "Deployment",
        "spec: {selector: {matchLabels: {app: null}}}",
        "automode:PodSelector spec.selector: is empty; write the labels of the pods in matchLabels",
    ),
    (
        "Deployment",
        "spec: {selector: {matchLabels: {app: other}}}",
        "automode:PodSelector spec.selector.matchLabels['app']: the pods' labels (spec.template.metadata.labels) do "
        "not have 'app': 'other'; write the same label there",
    ),
    (
        "Deployment",
        "spec: {template: {spec: {restartPolicy: Never}}}",
        f"automode:RestartPolicy {_POD}.restartPolicy: 'Never' is not allowed here; write Always",
    ),
    (
        "Job",
        "spec: {template: {spec: {restartPolicy: null}}}",
        f"automode:RestartPolicy {_POD}.restartPolicy: is required here; write OnFailure or Never",
    ),
    (
        "CronJob",
        "spec: {jobTemplate: {spec: {template: {spec: {restartPolicy: Always}}}}}",
        "automode:RestartPolicy spec.jobTemplate.spec.template.spec.restartPolicy: 'Always' is not allowed here; "
        "write OnFailure or Never",
    ),
    (
        "Pod",
        "spec: {containers: [{name: a, image: b}, {name: c}]}",
        "automode:MissingField spec.containers[1].image: is required",
    ),
    (
        "Deployment",
        "spec: {template: {spec: {containers: []}}}",
        f"automode:MissingField {_POD}.containers: is required",
    ),
    (
        "Pod",
        "spec: {containers: [{name: a, image: b}, {name: a, image: c}]}",
        "automode:PodNames spec.containers: another container is called 'a'; choose another one",
    ),
    (
        "Pod",
        "spec: {volumes: [{name: a, emptyDir: {}}, {name: a}]}",
        "automode:PodNames spec.volumes[1].name: another volume is called 'a'; choose another one",
    ),
    (
        "Pod",
        "spec: {volumes: [{name: a, emptyDir: {}, secret: {secretName: b}}]}",
        "automode:OneOf spec.volumes[0]: has several sources: emptyDir and secret",
    ),
    (
        "Deployment",
        container(volumeMounts=[{"name": "other", "mountPath": "/a"}]),
        f"automode:PodNames {_WEB}.volumeMounts[0].name: the pod has no volume 'other'; add it to volumes",
    ),
    (
        "StatefulSet",
        container(volumeMounts=[{"name": "data", "mountPath": "/a"}, {"name": "data", "mountPath": "/a"}]),
        f"automode:PodNames {_WEB}.volumeMounts[1].mountPath: another mountPath is called '/a'; choose another one",
    ),
    (
        "Deployment",
        container(env=[{"name": "A", "value": "b", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}}]),
        f"automode:OneOf {_WEB}.env[0]: has both value and valueFrom; remove one of them",
    ),
    (
        "Deployment",
        container(livenessProbe={"periodSeconds": 5}),
        f"automode:OneOf {_WEB}.livenessProbe: needs exactly one of exec, grpc, httpGet, tcpSocket",
    ),
    (
        "Deployment",
        container(resources={"requests": {"memory": "2Gi"}, "limits": {"memory": "1Gi"}}),
        f"automode:PodResources {_WEB}.resources.requests['memory']: '2Gi' is more than the limit '1Gi'; raise the "
        "limit",
    ),
    (
        "Deployment",
        container(resources={"requests": {"nvidia.com/gpu": 1}}),
        f"automode:PodResources {_WEB}.resources.requests['nvidia.com/gpu']: has no limit; write 1 as the limit too",
    ),
    (
        "Deployment",
        container(resources={"requests": {"nvidia.com/gpu": 1}, "limits": {"nvidia.com/gpu": 2}}),
        f"automode:PodResources {_WEB}.resources.requests['nvidia.com/gpu']: 1 is not the limit 2, as it must be for "
        "devices",
    ),
    (
        "Deployment",
        container(resources={"limits": {"nvidia.com/gpu": "500m"}}),
        f"automode:PodResources {_WEB}.resources.limits['nvidia.com/gpu']: '500m' is not a whole number; devices are "
        "not divided",
    ),
    # Services and Ingresses.
    (
        "Service",
        "spec: {ports: null}",
        "automode:ServicePorts spec.ports: is required; list the ports that the Service serves",
    ),
    (
        "NLB",
        "spec: {ports: null}",
        "automode:ServicePorts spec.ports: is required; list the ports that the Service serves",
    ),
    (
        "NLB",
        "spec: {ports: [{port: '80'}]}",
        "automode:Value spec.ports[0].port: needs a whole number, got '80'; write 80 without quotes",
    ),
    ("NLB", "spec: {ports: [{port: 70000}]}", "automode:Value spec.ports[0].port: must be 1 to 65535, got 70000"),
    (
        "NLB",
        "spec: {ports: [{port: 80, protocol: HTTP}]}",
        "automode:Value spec.ports[0].protocol: 'HTTP' is not allowed; use one of 'TCP', 'UDP', 'SCTP'",
    ),
    (
        "NLB",
        "spec: {selectors: {a: b}}",
        "automode:UnknownField spec.selectors: is not a known field; did you mean 'selector'?",
    ),
    (
        "Service",
        "spec: {ports: [{port: 80}, {port: 81, name: b}]}",
        "automode:ServicePorts spec.ports[0].name: is required where a Service has several ports",
    ),
    (
        "Service",
        "spec: {ports: [{name: a, port: 80}, {name: b, port: 80}]}",
        "automode:ServicePorts spec.ports[1]: has the port and protocol of ports[0]; remove one of them",
    ),
    (
        "Service",
        "spec: {ports: [{name: a, port: 80}, {name: a, port: 81}]}",
        "automode:ServicePorts spec.ports[1].name: another port is called 'a'; choose another one",
    ),
    (
        "Service",
        "spec: {type: ExternalName}",
        "automode:MissingField spec.externalName: is required; write the name that the Service stands for",
    ),
    (
        "Service",
        "spec: {type: Loadbalancer}",
        "automode:Value spec.type: 'Loadbalancer' is not allowed; did you mean 'LoadBalancer'? Use one of "
        "'ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName'",
    ),
    (
        "Service",
        "spec: {selector: {app: 1}}",
        "automode:ObjectMetadata spec.selector['app']: needs a text, got 1; quote it: '1'",
    ),
    ("Ingress", "spec: {rules: null}", "automode:MissingField spec.rules: is required; write rules or defaultBackend"),
    (
        "Ingress",
        "spec: {rules: [{host: 'https://a.b'}]}",
        "automode:Value spec.rules[0].host: 'https://a.b' is not the name of a host; write a DNS name in lower case, "
        "without scheme, port and path; '*.' may stand before it",
    ),
    (
        "Ingress",
        "spec: {rules: [{http: {paths: [{path: a, pathType: Prefix, backend: {service: {name: a, port: {number: "
        "1}}}}]}}]}",
        "automode:Value spec.rules[0].http.paths[0].path: 'a' is not an absolute path; begin it with '/'",
    ),
    (
        "Ingress",
        "spec: {rules: [{http: {paths: [{pathType: Exact, backend: {service: {name: a, port: {number: 1}}}}]}}]}",
        "automode:MissingField spec.rules[0].http.paths[0].path: is required; write '/' for every path",
    ),
    (
        "Ingress",
        "spec: {rules: [{http: {paths: [{path: /, backend: {service: {name: a, port: {number: 1}}}}]}}]}",
        "automode:MissingField spec.rules[0].http.paths[0].pathType: is required",
    ),
    (
        "Ingress",
        "spec: {defaultBackend: {service: {name: a, port: {number: 1, name: b}}}}",
        "automode:OneOf spec.defaultBackend.service.port: needs exactly one of name, number",
    ),
    (
        "Ingress",
        "spec: {defaultBackend: {serviceName: a}}",
        "automode:OneOf spec.defaultBackend: needs exactly one of service, resource",
    ),
    (
        "Ingress",
        "spec: {defaultBackend: {service: {name: a, port: {number: 'http'}}}}",
        "automode:Value spec.defaultBackend.service.port.number: needs a whole number, got 'http'",
    ),
    # Storage and configuration.
    (
        "PersistentVolumeClaim",
        "spec: {accessModes: null}",
        "automode:MissingField spec.accessModes: is required; write ['ReadWriteOnce']",
    ),
    (
        "PersistentVolumeClaim",
        "spec: {accessModes: [RWO]}",
        "automode:Value spec.accessModes[0]: 'RWO' is not allowed; use one of 'ReadWriteOnce', 'ReadOnlyMany', "
        "'ReadWriteMany', 'ReadWriteOncePod'",
    ),
    (
        "PersistentVolumeClaim",
        "spec: {resources: null}",
        "automode:MissingField spec.resources.requests.storage: is required; write the size, such as 10Gi",
    ),
    (
        "StatefulSet",
        "spec: {volumeClaimTemplates: [{metadata: {name: data}, spec: {resources: {requests: {storage: 1Gi}}}}]}",
        "automode:MissingField spec.volumeClaimTemplates[0].spec.accessModes: is required; write ['ReadWriteOnce']",
    ),
    ("ConfigMap", "data: {a: true}", "automode:Value data['a']: needs a text, got True; quote it"),
    ("ConfigMap", "data: {port: 8080}", "automode:Value data['port']: needs a text, got 8080; quote it: '8080'"),
    ("ConfigMap", "data: {a: {b: c}}", "automode:Value data['a']: needs a text, got a mapping"),
    (
        "ConfigMap",
        "data: {a/b: c}",
        "automode:ConfigMapKey data['a/b']: 'a/b' is not a key; use letters, digits, '-', '_' and '.'",
    ),
    ("ConfigMap", "data: {b: c}", "automode:ConfigMapKey binaryData['b']: is a key of data too; remove one of them"),
    (
        "ConfigMap",
        f"data: {{a: {'b' * 1048577}}}",
        "automode:ConfigMapKey data: holds 1048602 bytes; Kubernetes takes at most 1048576",
    ),
    (
        "ConfigMap",
        "binaryData: {b: '%'}",
        "automode:Value binaryData['b']: is not base64; write it in data, or encode it",
    ),
    ("Secret", "data: {a: plain}", "automode:Value data['a']: is not base64; write it in stringData, or encode it"),
    (
        "PodDisruptionBudget",
        "spec: {maxUnavailable: 1}",
        "automode:OneOf spec: has both minAvailable and maxUnavailable; remove one of them",
    ),
]


@pytest.mark.parametrize(("kind", "change", "finding"), REFUSED, ids=lambda value: str(value)[:70])
def test_what_the_api_server_refuses_is_told(kind: str, change: str, finding: str) -> None:
    told = found(kind, change)
    assert any(text.startswith(f"error {finding}") for text in told), told


def test_what_is_known_late_is_passed_over() -> None:
    token = "${Token[TOKEN.1]}"
    change = {
        "spec": {
            "replicas": -1.8881545897087503e289,
            "template": {"metadata": {"labels": {"tier": token}}, "spec": {"priorityClassName": token}},
        }
    }
    assert not judge_document(changed(yaml.safe_load(SOUND["Deployment"]), change))


@pytest.mark.parametrize(
    "patch",
    [
        "{apiVersion: apps/v1, kind: Deployment, metadata: {name: a}, spec: {replicas: 3}}",
        "{apiVersion: apps/v1, kind: Deployment, metadata: {name: a}, spec: {template: {spec: {containers: [{name: a, "
        "resources: {limits: {cpu: 1}}}]}}}}",
        "{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {nodeSelector: {a: b}}}",
        "{apiVersion: batch/v1, kind: CronJob, metadata: {name: a}, spec: {suspend: true}}",
    ],
)
def test_a_patch_of_kustomize_is_no_whole_object(patch: str) -> None:
    assert not judge_document(yaml.safe_load(patch))
    broken = yaml.safe_load(patch)
    broken["metadata"]["labels"] = {"a": True}
    assert len(judge_document(broken) or []) == 1


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({"loadBalancerClass": "eks.amazonaws.com/nlb"}, "spec.loadBalancerClass: is refused in Services of type Clu"),
        ({"type": "NodePort", "loadBalancerSourceRanges": ["10.0.0.0/8"]}, "spec.loadBalancerSourceRanges: is refused"),
        (
            {"allocateLoadBalancerNodePorts": False},
            "spec.allocateLoadBalancerNodePorts: is refused in Services of type",
        ),
        ({"externalTrafficPolicy": "Local"}, "spec.externalTrafficPolicy: is refused in Services of type ClusterIP"),
        ({"ports": [{"port": 80, "nodePort": 30080}]}, "spec.ports[0].nodePort: is refused in Services of type Clust"),
        (
            {"type": "NodePort", "ports": [{"port": 80, "nodePort": 80}]},
            "spec.ports[0].nodePort: must be 30000 to 32767",
        ),
    ],
    ids=str,
)
def test_a_service_has_fields_of_its_type_only(spec: dict[str, Any], text: str) -> None:
    head = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}}
    (problem,) = kubernetes_problems({**head, "spec": {"ports": [{"port": 80}], **spec}})
    assert problem.rule in ("automode:ServiceType", "automode:Value")
    assert str(problem).startswith(text)


def test_a_node_port_of_a_wider_range_is_warned_of() -> None:
    head = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}}
    spec = {"type": "NodePort", "ports": [{"port": 80, "nodePort": 20080}]}
    (problem,) = kubernetes_problems({**head, "spec": spec})
    assert (problem.rule, problem.severity) == ("automode:NodePortRange", "warning")
    assert str(problem) == (
        "spec.ports[0].nodePort: 20080 is outside 30000 to 32767, the range of a cluster that sets no other; use a "
        "port of that range, or set control_plane.node_ports of the cluster (10260 to 32767)"
    )


@pytest.mark.parametrize(
    "spec",
    [
        {"type": "LoadBalancer", "loadBalancerClass": "eks.amazonaws.com/nlb", "externalTrafficPolicy": "Local"},
        {"type": "NodePort", "ports": [{"port": 80, "nodePort": 30080}]},
        {"externalIPs": ["192.0.2.1"], "externalTrafficPolicy": "Local"},
        {"type": "ClusterIP", "loadBalancerSourceRanges": [], "ports": [{"port": 80, "nodePort": 0}]},
    ],
    ids=str,
)
def test_a_service_with_fields_of_its_type_passes(spec: dict[str, Any]) -> None:
    head = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}}
    assert [*kubernetes_problems({**head, "spec": {"ports": [{"port": 80}], **spec}})] == []


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        (
            {"resources": {"requests": {"storage": "0"}}},
            "spec.resources.requests['storage']: must be more than 0; write",
        ),
        ({"resources": {"requests": {"storage": "-1Gi"}}}, "spec.resources.requests['storage']: must be more than 0;"),
        (
            {"accessModes": ["ReadWriteOncePod", "ReadWriteOnce"]},
            "spec.accessModes: ReadWriteOncePod stands alone; remove it, or the others",
        ),
    ],
    ids=str,
)
def test_a_claim_that_the_api_server_refuses(spec: dict[str, Any], text: str) -> None:
    head = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "a"}}
    whole = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    (problem,) = kubernetes_problems({**head, "spec": {**whole, **spec}})
    assert str(problem).startswith(text)


@pytest.mark.parametrize("field", ["minAvailable", "maxUnavailable"])
def test_a_disruption_budget_is_at_most_the_whole(field: str) -> None:
    head = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "a"}}
    (problem,) = kubernetes_problems({**head, "spec": {field: "200%"}})
    assert str(problem) == f"spec.{field}: '200%' is more than 100%; write 100% or less"
    assert [*kubernetes_problems({**head, "spec": {field: "100%"}})] == []


@pytest.mark.parametrize("limit", [0.5, "0.5", "500m"])
def test_devices_are_not_divided_however_they_are_written(limit: Any) -> None:
    container = {"name": "c", "image": "i", "resources": {"limits": {"nvidia.com/gpu": limit}}}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {"containers": [container]}}
    (problem,) = kubernetes_problems(pod)
    assert problem.rule == "automode:PodResources"
    assert problem.message == f"{limit!r} is not a whole number"


@pytest.mark.parametrize(("least", "most"), [({"minReplicas": 5}, 2), ({"minReplicas": 2}, 1)], ids=str)
def test_an_autoscaler_has_room(least: dict[str, int], most: int) -> None:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}
    head = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "a"}}
    (problem,) = kubernetes_problems({**head, "spec": {"scaleTargetRef": target, **least, "maxReplicas": most}})
    assert str(problem) == f"spec.maxReplicas: {most} is less than minReplicas, {least.get('minReplicas', 1)}; raise it"
    fine = {"scaleTargetRef": target, **least, "maxReplicas": 9}
    assert [*kubernetes_problems({**head, "spec": fine})] == []
