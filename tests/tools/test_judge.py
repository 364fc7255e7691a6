"""The reasons in the file of acknowledgements, and how checkov's answers are read."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tools.judge import checkov
from tools.judge.finding import Acknowledgement, Finding, read, unacknowledged, unused

PATH = "eks/Cluster/Handler/Resource"
CHECK = {"check_id": "CKV_AWS_116", "check_name": "Dead letter queue"}


def finding(rule: str = "LambdaDLQ", where: str = PATH) -> Finding:
    return Finding("default", "cdk-nag", rule, where, "no queue")


def entry(rules: tuple[str, ...] = ("LambdaDLQ",), where: tuple[str, ...] = ("eks/Cluster/*",)) -> Acknowledgement:
    return Acknowledgement(rules, where, "a reason")


class TestAcknowledgements:
    def test_covers_a_rule_in_a_place(self) -> None:
        assert unacknowledged([finding()], [entry()]) == []

    @pytest.mark.parametrize("other", [finding(rule="LambdaDLQs"), finding(where="eks/Other/Resource")])
    def test_covers_no_other_rule_or_place(self, other: Finding) -> None:
        assert unacknowledged([other], [entry()]) == [other]

    def test_brackets_and_dots_stand_for_themselves(self) -> None:
        rule = "IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/A]"
        assert unacknowledged([finding(rule=rule)], [entry(rules=("IAM4[Policy::*]",))]) == []
        assert unacknowledged([finding(rule="IAM4P")], [entry(rules=("IAM4[Policy]",))])

    def test_what_covers_nothing_is_named(self) -> None:
        entries = [entry(rules=("LambdaDLQ", "Gone"), where=("eks/Cluster/*", "eks/Gone/*"))]
        assert unused([finding()], entries) == ["Gone", "eks/Gone/*"]

    @pytest.mark.parametrize("body", ['rules = ["A"]\nwhere = ["*"]', 'rules = []\nwhere = ["*"]\nreason = "b"'])
    def test_needs_rules_a_place_and_a_reason(self, tmp_path: Path, body: str) -> None:
        file = tmp_path / "acknowledged.toml"
        file.write_text(f"[[acknowledged]]\n{body}\n")
        with pytest.raises(ValueError, match="entry 1 needs rules, where and reason"):
            read(file)

    def test_this_repository_gives_each_reason(self) -> None:
        assert all(len(entry.reason.split()) > 3 for entry in read())


class TestCheckov:
    def command(self, folder: Path, answers: dict[str, Any]) -> Path:
        """A checkov that gives the recorded answer for each framework."""
        script = folder / "checkov"
        script.write_text(
            f"#!{sys.executable}\nimport json, sys\n"
            f"print(json.dumps({answers!r}[sys.argv[sys.argv.index('--framework') + 1]]))\n"
        )
        script.chmod(0o700)
        return script

    def assembly(self, folder: Path) -> Path:
        manifest = json.dumps([{"kind": "Pod", "metadata": {"name": "a"}, "image": "x"}])
        resources = {
            "Handler": {"Type": "AWS::Lambda::Function", "Metadata": {"aws:cdk:path": PATH}},
            "Pods": {"Type": "Custom::AWSCDK-EKS-KubernetesResource", "Properties": {"Manifest": manifest}},
        }
        folder.mkdir()
        (folder / "eks.template.json").write_text(json.dumps({"Resources": resources}))
        return folder

    def test_names_constructs_and_objects(self, tmp_path: Path) -> None:
        resource = {"resource": "AWS::Lambda::Function.Handler", "file_path": "/eks.template.json"}
        answers = {
            "cloudformation": {"summary": {"passed": 1}, "results": {"failed_checks": [{**CHECK, **resource}]}},
            "kubernetes": [
                {"summary": {"passed": 1}, "results": {"failed_checks": [{**CHECK, "resource": "Pod.shop.ui.v1"}]}}
            ],
        }
        place = tmp_path / "place"
        found = checkov.judged("default", self.command(tmp_path, answers), self.assembly(tmp_path / "cdk.out"), place)
        assert [finding.where for finding in found] == [PATH, "Pod/shop/ui.v1"]
        assert "kind: Pod" in (place / "objects" / "eks.yaml").read_text()

    @pytest.mark.parametrize("summary", [{"passed": 0}, {"passed": 3, "parsing_errors": 1}])
    def test_silence_of_checkov_is_no_yes(self, tmp_path: Path, summary: dict[str, int]) -> None:
        answer = {"summary": summary, "results": {"failed_checks": []}}
        command = self.command(tmp_path, {"cloudformation": answer, "kubernetes": answer})
        with pytest.raises(RuntimeError, match="has not judged"):
            checkov.judged("default", command, self.assembly(tmp_path / "cdk.out"), tmp_path / "place")

    def test_crash_of_checkov_is_told_in_its_words(self, tmp_path: Path) -> None:
        command = tmp_path / "checkov"
        command.write_text("#!/bin/sh\necho 'no such framework' >&2\nexit 2\n")
        command.chmod(0o700)
        with pytest.raises(RuntimeError, match="answered with 2: no such framework"):
            checkov.judged("default", command, self.assembly(tmp_path / "cdk.out"), tmp_path / "place")
