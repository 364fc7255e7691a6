"""ClusterDashboard: one CloudWatch dashboard with what an operator of a cluster asks."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_logs as logs
from constructs import Construct

from automode_constructs.arguments import Refusals, checked_arguments, place
from automode_constructs.aws.cluster import AutoModeCluster
from automode_constructs.aws.cluster_alarms import ClusterAlarms, check_reservation_ids, name_of_group
from automode_constructs.aws.cluster_tags import tag_as_cluster
from automode_constructs.aws.log_queries import LONGEST_QUERY, QUERIES, LogQuery, nodes_by_pool
from automode_constructs.aws.scope import StackScope
from automode_constructs.facts.instance_types import as_of, instance_types

__all__ = ["ClusterDashboard"]

_WIDTH = 24
_HALF = _WIDTH // 2
_HEIGHT = 7
_MOST_TYPES = 60


class ClusterDashboard(Construct):
    """A CloudWatch dashboard of a cluster, and its queries saved for Logs Insights.

    Creates an ``AWS::CloudWatch::Dashboard`` and an ``AWS::Logs::QueryDefinition`` for each query. What it shows
    depends on what the cluster has, and each widget that lacks its source is replaced by a line that names the switch:

    - always: pods that wait, by queue, errors and size of the control plane (EKS's own metrics, which cost nothing);
    - ``audit`` among ``log_types``: nodes by pool with their price, pending pods, launch failures, blocked disruptions;
    - ``auto_mode_logs``: nodes created, replaced and repaired, errors of the compute controller;
    - ``container_insights``: nodes, failed nodes, GPUs in use and idle;
    - ``capacity_reservation_ids``: reserved instances that are unused;
    - ``alarms``: the state of each alarm, the time to first token among them.

    Price on 27 Nov 2026 (?, from memory of the price list of us-east-1): 3 USD a month for the fourth dashboard of an
    account and each further one. Each look at a query of a log costs 0.005 USD a GB that it reads, in the time shown;
    the audit log is the large one, so keep that time short.

    Args:
        scope: a construct of a stack in the cluster's account and region.
        id: the construct's id.
        cluster: the cluster.
        container_insights: whether the cluster has ``CloudWatchObservability``. Default: False; we decide.
        capacity_reservation_ids: ids (``cr-...``) of reservations to show. Default: none.
        priced_instance_types: instance types whose price is shown beside the nodes of a pool: on-demand in us-east-1,
            with Auto Mode's fee; at most 60 of the catalogue. Default: none, so that nodes are counted only.
        alarms: the alarms to show. Default: none.

    Attributes:
        dashboard: the dashboard.

    Raises:
        AutoModeError: for an instance type without a price; for what is no reservation's id; for a cluster of another
            environment.

    Source: Amazon CloudWatch API Reference, "Dashboard body structure and syntax"; EKS User Guide, "Monitor cluster
    metrics with Amazon CloudWatch" and "Troubleshoot EKS Auto Mode".
    """

    @checked_arguments
    def __init__(
        self,
        scope: StackScope,
        id: str,
        *,
        cluster: AutoModeCluster,
        container_insights: bool = False,
        capacity_reservation_ids: Sequence[str] = (),
        priced_instance_types: Sequence[str] = (),
        alarms: ClusterAlarms | None = None,
    ) -> None:
        refusals = Refusals(place(scope, id))
        with refusals.collecting():
            cluster.check_environment(refusals.where, scope, "a dashboard shows logs of its own account and region")
        check_reservation_ids(refusals, capacity_reservation_ids)
        _check_types(refusals, priced_instance_types)
        refusals.raise_all()

        super().__init__(scope, id)
        self._name = cluster.cluster.cluster_name
        compute = None if cluster.auto_mode_logs is None else cluster.auto_mode_logs.compute_log_group
        self._groups = {"compute": compute, "audit": cluster.log_group if cluster.has_audit_log else None}
        self.dashboard = cloudwatch.Dashboard(
            self,
            "Dashboard",
            dashboard_name=f"{self._name}-auto-mode",
            default_interval=Duration.days(1),
        )
        if alarms is not None:
            self.dashboard.add_widgets(
                cloudwatch.AlarmStatusWidget(
                    title="Alarms",
                    alarms=[
                        cloudwatch.Alarm.from_alarm_arn(self, f"Shown{name}", alarm.attr_arn)
                        for name, alarm in alarms.alarms.items()
                    ],
                    width=_WIDTH,
                    height=3,
                )
            )
        prices = as_of()
        note = f", prices of {prices.price_region} on {prices.prices}" if priced_instance_types else ""
        self._row(
            "Nodes",
            [
                self._query("nodes-by-pool", nodes_by_pool(priced_instance_types), note),
                self._query("nodes-created", QUERIES["nodes-created"]),
                self._query("nodes-replaced", QUERIES["nodes-replaced"]),
                self._query("nodes-repaired", QUERIES["nodes-repaired"]),
                *self._insights(
                    container_insights,
                    "Nodes, and nodes that failed",
                    "nodes",
                    ("cluster_node_count", "Maximum"),
                    ("cluster_failed_node_count", "Maximum"),
                ),
            ],
        )
        self._row(
            "Pods that wait",
            [
                self._graph(
                    "Pods that wait, by queue of the scheduler",
                    [
                        self._eks(f"scheduler_pending_pods_{queue}", "Maximum")
                        for queue in ("ACTIVEQ", "BACKOFF", "UNSCHEDULABLE", "GATED")
                    ],
                ),
                self._query("pods-pending", QUERIES["pods-pending"]),
                self._query("launch-failures", QUERIES["launch-failures"]),
                self._query("disruption-blocked", QUERIES["disruption-blocked"]),
                self._query("compute-errors", QUERIES["compute-errors"]),
            ],
        )
        self._row(
            "GPUs and reservations",
            [
                *self._insights(
                    container_insights,
                    "GPUs, and GPUs that pods have requested",
                    "GPUs",
                    ("node_gpu_limit", "Sum"),
                    ("node_gpu_usage_total", "Sum"),
                ),
                *self._insights(
                    container_insights, "Busy time of GPUs in percent", "busy GPUs", ("node_gpu_utilization", "Average")
                ),
                *self._reservations(capacity_reservation_ids),
            ],
        )
        self._row(
            "Control plane",
            [
                self._graph(
                    "Errors of the Kubernetes API",
                    [self._eks(f"apiserver_request_total_{code}", "Sum") for code in ("5XX", "429")],
                ),
                self._graph("Size of the database in bytes", [self._eks("apiserver_storage_size_bytes", "Maximum")]),
            ],
        )
        tag_as_cluster(self, cluster)

    def _row(self, title: str, widgets: Sequence[cloudwatch.IWidget | str]) -> None:
        """Widgets in pairs, below a line that says what would show more."""
        lacking = sorted({one for one in widgets if isinstance(one, str)})
        text = f"## {title}" + "".join(f"\n{line}" for line in lacking)
        self.dashboard.add_widgets(
            cloudwatch.TextWidget(markdown=text, width=_WIDTH, height=1 + len(lacking)),
        )
        shown = [one for one in widgets if not isinstance(one, str)]
        for start in range(0, len(shown), 2):
            self.dashboard.add_widgets(*shown[start : start + 2])

    def _query(self, id: str, query: LogQuery, note: str = "") -> cloudwatch.IWidget | str:
        group = self._groups[query.log]
        if group is None:
            switch = "auto_mode_logs=True" if query.log == "compute" else "'audit' among log_types, and cluster_name"
            return f"{query.title}: not shown without {switch}."
        name = name_of_group(group)
        logs.CfnQueryDefinition(self, id, name=f"{self._name}/{id}", query_string=query.text, log_group_names=[name])
        return cloudwatch.LogQueryWidget(
            title=f"{query.title}{note}",
            log_group_names=[name],
            query_string=query.text,
            view=cloudwatch.LogQueryVisualizationType.TABLE,
            width=_HALF,
            height=_HEIGHT,
        )

    def _insights(self, on: bool, title: str, what: str, *metrics: tuple[str, str]) -> list[cloudwatch.IWidget | str]:
        if not on:
            return [f"{what[0].upper()}{what[1:]} by Container Insights: not shown without CloudWatchObservability."]
        return [
            self._graph(
                title,
                [
                    cloudwatch.Metric(
                        namespace="ContainerInsights",
                        metric_name=name,
                        statistic=statistic,
                        dimensions_map={"ClusterName": self._name},
                    )
                    for name, statistic in metrics
                ],
            )
        ]

    def _reservations(self, ids: Sequence[str]) -> list[cloudwatch.IWidget | str]:
        if not ids:
            return ["Unused reservations: not shown without capacity_reservation_ids."]
        return [
            self._graph(
                "Reserved instances that are unused",
                [
                    cloudwatch.Metric(
                        namespace="AWS/EC2CapacityReservations",
                        metric_name="AvailableInstanceCount",
                        statistic="Minimum",
                        dimensions_map={"CapacityReservationId": reservation},
                        label=reservation,
                    )
                    for reservation in ids
                ],
            )
        ]

    def _eks(self, name: str, statistic: str) -> cloudwatch.Metric:
        return cloudwatch.Metric(
            namespace="AWS/EKS", metric_name=name, statistic=statistic, dimensions_map={"ClusterName": self._name}
        )

    def _graph(self, title: str, metrics: Sequence[cloudwatch.IMetric]) -> cloudwatch.GraphWidget:
        return cloudwatch.GraphWidget(
            title=title,
            left=list(metrics),
            left_y_axis=cloudwatch.YAxisProps(min=0),
            width=_HALF,
            height=_HEIGHT,
        )


def _check_types(refusals: Refusals, names: Sequence[str]) -> None:
    priced = {name for name, known in instance_types().items() if known.on_demand_price_usd is not None}
    for position, name in enumerate(names):
        if name not in priced:
            refusals.refuse(
                f"priced_instance_types[{position}]",
                f"'{name}' has no price in the catalogue",
                "leave it out",
            )
    if len(set(names)) != len(names):
        refusals.refuse("priced_instance_types", "names one twice", "name each once")
    if len(names) > _MOST_TYPES or (set(names) <= priced and len(nodes_by_pool(names).text) > LONGEST_QUERY):
        refusals.refuse("priced_instance_types", f"has {len(names)} types, at most {_MOST_TYPES} fit", "leave some out")
