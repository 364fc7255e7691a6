"""Tags once on the cluster: what carries them, held against templates, manifests and the page that says so."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from cfnlint.api import lint
from cfnlint.config import ManualArgs
from cfnlint.schema import ResourceNotFoundError
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from automode_constructs import (
    AutoModeCluster,
    ClusterValues,
    ImportedCluster,
    PodIdentityRole,
    SecurityGroupSelectorTerm,
    SubnetSelectorTerm,
)
from automode_constructs.aws.cluster_tags import COVERAGE, coverage_page
from automode_constructs.patterns import AccessStack, ClusterStack, PlatformStack, RetailStoreStack
from tests.refusal import refusal
from tests.support import feature_flags, manifests, of_type, synthesised

TAGS = {"team": "payments", "cost-centre": "4711"}
OF_THE_CDK = ("CustomVpcRestrictDefaultSG", "ClusterKubectlReadyBarrier")
"""Resources that the CDK writes without its own classes, which no tag reaches but the stack's."""
ROOT = Path(__file__).parent.parent.parent


def app_of(region: str) -> dict[str, dict[str, Any]]:
    app = cdk.App(context=feature_flags())
    env = cdk.Environment(region=region)
    cluster = ClusterStack(app, "Bank", cluster_name="bank", tags=TAGS, auto_mode_logs=True, env=env).cluster
    admin = cdk.Fn.join(":", ["arn", cdk.Aws.PARTITION, "iam", "", "111122223333", "role/Admin"])
    AccessStack(app, "Access", cluster=cluster, admin_role_arns=[admin], env=env)
    PlatformStack(app, "Platform", cluster=cluster, env=env)
    RetailStoreStack(app, "Shop", cluster=cluster, env=env)
    return synthesised(app)


@pytest.fixture(scope="module")
def templates() -> dict[str, dict[str, Any]]:
    return app_of("eu-central-1")


@pytest.fixture(scope="module")
def delivered(templates: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    return [item for template in templates.values() for item in manifests(template)]


def tags_of(resource: dict[str, Any]) -> dict[str, str]:
    tags = resource.get("Properties", {}).get("Tags", [])
    return dict(tags) if isinstance(tags, dict) else {tag["Key"]: tag["Value"] for tag in tags}


def takes_tags(kind: str, region: str) -> bool:
    """Whether CloudFormation's own schema of a resource type says that it takes tags when it is created."""
    try:
        schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema(region, kind).schema
    except ResourceNotFoundError:
        return False
    return "Tags" in schema["properties"] and bool(schema.get("tagging", {}).get("taggable", True))


@pytest.mark.parametrize("region", ["eu-central-1", "us-gov-west-1"])
def test_every_resource_whose_schema_takes_tags_has_them(region: str, templates: dict[str, dict[str, Any]]) -> None:
    found = templates if region == "eu-central-1" else app_of(region)
    bare = {
        f"{stack}: {name} ({body['Type']})"
        for stack, template in found.items()
        for name, body in template["Resources"].items()
        if takes_tags(body["Type"], region) and not TAGS.items() <= tags_of(body).items()
        if not name.startswith(OF_THE_CDK)
    }
    assert bare == set()
    kinds = {body["Type"] for template in found.values() for body in template["Resources"].values() if tags_of(body)}
    assert {"AWS::EC2::VPC", "AWS::EKS::Cluster", "AWS::IAM::Role", "AWS::KMS::Key", "AWS::Lambda::Function"} <= kinds
    for template in found.values():
        problems = lint(json.dumps(template), config=ManualArgs(regions=[region]))
        assert [str(one) for one in problems if one.rule.id not in {"W3005", "W6001"}] == []


def test_the_stack_itself_has_them_for_what_the_cdk_adds() -> None:
    app = cdk.App()
    ClusterStack(app, "Bank", cluster_name="bank", tags=TAGS, env=cdk.Environment(region="eu-central-1"))
    (stack,) = app.synth().stacks
    assert dict(stack.tags) == TAGS


def test_nodes_volumes_of_claims_and_load_balancers_have_them(delivered: list[dict[str, Any]]) -> None:
    classes = [item for item in delivered if item["kind"] == "NodeClass"]
    assert classes
    assert all(TAGS.items() <= item["spec"]["tags"].items() for item in classes)
    (storage,) = (item for item in delivered if item["kind"] == "StorageClass")
    assert {value for name, value in storage["parameters"].items() if name.startswith("tagSpecification_")} == {
        "team=payments",
        "cost-centre=4711",
    }
    (balancers,) = (item for item in delivered if item["kind"] == "IngressClassParams")
    assert {tag["key"]: tag["value"] for tag in balancers["spec"]["tags"]} == TAGS


def test_the_cluster_role_may_set_what_the_table_says(templates: dict[str, dict[str, Any]]) -> None:
    (role,) = (
        body for name, body in of_type(templates["Bank"], "AWS::IAM::Role").items() if "ClusterClusterRole" in name
    )
    (policy,) = role["Properties"]["Policies"]
    assert policy["PolicyName"] == "CustomTags"
    statements = {statement["Sid"] for statement in policy["PolicyDocument"]["Statement"]}
    assert {row.statement for row in COVERAGE if row.statement} <= statements


def test_the_page_has_the_table() -> None:
    assert coverage_page() in (ROOT / "docs" / "tags.md").read_text("utf-8")
    assert {row.how for row in COVERAGE} == {"always", "by hand", "never"}


def test_the_program_of_the_page_synthesises() -> None:
    page = (ROOT / "docs" / "tags.md").read_text("utf-8")
    (program,) = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    names: dict[str, Any] = {}
    exec(program, names)
    assert [stack.stack_name for stack in names["app"].synth().stacks] == ["Bank", "BankPlatform"]


def _values(tags: dict[str, str]) -> ClusterValues:
    return ClusterValues(
        cluster_name="theirs",
        region="eu-central-1",
        node_role="nodes",
        node_subnets=[SubnetSelectorTerm(id="subnet-1")],
        node_security_groups=[SecurityGroupSelectorTerm(id="sg-1")],
        built_in_pools=False,
        tags=tags,
    )


def test_a_service_gets_them_as_annotations() -> None:
    values = _values(TAGS)
    assert values.load_balancer_annotations() == {
        "service.beta.kubernetes.io/aws-load-balancer-additional-resource-tags": "team=payments,cost-centre=4711"
    }
    assert values.replace(tags=None).load_balancer_annotations() == {}
    assert values.ingress_class_params_spec().tags is not None
    assert values.replace(tags=None).ingress_class_params_spec().tags is None


def cluster(**arguments: Any) -> AutoModeCluster:
    stack = cdk.Stack(cdk.App(), "Dev")
    return AutoModeCluster(stack, "Cluster", **{"cluster_name": "dev", "built_in_pools": [], **arguments})


def test_tags_of_a_node_come_on_top() -> None:
    values = cluster(tags={"team": "a", "env": "x"}, node_tags={"team": "b"}).values
    assert values.node_tags == {"team": "b", "env": "x"}
    assert values.tags == {"team": "a", "env": "x"}


def test_other_tags_have_a_storage_class_of_another_name() -> None:
    names = [
        cluster(**arguments).values.storage_class
        for arguments in (
            {},
            {"tags": {"a": "b"}},
            {"tags": {"a": "c"}},
            {"volume_key": "aws-owned"},
            {"volume_key": "aws-owned", "tags": {"a": "b"}},
        )
    ]
    assert names[0] is None and names[3] == "gp3-aws-owned"
    assert len(set(names)) == 5
    assert (
        cluster(tags={"a": "b", "c": "d"}).values.storage_class
        == cluster(tags={"c": "d", "a": "b"}).values.storage_class
    )


def test_built_in_pools_are_told_of() -> None:
    made = cluster(tags=TAGS, built_in_pools=["system"], volume_key="aws-owned")
    warnings = cdk.assertions.Annotations.from_stack(cdk.Stack.of(made)).find_warning(
        "*", cdk.assertions.Match.any_value()
    )
    assert any("launches the nodes of ['system'], without tags;" in str(warning.entry.data) for warning in warnings)


def test_a_tag_of_a_construct_wins() -> None:
    stack = cdk.Stack(cdk.App(), "Dev")
    made = AutoModeCluster(stack, "Cluster", cluster_name="dev", built_in_pools=[], tags={"team": "a"})
    cdk.Tags.of(made).add("team", "b")
    template = dict(cdk.assertions.Template.from_stack(stack).to_json())
    (found,) = of_type(template, "AWS::EKS::Cluster").values()
    assert tags_of(found)["team"] == "b"


def test_an_imported_cluster_has_those_of_its_values() -> None:
    app = cdk.App()
    values = _values(TAGS)
    imported = ImportedCluster(cdk.Stack(app, "Imports"), "Cluster", cluster_name="theirs", values=values)
    stack = PlatformStack(app, "Platform", cluster=imported)
    PodIdentityRole(stack, "Role", cluster=imported, namespace="a", service_account="b")
    template = synthesised(app)["Platform"]
    (association,) = of_type(template, "AWS::EKS::PodIdentityAssociation").values()
    assert TAGS.items() <= tags_of(association).items()
    assert ImportedCluster(cdk.Stack(cdk.App(), "Dev"), "Cluster", cluster_name="other").tags == {}


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        ({"aws:x": "y"}, "tags['aws:x']: the key is reserved for AWS and Auto Mode; choose another key"),
        (
            {"kubernetes.io/cluster/x": "y"},
            "tags['kubernetes.io/cluster/x']: the key is reserved for AWS and Auto Mode",
        ),
        ({"karpenter.sh/nodepool": "y"}, "tags['karpenter.sh/nodepool']: the key is reserved for AWS and Auto Mode"),
        ({"": "y"}, "tags['']: a key has 1 to 127 characters, got 0; shorten it"),
        ({"k" * 128: "y"}, "a key has 1 to 127 characters, got 128; shorten it"),
        ({"team": ""}, "tags['team']: a value has 1 to 255 characters, got 0; give a text of that length"),
        ({"a=b": "y"}, "tags['a=b']: 'a=b' is not a tag key; use letters, digits, spaces and '_.:/+@-'"),
        ({"team": "a,b"}, "tags['team']: 'a,b' is not a tag value; use letters, digits, spaces and '_.:/=+@-'"),
        ({"team": "a", "Team": "b"}, "tags['Team']: differs from 'team' only in case, which IAM does not tell apart"),
        ({f"k{n}": "v" for n in range(41)}, "tags: has 41 tags; at most 40 leave room for EKS's own; leave some out"),
        (
            {"team": cdk.Aws.REGION},
            "tags['team']: holds a value known only after deployment; give the text; the name of the StorageClass",
        ),
    ],
)
def test_tags_that_not_everything_can_have_are_refused(tags: dict[str, str], words: str) -> None:
    assert words in refusal(lambda: cluster(tags=tags))
