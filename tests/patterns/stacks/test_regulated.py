"""The switch for regulated companies: what it turns on, refuses, and says in the docs."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, cast

import aws_cdk as cdk
import pytest
from aws_cdk import aws_logs as logs

import app as the_app
from automode_constructs import AutoModeError, NodeDefaults
from automode_constructs.patterns import ClusterStack
from automode_constructs.patterns.stacks.regulated import SETTINGS, regulated_page
from automode_constructs.testing import findings
from tests.admission import ApiServer
from tests.conftest import AS_OF, default_app
from tests.patterns.charts.test_cluster_guardrails import answers_to, filled
from tests.refusal import refusal
from tests.support import manifests, of_type, only

ROOT = Path(__file__).parents[3]
US = cdk.Environment(region="us-east-1", account="111122223333")
CERTIFICATE = "arn:aws:acm:us-east-1:111122223333:certificate/12345678-1234-1234-1234-123456789012"


def make(env: cdk.Environment | None = US, **arguments: Any) -> ClusterStack:
    arguments = {"support_type": "EXTENDED", **arguments}
    return ClusterStack(cdk.App(), "Bank", cluster_name="bank", regulated=True, env=env, **arguments)


@pytest.fixture(scope="module")
def regulated() -> dict[str, dict[str, Any]]:
    """The templates of the app with the switch on."""
    return default_app(
        regulated="true", support_type="STANDARD", region="us-east-1", certificate_arns=CERTIFICATE, name="bank"
    )


class TestRefusals:
    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (
                {"ephemeral": True},
                "ephemeral: True is refused by regulated=True: keys and logs would go with the stack; leave out one of "
                "the two",
            ),
            (
                {"hardened_pools": False},
                "hardened_pools: False is refused by regulated=True: EKS's own pools have none of your keys and "
                "settings; leave it out",
            ),
            (
                {"endpoint_cidrs": ["203.0.113.7/32"]},
                "endpoint_cidrs: a public endpoint is refused by regulated=True; leave them out, and reach the API "
                "from inside the VPC: a VPN, Direct Connect, or SSM on an instance there",
            ),
            *(
                (
                    {field: "aws-owned"},
                    f"{field}: 'aws-owned' is refused by regulated=True; leave it out for a new key, or pass a key of "
                    "yours",
                )
                for field in ("secrets_key", "volume_key", "log_key")
            ),
            (
                {"support_type": None},
                "support_type: must be chosen with regulated=True; write 'STANDARD', where AWS upgrades the cluster "
                "when standard support ends, or 'EXTENDED', which costs more in the year after",
            ),
            (
                {"log_retention": logs.RetentionDays.SIX_MONTHS},
                "log_retention: SIX_MONTHS is refused by regulated=True; keep logs for at least one year",
            ),
            (
                {"node_defaults": NodeDefaults(fips=False)},
                "node_defaults.fips: False is refused by regulated=True; leave it out",
            ),
            (
                {"node_defaults": NodeDefaults(network_policy="DefaultAllow")},
                "node_defaults.network_policy: 'DefaultAllow' is refused by regulated=True; leave it out",
            ),
            (
                {"node_defaults": NodeDefaults(associate_public_ip=True)},
                "node_defaults.associate_public_ip: True is refused by regulated=True; leave it out",
            ),
        ],
        ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
    )
    def test_names_what_contradicts(self, arguments: dict[str, Any], words: str) -> None:
        with pytest.raises(AutoModeError) as caught:
            make(**arguments)
        assert words in [str(problem) for problem in caught.value.problems]

    def test_reports_all_at_once_and_leaves_the_id_free(self) -> None:
        app = cdk.App()
        wrong: dict[str, Any] = {"ephemeral": True, "secrets_key": "aws-owned"}
        with pytest.raises(AutoModeError, match="Bank: 3 problems"):
            ClusterStack(app, "Bank", cluster_name="bank", regulated=True, **wrong)
        ClusterStack(app, "Bank", cluster_name="bank", regulated=True, support_type="STANDARD")

    def test_no_fips_is_no_mistake_where_aws_has_none(self) -> None:
        make(env=cdk.Environment(region="eu-west-1"), node_defaults=NodeDefaults(fips=False))

    def test_says_that_an_unknown_region_gets_no_fips(self) -> None:
        words = "regulated: the stack names no region, so its nodes get no FIPS images; name the region in env="
        assert words in [finding.message for finding in findings(cast(cdk.App, make(env=None).node.root))]


class TestPoolsWithoutKubectl:
    def test_somebody_must_apply_them(self) -> None:
        assert refusal(lambda: ClusterStack(cdk.App(), "Dev", cluster_name="dev", kubectl=False)) == (
            "Dev: pools_applied_by: is required with kubectl=False: nothing here applies the pools, and without them "
            "no node starts; write 'argo-cd', or 'operator' for people who run the output ApplyPoolsCommand; or take "
            "EKS's own pools by hardened_pools=False"
        )

    def test_people_get_the_command(self) -> None:
        stack = make(kubectl=False, pools_applied_by="operator")
        outputs = cdk.assertions.Template.from_stack(stack).to_json()["Outputs"]
        assert outputs["ApplyPoolsCommand"]["Value"] == "kubectl apply --server-side --filename manifests"

    @pytest.mark.parametrize(
        ("arguments", "reason"),
        [({}, "kubectl delivers the pools"), ({"kubectl": False, "hardened_pools": False}, "EKS brings its own pools")],
    )
    def test_the_word_must_be_needed(self, arguments: dict[str, Any], reason: str) -> None:
        assert refusal(
            lambda: ClusterStack(cdk.App(), "Dev", cluster_name="dev", pools_applied_by="argo-cd", **arguments)
        ) == (f"Dev: pools_applied_by: 'argo-cd' contradicts the rest: {reason}; leave it out")


class TestApp:
    def test_nodes_are_fips_closed_and_private(self, regulated: dict[str, dict[str, Any]]) -> None:
        (spec,) = [body["spec"] for body in manifests(regulated["bank-platform"]) if body["kind"] == "NodeClass"]
        assert spec["advancedSecurity"]["fips"] is True
        assert spec["networkPolicy"] == "DefaultDeny"
        assert spec["advancedNetworking"]["associatePublicIPAddress"] is False

    def test_the_endpoint_is_private(self, regulated: dict[str, dict[str, Any]]) -> None:
        network = only(regulated["bank-cluster"], "AWS::EKS::Cluster")["Properties"]["ResourcesVpcConfig"]
        assert (network["EndpointPrivateAccess"], network["EndpointPublicAccess"]) == (True, False)

    def test_every_log_group_has_a_key_and_stays_long(self, regulated: dict[str, dict[str, Any]]) -> None:
        groups = [
            group["Properties"]
            for stack in regulated.values()
            for group in of_type(stack, "AWS::Logs::LogGroup").values()
        ]
        assert len(groups) >= 5
        assert all("KmsKeyId" in group for group in groups)
        kept = {str(group.get("LogGroupName", "")): group["RetentionInDays"] for group in groups}
        assert kept["/aws/eks/bank/cluster"] == kept["/aws/vendedlogs/eks/bank/auto-mode"] == 731

    def test_weights_and_images_have_keys(self, regulated: dict[str, dict[str, Any]]) -> None:
        (rule,) = only(regulated["bank-weights"], "AWS::S3::Bucket")["Properties"]["BucketEncryption"][
            "ServerSideEncryptionConfiguration"
        ]
        assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
        for repository in of_type(regulated["bank-gpt-oss"], "AWS::ECR::Repository").values():
            assert repository["Properties"]["EncryptionConfiguration"]["EncryptionType"] == "KMS"

    def test_repositories_with_a_key_have_names_of_their_own(self, regulated: dict[str, dict[str, Any]]) -> None:
        # ECR gives no repository another key, so CloudFormation could not update one of the same name.
        plain = default_app(region="us-east-1", name="bank")["bank-gpt-oss"]
        names = [
            {item["Properties"]["RepositoryName"] for item in of_type(template, "AWS::ECR::Repository").values()}
            for template in (plain, regulated["bank-gpt-oss"])
        ]
        assert len(names[0]) == len(names[1]) == 2
        assert not names[0] & names[1]
        # And a Job takes no other image.
        jobs = [
            {body["metadata"]["name"] for body in manifests(template) if body["kind"] == "Job"}
            for template in (plain, regulated["bank-gpt-oss"])
        ]
        assert not jobs[0] & jobs[1]

    def test_load_balancers_speak_tls(self, regulated: dict[str, dict[str, Any]]) -> None:
        (params,) = [body for body in manifests(regulated["bank-platform"]) if body["kind"] == "IngressClassParams"]
        assert params["spec"]["certificateARNs"] == [CERTIFICATE]
        assert "TLS13" in params["spec"]["sslPolicy"]

    def test_guard_rails_come_last(self, regulated: dict[str, dict[str, Any]]) -> None:
        kinds = {body["kind"] for body in manifests(regulated["bank-guardrails"])}
        assert kinds == {"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"}

    def test_what_the_app_delivers_passes_its_own_guard_rails(self, regulated: dict[str, dict[str, Any]]) -> None:
        delivered = {
            name: [json.loads(filled(json.dumps(body))) for body in manifests(template)]
            for name, template in regulated.items()
        }
        server = ApiServer(delivered.pop("bank-guardrails"))
        assert len(server.policies) >= 7
        answers = [answer for bodies in delivered.values() for answer in answers_to(bodies, by=server)]
        # Of a person; the CDK's own kubectl, which delivers the pools, is trusted.
        answers = [answer for answer in answers if ": automode-node-pools" not in answer]
        assert answers == []

    def test_the_shop_needs_a_certificate(self) -> None:
        settings = the_app.Settings(regulated=True, support_type="STANDARD")
        assert refusal(lambda: the_app.build(cdk.App(), settings, as_of=AS_OF)) == (
            "context: certificate_arns: is required by regulated=true: the shop's load balancer would speak plain "
            "HTTP; name a certificate of ACM in the cluster's region, or write -c demos=gpt-oss"
        )

    def test_registries_are_for_the_guard_rails(self) -> None:
        settings = the_app.Settings(image_registries=("public.ecr.aws",))
        assert refusal(lambda: the_app.build(cdk.App(), settings, as_of=AS_OF)) == (
            "context: image_registries: is for the guard rails; write regulated=true too"
        )


def test_the_page_has_the_table_of_the_code() -> None:
    text = (ROOT / "docs" / "regulated.md").read_text("utf-8")
    (table,) = re.findall(r"<!-- settings: begin -->\n(.*?)<!-- settings: end -->", text, re.DOTALL)
    assert table.strip() == regulated_page().strip()
    assert all(setting.name in table for setting in SETTINGS)
