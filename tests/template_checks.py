"""Our own judge of templates: what cdk-nag cannot see, because it does not know ``aws_eks_v2`` clusters."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from tests.support import of_type, text_of

__all__ = ["template_findings"]


def template_findings(template: dict[str, Any], *, partition: str = "none", ephemeral: bool = False) -> list[str]:
    """Everything in a template that an Auto Mode cluster in production should not have.

    Args:
        template: a synthesised template.
        partition: the partition whose name may be written out, when the stack's region is concrete.
        ephemeral: whether the cluster may be deleted.
    """
    findings = [
        *_access_findings(template),
        *_network_findings(template),
        *_policy_findings(template),
        *_leftover_findings(template),
    ]
    for name, cluster in of_type(template, "AWS::EKS::Cluster").items():
        findings += [
            f"{name}: {text}" for text in _cluster_findings(template, cluster["Properties"], ephemeral=ephemeral)
        ]
    for found in sorted(set(re.findall(r"arn:(aws[a-z-]*):", json.dumps(template)))):
        if found != partition:
            findings.append(f"literal partition '{found}'")
    return findings


def _cluster_findings(template: dict[str, Any], cluster: dict[str, Any], *, ephemeral: bool) -> Iterator[str]:
    network = cluster["ResourcesVpcConfig"]
    if not network.get("EndpointPrivateAccess"):
        yield "no private endpoint"
    if network.get("EndpointPublicAccess", True):
        cidrs = network.get("PublicAccessCidrs")
        if not cidrs or "0.0.0.0/0" in cidrs:
            yield "endpoint open to the internet"
    public = {
        name
        for name, subnet in of_type(template, "AWS::EC2::Subnet").items()
        if {"Key": "kubernetes.io/role/elb", "Value": "1"} in subnet["Properties"].get("Tags", [])
    }
    if any(isinstance(subnet, dict) and subnet.get("Ref") in public for subnet in network["SubnetIds"]):
        yield "public subnets"
    if "EncryptionConfig" not in cluster:
        yield "secrets without a key"
    logs = cluster.get("Logging", {}).get("ClusterLogging", {}).get("EnabledTypes", [])
    if {kind["Type"] for kind in logs} != {"api", "audit", "authenticator", "controllerManager", "scheduler"}:
        yield "not all five logs"
    if not ephemeral and cluster.get("DeletionProtection") is not True:
        yield "no deletion protection"
    if cluster.get("UpgradePolicy") != {"SupportType": "STANDARD"}:
        yield "may slip into paid extended support"
    toggles = (
        cluster.get("ComputeConfig", {}).get("Enabled"),
        cluster.get("StorageConfig", {}).get("BlockStorage", {}).get("Enabled"),
        cluster.get("KubernetesNetworkConfig", {}).get("ElasticLoadBalancing", {}).get("Enabled"),
    )
    if toggles != (True, True, True):
        yield "compute, storage and load balancing are not on together"
    if cluster.get("AccessConfig", {}).get("AuthenticationMode") != "API":
        yield "authentication mode is not API"
    if cluster.get("AccessConfig", {}).get("BootstrapClusterCreatorAdminPermissions", True):
        yield "the creator is an administrator in silence"
    if cluster.get("BootstrapSelfManagedAddons", True):
        yield "self-managed add-ons"
    kubernetes = cluster.get("KubernetesNetworkConfig", {})
    # An IPv6 cluster's is EKS's to choose.
    if kubernetes.get("IpFamily") != "ipv6" and "ServiceIpv4Cidr" not in kubernetes:
        yield "service range left to chance"
    role = template["Resources"].get(str(cluster["RoleArn"].get("Fn::GetAtt", [""])[0]))
    if role is not None:
        names = {text_of(arn).rpartition("/")[2] for arn in role["Properties"].get("ManagedPolicyArns", [])}
        # No source shows the second one in GovCloud.
        second = "" if "us-gov-" in json.dumps(template) else "V2"
        if {name for name in names if "BlockStorage" in name} != {f"AmazonEKSBlockStoragePolicy{second}"}:
            yield "cluster role without the second block-storage policy"
        if "sts:TagSession" not in json.dumps(role["Properties"]["AssumeRolePolicyDocument"]):
            yield "cluster role without sts:TagSession"


def _access_findings(template: dict[str, Any]) -> Iterator[str]:
    built_in = [
        cluster["Properties"].get("ComputeConfig", {}).get("NodeRoleArn")
        for cluster in of_type(template, "AWS::EKS::Cluster").values()
    ]
    for name, entry in of_type(template, "AWS::EKS::AccessEntry").items():
        properties = entry["Properties"]
        if properties["PrincipalArn"] in built_in:
            yield f"{name}: EKS makes the access entry of the built-in pools' role itself"
        policies = [text_of(policy["PolicyArn"]) for policy in properties.get("AccessPolicies", [])]
        if properties.get("Type") == "EC2" and not any(arn.endswith("/AmazonEKSAutoNodePolicy") for arn in policies):
            yield f"{name}: nodes of this role cannot join"


def _network_findings(template: dict[str, Any]) -> Iterator[str]:
    for name, subnet in of_type(template, "AWS::EC2::Subnet").items():
        if subnet["Properties"].get("MapPublicIpOnLaunch"):
            yield f"{name}: assigns public addresses"
    for name, group in of_type(template, "AWS::EC2::SecurityGroup").items():
        for rule in group["Properties"].get("SecurityGroupIngress", []):
            if rule.get("CidrIp") == "0.0.0.0/0" or rule.get("CidrIpv6") == "::/0":
                yield f"{name}: open to the internet"


def _policy_findings(template: dict[str, Any]) -> Iterator[str]:
    for name, key in of_type(template, "AWS::KMS::Key").items():
        for statement in key["Properties"]["KeyPolicy"]["Statement"]:
            conditions = statement.get("Condition", {})
            # Service-linked roles of the account may have no name in a policy before they exist.
            linked = "kms:CallerAccount" in conditions.get("StringEquals", {}) and text_of(
                conditions.get("ArnLike", {}).get("aws:PrincipalArn", "")
            ).endswith(":role/aws-service-role/*")
            if statement["Principal"] in ("*", {"AWS": "*"}) and not linked:
                yield f"{name}: key policy for everyone"
            actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
            if "kms:CreateGrant" in actions and statement.get("Condition", {}).get("Bool") != {
                "kms:GrantIsForAWSResource": "true"
            }:
                yield f"{name}: grants for more than AWS resources"
    for kind in ("AWS::IAM::Role", "AWS::IAM::Policy"):
        for name, holder in of_type(template, kind).items():
            names = {text_of(arn).rpartition("/")[2] for arn in holder["Properties"].get("ManagedPolicyArns", [])}
            if names & {"AdministratorAccess", "AmazonEKSWorkerNodePolicy"}:
                yield f"{name}: broad policies"


def _leftover_findings(template: dict[str, Any]) -> Iterator[str]:
    """What would stand in the way of the same deployment, or of the next one of that name."""
    for name, body in template["Resources"].items():
        policy, given = body.get("DeletionPolicy", "Delete"), _physical_name(body)
        if given is None or not policy.startswith("Retain"):
            continue
        if policy == "Retain":
            yield f"{name}: its name stays taken when its first deployment fails"
        elif not isinstance(given, str):
            # CloudFormation imports by names that stand in the template.
            yield f"{name}: it stays with a name by which no later deployment can adopt it"
    for name, function in of_type(template, "AWS::Lambda::Function").items():
        group = function["Properties"].get("LoggingConfig", {}).get("LogGroup", {})
        made = template["Resources"].get(group.get("Ref"), {}) if isinstance(group, dict) else {}
        if made.get("Type") != "AWS::Logs::LogGroup" or "RetentionInDays" not in made["Properties"]:
            yield f"{name}: Lambda makes its log group, which stays for ever"
    keys = {
        json.dumps(group["Properties"].get("KmsKeyId")) for group in of_type(template, "AWS::Logs::LogGroup").values()
    }
    if len(keys) > 1:
        yield "not all log groups have the same key"


def _physical_name(resource: dict[str, Any]) -> Any:
    """The name that the template gives a resource in the place of one of CloudFormation's."""
    key = _name_property(resource["Type"])
    value = None if key is None else resource.get("Properties", {}).get(key)
    # What belongs to another resource (a bucket's policy) is named by it.
    return None if isinstance(value, dict) and "Ref" in value else value


@cache
def _name_property(kind: str) -> str | None:
    """The property that names resources of a type, as its schema has it."""
    if not kind.startswith("AWS::"):
        return None
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema
    identifier = [
        path for path in schema.get("primaryIdentifier", ()) if path not in schema.get("readOnlyProperties", ())
    ]
    return identifier[0].rpartition("/")[2] if len(identifier) == 1 else None
