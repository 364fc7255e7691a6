"""The isolated variant with workloads on it. What the others add together is in stacks/test_cluster_stack.py."""

from __future__ import annotations

import aws_cdk as cdk
import cdk8s
import pytest
from constructs import Construct

from automode_constructs import (
    AutoModeNetwork,
    ChartDelivery,
    ImageWeights,
    VpcEndpoints,
)
from automode_constructs.patterns.charts.gpt_oss import GptOssChart
from automode_constructs.patterns.stacks.cluster_stack import ClusterStack
from automode_constructs.patterns.stacks.gpt_oss_stack import GptOssStack
from automode_constructs.patterns.stacks.platform_stack import PlatformStack
from automode_constructs.patterns.stacks.retail_store_stack import RetailStoreStack
from automode_constructs.patterns.stacks.weights_stack import WeightsStack
from tests.support import feature_flags, manifests, of_type, synthesised
from tests.template_checks import template_findings

IMAGE = f"111122223333.dkr.ecr.{cdk.Aws.REGION}.{cdk.Aws.URL_SUFFIX}/gpt-oss:0.27.1-1"


def _isolated(stack: Construct) -> AutoModeNetwork:
    network = AutoModeNetwork(stack, "Network", isolated=True)
    VpcEndpoints(stack, "Endpoints", network=network)
    return network


def _on_an_isolated_cluster(id: str) -> tuple[cdk.App, ClusterStack]:
    app = cdk.App(context=feature_flags())
    return app, ClusterStack(
        app, id, cluster_name=id.lower(), network=_isolated, env=cdk.Environment(region="eu-central-1")
    )


def test_the_model_runs_where_nothing_leads_out() -> None:
    app, stack = _on_an_isolated_cluster("Isolated")
    PlatformStack(app, "IsolatedPlatform", cluster=stack.cluster, env=stack_env(stack))
    weights = WeightsStack(app, "IsolatedWeights", env=stack_env(stack))
    GptOssStack(
        app,
        "IsolatedModel",
        cluster=stack.cluster,
        bucket=weights.bucket,
        stage_weights=False,
        env=stack_env(stack),
    )
    templates = synthesised(app)
    for name, template in templates.items():
        assert template_findings(template) == [], name
    assert not of_type(templates["Isolated"], "AWS::EC2::InternetGateway")
    assert not of_type(templates["Isolated"], "AWS::EC2::NatGateway")
    assert of_type(templates["IsolatedModel"], "AWS::ECR::PullThroughCacheRule")


def test_weights_in_the_image_need_no_bucket_there() -> None:
    app, stack = _on_an_isolated_cluster("Baked")
    chart = GptOssChart(
        cdk8s.App(),
        "model",
        values=stack.cluster.values,
        image=IMAGE,
        weights=ImageWeights(path="/models/gpt-oss-20b"),
    )
    ChartDelivery(cdk.Stack(app, "BakedModel", env=stack_env(stack)), "Model", cluster=stack.cluster, chart=chart)
    assert {item["kind"] for item in manifests(synthesised(app)["BakedModel"])} >= {"Deployment", "NodePool"}


def test_an_image_of_the_public_internet_is_refused_there() -> None:
    app, stack = _on_an_isolated_cluster("Shop")
    RetailStoreStack(app, "ShopCharts", cluster=stack.cluster, env=stack_env(stack))
    with pytest.raises(RuntimeError) as caught:
        app.synth()
    assert "public.ecr.aws/aws-containers/retail-store-sample-ui" in str(caught.value)


def stack_env(stack: cdk.Stack) -> cdk.Environment:
    return cdk.Environment(region=stack.region)
