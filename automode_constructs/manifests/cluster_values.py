"""The values that charts need from their cluster, as one record of plain values."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self, Unpack, cast

from automode_constructs.arguments import checked_arguments
from automode_constructs.errors import AutoModeError, shown
from automode_constructs.manifests.node_defaults import NodeDefaults
from automode_constructs.specs.fields import ListOf, TokenListOf, TokenOr
from automode_constructs.specs.model import KubeModel
from automode_constructs.specs.nodes.node_class import (
    EphemeralStorage,
    NodeClassFields,
    NodeClassSpec,
    SecurityGroupSelectorTerm,
    SubnetSelectorTerm,
)
from automode_constructs.specs.traffic.ingress_class import (
    Cidr,
    IngressClassParamsSpec,
    LoadBalancerAttribute,
    LoadBalancerTag,
    check_log_prefix,
)
from automode_constructs.tokens import is_token

__all__ = ["KUBECTL_GROUP", "SSL_POLICY", "ClusterValues"]

KUBECTL_GROUP = "automode-kubectl"
"""The Kubernetes group of the kubectl handler that delivers charts. It has no rights; policies know it."""

SSL_POLICY = "ELBSecurityPolicy-TLS13-1-2-2021-06"
"""TLS 1.2 and 1.3. Source: Elastic Load Balancing, "Security policies for your Application Load Balancer"."""

_LOAD_BALANCER_TAGS = "service.beta.kubernetes.io/aws-load-balancer-additional-resource-tags"

_CERTIFICATE_ARN = r"arn:[^:]+:(acm:[^:]+:[^:]+:certificate/.+|iam::[^:]+:server-certificate/.+)"


class ClusterValues(KubeModel):
    """The plain values that charts are built from.

    With CloudFormation they are tokens (``AutoModeCluster.values``). For GitOps they are concrete values, read from the
    outputs of a deployment (``from_outputs``) or given directly.
    """

    cluster_name: TokenOr[str]
    """The cluster's name."""
    region: TokenOr[str]
    """The cluster's region."""
    node_role: TokenOr[str] | None = None
    """Name of the role of nodes outside EKS's built-in pools; give this or ``instance_profile``."""
    instance_profile: TokenOr[str] | None = None
    """Name of the instance profile of such nodes."""
    node_subnets: ListOf[SubnetSelectorTerm]
    """How a NodeClass selects the nodes' subnets."""
    node_security_groups: ListOf[SecurityGroupSelectorTerm]
    """How a NodeClass selects the nodes' security groups."""
    pod_subnets: ListOf[SubnetSelectorTerm] | None = None
    """How a NodeClass selects the pods' subnets. Default: pods share the nodes' subnets."""
    pod_security_groups: ListOf[SecurityGroupSelectorTerm] | None = None
    """How a NodeClass selects the pods' security groups; set with ``pod_subnets``."""
    volume_key_arn: TokenOr[str] | None = None
    """ARN of the KMS key for the volumes of nodes and workloads. Default: the account's EBS key."""
    storage_class: str | None = None
    """Name of the default StorageClass; it differs for another volume key, because the key of a class cannot change.
    Default: ``gp3``; we decide."""
    tags: Mapping[TokenOr[str], TokenOr[str]] | None = None
    """AWS tags of load balancers and of the volumes of claims; ``node_tags`` has them too. Default: only EKS's own."""
    node_tags: Mapping[TokenOr[str], TokenOr[str]] | None = None
    """AWS tags of the nodes. Default: only EKS's own."""
    node_defaults: NodeDefaults | None = None
    """Further settings of the nodes, as completed by the cluster. Default: as EKS decides."""
    built_in_pools: bool
    """Whether EKS manages a built-in pool, and with it the NodeClass ``default``."""
    ip_family: Literal["ipv4", "ipv6"] | None = None
    """Address family of pods and services. Default: ``ipv4``."""
    network_cidrs: TokenListOf[Cidr] | None = None
    """The VPC's blocks, with its IPv6 block for an IPv6 cluster. Default: not known."""

    @checked_arguments
    def node_class_spec(self, **fields: Unpack[NodeClassFields]) -> NodeClassSpec:
        """A NodeClass that fits the cluster; the arguments take precedence over the cluster's values.

        Args:
            role: name of another role for these nodes; ``NodeRole`` makes one. Default: the cluster's.
            instance_profile: name of another instance profile, instead of a role. Default: the cluster's.
            subnet_selector_terms: other subnets for these nodes. Default: the cluster's.
            security_group_selector_terms: other security groups for these nodes. Default: the cluster's.
            pod_subnet_selector_terms: other subnets for their pods. Default: the cluster's.
            pod_security_group_selector_terms: other security groups for their pods. Default: the cluster's.
            snat_policy: whether pod traffic that leaves the VPC takes the node's address. Default: the cluster's.
            network_policy: the rule for pods without a network policy. Default: the cluster's.
            network_policy_event_logs: whether nodes log network-policy events. Default: the cluster's.
            ephemeral_storage: the nodes' data volume; the cluster's volume key is added if it names none. Default:
                EKS's size with the cluster's volume key; we decide the key.
            advanced_networking: network settings that override the cluster's node defaults, field by field. Default:
                only the cluster's.
            advanced_security: security settings that override the cluster's node defaults, field by field. Default:
                only the cluster's.
            advanced_compute: hugepages, kubelet and kernel parameters. Default: as EKS decides.
            certificate_bundles: authorities that these nodes trust in addition to the cluster's. Default: none.
            capacity_reservation_selector_terms: capacity reservations to use first. Default: none.
            placement_group_selector: the placement group of the nodes. Default: none.
            tags: AWS tags in addition to the cluster's node tags. Default: none.

        Raises:
            AutoModeError: for everything that ``NodeClassSpec`` refuses.
        """
        defaults = self.node_defaults or NodeDefaults()
        storage = fields.get("ephemeral_storage")
        if self.volume_key_arn is not None and (storage is None or storage.kms_key_id is None):
            storage = (storage or EphemeralStorage()).replace(kms_key_id=self.volume_key_arn)
        of_the_cluster: NodeClassFields = {
            "subnet_selector_terms": self.node_subnets,
            "security_group_selector_terms": self.node_security_groups,
            "pod_subnet_selector_terms": self.pod_subnets,
            "pod_security_group_selector_terms": self.pod_security_groups,
            "snat_policy": defaults.snat_policy,
            "network_policy": defaults.network_policy,
            "network_policy_event_logs": defaults.network_policy_event_logs,
        }
        if fields.get("role") is None and fields.get("instance_profile") is None:
            of_the_cluster |= {"role": self.node_role, "instance_profile": self.instance_profile}
        bundles = (*(defaults.certificate_bundles or ()), *(fields.get("certificate_bundles") or ()))
        completed: NodeClassFields = {
            "ephemeral_storage": storage,
            "advanced_networking": defaults.advanced_networking(fields.get("advanced_networking")),
            "advanced_security": defaults.advanced_security(fields.get("advanced_security")),
            "certificate_bundles": bundles or None,
            "tags": {**(self.node_tags or {}), **(fields.get("tags") or {})} or None,
        }
        other = {name: value for name, value in fields.items() if value is not None}
        return NodeClassSpec(**cast("dict[str, Any]", {**of_the_cluster, **other, **completed}))

    @checked_arguments
    def ingress_class_params_spec(
        self,
        *,
        scheme: Literal["internal", "internet-facing"] = "internal",
        inbound_cidrs: Sequence[str] | None = None,
        certificate_arns: Sequence[str] | None = None,
        ssl_policy: str = SSL_POLICY,
        access_log_bucket: str | None = None,
        access_log_prefix: str | None = None,
        deletion_protection: bool = False,
    ) -> IngressClassParamsSpec:
        """The load balancers of an IngressClass that fits the cluster: closed by default, dual-stack for IPv6.

        Application Load Balancers drop header fields whose names are invalid. In an IPv6 cluster they are dual-stack
        and their targets are pods. Other fields can be added with ``.replace(...)``.

        Args:
            scheme: whether the load balancers have public addresses. Default: ``internal``; we decide, as EKS does.
            inbound_cidrs: who may connect; ``["0.0.0.0/0"]`` for everyone who reaches the load balancer. Default: for
                ``internal``, the VPC's blocks as far as they are known, so name the blocks of your other networks too;
                for ``internet-facing``, everyone. We decide (EKS would admit everyone).
            certificate_arns: ACM certificates of the cluster's region, which make the load balancers speak HTTPS.
                Default: none, so that only Ingresses with a certificate of their own speak HTTPS. Plain HTTP to the
                internet is the warning ``automode:PlainHttp``.
            ssl_policy: ELB security policy of HTTPS. Default: TLS 1.2 and 1.3 only; we decide (EKS would take TLS 1.0
                too).
            access_log_bucket: name of an S3 bucket in the cluster's region for access logs, encrypted with S3's own
                keys (SSE-S3), whose policy lets ``logdelivery.elasticloadbalancing.amazonaws.com`` put objects. EKS
                cannot create a load balancer without that. ``allow_load_balancer_logs`` writes the policy. Default: no
                access logs.
            access_log_prefix: prefix of the logs, without a slash at either end. Default: none.
            deletion_protection: whether the AWS console and API refuse to delete the load balancers. It does not keep
                one whose Ingress is deleted: the open-source controller then lifts the protection itself, but nobody
                has seen yet whether Auto Mode's does. If not, the deletion of an Ingress, and of its stack, would never
                end. Default: False; we decide, as EKS does.

        Raises:
            AutoModeError: for a block without a prefix length; for what is no certificate, or one of another region;
                for what is no name of a bucket; for a prefix without a bucket, or of another form.

        Source: EKS User Guide, "Create an IngressClass to configure an Application Load Balancer"; Elastic Load
        Balancing, "Application Load Balancers", "Access logs".
        """
        if inbound_cidrs is None and scheme == "internal":
            inbound_cidrs = self.network_cidrs
        for index, arn in enumerate(certificate_arns or ()):
            _check_certificate(f"certificate_arns[{index}]", arn, self.region)
        attributes = {"routing.http.drop_invalid_header_fields.enabled": "true"}
        if deletion_protection:
            attributes["deletion_protection.enabled"] = "true"
        attributes |= _access_logs(access_log_bucket, access_log_prefix)
        ipv6 = self.ip_family == "ipv6"
        return IngressClassParamsSpec(
            scheme=scheme,
            ip_address_type="dualstack" if ipv6 else None,
            target_type="ip" if ipv6 else None,
            inbound_cidrs=inbound_cidrs or None,
            certificate_arns=certificate_arns or None,
            ssl_policy=ssl_policy,
            tags=[LoadBalancerTag(key=key, value=value) for key, value in (self.tags or {}).items()] or None,
            load_balancer_attributes=[LoadBalancerAttribute(key=key, value=value) for key, value in attributes.items()],
        )

    def load_balancer_annotations(self) -> dict[str, str]:
        """The cluster's tags as annotations of a Service with a Network Load Balancer; empty without tags.

        Source: EKS User Guide, "Use Service Annotations to configure Network Load Balancers".
        """
        if not self.tags:
            return {}
        return {_LOAD_BALANCER_TAGS: ",".join(f"{key}={value}" for key, value in self.tags.items())}

    def proxy_environment(self) -> dict[str, str]:
        """The cluster's proxy as environment variables of a container; empty without one."""
        return (self.node_defaults or NodeDefaults()).proxy_environment()

    @classmethod
    def from_outputs(cls, outputs: Mapping[str, Any], *, where: str) -> Self:
        """Reads the output ``ClusterValues`` from the file that ``cdk deploy --outputs-file`` wrote.

        Args:
            outputs: the outputs, keyed by stack name.
            where: the file, for messages.

        Raises:
            AutoModeError: if no stack or more than one has that output, or if it is not such a record.
        """
        records = [
            (stack, values["ClusterValues"])
            for stack, values in (outputs.items() if isinstance(outputs, Mapping) else ())
            if isinstance(values, Mapping) and "ClusterValues" in values
        ]
        if len(records) != 1:
            stacks = ", ".join(str(stack) for stack, _ in records) or "none"
            raise AutoModeError.of(
                where,
                field="ClusterValues",
                message=f"exactly one stack must have this output, got {stacks}",
                cure="write the file with 'cdk deploy <the cluster's stack> --outputs-file FILE'",
            )
        stack, text = records[0]
        try:
            document = json.loads(text)
        except (RecursionError, TypeError, ValueError):
            raise AutoModeError.of(
                where,
                field=f"{stack}.ClusterValues",
                message=f"is not JSON, got {shown(text)}",
                cure="deploy the stack again",
            ) from None
        return cls.from_manifest(document, where=f"{where}: {stack}.ClusterValues")


def _check_certificate(field: str, arn: str, region: str) -> None:
    """Refuses what is no certificate, and one of another region, such as one for CloudFront."""
    where, parts = "ClusterValues.ingress_class_params_spec", arn.split(":", 5)
    if not is_token(arn) and re.fullmatch(_CERTIFICATE_ARN, arn) is None:
        raise AutoModeError.of(
            where,
            field=field,
            message=f"{shown(arn)} is not the ARN of a certificate in ACM or IAM",
            cure="write it like 'arn:<partition>:acm:<region>:<account>:certificate/<id>'",
        )
    if len(parts) == 6 and parts[2] == "acm" and parts[3] != region and not is_token(parts[3]) and not is_token(region):
        raise AutoModeError.of(
            where,
            field=field,
            message=f"{shown(arn)} is in '{parts[3]}', the load balancers are in '{region}'",
            cure=f"give a certificate of '{region}'",
        )


def _access_logs(bucket: str | None, prefix: str | None) -> dict[str, str]:
    """The attributes of a load balancer with access logs; none without a bucket."""
    where = "ClusterValues.ingress_class_params_spec"
    if bucket is None:
        if prefix is None:
            return {}
        raise AutoModeError.of(
            where, field="access_log_prefix", message="is set without access_log_bucket", cure="name the bucket"
        )
    if not is_token(bucket) and re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", bucket) is None:
        raise AutoModeError.of(
            where,
            field="access_log_bucket",
            message=f"{shown(bucket)} is not the name of an S3 bucket",
            cure="write the name alone: 3 to 63 lower-case letters, digits, '-' and '.'",
        )
    logs = {"access_logs.s3.enabled": "true", "access_logs.s3.bucket": bucket}
    if prefix is not None:
        check_log_prefix(where, "access_log_prefix", prefix)
        logs["access_logs.s3.prefix"] = prefix
    return logs
