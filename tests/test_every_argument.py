"""Every argument of everything public, given every wrong kind of value: it is taken, or refused in our words."""

from __future__ import annotations

import inspect
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property, partial
from itertools import count
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import cdk8s
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam

import automode_constructs as am
from automode_constructs.facts.instance_types import instance_types
from automode_constructs.manifests.cluster_values import ClusterValues
from automode_constructs.specs.labels import ARCH
from automode_constructs.specs.model import KubeModel
from automode_constructs.specs.pools.capacity_reservation import CapacityReservation

_NUMBERS = count()


class World:
    """What arguments are made of, each when it is first wanted."""

    @cached_property
    def stack(self) -> cdk.Stack:
        return cdk.Stack(cdk.App(), "Try", env=cdk.Environment(region="eu-west-1"))

    @cached_property
    def chart(self) -> cdk8s.Chart:
        return cdk8s.Chart(cdk8s.App(), "chart", namespace="models")

    @cached_property
    def vpc(self) -> ec2.IVpc:
        return ec2.Vpc.from_vpc_attributes(
            self.stack,
            "Vpc",
            vpc_id="vpc-0123456789abcdef0",
            vpc_cidr_block="10.20.0.0/16",
            availability_zones=["eu-west-1a", "eu-west-1b"],
            private_subnet_ids=["subnet-0aaaaaaaaaaaaaaaa", "subnet-0bbbbbbbbbbbbbbbb"],
        )

    @cached_property
    def network(self) -> am.ExistingNetwork:
        return am.ExistingNetwork(vpc=self.vpc, node_subnets=self.vpc.private_subnets)

    @cached_property
    def made_network(self) -> am.AutoModeNetwork:
        return am.AutoModeNetwork(self.stack, "Network", pod_cidr="100.64.0.0/16", flow_logs=False)

    @cached_property
    def cluster(self) -> am.AutoModeCluster:
        return am.AutoModeCluster(self.stack, "Cluster", network=self.made_network, built_in_pools=[])

    @cached_property
    def node_class(self) -> am.NodeClass:
        return am.NodeClass(self.chart, "nodes", spec=_node_class_spec())

    @cached_property
    def role(self) -> iam.IRole:
        arn = cdk.Fn.join(":", ["arn", cdk.Aws.PARTITION, "iam", "", "111122223333", "role/eks"])
        return iam.Role.from_role_arn(self.stack, "Role", arn)

    @cached_property
    def folder(self) -> Path:
        return Path(tempfile.mkdtemp()) / "new"


@pytest.fixture
def world() -> World:
    return World()


def _node_class_spec() -> am.NodeClassSpec:
    return am.NodeClassSpec(
        role="nodes",
        subnet_selector_terms=[am.SubnetSelectorTerm(id="subnet-1")],
        security_group_selector_terms=[am.SecurityGroupSelectorTerm(id="sg-1")],
    )


def _node_pool_spec() -> am.NodePoolSpec:
    return am.NodePoolSpec(
        template=am.NodeClaimTemplate(spec=am.NodeClaimSpec(requirements=[ARCH.is_in("amd64")])),
    )


def _values() -> ClusterValues:
    return ClusterValues(
        cluster_name="try",
        region="eu-west-1",
        node_role="nodes",
        node_subnets=[am.SubnetSelectorTerm(id="subnet-1")],
        node_security_groups=[am.SecurityGroupSelectorTerm(id="sg-1")],
        built_in_pools=True,
        node_defaults=am.NodeDefaults(certificate_bundles=[am.CertificateBundle.from_pem("ours", _PEM)]),
    )


_PEM = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
_WEIGHTS = am.S3Weights(bucket="our-models", prefix="gpt-oss-20b")

GOOD: dict[str, Callable[[World], dict[str, Any]]] = {
    "AutoModeCluster": lambda world: {"network": world.network},
    "AutoModeNetwork": lambda _: {},
    "BuiltInNodeRole": lambda _: {},
    "CertificateConfigMap": lambda _: {"values": _values()},
    "ChartDelivery": lambda world: {"cluster": world.cluster, "chart": cdk8s.Chart(world.chart, f"c{next(_NUMBERS)}")},
    "ClusterRole": lambda _: {},
    "EfaSecurityGroup": lambda world: {"vpc": world.vpc},
    "ExistingNetwork": lambda world: {"vpc": world.vpc, "node_subnets": world.vpc.private_subnets},
    "GatewayClass": lambda _: {"spec": am.GatewayClassSpec(controller_name="example.com/gateway")},
    "HubWeights": lambda _: {},
    "ImageWeights": lambda _: {"path": "/models/gpt-oss-20b"},
    "ImportedCluster": lambda _: {"cluster_name": "other"},
    "IngressClass": lambda world: {
        "params": am.IngressClassParams(world.chart, f"p{next(_NUMBERS)}", spec=am.IngressClassParamsSpec())
    },
    "IngressClassParams": lambda _: {"spec": am.IngressClassParamsSpec()},
    "KubernetesObject": lambda _: {"api_version": "v1", "kind": "ConfigMap", "body": {"data": {"a": "b"}}},
    "LocalZoneSubnets": lambda world: {"network": world.made_network, "cidrs": {"eu-west-1-lon-1a": "10.0.192.0/24"}},
    "ModelBucket": lambda _: {},
    "ModelPreset": lambda _: {name: getattr(am.GPT_OSS_20B, name) for name in am.GPT_OSS_20B.__dataclass_fields__},
    "ModelServer": lambda _: {"model": am.GPT_OSS_20B, "image": "example.com/vllm:v0.27.1", "weights": _WEIGHTS},
    "NetworkPolicyController": lambda _: {},
    "NodeClass": lambda _: {"spec": _node_class_spec()},
    "NodePool": lambda world: {"node_class": world.node_class, "spec": _node_pool_spec()},
    "NodeRole": lambda world: {"cluster": world.cluster},
    "PodIdentityRole": lambda world: {
        "cluster": world.cluster,
        "namespace": "shop",
        "service_account": f"till-{next(_NUMBERS)}",
    },
    "PodSecurityGroup": lambda world: {"cluster": world.cluster},
    "PullThroughCache": lambda _: {"prefix": f"p{next(_NUMBERS)}", "repositories": ["eks/pause"]},
    "ReservedCapacity": lambda _: {
        "reservation": CapacityReservation(
            id="cr-1", kind="capacity-block", instance_type="p5.48xlarge", zone="eu-west-1a", ends=date(2026, 12, 14)
        ),
        "node_class_spec": _node_class_spec(),
        "as_of": date(2026, 12, 1),
    },
    "S3Weights": lambda _: {"bucket": "our-models", "prefix": "gpt-oss-20b"},
    "SecretKey": lambda _: {"name": "hub", "key": "token"},
    "StaticNodePools": lambda world: {"node_class": world.node_class, "spec": _node_pool_spec(), "replicas": 2},
    "StorageClass": lambda _: {"spec": am.StorageClassSpec(provisioner="ebs.csi.eks.amazonaws.com")},
    "TargetGroupBinding": lambda _: {
        "spec": am.TargetGroupBindingSpec(
            target_group_arn="${Token[TOKEN.1]}",
            service_ref=am.ServiceReference(name="shop", port=80),
            target_type="ip",
        )
    },
    "VolumeAttributesClass": lambda _: {
        "spec": am.VolumeAttributesClassSpec(
            driver_name="ebs.csi.eks.amazonaws.com", parameters=am.VolumeAttributes(type="gp3", iops="4000")
        )
    },
    "VolumeSnapshotClass": lambda _: {
        "spec": am.VolumeSnapshotClassSpec(driver="ebs.csi.eks.amazonaws.com", deletion_policy="Delete")
    },
    "VpcEndpoints": lambda world: {"network": world.network},
    "WeightStaging": lambda _: {"model": am.GPT_OSS_20B, "weights": _WEIGHTS},
    "efa_network_interfaces": lambda _: {"instance_type": "p5.48xlarge"},
    "PodNetworkPolicy": lambda _: {"pod_labels": {"app": "web"}},
    "https_to": lambda _: {"domain_names": ["example.com"]},
    "estimate_cold_start": lambda _: {
        "instance_type": instance_types()["g6.xlarge"],
        "image_bytes": 9_000_000_000,
        "weight_bytes": 13_000_000_000,
        "weights": "s3",
    },
    "with_efa": lambda _: {"spec": _node_class_spec(), "instance_type": "p5.48xlarge"},
    "write_yaml_folder": lambda world: {
        "charts": [cdk8s.Chart(world.chart, f"y{next(_NUMBERS)}")],
        "folder": world.folder,
        "default_node_class": True,
    },
}
"""Arguments that each public construct and function takes, but scope and id."""


class Foreign:
    """What nobody expects."""


def _endless() -> list[Any]:
    items: list[Any] = []
    items.append(items)
    return items


def wrong_values(world: World) -> Iterator[tuple[str, Any]]:
    yield "None", None
    yield "True", True
    yield "a number", 3
    yield "a huge number", 10**400
    yield "a fraction", 2.5
    yield "no number", float("nan")
    yield "a decimal", Decimal("1.5")
    yield "a text", "some text"
    yield "no text", ""
    yield "a broken text", "\ud800"
    yield "bytes", b"bytes"
    yield "an empty list", []
    yield "a list of texts", ["text"]
    yield "a list of lists", _endless()
    yield "an empty mapping", {}
    yield "a mapping", {"fips": True}
    yield "a mapping by number", {1: Foreign()}
    yield "a set", {"text"}
    yield "an iterator", iter(["text"])
    yield "an object", Foreign()
    yield "a class", Foreign
    yield "a function", lambda: None
    yield "a VPC", world.vpc
    yield "a subnet", world.vpc.private_subnets[0]
    yield "a role", world.role
    yield "a chart", world.chart
    yield "a stack", world.stack
    yield "an enum", cdk.RemovalPolicy.DESTROY
    yield "a day", date(2026, 11, 27)
    yield "a moment", datetime(2026, 11, 27, 9, 0)  # noqa: DTZ001
    yield "a path", Path(os.sep) / "nowhere" / "at" / "all"
    yield "a token", cdk.Token.as_any({"Ref": "X"})


def public() -> dict[str, Any]:
    """What the package root shows, less the error, which is for catching."""
    shown = {name: getattr(am, name) for name in dir(am)}
    return {name: item for name, item in shown.items() if callable(item) and item is not am.AutoModeError}


MODELS = [name for name, item in public().items() if isinstance(item, type) and issubclass(item, KubeModel)]
MAKERS = [name for name in public() if name not in MODELS]


def parameters(item: Any) -> Mapping[str, inspect.Parameter]:
    function = getattr(item, "__init__") if isinstance(item, type) else item  # noqa: B009 - of classes of all kinds
    return {name: one for name, one in inspect.signature(function).parameters.items() if name != "self"}


def arguments_of(name: str, world: World, id: str = "x") -> dict[str, Any]:
    """Arguments that are taken."""
    known = parameters(public()[name])
    given = dict(GOOD[name](world))
    if "scope" in known:
        in_chart = "manifests" in public()[name].__module__ or "inference" in public()[name].__module__
        given |= {"scope": world.chart if in_chart else world.stack, "id": id}
    return given


def raw_words(call: Callable[[], object]) -> str | None:
    """What a call that is not refused in our words ends in; ``None`` where it is taken."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            call()
    except am.AutoModeError as error:
        return f"left behind: {error}" if "is taken in its scope" in str(error) else ""
    except Exception as error:  # noqa: BLE001 - whatever comes is what is wanted
        return f"{type(error).__name__}: {str(error)[:150]}"
    return None


def test_everything_public_is_here() -> None:
    assert sorted(MAKERS) == sorted(GOOD)


@pytest.mark.parametrize("name", MAKERS)
def test_every_argument_refuses_in_our_words_and_leaves_its_id_free(name: str, world: World) -> None:
    item, raw, free = public()[name], [], "x0"
    for argument, parameter in parameters(item).items():
        for kind, value in wrong_values(world) if parameter.kind is not parameter.VAR_KEYWORD else ():
            given = arguments_of(name, world, free) | {argument: value}
            told = raw_words(partial(item, **given))
            if told is None:
                free = f"x{next(_NUMBERS)}"
            elif told:
                raw.append(f"{name}({argument}=<{kind}>): {told}")
    assert raw == []
    if "id" in parameters(item):
        item(**arguments_of(name, world, free))


def test_every_field_of_a_spec_refuses_in_our_words(world: World) -> None:
    raw = [
        f"{name}({field}=<{kind}>): {told}"
        for name in MODELS
        for kind, value in wrong_values(world)
        for field in public()[name].model_fields
        if (told := raw_words(partial(public()[name], **{field: value})))
    ]
    assert raw == []


@pytest.mark.parametrize("name", MAKERS)
def test_names_that_are_none_and_missing_ones_are_refused_in_our_words(name: str, world: World) -> None:
    item = public()[name]
    given = arguments_of(name, world)
    with pytest.raises(am.AutoModeError, match="colour: is not a known argument"):
        item(**given, colour="red")
    required = [
        key for key, one in parameters(item).items() if one.default is one.empty and one.kind is not one.VAR_KEYWORD
    ]
    for missing in required:
        with pytest.raises(am.AutoModeError, match=f"{missing}: is required"):
            item(**{key: value for key, value in given.items() if key != missing})
