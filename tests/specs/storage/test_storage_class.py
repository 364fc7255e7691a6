from __future__ import annotations

from typing import Any

import pytest

from automode_constructs.specs.storage.storage_class import (
    StorageClassSpec,
    StorageParameters,
    TopologyLabel,
    TopologyTerm,
)
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
        ({"iops": 3000}, "iops: needs a text, got 3000; quote it: '3000'"),
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


def test_every_parameter_has_the_drivers_name() -> None:
    document = {
        "type": "io2",
        "iopsPerGB": "50",
        "allowAutoIOPSPerGBIncrease": "true",
        "blockExpress": "true",
        "blockSize": "4096",
        "inodeSize": "512",
        "bytesPerInode": "8192",
        "numberOfInodes": "100",
        "ext4BigAlloc": "true",
        "ext4ClusterSize": "16384",
        "tagSpecification_1": "team=web",
        "csi.storage.k8s.io/node-stage-secret-name": "x",
    }
    parameters = StorageParameters.from_manifest(document)
    assert parameters.to_manifest() == document
    assert parameters.iops_per_gb == "50"
    assert not list(parameters.warnings())


def test_tags_are_numbered_after_those_that_are_there() -> None:
    tagged = StorageParameters(type="gp3").with_tags({"team": "web", "stage": "${Token[TOKEN.1]}"})
    assert tagged.to_manifest() == {
        "type": "gp3",
        "tagSpecification_1": "team=web",
        "tagSpecification_2": "stage=${Token[TOKEN.1]}",
    }
    assert tagged.with_tags({"a": ""}).to_manifest()["tagSpecification_3"] == "a="
    assert refusal(lambda: StorageParameters().with_tags({"aws:a": "b"})) == (
        "['tagSpecification_1']: 'aws:a=b' is not a tag; write key=value"
    )


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (
            {"Encrypted": "True"},
            "['Encrypted']: 'True' is not allowed; did you mean 'true'? Use one of 'true', 'false'",
        ),
        ({"IOPS": "many"}, "['IOPS']: 'many' is not a whole number written as text ('3000')"),
        ({"tagSpecification_1": "web"}, "['tagSpecification_1']: 'web' is not a tag; write key=value"),
        ({"tagSpecification_1": 1}, "['tagSpecification_1']: needs a text, got 1"),
    ],
)
def test_other_parameters_are_refused(document: dict[str, Any], message: str) -> None:
    assert refusal(lambda: StorageParameters.from_manifest(document)) == message


@pytest.mark.parametrize(
    ("name", "value", "present"),
    [
        ("kmsKeyID", "arn:aws:kms:eu-west-1:111122223333:key/a", "kmsKeyId"),
        ("kmskeyid", "arn:aws:kms:eu-west-1:111122223333:key/a", "kmsKeyId"),
        ("Encrypted", "true", "encrypted"),
        ("Type", "gp3", "type"),
        ("IOPS", "3000", "iops"),
        ("Throughput", "250", "throughput"),
    ],
)
def test_the_driver_reads_a_parameter_in_any_case(name: str, value: str, present: str) -> None:
    parameters, problems = StorageParameters.read({name: value})
    assert [f"{one.severity} {one.rule} {one}" for one in problems] == [
        f"warning automode:StorageParameterName ['{name}']: is not spelt as documented, which a later driver may "
        "refuse; "
        f"write {present}"
    ]
    assert parameters is not None
    assert parameters.to_manifest() == {name: value}


@pytest.mark.parametrize("name", ["fsType", "fstype", "FSType"])
def test_the_driver_reads_the_old_name_of_the_file_system(name: str) -> None:
    _, problems = StorageParameters.read({name: "xfs"})
    assert [f"{one.severity} {one.rule} {one}" for one in problems] == [
        f"warning automode:StorageParameterName ['{name}']: is the old name of a parameter, which a later driver may "
        "refuse; write csi.storage.k8s.io/fstype"
    ]
    assert [one.severity for one in StorageParameters.read({name: "zfs"})[1]] == ["warning", "error"]


def test_a_parameter_under_two_names_is_a_warning() -> None:
    _, problems = StorageParameters.read({"type": "gp3", "Type": "gp2"})
    assert "['Type']: is the same parameter as type, and which of the two counts is not known; remove one" in [
        str(one) for one in problems
    ]


def test_a_misspelt_parameter_is_cured_by_its_name() -> None:
    assert refusal(lambda: StorageParameters.from_manifest({"kms_key_id": "x"})).startswith(
        "['kms_key_id']: is not a known field; did you mean 'kmsKeyId'? Use one of 'type', "
    )
    assert refusal(lambda: made(StorageParameters, kmsKeyId="x")) == (
        "['kmsKeyId']: is not a known field; write kms_key_id"
    )


@pytest.mark.parametrize(
    ("fields", "warnings"),
    [
        ({"type": "io2", "iops": "3000"}, []),
        ({"type": "gp3", "iops": "3000"}, []),
        ({"type": "io1"}, ["iops: io1 needs one of 'iops' and 'iops_per_gb', got neither, so no volume is made"]),
        (
            {"type": "io1", "iops": "100", "iops_per_gb": "1"},
            ["iops: io1 needs one of 'iops' and 'iops_per_gb', got both, so no volume is made"],
        ),
        ({"type": "st1", "iops": "1"}, ["iops: st1 has no IOPS to set, so they have no effect; remove it"]),
        (
            {"iops_per_gb": "1"},
            ["iops_per_gb: only io1 and io2 have IOPS per GiB, not gp3, so they may have no effect; use iops"],
        ),
    ],
)
def test_iops_fit_the_type(fields: dict[str, Any], warnings: list[str]) -> None:
    assert [str(problem) for problem in made(StorageParameters, **fields).warnings()] == warnings


@pytest.mark.parametrize(
    ("mode", "warnings"),
    [
        ("WaitForFirstConsumer", []),
        (
            "Immediate",
            [
                "volume_binding_mode: is Immediate, so a volume is made before its pod has a node, in "
                "a zone where that may never run; write WaitForFirstConsumer"
            ],
        ),
        (
            None,
            [
                "volume_binding_mode: is not set, which means Immediate, so a volume is made before its pod "
                "has a node, in a zone where that may never run; write WaitForFirstConsumer"
            ],
        ),
    ],
)
def test_volumes_wait_for_their_pod(mode: Any, warnings: list[str]) -> None:
    spec = StorageClassSpec(provisioner="ebs.csi.eks.amazonaws.com", volume_binding_mode=mode)
    assert [str(problem) for problem in spec.warnings()] == warnings


@pytest.mark.parametrize(
    ("key", "warnings"),
    [
        ("arn:x", []),
        ("${Token[TOKEN.1]}", []),
        (
            "alias/a",
            [
                "kms_key_id: 'alias/a' is not an ARN, which the driver asks for, so it may make no "
                "volume; write the key's full ARN"
            ],
        ),
    ],
)
def test_a_key_is_named_by_its_arn(key: str, warnings: list[str]) -> None:
    assert [str(problem) for problem in StorageParameters(kms_key_id=key).warnings()] == warnings
