"""The strict judges: cfn-lint, the CDK's own validator, cdk-nag, each over what the app writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_eks_v2 as eks
from aws_cdk import aws_iam as iam
from cfnlint.api import lint
from cfnlint.config import ManualArgs

import app as the_app
from tests.conftest import AS_OF, default_app
from tests.support import feature_flags
from tools.judge.apps import built
from tools.judge.finding import read, unacknowledged
from tools.judge.nag import SOLUTIONS_PACK, judged

# The CDK writes DependsOn next to references that say the same; harmless, and nothing here is ours to change.
# An output that imports (W6001) is what the guard is made of: CloudFormation counts imports there too.
LINT_ACCEPTED = {"W3005", "W6001"}


def _lint(template: dict[str, Any], region: str) -> list[str]:
    found = lint(json.dumps(template), config=ManualArgs(regions=[region], include_checks=["I", "W", "E"]))
    return [str(match) for match in found if match.rule.id not in LINT_ACCEPTED and not match.rule.id.startswith("I")]


class TestCfnLint:
    @pytest.mark.parametrize("region", ["eu-central-1", "us-gov-west-1"])
    def test_finds_nothing(self, templates: dict[str, dict[str, Any]], region: str) -> None:
        assert {name: _lint(template, region) for name, template in templates.items()} == {key: [] for key in templates}

    def test_would_find_something(self) -> None:
        broken = {"Resources": {"Cluster": {"Type": "AWS::EKS::Cluster", "Properties": {"Nonsense": True}}}}
        assert _lint(broken, "eu-central-1")


class TestCdkValidator:
    def test_passes_the_app_as_errors(self) -> None:
        assert feature_flags()["@aws-cdk/core:validateAgainstDefaultRules"] is True
        default_app(name="validated")

    def test_would_refuse_a_wrong_property(self) -> None:
        app = cdk.App(context=feature_flags())
        the_app.build(app, the_app.Settings(name="broken"), as_of=AS_OF)
        cluster = app.node.find_child("broken-cluster").node.find_child("Cluster").node.find_child("Cluster")
        resource = cluster.node.default_child
        assert isinstance(resource, eks.CfnCluster)
        resource.add_property_override("Nonsense", True)
        with pytest.raises(RuntimeError, match=r"Nonsense|F3002"):
            app.synth()


class TestCdkNag:
    def test_finds_only_what_has_a_reason(self, tmp_path: Path) -> None:
        findings = judged("default", built("default", str(tmp_path)), SOLUTIONS_PACK)
        assert findings
        assert unacknowledged(findings, read()) == []

    def test_would_find_something(self, tmp_path: Path) -> None:
        app = cdk.App(outdir=str(tmp_path))
        iam.Role(
            cdk.Stack(app, "Bad"),
            "Role",
            assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"),
            managed_policies=[iam.ManagedPolicy.from_aws_managed_policy_name("AdministratorAccess")],
        )
        (finding,) = unacknowledged(judged("bad", app, SOLUTIONS_PACK), read())
        assert finding.rule == "IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/AdministratorAccess]"
        assert finding.where == "Bad/Role/Resource"
