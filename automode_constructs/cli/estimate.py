"""Estimates the cold start and price of vLLM servers and NodePools in manifests."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from automode_constructs.checks.document import kind_of
from automode_constructs.checks.placement import Pool, pool_of
from automode_constructs.cli.files import files_in
from automode_constructs.cli.lint import objects_of
from automode_constructs.cli.placeholders import first_placeholder
from automode_constructs.cli.reading import UnreadableError
from automode_constructs.cli.vllm_server import Server, server_of
from automode_constructs.errors import AutoModeError, shown
from automode_constructs.facts.instance_types import InstanceType
from automode_constructs.inference.cold_start import ColdStart, estimate_cold_start
from automode_constructs.inference.fit import ServerNeeds, misfits
from automode_constructs.inference.model_preset import ModelPreset
from automode_constructs.specs.labels import CAPACITY_TYPE
from automode_constructs.specs.nodes.node_class import NodeClassSpec
from automode_constructs.specs.pools.instance_types import allocatable
from automode_constructs.specs.pools.node_pool import NodePoolSpec
from automode_constructs.specs.pools.requirement import Requirement
from automode_constructs.specs.quantity import number

__all__ = ["Estimate", "Row", "Table", "estimate"]

_ENGINE_BYTES = 9_000_000_000
"""AWS's vLLM images: 8.8 GB (0.21, EKS User Guide) to 9.4 GB (0.22, aws-samples/karpenter-blueprints)."""

_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)([kKmM]?)")
_SCALES = {"": 1, "k": 1000, "K": 1024, "m": 1000**2, "M": 1024**2}


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """An instance type, and a server's cold start on it."""

    instance_type: InstanceType
    cold_start: ColdStart | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """The types of a pool that a server can land on, or all of them if there is no server."""

    pool: str
    server: Server | None
    image_bytes: int
    image_is_assumed: bool
    rows: Sequence[Row]
    spot: bool
    warnings: Sequence[str] = ()


@dataclass(kw_only=True, slots=True)
class Estimate:
    """The result of a run."""

    tables: list[Table] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    """What could not be estimated, and why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _NodePool:
    spec: NodePoolSpec
    pool: Pool


def estimate(paths: Sequence[str], *, image_bytes: int | None = None, weight_bytes: int | None = None) -> Estimate:
    """Reads manifests and estimates each vLLM server on each pool that it can land on.

    Args:
        paths: files, folders or ``-``, as for ``automode lint``.
        image_bytes: bytes of the compressed image. Default: 9 GB, plus the weights if they are in the image; we
            decide.
        weight_bytes: bytes of the weights of models without a preset. Default: such a model is an error.

    Raises:
        AutoModeError: if nothing can be estimated: a file that cannot be read, no NodePool, a NodePool or NodeClass
            with errors, an unknown model.
    """
    pools: list[_NodePool] = []
    node_classes: dict[str, NodeClassSpec] = {}
    servers: list[Server] = []
    result = Estimate()
    for where, data in _objects(paths):
        kind = kind_of(data)
        if kind is not None and kind.model in (NodePoolSpec, NodeClassSpec):
            spec = _spec_of(kind.model, data, where)
            name = _mapping(data.get("metadata")).get("name")
            pool = pool_of(data) if isinstance(spec, NodePoolSpec) else None
            if isinstance(spec, NodePoolSpec) and pool is not None:
                pools.append(_NodePool(spec=spec, pool=pool))
            elif isinstance(spec, NodeClassSpec) and isinstance(name, str):
                node_classes[name] = spec
        else:
            server = server_of(data, where, weight_bytes=weight_bytes)
            if isinstance(server, str):
                result.remarks.append(server)
            elif server is not None:
                servers.append(server)
    if not pools:
        raise AutoModeError.of(
            ", ".join(paths), field="", message="holds no NodePool", cure="name the file of the pools too"
        )
    if servers or result.remarks:
        for server in servers:
            result.tables += _tables_of(server, pools, node_classes, image_bytes, result.remarks)
    else:
        for each in pools:
            table = _table(each, None, None, image_bytes)
            if table.rows:
                result.tables.append(table)
            else:
                result.remarks.append(f"NodePool {each.pool.name} admits no instance type that is known here")
    return result


def _objects(paths: Sequence[str]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    seen: set[str] = set()
    for path in paths:
        for file in files_in(path):
            if file.identity in seen:
                continue
            seen.add(file.identity)
            try:
                for data in objects_of(file.text()):
                    yield file.path, data
            except UnreadableError as error:
                raise error.at(file.path) from None


def _spec_of(
    model: type[NodePoolSpec | NodeClassSpec], data: Mapping[str, Any], where: str
) -> NodePoolSpec | NodeClassSpec:
    at = f"{where}: {data.get('kind')} {shown(_mapping(data.get('metadata')).get('name'))}"
    placeholder = first_placeholder(data)
    if placeholder is not None:
        field, text = placeholder
        raise AutoModeError.of(at, field=field, message=f"the placeholder {shown(text)} is not filled in")
    return model.from_manifest(_mapping(data.get("spec")), where=at)


def _tables_of(
    server: Server,
    pools: Sequence[_NodePool],
    node_classes: Mapping[str, NodeClassSpec],
    image_bytes: int | None,
    remarks: list[str],
) -> Iterator[Table]:
    reasons: list[str] = []
    landed = False
    for each in pools:
        taints = server.pods.repelled_by(each.pool)
        if taints or not server.pods.select(each.pool):
            reason = f"has the taint {taints[0]}" if taints else "has other labels than the pod asks for"
            reasons.append(f"NodePool {each.pool.name} {reason}")
            continue
        table = _table(each, server, node_classes.get(each.pool.node_class or ""), image_bytes)
        if table.rows:
            landed = True
            yield table
        else:
            reason = "; ".join(table.warnings) or "no known instance type of it has the GPUs, CPU and memory"
            reasons.append(f"NodePool {each.pool.name}: {reason}")
    if not landed:
        remarks.append(f"{server.kind} {server.name} lands on no NodePool here: {'; '.join(reasons)}")


def _table(each: _NodePool, server: Server | None, node_class: NodeClassSpec | None, image_bytes: int | None) -> Table:
    narrowed = [each.spec] if server is None else list(_narrowed(each.spec, server))
    wanted = {known for spec in narrowed for known in spec.instance_types()}
    types = [
        known
        for known in each.spec.instance_types()
        if known in wanted and (server is None or _has_room(known, server))
    ]
    image = image_bytes or _ENGINE_BYTES + (server.weight_bytes if server and server.weights == "image" else 0)
    storage = None if node_class is None else node_class.ephemeral_storage
    rows = [
        Row(
            instance_type=known,
            cold_start=None
            if server is None
            else estimate_cold_start(
                instance_type=known,
                image_bytes=image,
                weight_bytes=server.weight_bytes,
                weights=server.weights,
                enforce_eager=server.enforce_eager,
                fast_start=server.fast_start,
                cuda_graph_size=server.command.number("--max-cudagraph-capture-size", 512),
                ephemeral_storage=storage,
            ),
        )
        for known in types
    ]
    problems = [] if server is None else [str(replace(problem, field="")) for problem in server.problems]
    if server is not None and server.preset is not None and len(narrowed) == 1:
        # The image's architecture is not known, so each type is checked with its own architecture.
        for architecture in _architectures(types):
            needs = _needs(server, server.preset, architecture)
            problems += [
                str(replace(problem, field="")) for problem in misfits(needs, each.pool.name, narrowed[0], node_class)
            ]
    return Table(
        pool=each.pool.name,
        server=server,
        image_bytes=image,
        image_is_assumed=image_bytes is None,
        rows=rows,
        spot=each.pool.admits([(CAPACITY_TYPE, ("In", ["spot"]))]),
        warnings=list(dict.fromkeys(problems)),
    )


def _narrowed(spec: NodePoolSpec, server: Server) -> Iterator[NodePoolSpec]:
    """The pool with the pods' node requirements added, once for each alternative that it can satisfy."""
    for term in server.pods.terms:
        requirements = []
        for key, (operator, values) in (*server.pods.selector, *term):
            # Labels that no pool may require (the pool's own name) say nothing about the type.
            with contextlib.suppress(AutoModeError):
                requirements.append(
                    Requirement.from_manifest({"key": key, "operator": operator, "values": list(values)})
                )
        nodes = spec.template.spec
        # A pool with contradicting requirements has no node for them.
        with contextlib.suppress(AutoModeError):
            nodes = nodes.replace(requirements=[*nodes.requirements, *requirements])
            yield spec.replace(template=spec.template.replace(spec=nodes))


def _has_room(known: InstanceType, server: Server) -> bool:
    room = allocatable(known)
    return (
        room.gpus >= server.gpus and room.cpu_millis >= server.cpu * 1000 and room.memory_mib * 1024**2 >= server.memory
    )


def _architectures(types: Sequence[InstanceType]) -> Sequence[Literal["amd64", "arm64"]]:
    return list(dict.fromkeys(known.architecture for known in types)) or ["amd64"]


def _needs(server: Server, preset: ModelPreset, architecture: Literal["amd64", "arm64"]) -> ServerNeeds:
    flag = server.command.value
    length = _SIZE.fullmatch(flag("--max-model-len") or "")
    utilization = number(flag("--gpu-memory-utilization") or "0.92")
    return ServerNeeds(
        model=preset,
        gpus=server.gpus,
        cpu=str(server.cpu),
        memory=f"{server.memory / 1024**2:.0f}Mi",
        host_memory=server.host_memory,
        # "auto" takes as much as fits.
        max_model_len=int(float(length[1]) * _SCALES[length[2]])
        if length
        else _open_length(flag("--max-model-len"), preset),
        gpu_memory_utilization=float(utilization or 0.92),
        fp8_kv_cache=(flag("--kv-cache-dtype") or "").startswith("fp8"),
        architecture=architecture,
        replicas=server.replicas,
        tolerations=server.pods.tolerations,
    )


def _open_length(text: str | None, preset: ModelPreset) -> int:
    return 1 if text in ("auto", "-1") else preset.max_context


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
