from __future__ import annotations

from typing import Any

import pytest

from automode_constructs.checks.document import judge_document
from automode_constructs.specs.storage.volume_attributes_class import VolumeAttributes, VolumeAttributesClassSpec
from automode_constructs.specs.storage.volume_snapshot_class import VolumeSnapshotClassSpec
from tests.refusal import made, refusal


def test_a_snapshot_class_is_written_as_kubernetes_reads_it() -> None:
    spec = VolumeSnapshotClassSpec(
        driver="ebs.csi.eks.amazonaws.com", deletion_policy="Delete", parameters={"tagSpecification_1": "a=b"}
    )
    assert spec.to_manifest() == {
        "driver": "ebs.csi.eks.amazonaws.com",
        "deletionPolicy": "Delete",
        "parameters": {"tagSpecification_1": "a=b"},
    }
    assert VolumeSnapshotClassSpec.from_manifest(spec.to_manifest()) == spec


def test_an_attributes_class_is_written_as_kubernetes_reads_it() -> None:
    spec = VolumeAttributesClassSpec(
        driver_name="ebs.csi.eks.amazonaws.com",
        parameters=VolumeAttributes(type="gp3", iops="4000", throughput="250"),
    )
    assert spec.to_manifest() == {
        "driverName": "ebs.csi.eks.amazonaws.com",
        "parameters": {"type": "gp3", "iops": "4000", "throughput": "250"},
    }
    assert VolumeAttributesClassSpec.from_manifest(spec.to_manifest()) == spec


@pytest.mark.parametrize(
    ("model", "fields", "message"),
    [
        (
            VolumeSnapshotClassSpec,
            {"driver": "ebs.csi.aws.com", "deletion_policy": "Delete"},
            "driver: 'ebs.csi.aws.com' is not allowed; use 'ebs.csi.eks.amazonaws.com'",
        ),
        (VolumeSnapshotClassSpec, {"driver": "ebs.csi.eks.amazonaws.com"}, "deletion_policy: is required"),
        (
            VolumeAttributes,
            {"type": "io2", "throughput": "125"},
            "throughput: only gp3 has a throughput, not io2; remove it",
        ),
        (VolumeAttributes, {"iops": 3000}, "iops: needs a text, got 3000; quote it: '3000'"),
    ],
)
def test_classes_name_auto_modes_driver_and_what_fits(model: Any, fields: dict[str, Any], message: str) -> None:
    assert refusal(lambda: made(model, **fields)) == message


def _claim(annotations: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data", "annotations": annotations},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Gi"}}},
    }


def test_a_claims_modifier_annotations_are_warned_of() -> None:
    findings = judge_document(_claim({"ebs.csi.eks.amazonaws.com/iops": "4000", "a": "b"}))
    assert findings is not None
    assert [(one.severity, one.rule, str(one)) for one in findings] == [
        (
            "warning",
            "automode:VolumeModifierAnnotation",
            "metadata.annotations['ebs.csi.eks.amazonaws.com/iops']: is not honoured after 31 October 2026; "
            "name a VolumeAttributesClass in spec.volumeAttributesClassName",
        )
    ]


@pytest.mark.parametrize("annotations", [{"a": "b"}, {}, None])
def test_other_claims_are_passed_by(annotations: Any) -> None:
    assert judge_document(_claim(annotations)) is None
