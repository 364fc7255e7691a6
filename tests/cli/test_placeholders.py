"""Values that something fills in later: one clear word a document, and none where Kubernetes itself fills them in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from automode_constructs.cli.lint import LintRun, lint


def judged(folder: Path, text: str) -> LintRun:
    path = folder / "a.yaml"
    path.write_text(text, "utf-8")
    return lint([str(path)])


def node_class(role: Any) -> str:
    spec = {"role": role, "subnetSelectorTerms": [{"id": role}], "securityGroupSelectorTerms": [{"id": "sg-0123"}]}
    head = {"apiVersion": "eks.amazonaws.com/v1", "kind": "NodeClass", "metadata": {"name": "a"}}
    return json.dumps({**head, "spec": spec})


@pytest.mark.parametrize(
    "placeholder",
    [
        "{{ .Values.role }}",
        "{{ role }}-nodes",
        "${ROLE}",
        "${role:-nodes}",
        "$ROLE",
        "$(ROLE)",
        "$(ROLE)-nodes",
        "<node-role>",
        "<%= role %>",
        "[[ role ]]",
        "__ROLE__",
        "@ROLE@",
        "%ROLE%",
        "REPLACE_ME",
        "CHANGEME",
        "YOUR_ROLE",
    ],
)
def test_a_value_that_is_filled_in_later_gets_one_clear_word(tmp_path: Path, placeholder: str) -> None:
    (finding,) = judged(tmp_path, node_class(placeholder)).findings
    assert finding.rule == "automode:UnrenderedTemplate"
    assert "spec.role: the placeholder '" in str(finding)
    assert str(finding).endswith(
        "' is not filled in; judge what the template makes (helm template, kustomize build, envsubst), or write the "
        "value"
    )


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("{{resolve:ssm:/nodes/role}}", "'{{resolve:ssm:/nodes/role}}'"),
        ("{{'Ref': 'Role'}}", "\"{{'Ref': 'Role'}}\""),
        ("{{'Fn::GetStackOutput': {'StackName': 'S'}}}", "\"{{'Fn::GetStackOutput': {'StackName': 'S'}}}\""),
        ("${AWS::StackName}-nodes", "'${AWS::StackName}'"),
        ({"Ref": "Role"}, "'Ref'"),
        ({"Fn::GetAtt": ["Role", "Arn"]}, "'Fn::GetAtt'"),
        ({"Fn::Sub": "${Role}"}, "'Fn::Sub'"),
    ],
    ids=str,
)
def test_a_value_of_cloudformation_is_delivered_by_its_app(tmp_path: Path, value: Any, shown: str) -> None:
    (finding,) = judged(tmp_path, node_class(value)).findings
    assert f"{finding.rule} {finding}" == (
        f"automode:UnrenderedTemplate spec.role: {shown} stands for a value that only a deployment knows; deliver the "
        "chart by its CDK app, or write it with the values of a deployment (ClusterValues.from_outputs)"
    )


@pytest.mark.parametrize("tag", ["!Ref Role", "!Sub '${Role}'", "!GetAtt Role.Arn", "!ImportValue role"])
def test_a_tag_of_cloudformation_says_so(tmp_path: Path, tag: str) -> None:
    (finding,) = judged(tmp_path, f"apiVersion: eks.amazonaws.com/v1\nkind: NodeClass\nspec:\n  role: {tag}\n").findings
    assert str(finding).endswith(
        f"has the tag '{tag.split()[0]}', which CloudFormation fills in and Kubernetes does not read; write the "
        "value, or "
        "deliver the object by a CDK app"
    )


def test_a_template_of_cloudformation_is_passed_by(tmp_path: Path) -> None:
    run = judged(tmp_path, "AWSTemplateFormatVersion: '2010-09-09'\nResources:\n  A: {Type: !Sub 'x'}\n")
    assert (run.findings, run.passed_by, run.unusable) == ([], 1, False)


POOL = {
    "apiVersion": "karpenter.sh/v1",
    "kind": "NodePool",
    "metadata": {"name": "p"},
    "spec": {
        "template": {
            "spec": {
                "nodeClassRef": {"group": "eks.amazonaws.com", "kind": "NodeClass", "name": "default"},
                "requirements": [{"key": "eks.amazonaws.com/instance-category", "operator": "In", "values": ["c"]}],
            }
        }
    },
}


SELECTOR = {"selector": {"matchLabels": {"app": "a"}}}


def of(pod: dict[str, Any]) -> dict[str, Any]:
    return {"template": {"metadata": {"labels": {"app": "a"}}, "spec": pod}}


@pytest.mark.parametrize(
    ("container", "judges"),
    [
        ({"command": ["sh", "-c", "echo ${HOME} $(date)"]}, True),
        ({"args": ["--node=$(NODE)", "$HOME"]}, True),
        ({"env": [{"name": "A", "value": "$(POD_IP)"}]}, True),
        ({"image": "${IMAGE}"}, False),
        ({"args": ["{{ .Values.args }}"]}, False),
    ],
    ids=str,
)
def test_what_a_shell_or_kubernetes_fills_in_is_no_placeholder(
    tmp_path: Path, container: dict[str, Any], judges: bool
) -> None:
    pod = {"nodeSelector": {"example.com/team": "a"}, "containers": [{"name": "main", "image": "i", **container}]}
    head = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}}
    run = judged(tmp_path, json.dumps(POOL) + "\n---\n" + json.dumps({**head, "spec": {**SELECTOR, **of(pod)}}))
    assert [each.rule for each in run.findings] == (["automode:WorkloadFitsNoPool"] if judges else [])
