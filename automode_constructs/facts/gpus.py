"""What EC2 does not say of its GPUs: compute capability, memory bandwidth, usable memory. Our own table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

__all__ = ["FRACTIONAL_GPU_FAMILIES", "GPU_MODELS", "GPU_MODELS_AS_OF", "GpuModel", "gpu_named"]

GPU_MODELS_AS_OF = "23 Nov 2026"
"""The day of the table below."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GpuModel:
    """A model of GPU. What is not known is ``None``.

    Args:
        name: the value of the label ``eks.amazonaws.com/instance-gpu-name``.
        compute_capability: CUDA's, as major and minor number; ``None`` for a GPU that is not NVIDIA's.
        memory_bandwidth_gb_per_second: the data sheet's, in GB/s.
        usable_memory_gib: what a program can allocate of one GPU, in GiB. Uncertain: seen in logs, not documented.
    """

    name: str
    compute_capability: tuple[int, int] | None
    memory_bandwidth_gb_per_second: int
    usable_memory_gib: float | None = None


GPU_MODELS: Mapping[str, GpuModel] = MappingProxyType(
    {
        model.name: model
        for model in (
            GpuModel(name="v100", compute_capability=(7, 0), memory_bandwidth_gb_per_second=900),
            GpuModel(name="t4", compute_capability=(7, 5), memory_bandwidth_gb_per_second=320, usable_memory_gib=15.0),
            GpuModel(name="t4g", compute_capability=(7, 5), memory_bandwidth_gb_per_second=320),
            # p4d has 40 GB of HBM2 at this speed; the 80 GB of p4de are faster, and EC2 calls both so.
            GpuModel(name="a100", compute_capability=(8, 0), memory_bandwidth_gb_per_second=1555),
            GpuModel(
                name="a10g", compute_capability=(8, 6), memory_bandwidth_gb_per_second=600, usable_memory_gib=22.0
            ),
            GpuModel(name="l4", compute_capability=(8, 9), memory_bandwidth_gb_per_second=300, usable_memory_gib=22.0),
            GpuModel(
                name="l40s", compute_capability=(8, 9), memory_bandwidth_gb_per_second=864, usable_memory_gib=44.4
            ),
            GpuModel(name="h100", compute_capability=(9, 0), memory_bandwidth_gb_per_second=3350),
            GpuModel(name="h200", compute_capability=(9, 0), memory_bandwidth_gb_per_second=4800),
            GpuModel(name="b200", compute_capability=(10, 0), memory_bandwidth_gb_per_second=8000),
            GpuModel(name="b300", compute_capability=(10, 3), memory_bandwidth_gb_per_second=8000),
            GpuModel(
                name="rtx-pro-server-6000",
                compute_capability=(12, 0),
                memory_bandwidth_gb_per_second=1597,
                usable_memory_gib=95.0,
            ),
            GpuModel(name="radeon-pro-v520", compute_capability=None, memory_bandwidth_gb_per_second=512),
        )
    }
)
"""Every GPU of the families that Auto Mode lists, by its name.

Source: NVIDIA, "CUDA GPUs" (compute capability); NVIDIA's and AMD's data sheets (bandwidth), from memory where no copy
could be read, so that they are good for estimates only.
"""


FRACTIONAL_GPU_FAMILIES: Mapping[str, str] = MappingProxyType(
    {"g6f": "an eighth to a half of an L4 (3 to 12 GB)", "gr6f": "a half of an L4 (12 GB)"}
)
"""Families whose instances have a part of a GPU, and which; Auto Mode does not list them.

Source: Amazon EC2, "Specifications for accelerated computing instances".
"""


def gpu_named(name: str) -> GpuModel | None:
    """The model with this name, as the node label has it, or ``None`` for one that is newer than the table."""
    return GPU_MODELS.get(name)
