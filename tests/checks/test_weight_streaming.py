"""Whether a server that streams its weights has the memory for it."""

from __future__ import annotations

from typing import Any

import pytest

from automode_constructs.checks.document import judge_document
from automode_constructs.checks.weight_streaming import GIB, streaming_problems
from automode_constructs.checks.whole_tree import TreeObject, judge_tree

GPT_OSS = "s3://weights/gpt-oss-20b"
STREAM = "--load-format=runai_streamer"
LIMIT = '--model-loader-extra-config={"memory_limit":4294967296}'
MEMORY = "spec.template.spec.containers[0].resources.limits.memory"
TAKES = "loading takes 18.8 GiB (the streamer's buffer 12.8, vLLM about 6), and the container is killed before it ends"
CURE = 'set "memory_limit": 4294967296 in --model-loader-extra-config, or the container\'s memory limit to 19Gi'


def server(*arguments: str, memory: Any = "12Gi", env: dict[str, str] | None = None, pod: Any = ()) -> dict[str, Any]:
    container = {
        "name": "vllm",
        "image": "registry.example/vllm:0.27.1",
        "command": ["vllm", "serve"],
        "args": list(arguments),
        "env": [{"name": name, "value": value} for name, value in (env or {}).items()],
        "resources": {"limits": {"nvidia.com/gpu": 1, **({} if memory is None else {"memory": memory})}},
    }
    labels = {"app": "a"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container], **dict(pod)}}
    spec = {"selector": {"matchLabels": labels}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}, "spec": spec}


def told(*arguments: str, **fields: Any) -> list[str]:
    return [f"{problem.rule} {problem}" for problem in streaming_problems(server(*arguments, **fields))]


def test_the_streamers_own_limit_is_too_much_for_12gi() -> None:
    assert told(GPT_OSS, STREAM, '--model-loader-extra-config={"concurrency":4}') == [
        f"automode:StreamerMemory {MEMORY}: the weight streamer buffers up to 40 GB in a pod of 12Gi (its model has "
        f"13.8 GB): {TAKES}; {CURE}"
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        [STREAM],
        ["--load-format", "RUNAI_STREAMER"],
        ["--load_format=runai_streamer"],
        ["--load-f", "runai_streamer"],
        ["--load-format=runai_streamer_sharded"],
        ["--load-format=auto"],  # which is the streamer, for what is in S3
        [],
        [STREAM, '--model-loader-extra-config={"memory_limit":-1}'],
        [STREAM, "--model-loader-extra-config.memory_limit=40000000000"],
        [STREAM, "--model-loader-extra-config.concurrency=4", LIMIT],  # replaces the whole
        ["--load-format=safetensors", STREAM],
    ],
    ids=" ".join,
)
def test_every_way_to_stream_without_a_limit_is_found(arguments: list[str]) -> None:
    (said,) = told(GPT_OSS, *arguments)
    assert said.startswith("automode:StreamerMemory")
    assert TAKES in said


@pytest.mark.parametrize(
    "arguments",
    [
        [STREAM, LIMIT],
        [STREAM, "--model_loader_extra_config", '{"concurrency": 4, "memory_limit": 4294967296}'],
        [STREAM, "--model-loader-extra-config.memory_limit", "4294967296"],
        [STREAM, "--model-loader-extra-config.memory_limit=0"],
        [STREAM, "--model-loader-extra-config=${Token[Config.1]}"],
        ["--load-format=safetensors"],
        [STREAM, "--load-format=dummy"],
    ],
    ids=" ".join,
)
def test_a_limit_by_any_spelling_is_enough(arguments: list[str]) -> None:
    assert told(GPT_OSS, *arguments) == []


def test_the_variable_limits_too_and_vllms_key_wins() -> None:
    assert told(GPT_OSS, STREAM, env={"RUNAI_STREAMER_MEMORY_LIMIT": "4294967296"}) == []
    assert told(GPT_OSS, STREAM, LIMIT, env={"RUNAI_STREAMER_MEMORY_LIMIT": "-1"}) == []
    (said,) = told(
        GPT_OSS,
        STREAM,
        '--model-loader-extra-config={"memory_limit":-1}',
        env={"RUNAI_STREAMER_MEMORY_LIMIT": "4294967296"},
    )
    assert "buffers all of the weights in a pod of 12Gi" in said


def test_a_limit_that_vllm_ignores_is_none() -> None:
    (said,) = told(GPT_OSS, STREAM, '--model-loader-extra-config={"memory_limit":"4294967296"}')
    assert "buffers up to 40 GB, since vLLM ignores the memory_limit '4294967296', in a pod of 12Gi" in said
    (said,) = told(GPT_OSS, STREAM, "--model-loader-extra-config.memory_limit=4Gi")
    assert "since vLLM ignores the memory_limit '4Gi'" in said


@pytest.mark.parametrize(
    ("arguments", "env", "message"),
    [
        (
            ['--model-loader-extra-config={"memory_limit":1000000000}'],
            {},
            "args: the streamer's memory limit of 1,000,000,000 bytes does not hold the largest tensor of "
            "openai/gpt-oss-20b, 1,158,266,880 bytes, so the server ends with an error; set memory_limit to "
            "4294967296, or to 0 for just the largest tensor",
        ),
        (
            [],
            {"RUNAI_STREAMER_MEMORY_LIMIT": "4Gi"},
            "env: RUNAI_STREAMER_MEMORY_LIMIT: '4Gi' is not a number of bytes, so the server may not start; "
            "write bytes, such as 4294967296 for 4 "
            "GiB",
        ),
        (
            ['--model-loader-extra-config={"memory_limit":true}'],
            {},
            "args: memory_limit: True is not a number of bytes, so the server may not start; write bytes, "
            "such as 4294967296 for 4 GiB",
        ),
        (
            ["--model-loader-extra-config.memory_limit=-2"],
            {},
            "args: the streamer's memory limit cannot be -2, so the server may not start; write bytes, such as "
            "4294967296 for 4 GiB",
        ),
    ],
)
def test_a_limit_that_the_streamer_refuses(arguments: list[str], env: dict[str, str], message: str) -> None:
    said = told(GPT_OSS, STREAM, *arguments, env=env, memory="64Gi")
    assert said == [f"automode:StreamerLimit spec.template.spec.containers[0].{message}"]


def test_enough_memory_is_enough() -> None:
    assert told(GPT_OSS, STREAM, memory="19Gi") == []
    assert told(GPT_OSS, STREAM, memory=str(19 * GIB)) == []
    assert told(GPT_OSS, STREAM, LIMIT, memory="10Gi") == []
    assert told(GPT_OSS, STREAM, memory=None) == []
    (said,) = told(GPT_OSS, STREAM, memory="18Gi")
    assert "in a pod of 18Gi" in said


def test_where_no_limit_of_the_streamer_would_help_both_are_to_be_set() -> None:
    (said,) = told(GPT_OSS, STREAM, memory="7Gi")
    assert (
        ' "memory_limit": 4294967296 in --model-loader-extra-config and the container\'s memory limit to 10Gi' in said
    )
    (said,) = told(GPT_OSS, STREAM, memory="8Gi")
    assert '; set "memory_limit": 2147483648 in --model-loader-extra-config, or ' in said


def test_each_process_has_a_buffer_of_its_own_unless_they_share() -> None:
    (said,) = told(GPT_OSS, STREAM, LIMIT, "-tp=4", memory="16Gi")
    assert "loading takes 22.0 GiB (the streamer's buffer of 4 processes 16.0, vLLM about 6)" in said
    assert told(GPT_OSS, STREAM, LIMIT, "-tp=4", memory="22Gi") == []
    shared = '--model-loader-extra-config={"memory_limit":4294967296,"distributed":true}'
    assert told(GPT_OSS, STREAM, shared, "-tp=4", memory="19Gi") == []


def test_a_model_that_is_not_known_may_be_as_large_as_any() -> None:
    (said,) = told("s3://weights/mine", STREAM)
    assert "buffers up to 40 GB in a pod of 12Gi: loading takes 43.3 GiB" in said
    assert told("s3://weights/mine", STREAM, LIMIT) == []
    small = streaming_problems(server("s3://weights/mine", STREAM), weight_bytes=5 * GIB)
    assert list(small) == []
    (said,) = told("acme/x", STREAM, "--served-model-name", "openai/gpt-oss-20b")
    assert "13.8 GB" in said


@pytest.mark.parametrize("kind", ["Pod", "CronJob", "StatefulSet", "DaemonSet", "LeaderWorkerSet"])
def test_it_holds_for_every_workload(kind: str) -> None:
    pod = server(GPT_OSS, STREAM)["spec"]["template"]["spec"]
    body = {"Pod": pod, "CronJob": {"jobTemplate": {"spec": {"template": {"spec": pod}}}}}
    manifest = {"apiVersion": "v1", "kind": kind, "spec": body.get(kind, {"template": {"spec": pod}})}
    (problem,) = streaming_problems(manifest)
    assert problem.field.endswith("containers[0].resources.limits.memory")


def test_a_limit_of_the_whole_pod_counts() -> None:
    pod_wide = {"resources": {"limits": {"memory": "12Gi"}}}
    assert len(list(streaming_problems(server(GPT_OSS, STREAM, memory=None, pod=pod_wide)))) == 1


@pytest.mark.parametrize("memory", ["much", "NaN", "1e999", True, ["12Gi"], "${Token[Memory.1]}"])
def test_a_memory_that_is_none_is_for_others_to_judge(memory: Any) -> None:
    assert told(GPT_OSS, STREAM, memory=memory) == []


def test_linter_and_synthesis_say_the_same() -> None:
    manifest = server(GPT_OSS, STREAM)
    (finding,) = judge_document(manifest) or []
    (of_tree,) = judge_tree(
        [TreeObject(where="chart/a", manifest=manifest)], default_node_class=False, whole=False, built_in_pools=[]
    )
    assert (finding.severity, str(finding)) == (of_tree.severity, str(of_tree).removeprefix(f"{of_tree.where}: "))
    assert of_tree.rule == "automode:StreamerMemory"
    assert judge_document(server(GPT_OSS, STREAM, LIMIT)) is None
