"""How large the weights of well-known models are, for checking manifests that only name a model."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

__all__ = ["MODEL_SIZES", "MODEL_SIZES_AS_OF", "ModelSize", "model_size"]

MODEL_SIZES_AS_OF = "27 Nov 2026"
"""The day of the table below."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelSize:
    """The size of a model's weights.

    Args:
        name: the model's repository on the Hugging Face hub.
        weight_bytes: bytes of all weight files that a server needs.
        largest_tensor_bytes: bytes of the largest tensor in them.
    """

    name: str
    weight_bytes: int
    largest_tensor_bytes: int


MODEL_SIZES: Mapping[str, ModelSize] = MappingProxyType(
    {
        size.name: size
        for size in (
            # The largest tensor of each is the embedding, vocabulary x hidden size in BF16; experts are split.
            ModelSize(name="openai/gpt-oss-20b", weight_bytes=13_760_000_000, largest_tensor_bytes=201_088 * 2_880 * 2),
            ModelSize(
                name="openai/gpt-oss-120b", weight_bytes=65_248_893_184, largest_tensor_bytes=201_088 * 2_880 * 2
            ),
            ModelSize(name="Qwen/Qwen3-8B", weight_bytes=16_381_470_720, largest_tensor_bytes=151_936 * 4_096 * 2),
            # 31.167 GB by its shapes and the types of its tensors, and up to 7 MB of scales (?): no index was read.
            ModelSize(
                name="Qwen/Qwen3-30B-A3B-Instruct-2507-FP8",
                weight_bytes=31_174_545_408,
                largest_tensor_bytes=151_936 * 2_048 * 2,
            ),
            ModelSize(
                name="meta-llama/Llama-3.1-8B-Instruct",
                weight_bytes=16_060_522_496,
                largest_tensor_bytes=128_256 * 4_096 * 2,
            ),
        )
    }
)
"""Every model that is known here, by its repository.

Source: each repository's config.json and model card; model.safetensors.index.json of Llama 3.1 8B; an inventory of
gpt-oss-120b's 15 weight files; Qwen3-8B: 8,190,735,360 parameters in BF16, computed from its config.json.
"""


def model_size(text: str) -> ModelSize | None:
    """The model that a text names (a repository, a path, an S3 address), or ``None`` for one that is not known.

    Another edition, such as ``Qwen3-8B-AWQ``, is another model: its weights have another size.
    """
    return next((size for size in MODEL_SIZES.values() if _names(size.name).search(text.lower())), None)


def _names(repository: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![a-z0-9]){re.escape(repository.rpartition('/')[2].lower())}(?![a-z0-9_.-]*[a-z0-9])")
