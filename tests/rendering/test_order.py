"""The order of objects, without a CDK app."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest
from constructs import IConstruct

from automode_constructs.errors import AutoModeError
from automode_constructs.rendering.order import companions, in_order, prerequisites
from automode_constructs.rendering.render import RenderedObject

GROUPS = {
    "ApplicationNetworkPolicy": "networking.k8s.aws/v1alpha1",
    "ClusterNetworkPolicy": "networking.k8s.aws/v1alpha1",
    "NetworkPolicy": "networking.k8s.io/v1",
    "NodeClass": "eks.amazonaws.com/v1",
    "NodePool": "karpenter.sh/v1",
    "Widget": "example.com/v1",
}


def thing(kind: str, name: str, *, namespace: str = "", after: tuple[str, ...] = (), **body: Any) -> RenderedObject:
    """An object in a chart named after its kind; ``after`` holds paths."""
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return RenderedObject(
        where=f"{kind}/{name}",
        manifest={"apiVersion": GROUPS.get(kind, "v1"), "kind": kind, "metadata": metadata, **body},
        places=(f"tree:/{kind}/{name}", f"tree:/{kind}", "tree:"),
        after={f"tree:/{path}": cast(IConstruct, None) for path in after},
    )


def pool(name: str, node_class: str, *, kind: str = "NodeClass") -> RenderedObject:
    reference = {"group": "eks.amazonaws.com", "kind": kind, "name": node_class}
    return thing("NodePool", name, spec={"template": {"spec": {"nodeClassRef": reference}}})


def names(objects: list[RenderedObject]) -> list[str]:
    return [objects[index].manifest["metadata"]["name"] for index in in_order(objects, prerequisites(objects))]


def test_kinds_follow_each_other_and_names_decide_within_a_kind() -> None:
    objects = [
        thing("ValidatingAdmissionPolicyBinding", "a-binding"),
        thing("ValidatingAdmissionPolicy", "policy"),
        thing("Ingress", "ingress"),
        thing("Widget", "widget"),
        thing("Deployment", "deployment"),
        thing("ServiceAccount", "account"),
        thing("StorageClass", "storage"),
        thing("ConfigMap", "config"),
        pool("pool", "default"),
        thing("NodeClass", "b-class"),
        thing("NodeClass", "a-class"),
        thing("Namespace", "namespace"),
        thing("CustomResourceDefinition", "crd"),
    ]
    assert names(objects) == [
        "crd",
        "namespace",
        *("a-class", "b-class"),
        "pool",
        *("config", "account", "storage"),
        *("deployment", "widget"),
        "ingress",
        *("policy", "a-binding"),
    ]


def test_a_binding_needs_its_policy() -> None:
    admission = "admissionregistration.k8s.io/v1"
    binding = thing("ValidatingAdmissionPolicyBinding", "binding", spec={"policyName": "policy"})
    policy = thing("ValidatingAdmissionPolicy", "policy")
    for item in (binding, policy):
        item.manifest["apiVersion"] = admission
    assert prerequisites([binding, policy]) == [{1}, set()]


def test_the_order_does_not_come_from_the_order_of_the_code() -> None:
    objects = [thing("ConfigMap", name) for name in "cab"]
    assert names(objects) == names(objects[::-1]) == ["a", "b", "c"]


def test_add_dependency_comes_before_the_order_of_kinds() -> None:
    objects = [thing("ConfigMap", "config", after=("Deployment/first",)), thing("Deployment", "first")]
    assert names(objects) == ["first", "config"]


def test_a_dependency_on_a_scope_is_one_on_everything_in_it() -> None:
    objects = [
        thing("ConfigMap", "last", after=("Deployment",)),
        thing("Deployment", "one"),
        thing("Deployment", "two"),
        thing("ConfigMap", "free"),
    ]
    assert names(objects) == ["free", "one", "two", "last"]


def test_an_object_does_not_wait_for_itself() -> None:
    assert names([thing("ConfigMap", "a", after=("ConfigMap",))]) == ["a"]


def test_a_late_namespace_takes_what_is_in_it_along() -> None:
    objects = [
        thing("ConfigMap", "inside", namespace="late"),
        thing("Namespace", "late", after=("Deployment/first",)),
        thing("Deployment", "first"),
    ]
    assert names(objects) == ["first", "late", "inside"]


def test_a_late_crd_takes_its_instances_along_and_a_late_node_class_its_pools() -> None:
    definition = {"group": "example.com", "names": {"kind": "Widget"}}
    objects = [
        thing("Widget", "widget"),
        thing("CustomResourceDefinition", "widgets.example.com", after=("NodeClass/class",), spec=definition),
        pool("pool", "class"),
        thing("NodeClass", "class", after=("Ingress/first",)),
        thing("Ingress", "first"),
    ]
    assert names(objects) == ["first", "class", "widgets.example.com", "pool", "widget"]


def test_a_pool_of_another_kind_of_class_does_not_wait_for_a_node_class_of_that_name() -> None:
    objects = [pool("pool", "same", kind="EC2NodeClass"), thing("NodeClass", "same", after=("NodePool/pool",))]
    assert names(objects) == ["pool", "same"]


def test_a_circle_is_named_without_what_merely_waits_for_it() -> None:
    objects = [
        thing("ConfigMap", "behind", after=("ConfigMap/a",)),
        thing("ConfigMap", "a", after=("Deployment/b",)),
        thing("Deployment", "b", after=("ConfigMap/a",)),
    ]
    with pytest.raises(AutoModeError) as caught:
        names(objects)
    assert str(caught.value) == (
        "these objects wait for each other: ConfigMap 'a' (ConfigMap/a), which waits for Deployment 'b' "
        "(Deployment/b), which waits for ConfigMap 'a' (ConfigMap/a); remove an add_dependency; a namespace, a CRD and "
        "a NodeClass always come before what needs them"
    )


def test_a_dependency_against_nature_is_a_circle() -> None:
    objects = [pool("pool", "class"), thing("NodeClass", "class", after=("NodePool/pool",))]
    with pytest.raises(AutoModeError, match=r"NodePool 'pool' .*, which waits for NodeClass 'class'"):
        names(objects)


# What had better be there ------------------------------------------------------------------------------------------


def mates(objects: list[RenderedObject], name: str) -> set[str]:
    """The names of the companions of the object of a name."""
    (index,) = [number for number, item in enumerate(objects) if item.manifest["metadata"]["name"] == name]
    return {objects[other].manifest["metadata"]["name"] for other in companions(objects)[index]}


def deployment(name: str, *, kind: str = "Deployment", labels: dict[str, str] | None = None, **pod: Any) -> Any:
    """A workload in the namespace ``apps``."""
    template = {"metadata": {"labels": labels or {"app": name}}, "spec": {"containers": [], **pod}}
    return replace(
        thing(kind, name, namespace="apps", spec={"template": template}),
        manifest={
            "apiVersion": "batch/v1" if kind == "Job" else "apps/v1",
            "kind": kind,
            "metadata": {"name": name, "namespace": "apps"},
            "spec": {"template": template},
        },
    )


def tainted(name: str, key: str) -> RenderedObject:
    spec = {"requirements": [], "taints": [{"key": key, "effect": "NoSchedule"}]}
    return thing("NodePool", name, spec={"template": {"spec": spec}})


def test_a_workload_comes_after_the_pools_that_may_take_its_pods_and_after_no_others() -> None:
    gpu = {"requests": {"cpu": 1}, "limits": {"nvidia.com/gpu": 1}}
    objects = [
        thing("NodePool", "any", spec={"template": {"spec": {"requirements": []}}}),
        tainted("spot", "karpenter.sh/capacity-type"),
        tainted("gpu", "nvidia.com/gpu"),
        thing("NodePool", "malformed", spec={}),
        deployment("plain"),
        deployment("spotty", tolerations=[{"key": "karpenter.sh/capacity-type", "operator": "Exists"}]),
        # EKS adds the toleration of a device to pods that ask for it.
        deployment("model", containers=[{"name": "vllm", "resources": gpu}]),
        deployment("chosen", nodeSelector={"karpenter.sh/nodepool": "any"}),
        deployment("agent", kind="DaemonSet"),
        thing("Widget", "unknown", namespace="apps"),
        thing("Service", "service", namespace="apps"),
    ]
    assert mates(objects, "plain") == {"any", "malformed"}
    assert mates(objects, "spotty") == {"any", "spot", "malformed"}
    assert mates(objects, "model") == {"any", "gpu", "malformed"}
    assert mates(objects, "chosen") == {"any", "malformed"}
    assert mates(objects, "agent") == mates(objects, "unknown") == {"any", "spot", "gpu", "malformed"}
    assert mates(objects, "service") == set()


def test_a_workload_comes_after_the_configuration_that_concerns_it() -> None:
    def policy(name: str, **labels: str) -> RenderedObject:
        return thing("NetworkPolicy", name, namespace="apps", spec={"podSelector": {"matchLabels": labels}})

    objects = [
        thing("ServiceAccount", "web-account", namespace="apps"),
        thing("ServiceAccount", "other-account", namespace="apps"),
        thing("ConfigMap", "web-config", namespace="apps"),
        thing("ConfigMap", "other-config", namespace="apps"),
        thing("ConfigMap", "web-elsewhere", namespace="elsewhere"),
        policy("of-all"),
        policy("of-web", app="web"),
        policy("of-others", app="other"),
        policy("of-a-job", **{"job-name": "web"}),
        thing("ResourceQuota", "quota", namespace="apps"),
        thing("PriorityClass", "priority"),
        deployment("web", serviceAccountName="web-account", volumes=[{"configMap": {"name": "web-config"}}]),
        thing("Widget", "unknown", namespace="apps"),
        thing("PodDisruptionBudget", "budget", namespace="apps"),
    ]
    assert mates(objects, "web") == {
        *("web-account", "web-config", "of-all", "of-web", "of-a-job", "quota", "priority")
    }
    near = {item.manifest["metadata"]["name"] for item in objects[:11]} - {"web-elsewhere"}
    assert mates(objects, "unknown") == near
    assert mates(objects, "budget") == set()


def test_policies_come_after_what_turns_them_on_and_before_the_pods_that_they_concern() -> None:
    switch = thing("ConfigMap", "amazon-vpc-cni", namespace="kube-system")
    domains = thing(
        "ApplicationNetworkPolicy",
        "domains",
        namespace="apps",
        spec={"podSelector": {"matchLabels": {"app": "web"}}},
    )
    tier = thing("ClusterNetworkPolicy", "tier")
    policy = thing("NetworkPolicy", "policy", namespace="apps", spec={})
    objects = [deployment("web"), domains, tier, policy, switch, thing("ConfigMap", "other", namespace="apps")]
    for name in ("domains", "tier", "policy"):
        assert mates(objects, name) == {"amazon-vpc-cni"}
    assert {"domains", "tier", "policy"} <= mates(objects, "web")


def test_what_lets_traffic_in_comes_after_its_namespace_and_webhooks_after_all() -> None:
    objects = [
        thing("IngressClassParams", "alb"),
        thing("IngressClassParams", "nlb"),
        thing("IngressClass", "class", spec={"parameters": {"name": "alb"}}),
        thing("Namespace", "apps"),
        thing("Service", "service", namespace="apps"),
        deployment("web"),
        thing("Ingress", "ingress", namespace="apps"),
        thing("Service", "elsewhere", namespace="elsewhere"),
        thing("ValidatingWebhookConfiguration", "webhook"),
    ]
    assert mates(objects, "class") == {"alb"}
    assert mates(objects, "ingress") == {"alb", "nlb", "class", "service", "web"}
    assert mates(objects, "webhook") == {
        item.manifest["metadata"]["name"] for item in objects if item.manifest["kind"] != "Ingress"
    } - {"webhook"}
