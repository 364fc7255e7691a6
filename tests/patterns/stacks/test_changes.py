"""Every argument of a cluster, changed on a deployed app: in place, or as docs/create-only.md says."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk.assertions import Annotations, Match

from automode_constructs import (
    AutoModeCluster,
    AutoModeNetwork,
    ClusterRole,
    ControlPlaneSettings,
    ExistingNetwork,
    ImportedCluster,
    NodeDefaults,
    RoleNames,
)
from automode_constructs.patterns.stacks.cluster_stack import ClusterStack
from automode_constructs.patterns.stacks.gpt_oss_stack import GptOssStack
from automode_constructs.patterns.stacks.platform_stack import PlatformStack
from automode_constructs.patterns.stacks.retail_store_stack import RetailStoreStack
from automode_constructs.patterns.stacks.stack_options import ClusterStackOptions
from automode_constructs.patterns.stacks.weights_stack import WeightsStack
from tests.cloudformation import Account, Report, assembly
from tests.refusal import refusal
from tests.support import Template, feature_flags, manifests

ROOT = Path(__file__).parents[3]
Templates = dict[str, Template]

ROLE = f"arn:{cdk.Aws.PARTITION}:iam::111122223333:role/Admin"
ARN = f"arn:{cdk.Aws.PARTITION}:kms:eu-central-1:111122223333:key/mrk-"
CHARTS = ("c-platform", "c-gpt-oss")
"""The stacks with a NodeClass."""
WITH_DEMOS = {"ephemeral", "hardened_pools", "instance_profile", "node_tags", "tags", "volume_key"}
"""Arguments that are changed with the demos deployed too; the others with the platform only, for time."""


def network(**options: Any) -> Callable[[cdk.Stack], AutoModeNetwork]:
    return lambda stack: AutoModeNetwork(stack, "Network", **options)


@dataclass(frozen=True)
class Case:
    """A value to change to."""

    to: Any
    came_to: str = "changes"
    """``changes`` there and back, or ``life``: it is refused."""
    back: str = "changes"
    """The way back: ``changes``, or ``charts first``."""
    beside: Mapping[str, Any] = field(default_factory=dict)
    """What else is given, before and after."""
    reported: tuple[str, ...] = ()
    """What is told and not settled."""


CASES: dict[str, list[Case]] = {
    "admin_role_arns": [Case([ROLE])],
    "as_of": [Case(date(2026, 11, 30))],
    "auto_mode_logs": [Case(True)],
    "availability_zones": [
        Case(["eu-central-1a", "eu-central-1b", "eu-central-1c"]),
        Case(["eu-central-1a", "eu-central-1b"], "life"),
        Case(["eu-central-1a", "eu-central-1b", "eu-central-1c", "eu-central-1d"], "life"),
    ],
    "built_in_pools": [Case(["system", "general-purpose"])],
    "cluster_name": [Case("other", "life")],
    "cluster_role": [Case(lambda stack: ClusterRole(stack, "Given"), "life")],
    "control_plane": [
        Case(ControlPlaneSettings(scoring="MostAllocated", scoring_weights={"nvidia.com/gpu": 5, "cpu": 1})),
        Case(ControlPlaneSettings(event_ttl_minutes=30, node_ports=(20000, 32767), rollback_timeout_minutes=1440)),
        Case(
            ControlPlaneSettings(autoscaler_sync_seconds=10, terminated_pod_gc_threshold=1000),
            beside={"control_plane_scaling_tier": "tier-xl"},
        ),
        Case(ControlPlaneSettings(egress="CUSTOMER_ROUTED"), back="never"),
    ],
    "control_plane_scaling_tier": [Case("tier-xl")],
    "creator_admin": [Case(True, "life")],
    "deletion_protection": [Case(False)],
    "endpoint_cidrs": [Case(["198.51.100.0/24"])],
    "ephemeral": [Case(True)],
    "gateway_api": [Case(True)],
    "hardened_pools": [Case(False)],
    "helm_charts_from_ecr": [Case(True)],
    "instance_profile": [Case(True, back="charts first", reported=("NodeClass/standard", "NodeClass/gpu"))],
    "ip_family": [Case("ipv6", "life", beside={"network": network(ipv6=True)})],
    "kubectl_layer": [
        Case(
            lambda stack: lambda_.LayerVersion.from_layer_version_arn(
                stack, "Layer", f"arn:{cdk.Aws.PARTITION}:lambda:eu-central-1:111122223333:layer:kubectl:1"
            )
        )
    ],
    "log_key": [
        Case("aws-owned"),
        Case(lambda stack: kms.Key(stack, "Given")),
        Case(lambda stack: kms.Key.from_key_arn(stack, "Given", f"{ARN}{'0123456789abcdef' * 2}")),
    ],
    "log_retention": [Case(logs.RetentionDays.ONE_MONTH)],
    "log_types": [Case(["audit"])],
    "network": [
        Case(network(nat_gateways=1)),
        Case(network(pod_cidr="100.64.0.0/16"), back="charts first"),
        Case(network(cidr="10.8.0.0/16"), "life"),
    ],
    "node_defaults": [
        Case(NodeDefaults(associate_public_ip=False)),
        Case(NodeDefaults(https_proxy="http://proxy.corp.example:3128")),
        Case(
            NodeDefaults(https_proxy="http://proxy.corp.example:3128"),
            beside={"network": network(ipv6=True), "ip_family": "ipv6"},
        ),
        Case(NodeDefaults(fips=True)),
    ],
    "node_tags": [Case({"team": "ml"})],
    "permissions_boundary": [
        Case(lambda stack: iam.ManagedPolicy.from_managed_policy_name(stack, "Boundary", "bounds"))
    ],
    "regulated": [Case(True, beside={"support_type": "STANDARD"})],
    "removal_policy": [Case(cdk.RemovalPolicy.DESTROY)],
    "role_names": [
        Case(RoleNames(cluster="c-eks"), "life"),
        Case(RoleNames(cluster_path="/eks/"), "life"),
        Case(RoleNames(node="c-nodes"), "life"),
    ],
    "secrets_key": [Case("aws-owned", "life"), Case(lambda stack: kms.Key(stack, "Given"), "life")],
    "service_ipv4_cidr": [Case("10.100.0.0/16", "life")],
    "support_type": [Case("EXTENDED")],
    "tags": [Case({"team": "ml"})],
    "version": [Case("1.37", back="never")],
    "volume_key": [
        Case("aws-owned"),
        Case(lambda stack: kms.Key(stack, "Given")),
        Case(lambda stack: kms.Key.from_key_arn(stack, "Given", f"{ARN}1")),
        Case(lambda stack: kms.Alias.from_alias_name(stack, "Given", "alias/volumes")),
    ],
    "wide_endpoint_cidrs": [Case(True)],
    "zonal_shift": [Case(False)],
}
REFUSED_AT_SYNTH = {"kubectl": "'C/Cluster' was created with kubectl=False and receives no charts"}


def arguments(of: type) -> dict[str, inspect.Parameter]:
    return {
        name: parameter
        for name, parameter in inspect.signature(vars(of)["__init__"]).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }


def app_of(given: Mapping[str, Any]) -> cdk.App:
    """A cluster with all that the app delivers to it; the construct itself for what its stack does not pass on."""
    app = cdk.App(context=feature_flags())
    if given.keys() <= arguments(ClusterStack).keys():
        stack = ClusterStack(app, "c-cluster", **{"cluster_name": "c", "hardened_pools": True, **given})
        cluster = stack.cluster
    else:
        plain = cdk.Stack(app, "c-cluster")
        made = {name: value(plain) if callable(value) else value for name, value in given.items()}
        cluster = AutoModeCluster(plain, "Cluster", **{"cluster_name": "c", "built_in_pools": [], **made})
    platform = PlatformStack(app, "c-platform", cluster=cluster)
    if given.keys() <= WITH_DEMOS:
        RetailStoreStack(app, "c-retail-store", cluster=cluster).add_stack_dependency(platform)
        bucket = WeightsStack(app, "c-weights").bucket
        GptOssStack(app, "c-gpt-oss", cluster=cluster, bucket=bucket).add_stack_dependency(platform)
    return app


@cache
def before(*given: tuple[str, Any]) -> tuple[Templates, Account]:
    """The app as it was first deployed."""
    templates = assembly(app_of(dict(given)))
    account = Account()
    assert account.deploy(templates).refused == []
    return templates, account


UNCHANGED = {"instance_profile": False, "endpoint_cidrs": (), "zonal_shift": True}
"""Arguments as they are by default, to build the app of a kind: with demos, without, and with the construct alone."""


def changed(argument: str, case: Case) -> tuple[Templates, Templates, Account]:
    """The app before, the app after, and the account before."""
    kind = "zonal_shift" if argument not in arguments(ClusterStack) else "endpoint_cidrs"
    kind = "instance_profile" if argument in WITH_DEMOS else kind
    old, account = before(*case.beside.items(), (kind, UNCHANGED[kind]))
    return old, assembly(app_of({**case.beside, argument: case.to})), account.copy()


def in_docs(heading: str) -> set[str]:
    """The arguments of a table of docs/create-only.md."""
    page = (ROOT / "docs" / "create-only.md").read_text("utf-8")
    section = re.split(r"^##+ ", page, flags=re.MULTILINE)
    (table,) = [text for text in section if text.startswith(heading)]
    cells = re.findall(r"^\| ([^|]*) \|", table, flags=re.MULTILINE)
    return {name for cell in cells for name in re.findall("`([a-z_0-9]+)`", cell)} - {"name"}


FOR_LIFE = "For the cluster's life"
WITH_CARE = "Changes that need an order"
EVERY = [pytest.param(name, case, id=f"{name}-{at}") for name, cases in CASES.items() for at, case in enumerate(cases)]


def plain(report: Report) -> tuple[list[str], list[str]]:
    return report.refused, report.replaced


@pytest.mark.parametrize(("argument", "case"), EVERY)
def test_an_argument_changes_with_charts_delivered_or_the_docs_say_that_it_does_not(argument: str, case: Case) -> None:
    old, new, account = changed(argument, case)
    report = account.deploy(new)
    if case.came_to == "life":
        assert argument in in_docs(FOR_LIFE)
        assert report.refused, report
        assert report.replaced == [] or argument in {"cluster_name", "network", "role_names"}
        assert account.deploy(old).refused == [], "nothing has changed"
        return
    assert plain(report) == ([], [])
    assert [text.split(": ")[1] for text in report.unsettled] == [*case.reported]
    assert argument not in in_docs(FOR_LIFE) or argument in {"availability_zones", "network"}
    assert plain(account.copy().deploy(new)) == ([], [])
    if case.back == "charts first":
        assert argument in in_docs(WITH_CARE)
        assert plain(account.deploy(old, only=CHARTS)) == ([], [])
    if case.back != "never":
        assert plain(account.deploy(old)) == ([], [])


def test_every_argument_has_its_case() -> None:
    known = arguments(ClusterStack).keys() | arguments(AutoModeCluster).keys()
    known -= {"vpc", "vpc_subnets"}  # another way to say 'network'
    known -= {"pools_applied_by"}  # part of 'kubectl'
    known -= ClusterStackOptions.__annotations__.keys() - {"tags"}  # the CDK's own
    assert CASES.keys() | REFUSED_AT_SYNTH.keys() == known
    assert in_docs(FOR_LIFE) | in_docs(WITH_CARE) <= known
    for_life = {name for name, cases in CASES.items() if any(case.came_to == "life" for case in cases)}
    assert in_docs(FOR_LIFE) - {"admin_role_arns"} == for_life


def test_taking_kubectl_away_from_charts_is_refused_at_synth() -> None:
    app = cdk.App()
    cluster = ClusterStack(app, "C", cluster_name="c", kubectl=False, pools_applied_by="operator").cluster
    assert REFUSED_AT_SYNTH["kubectl"] in refusal(lambda: PlatformStack(app, "Platform", cluster=cluster))
    without = cdk.App(context=feature_flags())
    ClusterStack(without, "c-cluster", cluster_name="c", kubectl=False, pools_applied_by="operator")
    bare, account = assembly(without), Account()
    assert account.deploy(bare).refused == []
    full, _ = before()
    assert plain(account.deploy(full))[1] == []


class TestTheWaysInTheDocs:
    def test_an_instance_profile_does_not_go_before_its_charts_do(self) -> None:
        old, new, account = changed("instance_profile", CASES["instance_profile"][0])
        account.deploy(new)
        (said,) = account.deploy(old).refused
        assert re.fullmatch(
            r"Cannot delete export c-cluster:\w*InstanceProfile\w* as it is in use by c-platform, c-gpt-oss", said
        )

    def test_pools_of_ours_can_come_before_built_in_ones_go(self) -> None:
        hardened, built_in, _ = changed("hardened_pools", CASES["hardened_pools"][0])
        account = Account()
        account.deploy(built_in)
        first = account.deploy(hardened, only=["c-platform"])
        assert (plain(first), first.deleted) == (([], []), [])
        pools = {one["metadata"]["name"] for one in manifests(hardened["c-platform"]) if one["kind"] == "NodePool"}
        assert {"critical", "general"} <= pools
        assert plain(account.deploy(hardened)) == ([], [])

    def test_logs_that_were_off_find_their_group(self) -> None:
        old, none, account = changed("log_types", Case([]))
        assert plain(account.deploy(none)) == ([], [])
        (said,) = account.deploy(old).refused
        assert said.endswith("/aws/eks/c/cluster already exists")
        assert "log_types" in in_docs(WITH_CARE)

    def test_each_volume_key_has_a_default_storage_class_of_its_own(self) -> None:
        names = []
        for case in [Case(None), *CASES["volume_key"]]:
            (storage,) = [
                one for one in manifests(changed("volume_key", case)[1]["c-platform"]) if one["kind"] == "StorageClass"
            ]
            assert storage["metadata"]["annotations"] == {"storageclass.kubernetes.io/is-default-class": "true"}
            names.append(storage["metadata"]["name"])
        assert names[:2] == ["gp3", "gp3-aws-owned"]
        assert all(re.fullmatch("gp3-[0-9a-f]{8}", name) for name in names[2:])
        assert len(set(names)) == len(names)


def imports(value: Any) -> set[str]:
    if isinstance(value, dict):
        found = {value["Fn::ImportValue"]} if "Fn::ImportValue" in value else set()
        return found.union(*(imports(inner) for inner in value.values()))
    return set().union(*(imports(inner) for inner in value)) if isinstance(value, list) else set()


def given_network(stack: cdk.Stack) -> ExistingNetwork:
    """A network that the app makes itself, in the cluster's stack."""
    vpc = ec2.Vpc(stack, "Given", max_azs=2)
    group = ec2.SecurityGroup(stack, "Nodes", vpc=vpc)
    return ExistingNetwork(vpc=vpc, node_subnets=vpc.private_subnets, node_security_groups=[group], tagged=True)


VARIANTS: dict[str, dict[str, Any]] = {
    "default": {},
    "profile": {"instance_profile": True},
    "pod subnets": {"network": network(pod_cidr="100.64.0.0/16")},
    "ipv6 and proxy": {
        "network": network(ipv6=True),
        "ip_family": "ipv6",
        "node_defaults": NodeDefaults(https_proxy="http://proxy.corp.example:3128"),
    },
    "network of the app's": {"network": given_network, "volume_key": lambda stack: kms.Key(stack, "Key")},
}


class TestExports:
    @pytest.mark.parametrize("variant", VARIANTS)
    def test_what_charts_import_is_exported_without_them_too(self, variant: str) -> None:
        """So that the last chart can leave, and the first one come."""
        given = VARIANTS[variant]
        full = assembly(app_of(given))
        alone = cdk.App(context=feature_flags())
        ClusterStack(alone, "c-cluster", **{"cluster_name": "c", "hardened_pools": True, **given})
        left = assembly(alone)
        exported = {one["Export"]["Name"] for one in left["c-cluster"]["Outputs"].values() if "Export" in one}
        imported = imports([template for name, template in full.items() if name != "c-cluster"])
        imported = {name for name in imported if name.startswith("c-cluster:")}
        assert imported != set()
        assert imported <= exported
        account = Account()
        account.deploy(full)
        assert plain(account.deploy(left)) == ([], [])

    def test_one_record_of_values_serves_charts_here_and_there(self) -> None:
        app = cdk.App(context=feature_flags())
        home, other = cdk.Stack(app, "Home"), cdk.Stack(app, "Other")
        values = AutoModeCluster(home, "Cluster", cluster_name="c", built_in_pools=[]).values
        for stack in (other, home, cdk.Stack(app, "Third")):
            cdk.CfnWaitConditionHandle(stack, "Something")
            cdk.CfnOutput(stack, "Key", value=values.volume_key_arn or "")
        written = {name: template["Outputs"]["Key"]["Value"] for name, template in assembly(app).items()}
        assert written["Home"] == {"Fn::GetAtt": ["ClusterVolumeKeyCBCDEE22", "Arn"]}
        assert written["Other"] == written["Third"]
        assert written["Other"]["Fn::GetStackOutput"]["StackName"] == "Home"

    def test_the_handler_of_an_imported_cluster_is_exported_too(self) -> None:
        app = cdk.App(context=feature_flags())
        stack = cdk.Stack(app, "Imported")
        cluster = ImportedCluster(stack, "Cluster", cluster_name="c")
        token = stack.resolve(cluster.kubectl_provider.service_token)
        outputs = assembly(app)["Imported"]["Outputs"].values()
        assert [one["Value"] for one in outputs if "Export" in one] == [token]

    def test_a_cluster_in_a_nested_stack_exports_from_the_outer_one(self) -> None:
        app = cdk.App(context=feature_flags())
        outer = cdk.Stack(app, "Outer")
        cluster = AutoModeCluster(cdk.NestedStack(outer, "Inner"), "Cluster", cluster_name="c", built_in_pools=[])
        PlatformStack(app, "Platform", cluster=cluster)
        full = assembly(app)
        exported = {one["Export"]["Name"] for one in full["Outer"]["Outputs"].values() if "Export" in one}
        assert imports(full["Platform"]) <= exported


class TestNames:
    @pytest.mark.parametrize(("name", "warned"), [("c", 0), (None, 1)])
    def test_a_cluster_without_a_name_is_warned_of(self, name: str | None, warned: int) -> None:
        stack = cdk.Stack(cdk.App(), "C")
        AutoModeCluster(stack, "Cluster", cluster_name=name)
        text = (
            r"cluster_name: is not set, so that CloudFormation answers a change of what a cluster keeps for life "
            r"\(such as ip_family or secrets_key\) with a second cluster; give cluster_name, and it refuses"
            r".*automode:ClusterName"
        )
        found = Annotations.from_stack(stack).find_warning("*", Match.string_like_regexp(text))
        assert len(found) == warned

    def test_a_named_one_is_never_replaced_in_silence(self) -> None:
        def one(name: str | None, cidr: str) -> Templates:
            app = cdk.App(context=feature_flags())
            AutoModeCluster(cdk.Stack(app, "C"), "Cluster", cluster_name=name, service_ipv4_cidr=cidr)
            return assembly(app)

        for name, refused in (("c", True), (None, False)):
            account = Account()
            account.deploy(one(name, "172.20.0.0/16"))
            report = account.deploy(one(name, "10.100.0.0/16"))
            assert bool(report.refused) is refused
            assert any("ServiceIpv4Cidr" in text for text in report.replaced) is not refused
