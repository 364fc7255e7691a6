"""HelmRelease: a Helm chart in the order of everything else that is delivered to a cluster."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

import aws_cdk as cdk
import jsii
from aws_cdk import IAspect
from aws_cdk import aws_eks_v2 as eks
from constructs import Construct, IConstruct

from automode_constructs.arguments import Refusals, checked_arguments, place
from automode_constructs.aws.add_on import plain_problems
from automode_constructs.aws.after_nodes import OrderProblems, is_before, put_after
from automode_constructs.aws.fleet import Register
from automode_constructs.aws.scope import StackScope
from automode_constructs.delivery.chart_delivery import ChartTarget
from automode_constructs.errors import Problem, shown
from automode_constructs.facts.add_ons import built_in_program
from automode_constructs.rendering.render import ADMISSION_POLICIES, WORKLOADS, rank
from automode_constructs.specs.object_metadata import namespace_problems
from automode_constructs.tokens import is_token

__all__ = ["LONGEST_MINUTES", "HelmRelease"]

LONGEST_MINUTES = 14
"""The longest that Helm may take: the Lambda function that runs it ends after 15 minutes."""

_RELEASE = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,51}[a-z0-9])?")
_CHART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_VERSION = re.compile(r"v?[0-9]+\.[0-9]+\.[0-9]+(?:[-+][0-9A-Za-z.+-]+)?")
_PRIVATE_ECR = re.compile(r"oci://\S*?\.dkr\.ecr(?:-fips)?\.")
_PUBLIC_ECR = "oci://public.ecr.aws/"


class HelmRelease(Construct):
    """A Helm chart that the kubectl handler of the cluster installs, in the order of delivery.

    Creates a custom resource of the CDK. It comes after what its pods may need of the app's charts: namespaces,
    NodePools, storage and ingress classes and the like; and before admission policies. Deleting it uninstalls the
    release (Helm leaves CRDs of a chart's folder ``crds``). A release that fails is removed, so that the next
    deployment can try again. A chart of the CDK that needs it takes ``delivery.node.add_dependency(release)``.

    AWS charges nothing for it; its pods may keep a node alive in a cluster that runs nothing else: from 55.6 USD a
    month for a ``c6g.large`` with Auto Mode's fee (us-east-1; price of 2026-02-09, fee of 2026-07-01).

    Args:
        scope: a construct of a stack in the cluster's account and region: the stack of the NodePools or a later one,
            where EKS keeps no pools of its own.
        id: the construct's id.
        cluster: an ``AutoModeCluster`` or ``ImportedCluster`` with kubectl.
        chart: the chart's name in the repository; with ``oci://`` it is the last part of the address.
        repository: the repository's address: ``https://...``, or ``oci://...`` up to and including the chart. ECR,
            public or not, needs a cluster with ``helm_charts_from_ecr=True``.
        version: the chart's exact version, such as ``1.16.2``.
        namespace: where the release goes; Helm creates it where it is missing.
        release: the release's name, at most 53 characters. Default: the chart's name; we decide.
        values: the chart's values, as plain data; no secrets, since the handler's log has them. Default: the chart's
            own.
        minutes: how long Helm waits until all of the release runs, 1 to 14. Default: 10; we decide.
        skip_crds: whether CRDs of the chart's folder ``crds`` are left out. Default: False; Helm decides.

    Attributes:
        resource: the CDK's construct, an ``aws_eks_v2.HelmChart``.

    Raises:
        AutoModeError: for a chart of what Auto Mode has built in, unless the app gives the cluster other nodes; for a
            range of versions; for a repository that the handler does not reach; for values that are not plain data; for
            a release that the cluster has already. Later, as an error of the synthesis: for NodePools that are deployed
            after it.

    Source: AWS CDK, ``aws_eks_v2.HelmChart``; Helm documentation, "helm upgrade".
    """

    namespace: str
    """Where the release goes."""
    release: str
    """The release's name."""

    @checked_arguments
    def __init__(
        self,
        scope: StackScope,
        id: str,
        *,
        cluster: ChartTarget,
        chart: str,
        repository: str,
        version: str,
        namespace: str,
        release: str | None = None,
        values: Mapping[str, Any] | None = None,
        minutes: int = 10,
        skip_crds: bool = False,
    ) -> None:
        name = chart.lower() if release is None else release
        refusals = Refusals(place(scope, id))
        with refusals.collecting():
            cluster.check_environment(refusals.where, scope, "a kubectl provider works in its own account and region")
        with refusals.collecting():
            cluster.check_deliverable(refusals.where)
        refusals.problems += [
            *_chart_problems(cluster, chart, version),
            *_repository_problems(cluster, repository),
            *namespace_problems("namespace", namespace),
            *plain_problems("values", values or {}),
        ]
        if _RELEASE.fullmatch(name) is None:
            refusals.refuse(
                "release" if release is not None else "chart",
                f"{shown(name)} cannot be the name of a release",
                "name one with release=: at most 53 lower-case letters, digits and '-'",
            )
        refusals.number("minutes", minutes, least=1, most=LONGEST_MINUTES)
        for other in _BY_CLUSTER.find(cluster.node.root, cluster):
            if (other.namespace, other.release) == (namespace, name):
                refusals.refuse(
                    "release",
                    f"'{name}' in namespace '{namespace}' is the release of '{other.node.path}' already",
                    "give it another name",
                )
        refusals.raise_all()

        super().__init__(scope, id)
        self.cluster, self.namespace, self.release = cluster, namespace, name
        self.resource = eks.HelmChart(
            self,
            "Release",
            cluster=cast(eks.ICluster, cluster.cluster),
            chart=chart,
            repository=repository,
            version=version,
            namespace=namespace,
            release=name,
            values=values or None,
            timeout=cdk.Duration.minutes(minutes),
            create_namespace=True,
            skip_crds=skip_crds,
            wait=True,
            atomic=True,
        )
        self.resource.node.add_dependency(*cluster.delivery_dependencies)
        self.problems: list[Problem] = []
        """What the synthesis finds, which it makes fail."""
        _BY_CLUSTER.add(cluster.node.root, cluster, self)
        cdk.Aspects.of(self).add(_InOrder(self))
        self.node.add_validation(OrderProblems(self))


_BY_CLUSTER: Register[ChartTarget, HelmRelease] = Register()


def _chart_problems(cluster: ChartTarget, chart: str, version: str) -> Iterator[Problem]:
    built_in = built_in_program(chart)
    if built_in is not None and not cluster.other_nodes:
        yield Problem(
            field="chart",
            message=f"'{chart}' brings {built_in.what}, which Auto Mode has built in",
            cure="leave it out; it is for node groups, so create those before it if the cluster has any",
        )
    elif _CHART.fullmatch(chart) is None:
        yield Problem(
            field="chart",
            message=f"{shown(chart)} is not the name of a chart",
            cure="write its name in the repository, such as 'cert-manager'",
        )
    if not is_token(version) and _VERSION.fullmatch(version) is None:
        yield Problem(
            field="version",
            message=f"{shown(version)} is not one version, so that two deployments may install different ones",
            cure="write it as '1.16.2'",
        )


def _repository_problems(cluster: ChartTarget, repository: str) -> Iterator[Problem]:
    if not repository.startswith(("https://", "oci://")):
        yield Problem(
            field="repository",
            message=f"{shown(repository)} is not the address of a Helm repository",
            cure="write it as 'https://charts.example.com' or 'oci://registry.example.com/charts/name'",
        )
        return
    private = _PRIVATE_ECR.match(repository) is not None
    if (private or repository.startswith(_PUBLIC_ECR)) and getattr(cluster, "helm_charts_from_ecr", True) is False:
        yield Problem(
            field="repository",
            message=f"{shown(repository)} is in ECR, where the kubectl handler of '{cluster.node.path}' may not pull",
            cure="create the cluster with helm_charts_from_ecr=True",
        )
    if not private and not is_token(repository) and cluster.internet is False:
        yield Problem(
            field="repository",
            message=f"{shown(repository)} is outside the network of '{cluster.node.path}', which has no route there",
            cure="copy the chart to ECR and name it by oci://",
        )


def _is_before_workloads(kind: str) -> bool:
    return rank(kind) < WORKLOADS


@jsii.implements(IAspect)
class _InOrder:
    """Puts a release in its place among the objects of the cluster, when synthesis begins."""

    def __init__(self, release: HelmRelease) -> None:
        self._release = release
        self._done = False

    def visit(self, node: IConstruct) -> None:  # noqa: ARG002 - whichever construct comes first
        """Looks once."""
        if self._done:
            return
        self._done = True
        release = self._release
        release.problems += put_after(release, release.resource, release.cluster, _is_before_workloads)
        mine = cdk.Stack.of(release)
        for delivery in release.cluster.deliveries:
            theirs = cdk.Stack.of(delivery)
            for key, manifest in delivery.manifests.items():
                if key.kind in ADMISSION_POLICIES and not is_before(theirs, mine, release.cluster):
                    manifest.node.add_dependency(release.resource)
