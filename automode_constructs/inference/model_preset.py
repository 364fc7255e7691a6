"""Models known well enough to check a server: their size, GPUs and vLLM settings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from automode_constructs.arguments import checked_arguments
from automode_constructs.checks.weight_streaming import GIB, HostMemory, Streaming
from automode_constructs.facts.models import MODEL_SIZES, ModelSize

__all__ = [
    "GIB",
    "GPT_OSS_20B",
    "GPT_OSS_120B",
    "LLAMA_3_1_8B",
    "MODEL_PRESETS",
    "QWEN3_8B",
    "QWEN3_30B_A3B",
    "GpuMemoryNeed",
    "ModelPreset",
]

_BATCHED_TOKENS = 2048
"""Tokens that one step may add beyond a sliding window: vLLM's default ``--max-num-batched-tokens`` when serving."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GpuMemoryNeed:
    """The memory a server needs on each of its GPUs, in GiB."""

    weights: float
    overhead: float
    kv_cache: float
    tokens: int

    @property
    def total(self) -> float:
        """The total."""
        return self.weights + self.overhead + self.kv_cache

    def __str__(self) -> str:
        return (
            f"needs {self.total:.1f} GiB (weights {self.weights:.1f}, overhead {self.overhead:.1f}, "
            f"KV cache of one request of {self.tokens:,} tokens {self.kv_cache:.1f})"
        )


@checked_arguments
@dataclass(frozen=True, kw_only=True, slots=True)
class ModelPreset:
    """A model: where its weights are, what serving it takes, and the sources of these figures.

    Args:
        name: the name that requests use.
        repository: the model's repository on the Hugging Face hub.
        revision: the commit of that repository, 40 hexadecimal digits.
        files: glob patterns of the files that a server needs.
        parameters: number of parameters.
        weight_bytes: bytes of those files.
        largest_tensor_bytes: bytes of the largest tensor in those files; a server that streams them holds it in one
            piece. Default: not known; a warning says so where it matters.
        weights_in_gpu_gib: GiB that the weights take in GPU memory, all GPUs together.
        overhead_gib: GiB in addition to weights and KV cache, on each GPU.
        max_context: the longest context, in tokens.
        kv_bytes_per_token: bytes of KV cache for each token of context, in the model's own 16-bit type.
        kv_window_tokens: tokens that sliding-window layers keep in addition, however long the context is; each takes
            ``kv_window_bytes_per_token``.
        kv_window_bytes_per_token: bytes of KV cache for each of the ``kv_window_tokens``.
        min_compute_capability: the oldest GPU generation that has the kernels.
        tool_call_parser: vLLM's parser for the model's tool calls, or ``None``.
        reasoning_parser: vLLM's parser that separates reasoning from the answer. Default: none, for a model that does
            not reason, or whose parser vLLM sets itself.
        min_vllm_version: the first vLLM version that this preset is right for.
        sources: where the figures come from.
    """

    name: str
    repository: str
    revision: str
    files: tuple[str, ...]
    parameters: int
    weight_bytes: int
    largest_tensor_bytes: int | None = None
    weights_in_gpu_gib: float
    overhead_gib: float
    max_context: int
    kv_bytes_per_token: int
    kv_window_tokens: int = 0
    kv_window_bytes_per_token: int = 0
    min_compute_capability: tuple[int, int]
    tool_call_parser: str | None = None
    reasoning_parser: str | None = None
    min_vllm_version: str
    sources: tuple[str, ...] = field(default=())

    @checked_arguments
    def gpu_memory(self, *, tokens: int, gpus: int = 1, fp8_kv_cache: bool = False) -> GpuMemoryNeed:
        """The memory that each GPU needs for one request of the given length.

        Args:
            tokens: the longest request, prompt and answer together.
            gpus: GPUs that share the model (tensor parallel).
            fp8_kv_cache: whether the KV cache uses 8 bits instead of 16.
        """
        cache = tokens * self.kv_bytes_per_token + self.kv_window_tokens * self.kv_window_bytes_per_token
        return GpuMemoryNeed(
            weights=self.weights_in_gpu_gib / gpus,
            overhead=self.overhead_gib,
            kv_cache=cache / (2 if fp8_kv_cache else 1) / gpus / GIB,
            tokens=tokens,
        )

    def host_memory(self, *, memory_limit: int | None = None, processes: int = 1) -> HostMemory:
        """The host memory that a pod needs while its server streams the weights.

        Args:
            memory_limit: bytes that the streamer may buffer in each process. Default: none; the streamer decides on
                40 GB.
            processes: loading processes, one for each GPU of the pod.
        """
        size = ModelSize(
            name=self.name, weight_bytes=self.weight_bytes, largest_tensor_bytes=self.largest_tensor_bytes or 0
        )
        return Streaming(limit=memory_limit, processes=processes).host_memory(size)

    @checked_arguments
    def tokens_in(self, free_gib: float, *, fp8_kv_cache: bool = False) -> int:
        """How many tokens of context fit in the memory left by weights and overhead."""
        window = self.kv_window_tokens * self.kv_window_bytes_per_token
        return max(0, int((free_gib * GIB * (2 if fp8_kv_cache else 1) - window) // self.kv_bytes_per_token))


def _preset(repository: str, **facts: Any) -> ModelPreset:
    size = MODEL_SIZES[repository]
    return ModelPreset(
        name=size.name,
        repository=size.name,
        weight_bytes=size.weight_bytes,
        largest_tensor_bytes=size.largest_tensor_bytes,
        **facts,
    )


GPT_OSS_20B = _preset(
    "openai/gpt-oss-20b",
    revision="6cee5e81ee83917806bbde320786a8fb61efebee",
    # The repository also holds the weights in two other formats, under original/ and metal/.
    files=("*.safetensors", "*.json", "*.jinja"),
    parameters=20_910_000_000,
    # The Marlin kernels pad the experts from 2880 x 2880 to 3072 x 2944.
    weights_in_gpu_gib=13.67,
    # An estimate, not confirmed on a GPU: CUDA context, graphs and activations.
    overhead_gib=2.0,
    max_context=131_072,
    # 8 KV heads x 64 x 2 bytes x key and value = 2 KiB a layer; 12 layers attend to all tokens, 12 to a window of 128.
    kv_bytes_per_token=12 * 2048,
    kv_window_tokens=128 + _BATCHED_TOKENS,
    kv_window_bytes_per_token=12 * 2048,
    min_compute_capability=(8, 0),
    tool_call_parser="openai",
    min_vllm_version="0.22",
    sources=(
        "openai/gpt-oss-20b, config.json and model card",
        "vLLM 0.33.0, model_executor/layers/fused_moe/oracle/mxfp4.py and quantization get_min_capability",
        "vllm-project/recipes, models/openai/gpt-oss-20b.yaml",
    ),
)
"""OpenAI's gpt-oss-20b: 20.9 B parameters in MXFP4, 3.6 B of them active, 131,072 tokens of context, Apache-2.0."""

GPT_OSS_120B = _preset(
    "openai/gpt-oss-120b",
    revision="b5c939de8f754692c1647ca79fbf85e8c1e70f8a",
    files=("*.safetensors", "*.json", "*.jinja"),
    parameters=116_830_000_000,
    # As for gpt-oss-20b: 60.9 GB of experts, padded by the Marlin kernels, and 4.3 GB of the rest. Computed (?).
    weights_in_gpu_gib=65.9,
    overhead_gib=2.0,
    max_context=131_072,
    # 36 layers, of which every second one attends to a window of 128 tokens.
    kv_bytes_per_token=18 * 2048,
    kv_window_tokens=128 + _BATCHED_TOKENS,
    kv_window_bytes_per_token=18 * 2048,
    min_compute_capability=(8, 0),
    tool_call_parser="openai",
    min_vllm_version="0.22",
    sources=(
        "openai/gpt-oss-120b at b5c939de, config.json, and an inventory of its 15 weight files",
        "OpenAI, 'gpt-oss-120b & gpt-oss-20b Model Card' (116.8 B parameters, one GPU of 80 GB)",
        "vLLM 0.33.0, as for gpt-oss-20b",
    ),
)
"""OpenAI's gpt-oss-120b: 116.8 B parameters in MXFP4, 5.1 B of them active, 131,072 tokens of context, Apache-2.0.

One GPU of 80 GB or more (p5.4xlarge, g7e), or four of 48 GB (g6e.12xlarge, ``gpus=4``).
"""

QWEN3_8B = _preset(
    "Qwen/Qwen3-8B",
    revision="b968826d9c46dd6066d109eabc6255188de91218",
    files=("*.safetensors", "*.json", "*.txt"),
    parameters=8_190_735_360,
    weights_in_gpu_gib=15.26,
    overhead_gib=2.0,
    max_context=40_960,
    # 36 layers x 8 KV heads x 128 x 2 bytes x key and value.
    kv_bytes_per_token=36 * 8 * 128 * 2 * 2,
    # vLLM refuses BF16 on older GPUs.
    min_compute_capability=(8, 0),
    tool_call_parser="hermes",
    reasoning_parser="qwen3",
    min_vllm_version="0.22",
    sources=(
        "Qwen/Qwen3-8B at b968826d, config.json and model card (40,960 positions; its tool calls are Hermes-style)",
        "vLLM 0.27.1, names of its parsers",
    ),
)
"""Alibaba's Qwen3-8B: 8.2 B parameters in BF16, 40,960 tokens of context, Apache-2.0.

A GPU of 24 GB holds one request of some 21,000 tokens besides the weights: lower ``max_model_len``, or take 48 GB.
"""

QWEN3_30B_A3B = _preset(
    "Qwen/Qwen3-30B-A3B-Instruct-2507-FP8",
    revision="5a5a776300a41aaa681dd7ff0106608ef2bc90db",
    files=("*.safetensors", "*.json", "*.txt"),
    parameters=30_532_122_624,
    # The bytes of its files, computed from the shapes; what kernels pad is not known (?).
    weights_in_gpu_gib=29.04,
    overhead_gib=2.0,
    max_context=262_144,
    # 48 layers x 4 KV heads x 128 x 2 bytes x key and value.
    kv_bytes_per_token=48 * 4 * 128 * 2 * 2,
    # FP8 weights run natively from 8.9; Ampere has a slower kernel, which nobody has tried here (?).
    min_compute_capability=(8, 9),
    tool_call_parser="hermes",
    min_vllm_version="0.22",
    sources=(
        "Qwen/Qwen3-30B-A3B-Instruct-2507-FP8 at 5a5a7763, config.json and model card (does not reason)",
        "vLLM 0.27.1, names of its parsers",
    ),
)
"""Alibaba's Qwen3-30B-A3B-Instruct-2507 in FP8: 30.5 B parameters, 3.3 B of them active, 262,144 tokens, Apache-2.0.

One GPU of 48 GB (g6e). The size of the weights is computed from the shapes of its tensors (?).
"""

LLAMA_3_1_8B = _preset(
    "meta-llama/Llama-3.1-8B-Instruct",
    revision="0e9e39f249a16976918f6564b8830bc894c89659",
    files=("*.safetensors", "*.json"),
    parameters=8_030_261_248,
    weights_in_gpu_gib=14.96,
    overhead_gib=2.0,
    max_context=131_072,
    # 32 layers x 8 KV heads x 128 x 2 bytes x key and value.
    kv_bytes_per_token=32 * 8 * 128 * 2 * 2,
    min_compute_capability=(8, 0),
    tool_call_parser="llama3_json",
    min_vllm_version="0.22",
    sources=(
        "meta-llama/Llama-3.1-8B-Instruct at 0e9e39f2, config.json and model.safetensors.index.json",
        "vLLM 0.27.1, names of its parsers",
    ),
)
"""Meta's Llama 3.1 8B Instruct: 8.03 B parameters in BF16, 131,072 tokens of context, Llama 3.1 Community License.

The hub gives it only to accounts that accepted its licence: ``WeightStaging`` and ``HubWeights`` need ``token``. A GPU
of 24 GB holds one request of some 26,000 tokens besides the weights.
"""

MODEL_PRESETS: tuple[ModelPreset, ...] = (GPT_OSS_20B, GPT_OSS_120B, QWEN3_8B, QWEN3_30B_A3B, LLAMA_3_1_8B)
"""Every model with a preset."""
