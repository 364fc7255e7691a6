"""The bank: all parts of day two together, in a commercial region and in GovCloud."""

from __future__ import annotations

import json
import re
import runpy
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import kubernetes_validate
import pytest
from cfnlint.api import lint
from cfnlint.config import ManualArgs

from automode_constructs.patterns import Team
from automode_constructs.patterns.charts.guardrails.settings import RULE_NAMES
from tests.admission import ApiServer, Request
from tests.cloudformation import Account
from tests.network_policies import Address, Cluster, Pod
from tests.patterns.charts.test_cluster_guardrails import answers_to, filled
from tests.support import feature_flags, manifests, of_type, only
from tests.template_checks import template_findings
from tools.judge.finding import Acknowledgement, Finding, read, unacknowledged, unused
from tools.judge.nag import SOLUTIONS_PACK, judged

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "bank.md").read_text("utf-8")
GOVCLOUD = "us-gov-west-1"
OF_KUBERNETES = {
    "v1",
    "admissionregistration.k8s.io",
    "apps",
    "networking.k8s.io",
    "rbac.authorization.k8s.io",
    "storage.k8s.io",
}
NAMED = {
    "AWS::Backup::BackupVault": "BackupVaultName",
    "AWS::CloudWatch::Dashboard": "DashboardName",
    "AWS::EKS::Cluster": "Name",
    "AWS::Logs::DeliveryDestination": "Name",
    "AWS::Logs::DeliverySource": "Name",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::Logs::QueryDefinition": "Name",
}
"""The properties by which the bank names things itself."""

CONTAINER = {
    "name": "a",
    "image": "public.ecr.aws/docker/library/python:3.13",
    "resources": {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "1Gi"}},
}


@dataclass(frozen=True, kw_only=True)
class Bank:
    """What the example writes for one region."""

    region: str
    templates: dict[str, dict[str, Any]]
    waits_for: dict[str, set[str]]
    nag: list[Finding]
    warnings: list[str]
    teams: list[Team]

    def delivered(self) -> dict[str, list[dict[str, Any]]]:
        """What each stack delivers to the cluster."""
        return {
            name: [json.loads(filled(json.dumps(one))) for one in manifests(template)]
            for name, template in self.templates.items()
        }

    def objects(self) -> list[dict[str, Any]]:
        """All of it."""
        return [one for some in self.delivered().values() for one in some]


def bank_of(region: str, outdir: Path) -> Bank:
    app = cdk.App(
        outdir=str(outdir), context={**feature_flags(), "aws:cdk:enable-path-metadata": True, "region": region}
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cdk, "App", lambda: app)
        patch.setattr(app, "synth", lambda: None)
        names = runpy.run_path(str(ROOT / "examples" / "bank.py"))
    nag = judged("bank", app, SOLUTIONS_PACK)
    artifacts = json.loads((outdir / "manifest.json").read_text("utf-8"))["artifacts"]
    stacks = {name: one for name, one in artifacts.items() if one["type"] == "aws:cloudformation:stack"}
    return Bank(
        region=region,
        templates={name: json.loads((outdir / f"{name}.template.json").read_text("utf-8")) for name in stacks},
        waits_for={name: {*one["dependencies"]} & {*stacks} for name, one in stacks.items()},
        nag=nag,
        warnings=[*_warnings(outdir, stacks)],
        teams=names["TEAMS"],
    )


def _warnings(outdir: Path, stacks: dict[str, Any]) -> Iterator[str]:
    for name in stacks:
        for path, entries in json.loads((outdir / f"{name}.metadata.json").read_text("utf-8")).items():
            for entry in entries:
                if entry["type"] in {"aws:cdk:warning", "aws:cdk:error"}:
                    yield f"{path}: {entry['data']}"


@pytest.fixture(scope="module", params=["us-east-1", GOVCLOUD])
def bank(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bank:
    return bank_of(request.param, tmp_path_factory.mktemp("bank"))


def test_warns_of_nothing(bank: Bank) -> None:
    assert bank.warnings == []


def test_templates_are_valid_where_they_are_deployed(bank: Bank) -> None:
    assert [finding for template in bank.templates.values() for finding in template_findings(template)] == []
    # Those of us-east-1 are linted as the example's.
    for template in bank.templates.values() if bank.region == GOVCLOUD else ():
        found = lint(json.dumps(template), config=ManualArgs(regions=[GOVCLOUD], include_checks=["W", "E"]))
        assert [str(one) for one in found if one.rule.id not in {"W3005", "W6001"}] == []


REASONS = (
    Acknowledgement(
        rules=("IAM4[Policy::*/AWSLambdaBasicExecutionRole]",),
        where=("Bank/Cluster/AutoModeLogs/Updates/Wait/ServiceRole/Resource",),
        reason="the Lambda writes its own log, and nothing else",
    ),
    Acknowledgement(
        rules=("IAM5[Resource::*]",),
        where=("Bank/Cluster/ClusterRole/Role/Resource",),
        reason="tags on whatever Auto Mode creates, whose ids nobody knows; conditions bound it to this cluster",
    ),
    Acknowledgement(
        rules=("IAM4[Policy::*/CloudWatchAgentServerPolicy]", "IAM4[Policy::*/AWSBackupServiceRolePolicyForBackup]"),
        where=("BankWatch/Insights/AddOn/cloudwatch-agent-role/Role/Resource", "BankBackup/Backup/Role/Resource"),
        reason="the policies that AWS documents for the agent and for AWS Backup",
    ),
    Acknowledgement(
        rules=("EC23",),
        where=("BankArgoCd/Endpoint/SecurityGroup/Resource",),
        reason="admits the VPC's block, which the judge cannot read",
    ),
)
"""Why findings about the parts stay; those about the cluster's stack have theirs in the app of this repository."""


def test_cdk_nag_finds_only_what_has_a_reason(bank: Bank) -> None:
    assert bank.nag
    findings = [
        replace(one, where=one.where.replace("Bank/", "automode-cluster/", 1)) if one.where.startswith("Bank/") else one
        for one in bank.nag
        if not any(reason.covers(one) for reason in REASONS)
    ]
    assert [str(one) for one in unacknowledged(findings, read())] == []
    assert unused(bank.nag, [one for one in REASONS if bank.region != GOVCLOUD or "EC23" not in one.rules]) == []


def test_kubernetes_knows_every_field(bank: Bank) -> None:
    kinds = set()
    for manifest in bank.objects():
        if manifest["apiVersion"].split("/")[0] in OF_KUBERNETES:
            assert kubernetes_validate.validate(manifest, "1.36", strict=True) == "1.36"
            kinds.add(manifest["kind"])
    assert {"DaemonSet", "NetworkPolicy", "ResourceQuota", "LimitRange", "ValidatingAdmissionPolicy"} <= kinds


class TestGuardRails:
    def test_refuse_nothing_of_the_bank_but_pools_of_others(self, bank: Bank) -> None:
        stacks = bank.delivered()
        server = ApiServer(stacks.pop("BankRails"))
        assert len(server.policies) == len(RULE_NAMES) + 1
        answers = [answer for bodies in stacks.values() for answer in answers_to(bodies, by=server)]
        # The CDK's own kubectl, which delivers pools, is trusted; these are the answers to a person.
        assert {answer.split(":")[0] for answer in answers if ": automode-node-pools" in answer} == {
            "NodeClass standard",
            "NodePool standard",
            "NodeClass search",
            "NodePool search",
        }
        assert [answer for answer in answers if ": automode-node-pools" not in answer] == []

    def test_keep_others_off_the_nodes_of_search(self, bank: Bank) -> None:
        server = ApiServer(bank.delivered()["BankRails"])
        search = next(team for team in bank.teams if team.name == "search")
        for namespace, refused in (("shop", True), ("search", False), ("node-agents", False)):
            pod = {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": "a", "namespace": namespace},
                "spec": {**search.placement(), "containers": [CONTAINER]},
            }
            assert bool(server.refusals(Request(new=pod))) is refused, namespace


class TestNetwork:
    def test_every_pod_of_the_bank_reaches_what_it_must_on_closed_nodes(self, bank: Bank) -> None:
        network = Cluster(bank.objects(), default_deny=True)
        api, cloud_watch = Address(ip="172.20.0.1"), Address(ip="203.0.113.7", domain_name="monitoring.example.com")
        pods = [Pod.of(one) for one in bank.objects() if one["kind"] == "DaemonSet"]
        assert len(pods) == 2
        for pod in (*pods, Pod(namespace="amazon-cloudwatch")):
            assert network.allows(pod, api, 443) and network.allows(pod, cloud_watch, 443)
        for source in ("shop", "search"):
            assert not network.allows(Pod(namespace=source), Pod(namespace="payments"), 443)
        assert network.allows(Pod(namespace="payments"), Pod(namespace="payments"), 443)
        assert not network.allows(Pod(namespace="payments"), cloud_watch, 443)

    def test_nodes_are_closed(self, bank: Bank) -> None:
        classes = [one["spec"] for one in bank.objects() if one["kind"] == "NodeClass"]
        assert len(classes) == 2
        assert {one["networkPolicy"] for one in classes} == {"DefaultDeny"}
        assert all(one["advancedSecurity"]["fips"] for one in classes)


class TestOrder:
    def test_an_add_on_waits_for_pools_and_for_the_agent_that_removes_their_taint(self, bank: Bank) -> None:
        assert {"BankPlatform", "BankAgents", "BankTeamSearch"} <= bank.waits_for["BankWatch"]

    def test_guard_rails_come_last(self, bank: Bank) -> None:
        deliver = {name for name, bodies in bank.delivered().items() if bodies}
        assert deliver - {"BankRails"} <= bank.waits_for["BankRails"]

    def test_no_part_waits_for_another_that_it_does_not_need(self, bank: Bank) -> None:
        assert bank.waits_for["BankAccess"] == {"Bank", "BankPager"}
        assert bank.waits_for["BankTeamShop"] == {"Bank"}


def test_names_in_the_account_are_taken_once(bank: Bank) -> None:
    names = [
        (resource["Type"], json.dumps(resource["Properties"][field]))
        for template in bank.templates.values()
        for kind, field in NAMED.items()
        for resource in of_type(template, kind).values()
        if field in resource["Properties"]
    ]
    assert len(names) > 10
    assert len(names) == len(set(names))


def test_one_topic_hears_of_everything_and_its_policy_admits_who_tells(bank: Bank) -> None:
    assert [name for name, template in bank.templates.items() if of_type(template, "AWS::SNS::Topic")] == ["BankPager"]
    policy = only(bank.templates["BankPager"], "AWS::SNS::TopicPolicy")["Properties"]["PolicyDocument"]
    tellers = json.dumps(policy)
    assert all(f"{service}.amazonaws.com" in tellers for service in ("cloudwatch", "events", "backup"))


def test_logs_have_a_key_and_stay_two_years(bank: Bank) -> None:
    groups = [
        group["Properties"]
        for template in bank.templates.values()
        for group in of_type(template, "AWS::Logs::LogGroup").values()
    ]
    assert len(groups) >= 10
    assert all("KmsKeyId" in group for group in groups)
    assert {group["RetentionInDays"] for group in groups if str(group.get("LogGroupName", "")).startswith("/aws/")} == {
        731
    }


def test_govcloud_lacks_two_parts(bank: Bank) -> None:
    types = {resource["Type"] for template in bank.templates.values() for resource in template["Resources"].values()}
    left_out = {"AWS::APS::Scraper", "AWS::EKS::Capability"}
    assert types & left_out == (set() if bank.region == GOVCLOUD else left_out)
    assert ("BankArgoCd" in bank.templates) is (bank.region != GOVCLOUD)
    assert {"AWS::EKS::Addon", "AWS::Backup::BackupPlan", "AWS::CloudWatch::Dashboard", "AWS::Logs::Delivery"} <= types


def test_all_that_can_be_tagged_has_the_tag_of_the_bank_or_is_not_of_the_cluster(bank: Bank) -> None:
    bare = {
        f"{name}: {resource['Type']}"
        for name, template in bank.templates.items()
        for resource in template["Resources"].values()
        if (tags := resource.get("Properties", {}).get("Tags")) is not None and "platform" not in json.dumps(tags)
    }
    assert bare == set()
    role = only(bank.templates["BankTeamPayments"], "AWS::IAM::Role")["Properties"]
    assert {tag["Key"]: tag["Value"] for tag in role["Tags"]} == {"cost-centre": "4711", "platform": "bank"}


def test_a_second_deployment_changes_nothing(bank: Bank) -> None:
    account = Account()
    here = {name: template for name, template in bank.templates.items() if name != "BankCopies"}  # another region
    assert account.deploy(here).refused == []
    again = account.deploy(here)
    assert (again.refused, again.replaced, again.deleted) == ([], [], [])


class TestPage:
    def test_the_sum_is_the_sum(self) -> None:
        (table,) = re.findall(r"<!-- costs: begin -->\n(.*?)<!-- costs: end -->", PAGE, re.DOTALL)
        *parts, total = [Decimal(found) for found in re.findall(r"\| \**([0-9]+\.[0-9]{2})\** \|", table)]
        assert len(parts) == 9
        assert sum(parts) == total

    def test_the_keys_are_those_of_the_app(self, bank: Bank) -> None:
        keys = [name for template in bank.templates.values() for name in of_type(template, "AWS::KMS::Key")]
        assert len(keys) == 6
        assert "Six keys" in PAGE

    def test_every_stack_has_its_row_with_what_it_waits_for(self, bank: Bank) -> None:
        rows = {
            name: set(re.findall(r"`(Bank[A-Za-z]*)`", row.split("|")[3]))
            for row in PAGE.splitlines()
            if row.startswith("| `Bank")
            for name in re.findall(r"`(Bank[A-Za-z]*)`", row.split("|")[1])
        }
        assert bank.templates.keys() <= rows.keys()
        for name in bank.templates.keys() - {"BankRails", "BankBackup", "BankCopies"}:
            assert bank.waits_for[name] - {"Bank"} == rows[name] - {"Bank"}, name
