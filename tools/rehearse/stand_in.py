"""The stand-in AWS: ministack, with what this project's templates need beside it. Runs in the Python of ``parts``.

ministack answers CloudFormation, IAM, EC2, KMS, Logs, S3, SSM, Lambda (as processes), ECR and EKS without Docker. Some
resource types and some properties of ours it does not know: those are registered here. Made as strict as AWS where a
deployment hangs on it: names that are taken, deletion protection, principals that must exist, and faults that a step
asks for.
"""

from __future__ import annotations

import json
import os
import stat
import subprocess
import uuid
from collections.abc import Callable, Container, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import ministack.app
from ministack.core import lambda_runtime
from ministack.services import cloudwatch_logs, ec2, ecr, eks, iam, s3
from ministack.services.cloudformation import provisioners

Properties = dict[str, Any]
Made = tuple[str, dict[str, Any]]

FAULTS = "REHEARSE_FAULTS"
"""Names the file that says which resource types AWS refuses to create just now, and in which words."""

BIN = "REHEARSE_BIN"
"""Names the folder whose commands stand before those of a Lambda's layers."""

_HANDLERS: dict[str, dict[str, Callable[..., Any]]] = provisioners._RESOURCE_HANDLERS
_CLUSTER_PROPERTIES = (
    "ComputeConfig",
    "ControlPlaneScalingConfig",
    "DeletionProtection",
    "RemoteNetworkConfig",
    "StorageConfig",
    "UpgradePolicy",
    "ZonalShiftConfig",
)
_NAMES: dict[str, tuple[str, Container[str]]] = {
    "AWS::ECR::Repository": ("RepositoryName", ecr._repositories),
    "AWS::IAM::Role": ("RoleName", iam._roles),
    "AWS::Logs::LogGroup": ("LogGroupName", cloudwatch_logs._log_groups),
    "AWS::S3::Bucket": ("BucketName", s3._buckets),
}
"""Names that a template may give and that must be free, where ministack takes over what is there."""

_camel = provisioners._pascal_to_camel


def _text(reply: tuple[int, Any, Any], what: str) -> str:
    status, _, body = reply
    text = body.decode() if isinstance(body, bytes) else str(body)
    if status >= 400:
        raise ValueError(f"{what}: {text}")
    return text


def _json(reply: tuple[int, Any, Any], what: str) -> Any:
    return json.loads(_text(reply, what) or "{}")


def _element(xml: str, *path: str) -> str:
    for tag in path:
        xml = xml.partition(f"<{tag}>")[2]
    return xml.partition("<")[0]


def _tags(properties: Properties, kind: str) -> dict[str, str]:
    tags: dict[str, str] = {}
    for number, tag in enumerate(properties.get("Tags") or [], 1):
        tags |= {
            "TagSpecification.1.ResourceType": kind,
            f"TagSpecification.1.Tag.{number}.Key": tag["Key"],
            f"TagSpecification.1.Tag.{number}.Value": tag["Value"],
        }
    return tags


# What EC2 makes of a network.


def _new_address(logical_id: str, properties: Properties, _stack: str) -> Made:
    answer = _text(ec2._allocate_address({"Domain": "vpc", **_tags(properties, "elastic-ip")}), logical_id)
    address = _element(answer, "publicIp")
    return address, {"AllocationId": _element(answer, "allocationId"), "PublicIp": address}


def _delete_address(address: str, _properties: Properties) -> None:
    for allocation, address_record in list(ec2._addresses.items()):
        if address_record["PublicIp"] == address:
            ec2._release_address({"AllocationId": allocation})


def _new_nat_gateway(logical_id: str, properties: Properties, _stack: str) -> Made:
    parameters = {key: properties.get(key, "") for key in ("SubnetId", "AllocationId")}
    gateway = _element(
        _text(ec2._create_nat_gateway(parameters | _tags(properties, "natgateway")), logical_id), "natGatewayId"
    )
    return gateway, {"NatGatewayId": gateway}


def _new_flow_log(logical_id: str, properties: Properties, _stack: str) -> Made:
    parameters = {key: value for key, value in properties.items() if isinstance(value, str)}
    parameters |= {"ResourceId.1": properties["ResourceId"], **_tags(properties, "vpc-flow-log")}
    log = _element(_text(ec2._create_flow_logs(parameters), logical_id), "flowLogIdSet", "item")
    return log, {"Id": log}


# Rules that stand beside their security group.


def _rule(properties: Properties) -> dict[str, str]:
    parameters = {"GroupId": properties["GroupId"]}
    for field, name in {
        "IpProtocol": "IpProtocol",
        "FromPort": "FromPort",
        "ToPort": "ToPort",
        "CidrIp": "IpRanges.1.CidrIp",
        "CidrIpv6": "Ipv6Ranges.1.CidrIpv6",
        "DestinationPrefixListId": "PrefixListIds.1.PrefixListId",
        "DestinationSecurityGroupId": "Groups.1.GroupId",
        "SourcePrefixListId": "PrefixListIds.1.PrefixListId",
        "SourceSecurityGroupId": "Groups.1.GroupId",
    }.items():
        if field in properties:
            parameters[f"IpPermissions.1.{name}"] = str(properties[field])
    return parameters


def _new_ingress(logical_id: str, properties: Properties, _stack: str) -> Made:
    rule_id = _element(_text(ec2._authorize_sg_ingress(_rule(properties)), logical_id), "securityGroupRuleId")
    return rule_id, {"Id": rule_id}


def _new_egress(logical_id: str, properties: Properties, _stack: str) -> Made:
    rule_id = _element(_text(ec2._authorize_sg_egress(_rule(properties)), logical_id), "securityGroupRuleId")
    return rule_id, {"Id": rule_id}


# Buckets: their tags, by which the CDK's emptying Lambda knows that it may.

_make_bucket, _change_bucket = (_HANDLERS["AWS::S3::Bucket"][verb] for verb in ("create", "update"))


def _tag_bucket(bucket: Made, properties: Properties) -> Made:
    s3._bucket_tags[bucket[0]] = {tag["Key"]: tag["Value"] for tag in properties.get("Tags") or []}
    return bucket


def _new_bucket(logical_id: str, properties: Properties, stack: str) -> Made:
    return _tag_bucket(_make_bucket(logical_id, properties, stack), properties)


def _changed_bucket(bucket: str, old: Properties, new: Properties, stack: str) -> Made:
    return _tag_bucket(_change_bucket(bucket, old, new, stack), new)


# What nothing asks for later: a VPC's further blocks, of which the subnets know by themselves, and ECR's rules.

_rules: dict[str, Properties] = {}


def _new_block(_logical_id: str, properties: Properties, _stack: str) -> Made:
    if properties["VpcId"] not in ec2._vpcs:
        raise ValueError(f"The vpc ID '{properties['VpcId']}' does not exist")
    association = f"vpc-cidr-assoc-{uuid.uuid4().hex[:17]}"
    return association, {"Id": association}


def _new_rule(_logical_id: str, properties: Properties, _stack: str) -> Made:
    prefix = properties["EcrRepositoryPrefix"]
    if prefix in _rules:
        raise ValueError(f"The pull through cache rule with prefix '{prefix}' already exists")
    _rules[prefix] = properties
    return prefix, {}


# EKS: access entries, pod identities, and the properties of an Auto Mode cluster.


def _associate_policies(cluster: str, principal: str, properties: Properties) -> None:
    entry = eks._access_entries[eks._ae_key(cluster, principal)]
    for policy in properties.get("AccessPolicies") or []:
        # The EC2 entries of Auto Mode's nodes take policies too.
        kind, entry["type"] = entry["type"], "STANDARD"
        try:
            _json(eks._associate_access_policy(cluster, principal, _camel(policy)), principal)
        finally:
            entry["type"] = kind


def _new_access_entry(logical_id: str, properties: Properties, _stack: str) -> Made:
    cluster, principal = properties["ClusterName"], properties["PrincipalArn"]
    if ":role/" in principal and principal.rpartition("/")[2] not in iam._roles:
        raise ValueError("The specified principalArn is invalid: invalid principal. (Service: Eks, Status Code: 400)")
    parameters = {
        "principalArn": principal,
        "type": properties.get("Type", "STANDARD"),
        "kubernetesGroups": properties.get("KubernetesGroups", []),
    }
    entry = _json(eks._create_access_entry(cluster, parameters), logical_id)["accessEntry"]
    _associate_policies(cluster, principal, properties)
    return f"{principal}|{cluster}", {"AccessEntryArn": entry["accessEntryArn"]}


def _changed_access_entry(entry: str, old: Properties, new: Properties, _stack: str) -> Made:
    principal, cluster = entry.split("|")
    for policy in old.get("AccessPolicies") or []:
        eks._disassociate_access_policy(cluster, principal, policy["PolicyArn"])
    _associate_policies(cluster, principal, new)
    return entry, {"AccessEntryArn": eks._access_entries[eks._ae_key(cluster, principal)]["accessEntryArn"]}


def _delete_access_entry(entry: str, _properties: Properties) -> None:
    principal, cluster = entry.split("|")
    eks._delete_access_entry(cluster, principal)


def _new_pod_identity(logical_id: str, properties: Properties, _stack: str) -> Made:
    parameters = _camel({key: value for key, value in properties.items() if key not in ("ClusterName", "Tags")})
    answer = _json(eks._create_pod_identity_association(properties["ClusterName"], parameters), logical_id)
    association = answer["association"]
    arn, identity = association["associationArn"], association["associationId"]
    return arn, {"AssociationArn": arn, "AssociationId": identity}


def _changed_pod_identity(arn: str, _old: Properties, new: Properties, _stack: str) -> Made:
    identity = arn.rpartition("/")[2]
    _json(eks._update_pod_identity_association(new["ClusterName"], identity, _camel(new)), arn)
    return arn, {"AssociationArn": arn, "AssociationId": identity}


def _delete_pod_identity(arn: str, properties: Properties) -> None:
    eks._delete_pod_identity_association(properties["ClusterName"], arn.rpartition("/")[2])


_make_cluster, _change_cluster, _remove_cluster = (
    _HANDLERS["AWS::EKS::Cluster"][verb] for verb in ("create", "update", "delete")
)


def _completed(name: str, properties: Properties) -> Made:
    cluster = eks._clusters[name]
    cluster.update(_camel({key: properties[key] for key in _CLUSTER_PROPERTIES if key in properties}))
    cluster["kubernetesNetworkConfig"].update(_camel(properties.get("KubernetesNetworkConfig") or {}))
    cluster["encryptionConfig"] = _camel(properties.get("EncryptionConfig") or [])
    cluster["accessConfig"].update(_camel(properties.get("AccessConfig") or {}))
    cluster["status"] = "ACTIVE"
    return name, provisioners._eks_cluster_attrs(cluster)


def _new_cluster(logical_id: str, properties: Properties, stack: str) -> Made:
    name = _make_cluster(logical_id, properties, stack)[0]
    # ministack invents the cluster's security group and VPC, but our rules need a group that is there.
    network = eks._clusters[name]["resourcesVpcConfig"]
    network["vpcId"] = ec2._subnets[properties["ResourcesVpcConfig"]["SubnetIds"][0]]["VpcId"]
    parameters = {"GroupName": f"eks-cluster-sg-{name}", "GroupDescription": "EKS", "VpcId": network["vpcId"]}
    network["clusterSecurityGroupId"] = _element(_text(ec2._create_security_group(parameters), logical_id), "groupId")
    return _completed(name, properties)


def _changed_cluster(name: str, old: Properties, new: Properties, stack: str, logical_id: str | None = None) -> Made:
    return _completed(_change_cluster(name, old, new, stack, logical_id)[0], new)


def _delete_cluster(name: str, properties: Properties) -> None:
    cluster = eks._clusters.get(name)
    if cluster is not None and str(cluster.get("deletionProtection", False)).lower() == "true":
        raise ValueError(f"Cluster {name} cannot be deleted because deletion protection is enabled")
    _remove_cluster(name, properties)
    if cluster is not None:
        ec2._delete_security_group({"GroupId": cluster["resourcesVpcConfig"]["clusterSecurityGroupId"]})


def register() -> None:
    """Adds the resource types and the refusals to ministack."""
    # The entries of Auto Mode's nodes, and of two more kinds that EKS has by now.
    eks._VALID_ACCESS_ENTRY_TYPES = (*eks._VALID_ACCESS_ENTRY_TYPES, "EC2", "HYBRID_LINUX", "HYPERPOD_LINUX")
    _HANDLERS["AWS::EC2::EIP"] = {"create": _new_address, "delete": _delete_address}
    _HANDLERS["AWS::EC2::NatGateway"] = {
        "create": _new_nat_gateway,
        "delete": lambda gateway, _: ec2._delete_nat_gateway({"NatGatewayId": gateway}),
    }
    _HANDLERS["AWS::EC2::FlowLog"] = {
        "create": _new_flow_log,
        "delete": lambda log, _: ec2._delete_flow_logs({"FlowLogId.1": log}),
    }
    _HANDLERS["AWS::EC2::VPCCidrBlock"] = {"create": _new_block, "delete": lambda *_: None}
    _HANDLERS["AWS::EC2::SecurityGroupIngress"] = {
        "create": _new_ingress,
        "delete": lambda _, properties: ec2._revoke_sg_ingress(_rule(properties)),
    }
    _HANDLERS["AWS::EC2::SecurityGroupEgress"] = {
        "create": _new_egress,
        "delete": lambda _, properties: ec2._revoke_sg_egress(_rule(properties)),
    }
    _HANDLERS["AWS::S3::Bucket"].update(create=_new_bucket, update=_changed_bucket)
    _HANDLERS["AWS::ECR::PullThroughCacheRule"] = {
        "create": _new_rule,
        "update": lambda prefix, *_: (prefix, {}),
        "delete": lambda prefix, _: _rules.pop(prefix, None),
    }
    _HANDLERS["AWS::EKS::AccessEntry"] = {
        "create": _new_access_entry,
        "update": _changed_access_entry,
        "delete": _delete_access_entry,
    }
    _HANDLERS["AWS::EKS::PodIdentityAssociation"] = {
        "create": _new_pod_identity,
        "update": _changed_pod_identity,
        "delete": _delete_pod_identity,
    }
    _HANDLERS["AWS::EKS::Cluster"].update(create=_new_cluster, update=_changed_cluster, delete=_delete_cluster)
    for kind, handler in _HANDLERS.items():
        if "create" in handler:
            handler["create"] = _unless_refused(kind, handler["create"])


def _unless_refused(kind: str, create: Callable[..., Any]) -> Callable[..., Any]:
    field, there = _NAMES.get(kind, ("", {}))

    def make(logical_id: str, properties: Properties, *more: Any, **named: Any) -> Any:
        faults = json.loads(Path(os.environ[FAULTS]).read_text("utf-8"))
        if kind in faults:
            raise ValueError(faults[kind])
        if properties.get(field) in there:
            raise ValueError(f"Resource of type '{kind}' with identifier '{properties[field]}' already exists.")
        return create(logical_id, properties, *more, **named)

    return make


def lambda_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables of a Lambda's process, with what its layers would bring under ``/opt`` on its PATH."""
    folders = [Path(folder) for folder in environment["_LAMBDA_LAYERS_DIRS"].split(os.pathsep)]
    commands = sorted(inner for folder in folders for inner in folder.iterdir() if inner.is_dir())
    for file in (file for folder in commands for file in folder.iterdir() if file.name in ("aws", "kubectl", "helm")):
        file.chmod(file.stat().st_mode | stat.S_IXUSR)  # unzipped without its mode
    work = str(folders[0].parent)
    return {
        **environment,
        "PATH": os.pathsep.join([environment[BIN], *map(str, commands), environment["PATH"]]),
        "HOME": work,
        "TEST_OUTDIR": work,  # where the kubectl handler writes instead of /tmp
    }


def _popen(*arguments: Any, **options: Any) -> Any:
    environment = options.get("env") or {}
    if "_LAMBDA_LAYERS_DIRS" in environment:
        options["env"] = lambda_environment(environment)
    return subprocess.Popen(*arguments, **options)


def main() -> None:
    """Serves until it is told to stop; port and folders come from the environment."""
    register()
    lambda_runtime.subprocess = SimpleNamespace(**{**vars(subprocess), "Popen": _popen})
    ministack.app.main()


if __name__ == "__main__":
    main()
