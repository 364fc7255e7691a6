"""Autoscaling of a model server, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cdk8s
import kubernetes_validate
import pytest

from automode_constructs.checks.whole_tree import TreeObject, judge_tree
from automode_constructs.inference.chat_page import ChatPage
from automode_constructs.inference.model_autoscaler import ModelAutoscaler
from automode_constructs.inference.model_preset import GPT_OSS_20B
from automode_constructs.inference.model_server import ModelServer
from automode_constructs.inference.weights import S3Weights, SecretKey
from automode_constructs.manifests.node_class import NodeClass
from automode_constructs.manifests.node_pool import NodePool
from automode_constructs.rendering.render import render
from automode_constructs.specs import labels
from automode_constructs.specs.pools.node_pool import NodeClaimSpec, NodeClaimTemplate, NodePoolSpec, Taint
from tests.refusal import refusal

IMAGE = f"111122223333.dkr.ecr.eu-west-1.amazonaws.com/vllm@sha256:{'0a' * 32}"


def new_server(replicas: int | None = None, **arguments: Any) -> ModelServer:
    chart = cdk8s.Chart(cdk8s.App(), "models", namespace="models")
    nodes = NodeClaimSpec(
        requirements=[labels.INSTANCE_FAMILY.is_in("g6"), labels.INSTANCE_GPU_COUNT.is_in("1")],
        taints=[Taint(key="nvidia.com/gpu", effect="NoSchedule")],
    )
    pool = NodePool(
        chart,
        "gpu",
        node_class=NodeClass.from_name("default"),
        spec=NodePoolSpec(template=NodeClaimTemplate(spec=nodes), limits={"nvidia.com/gpu": 4}),
    )
    return ModelServer(
        chart,
        "gpt-oss-20b",
        **{
            "model": GPT_OSS_20B,
            "image": IMAGE,
            "weights": S3Weights(bucket="our-models", prefix="gpt-oss-20b/6cee5e8"),
            "node_pool": pool,
            "replicas": replicas,
            **arguments,
        },
    )


def scaled(server: ModelServer | None = None, **arguments: Any) -> list[dict[str, Any]]:
    server = server or new_server()
    chart = cdk8s.Chart.of(server)
    if arguments.pop("page", False):
        arguments["chat_page"] = ChatPage(chart, "chat", server=server)
    ModelAutoscaler(chart, "scaling", **{"server": server, "max_replicas": 3, **arguments})
    objects: list[dict[str, Any]] = chart.to_json()
    return objects


def spec_of(objects: list[dict[str, Any]]) -> dict[str, Any]:
    (spec,) = [each["spec"] for each in objects if each["kind"] == "HorizontalPodAutoscaler"]
    assert isinstance(spec, dict)
    return spec


def test_replicas_follow_the_requests_in_flight() -> None:
    objects = scaled()
    spec = spec_of(objects)
    assert spec["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "gpt-oss-20b"}
    assert (spec["minReplicas"], spec["maxReplicas"]) == (1, 3)
    (metric,) = spec["metrics"]
    assert metric["external"] == {
        "metric": {"name": "vllm_requests_in_flight", "selector": {"matchLabels": {"server": "gpt-oss-20b"}}},
        "target": {"type": "AverageValue", "averageValue": "24"},
    }
    (deployment,) = [each for each in objects if each["kind"] == "Deployment"]
    assert "replicas" not in deployment["spec"]
    for each in objects:
        if each["kind"] in ("HorizontalPodAutoscaler", "NetworkPolicy"):
            assert kubernetes_validate.validate(each, "1.37", strict=True) == "1.37"


def test_only_the_scraper_reads_the_metrics_from_elsewhere() -> None:
    policies = [each for each in scaled() if each["kind"] == "NetworkPolicy"]
    (policy,) = [each for each in policies if each["metadata"]["name"] == "gpt-oss-20b-metrics"]
    (rule,) = policy["spec"]["ingress"]
    (peer,) = rule["from"]
    assert peer == {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "model-metrics"}},
        "podSelector": {
            "matchLabels": {"app.kubernetes.io/name": "prometheus", "app.kubernetes.io/part-of": "model-metrics"}
        },
    }
    assert rule["ports"] == [{"port": 8000, "protocol": "TCP"}]


def test_the_scraper_finds_the_pods_of_this_namespace() -> None:
    found = {each["kind"]: each for each in scaled()}
    assert found["RoleBinding"]["subjects"] == [
        {"kind": "ServiceAccount", "name": "prometheus", "namespace": "model-metrics"}
    ]
    assert found["Role"]["rules"] == [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}]
    assert found["Role"]["metadata"]["namespace"] == found["RoleBinding"]["metadata"]["namespace"] == "models"


def test_to_zero_waits_until_nobody_wants_the_model() -> None:
    spec = spec_of(scaled(min_replicas=0, page=True, kubernetes_version="1.37"))
    assert spec["minReplicas"] == 0
    assert [each["external"]["metric"]["name"] for each in spec["metrics"]] == [
        "vllm_requests_in_flight",
        "model_wanted",
    ]
    # Kubernetes takes 0 only with a metric of one of these kinds.
    assert {each["type"] for each in spec["metrics"]} <= {"External", "Object"}


def test_a_full_pool_leaves_no_room_for_an_update() -> None:
    server = new_server()
    chart = cdk8s.Chart.of(server)
    ModelAutoscaler(chart, "scaling", server=server, max_replicas=4)
    (told,) = [note.message for note in render(chart).notes if note.rule == "automode:SurgeExceedsLimit"]
    assert told.startswith("max_replicas: ")
    assert "need 5 nvidia.com/gpu, but NodePool 'gpu' is limited to 4: no update ever ends" in told


REFUSALS: list[tuple[str, Callable[[], object], str]] = [
    (
        "a written number",
        lambda: scaled(new_server(replicas=2)),
        "models/scaling: server: 'models/gpt-oss-20b' writes replicas=2, and each deployment would restore that "
        "number; make it with replicas=None",
    ),
    (
        "more than the pool",
        lambda: scaled(max_replicas=5),
        "models/scaling: max_replicas: 5 replicas of 1 GPU need 5, but pool 'gpu' is limited to 4; raise the pool's "
        "limits['nvidia.com/gpu'], or ask for fewer replicas",
    ),
    (
        "fewer than the least",
        lambda: scaled(min_replicas=4),
        "models/scaling: max_replicas: 3 are fewer than min_replicas=4; swap or raise it",
    ),
    (
        "zero on an old Kubernetes",
        lambda: scaled(min_replicas=0, page=True, kubernetes_version="1.36"),
        "models/scaling: min_replicas: 0 needs Kubernetes 1.37 or newer, and kubernetes_version is '1.36'; keep 1, or "
        "upgrade the cluster and pass its version",
    ),
    (
        "zero on an unknown Kubernetes",
        lambda: scaled(min_replicas=0, page=True),
        "models/scaling: min_replicas: 0 needs Kubernetes 1.37 or newer, and kubernetes_version is None; keep 1, or "
        "upgrade the cluster and pass its version",
    ),
    (
        "nothing that starts it",
        lambda: scaled(min_replicas=0, kubernetes_version="1.37"),
        "models/scaling: chat_page: is None: nothing would start a server that has no pod; pass a ChatPage of the "
        "server, or keep min_replicas at 1",
    ),
    (
        "a page of another server",
        lambda: scaled(min_replicas=0, kubernetes_version="1.37", chat_page=other_page()),
        "models/scaling: chat_page: speaks to 'models/gpt-oss-20b', and would not start 'models/gpt-oss-20b'; pass a "
        "ChatPage of the server, or keep min_replicas at 1",
    ),
    (
        "another namespace",
        lambda: ModelAutoscaler(
            cdk8s.Chart(cdk8s.App(), "other", namespace="other"), "scaling", server=new_server(), max_replicas=2
        ),
        "other/scaling: server: 'models/gpt-oss-20b' is in the namespace 'models', and this chart in 'other'; use the "
        "server's chart as scope",
    ),
    (
        "no requests",
        lambda: scaled(requests_per_replica=0),
        "models/scaling: requests_per_replica: needs a whole number of at least 1, got 0",
    ),
    (
        "no pods",
        lambda: scaled(max_replicas=0),
        "models/scaling: max_replicas: needs a whole number of at least 1, got 0",
    ),
]


@pytest.mark.parametrize(("make", "text"), [each[1:] for each in REFUSALS], ids=[each[0] for each in REFUSALS])
def test_what_cannot_scale_is_refused(make: Callable[[], object], text: str) -> None:
    assert refusal(make) == text


def other_page() -> ChatPage:
    server = new_server()
    return ChatPage(cdk8s.Chart.of(server), "chat", server=server)


def page(server: ModelServer | None = None, **arguments: Any) -> list[dict[str, Any]]:
    server = server or new_server()
    chart = cdk8s.Chart.of(server)
    ChatPage(chart, "chat", **{"server": server, **arguments})
    objects: list[dict[str, Any]] = [each for each in chart.to_json() if "chat" in each["metadata"]["name"]]
    return objects


def test_a_chat_page_meets_restricted_pods_and_knows_its_server() -> None:
    objects = page(api_key=SecretKey(name="model-api-key", key="key"))
    (deployment,) = [each for each in objects if each["kind"] == "Deployment"]
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    environment = {each["name"]: each.get("value", each.get("valueFrom")) for each in container["env"]}
    assert environment == {
        "MODEL_URL": "http://gpt-oss-20b:8000",
        "MODEL_NAME": "openai/gpt-oss-20b",
        "IDLE_SECONDS": "600",
        "MODEL_API_KEY": {"secretKeyRef": {"name": "model-api-key", "key": "key"}},
    }
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    for each in objects:
        assert kubernetes_validate.validate(each, "1.37", strict=True) == "1.37"


def test_nobody_reaches_a_page_but_the_scraper_and_it_reaches_only_its_server() -> None:
    policies = {each["metadata"]["name"]: each["spec"] for each in page() if each["kind"] == "NetworkPolicy"}
    own, server = policies["chat"], policies["gpt-oss-20b-chat"]
    (rule,) = own["ingress"]
    assert [sorted(peer) for peer in rule["from"]] == [["namespaceSelector", "podSelector"]]
    chosen = {"podSelector": {"matchLabels": {"app.kubernetes.io/name": "gpt-oss-20b"}}}
    assert chosen in [peer for each in own["egress"] for peer in each["to"]]
    assert server["ingress"][0]["from"] == [
        {"podSelector": {"matchLabels": {"app.kubernetes.io/name": "chat", "model-server": "gpt-oss-20b"}}}
    ]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"name": "gpt-oss-20b"}, "models/chat: name: 'gpt-oss-20b' is the server's name; give it another"),
        ({"idle_seconds": 59}, "models/chat: idle_seconds: needs a whole number of at least 60, got 59"),
        (
            {"image": "python"},
            "models/chat: image: 'python' has neither tag nor digest, so each node may run a different image; add "
            "':<tag>', or better '@sha256:<digest>'",
        ),
    ],
)
def test_a_page_that_cannot_work_is_refused(arguments: dict[str, Any], text: str) -> None:
    assert refusal(lambda: page(**arguments)) == text


def test_the_checks_of_the_whole_tree_find_nothing_wrong() -> None:
    objects = scaled(min_replicas=0, page=True, kubernetes_version="1.37")
    tree = [TreeObject(where="m", manifest=each) for each in objects]
    # The namespace and the switch of network policies are not in this chart.
    assert {each.rule for each in judge_tree(tree, default_node_class=True, whole=True)} == {
        "automode:NamespaceNotFound",
        "automode:NetworkPolicyController",
    }
