"""A network that nothing leads out of: its endpoints, what they admit, and which images never arrive."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import cdk8s
import pytest
from aws_cdk import App, Environment, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk.assertions import Annotations, Match

from automode_constructs.aws.cluster import AutoModeCluster
from automode_constructs.aws.network import DEFAULT_POD_CIDR, AutoModeNetwork, ExistingNetwork
from automode_constructs.aws.vpc_endpoints import VpcEndpoints
from automode_constructs.delivery.chart_delivery import ChartDelivery
from tests.refusal import refusal
from tests.support import feature_flags, of_type, only, synthesised, text_of

ROOT = Path(__file__).parents[2]
GOVCLOUD = "us-gov-west-1"
PLAIN = ["ecr.api", "ecr.dkr", "eks", "eks-auth", "lambda", "sts"]


def isolated(app: App, name: str, region: str | None = None, **options: Any) -> VpcEndpoints:
    stack = Stack(app, name, env=Environment(region=region))
    network = AutoModeNetwork(stack, "Network", isolated=True, pod_cidr=options.pop("pod_cidr", None))
    return VpcEndpoints(stack, "Endpoints", network=network, **options)


@pytest.fixture(scope="module")
def templates() -> dict[str, dict[str, Any]]:
    app = App(context=feature_flags())
    isolated(app, "Isolated", pod_cidr=DEFAULT_POD_CIDR)
    isolated(app, "GovCloud", GOVCLOUD, also=["kms", "ssm"])
    isolated(app, "Fips", "us-east-1", fips=True, also=["ec2"])
    isolated(app, "GitOps", "mx-central-1", kubectl=False)
    open_network = AutoModeNetwork(Stack(app, "Open"), "Network", nat_gateways=1)
    VpcEndpoints(open_network, "Endpoints", network=open_network)
    return synthesised(app)


def services(template: dict[str, Any]) -> list[str]:
    """The last parts of the names of the interface endpoints' services."""
    names = [
        text_of(endpoint["Properties"]["ServiceName"])
        for endpoint in of_type(template, "AWS::EC2::VPCEndpoint").values()
        if endpoint["Properties"]["VpcEndpointType"] == "Interface"
    ]
    return sorted(re.sub(r"com\.amazonaws\.(\{.*?\}|[a-z0-9-]+)\.", "", name) for name in names)


def policy(template: dict[str, Any], service: str) -> list[dict[str, Any]]:
    """The statements of the policy of the endpoint of a service."""
    (found,) = [
        endpoint["Properties"].get("PolicyDocument", {}).get("Statement", [])
        for endpoint in of_type(template, "AWS::EC2::VPCEndpoint").values()
        if text_of(endpoint["Properties"]["ServiceName"]).endswith(f".{service}")
    ]
    return list(found)


def unresolved(value: Any) -> str:
    """A text of the template, with a question mark for what only the deployment knows."""
    return re.sub(r"\{.*?\}+", "?", text_of(value))


OURS = {
    "Sid": "PrincipalsOfThisAccount",
    "Effect": "Allow",
    "Principal": {"AWS": "*"},
    "Action": "*",
    "Resource": "*",
    "Condition": {"StringEquals": {"aws:PrincipalAccount": {"Ref": "AWS::AccountId"}}},
}


class TestNetwork:
    def test_nothing_leads_in_or_out(self, templates: dict[str, dict[str, Any]]) -> None:
        kinds = {resource["Type"] for resource in templates["Isolated"]["Resources"].values()}
        assert not kinds & {
            "AWS::EC2::EIP",
            "AWS::EC2::InternetGateway",
            "AWS::EC2::NatGateway",
            "AWS::EC2::Route",
            "AWS::EC2::VPCGatewayAttachment",
        }
        assert len(of_type(templates["Isolated"], "AWS::EC2::Subnet")) == 6

    def test_node_subnets_are_those_of_an_open_network(self, templates: dict[str, dict[str, Any]]) -> None:
        blocks = [
            {
                name: subnet["Properties"]["CidrBlock"]
                for name, subnet in of_type(templates[stack], "AWS::EC2::Subnet").items()
                if "NodeSubnet" in name
            }
            for stack in ("Isolated", "Open")
        ]
        assert len(blocks[0]) == 3
        assert blocks[0] == blocks[1]

    def test_nat_gateways_are_refused(self) -> None:
        stack = Stack(App(), "Stack")
        assert refusal(lambda: AutoModeNetwork(stack, "Network", isolated=True, nat_gateways=1)) == (
            "Stack/Network: nat_gateways: an isolated network has no NAT gateways, got 1; leave out one of the two: "
            "with isolated=True nothing leads to the internet"
        )
        assert AutoModeNetwork(stack, "Zero", isolated=True, nat_gateways=0).public_subnets == []


class TestEndpoints:
    def test_what_nodes_and_kubectl_need_is_there(self, templates: dict[str, dict[str, Any]]) -> None:
        assert services(templates["Isolated"]) == PLAIN

    def test_without_kubectl_two_are_less_and_no_region_is_too_new(self, templates: dict[str, dict[str, Any]]) -> None:
        assert services(templates["GitOps"]) == ["ecr.api", "ecr.dkr", "eks-auth", "sts"]

    def test_fips_endpoints_come_beside_the_plain_ones(self, templates: dict[str, dict[str, Any]]) -> None:
        assert services(templates["Fips"]) == sorted([*PLAIN, "ec2", "ec2-fips", "eks-fips", "sts-fips"])

    def test_in_govcloud_they_come_by_themselves_where_the_plain_host_is_not_validated(
        self, templates: dict[str, dict[str, Any]]
    ) -> None:
        assert services(templates["GovCloud"]) == sorted([*PLAIN, "kms", "kms-fips", "ssm"])

    def test_each_is_private_in_every_node_subnet(self, templates: dict[str, dict[str, Any]]) -> None:
        group = only(templates["Isolated"], "AWS::EC2::SecurityGroup")
        (group_id,) = of_type(templates["Isolated"], "AWS::EC2::SecurityGroup")
        nodes = sorted(name for name in of_type(templates["Isolated"], "AWS::EC2::Subnet") if "NodeSubnet" in name)
        made = [
            endpoint["Properties"]
            for endpoint in of_type(templates["Isolated"], "AWS::EC2::VPCEndpoint").values()
            if endpoint["Properties"]["VpcEndpointType"] == "Interface"
        ]
        assert len(made) == len(PLAIN)
        for endpoint in made:
            assert endpoint["PrivateDnsEnabled"] is True
            assert [subnet["Ref"] for subnet in endpoint["SubnetIds"]] == nodes
            assert endpoint["SecurityGroupIds"] == [{"Fn::GetAtt": [group_id, "GroupId"]}]
        assert group["Properties"]["GroupDescription"] == "HTTPS from nodes and pods to VPC endpoints"

    def test_the_security_group_admits_https_from_nodes_and_pods_only(
        self, templates: dict[str, dict[str, Any]]
    ) -> None:
        properties = only(templates["Isolated"], "AWS::EC2::SecurityGroup")["Properties"]
        assert [
            (rule["IpProtocol"], rule["FromPort"], rule["ToPort"], rule["CidrIp"])
            for rule in properties["SecurityGroupIngress"]
        ] == [
            ("tcp", 443, 443, cidr)
            for cidr in (
                *("10.0.0.0/19", "10.0.32.0/19", "10.0.64.0/19"),
                *("100.64.0.0/18", "100.64.64.0/18", "100.64.128.0/18"),
            )
        ]
        assert "0.0.0.0/0" not in json.dumps(properties)
        assert of_type(templates["Isolated"], "AWS::EC2::SecurityGroupIngress") == {}

    def test_policies_admit_this_accounts_principals(self, templates: dict[str, dict[str, Any]]) -> None:
        for service in ("ecr.api", "ecr.dkr", "eks", "lambda"):
            assert policy(templates["Isolated"], service) == [OURS]
        # Whether this service takes a policy is not known.
        assert policy(templates["Isolated"], "eks-auth") == []

    def test_web_identities_have_no_account_yet(self, templates: dict[str, dict[str, Any]]) -> None:
        first, second = policy(templates["Isolated"], "sts")
        assert first == OURS
        assert second["Action"] == "sts:AssumeRoleWithWebIdentity"
        assert unresolved(second["Resource"]) == "arn:?:iam::?:role/*"


class TestS3:
    def test_layers_and_answers_to_cloudformation_come_by_signed_addresses(
        self, templates: dict[str, dict[str, Any]]
    ) -> None:
        ours, layers, answers = policy(templates["GovCloud"], "s3")
        assert ours == OURS
        assert layers["Action"] == "s3:GetObject"
        assert unresolved(layers["Resource"]) == "arn:?:s3:::prod-?-starport-layer-bucket/*"
        assert answers["Action"] == "s3:PutObject"
        response, condition = (json.dumps(resource) for resource in answers["Resource"])
        assert '"Fn::Split": ["-", {"Ref": "AWS::Region"}]' in response
        assert "cloudformation-custom-resource-response-" in response
        assert "cloudformation-waitcondition-" in condition

    def test_with_a_way_out_s3_is_left_open(self, templates: dict[str, dict[str, Any]]) -> None:
        assert services(templates["Open"]) == PLAIN
        assert policy(templates["Open"], "s3") == []


class TestRefusals:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (
                {"also": "logs"},
                "Stack/Endpoints: also: needs a list, got the text 'logs'; write ['logs']",
            ),
            (
                {"also": ["logs", "log"]},
                "Stack/Endpoints: also[1]: 'log' is not known; did you mean 'logs'? Use one of 'ecr.api', 'ecr.dkr', "
                "'eks-auth', 'sts', 'eks', 'lambda', 'bedrock-runtime', 'ec2', 'eks-capabilities', 'eks-proxy', "
                "'elasticloadbalancing', 'elasticfilesystem', 'fsx', 'kms', 'logs', 'monitoring', 'secretsmanager', "
                "'sqs', 'ssm'; create an endpoint of another service with ec2.InterfaceVpcEndpoint and "
                "security_groups=[endpoints.security_group]",
            ),
            (
                {"also": ["sts"]},
                "Stack/Endpoints: also: 'sts' already exists; name only services without an endpoint",
            ),
            (
                {"region": "mx-central-1"},
                "Stack/Endpoints: kubectl: region 'mx-central-1' has no endpoint 'eks', and the kubectl Lambda asks "
                "for the address of the cluster; set kubectl=False here and on the cluster, and deliver charts by "
                "GitOps",
            ),
        ],
    )
    def test_what_cannot_work(self, options: dict[str, Any], message: str) -> None:
        assert refusal(lambda: isolated(App(), "Stack", **options)) == message

    def test_addresses_must_be_known(self) -> None:
        stack = Stack(App(), "Stack")
        vpc = ec2.Vpc.from_vpc_attributes(
            stack,
            "Vpc",
            vpc_id="vpc-0123456789abcdef0",
            availability_zones=["eu-west-1a", "eu-west-1b"],
            isolated_subnet_ids=["subnet-00000001", "subnet-00000002"],
        )
        unknown = ExistingNetwork(vpc=vpc, node_subnets=vpc.isolated_subnets)
        assert refusal(lambda: VpcEndpoints(stack, "Endpoints", network=unknown)) == (
            "Stack/Endpoints: network: has no known addresses, so no security group can admit them; pass "
            "the VPC's blocks to ExistingNetwork: cidrs=['10.0.0.0/16']"
        )
        known = ExistingNetwork(vpc=vpc, node_subnets=vpc.isolated_subnets, cidrs=["10.9.0.0/16"])
        VpcEndpoints(stack, "Endpoints", network=known)
        template = synthesised_stack(stack)
        group = only(template, "AWS::EC2::SecurityGroup")["Properties"]["SecurityGroupIngress"]
        assert [rule["CidrIp"] for rule in group] == ["10.9.0.0/16"]

    def test_an_endpoint_takes_one_subnet_of_a_zone(self) -> None:
        stack = Stack(App(), "Stack")
        vpc = ec2.Vpc.from_vpc_attributes(
            stack,
            "Vpc",
            vpc_id="vpc-0123456789abcdef0",
            availability_zones=["eu-west-1a", "eu-west-1b"],
            private_subnet_ids=["subnet-00000001", "subnet-00000002", "subnet-00000003", "subnet-00000004"],
        )
        network = ExistingNetwork(vpc=vpc, node_subnets=vpc.private_subnets, cidrs=["10.9.0.0/16"])
        endpoints = VpcEndpoints(stack, "Endpoints", network=network)
        assert list(endpoints.endpoints) == ["ecr.api", "ecr.dkr", "eks-auth", "sts", "eks", "lambda"]
        for endpoint in of_type(synthesised_stack(stack), "AWS::EC2::VPCEndpoint").values():
            assert endpoint["Properties"]["SubnetIds"] == ["subnet-00000001", "subnet-00000002"]


def synthesised_stack(stack: Stack) -> dict[str, Any]:
    app = stack.node.root
    assert isinstance(app, App)
    return synthesised(app)[stack.stack_name]


def with_chart(*images: str, internet: bool | None = False, proxy: str | None = None) -> ChartDelivery:
    """A cluster in an isolated network, and a chart with a pod of these images."""
    stack = Stack(App(), "Stack")
    network = AutoModeNetwork(stack, "Network", isolated=True)
    network.internet = internet
    VpcEndpoints(stack, "Endpoints", network=network)
    cluster = AutoModeCluster(stack, "Cluster", cluster_name="dev", network=network)
    chart = cdk8s.Chart(cdk8s.App(), "chart")
    thing(chart, "v1", "Pod", {"containers": [{"name": f"c{n}", "image": image} for n, image in enumerate(images)]})
    if proxy:
        thing(chart, "eks.amazonaws.com/v1", "NodeClass", {"advancedNetworking": {"httpsProxy": proxy}})
    return cluster.add_chart("Charts", chart)


def thing(chart: cdk8s.Chart, api_version: str, kind: str, spec: dict[str, Any]) -> None:
    made = cdk8s.ApiObject(
        chart, kind.lower(), api_version=api_version, kind=kind, metadata=cdk8s.ApiObjectMetadata(name="web")
    )
    made.add_json_patch(cdk8s.JsonPatch.add("/spec", spec))


class TestImages:
    def test_a_public_image_in_an_isolated_network_fails_the_synthesis(self) -> None:
        delivery = with_chart("nginx:1.27", "111122223333.dkr.ecr.eu-west-1.amazonaws.com/web:1")
        with pytest.raises(RuntimeError) as caught:
            synthesised_stack(Stack.of(delivery))
        assert (
            "[Stack/Cluster/Charts] chart/pod: Pod 'web': spec.containers[0].image: container 'c0': the image "
            "'nginx:1.27' comes from 'docker.io', which a network without internet access never reaches; copy it into "
            "a private ECR repository; the first pull through a PullThroughCache needs a route to the internet too"
        ) in str(caught.value)
        assert len(delivery.problems) == 1

    def test_one_of_an_unknown_registry_is_a_warning(self) -> None:
        delivery = with_chart("registry.corp.example/web:1")
        stack = Stack.of(delivery)
        template = synthesised_stack(stack)
        Annotations.from_stack(stack).has_warning(
            "/Stack/Cluster/Charts",
            Match.string_like_regexp(r".*registry\.corp\.example.*\[ack: automode:ImageSource\]"),
        )
        # kubectl works through the endpoints: they must be there first, and last.
        (first,) = [
            value
            for name, value in template["Resources"].items()
            if name.startswith("AutoModeCrdsNodeclasses") and value["Type"].startswith("Custom::")
        ]
        endpoints = {*of_type(template, "AWS::EC2::VPCEndpoint")}
        assert len(endpoints) == len(PLAIN) + 1
        assert endpoints <= {*first["DependsOn"]}

    @pytest.mark.parametrize("options", [{"internet": None}, {"internet": True}, {"proxy": "http://10.0.0.9:3128"}])
    def test_where_another_way_may_lead_out_images_are_not_judged(self, options: dict[str, Any]) -> None:
        delivery = with_chart("nginx:1.27", **options)
        assert delivery.cluster.internet is options.get("internet", False)
        synthesised_stack(Stack.of(delivery))
        assert delivery.problems == []


def test_the_gitops_example_writes_its_charts_once_there_are_outputs(tmp_path: Path) -> None:
    shutil.copy(ROOT / "examples" / "outputs.json", tmp_path)
    subprocess.run(
        [sys.executable, str(ROOT / "examples" / "isolated_gitops.py")],
        cwd=tmp_path,
        env={**os.environ, "CDK_OUTDIR": str(tmp_path / "out"), "PYTHONPATH": str(ROOT)},
        check=True,
        capture_output=True,
    )
    assert sorted(file.name for file in (tmp_path / "manifests").iterdir()) == [
        "00-node-pools.yaml",
        "01-platform.yaml",
        "02-network-policies.yaml",
    ]
    template = json.loads((tmp_path / "out" / "GitOps.template.json").read_text("utf-8"))
    assert "Custom::AWSCDK-EKS-KubernetesResource" not in {item["Type"] for item in template["Resources"].values()}
