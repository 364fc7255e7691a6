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
        "nodes-$ENV",
        "$env-nodes",
        "nodes-<env>",
        "nodes-__ENV__",
        "__env__",
        "nodes-%ENV%",
        "nodes-@env@",
        "nodes-#{env}",
        "nodes-%{ if true }a%{ endif }",
        "$[ variables.role ]",
        "{% raw %}nodes{% endraw %}",
        "nodes-<%= env %>",
        [["role"]],
    ],
    ids=str,
)
def test_a_value_that_is_filled_in_later_gets_one_clear_word(tmp_path: Path, placeholder: Any) -> None:
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
        ({"image": "${IMAGE}"}, True),
        ({"image": "{{ .Values.image }}"}, False),
        ({"volumeMounts": [{"name": "v", "mountPath": "/a", "subPathExpr": "$(POD)-$(NODE)"}]}, True),
        ({"args": ["{{ .Values.args }}"]}, False),
    ],
    ids=str,
)
def test_what_a_shell_or_kubernetes_fills_in_is_no_placeholder(
    tmp_path: Path, container: dict[str, Any], judges: bool
) -> None:
    pod = {
        "nodeSelector": {"example.com/team": "a"},
        "volumes": [{"name": "v", "emptyDir": {}}],
        "containers": [{"name": "main", "image": "i", **container}],
    }
    head = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}}
    run = judged(tmp_path, json.dumps(POOL) + "\n---\n" + json.dumps({**head, "spec": {**SELECTOR, **of(pod)}}))
    assert [each.rule for each in run.findings] == (["automode:WorkloadFitsNoPool"] if judges else [])


@pytest.mark.parametrize(
    ("line", "place", "shown"),
    [
        ("role: {{ .Values.role }}", "4:9", "{{ .Values.role }}"),
        ('role: "{{ include "role" . }}"', "4:10", '{{ include "role" . }}'),
        ('role: "${local.roles["a"]}"', "4:10", '${local.roles["a"]}'),
        ("{{- if .Values.role }}\n  role: a\n  {{- end }}", "4:3", "{{- if .Values.role }}"),
        ("{% if role %}\n  role: a\n  {% endif %}", "4:3", "{% if role %}"),
        ("{# the role #}\n  role: a", "4:3", "{# the role #}"),
        ("<% if role %>\n  role: a\n  <% end %>", "4:3", "<% if role %>"),
        ("%{ if role }\n  role: a\n  %{ endif }", "4:3", "%{ if role }"),
        ("role: @ROLE@", "4:9", "@ROLE@"),
        ("role: %ROLE%", "4:9", "%ROLE%"),
        ("tags: {team: ${TEAM}}", "4:16", "${TEAM}"),
        ("noProxy: [${HOST}]", "4:13", "${HOST}"),
    ],
)
def test_a_template_that_is_no_yaml_gets_the_same_word(tmp_path: Path, line: str, place: str, shown: str) -> None:
    run = judged(tmp_path, f"apiVersion: eks.amazonaws.com/v1\nkind: NodeClass\nspec:\n  {line}\n")
    (finding,) = run.findings
    assert (f"{finding.line}:{finding.column}", finding.rule) == (place, "automode:UnrenderedTemplate")
    assert str(finding).startswith(f"the placeholder {shown!r} is not filled in; ")
    assert not run.unusable


@pytest.mark.parametrize(
    "text",
    [
        "# {{ .Values.role }}\na: [\n",
        "a: 1 # ${ROLE}\nb: [\n",
        "a: '{{ role }}'\nb: [\n",
        "a: |\n  {{ role }}\n    {{ deep }}\nb: [\n",
        "a: '{{ role }}'\n---\nb: [\n",
        "a: [\n---\nb: {{ role }}\n",
    ],
)
def test_what_is_no_yaml_for_another_reason_says_so(tmp_path: Path, text: str) -> None:
    run = judged(tmp_path, text)
    assert [each.rule for each in run.findings] == ["automode:UnreadableInput"]
    assert run.unusable


@pytest.mark.parametrize(
    "tag", ["team-$TEAM", "kubernetes.io/cluster/<cluster-name>", "kubernetes.io/cluster/$CLUSTER", "a-__TEAM__"]
)
@pytest.mark.parametrize("as_key", [True, False])
def test_a_placeholder_in_a_word_that_aws_would_take_is_found(tmp_path: Path, tag: str, as_key: bool) -> None:
    node = json.loads(node_class("nodes"))
    node["spec"]["subnetSelectorTerms"] = [{"tags": {tag: "1"} if as_key else {"a": tag}}]
    (finding,) = judged(tmp_path, json.dumps(node)).findings
    assert finding.rule == "automode:UnrenderedTemplate"


def ingress(**annotations: str) -> str:
    head = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress"}
    backend = {"service": {"name": "a", "port": {"number": 80}}}
    names = {name.replace("__", ".").replace("_", "-"): value for name, value in annotations.items()}
    metadata = {
        "name": "a",
        "annotations": {f"alb.ingress.kubernetes.io/{name}": value for name, value in names.items()},
    }
    return json.dumps({**head, "metadata": metadata, "spec": {"ingressClassName": "alb", "defaultBackend": backend}})


@pytest.mark.parametrize(
    "annotations",
    [
        {"actions__r": '{"Type":"redirect","RedirectConfig":{"Host":"#{host}","StatusCode":"HTTP_301"}}'},
        {"actions__f": '{"Type":"fixed-response","FixedResponseConfig":{"StatusCode":"503","MessageBody":"<h1>"}}'},
        {"transforms__a": '[{"type":"url-rewrite","urlRewriteConfig":{"rewrites":[{"regex":"a$","replace":"/$1"}]}}]'},
    ],
)
def test_what_a_load_balancer_fills_in_is_no_placeholder(tmp_path: Path, annotations: dict[str, str]) -> None:
    found = judged(tmp_path, ingress(**annotations)).findings
    assert "automode:UnrenderedTemplate" not in [each.rule for each in found]


@pytest.mark.parametrize(
    "arn", ["arn:aws:acm:us-east-1:<account>:certificate/a", "arn:aws:acm:$REGION:${ACCOUNT}:certificate/a"]
)
def test_a_placeholder_in_an_annotation_is_found_at_its_line(tmp_path: Path, arn: str) -> None:
    (finding,) = judged(tmp_path, ingress(certificate_arn=arn)).findings
    assert finding.rule == "automode:UnrenderedTemplate"
    assert finding.field == "metadata.annotations['alb.ingress.kubernetes.io/certificate-arn']"


@pytest.mark.parametrize(
    "annotation",
    [
        {"nginx.ingress.kubernetes.io/configuration-snippet": "set $x ${host};"},
        {"kubernetes.io/description": "for {{ teams }} of <example>"},
        {"kubernetes.io/change-cause": "kubectl set image $(cat image)"},
    ],
)
def test_texts_for_people_and_proxies_hold_no_placeholder(tmp_path: Path, annotation: dict[str, str]) -> None:
    document = json.loads(ingress())
    document["metadata"]["annotations"] = annotation
    assert judged(tmp_path, json.dumps(document)).findings == []


def test_annotations_of_pods_hide_nothing(tmp_path: Path) -> None:
    inner = of({"nodeSelector": {"example.com/team": "a"}, "containers": [{"name": "main", "image": "i"}]})
    inner["template"]["metadata"]["annotations"] = {"vault.hashicorp.com/agent-inject-template-a": "{{ with secret }}"}
    head = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}}
    run = judged(tmp_path, json.dumps(POOL) + "\n---\n" + json.dumps({**head, "spec": {**SELECTOR, **inner}}))
    assert [each.rule for each in run.findings] == ["automode:WorkloadFitsNoPool"]


def test_the_file_name_of_an_upload_is_for_s3(tmp_path: Path) -> None:
    upload = {"url": "https://b.s3.amazonaws.com", "fields": {"key": "a/${filename}"}}
    head = {"apiVersion": "eks.amazonaws.com/v1alpha1", "kind": "NodeDiagnostic"}
    name = {"name": "i-0123456789abcdef0"}
    spec = {"packetCapture": {"duration": "1m", "upload": upload}}
    run = judged(tmp_path, json.dumps({**head, "metadata": name, "spec": spec}))
    assert [each.rule for each in run.findings] == ["automode:PresignedUrl"]


@pytest.mark.parametrize("name", ["$CLASS", "__CLASS__", "gpu-$CLASS", "<class>", "${CLASS}"])
def test_an_open_name_may_be_the_one_that_is_missing(tmp_path: Path, name: str) -> None:
    node = json.loads(node_class("nodes"))
    node["spec"]["subnetSelectorTerms"] = [{"id": "subnet-0123"}]
    node["metadata"]["name"] = name
    reference = {"group": "eks.amazonaws.com", "kind": "NodeClass", "name": "gpu"}
    pool = json.loads(json.dumps(POOL))
    pool["spec"]["template"]["spec"]["nodeClassRef"] = reference
    run = judged(tmp_path, json.dumps(node) + "\n---\n" + json.dumps(pool))
    assert [each.rule for each in run.findings] == ["automode:UnrenderedTemplate"]
