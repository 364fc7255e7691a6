"""Whether a vLLM server that streams its weights has the host memory for it.

The Run:ai Model Streamer reads tensors into a buffer in host memory and passes them to the GPU. By default the buffer
grows to 40 GB or to the size of all weights, whichever is less, and the container is killed if that is more than it
may use.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from automode_constructs.errors import Problem, shown
from automode_constructs.facts.models import ModelSize, model_size
from automode_constructs.specs.free_body import mapping_at
from automode_constructs.specs.quantity import number
from automode_constructs.specs.rule import rule
from automode_constructs.tokens import is_token

if TYPE_CHECKING:
    from automode_constructs.checks.vllm_command import VllmCommand

__all__ = [
    "DEFAULT_MEMORY_LIMIT",
    "GIB",
    "LIMIT_VARIABLE",
    "STREAMER_LIMIT",
    "HostMemory",
    "Streaming",
    "containers_of",
    "memory_limit_of",
    "streaming_of",
    "streaming_problems",
]

GIB = 1024**3
"""Bytes in a GiB."""

LIMIT_VARIABLE = "RUNAI_STREAMER_MEMORY_LIMIT"
"""The environment variable with the streamer's limit; vLLM's ``memory_limit`` overrides it."""

DEFAULT_MEMORY_LIMIT = 4 * GIB
"""The limit that we write and propose, as others do. Source: vLLM, "Loading models with Run:ai Model Streamer"."""

_STREAMERS_OWN_LIMIT = 40_000_000_000
_HOST_OVERHEAD = 6 * GIB
"""Python, the CUDA context and vLLM itself: an estimate, which no GPU has confirmed."""

_CONFIG = "--model-loader-extra-config"
_KEY = "memory_limit"
_FORMATS = frozenset({"runai_streamer", "runai_streamer_sharded"})
_OBJECT_STORES = ("s3://", "gs://", "az://")
_SOURCE = (
    "run-ai/runai-model-streamer 0.15.9 and 0.17.0, requests_iterator.py (run with local files); vLLM, 'Loading models "
    "with Run:ai Model Streamer' and set_runai_streamer_env"
)
_KINDS = ("CronJob", "DaemonSet", "Deployment", "Job", "Pod", "ReplicaSet", "StatefulSet")

STREAMER_MEMORY = rule(
    "automode:StreamerMemory",
    *_KINDS,
    severity="warning",
    sentence=(
        "Where vLLM streams its weights, the container's memory limit holds the streamer's buffers and another 6 GiB "
        "or so. The buffer of each loading process is memory_limit (40 GB if it is not set) or the size of all "
        "weights, whichever is less."
    ),
    source=_SOURCE,
)
STREAMER_LIMIT = rule(
    "automode:StreamerLimit",
    *_KINDS,
    severity="error",
    sentence=(
        "The memory limit of vLLM's weight streamer is a whole number of bytes that holds the model's largest tensor "
        "(or 0 for just that, or -1 for all weights)."
    ),
    source=_SOURCE,
    warning_where="the size of that tensor is not known",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class HostMemory:
    """The memory that a server needs beside its GPUs while it loads, in bytes.

    Args:
        buffer: what all buffers of the streamer take together; 0 where nothing is streamed.
        processes: how many processes load, each with a buffer of its own.
    """

    buffer: int
    processes: int = 1

    @property
    def overhead(self) -> int:
        """The memory that the server needs besides the buffers."""
        return _HOST_OVERHEAD

    @property
    def total(self) -> int:
        """Buffers and overhead together."""
        return self.buffer + self.overhead

    @property
    def least(self) -> str:
        """The least memory limit that holds it, as a quantity."""
        return f"{math.ceil(self.total / GIB)}Gi"

    def __str__(self) -> str:
        several = f" of {self.processes} processes" if self.processes > 1 else ""
        return (
            f"{self.total / GIB:.1f} GiB (the streamer's buffer{several} {self.buffer / GIB:.1f}, vLLM about "
            f"{self.overhead / GIB:.0f})"
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Streaming:
    """How a server streams its weights.

    Args:
        limit: the streamer's memory limit in bytes, 0 for the largest tensor, -1 for all weights; ``None`` where none
            is set, or none that the streamer takes.
        processes: how many processes load.
        shared: whether each of them reads a part of the weights only.
        ignored: the configured limit, if vLLM ignores it.
    """

    limit: int | None
    processes: int = 1
    shared: bool = False
    ignored: object = None

    def host_memory(self, size: ModelSize | None) -> HostMemory:
        """What the server needs; an unknown model is assumed to be large."""
        weights = math.inf if size is None else size.weight_bytes
        if self.limit is None or (self.limit < 0 and size is None):
            most: float = _STREAMERS_OWN_LIMIT
        elif self.limit < 0:
            most = weights
        else:
            most = self.limit or (0 if size is None else size.largest_tensor_bytes)
        together = min(self.processes * most, weights) if self.shared else self.processes * min(most, weights)
        return HostMemory(buffer=int(together), processes=self.processes)


def streaming_of(command: VllmCommand) -> Streaming | None:
    """How a server streams its weights, or ``None`` if it does not, or that cannot be determined."""
    load_format = (command.value("--load-format") or "auto").lower()
    if load_format not in _FORMATS and not (load_format == "auto" and command.model.startswith(_OBJECT_STORES)):
        return None
    config = command.mapping(_CONFIG)
    if config is None:
        return None  # a token, or no JSON: vLLM will say so
    processes = command.processes
    shared = processes > 1 and (config.get("distributed") is True or load_format == "runai_streamer_sharded")
    configured = config.get(_KEY)
    ignored = configured if _KEY in config and not isinstance(configured, int) else None
    limit = configured if isinstance(configured, int) and not isinstance(configured, bool) else None
    if limit is None:
        text = command.environment.get(LIMIT_VARIABLE)
        limit = None if text is None else _whole_number(text)
    return Streaming(limit=limit, processes=processes, shared=shared, ignored=ignored)


def streaming_problems(document: Mapping[str, Any], *, weight_bytes: int | None = None) -> Iterator[Problem]:
    """Problems with the memory of the vLLM servers in a workload.

    Args:
        document: a Kubernetes object.
        weight_bytes: bytes of the weights of models that are not known here. Default: assumed to exceed any limit.
    """
    for path, container in containers_of(document):
        from automode_constructs.checks.vllm_command import command_of  # few objects have containers

        command = command_of(container)
        streaming = None if command is None else streaming_of(command)
        if command is None or streaming is None:
            continue
        size = _size_of(command, weight_bytes)
        yield from (problem.under(path) for problem in _limit_problems(command, streaming, size))
        limit = memory_limit_of(document, container)
        limit_bytes = None if limit is None else number(limit)
        if limit_bytes is None or not limit_bytes.is_finite():
            continue
        host = streaming.host_memory(size)
        if host.total > limit_bytes:
            yield STREAMER_MEMORY.problem(
                f"{path}.resources.limits.memory",
                f"the weight streamer buffers {_buffered(streaming)} in a pod of {limit}{_size_text(size)}: loading "
                f"takes {host}, and the container is killed before it ends",
                _cure(streaming, size, int(limit_bytes)),
            )


def _size_of(command: VllmCommand, weight_bytes: int | None) -> ModelSize | None:
    size = model_size(f"{command.model} {command.value('--served-model-name') or ''}")
    if size is None and weight_bytes is not None:
        return ModelSize(name=command.model, weight_bytes=weight_bytes, largest_tensor_bytes=0)
    return size


def _buffered(streaming: Streaming) -> str:
    if streaming.ignored is not None:
        return f"up to 40 GB, since vLLM ignores the memory_limit {shown(streaming.ignored)},"
    if streaming.limit is None:
        return "up to 40 GB"
    if streaming.limit < 0:
        return "all of the weights"
    return f"up to {streaming.limit:,} bytes" if streaming.limit else "the largest tensor"


def _size_text(size: ModelSize | None) -> str:
    return "" if size is None else f" (its model has {size.weight_bytes / 1e9:.1f} GB)"


def _cure(streaming: Streaming, size: ModelSize | None, limit_bytes: int) -> str:
    least = GIB if size is None else max(size.largest_tensor_bytes, 1)
    room = (limit_bytes - _HOST_OVERHEAD) // (1 if streaming.shared else streaming.processes)
    # Whole MiB, but never less than the largest tensor.
    limit = max(min(DEFAULT_MEMORY_LIMIT, room) // 2**20 * 2**20, least) if room >= least else 0
    if limit:
        needs = streaming.host_memory(size).least
        return f"""set "memory_limit": {limit} in {_CONFIG}, or the container's memory limit to {needs}"""
    limit = max(DEFAULT_MEMORY_LIMIT, least)
    needs = replace(streaming, limit=limit).host_memory(size).least
    return f"""set "memory_limit": {limit} in {_CONFIG} and the container's memory limit to {needs}"""


def _limit_problems(command: VllmCommand, streaming: Streaming, size: ModelSize | None) -> Iterator[Problem]:
    config = command.mapping(_CONFIG) or {}
    text = None if isinstance(config.get(_KEY), int) else command.environment.get(LIMIT_VARIABLE)
    cure = "write bytes, such as 4294967296 for 4 GiB"
    if isinstance(config.get(_KEY), bool):
        yield STREAMER_LIMIT.problem(
            "args", f"memory_limit: {shown(config[_KEY])} is not a number of bytes, so the server may not start", cure
        )
    elif text is not None and not is_token(text) and _whole_number(text) is None:  # an empty text too
        yield STREAMER_LIMIT.problem(
            "env", f"{LIMIT_VARIABLE}: {shown(text)} is not a number of bytes, so the server may not start", cure
        )
    limit = streaming.limit
    if limit is None or limit in (0, -1):
        return
    least = 0 if size is None else size.largest_tensor_bytes
    field = "args" if isinstance(config.get(_KEY), int) else "env"
    if limit < -1:
        yield STREAMER_LIMIT.problem(
            field, f"the streamer's memory limit cannot be {limit:,}, so the server may not start", cure
        )
    elif limit < least and size is not None:
        yield STREAMER_LIMIT.problem(
            field,
            f"the streamer's memory limit of {limit:,} bytes does not hold the largest tensor of {size.name}, "
            f"{least:,} bytes, so the server ends with an error",
            f"set memory_limit to {max(DEFAULT_MEMORY_LIMIT, least)}, or to 0 for just the largest tensor",
        )


def _whole_number(text: str) -> int | None:
    """A text as Python's ``int`` reads it."""
    try:
        return int(text) if len(text) < 40 else None
    except ValueError:
        return None


def memory_limit_of(document: Mapping[str, Any], container: Mapping[str, Any]) -> int | str | None:
    """The memory that a container may use: its own limit, or its pod's; ``None`` where neither has one."""
    pods = [pod for _, pod in _pods_of(document) if any(each is container for each in _listed(pod.get("containers")))]
    for place in (container, *pods):
        limit = mapping_at(place, "resources", "limits").get("memory")
        if isinstance(limit, int | str) and not isinstance(limit, bool) and not is_token(limit):
            return limit
    return None


def containers_of(document: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The containers of a workload's pods, each with its place in the document."""
    for path, pod in _pods_of(document):
        for index, container in enumerate(_listed(pod.get("containers"))):
            if isinstance(container, Mapping):
                yield f"{path}.containers[{index}]", container


def _pods_of(document: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    places = (("spec",), ("spec", "template", "spec"), ("spec", "jobTemplate", "spec", "template", "spec"))
    for place in places:
        pod = mapping_at(document, *place)
        if _listed(pod.get("containers")):
            yield ".".join(place), pod


def _listed(value: object) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()
