"""ClusterRestore: what a restore into a cluster of ours needs, and the metadata that a restore job takes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import jsii
from aws_cdk import CfnOutput, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from constructs import Construct, IValidation

from automode_constructs.arguments import Refusals, checked_arguments, place
from automode_constructs.aws.alarm_topic import admit_publishers, check_topic
from automode_constructs.aws.backup import backup_role
from automode_constructs.aws.backup_alarms import PUBLISHERS, add_rule, restore_pattern
from automode_constructs.aws.cluster_tags import tag_as_cluster
from automode_constructs.aws.scope import StackScope
from automode_constructs.checks.whole_tree import ObjectKey
from automode_constructs.delivery.chart_delivery import ChartTarget
from automode_constructs.errors import shown
from automode_constructs.facts.regions import zone_kind
from automode_constructs.tokens import is_token, shell_word

__all__ = ["MOST_NAMESPACES", "ClusterRestore", "restore_metadata"]

MOST_NAMESPACES: Final = 5
"""In one restore job. Source: AWS Backup Developer Guide, "Restore an Amazon EKS cluster"."""

_NAMESPACE = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_KIND = re.compile(r"(?:[a-z0-9.-]+/)?v[0-9][a-z0-9]*/[a-z]+")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_CLUSTER = re.compile(r"[0-9A-Za-z][A-Za-z0-9_-]{0,99}")
_POINT = re.compile(r"arn:[a-z-]+:(?:ec2:[a-z0-9-]+:[0-9]*:snapshot/.+|backup:[a-z0-9-]+:[0-9]{12}:recovery-point:.+)")

_OF_THE_CLUSTER = ("IngressClass", "IngressClassParams", "NodeClass", "NodePool", "StorageClass")
"""Kinds without a namespace that name subnets, security groups, roles or keys of their own cluster, or such a kind."""


class ClusterRestore(Construct):
    """What restores into a cluster of ours need: the role, and alarms on restores that failed or left objects out.

    Creates the role of the restores and an EventBridge rule, and prints the command of a restore. AWS Backup could
    create the target cluster itself, but without Auto Mode: create it here, with the same charts as the source, before
    you restore. A restore never overwrites an object that exists. So the target keeps its own NodeClasses, NodePools,
    StorageClasses and IngressClassParams, with its own subnets, roles and keys, and those of the source are skipped.

    With ``source``, synthesis fails if the source gets such an object that the target does not get: a full restore
    would create it, with subnets and a role that do not exist there, and no node would start.

    AWS Backup makes the access entry of the role by itself. The role and the rule cost nothing (27 Nov 2026).

    Args:
        scope: a construct of a stack in the target's account and region.
        id: the construct's id.
        cluster: the cluster to restore into.
        alarm_topic: the SNS topic of the alarms, in the same region. A topic of the app gets the policy that it needs.
        source: the cluster that was backed up, if this app creates it too. Default: none, and nothing is compared.
        s3_volumes: whether claims are bound to S3 buckets, which need further permissions. Default: False.
        permissions_boundary: the managed policy that bounds the role. Default: none.

    Attributes:
        role: the role, for ``--iam-role-arn``.

    Raises:
        AutoModeError: for a topic of another region; for a source that is the target. Later, as errors of the
            synthesis: objects of the source that the target lacks.

    Source: AWS Backup Developer Guide, "Restore an Amazon EKS cluster".
    """

    @checked_arguments
    def __init__(
        self,
        scope: StackScope,
        id: str,
        *,
        cluster: ChartTarget,
        alarm_topic: sns.ITopic,
        source: ChartTarget | None = None,
        s3_volumes: bool = False,
        permissions_boundary: iam.IManagedPolicy | None = None,
    ) -> None:
        refusals = Refusals(place(scope, id))
        stack = Stack.of(scope)
        with refusals.collecting():
            cluster.check_environment(refusals.where, scope, "AWS Backup works in the target's own account and region")
        check_topic(refusals, "alarm_topic", alarm_topic, stack.region)
        if source is cluster:
            refusals.refuse("source", "is the target itself, which keeps all its objects", "leave it out")
        refusals.raise_all()

        super().__init__(scope, id)
        tag_as_cluster(self, cluster)
        self.role = backup_role(
            self,
            "Role",
            "AWSBackupServiceRolePolicyForRestores",
            "AWSBackupServiceRolePolicyForS3Restore" if s3_volumes else None,
            description="Restores into an EKS cluster",
            permissions_boundary=permissions_boundary,
        )
        admit_publishers(self, alarm_topic, PUBLISHERS)
        add_rule(
            self,
            "RestoreFailed",
            restore_pattern(self.role.role_arn),
            alarm_topic,
            "Restores into an EKS cluster: one failed, was stopped or left objects out",
        )
        CfnOutput(
            self,
            "RestoreCommand",
            value=f"aws backup start-restore-job --region {shell_word(stack.region)} --resource-type EKS "
            f"--iam-role-arn {shell_word(self.role.role_arn)} --metadata file://restore.json "
            '--recovery-point-arn "$RECOVERY_POINT"',
            description="Restores a recovery point; restore.json is written by restore_metadata()",
        )
        if source is not None:
            self.node.add_validation(_SameObjects(self, source, cluster))


@jsii.implements(IValidation)
class _SameObjects:
    """Refuses objects of the source that a full restore would bring into the target, with what they name."""

    def __init__(self, restore: Construct, source: ChartTarget, target: ChartTarget) -> None:
        self._restore, self._source, self._target = restore, source, target

    def validate(self) -> list[str]:
        there = {*_keys(self._target)}
        lost = [f"{key.kind} '{key.name}'" for key in _keys(self._source) if key not in there]
        if not lost:
            return []
        problem = (
            f"{self._restore.node.path}: source: '{self._source.node.path}' gets {', '.join(sorted(set(lost)))}, and "
            f"'{self._target.node.path}' does not: a full restore would create each there with subnets, roles and keys "
            "of the source; deliver the same charts to both clusters"
        )
        return [problem]


def _keys(cluster: ChartTarget) -> Iterator[ObjectKey]:
    for delivery in cluster.deliveries:
        yield from (key for key in delivery.manifests if key.kind in _OF_THE_CLUSTER)


@checked_arguments
def restore_metadata(
    *,
    cluster_name: str,
    namespaces: Sequence[str] = (),
    volumes: Mapping[str, str] | None = None,
    buckets: Mapping[str, str] | None = None,
    manifests_only: bool = False,
    restore_order: Sequence[str] = (),
) -> dict[str, str]:
    """The metadata of a job that restores a recovery point into a cluster that exists, as ``--metadata`` takes it.

    Every value is a text, nested ones JSON, as AWS Backup wants them. It never asks for a new cluster: that one would
    have no Auto Mode.

    Args:
        cluster_name: the cluster to restore into.
        namespaces: at most 5 namespaces; cluster-scoped objects then stay out, except the volumes of the namespaces.
            Default: none, the whole recovery point.
        volumes: the availability zone for each EBS volume, by the ARN of its recovery point, as ``aws backup
            list-recovery-points-by-backup-vault --by-parent-recovery-point-arn`` prints it. A volume is bound to its
            zone, and the cluster must have nodes there. Default: none.
        buckets: the name of the destination for each S3 bucket, by the ARN of its recovery point. Default: none.
        manifests_only: whether to restore Kubernetes objects without their storage. Default: False.
        restore_order: kinds in the order in which they are restored, such as ``v1/configmaps``, in lower case and
            plural. Default: that of AWS Backup.

    Returns:
        The metadata; write it with ``json.dump`` to the file ``restore.json``.

    Raises:
        AutoModeError: for more than 5 namespaces; for names, zones, ARNs and kinds of another form; for storage beside
            ``manifests_only``.

    Source: AWS Backup Developer Guide, "Restore an Amazon EKS cluster".
    """
    refusals = Refusals("restore_metadata")
    if _CLUSTER.fullmatch(cluster_name) is None:
        refusals.refuse(
            "cluster_name",
            f"{shown(cluster_name)} is not a cluster name",
            "use 1 to 100 letters, digits, '-' and '_', beginning with a letter or digit",
        )
    _check_namespaces(refusals, namespaces)
    for arn, zone in (volumes or {}).items():
        _check_point(refusals, "volumes", arn)
        if zone_kind(zone) not in ("availability-zone", "local-zone"):
            refusals.refuse(
                f"volumes[{shown(arn)}]",
                f"{shown(zone)} is not an availability zone",
                "give the name of a zone in which the cluster has nodes, such as 'eu-west-1a'",
            )
    for arn, bucket in (buckets or {}).items():
        _check_point(refusals, "buckets", arn)
        if _BUCKET.fullmatch(bucket) is None:
            refusals.refuse(f"buckets[{shown(arn)}]", f"{shown(bucket)} is not the name of a bucket")
    for position, kind in enumerate(restore_order):
        if _KIND.fullmatch(kind) is None:
            refusals.refuse(
                f"restore_order[{position}]",
                f"{shown(kind)} is not a kind",
                "write group/version/kinds or version/kinds, such as 'apps/v1/deployments'",
            )
    if manifests_only and (volumes or buckets):
        refusals.refuse(
            "manifests_only", "leaves all storage out, and volumes or buckets are given", "leave out one of the two"
        )
    refusals.raise_all()
    nested = {arn: json.dumps({"AvailabilityZone": zone}) for arn, zone in (volumes or {}).items()}
    nested |= {arn: json.dumps({"DestinationBucketName": bucket}) for arn, bucket in (buckets or {}).items()}
    metadata = {"clusterName": cluster_name, "newCluster": "false"}
    if namespaces:
        metadata |= {"namespaceLevelRestore": "true", "namespaces": json.dumps(list(namespaces))}
    if nested:
        metadata["nestedRestoreJobs"] = json.dumps(nested)
    if manifests_only:
        metadata["restoreKubernetesManifestsOnly"] = "true"
    if restore_order:
        metadata["kubernetesRestoreOrder"] = json.dumps(list(restore_order))
    return metadata


def _check_namespaces(refusals: Refusals, namespaces: Sequence[str]) -> None:
    if len(namespaces) > MOST_NAMESPACES:
        refusals.refuse(
            "namespaces",
            f"has {len(namespaces)}; one job takes {MOST_NAMESPACES} at most",
            "start a job for each five, or leave it out to restore all",
        )
    if len(set(namespaces)) != len(namespaces):
        refusals.refuse("namespaces", f"names one twice: {list(namespaces)}", "name each once")
    for position, name in enumerate(namespaces):
        if _NAMESPACE.fullmatch(name) is None:
            refusals.refuse(
                f"namespaces[{position}]",
                f"{shown(name)} is not the name of a namespace",
                "use 1 to 63 lower-case letters, digits and '-', beginning and ending with a letter or digit",
            )


def _check_point(refusals: Refusals, field: str, arn: str) -> None:
    if is_token(arn) or _POINT.fullmatch(arn) is None:
        refusals.refuse(
            f"{field}[{shown(arn)}]",
            "is not the ARN of a recovery point",
            "give RecoveryPointArn as 'aws backup list-recovery-points-by-backup-vault' prints it",
        )
