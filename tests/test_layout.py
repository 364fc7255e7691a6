"""The house's own rules: who may import whom, what every module shows, and what no file may hold."""

from __future__ import annotations

import ast
import importlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LIBRARY = "automode_constructs"

HOUSE = [LIBRARY, "charts", "stacks", "app"]
"""Each may import those before it."""

LAYERS = {
    "lazy_names": 0,
    "errors": 0,
    "tokens": 1,
    "arguments": 2,
    "facts": 2,
    "specs": 3,
    "checks": 4,
    "manifests": 5,
    "rendering": 6,
    "inference": 7,
    "delivery": 7,
    "simulation": 8,
    "aws": 9,
    "patterns": 10,
    "testing": 11,
}
"""The library's rooms: each may import itself and those with a lower number."""

LIGHT = {"lazy_names", "errors", "tokens", "arguments", "facts", "specs", "checks", "simulation"}
"""What a linter needs: it answers in a fraction of a second, and cdk8s and the CDK start a Node process."""

LAZY = (LIBRARY, f"{LIBRARY}.patterns")
"""The packages that hand out names of others, each loaded when it is first used."""

CHARTS = ("charts", f"{LIBRARY}.patterns.charts")
HIDDEN_FROM_CHARTS = ("aws", "delivery", "cli", "testing", "patterns.stacks")
"""Charts are written for any cluster: they see no CDK."""


@cache
def lazy_names(package: str) -> dict[str, str]:
    """The names that a package hands out, as type checkers read them, and where each comes from."""
    tree = ast.parse((ROOT / package.replace(".", "/") / "__init__.py").read_text("utf-8"))
    checked = [node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    return {
        alias.asname or alias.name: f"{node.module}.{alias.name}"
        for block in checked
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def home(name: str) -> str:
    """A dotted name, or where it comes from when a package hands it out."""
    package, _, last = name.rpartition(".")
    return lazy_names(package).get(last, name) if package in LAZY else name


def part(name: str) -> str:
    """The part of the library that a dotted name belongs to; ``""`` is the package root."""
    return [*home(name).split("."), ""][1]


def within(name: str, *packages: str) -> bool:
    return any(f"{name}.".startswith(f"{package}.") for package in packages)


def may_import(importer: str, imported: str) -> bool:
    """Whether a module may import a dotted name (``package.module.name``)."""
    house, other = importer.partition(".")[0], imported.partition(".")[0]
    if other not in HOUSE:
        if house != LIBRARY or part(importer) not in LIGHT:
            return True
        return other in sys.stdlib_module_names | {"pydantic", "pydantic_core"} or (
            other == "yaml" and part(importer) in {"specs", "checks"}
        )
    if within(importer, *CHARTS) and within(home(imported), *(f"{LIBRARY}.{name}" for name in HIDDEN_FROM_CHARTS)):
        return False
    if house != other:
        return HOUSE.index(other) < HOUSE.index(house)
    if house != LIBRARY:
        return True
    mine, theirs = part(importer), part(imported)
    if mine in ("", "__main__", theirs):
        return True
    if mine == "cli":
        return theirs in LAYERS and LAYERS[theirs] <= LAYERS["simulation"] and theirs != "delivery"
    return theirs in LAYERS and LAYERS[theirs] < LAYERS.get(mine, 0)


def modules() -> dict[str, Path]:
    """Every module of the app side and the library, by its dotted name."""
    found = [ROOT / "app.py"] if (ROOT / "app.py").exists() else []
    for folder in HOUSE[:-1]:
        found += sorted((ROOT / folder).rglob("*.py"))
    return {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in found}


def library_modules() -> dict[str, Path]:
    return {name: path for name, path in modules().items() if name.partition(".")[0] == LIBRARY}


def imported_names(source: str, package: str) -> Iterator[str]:
    """What a module imports, wherever in it the import stands; ``package`` is where its relative imports start."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            origin = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{origin}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize(
    ("importer", "imported", "allowed"),
    [
        ("automode_constructs.facts.regions", "automode_constructs.errors.AutoModeError", True),
        ("automode_constructs.errors", "automode_constructs.tokens.is_token", False),
        ("automode_constructs.specs.pools.node_pool", "automode_constructs.manifests.node_pool.NodePool", False),
        ("automode_constructs.specs.pools.node_pool", "automode_constructs.NodePool", False),
        ("automode_constructs.specs.pools.node_pool", "automode_constructs.Requirement", True),
        ("automode_constructs.specs.model", "pydantic.BaseModel", True),
        ("automode_constructs.specs.model", "yaml", True),
        ("automode_constructs.facts.regions", "yaml", False),
        ("automode_constructs.facts.regions", "boto3", False),
        ("automode_constructs.specs.model", "constructs.Construct", False),
        ("automode_constructs.manifests.node_pool", "cdk8s", True),
        ("automode_constructs.manifests.node_pool", "automode_constructs.manifests.cluster_values.ClusterValues", True),
        (
            "automode_constructs.manifests.cluster_values",
            "automode_constructs.delivery.chart_delivery.ChartDelivery",
            False,
        ),
        ("automode_constructs.delivery.chart_delivery", "automode_constructs.inference.model_server", False),
        ("automode_constructs.inference.model_server", "automode_constructs.delivery.chart_delivery", False),
        ("automode_constructs.aws.cluster", "automode_constructs.delivery.chart_delivery.ChartDelivery", True),
        ("automode_constructs.aws.cluster", "automode_constructs.cli.main", False),
        ("automode_constructs.aws.cluster", "charts.node_pools", False),
        ("automode_constructs.cli.lint", "automode_constructs.inference.presets", True),
        ("automode_constructs.cli.lint", "automode_constructs.delivery.chart_delivery", False),
        ("automode_constructs.cli.simulate", "automode_constructs.simulation.simulate", True),
        ("automode_constructs.simulation.world", "automode_constructs.inference.cold_start", True),
        ("automode_constructs.simulation.world", "automode_constructs.cli.simulate", False),
        ("automode_constructs.simulation.world", "cdk8s", False),
        ("automode_constructs.inference.fit", "automode_constructs.simulation.simulate", False),
        ("automode_constructs.cli.lint", "automode_constructs.aws.cluster", False),
        ("automode_constructs.aws.cluster", "automode_constructs.patterns.NODE_POOLS", False),
        ("automode_constructs.cli.lint", "automode_constructs.patterns.NODE_POOLS", False),
        ("automode_constructs.patterns.stacks.cluster_stack", "automode_constructs.AutoModeCluster", True),
        ("automode_constructs.patterns.stacks.platform_stack", "automode_constructs.patterns.platform_charts", True),
        ("automode_constructs.patterns.stacks.platform_stack", "charts.platform_charts", False),
        ("automode_constructs.patterns.stacks.platform_stack", "automode_constructs.testing.findings", False),
        ("automode_constructs.testing", "automode_constructs.patterns.ClusterStack", True),
        ("automode_constructs.patterns.charts.node_pools", "automode_constructs.NodePool", True),
        ("automode_constructs.patterns.charts.node_pools", "automode_constructs.AutoModeCluster", False),
        ("automode_constructs.patterns.charts.node_pools", "automode_constructs.delivery.chart_delivery", False),
        ("automode_constructs.patterns.charts.node_pools", "automode_constructs.patterns.ClusterStack", False),
        ("automode_constructs.patterns.charts.node_pools", "automode_constructs.patterns.accelerator_taint", True),
        ("charts", "automode_constructs.NodePool", True),
        ("charts", "automode_constructs.AutoModeCluster", False),
        ("charts", "automode_constructs.aws.cluster", False),
        ("charts", "automode_constructs.patterns.platform_charts", True),
        ("charts", "automode_constructs.patterns.ClusterStack", False),
        ("charts.__main__", "stacks.platform_stack", False),
        ("stacks.platform_stack", "automode_constructs.AutoModeCluster", True),
        ("stacks.platform_stack", "charts.platform_charts", True),
        ("stacks.platform_stack", "app", False),
        ("app", "stacks.platform_stack", True),
    ],
)
def test_rules_tell_up_from_down(importer: str, imported: str, allowed: bool) -> None:
    assert may_import(importer, imported) is allowed


def test_relative_and_late_imports_are_seen() -> None:
    source = "from . import model\nfrom ..errors import Problem\ndef late():\n    import aws_cdk\n"
    assert set(imported_names(source, "automode_constructs.specs")) == {
        "automode_constructs.specs.model",
        "automode_constructs.errors.Problem",
        "aws_cdk",
    }


def test_every_part_of_the_library_has_its_layer() -> None:
    parts = {part(name) for name in library_modules()}
    assert {"errors", "specs", "aws"} <= parts
    assert parts - LAYERS.keys() <= {"", "__main__", "cli"}


def test_imports_run_one_way() -> None:
    breaches = [
        f"{module} imports {name}"
        for module, path in modules().items()
        for name in imported_names(
            path.read_text("utf-8"), module if path.name == "__init__.py" else module.rpartition(".")[0]
        )
        if not may_import(module, name)
    ]
    assert breaches == []


def test_no_file_names_a_partition_in_an_arn() -> None:
    files = [*modules().values(), *(ROOT / LIBRARY).rglob("*.json")]
    assert [str(path) for path in files if re.search(r"arn:aws(-[a-z]+)*:", path.read_text("utf-8"))] == []


NAMED = re.compile(r"(?<![.:\w])([A-Z][a-z0-9]+(?:[A-Z][A-Za-z0-9]*)+)(?:\.([a-z_]+))?(\((?=[.a-z\x27\")]))?")
"""A name in CamelCase, what is taken of it, and whether it is called; what stands behind a dot is another package's."""


@cache
def classes(*folders: str) -> dict[str, ast.ClassDef]:
    """The classes of all modules below some folders."""
    return {
        node.name: node
        for folder in folders
        for file in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.ClassDef)
    }


OF_THE_CLONE = re.compile(
    r"(?<!\w, )(?<!/)docs/[\w/-]+\.md"  # a page of another project stands behind that project's name
    r"|(?<![\w/])(?:tools|tests|examples|benchmarks|charts|stacks)/\w[\w/.]*|\bapp\.py"
    r"|python -m (?!pip\b|automode_constructs\b)[\w.]+"
    rf"|\bmake (?:{'|'.join(re.findall(r'^([a-z-]+):.*##', (ROOT / 'Makefile').read_text('utf-8'), re.MULTILINE))})\b"
    r"|(?<=\s)-c \w+=\w*"
)
"""Files and commands of this repository that are not in the wheel."""

SUBCOMMAND = re.compile(r"(?<=[`'])automode ([a-z]+)")


def strangers(text: str) -> Iterator[str]:
    """What a text for users names that pip does not install: classes, files and commands."""
    yield from OF_THE_CLONE.findall(text)
    yield from (f"automode {name}" for name in SUBCOMMAND.findall(text) if name not in command_names())
    library, elsewhere = classes(LIBRARY), classes("charts", "stacks", "tests", "tools", "benchmarks", "examples")
    for name, attribute, called in NAMED.findall(text):
        if name in library:
            body = library[name]
            known = {getattr(node, "name", "") for node in ast.walk(body)} | {
                ast.unparse(node.target) for node in ast.walk(body) if isinstance(node, ast.AnnAssign)
            }
            if attribute and called and attribute not in known:
                yield f"{name}.{attribute}"
        elif called or name.endswith(("Stack", "Chart")) or name in elsewhere:
            yield name


@cache
def command_names() -> set[str]:
    """The subcommands of ``automode``, from its help."""
    ran = subprocess.run(
        [sys.executable, "-m", "automode_constructs.cli.main", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(re.findall(r"^    ([a-z]+) ", ran.stdout, re.MULTILINE))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("set hardened_pools=True (ClusterStack does both)", []),
        ("NodeClass.from_name('default')", []),
        ("write iam.ManagedPolicy.from_managed_policy_arn(...), or ec2.SecurityGroup(...)", []),
        ("an AWS::CloudFormation::NestedStack", []),
        ("PersistentVolumeClaim", []),
        ("ShopStack does it", ["ShopStack"]),
        ("(docs/create-only.md)", ["docs/create-only.md"]),
        ("see kubernetes-sigs/aws-ebs-csi-driver, docs/tagging.md", []),
        (
            "examples/shop.py, stacks/shop.py, app.py",
            ["examples/shop.py", "stacks/shop.py", "app.py"],
        ),
        ("(python -m charts --outputs outputs.json)", ["python -m charts"]),
        ("python -m automode_constructs.cli.pages; python -m pip install x", []),
        ("for: make manifests OUTPUTS=outputs.json", ["make manifests"]),
        ("make the namespace; make room", []),
        ("cdk deploy --all -c ephemeral=true", ["-c ephemeral=true"]),
        ("`automode explain RULE-ID` and 'automode lint --strict'", []),
        ("`automode explane RULE-ID`", ["automode explane"]),
        ("write NodePools(...)", ["NodePools"]),
        ("NodeClass.by_name('default')", ["NodeClass.by_name"]),
    ],
)
def test_strangers_are_told_from_what_is_there(text: str, names: list[str]) -> None:
    assert [*strangers(text)] == names


def test_messages_name_what_is_in_the_wheel() -> None:
    named = {
        f"{name}: {stranger}"
        for name, path in library_modules().items()
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        for stranger in strangers(node.value)
    }
    assert named == set()


@pytest.mark.parametrize("name", [name for name in library_modules() if not name.endswith("__main__")])
def test_every_module_lists_what_it_shows(name: str) -> None:
    body = ast.parse(library_modules()[name].read_text("utf-8")).body
    if all(isinstance(node, ast.Expr) for node in body):
        return  # only a docstring: a folder's __init__
    module = importlib.import_module(name)
    assert hasattr(module, "__all__"), f"{name} has no __all__"
    assert [shown for shown in module.__all__ if not hasattr(module, shown)] == []


@pytest.mark.parametrize("package", LAZY)
def test_root_shows_type_checkers_and_python_the_same(package: str) -> None:
    root = importlib.import_module(package)
    assert set(root.__all__) == set(dir(root)) == set(lazy_names(package))
    for name, origin in lazy_names(package).items():
        module, _, original = origin.rpartition(".")
        assert getattr(root, name) is getattr(importlib.import_module(module), original)


@pytest.mark.parametrize(
    ("statement", "unwanted"),
    [
        ("import automode_constructs", "pydantic yaml constructs cdk8s aws_cdk jsii"),
        ("from automode_constructs import AutoModeError, NodePoolSpec", "constructs cdk8s aws_cdk jsii"),
        ("import automode_constructs.simulation, automode_constructs.cli.simulate_live", "constructs cdk8s jsii rich"),
        ("import automode_constructs.patterns", "pydantic yaml constructs cdk8s aws_cdk jsii"),
        ("from automode_constructs.patterns import accelerator_taint", "constructs cdk8s aws_cdk jsii"),
        (
            "from automode_constructs.patterns import GptOssChart, TrainingChart, platform_charts",
            "aws_cdk cdk8s_plus_28 automode_constructs.aws automode_constructs.delivery",
        ),
    ],
)
def test_light_half_starts_no_node_process(statement: str, unwanted: str) -> None:
    program = f"{statement}; import sys; print(*(name for name in '{unwanted}'.split() if name in sys.modules))"
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.split() == []


def test_synth_asks_nothing_of_the_network_and_stops_at_findings() -> None:
    settings = json.loads((ROOT / "cdk.json").read_text("utf-8"))
    assert settings["app"] == "python app.py"
    assert settings["notices"] is False
    assert settings["versionReporting"] is False
    assert settings["context"]["cli-telemetry"] is False
    assert settings["context"]["@aws-cdk/core:validateAgainstDefaultRules"] is True


def test_nothing_changes_a_spec_unjudged() -> None:
    folders = [*HOUSE[:-1], "examples"]
    sources = [ROOT / "app.py", *(file for folder in folders for file in (ROOT / folder).rglob("*.py"))]
    assert len(sources) > 100
    assert [
        str(file) for file in sources if "model_copy" in re.sub(r'""".*?"""', "", file.read_text(), flags=re.DOTALL)
    ] == []
