"""Gateway, HTTPRoute and GRPCRoute as cdk8s constructs, for Auto Mode's two Gateway controllers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import cdk8s
from constructs import Construct

from automode_constructs.arguments import Refusals, checked_arguments, place
from automode_constructs.errors import did_you_mean
from automode_constructs.manifests.gateway_class import GatewayClass
from automode_constructs.manifests.kubernetes_object import KubernetesObject
from automode_constructs.specs.traffic.gateway_class import GATEWAY_NLB_CONTROLLER, GatewayClassParameters

__all__ = ["Gateway", "GatewayListener", "GrpcMatch", "GrpcRoute", "HttpMatch", "HttpRoute", "RouteBackend"]

_API_VERSION = "gateway.networking.k8s.io/v1"
_LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_HOSTNAME = re.compile(rf"(\*\.)?{_LABEL}(\.{_LABEL})*")
_SECTION = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
_MOST_LISTENERS, _MOST_HOSTNAMES, _MOST_BACKENDS, _MOST_MATCHES = 64, 16, 16, 64
_MOST_WEIGHT = 1_000_000
_ROUTES = {"HTTP": ("HTTPRoute", "GRPCRoute"), "HTTPS": ("HTTPRoute", "GRPCRoute")}
_LAYER_4 = ("TCP", "UDP", "TLS")


@checked_arguments
@dataclass(frozen=True, kw_only=True, slots=True)
class GatewayListener:
    """A port that a Gateway listens on.

    A listener's certificate is not a Secret of Kubernetes: the AWS Load Balancer Controller looks for one in ACM by the
    host names of listener and routes, and Auto Mode, which runs it, is expected to do the same (not confirmed).

    Args:
        name: the listener's name, unique in its Gateway; a route names it to use it alone.
        protocol: ``HTTP`` or ``HTTPS`` for an Application Load Balancer; ``TCP``, ``UDP`` or ``TLS`` for a Network
            Load Balancer.
        port: 1 to 65535.
        hostname: the only host name that is served, such as ``shop.example.com`` or ``*.example.com``; not for ``TCP``
            and ``UDP``. Default: all.
        routes_from: the namespaces whose routes may attach: ``Same`` for the Gateway's own, or ``All``. Default:
            ``Same``, as Kubernetes decides.

    Raises:
        AutoModeError: for a wrong kind of value. The Gateway that takes the listener refuses the rest.

    Source: Gateway API, "Gateway".
    """

    name: str
    protocol: Literal["HTTP", "HTTPS", "TCP", "UDP", "TLS"]
    port: int
    hostname: str | None = None
    routes_from: Literal["Same", "All"] = "Same"


@checked_arguments
@dataclass(frozen=True, kw_only=True, slots=True)
class RouteBackend:
    """A Service that a route sends traffic to.

    Args:
        service: the Service's name, in the route's namespace.
        port: the Service's port.
        weight: its share of the traffic, 0 to 1,000,000, among the route's other backends. Default: 1, as Kubernetes
            decides.

    Raises:
        AutoModeError: for a wrong kind of value. The route that takes the backend refuses the rest.

    Source: Gateway API, "HTTPRoute", ``HTTPBackendRef``.
    """

    service: str
    port: int
    weight: int = 1


@checked_arguments
@dataclass(frozen=True, kw_only=True, slots=True)
class HttpMatch:
    """Requests that an ``HttpRoute`` takes: all that is given must hold.

    Args:
        path: begins with ``/``. Default: ``/``, every path, as Kubernetes decides.
        exact: whether the path must be this one, not begin with it. Default: False.
        method: the request's method. Default: any.
        headers: headers with the values that they must have. Default: none.

    Raises:
        AutoModeError: for a wrong kind of value. The route that takes the match refuses the rest.

    Source: Gateway API, "HTTPRoute", ``HTTPRouteMatch``.
    """

    path: str = "/"
    exact: bool = False
    method: Literal["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"] | None = None
    headers: Mapping[str, str] | None = None


@checked_arguments
@dataclass(frozen=True, kw_only=True, slots=True)
class GrpcMatch:
    """Calls that a ``GrpcRoute`` takes.

    Args:
        service: the gRPC service with its package, such as ``shop.v1.Orders``.
        method: the service's method. Default: all.

    Raises:
        AutoModeError: for a wrong kind of value. The route that takes the match refuses the rest.

    Source: Gateway API, "GRPCRoute", ``GRPCMethodMatch``.
    """

    service: str
    method: str | None = None


class Gateway(KubernetesObject):
    """A load balancer with its listeners, which routes attach to.

    Creates an object of kind ``Gateway`` in the chart's namespace; for it Auto Mode creates a load balancer, internal
    unless the class's parameters say otherwise: an Application or Network Load Balancer for 0.0225 USD an hour, about
    16 USD a month, and its capacity units (us-east-1, 27 November 2026). The cluster needs ``gateway_api=True``.

    Args:
        scope: the cdk8s chart, or a construct in one.
        id: the construct's id.
        gateway_class: the class, which decides the kind of load balancer.
        listeners: 1 to 64 listeners, with different names and different pairs of port, protocol and host name.
        parameters_ref: an object with settings of this one load balancer, in the Gateway's namespace. Which kinds Auto
            Mode takes is not documented here; the AWS Load Balancer Controller has ``LoadBalancerConfiguration``.
            Default: none.
        name: the Gateway's name. Default: the construct's id; we decide.

    Raises:
        AutoModeError: for listeners that the class's load balancer does not have, for everything else that Kubernetes
            would refuse.

    Source: EKS User Guide, "Configure the Kubernetes Gateway API in EKS Auto Mode"; Gateway API, "Gateway"; Elastic
    Load Balancing pricing.
    """

    @checked_arguments
    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        gateway_class: GatewayClass,
        listeners: Sequence[GatewayListener],
        parameters_ref: GatewayClassParameters | None = None,
        name: str | None = None,
    ) -> None:
        refusals = Refusals(place(scope, id))
        _check_listeners(refusals, listeners, layer_4=gateway_class.spec.controller_name == GATEWAY_NLB_CONTROLLER)
        if parameters_ref is not None and parameters_ref.namespace is not None:
            refusals.refuse("parameters_ref.namespace", "is not for a Gateway, whose own it is", "leave it out")
        refusals.raise_all()
        self.listeners = tuple(listeners)
        """The listeners."""
        body: dict[str, Any] = {
            "gatewayClassName": gateway_class.name,
            "listeners": [_listener(listener) for listener in listeners],
        }
        if parameters_ref is not None:
            body["infrastructure"] = {"parametersRef": parameters_ref.to_manifest()}
        super().__init__(
            scope,
            id,
            api_version=_API_VERSION,
            kind="Gateway",
            name=name,
            body={"spec": body},
            cluster_scoped=False,
        )
        self.namespace = cdk8s.Chart.of(self).namespace
        """The chart's namespace, where there is one."""


class HttpRoute(KubernetesObject):
    """Sends HTTP requests of a Gateway to Services.

    Creates an object of kind ``HTTPRoute`` in the chart's namespace, which must be that of its Services. It costs
    nothing beside the Gateway's load balancer.

    Args:
        scope: the cdk8s chart, or a construct in one.
        id: the construct's id.
        gateway: the Gateway, of an Application Load Balancer.
        backends: 1 to 16 Services, in the route's namespace.
        listener: the name of the only listener to attach to. Default: all that allow it, as Kubernetes decides.
        hostnames: at most 16 host names that are served; a listener's own host name limits them. Default: all.
        matches: at most 64 matches, of which one must hold. Default: every request.
        name: the route's name. Default: the construct's id; we decide.

    Raises:
        AutoModeError: for a Gateway that does not take the route, and for everything that Kubernetes would refuse.

    Source: Gateway API, "HTTPRoute"; EKS User Guide, "Configure the Kubernetes Gateway API in EKS Auto Mode".
    """

    @checked_arguments
    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        gateway: Gateway,
        backends: Sequence[RouteBackend],
        listener: str | None = None,
        hostnames: Sequence[str] = (),
        matches: Sequence[HttpMatch] = (),
        name: str | None = None,
    ) -> None:
        refusals = Refusals(place(scope, id))
        for index, match in enumerate(matches):
            if not match.path.startswith("/"):
                refusals.refuse(f"matches[{index}].path", f"'{match.path}' does not begin with '/'", "add it")
            for header in match.headers or ():
                if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+\-.^_|~]{1,256}", header):
                    refusals.refuse(f"matches[{index}].headers", f"'{header}' is not the name of a header")
        spec = _route(
            refusals,
            scope,
            kind="HTTPRoute",
            gateway=gateway,
            listener=listener,
            hostnames=hostnames,
            backends=backends,
            matches=[_http_match(match) for match in matches],
        )
        super().__init__(
            scope, id, api_version=_API_VERSION, kind="HTTPRoute", name=name, body={"spec": spec}, cluster_scoped=False
        )


class GrpcRoute(KubernetesObject):
    """Sends gRPC calls of a Gateway to Services.

    Creates an object of kind ``GRPCRoute`` in the chart's namespace, which must be that of its Services. It costs
    nothing beside the Gateway's load balancer. An Application Load Balancer takes gRPC over HTTPS only.

    Args:
        scope: the cdk8s chart, or a construct in one.
        id: the construct's id.
        gateway: the Gateway, of an Application Load Balancer, with an HTTPS listener.
        backends: 1 to 16 Services, in the route's namespace.
        listener: the name of the only listener to attach to. Default: all that allow it, as Kubernetes decides.
        hostnames: at most 16 host names that are served; a listener's own host name limits them. Default: all.
        matches: at most 64 matches, of which one must hold. Default: every call.
        name: the route's name. Default: the construct's id; we decide.

    Raises:
        AutoModeError: for a Gateway that does not take the route, and for everything that Kubernetes would refuse.

    Source: Gateway API, "GRPCRoute"; Elastic Load Balancing, "Target groups for your Application Load Balancers",
    protocol versions.
    """

    @checked_arguments
    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        gateway: Gateway,
        backends: Sequence[RouteBackend],
        listener: str | None = None,
        hostnames: Sequence[str] = (),
        matches: Sequence[GrpcMatch] = (),
        name: str | None = None,
    ) -> None:
        refusals = Refusals(place(scope, id))
        for index, match in enumerate(matches):
            if not re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", match.service, re.ASCII):
                refusals.refuse(
                    f"matches[{index}].service", f"'{match.service}' is not a gRPC service", "write package.Service"
                )
            if match.method is not None and not re.fullmatch(r"[A-Za-z_]\w*", match.method, re.ASCII):
                refusals.refuse(f"matches[{index}].method", f"'{match.method}' is not a gRPC method")
        spec = _route(
            refusals,
            scope,
            kind="GRPCRoute",
            gateway=gateway,
            listener=listener,
            hostnames=hostnames,
            backends=backends,
            matches=[_grpc_match(match) for match in matches],
        )
        super().__init__(
            scope, id, api_version=_API_VERSION, kind="GRPCRoute", name=name, body={"spec": spec}, cluster_scoped=False
        )


def _check_listeners(refusals: Refusals, listeners: Sequence[GatewayListener], *, layer_4: bool) -> None:
    if not 1 <= len(listeners) <= _MOST_LISTENERS:
        refusals.refuse("listeners", f"needs 1 to {_MOST_LISTENERS} listeners, got {len(listeners)}")
    names: set[str] = set()
    served: set[tuple[int, str, str | None]] = set()
    known = _LAYER_4 if layer_4 else tuple(_ROUTES)
    balancer = "Network" if layer_4 else "Application"
    for index, listener in enumerate(listeners):
        where = f"listeners[{index}]"
        _check_name(refusals, f"{where}.name", listener.name)
        refusals.number(f"{where}.port", listener.port, least=1, most=65535)
        if listener.protocol not in known:
            refusals.refuse(
                f"{where}.protocol",
                f"{listener.protocol} is not for the class's {balancer} Load Balancer",
                f"use one of {', '.join(known)}, or a class of the other controller",
            )
        if listener.hostname is not None:
            if listener.protocol in ("TCP", "UDP"):
                refusals.refuse(f"{where}.hostname", f"is not for {listener.protocol}", "leave it out")
            _check_hostname(refusals, f"{where}.hostname", listener.hostname)
        if listener.name in names:
            refusals.refuse(f"{where}.name", f"'{listener.name}' is taken", "give each listener a name of its own")
        names.add(listener.name)
        key = (listener.port, listener.protocol, listener.hostname)
        if key in served:
            refusals.refuse(where, "serves the port, protocol and host name of another one", "remove one of the two")
        served.add(key)


def _check_name(refusals: Refusals, field: str, name: str) -> None:
    if len(name) > 253 or not _SECTION.fullmatch(name):
        refusals.refuse(
            field, f"'{name}' is not a listener's name", "use at most 253 lower-case letters, digits, '-' and '.'"
        )


def _check_hostname(refusals: Refusals, field: str, name: str) -> None:
    if len(name) > 253 or not _HOSTNAME.fullmatch(name) or re.fullmatch(r"[0-9.]+", name):
        refusals.refuse(field, f"'{name}' is not a host name", "write one such as shop.example.com or *.example.com")


def _listener(listener: GatewayListener) -> dict[str, Any]:
    return {
        "name": listener.name,
        "protocol": listener.protocol,
        "port": listener.port,
        **({} if listener.hostname is None else {"hostname": listener.hostname}),
        "allowedRoutes": {"namespaces": {"from": listener.routes_from}},
    }


def _route(
    refusals: Refusals,
    scope: Construct,
    *,
    kind: str,
    gateway: Gateway,
    listener: str | None,
    hostnames: Sequence[str],
    backends: Sequence[RouteBackend],
    matches: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """The spec of a route, after everything about it was checked.

    Raises:
        AutoModeError: with everything that is wrong.
    """
    try:
        namespace = cdk8s.Chart.of(scope).namespace
    except RuntimeError:  # The object's own constructor says what is wrong with a scope outside a chart.
        namespace = gateway.namespace
    _check_parent(refusals, kind, gateway, listener, other_namespace=namespace != gateway.namespace)
    if len(hostnames) > _MOST_HOSTNAMES:
        refusals.refuse("hostnames", f"needs at most {_MOST_HOSTNAMES} host names, got {len(hostnames)}")
    for index, hostname in enumerate(hostnames):
        _check_hostname(refusals, f"hostnames[{index}]", hostname)
    if len(matches) > _MOST_MATCHES:
        refusals.refuse("matches", f"needs at most {_MOST_MATCHES} matches, got {len(matches)}")
    if not 1 <= len(backends) <= _MOST_BACKENDS:
        refusals.refuse("backends", f"needs 1 to {_MOST_BACKENDS} Services, got {len(backends)}")
    for index, backend in enumerate(backends):
        where = f"backends[{index}]"
        if not re.fullmatch(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", backend.service):
            refusals.refuse(f"{where}.service", f"'{backend.service}' is not the name of a Service")
        refusals.number(f"{where}.port", backend.port, least=1, most=65535)
        refusals.number(f"{where}.weight", backend.weight, least=0, most=_MOST_WEIGHT)
    if backends and not any(backend.weight for backend in backends):
        refusals.refuse("backends", "all have the weight 0, so that every request fails", "give one of them a weight")
    refusals.raise_all()
    parent: dict[str, Any] = {"name": gateway.name}
    if gateway.namespace is not None:
        parent["namespace"] = gateway.namespace
    if listener is not None:
        parent["sectionName"] = listener
    rule: dict[str, Any] = {
        "backendRefs": [
            {"name": backend.service, "port": backend.port, "weight": backend.weight} for backend in backends
        ]
    }
    if matches:
        rule = {"matches": [dict(match) for match in matches], **rule}
    return {
        "parentRefs": [parent],
        **({"hostnames": list(hostnames)} if hostnames else {}),
        "rules": [rule],
    }


def _check_parent(
    refusals: Refusals, kind: str, gateway: Gateway, listener: str | None, *, other_namespace: bool
) -> None:
    names = [one.name for one in gateway.listeners]
    if listener is not None and listener not in names:
        refusals.refuse(
            "listener", f"'{listener}' is no listener of Gateway '{gateway.name}'", did_you_mean(listener, names)
        )
        return
    meant = [one for one in gateway.listeners if listener in (None, one.name)]
    serving = [one for one in meant if kind in _ROUTES.get(one.protocol, ())]
    field = "gateway" if listener is None else "listener"
    if not serving:
        refusals.refuse(
            field,
            f"{_of(meant)} of Gateway '{gateway.name}' takes no {kind}",
            "use a Gateway of the class with the controller eks.amazonaws.com/gateway-alb",
        )
        return
    if kind == "GRPCRoute" and not any(one.protocol == "HTTPS" for one in serving):
        refusals.refuse(
            field,
            f"{_of(serving)} of Gateway '{gateway.name}' has no HTTPS, and an Application Load Balancer takes gRPC "
            "over HTTPS only",
            "add a listener with protocol='HTTPS'",
        )
    if other_namespace and not any(one.routes_from == "All" for one in serving):
        refusals.refuse(
            field,
            f"{_of(serving)} of Gateway '{gateway.name}' takes routes of its own namespace only, and this chart has "
            "another one",
            "give the listener routes_from='All', or put both into one namespace",
        )


def _of(listeners: Sequence[GatewayListener]) -> str:
    names = " and ".join(f"'{one.name}' ({one.protocol})" for one in listeners)
    return f"listener {names}" if len(listeners) == 1 else f"none of the listeners {names}"


def _http_match(match: HttpMatch) -> dict[str, Any]:
    found: dict[str, Any] = {"path": {"type": "Exact" if match.exact else "PathPrefix", "value": match.path}}
    if match.method is not None:
        found["method"] = match.method
    if match.headers:
        found["headers"] = [{"name": name, "value": value} for name, value in match.headers.items()]
    return found


def _grpc_match(match: GrpcMatch) -> dict[str, Any]:
    method = {} if match.method is None else {"method": match.method}
    return {"method": {"service": match.service, **method}}
