"""The guard rails inside the cluster, in the stack that is deployed last and deleted first."""

from __future__ import annotations

from typing import Unpack

import aws_cdk as cdk
import cdk8s

from automode_constructs.arguments import checked_arguments
from automode_constructs.aws.cluster import AutoModeCluster
from automode_constructs.aws.cluster_tags import tag_as_cluster
from automode_constructs.aws.imported_cluster import ImportedCluster
from automode_constructs.aws.scope import AppScope
from automode_constructs.delivery.chart_delivery import ChartDelivery
from automode_constructs.patterns.charts.cluster_guardrails import ClusterGuardrails
from automode_constructs.patterns.charts.guardrails.settings import Guardrails
from automode_constructs.patterns.stacks.stack_options import StackOptions

__all__ = ["GuardrailsStack"]


class GuardrailsStack(cdk.Stack):
    """Delivers ``ClusterGuardrails`` after every other chart of the app, and deletes it before them.

    The CDK makes this stack depend on every stack that delivers to the cluster, wherever in the app that comes to be.
    ``cdk destroy`` of one of those takes this stack along; ``--exclusively`` leaves it.

    Args:
        scope: the app or stage.
        id: the stack's id.
        cluster: an ``AutoModeCluster`` or ``ImportedCluster`` of another stack in the same environment.
        guardrails: the rules, and whom and what they spare.
    """

    @checked_arguments
    def __init__(
        self,
        scope: AppScope,
        id: str,
        *,
        cluster: AutoModeCluster | ImportedCluster,
        guardrails: Guardrails,
        **stack_options: Unpack[StackOptions],
    ) -> None:
        super().__init__(scope, id, **stack_options)
        tag_as_cluster(self, cluster)
        chart = ClusterGuardrails(cdk8s.App(), "guardrails", guardrails=guardrails)
        ChartDelivery(self, "guardrails", cluster=cluster, chart=chart)
