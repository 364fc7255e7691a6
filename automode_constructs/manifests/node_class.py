"""NodeClass as a cdk8s construct."""

from __future__ import annotations

from dataclasses import dataclass

from constructs import Construct

from automode_constructs.arguments import checked_arguments
from automode_constructs.errors import AutoModeError
from automode_constructs.manifests.kubernetes_object import KubernetesObject
from automode_constructs.specs.model import MAX_LABEL_VALUE, kubernetes_name
from automode_constructs.specs.nodes.node_class import NodeClassSpec

__all__ = ["NamedNodeClass", "NodeClass"]


@dataclass(frozen=True, kw_only=True, slots=True)
class NamedNodeClass:
    """A NodeClass that this app does not make: EKS's ``default``, or one made elsewhere."""

    name: str
    made_elsewhere: bool = False


class NodeClass(KubernetesObject):
    """A NodeClass: the AWS side of Auto Mode's nodes.

    Creates an object of kind ``NodeClass``.

    Args:
        scope: the cdk8s chart, or a construct in one.
        id: the construct's id.
        spec: what the nodes get; ``ClusterValues.node_class_spec`` makes one that fits the cluster.
        name: the NodeClass's name, at most 63 characters, because nodes carry it as a label.
            Default: the construct's id; we decide.

    Raises:
        AutoModeError: for the name ``default``, which belongs to EKS, and for a name no object may have.

    Source: EKS User Guide, "Create a Node Class for Amazon EKS".
    """

    @checked_arguments
    def __init__(self, scope: Construct, id: str, *, spec: NodeClassSpec, name: str | None = None) -> None:
        if (name or id) == "default":
            raise AutoModeError.of(
                f"{scope.node.path}/{id}",
                "name",
                "'default' is the NodeClass that EKS makes and reverts",
                "choose another name, or use NodeClass.from_name('default') to refer to EKS's own",
            )
        super().__init__(
            scope,
            id,
            api_version="eks.amazonaws.com/v1",
            kind="NodeClass",
            name=name,
            longest_name=MAX_LABEL_VALUE,
            body={"spec": spec.to_manifest()},
            warnings=spec.warnings(),
        )
        self.spec = spec

    @staticmethod
    @checked_arguments
    def from_name(name: str, *, made_elsewhere: bool = False) -> NamedNodeClass:
        """A NodeClass known by name only.

        Args:
            name: ``default`` beside built-in pools, or the name of a class that another chart of the cluster makes.
            made_elsewhere: whether it exists without this app, so that no chart of the app need make it.
                Default: False; we decide, so that a misspelt name is an error.

        Raises:
            AutoModeError: when no NodeClass can have that name.
        """
        kubernetes_name("NodeClass.from_name", name, longest=MAX_LABEL_VALUE)
        return NamedNodeClass(name=name, made_elsewhere=made_elsewhere)
