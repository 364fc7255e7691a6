"""VolumeAttributesClass as a cdk8s construct."""

from __future__ import annotations

from typing import Literal, TypedDict, Unpack

from constructs import Construct

from automode_constructs.arguments import checked_arguments, place
from automode_constructs.manifests.flat import FlatFields, fields_at
from automode_constructs.manifests.kubernetes_object import KubernetesObject
from automode_constructs.specs.storage.storage_class import PROVISIONER
from automode_constructs.specs.storage.volume_attributes_class import VolumeAttributes, VolumeAttributesClassSpec

__all__ = ["VolumeAttributesClass"]


FIELDS = {
    **fields_at("parameters", VolumeAttributes),
    **fields_at("", VolumeAttributesClassSpec, but=["driver_name"]),
}
"""The fields of the spec that are keywords of ``VolumeAttributesClass``, each with its path in the spec."""


class VolumeAttributesClassFields(TypedDict, total=False):
    """The keywords of ``VolumeAttributesClass`` that are fields of its spec; its docstring describes them."""

    type: Literal["gp3", "gp2", "io1", "io2", "sc1", "st1", "standard", "sbp1", "sbg1"] | None
    iops: str | None
    throughput: str | None
    parameters: VolumeAttributes | None


class VolumeAttributesClass(KubernetesObject):
    """A VolumeAttributesClass: the attributes applied to the EBS volume of a claim that names it.

    Creates an object of kind ``VolumeAttributesClass``. Give its fields as keywords, in ``spec``, or partly in each.
    Needs Kubernetes 1.34. Kubernetes refuses changes to
    ``driverName`` and ``parameters`` of an existing class: a changed class needs a new name.

    Args:
        scope: the cdk8s chart, or a construct in one.
        id: the construct's id.
        type: EBS volume type. Default: unchanged.
        iops: operations per second, as text. Default: unchanged.
        throughput: MiB/s, as text, for gp3. Default: unchanged.
        parameters: instead of the keywords before it, what they hold as one value. Default: none; the keywords give all
            of it.
        spec: the class in the manifest's form. Default: none; the keywords give all fields.
        name: the class's name. Default: the construct's id; we decide.

    Raises:
        AutoModeError: for a field given twice; for everything that ``VolumeAttributesClassSpec`` refuses.

    Source: EKS User Guide, "Create a storage class".
    """

    @checked_arguments
    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        spec: VolumeAttributesClassSpec | None = None,
        name: str | None = None,
        **fields: Unpack[VolumeAttributesClassFields],
    ) -> None:
        flat = FlatFields(place(scope, id), VolumeAttributesClassSpec, FIELDS, spec, fields)
        self.spec = flat.merged(constants={"driver_name": PROVISIONER})
        super().__init__(
            scope,
            id,
            api_version="storage.k8s.io/v1",
            kind="VolumeAttributesClass",
            name=name,
            body=self.spec.to_manifest(),
            warnings=flat.as_given(self.spec.warnings()),
        )
