"""One set-up for a short cold start: compile cache in S3, streamed weights, a small image, a node that unpacks fast."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Literal

from automode_constructs.arguments import checked_arguments
from automode_constructs.errors import AutoModeError, Problem, shown
from automode_constructs.facts.instance_types import InstanceType
from automode_constructs.inference.cold_start import (
    FAST_START_CONTAINER,
    FAST_START_VCPU,
    ColdStart,
    Seconds,
    estimate_cold_start,
)
from automode_constructs.inference.fit import ServerNeeds, hosts
from automode_constructs.inference.weights import S3Weights, Weights
from automode_constructs.manifests.node_class import NodeClass
from automode_constructs.manifests.node_pool import NodePool
from automode_constructs.tokens import is_token

__all__ = ["FastStart"]

_PROGRAM = "keep_compile_cache.py"
_FOLDER = "/compile-cache"
_PREFIX = re.compile(r"[A-Za-z0-9!_.*'()-]+(?:/[A-Za-z0-9!_.*'()-]+)*")
_TEXT_TOKEN = re.compile(r"\$\{Token\[[^\]]*\]\}")
_SHORTEST_SECONDS = 60


@checked_arguments
@dataclass(frozen=True, kw_only=True, slots=True)
class FastStart:
    """What a ``ModelServer`` does for a short time to its first token, and the time that its pool must keep to.

    Adds to the server's pods an init container that fetches what vLLM compiled before from the bucket of the
    weights, and a sidecar that uploads what it compiled anew once the server is ready: only the first pod of each kind
    of GPU compiles. The server is refused where one of its pool's types would take longer than ``target_seconds``,
    with the time of each part.

    The role of the server must be allowed to write to the prefix (``ModelBucket.grant_stage``) besides reading the
    weights. What vLLM loads from there is code: nobody else may write to it.

    Args:
        image_bytes: bytes of the compressed image, as the registry shows them. AWS's image has 9 GB, too much for the
            default target. One with Python, gcc and the wheels of ``vllm[runai]`` has about 4.3 GB (?): those of 0.27.1
            have 3.94 GB.
        cache_prefix: prefix of the compile cache in the bucket of the weights, without a slash at either end and apart
            from the weights; may be a token. Each image and set of flags has a folder of its own below it.
            Default: ``compile-cache``; we decide.
        target_seconds: the longest cold start that the model may compute for a type of the pool, at least 60.
            Default: 150; we decide.

    Cost: a few hundred MB in S3, less than 0.01 USD a month (S3 Standard, 0.023 USD per GB and month, us-east-1, Nov
    2026); the node is the price: g6.4xlarge costs 1.32 USD/h on-demand, g6.xlarge 0.80.

    Source: vLLM, "torch.compile integration"; ``estimate_cold_start``.
    """

    image_bytes: int
    cache_prefix: str = "compile-cache"
    target_seconds: int = 150

    def check(self, where: str, weights: Weights) -> None:
        """Refuses values and weights that it cannot work with."""
        problems = list(self._problems(weights))
        if problems:
            raise AutoModeError(where, problems)

    def _problems(self, weights: Weights) -> Iterator[Problem]:
        if self.image_bytes < 1:
            yield Problem(
                field="fast_start.image_bytes", message=f"needs a number above 0, got {shown(self.image_bytes)}"
            )
        if self.target_seconds < _SHORTEST_SECONDS:
            yield Problem(
                field="fast_start.target_seconds",
                message=f"needs a whole number of at least {_SHORTEST_SECONDS}, got {shown(self.target_seconds)}",
                cure="no node, image and engine together are faster",
            )
        prefix = self.cache_prefix
        if not is_token(prefix) and _PREFIX.fullmatch(prefix) is None:
            yield Problem(
                field="fast_start.cache_prefix",
                message=f"{shown(prefix)} is not a prefix of S3 objects",
                cure="write it without a slash at either end, such as 'compile-cache'",
            )
        if not isinstance(weights, S3Weights):
            yield Problem(
                field="fast_start",
                message=f"keeps its compile cache beside streamed weights, and these are {type(weights).__name__}",
                cure="use S3Weights",
            )
        elif f"{prefix}/".startswith(f"{weights.prefix}/") or f"{weights.prefix}/".startswith(f"{prefix}/"):
            yield Problem(
                field="fast_start.cache_prefix",
                message=f"{shown(prefix)} overlaps the weights' prefix {shown(weights.prefix)}",
                cure="use a prefix of its own, such as 'compile-cache'",
            )

    def pool_problems(self, needs: ServerNeeds, node_pool: NodePool | None, graphs: int) -> Iterator[Problem]:
        """Types of the pool on which the server starts later than the target."""
        if node_pool is None:
            yield Problem(
                field="node_pool",
                message="fast_start can keep to its target only on a pool that it knows",
                cure="pass the NodePool",
            )
            return
        late: list[tuple[InstanceType, ColdStart, Seconds]] = []
        # Another check names a pool that admits no type for the server.
        for instance_type in hosts(needs, node_pool.spec):
            start = self.cold_start(needs, instance_type, node_pool, graphs)
            if start.total is not None and start.total.high > self.target_seconds:
                late.append((instance_type, start, start.total))
        if late:
            slowest, start, total = max(late, key=lambda each: each[2].high)
            others = f" and {len(late) - 1} more" if len(late) > 1 else ""
            yield Problem(
                field="fast_start",
                message=(
                    f"pool '{node_pool.name}' admits {slowest.name}{others}: the cold start there is {total} "
                    f"({start.parts()}), but target_seconds is {self.target_seconds}"
                ),
                cure=_cure(start, [instance_type for instance_type, _, _ in late]),
            )

    def cold_start(
        self, needs: ServerNeeds, instance_type: InstanceType, node_pool: NodePool, graphs: int
    ) -> ColdStart:
        """The modelled cold start on a type of a pool."""
        node_class = node_pool.node_class
        return estimate_cold_start(
            instance_type=instance_type,
            image_bytes=self.image_bytes,
            weight_bytes=needs.model.weight_bytes,
            weights="s3",
            fast_start=True,
            cuda_graph_size=graphs,
            ephemeral_storage=node_class.spec.ephemeral_storage if isinstance(node_class, NodeClass) else None,
        )

    def program(self) -> dict[str, str]:
        """The ConfigMap's data."""
        return {_PROGRAM: files(__package__).joinpath(_PROGRAM).read_text("utf-8")}

    def volume(self, config_map: str) -> dict[str, Any]:
        """The volume with the program."""
        return {"name": FAST_START_CONTAINER, "configMap": {"name": config_map}}

    def init_containers(
        self, image: str, flags: Sequence[str], bucket: str, cache: str, *, restricted: bool
    ) -> list[dict[str, Any]]:
        """The container that restores the cache, and the sidecar that saves it."""
        settings = _TEXT_TOKEN.sub("token", json.dumps([image, *flags]))
        # Another image or other flags compile anew: their archives stay apart.
        prefix = f"{self.cache_prefix}/{hashlib.sha256(settings.encode()).hexdigest()[:12]}"
        arguments = [f"--bucket={bucket}", f"--prefix={prefix}", f"--cache={cache}"]
        return [
            self._container(FAST_START_CONTAINER, "restore", image, arguments, cache, restricted=restricted),
            {
                **self._container("keep-compile-cache", "save", image, arguments, cache, restricted=restricted),
                # An init container that is always restarted is a sidecar, and ends after the server.
                "restartPolicy": "Always",
            },
        ]

    def _container(
        self,
        name: str,
        command: Literal["restore", "save"],
        image: str,
        arguments: Sequence[str],
        cache: str,
        *,
        restricted: bool,
    ) -> dict[str, Any]:
        hardened = {"readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}} if restricted else {}
        return {
            "name": name,
            "image": image,  # the server's own, so that nothing else is pulled
            "command": ["python3", "-B", f"{_FOLDER}/{_PROGRAM}", command],
            "args": list(arguments),
            "resources": {"requests": {"cpu": "10m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}},
            "securityContext": {"allowPrivilegeEscalation": False, **hardened},
            "volumeMounts": [
                {"name": "cache", "mountPath": cache},
                {"name": FAST_START_CONTAINER, "mountPath": _FOLDER, "readOnly": True},
            ],
        }


def _cure(worst: ColdStart, late: list[InstanceType]) -> str:
    if any(each.vcpu < FAST_START_VCPU for each in late):
        return f"require labels.INSTANCE_CPU.greater_than({FAST_START_VCPU - 1}) in the pool"
    if any(not each.local_nvme_gb for each in late):
        return "require labels.INSTANCE_LOCAL_NVME.greater_than(200) in the pool"
    if worst.pull is not None and worst.weights is not None and worst.pull.high >= worst.weights.high:
        return "use a smaller image, such as vLLM's wheels on plain Python, or more vCPU, or raise target_seconds"
    return "require a faster network, such as labels.INSTANCE_FAMILY.is_in('g6e'), or raise target_seconds"
