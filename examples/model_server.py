"""A model server in an app of your own, with what it has no argument for: KEDA scaling, metrics, an internal ALB.

KEDA and the Prometheus operator must already be in the cluster: of their kinds, this library checks only the order.
The server never scales below one replica: the metrics that could wake it come from the server itself.
"""

import aws_cdk as cdk
import cdk8s

from automode_constructs import (
    GPT_OSS_20B,
    AutoModeCluster,
    ChartDelivery,
    ImageWeights,
    KubernetesObject,
    ModelServer,
    NetworkPolicyController,
    NodeClaimSpec,
    NodeClaimTemplate,
    NodeClass,
    NodePool,
    NodePoolSpec,
    SecretKey,
    Taint,
)
from automode_constructs.specs.labels import ARCH, INSTANCE_CATEGORY, INSTANCE_GENERATION

app = cdk.App()
cluster = AutoModeCluster(cdk.Stack(app, "Cluster"), "Cluster", cluster_name="models")

chart = cdk8s.Chart(cdk8s.App(), "model", namespace="models")
namespace = KubernetesObject(chart, "models", api_version="v1", kind="Namespace", body={})
namespace.metadata.add_label("pod-security.kubernetes.io/enforce", "restricted")
NetworkPolicyController(chart, "network-policy-controller")  # without it nothing enforces the server's policy
nodes = NodeClaimSpec(
    requirements=[INSTANCE_CATEGORY.is_in("g"), INSTANCE_GENERATION.greater_than(4), ARCH.is_in("amd64")],
    taints=[Taint(key="nvidia.com/gpu", effect="NoSchedule")],
)
spec = NodePoolSpec(template=NodeClaimTemplate(spec=nodes), limits={"nvidia.com/gpu": 4})
pool = NodePool(
    chart, "gpu", node_class=NodeClass(chart, "gpu-nodes", spec=cluster.values.node_class_spec()), spec=spec
)
server = ModelServer(
    chart,
    "gpt-oss-20b",
    model=GPT_OSS_20B,
    image=f"111122223333.dkr.ecr.{cdk.Aws.REGION}.{cdk.Aws.URL_SUFFIX}/gpt-oss:0.27.1-1",
    weights=ImageWeights(path="/models/gpt-oss-20b"),
    vllm_version="0.27.1",
    node_pool=pool,
    pre_stop_delay=30,  # a load balancer needs longer than kube-proxy to stop sending
    termination_grace_period=140,
    clients=[{"ipBlock": {"cidr": cidr}} for cidr in cluster.network_cidrs],  # the ALB's addresses, and all pods'
    api_key=SecretKey(name="model-api-key", key="key"),  # a Secret that something else makes, in this namespace
)

# The queue length says more than GPU load, which is 100 % with one request or thirty.
waiting = 'sum(vllm:num_requests_waiting{namespace="models"}) or vector(0)'
address = "http://prometheus-operated.monitoring.svc:9090"
trigger = {"type": "prometheus", "metadata": {"serverAddress": address, "query": waiting, "threshold": "8"}}
behavior = {
    "scaleUp": {"stabilizationWindowSeconds": 30, "policies": [{"type": "Pods", "value": 2, "periodSeconds": 60}]},
    "scaleDown": {"stabilizationWindowSeconds": 300, "policies": [{"type": "Pods", "value": 1, "periodSeconds": 120}]},
}
scaled = {
    "scaleTargetRef": {"name": server.name},
    "minReplicaCount": 1,
    "maxReplicaCount": 4,
    "advanced": {"horizontalPodAutoscalerConfig": {"behavior": behavior}},
    "triggers": [trigger],
}
monitored = {"selector": {"matchLabels": server.labels}, "endpoints": [{"port": "http", "interval": "15s"}]}
backend = {"service": {"name": server.name, "port": {"name": "http"}}}
paths = [{"path": "/v1", "pathType": "Prefix", "backend": backend}]  # not /metrics, which needs no key
routed = {"ingressClassName": "alb", "rules": [{"http": {"paths": paths}}]}
alb = "alb.ingress.kubernetes.io"
annotations = {
    f"{alb}/target-type": "ip",
    f"{alb}/healthcheck-path": "/health",
    f"{alb}/load-balancer-attributes": "idle_timeout.timeout_seconds=600",
}
for kind, api_version, body in (
    ("ScaledObject", "keda.sh/v1alpha1", scaled),
    ("ServiceMonitor", "monitoring.coreos.com/v1", monitored),
    ("Ingress", "networking.k8s.io/v1", routed),
):
    KubernetesObject(
        chart,
        kind,
        api_version=api_version,
        kind=kind,
        name=server.name,
        cluster_scoped=False,
        annotations=annotations if kind == "Ingress" else None,
        body={"spec": body},
    )
ChartDelivery(cdk.Stack(app, "Model"), "Model", cluster=cluster, chart=chart)
app.synth()
