"""The chart of guard rails: what it writes, and that everything else which this library writes passes it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import cdk8s
import kubernetes_validate
import pytest
import yaml

from automode_constructs.checks.object_metadata import is_cluster_scoped
from automode_constructs.checks.placement import pods_of
from automode_constructs.patterns import ClusterGuardrails, Guardrails, Tenant
from automode_constructs.patterns.charts.guardrails.settings import RULE_NAMES
from automode_constructs.rendering.render import render
from automode_constructs.specs.pools.node_pool import Taint
from automode_constructs.testing import manifests
from tests.admission import SERVICE_ACCOUNT, STRANGER, ApiServer, Request, User
from tests.patterns.test_patterns import CHARTS

ROOT = Path(__file__).parents[3]
# The bank is judged by its own guard rails, in tests/test_bank.py.
EXAMPLES = [path for path in sorted((ROOT / "examples").glob("*.yaml")) if path.stem != "bank"]

TENANT = Tenant(taint=Taint(key="tenant", value="a", effect="NoSchedule"), namespaces=["team-a"])
GUARDRAILS = Guardrails(
    image_registries=[
        *("public.ecr.aws", "nvcr.io/nvidia", "111122223333.dkr.ecr.eu-central-1.amazonaws.com"),
        *("quay.io/prometheus", "registry.k8s.io/prometheus-adapter"),  # of ModelMetricsChart
    ],
    tenants=[TENANT],
    node_pool_groups=["platform-team"],
    privileged_namespaces=["gpu-metrics", "node-agents"],
    agent_namespaces=["node-agents"],
)


def made(guardrails: Guardrails = GUARDRAILS) -> list[dict[str, Any]]:
    chart = ClusterGuardrails(cdk8s.Testing.app(), "guardrails", guardrails=guardrails)
    return [item.manifest for item in render(chart).objects]


@cache
def server() -> ApiServer:
    return ApiServer(made())


@pytest.mark.parametrize("version", ["1.31", "1.36", "1.37"])
def test_kubernetes_knows_every_field(version: str) -> None:
    for manifest in made():
        assert kubernetes_validate.validate(manifest, version, strict=True) == version


def test_each_rule_is_a_policy_with_its_bindings() -> None:
    names = [
        (manifest["kind"].removeprefix("ValidatingAdmission"), manifest["metadata"]["name"]) for manifest in made()
    ]
    policies = [name for kind, name in names if kind == "Policy"]
    assert policies == [
        "automode-internal-load-balancers",
        "automode-image-registries",
        "automode-image-tags",
        "automode-requests",
        "automode-privileges",
        "automode-tenant-taints",
        "automode-node-pools",
        "automode-node-pools-unverified",
        "automode-pod-security",
    ]
    assert {name for kind, name in names if kind == "PolicyBinding"} == {
        *policies,
        *(f"automode-{rule}-early" for rule in RULE_NAMES[1:6]),
    }


def test_without_tenants_there_is_no_rule_of_theirs() -> None:
    names = {manifest["metadata"]["name"] for manifest in made(Guardrails(image_registries=["public.ecr.aws"]))}
    assert not any("tenant" in name for name in names)


def test_actions_and_failures() -> None:
    for manifest in made():
        spec, name = manifest["spec"], manifest["metadata"]["name"]
        softly = name.endswith(("-early", "-unverified"))
        if manifest["kind"] == "ValidatingAdmissionPolicyBinding":
            assert spec["validationActions"] == (["Warn", "Audit"] if softly else ["Deny"])
        else:
            assert spec["failurePolicy"] == ("Ignore" if softly else "Fail")
            assert spec["matchConstraints"]["matchPolicy"] == "Equivalent"


def test_no_expression_is_longer_than_kubernetes_takes() -> None:
    most = Guardrails(
        image_registries=[f"registry-{number}.example.com/team" for number in range(64)],
        tenants=[
            Tenant(
                taint=Taint(key="tenant", value=f"t{number}", effect="NoSchedule"),
                namespaces=[f"team-{number}-{more}" for more in range(8)],
            )
            for number in range(64)
        ],
    )
    for manifest in made(most):
        for found in ("variables", "validations", "matchConditions"):
            for one in manifest["spec"].get(found, ()):
                # cel-go's limit on the size of an expression, in code points.
                assert len(one["expression"]) < 100_000
        assert len(str(manifest)) < 100 * 1024


def requests_of(manifest: Mapping[str, Any]) -> Iterator[Request]:
    """The requests by which an object of a chart and its pods come to be; anybody may send them but for pools."""
    kind, metadata = manifest["kind"], dict(manifest["metadata"])
    if not is_cluster_scoped(kind):
        metadata.setdefault("namespace", "default")
    member = User(username=STRANGER.username, groups=("platform-team",))
    user = member if kind in ("NodePool", "NodeClass") else STRANGER
    yield Request(new={**manifest, "metadata": metadata}, user=user)
    if pods_of(manifest["apiVersion"].rpartition("/")[0], manifest) and kind != "Pod":
        spec = manifest["spec"]["jobTemplate"]["spec"] if kind == "CronJob" else manifest["spec"]
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "pod", "namespace": metadata["namespace"]},
            "spec": spec["template"]["spec"],
        }
        yield Request(new=pod, user=SERVICE_ACCOUNT)


PSEUDO = {"AccountId": "111122223333", "Region": "eu-central-1", "URLSuffix": "amazonaws.com"}


def filled(text: str) -> str:
    """A text with what a deployment knows of account and region."""
    return re.sub(r"\{\{'Ref': 'AWS::([A-Za-z]+)'\}\}", lambda found: PSEUDO.get(found[1], "x"), text)


def answers_to(manifests: list[dict[str, Any]], by: ApiServer | None = None) -> list[str]:
    return [
        f"{manifest['kind']} {manifest['metadata']['name']}: {answer.policy} {answer.message}"
        for manifest in manifests
        for request in requests_of(manifest)
        for answer in (by or server()).answers(request)
    ]


@pytest.mark.parametrize("name", CHARTS)
def test_every_chart_of_this_library_passes(name: str) -> None:
    manifests = [item.manifest for item in render(CHARTS[name](cdk8s.App())).objects]
    assert manifests
    assert answers_to(manifests) == []


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_every_example_passes(file: Path) -> None:
    assert answers_to([*yaml.safe_load_all(filled(file.read_text("utf-8")))]) == []


def test_the_demos_of_the_app_pass(templates: dict[str, dict[str, Any]]) -> None:
    for template in templates.values():
        delivered = [json.loads(filled(json.dumps(item))) for item in manifests(template)]
        assert answers_to(delivered) == []


def test_pods_are_among_what_was_judged() -> None:
    chart = CHARTS["RetailStoreChart"](cdk8s.App())
    requests = [request for item in render(chart).objects for request in requests_of(item.manifest)]
    assert "Pod" in {request.manifest["kind"] for request in requests}
