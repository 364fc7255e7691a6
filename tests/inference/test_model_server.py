"""The model server: what it makes, what can be asked of it, what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import aws_cdk as cdk
import boto3
import cdk8s
import kubernetes_validate
import pytest
from botocore.awsrequest import AWSPreparedRequest

from automode_constructs.checks.document import judge_document
from automode_constructs.checks.whole_tree import judge_tree
from automode_constructs.inference.model_preset import (
    GPT_OSS_20B,
    GPT_OSS_120B,
    MODEL_PRESETS,
    QWEN3_8B,
    ModelPreset,
)
from automode_constructs.inference.model_server import ModelServer
from automode_constructs.inference.weights import HubWeights, ImageWeights, S3Weights, SecretKey
from automode_constructs.manifests.node_class import NodeClass
from automode_constructs.manifests.node_pool import NodePool
from automode_constructs.manifests.pod_network_policy import DNS, POD_IDENTITY, https_to
from automode_constructs.rendering.render import render
from automode_constructs.specs import labels
from automode_constructs.specs.pools.node_pool import NodeClaimSpec, NodeClaimTemplate, NodePoolSpec, Taint
from automode_constructs.specs.pools.requirement import Requirement
from automode_constructs.specs.traffic.label_selector import LabelSelector
from automode_constructs.specs.traffic.network_policy import ApplicationPeer
from tests.refusal import refusal

IMAGE = f"public.ecr.aws/deep-learning-containers/vllm@sha256:{'0a' * 32}"
S3 = S3Weights(bucket="our-models", prefix="gpt-oss-20b/6cee5e8")
TALK = (
    labels.INSTANCE_CATEGORY.is_in("g"),
    labels.INSTANCE_GENERATION.greater_than(4),
    labels.ARCH.is_in("amd64"),
)

VOCABULARY = {
    "to": [{"domainNames": ["openaipublic.blob.core.windows.net"]}],
    "ports": [{"port": 443, "protocol": "TCP"}],
}

Objects = dict[str, Any]


def new_chart() -> cdk8s.Chart:
    return cdk8s.Chart(cdk8s.App(), "models", namespace="models")


def server(chart: cdk8s.Chart | None = None, **arguments: Any) -> ModelServer:
    given: dict[str, Any] = {"model": GPT_OSS_20B, "image": IMAGE, "weights": S3} | arguments
    return ModelServer(chart or new_chart(), "gpt-oss-20b", **given)


def made(**arguments: Any) -> Objects:
    """The server's objects by kind."""
    chart = new_chart()
    server(chart, **arguments)
    return {item["kind"]: item for item in chart.to_json()}


def pod_of(objects: Objects) -> dict[str, Any]:
    spec: dict[str, Any] = objects["Deployment"]["spec"]["template"]["spec"]
    return spec


def container_of(objects: Objects) -> dict[str, Any]:
    (container,) = pod_of(objects)["containers"]
    assert isinstance(container, dict)
    return container


def environment_of(objects: Objects) -> dict[str, Any]:
    return {entry["name"]: entry.get("value", entry.get("valueFrom")) for entry in container_of(objects)["env"]}


def gpu_pool(chart: cdk8s.Chart, *requirements: Requirement, capacity: tuple[str, ...] = ("spot",)) -> NodePool:
    nodes = NodeClaimSpec(
        requirements=[labels.CAPACITY_TYPE.is_in(*capacity), *(requirements or TALK)],
        taints=[Taint(key="nvidia.com/gpu", effect="NoSchedule")],
    )
    spec = NodePoolSpec(template=NodeClaimTemplate(spec=nodes), limits={"nvidia.com/gpu": 4})
    return NodePool(chart, "gpu", node_class=NodeClass.from_name("default"), spec=spec)


class _NotSentError(Exception):
    """A request to AWS, by its address, that must not leave this machine."""


def _stop(request: AWSPreparedRequest, **_: Any) -> None:
    raise _NotSentError(request.url)


@pytest.fixture(scope="module")
def objects() -> Objects:
    return made()


def test_makes_what_a_server_needs(objects: Objects) -> None:
    alike = {"Deployment", "NetworkPolicy", "PodDisruptionBudget", "Service", "ServiceAccount"}
    assert {kind: (item["metadata"]["name"], item["metadata"]["namespace"]) for kind, item in objects.items()} == {
        **dict.fromkeys(alike, ("gpt-oss-20b", "models")),
        "ApplicationNetworkPolicy": ("gpt-oss-20b-domains", "models"),
    }


@pytest.mark.parametrize("version", ["1.36", "1.37"])
def test_kubernetes_knows_every_field(version: str) -> None:
    everything = made(
        api_key=SecretKey(name="api", key="key"),
        weights=HubWeights(token=SecretKey(name="hub", key="token")),
        restricted=False,
        compile_cache_host_path="/mnt/.ephemeral/compile-cache",
        clients=[{"ipBlock": {"cidr": "10.0.0.0/16"}}],
        strategy="Recreate",
        environment={"LOG": "1"},
    )
    for manifest in [*made().values(), *everything.values()]:
        if manifest["kind"] == "ApplicationNetworkPolicy":  # EKS's own kind
            assert judge_document(manifest) == []
        else:
            assert kubernetes_validate.validate(manifest, version, strict=True) == version


class TestCommand:
    def test_the_entry_point_of_the_image_is_left_out(self, objects: Objects) -> None:
        assert container_of(objects)["command"] == ["vllm", "serve"]

    def test_the_model_comes_first_and_every_flag_is_vllms(self, objects: Objects) -> None:
        assert container_of(objects)["args"] == [
            "s3://our-models/gpt-oss-20b/6cee5e8/",
            "--host=0.0.0.0",
            "--port=8000",
            "--served-model-name",
            "openai/gpt-oss-20b",
            "--max-model-len=32768",
            "--max-num-seqs=32",
            "--gpu-memory-utilization=0.92",
            "--kv-cache-dtype=auto",
            "--tensor-parallel-size=1",
            "--shutdown-timeout=90",
            "--load-format=runai_streamer",
            '--model-loader-extra-config={"concurrency":4,"memory_limit":4294967296}',
            "--disable-access-log-for-endpoints=/health",
            "--tool-call-parser=openai",
            "--enable-auto-tool-choice",
            "--max-cudagraph-capture-size=64",
        ]

    def test_a_flag_of_ours_gives_way_to_the_users(self) -> None:
        args = container_of(made(arguments=["--tool-call-parser=hermes", "--max-cudagraph-capture-size=8"]))["args"]
        assert args[-2:] == ["--tool-call-parser=hermes", "--max-cudagraph-capture-size=8"]
        assert "--enable-auto-tool-choice" not in args

    def test_a_flag_that_vllm_does_not_have_is_refused(self) -> None:
        assert refusal(lambda: server(arguments=["--max-modle-len=5"])) == (
            "models/gpt-oss-20b: arguments: '--max-modle-len' is not a flag of vLLM 0.33.0; "
            "did you mean '--max-model-len'?"
        )

    def test_a_parser_that_vllm_does_not_have_is_refused(self) -> None:
        said = refusal(lambda: server(arguments=["--tool-call-parser=opnai", "--enable-auto-tool-choice"]))
        assert "'opnai'" in said
        assert "did you mean 'openai'?" in said

    def test_what_has_an_argument_is_not_taken_as_a_flag(self) -> None:
        assert refusal(lambda: server(arguments=["--max_model_len=5", "--port=1"])) == (
            "models/gpt-oss-20b: 2 problems\n"
            "  arguments[0]: '--max-model-len' is set by this construct; use max_model_len\n"
            "  arguments[1]: '--port' is set by this construct; leave it out: the Service and the probes depend on it"
        )

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["-tp", "2"], "'-tp', which is '--tensor-parallel-size', is set by this construct; use gpus"),
            (["-tp=2"], "'-tp', which is '--tensor-parallel-size', is set by this construct; use gpus"),
            (["-t", "2"], "'-t', which is '--tensor-parallel-size', is set by this construct; use gpus"),
            (["--tensor_parallel_size=2"], "'--tensor-parallel-size' is set by this construct; use gpus"),
            (["--tensor-par=2"], "'--tensor-par', which is '--tensor-parallel-size', is set by this"),
            (["-pp", "2"], "'-pp', which is '--pipeline-parallel-size', is set by this construct; use gpus"),
            (["-pcp=2"], "'-pcp', which is '--prefill-context-parallel-size', is set by this construct; use gpus"),
            (["--data-parallel-size", "2"], "'--data-parallel-size' is set by this construct; use replicas"),
            (
                ["-dpl", "2"],
                "'-dpl', which is '--data-parallel-size-local', is set by this construct; use replicas",
            ),
            (
                ["--model-loader-extra-config.concurrency=8"],
                "'--model-loader-extra-config' is set by this construct; use weights",
            ),
            (["--load-f=auto"], "'--load-f', which is '--load-format', is set by this construct; use weights"),
        ],
    )
    def test_by_no_spelling_either(self, arguments: list[str], message: str) -> None:
        assert message in refusal(lambda: server(arguments=arguments))

    def test_what_shares_the_gpus_it_has_is_the_users(self) -> None:
        assert container_of(made(gpus=4, arguments=["-dcp", "2"]))["args"][-2:] == ["-dcp", "2"]

    def test_a_flag_of_ours_gives_way_to_its_short_form(self) -> None:
        args = container_of(made(arguments=["--tool-call-p", "hermes"]))["args"]
        assert not [flag for flag in args if flag.startswith("--tool-call-parser")]


class TestWeights:
    def test_the_image_holds_them(self) -> None:
        objects = made(weights=ImageWeights(path="/models/gpt-oss-20b"))
        assert container_of(objects)["args"][0] == "/models/gpt-oss-20b"
        assert environment_of(objects)["HF_HUB_OFFLINE"] == "1"
        assert not [flag for flag in container_of(objects)["args"] if flag.startswith("--load-format")]

    def test_the_hub_gives_the_presets_revision_and_the_cache_has_room(self) -> None:
        objects = made(weights=HubWeights(token=SecretKey(name="hub", key="token")))
        args = container_of(objects)["args"]
        assert args[0] == "openai/gpt-oss-20b"
        assert f"--revision={GPT_OSS_20B.revision}" in args
        assert "HF_HUB_OFFLINE" not in environment_of(objects)
        assert environment_of(objects)["HF_TOKEN"] == {"secretKeyRef": {"name": "hub", "key": "token"}}
        sizes = {volume["name"]: volume["emptyDir"]["sizeLimit"] for volume in pod_of(objects)["volumes"]}
        assert sizes == {"cache": "16Gi", "tmp": "1Gi", "shm": "1Gi"}

    def test_the_streamer_gets_a_limit_that_holds_the_largest_tensor(self) -> None:
        def config(weights: S3Weights, model: ModelPreset = GPT_OSS_20B) -> str:
            (flag,) = [flag for flag in weights.arguments(model) if "extra-config" in flag]
            return flag.partition("=")[2]

        assert config(S3) == '{"concurrency":4,"memory_limit":4294967296}'
        larger = replace(GPT_OSS_20B, largest_tensor_bytes=6 * 10**9)
        assert config(S3, larger) == '{"concurrency":4,"memory_limit":6000000000}'
        assert config(replace(S3, memory_limit="2Gi")) == '{"concurrency":4,"memory_limit":2147483648}'
        assert config(replace(S3, memory_limit=3 * 10**9)) == '{"concurrency":4,"memory_limit":3000000000}'

    def test_a_limit_is_no_other_place(self) -> None:
        assert replace(S3, memory_limit="2Gi") == S3

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (
                {"weights": replace(S3, memory_limit="8Gi")},
                "memory: loading openai/gpt-oss-20b takes 14.0 GiB (the streamer's buffer 8.0, vLLM about 6), but the "
                "container may use 12Gi; set memory to 14Gi, or the weights' memory_limit to 6442450944",
            ),
            (
                {"memory": "7Gi"},
                "memory: loading openai/gpt-oss-20b takes 10.0 GiB (the streamer's buffer 4.0, vLLM about 6), but the "
                "container may use 7Gi; set memory to 10Gi",
            ),
            (
                {"gpus": 2, "memory": "12Gi"},
                "memory: loading openai/gpt-oss-20b takes 14.0 GiB (the streamer's buffer of 2 processes 8.0, vLLM "
                "about 6), but the container may use 12Gi; set memory to 14Gi, or the weights' memory_limit to "
                "3221225472",
            ),
            (
                {"weights": replace(S3, memory_limit="1Gi")},
                "weights.memory_limit: '1Gi' does not hold the 1,158,266,880 bytes of openai/gpt-oss-20b's largest "
                "tensor; set it to 1158266880 or more, or leave it out",
            ),
            (
                {"environment": {"RUNAI_STREAMER_MEMORY_LIMIT": "-1"}},
                "environment['RUNAI_STREAMER_MEMORY_LIMIT']: is set by the weights' memory_limit; "
                "use S3Weights(..., memory_limit='-1')",
            ),
        ],
    )
    def test_a_buffer_that_does_not_fit(self, arguments: Any, message: str) -> None:
        assert refusal(lambda: server(**arguments)) == f"models/gpt-oss-20b: {message}"

    def test_weights_that_are_not_streamed_need_no_buffer(self) -> None:
        made(weights=ImageWeights(path="/models/x"), memory="7Gi", environment={"RUNAI_STREAMER_MEMORY_LIMIT": "1"})

    def test_a_bucket_of_the_app_is_known_late(self) -> None:
        bucket = cdk.Token.as_string({"Ref": "Bucket"})
        assert container_of(made(weights=S3Weights(bucket=bucket, prefix="a/b")))["args"][0] == f"s3://{bucket}/a/b/"

    @pytest.mark.parametrize(
        ("weights", "message"),
        [
            (
                S3Weights(bucket="", prefix="a"),
                "weights.bucket: '' is not the name of an S3 bucket; "
                "name the bucket that the weights are in, without 's3://'",
            ),
            (
                S3Weights(bucket="s3://models", prefix="a"),
                "weights.bucket: 's3://models' is not the name of an S3 bucket; "
                "name the bucket that the weights are in, without 's3://'",
            ),
            (
                S3Weights(bucket="models", prefix="/a/"),
                "weights.prefix: '/a/' is not a prefix of S3 objects; "
                "write it without a slash at either end, such as 'gpt-oss-20b/<revision>'",
            ),
            *(
                (
                    S3Weights(bucket="models", prefix="a", memory_limit=limit),
                    f"weights.memory_limit: {limit!r} is not a number of bytes; write 4294967296, or '4Gi'",
                )
                for limit in ("much", 0, -1, "NaN", "1e99")
            ),
            (
                ImageWeights(path="models"),
                "weights.path: 'models' is not an absolute path in the image; begin it with '/': '/models/gpt-oss-20b'",
            ),
            (
                HubWeights(repository="openai/gpt-oss-20b", revision="main"),
                "weights.revision: 'main' is not a commit, so each pod may load a different model; "
                "write the commit's 40 hexadecimal digits",
            ),
            (
                HubWeights(repository="openai/gpt-oss-20b"),
                "weights: repository and revision belong together; pass both, or neither to use the model's own",
            ),
            (
                "s3://models/a",
                "weights: needs an S3Weights, an ImageWeights or a HubWeights, got the text 's3://models/a'",
            ),
        ],
    )
    def test_wrong_weights_are_refused(self, weights: Any, message: str) -> None:
        assert refusal(lambda: server(weights=weights)) == f"models/gpt-oss-20b: {message}"


class TestPod:
    def test_it_wants_a_gpu_and_tolerates_its_taint(self, objects: Objects) -> None:
        assert container_of(objects)["resources"] == {
            "requests": {"cpu": "3", "memory": "12Gi", "nvidia.com/gpu": 1},
            "limits": {"memory": "12Gi", "nvidia.com/gpu": 1},
        }
        assert pod_of(objects)["tolerations"] == [
            {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
        ]
        assert pod_of(objects)["nodeSelector"] == {
            "eks.amazonaws.com/compute-type": "auto",
            "kubernetes.io/arch": "amd64",
        }

    def test_its_pool_is_selected_by_name(self) -> None:
        chart = new_chart()
        server(chart, node_pool=gpu_pool(chart), node_selector={"zone": "a"})
        (deployment,) = [item for item in chart.to_json() if item["kind"] == "Deployment"]
        assert deployment["spec"]["template"]["spec"]["nodeSelector"] == {
            "eks.amazonaws.com/compute-type": "auto",
            "kubernetes.io/arch": "amd64",
            "karpenter.sh/nodepool": "gpu",
            "zone": "a",
        }

    def test_it_is_restricted_and_has_where_to_write(self, objects: Objects) -> None:
        pod, container = pod_of(objects), container_of(objects)
        assert pod["securityContext"] == {
            "runAsNonRoot": True,
            "runAsUser": 2000,
            "runAsGroup": 0,
            "fsGroup": 2000,
            "seccompProfile": {"type": "RuntimeDefault"},
        }
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        written = {mount["mountPath"] for mount in container["volumeMounts"]}
        assert written == {"/cache", "/tmp", "/dev/shm"}
        # vLLM asks who it is, and writes below these.
        environment = environment_of(objects)
        assert environment["USER"] == "vllm"
        assert {environment[name].split("/")[1] for name in ("HOME", "HF_HOME", "TRITON_CACHE_DIR")} == {"cache"}

    def test_one_switch_relaxes_it(self) -> None:
        objects = made(restricted=False, compile_cache_host_path="/mnt/.ephemeral/compile-cache")
        assert pod_of(objects)["securityContext"] == {"seccompProfile": {"type": "RuntimeDefault"}}
        assert container_of(objects)["securityContext"] == {"allowPrivilegeEscalation": False}
        assert pod_of(objects)["volumes"][0] == {
            "name": "cache",
            "hostPath": {"path": "/mnt/.ephemeral/compile-cache", "type": "DirectoryOrCreate"},
        }

    def test_nothing_of_kubernetes_leaks_into_it(self, objects: Objects) -> None:
        assert pod_of(objects)["enableServiceLinks"] is False
        assert pod_of(objects)["automountServiceAccountToken"] is False
        assert objects["ServiceAccount"]["automountServiceAccountToken"] is False

    def test_startup_may_take_its_time_and_the_rollout_waits(self) -> None:
        objects = made(startup_timeout=1201)
        probe = container_of(objects)["startupProbe"]
        assert probe["httpGet"] == {"path": "/health", "port": "http"}
        assert probe["periodSeconds"] * probe["failureThreshold"] == 1205
        assert objects["Deployment"]["spec"]["progressDeadlineSeconds"] == 2101

    def test_the_drain_adds_up(self, objects: Objects) -> None:
        assert container_of(objects)["lifecycle"] == {"preStop": {"sleep": {"seconds": 10}}}
        assert "--shutdown-timeout=90" in container_of(objects)["args"]
        assert pod_of(objects)["terminationGracePeriodSeconds"] == 120
        assert "lifecycle" not in container_of(made(pre_stop_delay=0))

    def test_an_api_key_comes_from_a_secret(self) -> None:
        environment = environment_of(made(api_key=SecretKey(name="api", key="key")))
        assert environment["VLLM_API_KEY"] == {"secretKeyRef": {"name": "api", "key": "key"}}

    def test_the_users_environment_comes_last(self) -> None:
        environment = environment_of(made(environment={"HF_HOME": "/cache/mine", "MORE": "1"}))
        assert (environment["HF_HOME"], environment["MORE"]) == ("/cache/mine", "1")

    def test_another_service_account_may_exist_already(self) -> None:
        objects = made(service_account="models")
        assert pod_of(objects)["serviceAccountName"] == "models"
        assert "ServiceAccount" not in objects

    def test_gpus_are_shared_by_the_model(self) -> None:
        objects = made(gpus=4)
        assert "--tensor-parallel-size=4" in container_of(objects)["args"]
        assert container_of(objects)["resources"]["limits"] == {"memory": "24Gi", "nvidia.com/gpu": 4}
        assert pod_of(objects)["volumes"][-1]["emptyDir"] == {"medium": "Memory", "sizeLimit": "4Gi"}


class TestTraffic:
    def test_the_service_listens_on_port_8000(self, objects: Objects) -> None:
        assert objects["Service"]["spec"] == {
            "type": "ClusterIP",
            "selector": {"app.kubernetes.io/name": "gpt-oss-20b"},
            "ports": [{"name": "http", "port": 8000, "targetPort": "http", "protocol": "TCP"}],
        }

    def test_a_service_monitor_finds_the_service_by_its_label(self, objects: Objects) -> None:
        assert objects["Service"]["metadata"]["labels"] == {"app.kubernetes.io/name": "gpt-oss-20b"}

    def test_dns_and_pod_identity_go_out_by_address(self, objects: Objects) -> None:
        assert objects["NetworkPolicy"]["spec"] == {
            "podSelector": {"matchLabels": {"app.kubernetes.io/name": "gpt-oss-20b"}},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": [{"podSelector": {}}], "ports": [{"port": 8000, "protocol": "TCP"}]}],
            "egress": [DNS.to_manifest(), POD_IDENTITY.to_manifest()],
        }

    def test_s3_by_the_names_of_the_bucket(self) -> None:
        weights = replace(S3, region="eu-west-1")
        spec = made(weights=weights)["ApplicationNetworkPolicy"]["spec"]
        assert spec == {
            "podSelector": {"matchLabels": {"app.kubernetes.io/name": "gpt-oss-20b"}},
            "policyTypes": ["Egress"],
            "egress": [
                DNS.to_manifest(),
                {
                    "to": [{"domainNames": ["our-models.s3.eu-west-1.amazonaws.com", "s3.eu-west-1.amazonaws.com"]}],
                    "ports": [{"port": 443, "protocol": "TCP"}],
                },
                VOCABULARY,
            ],
        }

    @pytest.mark.parametrize(
        ("region", "variables", "names"),
        [
            (
                "us-east-1",  # SDKs still use the global name there
                {},
                [
                    *("our-models.s3.us-east-1.amazonaws.com", "s3.us-east-1.amazonaws.com"),
                    *("our-models.s3.amazonaws.com", "s3.amazonaws.com"),
                ],
            ),
            ("us-gov-west-1", {}, ["our-models.s3.us-gov-west-1.amazonaws.com", "s3.us-gov-west-1.amazonaws.com"]),
            ("eusc-de-east-1", {}, ["our-models.s3.eusc-de-east-1.amazonaws.eu", "s3.eusc-de-east-1.amazonaws.eu"]),
            (
                "us-gov-west-1",
                {"AWS_USE_FIPS_ENDPOINT": "true"},
                ["our-models.s3-fips.us-gov-west-1.amazonaws.com", "s3-fips.us-gov-west-1.amazonaws.com"],
            ),
            (
                "us-east-1",
                {"AWS_USE_FIPS_ENDPOINT": "true", "AWS_USE_DUALSTACK_ENDPOINT": "true"},
                ["our-models.s3-fips.dualstack.us-east-1.amazonaws.com", "s3-fips.dualstack.us-east-1.amazonaws.com"],
            ),
        ],
    )
    def test_the_names_are_those_that_the_sdk_uses(
        self, region: str, variables: dict[str, str], names: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        spec = made(weights=replace(S3, region=region), environment=variables)["ApplicationNetworkPolicy"]["spec"]
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        assert spec["egress"][1]["to"] == [{"domainNames": names}]
        client = boto3.client("s3", region_name=region, aws_access_key_id="a", aws_secret_access_key="b")
        client.meta.events.register("before-send.s3.HeadObject", _stop)
        with pytest.raises(_NotSentError) as request:
            client.head_object(Bucket="our-models", Key="k")
        assert urlsplit(str(request.value)).hostname in names

    def test_a_region_that_is_not_known_may_be_any(self) -> None:
        rule = made()["ApplicationNetworkPolicy"]["spec"]["egress"][1]
        names = rule["to"][0]["domainNames"]
        assert {f"our-models.s3.{region}.amazonaws.com" for region in ("eu-west-1", "us-gov-west-1")} < set(names)
        assert all("s3." in name and "*" not in name for name in names)

    def test_a_region_that_a_deployment_knows(self) -> None:
        late = cdk.Aws.REGION
        rule = made(weights=replace(S3, region=late))["ApplicationNetworkPolicy"]["spec"]["egress"][1]
        assert rule["to"][0]["domainNames"][0] == f"our-models.s3.{late}.amazonaws.com"

    def test_s3_by_the_block_of_its_interface_endpoint(self) -> None:
        objects = made(weights=replace(S3, endpoint_cidrs=["10.0.0.0/16"]))
        assert objects["ApplicationNetworkPolicy"]["spec"]["egress"][1:] == [VOCABULARY]
        assert objects["NetworkPolicy"]["spec"]["egress"][2] == {
            "to": [{"ipBlock": {"cidr": "10.0.0.0/16"}}],
            "ports": [{"port": 443, "protocol": "TCP"}],
        }

    def test_weights_in_the_image_open_nothing(self) -> None:
        objects = made(weights=ImageWeights(path="/models/gpt-oss-20b"), vllm_version="0.33.0")
        assert "ApplicationNetworkPolicy" not in objects
        assert objects["NetworkPolicy"]["spec"]["egress"] == [DNS.to_manifest(), POD_IDENTITY.to_manifest()]

    def test_weights_of_the_hub_open_the_hub(self) -> None:
        spec = made(weights=HubWeights())["ApplicationNetworkPolicy"]["spec"]
        assert spec["egress"][1]["to"] == [{"domainNames": ["huggingface.co", "*.hf.co"]}]

    @pytest.mark.parametrize(
        ("arguments", "loaded"),
        [
            ({"vllm_version": "0.27.1"}, True),
            ({}, True),  # an image whose version is not known
            ({"vllm_version": "0.33.0"}, False),
            ({"environment": {"TIKTOKEN_ENCODINGS_BASE": "/models/vocabulary"}}, False),
            ({"model": replace(GPT_OSS_20B, name="m", repository="example/m", tool_call_parser=None)}, False),
            ({"model": replace(GPT_OSS_20B, repository="openai/gpt-oss-120b", tool_call_parser=None)}, True),
        ],
    )
    def test_the_vocabulary_of_gpt_oss_is_loaded_at_the_start(self, arguments: dict[str, Any], loaded: bool) -> None:
        objects = made(weights=ImageWeights(path="/models/m"), **arguments)
        assert ("ApplicationNetworkPolicy" in objects) is loaded
        if loaded:
            assert objects["ApplicationNetworkPolicy"]["spec"]["egress"] == [DNS.to_manifest(), VOCABULARY]

    def test_the_vocabulary_may_be_elsewhere(self) -> None:
        variables = {"TIKTOKEN_ENCODINGS_BASE": "https://mirror.example.com/encodings/"}
        objects = made(weights=ImageWeights(path="/models/m"), environment=variables)
        (rule,) = objects["ApplicationNetworkPolicy"]["spec"]["egress"][1:]
        assert rule["to"] == [{"domainNames": ["mirror.example.com"]}]

    def test_a_proxy_is_reached_at_its_port(self) -> None:
        objects = made(
            weights=ImageWeights(path="/models/gpt-oss-20b"), environment={"HTTPS_PROXY": "http://10.1.2.3:3128"}
        )
        assert objects["NetworkPolicy"]["spec"]["egress"][2] == {
            "to": [{"ipBlock": {"cidr": "10.1.2.3/32"}}],
            "ports": [{"port": 3128, "protocol": "TCP"}],
        }

    def test_what_the_user_names_takes_the_place_of_what_is_derived(self) -> None:
        objects = made(egress=[https_to(domain_names=["otel.example.com"], port=4318)])
        (rule,) = objects["ApplicationNetworkPolicy"]["spec"]["egress"][1:]
        assert rule == {
            "to": [{"domainNames": ["otel.example.com"]}],
            "ports": [{"port": 4318, "protocol": "TCP"}],
        }
        assert objects["NetworkPolicy"]["spec"]["egress"] == [DNS.to_manifest(), POD_IDENTITY.to_manifest()]

    def test_clients_are_named_or_nobody(self) -> None:
        vpc = {"ipBlock": {"cidr": "10.0.0.0/16"}}
        assert made(clients=[vpc])["NetworkPolicy"]["spec"]["ingress"][0]["from"] == [vpc]
        typed = ApplicationPeer(namespace_selector=LabelSelector(match_labels={"kubernetes.io/metadata.name": "shop"}))
        assert made(clients=[typed])["NetworkPolicy"]["spec"]["ingress"][0]["from"] == [typed.to_manifest()]
        assert made(clients=[])["NetworkPolicy"]["spec"]["ingress"] == []
        assert "NetworkPolicy" not in made(network_policy=False)

    @pytest.mark.parametrize(
        ("arguments", "warned"),
        [
            ({}, None),
            ({"clients": [{"podSelector": {"matchLabels": {"app": "web"}}}]}, None),
            ({"clients": []}, None),
            (
                {"clients": [{"podSelector": {}}, {"namespaceSelector": {}}]},
                "clients: whoever they admit may use the model, which asks for no key; "
                "give it api_key=SecretKey(name=..., key=...)",
            ),
            ({"clients": [{"namespaceSelector": {}}], "api_key": SecretKey(name="api", key="key")}, None),
            ({"clients": [{"namespaceSelector": {}}], "environment": {"VLLM_API_KEY": "k"}}, None),
            (
                {"network_policy": False},
                "network_policy: without a policy every pod of the cluster may use the model, which asks for no key; "
                "give it api_key=SecretKey(name=..., key=...)",
            ),
        ],
    )
    def test_whom_a_model_without_a_key_serves(self, arguments: dict[str, Any], warned: str | None) -> None:
        chart = new_chart()
        server(chart, **arguments)
        told = [note.message for note in render(chart).notes if note.rule == "automode:OpenModel"]
        assert told == ([] if warned is None else [warned])

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"clients": [{}]}, "clients[0]: is empty and selects nobody; write {'podSelector': {}} for the pods of "),
            ({"clients": [{"podselector": {}}]}, "clients[0].podselector: is not a known field; did you mean 'podSel"),
            (
                {"clients": [{"ipBlock": {"cidr": "10.0.0.1"}}]},
                "clients[0].ipBlock.cidr: '10.0.0.1' has no prefix length; write '10.0.0.1/32'",
            ),
            (
                {"clients": [], "network_policy": False},
                "clients: has no effect with network_policy=False; leave clients out, or network_policy",
            ),
            (
                {"egress": [], "network_policy": False},
                "egress: has no effect with network_policy=False; leave egress out, or network_policy",
            ),
            (
                {"environment": {"HTTPS_PROXY": "proxy:3128"}},
                "egress: is needed beside environment['HTTPS_PROXY'], whose host no policy can name (got "
                "'proxy:3128'); name where the pods open connections to: egress=[https_to(domain_names=[...])]",
            ),
            (
                {"environment": {"HF_ENDPOINT": "http://mirror.hub.svc"}},
                "egress: is needed beside environment['HF_ENDPOINT'], whose host no policy can name (got 'http://mir",
            ),
            (
                {"environment": {"AWS_ENDPOINT_URL_S3": cdk.Aws.STACK_NAME}},
                "egress: is needed beside environment['AWS_ENDPOINT_URL_S3'], whose host no policy can name (is known "
                "only after deployment)",
            ),
            (
                {"weights": replace(S3, region="eu west")},
                "weights.region: 'eu west' is no region; write it like 'eu-wes",
            ),
            ({"weights": replace(S3, endpoint_cidrs=["10.0.0.0"])}, "weights.endpoint_cidrs: '10.0.0.0' has no pre"),
        ],
    )
    def test_traffic_that_no_policy_can_hold(self, arguments: dict[str, Any], message: str) -> None:
        assert message in refusal(lambda: made(**arguments))

    def test_the_budget_never_blocks_a_node(self, objects: Objects) -> None:
        budget = objects["PodDisruptionBudget"]["spec"]
        assert (budget["maxUnavailable"], budget["unhealthyPodEvictionPolicy"]) == (1, "AlwaysAllow")


class TestRefusals:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (
                {"model": "openai/gpt-oss-20b"},
                "model: needs a ModelPreset, got the text 'openai/gpt-oss-20b'",
            ),
            (
                {"image": "vllm/vllm-openai"},
                "image: 'vllm/vllm-openai' has neither tag nor digest, so each node may run a different image; "
                "add ':<tag>', or better '@sha256:<digest>'",
            ),
            (
                {"image": "vllm/vllm-openai:v0.11.0"},
                "image: 'vllm/vllm-openai:v0.11.0' has vLLM 0.11.0, but openai/gpt-oss-20b needs 0.22 or newer; "
                "use a newer image",
            ),
            ({"replicas": -1}, "replicas: needs a whole number of at least 0, got -1"),
            ({"replicas": True}, "replicas: needs a whole number, got True"),
            ({"memory": "NaN"}, "memory: 'NaN' is not a quantity such as 3, '500m' or '12Gi'"),
            ({"memory": "12 GB"}, "memory: '12 GB' is not a quantity such as 3, '500m' or '12Gi'"),
            ({"gpu_memory_utilization": 92}, "gpu_memory_utilization: needs a share above 0 and up to 1, got 92"),
            (
                {"max_model_len": 200_000},
                "max_model_len: 200,000 tokens are more than the 131,072 that openai/gpt-oss-20b can read; "
                "set it to 131072 or less",
            ),
            (
                {"shutdown_timeout": 120},
                "termination_grace_period: 10 s pre_stop_delay + 120 s shutdown_timeout + 20 s to end = 150 s, but "
                "Kubernetes kills the pod after 120 s; set it to 150 or more, or shorten the others",
            ),
            (
                {"compile_cache_host_path": "/mnt/x"},
                "compile_cache_host_path: '/mnt/x' is a folder on the node: a restricted pod may not mount it, and "
                "its user may not write to it; pass restricted=False with it",
            ),
            (
                {"name": "Server"},
                "name: 'Server' cannot be the name of this object; use at most 63 lower-case letters, digits, '-' and "
                "'.', beginning and ending with a letter or digit",
            ),
        ],
    )
    def test_wrong_use(self, arguments: Mapping[str, Any], message: str) -> None:
        assert refusal(lambda: server(**arguments)) == f"models/gpt-oss-20b: {message}"

    def test_nothing_is_half_made(self) -> None:
        chart = new_chart()
        refusal(lambda: server(chart, replicas=-1))
        assert chart.node.children == []

    def test_what_does_not_fit_the_pool_is_refused(self) -> None:
        chart = new_chart()
        pool = gpu_pool(chart, labels.INSTANCE_FAMILY.is_in("g4dn"))
        said = refusal(lambda: server(chart, node_pool=pool, replicas=9))
        assert said.startswith(
            "models/gpt-oss-20b: 2 problems\n  replicas: 9 replicas of 1 GPU need 9, but pool 'gpu' is "
        )
        assert "compute capability 7.5 < 8.0" in said


class TestWarnings:
    def warnings(self, **arguments: Any) -> list[str]:
        chart = new_chart()
        capacity = arguments.pop("capacity", ("spot", "on-demand"))
        requirements = arguments.pop("requirements", TALK)
        server(chart, node_pool=gpu_pool(chart, *requirements, capacity=capacity), **arguments)
        return [f"{note.rule}: {note.message}" for note in render(chart).notes]

    def test_silence_by_default(self) -> None:
        assert self.warnings() == []

    def test_a_drain_longer_than_spots_notice(self) -> None:
        longer = {"shutdown_timeout": 200, "termination_grace_period": 240}
        assert self.warnings(**longer) == [
            "automode:DrainLongerThanSpotNotice: termination_grace_period: 240 s, but a Spot node of pool 'gpu' is "
            "gone 120 s after its notice; shorten shutdown_timeout, or use on-demand only"
        ]
        assert self.warnings(**longer, capacity=("on-demand",)) == []

    def test_replicas_that_leave_no_room_for_an_update(self) -> None:
        assert self.warnings(replicas=3) == self.warnings(replicas=4, strategy="Recreate") == []
        assert self.warnings(replicas=4) == [
            "automode:SurgeExceedsLimit: spec.replicas: its 4 replicas and 1 more during a rolling update need 5 "
            "nvidia.com/gpu, but NodePool 'gpu' is limited to 4: no update ever ends; raise its "
            "limits['nvidia.com/gpu'] to 5 or more, or set maxSurge 0 and maxUnavailable 1 (of a ModelServer: "
            "strategy='Recreate')"
        ]

    def test_a_fraction_of_a_gpu(self) -> None:
        _, said = self.warnings(requirements=[labels.INSTANCE_FAMILY.is_in("g6f")])  # the first is the pool's own
        assert said == (
            "automode:UnknownInstanceTypes: node_pool: pool 'gpu' asks for g6f: g6f has an eighth to a half of an L4 "
            "(3 to 12 GB), and openai/gpt-oss-20b needs 16.5 GiB (weights 13.7, overhead 2.0, KV cache of one request "
            "of 32,768 tokens 0.8); with less, the server does not start; require a family with whole GPUs, such as "
            "labels.INSTANCE_FAMILY.is_in('g6')"
        )

    def test_types_that_are_not_known(self) -> None:
        _, said = self.warnings(requirements=[labels.INSTANCE_TYPE.is_in("g9.xlarge", "g6.xlarge")])
        assert said.startswith(
            "automode:UnknownInstanceTypes: node_pool: pool 'gpu' asks for g9.xlarge, which the catalogue lacks: "
            "openai/gpt-oss-20b needs 16.5 GiB"
        )

    def test_a_largest_tensor_that_nobody_knows(self) -> None:
        model = replace(GPT_OSS_20B, largest_tensor_bytes=None)
        assert self.warnings(model=model) == [
            "automode:StreamerLimit: model.largest_tensor_bytes: is not known, so the streamer's 4,294,967,296 bytes "
            "may be too few for that tensor; set it in the ModelPreset"
        ]
        assert self.warnings(model=replace(model, weight_bytes=4 * 10**9)) == []

    def test_a_flag_that_only_a_newer_vllm_may_know(self) -> None:
        (said,) = self.warnings(vllm_version="9.9.0", arguments=["--brand-new=1"])
        assert said.startswith(
            "automode:VllmArgument: arguments: '--brand-new' is not a flag of vLLM 0.33.0; vLLM 9.9.0 is not known here"
        )


def test_an_autoscaled_server_has_no_replicas() -> None:
    assert made()["Deployment"]["spec"]["replicas"] == 1
    assert "replicas" not in made(replicas=None)["Deployment"]["spec"]


def test_the_cdk_shows_once_what_server_and_tree_say() -> None:
    chart = new_chart()
    server(chart, node_pool=gpu_pool(chart), replicas=4)
    rendering = render(chart)
    (note,) = rendering.notes
    found = judge_tree([item.in_tree() for item in rendering.objects], default_node_class=True, whole=True)
    assert [str(finding) for finding in found if finding.rule == note.rule] == [f"{note.where}: {note.message}"]


def test_a_model_of_ones_own_is_a_preset_of_ones_own() -> None:
    model = ModelPreset(
        name="acme/small",
        repository="acme/small",
        revision="0" * 40,
        files=("*",),
        parameters=10**9,
        weight_bytes=2 * 10**9,
        weights_in_gpu_gib=2,
        overhead_gib=2,
        max_context=8192,
        kv_bytes_per_token=1024,
        min_compute_capability=(7, 0),
        min_vllm_version="0.22",
    )
    args = container_of(made(model=model, weights=HubWeights()))["args"]
    assert args[0] == "acme/small"
    assert "--max-model-len=8192" in args
    assert not [flag for flag in args if "tool" in flag]


@pytest.mark.parametrize("preset", MODEL_PRESETS, ids=lambda preset: preset.name)
def test_every_preset_makes_a_server_that_vllm_takes(preset: ModelPreset) -> None:
    image = "111122223333.dkr.ecr.eu-west-1.amazonaws.com/vllm:0.27.1"
    arguments = container_of(made(model=preset, image=image))["args"]
    assert f"--tool-call-parser={preset.tool_call_parser}" in arguments
    reasoning = [each for each in arguments if each.startswith("--reasoning-parser")]
    assert reasoning == ([] if preset.reasoning_parser is None else [f"--reasoning-parser={preset.reasoning_parser}"])


def test_a_reasoning_parser_of_the_users_own_comes_first() -> None:
    arguments = container_of(made(model=QWEN3_8B, arguments=["--reasoning-parser=deepseek_r1"]))["args"]
    assert [each for each in arguments if "reasoning-parser" in each] == ["--reasoning-parser=deepseek_r1"]


@pytest.mark.parametrize(
    ("preset", "family", "text"),
    [
        (
            GPT_OSS_120B,
            "g6e",
            "models/gpt-oss-20b: node_pool: pool 'gpu' admits g6e's L40S: openai/gpt-oss-120b needs 69.1 GiB (weights "
            "65.9, overhead 2.0, KV cache of one request of 32,768 tokens 1.2); g6e's L40S has 44.4 GiB, of which vLLM "
            "takes 0.92 = 40.8 GiB; require labels.INSTANCE_FAMILY.is_not_in('g6e') in the pool",
        ),
        (
            QWEN3_8B,
            "g6",
            "models/gpt-oss-20b: node_pool: pool 'gpu' admits g6's L4: Qwen/Qwen3-8B needs 21.8 GiB (weights 15.3, "
            "overhead 2.0, KV cache of one request of 32,768 tokens 4.5); g6's L4 has 22.0 GiB, of which vLLM takes "
            "0.92 = 20.2 GiB; require labels.INSTANCE_FAMILY.is_not_in('g6') in the pool, or lower max_model_len to "
            "21,504 or less",
        ),
    ],
    ids=["120b", "8b"],
)
def test_a_preset_too_large_for_its_pool_is_refused(preset: ModelPreset, family: str, text: str) -> None:
    chart = new_chart()
    pool = gpu_pool(chart, labels.INSTANCE_FAMILY.is_in(family), labels.ARCH.is_in("amd64"))
    assert refusal(lambda: server(chart, model=preset, node_pool=pool)) == text
