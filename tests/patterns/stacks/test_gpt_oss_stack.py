"""The model's stack: on a cluster of the app and on one made elsewhere, with the commands of its demo."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import jq
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3

from automode_constructs import AutoModeCluster, FastStart, ImportedCluster, ModelBucket
from automode_constructs.manifests.cluster_values import ClusterValues
from automode_constructs.patterns.charts.gpt_oss import WEIGHTS_PREFIX
from automode_constructs.patterns.stacks.gpt_oss_stack import GptOssStack
from automode_constructs.patterns.stacks.weights_stack import WeightsStack
from tests.refusal import refusal
from tests.support import feature_flags, manifests, of_type, synthesised, text_of
from tests.template_checks import template_findings
from tests.template_order import waits_for

SLIM_IMAGE = "111122223333.dkr.ecr.eu-central-1.amazonaws.com/vllm:0.27.1-slim"
MANIFEST = "Custom::AWSCDK-EKS-KubernetesResource"
VALUES = ClusterValues.from_outputs(
    json.loads((Path(__file__).parents[3] / "examples" / "outputs.json").read_text("utf-8")), where="outputs.json"
)
WAIT = "Custom::AWSCDK-EKS-KubernetesObjectValue"


@pytest.fixture(scope="module")
def templates() -> dict[str, dict[str, Any]]:
    app = cdk.App(context=feature_flags())
    ours = AutoModeCluster(cdk.Stack(app, "Dev"), "Cluster", cluster_name="dev")
    weights = ModelBucket(cdk.Stack(app, "Weights"), "Weights")
    GptOssStack(app, "Model", cluster=ours, bucket=weights, replicas=1)
    other = AutoModeCluster(cdk.Stack(app, "Other"), "Cluster", cluster_name="other")
    ec2.InterfaceVpcEndpoint(
        other, "S3", vpc=other.network.vpc, service=ec2.InterfaceVpcEndpointAwsService.S3, private_dns_enabled=True
    )
    GptOssStack(app, "Bare", cluster=other, bucket=weights, bare_pool=True, cache_prefix="bare", gpu_metrics=True)
    theirs = ImportedCluster(cdk.Stack(app, "Import"), "Cluster", cluster_name="prod", values=VALUES)
    GptOssStack(app, "Theirs", cluster=theirs, bucket=weights, cache_prefix="theirs")
    last = ImportedCluster(cdk.Stack(app, "Import2"), "Cluster", cluster_name="last", values=VALUES)
    GptOssStack(app, "Filled", cluster=last, bucket=weights, cache_prefix=None, stage_weights=False)
    fast = ImportedCluster(cdk.Stack(app, "Import3"), "Cluster", cluster_name="fast", values=VALUES)
    GptOssStack(
        app,
        "Fast",
        cluster=fast,
        bucket=weights,
        cache_prefix="fast",
        image=SLIM_IMAGE,
        fast_start=FastStart(image_bytes=4_500_000_000),
    )
    return synthesised(app)


@pytest.fixture(scope="module")
def template(templates: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return templates["Model"]


def logical_id(template: dict[str, Any], kind: str, name: str) -> str:
    (found,) = [
        logical
        for logical, resource in of_type(template, MANIFEST).items()
        for manifest in json.loads(text_of(resource["Properties"]["Manifest"]))
        if (manifest["kind"], manifest["metadata"]["name"]) == (kind, name)
    ]
    return found


def direct_needs(template: dict[str, Any], name: str) -> set[str]:
    return set(template["Resources"][name]["DependsOn"])


def test_the_chart_arrives_whole_on_every_cluster(templates: dict[str, dict[str, Any]]) -> None:
    kinds = {
        *("ApplicationNetworkPolicy", "ConfigMap", "Deployment", "Job", "Namespace", "NetworkPolicy", "NodeClass"),
        *("NodePool", "PodDisruptionBudget", "Service", "ServiceAccount"),
    }
    assert {item["kind"] for item in manifests(templates["Model"])} == kinds
    assert {item["kind"] for item in manifests(templates["Theirs"])} == kinds
    assert {item["kind"] for item in manifests(templates["Bare"])} == (kinds | {"DaemonSet"}) - {"NodeClass"}
    clusters = {body["Properties"]["ClusterName"] for body in of_type(templates["Theirs"], MANIFEST).values()}
    assert clusters == {"prod"}


def test_s3_is_reached_by_its_names_or_by_the_block_of_its_interface_endpoint(
    templates: dict[str, dict[str, Any]],
) -> None:
    def egress(name: str) -> dict[str, list[Any]]:
        return {
            item["metadata"]["name"]: item["spec"].get("egress", [])
            for item in manifests(templates[name])
            if item["kind"] in {"NetworkPolicy", "ApplicationNetworkPolicy"}
        }

    https, vpc = [{"port": 443, "protocol": "TCP"}], {"ipBlock": {"cidr": "10.0.0.0/16"}}
    by_block = egress("Bare")
    assert by_block["gpt-oss-20b"][2] == {"to": [vpc], "ports": https}
    assert "s3." not in str(by_block["gpt-oss-20b-domains"])
    by_name = egress("Model")
    assert len(by_name["gpt-oss-20b"]) == 2
    rule = by_name["gpt-oss-20b-domains"][1]
    (server,) = [item for item in manifests(templates["Model"]) if item["kind"] == "Deployment"]
    bucket = server["spec"]["template"]["spec"]["containers"][0]["args"][0].removeprefix("s3://").split("/gpt-oss")[0]
    region = text_of({"Ref": "AWS::Region"})
    assert rule["to"][0]["domainNames"][0] == f"{bucket}.s3.{region}.amazonaws.com"
    (job,) = [name for name in by_name if name.startswith("stage-") and name.endswith("-domains")]
    assert by_name[job][1]["to"] == [{"domainNames": ["huggingface.co", "*.hf.co"]}]
    assert by_name[job][2]["to"] == rule["to"]


def test_policies_are_there_before_the_pods_that_they_restrict(template: dict[str, Any]) -> None:
    before = waits_for(template)
    (job,) = [item["metadata"]["name"] for item in manifests(template) if item["kind"] == "Job"]
    for kind, name in (("Deployment", "gpt-oss-20b"), ("Job", job)):
        policies = {
            logical_id(template, "NetworkPolicy", name),
            logical_id(template, "ApplicationNetworkPolicy", f"{name}-domains"),
        }
        assert policies <= before[logical_id(template, kind, name)]


def test_our_checks_find_nothing(templates: dict[str, dict[str, Any]]) -> None:
    for name in ("Model", "Bare"):
        assert template_findings(templates[name]) == []
    # The key of a cluster that was made elsewhere is an ARN that the user gave.
    assert template_findings(templates["Theirs"]) == ["literal partition 'aws'"]


def test_no_gpu_is_asked_for_before_the_weights_are_there(template: dict[str, Any]) -> None:
    before = waits_for(template)
    server = logical_id(template, "Deployment", "gpt-oss-20b")
    (job,) = [item for item in manifests(template) if item["kind"] == "Job"]
    copy = logical_id(template, "Job", job["metadata"]["name"])
    waits = of_type(template, WAIT)
    assert {body["Properties"]["ObjectType"] for body in waits.values()} >= {"job.batch"}
    assert waits[f"{copy}Ready"]["Properties"]["JsonPath"].startswith(".status.")
    assert {copy, f"{copy}Ready", f"{copy}Success"} <= before[server]
    # Only the pods need the weights, and the copy needs no GPU.
    for kind in ("NetworkPolicy", "Service", "ServiceAccount"):
        assert f"{copy}Ready" not in before[logical_id(template, kind, "gpt-oss-20b")]
    assert not {logical_id(template, kind, "gpu") for kind in ("NodeClass", "NodePool")} & direct_needs(template, copy)


def test_roles_are_there_before_the_pods_that_have_them(template: dict[str, Any]) -> None:
    associations = of_type(template, "AWS::EKS::PodIdentityAssociation")
    named = {(body["Properties"]["Namespace"], body["Properties"]["ServiceAccount"]) for body in associations.values()}
    accounts = [item["metadata"] for item in manifests(template) if item["kind"] == "ServiceAccount"]
    assert named == {(account["namespace"], account["name"]) for account in accounts}
    before = waits_for(template)
    for kind in ("Deployment", "Job"):
        (item,) = [item for item in manifests(template) if item["kind"] == kind]
        assert associations.keys() <= before[logical_id(template, kind, item["metadata"]["name"])]


def test_the_server_reads_one_prefix_and_the_job_writes_it(template: dict[str, Any]) -> None:
    def actions(role: str) -> set[str]:
        (policy,) = [
            body["Properties"]["PolicyDocument"]
            for name, body in of_type(template, "AWS::IAM::Policy").items()
            if name.startswith(role)
        ]
        for statement in policy["Statement"]:
            if "s3:GetObject" in statement["Action"]:
                assert text_of(statement["Resource"]).endswith(f"/{WEIGHTS_PREFIX}/*")
        listed = [statement["Action"] for statement in policy["Statement"]]
        return {action for each in listed for action in ([each] if isinstance(each, str) else each)}

    assert actions("ServerRole") == {"s3:GetObject", "s3:ListBucket"}
    assert actions("StagingRole") == {
        *("s3:AbortMultipartUpload", "s3:GetObject", "s3:ListBucket", "s3:ListBucketMultipartUploads", "s3:PutObject")
    }


def test_both_images_come_through_the_accounts_own_registry(template: dict[str, Any]) -> None:
    images = {
        container["image"]
        for item in manifests(template)
        if item["kind"] in {"Deployment", "Job"}
        for container in item["spec"]["template"]["spec"]["containers"]
    }
    repositories = {body["Properties"]["RepositoryName"] for body in of_type(template, "AWS::ECR::Repository").values()}
    assert repositories == {"gpt-oss/deep-learning-containers/vllm", "gpt-oss/lambda/python"}
    read = [re.fullmatch(r"\{.*\}\.dkr\.ecr\.\{.*\}\.\{.*\}/([a-z/-]+):[^:]+", image) for image in images]
    assert {f"gpt-oss/{match[1]}" for match in read if match} == repositories, images


def test_nothing_but_the_weights_outlives_the_stack(templates: dict[str, dict[str, Any]]) -> None:
    for name in ("Model", "Bare", "Theirs", "Filled"):
        kept = {
            body["Type"] for body in templates[name]["Resources"].values() if body.get("DeletionPolicy") != "Delete"
        }
        assert not kept & {"AWS::S3::Bucket", "AWS::ECR::Repository", "AWS::Logs::LogGroup"}, name
    repositories = of_type(templates["Model"], "AWS::ECR::Repository").values()
    assert [body["Properties"]["EmptyOnDelete"] for body in repositories] == [True, True]


def test_no_gpu_is_started_until_it_is_asked_for(templates: dict[str, dict[str, Any]]) -> None:
    (deployment,) = [item for item in manifests(templates["Bare"]) if item["kind"] == "Deployment"]
    assert deployment["spec"]["replicas"] == 0


def test_the_weights_stay_unless_they_are_a_throw_away() -> None:
    app = cdk.App(context=feature_flags())
    WeightsStack(app, "Kept")
    WeightsStack(app, "Gone", ephemeral=True)
    templates = synthesised(app)
    assert {body["DeletionPolicy"] for body in of_type(templates["Kept"], "AWS::S3::Bucket").values()} == {
        "RetainExceptOnCreate"
    }
    assert text_of(templates["Kept"]["Outputs"]["RemoveWeightsCommand"]["Value"]) == (
        "aws s3 rb s3://{{'Ref': 'WeightsBucket670F500A'}} --force --region {{'Ref': 'AWS::Region'}}"
    )
    kept = {body.get("DeletionPolicy", "Delete") for body in templates["Gone"]["Resources"].values()}
    assert kept == {"Delete"}
    assert "Outputs" not in templates["Gone"]


def test_keys_and_a_log_bucket_reach_weights_and_images() -> None:
    app = cdk.App(context=feature_flags())
    shared = cdk.Stack(app, "Shared")
    key, logs = kms.Key(shared, "Key"), s3.Bucket(shared, "Logs")
    weights = WeightsStack(
        app, "Weights", ephemeral=True, encryption_key=key, log_key=key, server_access_logs_bucket=logs
    )
    cluster = ImportedCluster(cdk.Stack(app, "Import"), "Cluster", cluster_name="prod", values=VALUES)
    GptOssStack(app, "Model", cluster=cluster, bucket=weights.bucket, encryption_key=key)
    templates = synthesised(app)
    (bucket,) = of_type(templates["Weights"], "AWS::S3::Bucket").values()
    (rule,) = bucket["Properties"]["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
    assert "DestinationBucketName" in bucket["Properties"]["LoggingConfiguration"]
    (group,) = of_type(templates["Weights"], "AWS::Logs::LogGroup").values()
    assert "KmsKeyId" in group["Properties"]
    repositories = of_type(templates["Model"], "AWS::ECR::Repository").values()
    assert len(repositories) == 2
    for repository in repositories:
        encryption = repository["Properties"]["EncryptionConfiguration"]
        assert encryption["EncryptionType"] == "KMS" and "KmsKey" in encryption


def test_a_key_of_images_that_are_not_cached_is_refused() -> None:
    app = cdk.App()
    stack = cdk.Stack(app, "Shared")
    cluster = ImportedCluster(stack, "Cluster", cluster_name="prod", values=VALUES)
    bucket = ModelBucket(stack, "Weights")
    assert refusal(
        lambda: GptOssStack(
            app, "Model", cluster=cluster, bucket=bucket, cache_prefix=None, encryption_key=kms.Key(stack, "Key")
        )
    ) == (
        "Model: encryption_key: is the key of cached images, and cache_prefix=None caches none; leave out "
        "encryption_key, or give cache_prefix"
    )


def test_weights_may_be_there_already_and_images_come_from_elsewhere(templates: dict[str, dict[str, Any]]) -> None:
    template = templates["Filled"]
    assert {"Job", "ConfigMap"}.isdisjoint(item["kind"] for item in manifests(template))
    assert len(of_type(template, "AWS::EKS::PodIdentityAssociation")) == 1
    assert not of_type(template, "AWS::ECR::Repository")
    (deployment,) = [item for item in manifests(template) if item["kind"] == "Deployment"]
    pod = deployment["spec"]["template"]["spec"]
    assert "initContainers" not in pod
    assert pod["containers"][0]["image"].startswith("public.ecr.aws/")


def test_outputs_are_the_commands_of_the_demo(template: dict[str, Any]) -> None:
    commands = {name: text_of(output["Value"]) for name, output in template["Outputs"].items()}
    curl = commands.pop("CurlCommand")
    assert curl.startswith("curl ")
    assert commands == {
        "WeightsLocation": (
            f"s3://{{{{'Fn::ImportValue': 'Weights:ExportsOutputRefWeightsBucket670F500A3E138283'}}}}/{WEIGHTS_PREFIX}/"
        ),
        "QuotaCommand": (
            "aws service-quotas get-service-quota --region {{'Ref': 'AWS::Region'}} --service-code ec2 "
            "--quota-code L-DB2E81BA && aws service-quotas get-service-quota --region {{'Ref': 'AWS::Region'}} "
            "--service-code ec2 --quota-code L-3819A6DF"
        ),
        "WatchNodesCommand": (
            "kubectl get nodes --watch --selector karpenter.sh/nodepool=gpu --label-columns "
            "karpenter.sh/capacity-type,node.kubernetes.io/instance-type,eks.amazonaws.com/instance-gpu-name,"
            "topology.kubernetes.io/zone"
        ),
        "PortForwardCommand": "kubectl port-forward service/gpt-oss-20b --namespace gpt-oss 8000:8000",
        "ScaleToZeroCommand": "kubectl scale deployment/gpt-oss-20b --namespace gpt-oss --replicas 0",
        "ScaleToOneCommand": "kubectl scale deployment/gpt-oss-20b --namespace gpt-oss --replicas 1",
    }


# The printed curl command, against a stand-in with vLLM's route and the shape of its reply ---------------------------

REPLY = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1795000000,
    "model": "openai/gpt-oss-20b",
    "choices": [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": "Machine learning is ...",
                "refusal": None,
                "annotations": None,
                "audio": None,
                "function_call": None,
                "tool_calls": [],
                "reasoning": "The user asks for a definition.",
            },
            "logprobs": None,
            "finish_reason": "stop",
            "stop_reason": None,
            "token_ids": None,
        }
    ],
    "service_tier": None,
    "system_fingerprint": None,
    "usage": {"prompt_tokens": 70, "total_tokens": 90, "completion_tokens": 20, "prompt_tokens_details": None},
    "prompt_logprobs": None,
    "kv_transfer_params": None,
}
"""A chat completion as vLLM 0.33 gives it: ``reasoning`` beside ``content``, and no ``reasoning_content``."""


class StandIn(BaseHTTPRequestHandler):
    """Answers a chat completion that is asked for as vLLM wants it."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        right = self.path == "/v1/chat/completions" and self.headers["Content-Type"] == "application/json"
        known = body.get("model") == "openai/gpt-oss-20b" and body["messages"][0]["role"] == "user"
        answer = json.dumps(REPLY if right and known else {"error": {"message": "no"}}).encode()
        self.send_response(200 if right and known else 404)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""


@pytest.fixture
def stand_in() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), StandIn)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("model", ["openai/gpt-oss-20b", "another"])
def test_the_printed_curl_command_works(template: dict[str, Any], stand_in: int, model: str) -> None:
    if shutil.which("curl") is None:
        pytest.skip("the printed command needs curl, which this machine does not have")
    printed = template["Outputs"]["CurlCommand"]["Value"]
    assert "http://localhost:8000/" in printed
    words = shlex.split(printed.replace("localhost:8000", f"127.0.0.1:{stand_in}").replace("openai/gpt-oss-20b", model))
    pipe = words.index("|")
    asked = subprocess.run(
        [words[0], "--noproxy", "*", *words[1:pipe]], capture_output=True, text=True, timeout=30, check=False
    )
    if model == "another":
        assert asked.returncode == 22, "curl must fail where the server refuses"
        return
    assert asked.returncode == 0, asked.stderr
    name, script = words[pipe + 1 :]
    assert name == "jq"
    assert jq.compile(script).input_text(asked.stdout).all() == [
        {"reasoning": "The user asks for a definition.", "content": "Machine learning is ..."}
    ]


def test_a_fast_start_may_keep_its_compile_cache_and_nothing_else(templates: dict[str, dict[str, Any]]) -> None:
    (deployment,) = [each for each in manifests(templates["Fast"]) if each["kind"] == "Deployment"]
    pod = deployment["spec"]["template"]["spec"]
    assert {each["image"] for each in pod["containers"]} == {SLIM_IMAGE}
    assert "compile-cache" in [each["name"] for each in pod["initContainers"]]

    def written_by_the_server(template: dict[str, Any]) -> list[str]:
        return [
            text_of(statement["Resource"]).partition("/")[2]
            for name, policy in of_type(template, "AWS::IAM::Policy").items()
            if name.startswith("ServerRole")
            for statement in policy["Properties"]["PolicyDocument"]["Statement"]
            if "s3:PutObject" in statement["Action"]
        ]

    assert written_by_the_server(templates["Fast"]) == ["compile-cache/*"]
    assert written_by_the_server(templates["Theirs"]) == []
