"""AutoModeCluster: safe by default, each default off by name, and refusals in words."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from typing import Any

import aws_cdk as cdk
import cdk8s
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_eks_v2 as eks
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk.assertions import Annotations, Match

from automode_constructs import (
    AutoModeCluster,
    AutoModeError,
    AutoModeNetwork,
    ChartDelivery,
    ClusterRole,
    EphemeralStorage,
    ExistingNetwork,
    NodeClaimSpec,
    NodeClaimTemplate,
    NodeClass,
    NodePool,
    NodePoolSpec,
    RoleNames,
)
from automode_constructs.specs import labels
from tests.refusal import refusal
from tests.support import of_type, only, synthesised, text_of

ADMIN = "arn:aws:iam::111122223333:role/Admin"
MakeCluster = Callable[..., AutoModeCluster]


@pytest.fixture
def stack() -> cdk.Stack:
    return cdk.Stack(cdk.App(), "Dev")


@pytest.fixture
def make(stack: cdk.Stack) -> MakeCluster:
    def make_cluster(**arguments: Any) -> AutoModeCluster:
        return AutoModeCluster(stack, "Cluster", **arguments)

    return make_cluster


@pytest.fixture(scope="module")
def variants() -> dict[str, dict[str, Any]]:
    """Clusters with everything turned another way, synthesised in one app."""
    app = cdk.App()
    plain = cdk.Stack(app, "Plain")
    AutoModeCluster(plain, "Cluster")

    off = cdk.Stack(app, "Off")
    AutoModeCluster(
        off,
        "Cluster",
        cluster_name="off",
        endpoint_cidrs=["203.0.113.7/32", "198.51.100.0/24"],
        service_ipv4_cidr="10.200.0.0/20",
        built_in_pools=[],
        creator_admin=True,
        secrets_key="aws-owned",
        volume_key="aws-owned",
        log_key="aws-owned",
        log_types=[],
        deletion_protection=False,
        support_type="EXTENDED",
        zonal_shift=False,
        kubectl=False,
        control_plane_scaling_tier="tier-xl",
        version=eks.KubernetesVersion.V1_35,
    )

    own = cdk.Stack(app, "Own")
    boundary = iam.ManagedPolicy.from_managed_policy_name(own, "Boundary", "boundary")
    role = ClusterRole(own, "Role", custom_tags=True)
    network = AutoModeNetwork(own, "Net", pod_cidr="100.64.0.0/16")
    AutoModeCluster(
        own,
        "Cluster",
        cluster_name="own",
        network=network,
        built_in_pools=[],
        admin_role_arns=[ADMIN, "arn:aws:iam::111122223333:role/Ops"],
        cluster_role=role,
        permissions_boundary=boundary,
        secrets_key=kms.Key(own, "Secrets"),
        log_key=kms.Key(own, "Logs"),
        role_names=RoleNames(node="own-nodes"),
        volume_key=kms.Key.from_key_arn(own, "Volumes", "arn:aws:kms:eu-west-1:111122223333:key/own"),
        log_types=["audit"],
        log_retention=logs.RetentionDays.TEN_YEARS,
        node_tags={"team": "ml"},
        instance_profile=True,
        removal_policy=cdk.RemovalPolicy.DESTROY,
    )

    system = cdk.Stack(app, "System")
    AutoModeCluster(system, "Cluster", cluster_name="system", built_in_pools=["system"], admin_role_arns=[ADMIN])
    return synthesised(app)


class TestSafeByDefault:
    def test_the_api_is_private_and_only_node_subnets_are_its(self, cluster_template: dict[str, Any]) -> None:
        network = only(cluster_template, "AWS::EKS::Cluster")["Properties"]["ResourcesVpcConfig"]
        assert (network["EndpointPrivateAccess"], network["EndpointPublicAccess"]) == (True, False)
        assert "PublicAccessCidrs" not in network
        subnets = [reference["Ref"] for reference in network["SubnetIds"]]
        assert len(subnets) == 3
        for subnet in subnets:
            tags = {tag["Key"]: tag["Value"] for tag in cluster_template["Resources"][subnet]["Properties"]["Tags"]}
            assert tags["kubernetes.io/role/internal-elb"] == "1"

    def test_compute_storage_and_load_balancing_are_on_together(self, cluster_template: dict[str, Any]) -> None:
        properties = only(cluster_template, "AWS::EKS::Cluster")["Properties"]
        assert properties["ComputeConfig"]["Enabled"] is True
        assert properties["StorageConfig"] == {"BlockStorage": {"Enabled": True}}
        assert properties["KubernetesNetworkConfig"]["ElasticLoadBalancing"] == {"Enabled": True}

    def test_a_fresh_cluster_runs_nothing(self, cluster_template: dict[str, Any]) -> None:
        assert only(cluster_template, "AWS::EKS::Cluster")["Properties"]["BootstrapSelfManagedAddons"] is False
        assert of_type(cluster_template, "AWS::EKS::Addon") == {}
        assert of_type(cluster_template, "AWS::EKS::Nodegroup") == {}

    def test_both_built_in_pools_are_on_with_a_role_of_their_own(self, built_in_template: dict[str, Any]) -> None:
        compute = only(built_in_template, "AWS::EKS::Cluster")["Properties"]["ComputeConfig"]
        assert compute["NodePools"] == ["system", "general-purpose"]
        built_in = compute["NodeRoleArn"]["Fn::GetAtt"][0]
        principals = [
            entry["Properties"]["PrincipalArn"]
            for entry in of_type(built_in_template, "AWS::EKS::AccessEntry").values()
        ]
        assert {"Fn::GetAtt": [built_in, "Arn"]} not in principals, "EKS makes this entry; a second one collides"

    def test_protection_support_and_zonal_shift(self, cluster_template: dict[str, Any]) -> None:
        properties = only(cluster_template, "AWS::EKS::Cluster")["Properties"]
        assert properties["DeletionProtection"] is True
        assert properties["UpgradePolicy"] == {"SupportType": "STANDARD"}
        assert properties["ZonalShiftConfig"] == {"Enabled": True}
        assert properties["KubernetesNetworkConfig"]["ServiceIpv4Cidr"] == "172.20.0.0/16"
        assert properties["Version"] == "1.36"

    def test_all_five_logs_go_to_an_encrypted_group_made_before_the_cluster(
        self, cluster_template: dict[str, Any]
    ) -> None:
        cluster = only(cluster_template, "AWS::EKS::Cluster")
        types = [kind["Type"] for kind in cluster["Properties"]["Logging"]["ClusterLogging"]["EnabledTypes"]]
        assert sorted(types) == ["api", "audit", "authenticator", "controllerManager", "scheduler"]
        ((name, group),) = [
            (name, body)
            for name, body in of_type(cluster_template, "AWS::Logs::LogGroup").items()
            if body["Properties"].get("LogGroupName") == "/aws/eks/automode/cluster"
        ]
        assert name in cluster["DependsOn"]
        assert group["Properties"]["RetentionInDays"] == 365
        key = cluster_template["Resources"][group["Properties"]["KmsKeyId"]["Fn::GetAtt"][0]]
        assert key["Type"] == "AWS::KMS::Key"
        admitted = key["Properties"]["KeyPolicy"]["Statement"][-1]
        assert text_of(admitted["Principal"]["Service"]) == "logs.{{'Ref': 'AWS::Region'}}.amazonaws.com"
        assert text_of(admitted["Condition"]["ArnLike"]["kms:EncryptionContext:aws:logs:arn"]).endswith(":log-group:*")

    def test_every_log_group_has_the_one_log_key_and_an_end(self, cluster_template: dict[str, Any]) -> None:
        groups = of_type(cluster_template, "AWS::Logs::LogGroup")
        # The control plane's, flow logs, kubectl with its framework, and the closed default security group.
        assert len(groups) == 5
        assert {group["Properties"]["KmsKeyId"]["Fn::GetAtt"][0] for group in groups.values()} == {
            "ClusterLogKey160CC57F"
        }
        assert sorted(group["Properties"]["RetentionInDays"] for group in groups.values()) == [90, 90, 90, 365, 365]
        policy = cluster_template["Resources"]["ClusterLogKey160CC57F"]["Properties"]["KeyPolicy"]
        # A key that named a group would wait for what waits for the key.
        assert "Fn::GetAtt" not in str(policy) and not [name for name in groups if name in str(policy)]

    def test_secrets_and_volumes_have_keys_that_rotate_and_stay(self, cluster_template: dict[str, Any]) -> None:
        keys = of_type(cluster_template, "AWS::KMS::Key")
        assert len(keys) == 3
        assert all(key["Properties"]["EnableKeyRotation"] is True for key in keys.values())
        assert all(key["DeletionPolicy"] == "RetainExceptOnCreate" for key in keys.values())
        (secrets,) = only(cluster_template, "AWS::EKS::Cluster")["Properties"]["EncryptionConfig"]
        assert secrets["Resources"] == ["secrets"]
        assert secrets["Provider"]["KeyArn"]["Fn::GetAtt"][0] in keys

    def test_the_creator_gets_nothing_in_silence(self, cluster_template: dict[str, Any]) -> None:
        access = only(cluster_template, "AWS::EKS::Cluster")["Properties"]["AccessConfig"]
        assert access == {"AuthenticationMode": "API", "BootstrapClusterCreatorAdminPermissions": False}

    def test_the_kubectl_handler_runs_beside_the_private_endpoint(self, cluster_template: dict[str, Any]) -> None:
        cluster = only(cluster_template, "AWS::EKS::Cluster")["Properties"]["ResourcesVpcConfig"]
        in_vpc = [
            function["Properties"]["VpcConfig"]["SubnetIds"]
            for name, function in of_type(cluster_template, "AWS::Lambda::Function").items()
            if "Kubectl" in name
        ]
        assert in_vpc == [cluster["SubnetIds"]] * 2

    def test_the_cluster_role_has_the_second_storage_policy_only(self, cluster_template: dict[str, Any]) -> None:
        role_id = only(cluster_template, "AWS::EKS::Cluster")["Properties"]["RoleArn"]["Fn::GetAtt"][0]
        role = cluster_template["Resources"][role_id]["Properties"]
        policies = {text_of(policy).rpartition("/")[2] for policy in role["ManagedPolicyArns"]}
        assert policies == {
            "AmazonEKSClusterPolicy",
            "AmazonEKSComputePolicy",
            "AmazonEKSBlockStoragePolicyV2",
            "AmazonEKSLoadBalancingPolicy",
            "AmazonEKSNetworkingPolicy",
        }
        (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
        assert trust["Action"] == ["sts:AssumeRole", "sts:TagSession"]
        attached = [policy["Properties"]["Roles"] for policy in of_type(cluster_template, "AWS::IAM::Policy").values()]
        assert all({"Ref": role_id} not in roles for roles in attached)


class TestEveryDefaultHasAName:
    def test_switched_off(self, variants: dict[str, dict[str, Any]]) -> None:
        properties = only(variants["Off"], "AWS::EKS::Cluster")["Properties"]
        network = properties["ResourcesVpcConfig"]
        assert network["EndpointPublicAccess"] is network["EndpointPrivateAccess"] is True
        assert network["PublicAccessCidrs"] == ["203.0.113.7/32", "198.51.100.0/24"]
        assert properties["KubernetesNetworkConfig"]["ServiceIpv4Cidr"] == "10.200.0.0/20"
        assert properties["ComputeConfig"] == {"Enabled": True, "NodePools": []}
        assert properties["AccessConfig"]["BootstrapClusterCreatorAdminPermissions"] is True
        assert "EncryptionConfig" not in properties
        assert "Logging" not in properties
        assert properties["DeletionProtection"] is False
        assert properties["UpgradePolicy"] == {"SupportType": "EXTENDED"}
        assert properties["ZonalShiftConfig"] == {"Enabled": False}
        assert properties["ControlPlaneScalingConfig"] == {"Tier": "tier-xl"}
        assert properties["Version"] == "1.35"
        assert of_type(variants["Off"], "AWS::KMS::Key") == {}
        assert not [name for name in of_type(variants["Off"], "AWS::Lambda::Function") if "Kubectl" in name]

    def test_without_built_in_pools_our_own_role_still_joins(self, variants: dict[str, dict[str, Any]]) -> None:
        entry = only(variants["Off"], "AWS::EKS::AccessEntry")["Properties"]
        assert entry["Type"] == "EC2"
        (policy,) = entry["AccessPolicies"]
        assert text_of(policy["PolicyArn"]) == (
            "arn:{{'Ref': 'AWS::Partition'}}:eks::aws:cluster-access-policy/AmazonEKSAutoNodePolicy"
        )
        assert policy["AccessScope"] == {"Type": "cluster"}

    def test_one_built_in_pool(self, variants: dict[str, dict[str, Any]]) -> None:
        compute = only(variants["System"], "AWS::EKS::Cluster")["Properties"]["ComputeConfig"]
        assert compute["NodePools"] == ["system"]
        assert "NodeRoleArn" in compute

    def test_own_things_are_used(self, variants: dict[str, dict[str, Any]]) -> None:
        template = variants["Own"]
        properties = only(template, "AWS::EKS::Cluster")["Properties"]
        assert properties["RoleArn"]["Fn::GetAtt"][0].startswith("Role")
        assert properties["EncryptionConfig"][0]["Provider"]["KeyArn"]["Fn::GetAtt"][0].startswith("Secrets")
        groups = of_type(template, "AWS::Logs::LogGroup").values()
        assert [
            group["Properties"]["RetentionInDays"] for group in groups if "LogGroupName" in group["Properties"]
        ] == [3653]
        assert {group["Properties"]["KmsKeyId"]["Fn::GetAtt"][0] for group in groups} == {"Logs6819BB44"}
        assert only(template, "AWS::IAM::InstanceProfile")["Properties"]["Roles"]
        roles = of_type(template, "AWS::IAM::Role").values()
        assert [role["Properties"]["RoleName"] for role in roles if "RoleName" in role["Properties"]] == ["own-nodes"]
        assert all(
            "DeletionPolicy" not in key or key["DeletionPolicy"] == "Delete"
            for name, key in of_type(template, "AWS::KMS::Key").items()
            if name.startswith("Cluster")
        )

    def test_the_boundary_is_on_every_role_the_cluster_makes(self, variants: dict[str, dict[str, Any]]) -> None:
        roles = {name: role for name, role in of_type(variants["Own"], "AWS::IAM::Role").items() if "Cluster" in name}
        assert len(roles) >= 3
        assert all("PermissionsBoundary" in role["Properties"] for role in roles.values())

    def test_each_admin_has_an_entry_that_a_reordered_list_does_not_move(self, stack: cdk.Stack) -> None:
        other = "arn:aws:iam::111122223333:role/Ops"
        first = AutoModeCluster(stack, "A", admin_role_arns=[ADMIN, other])
        second = AutoModeCluster(stack, "B", admin_role_arns=[other, ADMIN])
        ids = [
            sorted(child.node.id for child in cluster.cluster.node.children if child.node.id.startswith("Admin"))
            for cluster in (first, second)
        ]
        assert ids[0] == ids[1]
        assert len(ids[0]) == 2


class TestOneName:
    def test_two_clusters_of_one_name_are_refused(self) -> None:
        app = cdk.App()
        AutoModeCluster(cdk.Stack(app, "Dev"), "A", cluster_name="dev")
        with pytest.raises(AutoModeError) as refused:
            AutoModeCluster(cdk.Stack(app, "Other"), "B", cluster_name="dev")
        assert str(refused.value) == (
            "Other/B: cluster_name: 'dev' is the name of 'Dev/A' too; "
            "give each cluster of an account and region a name of its own"
        )

    def test_one_name_may_stand_in_two_regions_accounts_or_stages(self) -> None:
        app = cdk.App()
        for number, env in enumerate(
            ({"region": "eu-west-1"}, {"region": "us-east-1"}, {"account": "111122223333"}, {})
        ):
            home = cdk.Stack(app, f"S{number}", env=cdk.Environment(**env))
            AutoModeCluster(home, "Cluster", cluster_name="dev")
        AutoModeCluster(cdk.Stack(cdk.Stage(app, "Test"), "S"), "Cluster", cluster_name="dev")

    def test_one_name_in_two_stages_of_one_account_and_region_is_refused(self) -> None:
        app = cdk.App()
        env = cdk.Environment(region="eu-west-1", account="111122223333")
        AutoModeCluster(cdk.Stack(cdk.Stage(app, "Test"), "S", env=env), "Cluster", cluster_name="dev")
        with pytest.raises(AutoModeError, match="'dev' is the name of 'Test/S/Cluster' too"):
            AutoModeCluster(cdk.Stack(cdk.Stage(app, "Prod"), "S", env=env), "Cluster", cluster_name="dev")

    def test_keys_and_logs_are_not_kept_in_the_way(self, make: MakeCluster) -> None:
        with pytest.raises(AutoModeError) as refused:
            make(cluster_name="dev", removal_policy=cdk.RemovalPolicy.RETAIN)
        assert str(refused.value) == (
            "Dev/Cluster: removal_policy: got RETAIN; use RETAIN_ON_UPDATE_OR_DELETE or DESTROY"
        )


class TestRoleNames:
    def test_a_name_is_taken_in_all_regions_of_an_account(self) -> None:
        app = cdk.App()
        stacks = [
            cdk.Stack(app, region, env=cdk.Environment(region=region, account="111122223333"))
            for region in ("eu-west-1", "us-east-2")
        ]
        options: dict[str, Any] = {"cluster_name": "dev", "kubectl": False, "built_in_pools": []}
        AutoModeCluster(stacks[0], "Cluster", role_names=RoleNames(cluster="eks", node="nodes"), **options)
        with pytest.raises(AutoModeError) as refused:
            AutoModeCluster(stacks[1], "Cluster", role_names=RoleNames(node="EKS"), **options)
        assert str(refused.value) == (
            "us-east-2/Cluster: role_names.node: 'EKS' is the name of a role of 'eu-west-1/Cluster' too; give each "
            "role of an account a name of its own, whatever its region"
        )
        AutoModeCluster(stacks[1], "Cluster", role_names=RoleNames(node="nodes-us"), **options)

    def test_a_name_may_stand_in_two_accounts(self) -> None:
        app = cdk.App()
        for account in ("111122223333", "444455556666"):
            stack = cdk.Stack(app, f"A{account}", env=cdk.Environment(region="eu-west-1", account=account))
            AutoModeCluster(stack, "Cluster", cluster_name="dev", kubectl=False, role_names=RoleNames(cluster="eks"))


def test_nothing_that_is_logged_needs_no_log_key(stack: cdk.Stack) -> None:
    vpc = ec2.Vpc.from_vpc_attributes(
        stack,
        "Vpc",
        vpc_id="vpc-0123456789abcdef0",
        vpc_cidr_block="10.20.0.0/16",
        availability_zones=["eu-west-1a", "eu-west-1b"],
        private_subnet_ids=["subnet-0aaaaaaaaaaaaaaaa", "subnet-0bbbbbbbbbbbbbbbb"],
    )
    cluster = AutoModeCluster(stack, "Cluster", cluster_name="dev", vpc=vpc, kubectl=False, log_types=[])
    assert cluster.log_key is None


def test_a_network_of_another_stack_keeps_its_own_log_key() -> None:
    app = cdk.App()
    shared = cdk.Stack(app, "Shared")
    network = AutoModeNetwork(shared, "Network", log_key=kms.Key(shared, "Key"))
    AutoModeCluster(cdk.Stack(app, "Dev"), "Cluster", cluster_name="dev", network=network)
    keys = {
        name: {
            group["Properties"]["KmsKeyId"]["Fn::GetAtt"][0]
            for group in of_type(template, "AWS::Logs::LogGroup").values()
        }
        for name, template in synthesised(app).items()
    }
    assert keys == {"Shared": {"Key961B73FD"}, "Dev": {"ClusterLogKey160CC57F"}}


class TestValues:
    def test_what_charts_need_is_one_record_of_tokens(self, make: MakeCluster) -> None:
        cluster = make(cluster_name="dev", admin_role_arns=[ADMIN])
        spec = cluster.values.node_class_spec(ephemeral_storage=EphemeralStorage(size="100Gi")).to_manifest()
        assert set(spec) == {"role", "subnetSelectorTerms", "securityGroupSelectorTerms", "ephemeralStorage"}
        assert spec["ephemeralStorage"]["size"] == "100Gi"
        assert cluster.volume_key is not None
        resolve = cdk.Stack.of(cluster).resolve
        assert resolve(spec["ephemeralStorage"]["kmsKeyID"]) == resolve(cluster.volume_key.key_arn)
        assert cluster.values.built_in_pools is True

    def test_profile_pod_network_and_tags_reach_the_node_class(self, stack: cdk.Stack) -> None:
        cluster = AutoModeCluster(
            stack,
            "Cluster",
            cluster_name="dev",
            network=AutoModeNetwork(stack, "Net", pod_cidr="100.64.0.0/16"),
            built_in_pools=[],
            instance_profile=True,
            node_tags={"team": "ml"},
            volume_key="aws-owned",
        )
        spec = cluster.values.node_class_spec(tags={"pool": "gpu"}).to_manifest()
        assert "role" not in spec
        assert spec["instanceProfile"] == cluster.node_role.instance_profile_name
        assert spec["podSubnetSelectorTerms"]
        assert spec["podSecurityGroupSelectorTerms"] == spec["securityGroupSelectorTerms"]
        assert spec["tags"] == {"team": "ml", "pool": "gpu"}
        assert "ephemeralStorage" not in spec

    def test_the_l2_keeps_working(self, make: MakeCluster) -> None:
        cluster = make(cluster_name="dev")
        cluster.cluster.connections.allow_default_port_from(ec2.Peer.ipv4("10.1.0.0/16"))
        cluster.cluster.grant_access(
            "View",
            ADMIN,
            [
                eks.AccessPolicy.from_access_policy_name(
                    "AmazonEKSViewPolicy", access_scope_type=eks.AccessScopeType.CLUSTER
                )
            ],
        )


class TestWarnings:
    def test_without_a_name_the_logs_are_out_of_our_hands(self, stack: cdk.Stack, make: MakeCluster) -> None:
        make(admin_role_arns=[ADMIN])
        Annotations.from_stack(stack).has_warning(
            "/Dev/Cluster",
            Match.string_like_regexp(
                "log_retention: without cluster_name EKS makes .*log group itself.*automode:LogRetention"
            ),
        )

    def test_without_an_admin_nobody_gets_in(self, stack: cdk.Stack, make: MakeCluster) -> None:
        make(cluster_name="dev")
        Annotations.from_stack(stack).has_warning(
            "/Dev/Cluster",
            Match.string_like_regexp("admin_role_arns: no role is named, so that nobody can use kubectl"),
        )

    def test_a_foreign_role_and_key_are_left_alone(self, stack: cdk.Stack, make: MakeCluster) -> None:
        role = iam.Role.from_role_arn(stack, "Given", "arn:aws:iam::111122223333:role/given")
        key = kms.Key.from_key_arn(stack, "Key", "arn:aws:kms:eu-west-1:111122223333:key/own")
        make(cluster_name="dev", admin_role_arns=[ADMIN], cluster_role=role, secrets_key=key)
        annotations = Annotations.from_stack(stack)
        annotations.has_warning(
            "/Dev/Cluster",
            Match.string_like_regexp(
                "cluster_role: is used as it is; it must trust eks.amazonaws.com .*StoragePolicyV2"
                ".*automode:ClusterRoleNotOurs"
            ),
        )
        annotations.has_warning(
            "/Dev/Cluster", Match.string_like_regexp("the key arn:aws:kms.*so this stack cannot change its policy")
        )

    def test_extended_support_costs_extra(self, stack: cdk.Stack, make: MakeCluster) -> None:
        make(cluster_name="dev", admin_role_arns=[ADMIN], version="1.34", as_of=date(2026, 12, 3), kubectl=False)
        Annotations.from_stack(stack).has_warning(
            "/Dev/Cluster",
            Match.string_like_regexp(
                "version: '1.34' left standard support on 2026-12-02: extended support costs extra, and "
                "support_type='STANDARD' lets EKS upgrade the cluster automatically; choose one of 1.37, 1.36, 1.35 "
                r"\[ack: automode:ExtendedSupport\]"
            ),
        )

    def test_a_version_newer_than_the_calendar_passes(self, stack: cdk.Stack, make: MakeCluster) -> None:
        make(cluster_name="dev", admin_role_arns=[ADMIN], version="1.38", kubectl=False)
        Annotations.from_stack(stack).has_warning(
            "/Dev/Cluster",
            Match.string_like_regexp(
                "version: '1.38' is newer than the 1.37 this library knows of.*automode:VersionUnknown"
            ),
        )

    @pytest.mark.parametrize("region", ["eu-west-1", "us-east-1", "ca-central-1"])
    def test_no_warning_on_a_complete_cluster(self, region: str) -> None:
        stack = cdk.Stack(cdk.App(), "Dev", env=cdk.Environment(region=region))
        AutoModeCluster(stack, "Cluster", cluster_name="dev", admin_role_arns=[ADMIN], built_in_pools=[])
        assert Annotations.from_stack(stack).find_warning("*", Match.any_value()) == []


REFUSALS: list[tuple[dict[str, Any], str]] = [
    (
        {"role_names": RoleNames(cluster="eks/cluster")},
        "role_names.cluster: 'eks/cluster' is not the name of an IAM role; use 1 to 64 letters, digits and characters "
        "of '_+=,.@-', and no path before it",
    ),
    (
        {"role_names": RoleNames(cluster_path="platform")},
        "role_names.cluster_path: 'platform' is not the path of an IAM role; begin and end it with '/'",
    ),
    (
        {"role_names": RoleNames(built_in_node="nodes"), "built_in_pools": []},
        "role_names.built_in_node: 'nodes' names a role that is not created, because the cluster has no built-in "
        "pools; leave it out",
    ),
    ({"cluster_name": "my cluster"}, "cluster_name: 'my cluster' is not a cluster name; use 1 to 100 letters"),
    (
        {"version": "1.28"},
        "version: '1.28' is older than 1.29, the first that Auto Mode runs on; use one of 1.37, 1.36",
    ),
    ({"version": "1.30"}, "version: EKS no longer offers '1.30'"),
    ({"version": "1.3x"}, "version: '1.3x' is not a Kubernetes minor version; use one of 1.37"),
    ({"version": "1.36.2"}, "version: '1.36.2' is not a Kubernetes minor version; use one of 1.37"),
    (
        {"version": "1.31", "as_of": date(2026, 11, 27)},
        "version: EKS ended all support of '1.31' on 2026-11-26; use one of 1.37",
    ),
    ({"version": "1.37", "as_of": date(2026, 9, 1)}, "version: EKS offers '1.37' only from 2026-10-01"),
    (
        {"version": "1.32"},
        "version: no kubectl layer within one minor version of Kubernetes 1.32 is installed; "
        "run: pip install 'automode-constructs[kubectl-v32]', or pass kubectl_layer",
    ),
    ({"built_in_pools": ["sytem"]}, "built_in_pools: 'sytem' is not known; did you mean 'system'?"),
    ({"built_in_pools": "system"}, "built_in_pools: needs a list, got the text 'system'; write ['system']"),
    ({"built_in_pools": ["system", "system"]}, "built_in_pools: names one twice: ['system', 'system']"),
    ({"log_types": ["audits"]}, "log_types: 'audits' is not known; did you mean 'audit'?"),
    ({"support_type": "standard"}, "support_type: 'standard' is not known; did you mean 'STANDARD'?"),
    ({"control_plane_scaling_tier": "xl"}, "control_plane_scaling_tier: 'xl' is not known"),
    ({"secrets_key": "aws-managed"}, "secrets_key: needs an IKey or 'aws-owned', got the text 'aws-managed'"),
    ({"endpoint_cidrs": ["0.0.0.0/0"]}, "'0.0.0.0/0' would open the Kubernetes API to the whole internet; give the"),
    ({"endpoint_cidrs": ["203.0.113.7/24"]}, "endpoint_cidrs[0]: '203.0.113.7/24' has bits set beyond its first 24;"),
    ({"endpoint_cidrs": ["0.0.0.0/1", "128.0.0.0/1"]}, "endpoint_cidrs: '0.0.0.0/1' and '128.0.0.0/1' together would"),
    ({"endpoint_cidrs": ["1.2.3.4"]}, "endpoint_cidrs[0]: '1.2.3.4' has no prefix length; write '1.2.3.4/32'"),
    ({"endpoint_cidrs": ["10.0.0.0/8"]}, "endpoint_cidrs[0]: '10.0.0.0/8' is a private block"),
    ({"endpoint_cidrs": ["2001:db8::/64"]}, "endpoint_cidrs[0]: '2001:db8::/64' is IPv6"),
    ({"endpoint_cidrs": "203.0.113.7/32"}, "endpoint_cidrs: needs a list, got the text '203.0.113.7/32'"),
    ({"service_ipv4_cidr": "10.0.128.0/20"}, "service_ipv4_cidr: '10.0.128.0/20' overlaps the network's 10.0.0.0/16"),
    ({"service_ipv4_cidr": "8.8.0.0/16"}, "service_ipv4_cidr: '8.8.0.0/16' is not a block of /12 to /24 inside"),
    ({"service_ipv4_cidr": "172.20.0.0/25"}, "service_ipv4_cidr: '172.20.0.0/25' is not a block of /12 to /24"),
    ({"service_ipv4_cidr": "nope"}, "service_ipv4_cidr: 'nope' is not an IPv4 CIDR"),
    ({"admin_role_arns": ["Admin"]}, "admin_role_arns[0]:"),
    ({"admin_role_arns": ADMIN}, f"admin_role_arns: needs a list, got the text '{ADMIN}'"),
    ({"admin_role_arns": [ADMIN, ADMIN]}, "admin_role_arns: names a role twice"),
    ({"node_tags": {"aws:x": "y"}, "built_in_pools": []}, "node_tags: the tag key 'aws:x' is reserved"),
    (
        {"node_tags": {"team": "ml"}, "instance_profile": True},
        "built_in_pools: ['system', 'general-purpose'] cannot carry node_tags, instance_profile: their NodeClass "
        "'default' is EKS's own; set built_in_pools=[] and deliver pools of your own",
    ),
]


class TestRefusals:
    @pytest.mark.parametrize(("arguments", "message"), REFUSALS, ids=lambda value: str(value)[:60])
    def test_in_words(self, make: MakeCluster, arguments: dict[str, Any], message: str) -> None:
        with pytest.raises(AutoModeError, match=re.escape(message)) as refused:
            make(**arguments)
        assert str(refused.value).startswith("Dev/Cluster: ")

    def test_all_mistakes_are_told_at_once_and_the_id_stays_free(self) -> None:
        stack = cdk.Stack(cdk.App(), "Dev")
        mistakes: dict[str, Any] = {
            "version": "1.28",
            "cluster_name": "my cluster",
            "log_types": ["audits"],
            "endpoint_cidrs": ["0.0.0.0/0"],
            "service_ipv4_cidr": "10.0.128.0/20",
            "removal_policy": cdk.RemovalPolicy.RETAIN,
        }
        told = refusal(lambda: AutoModeCluster(stack, "Cluster", **mistakes)).splitlines()
        assert told[0] == "Dev/Cluster: 6 problems"
        assert sorted(line.strip().partition(":")[0].partition("[")[0] for line in told[1:]) == sorted(mistakes)
        assert stack.node.children == []
        AutoModeCluster(stack, "Cluster", version="1.36", kubectl=False)

    def test_china(self) -> None:
        stack = cdk.Stack(cdk.App(), "Dev", env=cdk.Environment(region="cn-north-1"))
        with pytest.raises(
            AutoModeError, match=r"region: EKS Auto Mode is not offered in partition 'aws-cn' .*'cn-north-1'"
        ):
            AutoModeCluster(stack, "Cluster")

    def test_an_admin_of_another_partition(self) -> None:
        stack = cdk.Stack(cdk.App(), "Dev", env=cdk.Environment(region="us-gov-west-1"))
        with pytest.raises(AutoModeError, match=r"admin_role_arns\[0\]: .*aws-us-gov"):
            AutoModeCluster(stack, "Cluster", admin_role_arns=[ADMIN])

    def test_service_range_over_pod_subnets(self, stack: cdk.Stack) -> None:
        network = AutoModeNetwork(stack, "Net", cidr="192.168.0.0/16", pod_cidr="100.64.0.0/16")
        with pytest.raises(
            AutoModeError, match=r"service_ipv4_cidr: '192\.168\.4\.0/22' overlaps the network's 192.168.0.0/16"
        ):
            AutoModeCluster(stack, "Cluster", network=network, built_in_pools=[], service_ipv4_cidr="192.168.4.0/22")

    def test_charts_without_kubectl(self, make: MakeCluster) -> None:
        cluster = make(cluster_name="dev", kubectl=False)
        chart = cdk8s.Chart(cdk8s.App(), "chart")
        with pytest.raises(
            AutoModeError, match="Dev/Cluster/Pools: cluster: 'Dev/Cluster' was created with kubectl=False"
        ):
            cluster.add_chart("Pools", chart)
        with pytest.raises(AutoModeError, match="leave kubectl on, or write the chart as YAML for GitOps"):
            ChartDelivery(cluster, "Again", cluster=cluster, chart=chart)

    def test_tokens_pass_where_they_belong(self, stack: cdk.Stack) -> None:
        name = cdk.CfnParameter(stack, "Name").value_as_string
        arn = cdk.CfnParameter(stack, "AdminArn").value_as_string
        cidr = cdk.CfnParameter(stack, "Office").value_as_string
        AutoModeCluster(stack, "Cluster", cluster_name=name, admin_role_arns=[arn], endpoint_cidrs=[cidr])

    def test_a_block_within_another_is_warned_of(self, stack: cdk.Stack, make: MakeCluster) -> None:
        make(cluster_name="dev", endpoint_cidrs=["203.0.113.7/32", "203.0.113.0/24"])
        Annotations.from_stack(stack).has_warning(
            "/Dev/Cluster",
            Match.string_like_regexp(
                "endpoint_cidrs: '203.0.113.7/32' is part of '203.0.113.0/24' and opens nothing more; leave out one of "
                "the two.*automode:EndpointCidrOverlap"
            ),
        )

    def test_a_wide_choice_is_made_by_name(self, make: MakeCluster) -> None:
        make(cluster_name="dev", endpoint_cidrs=["12.0.0.0/6"], wide_endpoint_cidrs=True)

    def test_a_token_cannot_be_the_service_range(self, stack: cdk.Stack, make: MakeCluster) -> None:
        cidr = cdk.CfnParameter(stack, "Services").value_as_string
        with pytest.raises(AutoModeError, match="service_ipv4_cidr: holds a value known only after deployment"):
            make(service_ipv4_cidr=cidr)

    def test_an_existing_vpc_works_in_place_of_ours(self, stack: cdk.Stack) -> None:
        vpc = ec2.Vpc(stack, "Vpc", max_azs=2)
        cluster = AutoModeCluster(
            stack,
            "Cluster",
            cluster_name="dev",
            admin_role_arns=[ADMIN],
            network=ExistingNetwork(vpc=vpc, node_subnets=vpc.private_subnets),
        )
        terms = cluster.values.node_class_spec().to_manifest()["subnetSelectorTerms"]
        assert stack.resolve(terms) == [{"id": stack.resolve(subnet.subnet_id)} for subnet in vpc.private_subnets]


class TestWorkloadsAndPools:
    @staticmethod
    def _deliver_a_workload_for_arm(stack: cdk.Stack) -> AutoModeCluster:
        cluster = AutoModeCluster(stack, "Cluster", cluster_name="dev", admin_role_arns=[ADMIN])
        chart = cdk8s.Chart(cdk8s.App(), "shop")
        deployment = cdk8s.ApiObject(
            chart, "ui", api_version="apps/v1", kind="Deployment", metadata=cdk8s.ApiObjectMetadata(name="ui")
        )
        pod = {"nodeSelector": {"kubernetes.io/arch": "arm64"}, "containers": [{"name": "ui", "image": "ui:1"}]}
        deployment.add_json_patch(
            cdk8s.JsonPatch.add(
                "/spec",
                {
                    "template": {"metadata": {"labels": {"app": "ui"}}, "spec": pod},
                    "selector": {"matchLabels": {"app": "ui"}},
                },
            )
        )
        cluster.add_chart("Shop", chart)
        return cluster

    def test_a_workload_that_fits_no_pool_is_refused(self, stack: cdk.Stack) -> None:
        self._deliver_a_workload_for_arm(stack)
        with pytest.raises(RuntimeError, match=r"shop/ui: .*Deployment 'ui'.*no pool"):
            _synth(stack)

    def test_a_risky_pool_is_an_annotation_that_can_be_acknowledged(self, stack: cdk.Stack) -> None:
        cluster = AutoModeCluster(stack, "Cluster", cluster_name="dev", admin_role_arns=[ADMIN])
        chart = cdk8s.Chart(cdk8s.App(), "pools")
        anything = NodePoolSpec(
            template=NodeClaimTemplate(spec=NodeClaimSpec(requirements=[labels.ARCH.is_in("amd64")]))
        )
        NodePool(chart, "any", node_class=NodeClass.from_name("default"), spec=anything)
        cluster.add_chart("Pools", chart)
        Annotations.from_stack(stack).has_warning(
            "/Dev/Cluster/Pools", Match.string_like_regexp(r"pools/any: .*\[ack: automode:AcceleratedByAccident\]")
        )

    def test_node_groups_may_take_it(self, stack: cdk.Stack) -> None:
        cluster = self._deliver_a_workload_for_arm(stack)
        eks.CfnNodegroup(
            stack, "Group", cluster_name=cluster.values.cluster_name, node_role=ADMIN, subnets=["subnet-1"]
        )
        _synth(stack)


def _synth(stack: cdk.Stack) -> None:
    root = stack.node.root
    assert isinstance(root, cdk.App)
    root.synth()
