"""ClusterAlarms: what of a cluster is worth waking somebody for, as CloudWatch alarms to an SNS topic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from aws_cdk import CfnResource, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from constructs import Construct

from automode_constructs.arguments import Refusals, checked_arguments, place
from automode_constructs.aws.alarm_topic import admit_publishers, check_topic
from automode_constructs.aws.cluster import AutoModeCluster
from automode_constructs.aws.cluster_tags import tag_as_cluster
from automode_constructs.aws.managed_prometheus import ManagedPrometheus
from automode_constructs.aws.scope import StackScope
from automode_constructs.errors import shown
from automode_constructs.tokens import is_token

__all__ = ["ALARMS", "LATENCY_QUERY", "AlarmMeaning", "ClusterAlarms", "check_reservation_ids", "name_of_group"]

_EKS: Final = "AWS/EKS"
_INSIGHTS: Final = "ContainerInsights"
_RESERVATIONS: Final = "AWS/EC2CapacityReservations"
_WRITER: Final = "cloudwatch.amazonaws.com"
_ETCD_BYTES: Final = 8 * 1024**3
"""The size at which the database of a control plane takes no more writes. Source: EKS Best Practices Guide, "Scale the
control plane"."""

LATENCY_QUERY: Final = (
    "histogram_quantile(0.95, sum by (model_name, le) (rate(vllm:time_to_first_token_seconds_bucket[10m])))"
)
"""PromQL: the time to the first token that 95 % of requests stay below, in seconds, by model."""

_SECONDS_LEAST, _SECONDS_MOST = 0.1, 600


@dataclass(frozen=True, kw_only=True, slots=True)
class AlarmMeaning:
    """What an alarm means.

    Args:
        means: when it rings.
        action: what to do first.
        needs: what must be on for it; empty if nothing.
    """

    means: str
    action: str
    needs: str = ""


ALARMS: Final[Mapping[str, AlarmMeaning]] = {
    "PodsUnschedulable": AlarmMeaning(
        means="Pods have waited for a node for 15 minutes, longer than Auto Mode takes to launch one.",
        action="Read why: kubectl get events --all-namespaces --field-selector reason=FailedScheduling",
    ),
    "ApiServerErrors": AlarmMeaning(
        means="The Kubernetes API answered more than 1 % of requests with an error of its own for 15 minutes.",
        action="Look for a failing admission webhook, then for a client that lists too much in the audit log.",
    ),
    "DatabaseFull": AlarmMeaning(
        means="The control plane's database is at 80 % of 8 GiB; when it is full, the cluster takes no more changes.",
        action="Find the kind with the most objects, often Events, Jobs or a custom kind, and delete what is old.",
    ),
    "ComputeErrors": AlarmMeaning(
        means="Auto Mode's compute controller has logged 20 errors in 15 minutes.",
        action="Group the errors of its log: IAM, quotas, and capacity are the usual three.",
        needs="auto_mode_logs, to a log group",
    ),
    "NodesRepaired": AlarmMeaning(
        means="Auto Mode has replaced at least three unhealthy nodes within an hour.",
        action="See which condition they had in common: a driver, a disk, one instance type, one zone.",
        needs="auto_mode_logs, to a log group",
    ),
    "NodesFailed": AlarmMeaning(
        means="A node has been unhealthy for 30 minutes, longer than Auto Mode waits before it replaces it.",
        action="See what keeps it: a disruption budget, a pod that does not end, or too many unhealthy nodes at once.",
        needs="CloudWatchObservability",
    ),
    "GpusIdle": AlarmMeaning(
        means="For two hours, nodes had GPUs that no pod had requested.",
        action="Look for pods without a GPU on GPU nodes, and for do-not-disrupt annotations that keep the nodes.",
        needs="CloudWatchObservability",
    ),
    "ReservationUnused": AlarmMeaning(
        means="For an hour, a capacity reservation had instances that nobody used: they cost what used ones cost.",
        action="See whether the pool that is meant for it has pods, its zone and type fit, and its limit lets it grow.",
        needs="capacity_reservation_ids",
    ),
    "TimeToFirstToken": AlarmMeaning(
        means="One request in twenty waits too long for its first token, for 10 minutes.",
        action="Compare running and waiting requests of the model: more replicas, or a shorter context.",
        needs="ManagedPrometheus with destination='cloudwatch'",
    ),
}
"""The alarms by name, in the order of the page on observability."""


class ClusterAlarms(Construct):
    """Alarms of a cluster that mean that somebody should act, to an SNS topic.

    Creates one CloudWatch alarm for each of ``ALARMS`` that has what it needs, and for two of them a metric filter on
    the log of Auto Mode's compute controller. Each alarm's description says what it means and what to do first. The
    policies of a topic of this app, and of its KMS key, admit CloudWatch; what those of another topic must contain, the
    warning ``automode:TopicPolicyNotOurs`` says. An alarm without data is quiet: a cluster without nodes has none.

    Price on 27 Nov 2026 (?, from memory of the price list of us-east-1): 0.10 USD a month for each metric of an alarm,
    0.30 USD for the metric of each filter; EKS's and EC2's own metrics cost nothing. At most about 2 USD a month.

    Args:
        scope: a construct of a stack in the cluster's account and region.
        id: the construct's id.
        cluster: the cluster. With ``auto_mode_logs`` it has the alarms ``ComputeErrors`` and ``NodesRepaired``.
        topic: the SNS topic that is told of an alarm, and of its end.
        container_insights: whether the cluster has ``CloudWatchObservability``, for ``NodesFailed`` and ``GpusIdle``.
            Default: False; we decide.
        capacity_reservation_ids: ids (``cr-...``) of reservations, for ``ReservationUnused``. Default: none.
        prometheus: the cluster's scraper with ``destination="cloudwatch"`` and the job ``model-servers``, for
            ``TimeToFirstToken``. Default: none.
        time_to_first_token_seconds: what 95 % of requests should stay below, 0.1 to 600. Default: 5; we decide.

    Attributes:
        alarms: the alarms, by name; of several reservations the name ends in the reservation's id.

    Raises:
        AutoModeError: for a cluster of another environment; for what is no reservation's id, or twice one; for a
            scraper of another cluster, to a workspace, or without model servers; for seconds out of bounds.

    Source: EKS User Guide, "Monitor cluster metrics with Amazon CloudWatch"; Amazon CloudWatch User Guide, "Container
    Insights metrics", "PromQL alarms"; Amazon EC2 User Guide, "Monitor Capacity Reservations usage with CloudWatch
    metrics"; vLLM, "Production Metrics".
    """

    @checked_arguments
    def __init__(
        self,
        scope: StackScope,
        id: str,
        *,
        cluster: AutoModeCluster,
        topic: sns.ITopic,
        container_insights: bool = False,
        capacity_reservation_ids: Sequence[str] = (),
        prometheus: ManagedPrometheus | None = None,
        time_to_first_token_seconds: float = 5,
    ) -> None:
        refusals = Refusals(place(scope, id))
        with refusals.collecting():
            cluster.check_environment(refusals.where, scope, "alarms see metrics of their own account and region")
        check_reservation_ids(refusals, capacity_reservation_ids)
        refusals.number(
            "time_to_first_token_seconds", time_to_first_token_seconds, least=_SECONDS_LEAST, most=_SECONDS_MOST
        )
        if prometheus is not None:
            _check_prometheus(refusals, cluster, prometheus)
        check_topic(refusals, "topic", topic, Stack.of(scope).region)
        refusals.raise_all()

        super().__init__(scope, id)
        self.alarms: dict[str, cloudwatch.CfnAlarm] = {}
        self._topic = topic
        self._name = cluster.cluster.cluster_name
        self._add_control_plane()
        log = None if cluster.auto_mode_logs is None else cluster.auto_mode_logs.compute_log_group
        if log is not None:
            self._add_compute(log)
        if container_insights:
            self._add_container_insights()
        for reservation in capacity_reservation_ids:
            several = len(capacity_reservation_ids) > 1
            self._add(
                "ReservationUnused",
                [_metric(_RESERVATIONS, "AvailableInstanceCount", "Minimum", CapacityReservationId=reservation)],
                above=0,
                periods=12,
                end=f"-{reservation}" if several else "",
            )
        if prometheus is not None:
            self._add_prometheus(time_to_first_token_seconds)
        admit_publishers(self, topic, [_WRITER])
        tag_as_cluster(self, cluster)

    def _add_control_plane(self) -> None:
        name = self._name
        self._add(
            "PodsUnschedulable",
            [_metric(_EKS, "scheduler_pending_pods_UNSCHEDULABLE", "Minimum", ClusterName=name)],
            above=0,
            periods=3,
        )
        self._add(
            "ApiServerErrors",
            [
                _metric(_EKS, "apiserver_request_total_5XX", "Sum", ClusterName=name),
                _metric(_EKS, "apiserver_request_total", "Sum", ClusterName=name),
            ],
            expression="100 * m1 / m2",
            above=1,
            periods=3,
        )
        self._add(
            "DatabaseFull",
            [_metric(_EKS, "apiserver_storage_size_bytes", "Maximum", ClusterName=name)],
            above=_ETCD_BYTES * 8 // 10,
            periods=3,
        )

    def _add_compute(self, group: logs.LogGroup) -> None:
        patterns = {
            "ComputeErrors": ('{ ($.level = "ERROR") || ($.level = "error") }', 20, 3),
            "NodesRepaired": ('{ $.message = "*unhealthy node*" }', 3, 12),
        }
        for name, (pattern, times, periods) in patterns.items():
            metric_filter = logs.CfnMetricFilter(
                self,
                f"{name}Filter",
                log_group_name=name_of_group(group),
                filter_pattern=pattern,
                metric_transformations=[
                    logs.CfnMetricFilter.MetricTransformationProperty(
                        # A metric filter has no dimension of a constant value, so the namespace tells clusters apart.
                        metric_namespace=f"EksAutoMode/{self._name}",
                        metric_name=name,
                        metric_value="1",
                        unit="Count",
                    )
                ],
            )
            # A name is no reference, so CloudFormation does not see this order.
            metric_filter.node.add_dependency(group)
            self._add(
                name,
                [_metric(f"EksAutoMode/{self._name}", name, "Sum")],
                above=times - 1,
                periods=1,
                minutes=5 * periods,
            )

    def _add_container_insights(self) -> None:
        name = self._name
        self._add(
            "NodesFailed",
            [_metric(_INSIGHTS, "cluster_failed_node_count", "Minimum", ClusterName=name)],
            above=0,
            periods=6,
        )
        self._add(
            "GpusIdle",
            [
                _metric(_INSIGHTS, "node_gpu_limit", "Sum", ClusterName=name),
                _metric(_INSIGHTS, "node_gpu_usage_total", "Sum", ClusterName=name),
            ],
            expression="m1 - m2",
            above=0,
            periods=24,
        )

    def _add_prometheus(self, seconds: float) -> None:
        alarm = cloudwatch.CfnAlarm(self, "TimeToFirstToken", **self._texts("TimeToFirstToken"), evaluation_periods=1)
        # As overrides, because older classes do not know PromQL.
        resource = cast(CfnResource, alarm)
        resource.add_property_deletion_override("EvaluationPeriods")
        resource.add_property_override(
            "EvaluationCriteria",
            {"PromQLCriteria": {"Query": f"{LATENCY_QUERY} > {seconds:g}", "PendingPeriod": 600}},
        )
        resource.add_property_override("EvaluationInterval", 60)
        self.alarms["TimeToFirstToken"] = alarm

    def _texts(self, name: str) -> dict[str, Any]:
        meaning = ALARMS[name]
        return {
            "alarm_description": f"{meaning.means} What to do first: {meaning.action}",
            "alarm_actions": [self._topic.topic_arn],
            "ok_actions": [self._topic.topic_arn],
        }

    def _add(
        self,
        name: str,
        metrics: Sequence[Mapping[str, object]],
        *,
        above: float,
        periods: int,
        minutes: int = 5,
        expression: str | None = None,
        end: str = "",
    ) -> None:
        """An alarm when a metric, or an expression of ``m1``, ``m2``, is above a number in all of its periods."""
        data = [
            cloudwatch.CfnAlarm.MetricDataQueryProperty(
                id=f"m{number}",
                return_data=expression is None,
                metric_stat=cloudwatch.CfnAlarm.MetricStatProperty(
                    metric=cloudwatch.CfnAlarm.MetricProperty(
                        namespace=str(metric["namespace"]),
                        metric_name=str(metric["name"]),
                        dimensions=[
                            cloudwatch.CfnAlarm.DimensionProperty(name=key, value=value)
                            for key, value in cast("Mapping[str, str]", metric["dimensions"]).items()
                        ],
                    ),
                    period=minutes * 60,
                    stat=str(metric["statistic"]),
                ),
            )
            for number, metric in enumerate(metrics, 1)
        ]
        if expression is not None:
            data.append(
                cloudwatch.CfnAlarm.MetricDataQueryProperty(
                    id="e1", expression=expression, label=name, return_data=True
                )
            )
        self.alarms[f"{name}{end}"] = cloudwatch.CfnAlarm(
            self,
            f"{name}{end}",
            **self._texts(name),
            metrics=data,
            comparison_operator="GreaterThanThreshold",
            threshold=above,
            evaluation_periods=periods,
            datapoints_to_alarm=periods,
            treat_missing_data="notBreaching",
        )


def _metric(namespace: str, name: str, statistic: str, **dimensions: str) -> dict[str, object]:
    return {"namespace": namespace, "name": name, "statistic": statistic, "dimensions": dimensions}


def name_of_group(group: logs.LogGroup) -> str:
    """The name that a log group of a cluster is given; no other stack then holds on to the group, which may go."""
    return str(cast(logs.CfnLogGroup, group.node.default_child).log_group_name)


def check_reservation_ids(refusals: Refusals, ids: Sequence[str]) -> None:
    """Refuses what is no id of a capacity reservation, and a repeated one. Tokens are accepted."""
    for position, reservation in enumerate(ids):
        if not is_token(reservation) and not reservation.startswith("cr-"):
            refusals.refuse(
                f"capacity_reservation_ids[{position}]",
                f"{shown(reservation)} is not the id of a capacity reservation",
                "write it like 'cr-0123456789abcdef0'",
            )
    if len(set(ids)) != len(ids):
        refusals.refuse("capacity_reservation_ids", "names one twice", "name each once")


def _check_prometheus(refusals: Refusals, cluster: AutoModeCluster, prometheus: ManagedPrometheus) -> None:
    if prometheus.cluster is not cluster:
        refusals.refuse("prometheus", f"'{prometheus.node.path}' scrapes another cluster", "give this cluster's own")
    if prometheus.workspace is not None:
        refusals.refuse(
            "prometheus",
            f"'{prometheus.node.path}' sends to a workspace, which CloudWatch does not read",
            "write ManagedPrometheus(destination='cloudwatch'), or leave it out",
        )
    if "model-servers" not in prometheus.jobs:
        refusals.refuse("prometheus", "does not read model servers", "add 'model-servers' to its jobs")
