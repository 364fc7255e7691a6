"""What ClusterStack passes on: networks, keys and boundaries given or made by a function, and the variants together."""

from __future__ import annotations

import fnmatch
import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk.assertions import Annotations, Match, Template

from automode_constructs import (
    AutoModeError,
    AutoModeNetwork,
    CertificateBundle,
    ClusterRole,
    NodeDefaults,
    RoleNames,
)
from automode_constructs.patterns.stacks.cluster_stack import ClusterStack
from automode_constructs.patterns.stacks.platform_stack import PlatformStack
from tests.refusal import refusal
from tests.support import feature_flags, manifests, of_type, only, synthesised, text_of
from tests.template_checks import template_findings

ROOT = Path(__file__).parents[3]
PEM = (ROOT / "examples" / "corporate_root.pem").read_text("utf-8")
AS_OF = date(2026, 11, 23)


def _key(region: str, id: str = "0123") -> str:
    return f"arn:{cdk.Aws.PARTITION}:kms:{region}:111122223333:key/{id}"


@pytest.fixture(scope="module")
def together() -> tuple[ClusterStack, dict[str, dict[str, Any]]]:
    """GovCloud, FIPS, proxy, authorities, pod subnets, own keys, instance profile and boundary in one stack."""
    app = cdk.App(context=feature_flags())
    env = cdk.Environment(region="us-gov-west-1")
    stack = ClusterStack(
        app,
        "Least",
        cluster_name="all",
        network=lambda stack: AutoModeNetwork(stack, "Network", pod_cidr="100.64.0.0/16"),
        node_defaults=NodeDefaults(
            https_proxy="http://proxy.corp.example:3128",
            certificate_bundles=[CertificateBundle.from_pem("corporate", PEM)],
            associate_public_ip=False,
        ),
        node_tags={"team": "ml"},
        secrets_key=lambda stack: kms.Key.from_key_arn(stack, "Secrets", _key("us-gov-west-1", "mrk-1")),
        volume_key=lambda stack: kms.Key(stack, "Volumes"),
        instance_profile=True,
        permissions_boundary=lambda stack: iam.ManagedPolicy.from_managed_policy_name(stack, "Boundary", "b"),
        as_of=AS_OF,
        env=env,
    )
    PlatformStack(app, "LeastPools", cluster=stack.cluster, env=env)
    return stack, synthesised(app)


Together = tuple[ClusterStack, dict[str, dict[str, Any]]]


class TestTogether:
    def test_every_node_has_it_all(self, together: Together) -> None:
        (node_class,) = [item for item in manifests(together[1]["LeastPools"]) if item["kind"] == "NodeClass"]
        spec = node_class["spec"]
        assert "role" not in spec and "InstanceProfile" in spec["instanceProfile"]
        assert spec["podSubnetSelectorTerms"] and spec["podSecurityGroupSelectorTerms"]
        assert "Volumes" in spec["ephemeralStorage"]["kmsKeyID"]
        assert spec["advancedSecurity"] == {"fips": True}
        assert spec["advancedNetworking"]["httpsProxy"] == "http://proxy.corp.example:3128"
        assert spec["advancedNetworking"]["associatePublicIPAddress"] is False
        assert {"172.20.0.0/16", "10.0.0.0/16", "100.64.0.0/16"} <= {*spec["advancedNetworking"]["noProxy"]}
        assert [bundle["name"] for bundle in spec["certificateBundles"]] == ["corporate"]
        assert spec["tags"] == {"team": "ml"}

    def test_pools_of_ours_serve_the_cluster(self, together: Together) -> None:
        pools = {
            item["metadata"]["name"] for item in manifests(together[1]["LeastPools"]) if item["kind"] == "NodePool"
        }
        assert pools == {"critical", "general", "spot", "graviton"}
        compute = only(together[1]["Least"], "AWS::EKS::Cluster")["Properties"]["ComputeConfig"]
        assert compute == {"Enabled": True, "NodePools": []}

    def test_own_checks_find_nothing(self, together: Together) -> None:
        assert [finding for template in together[1].values() for finding in template_findings(template)] == []

    def test_every_role_is_bounded(self, together: Together) -> None:
        roles = of_type(together[1]["Least"], "AWS::IAM::Role")
        assert len(roles) >= 5
        assert [name for name, role in roles.items() if "PermissionsBoundary" not in role["Properties"]] == []

    def test_the_outputs_carry_the_node_defaults(self, together: Together) -> None:
        text = text_of(together[1]["Least"]["Outputs"]["ClusterValues"]["Value"])
        assert json.loads(text)["nodeDefaults"]["fips"] is True

    def test_the_imported_key_is_told_of_and_ours_is_not(self, together: Together) -> None:
        warnings = Annotations.from_stack(together[0]).find_warning(
            "*", Match.string_like_regexp(r"the key .* this stack cannot change its policy; for Kubernetes secrets it")
        )
        assert len(warnings) == 1
        assert (
            Annotations.from_stack(together[0]).find_warning("*", Match.string_like_regexp("for EBS volumes it")) == []
        )


class TestLeastPrivilege:
    @staticmethod
    def _policies() -> list[dict[str, dict[str, Any]]]:
        page = (ROOT / "docs" / "least-privilege.md").read_text("utf-8")
        blocks = re.findall(r"```json\n(.*?)```", page, flags=re.DOTALL)
        return [{one["Sid"]: one for one in json.loads(block)["Statement"]} for block in blocks]

    def test_a_pools_stack_makes_nothing_in_iam(self, together: Together) -> None:
        kinds = {resource["Type"] for resource in together[1]["LeastPools"]["Resources"].values()}
        assert {kind for kind in kinds if kind.startswith("AWS::") and kind != "AWS::CDK::Metadata"} == set()
        assert all(kind.startswith("Custom::AWSCDK-EKS-") for kind in kinds - {"AWS::CDK::Metadata"})

    def test_its_policy_is_what_its_resources_and_its_bootstrap_need(self, together: Together) -> None:
        policy = self._policies()[0]
        assert {name: one["Action"] for name, one in policy.items()} == {
            "DeliverKubernetesObjects": "lambda:InvokeFunction",
            "ReadOutputsOfTheCluster": "cloudformation:DescribeStacks",
            "ReadBootstrapVersion": "ssm:GetParameters",
        }
        template = together[1]["LeastPools"]
        tokens = {json.dumps(body["Properties"]["ServiceToken"]) for body in template["Resources"].values()}
        (export,) = {json.loads(token)["Fn::ImportValue"] for token in tokens}
        (output,) = [
            one["Value"]
            for one in together[1]["Least"]["Outputs"].values()
            if one.get("Export", {}).get("Name") == export
        ]
        # CloudFormation names the function by stack and logical id, cut to 64 characters.
        name = f"Least-{output['Fn::GetAtt'][0]}"
        pattern = policy["DeliverKubernetesObjects"]["Resource"].rpartition(":")[2]
        assert fnmatch.fnmatchcase(name[:51] + "-0123456789AB", pattern)
        producers = set(re.findall(r"'Fn::GetStackOutput': {'StackName': '([^']+)'", str(template)))
        assert [policy["ReadOutputsOfTheCluster"]["Resource"].rpartition(":")[2]] == [
            f"stack/{name}/*" for name in producers
        ]
        parameter = template["Parameters"]["BootstrapVersion"]["Default"]
        example = (ROOT / "examples" / "least_privilege.py").read_text("utf-8")
        (qualifier,) = re.findall(r'qualifier="(\w+)"', example)
        assert policy["ReadBootstrapVersion"]["Resource"].endswith(
            ":parameter" + parameter.replace("hnb659fds", qualifier)
        )

    def test_the_boundary_lets_the_node_roles_pass_and_no_other(self, together: Together) -> None:
        boundary = self._policies()[1]
        assert {one["Effect"] for name, one in boundary.items() if name != "NoMoreThanTheRolesOwnPolicies"} == {"Deny"}
        pattern = boundary["PassNodeRolesOnly"]["NotResource"].rpartition("/")[2]
        roles = of_type(together[1]["Least"], "AWS::IAM::Role")
        passed = {name for name in roles if fnmatch.fnmatchcase(f"Least-{name}", pattern)}
        of_nodes = {
            name
            for name, role in roles.items()
            if "ec2.amazonaws.com" in json.dumps(role["Properties"]["AssumeRolePolicyDocument"])
        }
        assert passed == of_nodes != set()

    def test_the_platform_team_passes_roles_to_the_services_that_take_them(self, together: Together) -> None:
        scoped = self._policies()[2]["PassTheStacksRoles"]["Condition"]["StringEquals"]["iam:PassedToService"]
        trusted = {
            statement["Principal"]["Service"]
            for role in of_type(together[1]["Least"], "AWS::IAM::Role").values()
            for statement in role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        }
        assert set(scoped) == trusted


class TestRefusals:
    def test_zones_beside_a_network(self) -> None:
        app = cdk.App()
        assert (
            refusal(
                lambda: ClusterStack(
                    app,
                    "Dev",
                    cluster_name="dev",
                    availability_zones=["eu-west-1a", "eu-west-1b"],
                    network=lambda stack: AutoModeNetwork(stack, "Network"),
                )
            )
            == "Dev: availability_zones: are set beside network; name the zones where you create it"
        )

    @pytest.mark.parametrize(
        ("field", "id", "cure"),
        [
            ("secrets_key", "0123", "give a key of 'eu-west-1'"),
            ("log_key", "0123", "give a key of 'eu-west-1'"),
            ("volume_key", "mrk-1", "replicate the multi-Region key to 'eu-west-1' and give the replica's ARN"),
        ],
    )
    def test_a_key_of_another_region(self, field: str, id: str, cure: str) -> None:
        arn = f"arn:aws:kms:us-east-1:111122223333:key/{id}"
        given: dict[str, Any] = {field: lambda stack: kms.Key.from_key_arn(stack, "Given", arn)}
        assert (
            refusal(
                lambda: ClusterStack(
                    cdk.App(),
                    "Dev",
                    cluster_name="dev",
                    env=cdk.Environment(region="eu-west-1"),
                    **given,
                )
            )
            == f"Dev/Cluster: {field}: '{arn}' lies in 'us-east-1', the cluster in 'eu-west-1'; {cure}"
        )

    def test_built_in_pools_cannot_carry_what_was_asked_for(self) -> None:
        assert refusal(
            lambda: ClusterStack(
                cdk.App(),
                "Dev",
                cluster_name="dev",
                hardened_pools=False,
                node_defaults=NodeDefaults(associate_public_ip=False),
            )
        ) == (
            "Dev: built_in_pools: ['system', 'general-purpose'] cannot carry "
            "node_defaults.associate_public_ip: their NodeClass 'default' is EKS's own; set built_in_pools=[] and "
            "deliver pools of your own (ClusterStack does so unless hardened_pools=False)"
        )

    def test_all_mistakes_are_reported_at_once_and_the_id_stays_free(self) -> None:
        app = cdk.App()
        env = cdk.Environment(region="eu-west-1")
        with pytest.raises(AutoModeError) as caught:
            ClusterStack(
                app,
                "Dev",
                cluster_name="my cluster",
                version="1.2",
                endpoint_cidrs=["0.0.0.0/0", "10.0.0.0/8"],
                availability_zones=["us-west-2a", "eu-west-1b"],
                ip_family="ipv6",
                node_tags={"aws:x": "y"},
                env=env,
            )
        assert caught.value.where == "Dev"
        assert [problem.field for problem in caught.value.problems] == [
            "version",
            "cluster_name",
            "endpoint_cidrs[0]",
            "endpoint_cidrs[1]",
            "node_tags",
            "ip_family",
            "availability_zones[0]",
        ]
        assert "'us-west-2a' is a zone of 'us-west-2', the stack is in 'eu-west-1'" in str(caught.value)
        assert app.node.try_find_child("Dev") is None
        ClusterStack(app, "Dev", cluster_name="dev", env=env)

    def test_what_only_a_function_creates_is_refused_later_and_leaves_nothing(self) -> None:
        app = cdk.App()
        text = refusal(
            lambda: ClusterStack(
                app,
                "Dev",
                cluster_name="dev",
                ip_family="ipv6",
                network=lambda stack: AutoModeNetwork(stack, "Network"),
            )
        )
        assert text.startswith("Dev/Cluster: ip_family: is 'ipv6', but the network has no IPv6 blocks")
        assert app.node.try_find_child("Dev") is None
        ClusterStack(app, "Dev", cluster_name="dev")

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"network": lambda _: None}, "network(stack): needs an AutoModeNetwork or an ExistingNetwork, got None"),
            ({"secrets_key": lambda _: "alias/mine"}, "secrets_key(stack): needs an IKey, got the text 'alias/mine'"),
            ({"volume_key": lambda stack: stack}, "volume_key(stack): needs an IKey, got a ClusterStack"),
            ({"cluster_role": lambda _: "eks"}, "cluster_role(stack): needs a ClusterRole or an IRole, got the text"),
            (
                {"permissions_boundary": lambda _: None},
                "permissions_boundary(stack): needs an IManagedPolicy, got",
            ),
        ],
        ids=["network", "secrets_key", "volume_key", "cluster_role", "boundary"],
    )
    def test_a_function_that_creates_something_else(self, arguments: dict[str, Any], message: str) -> None:
        text = refusal(lambda: ClusterStack(cdk.App(), "Dev", cluster_name="dev", **arguments))
        assert text.startswith(f"Dev: {message}")

    def test_a_second_cluster_of_one_name_is_refused_before_the_stack_exists(self) -> None:
        app = cdk.App()
        env = cdk.Environment(region="eu-west-1", account="111122223333")
        ClusterStack(app, "A", cluster_name="dev", env=env)
        stage = cdk.Stage(app, "Prod", env=env)
        assert refusal(lambda: ClusterStack(stage, "B", cluster_name="dev")) == (
            "Prod/B: cluster_name: 'dev' is the name of 'A/Cluster' too; give each cluster of an account and region a "
            "name of its own"
        )
        assert stage.node.children == []
        ClusterStack(stage, "B", cluster_name="dev", env=cdk.Environment(region="us-east-1"))


def test_roles_are_named_and_logs_kept_as_asked_for() -> None:
    stack = ClusterStack(
        cdk.App(),
        "Dev",
        cluster_name="dev",
        kubectl=False,
        hardened_pools=False,
        log_key="aws-owned",
        log_retention=logs.RetentionDays.TEN_YEARS,
        role_names=RoleNames(cluster="dev-eks", cluster_path="/eks/", node="dev-node", built_in_node="dev-built-in"),
    )
    template = dict(Template.from_stack(stack).to_json())
    named = [role["Properties"] for role in of_type(template, "AWS::IAM::Role").values()]
    assert {role["RoleName"]: role.get("Path") for role in named if "RoleName" in role} == {
        "dev-eks": "/eks/",
        "dev-node": None,
        "dev-built-in": None,
    }
    groups = of_type(template, "AWS::Logs::LogGroup")
    assert {name[:12]: group["Properties"]["RetentionInDays"] for name, group in groups.items()} == {
        "NetworkFlowL": 3653,
        "ClusterContr": 3653,
        "CustomVpcRes": 90,
    }
    assert not [name for name, group in groups.items() if "KmsKeyId" in group["Properties"]]


def test_a_function_creates_the_clusters_role_and_then_its_name_is_there() -> None:
    app = cdk.App()
    stack = ClusterStack(
        app,
        "Dev",
        cluster_name="dev",
        kubectl=False,
        pools_applied_by="operator",
        cluster_role=lambda stack: ClusterRole(stack, "Role", role_name="dev-eks"),
    )
    template = dict(Template.from_stack(stack).to_json())
    assert only(template, "AWS::EKS::Cluster")["Properties"]["RoleArn"]["Fn::GetAtt"][0].startswith("Role")
    text = refusal(
        lambda: ClusterStack(
            cdk.App(),
            "Other",
            cluster_name="other",
            cluster_role=lambda stack: ClusterRole(stack, "Role"),
            role_names=RoleNames(cluster="eks"),
        )
    )
    assert text == (
        "Other: role_names.cluster: is set beside cluster_role, which exists or has its own; leave out one of the two; "
        "ClusterRole takes role_name and path"
    )


def test_public_addresses_are_written_as_asked_for_with_a_warning() -> None:
    app = cdk.App()
    stack = ClusterStack(app, "Dev", cluster_name="dev", node_defaults=NodeDefaults(associate_public_ip=True))
    platform = PlatformStack(app, "Platform", cluster=stack.cluster)
    networking = stack.cluster.values.node_class_spec().to_manifest()["advancedNetworking"]
    assert networking == {"associatePublicIPAddress": True}
    Annotations.from_stack(platform).has_warning(
        "*", Match.string_like_regexp(r"every node gets a public address.*\[ack: automode:PublicAddress\]")
    )


def test_a_cluster_stack_without_kubectl_has_no_lambda_for_it() -> None:
    stack = ClusterStack(cdk.App(), "Dev", cluster_name="dev", kubectl=False, pools_applied_by="operator")
    assert stack.cluster.cluster.node.try_find_child("KubectlProvider") is None
