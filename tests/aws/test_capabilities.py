"""Managed Argo CD, ACK and kro: least roles, access that is made first, and refusals where AWS has none."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import cdk8s
import pytest
from aws_cdk import aws_ec2 as ec2
from botocore.session import get_session
from botocore.validate import ParamValidator
from cfnlint.api import lint
from cfnlint.config import ManualArgs

from automode_constructs import (
    AckCapability,
    ArgoCdAccess,
    ArgoCdCapability,
    CapabilityRole,
    ChartDelivery,
    ImportedCluster,
    KroCapability,
    SsoGroup,
    SsoUser,
)
from automode_constructs.patterns import ArgoCdAccessChart, ArgoCdChart
from tests.refusal import refusal
from tests.support import feature_flags, of_type, only, synthesised, text_of
from tests.template_checks import template_findings
from tests.template_order import waits_for

CAPABILITY, ENTRY, POLICY = "AWS::EKS::Capability", "AWS::EKS::AccessEntry", "AWS::IAM::Policy"
CENTER = f"arn:{cdk.Aws.PARTITION}:sso:::instance/ssoins-1234567890abcdef"
ADMINS = SsoGroup(id="a1b2c3d4-5678-90ab-cdef-111111111111")
GUEST = SsoUser(id="90677d9cf5-a1b2c3d4-5678-90ab-cdef-222222222222")
HERE = cdk.Environment(region="eu-west-1", account="111122223333")
Templates = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def templates() -> Templates:
    app = cdk.App(context=feature_flags())
    home = cdk.Stack(app, "Home", env=HERE)
    cluster = ImportedCluster(home, "Cluster", cluster_name="bank")
    role = CapabilityRole(home, "ArgoRole")
    stack = cdk.Stack(app, "Hub", env=HERE)
    vpc = ec2.Vpc.from_vpc_attributes(
        stack,
        "Vpc",
        vpc_id="vpc-0123456789abcdef0",
        vpc_cidr_block="10.20.0.0/16",
        availability_zones=["eu-west-1a", "eu-west-1b"],
        private_subnet_ids=["subnet-0aaaaaaaaaaaaaaaa", "subnet-0bbbbbbbbbbbbbbbb"],
    )
    endpoint = ec2.InterfaceVpcEndpoint(
        stack, "Endpoint", vpc=vpc, service=ec2.InterfaceVpcEndpointAwsService("eks-capabilities"), open=False
    )
    argo = ArgoCdCapability(
        stack,
        "ArgoCd",
        cluster=cluster,
        role=role,
        identity_center_arn=CENTER,
        identity_center_region="eu-central-1",
        roles={"ADMIN": [ADMINS], "VIEWER": [GUEST], "EDITOR": []},
        sources=[
            _arn("codecommit:eu-west-1:111122223333:clusters"),
            _arn("codeconnections:eu-west-1:111122223333:connection/1"),
            _arn("secretsmanager:eu-west-1:111122223333:secret:git-AbCdEf"),
            _arn("kms:eu-west-1:111122223333:key/1"),
            _arn("ecr:eu-west-1:111122223333:repository/charts"),
        ],
        namespaces=["shop"],
        vpc_endpoints=[endpoint],
    )
    AckCapability(
        stack,
        "Ack",
        cluster=cluster,
        role_arns=[f"arn:{cdk.Aws.PARTITION}:iam::444455556666:role/ack-s3"],
        secret_namespaces=["shop"],
        disabled_services=["iam", "organizations"],
    )
    KroCapability(stack, "Kro", cluster=cluster, namespaces=["shop"])
    arn = stack.format_arn(service="eks", resource="cluster", resource_name="bank")
    chart = ArgoCdChart(cdk8s.App(), "argo-cd", cluster_arn=arn, repository="https://github.com/corp/clusters.git")
    ChartDelivery(stack, "Charts", cluster=cluster, chart=chart).node.add_dependency(argo)

    spoke = cdk.Stack(app, "Spoke", env=cdk.Environment(region="us-east-1", account="444455556666"))
    other = ImportedCluster(spoke, "Cluster", cluster_name="shop")
    ArgoCdAccess(
        spoke,
        "ArgoCd",
        cluster=other,
        role_arn=f"arn:{cdk.Aws.PARTITION}:iam::111122223333:role/argo-cd",
        cluster_admin=True,
    )
    other.add_chart("Access", ArgoCdAccessChart(cdk8s.App(), "access"))
    return synthesised(app)


def _arn(rest: str) -> str:
    return f"arn:{cdk.Aws.PARTITION}:{rest}"


def capability(template: Mapping[str, Any], kind: str) -> tuple[str, dict[str, Any]]:
    (found,) = (
        (name, body["Properties"])
        for name, body in of_type(dict(template), CAPABILITY).items()
        if body["Properties"]["Type"] == kind
    )
    return found


class TestCapabilities:
    def test_argo_cd_has_its_settings(self, templates: Templates) -> None:
        _, found = capability(templates["Hub"], "ARGOCD")
        settings = found["Configuration"]["ArgoCd"]
        assert text_of(settings["AwsIdc"]["IdcInstanceArn"]).endswith(":sso:::instance/ssoins-1234567890abcdef")
        assert settings["AwsIdc"]["IdcRegion"] == "eu-central-1"
        assert settings["RbacRoleMappings"] == [
            {"Role": "ADMIN", "Identities": [{"Id": ADMINS.id, "Type": "SSO_GROUP"}]},
            {"Role": "VIEWER", "Identities": [{"Id": GUEST.id, "Type": "SSO_USER"}]},
        ]
        assert settings["NetworkAccess"] == {
            "VpceIds": [{"Ref": next(iter(of_type(templates["Hub"], "AWS::EC2::VPCEndpoint")))}]
        }
        assert settings["Namespace"] == "argocd"
        assert (found["CapabilityName"], found["DeletePropagationPolicy"]) == ("argocd", "RETAIN")

    def test_ack_has_its_settings(self, templates: Templates) -> None:
        _, found = capability(templates["Hub"], "ACK")
        assert found["Configuration"] == {
            "Ack": {"DisabledServices": ["iam", "organizations"], "EnableCrossNamespace": False}
        }

    def test_the_api_takes_them(self, templates: Templates) -> None:
        shape = get_session().get_service_model("eks").operation_model("CreateCapability").input_shape
        for kind in ("ARGOCD", "ACK", "KRO"):
            _, found = capability(templates["Hub"], kind)
            parameters = _lower(json.loads(json.dumps(found), object_hook=_resolved))
            assert ParamValidator().validate(parameters, shape).generate_report() == ""

    def test_eks_alone_assumes_the_roles(self, templates: Templates) -> None:
        roles = [
            role["Properties"]
            for template in (templates["Home"], templates["Hub"])
            for role in of_type(template, "AWS::IAM::Role").values()
            if role["Properties"].get("Description") == "EKS Capabilities of a cluster"
        ]
        assert len(roles) == 3
        for role in roles:
            (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
            assert statement["Principal"] == {"Service": "capabilities.eks.amazonaws.com"}
            assert statement["Action"] == ["sts:AssumeRole", "sts:TagSession"]
            assert "ManagedPolicyArns" not in role

    def test_roles_may_do_what_was_asked_for_and_no_more(self, templates: Templates) -> None:
        statements = {
            tuple([one] if isinstance(one := statement["Action"], str) else one): text_of(statement["Resource"])
            for template, prefix in ((templates["Home"], "ArgoRole"), (templates["Hub"], "Ack"))
            for name, policy in of_type(template, POLICY).items()
            if name.startswith(prefix)
            for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        }
        assert {actions: resource.rpartition(":")[2] for actions, resource in statements.items()} == {
            ("codecommit:GitPull",): "clusters",
            ("codeconnections:GetConnection", "codeconnections:UseConnection"): "connection/1",
            ("secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"): "git-AbCdEf",
            ("kms:Decrypt",): "key/1",
            ("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"): "repository/charts",
            ("ecr:GetAuthorizationToken",): "*",
            ("sts:AssumeRole",): "role/ack-s3",
        }
        assert not any(name.startswith("Kro") for name in of_type(templates["Hub"], POLICY))

    def test_access_comes_first_and_has_a_group(self, templates: Templates) -> None:
        hub = templates["Hub"]
        before = waits_for(hub)
        access = {
            entry["Properties"]["KubernetesGroups"][0]: (
                name,
                {
                    text_of(policy["PolicyArn"]).rpartition("/")[2]: policy["AccessScope"].get("Namespaces", "cluster")
                    for policy in entry["Properties"]["AccessPolicies"]
                },
            )
            for name, entry in of_type(hub, ENTRY).items()
        }
        assert {group: policies for group, (_, policies) in access.items()} == {
            "automode-argo-cd": {
                "AmazonEKSArgoCDClusterPolicy": "cluster",
                "AmazonEKSArgoCDPolicy": ["argocd"],
                "AmazonEKSEditPolicy": ["shop"],
            },
            "automode-ack": {"AmazonEKSACKPolicy": "cluster", "AmazonEKSSecretReaderPolicy": ["shop"]},
            "automode-kro": {"AmazonEKSKROPolicy": "cluster", "AmazonEKSEditPolicy": ["shop"]},
        }
        for group, kind in (("automode-argo-cd", "ARGOCD"), ("automode-ack", "ACK"), ("automode-kro", "KRO")):
            assert access[group][0] in before[capability(hub, kind)[0]]

    def test_objects_come_after_argo_cd_and_go_before_it(self, templates: Templates) -> None:
        hub = templates["Hub"]
        before = waits_for(hub)
        name, _ = capability(hub, "ARGOCD")
        objects = [key for key in of_type(hub, "Custom::AWSCDK-EKS-KubernetesResource") if key.startswith("Charts")]
        assert len(objects) == 10
        assert all(name in before[key] for key in objects)

    def test_another_cluster_admits_the_role(self, templates: Templates) -> None:
        (entry,) = (
            body["Properties"]
            for body in of_type(templates["Spoke"], ENTRY).values()
            if body["Properties"]["KubernetesGroups"] == ["automode-argo-cd"]
        )
        assert text_of(entry["PrincipalArn"]).endswith(":iam::111122223333:role/argo-cd")
        (policy,) = entry["AccessPolicies"]
        assert text_of(policy["PolicyArn"]).endswith("AmazonEKSClusterAdminPolicy")
        only(templates["Hub"], "AWS::EC2::VPCEndpoint")

    @pytest.mark.parametrize(("stack", "region"), [("Home", "eu-west-1"), ("Hub", "eu-west-1"), ("Spoke", "us-east-1")])
    def test_the_judges_find_nothing(self, templates: Templates, stack: str, region: str) -> None:
        assert template_findings(templates[stack]) == []
        found = lint(json.dumps(templates[stack]), config=ManualArgs(regions=[region]))
        # The CDK writes DependsOn next to references that say the same.
        assert [str(match) for match in found if match.rule.id != "W3005"] == []


def _resolved(value: dict[str, Any]) -> Any:
    return text_of(value) if len(value) == 1 and next(iter(value)).startswith(("Fn::", "Ref")) else value


def _lower(value: Any) -> Any:
    if isinstance(value, dict):
        return {key[:1].lower() + key[1:]: _lower(item) for key, item in value.items()}
    return [_lower(item) for item in value] if isinstance(value, list) else value


Make = Callable[..., object]


@pytest.fixture(scope="module")
def make() -> Make:
    stack = cdk.Stack(cdk.App(), "Dev", env=HERE)
    cluster = ImportedCluster(stack, "Cluster", cluster_name="bank")
    arguments: dict[Any, dict[str, Any]] = {
        ArgoCdCapability: {
            "identity_center_arn": "arn:aws:sso:::instance/ssoins-1234567890abcdef",
            "roles": {"ADMIN": [ADMINS]},
        },
        ArgoCdAccess: {"role_arn": "arn:aws:iam::111122223333:role/argo-cd"},
        AckCapability: {},
        KroCapability: {},
    }

    def make_one(kind: Any, **changes: Any) -> object:
        return kind(stack, "Try", **{"cluster": cluster, **arguments[kind], **changes})

    return make_one


class TestRefusals:
    @pytest.mark.parametrize("kind", [ArgoCdCapability, AckCapability, KroCapability])
    @pytest.mark.parametrize("region", ["us-gov-west-1", "us-gov-east-1"])
    def test_govcloud_has_none(self, make: Make, kind: Any, region: str) -> None:
        stack = cdk.Stack(cdk.App(), "Gov", env=cdk.Environment(region=region))
        cluster = ImportedCluster(stack, "Cluster", cluster_name="gov")
        name = {ArgoCdCapability: "Argo CD", AckCapability: "ACK", KroCapability: "kro"}[kind]
        arguments = {"identity_center_arn": CENTER, "roles": {"ADMIN": [ADMINS]}} if kind is ArgoCdCapability else {}
        assert refusal(lambda: kind(stack, "Try", cluster=cluster, **arguments)) == (
            f"Gov/Try: cluster: is in '{region}', and AWS offers EKS Capabilities in commercial regions only; run "
            f"{name} in the cluster yourself; charts become YAML with write_yaml_folder"
        )

    def test_one_of_each_type_for_a_cluster(self) -> None:
        stack = cdk.Stack(cdk.App(), "Dev", env=HERE)
        cluster = ImportedCluster(stack, "Cluster", cluster_name="bank")
        KroCapability(stack, "Kro", cluster=cluster)
        AckCapability(stack, "Ack", cluster=cluster)
        assert refusal(lambda: KroCapability(stack, "Again", cluster=cluster, capability_name="kro2")) == (
            "Dev/Again: cluster: 'Dev/Cluster' has kro already, by 'Dev/Kro'; make it once; EKS takes one of each type "
            "for a cluster"
        )
        KroCapability(stack, "Other", cluster=ImportedCluster(stack, "Cluster2", cluster_name="bank2"))

    @pytest.mark.parametrize(
        ("kind", "arguments", "words"),
        [
            (
                KroCapability,
                {"capability_name": "a b"},
                "capability_name: 'a b' is not the name of a capability; use 1 to 100 letters, digits, '-' and '_', "
                "beginning with a letter or digit",
            ),
            (KroCapability, {"namespaces": ["Shop"]}, "namespaces[0]: 'Shop' is not the name of a namespace; use 1 to"),
            (KroCapability, {"namespaces": ["a", "a"]}, "namespaces: names one twice: ['a', 'a']; name each once"),
            (
                KroCapability,
                {"namespaces": ["a"], "cluster_admin": True},
                "namespaces: add nothing to cluster_admin=True, which is all rights; leave out one of the two",
            ),
            (AckCapability, {"role_arns": ["ack"]}, "role_arns[0]: "),
            (
                AckCapability,
                {"disabled_services": ["S3"]},
                "disabled_services[0]: 'S3' is not the name of a service of ACK; use 1 to 63 lower-case letters and "
                "digits, as its API group has them: 's3' of s3.services.k8s.aws",
            ),
            (AckCapability, {"disabled_services": ["s3", "s3"]}, "disabled_services: names one twice; name each once"),
            (
                AckCapability,
                {"disabled_services": [f"s{number}" for number in range(201)]},
                "disabled_services: has 201; EKS takes 200 at most",
            ),
            (AckCapability, {"secret_namespaces": ["-"]}, "secret_namespaces[0]: '-' is not the name of a namespace"),
            (
                ArgoCdCapability,
                {"identity_center_arn": "ssoins-1"},
                "identity_center_arn: 'ssoins-1' is not the ARN of an instance of IAM Identity Center; give "
                "InstanceArn as 'aws sso-admin list-instances' prints it",
            ),
            (
                ArgoCdCapability,
                {"identity_center_arn": "arn:aws-us-gov:sso:::instance/ssoins-1234567890abcdef"},
                "is of partition 'aws-us-gov', the cluster of 'aws'; give the instance of the cluster's organization",
            ),
            (
                ArgoCdCapability,
                {"identity_center_region": "Frankfurt"},
                "identity_center_region: 'Frankfurt' is not a region",
            ),
            (
                ArgoCdCapability,
                {"roles": {}},
                "roles: names nobody, so that nobody could sign in; write {'ADMIN': [SsoGroup(id='...')]}",
            ),
            (
                ArgoCdCapability,
                {"roles": {"ADMIN": [ADMINS, ADMINS]}},
                "roles['ADMIN']: names one twice; name each once",
            ),
            (
                ArgoCdCapability,
                {"roles": {"OWNER": [ADMINS]}},
                "roles['OWNER']: 'OWNER' is not known; use one of 'ADMIN', 'EDITOR', 'VIEWER'",
            ),
            (
                ArgoCdCapability,
                {"roles": {"VIEWER": [GUEST] * 1001}},
                "roles: names 1001 identities; EKS takes 1,000 at most; name groups, not users",
            ),
            (
                ArgoCdCapability,
                {"sources": ["https://github.com/corp/clusters"]},
                "sources[0]: 'https://github.com/corp/clusters' is nothing that Argo CD reads; give the ARN of",
            ),
            (
                ArgoCdCapability,
                {"sources": ["arn:aws:s3:::bucket"]},
                "sources[0]: 'arn:aws:s3:::bucket' is nothing that Argo CD reads",
            ),
            (
                ArgoCdCapability,
                {"sources": ["arn:aws-cn:codecommit:cn-north-1:111122223333:clusters"]},
                "is of another partition than the cluster, in 'eu-west-1'",
            ),
            (ArgoCdCapability, {"sources": [cdk.Aws.STACK_ID]}, "sources[0]: is an ARN known only after deployment"),
            (ArgoCdCapability, {"namespace": "Argo"}, "namespace[0]: 'Argo' is not the name of a namespace"),
            (ArgoCdAccess, {"role_arn": "argo-cd"}, "role_arn: "),
            (ArgoCdAccess, {"namespaces": ["a"], "cluster_admin": True}, "namespaces: add nothing to cluster_admin"),
        ],
    )
    def test_arguments(self, make: Make, kind: Any, arguments: dict[str, Any], words: str) -> None:
        text = refusal(lambda: make(kind, **arguments))
        assert text.startswith("Dev/Try: ")
        assert words in text

    def test_an_endpoint_of_another_service(self, make: Make) -> None:
        stack = cdk.Stack(cdk.App(), "Net", env=HERE)
        vpc = ec2.Vpc(stack, "Vpc", nat_gateways=0)
        endpoint = ec2.InterfaceVpcEndpoint(stack, "Sts", vpc=vpc, service=ec2.InterfaceVpcEndpointAwsService("sts"))
        assert refusal(lambda: make(ArgoCdCapability, vpc_endpoints=[endpoint])) == (
            "Dev/Try: vpc_endpoints[0]: 'Net/Sts' leads to another service; make one for 'eks-capabilities': "
            "VpcEndpoints(..., also=['eks-capabilities']).endpoints['eks-capabilities']"
        )

    @pytest.mark.parametrize(("kind", "what"), [(SsoGroup, "group"), (SsoUser, "user")])
    def test_a_name_is_no_id(self, kind: Any, what: str) -> None:
        assert refusal(lambda: kind(id="Admins")) == (
            f"{kind.__name__}: id: 'Admins' is not the id of a {what} of IAM Identity Center; give its id, not its "
            f"name: aws identitystore list-{what}s --identity-store-id ID"
        )

    def test_ids_are_those_of_the_identity_store(self) -> None:
        pattern = get_session().get_service_model("identitystore").shape_for("ResourceId").metadata["pattern"]
        assert all(re.fullmatch(pattern, one.id) for one in (ADMINS, GUEST))


def test_a_misspelt_service_is_named() -> None:
    stack = cdk.Stack(cdk.App(), "Dev", env=HERE)
    cluster = ImportedCluster(stack, "Cluster", cluster_name="bank")
    ack = AckCapability(stack, "Ack", cluster=cluster, disabled_services=["dynamodbb", "quantum"])
    found = [str(entry.data) for entry in ack.node.metadata if entry.type == "aws:cdk:warning"]
    assert all("automode:AckService" in text for text in found)
    assert [text.partition(" [ack")[0] for text in found] == [
        "disabled_services: 'dynamodbb' is no service of ACK that we know, and EKS ignores unknown ones; did you mean "
        "'dynamodb'?",
        "disabled_services: 'quantum' is no service of ACK that we know, and EKS ignores unknown ones; compare it with "
        "the name of its API group",
    ]


def test_the_page_registers_a_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parents[2] / "docs" / "capabilities.md").read_text("utf-8")
    (program,) = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(program, names)
    (secret,) = names["chart"].to_json()
    assert secret["stringData"]["name"] == "shop"
