"""What users test their own apps with, and what stands behind it."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import cdk8s
import pytest
from aws_cdk import aws_kms as kms

from automode_constructs import AutoModeCluster, ChartDelivery, KubernetesObject
from automode_constructs.errors import Problem
from automode_constructs.testing import assert_replaces_nothing, findings, manifests, templates
from tests.conftest import default_app
from tests.refusal import refusal

ROOT = Path(__file__).parents[1]

Templates = dict[str, dict[str, Any]]


def job(image: str) -> cdk8s.Chart:
    chart = cdk8s.Chart(cdk8s.App(), "jobs")
    pod = {"restartPolicy": "Never", "containers": [{"name": "a", "image": image}], "nodeSelector": {"team": "none"}}
    KubernetesObject(
        chart,
        "one",
        api_version="batch/v1",
        kind="Job",
        cluster_scoped=False,
        body={"spec": {"template": {"metadata": {"labels": {"a": "b"}}, "spec": pod}}},
    )
    return chart


class TestManifests:
    def test_of_a_chart_and_of_the_chart_in_it(self) -> None:
        chart = job("a:1")
        KubernetesObject(cdk8s.Chart(chart, "inner"), "config", api_version="v1", kind="ConfigMap", body={"data": {}})
        assert [(item["kind"], item["metadata"]["name"]) for item in manifests(chart)] == [
            ("Job", "one"),
            ("ConfigMap", "config"),
        ]

    def test_of_a_template(self, platform_template: dict[str, Any]) -> None:
        objects = {item["metadata"]["name"]: item for item in manifests(platform_template)}
        assert {"amazon-vpc-cni", "standard", "general", "critical", "spot", "graviton", "gp3", "alb"} == set(objects)
        assert objects["standard"]["spec"]["role"].startswith("{{'Fn::ImportValue'")

    def test_of_anything_else_is_refused(self) -> None:
        assert refusal(lambda: manifests("chart")) == (  # type: ignore[arg-type]
            "manifests: source: needs a Chart or a mapping, got the text 'chart'"
        )
        assert refusal(lambda: manifests({"Resources": {"Key": {}}})) == (
            "manifests: source: is not a CloudFormation template but a mapping; pass one of templates(app).values()"
        )
        assert refusal(lambda: manifests({"eks": {"Resources": {}}})).startswith("manifests: source: is not a Cloud")

    def test_of_a_template_without_resources(self) -> None:
        assert manifests({"Parameters": {}}) == []

    def test_of_a_chart_with_an_error_is_refused(self) -> None:
        chart = cdk8s.Chart(cdk8s.App(), "broken")
        cdk8s.ApiObject(chart, "nameless", api_version="v1", kind="ConfigMap").add_json_patch(
            cdk8s.JsonPatch.remove("/metadata/name")
        )
        assert "broken/nameless: " in refusal(lambda: manifests(chart))


class TestFindings:
    def test_warnings_of_every_stage_by_id_and_path(self) -> None:
        app = cdk.App()
        stack = cdk.Stack(cdk.Stage(app, "Prod"), "Eks", env=cdk.Environment(region="eu-central-1"))
        cluster = AutoModeCluster(stack, "Cluster", cluster_name="prod")
        assert [(problem.severity, problem.rule, problem.where) for problem in findings(app)] == [
            ("warning", "automode:BuiltInPoolsDefaults", "Prod/Eks/Cluster"),
            ("warning", "automode:NoAdmin", "Prod/Eks/Cluster"),
        ]
        assert str(findings(app)[1]).startswith("Prod/Eks/Cluster: admin_role_arns: no role is named")
        for rule in ("automode:BuiltInPoolsDefaults", "automode:NoAdmin"):
            cdk.Annotations.of(cluster).acknowledge_warning(rule)
        assert findings(app) == []

    def test_what_fails_when_the_app_is_put_together(self) -> None:
        app = cdk.App()
        stack = cdk.Stack(app, "Eks", env=cdk.Environment(region="eu-central-1"))
        cluster = AutoModeCluster(stack, "Cluster", cluster_name="c")
        ChartDelivery(stack, "Jobs", cluster=cluster, chart=job("a:1"))
        cdk.Annotations.of(cluster).add_error("of the user's own")
        errors = [problem for problem in findings(app) if problem.severity == "error"]
        assert errors[0].where == "Eks/Jobs"
        assert errors[0].message.startswith("jobs/one: spec.template.spec.nodeSelector: Job 'one' fits no pool")
        assert errors[1:] == [Problem(where="Eks/Cluster", field="", message="of the user's own")]

    def test_another_failure_is_not_a_finding(self) -> None:
        app = cdk.App()
        first, second = cdk.Stack(app, "A"), cdk.Stack(app, "B")
        cdk.CfnOutput(first, "O", value=kms.Key(second, "K").key_arn)
        cdk.CfnOutput(second, "O", value=kms.Key(first, "K").key_arn)
        with pytest.raises(RuntimeError, match=r"cyclic|circular"):
            findings(app)

    def test_of_anything_else_are_refused(self) -> None:
        stack: Any = cdk.Stack(cdk.App(), "S")
        assert refusal(lambda: findings(stack)) == "S: app: needs a cdk.App or a cdk.Stage, got a Stack"
        assert refusal(lambda: templates(stack)) == (
            "S: source: needs a cdk.App or a cdk.Stage, a text or a path, got a Stack"
        )


class TestTemplates:
    def test_of_stages_and_of_a_folder_are_the_same(self, tmp_path: Path) -> None:
        app = cdk.App(outdir=str(tmp_path))
        for region in ("eu-west-1", "eu-west-2"):
            stage = cdk.Stage(app, region, env=cdk.Environment(region=region))
            kms.Key(cdk.Stack(stage, "Keys", stack_name="keys"), "Key")
        kms.Key(cdk.Stack(app, "Alone"), "Key")
        assert set(templates(app)) == {
            "Alone",
            "keys (aws://unknown-account/eu-west-1)",
            "keys (aws://unknown-account/eu-west-2)",
        }
        assert templates(app) == templates(tmp_path) == templates(str(tmp_path))

    def test_a_folder_without_an_assembly(self, tmp_path: Path) -> None:
        assert refusal(lambda: templates(tmp_path)) == (
            f"templates: source: {tmp_path}/manifest.json cannot be read (No such file or directory); "
            "give the folder that cdk synth wrote"
        )
        for text in ("{", "[]", "{}"):
            (tmp_path / "manifest.json").write_text(text, "utf-8")
            assert refusal(lambda: templates(tmp_path)) == (
                f"templates: source: {tmp_path}/manifest.json is not the manifest of a cloud assembly; "
                "give the folder that cdk synth wrote"
            )


def _cluster(template: dict[str, Any]) -> dict[str, Any]:
    resource: dict[str, Any] = template["Resources"]["ClusterC2E21B66"]
    return resource


def _gone(all_templates: Templates) -> None:
    del all_templates["automode-cluster"]["Resources"]["NetworkVpc7FB7348F"]


def _renamed(all_templates: Templates) -> None:
    resources = all_templates["automode-cluster"]["Resources"]
    resources["Other"] = resources.pop("ClusterVolumeKeyCBCDEE22")


def _other_type(all_templates: Templates) -> None:
    _cluster(all_templates["automode-cluster"])["Type"] = "AWS::EKS::Nodegroup"


def _create_only(all_templates: Templates) -> None:
    _cluster(all_templates["automode-cluster"])["Properties"]["KubernetesNetworkConfig"]["IpFamily"] = "ipv6"


def _hidden_in_a_function(all_templates: Templates) -> None:
    properties = _cluster(all_templates["automode-cluster"])["Properties"]
    properties["KubernetesNetworkConfig"] = {"Fn::If": ["C", properties["KubernetesNetworkConfig"], {}]}


def _no_stack(all_templates: Templates) -> None:
    del all_templates["automode-guard"]


def _service_token(all_templates: Templates) -> None:
    resources = all_templates["automode-platform"]["Resources"]
    resources["NodePoolsNodePoolSpot43265A29"]["Properties"]["ServiceToken"] = "arn"


CHANGES: dict[str, tuple[Callable[[Templates], None], str]] = {
    "gone": (_gone, "automode-cluster/NetworkVpc7FB7348F: AWS::EC2::VPC is gone"),
    "another logical id": (_renamed, "automode-cluster/ClusterVolumeKeyCBCDEE22: AWS::KMS::Key is gone"),
    "another type": (
        _other_type,
        "automode-cluster/ClusterC2E21B66: AWS::EKS::Cluster becomes AWS::EKS::Nodegroup, which CloudFormation refuses",
    ),
    "create-only": (
        _create_only,
        "automode-cluster/ClusterC2E21B66: AWS::EKS::Cluster is replaced, because KubernetesNetworkConfig.IpFamily "
        "cannot change in place",
    ),
    "hidden in a function": (
        _hidden_in_a_function,
        "automode-cluster/ClusterC2E21B66: AWS::EKS::Cluster is replaced, because KubernetesNetworkConfig.IpFamily, "
        "KubernetesNetworkConfig.ServiceIpv4Cidr cannot change in place",
    ),
    "a stack": (_no_stack, "automode-guard: is gone"),
    "the handler": (
        _service_token,
        "automode-platform/NodePoolsNodePoolSpot43265A29: Custom::AWSCDK-EKS-KubernetesResource: ServiceToken changes, "
        "which CloudFormation refuses",
    ),
}


class TestReplacesNothing:
    def test_holds_for_an_upgrade_of_kubernetes(self, templates: Templates) -> None:
        assert_replaces_nothing(templates, default_app(version="1.37"))

    @pytest.mark.parametrize("name", CHANGES)
    def test_names_what_is_lost(self, templates: Templates, name: str) -> None:
        change, loss = CHANGES[name]
        after = copy.deepcopy(templates)
        change(after)
        with pytest.raises(AssertionError) as raised:
            assert_replaces_nothing(templates, after)
        assert str(raised.value).splitlines() == ["the deployment loses what is there, 1 times", loss]
        assert_replaces_nothing(templates, after, except_for=[loss.partition(": ")[0]])
        assert_replaces_nothing(after, after)

    def test_what_the_api_server_refuses(self) -> None:
        old, new = (delivering(manifests(job(image))) for image in ("a:1", "a:2"))
        field = r"spec.template.spec.containers\[0\].image"
        with pytest.raises(AssertionError, match=rf"J: Job/one: {field} changes, which the API server refuses"):
            assert_replaces_nothing(old, new)
        klass = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "gp3"}}
        old, new = (
            delivering([klass | {"provisioner": "ebs.csi.eks.amazonaws.com", "parameters": {"type": kind}}])
            for kind in ("gp2", "gp3")
        )
        with pytest.raises(AssertionError, match=r"J: StorageClass/gp3: parameters.type changes, which the API server"):
            assert_replaces_nothing(old, new)

    def test_anything_else_is_refused(self) -> None:
        stack: Any = cdk.Stack(cdk.App(), "S")
        assert refusal(lambda: assert_replaces_nothing({}, stack)) == (
            "assert_replaces_nothing: after: needs a cdk.App or a cdk.Stage, a text, a path or a mapping, got a Stack"
        )
        assert refusal(lambda: assert_replaces_nothing({"eks": {"Resources": []}}, {})) == (
            "assert_replaces_nothing: before['eks']: is not a CloudFormation template but a mapping; "
            "pass one of templates(app).values()"
        )

    def test_a_type_that_is_none_of_ours_must_not_change_at_all(self) -> None:
        old: dict[str, Any] = {"Resources": {"T": {"Type": "AWS::DynamoDB::Table", "Properties": {"TableName": "a"}}}}
        new = copy.deepcopy(old)
        assert_replaces_nothing(old, new)
        new["Resources"]["T"]["Properties"]["TableName"] = "b"
        with pytest.raises(AssertionError, match="T: AWS::DynamoDB::Table: TableName changes, and whether that repl"):
            assert_replaces_nothing(old, new)


def delivering(items: list[dict[str, Any]]) -> dict[str, Any]:
    properties = {"ServiceToken": "t", "Manifest": json.dumps(items)}
    return {"Resources": {"J": {"Type": "Custom::AWSCDK-EKS-KubernetesResource", "Properties": properties}}}


def test_the_page_does_what_it_shows() -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "testing.md").read_text("utf-8"), flags=re.DOTALL)
    assert len(blocks) == 1
    known: dict[str, Any] = {}
    exec(compile(blocks[0], "docs/testing.md", "exec"), known)
    tests = [name for name in known if name.startswith("test_")]
    assert len(tests) == 3
    for name in tests:
        known[name]()
