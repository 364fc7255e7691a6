"""One Gateway for two namespaces: a canary by weight over HTTP, and gRPC beside it.

The cluster exists, with its switch for the Gateway API on (``gateway_api=True`` of ``AutoModeCluster``).
"""

import aws_cdk as cdk
import cdk8s

from automode_constructs import (
    ChartDelivery,
    Gateway,
    GatewayClass,
    GatewayListener,
    GrpcMatch,
    GrpcRoute,
    HttpMatch,
    HttpRoute,
    ImportedCluster,
    RouteBackend,
)

app = cdk.App()
stack = cdk.Stack(app, "Edge", env=cdk.Environment(region="eu-central-1"))
cluster = ImportedCluster(stack, "Cluster", cluster_name="prod")
charts = cdk8s.App()
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}
edge = cdk8s.Chart(charts, "edge", namespace="edge")
cdk8s.ApiObject(edge, "namespace", api_version="v1", kind="Namespace", metadata={"name": "edge", "labels": RESTRICTED})
shared = Gateway(
    edge,
    "shared",
    gateway_class=GatewayClass(edge, "alb", controller_name="eks.amazonaws.com/gateway-alb"),
    listeners=[
        GatewayListener(name="https", protocol="HTTPS", port=443, hostname="*.example.com", routes_from="All"),
    ],
)

apps = cdk8s.Chart(charts, "apps", namespace="apps")
cdk8s.ApiObject(apps, "namespace", api_version="v1", kind="Namespace", metadata={"name": "apps", "labels": RESTRICTED})
HttpRoute(
    apps,
    "shop",
    gateway=shared,
    hostnames=["shop.example.com"],
    matches=[HttpMatch(path="/"), HttpMatch(path="/health", exact=True, method="GET")],
    backends=[RouteBackend(service="shop", port=80, weight=95), RouteBackend(service="shop-next", port=80, weight=5)],
)
GrpcRoute(
    apps,
    "orders",
    gateway=shared,
    hostnames=["orders.example.com"],
    matches=[GrpcMatch(service="shop.v1.Orders")],
    backends=[RouteBackend(service="orders", port=9090)],
)
ChartDelivery(stack, "EdgeCharts", cluster=cluster, chart=edge)
ChartDelivery(stack, "AppCharts", cluster=cluster, chart=apps)
app.synth()
