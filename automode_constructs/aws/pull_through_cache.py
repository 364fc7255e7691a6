"""PullThroughCache: images of another registry, kept in the account's own ECR registry."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from aws_cdk import Annotations, Aws, Duration, RemovalPolicy, Stack
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_kms as kms
from constructs import Construct

from automode_constructs.arguments import checked_arguments
from automode_constructs.aws.encryption import warn_of_imported_key
from automode_constructs.aws.scope import StackScope
from automode_constructs.errors import AutoModeError, Problem, shown
from automode_constructs.facts.regions import partition_of
from automode_constructs.inference.image import ImageReference, pull_through_image
from automode_constructs.tokens import is_token

__all__ = ["PullThroughCache"]

_NEEDS_CREDENTIAL = {
    "public.ecr.aws": False,
    "registry.k8s.io": False,
    "quay.io": False,
    "registry-1.docker.io": True,
    "ghcr.io": True,
    "registry.gitlab.com": True,
}
"""The upstream registries that ECR supports under one fixed name. ECR also takes an Azure registry of your own, and two
that are not supported here: another account's ECR (needs a role) and Chainguard (its address was in no document at
hand)."""

_AZURE = re.compile(r"[a-z0-9]{5,50}\.azurecr\.io")
_DOCKER_HUB = "registry-1.docker.io"
_DOCKER_HUB_NAMES = ("docker.io", "index.docker.io", _DOCKER_HUB)

_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_PATH = re.compile(rf"{_PART}(?:/{_PART})*")
_LONGEST_NAME = 256
_SECRET = re.compile(
    r"arn:aws(?:-[a-z]+)*:secretsmanager:(?P<region>[a-z0-9-]+):(?P<account>[0-9]{12}):"
    r"secret:(?P<name>[A-Za-z0-9/_+=.@-]+)"
)
_SECRET_PREFIX = "ecr-pullthroughcache/"  # noqa: S105 - a name

_WITHOUT_RULES = ("aws-us-gov", "aws-cn")

_CREATE_REPOSITORY = ("kms:CreateGrant", "kms:DescribeKey", "kms:RetireGrant")
"""What ECR does with a repository's key on behalf of whoever creates the repository."""

_UNTAGGED_DAYS = 30
"""How long an image is kept when no tag and no other image refers to it."""


class PullThroughCache(Construct):
    """Images of another registry, cached in the account's own ECR: near the nodes, and available if the other is down.

    Creates an ``AWS::ECR::PullThroughCacheRule`` and an ECR repository for each repository named. It creates the
    repositories because nodes cannot: ``AmazonEC2ContainerRegistryPullOnly`` lets a node import an image
    (``ecr:BatchImportUpstreamImage``) but not create a repository. Each repository is encrypted and scanned on push,
    and drops unreferenced images after 30 days. When it leaves the stack it is deleted with its images, since they can
    be pulled again.

    ECR fetches an image when a node first requests its tag. That first pull runs at the speed of the upstream registry,
    may need a route to the internet even in a VPC with endpoints, and does not work over ECR's FIPS endpoints. One AWS
    customer reports that an image is not fetched if the first request is by digest; the warning
    ``automode:DigestNotCached`` covers this. With immutable tags, the tag alone identifies one image permanently.

    AWS does not offer such rules in GovCloud and China; the warning ``automode:PullThroughCacheRegion`` covers this.

    Args:
        scope: where the cache is created, in the account and region of the nodes.
        id: the construct's id.
        prefix: the prefix of the repository names, 2 to 30 characters; use a different one for each upstream registry.
        repositories: the repositories of the upstream registry, without registry and tag
            (``deep-learning-containers/vllm``); official Docker Hub repositories begin with ``library/``.
        upstream: the upstream registry's name: ``public.ecr.aws``, ``registry.k8s.io``, ``quay.io``,
            ``registry-1.docker.io`` (Docker Hub), ``ghcr.io``, ``registry.gitlab.com`` or ``<name>.azurecr.io``.
            Default: ``public.ecr.aws``; we decide.
        credential_arn: the ARN of a Secrets Manager secret with the upstream registry's credentials, whose name begins
            with ``ecr-pullthroughcache/``, in the same account and region. The last four registries need one. Default:
            none.
        immutable_tags: whether a tag keeps the image that it was first pulled with. Otherwise ECR checks the upstream
            registry for a newer image every 24 hours, new nodes may run a different image than old ones, and the image
            that lost its tag expires. Default: ``True``; we decide (ECR's default is mutable).
        encryption_key: the KMS key of the repositories, which cannot be changed later. Whoever deploys the stack needs
            ``kms:CreateGrant``, ``kms:DescribeKey`` and ``kms:RetireGrant`` on it; a warning
            ``automode:KeyPolicyNotOurs`` says what the policy of an imported key must contain for that. Default: S3's
            own keys (AES-256); ECR decides.

    Attributes:
        upstream: the upstream registry's name.
        rule: the rule.
        repositories: the ECR repositories, keyed by upstream name.

    Raises:
        AutoModeError: for an upstream registry that ECR does not support, an invalid prefix or repository, or a secret
            that is missing, misnamed or in another account or region.

    Source: Amazon ECR User Guide, "Sync an upstream registry with an Amazon ECR private registry";
    aws/containers-roadmap#2837 (digests).
    """

    @checked_arguments
    def __init__(
        self,
        scope: StackScope,
        id: str,
        *,
        prefix: str,
        repositories: Sequence[str],
        upstream: str = "public.ecr.aws",
        credential_arn: str | None = None,
        immutable_tags: bool = True,
        encryption_key: kms.IKey | None = None,
    ) -> None:
        problems = [
            *_upstream_problems(upstream),
            *_prefix_problems(prefix),
            *_repository_problems(repositories, upstream, prefix),
            *_credential_problems(credential_arn, upstream, Stack.of(scope)),
        ]
        if problems:
            raise AutoModeError(f"{scope.node.path}/{id}", problems)

        super().__init__(scope, id)
        self.upstream = upstream
        self.rule = ecr.CfnPullThroughCacheRule(
            self,
            "Rule",
            ecr_repository_prefix=prefix,
            upstream_registry_url=upstream,
            credential_arn=credential_arn,
        )
        self.repositories: Mapping[str, ecr.Repository] = {
            path: ecr.Repository(
                self,
                # A slash would split the id, and no repository name has a colon.
                path.replace("/", ":"),
                repository_name=f"{prefix}/{path}",
                image_scan_on_push=True,
                image_tag_mutability=ecr.TagMutability.IMMUTABLE if immutable_tags else ecr.TagMutability.MUTABLE,
                encryption=ecr.RepositoryEncryption.AES_256 if encryption_key is None else ecr.RepositoryEncryption.KMS,
                encryption_key=encryption_key,
                lifecycle_rules=[
                    ecr.LifecycleRule(
                        description="Images that nothing refers to",
                        tag_status=ecr.TagStatus.UNTAGGED,
                        max_image_age=Duration.days(_UNTAGGED_DAYS),
                    )
                ],
                # A retained repository would block the next deployment by its name, and images can be pulled again.
                removal_policy=RemovalPolicy.DESTROY,
                empty_on_delete=True,
            )
            for path in repositories
        }
        if encryption_key is not None and not isinstance(encryption_key, kms.Key):
            warn_of_imported_key(self, encryption_key, _CREATE_REPOSITORY)
        # Without the rule there are no pulls, so no pull creates a repository before this stack does.
        self.rule.node.add_dependency(*self.repositories.values())
        self._warn_of_region()

    @checked_arguments
    def image(self, text: str) -> str:
        """The reference with which nodes pull an upstream image through the cache.

        Resources that contain it wait for the rule, and so for the repositories.

        Args:
            text: the upstream image with its tag, such as ``public.ecr.aws/deep-learning-containers/vllm:<tag>``;
                without a registry, Docker Hub is meant.

        Raises:
            AutoModeError: for an invalid image reference or one with a token; for one without a tag, or with
                ``latest``; for an image of another registry, or of a repository that the cache does not list.
        """
        where = self.node.path
        if is_token(text):
            raise AutoModeError.of(
                where,
                field="image",
                message="holds a value known only after deployment",
                cure="write the upstream image out",
            )
        reference = ImageReference.of(where, text)
        registry, path = _registry_and_path(reference.repository)
        if registry != self.upstream:
            raise AutoModeError.of(
                where,
                field="image",
                message=f"'{text}' is an image of '{registry}', but the cache's upstream is '{self.upstream}'",
                cure="pass an image of that registry, or create another PullThroughCache",
            )
        if path not in self.repositories:
            raise AutoModeError.of(
                where,
                field="image",
                message=f"'{text}' is in the repository '{path}', which the cache does not list",
                cure=f"add it to repositories; they are {_listed(self.repositories)}",
            )
        if reference.digest is not None:
            Annotations.of(self).add_warning_v2(
                "automode:DigestNotCached",
                f"'{text}' names a digest: ECR may not fetch it until it has been pulled by its tag once; pull it by "
                "tag first, or name the tag alone, which keeps its image where tags are immutable",
            )
        return pull_through_image(
            # Not the stack's region: the text is the same with and without a region, so names that derive from it do
            # not change.
            account=Aws.ACCOUNT_ID,
            region=Aws.REGION,
            url_suffix=Aws.URL_SUFFIX,
            # Its Ref is the prefix, and makes whatever uses the image wait for the rule.
            prefix=self.rule.ref,
            image=f"{registry}/{path}{text.removeprefix(reference.repository)}",
        )

    def _warn_of_region(self) -> None:
        region = Stack.of(self).region
        if not is_token(region) and partition_of(region).name in _WITHOUT_RULES:
            Annotations.of(self).add_warning_v2(
                "automode:PullThroughCacheRegion",
                f"ECR has no pull-through cache rules in region '{region}'; copy the images into your own repository",
            )


def _registry_and_path(repository: str) -> tuple[str, str]:
    """Registry and path of an image's repository, as ECR's rules write them."""
    first, slash, rest = repository.partition("/")
    registry, path = (
        (first, rest) if slash and ("." in first or ":" in first or first == "localhost") else (_DOCKER_HUB, repository)
    )
    if registry not in _DOCKER_HUB_NAMES:
        return registry, path
    return _DOCKER_HUB, path if "/" in path else f"library/{path}"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


def _upstream_problems(upstream: str) -> list[Problem]:
    if upstream in _NEEDS_CREDENTIAL or _AZURE.fullmatch(upstream):
        return []
    upstreams = [*_NEEDS_CREDENTIAL, "<name>.azurecr.io"]
    cure = f"use '{_DOCKER_HUB}'" if upstream in _DOCKER_HUB_NAMES else f"use one of {_listed(upstreams)}"
    return [Problem(field="upstream", message=f"{shown(upstream)} is not a registry that ECR caches", cure=cure)]


def _prefix_problems(prefix: str) -> list[Problem]:
    if 2 <= len(prefix) <= 30 and _PATH.fullmatch(prefix):
        return []
    return [
        Problem(
            field="prefix",
            message=f"{shown(prefix)} is not a prefix of ECR repositories",
            cure="use 2 to 30 lower-case letters and digits, with single '.', '_', '-' or '/' between",
        )
    ]


def _repository_problems(repositories: Sequence[str], upstream: str, prefix: str) -> list[Problem]:
    if not repositories:
        return [
            Problem(
                field="repositories",
                message="needs a list of repositories, got none",
                cure="name those that nodes pull from, such as ['deep-learning-containers/vllm']",
            )
        ]
    problems = []
    for position, path in enumerate(repositories):
        fault = _repository_fault(path, upstream, prefix)
        if fault:
            problems.append(Problem(field=f"repositories[{position}]", message=fault[0], cure=fault[1]))
    if len(set(repositories)) != len(repositories):
        problems.append(Problem(field="repositories", message="contains a duplicate", cure="name each once"))
    return problems


def _repository_fault(path: str, upstream: str, prefix: str) -> tuple[str, str] | None:
    if _PATH.fullmatch(path) is None:
        return (
            f"{shown(path)} is not the name of a repository",
            "write it in lower case, without registry, tag and digest, such as 'deep-learning-containers/vllm'",
        )
    first, _, rest = path.partition("/")
    if rest and (first == upstream or first in _NEEDS_CREDENTIAL or first in _DOCKER_HUB_NAMES):
        return f"'{path}' begins with a registry", f"write '{rest}'"
    if upstream == _DOCKER_HUB and not rest:
        return f"'{path}' has no owner, but repositories of Docker Hub have one", f"write 'library/{path}'"
    if len(f"{prefix}/{path}") > _LONGEST_NAME:
        return (
            f"{shown(path)} is too long: with the prefix it has {len(f'{prefix}/{path}')} characters",
            f"use a shorter prefix; ECR takes {_LONGEST_NAME}",
        )
    return None


def _credential_problems(credential_arn: str | None, upstream: str, stack: Stack) -> list[Problem]:
    def problem(message: str, cure: str) -> list[Problem]:
        return [Problem(field="credential_arn", message=message, cure=cure)]

    if credential_arn is None:
        if _NEEDS_CREDENTIAL.get(upstream) or _AZURE.fullmatch(upstream):
            return problem(
                f"is required: ECR caches '{upstream}' only with credentials",
                f"keep them in a Secrets Manager secret whose name begins with '{_SECRET_PREFIX}', and pass its ARN",
            )
        return []
    if is_token(credential_arn):
        return []
    secret = _SECRET.fullmatch(credential_arn)
    if secret is None:
        return problem(
            f"{shown(credential_arn)} is not the ARN of a secret",
            f"give 'arn:<partition>:secretsmanager:<region>:<account>:secret:{_SECRET_PREFIX}<name>'",
        )
    if not secret["name"].startswith(_SECRET_PREFIX):
        return problem(
            f"the secret '{secret['name']}' is not one that ECR may read",
            f"give it a name that begins with '{_SECRET_PREFIX}'",
        )
    for what, here in (("region", stack.region), ("account", stack.account)):
        if not is_token(here) and secret[what] != here:
            return problem(
                f"the secret is in {what} '{secret[what]}', but the cache in '{here}'",
                f"keep a copy of the secret in the cache's {what}",
            )
    return []
