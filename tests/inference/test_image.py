"""References to container images."""

from __future__ import annotations

import aws_cdk as cdk
import pytest

from automode_constructs.inference.image import ImageReference, pull_through_image
from tests.refusal import refusal

DIGEST = f"sha256:{'0a' * 32}"
REPOSITORY = "public.ecr.aws/deep-learning-containers/vllm"


@pytest.mark.parametrize(
    ("text", "repository", "tag", "digest"),
    [
        (f"{REPOSITORY}:0.27.1-gpu", REPOSITORY, "0.27.1-gpu", None),
        (f"{REPOSITORY}@{DIGEST}", REPOSITORY, None, DIGEST),
        (f"{REPOSITORY}:latest@{DIGEST}", REPOSITORY, "latest", DIGEST),
        ("localhost:5000/vllm:1", "localhost:5000/vllm", "1", None),
        ("nginx:1.29", "nginx", "1.29", None),
        ("vllm/vllm-openai:v0.33.0", "vllm/vllm-openai", "v0.33.0", None),
    ],
)
def test_a_reference_is_read(text: str, repository: str, tag: str | None, digest: str | None) -> None:
    read = ImageReference.of("chart", text)
    assert (read.text, read.repository, read.tag, read.digest) == (text, repository, tag, digest)


def test_a_registry_may_be_known_only_after_deployment() -> None:
    registry = f"{cdk.Aws.ACCOUNT_ID}.dkr.ecr.{cdk.Aws.REGION}.{cdk.Aws.URL_SUFFIX}"
    assert ImageReference.of("chart", f"{registry}/vllm:0.27.1").vllm_version == "0.27.1"
    assert "neither tag nor digest" in refusal(lambda: ImageReference.of("chart", f"{registry}/vllm"))
    assert ImageReference.of("chart", cdk.Aws.ACCOUNT_ID).tag is None  # the whole reference, as an image asset gives it


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            REPOSITORY,
            f"image: '{REPOSITORY}' has neither tag nor digest, so each node may run a different image; "
            "add ':<tag>', or better '@sha256:<digest>'",
        ),
        (
            f"{REPOSITORY}:latest",
            f"image: '{REPOSITORY}:latest' moves: a new node may run a different image from the old one; "
            "name a version, or better '@sha256:<digest>'",
        ),
        ("https://x/y:1", "image: 'https://x/y:1' is not an image reference; write <registry>/<repository>:<tag>"),
        ("Nginx:1", "image: 'Nginx:1' is not an image reference; write <registry>/<repository>:<tag>"),
        (
            f"nginx@{DIGEST[:-1]}",
            f"image: 'nginx@{DIGEST[:-1]}' is not an image reference; write <registry>/<repository>:<tag>",
        ),
        ("", "image: needs the name of a container image, got ''"),
    ],
)
def test_an_image_that_may_be_another_tomorrow_is_refused(text: str, message: str) -> None:
    said = refusal(lambda: ImageReference.of("chart", text))
    assert said == f"chart: {message}"


@pytest.mark.parametrize(
    ("image", "version"),
    [
        (f"{REPOSITORY}:0.27.1-gpu-py312-cu130-ubuntu22.04-ec2", "0.27.1"),
        (f"{REPOSITORY}:0.27-gpu-py312-ec2", "0.27"),
        ("vllm/vllm-openai:v0.33.0", "0.33.0"),
        (f"{REPOSITORY}:server-cuda-v2.3", None),
        (f"{REPOSITORY}@{DIGEST}", None),
        ("example.com/our-server:1.2.3", None),
    ],
)
def test_the_version_of_vllm_is_read_from_the_tag_of_a_vllm_image(image: str, version: str | None) -> None:
    assert ImageReference.of("chart", image).vllm_version == version


@pytest.mark.parametrize("image", [f"{REPOSITORY}:1", "deep-learning-containers/vllm:1"])
def test_an_image_through_a_pull_through_cache_keeps_its_path(image: str) -> None:
    through = pull_through_image(
        account="111122223333", region="eu-central-1", url_suffix="amazonaws.com", prefix="public", image=image
    )
    assert through == ("111122223333.dkr.ecr.eu-central-1.amazonaws.com/public/deep-learning-containers/vllm:1")
