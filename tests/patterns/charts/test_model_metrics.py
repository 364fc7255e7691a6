"""The chart that serves the metrics of autoscaling, judged by Kubernetes' schemas and by Prometheus itself."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cdk8s
import kubernetes_validate
import pytest

from automode_constructs.checks.whole_tree import TreeObject, judge_tree
from automode_constructs.patterns.charts.model_metrics import ModelMetricsChart
from automode_constructs.rendering.order import prerequisites
from automode_constructs.rendering.render import render
from tests.refusal import refusal


@pytest.fixture(scope="module")
def objects() -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = ModelMetricsChart(cdk8s.App(), "m", namespaces=["models", "gpt-oss"]).to_json()
    return made


def named(objects: list[dict[str, Any]], kind: str, name: str) -> dict[str, Any]:
    (found,) = [each for each in objects if each["kind"] == kind and each["metadata"]["name"] == name]
    return found


def test_kubernetes_knows_every_field(objects: list[dict[str, Any]]) -> None:
    for each in objects:
        if each["kind"] != "APIService":  # not among the schemas
            assert kubernetes_validate.validate(each, "1.37", strict=True) == "1.37"
    tree = [TreeObject(where="m", manifest=each) for each in objects]
    # PlatformStack turns network policies on.
    assert {each.rule for each in judge_tree(tree, default_node_class=True, whole=True)} == {
        "automode:NetworkPolicyController"
    }


def test_the_api_leads_to_the_adapter(objects: list[dict[str, Any]]) -> None:
    api = named(objects, "APIService", "v1beta1.external.metrics.k8s.io")["spec"]
    assert api["service"] == {"name": "prometheus-adapter", "namespace": "model-metrics", "port": 443}
    service = named(objects, "Service", "prometheus-adapter")["spec"]
    deployment = named(objects, "Deployment", "prometheus-adapter")["spec"]["template"]
    assert service["selector"].items() <= deployment["metadata"]["labels"].items()
    (container,) = deployment["spec"]["containers"]
    assert [each["containerPort"] for each in container["ports"]] == [6443]
    assert "--prometheus-url=http://prometheus.model-metrics.svc:9090/" in container["args"]


def test_the_api_comes_last_and_so_goes_first() -> None:
    rendered = render(ModelMetricsChart(cdk8s.App(), "m", namespaces=["models"])).objects
    api, adapter = (
        next(index for index, each in enumerate(rendered) if named_as(each.manifest, kind, name))
        for kind, name in (("APIService", "v1beta1.external.metrics.k8s.io"), ("Deployment", "prometheus-adapter"))
    )
    assert adapter in prerequisites(rendered)[api]


def named_as(manifest: Mapping[str, Any], kind: str, name: str) -> bool:
    return bool(manifest["kind"] == kind and manifest["metadata"]["name"] == name)


def test_rights_beyond_its_namespace_are_the_adapters_alone(objects: list[dict[str, Any]]) -> None:
    bindings = [each for each in objects if each["kind"].endswith("RoleBinding")]
    assert {(each["roleRef"]["name"], each["metadata"].get("namespace")) for each in bindings} == {
        ("system:auth-delegator", None),
        ("model-metrics-prometheus-adapter-resources", None),
        ("extension-apiserver-authentication-reader", "kube-system"),
    }
    assert {subject["name"] for each in bindings for subject in each["subjects"]} == {"prometheus-adapter"}


def test_the_metrics_are_those_that_the_autoscaler_asks_for(objects: list[dict[str, Any]]) -> None:
    rules = json.loads(named(objects, "ConfigMap", "prometheus-adapter")["data"]["config.yaml"])["externalRules"]
    assert [rule["name"]["as"] for rule in rules] == ["vllm_requests_in_flight", "model_wanted"]


needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not installed (Debian's package prometheus has it)"
)


@needs_promtool
def test_prometheus_takes_its_configuration(objects: list[dict[str, Any]], tmp_path: Path) -> None:
    configuration = json.loads(named(objects, "ConfigMap", "prometheus")["data"]["prometheus.yml"])
    (job,) = configuration["scrape_configs"]
    # Debian builds Prometheus without Kubernetes' service discovery.
    assert job.pop("kubernetes_sd_configs") == [{"role": "pod", "namespaces": {"names": ["models", "gpt-oss"]}}]
    job["static_configs"] = [{"targets": ["10.0.0.1:8000"]}]
    file = tmp_path / "prometheus.yml"
    file.write_text(json.dumps(configuration))
    ran = subprocess.run(
        ["promtool", "check", "config", "--syntax-only", str(file)], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


@needs_promtool
def test_the_queries_count_one_server_over_its_pods(objects: list[dict[str, Any]], tmp_path: Path) -> None:
    rules = json.loads(named(objects, "ConfigMap", "prometheus-adapter")["data"]["config.yaml"])["externalRules"]
    # The adapter fills in the autoscaler's namespace and selector.
    matchers = 'server="a",namespace="models"'
    in_flight, wanted = (rule["metricsQuery"].replace("<<.LabelMatchers>>", matchers) for rule in rules)
    series = [
        {"series": f'vllm:num_requests_{state}{{namespace="models",server="{server}",pod="{pod}"}}', "values": value}
        for state, server, pod, value in (
            ("running", "a", "1", "20 32"),
            ("waiting", "a", "1", "0 7"),
            ("running", "a", "2", "4 5"),
            ("waiting", "a", "2", "0 0"),
            ("running", "b", "1", "9 9"),
        )
    ]
    series += [{"series": 'model_wanted{namespace="models",server="a",pod="chat"}', "values": "0 1"}]
    tests = {
        "tests": [
            {
                "interval": "1m",
                "input_series": series,
                "promql_expr_test": [
                    {"expr": query, "eval_time": at, "exp_samples": [{"labels": "{}", "value": value}]}
                    for query, at, value in (
                        (in_flight, "0s", 24),
                        (in_flight, "1m", 44),
                        (wanted, "0s", 0),
                        (wanted, "1m", 1),
                    )
                ],
            }
        ]
    }
    file = tmp_path / "tests.yml"
    file.write_text(json.dumps(tests))
    ran = subprocess.run(["promtool", "test", "rules", str(file)], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


REFUSALS: list[tuple[str, Callable[[], object], str]] = [
    (
        "nobody to read",
        lambda: ModelMetricsChart(cdk8s.App(), "m", namespaces=[]),
        "m: namespaces: is empty; name the namespaces of the model servers",
    ),
    (
        "its own namespace",
        lambda: ModelMetricsChart(cdk8s.App(), "m", namespaces=["models"], namespace="models"),
        "m: namespace: 'models' is a namespace of servers; give the metrics one of their own, such as 'model-metrics'",
    ),
    (
        "an image that moves",
        lambda: ModelMetricsChart(cdk8s.App(), "m", namespaces=["models"], adapter_image="adapter:latest"),
        "m: adapter_image: 'adapter:latest' moves: a new node may run a different image from the old one; name a "
        "version, or better '@sha256:<digest>'",
    ),
]


@pytest.mark.parametrize(("make", "text"), [each[1:] for each in REFUSALS], ids=[each[0] for each in REFUSALS])
def test_what_serves_nothing_is_refused(make: Callable[[], object], text: str) -> None:
    assert refusal(make) == text
