"""PullThroughCache: the repositories are there before the first pull, and references go through the cache."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import aws_cdk as cdk
import cdk_nag
import pytest
from aws_cdk import aws_kms as kms
from cfnlint.api import lint
from cfnlint.config import ManualArgs

from automode_constructs.aws.pull_through_cache import PullThroughCache
from automode_constructs.inference.image import ImageReference
from tests.refusal import refusal
from tests.support import of_type, only, synthesised, text_of
from tests.template_checks import template_findings
from tests.template_order import waits_for

RULE, REPOSITORY = "AWS::ECR::PullThroughCacheRule", "AWS::ECR::Repository"
VLLM = "deep-learning-containers/vllm"
TAG = "0.27.1-gpu-py312-cu130-ubuntu22.04-ec2"
DIGEST = f"sha256:{'0' * 64}"
SECRET = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:ecr-pullthroughcache/hub-AbCdEf"
MakeCache = Callable[..., PullThroughCache]


@pytest.fixture(scope="module")
def scene() -> dict[str, Any]:
    """A plain cache, one of Docker Hub with everything turned another way, and one in GovCloud."""
    app = cdk.App()
    plain = cdk.Stack(app, "Plain")
    cache = PullThroughCache(plain, "Cache", prefix="ecr-public", repositories=[VLLM, "lambda/python"])
    image = cache.image(f"public.ecr.aws/{VLLM}:{TAG}")
    cdk.CfnOutput(plain, "Image", value=image)
    user = cdk.Stack(app, "User")
    cdk.CfnOutput(user, "Image", value=cache.image(f"public.ecr.aws/{VLLM}:{TAG}@{DIGEST}"))

    turned = cdk.Stack(app, "Turned", env=cdk.Environment(account="111122223333", region="eu-west-1"))
    hub = PullThroughCache(
        turned,
        "Cache",
        prefix="hub",
        repositories=["vllm/vllm-openai", "library/nginx"],
        upstream="registry-1.docker.io",
        credential_arn=SECRET,
        immutable_tags=False,
        encryption_key=kms.Key(turned, "Key"),
    )
    spelt = [
        "nginx:1.27",
        "library/nginx:1.27",
        "docker.io/nginx:1.27",
        "index.docker.io/library/nginx:1.27",
        "registry-1.docker.io/library/nginx:1.27",
    ]
    gov = cdk.Stack(app, "Gov", env=cdk.Environment(account="111122223333", region="us-gov-west-1"))
    abroad = PullThroughCache(gov, "Cache", prefix="ecr-public", repositories=[VLLM])
    caches = {"plain": cache, "turned": hub, "gov": abroad}
    return {
        "image": image,
        "hub": {text_of(turned.resolve(hub.image(text))) for text in spelt},
        **synthesised(app),
        "warnings": {
            name: [str(entry.data) for entry in made.node.metadata if entry.type == "aws:cdk:warning"]
            for name, made in caches.items()
        },
    }


def test_each_repository_is_made_before_the_rule(scene: dict[str, Any]) -> None:
    template = scene["Plain"]
    assert only(template, RULE)["Properties"] == {
        "EcrRepositoryPrefix": "ecr-public",
        "UpstreamRegistryUrl": "public.ecr.aws",
    }
    names = {body["Properties"]["RepositoryName"] for body in of_type(template, REPOSITORY).values()}
    assert names == {f"ecr-public/{VLLM}", "ecr-public/lambda/python"}
    (rule,) = of_type(template, RULE)
    assert of_type(template, REPOSITORY).keys() <= waits_for(template)[rule]


def test_repositories_are_scanned_fixed_cleaned_and_go_with_the_stack(scene: dict[str, Any]) -> None:
    for repository in of_type(scene["Plain"], REPOSITORY).values():
        properties = repository["Properties"]
        assert properties["ImageScanningConfiguration"] == {"ScanOnPush": True}
        assert properties["ImageTagMutability"] == "IMMUTABLE"
        assert repository["DeletionPolicy"] == "Delete" and properties["EmptyOnDelete"] is True
        (rule,) = json.loads(properties["LifecyclePolicy"]["LifecyclePolicyText"])["rules"]
        assert rule["selection"] == {
            "tagStatus": "untagged",
            "countType": "sinceImagePushed",
            "countNumber": 30,
            "countUnit": "days",
        }


def test_every_default_turns(scene: dict[str, Any]) -> None:
    template = scene["Turned"]
    assert only(template, RULE)["Properties"]["CredentialArn"] == SECRET
    for repository in of_type(template, REPOSITORY).values():
        properties = repository["Properties"]
        assert properties["ImageTagMutability"] == "MUTABLE"
        assert properties["EncryptionConfiguration"]["EncryptionType"] == "KMS"
        assert list(properties["EncryptionConfiguration"]["KmsKey"]) == ["Fn::GetAtt"]
        assert repository["DeletionPolicy"] == "Delete" and properties["EmptyOnDelete"] is True


def test_the_reference_goes_through_the_cache_and_waits_for_it(scene: dict[str, Any]) -> None:
    (rule,) = of_type(scene["Plain"], RULE)
    value = scene["Plain"]["Outputs"]["Image"]["Value"]
    assert text_of(value) == (
        "{{'Ref': 'AWS::AccountId'}}.dkr.ecr.{{'Ref': 'AWS::Region'}}.{{'Ref': 'AWS::URLSuffix'}}/"
        f"{{{{'Ref': '{rule}'}}}}/{VLLM}:{TAG}"
    )
    elsewhere = text_of(scene["User"]["Outputs"]["Image"]["Value"])
    assert "Fn::ImportValue" in elsewhere and elsewhere.endswith(f"/{VLLM}:{TAG}@{DIGEST}")


def test_a_model_server_takes_the_reference(scene: dict[str, Any]) -> None:
    reference = ImageReference.of("Chart/Server", scene["image"])
    assert (reference.tag, reference.vllm_version) == (TAG, "0.27.1")


def test_an_image_of_docker_hub_has_many_spellings_and_one_place(scene: dict[str, Any]) -> None:
    (rule,) = of_type(scene["Turned"], RULE)
    (image,) = scene["hub"]
    assert image.endswith("/library/nginx:1.27")
    assert f"{{'Ref': '{rule}'}}" in image


def test_what_may_not_work_is_told(scene: dict[str, Any]) -> None:
    assert scene["warnings"] == {
        "plain": [
            f"'public.ecr.aws/{VLLM}:{TAG}@{DIGEST}' names a digest: ECR may not fetch it until it has been pulled by "
            "its tag once; pull it by tag first, or name the tag alone, which keeps its image where tags are immutable "
            "[ack: automode:DigestNotCached]"
        ],
        "turned": [],
        "gov": [
            "ECR has no pull-through cache rules in region 'us-gov-west-1'; copy the images into your own repository "
            "[ack: automode:PullThroughCacheRegion]"
        ],
    }


def test_who_deploys_needs_an_imported_key() -> None:
    stack = cdk.Stack(cdk.App(), "Keyed")
    arn = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd"
    cache = PullThroughCache(
        stack,
        "Cache",
        prefix="ecr-public",
        repositories=[VLLM],
        encryption_key=kms.Key.from_key_arn(stack, "Key", arn),
    )
    assert [str(entry.data) for entry in cache.node.metadata if entry.type == "aws:cdk:warning"] == [
        f"the key {arn} is imported, so this stack cannot change its policy; to let the account's IAM policies decide, "
        'it must contain {"Effect":"Allow","Principal":{"AWS":"arn:<partition>:iam::<account>:root"},"Action":'
        '["kms:CreateGrant","kms:DescribeKey","kms:RetireGrant"],"Resource":"*"} [ack: automode:KeyPolicyNotOurs]'
    ]


def test_logical_ids_stay_as_they_are(scene: dict[str, Any]) -> None:
    assert set(of_type(scene["Plain"], REPOSITORY)) == {
        "Cachedeeplearningcontainersvllm13D611E6",
        "CachelambdapythonCE36DCBD",
    }
    assert list(of_type(scene["Plain"], RULE)) == ["CacheRule25B8A359"]


@pytest.mark.parametrize(("stack", "region"), [("Plain", "eu-central-1"), ("Turned", "eu-west-1")])
def test_the_judges_find_nothing(scene: dict[str, Any], stack: str, region: str) -> None:
    # The user's own secret names its partition.
    assert template_findings(scene[stack], partition="aws" if stack == "Turned" else "none") == []
    found = lint(json.dumps(scene[stack]), config=ManualArgs(regions=[region]))
    assert [str(match) for match in found] == []


def test_cdk_nag_finds_nothing() -> None:
    app = cdk.App()
    PullThroughCache(cdk.Stack(app, "Judged"), "Cache", prefix="ecr-public", repositories=[VLLM])
    cdk.Validations.of(app).add_plugins(cdk_nag.AwsSolutionsChecks(app))
    app.synth()


@pytest.fixture(scope="module")
def make() -> MakeCache:
    app = cdk.App()
    stack = cdk.Stack(app, "Dev", env=cdk.Environment(account="111122223333", region="eu-west-1"))

    def make_cache(**arguments: Any) -> PullThroughCache:
        return PullThroughCache(stack, "Cache", **{"prefix": "ecr-public", "repositories": [VLLM], **arguments})

    return make_cache


@pytest.mark.parametrize("upstream", ["nvcr.io", "111122223333.dkr.ecr.eu-west-1.amazonaws.com", ""])
def test_a_registry_that_ecr_does_not_cache_is_refused(make: MakeCache, upstream: Any) -> None:
    assert refusal(lambda: make(upstream=upstream)) == (
        f"Dev/Cache: upstream: {upstream!r} is not a registry that ECR caches; use one of 'public.ecr.aws', "
        "'registry.k8s.io', 'quay.io', 'registry-1.docker.io', 'ghcr.io', 'registry.gitlab.com', '<name>.azurecr.io'"
    )


def test_the_everyday_name_of_docker_hub_is_answered_with_that_of_ecr(make: MakeCache) -> None:
    assert refusal(lambda: make(upstream="docker.io")) == (
        "Dev/Cache: upstream: 'docker.io' is not a registry that ECR caches; use 'registry-1.docker.io'"
    )


@pytest.mark.parametrize("prefix", ["", "a", "a" * 31, "ROOT", "Ecr", "a/", "/a", "a b", "${Token[X.1]}"])
def test_what_is_no_prefix_is_refused(make: MakeCache, prefix: Any) -> None:
    assert refusal(lambda: make(prefix=prefix)) == (
        f"Dev/Cache: prefix: {prefix!r} is not a prefix of ECR repositories; "
        "use 2 to 30 lower-case letters and digits, with single '.', '_', '-' or '/' between"
    )


def test_repositories_are_a_list(make: MakeCache) -> None:
    assert refusal(lambda: make(repositories=[])) == (
        "Dev/Cache: repositories: needs a list of repositories, got none; "
        "name those that nodes pull from, such as ['deep-learning-containers/vllm']"
    )
    assert refusal(lambda: make(repositories=VLLM)) == (
        f"Dev/Cache: repositories: needs a list, got the text '{VLLM}'; write ['{VLLM}']"
    )


def test_all_that_is_wrong_with_repositories_is_told_at_once(make: MakeCache) -> None:
    long = "a" * 250
    assert refusal(lambda: make(repositories=[f"{VLLM}:{TAG}", f"public.ecr.aws/{VLLM}", long, VLLM, VLLM])) == (
        "Dev/Cache: 4 problems\n"
        f"  repositories[0]: '{VLLM}:{TAG}' is not the name of a repository; "
        "write it in lower case, without registry, tag and digest, such as 'deep-learning-containers/vllm'\n"
        f"  repositories[1]: 'public.ecr.aws/{VLLM}' begins with a registry; write '{VLLM}'\n"
        f"  repositories[2]: '{'a' * 77}'... is too long: with the prefix it has 261 characters; "
        "use a shorter prefix; ECR takes 256\n"
        "  repositories: contains a duplicate; name each once"
    )


def test_a_repository_of_docker_hub_needs_its_owner(make: MakeCache) -> None:
    assert refusal(lambda: make(upstream="registry-1.docker.io", credential_arn=SECRET, repositories=["nginx"])) == (
        "Dev/Cache: repositories[0]: 'nginx' has no owner, but repositories of Docker Hub have one; write "
        "'library/nginx'"
    )


@pytest.mark.parametrize("upstream", ["registry-1.docker.io", "ghcr.io", "registry.gitlab.com", "models.azurecr.io"])
def test_a_registry_that_asks_for_credentials_gets_a_secret(make: MakeCache, upstream: str) -> None:
    assert refusal(lambda: make(upstream=upstream)) == (
        f"Dev/Cache: credential_arn: is required: ECR caches '{upstream}' only with credentials; keep them in a "
        "Secrets Manager secret whose name begins with 'ecr-pullthroughcache/', and pass its ARN"
    )


@pytest.mark.parametrize(
    ("arn", "told"),
    [
        (
            "hub",
            "'hub' is not the ARN of a secret; "
            "give 'arn:<partition>:secretsmanager:<region>:<account>:secret:ecr-pullthroughcache/<name>'",
        ),
        (
            SECRET.replace("ecr-pullthroughcache/", ""),
            "the secret 'hub-AbCdEf' is not one that ECR may read; give it a name that begins with "
            "'ecr-pullthroughcache/'",
        ),
        (
            SECRET.replace("eu-west-1", "us-east-1"),
            "the secret is in region 'us-east-1', but the cache in 'eu-west-1'; "
            "keep a copy of the secret in the cache's region",
        ),
        (
            SECRET.replace("111122223333", "444455556666"),
            "the secret is in account '444455556666', but the cache in '111122223333'; "
            "keep a copy of the secret in the cache's account",
        ),
    ],
)
def test_a_secret_that_ecr_cannot_read_is_refused(make: MakeCache, arn: str, told: str) -> None:
    assert refusal(lambda: make(upstream="ghcr.io", credential_arn=arn)) == f"Dev/Cache: credential_arn: {told}"


@pytest.fixture(scope="module")
def cache() -> PullThroughCache:
    return PullThroughCache(cdk.Stack(cdk.App(), "Dev"), "Cache", prefix="ecr-public", repositories=[VLLM])


@pytest.mark.parametrize(
    ("image", "registry"), [("quay.io/a/b:1", "quay.io"), ("vllm/vllm-openai:v0.30.0", "registry-1.docker.io")]
)
def test_an_image_of_another_registry_is_refused(cache: PullThroughCache, image: str, registry: str) -> None:
    assert refusal(lambda: cache.image(image)) == (
        f"Dev/Cache: image: '{image}' is an image of '{registry}', but the cache's upstream is 'public.ecr.aws'; "
        "pass an image of that registry, or create another PullThroughCache"
    )


def test_an_image_of_a_repository_without_a_name_here_is_refused(cache: PullThroughCache) -> None:
    assert refusal(lambda: cache.image("public.ecr.aws/lambda/python:3.13")) == (
        "Dev/Cache: image: 'public.ecr.aws/lambda/python:3.13' is in the repository 'lambda/python', which the cache "
        f"does not list; add it to repositories; they are '{VLLM}'"
    )


def test_an_image_is_written_out(cache: PullThroughCache) -> None:
    assert refusal(lambda: cache.image(f"public.ecr.aws/{VLLM}:{cdk.Aws.REGION}")) == (
        "Dev/Cache: image: holds a value known only after deployment; write the upstream image out"
    )


@pytest.mark.parametrize("image", [f"public.ecr.aws/{VLLM}", f"public.ecr.aws/{VLLM}:latest", "no image"])
def test_what_moves_or_is_no_reference_is_refused(cache: PullThroughCache, image: Any) -> None:
    assert refusal(lambda: cache.image(image)).startswith("Dev/Cache: image: ")
