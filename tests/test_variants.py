"""The variants together: what each adds must hold beside all the others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import cdk8s
import pytest
from aws_cdk import aws_kms as kms
from constructs import Construct

from automode_constructs import (
    AutoModeNetwork,
    CertificateBundle,
    ChartDelivery,
    ImageWeights,
    NodeDefaults,
    VpcEndpoints,
)
from automode_constructs.aws.network import DEFAULT_POD_CIDR
from charts.gpt_oss import GptOssChart
from stacks.cluster_stack import ClusterStack
from stacks.gpt_oss_stack import GptOssStack
from stacks.platform_stack import PlatformStack
from stacks.retail_store_stack import RetailStoreStack
from tests.support import feature_flags, manifests, of_type, synthesised
from tests.template_checks import template_findings

AUTHORITY = Path(__file__).parent.parent / "examples" / "corporate_root.pem"
IMAGE = f"111122223333.dkr.ecr.{cdk.Aws.REGION}.{cdk.Aws.URL_SUFFIX}/gpt-oss:0.27.1-1"


def _pods_apart(stack: Construct) -> AutoModeNetwork:
    return AutoModeNetwork(stack, "Network", pod_cidr=DEFAULT_POD_CIDR)


@pytest.fixture(scope="module")
def everything() -> dict[str, dict[str, Any]]:
    """GovCloud, FIPS, proxy, authorities, pod subnets, own keys and an instance profile in one cluster."""
    app = cdk.App(context=feature_flags())
    env = cdk.Environment(region="us-gov-west-1")
    cluster = ClusterStack(
        app,
        "Everything",
        cluster_name="everything",
        network=_pods_apart,
        volume_key=lambda stack: kms.Key(stack, "OwnVolumeKey", enable_key_rotation=True),
        secrets_key=lambda stack: kms.Key(stack, "OwnSecretsKey", enable_key_rotation=True),
        instance_profile=True,
        node_defaults=NodeDefaults(
            fips=True,
            https_proxy="http://proxy.corp.example:3128",
            certificate_bundles=[CertificateBundle.from_pem("corporate", AUTHORITY.read_text("utf-8"))],
        ),
        env=env,
    ).cluster
    PlatformStack(app, "EverythingPlatform", cluster=cluster, env=env)
    GptOssStack(app, "EverythingModel", cluster=cluster, cache_prefix=None, env=env)
    return synthesised(app)


def test_every_node_class_carries_every_setting(everything: dict[str, dict[str, Any]]) -> None:
    classes = [
        item["spec"] for template in everything.values() for item in manifests(template) if item["kind"] == "NodeClass"
    ]
    assert len(classes) == 2
    for spec in classes:
        assert spec["advancedSecurity"]["fips"] is True
        networking = spec["advancedNetworking"]
        assert networking["httpsProxy"] == "http://proxy.corp.example:3128"
        assert {"169.254.169.254", "172.20.0.0/16", "10.0.0.0/16", DEFAULT_POD_CIDR} <= set(networking["noProxy"])
        assert len(networking["noProxy"]) <= 50
        assert [bundle["name"] for bundle in spec["certificateBundles"]] == ["corporate"]
        assert spec["podSubnetSelectorTerms"]
        assert spec["podSecurityGroupSelectorTerms"]
        assert "OwnVolumeKey" in spec["ephemeralStorage"]["kmsKeyID"]
        assert "InstanceProfile" in spec["instanceProfile"]
        assert "role" not in spec


def test_our_checks_find_nothing_in_the_partition(everything: dict[str, dict[str, Any]]) -> None:
    for name, template in everything.items():
        assert template_findings(template, partition="aws-us-gov") == [], name
        assert "arn:aws:" not in json.dumps(template), name


def test_eks_keeps_no_pool_that_could_not_have_them(everything: dict[str, dict[str, Any]]) -> None:
    (cluster,) = of_type(everything["Everything"], "AWS::EKS::Cluster").values()
    assert not cluster["Properties"]["ComputeConfig"].get("NodePools")
    pools = {
        item["metadata"]["name"] for item in manifests(everything["EverythingPlatform"]) if item["kind"] == "NodePool"
    }
    assert {"critical", "general"} <= pools


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
    GptOssStack(app, "IsolatedModel", cluster=stack.cluster, stage_weights=False, env=stack_env(stack))
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
