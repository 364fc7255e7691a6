"""ManagedPrometheus: a scraper that AWS runs, which reads a cluster's metrics without a pod in it."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Literal, cast

from aws_cdk import ArnFormat, CfnResource, RemovalPolicy, Stack
from aws_cdk import aws_aps as aps
from constructs import Construct

from automode_constructs.arguments import Refusals, checked_arguments, place
from automode_constructs.aws.cluster import AutoModeCluster
from automode_constructs.aws.cluster_arguments import check_choices
from automode_constructs.aws.cluster_tags import tag_as_cluster
from automode_constructs.aws.fleet import Register
from automode_constructs.aws.scope import StackScope
from automode_constructs.aws.scrape_configuration import JOBS, scrape_configuration
from automode_constructs.facts.regions import partition_of
from automode_constructs.tokens import is_token

__all__ = ["DEFAULT_JOBS", "ManagedPrometheus", "check_scraper_region"]

DEFAULT_JOBS = ("kube-state-metrics", "gpus", "model-servers", "annotated-pods")
"""What costs nothing as long as nothing of that kind runs in the cluster."""

_LONGEST_INTERVAL_SECONDS = 300
_LONGEST_RETENTION_DAYS = 1095
"""Source: Amazon Managed Service for Prometheus User Guide, "Configure your workspace"."""


class ManagedPrometheus(Construct):
    """A managed scraper of a cluster's metrics, with the workspace of Amazon Managed Service for Prometheus they go to.

    Creates an ``AWS::APS::Scraper`` in the node subnets, with the cluster's security group, and an
    ``AWS::APS::Workspace``, unless the metrics go to CloudWatch. No pod and no node: the scraper runs outside the
    cluster, has a network interface in each subnet, and enters through an access entry that AWS creates itself with
    ``AmazonPrometheusScraperPolicy``; create none for it. It is deleted before the cluster: one that outlived it would
    scrape the next cluster of that name.

    Pods behind a network policy must admit the node subnets' blocks to their metrics' port. The scraper needs the
    private endpoint, DNS in the VPC and a free address in each subnet, which a cluster of this library has.

    Price on 27 Nov 2026 (?, from memory of the price list of us-east-1): 0.04 USD an hour for the scraper, about
    29 USD a month, 0.15 USD for ten million samples that it collects, and in a workspace 0.90 USD for ten million that
    are stored. A cluster without pods has no samples of the default jobs.

    Args:
        scope: a construct of a stack in the cluster's account and region.
        id: the construct's id.
        cluster: the cluster, not an imported one.
        destination: ``workspace``, for PromQL in Grafana; ``cloudwatch``, for PromQL in CloudWatch and in its alarms,
            where the account has OpenTelemetry metrics turned on. After a change, old metrics stay where they are.
            Default: ``workspace``; we decide.
        jobs: what to collect, names of ``JOBS`` in ``automode_constructs.aws.scrape_configuration``. Default:
            ``DEFAULT_JOBS``: kube-state-metrics, GPUs, model servers and annotated pods; we decide.
        interval: seconds between two readings, 15 to 300. Default: 60; we decide.
        retention_days: how long the workspace keeps metrics, 1 to 1095. Default: 150, as AWS decides.
        removal_policy: what happens to the workspace when it leaves the stack. Default: it is retained; we decide.

    Attributes:
        cluster: the cluster.
        jobs: the jobs.
        scraper: the scraper.
        workspace: the workspace; ``None`` if the metrics go to CloudWatch.
        configuration: the scrape configuration, as YAML.

    Raises:
        AutoModeError: in GovCloud, which has no managed scrapers; for a job that is not known; for numbers out of
            bounds; for a second scraper of a cluster; for a cluster of another environment.

    Source: Amazon Managed Service for Prometheus User Guide, "Set up managed collectors for Amazon EKS";
    ``AWS::APS::Scraper``; Amazon CloudWatch User Guide, "Managed Prometheus collectors".
    """

    @checked_arguments
    def __init__(
        self,
        scope: StackScope,
        id: str,
        *,
        cluster: AutoModeCluster,
        destination: Literal["workspace", "cloudwatch"] = "workspace",
        jobs: Sequence[str] = DEFAULT_JOBS,
        interval: int = 60,
        retention_days: int | None = None,
        removal_policy: RemovalPolicy = RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    ) -> None:
        refusals = Refusals(place(scope, id))
        with refusals.collecting():
            cluster.check_environment(refusals.where, scope, "a scraper is created in its cluster's account and region")
        check_scraper_region(refusals, Stack.of(scope).region)
        check_choices(refusals, "jobs", jobs, tuple(JOBS))
        if not jobs:
            refusals.refuse("jobs", "names none", "name at least one, or leave the construct out")
        refusals.number("interval", interval, least=15, most=_LONGEST_INTERVAL_SECONDS)
        if retention_days is not None:
            refusals.number("retention_days", retention_days, least=1, most=_LONGEST_RETENTION_DAYS)
            if destination == "cloudwatch":
                refusals.refuse(
                    "retention_days", "is for a workspace, and the metrics go to CloudWatch", "leave it out"
                )
        for other in _BY_CLUSTER.find(cluster.node.root, cluster):
            refusals.refuse(
                "cluster",
                f"'{cluster.node.path}' has the scraper '{other.node.path}' already",
                "give one scraper all jobs; each costs by the hour",
            )
        refusals.raise_all()

        super().__init__(scope, id)
        self.cluster, self.jobs = cluster, tuple(jobs)
        stack = Stack.of(self)
        self.workspace: aps.CfnWorkspace | None = None
        if destination == "workspace":
            self.workspace = aps.CfnWorkspace(
                self,
                "Workspace",
                workspace_configuration=None
                if retention_days is None
                else aps.CfnWorkspace.WorkspaceConfigurationProperty(retention_period_in_days=retention_days),
            )
            self.workspace.apply_removal_policy(removal_policy)
        self.configuration: str = scrape_configuration(jobs, interval=interval)
        self.scraper = aps.CfnScraper(
            self,
            "Scraper",
            scrape_configuration=aps.CfnScraper.ScrapeConfigurationProperty(
                configuration_blob=base64.b64encode(self.configuration.encode()).decode()
            ),
            source=aps.CfnScraper.SourceProperty(
                eks_configuration=aps.CfnScraper.EksConfigurationProperty(
                    cluster_arn=cluster.cluster.cluster_arn,
                    subnet_ids=[subnet.subnet_id for subnet in cluster.network.node_subnets],
                    security_group_ids=[cluster.cluster.cluster_security_group_id],
                )
            ),
            # As an override, because older classes know workspaces only.
            destination=aps.CfnScraper.DestinationProperty(
                amp_configuration=aps.CfnScraper.AmpConfigurationProperty(
                    workspace_arn="" if self.workspace is None else self.workspace.attr_arn
                )
            ),
        )
        if self.workspace is None:
            dataset = stack.format_arn(
                service="cloudwatch",
                resource="dataset",
                resource_name="default",
                arn_format=ArnFormat.SLASH_RESOURCE_NAME,
            )
            cast(CfnResource, self.scraper).add_property_override(
                "Destination", {"CloudWatchConfiguration": {"DatasetArn": dataset}}
            )
            self.scraper.add_property_deletion_override("Destination.AmpConfiguration")
        # AWS's access entry and the scraper's interfaces come when the cluster is whole, and go before it.
        self.scraper.node.add_dependency(cluster.cluster)
        tag_as_cluster(self, cluster)
        _BY_CLUSTER.add(cluster.node.root, cluster, self)


def check_scraper_region(refusals: Refusals, region: str) -> None:
    """Refuses a region of a partition without managed scrapers. A token is accepted."""
    if not is_token(region) and partition_of(region).name != "aws":
        refusals.refuse(
            "region",
            f"AWS has no managed scrapers in partition '{partition_of(region).name}' (region '{region}')",
            "leave it out, and run a Prometheus of your own, or CloudWatchObservability",
        )


_BY_CLUSTER: Register[AutoModeCluster, ManagedPrometheus] = Register()
