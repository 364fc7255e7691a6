"""The account on paper says what CloudFormation, Kubernetes and EKS would."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from tests.cloudformation import KUBERNETES, Account

NAME = "a:Key"


def two(key: Any = None, **resources: Any) -> dict[str, Any]:
    """A stack that exports a key, and one that imports it."""
    key = key or {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": {}}}
    return {
        "a": {
            "Resources": {"Key": key, **resources},
            "Outputs": {"Key": {"Value": {"Fn::GetAtt": ["Key", "Arn"]}, "Export": {"Name": NAME}}},
        },
        "b": {
            "Resources": {
                "Function": {"Type": "AWS::Lambda::Function", "Properties": {"KmsKeyArn": {"Fn::ImportValue": NAME}}}
            }
        },
    }


def objects(*manifests: dict[str, Any], token: str = "f") -> dict[str, Any]:
    """A stack that delivers objects, each by a resource with the object's name."""
    return {
        "b": {
            "Resources": {
                item["metadata"]["name"].replace("-", ""): {
                    "Type": KUBERNETES,
                    "Properties": {"ServiceToken": token, "Manifest": json.dumps([item])},
                }
                for item in manifests
            }
        }
    }


def item(kind: str, name: str = "x", **body: Any) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": name}, **body}


def named(kind: str, **properties: Any) -> dict[str, Any]:
    return {"a": {"Resources": {"One": {"Type": kind, "Properties": properties}}}}


def after(before: dict[str, Any], now: dict[str, Any], **options: Any) -> Any:
    account = Account()
    assert account.deploy(before).refused == []
    return account.deploy(now, **options)


class TestExports:
    def test_nothing_changed_is_nothing(self) -> None:
        report = after(two(), two())
        assert (report.refused, report.replaced, report.deleted) == ([], [], [])

    def test_one_in_use_does_not_go(self) -> None:
        gone = two()
        gone["a"]["Outputs"] = {}
        gone["b"]["Resources"]["Function"]["Properties"] = {}
        assert after(two(), gone).refused == [f"Cannot delete export {NAME} as it is in use by b"]
        account = Account()
        account.deploy(two())
        assert account.deploy(gone, only=["b"]).refused == []
        assert account.deploy(gone).refused == []

    def test_one_in_use_does_not_change(self) -> None:
        renamed = two()
        renamed["a"]["Resources"]["Other"] = renamed["a"]["Resources"].pop("Key")
        renamed["a"]["Outputs"]["Key"]["Value"] = {"Fn::GetAtt": ["Other", "Arn"]}
        assert after(two(), renamed).refused == [f"Cannot update export {NAME} as it is in use by b"]

    def test_what_is_refused_leaves_the_account_as_it_was(self) -> None:
        account = Account()
        account.deploy(two())
        gone = two()
        gone["a"]["Outputs"] = {}
        assert account.deploy(gone).refused
        assert account.deploy(two()).refused == []

    def test_an_import_needs_its_export(self) -> None:
        assert Account().deploy(two(), only=["b"]).refused == [f"b: No export named {NAME} found"]

    def test_a_weak_reference_holds_nothing_but_needs_its_output(self) -> None:
        weak = two()
        weak["a"]["Outputs"] = {"Key": {"Value": {"Fn::GetAtt": ["Key", "Arn"]}}}
        function = weak["b"]["Resources"]["Function"]["Properties"]
        function["KmsKeyArn"] = {"Fn::GetStackOutput": {"StackName": "a", "OutputName": "Key"}}
        gone = copy.deepcopy(weak)
        gone["a"]["Outputs"] = {}
        account = Account()
        account.deploy(weak)
        assert account.deploy(gone).refused == ["b: a has no output Key"]
        gone["b"]["Resources"]["Function"]["Properties"] = {}
        assert account.deploy(gone).refused == []


class TestResources:
    def test_a_create_only_property_replaces(self) -> None:
        report = after(named("AWS::EC2::VPC", CidrBlock="10.0.0.0/16"), named("AWS::EC2::VPC", CidrBlock="10.1.0.0/16"))
        assert (report.refused, report.replaced) == ([], ["a/One (AWS::EC2::VPC): CidrBlock"])

    def test_what_names_a_replaced_one_changes_with_it(self) -> None:
        def stack(block: str) -> dict[str, Any]:
            made = named("AWS::EC2::VPC", CidrBlock=block)
            made["a"]["Resources"]["Two"] = {"Type": "AWS::EC2::Subnet", "Properties": {"VpcId": {"Ref": "One"}}}
            return made

        assert after(stack("10.0.0.0/16"), stack("10.1.0.0/16")).replaced == [
            "a/One (AWS::EC2::VPC): CidrBlock",
            "a/Two (AWS::EC2::Subnet): VpcId",
        ]

    def test_a_named_one_is_not_replaced(self) -> None:
        before = named("AWS::EKS::AccessEntry", ClusterName="c", PrincipalArn="p", Type="EC2")
        now = named("AWS::EKS::AccessEntry", ClusterName="c", PrincipalArn="p", Type="STANDARD")
        assert after(before, now).refused == [
            "a/One (AWS::EKS::AccessEntry): Type changes, and its name p|c is taken by itself"
        ]

    def test_a_name_that_is_taken_is_refused(self) -> None:
        before = named("AWS::Logs::LogGroup", LogGroupName="l")
        now = {"a": {"Resources": {"Two": before["a"]["Resources"]["One"]}}}
        assert after(before, now).refused == ["a/Two (AWS::Logs::LogGroup): l already exists"]

    @pytest.mark.parametrize(
        ("policy", "refused"),
        [("Retain", ["a/One (AWS::Logs::LogGroup): l already exists"]), ("Delete", [])],
    )
    def test_what_is_retained_keeps_its_name(self, policy: str, refused: list[str]) -> None:
        full = named("AWS::Logs::LogGroup", LogGroupName="l")
        full["a"]["Resources"]["One"]["DeletionPolicy"] = policy
        account = Account()
        account.deploy(full)
        assert account.deploy({"a": {"Resources": {}}}).refused == []
        assert account.deploy(full).refused == refused

    def test_no_type_changes(self) -> None:
        assert after(named("AWS::KMS::Key"), named("AWS::SQS::Queue")).refused == [
            "a/One (AWS::SQS::Queue): was AWS::KMS::Key, and no type changes"
        ]


class TestObjects:
    @pytest.mark.parametrize(
        ("before", "now", "path"),
        [
            (item("StorageClass", parameters={"a": "1"}), item("StorageClass", parameters={}), "parameters"),
            (item("Job", spec={"template": {"a": 1}}), item("Job", spec={"template": {"a": 2}}), "spec.template"),
            (
                item("Deployment", spec={"selector": {"a": 1}}),
                item("Deployment", spec={"selector": {}}),
                "spec.selector",
            ),
            (item("NodeClass", spec={"role": "a"}), item("NodeClass", spec={"role": "b"}), "spec.role"),
        ],
        ids=lambda one: one["kind"] if isinstance(one, dict) else one,
    )
    def test_what_is_fixed_is_refused(self, before: dict[str, Any], now: dict[str, Any], path: str) -> None:
        assert after(objects(before), objects(now)).refused == [f"b: {before['kind']}/x: {path}: field is immutable"]

    def test_a_role_that_gives_way_to_a_profile_is_not_settled(self) -> None:
        report = after(
            objects(item("NodeClass", spec={"role": "a"})), objects(item("NodeClass", spec={"instanceProfile": "a"}))
        )
        assert (report.refused, len(report.unsettled)) == ([], 1)

    def test_another_name_is_another_object(self) -> None:
        report = after(
            objects(item("StorageClass", parameters={"a": "1"})), objects(item("StorageClass", "y", parameters={}))
        )
        assert (report.refused, report.deleted) == ([], [f"b/x ({KUBERNETES})"])

    def test_an_object_that_another_resource_takes_over_is_deleted(self) -> None:
        moved = objects(item("Job", "x"))
        moved["b"]["Resources"]["moved"] = moved["b"]["Resources"].pop("x")
        assert after(objects(item("Job", "x")), moved).refused == [
            f"b/x ({KUBERNETES}): deletes Job/x, which b/moved took over"
        ]

    def test_another_handler_is_refused(self) -> None:
        assert after(objects(item("Job")), objects(item("Job"), token="g")).refused == [
            f"b/x ({KUBERNETES}): Modifying service token is not allowed"
        ]


class TestEks:
    @staticmethod
    def cluster(*zones: str, vpc: str = "v", role: str | None = None, version: str = "1.35") -> dict[str, Any]:
        subnets = {
            f"Subnet{zone}": {"Type": "AWS::EC2::Subnet", "Properties": {"AvailabilityZone": zone, "VpcId": vpc}}
            for zone in zones
        }
        properties = {
            "Name": "c",
            "Version": version,
            "ResourcesVpcConfig": {"SubnetIds": [{"Ref": name} for name in subnets]},
            "ComputeConfig": {} if role is None else {"NodeRoleArn": role},
        }
        return {"a": {"Resources": {**subnets, "Cluster": {"Type": "AWS::EKS::Cluster", "Properties": properties}}}}

    @pytest.mark.parametrize(
        ("now", "refusal"),
        [
            (cluster("a", "b", "c"), "subnets must lie in the zones that the cluster was made with"),
            (cluster("a", "b", vpc="w"), "subnets must lie in the VPC that the cluster was made in"),
            (cluster("a", "b", role="s"), "NodeRoleArn cannot change while compute is on"),
            (cluster("a", "b", role="r", version="1.37"), "versions go up one minor at a time"),
        ],
    )
    def test_it_refuses(self, now: dict[str, Any], refusal: str) -> None:
        (said,) = after(self.cluster("a", "b", role="r"), now).refused
        assert refusal in said

    def test_it_takes_the_next_version_and_a_role_that_comes_or_goes(self) -> None:
        account = Account()
        for now in (self.cluster("a", role="r"), self.cluster("a", version="1.36"), self.cluster("a", role="s")):
            now["a"]["Resources"]["Cluster"]["Properties"]["Version"] = "1.36"
            assert account.deploy(now).refused == []
