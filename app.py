"""The app: reads context and the clock, builds the stacks. Nothing else in this repository knows the outside."""

from __future__ import annotations

import gc
import hashlib
import json
import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import date
from typing import Any, Literal

if __name__ == "__main__":
    # One short run: garbage may lie where it is, and no pydantic plugin is looked for in all that is installed.
    gc.disable()
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "1")

import aws_cdk as cdk
from aws_cdk import aws_kms as kms
from constructs import Construct

from automode_constructs import patterns
from automode_constructs.arguments import is_whole_number
from automode_constructs.aws.cluster import AutoModeCluster
from automode_constructs.aws.encryption import customer_key
from automode_constructs.aws.kubernetes_version import DEFAULT_VERSION
from automode_constructs.errors import AutoModeError, Problem, did_you_mean, shown
from automode_constructs.facts.regions import known_regions, partition_of
from automode_constructs.tokens import is_token
from charts import DEMOS
from stacks.cluster_stack import ClusterStack
from stacks.platform_stack import PlatformStack

CDK_KEYS = frozenset({"acknowledged-issue-numbers", "cli-telemetry"})
"""Context keys of the CDK's own that have neither ':' nor '@' in them."""

_SUPPORT_TYPES = ("STANDARD", "EXTENDED")


MOST = 1000
"""The longest text in the context, in characters, and the longest list, in texts."""


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("needs a text")
    if len(value) > MOST:
        raise _RefusedError(f"needs a text of at most {MOST} characters, got {len(value)}", "give a shorter one")
    if is_token(value):
        raise _RefusedError(f"{shown(value)} is a CDK token, which means nothing here", "give the value itself")
    if not value.isprintable():
        raise _RefusedError(f"{shown(value)} holds what cannot be printed", "type it anew")
    return value


def _name(value: Any) -> str:
    text = _text(value)
    if re.fullmatch(r"[A-Za-z][A-Za-z0-9-]{0,79}", text) is None:
        raise _RefusedError(
            f"{shown(text)} cannot name stacks and a cluster",
            "use 1 to 80 letters, digits and '-', beginning with a letter",
        )
    return text


def _region(value: Any) -> str:
    text = _text(value)
    if re.fullmatch(r"[a-z]{2,4}(-[a-z]+)+-[0-9]", text) is None:
        raise _RefusedError(f"{shown(text)} is not a region", did_you_mean(text, known_regions()))
    return text


def _account(value: Any) -> str:
    text = _text(value)
    if re.fullmatch(r"[0-9]{12}", text) is None:
        raise _RefusedError(f"{shown(text)} is not an account id", "give its 12 digits")
    return text


def _switch(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if not isinstance(value, str) or value not in ("true", "false"):
        raise ValueError("needs true or false")
    return bool(value == "true")


def _count(value: Any) -> int:
    number = int(value) if isinstance(value, str) and re.fullmatch("[0-9]{1,9}", value) else value
    if not is_whole_number(number) or not 0 <= number < 10**9:
        raise ValueError("needs a whole number from 0 to 999,999,999")
    return int(number)


def _texts(value: Any) -> tuple[str, ...]:
    parts = value
    if isinstance(value, str):
        text = value.strip()
        try:
            parts = json.loads(text) if text.startswith("[") else [part.strip() for part in text.split(",") if part]
        except (ValueError, RecursionError):
            parts = None
    if isinstance(parts, list) and len(parts) > MOST:
        raise _RefusedError(f"needs a list of at most {MOST} texts, got {len(parts)}", "give a shorter one")
    if not isinstance(parts, list) or not all(isinstance(part, str) and part for part in parts):
        raise ValueError("needs a list of texts (a,b,c or a JSON list)")
    return tuple(_text(part) for part in parts)


def _support_type(value: Any) -> str:
    text = _text(value)
    if text not in _SUPPORT_TYPES:
        raise _RefusedError(f"'{text}' is not known", did_you_mean(text, _SUPPORT_TYPES))
    return text


def _demos(value: Any) -> tuple[str, ...]:
    demos = _texts(value)
    for demo in demos:
        if demo not in DEMOS:
            raise _RefusedError(f"{shown(demo)} is not known", did_you_mean(demo, DEMOS))
    return demos


class _RefusedError(Exception):
    """A value of the right form that cannot be, and the cure."""


def _key(default: Any, read: Callable[[Any], Any]) -> Any:
    """A context key: what holds without it, and how its value is read."""
    return field(default=default, metadata={"read": read})


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """The context keys, each with its default; ``-c key=value`` on the command line or ``context`` in cdk.json."""

    name: str = _key("automode", _name)
    version: str = _key(DEFAULT_VERSION, _text)
    region: str | None = _key(None, _region)
    account: str | None = _key(None, _account)
    admin_role_arns: tuple[str, ...] = _key((), _texts)
    endpoint_cidrs: tuple[str, ...] = _key((), _texts)
    wide_endpoint_cidrs: bool = _key(False, _switch)
    availability_zones: tuple[str, ...] = _key((), _texts)
    support_type: Literal["STANDARD", "EXTENDED"] | None = _key(None, _support_type)
    regulated: bool = _key(False, _switch)
    certificate_arns: tuple[str, ...] = _key((), _texts)
    image_registries: tuple[str, ...] = _key((), _texts)
    ephemeral: bool = _key(False, _switch)
    hardened_pools: bool = _key(True, _switch)
    demos: tuple[str, ...] = _key(tuple(DEMOS), _demos)
    retail_store_replicas: int = _key(1, _count)
    gpt_oss_replicas: int = _key(0, _count)
    bare_gpu_pool: bool = _key(False, _switch)
    gpu_metrics: bool = _key(False, _switch)

    @classmethod
    def from_context(cls, context: Mapping[str, Any]) -> Settings:
        """Reads and checks the context.

        Raises:
            AutoModeError: with every unknown key and every value of the wrong form.
        """
        readers = {known.name: known.metadata["read"] for known in fields(cls)}
        problems: list[Problem] = []
        values: dict[str, Any] = {}
        for key, value in context.items():
            if key in readers:
                try:
                    values[key] = readers[key](value)
                except ValueError as error:
                    problems.append(Problem(field=key, message=f"{error}, got {_as_json(value)}"))
                except _RefusedError as refused:
                    message, cure = refused.args
                    problems.append(Problem(field=key, message=message, cure=cure))
            elif key.strip() in readers:
                problems.append(
                    Problem(
                        field=shown(key),
                        message="has a blank at its end or beginning",
                        cure=f"write '{key.strip()}'; in a shell quote each setting for itself: "
                        f"-c {_setting(key.strip(), value)}",
                    )
                )
            elif ":" not in key and "@" not in key and key not in CDK_KEYS:
                field = key if len(key) <= 80 else shown(key)
                problems.append(Problem(field=field, message="is not a known key", cure=did_you_mean(key, readers)))
        if problems:
            raise AutoModeError("context", problems)
        return cls(**values)


def _setting(key: str, value: Any) -> str:
    """A setting as a shell takes it, quoted; without its value if that is long or cannot be shown."""
    short = isinstance(value, str) and len(value) <= 80 and value.isprintable()
    setting = f"{key}={value if short else '...'}"
    return "'" + setting.replace("'", "'\"'\"'") + "'"


def _as_json(value: Any) -> str:
    """A value as it stands in cdk.json, short enough for a message."""
    try:
        text = json.dumps(value)
    except (TypeError, ValueError, RecursionError):
        return shown(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def check_context(text: str) -> None:
    """Refuses a context that the CDK's own reader, which is another process, would not survive.

    Args:
        text: the context as the CDK CLI passes it on, in JSON.

    Raises:
        AutoModeError: for what is no JSON object, nests too deep, or names an object of that process.
    """
    try:
        context = json.loads(text)
    except RecursionError:
        context = [None]  # so deep that Python does not read it
    except ValueError as error:
        raise AutoModeError.of("context", field="", message=f"is not JSON: {error}") from None
    values: list[Any] = [context]
    for _ in range(_DEEPEST):
        mappings = [value for value in values if isinstance(value, dict)]
        if any(key.startswith("$jsii.") for mapping in mappings for key in mapping):
            raise AutoModeError.of(
                "context", field="", message="holds a key that begins with '$jsii.'", cure="take it away"
            )
        lists = [value for value in values if isinstance(value, list)]
        values = [item for mapping in mappings for item in mapping.values()] + [item for each in lists for item in each]
    if values or not isinstance(context, dict | None):
        raise AutoModeError.of(
            "context", field="", message=f"needs a mapping of at most {_DEEPEST} levels", cure="correct cdk.json"
        )


_DEEPEST = 32


def build(app: cdk.App, settings: Settings, *, as_of: date | None = None) -> None:
    """Builds the stacks of one cluster."""
    if settings.region is not None and settings.region not in known_regions():
        cdk.Annotations.of(app).add_warning_v2(
            "automode:RegionUnknown",
            f"context: region: '{settings.region}' had no EKS Auto Mode when this was written; "
            f"{did_you_mean(settings.region, known_regions())}",
        )
    _check_regulated(settings)
    env = cdk.Environment(region=settings.region, account=settings.account)
    cluster = ClusterStack(
        app,
        f"{settings.name}-cluster",
        cluster_name=settings.name,
        version=settings.version,
        endpoint_cidrs=settings.endpoint_cidrs,
        wide_endpoint_cidrs=settings.wide_endpoint_cidrs,
        availability_zones=settings.availability_zones or None,
        support_type=settings.support_type,
        ephemeral=settings.ephemeral,
        regulated=settings.regulated,
        hardened_pools=settings.hardened_pools,
        as_of=as_of,
        env=env,
        description="EKS Auto Mode cluster: network, keys, roles, control plane",
    )
    access = patterns.AccessStack(
        app,
        f"{settings.name}-access",
        cluster=cluster.cluster,
        admin_role_arns=settings.admin_role_arns,
        env=env,
        description="EKS Auto Mode cluster: who may use it",
    )
    platform = PlatformStack(
        app,
        f"{settings.name}-platform",
        cluster=cluster.cluster,
        certificate_arns=settings.certificate_arns,
        env=env,
        description="EKS Auto Mode cluster: NodePools, StorageClass, IngressClass",
    )
    patterns.GuardStack(
        app,
        f"{settings.name}-guard",
        guarded=[cluster, access, platform],
        ephemeral=settings.ephemeral,
        env=env,
        description="EKS Auto Mode cluster: keeps the other stacks from being destroyed",
    )
    for demo in dict.fromkeys(settings.demos):
        for stack in _DEMO_STACKS[demo](app, settings, cluster.cluster, env):
            # An Ingress cannot be deleted any more when its class is gone. And of what nothing depends on the CLI
            # destroys the lowest rank first: weights after the platform rank the model above the guard.
            stack.add_stack_dependency(platform)
    if settings.regulated:
        patterns.GuardrailsStack(
            app,
            f"{settings.name}-guardrails",
            cluster=cluster.cluster,
            guardrails=_guardrails(settings),
            env=env,
            description="EKS Auto Mode cluster: what its API server refuses",
        )


def _check_regulated(settings: Settings) -> None:
    """Refuses context keys that only a regulated cluster has, and a shop without TLS on one."""
    problems = []
    if settings.regulated and "retail-store" in settings.demos and not settings.certificate_arns:
        problems.append(
            Problem(
                field="certificate_arns",
                message="is required by regulated=true: the shop's load balancer would speak plain HTTP",
                cure="name a certificate of ACM in the cluster's region, or write -c demos=gpt-oss",
            )
        )
    if settings.image_registries and not settings.regulated:
        problems.append(
            Problem(field="image_registries", message="is for the guard rails", cure="write regulated=true too")
        )
    if problems:
        raise AutoModeError("context", problems)


def _guardrails(settings: Settings) -> patterns.Guardrails:
    """The guard rails of the app's own charts: with the demos' registries, unless others are named."""
    own = f"{cdk.Aws.ACCOUNT_ID}.dkr.ecr.{cdk.Aws.REGION}.{cdk.Aws.URL_SUFFIX}"
    metrics = ("nvcr.io",) if settings.gpu_metrics else ()
    return patterns.Guardrails(
        image_registries=settings.image_registries or (own, "public.ecr.aws", *metrics),
        privileged_namespaces=("gpu-metrics",) if settings.gpu_metrics else (),
    )


def _own_key(stack: Construct) -> kms.Key:
    """A key of a stack's own, for what it stores; only a lasting cluster has one."""
    what = "weights of models, or cached images, of an EKS cluster"
    return customer_key(stack, "Key", what, cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE)


def _retail_store(app: cdk.App, settings: Settings, cluster: AutoModeCluster, env: cdk.Environment) -> list[cdk.Stack]:
    shop = patterns.RetailStoreStack(
        app,
        f"{settings.name}-retail-store",
        cluster=cluster,
        replicas=settings.retail_store_replicas,
        env=env,
        description="EKS Auto Mode demo: the retail store's UI",
    )
    return [shop]


def _gpt_oss(app: cdk.App, settings: Settings, cluster: AutoModeCluster, env: cdk.Environment) -> list[cdk.Stack]:
    # A regulated cluster is never ephemeral.
    own_key = _own_key if settings.regulated else None
    weights = patterns.WeightsStack(
        app,
        f"{settings.name}-weights",
        ephemeral=settings.ephemeral,
        encryption_key=own_key,
        env=env,
        description="EKS Auto Mode demo: the weights of GPT-OSS-20B",
    )
    in_aws = settings.region is None or partition_of(settings.region).name == "aws"
    model = patterns.GptOssStack(
        app,
        f"{settings.name}-gpt-oss",
        cluster=cluster,
        bucket=weights.bucket,
        cache_prefix=_cache_prefix(settings.name, encrypted=settings.regulated) if in_aws else None,
        encryption_key=own_key if in_aws else None,
        # The image of the Job that stages the weights moves with the names of the repositories.
        staging_run=2 if settings.regulated else 1,
        replicas=settings.gpt_oss_replicas,
        bare_pool=settings.bare_gpu_pool,
        gpu_metrics=settings.gpu_metrics,
        env=env,
        description="EKS Auto Mode demo: GPT-OSS-20B on a GPU pool",
    )
    return [weights, model]


_DEMO_STACKS = {"retail-store": _retail_store, "gpt-oss": _gpt_oss}
"""The stacks of each of ``charts.DEMOS``."""


def _cache_prefix(name: str, *, encrypted: bool) -> str:
    """The cluster's name as ECR takes it, cut to fit 30 characters, with a digest that tells it from all others.

    ECR cannot give a repository another key, so those with a key of ours have names of their own.
    """
    readable = re.sub("-+", "-", name.lower())[:15].strip("-")
    return f"{readable}-{hashlib.sha256((f'{name}:kms' if encrypted else name).encode()).hexdigest()[:7]}-images"


def main() -> None:
    """Synthesises the app; a mistake is told in plain words and exit code 1."""
    try:
        check_context(os.environ.get("CDK_CONTEXT_JSON") or "{}")
        app = cdk.App()
        build(app, Settings.from_context(app.node.get_all_context()), as_of=date.today())
    except AutoModeError as error:
        sys.exit(f"error: {error}")
    try:
        app.synth()
    except RuntimeError as error:
        # What is found while the tree is put together comes back through jsii, with our text in it.
        if "ValidationFailed" not in str(error):
            raise
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
