"""A server, its model and its pool held against each other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from automode_constructs.inference.fit import ServerNeeds, hosts, misfits
from automode_constructs.inference.model_preset import GPT_OSS_20B
from automode_constructs.specs import labels
from automode_constructs.specs.nodes.node_class import (
    EphemeralStorage,
    NodeClassSpec,
    SecurityGroupSelectorTerm,
    SubnetSelectorTerm,
)
from automode_constructs.specs.pools.node_pool import NodeClaimSpec, NodeClaimTemplate, NodePoolSpec, Taint
from automode_constructs.specs.pools.requirement import Requirement

SERVER = ServerNeeds(
    model=GPT_OSS_20B,
    gpus=1,
    cpu="3",
    memory="12Gi",
    max_model_len=32_768,
    gpu_memory_utilization=0.92,
    fp8_kv_cache=False,
    architecture="amd64",
    replicas=1,
    tolerations=({"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"},),
)
TALK = (
    labels.INSTANCE_CATEGORY.is_in("g"),
    labels.INSTANCE_GENERATION.greater_than(4),
    labels.ARCH.is_in("amd64"),
)
NEED = "openai/gpt-oss-20b needs 16.5 GiB (weights 13.7, overhead 2.0, KV cache of one request of 32,768 tokens 0.8)"


def pool(*requirements: Requirement, taints: list[Taint] | None = None, **fields: Any) -> NodePoolSpec:
    nodes = NodeClaimSpec(requirements=[labels.CAPACITY_TYPE.is_in("spot", "on-demand"), *requirements], taints=taints)
    return NodePoolSpec(template=NodeClaimTemplate(spec=nodes), **fields)


def node_class(size: str) -> NodeClassSpec:
    return NodeClassSpec(
        role="nodes",
        subnet_selector_terms=[SubnetSelectorTerm(id="subnet-0aaaaaaaaaaaaaaaa")],
        security_group_selector_terms=[SecurityGroupSelectorTerm(id="sg-0123456789abcdef0")],
        ephemeral_storage=EphemeralStorage(size=size),
    )


def told(spec: NodePoolSpec, nodes: NodeClassSpec | None = None, **needs: Any) -> list[str]:
    return [str(problem) for problem in misfits(replace(SERVER, **needs), "gpu", spec, nodes)]


def test_the_talks_pool_fits() -> None:
    assert told(pool(*TALK), node_class("100Gi")) == []
    families = {one.name.partition(".")[0] for one in hosts(SERVER, pool(*TALK))}
    assert families == {"g5", "g6", "g6e", "g7e"}


def test_a_replica_needs_room_beside_the_system() -> None:
    small = pool(labels.INSTANCE_TYPE.is_in("g6.xlarge", "g6.2xlarge"))
    assert [one.name for one in hosts(SERVER, small)] == ["g6.xlarge", "g6.2xlarge"]
    assert [one.name for one in hosts(replace(SERVER, cpu=4), small)] == ["g6.2xlarge"]
    assert [one.name for one in hosts(replace(SERVER, memory="16Gi"), small)] == ["g6.2xlarge"]


def test_a_gpu_too_old_and_too_small_is_refused_with_the_arithmetic() -> None:
    assert told(pool(labels.INSTANCE_CATEGORY.is_in("g"), labels.ARCH.is_in("amd64"))) == [
        f"node_pool: pool 'gpu' admits g4dn's T4: {NEED}; g4dn's T4 has 15.0 GiB, of which vLLM takes 0.92 = 13.8 GiB "
        "and has compute capability 7.5 < 8.0; require labels.INSTANCE_FAMILY.is_not_in('g4dn') in the pool"
    ]


def test_a_gpu_too_small_for_the_longest_request_is_refused_with_the_longest_that_fits() -> None:
    (said,) = told(pool(labels.INSTANCE_FAMILY.is_in("g6")), max_model_len=131_072, gpu_memory_utilization=0.8)
    assert said == (
        "node_pool: pool 'gpu' admits g6's L4: openai/gpt-oss-20b needs 18.7 GiB (weights 13.7, overhead 2.0, KV cache "
        "of one request of 131,072 tokens 3.0); g6's L4 has 22.0 GiB, of which vLLM takes 0.8 = 17.6 GiB; require "
        "labels.INSTANCE_FAMILY.is_not_in('g6') in the pool, or lower max_model_len to 81,920 or less"
    )
    assert told(pool(labels.INSTANCE_FAMILY.is_in("g6")), max_model_len=81_920, gpu_memory_utilization=0.8) == []
    assert told(pool(labels.INSTANCE_FAMILY.is_in("g6")), max_model_len=83_968, gpu_memory_utilization=0.8) != []


def test_gpus_that_share_the_model_need_less_each() -> None:
    four = pool(labels.INSTANCE_TYPE.is_in("g5.12xlarge"))
    assert told(four, gpus=1, gpu_memory_utilization=0.5) != []
    assert told(four, gpus=4, gpu_memory_utilization=0.5) == []


def test_an_8_bit_kv_cache_is_refused_where_the_kernels_lack_it() -> None:
    assert told(pool(*TALK), fp8_kv_cache=True) == [
        "kv_cache_dtype: pool 'gpu' admits g5's A10G with compute capability 8.6: an fp8 KV cache needs 8.9; "
        "leave it at 'auto', or require labels.INSTANCE_FAMILY.is_not_in('g5') in the pool"
    ]
    assert told(pool(labels.INSTANCE_FAMILY.is_in("g6", "g6e")), fp8_kv_cache=True) == []


def test_requests_that_no_type_has_are_refused() -> None:
    small = pool(labels.INSTANCE_TYPE.is_in("g6.xlarge", "g6e.xlarge"))
    assert told(small, cpu=6, memory="29Gi") == [
        "cpu and memory: a replica requests 6 CPU and 29Gi, but none of g6.xlarge, g6e.xlarge in pool 'gpu' has that "
        "much: g6e.xlarge leaves pods 3,920m and 29,317Mi; request less, or admit larger types"
    ]
    assert told(small, memory="28Gi") == []


def test_the_wrong_architecture_is_refused() -> None:
    arm = pool(labels.INSTANCE_FAMILY.is_in("g5g"), labels.INSTANCE_SIZE.is_in("xlarge", "2xlarge"))
    assert told(arm) == [
        "node_pool: pool 'gpu' admits arm64 nodes only (g5g.xlarge, g5g.2xlarge), but the image is for amd64; "
        "require labels.ARCH.is_in('amd64') in the pool, or pass architecture='arm64'"
    ]


@pytest.mark.parametrize(
    ("category", "gpus", "most"), [("c", 1, 0), ("g", 16, 8)], ids=["no GPU at all", "more GPUs than any type has"]
)
def test_more_gpus_than_any_type_has_are_refused(category: str, gpus: int, most: int) -> None:
    assert told(pool(labels.INSTANCE_CATEGORY.is_in(category), labels.ARCH.is_in("amd64")), gpus=gpus) == [
        f"gpus: a replica needs {gpus} NVIDIA GPU, but no type that pool 'gpu' admits has more than {most}; "
        "admit larger types, or ask for fewer GPUs"
    ]


def test_a_missing_toleration_is_refused() -> None:
    taints = [
        Taint(key="nvidia.com/gpu", effect="NoSchedule"),
        Taint(key="team", value="ml", effect="NoExecute"),
        Taint(key="busy", effect="PreferNoSchedule"),
    ]
    assert told(pool(*TALK, taints=taints)) == [
        "tolerations: pool 'gpu' has the taint team=ml:NoExecute, which no toleration matches; "
        "add {'key': 'team', 'operator': 'Exists', 'effect': 'NoExecute'}"
    ]
    more = [*SERVER.tolerations, {"key": "team", "operator": "Equal", "value": "ml"}]
    assert told(pool(*TALK, taints=taints), tolerations=more) == []
    assert told(pool(*TALK, taints=taints), tolerations=[{"operator": "Exists"}]) == []


def test_more_replicas_than_the_pools_gpu_limit_are_refused() -> None:
    limited = pool(*TALK, limits={"nvidia.com/gpu": "4"})
    assert told(limited, replicas=5) == [
        "replicas: 5 replicas of 1 GPU need 5, but pool 'gpu' is limited to 4; "
        "raise the pool's limits['nvidia.com/gpu'], or ask for fewer replicas"
    ]
    assert told(limited, replicas=4) == []


def test_an_ephemeral_volume_that_loses_the_nvme_is_refused() -> None:
    assert told(pool(*TALK), node_class("500Gi")) == [
        "node_pool: its NodeClass has ephemeral_storage.size 500Gi = 537 GB, not below the 250 GB of local NVMe of "
        "g6.xlarge: Auto Mode would leave the NVMe unused and put images on an EBS volume; set the size below 232Gi"
    ]
    assert told(pool(*TALK), node_class("231Gi")) == []
    assert told(pool(*TALK), None) == []


@pytest.mark.parametrize(
    "requirement",
    [
        labels.INSTANCE_FAMILY.is_in("g9x"),
        labels.INSTANCE_TYPE.is_in("g9.xlarge", "g4ad.xlarge"),
        labels.INSTANCE_GPU_NAME.is_in("rtx-9000"),
    ],
)
def test_types_newer_than_our_list_never_fail(requirement: Requirement) -> None:
    assert told(pool(requirement), node_class("500Gi"), cpu=1000) == []


def test_a_buffer_that_does_not_fit_the_container_is_refused() -> None:
    host = GPT_OSS_20B.host_memory()
    assert str(host) == "18.8 GiB (the streamer's buffer 12.8, vLLM about 6)"
    assert told(pool(*TALK), host_memory=host, memory_limit="12Gi") == [
        "memory: loading openai/gpt-oss-20b takes 18.8 GiB (the streamer's buffer 12.8, vLLM about 6), but the "
        "container may use 12Gi; set memory to 19Gi, or the weights' memory_limit to 6442450944"
    ]
    limited = GPT_OSS_20B.host_memory(memory_limit=4 * 1024**3)
    assert told(pool(*TALK), host_memory=limited, memory_limit="12Gi") == []
    assert told(pool(*TALK), host_memory=limited, memory_limit="9Gi") != []


def test_a_buffer_that_does_not_fit_the_node_is_refused_where_the_container_has_no_limit() -> None:
    small = pool(labels.INSTANCE_TYPE.is_in("g6.xlarge", "g6.2xlarge"))
    assert told(small, host_memory=GPT_OSS_20B.host_memory()) == [
        "memory: pool 'gpu' admits g6.xlarge: loading openai/gpt-oss-20b takes 18.8 GiB (the streamer's buffer 12.8, "
        'vLLM about 6), and g6.xlarge leaves pods 14,162Mi; request memory 19Gi, or set "memory_limit" in '
        "--model-loader-extra-config"
    ]
    assert told(small, host_memory=GPT_OSS_20B.host_memory(memory_limit=4 * 1024**3)) == []


def test_everything_wrong_is_told_at_once() -> None:
    small = pool(*TALK, taints=[Taint(key="a", effect="NoSchedule")], limits={"nvidia.com/gpu": 1})
    fields = [said.partition(":")[0] for said in told(small, node_class("900Gi"), replicas=2, fp8_kv_cache=True)]
    assert fields == ["tolerations", "replicas", "kv_cache_dtype", "node_pool"]
