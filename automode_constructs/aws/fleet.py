"""The clusters of an app, known as they are created: so many clusters do not each walk the whole app."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

import jsii
from aws_cdk import Annotations, IAspect, Stack, Stage
from constructs import Construct, IConstruct

from automode_constructs.arguments import Refusals
from automode_constructs.tokens import is_token

__all__ = [
    "NoAdmin",
    "Register",
    "check_unique_name",
    "check_unique_roles",
    "register_name",
    "register_roles",
    "stage_of",
]

K = TypeVar("K")
C = TypeVar("C", bound=Construct)


class Register(Generic[K, C]):
    """Constructs by a key, apart for each tree or each stage of an app."""

    def __init__(self) -> None:
        self._entries: WeakKeyDictionary[IConstruct, dict[K, list[C]]] = WeakKeyDictionary()

    def add(self, home: IConstruct, key: K, construct: C) -> None:
        """Adds a construct.

        Args:
            home: the root or stage it is in.
            key: what it is looked up by.
            construct: the construct.
        """
        self._entries.setdefault(home, defaultdict(list))[key].append(construct)

    def find(self, home: IConstruct, key: K) -> Iterator[C]:
        """The constructs of a key that are still in the tree, the last one first."""
        constructs = self._entries.get(home, {}).get(key, [])
        return (construct for construct in reversed(constructs) if _is_in_tree(construct))


def _is_in_tree(construct: IConstruct) -> bool:
    """Whether neither a construct nor a scope of it was removed, as happens to what is refused half-made."""
    while (scope := construct.node.scope) is not None:
        if scope.node.try_find_child(construct.node.id) is not construct:
            return False
        construct = scope
    return True


_BY_NAME: Register[str, Construct] = Register()
_BY_ROLE: Register[str, Construct] = Register()
_WITHOUT_ADMIN: Register[None, Construct] = Register()


def register_name(cluster: Construct, name: str | None) -> None:
    """Makes the name of a new cluster known to ``check_unique_name``."""
    if name is not None and not is_token(name):
        _BY_NAME.add(cluster.node.root, name, cluster)


def check_unique_name(refusals: Refusals, scope: Construct, name: str | None, *, account: str, region: str) -> None:
    """Refuses a second cluster of the same name in the same account and region.

    Args:
        refusals: collects what is wrong.
        scope: the scope of the new cluster, or of its stack.
        name: the name of the new cluster.
        account: the account of the new cluster, or its token.
        region: its region, or its token.
    """
    if name is None or is_token(name):
        return
    known = not is_token(account) and not is_token(region)
    for other in _BY_NAME.find(scope.node.root, name):
        stack = Stack.of(other)
        same = _same(stack.account, account) and _same(stack.region, region)
        if same and (known or Stage.of(other) is stage_of(scope)):
            refusals.refuse(
                "cluster_name",
                f"'{name}' is the name of '{other.node.path}' too",
                "give each cluster of an account and region a name of its own",
            )
            return


def register_roles(cluster: Construct, names: Mapping[str, str]) -> None:
    """Makes the names of a new cluster's roles known to ``check_unique_roles``."""
    for name in names.values():
        if not is_token(name):
            _BY_ROLE.add(cluster.node.root, name.lower(), cluster)


def check_unique_roles(refusals: Refusals, scope: Construct, names: Mapping[str, str], *, account: str) -> None:
    """Refuses names of roles that another cluster of the account has given, in any region: IAM knows no regions.

    Args:
        refusals: collects what is wrong.
        scope: the scope of the new cluster, or of its stack.
        names: the names by field.
        account: the account of the new cluster, or its token.
    """
    for field, name in names.items():
        others = () if is_token(name) else _BY_ROLE.find(scope.node.root, name.lower())
        for other in others:
            same = _same(Stack.of(other).account, account)
            if same and (not is_token(account) or Stage.of(other) is stage_of(scope)):
                refusals.refuse(
                    field,
                    f"'{name}' is the name of a role of '{other.node.path}' too",
                    "give each role of an account a name of its own, whatever its region",
                )
                break


def stage_of(scope: IConstruct) -> Stage | None:
    """The stage or app that a construct in a scope is in; the scope itself may be one."""
    return scope if isinstance(scope, Stage) else Stage.of(scope)


def _same(one: str, other: str) -> bool:
    """Whether two accounts or regions are the same; all that are not known at synth count as one."""
    return one == other or (is_token(one) and is_token(other))


@jsii.implements(IAspect)
class NoAdmin:
    """Warns, when synthesis begins, about clusters to which nobody has access.

    The aspect of the last such cluster judges all of its stage: by then others may have access, and one walk of the
    stage serves any number of clusters.

    Args:
        cluster: an ``AutoModeCluster``.
        name: the token for its name that access entries refer to.
        own_access: the path of the access entry of its kubectl, which admits nobody.
    """

    def __init__(self, cluster: Construct, *, name: str, own_access: str) -> None:
        self._cluster = cluster
        self._home: IConstruct = Stage.of(cluster) or cluster.node.root
        self._name = name
        self._own_access = own_access
        _ASPECTS[cluster] = self
        _WITHOUT_ADMIN.add(self._home, None, cluster)

    def visit(self, node: IConstruct) -> None:  # noqa: ARG002 - it is added to one resource only
        """Judges all clusters of the stage, if this one is the last."""
        if next(_WITHOUT_ADMIN.find(self._home, None), None) is not self._cluster:
            return
        paths = _access_entries(self._home)
        for cluster in _WITHOUT_ADMIN.find(self._home, None):
            _ASPECTS[cluster].warn(paths)

    def warn(self, paths: dict[str, list[str]]) -> None:
        """Adds the warning to the cluster, unless one of the access entries by cluster name is for a person."""
        if all(path.startswith(f"{self._own_access}/") for path in paths.get(self._name, [])):
            Annotations.of(self._cluster).add_warning_v2(
                "automode:NoAdmin",
                "admin_role_arns: no role is named, so that nobody can use kubectl on this cluster; name one with "
                "admin_role_arns=['arn:<partition>:iam::<account>:role/<role>'] (now or later: it replaces nothing)",
            )


_ASPECTS: WeakKeyDictionary[Construct, NoAdmin] = WeakKeyDictionary()


def _access_entries(home: IConstruct) -> dict[str, list[str]]:
    """The paths of the access entries for people, by the name of their cluster."""
    paths: dict[str, list[str]] = defaultdict(list)
    for construct in home.node.find_all():
        # By class: attribute access on an object calls Node.js.
        if hasattr(type(construct), "attr_access_entry_arn") and getattr(construct, "type", None) in (None, "STANDARD"):
            paths[str(getattr(construct, "cluster_name", ""))].append(construct.node.path)
    return paths
