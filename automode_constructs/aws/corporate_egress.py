"""A corporate forward proxy and its certificate authorities, for nodes and the Lambdas that run kubectl."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

from aws_cdk import Annotations
from aws_cdk import aws_eks_v2 as eks
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from automode_constructs.errors import AutoModeError
from automode_constructs.facts.regions import partition_of
from automode_constructs.manifests.certificates import pem_text
from automode_constructs.manifests.node_defaults import NodeDefaults
from automode_constructs.tokens import is_token

__all__ = ["complete_no_proxy", "configure_handler"]

MAX_ENTRIES = 50
"""The maximum number of entries in ``noProxy`` of a NodeClass."""

MAX_ENVIRONMENT = 3500
"""The maximum length of ``NO_PROXY`` for a Lambda in characters: all its variables together have 4 KB."""

_ALWAYS = ("localhost", "127.0.0.1", "169.254.169.254", "169.254.170.23", ".internal", ".svc", ".cluster.local")
"""The node itself, its metadata service, the Pod Identity agent, and names that resolve only internally."""

_ALWAYS_IPV6 = ("::1", "fd00:ec2::254", "fd00:ec2::23")

_TRUST = """#!/bin/sh
# AWS_CA_BUNDLE takes the place of the authorities that the AWS CLI brings: put ours behind them.
set -e
cat /opt/awscli/botocore/cacert.pem /opt/automode/certificates.pem >/tmp/automode-certificates.pem
export AWS_CA_BUNDLE=/tmp/automode-certificates.pem
exec "$@"
"""

_PROXIED_AGENTS = """'use strict';
// NODE_USE_ENV_PROXY gives the proxy to the agent that Node shares. The AWS SDK makes agents of its own: give it to
// every one. What NO_PROXY names goes past it still.
const https = require('node:https');
const proxied = (options) => ({ proxyEnv: process.env, ...options });
https.Agent = new Proxy(https.Agent, {
  construct: (agent, [options], made) => Reflect.construct(agent, [proxied(options)], made),
  apply: (agent, self, [options]) => Reflect.apply(agent, self, [proxied(options)]),
});
require('node:module').syncBuiltinESMExports();
"""


def complete_no_proxy(
    where: str,
    defaults: NodeDefaults,
    *,
    region: str,
    cidrs: Iterable[str],
    services: Iterable[str],
    ipv6: bool,
    in_lambda: bool = True,
) -> NodeDefaults:
    """The node defaults with every destination that must bypass the proxy in ``no_proxy``, each once.

    Args:
        where: the construct path for the error.
        defaults: the node defaults, with a proxy.
        region: the stack's region, or its token.
        cidrs: CIDR blocks of the VPC, the pods and the services.
        services: the services of the VPC's endpoints: the last part of ``com.amazonaws.<region>.<this>``.
        ipv6: whether nodes use IPv6.
        in_lambda: whether the kubectl handler uses the list too.

    Raises:
        AutoModeError: for more entries than a NodeClass allows, or a list that is too long for the kubectl handler.
    """
    user_entries = defaults.no_proxy or ()
    suffix = "amazonaws.com" if is_token(region) else partition_of(region).dns_suffix
    ours = [*_ALWAYS, *(_ALWAYS_IPV6 if ipv6 else ()), f".eks.{suffix}"]
    if ipv6:
        ours.append(f".eks-cluster.{region}.api.aws")
    for service in sorted(services):
        ours += _domains(service, region, suffix)
    ours += cidrs
    entries = list(dict.fromkeys([*ours, *user_entries]))
    if len(entries) > MAX_ENTRIES:
        raise AutoModeError.of(
            where,
            field="node_defaults.no_proxy",
            message=f"comes to {len(entries)} entries with the {len(set(ours))} that the cluster adds, but a NodeClass "
            f"takes {MAX_ENTRIES}",
            cure="name domains ('.corp.example') instead of hosts",
        )
    length = len(",".join(entry for entry in entries if not is_token(entry)))
    if in_lambda and length > MAX_ENVIRONMENT:
        raise AutoModeError.of(
            where,
            field="node_defaults.no_proxy",
            message=f"comes to {length:,} characters, but the kubectl handler's environment has room for "
            f"{MAX_ENVIRONMENT:,}",
            cure="name domains ('.corp.example') instead of hosts",
        )
    return defaults.replace(no_proxy=entries)


def configure_handler(
    scope: Construct, provider: eks.KubectlProvider, defaults: NodeDefaults, *, fips: tuple[bool, bool] = (False, False)
) -> None:
    """Gives the nodes' proxy and authorities to the Lambda that runs kubectl and to the framework that calls it.

    Creates a Lambda layer with the certificates, if there are any, and one for the framework if there is a proxy.
    kubectl itself connects to the cluster's private endpoint and bypasses the proxy. The AWS CLI uses the proxy
    (``eks:DescribeCluster``) and, in the framework, so do the response to CloudFormation and the call to the Lambda
    API. In Node 24 a switch (``NODE_USE_ENV_PROXY``) makes the response use the proxy; the call uses it only because
    the layer changes ``https.Agent`` before the AWS SDK creates its own agents. Tried with the framework, the SDK and
    Node 24, not in Lambda. With a VPC endpoint for ``lambda`` the call bypasses the proxy; the response may go to a
    host in S3's older form (``s3-<region>``), which uses it.

    Args:
        scope: the scope in which the layers are created.
        provider: the two Lambdas.
        defaults: the completed node defaults.
        fips: whether handler and framework use FIPS endpoints.
    """
    handler = cast(lambda_.Function, provider.node.find_child("Handler"))
    framework = cast(lambda_.Function, provider.node.find_child("Provider").node.find_child("framework-onEvent"))
    for function, use_fips in ((handler, fips[0]), (framework, fips[1])):
        for name, value in defaults.proxy_environment().items():
            function.add_environment(name, value)
        if use_fips:
            function.add_environment("AWS_USE_FIPS_ENDPOINT", "true")
    if defaults.https_proxy is not None:
        framework.add_environment("NODE_USE_ENV_PROXY", "1")
        framework.add_environment("NODE_OPTIONS", "--require /opt/automode/proxied-agents.cjs")
        framework.add_layers(
            _layer(
                scope,
                "ProxyLayer",
                {"proxied-agents.cjs": (_PROXIED_AGENTS, 0o644)},
                description="The proxy for the AWS SDK in the CDK's provider framework",
            )
        )
    bundles = defaults.certificate_bundles or ()
    plain_bundles = [bundle for bundle in bundles if not is_token(bundle.data)]
    if len(plain_bundles) < len(bundles):
        Annotations.of(scope).add_warning_v2(
            "automode:HandlerCertificates",
            "node_defaults.certificate_bundles: a bundle known only after deployment reaches the nodes, but not the "
            "kubectl handler; give it endpoints of eks, lambda and S3, or the certificates as text",
        )
    if plain_bundles:
        layer = _layer(
            scope,
            "CertificateLayer",
            {
                "certificates.pem": ("".join(pem_text(bundle) for bundle in plain_bundles), 0o644),
                "trust": (_TRUST, 0o755),
            },
            description="Certificate authorities for the AWS CLI and the CDK's provider framework",
        )
        handler.add_layers(layer)
        handler.add_environment("AWS_LAMBDA_EXEC_WRAPPER", "/opt/automode/trust")
        framework.add_layers(layer)
        framework.add_environment("NODE_EXTRA_CA_CERTS", "/opt/automode/certificates.pem")


def _layer(
    scope: Construct, id: str, contents: Mapping[str, tuple[str, int]], *, description: str
) -> lambda_.LayerVersion:
    """A layer with files in ``/opt/automode``: text and mode, keyed by name."""
    with TemporaryDirectory() as folder:
        inner = Path(folder, "automode")
        inner.mkdir()
        inner.chmod(0o755)
        for name, (text, mode) in contents.items():
            inner.joinpath(name).write_text(text, "utf-8")
            inner.joinpath(name).chmod(mode)
        # The CDK copies the folder into the cloud assembly immediately.
        return lambda_.LayerVersion(scope, id, code=lambda_.Code.from_asset(folder), description=description)


def _domains(service: str, region: str, suffix: str) -> Sequence[str]:
    """The domain names of a VPC endpoint."""
    match service:
        case "s3":
            return [f"s3.{region}.{suffix}", f".s3.{region}.{suffix}"]
        case "ecr.api":
            return [f"api.ecr.{region}.{suffix}"]
        case "ecr.dkr":
            return [f".dkr.ecr.{region}.{suffix}"]
        case "eks-auth":
            return [f"eks-auth.{region}.api.aws"]
        case "eks-fips":
            return [f"fips.eks.{region}.{suffix}"]
        case _:
            return [f"{service}.{region}.{suffix}"]
