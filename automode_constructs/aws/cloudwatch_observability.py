"""CloudWatchObservability: Container Insights and the logs of pods, by EKS's own add-on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from aws_cdk import RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct

from automode_constructs.arguments import Refusals, checked_arguments, place
from automode_constructs.aws.add_on import AddOn
from automode_constructs.aws.cluster_tags import tag_as_cluster
from automode_constructs.aws.fleet import Register
from automode_constructs.aws.scope import StackScope
from automode_constructs.delivery.chart_delivery import ChartTarget
from automode_constructs.errors import shown
from automode_constructs.tokens import is_token

__all__ = ["ADD_ON", "LOG_KINDS", "NAMESPACE", "CloudWatchObservability"]

ADD_ON: Final = "amazon-cloudwatch-observability"
NAMESPACE: Final = "amazon-cloudwatch"
_SERVICE_ACCOUNT: Final = "cloudwatch-agent"
_POLICY: Final = "CloudWatchAgentServerPolicy"

LOG_KINDS: Final = ("application", "dataplane", "host", "performance")
"""The last part of the name of each log group that the add-on writes to."""


class CloudWatchObservability(Construct):
    """Metrics of nodes, pods and GPUs, and the logs of pods, in CloudWatch.

    Creates the ``AddOn`` ``amazon-cloudwatch-observability``, which comes after the cluster's NodePools, the role of
    its service account ``cloudwatch-agent`` by Pod Identity with ``CloudWatchAgentServerPolicy``, and its four log
    groups ``/aws/containerinsights/<cluster>/*``, which the agent would otherwise create without a key and keep for
    ever. The add-on has a controller, so it keeps one node alive; its agents run on every node whose taints they
    tolerate: all, by the add-on's own default (?). Its namespace admits privileged pods, because the agents read the
    node's files. Do not add ``DcgmExporterChart``: the add-on brings an exporter of its own.

    On nodes with ``networkPolicy: DefaultDeny`` its pods reach neither the Kubernetes API nor CloudWatch without a
    policy, and EKS waits for them in vain: deliver the namespace with a ``PodNetworkPolicy``, and let ``add_on`` depend
    on that delivery.

    Price on 27 Nov 2026 (?, from memory of the price list of us-east-1): 0.21 USD for a million observations of
    Container Insights, 0.50 USD a GB of logs, and the node that the controller keeps alive.

    Args:
        scope: a construct of a stack in the cluster's account and region.
        id: the construct's id.
        cluster: an ``AutoModeCluster`` or ``ImportedCluster`` whose name is known.
        cluster_name: the cluster's name, which the log groups are named by.
        version: the add-on's version, such as ``v5.2.0-eksbuild.1``. Default: EKS's default for the cluster's version.
        container_logs: whether the logs of pods and nodes go to CloudWatch. Default: True, as the add-on decides.
        configuration: further values of the add-on; what this construct sets itself is refused. Default: none.
        retention: how long the logs are kept. Default: one year; we decide (the agent would keep them for ever).
        log_key: the KMS key of the log groups, whose policy admits CloudWatch Logs. Default: a key that AWS owns.
        removal_policy: what happens to the log groups when they leave the stack. Default: they are retained; we decide.

    Attributes:
        add_on: the ``AddOn``; what needs its metrics waits for it.
        role: the role of the agents.
        log_groups: the log groups, by their kind.

    Raises:
        AutoModeError: for a cluster of another environment, for a second one of a cluster, for a name that is a token,
            for values that the construct sets itself or that are no JSON.

    Source: Amazon CloudWatch User Guide, "Install the CloudWatch agent with the Amazon CloudWatch Observability EKS
    add-on"; ``AWS::EKS::Addon``.
    """

    @checked_arguments
    def __init__(
        self,
        scope: StackScope,
        id: str,
        *,
        cluster: ChartTarget,
        cluster_name: str,
        version: str | None = None,
        container_logs: bool = True,
        configuration: Mapping[str, Any] | None = None,
        retention: logs.RetentionDays = logs.RetentionDays.ONE_YEAR,
        log_key: kms.IKey | None = None,
        removal_policy: RemovalPolicy = RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    ) -> None:
        refusals = Refusals(place(scope, id))
        with refusals.collecting():
            cluster.check_environment(refusals.where, scope, "an add-on is created in its cluster's account and region")
        if is_token(cluster_name):
            refusals.refuse("cluster_name", "holds a value known only after deployment", "give the cluster's name")
        values = _values(refusals, configuration or {}, container_logs=container_logs)
        for other in _BY_CLUSTER.find(cluster.node.root, cluster):
            refusals.refuse("cluster", f"has the add-on of '{other.node.path}' already", "keep one of the two")
        refusals.raise_all()

        super().__init__(scope, id)
        self.log_groups: dict[str, logs.LogGroup] = {
            kind: logs.LogGroup(
                self,
                f"{kind}-logs",
                log_group_name=f"/aws/containerinsights/{cluster_name}/{kind}",
                retention=retention,
                encryption_key=log_key,
                removal_policy=removal_policy,
            )
            for kind in LOG_KINDS
            if container_logs or kind == "performance"
        }
        self.add_on = AddOn(
            self,
            "AddOn",
            cluster=cluster,
            name=ADD_ON,
            version=version,
            configuration=values or None,
            service_accounts={_SERVICE_ACCOUNT: [iam.ManagedPolicy.from_aws_managed_policy_name(_POLICY)]},
        )
        self.role: iam.Role = self.add_on.roles[_SERVICE_ACCOUNT].role
        # The agents would create the log groups themselves.
        self.add_on.resource.node.add_dependency(*self.log_groups.values())
        tag_as_cluster(self, cluster)
        _BY_CLUSTER.add(cluster.node.root, cluster, self)


def _values(refusals: Refusals, configuration: Mapping[str, Any], *, container_logs: bool) -> dict[str, Any]:
    """The values of the add-on: the user's, and ours."""
    ours: dict[str, Any] = {"tolerations": [{"operator": "Exists"}]}
    if not container_logs:
        ours["containerLogs"] = {"enabled": False}
    for name in configuration:
        if name in ("containerLogs", "tolerations"):
            refusals.refuse(
                f"configuration[{shown(name)}]",
                "is set by the construct",
                "write container_logs=False"
                if name == "containerLogs"
                else "leave it out; agents tolerate every taint",
            )
    try:
        json.dumps(dict(configuration), allow_nan=False)
    except (RecursionError, TypeError, ValueError):
        refusals.refuse("configuration", f"is not JSON, got {shown(configuration)}", "use texts, numbers and lists")
        return {}
    return {**configuration, **({} if container_logs else {"containerLogs": {"enabled": False}})}


_BY_CLUSTER: Register[ChartTarget, CloudWatchObservability] = Register()
