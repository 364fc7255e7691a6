"""Where container images come from, and whether nodes without internet access can pull them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from automode_constructs.checks.app_rules import IMAGE_SOURCE
from automode_constructs.errors import Problem, shown
from automode_constructs.specs.free_body import mapping_at
from automode_constructs.tokens import is_token

__all__ = ["image_source_problems", "uses_proxy"]

_LISTS = ("containers", "initContainers", "ephemeralContainers")

_PRIVATE_ECR = re.compile(
    r"[^/]+\.dkr(?:\.ecr(?:-fips)?|-ecr)\.[^/]+\.(?:amazonaws\.com(?:\.cn)?|on\.aws|on\.amazonwebservices\.com\.cn)"
)

_DOCKER_HUB = "docker.io"
_PUBLIC = frozenset(
    {
        "cgr.dev",
        _DOCKER_HUB,
        "gcr.io",
        "ghcr.io",
        "index.docker.io",
        "k8s.gcr.io",
        "mcr.microsoft.com",
        "nvcr.io",
        "public.ecr.aws",
        "quay.io",
        "registry-1.docker.io",
        "registry.gitlab.com",
        "registry.k8s.io",
        "xpkg.upbound.io",
    }
)
_PUBLIC_SUFFIXES = (".gcr.io", ".pkg.dev", ".azurecr.io")


def image_source_problems(manifest: Mapping[str, Any]) -> Iterator[Problem]:
    """The images of an object that nodes without internet access cannot pull.

    Images in a private ECR registry of any account are fine: ECR's own endpoints lead to them. An image in a public
    registry is an error; one on another host is a warning, since the host may be in the VPC. An image known only after
    deployment is not checked.

    Source: EKS User Guide, "Deploy private clusters with limited internet access".
    """
    for field, name, image in _images(manifest):
        registry = _registry_of(image)
        if registry is None or _PRIVATE_ECR.fullmatch(registry):
            continue
        public = registry in _PUBLIC or registry.endswith(_PUBLIC_SUFFIXES)
        origin = f"{name}: the image {shown(image)} comes from '{registry}', "
        if public:
            yield IMAGE_SOURCE.problem(
                field,
                f"{origin}which a network without internet access never reaches",
                "copy it into a private ECR repository; the first pull through a PullThroughCache needs a route to the "
                "internet too",
            )
        else:
            yield IMAGE_SOURCE.problem(
                field,
                f"{origin}and the network has no route to the internet",
                "make sure that the VPC can reach this registry, or copy the image into a private ECR repository",
                severity="warning",
            )


def uses_proxy(manifests: Iterable[Mapping[str, Any]]) -> bool:
    """Whether a NodeClass has a proxy, through which nodes pull images that they cannot reach directly."""
    return any(
        manifest.get("kind") == "NodeClass" and mapping_at(manifest, "spec", "advancedNetworking").get("httpsProxy")
        for manifest in manifests
    )


def _registry_of(image: str) -> str | None:
    """The host of an image, or ``None`` if it is known only after deployment."""
    host, slash, _ = image.partition("/")
    if is_token(host) if slash else image.startswith("${Token["):
        return None
    return host if slash and ("." in host or ":" in host or host == "localhost") else _DOCKER_HUB


def _images(value: object, path: str = "") -> Iterator[tuple[str, str, str]]:
    """Field, container and image of every container and image volume in an object of any kind."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            at = f"{path}.{key}" if path else str(key)
            if key in _LISTS and isinstance(inner, Sequence) and not isinstance(inner, str):
                yield from _images_of(inner, at, "image", "container")
            elif key == "volumes" and isinstance(inner, Sequence) and not isinstance(inner, str):
                yield from _images_of(inner, at, "image.reference", "volume")
            else:
                yield from _images(inner, at)
    elif isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        for index, inner in enumerate(value):
            yield from _images(inner, f"{path}[{index}]")


def _images_of(items: Sequence[object], path: str, field: str, what: str) -> Iterator[tuple[str, str, str]]:
    *outer, last = field.split(".")
    for index, item in enumerate(items):
        if isinstance(item, Mapping):
            image = mapping_at(item, *outer).get(last)
            if isinstance(image, str) and image:
                yield f"{path}[{index}].{field}", f"{what} '{item.get('name')}'", image
