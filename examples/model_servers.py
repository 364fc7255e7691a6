"""A model that starts fast, scales by its requests down to zero, and has a chat page that wakes it."""

import aws_cdk as cdk
import cdk8s

from automode_constructs import (
    AutoModeCluster,
    ChartDelivery,
    ChatPage,
    FastStart,
    ModelAutoscaler,
    ModelBucket,
    NetworkPolicyController,
    PodIdentityRole,
    S3Weights,
)
from automode_constructs.patterns import GptOssChart, ModelMetricsChart
from automode_constructs.patterns.charts.gpt_oss import NAME, NAMESPACE, STAGING_ACCOUNT, WEIGHTS_PREFIX

REGISTRY = f"111122223333.dkr.ecr.{cdk.Aws.REGION}.{cdk.Aws.URL_SUFFIX}"  # with copies of the images of the metrics
CACHE_PREFIX = "compile-cache"
VERSION = "1.37"  # the first that scales to zero without a feature gate

app = cdk.App()
cluster = AutoModeCluster(cdk.Stack(app, "Cluster"), "Cluster", cluster_name="models", version=VERSION)
bucket = ModelBucket(cdk.Stack(app, "Weights"), "Bucket")
stack = cdk.Stack(app, "Model")

server = PodIdentityRole(stack, "Server", cluster=cluster, namespace=NAMESPACE, service_account=NAME)
bucket.grant_read(server.role, WEIGHTS_PREFIX)
bucket.grant_stage(server.role, CACHE_PREFIX)  # nobody else may write there: vLLM runs what it finds
staging = PodIdentityRole(stack, "Staging", cluster=cluster, namespace=NAMESPACE, service_account=STAGING_ACCOUNT)
bucket.grant_stage(staging.role, WEIGHTS_PREFIX)

chart = GptOssChart(
    cdk8s.App(),
    "gpt-oss",
    values=cluster.values,
    image=f"{REGISTRY}/vllm:0.27.1-slim",  # docs/model-servers.md
    weights=S3Weights(bucket=bucket.bucket_name, prefix=WEIGHTS_PREFIX),
    replicas=None,
    fast_start=FastStart(image_bytes=4_500_000_000, cache_prefix=CACHE_PREFIX),
)
NetworkPolicyController(chart, "network-policy-controller")  # without it nothing enforces the policies
page = ChatPage(chart, "chat", server=chart.server)  # kubectl port-forward service/chat --namespace gpt-oss 8080:80
ModelAutoscaler(
    chart, "scaling", server=chart.server, max_replicas=3, min_replicas=0, chat_page=page, kubernetes_version=VERSION
)
metrics = ModelMetricsChart(
    cdk8s.App(),
    "model-metrics",
    namespaces=[NAMESPACE],
    prometheus_image=f"{REGISTRY}/prometheus:v3.13.1",
    adapter_image=f"{REGISTRY}/prometheus-adapter:v0.12.0",
)
ChartDelivery(stack, "Model", cluster=cluster, chart=chart)
ChartDelivery(cdk.Stack(app, "Metrics"), "Metrics", cluster=cluster, chart=metrics)
app.synth()
