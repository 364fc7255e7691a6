"""The arguments of a model server, checked together, and the values derived from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from automode_constructs.checks.vllm_command import read_command
from automode_constructs.errors import AutoModeError, Problem
from automode_constructs.inference.destinations import destination_problems, pod_egress, vocabulary_rules
from automode_constructs.inference.fast_start import FastStart
from automode_constructs.inference.fit import ServerNeeds
from automode_constructs.inference.image import ImageReference
from automode_constructs.inference.model_preset import ModelPreset
from automode_constructs.inference.model_server_checks import (
    argument_problems,
    client_problems,
    drain_problems,
    environment_problems,
    flags_in,
    host_path_problems,
    model_problems,
    number_problems,
    pool_problems,
    quantity_problems,
    share_problems,
    staging_problems,
    streamer_problems,
)
from automode_constructs.inference.vllm_arguments import check_arguments
from automode_constructs.inference.weight_staging import WeightStaging
from automode_constructs.inference.weights import S3Weights, SecretKey, Weights
from automode_constructs.manifests.node_pool import NodePool
from automode_constructs.specs.traffic.network_policy import ApplicationEgressRule, ApplicationPeer

__all__ = ["PORT", "CheckedArguments", "ServerArguments"]

PORT = 8000
"""The port of vLLM."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckedArguments:
    """The result of the checks.

    Args:
        reference: the parsed image reference.
        needs: what one replica needs from a node.
        flags: the flags of ``vllm serve``.
        doubts: warnings about the flags.
    """

    reference: ImageReference
    needs: ServerNeeds
    flags: tuple[str, ...]
    doubts: Sequence[Problem]


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerArguments:
    """The arguments of a ``ModelServer``; see there for each."""

    model: ModelPreset
    image: str
    weights: Weights
    staging: WeightStaging | None
    node_pool: NodePool | None
    replicas: int | None
    served_model_names: Sequence[str] | None
    max_model_len: int | None
    max_num_seqs: int
    gpu_memory_utilization: float
    kv_cache_dtype: str
    gpus: int
    cpu: int | str
    memory: int | str | None
    arguments: Sequence[str]
    environment: Mapping[str, str] | None
    api_key: SecretKey | None
    shutdown_timeout: int
    pre_stop_delay: int
    termination_grace_period: int
    startup_timeout: int
    strategy: Literal["RollingUpdate", "Recreate"]
    architecture: Literal["amd64", "arm64"]
    restricted: bool
    compile_cache_host_path: str | None
    fast_start: FastStart | None
    tolerations: Sequence[Mapping[str, Any]]
    node_selector: Mapping[str, str] | None
    network_policy: bool
    clients: Sequence[ApplicationPeer | Mapping[str, Any]] | None
    egress: Sequence[ApplicationEgressRule] | None
    service_account: str | None
    vllm_version: str | None

    @property
    def length(self) -> int:
        """The longest request, in tokens."""
        return min(32_768, self.model.max_context) if self.max_model_len is None else self.max_model_len

    def checked(self, where: str) -> CheckedArguments:
        """Checks all arguments before anything is created.

        Raises:
            AutoModeError: with everything that is wrong.
        """
        self.weights.check(where)
        if self.fast_start is not None:
            self.fast_start.check(where, self.weights)
        reference = ImageReference.of(where, self.image)
        problems = self._number_problems()
        if problems:
            raise AutoModeError(where, problems)  # the checks below calculate with them
        version, needs, flags = self.vllm_version or reference.vllm_version, self._needs(), self._flags()
        findings = check_arguments(flags, version=version)
        problems = [
            *staging_problems(self.staging, self.weights),
            *streamer_problems(self.model, self.weights),
            *model_problems(self.model, self.length, self.image, version),
            *drain_problems(self.pre_stop_delay, self.shutdown_timeout, self.termination_grace_period),
            *host_path_problems(self.compile_cache_host_path, restricted=self.restricted),
            *argument_problems(self.arguments),
            *environment_problems(self.environment or {}, self.weights),
            *client_problems(self.clients, self.egress, network_policy=self.network_policy),
            *(destination_problems(self.egress, self.environment or {}) if self.network_policy else ()),
            *(finding for finding in findings if finding.severity == "error"),
            *pool_problems(needs, self.node_pool),
            *self._fast_start_problems(needs, flags),
        ]
        if problems:
            raise AutoModeError(where, problems)
        return CheckedArguments(
            reference=reference, needs=needs, flags=tuple(flags), doubts=findings
        )  # none of these is an error here

    def _fast_start_problems(self, needs: ServerNeeds, flags: Sequence[str]) -> Iterator[Problem]:
        if self.fast_start is None:
            return
        if self.compile_cache_host_path is not None:
            yield Problem(
                field="compile_cache_host_path",
                message="fast_start keeps the compile cache in S3, for all nodes",
                cure="leave it out",
            )
        yield from self.fast_start.pool_problems(needs, self.node_pool, _graph_size(flags))

    def pod_egress(self) -> Sequence[ApplicationEgressRule]:
        """Where the pods may open connections to."""
        variables = self.environment or {}
        version = self.vllm_version or ImageReference.of("", self.image).vllm_version
        needed = [*self.weights.egress(variables), *vocabulary_rules(self.model, version, variables)]
        return pod_egress(needed, self.egress, variables)

    def _number_problems(self) -> list[Problem]:
        return [
            *number_problems(
                replicas=(0 if self.replicas is None else self.replicas, 0),
                max_num_seqs=(self.max_num_seqs, 1),
                max_model_len=(self.length, 1),
                gpus=(self.gpus, 1),
                shutdown_timeout=(self.shutdown_timeout, 0),
                pre_stop_delay=(self.pre_stop_delay, 0),
                termination_grace_period=(self.termination_grace_period, 1),
                startup_timeout=(self.startup_timeout, 10),
            ),
            *quantity_problems(cpu=self.cpu, memory=1 if self.memory is None else self.memory),
            *share_problems(gpu_memory_utilization=self.gpu_memory_utilization),
        ]

    def _needs(self) -> ServerNeeds:
        memory = f"{8 + 4 * self.gpus}Gi" if self.memory is None else self.memory
        weights, host_memory = self.weights, None
        if isinstance(weights, S3Weights):
            buffer = weights.buffer_bytes(self.model)
            host_memory = self.model.host_memory(memory_limit=buffer, processes=self.gpus)
        return ServerNeeds(
            model=self.model,
            gpus=self.gpus,
            cpu=self.cpu,
            memory=memory,
            host_memory=host_memory,
            memory_limit=memory,
            max_model_len=self.length,
            gpu_memory_utilization=self.gpu_memory_utilization,
            fp8_kv_cache=self.kv_cache_dtype.startswith("fp8"),
            architecture=self.architecture,
            replicas=1 if self.replicas is None else self.replicas,
            tolerations=self.tolerations,
        )

    def _flags(self) -> list[str]:
        return [
            "--host=0.0.0.0",
            f"--port={PORT}",
            "--served-model-name",
            *(self.served_model_names or (self.model.name,)),
            f"--max-model-len={self.length}",
            f"--max-num-seqs={self.max_num_seqs}",
            f"--gpu-memory-utilization={self.gpu_memory_utilization:g}",
            f"--kv-cache-dtype={self.kv_cache_dtype}",
            f"--tensor-parallel-size={self.gpus}",
            f"--shutdown-timeout={self.shutdown_timeout}",
            *self.weights.arguments(self.model),
            *_overridable_flags(self.arguments, self.model, self.max_num_seqs),
            *self.arguments,
        ]


def _overridable_flags(arguments: Sequence[str], model: ModelPreset, max_num_seqs: int) -> list[str]:
    """Flags that we set and a user may override."""
    user_flags = flags_in(arguments)
    flags = []
    if "--disable-access-log-for-endpoints" not in user_flags:
        flags.append("--disable-access-log-for-endpoints=/health")
    if model.tool_call_parser is not None and "--tool-call-parser" not in user_flags:
        flags += [f"--tool-call-parser={model.tool_call_parser}", "--enable-auto-tool-choice"]
    if model.reasoning_parser is not None and "--reasoning-parser" not in user_flags:
        flags.append(f"--reasoning-parser={model.reasoning_parser}")
    if "--max-cudagraph-capture-size" not in user_flags:
        # vLLM would capture graphs up to 1,024 for this model: time and memory that max_num_seqs never needs.
        flags.append(f"--max-cudagraph-capture-size={2 * max_num_seqs}")
    return flags


def _graph_size(flags: Sequence[str]) -> int:
    """The largest batch with a CUDA graph; 512, vLLM's own limit, where the flag's value is not a number."""
    return read_command(flags).number("--max-cudagraph-capture-size", 512)
