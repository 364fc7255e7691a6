"""The arithmetic of GPU memory, held against the table of the model's facts."""

from __future__ import annotations

import re

import pytest

from automode_constructs.facts.models import model_size
from automode_constructs.facts.vllm import flags_of, vllm_versions
from automode_constructs.inference.model_preset import (
    GIB,
    GPT_OSS_20B,
    GPT_OSS_120B,
    LLAMA_3_1_8B,
    MODEL_PRESETS,
    QWEN3_8B,
    QWEN3_30B_A3B,
    ModelPreset,
)


@pytest.mark.parametrize(("tokens", "gib"), [(8192, 0.24), (32_768, 0.80), (131_072, 3.05)])
def test_kv_cache_of_one_request(tokens: int, gib: float) -> None:
    assert GPT_OSS_20B.gpu_memory(tokens=tokens).kv_cache == pytest.approx(gib, abs=0.005)
    assert GPT_OSS_20B.gpu_memory(tokens=tokens, fp8_kv_cache=True).kv_cache == pytest.approx(gib / 2, abs=0.005)


def test_each_token_of_context_takes_24_kib() -> None:
    more = GPT_OSS_20B.gpu_memory(tokens=32_769).kv_cache - GPT_OSS_20B.gpu_memory(tokens=32_768).kv_cache
    assert more * GIB == pytest.approx(24 * 1024)


@pytest.mark.parametrize(
    ("gpu", "usable_gib", "free_gib", "tokens"),
    [("A10G, L4", 22.0, 4.5, 198_000), ("L40S", 44.4, 25, 1_100_000), ("RTX PRO 6000", 95, 72, 3_100_000)],
)
def test_tokens_that_fit_beside_the_weights(gpu: str, usable_gib: float, free_gib: float, tokens: int) -> None:
    free = usable_gib * 0.92 - GPT_OSS_20B.weights_in_gpu_gib - GPT_OSS_20B.overhead_gib
    assert free == pytest.approx(free_gib, rel=0.02), gpu
    assert GPT_OSS_20B.tokens_in(free) == pytest.approx(tokens, rel=0.03), gpu
    assert GPT_OSS_20B.tokens_in(free, fp8_kv_cache=True) == pytest.approx(2 * GPT_OSS_20B.tokens_in(free), rel=0.01)


def test_nothing_fits_where_nothing_is_free() -> None:
    assert GPT_OSS_20B.tokens_in(0) == GPT_OSS_20B.tokens_in(-1) == 0


def test_gpus_share_weights_and_cache_but_not_the_overhead() -> None:
    one, two = GPT_OSS_20B.gpu_memory(tokens=8192), GPT_OSS_20B.gpu_memory(tokens=8192, gpus=2)
    assert (two.weights, two.kv_cache, two.overhead) == (one.weights / 2, one.kv_cache / 2, one.overhead)


def test_the_need_is_told_with_its_parts() -> None:
    assert str(GPT_OSS_20B.gpu_memory(tokens=32_768)) == (
        "needs 16.5 GiB (weights 13.7, overhead 2.0, KV cache of one request of 32,768 tokens 0.8)"
    )


@pytest.mark.parametrize("preset", MODEL_PRESETS, ids=lambda preset: preset.name)
def test_a_preset_pins_a_commit_and_names_parsers_that_every_version_has(preset: ModelPreset) -> None:
    assert re.fullmatch("[0-9a-f]{40}", preset.revision)
    assert preset.sources
    for version in vllm_versions():
        for flag, parser in (
            ("--tool-call-parser", preset.tool_call_parser),
            ("--reasoning-parser", preset.reasoning_parser),
        ):
            assert parser is None or parser in flags_of(version)[flag].names, (version, flag)


@pytest.mark.parametrize(
    ("preset", "embedding", "layers", "head_bytes"),
    [
        # Embedding and head, which are two tensors; each layer's attention, three matrices of the MLP and four norms.
        (QWEN3_8B, 151_936, 36, 4096 * 4096 * 2 + 4096 * 1024 * 2 + 3 * 4096 * 12_288 + 2 * 4096 + 2 * 128),
        (LLAMA_3_1_8B, 128_256, 32, 4096 * 4096 * 2 + 4096 * 1024 * 2 + 3 * 4096 * 14_336 + 2 * 4096),
    ],
    ids=["Qwen3-8B", "Llama 3.1 8B"],
)
def test_bytes_of_dense_models_follow_from_their_shapes(
    preset: ModelPreset, embedding: int, layers: int, head_bytes: int
) -> None:
    parameters = 2 * embedding * 4096 + layers * head_bytes + 4096
    assert parameters == preset.parameters
    assert parameters * 2 == pytest.approx(preset.weight_bytes, rel=1e-6)
    assert preset.weights_in_gpu_gib == pytest.approx(preset.weight_bytes / GIB, abs=0.005)
    assert preset.largest_tensor_bytes == embedding * 4096 * 2


@pytest.mark.parametrize(
    ("preset", "layers", "experts"), [(GPT_OSS_20B, 24, 32), (GPT_OSS_120B, 36, 128)], ids=["20b", "120b"]
)
def test_gpt_oss_in_gpu_memory_is_its_files_with_padded_experts(preset: ModelPreset, layers: int, experts: int) -> None:
    bytes_of_experts = layers * experts * 3 * 2880 * 2880 * 4.25 / 8
    padded = preset.weight_bytes + bytes_of_experts * (3072 * 2944 / 2880**2 - 1)
    assert preset.weights_in_gpu_gib == pytest.approx(padded / GIB, abs=0.05)


def test_the_mixture_in_fp8_takes_a_byte_a_weight_and_two_for_the_rest() -> None:
    attention, experts = 2048 * 4096 * 2 + 2048 * 512 * 2, 128 * 3 * 2048 * 768
    rest = 48 * (2048 * 128 + 2 * 2048 + 2 * 128) + 2 * 151_936 * 2048 + 2048
    assert QWEN3_30B_A3B.parameters == 48 * (attention + experts) + rest
    scales = 48 * (attention + experts) // 128**2 * 4
    assert QWEN3_30B_A3B.weight_bytes == 48 * (attention + experts) + 2 * rest + scales


@pytest.mark.parametrize(
    ("preset", "usable_gib", "gpus", "fits"),
    [
        (GPT_OSS_120B, 80, 1, True),  # H100
        (GPT_OSS_120B, 44.4, 1, False),  # L40S
        (GPT_OSS_120B, 44.4, 4, True),
        (QWEN3_8B, 22, 1, False),  # 32,768 tokens take 4.5 GiB of the 2.98 that are left
        (QWEN3_30B_A3B, 44.4, 1, True),
        (LLAMA_3_1_8B, 22, 1, False),
        (LLAMA_3_1_8B, 44.4, 1, True),
    ],
)
def test_one_request_of_the_usual_length_fits_or_not(
    preset: ModelPreset, usable_gib: float, gpus: int, fits: bool
) -> None:
    need = preset.gpu_memory(tokens=32_768, gpus=gpus).total
    assert (need <= usable_gib * 0.92) is fits


def test_tokens_that_docstrings_promise_for_24_gb() -> None:
    left = {each: 22 * 0.92 - each.weights_in_gpu_gib - each.overhead_gib for each in (QWEN3_8B, LLAMA_3_1_8B)}
    assert [each.tokens_in(gib) // 1000 for each, gib in left.items()] == [21, 26]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("s3://models/gpt-oss-120b/b5c939d/", "openai/gpt-oss-120b"),
        ("Qwen/Qwen3-8B", "Qwen/Qwen3-8B"),
        ("/models/qwen3-8b openai/other", "Qwen/Qwen3-8B"),
        ("Qwen/Qwen3-8B-AWQ", None),
        ("Qwen/Qwen3-8B.gguf", None),
        ("our/llama-3.1-8b-instruct", "meta-llama/Llama-3.1-8B-Instruct"),
        ("meta-llama/Llama-3.1-8B", None),
    ],
)
def test_a_model_is_known_by_its_whole_name(text: str, name: str | None) -> None:
    size = model_size(text)
    assert (size and size.name) == name
