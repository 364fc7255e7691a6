"""Reads the vLLM server out of a workload's manifest: which model, from where, and what it asks of its node."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any, Literal

from automode_constructs.errors import AutoModeError, shown
from automode_constructs.inference.model_preset import GPT_OSS_20B, ModelPreset
from automode_constructs.specs.placement import Pods, pods_of
from automode_constructs.specs.quantity import number

__all__ = ["Server", "server_of", "value_of"]

_PRESETS = (GPT_OSS_20B,)

_GPU = "nvidia.com/gpu"
_NO_MATTER = frozenset({_GPU, "vpc.amazonaws.com/efa"})
_MOST = Decimal(2**63 - 1)
"""The largest quantity that Kubernetes knows."""

_VLLM_IMAGE = re.compile(r"(?:.*/)?vllm(?:-openai)?(?:[:@].*)?")


@dataclass(frozen=True, kw_only=True, slots=True)
class Server:
    """A vLLM server as its manifest describes it."""

    kind: str
    name: str
    model: str
    """What vLLM is told to load."""
    preset: ModelPreset | None
    weight_bytes: int
    weights: Literal["s3", "image", "hub"] | None
    enforce_eager: bool
    replicas: int
    gpus: int
    cpu: Decimal
    memory: Decimal
    """Bytes."""
    arguments: Sequence[str]
    pods: Pods


def server_of(data: Mapping[str, Any], where: str, *, weight_bytes: int | None) -> Server | str | None:
    """The vLLM server that a workload runs; a text says why one cannot be estimated, ``None`` that there is none.

    Args:
        data: a Kubernetes object.
        where: the file, for messages.
        weight_bytes: bytes of the weights of models that have no preset.

    Raises:
        AutoModeError: for a model that has no preset, where ``weight_bytes`` is not given.
    """
    pods = pods_of(str(data.get("apiVersion", "")).rpartition("/")[0], data)
    spec = _at(data, *(pods.field.split(".") if pods is not None else ("spec", "template", "spec")))
    container = next((each for each in _mappings(spec.get("containers")) if _is_vllm(each)), None)
    if container is None:
        return None
    kind, name = str(data.get("kind")), str(_at(data, "metadata").get("name"))
    if pods is None:
        return f"{kind} {name}: its manifest does not tell which pool its pods are for"
    asked = _requests(spec)
    others = sorted(key for key in asked if "/" in key and key not in _NO_MATTER)
    gpus = int(asked.get(_GPU, Decimal(0)))
    if others or not gpus:
        told = f"asks for {', '.join(others)}" if others else f"asks for no {_GPU}"
        return f"{kind} {name} {told}, and only NVIDIA GPUs are known here"
    words = _words(container)
    model = _model(words)
    names = f"{model} {value_of(words, '--served-model-name') or ''}".lower()
    preset = next((each for each in _PRESETS if each.name.rpartition("/")[2] in names), None)
    size = preset.weight_bytes if preset is not None else weight_bytes
    if size is None:
        raise AutoModeError.of(
            f"{where}: {kind} '{name}'",
            "",
            f"nothing is known of the model {shown(model)}" if model else "its arguments name no model",
            "say how large its weights are with --weight-gb",
        )
    return Server(
        kind=kind,
        name=name,
        model=model or (preset.name if preset is not None else "a model without a name"),
        preset=preset,
        weight_bytes=size,
        weights=_way(model, container),
        enforce_eager="--enforce-eager" in words,
        replicas=_replicas(data),
        gpus=gpus,
        cpu=asked.get("cpu", Decimal(0)),
        memory=asked.get("memory", Decimal(0)),
        arguments=words,
        pods=pods,
    )


def _words(container: Mapping[str, Any]) -> list[str]:
    """The words of command and arguments, those in a shell's script too."""
    words: list[str] = []
    for text in [*_texts(container.get("command")), *_texts(container.get("args"))]:
        try:
            words += shlex.split(text) if re.search(r"\s", text) and not text.startswith(("-", "{")) else [text]
        except ValueError:
            words += text.split()
    return words


def _is_vllm(container: Mapping[str, Any]) -> bool:
    words = _words(container)
    serves = any(one.rpartition("/")[2] == "vllm" and two == "serve" for one, two in pairwise(words))
    if serves or any(word.startswith("vllm.entrypoints") for word in words):
        return True
    return not container.get("command") and _VLLM_IMAGE.fullmatch(str(container.get("image"))) is not None


def _model(words: Sequence[str]) -> str:
    named = value_of(words, "--model")
    if named is not None:
        return named
    start = words.index("serve") + 1 if "serve" in words else 0
    first = next(iter(words[start:]), "-")
    return "" if first.startswith("-") else first


def value_of(words: Sequence[str], flag: str) -> str | None:
    """What a flag is given, as ``--flag=value`` or ``--flag value``; ``None`` where it is not there."""
    for one, two in pairwise([*words, ""]):
        name, equals, value = one.partition("=")
        if name.replace("_", "-") == flag:
            return value if equals else two
    return None


def _way(model: str, container: Mapping[str, Any]) -> Literal["s3", "image", "hub"] | None:
    if model.startswith("s3://"):
        return "s3"
    if not model.startswith("/"):
        return "hub" if model else None
    mounts = [str(each.get("mountPath")).rstrip("/") for each in _mappings(container.get("volumeMounts"))]
    return None if any(f"{model}/".startswith(f"{mount}/") for mount in mounts) else "image"


def _requests(spec: Mapping[str, Any]) -> dict[str, Decimal]:
    """What a pod requests in all."""
    asked: dict[str, Decimal] = {}
    for container in _mappings(spec.get("containers")):
        for key, value in _requests_of(container).items():
            asked[key] = asked.get(key, Decimal(0)) + value
    for container in _mappings(spec.get("initContainers")):
        for key, value in _requests_of(container).items():
            asked[key] = max(asked.get(key, Decimal(0)), value)
    return asked


def _requests_of(container: Mapping[str, Any]) -> dict[str, Decimal]:
    # A limit without a request is a request, as Kubernetes decides.
    told = {**_at(container, "resources", "limits"), **_at(container, "resources", "requests")}
    numbers = {str(key): number(value) for key, value in told.items() if isinstance(value, (int, str))}
    return {key: min(value, _MOST) for key, value in numbers.items() if value is not None and value.is_finite()}


def _replicas(data: Mapping[str, Any]) -> int:
    told = _at(data, "spec").get("replicas")
    return told if isinstance(told, int) else 1


def _at(data: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    at: Any = data
    for part in path:
        at = at.get(part) if isinstance(at, Mapping) else None
    return at if isinstance(at, Mapping) else {}


def _mappings(value: object) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def _texts(value: object) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else []
