"""A team in a stack of its own: what AWS gets, in which order it goes, and what would fail there."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_iam as iam
from cfnlint.api import lint
from cfnlint.config import ManualArgs

from automode_constructs import (
    Access,
    AutoModeCluster,
    ClusterRole,
    ImportedCluster,
    NodeClaimSpec,
    NodeClaimTemplate,
    NodePoolSpec,
)
from automode_constructs.patterns import (
    Guardrails,
    GuardrailsStack,
    Team,
    TeamQuota,
    TeamStack,
    team_grants,
    tenants_of,
)
from automode_constructs.specs.labels import ARCH, INSTANCE_CATEGORY
from tests.patterns.charts.test_team_chart import VALUES
from tests.refusal import refusal
from tests.support import feature_flags, manifests, of_type, synthesised
from tests.template_checks import template_findings
from tests.template_order import waits_for

CUSTOM = "Custom::AWSCDK-EKS-KubernetesResource"
NODES = NodePoolSpec(
    template=NodeClaimTemplate(
        spec=NodeClaimSpec(requirements=[INSTANCE_CATEGORY.is_in("m"), ARCH.is_in("amd64")]),
    ),
    limits={"cpu": 64},
)
REGIONS = {"Commercial": "eu-central-1", "Gov": "us-gov-west-1"}


def role(name: str) -> str:
    return cdk.Fn.join(":", ["arn", cdk.Aws.PARTITION, "iam", "", "111122223333", f"role/{name}"])


def blue(**fields: Any) -> Team:
    defaults: dict[str, Any] = {
        "name": "blue",
        "namespaces": {"blue": TeamQuota(cpu=32, memory="128Gi"), "blue-test": TeamQuota(cpu=4, memory="16Gi")},
        "editors": [role("Blue")],
        "viewers": [role("Auditor")],
        "kinds": ["gateways"],
        "service_accounts": {"blue": ["api", "worker"]},
        "nodes": NODES,
        "ingress_group": "blue",
        "tags": {"cost-centre": "4711"},
    }
    return Team(**{**defaults, **fields})


@pytest.fixture(scope="module")
def templates() -> dict[str, dict[str, Any]]:
    app = cdk.App(context=feature_flags())
    for name, region in REGIONS.items():
        env = cdk.Environment(region=region)
        cluster = AutoModeCluster(
            cdk.Stack(app, f"{name}Cluster", env=env),
            "Cluster",
            cluster_name=name.lower(),
            built_in_pools=[],
            node_tags={"all": "yes"},
        )
        team = blue()
        stack = TeamStack(app, f"{name}Team", cluster=cluster, team=team, env=env)
        pods = stack.rights.roles["blue"]["api"]
        pods.role.add_to_principal_policy(iam.PolicyStatement(actions=["s3:ListAllMyBuckets"], resources=["*"]))
        rails = Guardrails(image_registries=["public.ecr.aws"], tenants=tenants_of([team]))
        GuardrailsStack(app, f"{name}Rails", cluster=cluster, guardrails=rails, env=env)
    imported = ImportedCluster(cdk.Stack(app, "Import"), "Cluster", cluster_name="prod", values=VALUES)
    bare = Team(name="bare", namespaces={"bare": TeamQuota(cpu=4, memory="16Gi")})
    TeamStack(app, "Foreign", cluster=imported, team=bare)
    TeamStack(
        app,
        "Gone",
        cluster=imported,
        team=Team(name="gone", namespaces={"gone": TeamQuota(cpu=4, memory="16Gi")}),
        retain_namespaces=False,
    )
    return synthesised(app)


@pytest.mark.parametrize("name", REGIONS)
def test_cloudformation_and_our_own_judge_find_nothing(templates: dict[str, dict[str, Any]], name: str) -> None:
    template = templates[f"{name}Team"]
    assert template_findings(template) == []
    found = lint(json.dumps(template), config=ManualArgs(regions=[REGIONS[name]], include_checks=["W", "E"]))
    assert [str(match) for match in found if match.rule.id != "W3005" and not match.rule.id.startswith("I")] == []


@pytest.mark.parametrize("name", REGIONS)
def test_people_have_policies_in_the_team_s_namespaces_alone(templates: dict[str, dict[str, Any]], name: str) -> None:
    entries = [body["Properties"] for body in of_type(templates[f"{name}Team"], "AWS::EKS::AccessEntry").values()]
    found = {
        json.dumps(entry["AccessPolicies"][0]["PolicyArn"]).rpartition("/")[2].split('"')[0]: (
            entry["AccessPolicies"][0]["AccessScope"],
            entry.get("KubernetesGroups"),
        )
        for entry in entries
    }
    scope = {"Type": "namespace", "Namespaces": ["blue", "blue-test"]}
    assert found == {"AmazonEKSEditPolicy": (scope, ["team-blue"]), "AmazonEKSViewPolicy": (scope, None)}


def test_service_accounts_have_roles(templates: dict[str, dict[str, Any]]) -> None:
    associations = of_type(templates["CommercialTeam"], "AWS::EKS::PodIdentityAssociation").values()
    assert {(one["Properties"]["Namespace"], one["Properties"]["ServiceAccount"]) for one in associations} == {
        ("blue", "api"),
        ("blue", "worker"),
    }


def test_all_aws_resources_carry_the_team_s_tags(templates: dict[str, dict[str, Any]]) -> None:
    template = templates["CommercialTeam"]
    for kind in ("AWS::EKS::AccessEntry", "AWS::EKS::PodIdentityAssociation", "AWS::IAM::Role"):
        for name, body in of_type(template, kind).items():
            assert {"Key": "cost-centre", "Value": "4711"} in body["Properties"]["Tags"], name
    (node_class,) = (item for item in manifests(template) if item["kind"] == "NodeClass")
    assert node_class["spec"]["tags"] == {"all": "yes", "cost-centre": "4711"}
    (params,) = (item for item in manifests(template) if item["kind"] == "IngressClassParams")
    assert params["spec"]["tags"] == [{"key": "cost-centre", "value": "4711"}]


def kinds(template: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Kind and name of each delivered object, by logical id."""
    found: dict[str, tuple[str, str]] = {}
    for name, body in of_type(template, CUSTOM).items():
        (item,) = manifests({"Resources": {name: body}})
        found[name] = (item["kind"], item["metadata"]["name"])
    return found


def test_namespaces_are_deleted_before_the_nodes_and_the_load_balancer(templates: dict[str, dict[str, Any]]) -> None:
    template = templates["CommercialTeam"]
    found, before = kinds(template), waits_for(template)
    namespaces = [name for name, (kind, _) in found.items() if kind == "Namespace"]
    assert len(namespaces) == 2
    for name in namespaces:
        earlier = {found[one][0] for one in before[name] & found.keys()}
        assert {"NodePool", "NodeClass", "IngressClass", "IngressClassParams"} <= earlier


def test_nothing_of_the_team_is_retained(templates: dict[str, dict[str, Any]]) -> None:
    template = templates["CommercialTeam"]
    assert {body.get("DeletionPolicy", "Delete") for body in template["Resources"].values()} == {"Delete"}
    assert "Outputs" not in template or not template["Outputs"]


def test_on_a_cluster_of_others_namespaces_stay_unless_told(templates: dict[str, dict[str, Any]]) -> None:
    kept = {}
    for stack in ("Foreign", "Gone"):
        template = templates[stack]
        (name,) = (one for one, (kind, _) in kinds(template).items() if kind == "Namespace")
        kept[stack] = template["Resources"][name].get("DeletionPolicy", "Delete") != "Delete"
    assert kept == {"Foreign": True, "Gone": False}


def root_of(cluster: AutoModeCluster) -> cdk.App:
    root = cluster.node.root
    assert isinstance(root, cdk.App)
    return root


@pytest.fixture(scope="module")
def home() -> AutoModeCluster:
    return AutoModeCluster(cdk.Stack(cdk.App(), "Home"), "Cluster", cluster_name="home")


def test_tags_that_the_cluster_s_role_may_not_write(home: AutoModeCluster) -> None:
    assert refusal(partial(TeamStack, root_of(home), "Blue", cluster=home, team=blue())) == (
        "Blue: team.tags: are for nodes or a load balancer, which the role of 'Home/Cluster' may not tag, so that "
        "Auto Mode could create none; give the cluster node_tags={...}, which let its role write tags; a new cluster "
        "may have cluster_role=ClusterRole(stack, 'ClusterRole', custom_tags=True) instead"
    )


def test_tags_of_aws_resources_alone_need_no_right(home: AutoModeCluster) -> None:
    space = {"plain": TeamQuota(cpu=1, memory="1Gi")}
    team = blue(name="plain", nodes=None, ingress_group="web", namespaces=space, service_accounts={})
    TeamStack(root_of(home), "Plain", cluster=home, team=team, access=False)


def test_a_role_of_one_s_own_may_write_them(home: AutoModeCluster) -> None:
    app = root_of(home)
    stack = cdk.Stack(app, "Own")
    own = AutoModeCluster(
        stack, "Cluster", cluster_name="own", cluster_role=ClusterRole(stack, "Role", custom_tags=True)
    )
    assert TeamStack(app, "OwnBlue", cluster=own, team=blue()).rights.access is not None


def test_a_role_that_has_an_entry_already(home: AutoModeCluster) -> None:
    team = blue(name="first", tags={}, service_accounts={})
    Access(cdk.Stack(root_of(home), "All"), "Access", cluster=home, grants=team_grants(team))
    words = refusal(partial(TeamStack, root_of(home), "First", cluster=home, team=team))
    assert "has an access entry of 'All/Access' already" in words
    assert TeamStack(root_of(home), "Second", cluster=home, team=team, access=False).rights.access is None


def test_a_service_account_that_is_named_twice(home: AutoModeCluster) -> None:
    team = blue(tags={}, service_accounts={"blue": ["api", "api"]})
    words = refusal(partial(TeamStack, root_of(home), "Twice", cluster=home, team=team, access=False))
    assert "team.service_accounts['blue']: name one twice; name each once" in words
