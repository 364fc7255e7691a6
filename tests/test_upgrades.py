"""docs/upgrades.md: what an upgrade changes in the stacks, how nodes follow, and what is found before."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import cdk8s
import pytest
from aws_cdk.assertions import Annotations, Match

from automode_constructs import AutoModeCluster, Budget, ChartDelivery, NodeClass, NodePool, labels
from automode_constructs.checks.document import judge_document
from automode_constructs.checks.whole_tree import TreeObject, judge_tree
from automode_constructs.cli.main import main
from automode_constructs.patterns.stacks.cluster_stack import ClusterStack
from automode_constructs.patterns.stacks.platform_stack import PlatformStack
from automode_constructs.rendering.yaml_folder import to_yaml
from automode_constructs.simulation import Result, Step, Timeline, simulate
from tests.cloudformation import Account, assembly
from tests.support import Template, feature_flags, only
from tests.template_order import waits_for

PAGE = (Path(__file__).parent.parent / "docs" / "upgrades.md").read_text("utf-8")
MONDAY = datetime(2026, 1, 5, 10, tzinfo=UTC)
REPLICAS, ROLLBACK_MINUTES = 6, 720
DO_NOT_DISRUPT = "karpenter.sh/do-not-disrupt"


def rows(heading: str) -> list[list[str]]:
    """The cells of a table of the page."""
    table = PAGE.split(f"| {heading}")[1].split("\n\n")[0]
    return [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in table.splitlines()[2:]]


class TestStacks:
    @staticmethod
    @cache
    def deployed(version: str) -> dict[str, Template]:
        app = cdk.App(context=feature_flags())
        env = cdk.Environment(region="eu-central-1")
        cluster = ClusterStack(app, "c-cluster", cluster_name="c", version=version, env=env).cluster
        PlatformStack(app, "c-platform", cluster=cluster, env=env)
        return assembly(app)

    @pytest.mark.parametrize(
        ("old", "new", "types"),
        [
            ("1.35", "1.36", {"AWS::EKS::Cluster", "AWS::Lambda::LayerVersion"}),
            ("1.36", "1.37", {"AWS::EKS::Cluster"}),
        ],
    )
    def test_only_what_the_page_says_changes(self, old: str, new: str, types: set[str]) -> None:
        before, after = self.deployed(old), self.deployed(new)
        changed = {
            (stack, body["Type"])
            for stack, template in after.items()
            for name, body in template["Resources"].items()
            if before[stack]["Resources"].get(name) != body
        }
        assert changed == {("c-cluster", type_) for type_ in types}
        assert all(
            before[stack]["Resources"].keys() == template["Resources"].keys() for stack, template in after.items()
        )
        (row,) = (row for row in rows("Step |") if row[0] == f"{old} to {new}")
        assert ("LayerVersion" in row[1], "`Version` of the cluster" in row[1], row[2]) == (
            "AWS::Lambda::LayerVersion" in types,
            True,
            "nothing",
        )
        cluster = only(after["c-cluster"], "AWS::EKS::Cluster")["Properties"]
        assert cluster == {**only(before["c-cluster"], "AWS::EKS::Cluster")["Properties"], "Version": new}

    def test_kubectl_comes_before_the_cluster(self) -> None:
        template = self.deployed("1.36")["c-cluster"]
        (cluster,) = [name for name, body in template["Resources"].items() if body["Type"] == "AWS::EKS::Cluster"]
        layers = [name for name in waits_for(template)[cluster] if "KubectlLayer" in name]
        assert layers

    def test_an_upgrade_replaces_nothing_and_goes_one_version_at_a_time(self) -> None:
        account = Account()
        for version in ("1.35", "1.36", "1.37"):
            report = account.deploy(self.deployed(version))
            assert (report.refused, report.replaced, report.deleted, report.unsettled) == ([], [], [], [])
        account = Account()
        account.deploy(self.deployed("1.35"))
        (refused,) = account.deploy(self.deployed("1.37")).refused
        assert "versions go up one minor at a time, not from 1.35 to 1.37" in refused


@dataclass(frozen=True)
class Case:
    """A pool of six nodes, and what is beside it."""

    budgets: list[dict[str, Any]] = field(default_factory=list)
    annotations: Mapping[str, str] = field(default_factory=dict)
    static: int | None = None
    """The limit of nodes of a static pool."""
    pdb: Mapping[str, Any] | None = None
    rule: str = ""
    """What finds it before the upgrade."""


WINDOW = {"nodes": "0", "schedule": "0 8 * * mon-fri", "duration": "10h", "reasons": ["Drifted"]}
CASES = {
    "no budgets (10%)": Case(),
    "`nodes: 34%`": Case([{"nodes": "34%"}]),
    "`nodes: 100%`": Case([{"nodes": "100%"}]),
    "`nodes: 100%`, PDB `maxUnavailable: 1`": Case([{"nodes": "100%"}], pdb={"maxUnavailable": 1}),
    "10%, and `nodes: 0` for drift on weekdays from 8:00 for 10 h": Case([{"nodes": "10%"}, WINDOW]),
    "PDB `maxUnavailable: 0`": Case(pdb={"maxUnavailable": 0}, rule="automode:PinnedPods"),
    "PDB `minAvailable: 100%`": Case(pdb={"minAvailable": "100%"}, rule="automode:PinnedPods"),
    "`nodes: 0`": Case([{"nodes": "0"}], rule="automode:UpgradeBlocked"),
    f"`{DO_NOT_DISRUPT}` on the nodes": Case(annotations={DO_NOT_DISRUPT: "true"}, rule="automode:UpgradeBlocked"),
    "static, `limits.nodes` as `replicas`": Case(static=REPLICAS, rule="automode:StaticPoolNoRoom"),
    "static, one node of room": Case(static=REPLICAS + 1),
}


def objects(case: Case) -> list[dict[str, Any]]:
    disruption: dict[str, Any] = {"budgets": case.budgets} if case.budgets else {}
    spec: dict[str, Any] = {
        "template": {
            "metadata": {"annotations": dict(case.annotations)},
            "spec": {
                "nodeClassRef": {"group": "eks.amazonaws.com", "kind": "NodeClass", "name": "default"},
                "expireAfter": "336h",
                "terminationGracePeriod": "24h",
                "requirements": [
                    {"key": "node.kubernetes.io/instance-type", "operator": "In", "values": ["m7i.large"]},
                    {"key": "karpenter.sh/capacity-type", "operator": "In", "values": ["on-demand"]},
                ],
            },
        },
        "disruption": {"consolidationPolicy": "WhenEmpty", "consolidateAfter": "30s", **disruption},
    }
    if case.static is not None:
        spec |= {"replicas": REPLICAS, "limits": {"nodes": str(case.static)}, "disruption": {"budgets": [{}]}}
    container = {
        "name": "web",
        "image": "public.ecr.aws/docker/library/nginx:1.29",
        "resources": {"requests": {"cpu": "1", "memory": "1Gi"}},
    }
    made: list[dict[str, Any]] = [
        {"apiVersion": "karpenter.sh/v1", "kind": "NodePool", "metadata": {"name": "pool"}, "spec": spec},
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "web", "namespace": "shop"},
            "spec": {
                "replicas": REPLICAS,
                "selector": {"matchLabels": {"app": "web"}},
                "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}},
            },
        },
    ]
    if case.pdb is not None:
        selector = {"matchLabels": {"app": "web"}}
        made.append(
            {
                "apiVersion": "policy/v1",
                "kind": "PodDisruptionBudget",
                "metadata": {"name": "web", "namespace": "shop"},
                "spec": {"selector": selector, **case.pdb},
            }
        )
    return made


def played(case: Case, *upgrades: tuple[str, float]) -> Result:
    """A cluster of 1.36 that runs for half an hour, and is then upgraded, each time with seconds after it."""
    references = ["NodePool/pool", "Deployment/shop/web", *(["PodDisruptionBudget/shop/web"] if case.pdb else [])]
    steps = [Step(verb="apply", subject=tuple(references), settle_s=1800)]
    steps += [Step(verb="upgrade", subject=version, settle_s=settle) for version, settle in upgrades]
    return simulate(
        Timeline(objects=objects(case), steps=steps, start=MONDAY, version="1.36", starts={"Deployment/shop/web": 60.0})
    )


def replaced_after(result: Result, step: int) -> list[float]:
    """Seconds from a step until each node that was there is gone."""
    begins = result.steps[step].begins
    nodes = result.steps[step - 1].nodes
    assert len(nodes) == REPLICAS
    ends = {node.name: node.ended for node in result.nodes}
    return sorted((ends[node.name] or float("inf")) - begins for node in nodes)


def in_words(seconds: float) -> str:
    for most, unit, size in ((100, "s", 1), (7200, "min", 60), (86400 * 2, "h", 3600)):
        if seconds < most:
            number = seconds / size
            return f"{number:.1f} {unit}" if unit == "h" and number < 10 else f"{number:.0f} {unit}"
    return f"{seconds / 86400:.0f} days"


@pytest.mark.parametrize("name", CASES)
def test_nodes_follow_as_the_page_says(name: str) -> None:
    case = CASES[name]
    (row,) = (row for row in rows("Pool and budgets |") if row[0] == name)
    gone = replaced_after(played(case, ("1.37", 400 * 3600)), 1)
    assert row[1].strip("`") == case.rule
    assert row[2:4] == [in_words(gone[0]), in_words(gone[-1])]
    refused = case.rule == "automode:UpgradeBlocked"
    in_time = gone[-1] <= ROLLBACK_MINUTES * 60
    assert row[4] == ("refused" if refused else "yes" if in_time else "cancelled")


def test_the_page_has_no_other_rows() -> None:
    assert [row[0] for row in rows("Pool and budgets |")] == list(CASES)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if not case.rule and "weekdays" not in name])
def test_nodes_go_back_as_they_came(name: str) -> None:
    result = played(CASES[name], ("1.37", 3600), ("1.36", 3600))
    assert replaced_after(result, 2) == replaced_after(result, 1)


@pytest.mark.parametrize("name", CASES)
def test_what_holds_nodes_to_their_end_is_found_before(name: str) -> None:
    documents = objects(CASES[name])
    found = {
        problem.rule for document in documents for problem in judge_document(document) or () if problem.rule is not None
    }
    tree = judge_tree(
        [TreeObject(where="x", manifest=document) for document in documents], default_node_class=True, whole=False
    )
    found |= {finding.rule for finding in tree}
    blocking = {"automode:PinnedPods", "automode:UpgradeBlocked", "automode:StaticPoolNoRoom"}
    assert found & blocking == ({CASES[name].rule} if CASES[name].rule else set())


def test_synth_and_lint_name_a_blocked_pool(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    app = cdk.App()
    cluster = AutoModeCluster(cdk.Stack(app, "Dev"), "Cluster", cluster_name="c", built_in_pools=[])
    chart = cdk8s.Chart(cdk8s.App(), "pools")
    pool = NodePool(
        chart,
        "training",
        node_class=NodeClass(chart, "gpu", spec=cluster.values.node_class_spec()),
        requirements=[labels.INSTANCE_CATEGORY.is_in("m"), labels.ARCH.is_in("amd64")],
        budgets=[Budget(nodes="0")],
    )
    stack = cdk.Stack(app, "Pools")
    ChartDelivery(stack, "Charts", cluster=cluster, chart=chart)
    app.synth()
    text = r".*budgets\[0\].nodes: '0' without a schedule lets no node be replaced for drift.*automode:UpgradeBlocked"
    assert len(Annotations.from_stack(stack).find_warning("*", Match.string_like_regexp(text))) == 1
    (tmp_path / "pool.yaml").write_text(to_yaml([pool.to_json()]), "utf-8")
    main(["lint", str(tmp_path / "pool.yaml")])
    assert "automode:UpgradeBlocked" in capsys.readouterr().out


def test_the_timeline_of_the_page_plays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (timeline,) = re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL)
    (command,) = re.findall(r"^\$ automode (.*)$", PAGE, flags=re.MULTILINE)
    verb, file, folder = command.split()
    (tmp_path / file).write_text(timeline, "utf-8")
    (tmp_path / folder).mkdir()
    (tmp_path / folder / "all.yaml").write_text(to_yaml(objects(CASES["no budgets (10%)"])), "utf-8")
    assert main([verb, str(tmp_path / file), str(tmp_path / folder)]) == 0
    text = capsys.readouterr().out
    assert "its image is of Kubernetes 1.36" in text
    assert text.count("NodeDraining") == REPLICAS
