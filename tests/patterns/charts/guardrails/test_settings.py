"""The arguments of the guard rails, and what is refused of them."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest

from automode_constructs.facts.access_policies import username_prefix
from automode_constructs.patterns import Guardrails, Tenant
from automode_constructs.patterns.charts.guardrails.settings import MOST_ITEMS, RULE_NAMES
from automode_constructs.specs.pools.node_pool import Taint
from tests.refusal import refusal

TAINT = Taint(key="tenant", value="a", effect="NoSchedule")
TENANT = Tenant(taint=TAINT, namespaces=["team-a"])


EDGE = (
    "Guardrails: public_namespaces[0]: 'Edge' is not the name of a namespace; use at most 63 lower-case letters, "
    "digits and '-'"
)


def made(**arguments: Any) -> Guardrails:
    return Guardrails(**{"image_registries": ["public.ecr.aws"], **arguments})


def test_registries_are_required() -> None:
    assert refusal(Guardrails) == (
        "Guardrails: image_registries: is required: no image would be admitted; name the registries, or write "
        "leave_out=['image-registries']"
    )
    assert Guardrails(leave_out=["image-registries"]).policies()


def test_every_rule_can_be_left_out_and_only_warn() -> None:
    for rule in RULE_NAMES:
        registries = [] if rule == "image-registries" else ["public.ecr.aws"]
        tenants = [] if rule == "tenant-taints" else [TENANT]
        names = {
            one.name for one in Guardrails(image_registries=registries, tenants=tenants, leave_out=[rule]).policies()
        }
        assert not any(name.startswith(f"automode-{rule}") for name in names)
        warned = made(tenants=[TENANT], only_warn=[rule]).policies()
        assert {one.name for one in warned if one.only_warns} - {"automode-node-pools-unverified"} == {
            f"automode-{rule}"
        }
    everything = Guardrails(leave_out=RULE_NAMES)
    assert everything.policies() == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"leave_out": ["request"]},
            "Guardrails: leave_out[0]: 'request' is not known; did you mean 'requests'? Use one of ",
        ),
        ({"pod_security": "strict"}, "Guardrails: pod_security: 'strict' is not known"),
        (
            {"leave_out": ["requests"], "only_warn": ["requests"]},
            "Guardrails: only_warn: 'requests' is left out too; name it in one of the two",
        ),
        (
            {"leave_out": ["image-registries"]},
            "Guardrails: image_registries: is for the rule 'image-registries', which is left out; remove one",
        ),
        (
            {"leave_out": ["node-pools"], "node_pool_groups": ["a"]},
            "Guardrails: node_pool_groups: is for the rule 'node-pools', which is left out; remove one",
        ),
        (
            {"only_warn": ["tenant-taints"]},
            "Guardrails: only_warn: 'tenant-taints' has nothing to warn of without tenants; name tenants",
        ),
        (
            {"agent_namespaces": ["agents"]},
            "Guardrails: agent_namespaces: spares from the taints of tenants, and there are none; name tenants",
        ),
        ({"public_namespaces": ["Edge"]}, EDGE),
        ({"privileged_namespaces": [""]}, "Guardrails: privileged_namespaces[0]: '' is not the name of a namespace"),
        ({"spared_namespaces": ["a'b"]}, 'Guardrails: spared_namespaces[0]: "a\'b" is not the name of a namespace'),
        *(
            (
                {"image_registries": [wrong]},
                f"Guardrails: image_registries[0]: '{wrong}' is not the host of a registry; write it like "
                "'public.ecr.aws', without a scheme, a tag or a slash at its end; Docker Hub is 'docker.io'",
            )
            for wrong in ("https://public.ecr.aws", "public.ecr.aws/", "library", "public.ecr.aws/a:1", "*.example.com")
        ),
        (
            {"node_pool_groups": ["system:authenticated"]},
            "Guardrails: node_pool_groups[0]: 'system:authenticated' is a group of Kubernetes itself, which no access "
            "entry can give; name a group of an access entry, or the service accounts of a namespace "
            "(system:serviceaccounts:<namespace>)",
        ),
        (
            {"trusted_groups": ["system:serviceaccounts:"]},
            "Guardrails: trusted_groups[0]: 'system:serviceaccounts:' is a",
        ),
        ({"trusted_groups": [" "]}, "Guardrails: trusted_groups[0]: ' ' is not the name of a group"),
        (
            {"trusted_role_arns": ["argo"]},
            "Guardrails: trusted_role_arns[0]: 'argo' is not the ARN of an IAM role; write "
            "arn:<partition>:iam::<account>:role/<role>, with its path",
        ),
        (
            {"public_namespaces": [f"n{number}" for number in range(MOST_ITEMS + 1)]},
            "Guardrails: public_namespaces: has 65 items, more than 64; make guard rails with fewer of them",
        ),
        (
            {"tenants": [TENANT, TENANT]},
            "Guardrails: tenants[1].taint: 'tenant=a:NoSchedule' is another tenant's too; give each its own taint",
        ),
        (
            {"tenants": [Tenant(taint=TAINT, namespaces=[])]},
            "Guardrails: tenants[0].namespaces: is empty, so that nobody could use the nodes; name one",
        ),
        (
            {"tenants": [Tenant(taint=TAINT, namespaces=["Team"])]},
            "Guardrails: tenants[0].namespaces[0]: 'Team' is not the name of a namespace",
        ),
        ({"tenants": ["a"]}, "Guardrails: tenants[0]: needs a Tenant, got the text 'a'"),
    ],
)
def test_what_cannot_be_is_refused(arguments: dict[str, Any], message: str) -> None:
    assert refusal(lambda: made(**arguments)).startswith(message)


def test_what_is_known_only_after_deployment() -> None:
    registry = f"{cdk.Aws.ACCOUNT_ID}.dkr.ecr.{cdk.Aws.REGION}.{cdk.Aws.URL_SUFFIX}"
    (policy,) = (one for one in made(image_registries=[registry]).policies() if one.name == "automode-image-registries")
    assert f"'{registry}/'" in policy.variables["found"]
    assert refusal(lambda: made(public_namespaces=[cdk.Aws.STACK_NAME])) == (
        "Guardrails: public_namespaces[0]: is known only after deployment; write a concrete value"
    )


def test_a_quote_in_a_group_stays_a_text() -> None:
    (policy,) = (one for one in made(node_pool_groups=["o'neill\\"]).policies() if one.name == "automode-node-pools")
    assert r"'o\'neill\\'" in policy.conditions["not-a-named-group"]


@pytest.mark.parametrize("partition", ["aws", "aws-us-gov"])
def test_the_username_of_a_role_has_no_path(partition: str) -> None:
    role = ":".join(["arn", partition, "iam", "", "111122223333", "role/team/deep/argo"])
    assert username_prefix(role) == ":".join(["arn", partition, "sts", "", "111122223333", "assumed-role/argo/"])
    assert made(trusted_role_arns=[role]).policies()


def test_the_page_has_each_rule_and_each_argument() -> None:
    text = (Path(__file__).parents[4] / "docs" / "guardrails.md").read_text("utf-8")
    assert re.findall(r"^\| `([a-z-]+)` \|", text, re.MULTILINE) == [*RULE_NAMES]
    assert {field.name for field in fields(Guardrails)} <= {*re.findall(r"[a-z_]+", text)}


def test_a_long_list_is_cut_in_messages() -> None:
    registries = [f"r{number}.example.com" for number in range(10)]
    policies = {policy.name: policy for policy in made(image_registries=registries).policies()}
    assert "r7.example.com and 2 more" in policies["automode-image-registries"].message_expression
    assert "r9.example.com/" in policies["automode-image-registries"].variables["found"]
