"""Each rule on objects that it lets pass and objects that it refuses, in a CEL evaluator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import cdk8s
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automode_constructs.patterns import ClusterGuardrails, Guardrails, Tenant
from automode_constructs.specs.pools.node_pool import Taint
from tests.admission import SERVICE_ACCOUNT, STRANGER, ApiServer, Request, User

DIGEST = "sha256:" + "a" * 64
ARGO_ROLE = ":".join(["arn", "aws", "iam", "", "111122223333", "role/delivery/argo"])
A = Taint(key="tenant", value="a", effect="NoSchedule")
B = Taint(key="tenant", value="b", effect="NoExecute")


def server_of(**arguments: Any) -> ApiServer:
    guardrails = Guardrails(**{"image_registries": ["public.ecr.aws", "registry.example.com:5000/team"], **arguments})
    return ApiServer(cdk8s.Testing.synth(ClusterGuardrails(cdk8s.Testing.app(), "c", guardrails=guardrails)))


@cache
def server() -> ApiServer:
    return server_of(
        tenants=[Tenant(taint=A, namespaces=["team-a"]), Tenant(taint=B, namespaces=["team-b", "team-b-dev"])],
        agent_namespaces=["agents"],
        public_namespaces=["edge"],
        privileged_namespaces=["gpu-metrics"],
        node_pool_groups=["platform-team"],
        trusted_groups=["system:serviceaccounts:argocd"],
        trusted_role_arns=[ARGO_ROLE],
    )


def container(image: str = f"public.ecr.aws/shop/ui@{DIGEST}", **fields: Any) -> dict[str, Any]:
    return {"name": "main", "image": image, "resources": {"requests": {"cpu": "1", "memory": "1Gi"}}, **fields}


def pod(namespace: str = "shop", **spec: Any) -> dict[str, Any]:
    metadata = {"name": "pod", "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [container()], **spec}}


def workload(kind: str, inner: Mapping[str, Any], namespace: str = "shop") -> dict[str, Any]:
    group = "batch/v1" if kind in ("Job", "CronJob") else "apps/v1"
    spec: dict[str, Any] = {"template": {"spec": inner}}
    if kind == "CronJob":
        spec = {"schedule": "@daily", "jobTemplate": {"spec": spec}}
    return {"apiVersion": group, "kind": kind, "metadata": {"name": "w", "namespace": namespace}, "spec": spec}


def service(scheme: str | None = None, namespace: str = "shop", type: str = "LoadBalancer") -> dict[str, Any]:
    key = "service.beta.kubernetes.io/aws-load-balancer-scheme"
    annotations = {} if scheme is None else {"annotations": {key: scheme}}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "s", "namespace": namespace, **annotations},
        "spec": {"type": type, "ports": [{"port": 80}]},
    }


def ingress(scheme: str | None = None, namespace: str = "shop") -> dict[str, Any]:
    annotations = {} if scheme is None else {"annotations": {"alb.ingress.kubernetes.io/scheme": scheme}}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "i", "namespace": namespace, **annotations},
        "spec": {"ingressClassName": "alb"},
    }


def params(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "eks.amazonaws.com/v1",
        "kind": "IngressClassParams",
        "metadata": {"name": "alb"},
        "spec": spec,
    }


def gateway(namespace: str = "shop", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "gateway.k8s.aws/v1beta1",
        "kind": "LoadBalancerConfiguration",
        "metadata": {"name": "g", "namespace": namespace},
        "spec": spec,
    }


def selector(*namespaces: str, operator: str = "In") -> dict[str, Any]:
    expression = {"key": "kubernetes.io/metadata.name", "operator": operator, "values": [*namespaces]}
    return {"matchExpressions": [expression]}


def namespace(level: str | None = None, name: str = "shop", **labels: str) -> dict[str, Any]:
    if level is not None:
        labels["pod-security.kubernetes.io/enforce"] = level
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, **({"labels": labels} if labels else {})},
        "spec": {},
    }


def pool(**spec: Any) -> dict[str, Any]:
    return {"apiVersion": "karpenter.sh/v1", "kind": "NodePool", "metadata": {"name": "p"}, "spec": spec}


def node_class(**spec: Any) -> dict[str, Any]:
    return {"apiVersion": "eks.amazonaws.com/v1", "kind": "NodeClass", "metadata": {"name": "n"}, "spec": spec}


def tolerating(*tolerations: Mapping[str, Any], namespace: str = "shop", **spec: Any) -> dict[str, Any]:
    return pod(namespace, tolerations=[*tolerations], **spec)


ACCEPTED: dict[str, dict[str, Mapping[str, Any]]] = {
    "internal-load-balancers": {
        "a load balancer that is internal by default": service(),
        "an internal one": service("internal"),
        "a Service without one": service("internet-facing", type="ClusterIP"),
        "a public one where it may be": service("internet-facing", namespace="edge"),
        "an ingress": ingress(),
        "an internal ingress": ingress("internal"),
        "a public ingress where it may be": ingress("internet-facing", namespace="edge"),
        "internal parameters": params(scheme="internal"),
        "parameters without a scheme": params(),
        "parameters without a spec": {name: value for name, value in params().items() if name != "spec"},
        "public ones for a public namespace": params(scheme="internet-facing", namespaceSelector=selector("edge")),
        "the same by its label": params(
            scheme="internet-facing", namespaceSelector={"matchLabels": {"kubernetes.io/metadata.name": "edge"}}
        ),
        "an add-on's Service": service("internet-facing", namespace="kube-system"),
        "an internal gateway": gateway(scheme="internal"),
        "a public gateway where it may be": gateway("edge", scheme="internet-facing"),
    },
    "image-registries": {
        "a named registry": pod(),
        "a part of one": pod(containers=[container("registry.example.com:5000/team/web:1")]),
        "a named repository": pod(containers=[container("registry.example.com:5000/team:1")]),
        "no image yet": workload("Deployment", {"containers": [{"name": "main"}]}),
        "another one in kube-system": pod("kube-system", containers=[container("quay.io/x/y:1")]),
        "another one of an add-on": pod("amazon-guardduty", containers=[container("quay.io/x/y:1")]),
    },
    "image-tags": {
        "a digest": pod(),
        "a tag": pod(containers=[container("public.ecr.aws/a/b:1.2")]),
        "a digest beside latest": pod(containers=[container(f"public.ecr.aws/a/b:latest@{DIGEST}")]),
        "a tag beside a port": pod(containers=[container("registry.example.com:5000/team/a:1")]),
    },
    "requests": {
        "requests": pod(),
        "limits, of which Kubernetes makes requests": pod(
            containers=[container(resources={"limits": {"cpu": "1", "memory": "1Gi"}})]
        ),
        "one of each": pod(containers=[container(resources={"limits": {"cpu": "1"}, "requests": {"memory": "1Gi"}})]),
        "requests of the pod": pod(
            containers=[{"name": "main"}], resources={"requests": {"cpu": "1", "memory": "1Gi"}}
        ),
        "a container to debug": pod(ephemeralContainers=[{"name": "debug", "image": "public.ecr.aws/a/b:1"}]),
    },
    "privileges": {
        "a plain pod": pod(volumes=[{"name": "tmp", "emptyDir": {}}]),
        "privileges that are denied": pod(
            hostNetwork=False, containers=[container(securityContext={"privileged": False, "runAsUser": 0})]
        ),
        "a host path where it may be": pod("gpu-metrics", volumes=[{"name": "v", "hostPath": {"path": "/"}}]),
        "the host's network of an add-on": pod("kube-system", hostNetwork=True),
    },
    "tenant-taints": {
        "no toleration": pod(),
        "the tenant's own": tolerating({"key": "tenant", "value": "a"}, namespace="team-a"),
        "the other tenant's own": tolerating({"key": "tenant", "value": "b"}, namespace="team-b-dev"),
        "one of something else": tolerating({"key": "spot", "operator": "Exists"}),
        "another value": tolerating({"key": "tenant", "operator": "Equal", "value": "c"}),
        "another effect": tolerating({"key": "tenant", "operator": "Exists", "effect": "PreferNoSchedule"}),
        "an agent": tolerating({"operator": "Exists"}, namespace="agents", nodeName="node"),
    },
    "node-pools": {},
    "pod-security": {
        "the least level": namespace("baseline"),
        "a higher one": namespace("restricted"),
        "any where it may be": namespace("privileged", name="gpu-metrics"),
        "a namespace of Kubernetes": namespace(name="kube-system"),
    },
}
"""Objects by rule, to be created."""

REFUSED: dict[str, dict[str, tuple[Mapping[str, Any], str]]] = {
    "internal-load-balancers": {
        "a public load balancer": (
            service("internet-facing"),
            "aws-load-balancer-scheme internet-facing; set internal",
        ),
        "a misspelt scheme": (service("Internal"), "aws-load-balancer-scheme Internal"),
        "a public ingress": (ingress("internet-facing"), "alb.ingress.kubernetes.io/scheme internet-facing"),
        "public parameters": (params(scheme="internet-facing"), "spec.scheme internet-facing"),
        "a public gateway": (gateway(scheme="internet-facing"), "spec.scheme internet-facing"),
        "public ones for a namespace too many": (
            params(scheme="internet-facing", namespaceSelector=selector("edge", "shop")),
            "spec.scheme internet-facing",
        ),
        "public ones for all but a namespace": (
            params(scheme="internet-facing", namespaceSelector=selector("edge", operator="NotIn")),
            "spec.scheme internet-facing",
        ),
        "public ones by a label that anyone can set": (
            params(scheme="internet-facing", namespaceSelector={"matchLabels": {"team": "edge"}}),
            "spec.scheme internet-facing",
        ),
    },
    "image-registries": {
        "another registry": (
            pod(containers=[container("quay.io/a/b:1")]),
            "not named for this cluster: quay.io/a/b:1; push them to one of: public.ecr.aws, registry.example.com:5000",
        ),
        "Docker Hub": (pod(containers=[container("nginx:1")]), ": docker.io/library/nginx:1;"),
        "a name that only looks like a registry": (
            pod(containers=[container("public.ecr.aws.example.com/a:1")]),
            "public.ecr.aws.example.com/a:1",
        ),
        "a repository that begins alike": (
            pod(containers=[container("registry.example.com:5000/teamwork/a:1")]),
            "teamwork/a:1",
        ),
        "an init container": (pod(initContainers=[container("quay.io/a/b:1")]), "quay.io/a/b:1"),
        "a container to debug": (
            pod(ephemeralContainers=[{"name": "debug", "image": "quay.io/a/b:1"}]),
            "quay.io/a/b:1",
        ),
        "an image as a volume": (
            pod(volumes=[{"name": "model", "image": {"reference": "quay.io/a/model:1"}}]),
            "quay.io/a/model:1",
        ),
        "two at once": (
            pod(containers=[container("quay.io/a/b:1"), container("ghcr.io/c:2")]),
            "quay.io/a/b:1, ghcr.io/c:2",
        ),
    },
    "image-tags": {
        "latest": (
            pod(containers=[container("public.ecr.aws/a/b:latest")]),
            "public.ecr.aws/a/b:latest; name a version, or better a digest",
        ),
        "no tag": (pod(containers=[container("public.ecr.aws/a/b")]), "public.ecr.aws/a/b;"),
        "no tag beside a port": (pod(containers=[container("registry.example.com:5000/team/a")]), "team/a;"),
        "an init container": (pod(initContainers=[container("public.ecr.aws/a/b")]), "public.ecr.aws/a/b;"),
    },
    "requests": {
        "nothing": (
            pod(containers=[{"name": "main", "image": f"public.ecr.aws/a@{DIGEST}"}]),
            "do not request what they need: main (cpu), main (memory); set resources.requests.cpu",
        ),
        "no memory": (pod(containers=[container(resources={"requests": {"cpu": "1"}})]), ": main (memory);"),
        "no CPU": (pod(containers=[container(resources={"limits": {"memory": "1Gi"}})]), ": main (cpu);"),
        "no CPU of the pod either": (
            pod(containers=[{"name": "main"}], resources={"requests": {"memory": "1Gi"}}),
            ": main (cpu);",
        ),
        "an init container": (
            pod(initContainers=[{"name": "init", "resources": {}}]),
            ": init (cpu), init (memory);",
        ),
    },
    "privileges": {
        "a privileged container": (
            pod(containers=[container(securityContext={"privileged": True})]),
            "privileges on its node: privileged container main; remove them",
        ),
        "a privileged container to debug": (
            pod(ephemeralContainers=[{"name": "debug", "securityContext": {"privileged": True}}]),
            "privileged container debug",
        ),
        "a host path": (pod(volumes=[{"name": "root", "hostPath": {"path": "/"}}]), "hostPath of volume root"),
        "the host's network": (pod(hostNetwork=True), ": hostNetwork;"),
        "all of the host": (pod(hostPID=True, hostIPC=True), ": hostPID, hostIPC;"),
    },
    "tenant-taints": {
        "another tenant's taint": (
            tolerating({"key": "tenant", "operator": "Equal", "value": "b"}, namespace="team-a"),
            "the taint of another tenant: tenant=b:NoExecute; remove the toleration",
        ),
        "a tenant's taint": (
            tolerating({"key": "tenant", "value": "a", "effect": "NoSchedule"}),
            "tenant=a:NoSchedule",
        ),
        "all values": (
            tolerating({"key": "tenant", "operator": "Exists"}),
            "tenant=a:NoSchedule, tenant=b:NoExecute",
        ),
        "all taints": (tolerating({"operator": "Exists"}, namespace="team-a"), ": tenant=b:NoExecute;"),
        "all taints of an effect": (tolerating({"operator": "Exists", "effect": "NoExecute"}), ": tenant=b:NoExecute;"),
        "a named node": (pod(nodeName="ip-10-0-0-1"), "any taint, by nodeName"),
    },
    "node-pools": {
        "a pool": (pool(template={}), "may not CREATE a NodePool: only members of platform-team and the CDK may"),
        "a class": (node_class(role="x"), "may not CREATE a NodeClass"),
        "a pool without limits": (pool(), "put the group on your access entry (kubernetesGroups)"),
    },
    "pod-security": {
        "no label": (namespace(), "too low: none; set the label pod-security.kubernetes.io/enforce to baseline or"),
        "other labels": (namespace(team="a"), "too low: none;"),
        "too low a level": (namespace("privileged"), "too low: privileged;"),
        "no level at all": (namespace("high"), "too low: high;"),
        "no label where any level may be": (namespace(name="gpu-metrics"), "too low: none;"),
    },
}
"""The same with a part of the message."""


def cases(table: Mapping[str, Mapping[str, Any]]) -> list[Any]:
    return [
        pytest.param(rule, case, id=f"{rule}: {name}") for rule, found in table.items() for name, case in found.items()
    ]


@pytest.mark.parametrize(("rule", "new"), cases(ACCEPTED))
def test_is_accepted(rule: str, new: Mapping[str, Any]) -> None:
    answers = server().answers(Request(new=new))
    assert [answer for answer in answers if answer.policy == f"automode-{rule}"] == []


@pytest.mark.parametrize(("rule", "case"), cases(REFUSED))
def test_is_refused(rule: str, case: tuple[Mapping[str, Any], str]) -> None:
    new, message = case
    answers = [one for one in server().answers(Request(new=new)) if one.policy == f"automode-{rule}"]
    assert [one.actions for one in answers] == [["Deny"]]
    assert message in answers[0].message
    assert len(answers[0].message) < 1000 and answers[0].message.isprintable()


def test_every_rule_has_its_cases() -> None:
    assert ACCEPTED.keys() == REFUSED.keys()
    assert all(len(found) >= 3 for found in REFUSED.values())
    assert all(len(found) >= 3 for rule, found in ACCEPTED.items() if rule != "node-pools")


ALL_REFUSED = cases({rule: found for rule, found in REFUSED.items() if rule != "node-pools"})


@pytest.mark.parametrize(("rule", "case"), ALL_REFUSED)
def test_what_an_object_had_before_it_may_keep(rule: str, case: tuple[Mapping[str, Any], str]) -> None:
    old, _ = case
    finalizer = {**old, "metadata": {**old["metadata"], "finalizers": ["example.com/x"]}}
    labelled = {**old, "metadata": {**old["metadata"], "labels": {**old["metadata"].get("labels", {}), "a": "b"}}}
    server_ = server()
    for before, after in ((finalizer, old), (old, labelled), (old, {**old, "status": {"phase": "x"}})):
        assert server_.refusals(Request(old=before, new=after)) == []


ONE_OF_EACH = [next(iter(found.values())) for rule, found in REFUSED.items() if rule != "node-pools"]


@pytest.mark.parametrize(
    "user",
    [
        User(username="x", groups=("automode-kubectl", "system:authenticated")),
        User(username="x", groups=("system:serviceaccounts:argocd",)),
        User(username="x", groups=("system:masters",)),
        User(username="x", groups=("eks:managed",)),
        User(username="system:node:ip-10-0-0-1", groups=("system:nodes",)),
        User(username="eks:addon-manager"),
        User(username=":".join(["arn", "aws", "sts", "", "111122223333", "assumed-role/AWSServiceRoleForAmazonEKS/x"])),
        User(username=":".join(["arn", "aws", "sts", "", "111122223333", "assumed-role/argo/session"])),
    ],
    ids=lambda user: f"{user.username} {user.groups[0]}",
)
def test_who_is_trusted_passes(user: User) -> None:
    for new, _ in ONE_OF_EACH:
        assert [*server().answers(Request(new=new, user=user))] == []


@pytest.mark.parametrize(
    "user",
    [
        SERVICE_ACCOUNT,  # it creates the pods of Deployments, everyone's
        User(username="", groups=()),
        User(username="jane", groups=("automode-kubectl2", "eks:managed-by-me")),
        User(username=":".join(["arn", "aws", "sts", "", "111122223333", "assumed-role/argo-2/session"])),
        User(username="not-eks:addon-manager"),
        User(
            username=":".join(["arn", "aws", "sts", "", "111122223333", "assumed-role/AWSServiceRoleForAmazonEKS2/x"])
        ),
    ],
    ids=lambda user: user.username or "nobody",
)
def test_who_is_not_trusted_does_not(user: User) -> None:
    for new, message in ONE_OF_EACH:
        assert any(message in refusal for refusal in server().refusals(Request(new=new, user=user)))


class TestChanges:
    def test_an_image_of_a_pod_is_changed_to_a_foreign_one(self) -> None:
        (refusal,) = server().refusals(Request(old=pod(), new=pod(containers=[container(f"quay.io/a@{DIGEST}")])))
        assert f"quay.io/a@{DIGEST}" in refusal

    def test_only_the_new_image_is_refused(self) -> None:
        old = pod(containers=[container(f"quay.io/old@{DIGEST}")])
        debug = {"name": "debug", "image": f"ghcr.io/debug@{DIGEST}"}
        new = pod(containers=old["spec"]["containers"], ephemeralContainers=[debug])
        (refusal,) = server().refusals(Request(old=old, new=new, subresource="ephemeralcontainers"))
        assert "ghcr.io/debug" in refusal and "quay.io/old" not in refusal

    def test_a_toleration_is_added(self) -> None:
        assert server().refusals(Request(old=pod(), new=tolerating({"operator": "Exists"})))

    def test_a_pod_is_bound_to_its_node(self) -> None:
        # By another resource; later writes have the node before and after.
        assert server().refusals(Request(old=pod(nodeName="a"), new=pod(nodeName="a", activeDeadlineSeconds=1))) == []

    def test_a_service_becomes_public(self) -> None:
        assert server().refusals(Request(old=service(), new=service("internet-facing")))
        assert server().refusals(
            Request(old=service("internet-facing", type="ClusterIP"), new=service("internet-facing"))
        )

    def test_a_namespace_lowers_its_level(self) -> None:
        assert server().refusals(Request(old=namespace("restricted"), new=namespace("privileged")))
        assert server().refusals(Request(old=namespace("privileged"), new=namespace()))
        assert server().refusals(Request(old=namespace(), new=namespace("baseline"))) == []

    def test_deletions_pass(self) -> None:
        for found in REFUSED.values():
            for case, _ in found.values():
                if case["kind"] not in ("NodePool", "NodeClass"):
                    assert [*server().answers(Request(old=case, new=None))] == []


class TestWorkloads:
    @pytest.mark.parametrize("kind", ["CronJob", "DaemonSet", "Deployment", "Job", "StatefulSet"])
    def test_their_pods_are_only_warned_of(self, kind: str) -> None:
        new = workload(kind, {"containers": [{"name": "main", "image": "quay.io/a"}], "hostPID": True})
        request = Request(new=new)
        assert server().refusals(request) == []
        assert {answer.policy for answer in server().answers(request)} == {
            "automode-image-registries",
            "automode-image-tags",
            "automode-privileges",
            "automode-requests",
        }
        assert len(server().warnings(request)) == 4

    def test_scaling_warns_of_nothing(self) -> None:
        old = workload("Deployment", {"containers": [{"name": "main", "image": "quay.io/a"}]})
        new = {**old, "spec": {**old["spec"], "replicas": 0}}
        assert [*server().answers(Request(old=old, new=new))] == []


class TestNodePools:
    MEMBER = User(username=STRANGER.username, groups=("platform-team", "system:authenticated"))

    @pytest.mark.parametrize("make", [pool, node_class])
    @pytest.mark.parametrize(
        "user",
        [
            MEMBER,
            SERVICE_ACCOUNT,
            User(username="eks:node-manager"),
            User(username="x", groups=("automode-kubectl",)),
        ],
        ids=lambda user: user.username,
    )
    def test_who_may(self, make: Any, user: User) -> None:
        for old, new in ((None, make(a=1)), (make(a=1), make(a=2)), (make(a=1), None)):
            assert [*server().answers(Request(old=old, new=new, user=user))] == []

    @pytest.mark.parametrize("make", [pool, node_class])
    @pytest.mark.parametrize(
        "user",
        [
            STRANGER,
            User(username=":".join(["arn", "aws", "iam", "", "111122223333", "user/jane"])),
            User(username="system:serviceaccount:shop:default", groups=("system:serviceaccounts:shop",)),
            User(username="system:anonymous", groups=("system:unauthenticated",)),
        ],
        ids=lambda user: user.username,
    )
    def test_who_may_not(self, make: Any, user: User) -> None:
        for old, new, verb in (
            (None, make(a=1), "CREATE"),
            (make(a=1), make(a=2), "UPDATE"),
            (make(a=1), None, "DELETE"),
        ):
            (refusal,) = server().refusals(Request(old=old, new=new, user=user))
            assert refusal.startswith(f"{user.username} may not {verb} a {make()['kind']}: only members of")

    @pytest.mark.parametrize("make", [pool, node_class])
    @pytest.mark.parametrize(
        "user",
        [
            User(
                username=":".join(["arn", "aws", "sts", "", "111122223333", "assumed-role/AWSServiceRoleForSupport/x"])
            ),
            User(username="system:apiserver", groups=("system:authenticated",)),
            User(username="karpenter"),
        ],
        ids=lambda user: user.username,
    )
    def test_who_may_be_eks_is_only_warned(self, make: Any, user: User) -> None:
        for old, new in ((None, make(a=1)), (make(a=1), make(a=2)), (make(a=1), None)):
            request = Request(old=old, new=new, user=user)
            assert server().refusals(request) == []
            assert [answer.actions for answer in server().answers(request)] == [["Warn", "Audit"]]

    @pytest.mark.parametrize("make", [pool, node_class])
    def test_finalizers_labels_and_status_are_free(self, make: Any) -> None:
        old = make(a=1)
        new = {**old, "metadata": {**old["metadata"], "finalizers": [], "annotations": {"karpenter.sh/hash": "1"}}}
        assert [*server().answers(Request(old=old, new=new))] == []
        assert [*server().answers(Request(old=old, new={**old, "spec": {"a": 2}}, subresource="status"))] == []

    def test_an_object_without_a_spec_is_judged_too(self) -> None:
        bare = {name: value for name, value in pool().items() if name != "spec"}
        for old, new in ((bare, pool(a=1)), (pool(a=1), bare)):
            (refusal,) = server().refusals(Request(old=old, new=new))
            assert "may not UPDATE" in refusal
        assert [*server().answers(Request(old=bare, new=bare))] == []

    def test_what_karpenter_creates_is_not_looked_at(self) -> None:
        claim = {**pool(), "kind": "NodeClaim"}
        assert [*server().answers(Request(new=claim, user=User(username="karpenter")))] == []

    def test_without_groups_only_the_cdk_may(self) -> None:
        (refusal,) = server_of().refusals(Request(new=pool()))
        assert refusal.endswith(
            "only the CDK may; deliver the change with the CDK, or name your group (node_pool_groups)"
        )


class TestOnlyWarn:
    def test_a_rule_warns(self) -> None:
        warned = server_of(only_warn=["image-tags", "node-pools"])
        request = Request(new=pod(containers=[container("public.ecr.aws/a")]))
        assert warned.refusals(request) == []
        assert len(warned.warnings(request)) == 1
        assert {one["failurePolicy"] for name, one in warned.policies.items() if "tags" in name or "pools" in name} == {
            "Ignore"
        }
        assert warned.refusals(Request(new=pool())) == []
        assert len(warned.warnings(Request(new=pool()))) == 1

    def test_a_rule_is_left_out(self) -> None:
        less = server_of(leave_out=["image-tags"])
        assert [*less.answers(Request(new=pod(containers=[container("public.ecr.aws/a")])))] == []
        assert "automode-image-tags" not in less.policies


TOLERATIONS = st.fixed_dictionaries(
    {},
    optional={
        "key": st.sampled_from(["tenant", "other", ""]),
        "operator": st.sampled_from(["Exists", "Equal"]),
        "value": st.sampled_from(["a", "b", "c", ""]),
        "effect": st.sampled_from(["NoSchedule", "NoExecute", "PreferNoSchedule", ""]),
    },
)


def tolerates(toleration: Mapping[str, str], taint: Taint) -> bool:
    """As Kubernetes has it (``ToleratesTaint``), except that there an empty key takes ``Exists`` alone."""
    if toleration.get("effect", "") not in ("", taint.effect):
        return False
    if toleration.get("key", "") not in ("", taint.key):
        return False
    return toleration.get("operator") == "Exists" or toleration.get("value", "") == taint.value


@settings(deadline=None)
@given(st.lists(TOLERATIONS, max_size=3), st.sampled_from(["shop", "team-a", "team-b"]))
def test_tolerations_mean_what_they_mean_to_the_scheduler(tolerations: list[dict[str, str]], where: str) -> None:
    others = {A: "team-a", B: "team-b"}
    wanted = any(tolerates(one, taint) for one in tolerations for taint, own in others.items() if own != where)
    assert bool(server().refusals(Request(new=tolerating(*tolerations, namespace=where)))) is wanted


NAMES = st.text("ab.:-/@", min_size=1, max_size=12)


@settings(deadline=None)
@given(NAMES)
def test_images_are_read_as_the_runtime_reads_them(image: str) -> None:
    # containerd: the first part is a registry if it has a dot or a colon, or is localhost.
    first, slash, _ = image.partition("/")
    registry = first if slash and ("." in first or ":" in first) else "docker.io"
    hub = server_of_hub()
    refused = any("registries" in text for text in hub.refusals(Request(new=pod(containers=[container(image)]))))
    assert refused is (registry != "docker.io")


@cache
def server_of_hub() -> ApiServer:
    return server_of(image_registries=["docker.io"], leave_out=["image-tags", "requests"])


def test_an_object_too_large_to_judge_is_not_let_through() -> None:
    # What exceeds the budget of CEL is a failed expression: the policies that refuse do so then, too.
    assert {policy["failurePolicy"] for name, policy in server().policies.items() if "unverified" not in name} == {
        "Fail"
    }
    broken = replace(Request(new=pod()), new={**pod(), "spec": {"containers": "none"}})
    assert any("failed expression" in text for text in server().refusals(broken))
