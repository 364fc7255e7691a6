"""Container images: references that keep pointing at the same image."""

from __future__ import annotations

import re
from dataclasses import dataclass

from automode_constructs.errors import AutoModeError, shown
from automode_constructs.tokens import is_token

__all__ = ["ImageReference", "pull_through_image"]

_REFERENCE = re.compile(
    r"(?P<repository>(?:(?=[^/]*[.:])[A-Za-z0-9.-]+(?::[0-9]+)?/|localhost(?::[0-9]+)?/)?"
    r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9._-]{0,127}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)
_VERSION = re.compile(r"v?(?P<version>[0-9]+\.[0-9]+(?:\.[0-9]+)?)(?![0-9.])")

_VLLM_IMAGES = ("vllm", "vllm-openai")
"""Names of the images by AWS and the vLLM project; the tags of other images may mean anything."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageReference:
    """A container image by registry, repository and tag or digest.

    Args:
        text: the reference, as written in a pod.
        repository: the part before tag and digest.
        tag: its tag, or ``None``.
        digest: its digest (``sha256:...``), or ``None``.
    """

    text: str
    repository: str
    tag: str | None = None
    digest: str | None = None

    @classmethod
    def of(cls, where: str, text: str, *, field: str = "image") -> ImageReference:
        """Reads a reference.

        Args:
            where: the construct path, for messages.
            text: ``<registry>/<repository>:<tag>`` or ``...@sha256:<digest>``; registry and repository may be CDK
                tokens, as they are for an ECR repository of the app.
            field: the argument's name, for messages.

        Raises:
            AutoModeError: for a text that is not a reference; for one without tag and digest; for the tag ``latest``.
        """
        if not isinstance(text, str) or not text:
            raise AutoModeError.of(
                where, field=field, message=f"needs the name of a container image, got {shown(text)}"
            )
        # A token stands for a registry or a repository: only the rest must look like a reference.
        readable = re.sub(r"\$\{Token\[[^\]]*\]\}", "token", text)
        match = _REFERENCE.fullmatch(readable)
        if match is None:
            raise AutoModeError.of(
                where,
                field=field,
                message=f"{shown(text)} is not an image reference",
                cure="write <registry>/<repository>:<tag>",
            )
        tag, digest = match["tag"], match["digest"]
        whole = is_token(text) and readable == "token"
        if not whole and tag is None and digest is None:
            raise AutoModeError.of(
                where,
                field=field,
                message=f"{shown(text)} has neither tag nor digest, so each node may run a different image",
                cure="add ':<tag>', or better '@sha256:<digest>'",
            )
        if tag == "latest" and digest is None:
            raise AutoModeError.of(
                where,
                field=field,
                message=f"{shown(text)} moves: a new node may run a different image from the old one",
                cure="name a version, or better '@sha256:<digest>'",
            )
        return cls(text=text, repository=match["repository"], tag=None if whole else tag, digest=digest)

    @property
    def vllm_version(self) -> str | None:
        """The vLLM version at the start of a vLLM image's tag, or ``None`` if the tag has none."""
        name = self.repository.rpartition("/")[2]
        match = _VERSION.match(self.tag or "") if name in _VLLM_IMAGES else None
        return match["version"] if match else None


def pull_through_image(*, account: str, region: str, url_suffix: str, prefix: str, image: str) -> str:
    """The reference by which nodes pull an upstream image through an ECR pull-through cache.

    Args:
        account: the cache's account, a token or 12 digits.
        region: the cache's region.
        url_suffix: the partition's DNS suffix (``amazonaws.com``).
        prefix: the rule's ``EcrRepositoryPrefix``.
        image: the upstream image, with or without its registry.

    Source: Amazon ECR User Guide, "Sync an upstream registry with an Amazon ECR private registry".
    """
    first, slash, rest = image.partition("/")
    path = rest if slash and ("." in first or ":" in first or first == "localhost") else image
    return f"{account}.dkr.ecr.{region}.{url_suffix}/{prefix}/{path}"
