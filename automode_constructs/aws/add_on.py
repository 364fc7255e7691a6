"""AddOn: an EKS add-on, checked before EKS sees it, created after the nodes that it runs on."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Literal

import aws_cdk as cdk
import jsii
from aws_cdk import IAspect
from aws_cdk import aws_eks_v2 as eks
from aws_cdk import aws_iam as iam
from constructs import Construct, IConstruct

from automode_constructs.arguments import Refusals, checked_arguments, place
from automode_constructs.aws.after_nodes import OrderProblems, delivers_pools, put_after
from automode_constructs.aws.cluster_tags import tag_as_cluster
from automode_constructs.aws.fleet import Register
from automode_constructs.aws.pod_identity import PodIdentityRole
from automode_constructs.aws.scope import StackScope
from automode_constructs.delivery.chart_delivery import ChartTarget
from automode_constructs.errors import Problem, meant_by, shown
from automode_constructs.facts.add_ons import add_ons, add_ons_as_of, built_in_add_on, built_in_program, built_ins
from automode_constructs.specs.object_metadata import namespace_problems
from automode_constructs.tokens import is_resolvable, is_token

__all__ = ["AddOn", "ConflictResolution", "plain_problems"]

ConflictResolution = Literal["none", "overwrite", "preserve"]
"""What EKS does with fields of the add-on that somebody else has changed in the cluster."""

_VERSION = re.compile(r"v([0-9]+)\.[0-9]+\.[0-9]+-eksbuild\.[0-9]+")
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,98}[a-z0-9])?")
_DEEPEST: Final = 64


class AddOn(Construct):
    """An EKS add-on: software that EKS installs in the cluster and updates when the version here changes.

    Creates an ``AWS::EKS::Addon`` and, for each service account that is named, a ``PodIdentityRole``, which comes
    first. EKS waits until the pods of an add-on run, and fails after about 20 minutes without a node for them (?): so
    where EKS keeps no pools of its own, the add-on is created after all NodePools that the app delivers to the cluster,
    and after the DaemonSets, whose agents may have to remove startup taints; it is deleted before them. Deleting it
    removes the software, unless ``preserve_on_delete``.

    EKS charges nothing for AWS's and the communities' add-ons. An add-on with a Deployment keeps a node alive in a
    cluster that has nothing else to run: from 55.6 USD a month for a ``c6g.large`` with Auto Mode's fee (us-east-1;
    price of 2026-02-09, fee of 2026-07-01).

    Args:
        scope: a construct of a stack in the cluster's account and region: the stack of the NodePools or a later one,
            where EKS keeps no pools of its own.
        id: the construct's id.
        cluster: an ``AutoModeCluster`` or ``ImportedCluster``.
        name: the add-on's name as EKS has it, such as ``metrics-server``.
        version: its version, such as ``v0.8.0-eksbuild.2``; ``aws eks describe-addon-versions`` lists those of a
            Kubernetes version. Default: the one that EKS recommends on the day of the first deployment, which then
            stays; EKS decides.
        configuration: what ``aws eks describe-addon-configuration`` lists for this version, as plain data; no secrets,
            since everybody who may describe the add-on reads it. Default: none; EKS decides.
        namespace: where it runs; EKS creates it, and a change replaces the add-on. Default: the add-on's own; EKS
            decides.
        service_accounts: the add-on's service accounts that get AWS rights, each with its managed policies (``[]`` to
            grant them through ``.roles``). Default: none, so that no pod of it has AWS rights; we decide.
        resolve_conflicts: what EKS does with fields that somebody else changed: ``none`` fails, ``overwrite`` takes
            them back, ``preserve`` keeps them (at updates only). Default: ``overwrite``; we decide, EKS's own is
            ``none``.
        preserve_on_delete: whether the software stays in the cluster, unmanaged, when the add-on is deleted. Default:
            False; EKS decides.

    Attributes:
        resource: the ``CfnAddon``.
        roles: the roles by service account.

    Raises:
        AutoModeError: for what Auto Mode has built in, unless the app gives the cluster other nodes; for a misspelt
            name; for a version of another form; for an add-on that the cluster has already; for configuration that is
            not plain data; for a stack in another account or region. Later, as an error of the synthesis: for NodePools
            that are deployed after the add-on.

    Source: EKS User Guide, "Amazon EKS add-ons"; CloudFormation, ``AWS::EKS::Addon``.
    """

    name: str
    """The add-on's name."""
    namespace: str | None
    """Where it runs, if that is known."""

    @checked_arguments
    def __init__(
        self,
        scope: StackScope,
        id: str,
        *,
        cluster: ChartTarget,
        name: str,
        version: str | None = None,
        configuration: Mapping[str, Any] | None = None,
        namespace: str | None = None,
        service_accounts: Mapping[str, Sequence[iam.IManagedPolicy]] | None = None,
        resolve_conflicts: ConflictResolution = "overwrite",
        preserve_on_delete: bool = False,
    ) -> None:
        accounts = service_accounts or {}
        refusals = Refusals(place(scope, id))
        with refusals.collecting():
            cluster.check_environment(
                refusals.where, scope, "a cluster's add-ons are created in its own account and region"
            )
        refusals.problems += [
            *_name_problems(cluster, name),
            *_version_problems(version),
            *plain_problems("configuration", configuration or {}),
            *(namespace_problems("namespace", namespace) if namespace is not None else ()),
        ]
        known = add_ons().get(name)
        home = namespace or (known.namespace if known is not None else None)
        if accounts and home is None and not refusals.problems:
            refusals.refuse("namespace", f"is not known for '{name}', and its roles are for one", "name it")
        for other in _BY_CLUSTER.find(cluster.node.root, cluster):
            if other.name == name:
                refusals.refuse(
                    "name", f"'{name}' is an add-on of this cluster already, by '{other.node.path}'", "remove one"
                )
        refusals.raise_all()

        super().__init__(scope, id)
        tag_as_cluster(self, cluster)
        self.cluster = cluster
        self.name = name
        self.namespace = home
        self.roles = {
            account: PodIdentityRole(
                self, f"{account}-role", cluster=cluster, namespace=str(home), service_account=account
            )
            for account in accounts
        }
        for account, policies in accounts.items():
            for policy in policies:
                self.roles[account].role.add_managed_policy(policy)
        stack = cdk.Stack.of(self)
        self.resource = eks.CfnAddon(
            self,
            "AddOn",
            cluster_name=cluster.cluster.cluster_name,
            addon_name=name,
            addon_version=version,
            configuration_values=stack.to_json_string(configuration) if configuration else None,
            namespace_config=None if namespace is None else {"namespace": namespace},
            resolve_conflicts=resolve_conflicts.upper(),
            preserve_on_delete=preserve_on_delete,
        )
        # Pods that start before their association exists run without AWS rights until they are restarted.
        self.resource.node.add_dependency(*(role.association for role in self.roles.values()))
        self.problems: list[Problem] = []
        """What the synthesis finds, which it makes fail."""
        _BY_CLUSTER.add(cluster.node.root, cluster, self)
        for text in _unknown(name, version):
            cdk.Annotations.of(self).add_warning_v2("automode:AddOnUnknown", text)
        cdk.Aspects.of(self).add(_InOrder(self))
        self.node.add_validation(OrderProblems(self))


_BY_CLUSTER: Register[ChartTarget, AddOn] = Register()

_BEFORE_ADD_ONS = frozenset({"DaemonSet", "NodePool"})
"""Kinds without which no pod starts on a node: an agent of a DaemonSet may have to remove a startup taint first."""


def _name_problems(cluster: ChartTarget, name: str) -> Iterator[Problem]:
    if is_token(name) or is_resolvable(name) or _NAME.fullmatch(name) is None:
        yield Problem(
            field="name",
            message=f"{shown(name)} is not the name of an add-on",
            cure="write it as EKS does: 'metrics-server'",
        )
        return
    built_in = built_in_add_on(name) or built_in_program(name)
    if built_in is not None:
        if not cluster.other_nodes:
            yield Problem(
                field="name",
                message=f"'{name}' brings {built_in.what}, which Auto Mode has built in",
                cure="leave it out; it is for node groups and Fargate, so create those before it if the cluster has "
                "any",
            )
        return
    names = [*add_ons(), *(one.add_on for one in built_ins() if one.add_on is not None)]
    meant = "" if name in names else meant_by(name, names)
    if meant:
        yield Problem(field="name", message=f"'{name}' is no add-on of EKS", cure=f"write '{meant}'")


def _version_problems(version: str | None) -> Iterator[Problem]:
    if version is None or is_token(version) or _VERSION.fullmatch(version) is not None:
        return
    yield Problem(
        field="version",
        message=f"{shown(version)} is not the version of an add-on",
        cure="write it as 'v0.8.0-eksbuild.2', or leave it out for the one that EKS recommends",
    )


def _unknown(name: str, version: str | None) -> Iterator[str]:
    known, day = add_ons().get(name), add_ons_as_of()
    if known is None and built_in_add_on(name) is None:
        yield (
            f"name: '{name}' was not known on {day}; EKS refuses what it does not have (the AWS Marketplace has its "
            "own names)"
        )
    match = None if version is None else _VERSION.fullmatch(version)
    newest = None if known is None or known.newest is None else _VERSION.fullmatch(known.newest)
    if match is not None and newest is not None and int(match[1]) > int(newest[1]) and known is not None:
        yield (
            f"version: '{version}' of '{name}' was not known on {day}, when {known.newest} was the newest that was "
            "seen; EKS refuses what it does not have"
        )


def plain_problems(field: str, value: object, depth: int = 0) -> Iterator[Problem]:
    """What of a configuration is no JSON, or must not be in it.

    Args:
        field: where the value stands.
        value: the value.
        depth: how deep it is nested. Default: 0.
    """
    if depth > _DEEPEST:
        yield Problem(field=shown(field), message=f"nests deeper than {_DEEPEST} levels")
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(key, str):
                yield Problem(field=field, message=f"has the key {shown(key)}", cure="use texts as keys, as JSON does")
            else:
                yield from plain_problems(f"{field}.{key}", item, depth + 1)
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from plain_problems(f"{field}[{index}]", item, depth + 1)
    elif isinstance(value, str):
        if "{{resolve:" in value:
            yield Problem(
                field=field,
                message="holds a dynamic reference ('{{resolve:'), which others can read in the open",
                cure="let the software read the secret itself",
            )
    elif value is not None and not is_resolvable(value):
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError):
            yield Problem(field=field, message=f"{shown(value)} is no JSON", cure="use plain data")


@jsii.implements(IAspect)
class _InOrder:
    """Puts an add-on, when synthesis begins, after the NodePools that it runs on and the add-ons that it needs."""

    def __init__(self, add_on: AddOn) -> None:
        self._add_on = add_on
        self._done = False

    def visit(self, node: IConstruct) -> None:  # noqa: ARG002 - whichever construct comes first
        """Looks once."""
        if self._done:
            return
        self._done = True
        self._after_add_ons()
        if not self._add_on.cluster.built_in_pools:
            self._after_pools()
            # EKS's own pools cannot be closed.
            self._on_closed_nodes()

    def _after_add_ons(self) -> None:
        add_on = self._add_on
        known = add_ons().get(add_on.name)
        others = {other.name: other for other in _BY_CLUSTER.find(add_on.cluster.node.root, add_on.cluster)}
        for needed in () if known is None else known.needs:
            if needed in others:
                add_on.resource.node.add_dependency(others[needed].resource)
            else:
                cdk.Annotations.of(add_on).add_warning_v2(
                    "automode:AddOnNeeds",
                    f"'{add_on.name}' does not work without '{needed}', which the app does not install; add it as an "
                    "AddOn, or acknowledge this if something else installs it",
                )

    def _on_closed_nodes(self) -> None:
        """Warns where nodes close pods, and nothing that the app delivers opens those of the add-on."""
        add_on = self._add_on
        defaults, namespace = getattr(add_on.cluster, "node_defaults", None), add_on.namespace
        if defaults is None or defaults.network_policy != "DefaultDeny" or namespace is None:
            return
        opened = any(
            key.kind == "NetworkPolicy" and key.namespace == namespace
            for delivery in add_on.cluster.deliveries
            for key in delivery.manifests
        )
        if not opened:
            cdk.Annotations.of(add_on).add_warning_v2(
                "automode:AddOnOnClosedNodes",
                f"the nodes close pods that no policy opens (networkPolicy: DefaultDeny), and the app delivers no "
                f"NetworkPolicy to namespace '{namespace}': the add-on's pods reach nothing, not even the Kubernetes "
                "API, and EKS waits for them in vain; deliver a policy before the add-on, or acknowledge this if "
                "something else does",
            )

    def _after_pools(self) -> None:
        add_on = self._add_on
        add_on.problems += put_after(add_on, add_on.resource, add_on.cluster, _BEFORE_ADD_ONS.__contains__)
        if not delivers_pools(add_on.cluster) and add_on.cluster.charts_are_all_known:
            cdk.Annotations.of(add_on).add_warning_v2(
                "automode:AddOnWithoutNodes",
                "the app delivers no NodePool to the cluster, and EKS keeps none: the pods of an add-on do not run, "
                "and its creation fails; deliver a NodePool, or acknowledge this if something else makes nodes",
            )
