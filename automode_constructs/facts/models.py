"""How large the weights of well-known models are, for checking manifests that only name a model."""

from __future__ import annotations

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
            # The largest tensor is the embedding, 201,088 x 2,880 in BF16; the experts are split into smaller ones.
            ModelSize(name="openai/gpt-oss-20b", weight_bytes=13_760_000_000, largest_tensor_bytes=201_088 * 2_880 * 2),
        )
    }
)
"""Every model that is known here, by its repository.

Source: openai/gpt-oss-20b, config.json and model card.
"""


def model_size(text: str) -> ModelSize | None:
    """The model that a text names (a repository, a path, an S3 address), or ``None`` for one that is not known."""
    return next((size for size in MODEL_SIZES.values() if size.name.rpartition("/")[2] in text.lower()), None)
