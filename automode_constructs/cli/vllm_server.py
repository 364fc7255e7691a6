"""Reads the vLLM server from a workload's manifest: its model, where that comes from, and what it needs of a node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from automode_constructs.checks.placement import Pods, pods_of
from automode_constructs.checks.rollout import pod_requests
from automode_constructs.checks.vllm_command import VllmCommand, command_of
from automode_constructs.checks.weight_streaming import (
    HostMemory,
    containers_of,
    memory_limit_of,
    streaming_of,
    streaming_problems,
)
from automode_constructs.errors import AutoModeError, Problem, shown
from automode_constructs.facts.models import ModelSize, model_size
from automode_constructs.inference.cold_start import FAST_START_CONTAINER
from automode_constructs.inference.model_preset import MODEL_PRESETS, ModelPreset

__all__ = ["Server", "server_of"]

_GPU = "nvidia.com/gpu"
_NO_MATTER = frozenset({_GPU, "vpc.amazonaws.com/efa"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Server:
    """A vLLM server as its manifest describes it."""

    kind: str
    name: str
    model: str
    """The model that vLLM loads."""
    preset: ModelPreset | None
    weight_bytes: int
    weights: Literal["s3", "image", "hub"] | None
    enforce_eager: bool
    fast_start: bool
    """Whether its compile cache comes from S3, as ``FastStart`` of ``ModelServer`` sets it up."""
    replicas: int
    gpus: int
    cpu: Decimal
    memory: Decimal
    """Bytes."""
    host_memory: HostMemory | None
    """Host memory that loading takes, if the weights are streamed and the container has no limit."""
    problems: Sequence[Problem]
    """Problems with the memory that its container has for loading."""
    command: VllmCommand
    pods: Pods


def server_of(data: Mapping[str, Any], where: str, *, weight_bytes: int | None) -> Server | str | None:
    """The vLLM server that a workload runs; the reason as text if it cannot be estimated; ``None`` if there is none.

    Args:
        data: a Kubernetes object.
        where: the file, for messages.
        weight_bytes: bytes of the weights of models without a preset.

    Raises:
        AutoModeError: for a model without a preset if ``weight_bytes`` is not given.
    """
    pods = pods_of(str(data.get("apiVersion", "")).rpartition("/")[0], data)
    spec = _at(data, *(pods.field.split(".") if pods is not None else ("spec", "template", "spec")))
    servers = [(each, command_of(each)) for _, each in containers_of(data)]
    container, command = next(((each, command) for each, command in servers if command is not None), ({}, None))
    if command is None:
        return None
    kind, name = str(data.get("kind")), str(_at(data, "metadata").get("name"))
    if pods is None:
        return f"{kind} {name}: its manifest does not tell which pool its pods are for"
    requests = pod_requests(spec)
    others = sorted(key for key in requests if "/" in key and key not in _NO_MATTER)
    gpus = int(requests.get(_GPU, Decimal(0)))
    if others or not gpus:
        reason = f"asks for {', '.join(others)}" if others else f"asks for no {_GPU}"
        return f"{kind} {name} {reason}, and only NVIDIA GPUs are known here"
    model = command.model
    size_of = model_size(model) or model_size(command.value("--served-model-name") or "")
    preset = next((each for each in MODEL_PRESETS if size_of is not None and each.name == size_of.name), None)
    size = preset.weight_bytes if preset is not None else weight_bytes
    if size is None:
        raise AutoModeError.of(
            f"{where}: {kind} '{name}'",
            field="",
            message=f"nothing is known of the model {shown(model)}" if model else "its arguments name no model",
            cure="say how large its weights are with --weight-gb",
        )
    streaming = streaming_of(command)
    known = ModelSize(name=model, weight_bytes=size, largest_tensor_bytes=(preset and preset.largest_tensor_bytes) or 0)
    return Server(
        kind=kind,
        name=name,
        model=model or (preset.name if preset is not None else "a model without a name"),
        preset=preset,
        weight_bytes=size,
        weights=_way(model, container),
        enforce_eager=command.has("--enforce-eager"),
        fast_start=any(each.get("name") == FAST_START_CONTAINER for each in _mappings(spec.get("initContainers"))),
        replicas=_replicas(data),
        gpus=gpus,
        cpu=requests.get("cpu", Decimal(0)),
        memory=requests.get("memory", Decimal(0)),
        # Checked below against the container's limit; without a limit, the node's memory counts.
        host_memory=(
            None if streaming is None or memory_limit_of(data, container) is not None else streaming.host_memory(known)
        ),
        problems=list(streaming_problems(data, weight_bytes=size)),
        command=command,
        pods=pods,
    )


def _way(model: str, container: Mapping[str, Any]) -> Literal["s3", "image", "hub"] | None:
    if model.startswith("s3://"):
        return "s3"
    if not model.startswith("/"):
        return "hub" if model else None
    mounts = [str(each.get("mountPath")).rstrip("/") for each in _mappings(container.get("volumeMounts"))]
    return None if any(f"{model}/".startswith(f"{mount}/") for mount in mounts) else "image"


def _replicas(data: Mapping[str, Any]) -> int:
    replicas = _at(data, "spec").get("replicas")
    return replicas if isinstance(replicas, int) else 1


def _at(data: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    at: Any = data
    for part in path:
        at = at.get(part) if isinstance(at, Mapping) else None
    return at if isinstance(at, Mapping) else {}


def _mappings(value: object) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []
