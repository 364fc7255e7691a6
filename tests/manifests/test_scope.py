"""Charts outside a cdk8s app, whose objects cdk8s cannot write."""

from __future__ import annotations

from pathlib import Path

import aws_cdk as cdk
import cdk8s

from automode_constructs import AutoModeCluster, ChartDelivery, write_yaml_folder
from automode_constructs.patterns import DcgmExporterChart
from tests.refusal import refusal

CURE = (
    "is in no cdk8s.App, so that cdk8s cannot write its objects; create charts in cdk8s.App(), also where a stack of "
    "the CDK delivers them"
)


def test_a_chart_in_a_stack_of_the_cdk_is_refused(tmp_path: Path) -> None:
    stack = cdk.Stack(cdk.App(), "S")
    chart = cdk8s.Chart(stack, "chart")
    cluster = AutoModeCluster(stack, "C", cluster_name="c")
    assert refusal(lambda: DcgmExporterChart(stack, "metrics")) == f"S/metrics: scope: 'S' {CURE}"
    assert refusal(lambda: ChartDelivery(stack, "D", cluster=cluster, chart=chart)) == (f"S/D: chart: 'S/chart' {CURE}")
    assert refusal(lambda: write_yaml_folder([chart], tmp_path / "new", default_node_class=True)) == (
        f"write_yaml_folder: charts[0]: 'S/chart' {CURE}"
    )
