"""Gateways and their routes: what they write, and refusals of what Kubernetes or the load balancer would refuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import aws_cdk as cdk
import cdk8s
import pytest
from aws_cdk.assertions import Annotations, Match

from automode_constructs import (
    AutoModeCluster,
    ChartDelivery,
    Gateway,
    GatewayClass,
    GatewayListener,
    GrpcMatch,
    GrpcRoute,
    HttpMatch,
    HttpRoute,
    KubernetesObject,
    RouteBackend,
)
from automode_constructs.specs.traffic.gateway_class import (
    GATEWAY_ALB_CONTROLLER,
    GATEWAY_NLB_CONTROLLER,
    GatewayClassParameters,
)
from tests.refusal import refusal

HTTPS = GatewayListener(name="https", protocol="HTTPS", port=443, hostname="*.example.com", routes_from="All")
HTTP = GatewayListener(name="http", protocol="HTTP", port=80)
SHOP = RouteBackend(service="shop", port=80)


@pytest.fixture
def chart() -> cdk8s.Chart:
    return cdk8s.Chart(cdk8s.App(), "edge", namespace="edge")


def alb(chart: cdk8s.Chart) -> GatewayClass:
    return GatewayClass(chart, "alb", controller_name=GATEWAY_ALB_CONTROLLER)


def gateway(chart: cdk8s.Chart, *listeners: GatewayListener) -> Gateway:
    return Gateway(chart, "shared", gateway_class=alb(chart), listeners=listeners or [HTTPS, HTTP])


def test_a_gateway_and_its_routes_are_as_kubernetes_reads_them(chart: cdk8s.Chart) -> None:
    shared = Gateway(
        chart,
        "shared",
        gateway_class=alb(chart),
        listeners=[HTTPS, HTTP],
        parameters_ref=GatewayClassParameters(group="a", kind="B", name="c"),
    )
    apps = cdk8s.Chart(cdk8s.App(), "apps", namespace="apps")
    HttpRoute(
        apps,
        "shop",
        gateway=shared,
        listener="https",
        hostnames=["shop.example.com"],
        matches=[HttpMatch(path="/cart", exact=True, method="GET", headers={"x-canary": "1"}), HttpMatch()],
        backends=[SHOP, RouteBackend(service="shop-next", port=80, weight=9)],
    )
    GrpcRoute(
        apps,
        "orders",
        gateway=shared,
        matches=[GrpcMatch(service="shop.v1.Orders", method="List"), GrpcMatch(service="shop.v1.Carts")],
        backends=[SHOP],
    )
    HttpRoute(chart, "all", gateway=shared, listener="http", backends=[SHOP])
    _, made, rest = cdk8s.Testing.synth(chart)
    assert made == {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": "shared", "namespace": "edge"},
        "spec": {
            "gatewayClassName": "alb",
            "listeners": [
                {
                    "name": "https",
                    "protocol": "HTTPS",
                    "port": 443,
                    "hostname": "*.example.com",
                    "allowedRoutes": {"namespaces": {"from": "All"}},
                },
                {"name": "http", "protocol": "HTTP", "port": 80, "allowedRoutes": {"namespaces": {"from": "Same"}}},
            ],
            "infrastructure": {"parametersRef": {"group": "a", "kind": "B", "name": "c"}},
        },
    }
    assert rest["spec"] == {
        "parentRefs": [{"name": "shared", "namespace": "edge", "sectionName": "http"}],
        "rules": [{"backendRefs": [{"name": "shop", "port": 80, "weight": 1}]}],
    }
    http, grpc = cdk8s.Testing.synth(apps)
    assert http == {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "shop", "namespace": "apps"},
        "spec": {
            "parentRefs": [{"name": "shared", "namespace": "edge", "sectionName": "https"}],
            "hostnames": ["shop.example.com"],
            "rules": [
                {
                    "matches": [
                        {
                            "path": {"type": "Exact", "value": "/cart"},
                            "method": "GET",
                            "headers": [{"name": "x-canary", "value": "1"}],
                        },
                        {"path": {"type": "PathPrefix", "value": "/"}},
                    ],
                    "backendRefs": [
                        {"name": "shop", "port": 80, "weight": 1},
                        {"name": "shop-next", "port": 80, "weight": 9},
                    ],
                }
            ],
        },
    }
    assert (grpc["kind"], grpc["spec"]["rules"][0]["matches"]) == (
        "GRPCRoute",
        [{"method": {"service": "shop.v1.Orders", "method": "List"}}, {"method": {"service": "shop.v1.Carts"}}],
    )


def listener(**other: Any) -> GatewayListener:
    return GatewayListener(**{"name": "web", "protocol": "HTTP", "port": 80, **other})


@pytest.mark.parametrize(
    ("listeners", "text"),
    [
        ([], "listeners: needs 1 to 64 listeners, got 0"),
        ([listener(port=0)], "listeners[0].port: must be at least 1, got 0"),
        ([listener(port=65536)], "listeners[0].port: must be at most 65535, got 65536"),
        ([listener(name="Web")], "listeners[0].name: 'Web' is not a listener's name; use at most 253 lower-case"),
        ([listener(hostname="shop_example")], "listeners[0].hostname: 'shop_example' is not a host name; write one"),
        ([listener(hostname="10.0.0.1")], "listeners[0].hostname: '10.0.0.1' is not a host name; write one such as"),
        (
            [listener(), listener(port=81)],
            "listeners[1].name: 'web' is taken; give each listener a name of its own",
        ),
        (
            [listener(), listener(name="b")],
            "listeners[1]: serves the port, protocol and host name of another one; remove one of the two",
        ),
        (
            [listener(protocol="TCP")],
            "listeners[0].protocol: TCP is not for the class's Application Load Balancer; use one of HTTP, HTTPS, or a "
            "class of the other controller",
        ),
    ],
    ids=str,
)
def test_wrong_listeners_are_refused(chart: cdk8s.Chart, listeners: list[GatewayListener], text: str) -> None:
    assert text in refusal(lambda: Gateway(chart, "try", gateway_class=alb(chart), listeners=listeners))


def test_a_network_load_balancer_has_no_http(chart: cdk8s.Chart) -> None:
    nlb = GatewayClass(chart, "nlb", controller_name=GATEWAY_NLB_CONTROLLER)
    assert (
        "listeners[0].protocol: HTTPS is not for the class's Network Load Balancer; use one of TCP, UDP, TLS, or a"
    ) in refusal(lambda: Gateway(chart, "try", gateway_class=nlb, listeners=[HTTPS]))
    assert "listeners[0].hostname: is not for TCP; leave it out" in refusal(
        lambda: Gateway(chart, "try", gateway_class=nlb, listeners=[listener(protocol="TCP", hostname="a.example.com")])
    )
    tcp = Gateway(chart, "tcp", gateway_class=nlb, listeners=[listener(protocol="TCP", port=5432)])
    assert (
        "gateway: listener 'web' (TCP) of Gateway 'tcp' takes no HTTPRoute; use a Gateway of the class with the "
        "controller eks.amazonaws.com/gateway-alb"
    ) in refusal(lambda: HttpRoute(chart, "try", gateway=tcp, backends=[SHOP]))


def test_parameters_of_a_gateway_are_in_its_namespace(chart: cdk8s.Chart) -> None:
    reference = GatewayClassParameters(group="a", kind="B", name="c", namespace="d")
    assert "parameters_ref.namespace: is not for a Gateway, whose own it is; leave it out" in refusal(
        lambda: Gateway(chart, "try", gateway_class=alb(chart), listeners=[HTTP], parameters_ref=reference)
    )


@pytest.mark.parametrize(
    ("make", "arguments", "text"),
    [
        (HttpRoute, {"backends": []}, "backends: needs 1 to 16 Services, got 0"),
        (
            HttpRoute,
            {"backends": [RouteBackend(service="S", port=80)]},
            "backends[0].service: 'S' is not the name of a",
        ),
        (HttpRoute, {"backends": [RouteBackend(service="s", port=0)]}, "backends[0].port: must be at least 1, got 0"),
        (
            HttpRoute,
            {"backends": [RouteBackend(service="s", port=1, weight=1_000_001)]},
            "backends[0].weight: must be at most 1000000, got 1000001",
        ),
        (
            HttpRoute,
            {"backends": [RouteBackend(service="s", port=1, weight=0)]},
            "backends: all have the weight 0, so that every request fails; give one of them a weight",
        ),
        (HttpRoute, {"hostnames": ["a b"]}, "hostnames[0]: 'a b' is not a host name; write one such as shop.example"),
        (HttpRoute, {"hostnames": [f"h{i}.io" for i in range(17)]}, "hostnames: needs at most 16 host names, got 17"),
        (HttpRoute, {"matches": [HttpMatch(path="cart")]}, "matches[0].path: 'cart' does not begin with '/'; add it"),
        (HttpRoute, {"matches": [HttpMatch()] * 65}, "matches: needs at most 64 matches, got 65"),
        (
            HttpRoute,
            {"matches": [HttpMatch(headers={"a b": "c"})]},
            "matches[0].headers: 'a b' is not the name of a header",
        ),
        (
            HttpRoute,
            {"listener": "htps"},
            "listener: 'htps' is no listener of Gateway 'shared'; did you mean 'https'?",
        ),
        (
            GrpcRoute,
            {"listener": "http"},
            "listener: listener 'http' (HTTP) of Gateway 'shared' has no HTTPS, and an Application Load Balancer takes "
            "gRPC over HTTPS only; add a listener with protocol='HTTPS'",
        ),
        (
            GrpcRoute,
            {"matches": [GrpcMatch(service="shop/Orders", method="a-b")]},
            "matches[0].service: 'shop/Orders' is not a gRPC service; write package.Service",
        ),
        (GrpcRoute, {"matches": [GrpcMatch(service="a.B", method="a-b")]}, "matches[0].method: 'a-b' is not a gRPC"),
    ],
    ids=str,
)
def test_wrong_routes_are_refused(
    chart: cdk8s.Chart, make: Callable[..., KubernetesObject], arguments: dict[str, Any], text: str
) -> None:
    shared = gateway(chart)
    assert text in refusal(lambda: make(chart, "try", **{"gateway": shared, "backends": [SHOP], **arguments}))


def test_a_route_of_another_namespace_needs_a_listener_that_takes_it(chart: cdk8s.Chart) -> None:
    shared = gateway(chart)
    apps = cdk8s.Chart(cdk8s.App(), "apps", namespace="apps")
    assert (
        "listener: listener 'http' (HTTP) of Gateway 'shared' takes routes of its own namespace only, and this chart "
        "has another one; give the listener routes_from='All', or put both into one namespace"
    ) in refusal(lambda: HttpRoute(apps, "try", gateway=shared, listener="http", backends=[SHOP]))
    HttpRoute(apps, "try", gateway=shared, backends=[SHOP])


def test_a_route_outside_a_chart_is_refused(chart: cdk8s.Chart) -> None:
    shared = gateway(chart)
    assert "scope: is in no cdk8s chart" in refusal(
        lambda: HttpRoute(cdk8s.App(), "try", gateway=shared, backends=[SHOP])
    )


@pytest.mark.parametrize(
    ("on", "crd", "warned"), [(True, False, 0), (None, False, 2), (False, False, 2), (None, True, 0)], ids=str
)
def test_a_cluster_without_the_kinds_is_warned_of(on: bool | None, crd: bool, warned: int) -> None:
    app = cdk.App()
    stack = cdk.Stack(app, "Dev")
    cluster = AutoModeCluster(stack, "Cluster", cluster_name="c", gateway_api=on)
    chart = cdk8s.Chart(cdk8s.App(), "edge", namespace="default")
    gateway(chart)
    if crd:
        cdk8s.ApiObject(
            chart,
            "crd",
            api_version="apiextensions.k8s.io/v1",
            kind="CustomResourceDefinition",
            metadata={"name": "gateways.gateway.networking.k8s.io"},
        ).add_json_patch(cdk8s.JsonPatch.add("/spec", {"group": "gateway.networking.k8s.io"}))
    ChartDelivery(cdk.Stack(app, "Edge"), "Charts", cluster=cluster, chart=chart)
    app.synth()
    text = (
        r".*apiVersion: the cluster has no kinds of the Gateway API, so that the API server refuses this object; set "
        r"gateway_api=True on the cluster, or acknowledge this if somebody else installs the CRDs"
        r".*automode:GatewayApiOff"
    )
    found = Annotations.from_stack(app.node.find_child("Edge")).find_warning("*", Match.string_like_regexp(text))  # type: ignore[arg-type]
    assert len(found) == warned
