"""The set-up for a short cold start: its time, what it adds to a server, what it refuses."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import aws_cdk as cdk
import cdk8s
import jsii
import kubernetes_validate
import pytest

from automode_constructs.facts.instance_types import instance_types
from automode_constructs.inference.cold_start import Seconds, estimate_cold_start
from automode_constructs.inference.fast_start import FastStart
from automode_constructs.inference.model_preset import GPT_OSS_20B
from automode_constructs.inference.model_server import ModelServer
from automode_constructs.inference.weights import ImageWeights, S3Weights, Weights
from automode_constructs.manifests.node_class import NodeClass
from automode_constructs.manifests.node_pool import NodePool
from automode_constructs.specs import labels
from automode_constructs.specs.pools.node_pool import NodeClaimSpec, NodeClaimTemplate, NodePoolSpec, Taint
from automode_constructs.specs.pools.requirement import Requirement
from tests.refusal import refusal

IMAGE = f"111122223333.dkr.ecr.eu-west-1.amazonaws.com/vllm@sha256:{'0a' * 32}"
S3 = S3Weights(bucket="our-models", prefix="gpt-oss-20b/6cee5e8")
SLIM = 4_500_000_000
FOUR_XLARGE = (
    labels.INSTANCE_CATEGORY.is_in("g"),
    labels.INSTANCE_GENERATION.greater_than(4),
    labels.ARCH.is_in("amd64"),
    labels.INSTANCE_GPU_COUNT.is_in("1"),
    labels.INSTANCE_CPU.greater_than(15),
    labels.INSTANCE_LOCAL_NVME.greater_than(200),
)


def server(
    fast_start: FastStart | None = None, *requirements: Requirement, weights: Weights = S3, **arguments: Any
) -> list[dict[str, Any]]:
    chart = cdk8s.Chart(cdk8s.App(), "models", namespace="models")
    nodes = NodeClaimSpec(
        requirements=[*(requirements or FOUR_XLARGE)], taints=[Taint(key="nvidia.com/gpu", effect="NoSchedule")]
    )
    pool = NodePool(
        chart,
        "gpu",
        node_class=NodeClass.from_name("default"),
        spec=NodePoolSpec(template=NodeClaimTemplate(spec=nodes), limits={"nvidia.com/gpu": 4}),
    )
    ModelServer(
        chart,
        "model",
        **{
            "model": GPT_OSS_20B,
            "image": IMAGE,
            "weights": weights,
            "node_pool": pool,
            "vllm_version": "0.27.1",
            "fast_start": fast_start or FastStart(image_bytes=SLIM),
            **arguments,
        },
    )
    objects: list[dict[str, Any]] = chart.to_json()
    return objects


@pytest.mark.parametrize("name", ["g5.4xlarge", "g6.4xlarge", "g6e.4xlarge", "g7e.4xlarge"])
def test_every_4xlarge_starts_within_two_and_a_half_minutes(name: str) -> None:
    start = estimate_cold_start(
        instance_type=instance_types()[name],
        image_bytes=SLIM,
        weight_bytes=GPT_OSS_20B.weight_bytes,
        weights="s3",
        fast_start=True,
        cuda_graph_size=64,
    )
    assert start.total is not None
    assert 60 < start.total.low < start.total.high <= 150


def test_the_times_hold_only_for_what_they_were_read_from() -> None:
    def start(name: str, **more: Any) -> Any:
        return estimate_cold_start(
            instance_type=instance_types()[name],
            image_bytes=SLIM,
            weight_bytes=GPT_OSS_20B.weight_bytes,
            weights="s3",
            fast_start=True,
            **more,
        )

    small, large = start("g6.xlarge", cuda_graph_size=64), start("g6.4xlarge", cuda_graph_size=64)
    assert (small.process, small.init) == (Seconds(low=10, high=20), Seconds(low=15, high=45))
    assert (large.process, large.init) == (Seconds(low=10, high=15), Seconds(low=10, high=25))
    assert small.compile == large.compile == Seconds(low=5, high=12)
    for size in (65, None):
        assert start("g6.4xlarge", cuda_graph_size=size).init == Seconds(low=15, high=45)


def test_the_parts_read_in_order() -> None:
    start = estimate_cold_start(
        instance_type=instance_types()["g6.4xlarge"], image_bytes=SLIM, weight_bytes=1e9, weights=None
    )
    assert start.parts() == (
        "node 30-90 s, pull 24 s, process 10-20 s, weights unknown, compile 20-55 s, init 15-45 s, first token 1-3 s"
    )


@pytest.fixture(scope="module")
def objects() -> dict[str, Any]:
    return {item["kind"]: item for item in server()}


def test_a_pod_fetches_the_cache_first_and_a_sidecar_keeps_it(objects: dict[str, Any]) -> None:
    pod = objects["Deployment"]["spec"]["template"]["spec"]
    fetch, keep = pod["initContainers"]
    assert (fetch["name"], fetch.get("restartPolicy")) == ("compile-cache", None)
    assert (keep["name"], keep["restartPolicy"]) == ("keep-compile-cache", "Always")
    assert fetch["image"] == keep["image"] == pod["containers"][0]["image"]
    bucket, prefix, cache = fetch["args"]
    assert (bucket, cache) == ("--bucket=our-models", "--cache=/cache")
    assert re.fullmatch("--prefix=compile-cache/[0-9a-f]{12}", prefix)
    assert keep["args"] == fetch["args"]
    program = fetch["command"][2].rpartition("/")[2]
    assert program in objects["ConfigMap"]["data"]
    assert {"name": "compile-cache", "configMap": {"name": "model-compile-cache"}} in pod["volumes"]
    assert objects["ConfigMap"]["metadata"]["name"] == "model-compile-cache"


def prefix_of(objects: list[dict[str, Any]]) -> str:
    (deployment,) = [each for each in objects if each["kind"] == "Deployment"]
    prefix: str = deployment["spec"]["template"]["spec"]["initContainers"][0]["args"][1]
    return prefix


def test_another_image_or_flag_has_a_cache_of_its_own() -> None:
    other = IMAGE.replace("0a", "0b")
    prefixes = [server(), server(image=other), server(max_model_len=8192), server(cpu=4)]
    first, by_image, by_flag, by_cpu = map(prefix_of, prefixes)
    assert len({first, by_image, by_flag}) == 3
    assert by_cpu == first
    # The text of a token differs in every synthesis.
    one, two = (f"{cdk.Lazy.string(_Name())}/vllm:0.27.1" for _ in range(2))
    assert one != two
    assert prefix_of(server(image=one)) == prefix_of(server(image=two))


@jsii.implements(cdk.IStableStringProducer)
class _Name:
    def produce(self) -> str:
        return "registry"


@pytest.mark.parametrize("version", ["1.36", "1.37"])
def test_kubernetes_knows_every_field(version: str, objects: dict[str, Any]) -> None:
    for kind in ("Deployment", "ConfigMap"):
        assert kubernetes_validate.validate(objects[kind], version, strict=True) == version


REFUSALS: list[tuple[str, Callable[[], object], str]] = [
    (
        "a node with few vCPU",
        lambda: server(None, labels.INSTANCE_FAMILY.is_in("g6")),
        "models/model: fast_start: pool 'gpu' admits g6.xlarge and 1 more: the cold start there is 156-233 s (node "
        "17-45 s, pull 64 s, process 10-20 s, weights 44 s, compile 5-12 s, init 15-45 s, first token 1-3 s), but "
        "target_seconds is 150; require labels.INSTANCE_CPU.greater_than(15) in the pool",
    ),
    (
        "AWS's image",
        lambda: server(FastStart(image_bytes=9_000_000_000), labels.INSTANCE_TYPE.is_in("g6.4xlarge")),
        "models/model: fast_start: pool 'gpu' admits g6.4xlarge: the cold start there is 103-160 s (node 17-45 s, "
        "pull 49 s, process 10-15 s, weights 11 s, compile 5-12 s, init 10-25 s, first token 1-3 s), but "
        "target_seconds is 150; use a smaller image, such as vLLM's wheels on plain Python, or more vCPU, or raise "
        "target_seconds",
    ),
    (
        "weights in the image",
        lambda: server(weights=ImageWeights(path="/models/m")),
        "models/model: fast_start: keeps its compile cache beside streamed weights, and these are ImageWeights; "
        "use S3Weights",
    ),
    (
        "the weights' own prefix",
        lambda: server(FastStart(image_bytes=SLIM, cache_prefix="gpt-oss-20b")),
        "models/model: fast_start.cache_prefix: 'gpt-oss-20b' overlaps the weights' prefix 'gpt-oss-20b/6cee5e8'; "
        "use a prefix of its own, such as 'compile-cache'",
    ),
    (
        "a slash",
        lambda: server(FastStart(image_bytes=SLIM, cache_prefix="/cache")),
        "models/model: fast_start.cache_prefix: '/cache' is not a prefix of S3 objects; write it without a slash at "
        "either end, such as 'compile-cache'",
    ),
    (
        "no bytes",
        lambda: server(FastStart(image_bytes=0)),
        "models/model: fast_start.image_bytes: needs a number above 0, got 0",
    ),
    (
        "a target that nobody reaches",
        lambda: server(FastStart(image_bytes=SLIM, target_seconds=30)),
        "models/model: fast_start.target_seconds: needs a whole number of at least 60, got 30; no node, image and "
        "engine together are faster",
    ),
    (
        "no pool",
        lambda: server(node_pool=None),
        "models/model: node_pool: fast_start can keep to its target only on a pool that it knows; pass the NodePool",
    ),
    (
        "two caches",
        lambda: server(restricted=False, compile_cache_host_path="/mnt/.ephemeral/cache"),
        "models/model: compile_cache_host_path: fast_start keeps the compile cache in S3, for all nodes; leave it out",
    ),
]


@pytest.mark.parametrize(("make", "text"), [each[1:] for each in REFUSALS], ids=[each[0] for each in REFUSALS])
def test_what_is_not_fast_is_refused(make: Callable[[], object], text: str) -> None:
    assert refusal(make) == text


def test_more_cuda_graphs_break_the_target() -> None:
    text = refusal(lambda: server(max_num_seqs=256))
    assert "init 15-45 s" in text
    assert "target_seconds is 150" in text
