"""Every example synthesises, and delivers the objects that are stored beside it.

Run once with AUTOMODE_REGENERATE=1 to write the stored objects anew, then read the difference.
"""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import pytest
import yaml
from cfnlint.api import lint
from cfnlint.config import ManualArgs

from automode_constructs.rendering.yaml_folder import to_yaml
from tests.support import feature_flags, manifests
from tests.template_checks import template_findings

ROOT = Path(__file__).parent.parent
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


@pytest.fixture(scope="module")
def outputs(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mapping[Path, Future[Path]]]:
    """Where each example that is tested writes its assembly; two run at a time, ahead of the tests."""
    chosen = [
        cast(Path, item.callspec.params["example"])
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.originalname == "test_example"
    ]
    with ThreadPoolExecutor(max_workers=2) as pool:
        yield {example: pool.submit(_run, example, tmp_path_factory.mktemp(example.stem)) for example in chosen}


def _run(example: Path, folder: Path) -> Path:
    run = subprocess.run(
        [sys.executable, str(example)],
        cwd=folder,
        env={
            **os.environ,
            "CDK_CONTEXT_JSON": json.dumps(feature_flags()),  # the CDK's validator among them
            "CDK_OUTDIR": str(folder / "out"),
            "PYTHONPATH": str(ROOT),
        },
        check=False,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    return folder / "out"


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_example(example: Path, outputs: Mapping[Path, Future[Path]]) -> None:
    out = outputs[example].result()
    templates = [json.loads(file.read_text("utf-8")) for file in sorted(out.glob("*.template.json"))]
    assert templates
    assert [finding for template in templates for finding in template_findings(template)] == []
    assert {name: _lint(template, region) for name, template, region in _stacks(out)} == {
        name: [] for name, _, _ in _stacks(out)
    }
    delivered = sorted((item for template in templates for item in manifests(template)), key=_key)
    stored = example.with_suffix(".yaml")
    heading = _heading(example, delivered)
    if os.environ.get("AUTOMODE_REGENERATE"):
        stored.write_text(heading + to_yaml(delivered), "utf-8")
    text = stored.read_text("utf-8")
    assert text.startswith(heading)
    assert sorted(yaml.safe_load_all(text), key=_key) == delivered


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_imports_nothing_that_pip_does_not_install(example: Path) -> None:
    tree = ast.parse(example.read_text("utf-8"))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    packages = {name.partition(".")[0] for name in names} - sys.stdlib_module_names
    assert packages <= {"automode_constructs", "aws_cdk", "cdk8s", "constructs"}


def _heading(example: Path, delivered: list[dict[str, Any]]) -> str:
    if "{{'" not in json.dumps(delivered):
        return f"# What examples/{example.name} delivers.\n"
    return (
        f"# What examples/{example.name} delivers; not to be applied as it stands: {{{{...}}}} is a value that only a "
        "deployment knows.\n"
    )


def _stacks(out: Path) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Name, template and region of every stack; a stack without a region is held against a commercial one."""
    for name, artifact in json.loads((out / "manifest.json").read_text("utf-8"))["artifacts"].items():
        if artifact["type"] == "aws:cloudformation:stack":
            region = artifact["environment"].rpartition("/")[2]
            template = json.loads((out / artifact["properties"]["templateFile"]).read_text("utf-8"))
            yield name, template, "eu-central-1" if region == "unknown-region" else region


def _lint(template: dict[str, Any], region: str) -> list[str]:
    found = lint(json.dumps(template), config=ManualArgs(regions=[region], include_checks=["W", "E"]))
    return [str(match) for match in found if not _is_accepted(match.rule.id, str(match))]


def _is_accepted(rule: str, message: str) -> bool:
    # The CDK writes DependsOn next to references that say the same (W3005); the access stack names a cluster of another
    # stack in its command (W6001); a Local Zone has nothing but its name.
    return (
        rule in {"W3005", "W6001"}
        or rule.startswith("I")
        or (rule == "W3010" and re.search("us-west-2-[a-z]{3}-1a", message) is not None)
    )


def _key(manifest: dict[str, Any]) -> tuple[str, str]:
    return manifest["kind"], manifest["metadata"]["name"]


def test_the_readme_shows_the_minimal_example() -> None:
    (block,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), flags=re.DOTALL)
    assert block == (ROOT / "examples" / "minimal.py").read_text("utf-8")


def test_the_readme_lists_every_context_key() -> None:
    from dataclasses import fields

    from app import Settings

    listed = re.findall(
        r"^\| `([a-z_]+)` \| (?:text|list|number|true or false) \|", (ROOT / "README.md").read_text(), re.MULTILINE
    )
    assert listed == [field.name for field in fields(Settings)]


def test_no_file_names_a_partition_but_examples_of_input() -> None:
    sources = [*(ROOT / "charts").glob("*.py"), *(ROOT / "stacks").glob("*.py"), ROOT / "app.py"]
    sources += (ROOT / "automode_constructs").rglob("*.py")
    assert [str(file) for file in sources if "arn:aws:" in file.read_text("utf-8")] == []


def test_the_demo_has_the_commands_that_the_stacks_print(templates: dict[str, dict[str, Any]]) -> None:
    printed = {
        value
        for template in templates.values()
        for value in (output["Value"] for output in template.get("Outputs", {}).values())
        if isinstance(value, str) and value.startswith(("kubectl", "curl"))
    }
    text = (ROOT / "examples" / "demo.md").read_text("utf-8")
    told = [line for block in re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL) for line in block.splitlines()]
    not_told = printed - set(told)
    assert {command.split()[1] for command in not_told} <= {"get", "scale", "--fail"}, not_told
    for line in told:
        if line.startswith(("kubectl port-forward", "kubectl scale", "curl")) or "--selector" in line:
            assert line in printed, line


def test_the_demo_uses_context_keys_and_stacks_that_exist(templates: dict[str, dict[str, Any]]) -> None:
    from dataclasses import fields

    from app import Settings

    text = (ROOT / "examples" / "demo.md").read_text("utf-8")
    known = {field.name for field in fields(Settings)}
    assert set(re.findall(r"-c ([a-z_]+)=", text)) <= known
    named = set(re.findall(r"\bautomode-[a-z-]+[a-z]", text)) - {"automode-constructs"}
    assert named <= set(templates)
    assert {"automode-platform", "automode-retail-store", "automode-gpt-oss"} <= named


def test_the_readme_has_a_row_for_every_variant() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    rows = "\n".join(line for line in text.splitlines() if line.startswith("| ["))
    named = set(re.findall(r"\(examples/([a-z0-9_]+)\.py\)", rows))
    assert {example.stem for example in EXAMPLES} - named == {"minimal", "model_server"}
    assert named <= {example.stem for example in EXAMPLES}
    for name in re.findall(r"\]\(([a-z0-9_/.-]+\.(?:py|md|yaml))\)", text):
        assert (ROOT / name).is_file(), name


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_a_variant_is_a_page(example: Path) -> None:
    code = [line for line in example.read_text("utf-8").splitlines() if line.strip()]
    assert len(code) <= {"model_server": 100, "bank": 260}.get(example.stem, 55), len(code)
