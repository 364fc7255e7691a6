"""The app: reads context and the clock, builds the stacks. Nothing else in this repository knows the outside."""

from __future__ import annotations

import gc
import hashlib
import json
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date
from typing import Any

if __name__ == "__main__":
    # One short run: garbage may lie where it is, and no pydantic plugin is looked for in all that is installed.
    gc.disable()
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "1")

import aws_cdk as cdk

from automode_constructs import patterns
from automode_constructs.aws.cluster import AutoModeCluster
from automode_constructs.aws.kubernetes_version import DEFAULT_VERSION
from automode_constructs.errors import AutoModeError, Problem, did_you_mean
from automode_constructs.facts.regions import known_regions, partition_of
from charts import DEMOS
from stacks.platform_stack import PlatformStack

CDK_KEYS = frozenset({"acknowledged-issue-numbers", "cli-telemetry"})
"""Context keys of the CDK's own that have neither ':' nor '@' in them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """The context keys, each with its default; ``-c key=value`` on the command line or ``context`` in cdk.json."""

    name: str = "automode"
    version: str = DEFAULT_VERSION
    region: str | None = None
    account: str | None = None
    admin_role_arns: tuple[str, ...] = ()
    endpoint_cidrs: tuple[str, ...] = ()
    availability_zones: tuple[str, ...] = ()
    ephemeral: bool = False
    hardened_pools: bool = True
    demos: tuple[str, ...] = tuple(DEMOS)
    retail_store_replicas: int = 1
    gpt_oss_replicas: int = 0
    bare_gpu_pool: bool = False
    gpu_metrics: bool = False

    @classmethod
    def from_context(cls, context: Mapping[str, Any]) -> Settings:
        """Reads and checks the context.

        Raises:
            AutoModeError: with every unknown key and every value of the wrong form.
        """
        types = {field.name: field.type for field in fields(cls)}
        problems: list[Problem] = []
        values: dict[str, Any] = {}
        for key, given in context.items():
            if key in types:
                try:
                    values[key] = _READERS[str(types[key])](given)
                except ValueError as error:
                    problems.append(Problem(field=key, message=f"{error}, got {json.dumps(given)}"))
            elif ":" not in key and "@" not in key and key not in CDK_KEYS:
                problems.append(Problem(field=key, message="is not a known key", cure=did_you_mean(key, types)))
        name, region, account = values.get("name", "a"), values.get("region"), values.get("account")
        if re.fullmatch(r"[A-Za-z][A-Za-z0-9-]{0,79}", name) is None:
            problems.append(
                Problem(
                    field="name",
                    message=f"'{name}' cannot name stacks and a cluster",
                    cure="use 1 to 80 letters, digits and '-', beginning with a letter",
                )
            )
        if region is not None and re.fullmatch(r"[a-z]{2,4}(-[a-z]+)+-[0-9]", region) is None:
            problems.append(
                Problem(
                    field="region", message=f"'{region}' is not a region", cure=did_you_mean(region, known_regions())
                )
            )
        if account is not None and re.fullmatch(r"[0-9]{12}", account) is None:
            problems.append(
                Problem(field="account", message=f"'{account}' is not an account id", cure="give its 12 digits")
            )
        problems += [
            Problem(field="demos", message=f"'{demo}' is not known", cure=did_you_mean(demo, DEMOS))
            for demo in values.get("demos", ())
            if demo not in DEMOS
        ]
        if problems:
            raise AutoModeError("context", problems)
        return cls(**values)


def _text(given: Any) -> str:
    if not isinstance(given, str) or not given:
        raise ValueError("needs a text")
    return given


def _switch(given: Any) -> bool:
    if isinstance(given, bool):
        return given
    if given not in {"true", "false"}:
        raise ValueError("needs true or false")
    return bool(given == "true")


def _count(given: Any) -> int:
    if isinstance(given, str) and re.fullmatch("[0-9]{1,6}", given):
        return int(given)
    if isinstance(given, bool) or not isinstance(given, int) or given < 0:
        raise ValueError("needs a whole number of at least 0")
    return given


def _list(given: Any) -> tuple[str, ...]:
    if isinstance(given, str):
        text = given.strip()
        try:
            given = json.loads(text) if text.startswith("[") else [part.strip() for part in text.split(",") if part]
        except ValueError:
            given = None
    if not isinstance(given, list) or not all(isinstance(part, str) and part for part in given):
        raise ValueError("needs a list of texts (a,b,c or a JSON list)")
    return tuple(given)


_READERS = {
    "str": _text,
    "str | None": _text,
    "bool": _switch,
    "int": _count,
    "tuple[str, ...]": _list,
}


def build(app: cdk.App, settings: Settings, *, as_of: date | None = None) -> None:
    """Builds the stacks of one cluster."""
    if settings.region is not None and settings.region not in known_regions():
        cdk.Annotations.of(app).add_warning_v2(
            "automode:RegionUnknown",
            f"context: region: '{settings.region}' had no EKS Auto Mode when this was written; "
            f"{did_you_mean(settings.region, known_regions())}",
        )
    env = cdk.Environment(region=settings.region, account=settings.account)
    cluster = patterns.ClusterStack(
        app,
        f"{settings.name}-cluster",
        cluster_name=settings.name,
        version=settings.version,
        endpoint_cidrs=settings.endpoint_cidrs,
        availability_zones=settings.availability_zones or None,
        ephemeral=settings.ephemeral,
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
    weights = patterns.WeightsStack(
        app,
        f"{settings.name}-weights",
        ephemeral=settings.ephemeral,
        env=env,
        description="EKS Auto Mode demo: the weights of GPT-OSS-20B",
    )
    in_aws = settings.region is None or partition_of(settings.region).name == "aws"
    model = patterns.GptOssStack(
        app,
        f"{settings.name}-gpt-oss",
        cluster=cluster,
        bucket=weights.bucket,
        cache_prefix=_cache_prefix(settings.name) if in_aws else None,
        replicas=settings.gpt_oss_replicas,
        bare_pool=settings.bare_gpu_pool,
        gpu_metrics=settings.gpu_metrics,
        env=env,
        description="EKS Auto Mode demo: GPT-OSS-20B on a GPU pool",
    )
    return [weights, model]


_DEMO_STACKS = {"retail-store": _retail_store, "gpt-oss": _gpt_oss}
"""The stacks of each of ``charts.DEMOS``."""


def _cache_prefix(name: str) -> str:
    """The cluster's name as ECR takes it, cut to fit 30 characters, with a digest that tells it from all others."""
    readable = re.sub("-+", "-", name.lower())[:15].strip("-")
    return f"{readable}-{hashlib.sha256(name.encode()).hexdigest()[:7]}-images"


def main() -> None:
    """Synthesises the app; a mistake is told in plain words and exit code 1."""
    app = cdk.App()
    try:
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
