"""The command as a person or a pipeline runs it."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from automode_constructs.cli.main import main

ROOT = Path(__file__).parents[2]

POOL = """\
apiVersion: karpenter.sh/v1
kind: NodePool
metadata:
  name: batch
spec:
  template:
    spec:
      nodeClassRef: {group: eks.amazonaws.com, kind: NodeClass, name: standard}
      requirements:
        - {key: eks.amazonaws.com/instance-category, operator: In, values: [c]}
      expireAfter: 336h
      terminationGracePeriod: 24h
"""
MISSPELT = POOL.replace("expireAfter", "expireAfer")
SERVICE = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: '${not} {{ ours }}'}\n"


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def lint(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["lint", *arguments])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_clean_input_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.yaml").write_text(f"{POOL}---\n{SERVICE}", "utf-8")
    assert lint(capsys, "a.yaml") == (
        0,
        "",
        "1 document judged, 1 of other kinds passed by: 0 errors, 0 warnings\n",
    )


def test_a_finding_is_one_line_with_place_rule_severity_and_cure(capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.yaml").write_text(MISSPELT, "utf-8")
    code, out, err = lint(capsys, "a.yaml")
    assert code == 1
    assert out.startswith(
        "a.yaml:11:7 automode:UnknownField error: spec.template.spec.expireAfer: is not a known field; "
        "did you mean 'expireAfter'?"
    )
    assert len(out.splitlines()) == 1
    assert err == "1 document judged, 0 of other kinds passed by: 1 error, 0 warnings\n"


def test_folders_are_searched_without_hidden_ones_and_loops(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("tree/a.yaml", "tree/b/c.yml", "tree/b/d.json", "tree/.git/e.yaml", "tree/f.txt"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(POOL.replace("batch", f"n{len(name)}"), "utf-8")
    Path("tree/b/d.json").write_text('{\n\t"apiVersion": "karpenter.sh/v1",\n\t"kind": "NodePool"}', "utf-8")
    Path("tree/b/up").symlink_to(Path.cwd() / "tree", target_is_directory=True)
    Path("tree/again.yaml").symlink_to("a.yaml")
    code, out, err = lint(capsys, "tree", "tree/a.yaml")
    assert code == 1
    assert {line.split(":")[0] for line in out.splitlines()} == {"tree/b/d.json"}
    assert err.startswith("3 documents judged, 0 of other kinds passed by")


def test_standard_input_and_lists_are_read(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    items = "".join(f"- {line}\n" if n == 0 else f"  {line}\n" for n, line in enumerate(MISSPELT.splitlines()))
    text = f"apiVersion: v1\nkind: List\nitems:\n{items}"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    code, out, _ = lint(capsys, "-", "--format", "json")
    (finding,) = json.loads(out)["findings"]
    assert (code, finding["file"], finding["line"], finding["column"]) == (1, "-", 14, 9)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("apiVersion: karpenter.sh/v1\nkind: NodePoolList\nitems:\n- metadata: {name: a}\n  spec: {weight: 200}\n", 5),
        (
            "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: List\n  items:\n  - kind: NodePool\n"
            "    apiVersion: karpenter.sh/v1\n    metadata: {name: a}\n    spec: {weight: 200}\n",
            10,
        ),
    ],
    ids=["of one kind", "in a list"],
)
def test_every_list_is_opened(capsys: pytest.CaptureFixture[str], text: str, line: int) -> None:
    Path("a.yaml").write_text(text, "utf-8")
    code, out, _ = lint(capsys, "a.yaml", "--format", "json")
    weight = next(each for each in json.loads(out)["findings"] if each["field"] == "spec.weight")
    assert (code, weight["line"], weight["message"]) == (1, line, "must be at most 100, got 200")


def test_json_says_everything(capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.yaml").write_text(f"{MISSPELT}---\n{SERVICE}", "utf-8")
    code, out, err = lint(capsys, "a.yaml", "--format", "json")
    said = json.loads(out)
    (finding,) = said.pop("findings")
    assert (code, err, said) == (1, "", {"judged": 1, "passed_by": 1})
    assert finding.pop("cure").startswith("did you mean 'expireAfter'?")
    assert finding == {
        "file": "a.yaml",
        "line": 11,
        "column": 7,
        "rule": "automode:UnknownField",
        "severity": "error",
        "field": "spec.template.spec.expireAfer",
        "message": "is not a known field",
        "kind": "NodePool",
        "name": "batch",
        "fixable": True,
        "edits": [
            {"start": {"line": 11, "column": 7}, "end": {"line": 11, "column": 17}, "text": "expireAfter"},
        ],
    }


def test_sarif_names_rules_and_regions(capsys: pytest.CaptureFixture[str]) -> None:
    Path("a b.yaml").write_text(MISSPELT, "utf-8")
    code, out, _ = lint(capsys, "a b.yaml", "--format", "sarif")
    log = json.loads(out)
    (run,) = log["runs"]
    (result,) = run["results"]
    (rule,) = run["tool"]["driver"]["rules"]
    assert (code, log["version"], run["tool"]["driver"]["name"]) == (1, "2.1.0", "automode")
    assert rule["id"] == result["ruleId"] == "automode:UnknownField"
    assert run["tool"]["driver"]["rules"][result["ruleIndex"]] is rule
    assert rule["shortDescription"]["text"]
    assert (rule["defaultConfiguration"]["level"], result["level"]) == ("error", "error")
    place: dict[str, Any] = result["locations"][0]["physicalLocation"]
    assert place == {"artifactLocation": {"uri": "a%20b.yaml"}, "region": {"startLine": 11, "startColumn": 7}}
    assert "expireAfer: is not a known field" in result["message"]["text"]


@pytest.mark.parametrize(
    ("field", "text", "told"),
    [
        ("tagSpecification_1", "pvc={{ .PVCName }}", ""),
        ("tagSpecification_2", "of={{ .PVCNamespace | toUpper }}/{{- .PVName -}}", ""),
        ("tagSpecification_1", "team={{ .Values.team }}", "{{ .Values.team }}"),
        ("tagSpecification_1", "a={{ .PVCName }}-{{ .Release.Name }}", "{{ .Release.Name }}"),
        ("tagSpecification_1", "a=${TEAM}", "${TEAM}"),
        ("kmsKeyId", "arn:aws:kms:{{ .PVCName }}", "{{ .PVCName }}"),
    ],
)
def test_what_the_storage_driver_fills_in_is_no_placeholder(
    capsys: pytest.CaptureFixture[str], field: str, text: str, told: str
) -> None:
    document = {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": "a"},
        "provisioner": "ebs.csi.eks.amazonaws.com",
        "volumeBindingMode": "WaitForFirstConsumer",
        "parameters": {field: text},
    }
    Path("a.json").write_text(json.dumps(document, indent=1), "utf-8")
    code, out, _ = lint(capsys, "a.json")
    told = told and (
        f"a.json:10:3 automode:UnrenderedTemplate error: parameters.{field}: the placeholder '{told}' is not filled "
        "in; judge what the template makes (helm template, kustomize build, envsubst), or write the value\n"
    )
    assert (code, out) == (int(bool(told)), told)


def test_warnings_fail_only_when_strict_and_a_name_used_twice_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.yaml").write_text(f"{POOL}---\n{POOL}", "utf-8")
    code, out, _ = lint(capsys, "a.yaml")
    assert (code, out) == (
        0,
        "a.yaml:17:3 automode:DuplicateObject warning: metadata.name: NodePool 'batch' is also created by a.yaml:4, "
        "and in "
        "one cluster the one applied last wins; give one of them another name, or lint the files of each cluster by "
        "themselves\n",
    )
    assert lint(capsys, "a.yaml", "--strict")[0] == 1


@pytest.mark.parametrize(
    "text",
    [
        POOL.replace("336h", "${EXPIRY}"),
        POOL.replace("336h", '"{{ .Values.expiry }}"'),
        POOL.replace("336h", "{{ .Values.expiry }}"),
        POOL.replace(
            "      expireAfter: 336h", "      {{- if .Values.expiry }}\n      expireAfer: 336h\n      {{- end }}"
        ),
    ],
)
def test_a_placeholder_gives_one_finding_and_no_noise(capsys: pytest.CaptureFixture[str], text: str) -> None:
    Path("a.yaml").write_text(text.replace("terminationGracePeriod", "unknown"), "utf-8")
    code, out, _ = lint(capsys, "a.yaml")
    assert code == 1
    (line,) = out.splitlines()
    assert line.startswith("a.yaml:11:")
    assert "automode:UnrenderedTemplate error: " in line
    assert line.endswith(
        "is not filled in; judge what the template makes (helm template, kustomize build, envsubst), or write the value"
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read: no such file or directory"),
        (b"", "holds no Kubernetes object"),
        (b"just words", "holds no Kubernetes object"),
        (b"a: [", "is not YAML: "),
        (b"a: \xff", "is not UTF-8: byte 0xff cannot stand here; save it as UTF-8"),
        (b"\x7fELF\0\0", "is binary: it holds a zero byte"),
        (b"{{" * 300_000, "has a mapping or a list as a key"),
        (b"[" * 300_000, "is nested deeper than 64 levels"),
    ],
)
def test_unusable_input_is_named_and_exits_with_2(
    capsys: pytest.CaptureFixture[str], content: bytes | None, message: str
) -> None:
    if content is not None:
        Path("a.yaml").write_bytes(content)
    code, out, _ = lint(capsys, "a.yaml")
    assert code == 2
    assert out.startswith("a.yaml:1:")
    assert f"automode:UnreadableInput error: {message}" in out


def test_a_folder_without_yaml_is_unusable(capsys: pytest.CaptureFixture[str]) -> None:
    Path("empty").mkdir()
    code, out, _ = lint(capsys, "empty")
    assert (code, out) == (
        2,
        "empty:1:1 automode:UnreadableInput error: holds no YAML and no JSON; name another folder\n",
    )


def test_a_file_name_cannot_command_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    Path("a\x1b[2J\n.yaml").write_text("a: [", "utf-8")
    _, out, _ = lint(capsys, ".")
    assert out.startswith("a\\x1b[2J\\n.yaml:1:")


@pytest.mark.parametrize(("no_colour", "coloured"), [("", True), ("1", False)])
def test_colour_is_for_terminals_that_want_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, no_colour: str, coloured: bool
) -> None:
    Path("a.yaml").write_text(MISSPELT, "utf-8")
    monkeypatch.setenv("NO_COLOR", no_colour)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    _, out, _ = lint(capsys, "a.yaml")
    assert ("\x1b[31merror\x1b[0m" in out) is coloured


def test_what_nobody_foresaw_is_one_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(paths: object, **options: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr("automode_constructs.cli.lint.lint", fail)
    assert main(["lint", "a.yaml"]) == 2
    assert capsys.readouterr().err == ("automode: unexpected RuntimeError: broken; please report it with the input\n")


def test_a_stop_by_hand_is_quiet(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(paths: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("automode_constructs.cli.lint.lint", stop)
    assert main(["lint", "a.yaml"]) == 130
    assert capsys.readouterr() == ("", "")


def test_a_reader_that_leaves_is_no_traceback() -> None:
    Path("a.yaml").write_text("---\n".join([MISSPELT] * 400), "utf-8")
    command = f"'{sys.executable}' -m automode_constructs.cli.main lint a.yaml | head -1"
    ran = subprocess.run(
        command, shell=True, capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert len(ran.stdout.splitlines()) == 1
    assert "Traceback" not in ran.stderr and "BrokenPipe" not in ran.stderr


def test_a_clean_pool_loads_no_check_of_other_kinds() -> None:
    Path("a.yaml").write_text(POOL, "utf-8")
    program = (
        "import sys; from automode_constructs.cli.main import main; main(['lint', 'a.yaml'])\n"
        "print(*(name for name in sys.modules if name.startswith('automode_constructs.')))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    loaded = {name.removeprefix("automode_constructs.") for name in ran.stdout.split()}
    assert {"checks.document", "checks.whole_tree", "specs.pools.node_pool"} <= loaded
    late = ("change", "kubernetes_objects", "load_balancers", "references", "rollout", "weight_streaming")
    assert loaded.isdisjoint({"cli.fix_text", "facts.models", "inference", *(f"checks.{name}" for name in late)})


def test_the_linter_loads_neither_node_nor_the_cdk() -> None:
    Path("a.yaml").write_text(POOL, "utf-8")
    program = (
        "import sys; from automode_constructs.cli.main import main; main(['lint', 'a.yaml'])\n"
        "print(*{'jsii', 'aws_cdk', 'cdk8s', 'constructs', 'typer', 'rich'} & sys.modules.keys())"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert ran.stdout.split() == []


SERVER = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: server}
spec:
  replicas: 2
  selector: {matchLabels: {app: server}}
  template:
    metadata: {labels: {app: server}}
    spec:
      nodeSelector: {karpenter.sh/nodepool: batch}
      containers:
      - {name: server, image: "registry.example/server:1", resources: {requests: {cpu: 4}}}
"""
SCALER = """\
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: server}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: server}
  maxReplicas: 4
"""


def test_what_shows_in_two_objects_is_found_at_the_one_to_change(capsys: pytest.CaptureFixture[str]) -> None:
    Path("pool.yaml").write_text(f"{POOL}  limits: {{cpu: 8}}\n", "utf-8")
    Path("server.yaml").write_text(f"{SERVER}---\n{SCALER}", "utf-8")
    code, out, _ = lint(capsys, "--strict", ".")
    assert code == 1
    assert out.splitlines() == [
        "server.yaml:5:3 automode:ScaledReplicas warning: spec.replicas: HorizontalPodAutoscaler 'server' scales "
        "Deployment 'server', and every update of this manifest resets it to 2; leave spec.replicas out (of a "
        "ModelServer: replicas=None)",
        "server.yaml:5:3 automode:SurgeExceedsLimit warning: spec.replicas: its 2 replicas and 1 more during a rolling "
        "update need 12 cpu, but NodePool 'batch' is limited to 8: no update ever ends; raise its limits['cpu'] to 12 "
        "or more, or set maxSurge 0 and maxUnavailable 1 (of a ModelServer: strategy='Recreate')",
    ]
    Path("server.yaml").write_text(SERVER.replace("  replicas: 2\n", ""), "utf-8")
    assert lint(capsys, "--strict", ".")[:2] == (0, "")


@pytest.mark.parametrize(
    "rule",
    [
        "ScaledReplicas",
        "StagingDeadline",
        "StreamerLimit",
        "StreamerMemory",
        "SurgeExceedsLimit",
        "UnknownInstanceTypes",
    ],
)
def test_what_is_said_of_servers_is_explained(rule: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", f"automode:{rule}"]) == 0
    assert "Source:" in capsys.readouterr().out


def test_a_rule_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "UnknownField"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("automode:UnknownField\n\nEvery field is one that the kind has")
    assert "Severity: error\nKinds:    all\nJudged:   in each object (" in said
    assert said.endswith("\nSource:   the kind's CRD, or Kubernetes' API reference\n")


def test_explain_alone_lists_every_rule(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain"]) == 0
    assert re.search("^automode:NoAdmin +warning  At least one role has access", capsys.readouterr().out, re.MULTILINE)


def test_an_error_that_may_be_a_warning_says_where(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "DuplicateObject"]) == 0
    assert "\nSeverity: error; a warning where the input is files, which may belong to several clusters\n" in (
        capsys.readouterr().out
    )


def test_an_unknown_rule_gets_its_neighbours(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "automode:UnknwnField"]) == 2
    assert "no rule is called 'automode:UnknwnField'; did you mean automode:UnknownField" in capsys.readouterr().err


def test_what_cannot_change_is_found_beside_the_objects_of_the_cluster(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    storage = "apiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata: {name: gp3}\n"
    storage += "provisioner: ebs.csi.eks.amazonaws.com\nvolumeBindingMode: WaitForFirstConsumer\n"
    (tmp_path / "old.yaml").write_text(f"{storage}parameters: {{type: gp3}}\n")
    (tmp_path / "new.yaml").write_text(f"{storage}parameters: {{type: sc1}}\n")
    old, new = str(tmp_path / "old.yaml"), str(tmp_path / "new.yaml")
    assert main(["lint", new, "--before", old]) == 1
    assert capsys.readouterr().out.startswith(
        f"{new}:6:14 automode:ImmutableClass error: parameters.type: cannot change from 'gp3' to 'sc1'; give the "
    )
    assert main(["lint", old, "--before", old]) == 0
    assert main(["lint", new, "--before", str(tmp_path / "nowhere.yaml")]) == 2
    assert "nowhere.yaml" in capsys.readouterr().out
    template = tmp_path / "template.yaml"
    template.write_text("{{ if .Values.pool }}\na: [\n", "utf-8")
    assert main(["lint", new, "--before", str(template)]) == 2


def test_a_key_that_stands_twice_in_an_item_of_a_list_is_found(capsys: pytest.CaptureFixture[str]) -> None:
    item = "\n".join(f"    {line}" for line in f"{POOL}kind: NodePool".splitlines()).replace("    ", "  - ", 1)
    Path("a.yaml").write_text(f"apiVersion: v1\nkind: List\nitems:\n{item}\n", "utf-8")
    code, out, _ = lint(capsys, "a.yaml")
    assert (code, out) == (1, "a.yaml:16:5 automode:DuplicateKey error: the key 'kind' stands twice; take one away\n")


GPU_POOL = POOL.replace("[c]", "[g]").replace("name: batch", "name: gpu")


def test_an_accelerated_pool_that_takes_ordinary_pods_is_found_as_are_its_graviton_types(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("a.yaml").write_text(GPU_POOL, "utf-8")
    code, out, err = lint(capsys, "a.yaml")
    first, second = out.splitlines()
    assert first.startswith(
        "a.yaml:7:5 automode:AcceleratedPoolFirst warning: spec.template.spec.taints: NodePool 'gpu' has accelerated "
        "instances and no taint, and Karpenter tries it before EKS's 'general-purpose' ("
    )
    assert second.startswith("a.yaml:9:7 automode:GravitonByAccident warning: spec.template.spec.requirements: ")
    assert (code, err) == (0, "1 document judged, 0 of other kinds passed by: 0 errors, 2 warnings\n")


@pytest.mark.parametrize(
    "others",
    [
        # What kubectl gives of a cluster: EKS's own pool is there, and not counted twice.
        POOL.replace("batch", "general-purpose"),
        POOL.replace("batch", "zoo"),
        POOL.replace("batch", "light")
        + "---\n"
        + POOL.replace("batch", "heavy").replace("spec:\n", "spec:\n  weight: 9\n", 1),
        SERVICE,
    ],
)
def test_pools_in_other_files_come_before_or_after(capsys: pytest.CaptureFixture[str], others: str) -> None:
    Path("a.yaml").write_text(GPU_POOL, "utf-8")
    Path("b.yaml").write_text(others, "utf-8")
    _, out, _ = lint(capsys, "a.yaml", "b.yaml")
    found = out.count("automode:AcceleratedPoolFirst")
    assert found == (0 if "zoo" in others or "heavy" in others else 1)


@pytest.mark.parametrize("text", ["${Token[Role.1]}", "{{'Fn::ImportValue': 'A:B'}}", "{{'Ref': 'Role'}}"])
def test_a_value_of_a_deployment_is_no_template_that_somebody_renders(
    capsys: pytest.CaptureFixture[str], text: str
) -> None:
    Path("a.yaml").write_text(POOL.replace("name: standard", f'name: "{text}"'), "utf-8")
    code, out, _ = lint(capsys, "a.yaml")
    assert code == 1
    assert "automode:UnrenderedTemplate error: spec.template.spec.nodeClassRef.name: " in out
    assert out.endswith(
        "stands for a value that only a deployment knows; deliver the chart by its CDK app, or write it with the "
        "values of a deployment (ClusterValues.from_outputs)\n"
    )


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    return capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["lnt", "a.yaml"], "automode: error: no command is called 'lnt'; did you mean 'lint'? Use one of 'lint', "),
        (["exlain"], "automode: error: no command is called 'exlain'; did you mean 'explain'? Use one of 'lint', "),
        (["lint", "a.yaml", "--strct"], "automode lint: error: it has no option '--strct'; did you mean '--strict'?"),
        (["lint", "--formt=json", "a.yaml"], "automode lint: error: it has no option '--formt=json'; did you mean "),
        (["estimate", "a.yaml", "--al1"], "automode estimate: error: it has no option '--al1'; did you mean '--all'?"),
        (["explain", "NodeLifetime", "b"], "automode explain: error: it has no option 'b'; see its --help"),
        (["lint", "--format", "jsn", "a.yaml"], "automode lint: error: argument --format: invalid choice: 'jsn' "),
    ],
)
def test_a_slip_gets_its_neighbour(capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    assert refused(capsys, *arguments).startswith(message)


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    import tomllib

    with pytest.raises(SystemExit) as stopped:
        main(["--version"])
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    assert (stopped.value.code, *capsys.readouterr()) == (0, f"automode {version}\n", "")


def test_the_package_is_the_command() -> None:
    Path("a.yaml").write_text(MISSPELT, "utf-8")
    ran = subprocess.run(
        [sys.executable, "-m", "automode_constructs", "lint", "a.yaml"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stdout.split(" ")[0]) == (1, "a.yaml:11:7")


def test_rules_are_explained_to_programs(capsys: pytest.CaptureFixture[str]) -> None:
    from automode_constructs.cli.explain import all_rules

    assert main(["explain", "nodeclassnotfound", "--format", "json"]) == 0
    (rule,) = json.loads(capsys.readouterr().out)
    assert rule == {
        "id": "automode:NodeClassNotFound",
        "severity": "error",
        "kinds": ["NodePool"],
        "sentence": "A pool's NodeClass exists.",
        "source": "EKS User Guide, 'Create a Node Pool for EKS Auto Mode'",
        "stricter": "",
        "warning_where": "not all charts of the cluster are known",
        "judged": "tree",
        "links": ["https://docs.aws.amazon.com/eks/latest/userguide/create-node-pool.html"],
    }
    assert main(["explain", "--format", "json"]) == 0
    assert [rule["id"] for rule in json.loads(capsys.readouterr().out)] == [rule.id for rule in all_rules()]
    assert main(["explain", "NodeClassNotFound"]) == 0
    assert capsys.readouterr().out.endswith(
        "\nLink:     https://docs.aws.amazon.com/eks/latest/userguide/create-node-pool.html\n"
    )


def test_every_page_that_has_an_address_is_the_source_of_a_rule() -> None:
    from automode_constructs.cli.explain import all_rules
    from automode_constructs.cli.links import _ADDRESSES, links_of

    linked = {link for rule in all_rules() for link in links_of(rule.source)}
    assert set(_ADDRESSES.values()) - linked == set()
    assert links_of("aws/containers-roadmap#2524") == ["https://github.com/aws/containers-roadmap/issues/2524"]
    guide = [rule for rule in all_rules() if "EKS User Guide" in rule.source]
    assert sum(bool(links_of(rule.source)) for rule in guide) > 0.9 * len(guide)


def test_schemas_are_written_and_printed(capsys: pytest.CaptureFixture[str]) -> None:
    from automode_constructs.cli.schemas import schemas

    Path("made/here").mkdir(parents=True)
    Path("made/here/mine.json").write_text("{}", "utf-8")
    assert main(["schemas", "made/here"]) == 0
    written = {path.name: path.read_text("utf-8") for path in Path("made/here").iterdir()}
    assert written == schemas() | {"mine.json": "{}"}
    assert main(["schemas", "other/there"]) == 0
    assert len([*Path("other/there").iterdir()]) == len(schemas())
    assert main(["schemas", "--print", "NodePool"]) == 0
    assert capsys.readouterr().out == schemas()["nodepool.json"]
    assert main(["schemas", "--print", "NodePol"]) == 2
    assert capsys.readouterr().err.startswith("automode: no kind is called 'NodePol'; did you mean 'NodePool'?")
    Path("file").write_text("mine", "utf-8")
    assert main(["schemas", "file"]) == 2
    assert capsys.readouterr().err.startswith("automode: file: cannot be written: ")
    assert Path("file").read_text("utf-8") == "mine"


def test_a_terminal_sees_where(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    Path("a.yaml").write_text(MISSPELT, "utf-8")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    _, out, _ = lint(capsys, "a.yaml")
    assert out.splitlines()[1:] == ["   11 |       expireAfer: 336h", "      |       ^^^^^^^^^^"]


def test_github_reads_findings_and_people_the_counts(capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.yaml").write_text(MISSPELT, "utf-8")
    code, out, err = lint(capsys, "--format", "github", "a.yaml")
    assert code == 1
    assert out.startswith("::error file=a.yaml,line=11,col=7,title=automode%3AUnknownField::spec.template.spec.expire")
    assert err == "1 document judged, 0 of other kinds passed by: 1 error, 0 warnings\n"
