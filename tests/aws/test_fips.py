"""FIPS and GovCloud: where it is on, where it cannot be, and which endpoints kubectl's Lambdas use."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_eks_v2 as eks
from aws_cdk.assertions import Annotations, Match, Template

from automode_constructs import AutoModeCluster, AutoModeNetwork, NodeDefaults
from automode_constructs.patterns.stacks.cluster_stack import ClusterStack
from tests.support import feature_flags, of_type

ROOT = Path(__file__).parents[2]
FIPS = NodeDefaults(fips=True)
REGIONS = "ca-central-1, ca-west-1, us-east-1, us-east-2, us-west-1, us-west-2, us-gov-east-1, us-gov-west-1"


def _stack(region: str | None) -> cdk.Stack:
    return cdk.Stack(cdk.App(), "Dev", env=cdk.Environment(region=region))


def _cluster(stack: cdk.Stack, **arguments: Any) -> AutoModeCluster:
    given = {"cluster_name": "dev", "built_in_pools": [], "admin_role_arns": [], "creator_admin": True, **arguments}
    return AutoModeCluster(stack, "Cluster", **given)


def _fips(cluster: AutoModeCluster) -> Any:
    return cluster.values.node_class_spec().to_manifest().get("advancedSecurity")


class TestNodes:
    @pytest.mark.parametrize(
        ("region", "defaults", "written"),
        [
            ("us-gov-west-1", None, {"fips": True}),
            ("us-gov-east-1", NodeDefaults(associate_public_ip=False), {"fips": True}),
            ("us-gov-east-1", NodeDefaults(fips=False), {"fips": False}),
            ("us-east-1", None, None),
            ("us-east-1", FIPS, {"fips": True}),
            (None, FIPS, {"fips": True}),
            (None, None, None),
        ],
    )
    def test_govcloud_has_it_unless_it_is_turned_off(
        self, region: str | None, defaults: NodeDefaults | None, written: Any
    ) -> None:
        stack = _stack(region)
        assert _fips(_cluster(stack, node_defaults=defaults, kubectl=False)) == written
        warnings = Annotations.from_stack(stack).find_warning("*", Match.string_like_regexp("fips|Fips"))
        assert warnings == []

    def test_a_region_without_it_is_a_warning_that_names_those_with(self) -> None:
        stack = _stack("eu-central-1")
        _cluster(stack, node_defaults=FIPS, kubectl=False)
        Annotations.from_stack(stack).has_warning(
            "/Dev/Cluster",
            "node_defaults.fips: AWS lists no FIPS images for 'eu-central-1', so nodes may not start; choose one "
            f"of {REGIONS}, or leave fips out [ack: automode:FipsRegion]",
        )

    def test_a_region_known_late_is_an_info(self) -> None:
        stack = _stack(None)
        _cluster(stack, node_defaults=FIPS, kubectl=False)
        Annotations.from_stack(stack).has_info(
            "/Dev/Cluster",
            f"node_defaults.fips: the stack names no region, and FIPS images exist in {REGIONS} only "
            "[ack: automode:FipsRegion]",
        )

    def test_built_in_pools_in_govcloud_are_a_warning(self) -> None:
        stack = _stack("us-gov-west-1")
        _cluster(stack, built_in_pools=["system"], kubectl=False)
        Annotations.from_stack(stack).has_warning(
            "/Dev/Cluster",
            "built_in_pools: EKS's own NodeClass 'default' launches the nodes of ['system'], without volume_key on "
            "their root and data volumes and without FIPS images, which are the default in 'us-gov-west-1'; set "
            "built_in_pools=[] and deliver your own pools (ClusterStack does so unless hardened_pools=False) "
            "[ack: automode:FipsBuiltInPools]",
        )
        assert Annotations.from_stack(stack).find_warning("/Dev/Cluster", Match.string_like_regexp("Defaults")) == []

    @pytest.mark.parametrize(
        ("region", "arguments", "lost"),
        [
            ("eu-central-1", {}, "volume_key on their root and data volumes"),
            (None, {"node_defaults": NodeDefaults(fips=False)}, "volume_key on their root and data volumes"),
            ("us-gov-west-1", {"node_defaults": NodeDefaults(fips=False), "volume_key": "aws-owned"}, None),
            ("eu-central-1", {"volume_key": "aws-owned"}, None),
            ("eu-central-1", {"built_in_pools": []}, None),
        ],
    )
    def test_one_warning_says_what_nodes_of_built_in_pools_do_not_get(
        self, region: str | None, arguments: dict[str, Any], lost: str | None
    ) -> None:
        stack = _stack(region)
        _cluster(stack, **{"built_in_pools": ["general-purpose"], "kubectl": False, **arguments})
        found = Annotations.from_stack(stack).find_warning("/Dev/Cluster", Match.string_like_regexp("BuiltInPools"))
        assert [str(warning.entry.data) for warning in found] == (
            []
            if lost is None
            else [
                f"built_in_pools: EKS's own NodeClass 'default' launches the nodes of ['general-purpose'], without "
                f"{lost}; set built_in_pools=[] and deliver your own pools (ClusterStack does so unless "
                "hardened_pools=False) [ack: automode:BuiltInPoolsDefaults]"
            ]
        )

    def test_built_in_pools_beside_what_was_asked_for_are_an_error(self) -> None:
        with pytest.raises(ValueError, match="built_in_pools") as refused:
            _cluster(_stack("us-east-1"), built_in_pools=["system", "general-purpose"], node_defaults=FIPS)
        assert str(refused.value) == (
            "Dev/Cluster: built_in_pools: ['system', 'general-purpose'] cannot carry node_defaults.fips: their "
            "NodeClass 'default' is EKS's own; set built_in_pools=[] and deliver pools of your own (ClusterStack does "
            "so unless hardened_pools=False)"
        )

    @pytest.mark.parametrize(
        ("region", "hardened", "pools"),
        [
            ("us-gov-west-1", True, []),
            ("us-gov-west-1", False, ["system", "general-purpose"]),
            ("us-east-1", True, []),
            (None, True, []),
        ],
    )
    def test_a_stack_has_pools_that_can_have_it_unless_told_otherwise(
        self, region: str | None, hardened: bool, pools: list[str]
    ) -> None:
        stack = ClusterStack(
            cdk.App(),
            "Gov",
            cluster_name="gov",
            hardened_pools=hardened,
            kubectl=False,
            pools_applied_by="operator" if hardened else None,
            env=cdk.Environment(region=region),
        )
        assert list(stack.cluster.built_in_pools) == pools


class TestEndpoints:
    @staticmethod
    def _variables(stack: cdk.Stack) -> list[bool]:
        template = dict(Template.from_stack(stack).to_json())
        functions = of_type(template, "AWS::Lambda::Function")
        return [
            "AWS_USE_FIPS_ENDPOINT" in body["Properties"].get("Environment", {}).get("Variables", {})
            for place in ("KubectlProviderHandler", "KubectlProviderframework")
            for name, body in functions.items()
            if place in name
        ]

    @pytest.mark.parametrize(
        ("region", "defaults", "wanted"),
        [
            ("us-gov-west-1", None, [True, True]),
            ("us-gov-west-1", NodeDefaults(fips=False), [False, False]),
            ("us-east-1", FIPS, [True, True]),
            ("us-east-1", None, [False, False]),
            # Nodes have FIPS images there, EKS and Lambda no FIPS endpoint.
            ("ca-central-1", FIPS, [False, False]),
            (None, FIPS, [False, False]),
        ],
    )
    def test_kubectl_takes_them_with_fips_nodes_where_they_exist(
        self, region: str | None, defaults: NodeDefaults | None, wanted: list[bool]
    ) -> None:
        stack = _stack(region)
        _cluster(stack, node_defaults=defaults)
        assert self._variables(stack) == wanted

    @pytest.mark.parametrize(
        ("region", "services", "wanted"),
        [
            ("us-gov-west-1", ["eks", "lambda"], [True, False]),
            ("us-east-1", ["eks", "lambda"], [False, False]),
            ("us-east-1", ["eks", "lambda", "eks-fips"], [True, False]),
        ],
    )
    def test_without_a_way_out_only_those_the_vpc_has(
        self, region: str, services: list[str], wanted: list[bool]
    ) -> None:
        stack = _stack(region)
        network = AutoModeNetwork(stack, "Network", nat_gateways=0)
        for service in (*services, "ecr.api", "ecr.dkr"):
            network.vpc.add_interface_endpoint(service, service=ec2.InterfaceVpcEndpointAwsService(service))
        _cluster(stack, network=network, node_defaults=FIPS)
        assert self._variables(stack) == wanted

    @pytest.mark.parametrize(
        ("region", "defaults", "fips"),
        [
            ("us-gov-west-1", None, True),
            ("us-east-1", FIPS, True),
            ("us-east-1", None, False),
            ("ca-central-1", FIPS, False),
        ],
    )
    def test_the_cdk_s_own_lambdas_use_them_too(self, region: str, defaults: NodeDefaults | None, fips: bool) -> None:
        stack = _stack(region)
        _cluster(stack, node_defaults=defaults, kubectl=False)
        ((name, body),) = of_type(dict(Template.from_stack(stack).to_json()), "AWS::Lambda::Function").items()
        assert name.startswith("CustomVpcRestrictDefaultSG")
        variables = body["Properties"].get("Environment", {}).get("Variables", {})
        assert variables == ({"AWS_USE_FIPS_ENDPOINT": "true"} if fips else {})


class TestPartition:
    def test_what_govcloud_lacks_is_refused(self) -> None:
        stack = _stack("us-gov-west-1")
        cluster = _cluster(stack, kubectl=False)
        eks.CfnFargateProfile(
            stack,
            "Fargate",
            cluster_name=cluster.values.cluster_name,
            pod_execution_role_arn=cluster.cluster_role.role_arn,
            selectors=[eks.CfnFargateProfile.SelectorProperty(namespace="default")],
        )
        app = stack.node.root
        assert isinstance(app, cdk.App)
        with pytest.raises(RuntimeError) as refused:
            app.synth()
        assert (
            "Dev/Fargate: AWS::EKS::FargateProfile does not exist in 'us-gov-west-1'; leave it out in GovCloud"
            in str(refused.value)
        )

    @pytest.mark.parametrize(("region", "own"), [("us-gov-west-1", "aws-us-gov"), ("us-east-2", "aws")])
    def test_one_example_serves_both_partitions_and_names_no_other(self, region: str, own: str, tmp_path: Path) -> None:
        subprocess.run(
            [sys.executable, str(ROOT / "examples" / "govcloud.py")],
            cwd=tmp_path,
            env={
                **os.environ,
                "CDK_CONTEXT_JSON": json.dumps({**feature_flags(), "region": region}),
                "CDK_OUTDIR": str(tmp_path / "out"),
                "PYTHONPATH": str(ROOT),
            },
            check=True,
            capture_output=True,
            text=True,
        )
        texts = [path.read_text("utf-8") for path in sorted((tmp_path / "out").glob("*.template.json"))]
        assert len(texts) == 3
        # The manifests are in the templates; inner quotes do not matter to an ARN.
        assert {found for text in texts for found in re.findall(r"arn:(aws[a-z-]*):", text)} <= {own}
        clusters = [found for text in texts for found in of_type(json.loads(text), "AWS::EKS::Cluster").values()]
        assert [found["Properties"]["ComputeConfig"]["NodePools"] for found in clusters] == [[]]
