"""Every example synthesises, and delivers the objects that are stored beside it.

Run once with AUTOMODE_REGENERATE=1 to write the stored objects anew, then read the difference.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from automode_constructs.manifests.yaml_folder import to_yaml
from tests.support import manifests
from tests.template_checks import template_findings

ROOT = Path(__file__).parent.parent
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_example(example: Path, tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, str(example)],
        cwd=tmp_path,
        env={**os.environ, "CDK_OUTDIR": str(tmp_path / "out"), "PYTHONPATH": str(ROOT)},
        check=True,
        capture_output=True,
        text=True,
    )
    templates = [json.loads(file.read_text("utf-8")) for file in sorted((tmp_path / "out").glob("*.template.json"))]
    assert templates
    assert [finding for template in templates for finding in template_findings(template)] == []
    delivered = sorted((item for template in templates for item in manifests(template)), key=_key)
    stored = example.with_suffix(".yaml")
    if os.environ.get("AUTOMODE_REGENERATE"):
        stored.write_text(to_yaml(delivered), "utf-8")
    assert sorted(yaml.safe_load_all(stored.read_text("utf-8")), key=_key) == delivered


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
