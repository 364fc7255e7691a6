"""The arithmetic of GPU memory, held against the table of the model's facts."""

from __future__ import annotations

import re

import pytest

from automode_constructs.inference.model_preset import GIB, GPT_OSS_20B


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


def test_the_revision_is_a_commit() -> None:
    assert re.fullmatch("[0-9a-f]{40}", GPT_OSS_20B.revision)
