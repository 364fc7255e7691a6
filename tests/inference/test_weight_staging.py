"""The Job that copies weights, as a manifest."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import cdk8s
import jsii
import kubernetes_validate
import pytest
import yaml

from automode_constructs.checks.document import judge_document
from automode_constructs.checks.placement import BUILT_IN_POOLS, pods_of, pool_of
from automode_constructs.delivery.attachment import MAX_MANIFEST_BYTES
from automode_constructs.delivery.resources import WAIT_TIMEOUT_SECONDS
from automode_constructs.inference import stage_weights, weight_staging
from automode_constructs.inference.model_preset import GPT_OSS_20B
from automode_constructs.inference.weight_staging import STAGING_IMAGE, WeightStaging
from automode_constructs.inference.weights import HubWeights, S3Weights, SecretKey
from automode_constructs.manifests.pod_network_policy import DNS, POD_IDENTITY, https_to
from automode_constructs.rendering.render import render
from automode_constructs.rendering.yaml_folder import to_yaml
from tests.refusal import refusal

STORED = Path(__file__).with_suffix(".yaml")
PREFIX = f"gpt-oss-20b/{GPT_OSS_20B.revision}"
WEIGHTS = S3Weights(bucket="example-weights", prefix=PREFIX, region="eu-west-1")


@jsii.implements(cdk.IStableStringProducer)
class Late:
    def produce(self) -> str:
        return "bucket"


def chart() -> cdk8s.Chart:
    return cdk8s.Chart(cdk8s.App(), "chart", namespace="inference")


def staging(**changed: Any) -> WeightStaging:
    return WeightStaging(chart(), "weights", **{"model": GPT_OSS_20B, "weights": WEIGHTS, **changed})


@pytest.fixture(scope="module")
def made() -> WeightStaging:
    return staging()


@pytest.fixture(scope="module")
def objects(made: WeightStaging) -> dict[str, dict[str, Any]]:
    return {item.manifest["kind"]: item.manifest for item in render(cdk8s.Chart.of(made)).objects}


def pod(objects: dict[str, dict[str, Any]]) -> dict[str, Any]:
    spec: dict[str, Any] = objects["Job"]["spec"]["template"]["spec"]
    return spec


class TestManifests:
    def test_are_the_stored_ones(self, made: WeightStaging, objects: dict[str, dict[str, Any]]) -> None:
        # The name ends in a digest that every change of the program changes.
        text = to_yaml([*objects.values()]).replace(made.name, "stage-gpt-oss-20b-6cee5e81ee83-digest")
        documents = [*yaml.safe_load_all(text)]
        for document in documents:
            if document["kind"] == "ConfigMap":
                document["data"] = dict.fromkeys(document["data"], "the program")
        if os.environ.get("AUTOMODE_REGENERATE"):
            STORED.write_text(to_yaml(documents), "utf-8")
        assert documents == [*yaml.safe_load_all(STORED.read_text("utf-8"))]

    def test_are_what_kubernetes_takes(self, objects: dict[str, dict[str, Any]]) -> None:
        for kind, manifest in objects.items():
            if kind == "ApplicationNetworkPolicy":  # EKS's own kind
                assert judge_document(manifest) == []
            else:
                kubernetes_validate.validate(manifest, "1.36", strict=True)

    def test_the_config_map_holds_the_program_and_can_be_delivered(self, objects: dict[str, dict[str, Any]]) -> None:
        program = Path(stage_weights.__file__).read_text("utf-8")
        assert objects["ConfigMap"]["data"] == {"stage_weights.py": program}
        assert yaml.safe_load(to_yaml([objects["ConfigMap"]])) == objects["ConfigMap"]
        assert len(json.dumps(objects["ConfigMap"])) < MAX_MANIFEST_BYTES / 2

    def test_the_program_takes_the_arguments_of_both_containers(
        self, made: WeightStaging, objects: dict[str, dict[str, Any]]
    ) -> None:
        (container,) = pod(objects)["containers"]
        parser = stage_weights._parser()
        copied = parser.parse_args([container["command"][-1], *container["args"]])
        assert vars(copied) == {
            "command": "copy",
            "repository": "openai/gpt-oss-20b",
            "revision": GPT_OSS_20B.revision,
            "bucket": "example-weights",
            "prefix": PREFIX,
            "include": ["*.safetensors", "*.json", "*.jinja"],
            "exclude": ["*/*"],
        }
        init = made.init_container()
        checked = parser.parse_args([init["command"][-1], *init["args"]])
        assert vars(checked) == {
            "command": "check",
            "repository": "openai/gpt-oss-20b",
            "revision": GPT_OSS_20B.revision,
            "bucket": "example-weights",
            "prefix": PREFIX,
            "job": made.name,
        }

    def test_the_exit_code_that_ends_the_job_is_the_program_s(self, capsys: pytest.CaptureFixture[str]) -> None:
        wrong = ["check", "--repository=a/b", "--revision=main", "--bucket=bucket", "--prefix=p"]
        assert stage_weights.main(wrong) == weight_staging._SETTINGS_EXIT

    def test_pods_go_to_ordinary_nodes_and_not_to_gpus(self, objects: dict[str, dict[str, Any]]) -> None:
        pods = pods_of("batch", objects["Job"])
        assert pods is not None
        general = BUILT_IN_POOLS["general-purpose"]
        assert pods.select(general)
        assert pods.repelled_by(general) == []
        gpu = pool_of(
            {
                "metadata": {"name": "gpu"},
                "spec": {
                    "template": {
                        "spec": {
                            "nodeClassRef": {"name": "gpu"},
                            "requirements": [],
                            "taints": [{"key": "nvidia.com/gpu", "effect": "NoSchedule"}],
                        }
                    }
                },
            }
        )
        assert gpu is not None
        assert pods.repelled_by(gpu) == ["nvidia.com/gpu"]


class TestOptions:
    def test_a_service_account_that_exists_is_not_made(self) -> None:
        made = staging(service_account="writer")
        objects = {item["kind"]: item for item in cdk8s.Chart.of(made).to_json()}
        assert objects.keys() == {"ApplicationNetworkPolicy", "ConfigMap", "Job", "NetworkPolicy"}
        assert pod(objects)["serviceAccountName"] == made.service_account == "writer"

    def test_mirror_token_proxy_and_image(self) -> None:
        made = staging(
            hub_endpoint="https://hub.example.com",
            token=SecretKey(name="hub", key="token"),
            environment={"HTTPS_PROXY": "http://proxy.example.com:3128"},
            image="registry.example.com/python-boto3:1",
            cpu="500m",
            memory="2Gi",
        )
        (job,) = (item for item in cdk8s.Chart.of(made).to_json() if item["kind"] == "Job")
        kubernetes_validate.validate(job, "1.36", strict=True)
        (container,) = job["spec"]["template"]["spec"]["containers"]
        assert container["image"] == "registry.example.com/python-boto3:1"
        assert container["env"] == [
            {"name": "HTTPS_PROXY", "value": "http://proxy.example.com:3128"},
            {"name": "HF_ENDPOINT", "value": "https://hub.example.com"},
            {"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": {"name": "hub", "key": "token"}}},
        ]
        assert container["resources"] == {"requests": {"cpu": "500m", "memory": "2Gi"}, "limits": {"memory": "2Gi"}}
        assert made.init_container()["env"] == [{"name": "HTTPS_PROXY", "value": "http://proxy.example.com:3128"}]


class TestTraffic:
    def test_the_pods_of_this_job_reach_hub_and_s3_and_are_reached_by_nobody(
        self, made: WeightStaging, objects: dict[str, dict[str, Any]]
    ) -> None:
        selected = {"matchLabels": {"batch.kubernetes.io/job-name": made.name}}
        assert objects["NetworkPolicy"]["metadata"]["name"] == made.name == objects["Job"]["metadata"]["name"]
        assert objects["NetworkPolicy"]["spec"] == {
            "podSelector": selected,
            "policyTypes": ["Ingress", "Egress"],
            "egress": [DNS.to_manifest(), POD_IDENTITY.to_manifest()],
        }
        assert objects["ApplicationNetworkPolicy"]["metadata"]["name"] == f"{made.name}-domains"
        https = [{"port": 443, "protocol": "TCP"}]
        s3 = ["example-weights.s3.eu-west-1.amazonaws.com", "s3.eu-west-1.amazonaws.com"]
        assert objects["ApplicationNetworkPolicy"]["spec"] == {
            "podSelector": selected,
            "policyTypes": ["Egress"],
            "egress": [
                DNS.to_manifest(),
                {"to": [{"domainNames": ["huggingface.co", "*.hf.co"]}], "ports": https},
                {"to": [{"domainNames": s3}], "ports": https},
            ],
        }

    def test_a_mirror_takes_the_place_of_the_hub_and_a_proxy_is_added(self) -> None:
        variables = {"HTTPS_PROXY": "http://proxy.example.com:3128"}
        made = staging(hub_endpoint="https://hub.example.com:8443/hf", environment=variables)
        (policy,) = (item for item in cdk8s.Chart.of(made).to_json() if item["kind"] == "ApplicationNetworkPolicy")
        reached = [(rule["to"][0]["domainNames"][0], rule["ports"][0]["port"]) for rule in policy["spec"]["egress"][1:]]
        assert reached == [
            ("hub.example.com", 8443),
            ("example-weights.s3.eu-west-1.amazonaws.com", 443),
            ("proxy.example.com", 3128),
        ]

    def test_the_user_may_name_other_destinations_or_none(self) -> None:
        def kinds(**changed: Any) -> set[str]:
            return {item["kind"] for item in cdk8s.Chart.of(staging(**changed)).to_json()}

        others = {"ConfigMap", "Job", "ServiceAccount"}
        assert kinds(egress=[https_to(cidrs=["10.0.0.0/16"])]) == {*others, "NetworkPolicy"}
        assert kinds(network_policy=False) == others

    @pytest.mark.parametrize(
        ("changed", "message"),
        [
            (
                {"hub_endpoint": cdk.Lazy.string(Late())},
                "weights: egress: is needed beside hub_endpoint, whose host no policy can name (is known only after "
                "deployment); name where the pods open connections to: egress=[https_to(domain_names=[...])]",
            ),
            (
                {"egress": [], "network_policy": False},
                "weights: egress: has no effect with network_policy=False; leave egress out, or network_policy",
            ),
        ],
    )
    def test_destinations_that_no_policy_can_name(self, changed: dict[str, Any], message: str) -> None:
        assert refusal(lambda: staging(**changed)).endswith(message)


class TestInitContainer:
    def test_fits_into_a_pod_of_kubernetes(self, made: WeightStaging) -> None:
        manifest = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "server"},
            "spec": {
                "initContainers": [made.init_container()],
                "containers": [{"name": "server", "image": "server:1"}],
                "volumes": [made.volume()],
            },
        }
        kubernetes_validate.validate(manifest, "1.36", strict=True)
        assert made.volume() == {"name": "stage-weights", "configMap": {"name": made.name}}

    def test_runs_the_job_s_image_or_another_one(self, made: WeightStaging) -> None:
        assert made.init_container()["image"] == STAGING_IMAGE
        assert made.init_container(image="server:1")["image"] == "server:1"
        assert refusal(lambda: made.init_container(image="server")) == (
            "chart/weights: image: 'server' has neither tag nor digest, so each node may run a different image; "
            "add ':<tag>', or better '@sha256:<digest>'"
        )


class TestName:
    def test_holds_model_commit_and_a_digest(self, made: WeightStaging) -> None:
        assert made.name.startswith("stage-gpt-oss-20b-6cee5e81ee83-")
        assert made.name == staging().name
        long = replace(GPT_OSS_20B, repository=f"owner/A_{'very.' * 12}long-name")
        assert len(staging(model=long).name) <= 63

    @pytest.mark.parametrize(
        "changed",
        [
            {"run": 2},
            {"image": "python-boto3:1"},
            {"weights": S3Weights(bucket="another-bucket", prefix=PREFIX)},
            {"model": replace(GPT_OSS_20B, files=("*.safetensors",))},
            {"deadline": 600},
            {"retries": 2},
            {"service_account": "writer"},
        ],
        ids=lambda changed: next(iter(changed)),
    )
    def test_is_another_one_when_the_job_is(self, made: WeightStaging, changed: dict[str, Any]) -> None:
        assert staging(**changed).name != made.name

    def test_is_another_one_when_the_program_is(self, made: WeightStaging) -> None:
        spec = {"same": "spec"}
        names = {weight_staging._name(GPT_OSS_20B, program, spec, 1) for program in ("one", "two")}
        assert len(names) == 2

    def test_is_the_same_whatever_a_token_s_number(self) -> None:
        names = []
        for _ in range(2):
            bucket = cdk.Lazy.string(Late())
            made = staging(weights=S3Weights(bucket=bucket, prefix=PREFIX))
            names.append(made.name)
            assert f"--bucket={bucket}" in json.dumps(cdk8s.Chart.of(made).to_json())
        assert names[0] == names[1]


class TestDeadline:
    def test_the_job_ends_before_a_deployment_stops_waiting(self, objects: dict[str, dict[str, Any]]) -> None:
        spec = objects["Job"]["spec"]
        assert (spec["activeDeadlineSeconds"], spec["backoffLimit"]) == (780, 3)
        assert spec["activeDeadlineSeconds"] < WAIT_TIMEOUT_SECONDS < 900
        # Kubernetes waits 10, 20, 40 ... seconds between two pods.
        assert sum(10 * 2**number for number in range(spec["backoffLimit"])) < 120

    def test_a_longer_one_is_for_copies_that_nothing_waits_for(self) -> None:
        made = staging(deadline=3600)
        assert [f"{note.rule}: {note.message}" for note in render(cdk8s.Chart.of(made)).notes] == [
            "automode:StagingDeadline: deadline: the Job may take 3600 s, but a CloudFormation deployment fails after "
            "840 s without the reason; set it to 780 or less, and deploy again if a copy takes longer: it resumes"
        ]
        assert render(cdk8s.Chart.of(staging())).notes == []


class TestRefusals:
    def test_tell_every_problem(self) -> None:
        wrong = replace(GPT_OSS_20B, repository="https://hub/x/y", revision="main", files=())
        assert refusal(
            lambda: staging(
                model=wrong,
                hub_endpoint="hub.example.com",
                environment={"HF_TOKEN": "x", "1A": "x"},
                cpu=0,
                memory="much",
                retries=21,
                deadline=5,
                run=0,
            )
        ) == "\n".join(
            [
                "chart/weights: 11 problems",
                "  model.repository: 'https://hub/x/y' is not a repository of the hub; write 'owner/name'",
                "  model.revision: 'main' is not a commit, and a branch's files change; write the commit's 40 "
                "hexadecimal digits",
                "  model.files: is empty; name patterns such as '*.safetensors'",
                "  hub_endpoint: 'hub.example.com' is not a URL; begin it with 'https://'",
                "  environment['HF_TOKEN']: is set by 'token'; use 'token'",
                "  environment['1A']: is not the name of a variable; use letters, digits and '_', no digit first",
                "  cpu: 0 is not a quantity above 0; write it as 1, '500m' or '1Gi'",
                "  memory: 'much' is not a quantity above 0; write it as 1, '500m' or '1Gi'",
                "  retries: must be a whole number of 0 to 20, got 21",
                "  deadline: must be a whole number at least 60, got 5",
                "  run: must be a whole number at least 1, got 0",
            ]
        )

    def test_weights_that_are_not_in_s3(self) -> None:
        assert refusal(lambda: staging(weights=HubWeights())) == (
            "chart/weights: weights: needs an S3Weights, got a HubWeights"
        )

    def test_a_bucket_that_cannot_be(self) -> None:
        assert refusal(lambda: staging(weights=S3Weights(bucket="s3://x", prefix="p"))) == (
            "chart/weights: weights.bucket: 's3://x' is not the name of an S3 bucket; name the bucket that the weights "
            "are in, without 's3://'"
        )

    def test_an_image_that_moves(self) -> None:
        assert refusal(lambda: staging(image="python:latest")) == (
            "chart/weights: image: 'python:latest' moves: a new node may run a different image from the old one; "
            "name a version, or better '@sha256:<digest>'"
        )

    def test_a_service_account_that_cannot_be(self) -> None:
        assert refusal(lambda: staging(service_account="Writer")) == (
            "chart/weights: name: 'Writer' cannot be the name of this object; use at most 253 lower-case letters, "
            "digits, '-' and '.', beginning and ending with a letter or digit"
        )
