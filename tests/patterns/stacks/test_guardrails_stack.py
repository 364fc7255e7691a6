"""The guard rails are created after everything else of the app and deleted before it, in whichever stack it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import cdk8s
import pytest
from aws_cdk.assertions import Annotations, Match

import app as the_app
from automode_constructs import ChartDelivery, KubernetesObject, patterns
from automode_constructs.manifests.cluster_values import KUBECTL_GROUP
from automode_constructs.patterns import ClusterGuardrails, Guardrails, GuardrailsStack
from automode_constructs.patterns.stacks.cluster_stack import ClusterStack
from tests.conftest import AS_OF
from tests.delivery.test_chart_delivery import Scene, new_chart, thing
from tests.patterns.stacks.test_guard_stack import Assembly
from tests.support import feature_flags, manifests, of_type
from tests.template_order import most_at_once, waits_for

GUARDRAILS = Guardrails(image_registries=["public.ecr.aws"])
CUSTOM = "Custom::AWSCDK-EKS-KubernetesResource"
POLICIES = ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")


def rails(id: str = "rails") -> cdk8s.Chart:
    return ClusterGuardrails(cdk8s.App(), id, guardrails=GUARDRAILS)


def kinds(template: dict[str, Any]) -> dict[str, str]:
    """The kind of each delivered object, by logical id."""
    resources = of_type(template, CUSTOM)
    return {name: manifests({"Resources": {name: body}})[0]["kind"] for name, body in resources.items()}


def is_last(template: dict[str, Any]) -> bool:
    """Whether each binding waits for all policies, and each policy for everything else."""
    found, before = kinds(template), waits_for(template)
    policies = {name for name, kind in found.items() if kind == POLICIES[0]}
    bindings = {name for name, kind in found.items() if kind == POLICIES[1]}
    others = found.keys() - policies - bindings
    assert policies and bindings
    return all(others <= before[name] for name in policies) and all(policies <= before[name] for name in bindings)


def warned(stack: cdk.Stack) -> list[str]:
    found = Annotations.from_stack(stack).find_warning("*", Match.string_like_regexp("automode:AdmissionPolicyNotLast"))
    return [str(entry.entry.data) for entry in found]


class Guarded(Assembly):
    """The app with its demos, and guard rails."""

    def __init__(self) -> None:
        self.made = cdk.App(context=feature_flags())
        the_app.build(self.made, the_app.Settings(name="dev"), as_of=AS_OF)
        cluster = self.made.node.find_child("dev-cluster")
        assert isinstance(cluster, ClusterStack)
        GuardrailsStack(self.made, "dev-guardrails", cluster=cluster.cluster, guardrails=GUARDRAILS)
        self.read(self.made)

    def after(self, name: str) -> set[str]:
        return {*self.artifacts[name].get("dependencies", ())}


@pytest.fixture(scope="module")
def guarded() -> Guarded:
    return Guarded()


class TestInTheApp:
    def test_its_stack_comes_after_every_stack_that_delivers(self, guarded: Guarded) -> None:
        delivering = {name for name in guarded.stacks if kinds(guarded.template(name))} - {"dev-guardrails"}
        assert delivering == {"dev-platform", "dev-retail-store", "dev-gpt-oss"}
        assert delivering <= guarded.after("dev-guardrails")
        assert not any("dev-guardrails" in guarded.after(name) for name in guarded.stacks)

    def test_policies_then_bindings(self, guarded: Guarded) -> None:
        template = guarded.template("dev-guardrails")
        assert is_last(template)
        assert most_at_once([*kinds(template)], waits_for(template)) == 3

    def test_it_waits_for_no_crd_again(self, guarded: Guarded) -> None:
        types = {body["Type"] for body in guarded.template("dev-guardrails")["Resources"].values()}
        assert types <= {CUSTOM, "AWS::CDK::Metadata"}

    def test_nothing_of_it_keeps_another_stack_from_going(self, guarded: Guarded) -> None:
        text = json.dumps(guarded.template("dev-guardrails"))
        imported = {found.partition(":")[0] for found in text.split('"Fn::ImportValue": "')[1:]}
        assert imported == {"dev-cluster"}

    def test_it_is_destroyed_before_what_it_guards_and_after_the_guard(self, guarded: Guarded) -> None:
        gone = guarded.destroyed()
        assert gone[0] == "dev-guard"
        assert gone.index("dev-guardrails") < min(
            gone.index(f"dev-{name}") for name in ("platform", "retail-store", "gpt-oss")
        )
        assert guarded.destroyed("dev-gpt-oss") == ["dev-guardrails", "dev-gpt-oss"]

    def test_the_kubectl_role_is_in_the_group_that_passes(self, guarded: Guarded) -> None:
        entries = of_type(guarded.template("dev-cluster"), "AWS::EKS::AccessEntry").values()
        groups = [entry["Properties"].get("KubernetesGroups") for entry in entries]
        assert [found for found in groups if found] == [[KUBECTL_GROUP]]
        text = json.dumps(guarded.template("dev-guardrails"))
        assert text.count("not-a-trusted-group") == text.count(f"'{KUBECTL_GROUP}'") > 7


class TestInOtherStacks:
    def test_in_one_stack(self) -> None:
        scene = Scene()
        ChartDelivery(scene.stacks[0], "Rails", cluster=scene.target, chart=rails())
        chart = new_chart("chart", "a", "b")
        thing(chart, "Ingress", "i")
        thing(chart, "Deployment", "d")
        ChartDelivery(scene.stacks[0], "Chart", cluster=scene.target, chart=chart)
        assert is_last(scene.template())

    def test_the_stack_of_the_guard_rails_may_be_the_first(self) -> None:
        scene = Scene("Home", "Rails", "Later")
        ChartDelivery(scene.stacks[1], "Rails", cluster=scene.target, chart=rails())
        ChartDelivery(scene.stacks[2], "Chart", cluster=scene.target, chart=new_chart("chart", "a"))
        scene.app.synth()
        assert scene.stacks[2] in scene.stacks[1].dependencies
        assert warned(scene.stacks[1]) == []

    def test_a_stack_that_must_come_later_is_told(self) -> None:
        scene = Scene("Home", "Later")
        scene.stacks[1].add_stack_dependency(scene.stacks[0])
        chart = rails()
        ChartDelivery(scene.stacks[0], "Rails", cluster=scene.target, chart=chart)
        ChartDelivery(scene.stacks[1], "Chart", cluster=scene.target, chart=new_chart("chart", "a"))
        (message,) = warned(scene.stacks[0])
        first = "automode-internal-load-balancers"
        assert (
            f"rails/{first}: ValidatingAdmissionPolicy '{first}' comes before ConfigMap 'a' of "
            "stack 'Later', which is deployed after stack 'Home', and so may refuse it or what it makes; deliver "
            "admission policies in a stack that nothing depends on, such as GuardrailsStack" in message
        )

    def test_two_stacks_of_guard_rails_do_not_wait_for_each_other(self) -> None:
        scene = Scene("Home", "One", "Two")
        less = Guardrails(leave_out=["image-registries", "node-pools"])
        for stack, name in zip(scene.stacks[1:], ("one", "two"), strict=True):
            chart = new_chart(f"{name}-chart", name)
            KubernetesObject(
                chart,
                name,
                api_version="admissionregistration.k8s.io/v1",
                kind="ValidatingAdmissionPolicy",
                body={"spec": less.policies()[0].spec()},
            )
            ChartDelivery(stack, name, cluster=scene.target, chart=chart)
        scene.app.synth()
        # The first one comes after the second; that one cannot come after the first, and says so.
        assert [len(warned(stack)) for stack in scene.stacks[1:]] == [0, 1]

    def test_a_nested_stack(self) -> None:
        scene = Scene()
        nested = cdk.NestedStack(scene.stacks[0], "Nested")
        ChartDelivery(nested, "Rails", cluster=scene.target, chart=rails())
        ChartDelivery(scene.stacks[0], "Chart", cluster=scene.target, chart=new_chart("chart", "a"))
        template = scene.template()
        (stack,) = of_type(template, "AWS::CloudFormation::Stack")
        assert {*kinds(template)} <= waits_for(template)[stack]

    def test_what_is_to_come_after_a_policy_may(self) -> None:
        scene = Scene()
        chart = rails()
        ChartDelivery(scene.stacks[0], "Rails", cluster=scene.target, chart=chart)
        later = new_chart("later", "a")
        later.add_dependency(chart.node.find_child("automode-image-tags"))
        ChartDelivery(scene.stacks[0], "Later", cluster=scene.target, chart=later)
        found = kinds(scene.template())
        before = waits_for(scene.template())
        (config_map,) = (name for name, kind in found.items() if kind == "ConfigMap")
        assert any("ImageTags" in name for name in before[config_map])


def test_the_same_for_gitops(tmp_path: Path) -> None:
    import yaml

    from automode_constructs.rendering.yaml_folder import write_yaml_folder

    (file,) = write_yaml_folder([rails("guardrails")], tmp_path / "out", default_node_class=True)
    written = [manifest["kind"] for manifest in yaml.safe_load_all(file.read_text("utf-8"))]
    assert written == sorted(written)
    assert {*written} == {*POLICIES}


def test_everything_is_handed_out() -> None:
    assert {"ClusterGuardrails", "Guardrails", "GuardrailsStack", "Tenant"} <= {*dir(patterns)}
