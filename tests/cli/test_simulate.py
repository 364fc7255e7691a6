"""``automode simulate``: what it reads, what it says, and what it refuses."""

from __future__ import annotations

import io
import json
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from automode_constructs.cli.main import main
from automode_constructs.cli.simulate import run_simulation
from automode_constructs.cli.simulate_live import frames, play
from automode_constructs.cli.simulate_picture import as_html, as_svg

POOL = """
apiVersion: karpenter.sh/v1
kind: NodePool
metadata: {name: general}
spec:
  disruption: {consolidationPolicy: WhenEmpty, consolidateAfter: 30s}
  template:
    spec:
      nodeClassRef: {group: eks.amazonaws.com, kind: NodeClass, name: default}
      expireAfter: 336h
      terminationGracePeriod: 24h
      requirements:
      - {key: eks.amazonaws.com/instance-category, operator: In, values: [c]}
      - {key: kubernetes.io/arch, operator: In, values: [amd64]}
      - {key: karpenter.sh/capacity-type, operator: In, values: [on-demand]}
"""
SHOP = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: ui, namespace: shop}
spec:
  replicas: 2
  selector: {matchLabels: {app: ui}}
  template:
    metadata: {labels: {app: ui}}
    spec:
      containers:
      - {name: ui, image: "example.com/ui:1", resources: {requests: {cpu: 500m, memory: 512Mi}}}
"""
TIMELINE = """
manifests: [pool.yaml, shop.yaml]
steps:
- apply: "*"
- scale: Deployment/shop/ui
  replicas: 0
  settle: 5m
"""

EXAMPLES = [
    file
    for file in sorted((Path(__file__).parents[2] / "examples").glob("*.yaml"))
    if "kind:" in file.read_text("utf-8")
]
"""What the examples deliver; one delivers nothing."""

Say = Callable[..., tuple[int, str, str]]


@pytest.fixture
def say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Say:
    """Runs the command in a folder with a pool, a shop and a timeline: its exit code and what it prints."""
    monkeypatch.chdir(tmp_path)
    for name, text in (("pool.yaml", POOL), ("shop.yaml", SHOP), ("timeline.yaml", TIMELINE)):
        Path(name).write_text(text, "utf-8")

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(["simulate", *arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_manifests_alone_are_applied(say: Say) -> None:
    code, out, err = say("pool.yaml", "shop.yaml")
    assert (code, err) == (0, "")
    # 2 x 500m and 2 x 512Mi: the cheapest type of category c and amd64 has 2 vCPUs and 4 GiB.
    assert "n1: c6a.large (on-demand) in us-east-1a for shop/ui, NodePool general" in out
    assert "0:00:18    Pods                 n1: has 2 pods now" in out
    assert "built-in" not in out


def test_the_same_input_gives_the_same_bytes(say: Say) -> None:
    assert say("timeline.yaml", "--format", "json") == say("timeline.yaml", "--format", "json")


def test_a_timeline_names_its_files_from_where_it_stands(say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    here = Path.cwd()
    monkeypatch.chdir("/")
    code, out, _ = say(str(here / "timeline.yaml"))
    assert code == 0
    assert "NodeEnded            n1: Empty" in out
    assert "Nodes:     1 node launched" in out


def test_standard_input_is_read(say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO((POOL + "---" + SHOP).encode())))
    code, out, _ = say("-")
    assert code == 0
    assert "NodePool general" in out


@pytest.mark.parametrize("item", ["shop.yaml", "Deployment/shop/ui", yaml.safe_load(SHOP)], ids=["file", "name", "own"])
def test_a_step_applies_files_names_and_manifests(say: Say, item: Any) -> None:
    steps = [{"apply": ["NodePool/general", item]}]
    Path("steps.yaml").write_text(yaml.safe_dump({"manifests": ["pool.yaml", "shop.yaml"], "steps": steps}), "utf-8")
    code, out, _ = say("steps.yaml")
    assert code == 0
    assert "has 2 pods now" in out


def test_built_in_pools_are_there_if_nobody_has_a_pool(say: Say) -> None:
    note = "Note: The input has no NodePool, so EKS's built-in pools general-purpose and system are simulated\n"
    assert note in say("shop.yaml")[1]
    Path("none.yaml").write_text(
        'built_in_pools: false\nmanifests: [shop.yaml]\nsteps: [{apply: "*", settle: 1m}]', "utf-8"
    )
    code, out, _ = say("none.yaml")
    assert code == 1
    assert "Pending: 2 pods of shop/ui since 0:00:00 (ui-1, ui-2)\n  cluster: no NodePool may get new nodes\n" in out
    Path("both.yaml").write_text(
        'built_in_pools: true\nmanifests: [pool.yaml, shop.yaml]\nsteps: [{apply: "*"}]', "utf-8"
    )
    code, out, _ = say("both.yaml", "--why", "n1")
    # Of equal weight, the last of the alphabet is tried first: system, general-purpose, general.
    assert "NodePool general-purpose" in out.splitlines()[0]
    assert "  NodePool system: taint CriticalAddonsOnly is not tolerated" in out


def test_pending_pods_are_told_why_and_the_exit_code_says_so(say: Say) -> None:
    Path("big.yaml").write_text(SHOP.replace("cpu: 500m", "cpu: 500"), "utf-8")
    code, out, err = say("pool.yaml", "big.yaml")
    assert (code, err) == (1, "")
    assert "Pending: 2 pods of shop/ui since 0:00:00 (ui-1, ui-2)" in out
    assert "  NodePool general: no instance type left has 500 of cpu" in out
    code, out, _ = say("pool.yaml", "big.yaml", "--why", "ui-2")
    assert code == 1
    assert out.startswith("Pending: 1 pod of shop/ui since 0:00:00 (ui-2)\n  NodePool general: no instance type left")


def test_why_names_the_types_that_lost(say: Say) -> None:
    code, out, _ = say("pool.yaml", "shop.yaml", "--why", "n1")
    assert code == 0
    lines = out.splitlines()
    assert lines[0].startswith("n1: c6a.large (on-demand) in us-east-1a, NodePool general, $0.0765/h and $0.0092/h fee")
    reasons = [line.split(None, 2) for line in lines if line.startswith("   ")]
    assert [reason.partition(":")[0] for _, _, reason in reasons] == [
        "the pool wants eks.amazonaws.com/instance-category of c",
        "the pool wants kubernetes.io/arch of amd64",
        "cost as much or more",
    ]
    # Each type is counted once, and the one that was taken not at all.
    assert sum(int(types) for types, _, _ in reasons) == 984
    assert say("pool.yaml", "shop.yaml", "--why", "ui-1")[1] == out


def test_why_of_nothing(say: Say) -> None:
    assert say("pool.yaml", "shop.yaml", "--why", "n7") == (
        2,
        "",
        "automode: --why: no node is called 'n7', no pod of that name waits, and no node was launched for one; "
        "nodes are n1\n",
    )


def test_json_holds_everything(say: Say) -> None:
    code, out, _ = say("timeline.yaml", "--format", "json")
    document = json.loads(out)
    assert code == 0
    assert document["version"] == 1
    assert list(document) == [
        *("version", "start", "steps", "nodes", "events", "samples", "totals"),
        *("assumptions", "not_simulated", "remarks", "prices"),
    ]
    node = document["nodes"][0]
    assert node["instance_type"] == "c6a.large"
    assert node["price_usd_per_hour"] == 0.0765
    assert node["fee_usd_per_hour"] == pytest.approx(0.0765 * 0.12)
    assert sum(lost["types"] for lost in node["types_lost"]) == 984
    assert document["steps"][0]["nodes"][0]["pods"] == {"shop/ui": 2}
    hours = (node["ended_s"] - node["created_s"]) / 3600
    assert document["totals"]["usd"] == pytest.approx(hours * 0.0765 * 1.12, abs=1e-5)
    assert "node_start_s" in {each["name"] for each in document["assumptions"]}


def test_the_page_names_each_field_of_the_json(say: Say) -> None:
    page = (Path(__file__).parents[2] / "docs/simulate.md").read_text("utf-8")
    document = json.loads(say("timeline.yaml", "--format", "json")[1])
    names = set(document) | set(document["nodes"][0]) | set(document["steps"][0]) | set(document["totals"])
    names |= set(document["events"][0]) | set(document["samples"][0]) | set(document["assumptions"][0])
    assert sorted(name for name in names - {"start"} if f"`{name}`" not in page) == []


def test_assumptions_are_listed_and_those_in_use_marked(say: Say) -> None:
    code, out, _ = say("--assumptions")
    assert code == 0
    assert "node_start_s          17 " in out
    assert "*" not in out
    code, out, _ = say("timeline.yaml", "--assumptions", "--assume", "node_start_s=40")
    assert code == 0
    marked = [line.split()[1] for line in out.splitlines() if line.startswith("* ")][:-1]
    assert "node_start_s" in marked
    assert "spot_notice_s" not in marked
    assert "*  node_start_s          40 " in out


def test_an_assumption_changes_the_result(say: Say) -> None:
    assert "NodeReady            n1: after 40 s" in say("timeline.yaml", "--assume", "node_start_s=40")[1]


@pytest.mark.parametrize(
    ("assume", "message"),
    [
        ("node_start=40", "--assume: no assumption is called 'node_start'; did you mean 'node_start_s'?"),
        ("node_start_s", "--assume: node_start_s: needs NAME=VALUE, got 'node_start_s'"),
        ("node_start_s=soon", "--assume: node_start_s: needs a number of at least 0, got 'soon'"),
        ("node_start_s=-1", "--assume: node_start_s: needs a number of at least 0, got '-1'"),
        ("node_start_s=nan", "--assume: node_start_s: needs a number of at least 0, got 'nan'"),
        ("retry_s=0", "--assume: retry_s: needs a number above 0, got '0'"),
        ("spot_to_spot=yes", "--assume: spot_to_spot: needs true or false, got 'yes'"),
        ("pods_on_ipv6=1.5", "--assume: pods_on_ipv6: needs a whole number, got '1.5'"),
    ],
)
def test_wrong_assumptions(say: Say, assume: str, message: str) -> None:
    code, out, err = say("timeline.yaml", "--assume", assume)
    assert (code, out) == (2, "")
    assert err.startswith(f"automode: {message}")


@pytest.mark.parametrize(
    ("timeline", "message"),
    [
        ("steps: []", "wrong.yaml: steps: needs a list of at least one step, got a list of 0"),
        (
            "step: [{wait: 1m}]",
            "wrong.yaml: is neither a Kubernetes object (kind, metadata.name) nor a timeline (steps)",
        ),
        (
            "steps: [{scal: Deployment/shop/ui, replicas: 1}]",
            "wrong.yaml: steps[0]: needs one of apply, scale, patch, delete, interrupt_spot, zone_outage, "
            "zone_recovery, capacity_shortage, capacity_return, reservation_end, upgrade, wait; did you mean 'scale'?",
        ),
        ("steps: [{wait: soon}]", "wrong.yaml: steps[0].wait: needs a duration such as '90s' or '5m', got 'soon'"),
        (
            "steps: [{scale: Deployment/shop/ui}]",
            "wrong.yaml: steps[0].replicas: needs a whole number of at least 0, got None",
        ),
        (
            "steps: [{scale: Deployment/shop/ui, replicas: 1}]",
            "wrong.yaml: steps[0]: there is no Deployment/shop/ui; use one of 'NodePool/general-purpose', "
            "'NodePool/system'",
        ),
        (
            "{manifests: [shop.yaml], steps: [{apply: Deployment/shop/iu}]}",
            "wrong.yaml: steps[0]: there is no Deployment/shop/iu; did you mean 'Deployment/shop/ui'? Use",
        ),
        (
            "steps: [{capacity_shortage: {instance_type: c6a.lrge}}]",
            "wrong.yaml: steps[0]: instance_type: 'c6a.lrge' is not in the catalogue; did you mean 'c6a.large' or",
        ),
        ("{manifests: 7, steps: [{wait: 1m}]}", "wrong.yaml: manifests: needs a list of files and folders, got 7"),
        (
            "{manifests: [shp.yaml], steps: [{wait: 1m}]}",
            "wrong.yaml: manifests[0]: shp.yaml:1:1: cannot be read: no such file or directory; "
            "did you mean 'shop.yaml'?",
        ),
        (
            "steps: [{apply: shp.yaml}]",
            "wrong.yaml: steps[0].apply: shp.yaml:1:1: cannot be read: no such file or directory; "
            "did you mean 'shop.yaml'?",
        ),
        ("{built_in_pools: 1, steps: [{wait: 1m}]}", "wrong.yaml: built_in_pools: needs true or false, got 1"),
        ("{zone: [a], steps: [{wait: 1m}]}", "wrong.yaml: zone: is not a field of a timeline; did you mean 'zones'?"),
        ("steps: [{apply: {kind: Pod}}]", "wrong.yaml: steps[0].apply: holds a manifest without kind or metadata.name"),
        (
            "steps: [{wait: 999999999h}]",
            "wrong.yaml: steps[0].wait: needs a duration such as '90s' or '5m', got '999999999h'",
        ),
        (
            "{manifests: [shop.yaml], steps: [{apply: '*'}, {scale: Deployment/shop/ui, replicas: 1000000000}]}",
            "wrong.yaml: Deployment/shop/ui: 1000000000 pods are more than the 50000 of a workload that are simulated",
        ),
        (
            "steps: [{interrupt_spot: {count: 1.5}}]",
            "wrong.yaml: steps[0].interrupt_spot.count: needs a whole number of at least 1, got 1.5",
        ),
        (
            "steps: [{interrupt_spot: {pool: 3}}]",
            "wrong.yaml: steps[0].interrupt_spot.pool: needs a text, got 3",
        ),
        (
            "{manifests: [pool.yaml], steps: [{apply: '*'}, {patch: NodePool/general, merge: {spec: true}}]}",
            "wrong.yaml: steps[1]: NodePool/general: spec: the patch leaves no mapping here",
        ),
        ("steps: [{apply: ui}]", "wrong.yaml: steps[0].apply: 'ui' names no object; write Kind/name"),
    ],
)
def test_wrong_timelines(say: Say, timeline: str, message: str) -> None:
    Path("wrong.yaml").write_text(timeline, "utf-8")
    code, out, err = say("wrong.yaml")
    assert (code, out) == (2, "")
    assert err.startswith(f"automode: {message}")
    assert "Traceback" not in err


def test_all_problems_are_named_at_once(say: Say) -> None:
    Path("wrong.yaml").write_text("{manifests: [no.yaml], zones: 3, steps: [{wait: soon}]}", "utf-8")
    err = say("wrong.yaml")[2]
    assert err.startswith("automode: wrong.yaml: 3 problems\n  manifests[0]: ")
    assert "\n  steps[0].wait: " in err
    assert "\n  zones: needs a list of zone names, got 3" in err


def test_two_timelines_are_one_too_many(say: Say) -> None:
    Path("other.yaml").write_text(TIMELINE, "utf-8")
    assert say("timeline.yaml", "other.yaml")[2] == (
        "automode: other.yaml: is a second timeline, after timeline.yaml; simulate one at a time\n"
    )


def test_a_wrong_pool_is_refused_as_the_linter_does(say: Say) -> None:
    Path("pool.yaml").write_text(POOL.replace("operator: In, values: [c]", "operator: Is, values: [c]"), "utf-8")
    code, _, err = say("pool.yaml", "shop.yaml")
    assert code == 2
    assert err.startswith(
        "automode: pool.yaml: NodePool 'general': spec.template.spec.requirements[0].operator: 'Is' is not allowed"
    )


def test_a_wrong_pod_is_refused_as_the_api_server_does(say: Say) -> None:
    Path("shop.yaml").write_text(SHOP.replace("cpu: 500m", "cpu: half"), "utf-8")
    code, _, err = say("timeline.yaml")
    assert code == 2
    assert err.startswith("automode: timeline.yaml: manifests[1]: shop.yaml: Deployment 'ui': spec.template.spec.")


def test_an_object_of_no_known_version_is_refused(say: Say) -> None:
    Path("shop.yaml").write_text(SHOP.replace("apps/v1", "apps/v2"), "utf-8")
    assert say("pool.yaml", "shop.yaml")[2] == (
        "automode: shop.yaml: Deployment 'ui': apiVersion: 'apps/v2' has no kind Deployment; write its apiVersion\n"
    )


def test_nothing_to_simulate(say: Say) -> None:
    assert say() == (
        2,
        "",
        "automode: nothing to simulate; name a timeline or manifests ('automode demo' needs none)\n",
    )
    Path("empty").mkdir()
    assert say("empty") == (
        2,
        "",
        "automode: empty: holds no Kubernetes object; name manifests or a timeline\n",
    )


def test_an_assembly_is_read_with_its_unknown_values(say: Say) -> None:
    out = Path("cdk.out")
    out.mkdir()
    (out / "cdk.out").write_text('{"version": "55.0.0"}', "utf-8")
    (out / "manifest.json").write_text('{"artifacts": {}}', "utf-8")
    pool = json.dumps([yaml.safe_load(POOL)])
    shop = json.dumps([yaml.safe_load(SHOP)]).replace('"example.com/ui:1"', '"@"')
    before, after = shop.split("@")
    manifest = {"Fn::Join": ["", [before, {"Ref": "Image"}, after]]}
    kind = "Custom::AWSCDK-EKS-KubernetesResource"
    resources = {
        "Pool": {"Type": kind, "Properties": {"Manifest": pool}},
        "Shop": {"Type": kind, "Properties": {"Manifest": manifest}},
        "Topic": {"Type": "AWS::SNS::Topic"},
    }
    (out / "eks.template.json").write_text(json.dumps({"Resources": resources}), "utf-8")
    code, printed, _ = say("cdk.out")
    assert code == 0
    assert "has 2 pods now" in printed
    assert "Note" not in printed  # the image decides nothing here


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_can_be_simulated(example: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if example.stem in {"backup", "node_agents"}:
        # Two clusters in one file.
        assert main(["simulate", str(example)]) == 2
        assert "is there twice, and the two differ; simulate one cluster at a time" in capsys.readouterr().err
        return
    assert main(["simulate", str(example)]) in (0, 1)
    assert capsys.readouterr().err == ""


def test_unknown_values_that_decide_are_named(say: Say) -> None:
    shop = yaml.safe_load(SHOP)
    shop["spec"]["template"]["spec"]["nodeSelector"] = {"topology.kubernetes.io/zone": "{{'Ref': 'Zone'}}"}
    Path("shop.yaml").write_text(yaml.safe_dump(shop), "utf-8")
    code, out, _ = say("pool.yaml", "shop.yaml")
    assert code == 1
    assert "Note: Deployment ui: nodeSelector" in out
    assert "is not known before a deployment" in out


def test_pictures_are_xml_for_light_and_dark_pages(say: Say) -> None:
    code, _, _ = say("timeline.yaml", "--svg", "nodes.svg", "--html", "nodes.html")
    assert code == 0
    text = Path("nodes.svg").read_text("utf-8")
    root = ET.fromstring(text)
    bars = [item for item in root.iter("{http://www.w3.org/2000/svg}title") if item.text and item.text.startswith("n1")]
    assert [bar.text for bar in bars] == ["n1: c6a.large (on-demand) in us-east-1a, NodePool general"]
    assert "prefers-color-scheme: dark" in text
    assert text in Path("nodes.html").read_text("utf-8")


def test_a_picture_that_cannot_be_written(say: Say) -> None:
    assert say("timeline.yaml", "--svg", "no/nodes.svg") == (
        2,
        "",
        "automode: no/nodes.svg: cannot be written: no such file or directory\n",
    )


def test_names_cannot_break_out_of_the_picture(say: Say) -> None:
    Path("steps.yaml").write_text(yaml.safe_dump({"zones": ["<script>&"], "steps": [{"apply": "*"}]}), "utf-8")
    run = run_simulation(["pool.yaml", "shop.yaml", "steps.yaml"])
    ET.fromstring(as_svg(run))
    assert "<script>" not in as_html(run)
    assert "&lt;script&gt;&amp;" in as_svg(run)


def test_many_nodes_have_thin_rows(say: Say) -> None:
    pod = yaml.safe_load(SHOP)
    pod["spec"]["replicas"] = 70
    pod["spec"]["template"]["spec"]["affinity"] = {
        "podAntiAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": [
                {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "ui"}}}
            ]
        }
    }
    Path("shop.yaml").write_text(yaml.safe_dump(pod), "utf-8")
    run = run_simulation(["pool.yaml", "shop.yaml"])
    assert len(run.result.nodes) == 70
    root = ET.fromstring(as_svg(run))
    assert float(root.attrib["height"]) < 500


def test_frames_follow_the_nodes(say: Say) -> None:
    run = run_simulation(["timeline.yaml"])
    played = list(frames(run.result))
    states = [(frame.at, [(node.name, state, pods) for node, state, pods in frame.nodes]) for frame in played]
    assert states[:3] == [(0.0, []), (1.0, [("n1", "starting", 0)]), (18.0, [("n1", "ready", 2)])]
    assert states[-1][1] == []
    assert [frame.waiting for frame in played[:3]] == [2, 2, 0]
    assert played[-1].usd == pytest.approx(run.result.totals.usd, abs=1e-6)


def test_live_without_a_terminal_waits_for_nothing(say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: pytest.fail("it waits"))
    code, out, _ = say("timeline.yaml", "--live", "--speed", "0.1")
    assert code == 0
    assert out == say("timeline.yaml")[1]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_live_in_a_terminal_moves_at_its_speed(say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("time.sleep", pauses.append)
    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal()
    report: list[str] = []
    play(run_simulation(["timeline.yaml"]), speed=10, write=report.append, terminal=terminal)
    assert pauses[:3] == [0.0, 0.1, 1.7]
    assert max(pauses) == 3.0  # a person is not kept waiting for two quiet minutes
    assert "starting" in terminal.getvalue()
    assert "c6a.large" in terminal.getvalue()
    assert "".join(report).startswith("NODE ")


def test_live_in_a_terminal_asks_for_rich(
    say: Say, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "rich.console", None)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    code, out, err = say("timeline.yaml", "--live")
    assert (code, out) == (2, "")
    assert err == (
        "automode: --live: needs the library rich in a terminal; pip install 'automode-constructs[live]', "
        "or pipe the output to 'cat'\n"
    )


@pytest.mark.parametrize("speed", ["0", "-1", "fast", "nan"])
def test_speeds_are_above_0(say: Say, speed: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        say("timeline.yaml", f"--speed={speed}")
    assert stopped.value.code == 2
    assert f"needs a number above 0, got '{speed}'" in capsys.readouterr().err
