"""Images that nodes without a way to the internet cannot pull."""

from __future__ import annotations

from typing import Any

import pytest

from automode_constructs.checks.image_sources import image_source_problems, uses_proxy

ACCOUNT = "111122223333"


def found(manifest: dict[str, Any]) -> list[str]:
    return [f"{problem.severity} {problem}" for problem in image_source_problems(manifest)]


def pod(image: str) -> dict[str, Any]:
    return {"kind": "Pod", "spec": {"containers": [{"name": "web", "image": image}]}}


@pytest.mark.parametrize(
    "image",
    [
        f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com/shop/web:1.0",
        f"{ACCOUNT}.dkr.ecr-fips.us-gov-west-1.amazonaws.com/shop/web:1.0",
        f"{ACCOUNT}.dkr-ecr.eu-west-1.on.aws/shop/web@sha256:{'a' * 64}",
        "602401143452.dkr.ecr.us-west-2.amazonaws.com/eks/pause:3.10",
        "${Token[AWS.AccountId.4]}.dkr.ecr.${Token[AWS.Region.5]}.${Token[AWS.URLSuffix.6]}/cache/vllm:1",
        "${Token[TOKEN.12]}",
        "${Token[TOKEN.12]}:1.0",
        "",
    ],
)
def test_private_ecr_and_what_only_the_deployment_knows_are_fine(image: str) -> None:
    assert found(pod(image)) == []


@pytest.mark.parametrize(
    ("image", "registry"),
    [
        ("nginx:1.27", "docker.io"),
        ("nginx:${Token[TOKEN.12]}", "docker.io"),
        ("vllm/vllm-openai:v0.11.0", "docker.io"),
        ("public.ecr.aws/eks/pause:3.10", "public.ecr.aws"),
        ("registry.k8s.io/pause:3.10", "registry.k8s.io"),
        ("europe-docker.pkg.dev/a/b/c:1", "europe-docker.pkg.dev"),
    ],
)
def test_an_image_of_a_public_registry_is_an_error(image: str, registry: str) -> None:
    assert found(pod(image)) == [
        f"error spec.containers[0].image: container 'web': the image '{image}' comes from '{registry}', which a "
        "network without internet access never reaches; copy it into a private ECR repository; the first pull through "
        "a PullThroughCache needs a route to the internet too"
    ]


@pytest.mark.parametrize("registry", ["registry.corp.example", "localhost:5000", f"{ACCOUNT}.dkr.ecr.example.com"])
def test_another_host_may_stand_in_the_vpc_and_is_a_warning(registry: str) -> None:
    assert found(pod(f"{registry}/web:1")) == [
        f"warning spec.containers[0].image: container 'web': the image '{registry}/web:1' comes from '{registry}', and "
        "the network has no route to the internet; make sure that the VPC can reach this registry, or copy the "
        "image into a private ECR repository"
    ]


def test_every_container_of_every_kind_is_looked_at() -> None:
    template = {
        "initContainers": [{"name": "prepare", "image": "busybox:1"}],
        "containers": [{"name": "run", "image": "busybox:1"}],
        "volumes": [{"name": "weights", "image": {"reference": "ghcr.io/a/b:1"}}, {"name": "cache", "emptyDir": {}}],
    }
    job = {"jobTemplate": {"spec": {"template": {"spec": template}}}}
    places = [str(problem.field) for problem in image_source_problems({"kind": "CronJob", "spec": job})]
    start = "spec.jobTemplate.spec.template.spec"
    assert places == [
        f"{start}.initContainers[0].image",
        f"{start}.containers[0].image",
        f"{start}.volumes[0].image.reference",
    ]
    nested = {"kind": "LeaderWorkerSet", "spec": {"templates": [{"spec": template}]}}
    assert len(found(nested)) == 3


@pytest.mark.parametrize("containers", [None, "busybox", [None, "busybox", {"name": "a"}, {"image": 7}], {"a": {}}])
def test_what_is_no_container_is_not_looked_at(containers: Any) -> None:
    assert found({"kind": "Pod", "spec": {"containers": containers}}) == []


def test_a_proxy_is_told_by_a_node_class() -> None:
    proxied = {"kind": "NodeClass", "spec": {"advancedNetworking": {"httpsProxy": "http://proxy:3128"}}}
    assert uses_proxy([{"kind": "Pod"}, proxied]) is True
    assert uses_proxy([{"kind": "NodeClass", "spec": {"role": "a"}}]) is False
