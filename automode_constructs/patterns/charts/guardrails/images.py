"""Images: from which registries they come, and whether their references stay what they are."""

from __future__ import annotations

from collections.abc import Sequence

from automode_constructs.patterns.charts.guardrails.admission_policy import AdmissionPolicy, listed, texts
from automode_constructs.patterns.charts.guardrails.pod_specs import CONTAINERS, field_or_empty, pod_policy

__all__ = ["image_registries", "image_tags"]

_DOCKER_HUB = "docker.io"

_IMAGES = " + ".join(
    [
        *(f"{field_or_empty('{pod}', field)}.filter(c, has(c.image)).map(c, c.image)" for field in CONTAINERS),
        (
            f"{field_or_empty('{pod}', 'volumes')}.filter(v, has(v.image) && has(v.image.reference))"
            ".map(v, v.image.reference)"
        ),
    ]
)
"""The images of a pod: of all containers, and of volumes that are images."""

_WHOLE_IMAGE = (
    "(image.matches('^(localhost|[^/]*[.:][^/]*)/') ? image : "
    f"image.contains('/') ? '{_DOCKER_HUB}/' + image : '{_DOCKER_HUB}/library/' + image)"
)
"""An image with its registry, as the container runtime completes it."""

_MOVES = "!image.contains('@') && (!image.matches(':[^/]+$') || image.endsWith(':latest'))"


def image_registries(name: str, registries: Sequence[str], spared_namespaces: tuple[str, ...]) -> AdmissionPolicy:
    """Refuses images of other registries than the named ones."""
    # A registry ends with a slash; the name of a repository ends with a slash, a tag or a digest.
    prefixes = [registry + end for registry in registries for end in (("/", ":", "@") if "/" in registry else ("/",))]
    known = listed(registries)
    return pod_policy(
        name,
        # The name of each image is completed once, not once a prefix: a policy has a budget.
        found=f"({_IMAGES}).map(image, {_WHOLE_IMAGE})"
        f".filter(image, !{texts(prefixes)}.exists(prefix, image.startsWith(prefix)))",
        message=f"images of this pod come from other registries than {known}; push them to one of these",
        what="these images come from registries that are not named for this cluster",
        cure=f"push them to one of: {known}",
        spared_namespaces=spared_namespaces,
    )


def image_tags(name: str, spared_namespaces: tuple[str, ...]) -> AdmissionPolicy:
    """Refuses images without a tag, and those of the tag ``latest``, unless a digest names them."""
    cure = "name a version, or better a digest (image@sha256:...)"
    return pod_policy(
        name,
        found=f"({_IMAGES}).filter(image, {_MOVES})",
        message=f"images of this pod have no tag or the tag latest, so that every node may run another one; {cure}",
        what="these images have no tag or the tag latest, so that every node may run another one",
        cure=cure,
        spared_namespaces=spared_namespaces,
    )
