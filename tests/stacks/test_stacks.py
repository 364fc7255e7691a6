"""The stacks as the app composes them: order, outputs, what may never be replaced, what an update changes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.conftest import default_app
from tests.support import manifests, of_type, only, text_of
from tests.template_order import waits_for

NEVER_REPLACED = {
    "AWS::EKS::Cluster": {"ClusterC2E21B66"},
    "AWS::EC2::VPC": {"NetworkVpc7FB7348F"},
    "AWS::KMS::Key": {"ClusterSecretsKey462B29B5", "ClusterVolumeKeyCBCDEE22", "ClusterLogKey160CC57F"},
    "AWS::EC2::Subnet": {
        "NetworkVpcNodeSubnet1Subnet9C514B89",
        "NetworkVpcNodeSubnet2Subnet1D20EEFE",
        "NetworkVpcNodeSubnet3SubnetC8FFC88E",
        "NetworkVpcPublicSubnet1Subnet36933139",
        "NetworkVpcPublicSubnet2SubnetC427CCE0",
        "NetworkVpcPublicSubnet3Subnet4BBF7F47",
    },
}
CREATE_ONLY = {
    "Name": "automode",
    "RoleArn": {"Fn::GetAtt": ["ClusterClusterRole6C62EDD4", "Arn"]},
    "EncryptionConfig": [
        {"Provider": {"KeyArn": {"Fn::GetAtt": ["ClusterSecretsKey462B29B5", "Arn"]}}, "Resources": ["secrets"]}
    ],
    "BootstrapSelfManagedAddons": False,
    "AccessConfig": {"AuthenticationMode": "API", "BootstrapClusterCreatorAdminPermissions": False},
    "KubernetesNetworkConfig": {
        "ElasticLoadBalancing": {"Enabled": True},
        "IpFamily": "ipv4",
        "ServiceIpv4Cidr": "172.20.0.0/16",
    },
}
EXPORTED = {
    "ClusterC2E21B66",
    "ClusterC2E21B66.ClusterSecurityGroupId",
    "ClusterKubectlProviderframeworkonEventD0C75FD8.Arn",
    "ClusterNodeRoleB788AD9F",
    "NetworkVpc7FB7348F",
}
READ_WEAKLY = {"ClusterVolumeKeyCBCDEE22.Arn"}
DELIVERED = {
    "NetworkPoliciesConfigMapKubeSystemAmazonVpcCni51E130FF",
    "NodePoolsNodeClassStandard8366A900",
    "NodePoolsNodePoolCritical6BC1C995",
    "NodePoolsNodePoolGeneral0318A011",
    "NodePoolsNodePoolGravitonE1DA1F75",
    "NodePoolsNodePoolSpot43265A29",
    "PlatformIngressClassAlbE195AE31",
    "PlatformIngressClassParamsAlb8F99AC21",
    "PlatformStorageClassGp32CEFE551",
}


class TestIdentity:
    @pytest.mark.parametrize("flags", ["templates", "templates_without_flags"], ids=["flags on", "flags off"])
    def test_logical_ids_and_create_only_properties_are_pinned(
        self, flags: str, request: pytest.FixtureRequest
    ) -> None:
        templates = request.getfixturevalue(flags)
        cluster = templates["automode-cluster"]
        assert {"ClusterControlPlaneLogsDCEEB876", "NetworkFlowLogGroup4F8CEEEF"} <= set(
            of_type(cluster, "AWS::Logs::LogGroup")
        )
        for kind, names in NEVER_REPLACED.items():
            assert set(of_type(cluster, kind)) == names, kind
        properties = only(cluster, "AWS::EKS::Cluster")["Properties"]
        assert {name: properties[name] for name in CREATE_ONLY} == CREATE_ONLY
        delivered = of_type(templates["automode-platform"], "Custom::AWSCDK-EKS-KubernetesResource")
        assert set(delivered) == DELIVERED

    def test_what_crosses_to_other_stacks_is_little_and_stable(self, cluster_template: dict[str, Any]) -> None:
        found: dict[bool, set[str]] = {True: set(), False: set()}
        for name, output in cluster_template["Outputs"].items():
            if "Export" in output or name.startswith("Publish"):
                value = output["Value"]
                if isinstance(value, str):
                    continue  # what the guard imports
                found["Export" in output].add(value["Ref"] if "Ref" in value else ".".join(value["Fn::GetAtt"]))
        assert found == {True: EXPORTED, False: READ_WEAKLY}

    def test_a_version_change_updates_the_cluster_and_nothing_else(self, templates: dict[str, dict[str, Any]]) -> None:
        newer = default_app(version="1.37")
        assert newer["automode-cluster"]["Resources"].pop("ClusterC2E21B66")["Properties"]["Version"] == "1.37"
        before = json.loads(json.dumps(templates))
        cluster = before["automode-cluster"]["Resources"].pop("ClusterC2E21B66")
        assert cluster["Properties"]["Version"] == "1.36"
        assert newer == before

    def test_with_a_region_nothing_differs_but_the_region(self, templates: dict[str, dict[str, Any]]) -> None:
        def with_region(written: dict[str, dict[str, Any]]) -> str:
            text = json.dumps(_flat(written)).replace("{{'Ref': 'AWS::Region'}}", "eu-central-1")
            text = text.replace("{'Ref': 'AWS::Region'}", "'eu-central-1'")  # inside a reference
            return text.replace("${AWS::Region}", "eu-central-1")

        assert with_region(default_app(region="eu-central-1")) == with_region(templates)

    def test_with_an_account_nothing_is_looked_up(self) -> None:
        subnets = of_type(
            default_app(region="eu-central-1", account="111122223333")["automode-cluster"], "AWS::EC2::Subnet"
        )
        zones = [subnet["Properties"]["AvailabilityZone"] for subnet in subnets.values()]
        assert all("Fn::Select" in zone for zone in zones), zones

    def test_the_same_input_gives_the_same_bytes(self, templates: dict[str, dict[str, Any]]) -> None:
        assert json.dumps(default_app()) == json.dumps(templates)


def _flat(value: Any) -> Any:
    """Joins written as text, so that a literal and a reference can be compared."""
    if isinstance(value, dict):
        if "Fn::Join" in value:
            return text_of(value)
        if set(value) == {"Ref"} and value["Ref"] == "AWS::Region":
            return "{{'Ref': 'AWS::Region'}}"
        return {key: _flat(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_flat(inner) for inner in value]
    return value


class TestOutputs:
    def test_admins_are_admitted_by_a_stack_of_their_own(self, cluster_template: dict[str, Any]) -> None:
        role = "arn:aws:iam::111122223333:role/Admin"
        templates = default_app(admin_role_arns=role)
        assert templates["automode-cluster"] == cluster_template
        (entry,) = of_type(templates["automode-access"], "AWS::EKS::AccessEntry").values()
        assert entry["Properties"]["PrincipalArn"] == role
        command = text_of(templates["automode-access"]["Outputs"]["KubeconfigCommand"]["Value"])
        assert command.endswith(f" --role-arn {role}")

    def test_what_stays_is_told_with_the_command_that_removes_it(self, cluster_template: dict[str, Any]) -> None:
        kept = {
            name: body["Type"]
            for name, body in cluster_template["Resources"].items()
            if body.get("DeletionPolicy", "Delete") != "Delete"
        }
        commands = {
            name: text_of(output["Value"])
            for name, output in cluster_template["Outputs"].items()
            if name.startswith("Remove")
        }
        assert set(commands) == {"RemoveControlPlaneLogsCommand", "RemoveKeysCommand", "RemoveLogsCommand"}
        assert commands["RemoveControlPlaneLogsCommand"] == (
            "aws logs delete-log-group --region {{'Ref': 'AWS::Region'}} --log-group-name /aws/eks/automode/cluster"
        )
        for name, kind in kept.items():
            if name != "ClusterControlPlaneLogsDCEEB876":
                command = commands["RemoveKeysCommand" if kind == "AWS::KMS::Key" else "RemoveLogsCommand"]
                assert f"{{{{'Ref': '{name}'}}}}" in command or f"{{'Ref': '{name}'}}" in command, name
        assert len(kept) >= 7

    def test_of_a_throw_away_only_the_control_plane_s_logs_may_stay(self) -> None:
        outputs = default_app(ephemeral=True)["automode-cluster"]["Outputs"]
        assert {name for name in outputs if name.startswith("Remove")} == {"RemoveControlPlaneLogsCommand"}

    def test_name_role_and_values_are_told(self, cluster_template: dict[str, Any]) -> None:
        outputs = cluster_template["Outputs"]
        assert outputs["ClusterName"]["Value"] == {"Ref": "ClusterC2E21B66"}
        assert outputs["NodeRoleName"]["Value"] == {"Ref": "ClusterNodeRoleB788AD9F"}
        values = json.loads(text_of(outputs["ClusterValues"]["Value"]))
        assert set(values) == {
            "builtInPools",
            "clusterName",
            "networkCidrs",
            "nodeRole",
            "nodeSecurityGroups",
            "nodeSubnets",
            "region",
            "volumeKeyArn",
        }


class TestPlatform:
    def test_the_cluster_stack_delivers_no_object(self, cluster_template: dict[str, Any]) -> None:
        assert of_type(cluster_template, "Custom::AWSCDK-EKS-KubernetesResource") == {}

    def test_pools_of_ours_take_the_place_of_eks_s(self, templates: dict[str, dict[str, Any]]) -> None:
        compute = only(templates["automode-cluster"], "AWS::EKS::Cluster")["Properties"]["ComputeConfig"]
        assert compute == {"Enabled": True, "NodePools": []}
        names = {(item["kind"], item["metadata"]["name"]) for item in manifests(templates["automode-platform"])}
        assert names == {
            ("NodeClass", "standard"),
            ("NodePool", "critical"),
            ("NodePool", "general"),
            ("NodePool", "spot"),
            ("NodePool", "graviton"),
            ("StorageClass", "gp3"),
            ("IngressClassParams", "alb"),
            ("IngressClass", "alb"),
            ("ConfigMap", "amazon-vpc-cni"),
        }

    def test_eks_s_own_pools_can_be_had(self, built_in_template: dict[str, Any]) -> None:
        compute = only(built_in_template, "AWS::EKS::Cluster")["Properties"]["ComputeConfig"]
        assert compute["NodePools"] == ["system", "general-purpose"]
        templates = default_app(hardened_pools="false", bare_gpu_pool="true")
        pools = {
            item["metadata"]["name"] for item in manifests(templates["automode-platform"]) if item["kind"] == "NodePool"
        }
        assert pools == {"spot", "graviton"}
        (gpu,) = [item for item in manifests(templates["automode-gpt-oss"]) if item["kind"] == "NodePool"]
        assert gpu["spec"]["template"]["spec"]["nodeClassRef"]["name"] == "default"

    def test_the_bare_pool_is_on_a_node_class_that_there_is(self) -> None:
        templates = default_app(bare_gpu_pool="true")
        (gpu,) = [item for item in manifests(templates["automode-gpt-oss"]) if item["kind"] == "NodePool"]
        assert gpu["spec"]["template"]["spec"]["nodeClassRef"]["name"] == "standard"

    def test_an_ephemeral_cluster_can_be_destroyed(self) -> None:
        template = default_app(ephemeral=True)["automode-cluster"]
        assert only(template, "AWS::EKS::Cluster")["Properties"]["DeletionProtection"] is False
        assert len(of_type(template, "AWS::EC2::NatGateway")) == 1
        kept = {
            name: resource["DeletionPolicy"]
            for name, resource in template["Resources"].items()
            if resource.get("DeletionPolicy", "Delete") != "Delete"
        }
        assert kept == {}

    def test_the_volume_key_reaches_nodes_and_claims(self, platform_template: dict[str, Any]) -> None:
        by_kind = {item["kind"]: item for item in manifests(platform_template)}
        key = by_kind["NodeClass"]["spec"]["ephemeralStorage"]["kmsKeyID"]
        assert "VolumeKey" in key
        assert by_kind["StorageClass"]["parameters"]["kmsKeyId"] == key


class TestFirstDeployment:
    def test_what_can_fail_comes_before_the_cluster(self, cluster_template: dict[str, Any]) -> None:
        before = waits_for(cluster_template)
        after = {name for name, needs in before.items() if "ClusterC2E21B66" in needs}
        kinds = {cluster_template["Resources"][name]["Type"] for name in after}
        assert kinds == {"AWS::EKS::AccessEntry", "AWS::SSM::Parameter"}
        assert set(of_type(cluster_template, "AWS::Lambda::Function")) - before["ClusterC2E21B66"] <= {
            name for name in cluster_template["Resources"] if name.startswith("CustomVpcRestrictDefaultSG")
        }

    def test_kubectl_reaches_the_control_plane_by_a_group_of_its_own(self, cluster_template: dict[str, Any]) -> None:
        (rule,) = of_type(cluster_template, "AWS::EC2::SecurityGroupIngress").values()
        kubectl = rule["Properties"]["SourceSecurityGroupId"]
        assert (rule["Properties"]["FromPort"], rule["Properties"]["ToPort"]) == (443, 443)
        network = only(cluster_template, "AWS::EKS::Cluster")["Properties"]["ResourcesVpcConfig"]
        assert network["SecurityGroupIds"] == [rule["Properties"]["GroupId"]]
        functions = of_type(cluster_template, "AWS::Lambda::Function").values()
        groups = [
            body["Properties"]["VpcConfig"]["SecurityGroupIds"]
            for body in functions
            if "VpcConfig" in body["Properties"]
        ]
        assert groups == [[kubectl], [kubectl]]

    def test_the_handler_may_describe_this_cluster_and_no_other(self, cluster_template: dict[str, Any]) -> None:
        allowed = [
            text_of(statement["Resource"])
            for policy in of_type(cluster_template, "AWS::IAM::Policy").values()
            for statement in policy["Properties"]["PolicyDocument"]["Statement"]
            if statement["Action"] == "eks:DescribeCluster"
        ]
        assert [arn.rpartition(":")[2] for arn in allowed] == ["cluster/automode"]

    def test_names_with_a_common_beginning_share_no_repository(self) -> None:
        prefixes = set()
        for name in ("capital-one-payments-prod-blue", "capital-one-payments-prod-green", "Dev", "dev"):
            template = default_app(name=name, demos="gpt-oss")[f"{name}-gpt-oss"]
            prefixes.add(only(template, "AWS::ECR::PullThroughCacheRule")["Properties"]["EcrRepositoryPrefix"])
        assert len(prefixes) == 4
        assert all(len(prefix) <= 30 for prefix in prefixes)
