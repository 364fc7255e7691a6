from __future__ import annotations

from typing import Any

import pytest

from automode_constructs.specs.storage_class import StorageClassSpec, StorageParameters, TopologyLabel, TopologyTerm
from tests.refusal import made, refusal


def test_a_whole_storage_class_is_written_as_kubernetes_reads_it() -> None:
    spec = StorageClassSpec(
        provisioner="ebs.csi.eks.amazonaws.com",
        parameters=StorageParameters(
            type="gp3", fstype="xfs", iops="3000", throughput="125", encrypted="true", kms_key_id="arn:x"
        ),
        reclaim_policy="Retain",
        volume_binding_mode="WaitForFirstConsumer",
        allow_volume_expansion=True,
        mount_options=["noatime"],
        allowed_topologies=[TopologyTerm(match_label_expressions=[TopologyLabel(key="a", values=["b"])])],
    )
    assert spec.to_manifest() == {
        "provisioner": "ebs.csi.eks.amazonaws.com",
        "parameters": {
            "type": "gp3",
            "csi.storage.k8s.io/fstype": "xfs",
            "iops": "3000",
            "throughput": "125",
            "encrypted": "true",
            "kmsKeyId": "arn:x",
        },
        "reclaimPolicy": "Retain",
        "volumeBindingMode": "WaitForFirstConsumer",
        "allowVolumeExpansion": True,
        "mountOptions": ["noatime"],
        "allowedTopologies": [{"matchLabelExpressions": [{"key": "a", "values": ["b"]}]}],
    }
    assert StorageClassSpec.from_manifest(spec.to_manifest()) == spec


def test_the_add_ons_driver_is_refused_with_auto_modes_own() -> None:
    assert refusal(lambda: made(StorageClassSpec, provisioner="ebs.csi.aws.com")) == (
        "provisioner: 'ebs.csi.aws.com' is not allowed; use 'ebs.csi.eks.amazonaws.com'"
    )


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"iops": "3000.5"}, "iops: '3000.5' is not a whole number written as text ('3000')"),
        ({"iops": "3000\n"}, r"iops: '3000\n' is not a whole number written as text ('3000')"),
        ({"iops": 3000}, "iops: needs a text, got 3000"),
        ({"encrypted": True}, "encrypted: True is not allowed; use one of 'true', 'false'"),
        (
            {"type": "gp4"},
            "type: 'gp4' is not allowed; did you mean 'gp3'? "
            "Use one of 'gp3', 'gp2', 'io1', 'io2', 'sc1', 'st1', 'standard', 'sbp1', 'sbg1'",
        ),
        ({"type": "gp2", "throughput": "125"}, "throughput: only gp3 has a throughput, not gp2; remove it"),
        (
            {"encrypted": "false", "kms_key_id": "x"},
            "kms_key_id: a volume that is not encrypted has no key; remove it",
        ),
    ],
)
def test_parameters_are_texts_that_fit_together(fields: dict[str, Any], message: str) -> None:
    assert refusal(lambda: made(StorageParameters, **fields)) == message


def test_without_a_type_a_volume_is_gp3_and_may_have_a_throughput() -> None:
    assert StorageParameters(throughput="125", kms_key_id="x").to_manifest() == {"throughput": "125", "kmsKeyId": "x"}
