"""The IAM roles of an Auto Mode cluster: the cluster's own, and those of its nodes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast

from aws_cdk import Aws, Stack
from aws_cdk import aws_eks_v2 as eks
from aws_cdk import aws_iam as iam
from aws_cdk.aws_eks import CfnAccessEntry
from constructs import Construct

from automode_constructs.arguments import Refusals, checked_arguments, place
from automode_constructs.aws.scope import StackScope
from automode_constructs.delivery.chart_delivery import ChartTarget
from automode_constructs.errors import AutoModeError, Problem, shown
from automode_constructs.facts.regions import partition_of
from automode_constructs.tokens import is_token, shell_word

__all__ = [
    "BuiltInNodeRole",
    "ClusterRole",
    "NodeRole",
    "RoleNames",
    "check_role_arn",
    "check_role_names",
    "cluster_policies",
    "refuse_role_names",
]

BlockStoragePolicy = Literal["AmazonEKSBlockStoragePolicyV2", "AmazonEKSBlockStoragePolicy"]

_NODE_POLICIES = ("AmazonEKSWorkerNodeMinimalPolicy", "AmazonEC2ContainerRegistryPullOnly")


class ClusterRole(Construct):
    """The role that EKS assumes to run Auto Mode: instances, volumes, network interfaces and load balancers.

    Creates one IAM role with the five managed policies AWS requires. Do not add to it later: such statements become a
    separate policy, which may be created after the cluster and deleted before it.

    A change of ``role_name`` or ``path`` replaces the role, and with it the cluster: if the cluster has a name,
    CloudFormation refuses.

    Args:
        scope: where the role is created.
        id: the construct's id.
        role_name: 1 to 64 letters, digits and characters of ``_+=,.@-``, unique in the account in all regions and
            without regard to case; a stack with it needs the capability ``CAPABILITY_NAMED_IAM``, which the CDK CLI
            gives. Default: CloudFormation generates one.
        path: the role's path, such as ``/platform/``, at most 512 characters. Default: ``/``, as IAM decides.
        block_storage_policy: the managed policy for volumes. A policy that does not exist in the partition makes the
            role fail. With ``AmazonEKSBlockStoragePolicyV2`` the cluster reads only snapshots that carry its tag
            ``eks:eks-cluster-name``. Default: ``AmazonEKSBlockStoragePolicyV2`` in commercial regions, and in a stack
            without a region; ``AmazonEKSBlockStoragePolicy`` in GovCloud, where no source shows the other; we decide.
        custom_tags: whether Auto Mode may put custom tags on what it creates (``tags`` of a NodeClass,
            ``tagSpecification`` of a StorageClass, tags of load balancers). Default: ``False``; we decide; the managed
            policies alone do not allow such tags.
        permissions_boundary: the managed policy that bounds the role. Default: none; we decide.

    Attributes:
        custom_tags: the argument.
        role: the role.
        role_arn: its ARN.
        immutable: the role as passed to ``eks.Cluster``, which would otherwise attach the older block storage policy
            and a second trust statement.

    Raises:
        AutoModeError: for a name or path that IAM refuses.

    Source: EKS User Guide, "Amazon EKS Auto Mode cluster IAM role".
    """

    @checked_arguments
    def __init__(
        self,
        scope: StackScope,
        id: str,
        *,
        role_name: str | None = None,
        path: str | None = None,
        block_storage_policy: BlockStoragePolicy | None = None,
        custom_tags: bool = False,
        permissions_boundary: iam.IManagedPolicy | None = None,
    ) -> None:
        _check_names(scope, id, role_name=role_name, path=path)
        super().__init__(scope, id)
        self.role = iam.Role(
            self,
            "Role",
            role_name=role_name,
            path=path,
            # The policies compare with a session tag that EKS sets, so it must be allowed to set it.
            assumed_by=iam.ServicePrincipal("eks.amazonaws.com").with_session_tags(),
            managed_policies=_aws_managed(cluster_policies(Stack.of(self).region, block_storage_policy)),
            inline_policies={"CustomTags": iam.PolicyDocument(statements=_custom_tag_statements())}
            if custom_tags
            else None,
            permissions_boundary=permissions_boundary,
        )
        self.role_arn: str = self.role.role_arn
        self.custom_tags = custom_tags
        self.immutable: iam.IRole = self.role.without_policy_updates()


class NodeRole(Construct):
    """A role for nodes of your own node pools, and the access entry that lets them join the cluster.

    Creates an IAM role that may pull images and provide Pod Identity credentials, an ``EC2`` access entry with
    ``AmazonEKSAutoNodePolicy``, and on request an instance profile, all in this construct's own stack.

    Never use the role of the built-in node pools here: EKS creates that role's access entry itself, and a second entry
    fails with "already in use". See ``BuiltInNodeRole``.

    It has no path: EKS looks for its access entry by the bare name, and the pools of a role with a path stayed
    ``NotReady``.

    Args:
        scope: where the role is created; may be in a different stack than the cluster.
        id: the construct's id.
        cluster: the cluster that the nodes join: one of this library's or of the CDK's, new or imported.
        role_name: the role's name, as that of a ``ClusterRole``. After a change NodeClasses name another role, and
            nodes are replaced. Default: CloudFormation generates one.
        instance_profile: whether to create an instance profile too, for a NodeClass with ``instanceProfile``. Default:
            ``False``; we decide; EKS then creates and deletes the profiles itself.
        permissions_boundary: the managed policy that bounds the role. Default: none; we decide.
        managed_policies: further managed policies; every pod that can reach the instance metadata gets their
            permissions too. Default: none; we decide.

    Attributes:
        role: the role.
        role_name: its name, which is what ``role`` of a NodeClass takes.
        role_arn: its ARN.
        access_entry: the access entry; resources that need nodes depend on it, so that it outlives them.
        instance_profile_name: the name of the instance profile, or ``None`` if none was requested.

    Raises:
        AutoModeError: for a name that IAM refuses.

    Source: EKS User Guide, "Amazon EKS Auto Mode node IAM role" and "Create a Node Class for Amazon EKS";
    aws/containers-roadmap#2486 (paths).
    """

    @checked_arguments
    def __init__(
        self,
        scope: StackScope,
        id: str,
        *,
        cluster: ChartTarget | eks.Cluster | eks.ICluster,
        role_name: str | None = None,
        instance_profile: bool = False,
        permissions_boundary: iam.IManagedPolicy | None = None,
        managed_policies: Sequence[iam.IManagedPolicy] = (),
    ) -> None:
        _check_names(scope, id, role_name=role_name)
        super().__init__(scope, id)
        self.role = _node_role(self, role_name, permissions_boundary, managed_policies)
        self.access_entry = eks.AccessEntry(
            self,
            "AccessEntry",
            cluster=cast(eks.ICluster, cluster.cluster if isinstance(cluster, ChartTarget) else cluster),
            principal=self.role.role_arn,
            access_policies=[
                eks.AccessPolicy.from_access_policy_name(
                    "AmazonEKSAutoNodePolicy", access_scope_type=eks.AccessScopeType.CLUSTER
                )
            ],
        )
        # Set here, because the L2 refused policies with this type until EKS accepted them for Auto Mode's nodes.
        cast(CfnAccessEntry, self.access_entry.node.default_child).type = "EC2"
        self.role_name: str = self.role.role_name
        self.role_arn: str = self.role.role_arn
        self.instance_profile_name: str | None = (
            iam.InstanceProfile(self, "InstanceProfile", role=self.role).instance_profile_name
            if instance_profile
            else None
        )


class BuiltInNodeRole(Construct):
    """The role for nodes of the built-in node pools, ``system`` and ``general-purpose``.

    Creates one IAM role that may pull images and provide Pod Identity credentials. It creates no access entry: EKS
    does, when the cluster names the role. Your own node pools need a ``NodeRole``.

    Args:
        scope: where the role is created.
        id: the construct's id.
        role_name: the role's name, as that of a ``ClusterRole``, and without a path like that of a ``NodeRole``. EKS
            refuses another role while the cluster has built-in pools. Default: CloudFormation generates one.
        permissions_boundary: the managed policy that bounds the role. Default: none; we decide.

    Attributes:
        role: the role.
        role_name: its name.
        role_arn: its ARN.

    Raises:
        AutoModeError: for a name that IAM refuses.

    Source: EKS User Guide, "Amazon EKS Auto Mode node IAM role".
    """

    @checked_arguments
    def __init__(
        self,
        scope: StackScope,
        id: str,
        *,
        role_name: str | None = None,
        permissions_boundary: iam.IManagedPolicy | None = None,
    ) -> None:
        _check_names(scope, id, role_name=role_name)
        super().__init__(scope, id)
        self.role = _node_role(self, role_name, permissions_boundary)
        self.role_name: str = self.role.role_name
        self.role_arn: str = self.role.role_arn


@checked_arguments
@dataclass(frozen=True, kw_only=True, slots=True)
class RoleNames:
    """Names of the roles of a cluster, for policies that must name them before they exist.

    IAM keeps one list of names for an account, in all regions and without regard to case: two clusters of an account
    need different names. A role with a name cannot be replaced, because its name is still taken; see ``ClusterRole``.
    AWS's policy for the cluster role may pass roles of any name and path to EC2.

    Args:
        cluster: name of the cluster's role. Default: CloudFormation generates one.
        cluster_path: path of the cluster's role; node roles have none, see ``NodeRole``. Default: ``/``, as IAM
            decides.
        node: name of the role of nodes outside EKS's built-in pools. Default: CloudFormation generates one.
        built_in_node: name of the role of nodes in EKS's built-in pools. Default: CloudFormation generates one.

    Source: IAM User Guide, "IAM and AWS STS quotas".
    """

    cluster: str | None = None
    cluster_path: str | None = None
    node: str | None = None
    built_in_node: str | None = None

    def by_field(self) -> dict[str, str]:
        """The names, keyed by their fields."""
        names = {"cluster": self.cluster, "node": self.node, "built_in_node": self.built_in_node}
        return {f"role_names.{field}": name for field, name in names.items() if name is not None}


def cluster_policies(region: str, block_storage_policy: BlockStoragePolicy | None = None) -> tuple[str, ...]:
    """The managed policies that AWS requires for the role of an Auto Mode cluster.

    Args:
        region: the cluster's region, or its token; its partition decides which policy for volumes exists.
        block_storage_policy: that policy, where you choose it.
    """
    known = partition_of("" if is_token(region) else region).block_storage_policy
    return (
        "AmazonEKSClusterPolicy",
        "AmazonEKSComputePolicy",
        block_storage_policy or known,
        "AmazonEKSLoadBalancingPolicy",
        "AmazonEKSNetworkingPolicy",
    )


def check_role_names(refusals: Refusals, names: RoleNames) -> None:
    """Refuses names and a path that IAM would not accept, and one name for two roles."""
    by_field = names.by_field()
    refuse_role_names(refusals, by_field, path=("role_names.cluster_path", names.cluster_path))
    plain = Counter(name.lower() for name in by_field.values() if not is_token(name))
    for name, times in plain.items():
        if times > 1:
            refusals.refuse(
                "role_names",
                f"'{name}' is the name of {times} roles",
                "give each a name of its own; case does not count",
            )


def _check_names(scope: Construct, id: str, *, role_name: str | None, path: str | None = None) -> None:
    refusals = Refusals(place(scope, id))
    refuse_role_names(refusals, {} if role_name is None else {"role_name": role_name}, path=("path", path))
    refusals.raise_all()


def refuse_role_names(
    refusals: Refusals, names: Mapping[str, str], *, path: tuple[str, str | None] = ("path", None)
) -> None:
    """Refuses names and a path that IAM would not accept.

    Args:
        refusals: collects what is wrong.
        names: the names by field.
        path: the field of the path, and the path. Default: none.
    """
    for field, name in names.items():
        if not is_token(name) and not _ROLE_NAME.fullmatch(name):
            refusals.refuse(
                field,
                f"{shown(name)} is not the name of an IAM role",
                "use 1 to 64 letters, digits and characters of '_+=,.@-'"
                + (", and no path before it" if "/" in name else ""),
            )
    field, text = path
    if text is not None and not is_token(text) and (len(text) > 512 or not _PATH.fullmatch(text)):
        refusals.refuse(
            field,
            f"{shown(text)} is not the path of an IAM role",
            "begin and end it with '/', such as '/platform/', in at most 512 visible ASCII characters",
        )


def check_role_arn(where: str, field: str, arn: str, *, partition: str | None = None) -> None:
    """Refuses a value that is not the ARN of an IAM role. Tokens are accepted.

    Args:
        where: the construct path for the error.
        field: the field that holds the ARN.
        arn: the given value.
        partition: the partition the ARN must be in (``aws``, ``aws-us-gov``); a token or ``None`` accepts any.

    Raises:
        AutoModeError: the value is not the ARN of a role; the cure depends on what it is instead.
    """
    if is_token(arn):
        return
    expected = None if partition is None or is_token(partition) else partition
    problems = _role_arn_problems(field, arn, expected)
    if problems:
        raise AutoModeError(where, problems)


_SESSION = re.compile(
    r"arn:(?P<partition>aws(?:-[a-z]+)*):sts::(?P<account>[^:]*):assumed-role/(?P<role>[^/]+)(?:/.*)?"
)
_IDENTITY = re.compile(
    r"arn:(?P<partition>aws(?:-[a-z]+)*):iam::(?P<account>[^:]*):(?P<kind>[a-z-]+)(?:/(?P<path>.*))?"
)
_FEDERATED = re.compile(r"arn:aws(?:-[a-z]+)*:sts::[^:]*:federated-user/.*")
_IDENTITY_CENTER_NAME = "AWSReservedSSO_"
_IDENTITY_CENTER_PATH = "aws-reserved/sso.amazonaws.com/"
_ROLE_PATH = re.compile(r"(?:[!-.0-~]+/)*[\w+=,.@-]{1,64}", re.ASCII)
_ROLE_NAME = re.compile(r"[\w+=,.@-]{1,64}", re.ASCII)
_PATH = re.compile(r"/(?:[!-.0-~]+/)*")


def _role_arn_problems(field: str, arn: object, partition: str | None) -> list[Problem]:
    def problem(message: str, cure: str) -> Problem:
        return Problem(field=field, message=message, cure=cure)

    def example(name: str, account: str = "<account>", in_partition: str = partition or "<partition>") -> str:
        return f"'arn:{in_partition}:iam::{account}:role/{name}'"

    form = f"give an ARN of the form {example('<name>')}"
    if not isinstance(arn, str):
        return [problem(f"is not text but {type(arn).__name__}", "give the role's ARN, 'role.role_arn' of a construct")]

    def own_arn(name: str, account: str, in_partition: str) -> str:
        if name.startswith(_IDENTITY_CENTER_NAME):
            path = _IDENTITY_CENTER_PATH + "<region of IAM Identity Center>/"
            where = f"{example(path + name, account, in_partition)}, without the region where that is us-east-1"
        else:
            where = f"{example(name, account, in_partition)}, with the role's path where it has one"
        return f"give the role's own ARN, {where}; 'aws iam get-role --role-name {shell_word(name)}' prints it"

    if session := _SESSION.fullmatch(arn):
        return [
            problem(
                f"'{arn}' is the ARN of a session, not of the role behind it",
                own_arn(session["role"], session["account"], session["partition"]),
            )
        ]
    if _FEDERATED.fullmatch(arn):
        return [
            problem(
                f"'{arn}' is the ARN of a federated session, behind which there is no role",
                "make a role that these people may assume, and give the role's ARN",
            )
        ]
    identity = _IDENTITY.fullmatch(arn)
    if identity is None:
        if _ROLE_NAME.fullmatch(arn):
            return [problem(f"'{arn}' is a name, not an ARN", f"give the role's whole ARN, {example(arn)}")]
        return [problem(f"'{arn}' is not the ARN of an IAM role", form)]
    if identity["kind"] == "user":
        return [
            problem(
                f"'{arn}' is the ARN of an IAM user, not of a role",
                "make a role that the user may assume, and give the role's ARN",
            )
        ]
    if identity["kind"] == "root":
        return [
            problem(
                f"'{arn}' is the ARN of an account's root user, not of a role",
                "make a role that the account's people may assume, and give the role's ARN",
            )
        ]
    if identity["kind"] != "role":
        return [problem(f"'{arn}' is the ARN of an IAM {identity['kind']}, not of a role", form)]
    path, _, name = (identity["path"] or "").rpartition("/")
    if path.startswith("aws-service-role"):
        return [
            problem(
                f"'{arn}' is a service-linked role, which only its service can assume",
                "give a role whose trust policy admits people",
            )
        ]
    if name.startswith(_IDENTITY_CENTER_NAME) and not path:
        return [
            problem(
                f"'{arn}' lacks the path that roles of IAM Identity Center have",
                own_arn(name, identity["account"], identity["partition"]),
            )
        ]
    problems = []
    if not _ROLE_PATH.fullmatch(identity["path"] or ""):
        problems.append(
            problem(
                f"'{arn}' does not end in a role's name",
                "end it in the name, 1 to 64 letters, digits and characters of '_+=,.@-', after the path if it has one",
            )
        )
    if not re.fullmatch(r"[0-9]{12}", identity["account"]):
        problems.append(
            problem(
                f"'{arn}' names the account '{identity['account']}'", "give the account's 12 digits, zeros included"
            )
        )
    if partition is not None and identity["partition"] != partition:
        problems.append(
            problem(
                f"'{arn}' lies in partition '{identity['partition']}', the cluster in '{partition}'",
                f"give a role of the cluster's own partition, {example('<name>')}",
            )
        )
    return problems


def _aws_managed(names: Sequence[str]) -> list[iam.IManagedPolicy]:
    return [iam.ManagedPolicy.from_aws_managed_policy_name(name) for name in names]


def _node_role(
    scope: Construct,
    role_name: str | None,
    permissions_boundary: iam.IManagedPolicy | None,
    managed_policies: Sequence[iam.IManagedPolicy] = (),
) -> iam.Role:
    return iam.Role(
        scope,
        "Role",
        role_name=role_name,
        assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"),
        managed_policies=[*_aws_managed(_NODE_POLICIES), *managed_policies],
        permissions_boundary=permissions_boundary,
    )


def _custom_tag_statements() -> list[iam.PolicyStatement]:
    """The statements that the managed policies limit to EKS's own tag keys, without that limit."""

    def statement(
        sid: str, *actions: str, resources: Sequence[str] = ("*",), tagged: Sequence[str] = ()
    ) -> iam.PolicyStatement:
        conditions = {
            "StringEquals": {"aws:RequestTag/eks:eks-cluster-name": "${aws:PrincipalTag/eks:eks-cluster-name}"},
        }
        if tagged:
            # StringLike, because a "*" in StringEquals matches nothing but a star.
            conditions["StringLike"] = {f"aws:RequestTag/{key}": "*" for key in tagged}
        return iam.PolicyStatement(sid=sid, actions=list(actions), resources=list(resources), conditions=conditions)

    return [
        statement(
            "Compute",
            "ec2:CreateFleet",
            "ec2:RunInstances",
            "ec2:CreateLaunchTemplate",
            tagged=["eks:kubernetes-node-class-name", "eks:kubernetes-node-pool-name"],
        ),
        statement(
            "Storage",
            "ec2:CreateVolume",
            "ec2:CreateSnapshot",
            resources=[f"arn:{Aws.PARTITION}:ec2:*:*:volume/*", f"arn:{Aws.PARTITION}:ec2:*:*:snapshot/*"],
        ),
        statement("Networking", "ec2:CreateNetworkInterface", tagged=["eks:kubernetes-cni-node-name"]),
        statement(
            "LoadBalancer",
            "elasticloadbalancing:CreateLoadBalancer",
            "elasticloadbalancing:CreateTargetGroup",
            "elasticloadbalancing:CreateListener",
            "elasticloadbalancing:CreateRule",
            "ec2:CreateSecurityGroup",
        ),
        statement("ShieldProtection", "shield:CreateProtection"),
        statement("ShieldTagResource", "shield:TagResource", resources=[f"arn:{Aws.PARTITION}:shield::*:protection/*"]),
    ]
