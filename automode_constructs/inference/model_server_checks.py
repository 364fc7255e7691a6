"""What can be wrong with the arguments of a model server, one by one and together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from automode_constructs.errors import Problem, shown
from automode_constructs.inference.fit import ServerNeeds, misfits
from automode_constructs.inference.model_preset import ModelPreset
from automode_constructs.inference.weight_staging import WeightStaging
from automode_constructs.inference.weights import Weights
from automode_constructs.manifests.node_class import NodeClass
from automode_constructs.manifests.node_pool import NodePool
from automode_constructs.specs.quantity import number

__all__ = [
    "STOP_MARGIN_SECONDS",
    "argument_problems",
    "drain_problems",
    "flag_of",
    "host_path_problems",
    "model_problems",
    "number_problems",
    "pool_problems",
    "quantity_problems",
    "share_problems",
    "staging_problems",
]

STOP_MARGIN_SECONDS = 20
"""Time for the process to end after its last request, before Kubernetes kills it."""

_OURS = {
    "--host": "",
    "--port": "",
    "--model": "model and weights",
    "--served-model-name": "served_model_names",
    "--max-model-len": "max_model_len",
    "--max-num-seqs": "max_num_seqs",
    "--gpu-memory-utilization": "gpu_memory_utilization",
    "--kv-cache-dtype": "kv_cache_dtype",
    "--tensor-parallel-size": "gpus",
    "--shutdown-timeout": "shutdown_timeout",
    "--load-format": "weights",
    "--model-loader-extra-config": "weights",
    "--revision": "weights",
    "--tokenizer-revision": "weights",
    "--api-key": "api_key",
}
"""Flags that follow from other arguments, and which one."""


def staging_problems(staging: WeightStaging | None, weights: Weights) -> Iterator[Problem]:
    """A staging that fills another place than the server reads."""
    if staging is not None and staging.weights != weights:
        yield Problem(
            field="staging",
            message=f"'{staging.node.path}' fills another place than the server's weights are in",
            cure="give both the same S3Weights",
        )


def model_problems(model: ModelPreset, length: int, image: str, version: str | None) -> Iterator[Problem]:
    """A request longer than the model reads, an engine older than the model."""
    if length > model.max_context:
        yield Problem(
            field="max_model_len",
            message=f"{length:,} tokens are more than the {model.max_context:,} that {model.name} can read",
            cure=f"set it to {model.max_context} or less",
        )
    if version is not None and _parts(version) < _parts(model.min_vllm_version):
        yield Problem(
            field="image",
            message=f"{shown(image)} has vLLM {version}, {model.name} needs {model.min_vllm_version} or newer",
            cure="take a newer image",
        )


def drain_problems(pre_stop_delay: int, shutdown_timeout: int, termination_grace_period: int) -> Iterator[Problem]:
    """Times that do not add up when a pod ends."""
    drain = pre_stop_delay + shutdown_timeout + STOP_MARGIN_SECONDS
    if drain > termination_grace_period:
        yield Problem(
            field="termination_grace_period",
            message=(
                f"{pre_stop_delay} s pre_stop_delay + {shutdown_timeout} s shutdown_timeout + {STOP_MARGIN_SECONDS} s "
                f"to end = {drain} s, but Kubernetes kills the pod after {termination_grace_period} s"
            ),
            cure=f"set it to {drain} or more, or shorten the others",
        )


def host_path_problems(path: str | None, *, restricted: bool) -> Iterator[Problem]:
    """A folder of the node in a restricted pod."""
    if path is not None and restricted:
        yield Problem(
            field="compile_cache_host_path",
            message=f"{shown(path)} is a folder of the node: no restricted pod may mount it, nor its user write there",
            cure="pass restricted=False with it",
        )


def argument_problems(arguments: Sequence[str]) -> Iterator[Problem]:
    """Flags that another argument writes."""
    for index, argument in enumerate(arguments):
        if flag_of(argument) in _OURS:
            told = _OURS[flag_of(argument)]
            yield Problem(
                field=f"arguments[{index}]",
                message=f"'{flag_of(argument)}' is written by this construct",
                cure=f"use {told}" if told else "leave it out: the Service and the probes rest on it",
            )


def pool_problems(needs: ServerNeeds, node_pool: NodePool | None) -> Iterator[Problem]:
    """What does not fit the pool."""
    if node_pool is not None:
        node_class = node_pool.node_class
        spec = node_class.spec if isinstance(node_class, NodeClass) else None
        yield from misfits(needs, node_pool.name, node_pool.spec, spec)


def number_problems(**numbers: tuple[object, int]) -> list[Problem]:
    """Numbers below their least value, and what is no whole number."""
    return [
        Problem(field=field, message=f"needs a whole number of at least {least}, got {shown(value)}")
        for field, (value, least) in numbers.items()
        if not isinstance(value, int) or isinstance(value, bool) or value < least
    ]


def quantity_problems(**quantities: object) -> list[Problem]:
    """What is no quantity above zero."""
    return [
        Problem(field=field, message=f"{shown(value)} is not a quantity such as 3, '500m' or '12Gi'")
        for field, value in quantities.items()
        if isinstance(value, bool) or not isinstance(value, int | str) or (number(value) or 0) <= 0
    ]


def share_problems(**shares: object) -> list[Problem]:
    """What is no share."""
    return [
        Problem(field=field, message=f"needs a share above 0 and up to 1, got {shown(value)}")
        for field, value in shares.items()
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1
    ]


def _parts(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def flag_of(argument: str) -> str:
    """The flag of an argument, as vLLM spells it."""
    return argument.partition("=")[0].replace("_", "-")
