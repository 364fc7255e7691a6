"""What a team has inside the cluster: that its parts fit together, and that other teams stay out."""

from __future__ import annotations

import json
from functools import cache, partial
from pathlib import Path
from typing import Any

import cdk8s
import kubernetes_validate
import pytest

from automode_constructs import ClusterValues, NodeClaimSpec, NodeClaimTemplate, NodePoolSpec, Taint, https_to, patterns
from automode_constructs.checks.document import judge_document
from automode_constructs.checks.quotas import quota_problems
from automode_constructs.checks.team_nodes import TEAM_LABEL
from automode_constructs.checks.whole_tree import TreeObject, judge_tree, object_key
from automode_constructs.patterns import Guardrails, Team, TeamChart, TeamQuota, tenants_of
from automode_constructs.rendering.order import in_order, prerequisites
from automode_constructs.rendering.render import render
from automode_constructs.rendering.yaml_folder import write_yaml_folder
from automode_constructs.specs.labels import ARCH, INSTANCE_CATEGORY
from tests.admission import SERVICE_ACCOUNT, ApiServer, Request
from tests.network_policies import Address, Cluster, Pod
from tests.refusal import refusal

OUTPUTS = Path(__file__).parents[3] / "examples" / "outputs.json"
VALUES = ClusterValues.from_outputs(json.loads(OUTPUTS.read_text("utf-8")), where="outputs.json")
QUOTA = TeamQuota(cpu=32, memory="128Gi", devices={"nvidia.com/gpu": 2})
NODES = NodePoolSpec(
    template=NodeClaimTemplate(
        spec=NodeClaimSpec(
            requirements=[INSTANCE_CATEGORY.is_in("g"), ARCH.is_in("amd64")],
            taints=[Taint(key="nvidia.com/gpu", effect="NoSchedule")],
        )
    ),
    limits={"cpu": 64},
)
BLUE = Team(
    name="blue",
    namespaces={"blue": QUOTA, "blue-test": TeamQuota(cpu=4, memory="16Gi")},
    editors=["arn:aws:iam::111122223333:role/Blue"],
    kinds=["gateways"],
    service_accounts={"blue": ["api"]},
    client_teams=["red"],
    egress=[https_to(domain_names=["sqs.eu-central-1.amazonaws.com"])],
    nodes=NODES,
    ingress_group="blue",
    tags={"cost-centre": "4711"},
)
GREEN = Team(
    name="green",
    namespaces={"green": TeamQuota(cpu=8, memory="32Gi")},
    clients=[{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}],
    nodes=NODES,
    ingress_group="web",
    tags={"cost-centre": "4712"},
)
RED = Team(
    name="red",
    namespaces={"red": TeamQuota(cpu=8, memory="32Gi")},
    egress=[https_to(cidrs=["10.0.0.0/16"], port=8080)],
)
TEAMS = (BLUE, GREEN, RED)


def chart_of(team: Team, **arguments: Any) -> TeamChart:
    return TeamChart(cdk8s.App(), team.name, team=team, values=VALUES, **arguments)


@cache
def objects(name: str) -> list[dict[str, Any]]:
    (team,) = (one for one in TEAMS if one.name == name)
    return [item.manifest for item in render(chart_of(team)).objects]


def of(name: str, kind: str, namespace: str | None = None) -> dict[str, Any]:
    (found,) = (
        item
        for item in objects(name)
        if item["kind"] == kind and (namespace is None or item["metadata"].get("namespace") == namespace)
    )
    return found


@cache
def everything() -> list[dict[str, Any]]:
    platform = [
        item.manifest for chart in patterns.platform_charts(cdk8s.App(), VALUES) for item in render(chart).objects
    ]
    rails = patterns.ClusterGuardrails(
        cdk8s.App(),
        "rails",
        guardrails=Guardrails(
            image_registries=["public.ecr.aws"], tenants=tenants_of(TEAMS), agent_namespaces=["agents"]
        ),
    )
    guards = [item.manifest for item in render(rails).objects]
    return [*platform, *(item for team in TEAMS for item in objects(team.name)), *guards]


@pytest.mark.parametrize("version", ["1.31", "1.37"])
def test_kubernetes_knows_every_field(version: str) -> None:
    own = ("karpenter.sh", "eks.amazonaws.com", "networking.k8s.aws")
    judged = [item for team in TEAMS for item in objects(team.name) if not item["apiVersion"].startswith(own)]
    assert len(judged) > 20
    for item in judged:
        assert kubernetes_validate.validate(item, version, strict=True) == version


def test_nothing_is_wrong_with_all_of_it_together() -> None:
    found = judge_tree(
        [TreeObject(where=str(object_key(item)), manifest=item) for item in everything()],
        default_node_class=True,
        whole=True,
    )
    assert [str(one) for one in found] == []
    assert [str(one) for item in everything() for one in judge_document(item) or () if one.severity == "error"] == []


def test_a_namespace_names_its_team_and_its_pod_security() -> None:
    (namespace,) = (item for item in objects("green") if item["kind"] == "Namespace")
    assert namespace["metadata"]["labels"] == {
        TEAM_LABEL: "green",
        "pod-security.kubernetes.io/enforce": "baseline",
        "pod-security.kubernetes.io/enforce-version": "latest",
        "pod-security.kubernetes.io/audit": "restricted",
        "pod-security.kubernetes.io/audit-version": "latest",
        "pod-security.kubernetes.io/warn": "restricted",
        "pod-security.kubernetes.io/warn-version": "latest",
    }


def test_a_quota_names_every_device_by_its_requests() -> None:
    assert of("blue", "ResourceQuota", "blue")["spec"]["hard"] == {
        "requests.cpu": "32",
        "requests.memory": "128Gi",
        "requests.nvidia.com/gpu": "2",
        "requests.aws.amazon.com/neuron": "0",
        "requests.aws.amazon.com/neuroncore": "0",
        "requests.aws.amazon.com/neurondevice": "0",
        "requests.vpc.amazonaws.com/efa": "0",
        "requests.storage": "100Gi",
        "pods": "100",
        "services.loadbalancers": "0",
    }
    assert of("blue", "ResourceQuota", "blue-test")["spec"]["hard"]["requests.nvidia.com/gpu"] == "0"


@pytest.mark.parametrize(
    "resources",
    [{}, {"requests": {"cpu": "2", "memory": "4Gi"}}, {"limits": {"memory": "4Gi"}}, {"limits": {"memory": "64Mi"}}],
)
def test_quota_and_limit_range_fit_together(resources: dict[str, Any]) -> None:
    pod = {"containers": [{"name": "main", "image": "x:1", "resources": resources}]}
    template = {"metadata": {"labels": {"app": "web"}}, "spec": pod}
    metadata = {"name": "web", "namespace": "blue"}
    web = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": {"template": template}}
    assert [*quota_problems([*objects("blue"), web], whole=True)] == []


def test_the_nodes_carry_label_taint_and_tags() -> None:
    pool = of("blue", "NodePool")["spec"]
    assert pool["template"]["metadata"]["labels"] == {TEAM_LABEL: "blue"}
    assert pool["template"]["spec"]["taints"] == [
        {"key": "nvidia.com/gpu", "effect": "NoSchedule"},
        {"key": TEAM_LABEL, "value": "blue", "effect": "NoSchedule"},
    ]
    assert pool["template"]["spec"]["nodeClassRef"]["name"] == "blue"
    assert pool["limits"] == {"cpu": 64}
    assert of("blue", "NodeClass")["spec"]["tags"] == {**(VALUES.node_tags or {}), "cost-centre": "4711"}


def test_the_load_balancer_of_a_group_has_the_team_s_tags_only_if_it_is_its_own() -> None:
    own, shared = of("blue", "IngressClassParams")["spec"], of("green", "IngressClassParams")["spec"]
    assert (own["group"], own["tags"]) == ({"name": "blue"}, [{"key": "cost-centre", "value": "4711"}])
    assert (shared["group"], shared.get("tags")) == ({"name": "web"}, None)
    assert shared["namespaceSelector"] == {"matchLabels": {TEAM_LABEL: "green"}}


def test_a_team_needs_no_nodes_and_no_load_balancer() -> None:
    assert {item["kind"] for item in objects("red")} == {
        "ClusterNetworkPolicy",
        "LimitRange",
        "Namespace",
        "NetworkPolicy",
        "ResourceQuota",
    }
    assert {item["metadata"]["labels"][TEAM_LABEL] for item in objects("red")} == {"red"}


def test_editors_may_change_kinds_that_no_access_policy_knows_in_their_namespaces() -> None:
    binding = of("blue", "RoleBinding", "blue-test")
    assert binding["subjects"] == [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "team-blue"}]
    assert any("httproutes" in rule["resources"] for rule in of("blue", "Role", "blue-test")["rules"])


def test_namespaces_outlive_nothing_that_their_objects_need() -> None:
    rendered = render(chart_of(BLUE)).objects
    order = [object_key(rendered[index].manifest) for index in in_order(rendered, prerequisites(rendered))]
    place = {(key.kind, key.namespace, key.name): number for number, key in enumerate(order)}
    for name in ("blue", "blue-test"):
        assert place["NodePool", "", "blue"] < place["Namespace", "", name]
        assert place["IngressClass", "", "blue"] < place["Namespace", "", name]
        assert place["Namespace", "", name] < place["Role", name, "team-blue"]
        assert place["Namespace", "", name] < place["ResourceQuota", name, "team"]


def test_gitops_has_the_same_objects(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    rails = Guardrails(image_registries=["public.ecr.aws"], tenants=tenants_of([BLUE]))
    charts = [
        patterns.NetworkPoliciesChart(cdk8s.App(), "network-policies"),
        chart_of(BLUE),
        patterns.ClusterGuardrails(cdk8s.App(), "rails", guardrails=rails),
    ]
    write_yaml_folder(charts, folder, default_node_class=True)
    text = (folder / "01-blue.yaml").read_text("utf-8")
    assert text.count("\nkind: ") == len(objects("blue"))


# Traffic: pods have addresses of the VPC, as load balancers do.
API = Pod(namespace="blue", ip="10.0.64.10")
OTHERS: dict[str, tuple[Pod | Address, bool]] = {
    "the same namespace": (Pod(namespace="blue", ip="10.0.64.11"), True),
    "the team's other namespace": (Pod(namespace="blue-test", ip="10.0.64.12"), False),
    "another team": (Pod(namespace="green", ip="10.0.64.13"), False),
    "a team that may": (Pod(namespace="red", ip="10.0.64.14"), True),
    "the load balancer": (Address(ip="10.0.0.9"), True),
    "the internet": (Address(ip="203.0.113.9"), False),
}


@cache
def cluster(*left_out: str) -> Cluster:
    """The objects of all teams, without those policies of a namespace that are left out."""
    return Cluster([item for item in everything() if item["metadata"]["name"] not in left_out])


@pytest.mark.parametrize("source", OTHERS)
def test_who_reaches_the_pods(source: str) -> None:
    peer, allowed = OTHERS[source]
    assert cluster().allows(peer, API, 8080) is allowed


def test_editors_who_delete_their_policies_do_not_open_the_door_to_other_teams() -> None:
    # Green lets its pods out, blue lets everybody in, and the ClusterNetworkPolicy remains.
    open_doors = cluster("default-deny", "default-deny-domains", "same-namespace")
    assert not open_doors.allows(Pod(namespace="green"), API, 8080)
    assert open_doors.allows(Pod(namespace="red"), API, 8080)
    assert open_doors.allows(Pod(namespace="monitoring"), Pod(namespace="green"), 8080)


@pytest.mark.parametrize(
    ("destination", "port", "protocol", "allowed"),
    [
        (Pod(namespace="blue", ip="10.0.64.11"), 8080, "TCP", True),
        (Address(ip="172.20.0.10"), 53, "UDP", True),
        (Address(ip="169.254.170.23"), 80, "TCP", True),
        (Address(ip="52.1.1.1", domain_name="sqs.eu-central-1.amazonaws.com"), 443, "TCP", True),
        (Address(ip="52.1.1.1", domain_name="sns.eu-central-1.amazonaws.com"), 443, "TCP", False),
        (Address(ip="169.254.169.254"), 80, "TCP", False),
        (Address(ip="203.0.113.9"), 443, "TCP", False),
    ],
)
def test_what_the_pods_reach(destination: Any, port: int, protocol: str, allowed: bool) -> None:
    assert cluster().allows(API, destination, port, protocol) is allowed


def test_pods_without_an_identity_do_not_reach_its_agent() -> None:
    assert not cluster().allows(Pod(namespace="green"), Address(ip="169.254.170.23"), 80)


# The guard of the nodes, in a CEL evaluator.
@cache
def api_server() -> ApiServer:
    return ApiServer([item for item in everything() if item["kind"].startswith("ValidatingAdmissionPolicy")])


def pod(namespace: str, **spec: Any) -> Request:
    container = {
        "name": "main",
        "image": "public.ecr.aws/x/y:1",
        "resources": {"requests": {"cpu": "1", "memory": "1Gi"}},
    }
    manifest = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "namespace": namespace},
        "spec": {"containers": [container], **spec},
    }
    return Request(new=manifest, user=SERVICE_ACCOUNT)


@pytest.mark.parametrize("namespace", ["blue", "blue-test"])
def test_a_team_s_pods_go_to_its_nodes(namespace: str) -> None:
    assert api_server().refusals(pod(namespace, **BLUE.placement())) == []


@pytest.mark.parametrize(
    ("namespace", "tolerations"),
    [
        ("green", BLUE.placement()["tolerations"]),
        ("red", BLUE.placement()["tolerations"]),
        ("default", BLUE.placement()["tolerations"]),
        ("green", [{"key": TEAM_LABEL, "operator": "Exists"}]),
        ("green", [{"operator": "Exists"}]),
        ("red", [{"operator": "Exists", "effect": "NoSchedule"}]),
    ],
)
def test_the_api_server_refuses_others_pods_on_a_team_s_nodes(namespace: str, tolerations: list[Any]) -> None:
    refusals = api_server().refusals(pod(namespace, tolerations=tolerations))
    assert len(refusals) == 1
    assert refusals[0].startswith(f"this pod tolerates the taint of another tenant: {TEAM_LABEL}=blue:NoSchedule")


def test_agents_may_run_everywhere() -> None:
    assert api_server().refusals(pod("agents", tolerations=[{"operator": "Exists"}])) == []


def test_every_namespace_enforces_enough_for_the_guard_rails() -> None:
    for item in everything():
        if item["kind"] == "Namespace":
            assert api_server().refusals(Request(new=item)) == []


def test_only_the_team_s_pods_fit_its_pool_at_synth_too() -> None:
    spec = pod("green", tolerations=[{"operator": "Exists"}]).new
    found = judge_tree(
        [TreeObject(where="x", manifest=item) for item in [*everything(), spec or {}]],
        default_node_class=True,
        whole=True,
    )
    assert [one.rule for one in found if one.severity == "error"] == ["automode:OtherTeamsNodes"]


def test_ten_teams_are_a_loop() -> None:
    teams = [
        Team(
            name=f"team-{number}",
            namespaces={f"team-{number}": QUOTA, f"team-{number}-test": QUOTA},
            nodes=NODES,
            ingress_group="web",
        )
        for number in range(10)
    ]
    rails = Guardrails(image_registries=["public.ecr.aws"], tenants=tenants_of(teams))
    charts = [
        *patterns.platform_charts(cdk8s.App(), VALUES),
        *(chart_of(team) for team in teams),
        patterns.ClusterGuardrails(cdk8s.App(), "rails", guardrails=rails),
    ]
    found = judge_tree(
        [TreeObject(where=item.where, manifest=item.manifest) for chart in charts for item in render(chart).objects],
        default_node_class=True,
        whole=True,
    )
    assert [str(one) for one in found] == []


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"name": "Blue"}, "name: 'Blue' is not the name of a team; use 1 to 50 lower-case letters, digits and '-'"),
        ({"name": "b" * 51}, "is not the name of a team"),
        ({"namespaces": {}}, "namespaces: is empty; name one with its TeamQuota"),
        (
            {"namespaces": {"kube-system": QUOTA}},
            "namespaces['kube-system']: belongs to Kubernetes itself; give the team a namespace of its own",
        ),
        ({"namespaces": {"My_Space": QUOTA}}, "namespaces['My_Space']: 'My_Space' cannot be the name of this object"),
        (
            {"service_accounts": {"other": ["api"]}},
            "service_accounts['other']: is no namespace of the team; name one of blue",
        ),
        ({"editors": ["x"], "viewers": ["x"]}, "viewers[0]: 'x' is an editor too; name it in one of the two"),
        ({"kinds": ["gateways"]}, "kinds: are for editors, and there are none; name editors"),
        (
            {"editors": ["x"], "kinds": ["node-pools"]},
            "kinds[0]: 'node-pools' belong to no namespace, and so to all teams; give that right to the platform team",
        ),
        (
            {"nodes": NODES.replace(limits=None)},
            "nodes.limits: are missing, and the pool would grow without an end; write limits={'cpu': 64}",
        ),
        (
            {
                "nodes": NODES.replace(
                    template=NODES.template.replace(
                        spec=NODES.template.spec.replace(taints=[Taint(key=TEAM_LABEL, effect="NoSchedule")])
                    )
                )
            },
            f"nodes.template.spec.taints: have {TEAM_LABEL}; leave it out: it is written for you",
        ),
        ({"client_teams": ["blue"]}, "client_teams[0]: is the team itself; leave it out"),
        ({"client_teams": ["Red"]}, "client_teams[0]: 'Red' is not the name of a team"),
        ({"clients": [{}]}, "clients[0]: is empty and selects nobody"),
        ({"ingress_group": "A B"}, "ingress_group: 'A B' is not"),
        ({"tags": {"aws:x": "y"}}, "tags['aws:x']: is not the key of a tag; use 1 to 128 characters"),
        ({"tags": {"x": "y" * 257}}, "tags['x']: has 257 characters; use 256 at most"),
        ({"tags": {f"k{number}": "v" for number in range(41)}}, "tags: are 41, more than 40"),
        ({"pod_security": "none"}, "pod_security: 'none' is not known"),
    ],
)
def test_a_team_that_cannot_be(fields: dict[str, Any], words: str) -> None:
    assert words in refusal(partial(Team, **{"name": "blue", "namespaces": {"blue": QUOTA}, **fields}))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"cpu": "much"}, "cpu: 'much' is not an amount; write a quantity such as 32, '500m' or '128Gi'"),
        ({"memory": -1}, "memory: -1 is not an amount"),
        ({"storage": "10 GB"}, "storage: '10 GB' is not an amount"),
        (
            {"default_cpu": 9},
            "default_cpu: 9 is more than all of the namespace may request (cpu=8), so no pod without requests could "
            "start; lower it, or raise the ceiling",
        ),
        ({"default_memory": "64Gi"}, "default_memory: '64Gi' is more than all of the namespace may request"),
        ({"pods": -1}, "pods: must be at least 0, got -1"),
        ({"load_balancers": -1}, "load_balancers: must be at least 0, got -1"),
        (
            {"devices": {"requests.nvidia.com/gpu": 1}},
            "devices['requests.nvidia.com/gpu']: is not the resource of a device; write 'nvidia.com/gpu'",
        ),
        ({"devices": {"gpu": 1}}, "devices['gpu']: is not the resource of a device; write a resource such as"),
        ({"devices": {"nvidia.com/gpu": -1}}, "devices['nvidia.com/gpu']: must be at least 0, got -1"),
        ({"cpu": "${Token[TOKEN.1]}"}, "cpu: is known only after deployment; write a quantity"),
    ],
)
def test_a_quota_that_cannot_be(fields: dict[str, Any], words: str) -> None:
    assert words in refusal(partial(TeamQuota, **{"cpu": 8, "memory": "32Gi", **fields}))


@pytest.mark.parametrize(
    ("team", "arguments", "words"),
    [
        (
            RED,
            {"load_balancer_cidrs": ["10.0.0.0/16"]},
            "red: load_balancer_cidrs: is for an IngressClass, and team 'red' has none; leave it out",
        ),
        (
            GREEN,
            {"load_balancer_cidrs": []},
            "load_balancer_cidrs: are not known, and the policies of team 'green' would keep its load balancer from "
            "its pods; name the blocks of the subnets that load balancers are in",
        ),
        (GREEN, {"load_balancer_cidrs": ["everyone"]}, "load_balancer_cidrs[0]: 'everyone' is not"),
        (
            GREEN,
            {"load_balancers": VALUES.ingress_class_params_spec().replace(group={"name": "x"})},
            "load_balancers.group: is written from the team; leave it out",
        ),
    ],
)
def test_a_chart_that_cannot_be(team: Team, arguments: dict[str, Any], words: str) -> None:
    assert words in refusal(partial(chart_of, team, **arguments))


def test_pods_go_to_own_nodes_only_where_there_are_some() -> None:
    assert BLUE.placement()["nodeSelector"] == {TEAM_LABEL: "blue"}
    assert "Team 'red': nodes: are none of its own; write nodes=NodePoolSpec(...)" in refusal(RED.placement)


def test_teams_share_neither_name_nor_namespace() -> None:
    twin = Team(name="red", namespaces={"blue": QUOTA})
    assert refusal(lambda: tenants_of([BLUE, RED, twin])).count(";") >= 2
    words = refusal(lambda: tenants_of([BLUE, RED, twin]))
    assert "teams[2].name: 'red' is another team's too; give each its own" in words
    assert "teams[2].namespaces: 'blue' is a namespace of team 'blue' too; give each its own" in words
