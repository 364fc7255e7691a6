"""Managed Prometheus, CloudWatch Observability, alarms and the dashboard of a cluster."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import aws_cdk as cdk
import cdk8s
import pytest
import yaml
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk.assertions import Annotations, Match, Template
from cfnlint.api import lint
from cfnlint.config import ManualArgs
from constructs import Construct

from automode_constructs import (
    GPT_OSS_20B,
    AddOn,
    AutoModeCluster,
    CloudWatchObservability,
    ClusterAlarms,
    ClusterDashboard,
    ImportedCluster,
    ManagedPrometheus,
    ModelServer,
    S3Weights,
)
from automode_constructs.aws.cluster_alarms import ALARMS, LATENCY_QUERY
from automode_constructs.aws.log_queries import QUERIES
from automode_constructs.aws.scrape_configuration import JOBS, scrape_configuration
from automode_constructs.patterns import DcgmExporterChart
from tests.cloudformation import Account
from tests.logs_insights import matches_pattern, run
from tests.refusal import refusal
from tests.support import feature_flags, of_type, only, synthesised, text_of
from tests.template_checks import template_findings
from tests.template_order import waits_for

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "observability.md").read_text("utf-8")
GOVCLOUD = "us-gov-west-1"
Templates = dict[str, dict[str, Any]]


def whole(region: str) -> Templates:
    """Everything of this page for one cluster; GovCloud has no managed scraper."""
    app = cdk.App(context=feature_flags())
    env = cdk.Environment(region=region)
    home = cdk.Stack(app, "Home", env=env)
    cluster = AutoModeCluster(
        home, "Cluster", cluster_name="bank", built_in_pools=[], auto_mode_logs=True, tags={"team": "payments"}
    )
    stack = cdk.Stack(app, "Watch", env=env)
    CloudWatchObservability(stack, "Insights", cluster=cluster, cluster_name="bank")
    prometheus = None
    if region != GOVCLOUD:
        prometheus = ManagedPrometheus(stack, "Prometheus", cluster=cluster, destination="cloudwatch", jobs=[*JOBS])
    topic = sns.Topic(stack, "Topic", enforce_ssl=True, master_key=kms.Key(stack, "Key", enable_key_rotation=True))
    reservations = ["cr-0123456789abcdef0", "cr-0123456789abcdef1"]
    alarms = ClusterAlarms(
        stack,
        "Alarms",
        cluster=cluster,
        topic=topic,
        container_insights=True,
        capacity_reservation_ids=reservations,
        prometheus=prometheus,
    )
    ClusterDashboard(
        stack,
        "Board",
        cluster=cluster,
        container_insights=True,
        capacity_reservation_ids=reservations,
        priced_instance_types=["m7i.large", "g6.xlarge"],
        alarms=alarms,
    )
    return synthesised(app)


@pytest.fixture(scope="module")
def commercial() -> Templates:
    return whole("eu-central-1")


@pytest.fixture(scope="module")
def govcloud() -> Templates:
    return whole(GOVCLOUD)


@pytest.fixture(scope="module")
def cluster() -> AutoModeCluster:
    """A cluster for what is refused, which is never synthesised."""
    return small()


def small() -> AutoModeCluster:
    """A cluster with as little as can be."""
    stack = cdk.Stack(cdk.App(), "Dev", env=cdk.Environment(region="eu-central-1"))
    return AutoModeCluster(stack, "Cluster", cluster_name="dev", built_in_pools=[], log_types=["api"])


@pytest.mark.parametrize(("name", "region"), [("commercial", "eu-central-1"), ("govcloud", GOVCLOUD)])
def test_the_judges_find_nothing(name: str, region: str, request: pytest.FixtureRequest) -> None:
    for template in request.getfixturevalue(name).values():
        found = lint(json.dumps(template), config=ManualArgs(regions=[region]))
        assert [str(match) for match in found if match.rule.id != "W3005"] == []
        assert template_findings(template) == []


def test_the_stacks_deploy_change_and_go(commercial: Templates) -> None:
    account = Account()
    assert account.deploy(commercial).refused == []
    assert account.deploy(commercial).refused == [], "nothing has changed"
    without = {**commercial, "Watch": {"Resources": {"Nothing": {"Type": "AWS::CloudFormation::WaitConditionHandle"}}}}
    report = account.deploy(without)
    assert report.refused == []
    assert account.deploy(commercial, only=["Home"]).refused == []


class TestPrometheus:
    def test_the_scraper_has_cluster_subnets_and_group(self, commercial: Templates) -> None:
        scraper = only(commercial["Watch"], "AWS::APS::Scraper")["Properties"]
        source = scraper["Source"]["EksConfiguration"]
        assert "Arn" in text_of(source["ClusterArn"])
        assert len(source["SubnetIds"]) == 3
        (group,) = source["SecurityGroupIds"]
        assert "ClusterSecurityGroupId" in text_of(group)
        assert text_of(scraper["Destination"]["CloudWatchConfiguration"]["DatasetArn"]).endswith(":dataset/default")
        assert "AWS::APS::Workspace" not in str(commercial["Watch"])
        text = base64.b64decode(scraper["ScrapeConfiguration"]["ConfigurationBlob"]).decode()
        assert [job["job_name"] for job in yaml.safe_load(text)["scrape_configs"]] == list(JOBS)

    def test_by_default_metrics_go_to_a_workspace_that_stays(self) -> None:
        stack = cdk.Stack(cdk.App(), "Dev", env=cdk.Environment(region="eu-central-1"))
        made = AutoModeCluster(stack, "Cluster", cluster_name="dev", built_in_pools=[])
        prometheus = ManagedPrometheus(stack, "Prometheus", cluster=made, retention_days=400)
        template = dict(Template.from_stack(stack).to_json())
        workspace = only(template, "AWS::APS::Workspace")
        assert workspace["DeletionPolicy"] == "RetainExceptOnCreate"
        assert workspace["Properties"] == {"WorkspaceConfiguration": {"RetentionPeriodInDays": 400}}
        scraper = only(template, "AWS::APS::Scraper")["Properties"]
        assert list(scraper["Destination"]) == ["AmpConfiguration"]
        # The scraper goes before the cluster: one that outlives it scrapes the next cluster of its name.
        (name,) = of_type(template, "AWS::APS::Scraper")
        (eks,) = of_type(template, "AWS::EKS::Cluster")
        assert eks in waits_for(template)[name]
        assert not any(
            "Scraper" in str(entry["Properties"]) for entry in of_type(template, "AWS::EKS::AccessEntry").values()
        )
        words = refusal(lambda: ManagedPrometheus(stack, "Second", cluster=made))
        assert words == (
            "Dev/Second: cluster: 'Dev/Cluster' has the scraper 'Dev/Prometheus' already; give one scraper all jobs; "
            "each costs by the hour"
        )
        assert prometheus.jobs[0] == "kube-state-metrics"

    def test_govcloud_has_none(self) -> None:
        stack = cdk.Stack(cdk.App(), "Gov", env=cdk.Environment(region=GOVCLOUD))
        made = AutoModeCluster(stack, "Cluster", cluster_name="dev", built_in_pools=[])
        assert refusal(lambda: ManagedPrometheus(stack, "Prometheus", cluster=made)) == (
            "Gov/Prometheus: region: AWS has no managed scrapers in partition 'aws-us-gov' (region 'us-gov-west-1'); "
            "leave it out, and run a Prometheus of your own, or CloudWatchObservability"
        )

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ({"jobs": ["gpu"]}, "jobs: 'gpu' is not known; did you mean 'gpus'?"),
            ({"jobs": []}, "jobs: names none; name at least one, or leave the construct out"),
            ({"interval": 5}, "interval: must be at least 15, got 5"),
            ({"retention_days": 2000}, "retention_days: must be at most 1095, got 2000"),
            (
                {"retention_days": 9, "destination": "cloudwatch"},
                "retention_days: is for a workspace, and the metrics go to CloudWatch; leave it out",
            ),
            ({"destination": "grafana"}, "destination: 'grafana' is not known"),
        ],
    )
    def test_wrong_arguments_are_refused(self, cluster: AutoModeCluster, arguments: dict[str, Any], words: str) -> None:
        stack = cdk.Stack.of(cluster)
        assert words in refusal(lambda: ManagedPrometheus(stack, "Prometheus", cluster=cluster, **arguments))


def relabelled(job: Mapping[str, Any], target: Mapping[str, str]) -> dict[str, str] | None:
    """The labels of a target after a job's relabelling, or ``None`` if it is dropped.

    As Prometheus has it: expressions match the whole value, ``$1`` is a group, an empty result removes the label.
    """
    found = dict(target)
    for rule in job.get("relabel_configs", []):
        value = ";".join(found.get(name, "") for name in rule.get("source_labels", []))
        action = rule.get("action", "replace")
        match = re.fullmatch(rule.get("regex", "(.*)"), value, re.DOTALL)
        if action == "keep":
            if match is None:
                return None
        elif action == "labelmap":
            for name, each in list(found.items()):
                if mapped := re.fullmatch(rule["regex"], name):
                    found[mapped[1]] = each
        elif match is not None:
            found[rule["target_label"]] = match.expand(rule.get("replacement", "$1").replace("$", "\\"))
    return {name: value for name, value in found.items() if value}


def pod_target(pod: Mapping[str, Any], port: Mapping[str, Any], name: str) -> dict[str, str]:
    """A target as Prometheus discovers it for a port of a container. Source: Prometheus, kubernetes_sd_config."""
    prefix = "__meta_kubernetes_pod_"
    labels = {
        f"{prefix}label_{re.sub(r'[^a-zA-Z0-9_]', '_', key)}": value for key, value in pod["metadata"]["labels"].items()
    }
    return {
        **labels,
        "__address__": f"10.0.0.7:{port['containerPort']}",
        "__meta_kubernetes_namespace": "shop",
        f"{prefix}phase": "Running",
        f"{prefix}name": f"{name}-0",
        f"{prefix}node_name": "i-0123456789abcdef0",
        f"{prefix}container_port_name": port["name"],
        f"{prefix}container_port_number": str(port["containerPort"]),
    }


def jobs_of(target: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """The jobs of pods that keep a target, with its labels."""
    found = {
        name: relabelled(job, target) for name, job in JOBS.items() if job["kubernetes_sd_configs"][0]["role"] == "pod"
    }
    return {name: labels for name, labels in found.items() if labels is not None}


class TestScrapeConfiguration:
    def test_our_own_exporter_and_model_server_are_found(self) -> None:
        chart = DcgmExporterChart(cdk8s.App(), "gpu-metrics")
        server = cdk8s.Chart(cdk8s.App(), "models", namespace="models")
        weights = S3Weights(bucket="our-models", prefix="gpt-oss-20b")
        ModelServer(server, "llm", model=GPT_OSS_20B, image="example.com/vllm:v0.27.1", weights=weights)
        found = {}
        for manifest in (*cdk8s.Testing.synth(chart), *cdk8s.Testing.synth(server)):
            if manifest["kind"] not in ("DaemonSet", "Deployment"):
                continue
            pod = manifest["spec"]["template"]
            for container in pod["spec"]["containers"]:
                for port in container["ports"]:
                    found[container["name"]] = jobs_of(pod_target(pod, port, container["name"]))
        assert {name: list(jobs) for name, jobs in found.items()} == {
            "dcgm-exporter": ["gpus"],
            next(name for name in found if name != "dcgm-exporter"): ["model-servers"],
        }
        assert found["dcgm-exporter"]["gpus"].items() >= {
            "namespace": "shop", "pod": "dcgm-exporter-0", "node": "i-0123456789abcdef0",
        }.items()  # fmt: skip

    def test_kube_state_metrics_is_found_once(self) -> None:
        pod = {"metadata": {"labels": {"app.kubernetes.io/name": "kube-state-metrics"}}}
        ports = [{"name": "http-metrics", "containerPort": 8080}, {"name": "telemetry", "containerPort": 8081}]
        assert [list(jobs_of(pod_target(pod, port, "ksm"))) for port in ports] == [["kube-state-metrics"], []]

    @pytest.mark.parametrize(
        ("address", "wanted"),
        [
            ("10.0.0.7:8080", "10.0.0.7:9102"),
            ("10.0.0.7", "10.0.0.7:9102"),
            ("[2001:db8::7]:8080", "[2001:db8::7]:9102"),
        ],
    )
    def test_annotations_choose_port_and_path(self, address: str, wanted: str) -> None:
        target = pod_target({"metadata": {"labels": {}}}, {"name": "http", "containerPort": 8080}, "web")
        prefix = "__meta_kubernetes_pod_annotation_prometheus_io_"
        annotated = {
            **target,
            "__address__": address,
            f"{prefix}scrape": "true",
            f"{prefix}port": "9102",
            f"{prefix}path": "/stats",
        }
        assert jobs_of(target) == {}
        found = jobs_of(annotated)["annotated-pods"]
        assert (found["__address__"], found["__metrics_path__"]) == (wanted, "/stats")

    def test_containers_are_read_through_the_api_with_their_pool(self) -> None:
        found = relabelled(
            JOBS["containers"],
            {
                "__address__": "10.0.0.9:10250",
                "__meta_kubernetes_node_name": "i-1",
                "__meta_kubernetes_node_label_karpenter_sh_nodepool": "gpu",
                "__meta_kubernetes_node_label_node_kubernetes_io_instance_type": "g6.xlarge",
            },
        )
        assert found is not None
        assert found["__address__"] == "kubernetes.default.svc:443"
        assert found["__metrics_path__"] == "/api/v1/nodes/i-1/proxy/metrics/cadvisor"
        assert (found["nodepool"], found["instance_type"], found["node"]) == ("gpu", "g6.xlarge", "i-1")

    def test_prometheus_itself_takes_it(self, tmp_path: Path) -> None:
        promtool = shutil.which("promtool")
        if promtool is None:
            pytest.skip("promtool is not installed (Debian's package prometheus has it)")
        document = yaml.safe_load(scrape_configuration(list(JOBS), interval=60))
        for job in document["scrape_configs"]:
            # Debian's build leaves out discovery in Kubernetes; the rest is read strictly.
            (discovery,) = job.pop("kubernetes_sd_configs")
            assert discovery["role"] in {"node", "pod", "endpoints"}
            job["static_configs"] = [{"targets": ["localhost:9090"]}]
        file = tmp_path / "prometheus.yaml"
        file.write_text(yaml.safe_dump(document), "utf-8")
        command = [promtool, "check", "config", "--syntax-only", str(file)]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stdout + ran.stderr


def test_the_time_to_first_token_by_prometheus_itself(tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed (Debian's package prometheus has it)")
    name = "vllm:time_to_first_token_seconds_bucket"

    def series(le: str, each: int, pod: str) -> dict[str, str]:
        # As vLLM's /metrics writes it: requests of the last minute are added to the buckets.
        labels = f'{{le="{le}",model_name="gpt-oss-20b",engine="0",pod="{pod}"}}'
        return {"series": f"{name}{labels}", "values": f"0+{each}x30"}

    test = {
        "rule_files": [],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [
                    *(series(le, each, "a") for le, each in (("1.0", 90), ("5.0", 94), ("10.0", 100), ("+Inf", 100))),
                    *(series(le, each, "b") for le, each in (("1.0", 90), ("5.0", 94), ("10.0", 100), ("+Inf", 100))),
                ],
                "promql_expr_test": [
                    {
                        "expr": f"round({LATENCY_QUERY}, 0.001) > 5",
                        "eval_time": "20m",
                        # 94 % within 5 s and all within 10 s: the 95th lies a sixth of the way between.
                        "exp_samples": [{"labels": '{model_name="gpt-oss-20b"}', "value": 5.833}],
                    },
                    {"expr": f"{LATENCY_QUERY} > 6", "eval_time": "20m", "exp_samples": []},
                ],
            }
        ],
    }
    file = tmp_path / "test.yaml"
    file.write_text(yaml.safe_dump(test), "utf-8")
    ran = subprocess.run([promtool, "test", "rules", str(file)], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


class TestCloudWatchObservability:
    def test_the_add_on_waits_for_rights_and_log_groups(self, commercial: Templates) -> None:
        watch = commercial["Watch"]
        (name,) = of_type(watch, "AWS::EKS::Addon")
        add_on = watch["Resources"][name]["Properties"]
        assert add_on["AddonName"] == "amazon-cloudwatch-observability"
        before = waits_for(watch)[name]
        assert set(of_type(watch, "AWS::EKS::PodIdentityAssociation")) <= before
        assert set(of_type(watch, "AWS::Logs::LogGroup")) <= before
        names = {group["Properties"]["LogGroupName"] for group in of_type(watch, "AWS::Logs::LogGroup").values()}
        kinds = ("application", "dataplane", "host", "performance")
        assert names == {f"/aws/containerinsights/bank/{kind}" for kind in kinds}

    def test_the_agent_has_its_policy_by_pod_identity(self, govcloud: Templates) -> None:
        association = only(govcloud["Watch"], "AWS::EKS::PodIdentityAssociation")["Properties"]
        assert (association["Namespace"], association["ServiceAccount"]) == ("amazon-cloudwatch", "cloudwatch-agent")
        (role,) = of_type(govcloud["Watch"], "AWS::IAM::Role").values()
        (policy,) = role["Properties"]["ManagedPolicyArns"]
        assert text_of(policy) == "arn:{{'Ref': 'AWS::Partition'}}:iam::aws:policy/CloudWatchAgentServerPolicy"

    def test_without_logs_of_containers_there_is_one_group(self) -> None:
        stack = cdk.Stack(cdk.App(), "Dev")
        imported = ImportedCluster(stack, "Cluster", cluster_name="theirs")
        CloudWatchObservability(
            stack, "Insights", cluster=imported, cluster_name="theirs", container_logs=False,
            version="v5.2.0-eksbuild.1", configuration={"dcgmExporter": {"resources": {}}},
        )  # fmt: skip
        template = dict(Template.from_stack(stack).to_json())
        add_on = only(template, "AWS::EKS::Addon")["Properties"]
        assert json.loads(add_on["ConfigurationValues"]) == {
            "containerLogs": {"enabled": False},
            "dcgmExporter": {"resources": {}},
        }
        assert add_on["AddonVersion"] == "v5.2.0-eksbuild.1"
        groups = [
            group["Properties"].get("LogGroupName") for group in of_type(template, "AWS::Logs::LogGroup").values()
        ]
        assert [name for name in groups if name] == ["/aws/containerinsights/theirs/performance"]
        words = refusal(lambda: CloudWatchObservability(stack, "B", cluster=imported, cluster_name="theirs"))
        assert words == "Dev/B: cluster: has the add-on of 'Dev/Insights' already; keep one of the two"
        words = refusal(lambda: AddOn(stack, "C", cluster=imported, name="amazon-cloudwatch-observability"))
        assert "is an add-on of this cluster already, by 'Dev/Insights/AddOn'" in words

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (
                {"configuration": {"containerLogs": {"enabled": True}}},
                "configuration['containerLogs']: is set by the construct; write container_logs=False",
            ),
            ({"configuration": {"a": {1, 2}}}, "configuration: is not JSON"),
            (
                {"cluster_name": cdk.Aws.REGION},
                "cluster_name: holds a value known only after deployment; give the cluster's name",
            ),
        ],
    )
    def test_wrong_arguments_are_refused(self, cluster: AutoModeCluster, arguments: dict[str, Any], words: str) -> None:
        wanted = {"cluster": cluster, "cluster_name": "dev", **arguments}
        assert words in refusal(lambda: CloudWatchObservability(cdk.Stack.of(cluster), "Insights", **wanted))


def alarms_of(template: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The alarms by the last part of their construct's id."""
    found = of_type(template, "AWS::CloudWatch::Alarm")
    return {name: next(body for id, body in found.items() if id.startswith(f"Alarms{name}")) for name in ALARMS
            if any(id.startswith(f"Alarms{name}") for id in found)}  # fmt: skip


class TestAlarms:
    def test_there_is_one_for_each_meaning(self, commercial: Templates, govcloud: Templates) -> None:
        assert set(alarms_of(commercial["Watch"])) == set(ALARMS)
        assert set(ALARMS) - set(alarms_of(govcloud["Watch"])) == {"TimeToFirstToken"}
        # One more for the second reservation.
        assert len(of_type(commercial["Watch"], "AWS::CloudWatch::Alarm")) == len(ALARMS) + 1

    def test_each_tells_the_topic_and_says_what_to_do(self, commercial: Templates) -> None:
        (topic,) = of_type(commercial["Watch"], "AWS::SNS::Topic")
        for name, alarm in alarms_of(commercial["Watch"]).items():
            properties = alarm["Properties"]
            assert properties["AlarmActions"] == properties["OKActions"] == [{"Ref": topic}]
            assert properties["AlarmDescription"].endswith(f"What to do first: {ALARMS[name].action}")
            assert len(properties["AlarmDescription"]) <= 1024
            if name != "TimeToFirstToken":
                assert properties["TreatMissingData"] == "notBreaching"

    def test_each_has_its_section_on_the_page(self) -> None:
        sections = re.findall(r"^### (\w+)$", PAGE, re.MULTILINE)
        assert [name for name in sections if name in ALARMS] == list(ALARMS)
        for name, meaning in ALARMS.items():
            section = PAGE.partition(f"### {name}\n")[2].partition("\n### ")[0]
            assert " ".join(meaning.means.split()) in " ".join(section.split()), name
            assert len(section.split()) > 40, name

    def test_the_time_to_first_token_is_promql(self, commercial: Templates) -> None:
        properties = alarms_of(commercial["Watch"])["TimeToFirstToken"]["Properties"]
        assert properties["EvaluationCriteria"]["PromQLCriteria"]["Query"] == f"{LATENCY_QUERY} > 5"
        assert "EvaluationPeriods" not in properties

    def test_filters_find_what_they_are_for(self, commercial: Templates) -> None:
        filters = {
            body["Properties"]["MetricTransformations"][0]["MetricName"]: body["Properties"]
            for body in of_type(commercial["Watch"], "AWS::Logs::MetricFilter").values()
        }
        records = [
            {"level": "INFO", "message": "deleting unhealthy node"},
            {"level": "ERROR", "message": "Reconciler error"},
            {"level": "INFO", "message": "created nodeclaim"},
        ]
        hits = {
            name: [matches_pattern(one["FilterPattern"], record) for record in records] for name, one in filters.items()
        }
        assert hits == {"ComputeErrors": [False, True, False], "NodesRepaired": [True, False, False]}
        for name, one in filters.items():
            alarm = alarms_of(commercial["Watch"])[name]["Properties"]["Metrics"][0]["MetricStat"]["Metric"]
            assert alarm["Namespace"] == one["MetricTransformations"][0]["MetricNamespace"]

    def test_topic_and_key_admit_cloudwatch(self, commercial: Templates) -> None:
        policy = only(commercial["Watch"], "AWS::SNS::TopicPolicy")["Properties"]["PolicyDocument"]["Statement"]
        key = only(commercial["Watch"], "AWS::KMS::Key")["Properties"]["KeyPolicy"]["Statement"]
        for statements, action in ((policy, "sns:Publish"), (key, ["kms:Decrypt", "kms:GenerateDataKey*"])):
            (mine,) = (one for one in statements if one.get("Sid") == "AlarmsOfCloudwatch")
            assert mine["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
            assert mine["Action"] == action
            assert list(mine["Condition"]["StringEquals"]) == ["aws:SourceAccount"]

    def test_an_imported_topic_is_told_of_and_defaults_need_nothing(self) -> None:
        cluster = small()
        stack = cdk.Stack.of(cluster)
        arn = stack.format_arn(service="sns", resource="ops", account="111122223333")
        made = ClusterAlarms(stack, "Alarms", cluster=cluster, topic=sns.Topic.from_topic_arn(stack, "Topic", arn))
        assert list(made.alarms) == ["PodsUnschedulable", "ApiServerErrors", "DatabaseFull"]
        (warning,) = Annotations.from_stack(stack).find_warning("*", Match.string_like_regexp(".*TopicPolicyNotOurs.*"))
        assert "sns:Publish" in str(warning.entry.data)

    def test_wrong_arguments_are_refused(self, cluster: AutoModeCluster) -> None:
        stack = cdk.Stack.of(cluster)
        topic = sns.Topic(stack, "Ops")

        def refused(**arguments: Any) -> str:
            return refusal(lambda: ClusterAlarms(stack, "Alarms", cluster=cluster, topic=topic, **arguments))

        assert refused(capacity_reservation_ids=["i-1"]) == (
            "Dev/Alarms: capacity_reservation_ids[0]: 'i-1' is not the id of a capacity reservation; write it like "
            "'cr-0123456789abcdef0'"
        )
        assert "names one twice" in refused(capacity_reservation_ids=["cr-1", "cr-1"])
        assert "time_to_first_token_seconds: must be at least 0.1, got 0" in refused(time_to_first_token_seconds=0)
        other = AutoModeCluster(
            cdk.Stack(cast(Construct, stack.node.root), "Other"), "Cluster", cluster_name="o", built_in_pools=[]
        )
        prometheus = ManagedPrometheus(cdk.Stack.of(other), "Prometheus", cluster=other, jobs=["gpus"])
        assert refused(prometheus=prometheus).splitlines()[1:] == [
            "  prometheus: 'Other/Prometheus' scrapes another cluster; give this cluster's own",
            "  prometheus: 'Other/Prometheus' sends to a workspace, which CloudWatch does not read; write "
            "ManagedPrometheus(destination='cloudwatch'), or leave it out",
            "  prometheus: does not read model servers; add 'model-servers' to its jobs",
        ]


def body_of(template: dict[str, Any]) -> list[dict[str, Any]]:
    text = text_of(only(template, "AWS::CloudWatch::Dashboard")["Properties"]["DashboardBody"])
    # A value that only a deployment knows stands in the text as {{...}}, with quotation marks of its own.
    widgets = json.loads(re.sub(r"\{\{.*?\}\}", "known-later", text))["widgets"]
    assert isinstance(widgets, list)
    return widgets


class TestDashboard:
    def test_it_answers_each_question(self, commercial: Templates) -> None:
        titles = [widget["properties"].get("title", "") for widget in body_of(commercial["Watch"])]
        for question in (
            "Alarms",
            "Nodes that joined, by pool, with their on-demand price and fee in USD an hour",
            "Pending pods, and why",
            "Nodes that did not launch, and why",
            "Nodes repaired, and why",
            "Nodes that could not be replaced, and why (drift among them)",
            "GPUs, and GPUs that pods have requested",
            "Reserved instances that are unused",
        ):
            assert any(title.startswith(question) for title in titles), question

    def test_every_query_of_it_runs_and_is_saved(self, commercial: Templates) -> None:
        shown = []
        for widget in body_of(commercial["Watch"]):
            if widget["type"] == "log":
                source, _, query = widget["properties"]["query"].partition(" | ")
                assert source in {"SOURCE '/aws/eks/bank/cluster'", "SOURCE '/aws/vendedlogs/eks/bank/auto-mode'"}
                assert run(query, []) == []
                shown.append(query)
        saved = [
            body["Properties"]["QueryString"]
            for body in of_type(commercial["Watch"], "AWS::Logs::QueryDefinition").values()
        ]
        assert sorted(saved) == sorted(shown)
        assert len(saved) == len(QUERIES) + 1

    def test_widgets_lie_beside_each_other_within_the_grid(self, commercial: Templates) -> None:
        taken: set[tuple[int, int]] = set()
        for widget in body_of(commercial["Watch"]):
            assert widget["x"] + widget["width"] <= 24
            cells = {
                (x, y)
                for x in range(widget["x"], widget["x"] + widget["width"])
                for y in range(widget["y"], widget["y"] + widget["height"])
            }
            assert not cells & taken
            taken |= cells

    def test_what_lacks_its_source_is_named_with_the_switch(self) -> None:
        cluster = small()
        stack = cdk.Stack.of(cluster)
        ClusterDashboard(stack, "Board", cluster=cluster)
        template = dict(Template.from_stack(stack).to_json())
        widgets = body_of(template)
        assert not any(widget["type"] == "log" for widget in widgets)
        text = "\n".join(widget["properties"].get("markdown", "") for widget in widgets)
        for line in (
            "Pending pods, and why: not shown without 'audit' among log_types, and cluster_name.",
            "Nodes repaired, and why: not shown without auto_mode_logs=True.",
            "GPUs by Container Insights: not shown without CloudWatchObservability.",
            "Unused reservations: not shown without capacity_reservation_ids.",
        ):
            assert line in text
        assert of_type(template, "AWS::Logs::QueryDefinition") == {}

    def test_wrong_arguments_are_refused(self, cluster: AutoModeCluster) -> None:
        def refused(**arguments: Any) -> str:
            return refusal(lambda: ClusterDashboard(cdk.Stack.of(cluster), "Board", cluster=cluster, **arguments))

        assert refused(priced_instance_types=["m7i.huge"]) == (
            "Dev/Board: priced_instance_types[0]: 'm7i.huge' has no price in the catalogue; leave it out"
        )
        assert "names one twice" in refused(priced_instance_types=["m7i.large", "m7i.large"])
        assert "write it like 'cr-0123456789abcdef0'" in refused(capacity_reservation_ids=["x"])
