"""The model of the demo: what is stored, which nodes it gets, what is refused.

Run once with AUTOMODE_REGENERATE=1 to write the stored objects anew, then read the difference.
"""

from __future__ import annotations

import copy
import json
import os
from pathlib import Path
from typing import Any

import cdk8s
import kubernetes_validate
import pytest
import yaml

from automode_constructs.checks.whole_tree import judge_tree
from automode_constructs.cli.main import main
from automode_constructs.inference.fast_start import FastStart
from automode_constructs.inference.weights import HubWeights, S3Weights
from automode_constructs.manifests.cluster_values import ClusterValues
from automode_constructs.patterns.charts.gpt_oss import WEIGHTS_PREFIX, GptOssChart
from automode_constructs.patterns.charts.network_policies import NetworkPoliciesChart
from automode_constructs.patterns.charts.node_pools import NodePoolsChart
from automode_constructs.rendering.render import render
from automode_constructs.rendering.yaml_folder import to_yaml
from automode_constructs.specs.nodes.node_class import NodeClassSpec
from automode_constructs.specs.pools.node_pool import NodePoolSpec
from automode_constructs.specs.traffic.network_policy import ApplicationNetworkPolicySpec
from tests.refusal import refusal
from tests.support import POLICIES_ON

EXAMPLES = Path(__file__).parents[3] / "examples"
STORED = EXAMPLES / "gpt_oss.yaml"
VALUES = ClusterValues.from_outputs(json.loads((EXAMPLES / "outputs.json").read_text("utf-8")), where="outputs.json")
S3 = S3Weights(bucket="automode-weights", prefix=WEIGHTS_PREFIX)

Objects = list[dict[str, Any]]


def chart(id: str = "gpt-oss", **arguments: Any) -> GptOssChart:
    given: dict[str, Any] = {"values": VALUES, "weights": S3} | arguments
    return GptOssChart(cdk8s.App(), id, **given)


def written(chart: cdk8s.Chart) -> Objects:
    return [item.manifest for item in render(chart).objects]


def of_kind(objects: Objects, kind: str) -> dict[str, Any]:
    (found,) = [item for item in objects if item["kind"] == kind]
    return found


def requirements(objects: Objects) -> dict[tuple[str, str], list[str]]:
    listed = of_kind(objects, "NodePool")["spec"]["template"]["spec"]["requirements"]
    return {(item["key"], item["operator"]): item["values"] for item in listed}


@pytest.fixture(scope="module")
def objects() -> Objects:
    return written(chart())


def test_holds_the_stored_objects(objects: Objects) -> None:
    if os.environ.get("AUTOMODE_REGENERATE"):
        STORED.write_text(to_yaml(objects), "utf-8")
    assert list(yaml.safe_load_all(STORED.read_text("utf-8"))) == objects


def test_nothing_comes_from_the_place_in_the_code(objects: Objects) -> None:
    assert written(chart("elsewhere")) == objects


@pytest.mark.parametrize("version", ["1.36", "1.37"])
def test_kubernetes_knows_every_field_of_its_own_kinds(objects: Objects, version: str) -> None:
    judged = [item for item in objects if item["kind"] not in {"ApplicationNetworkPolicy", "NodeClass", "NodePool"}]
    assert len(judged) == 10
    for manifest in judged:
        assert kubernetes_validate.validate(manifest, version, strict=True) == version


def test_auto_mode_knows_every_field_of_the_others(objects: Objects) -> None:
    NodeClassSpec.from_manifest(of_kind(objects, "NodeClass")["spec"])
    NodePoolSpec.from_manifest(of_kind(objects, "NodePool")["spec"])
    for policy in (item for item in objects if item["kind"] == "ApplicationNetworkPolicy"):
        ApplicationNetworkPolicySpec.from_manifest(policy["spec"])


def test_the_linter_finds_nothing_and_would(
    objects: Objects, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "model.yaml").write_text(to_yaml([POLICIES_ON, *objects]), "utf-8")
    assert main(["lint", "--strict", str(tmp_path)]) == 0
    assert capsys.readouterr().out == ""
    broken = copy.deepcopy(objects)
    of_kind(broken, "NodePool")["spec"]["template"]["spec"]["expireAfter"] = "900h"
    (tmp_path / "model.yaml").write_text(to_yaml([POLICIES_ON, *broken]), "utf-8")
    assert main(["lint", "--strict", str(tmp_path)]) == 1
    assert "automode:NodeLifetime" in capsys.readouterr().out


class TestPool:
    def test_has_the_requirements_of_the_talk_and_the_guards(self, objects: Objects) -> None:
        assert requirements(objects) == {
            ("karpenter.sh/capacity-type", "In"): ["spot", "on-demand"],
            ("eks.amazonaws.com/instance-category", "In"): ["g"],
            ("eks.amazonaws.com/instance-generation", "Gt"): ["4"],
            ("kubernetes.io/arch", "In"): ["amd64"],
            ("eks.amazonaws.com/instance-gpu-count", "In"): ["1"],
            ("eks.amazonaws.com/instance-gpu-memory", "Gt"): ["22000"],
            ("eks.amazonaws.com/instance-local-nvme", "Gt"): ["200"],
            ("eks.amazonaws.com/instance-cpu", "Lt"): ["33"],
        }
        pool = of_kind(objects, "NodePool")["spec"]
        assert pool["limits"] == {"nvidia.com/gpu": 4}
        assert pool["disruption"] == {"consolidationPolicy": "WhenEmpty", "consolidateAfter": "10m"}
        nodes = pool["template"]["spec"]
        assert nodes["taints"] == [{"key": "nvidia.com/gpu", "effect": "NoSchedule"}]
        assert (nodes["expireAfter"], nodes["terminationGracePeriod"]) == ("336h", "1h")

    def test_admits_what_can_serve_the_model_and_no_more(self) -> None:
        names = [one.name for one in chart().pool.instance_types()]
        assert names[:3] == ["g6.xlarge", "g6.2xlarge", "g5.xlarge"]
        families = {name.partition(".")[0] for name in names}
        assert families == {"g5", "g6", "g6e", "g7e"}
        assert not [name for name in names if name.endswith(("12xlarge", "16xlarge", "24xlarge", "48xlarge"))]

    def test_more_vcpus_pull_images_faster(self) -> None:
        assert min(one.vcpu for one in chart(min_vcpu=16).pool.instance_types()) == 16

    def test_images_lie_on_the_nvme(self, objects: Objects) -> None:
        storage = of_kind(objects, "NodeClass")["spec"]["ephemeralStorage"]
        assert (storage["size"], storage["iops"], storage["throughput"]) == ("100Gi", 6000, 600)

    def test_the_purist_gets_the_talks_pool(self) -> None:
        bare: Objects = chart(bare_pool=True).to_json()
        assert len(requirements(bare)) == 4
        pool = of_kind(bare, "NodePool")["spec"]
        assert pool["template"]["spec"]["nodeClassRef"]["name"] == "default"
        assert "taints" not in pool["template"]["spec"]
        assert "limits" not in pool
        assert "NodeClass" not in {item["kind"] for item in bare}

    @pytest.mark.parametrize(("bare", "found"), [(True, ["automode:AcceleratedPoolFirst"]), (False, [])])
    def test_the_purist_is_told_who_else_lands_there(self, bare: bool, found: list[str]) -> None:
        pools = NodePoolsChart(cdk8s.App(), "pools", values=VALUES, pools=["critical", "general", "spot", "graviton"])
        charts = (chart(bare_pool=bare), pools, NetworkPoliciesChart(cdk8s.App(), "policies"))
        tree = [item.in_tree() for one in charts for item in render(one).objects]
        for built_in in ((), ("general-purpose", "system")):
            judged = judge_tree(tree, default_node_class=True, whole=True, built_in_pools=built_in)
            assert [finding.rule for finding in judged] == found


class TestServer:
    def test_has_the_names_of_the_talks_commands(self, objects: Objects) -> None:
        service = of_kind(objects, "Service")
        assert (service["metadata"]["name"], service["metadata"]["namespace"]) == ("gpt-oss-20b", "gpt-oss")
        assert service["spec"]["ports"][0]["port"] == 8000
        args = of_kind(objects, "Deployment")["spec"]["template"]["spec"]["containers"][0]["args"]
        assert args[args.index("--served-model-name") + 1] == "openai/gpt-oss-20b"

    def test_runs_on_the_pool(self, objects: Objects) -> None:
        pod = of_kind(objects, "Deployment")["spec"]["template"]["spec"]
        assert pod["nodeSelector"]["karpenter.sh/nodepool"] == of_kind(objects, "NodePool")["metadata"]["name"]

    def test_comes_after_its_weights(self, objects: Objects) -> None:
        rendered = {item.manifest["kind"]: item for item in render(chart()).objects}
        assert rendered["Job"].waits_for == ".status.succeeded"
        assert [needed.node.path for needed in rendered["Deployment"].after.values()] == ["gpt-oss/stage-weights"]
        (check,) = of_kind(objects, "Deployment")["spec"]["template"]["spec"]["initContainers"]
        assert check["command"][-1] == "check"
        assert f"--prefix={WEIGHTS_PREFIX}" in check["args"]

    def test_loads_from_the_hub_without_a_job(self) -> None:
        kinds = {item["kind"] for item in chart(weights=HubWeights()).to_json()}
        assert kinds.isdisjoint({"Job", "ConfigMap"})

    def test_may_be_scaled_to_zero(self) -> None:
        assert of_kind(chart(replicas=0).to_json(), "Deployment")["spec"]["replicas"] == 0

    def test_may_be_scaled_by_something_else(self) -> None:
        assert "replicas" not in of_kind(chart(replicas=None).to_json(), "Deployment")["spec"]

    def test_as_many_replicas_as_gpus_leave_no_room_for_an_update(self) -> None:
        def told(**arguments: Any) -> list[str]:
            return [
                note.message for note in render(chart(**arguments)).notes if note.rule == "automode:SurgeExceedsLimit"
            ]

        assert told() == told(replicas=3) == told(replicas=4, gpu_limit=5) == told(replicas=4, bare_pool=True) == []
        (said,) = told(replicas=4)
        assert "need 5 nvidia.com/gpu, but NodePool 'gpu' is limited to 4: no update ever ends" in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"replicas": 5},
            "gpt-oss/gpt-oss-20b: replicas: 5 replicas of 1 GPU need 5, but pool 'gpu' is limited to 4; "
            "raise the pool's limits['nvidia.com/gpu'], or ask for fewer replicas",
        ),
        (
            {"weights": S3Weights(bucket="", prefix="x")},
            "gpt-oss/stage-weights: weights.bucket: '' is not the name of an S3 bucket; "
            "name the bucket that the weights are in, without 's3://'",
        ),
    ],
)
def test_wrong_use(arguments: dict[str, Any], message: str) -> None:
    assert refusal(lambda: chart(**arguments)) == message


def test_a_fast_start_needs_nodes_with_16_vcpu_and_a_small_image() -> None:
    slim = "111122223333.dkr.ecr.eu-west-1.amazonaws.com/vllm:0.27.1-slim"
    objects = written(chart(fast_start=FastStart(image_bytes=4_500_000_000), image=slim))
    assert requirements(objects)["eks.amazonaws.com/instance-cpu", "Gt"] == ["15"]
    pod = of_kind(objects, "Deployment")["spec"]["template"]["spec"]
    # The weights are looked for first: without them nothing else matters.
    assert [each["name"] for each in pod["initContainers"]] == ["weights-ready", "compile-cache", "keep-compile-cache"]
    smaller = refusal(lambda: chart(fast_start=FastStart(image_bytes=4_500_000_000), image=slim, min_vcpu=8))
    assert "require labels.INSTANCE_CPU.greater_than(15) in the pool" in smaller
    aws = refusal(lambda: chart(fast_start=FastStart(image_bytes=9_400_000_000)))
    assert "target_seconds is 150; use a smaller image" in aws
    assert refusal(lambda: chart(fast_start=FastStart(image_bytes=1), bare_pool=True)) == (
        "gpt-oss: fast_start: chooses the size of nodes, and bare_pool=True leaves it to price; leave out one of them"
    )
