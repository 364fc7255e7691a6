"""The arguments of vLLM, judged by what its own package takes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from automode_constructs import facts
from automode_constructs.errors import AutoModeError
from automode_constructs.facts.vllm import VllmFlag, flags_of, pairs_enable_with_disable, vllm_versions
from automode_constructs.inference.vllm_arguments import check_arguments
from tools.vllm import document

OURS = [
    "s3://weights/gpt-oss-20b/",
    "--host=0.0.0.0",
    "--port=8000",
    "--served-model-name=openai/gpt-oss-20b",
    "--max-model-len=32768",
    "--max-num-seqs=32",
    "--gpu-memory-utilization=0.92",
    "--max-cudagraph-capture-size=64",
    "--tool-call-parser=openai",
    "--enable-auto-tool-choice",
    "--shutdown-timeout=90",
    "--disable-access-log-for-endpoints=/health",
]
TOKEN = "${Token[Model.12]}"

SIZE = "a whole number, which may end in k (1000), K (1024), m, M, g, G, t or T"


def errors(*arguments: str, version: str | None = "0.33.0") -> list[str]:
    found = [problem for problem in check_arguments(arguments, version=version) if problem.severity == "error"]
    return [str(problem).removeprefix("arguments: ") for problem in found]


def warnings(*arguments: str, version: str | None = "0.33.0") -> list[str]:
    found = check_arguments(arguments, version=version)
    assert {problem.severity for problem in found} <= {"warning"}
    return [str(problem).removeprefix("arguments: ") for problem in found]


@pytest.mark.parametrize("version", [None, "0.22.0", "0.25.1", "0.27.1", "v0.33.0", "0.20.0", "0.40", "0.33.0+cu129"])
def test_our_own_arguments_pass_in_every_version(version: str | None) -> None:
    assert warnings(*OURS, version=version) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["--port", "8000"],
        ["model", "--port", "8000"],
        ["--max_model_len", "32k"],
        ["--max-model-len=1.5m"],
        ["--max-model-len=AUTO"],
        ["--max-model-len", "-1"],
        ["--no-enable-prefix-caching"],
        ["--disable-prefix-caching"],
        ["-tp", "2", "-O3"],
        ["-O", "2"],
        ["--optimization-level=1"],
        ["--served-model-name", "one", "two", "--port=1"],
        ["--hf-token", "--port=1"],
        ["--middleware=a.b", "--middleware=c.d"],
        ["--compilation-config", '{"cudagraph_capture_sizes": [1, 2]}'],
        ["--compilation_config.cudagraph_capture_sizes+", "1,2", "-cc.mode=3"],
        ["--kv-transfer-config", '{"kv_connector": "x", "kv_connector_extra_config": {"size": 1.5g}}'],
        ["--speculative-config.num_speculative_tokens", "3", "--speculative-config=None"],
        ["--attention-backend=triton_attn", "--moe-backend=Flashinfer-CUTLASS", "--quantization", "MXFP4"],
        ["--attention-backend=auto", "--reasoning-parser=openai_gptoss", "--kv-cache-dtype=fp8"],
        ["--reasoning-parser=NONE", "--tool-call-parser=None", "--quantization=None", "--attention-backend", ""],
        ["--load-format=runai_streamer", '--model-loader-extra-config={"concurrency":4}'],
        ["--tool-parser-plugin=/plugins/mine.py", "--tool-call-parser=mine"],
        ["--config=/etc/vllm.yaml", "--enable-auto-tool-choice"],
        [f"--served-model-name={TOKEN}", "--max-num-seqs", TOKEN, f"--kv-cache-dtype={TOKEN}", TOKEN],
        [],
    ],
    ids=" ".join,
)
def test_what_vllm_takes_passes(arguments: list[str]) -> None:
    assert warnings(*arguments) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--max-modle-len=1"], "'--max-modle-len' is not a flag of vLLM 0.33.0; did you mean '--max-model-len'?"),
        (["--zzz", "1"], "'--zzz' is not a flag of vLLM 0.33.0"),
        (["--no-port"], "'--no-port' is not a flag of vLLM 0.33.0; did you mean '--port'?"),
        (
            ["--calculate-kv-scales"],
            "'--calculate-kv-scales' is no longer in vLLM 0.33.0; the last known version with it is 0.27.1; leave it "
            "out",
        ),
        (
            ["--enable-log-requests=true"],
            "'--enable-log-requests' takes no value, got 'true'; "
            "write '--enable-log-requests' or '--no-enable-log-requests'",
        ),
        (
            ["--headless=yes"],
            "'--headless' takes no value, got 'yes'; write '--headless' or leave it out",
        ),
        (
            ["model", "--enable-log-requests", "true"],
            "'true' does not belong to a flag; values follow their flag, and flags that turn something on take none",
        ),
        (["--max-num-seqs"], "'--max-num-seqs' needs a value"),
        (["--served-model-name", "--port=1"], "'--served-model-name' needs a value"),
        (["--compilation-config.mode"], "'--compilation-config.mode' needs a value"),
        (["--max-num-seqs=lots"], "'--max-num-seqs' takes a whole number, got 'lots'"),
        (["--max-num-seqs=32k"], "'--max-num-seqs' takes a whole number, got '32k'"),
        (["--gpu-memory-utilization=90%"], "'--gpu-memory-utilization' takes a number, got '90%'"),
        (
            ["--max-num-batched-tokens=2.5K"],
            f"'--max-num-batched-tokens' takes {SIZE}, got '2.5K'; a fraction needs a lower-case suffix: '2.5k'",
        ),
        (["--max-num-batched-tokens=auto"], f"'--max-num-batched-tokens' takes {SIZE}, got 'auto'"),
        (["--max-model-len=all"], f"'--max-model-len' takes 'auto' or {SIZE}, got 'all'"),
        (["--speculative-config={x"], "'--speculative-config' takes JSON, got '{x'"),
        (["--hf-overrides={x}"], "'--hf-overrides' takes JSON where it begins with '{', got '{x}'"),
        (["--compilation-config=[3]"], "'--compilation-config' takes a JSON object, got '[3]'"),
        (
            ['--compilation-config={"cudagraph_capture_size": 1}'],
            "'--compilation-config' has no key 'cudagraph_capture_size'; did you mean 'cudagraph_capture_sizes'?",
        ),
        (
            ["-cc.cudagraph_capture_size", "1"],
            "'-cc' has no key 'cudagraph_capture_size'; did you mean 'cudagraph_capture_sizes'?",
        ),
        (
            ["--max-model-len.x=3"],
            "'--max-model-len.x': '--max-model-len' takes no keys; write '--max-model-len'",
        ),
        (
            ["--dtype=int8"],
            "'--dtype' does not take 'int8'; use one of 'auto', 'bfloat16', 'float', 'float16', 'float32', 'half'",
        ),
        (
            ["--max-lora-rank=17"],
            "'--max-lora-rank' does not take '17'; use one of '1', '8', '16', '32', '64', '128', '256', '320', '512'",
        ),
        (["--moe-backend=marline"], "'--moe-backend' does not take 'marline'; did you mean 'marlin'?"),
        (
            ["--tool-call-parser=openia"],
            "'--tool-call-parser' does not take 'openia' in vLLM 0.33.0; did you mean 'openai'?",
        ),
        (
            ["--reasoning-parser", "openai-gptoss"],
            "'--reasoning-parser' does not take 'openai-gptoss' in vLLM 0.33.0; did you mean 'openai_gptoss'?",
        ),
        (["--kv-cache-dtype=fp7"], "'--kv-cache-dtype' does not take 'fp7' in vLLM 0.33.0; did you mean 'fp8'?"),
        (
            ["--attention-backend=FLASH_ATTENTION"],
            "'--attention-backend' does not take 'FLASH_ATTENTION' in vLLM 0.33.0; did you mean 'FLEX_ATTENTION'?",
        ),
        (
            ["--load-format=runai_stream"],
            "'--load-format' does not take 'runai_stream' in vLLM 0.33.0; did you mean 'runai_streamer'?",
        ),
        (["--quantization=mxfp5"], "'--quantization' does not take 'mxfp5' in vLLM 0.33.0; did you mean 'mxfp8'?"),
        (
            ["--enable-auto-tool-choice"],
            "'--enable-auto-tool-choice' needs '--tool-call-parser'; name the parser that fits the model",
        ),
        (
            ["--enable-log-outputs", "--enable-log-requests", "--no-enable-log-requests"],
            "'--enable-log-outputs' needs '--enable-log-requests'; give both or neither",
        ),
        (
            ["--enable-per-request-metrics", "--disable-log-stats"],
            "'--enable-per-request-metrics' cannot be combined with '--disable-log-stats'; leave one out",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_vllm_refuses_is_refused(arguments: list[str], message: str) -> None:
    assert errors(*arguments) == [message]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--max-model=1"],
            "'--max-model' is short for '--max-model-len'; "
            "write it in full: a newer version may have two flags that begin like this",
        ),
        (["--port=1", "--port=2"], "'--port' is given twice; vLLM takes the last"),
        (["--model=one"], "'--model' is deprecated for 'vllm serve'; give the model first"),
        (
            ["--ir-op-priority", "{}"],
            "'--ir-op-priority' is deprecated in vLLM 0.33.0, which announces its removal in 0.34.0; leave it out",
        ),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_what_vllm_takes_with_a_grudge_is_a_warning(arguments: list[str], message: str) -> None:
    assert warnings(*arguments) == [message]


def test_flag_that_is_newer_than_the_image_is_refused() -> None:
    message = "'--sse-keep-alive-interval' is not in vLLM 0.27.1; the first known version with it is 0.33.0; "
    refused = message + "leave it out, or use an image with vLLM 0.33.0 or newer"
    assert errors("--sse-keep-alive-interval=5", version="0.27.0") == [refused]
    assert warnings("--sse-keep-alive-interval=5", version="0.33.0") == []


def test_what_one_neighbour_of_a_version_refuses_is_a_warning() -> None:
    assert warnings("--sse-keep-alive-interval=5", version="0.30.2") == [
        "'--sse-keep-alive-interval' is not in vLLM 0.27.1; the first known version with it is 0.33.0; "
        "vLLM 0.33.0 takes it; vLLM 0.30.2 is not known here; "
        "leave it out, or use an image with vLLM 0.33.0 or newer"
    ]
    assert warnings("--calculate-kv-scales", version="0.30.2") == [
        "'--calculate-kv-scales' is no longer in vLLM 0.33.0; the last known version with it is 0.27.1; "
        "vLLM 0.27.1 takes it; vLLM 0.30.2 is not known here; leave it out"
    ]


def test_what_both_neighbours_of_a_version_refuse_is_refused() -> None:
    assert errors("--zzz", version="0.30.2") == ["'--zzz' is not a flag of vLLM 0.33.0"]
    assert errors("--sse-keep-alive-interval=5", version="0.25.0") == [
        "'--sse-keep-alive-interval' is not in vLLM 0.27.1; the first known version with it is 0.33.0; "
        "leave it out, or use an image with vLLM 0.33.0 or newer"
    ]


def test_newer_image_may_know_names_that_we_do_not_but_reads_values_the_same() -> None:
    doubt = "vLLM 0.41.0 is not known here"
    assert warnings("--zzz=1", "--tool-call-parser=openai2", "--dtype=int8", version="0.41.0") == [
        f"'--zzz' is not a flag of vLLM 0.33.0; {doubt}",
        f"'--dtype' does not take 'int8'; {doubt}; "
        "use one of 'auto', 'bfloat16', 'float', 'float16', 'float32', 'half'",
        f"'--tool-call-parser' does not take 'openai2' in vLLM 0.33.0; {doubt}; did you mean 'openai'?",
    ]
    assert errors("--max-num-seqs=x", version="0.41.0") == ["'--max-num-seqs' takes a whole number, got 'x'"]


def test_older_image_is_judged_by_the_oldest_that_was_read() -> None:
    assert warnings("--device-ids=0", version="0.20.0") == [
        "'--device-ids' is not in vLLM 0.22.0; the first known version with it is 0.27.1; "
        "vLLM 0.20.0 is not known here; leave it out, or use an image with vLLM 0.27.1 or newer"
    ]


def test_image_without_a_version_is_judged_by_the_newest() -> None:
    assert warnings("--sse-keep-alive-interval=5", version=None) == []
    assert errors("--zzz", version=None) == ["'--zzz' is not a flag of vLLM 0.33.0"]
    assert warnings("--calculate-kv-scales", version=None) == [
        "'--calculate-kv-scales' is no longer in vLLM 0.33.0; the last known version with it is 0.27.1; "
        "vLLM 0.27.1 takes it; pass the image's version for a definite answer; leave it out"
    ]


def test_old_parser_refuses_a_kv_cache_type_itself() -> None:
    assert errors("--kv-cache-dtype=fp7", version="0.22.0") == [
        "'--kv-cache-dtype' does not take 'fp7'; did you mean 'fp8'?"
    ]


def test_disable_is_the_opposite_of_enable_only_where_vllm_pairs_them() -> None:
    assert [each for each in vllm_versions() if pairs_enable_with_disable(each)] == ["0.33.0"]
    assert errors("--disable-prefix-caching", version="0.27.1") == [
        "'--disable-prefix-caching' is not in vLLM 0.27.1; the first known version with it is 0.33.0; "
        "leave it out, or use an image with vLLM 0.33.0 or newer"
    ]


def test_all_that_is_wrong_is_told_at_once() -> None:
    assert len(errors("--zzz=1", "--max-num-seqs=x", "--tool-call-parser=y", "--enable-log-outputs")) == 4


@pytest.mark.parametrize("version", ["latest", "", "sha256:12", "1"])
def test_version_that_is_none_is_refused(version: str) -> None:
    with pytest.raises(AutoModeError) as caught:
        check_arguments([], version=version)
    assert str(caught.value) == f"version: '{version}' is not a version of vLLM; write it as '0.27.1'"


def test_what_is_no_list_of_texts_is_refused() -> None:
    wrong: Any = ["--port", 8000]
    assert [str(each) for each in check_arguments(wrong)] == ["arguments[1]: must be text, got 8000"]
    (problem,) = check_arguments("--port 8000")
    assert str(problem) == "arguments: must be a list of strings, got one string; split it up"


def test_every_flag_of_every_version_is_whole() -> None:
    kinds = {"switch", "bool", "text", "int", "float", "size", "size-or-auto", "json", "json-or-text", "object"}
    for version in vllm_versions():
        for flag in flags_of(version).values():
            assert flag.kind in kinds, flag
            assert flag.name.startswith("--") and "_" not in flag.name, flag
            assert all(alias.startswith("-") for alias in flag.aliases), flag
            assert not (flag.choices and flag.names), flag
            assert bool(flag.keys) == (flag.kind == "object"), flag


@pytest.mark.parametrize("version", vllm_versions())
def test_what_a_flag_knows_is_what_it_takes(version: str) -> None:
    for flag in flags_of(version).values():
        for known in (*flag.choices, *flag.names):
            assert errors(f"{flag.name}={known}", version=version) == [], (flag.name, known)
    assert (
        VllmFlag(name="--tensor-parallel-size", kind="int", aliases=("-tp",))
        == flags_of(version)["--tensor-parallel-size"]
    )


def test_data_file_is_sorted_small_and_says_where_it_is_from() -> None:
    text = files(facts).joinpath("vllm.json").read_text("utf-8")
    data = json.loads(text)
    assert len(text) < 150_000
    assert list(data["flags"]) == sorted(data["flags"])
    assert len([line for line in text.splitlines() if line.startswith('    "--')]) == len(data["flags"])
    assert (data["source"], data["date"]) == ("the vllm wheels of PyPI, read by tools/vllm.py", "2026-11-23")


def test_list_is_not_read_before_it_is_asked_for() -> None:
    program = (
        "import automode_constructs.inference.vllm_arguments, automode_constructs.facts.vllm as facts;"
        "print(facts._data.cache_info().currsize)"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout == "0\n"


def test_data_file_is_what_the_packages_say() -> None:
    """``AUTOMODE_VLLM_WHEEL`` names a wheel of each version, separated as in PATH; the file must come out the same."""
    named = os.environ.get("AUTOMODE_VLLM_WHEEL")
    if not named:
        pytest.skip("AUTOMODE_VLLM_WHEEL names no vLLM wheels to read the flags from")
    wheels = [Path(each) for each in named.split(os.pathsep)]
    stored = files(facts).joinpath("vllm.json").read_text("utf-8")
    assert sorted(each.name.split("-")[1] for each in wheels) == sorted(vllm_versions())
    assert document(wheels, json.loads(stored)["date"]) == stored
