"""What can be wrong with the arguments of a model server, one by one and together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from automode_constructs.arguments import Refusals, is_whole_number
from automode_constructs.checks.app_rules import OPEN_MODEL
from automode_constructs.checks.vllm_command import is_flag, written_flag
from automode_constructs.checks.weight_streaming import LIMIT_VARIABLE, STREAMER_LIMIT
from automode_constructs.errors import Problem, shown
from automode_constructs.facts.vllm import spellings_of, vllm_versions
from automode_constructs.inference.fit import ServerNeeds, memory_problems, misfits
from automode_constructs.inference.model_preset import ModelPreset
from automode_constructs.inference.weight_staging import WeightStaging
from automode_constructs.inference.weights import S3Weights, SecretKey, Weights
from automode_constructs.manifests.node_class import NodeClass
from automode_constructs.manifests.node_pool import NodePool
from automode_constructs.manifests.pod_network_policy import peers_of
from automode_constructs.specs.quantity import number
from automode_constructs.specs.traffic.network_policy import ApplicationEgressRule, ApplicationPeer

__all__ = [
    "STOP_MARGIN_SECONDS",
    "argument_problems",
    "client_doubts",
    "client_problems",
    "drain_problems",
    "environment_problems",
    "flags_in",
    "host_path_problems",
    "model_problems",
    "number_problems",
    "pool_problems",
    "quantity_problems",
    "share_problems",
    "staging_problems",
    "streamer_doubts",
    "streamer_problems",
]

STOP_MARGIN_SECONDS = 20
"""Time for the process to exit after its last request, before Kubernetes kills it."""

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
    "--pipeline-parallel-size": "gpus",
    "--prefill-context-parallel-size": "gpus",
    "--data-parallel-size": "replicas",
    "--data-parallel-size-local": "replicas",
    "--nnodes": "gpus",
    "--shutdown-timeout": "shutdown_timeout",
    "--load-format": "weights",
    "--model-loader-extra-config": "weights",
    "--revision": "weights",
    "--tokenizer-revision": "weights",
    "--api-key": "api_key",
}
"""Flags derived from other arguments, and the argument each comes from."""


def staging_problems(staging: WeightStaging | None, weights: Weights) -> Iterator[Problem]:
    """A staging that fills a different place from the one the server reads."""
    if staging is not None and staging.weights != weights:
        yield Problem(
            field="staging",
            message=f"'{staging.node.path}' fills a different place from the one that holds the server's weights",
            cure="pass the same S3Weights to both",
        )


def streamer_problems(model: ModelPreset, weights: Weights) -> Iterator[Problem]:
    """A streamer buffer that is smaller than the largest tensor."""
    least = model.largest_tensor_bytes
    if isinstance(weights, S3Weights) and least is not None and weights.buffer_bytes(model) < least:
        yield STREAMER_LIMIT.problem(
            "weights.memory_limit",
            f"{shown(weights.memory_limit)} does not hold the {least:,} bytes of {model.name}'s largest tensor",
            f"set it to {least} or more, or leave it out",
        )


def streamer_doubts(model: ModelPreset, weights: Weights) -> Iterator[Problem]:
    """A streamer buffer that may be smaller than the largest tensor, whose size is not known."""
    if not isinstance(weights, S3Weights) or model.largest_tensor_bytes is not None:
        return
    limit = weights.buffer_bytes(model)
    if limit < model.weight_bytes:
        yield STREAMER_LIMIT.problem(
            "model.largest_tensor_bytes",
            f"is not known, so the streamer's {limit:,} bytes may be too few for that tensor",
            "set it in the ModelPreset",
        )


def model_problems(model: ModelPreset, length: int, image: str, version: str | None) -> Iterator[Problem]:
    """A request longer than the model's context, or an engine older than the model."""
    if length > model.max_context:
        yield Problem(
            field="max_model_len",
            message=f"{length:,} tokens are more than the {model.max_context:,} that {model.name} can read",
            cure=f"set it to {model.max_context} or less",
        )
    if version is not None and _parts(version) < _parts(model.min_vllm_version):
        yield Problem(
            field="image",
            message=f"{shown(image)} has vLLM {version}, but {model.name} needs {model.min_vllm_version} or newer",
            cure="use a newer image",
        )


def drain_problems(pre_stop_delay: int, shutdown_timeout: int, termination_grace_period: int) -> Iterator[Problem]:
    """Shutdown times that do not add up."""
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
    """A hostPath folder in a restricted pod."""
    if path is not None and restricted:
        yield Problem(
            field="compile_cache_host_path",
            message=(
                f"{shown(path)} is a folder on the node: a restricted pod may not mount it, and its user may not write "
                "to it"
            ),
            cure="pass restricted=False with it",
        )


def argument_problems(arguments: Sequence[str]) -> Iterator[Problem]:
    """Flags that another argument sets, in any spelling."""
    for index, argument in enumerate(arguments):
        for flag in sorted(_flags_of(argument) & _OURS.keys()):
            argument_name = _OURS[flag]
            yield Problem(
                field=f"arguments[{index}]",
                message=f"{_spelling(argument, flag)} is set by this construct",
                cure=f"use {argument_name}"
                if argument_name
                else "leave it out: the Service and the probes depend on it",
            )


def _spelling(argument: str, flag: str) -> str:
    name = written_flag(argument).name
    return f"'{flag}'" if name == flag else f"'{name}', which is '{flag}',"


def _flags_of(argument: str) -> set[str]:
    """The flags that some version of vLLM reads an argument as, aliases and abbreviations included."""
    if not is_flag(argument):
        return set()
    flag = written_flag(argument)
    names = {flag.name}
    for version in vllm_versions():
        spellings = flag.spellings(version)
        if len(spellings) == 1:
            names.add(spellings_of(version)[spellings[0]].flag.name)
    return names


def flags_in(arguments: Sequence[str]) -> set[str]:
    """The flags among the arguments, by vLLM's full names."""
    return {flag for argument in arguments for flag in _flags_of(argument)}


def environment_problems(environment: Mapping[str, str], weights: Weights) -> Iterator[Problem]:
    """A variable that vLLM overwrites."""
    if LIMIT_VARIABLE in environment and isinstance(weights, S3Weights):
        yield Problem(
            field=f"environment['{LIMIT_VARIABLE}']",
            message="is set by the weights' memory_limit",
            cure=f"use S3Weights(..., memory_limit={shown(environment[LIMIT_VARIABLE])})",
        )


def client_problems(
    clients: Sequence[ApplicationPeer | Mapping[str, Any]] | None,
    egress: Sequence[ApplicationEgressRule] | None,
    *,
    network_policy: bool,
) -> Iterator[Problem]:
    """Peers that select nobody, and rules that no policy would hold."""
    refusals = Refusals("")
    peers_of(refusals, "clients", clients or ())
    yield from refusals.problems
    for field, rules in (("clients", clients), ("egress", egress)):
        if rules is not None and not network_policy:
            yield Problem(
                field=field,
                message="has no effect with network_policy=False",
                cure=f"leave {field} out, or network_policy",
            )


def client_doubts(
    clients: Sequence[ApplicationPeer | Mapping[str, Any]] | None,
    api_key: SecretKey | None,
    environment: Mapping[str, str],
    *,
    network_policy: bool,
) -> Iterator[Problem]:
    """A server that asks for no key, and admits more than the pods of its own namespace."""
    if api_key is not None or environment.get("VLLM_API_KEY"):
        return
    cure = "give it api_key=SecretKey(name=..., key=...)"
    if not network_policy:
        yield OPEN_MODEL.problem(
            "network_policy", "without a policy every pod of the cluster may use the model, which asks for no key", cure
        )
    elif any(peer.to_manifest().keys() != {"podSelector"} for peer in peers_of(Refusals(""), "clients", clients or ())):
        yield OPEN_MODEL.problem("clients", "whoever they admit may use the model, which asks for no key", cure)


def pool_problems(needs: ServerNeeds, node_pool: NodePool | None) -> Iterator[Problem]:
    """Needs that do not fit the pool, or any node."""
    if node_pool is None:
        yield from memory_problems(needs)
    else:
        node_class = node_pool.node_class
        spec = node_class.spec if isinstance(node_class, NodeClass) else None
        yield from misfits(needs, node_pool.name, node_pool.spec, spec)


def number_problems(**numbers: tuple[int, int]) -> list[Problem]:
    """Numbers below their minimum, and values that are not whole numbers."""
    return [
        Problem(field=field, message=f"needs a whole number of at least {least}, got {shown(value)}")
        for field, (value, least) in numbers.items()
        if not is_whole_number(value) or value < least
    ]


def quantity_problems(**quantities: object) -> list[Problem]:
    """A value that is not a quantity above zero."""
    return [
        Problem(field=field, message=f"{shown(value)} is not a quantity such as 3, '500m' or '12Gi'")
        for field, value in quantities.items()
        if not _is_amount(value)
    ]


def share_problems(**shares: float) -> list[Problem]:
    """A value that is not a share."""
    return [
        Problem(field=field, message=f"needs a share above 0 and up to 1, got {shown(value)}")
        for field, value in shares.items()
        if not 0 < value <= 1
    ]


def _is_amount(value: object) -> bool:
    amount = number(value) if isinstance(value, int | str) else None
    return amount is not None and amount.is_finite() and amount > 0


def _parts(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
