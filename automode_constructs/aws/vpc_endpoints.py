"""VpcEndpoints: the interface endpoints that a cluster without internet access needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from aws_cdk import Aws, Fn, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from constructs import Construct

from automode_constructs.arguments import checked_arguments
from automode_constructs.aws.network import AutoModeNetwork, Network
from automode_constructs.aws.scope import StackScope
from automode_constructs.aws.zones import known_zone
from automode_constructs.errors import AutoModeError, did_you_mean
from automode_constructs.facts.regions import partition_of
from automode_constructs.facts.vpc_endpoints import EndpointService, endpoint_services
from automode_constructs.tokens import is_token

__all__ = ["VpcEndpoints", "endpoint_services_of", "interface_endpoint_cidrs"]


class VpcEndpoints(Construct):
    """Interface endpoints in the node subnets, so that nodes, pods and kubectl reach AWS without the internet.

    Creates one interface endpoint with private DNS for each service that lacks one in the VPC, in each zone of the node
    subnets, and one security group, which admits TCP 443 from the node and pod subnets and nothing else. Nodes need
    ``ecr.api`` and ``ecr.dkr`` (image pulls), their pods ``eks-auth`` (Pod Identity) and ``sts``; kubectl needs ``eks``
    and ``lambda``. Each endpoint costs an hourly fee per zone, plus its traffic. An ``AutoModeNetwork`` includes the S3
    gateway endpoint; for an ``ExistingNetwork`` you create it yourself.

    The endpoint policies admit only principals of this account. The policy of ``sts`` also admits callers with a web
    identity for a role of this account, as they have no account yet. If the network is an ``AutoModeNetwork`` without a
    route out, its S3 gateway endpoint gets such a policy too; it also admits requests with presigned URLs: image layers
    in ECR's bucket, and responses to CloudFormation.

    Create it in the network's stack and before the cluster, which looks for the endpoints that kubectl needs.

    Args:
        scope: the scope in which the endpoints are created.
        id: the construct's id.
        network: the network whose node subnets get the endpoints.
        kubectl: whether charts are delivered by the kubectl Lambda. Default: True; we decide. If the cluster also has
            ``kubectl=False``, deliver charts by GitOps.
        also: further services that workloads need: ``logs``, ``kms``, ``secretsmanager``, ``ssm``, ``ec2`` and others
            of ``facts/vpc_endpoints.json``. Default: none; we decide.
        fips: whether to create the FIPS endpoints of services too, where AWS has them. Default: True in GovCloud, else
            False; we decide.

    Attributes:
        security_group: the endpoints' group, which your own endpoints can use too.
        endpoints: the interface endpoints, keyed by the last part of their service name.

    Raises:
        AutoModeError: for a service that is not known or named twice; for an endpoint that the region lacks; for a
            network whose addresses the CDK does not know.

    Source: EKS User Guide, "Deploy private clusters with limited internet access"; Amazon ECR User Guide, "Amazon ECR
    interface VPC endpoints"; CloudFormation User Guide, "Setting up VPC endpoints for CloudFormation".
    """

    @checked_arguments
    def __init__(
        self,
        scope: StackScope,
        id: str,
        *,
        network: Network,
        kubectl: bool = True,
        also: Sequence[str] = (),
        fips: bool | None = None,
    ) -> None:
        where, region = f"{scope.node.path}/{id}", Stack.of(scope).region
        services = _services(where, region, also, kubectl=kubectl, there=endpoint_services_of(network))
        cidrs = _cidrs(where, network)
        super().__init__(scope, id)
        partition = "aws" if is_token(region) else partition_of(region).name
        self.security_group: Final = ec2.SecurityGroup(
            self,
            "SecurityGroup",
            vpc=network.vpc,
            description="HTTPS from nodes and pods to VPC endpoints",
            allow_all_outbound=False,
        )
        for cidr in cidrs:
            self.security_group.add_ingress_rule(ec2.Peer.ipv4(cidr), ec2.Port.tcp(443), "Nodes and pods")
        self.endpoints: Final[Mapping[str, ec2.InterfaceVpcEndpoint]] = {
            name: self._make(name, service, network)
            for service in services
            for name in _names(service, partition, fips=partition == "aws-us-gov" if fips is None else fips)
        }
        # With a NAT gateway, nodes' traffic to every bucket still uses the gateway endpoint, so its policy is left
        # unchanged.
        if isinstance(network, AutoModeNetwork) and not network.has_egress:
            for statement in _s3_statements():
                network.s3_endpoint.add_to_policy(statement)

    def _make(self, name: str, service: EndpointService, network: Network) -> ec2.InterfaceVpcEndpoint:
        endpoint = ec2.InterfaceVpcEndpoint(
            self,
            "".join(part.capitalize() for part in name.replace("-", ".").split(".")),
            vpc=network.vpc,
            service=ec2.InterfaceVpcEndpointAwsService(name),
            subnets=ec2.SubnetSelection(subnets=_one_each_zone(network.node_subnets)),
            security_groups=[self.security_group],
            private_dns_enabled=True,
            open=False,
        )
        if service.policy:
            endpoint.add_to_policy(_our_principals())
            if service.name == "sts":
                endpoint.add_to_policy(_our_web_identities())
        return endpoint


def endpoint_services_of(network: Network) -> frozenset[str]:
    """The services of a network's VPC endpoints, such as ``ecr.api`` for ``com.amazonaws.<region>.ecr.api``.

    Includes endpoints that the app has created so far, in any stack, and those declared on an ``ExistingNetwork``.
    """
    return frozenset([*(network.endpoint_services or ()), *(name for name, _ in _endpoints_of(network))])


def interface_endpoint_cidrs(network: Network, service: str) -> tuple[str, ...]:
    """The network's blocks, if an interface endpoint with private DNS of the app leads to a service; else none."""
    by_address = any(
        name == service and endpoint.vpc_endpoint_type == "Interface" and endpoint.private_dns_enabled is True
        for name, endpoint in _endpoints_of(network)
    )
    return tuple(network.cidrs) if by_address else ()


def _endpoints_of(network: Network) -> Iterator[tuple[str, ec2.CfnVPCEndpoint]]:
    """The endpoints that the app has created so far in the network's VPC, each with its service."""
    for construct in network.vpc.node.root.node.find_all():
        if isinstance(construct, ec2.CfnVPCEndpoint) and construct.vpc_id == network.vpc.vpc_id:
            resolved = Stack.of(construct).resolve(construct.service_name)
            parts = resolved["Fn::Join"][1] if isinstance(resolved, dict) and "Fn::Join" in resolved else [resolved]
            whole = "".join(part if isinstance(part, str) else "region" for part in parts)
            yield whole.split(".", 3)[-1], construct


def _services(
    where: str, region: str, also: Sequence[str], *, kubectl: bool, there: frozenset[str]
) -> list[EndpointService]:
    catalogue = endpoint_services()
    for position, name in enumerate(also):
        if name not in catalogue:
            raise AutoModeError.of(
                where,
                field=f"also[{position}]",
                message=f"'{name}' is not known",
                cure=f"{did_you_mean(name, catalogue)}; create an endpoint of another service with "
                "ec2.InterfaceVpcEndpoint and security_groups=[endpoints.security_group]",
            )
    needed = {"nodes", "pods", "kubectl"} if kubectl else {"nodes", "pods"}
    names = [*(name for name, service in catalogue.items() if service.need in needed and name not in there), *also]
    twice = next((name for name in names if names.count(name) > 1 or name in there), None)
    if twice is not None:
        raise AutoModeError.of(
            where, field="also", message=f"'{twice}' already exists", cure="name only services without an endpoint"
        )
    services = [catalogue[name] for name in names]
    for service in services:
        if region in service.missing_regions:
            raise AutoModeError.of(
                where,
                field="kubectl" if service.need == "kubectl" else "also",
                message=f"region '{region}' has no endpoint '{service.name}', and {service.why}",
                cure="set kubectl=False here and on the cluster, and deliver charts by GitOps"
                if service.need == "kubectl"
                else "leave it out",
            )
    return services


def _names(service: EndpointService, partition: str, *, fips: bool) -> list[str]:
    """The plain endpoint, which some callers need, and the FIPS endpoint."""
    return [service.name, *([service.fips] if fips and service.fips and partition in service.fips_partitions else [])]


def _cidrs(where: str, network: Network) -> list[str]:
    try:
        blocks = [subnet.ipv4_cidr_block for subnet in [*network.node_subnets, *network.pod_subnets]]
    except RuntimeError:  # An imported subnet without a known CIDR block raises when its block is read.
        blocks = list(network.cidrs)
    if not blocks:
        raise AutoModeError.of(
            where,
            field="network",
            message="has no known addresses, so no security group can admit them",
            cure="pass the VPC's blocks to ExistingNetwork: cidrs=['10.0.0.0/16']",
        )
    return list(dict.fromkeys(blocks))


def _one_each_zone(subnets: Sequence[ec2.ISubnet]) -> list[ec2.ISubnet]:
    """One subnet of each zone, because an endpoint takes only one per zone."""
    return list({known_zone(subnet) or subnet.node.path: subnet for subnet in reversed(subnets)}.values())[::-1]


def _our_principals() -> iam.PolicyStatement:
    return iam.PolicyStatement(
        sid="PrincipalsOfThisAccount",
        principals=[iam.AnyPrincipal()],
        actions=["*"],
        resources=["*"],
        conditions={"StringEquals": {"aws:PrincipalAccount": Aws.ACCOUNT_ID}},
    )


def _our_web_identities() -> iam.PolicyStatement:
    return iam.PolicyStatement(
        sid="WebIdentitiesForRolesOfThisAccount",
        principals=[iam.AnyPrincipal()],
        actions=["sts:AssumeRoleWithWebIdentity"],
        resources=[f"arn:{Aws.PARTITION}:iam::{Aws.ACCOUNT_ID}:role/*"],
    )


def _s3_statements() -> list[iam.PolicyStatement]:
    bucket = f"arn:{Aws.PARTITION}:s3:::"
    undashed = Fn.join("", Fn.split("-", Aws.REGION))
    return [
        _our_principals(),
        # Both are reached by URLs that another account has presigned: the caller does not belong to this account.
        iam.PolicyStatement(
            sid="LayersOfImages",
            principals=[iam.AnyPrincipal()],
            actions=["s3:GetObject"],
            resources=[f"{bucket}prod-{Aws.REGION}-starport-layer-bucket/*"],
        ),
        iam.PolicyStatement(
            sid="AnswersToCloudFormation",
            principals=[iam.AnyPrincipal()],
            actions=["s3:PutObject"],
            resources=[
                f"{bucket}cloudformation-custom-resource-response-{undashed}*/*",
                f"{bucket}cloudformation-waitcondition-{Aws.REGION}*/*",
            ],
        ),
    ]
