"""checkov: over the templates of an assembly and over the Kubernetes objects that they deliver.

It pins libraries that do not resolve beside the project's own, hence a venv of its own.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from automode_constructs.testing import manifests
from tools.judge.finding import Finding

__all__ = ["PARTS", "install", "judged"]

PARTS = Path(__file__).with_name("constraints.txt")
"""The version of checkov."""

_PLACEHOLDER = re.compile(r"\{\{'.*?\}\}+")


def install(venv: Path) -> Path:
    """Makes the venv that holds checkov, unless it is there, and returns the command."""
    stamp, command, parts = venv / ".ready", venv / "bin" / "checkov", PARTS.read_text("utf-8")
    if not stamp.exists() or stamp.read_text("utf-8") != parts:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(venv)], check=True)
        pip = [str(venv / "bin" / "python"), "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
        subprocess.run([*pip, "-r", str(PARTS)], check=True)
        stamp.write_text(parts, "utf-8")
    return command


def judged(name: str, command: Path, assembly: Path, workplace: Path) -> list[Finding]:
    """What checkov finds in the stacks of an assembly.

    Args:
        name: the app's name.
        command: checkov.
        assembly: the folder that the app has written.
        workplace: a folder for what checkov reads; it is filled.
    """
    templates = {path.name: json.loads(path.read_text("utf-8")) for path in sorted(assembly.glob("*.template.json"))}
    for folder in ("templates", "objects"):
        (workplace / folder).mkdir(parents=True)
    for file, template in templates.items():
        (workplace / "templates" / file).write_text(json.dumps(template, indent=1), "utf-8")
        objects = yaml.safe_dump_all([_concrete(body) for body in manifests(template)], sort_keys=False)
        (workplace / "objects" / f"{file.removesuffix('.template.json')}.yaml").write_text(objects, "utf-8")
    found = [
        Finding(name, "checkov", check["check_id"], _construct(templates, check), check["check_name"])
        for check in _failed(command, "cloudformation", workplace / "templates")
    ]
    found += [
        Finding(name, "checkov", check["check_id"], _object(check["resource"]), check["check_name"])
        for check in _failed(command, "kubernetes", workplace / "objects")
    ]
    return found


def _concrete(value: Any) -> Any:
    """An object with a word in place of each value that CloudFormation fills in."""
    if isinstance(value, dict):
        return {key: _concrete(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_concrete(item) for item in value]
    return _PLACEHOLDER.sub("deployed", value) if isinstance(value, str) else value


def _failed(command: Path, framework: str, folder: Path) -> list[dict[str, Any]]:
    # --skip-download: no network, and so no severities of a vendor's platform.
    arguments = ["--framework", framework, "--output", "json", "--quiet", "--skip-download", "--directory"]
    answer = subprocess.run([str(command), *arguments, str(folder)], capture_output=True, text=True, check=False)
    try:
        reports = json.loads(answer.stdout)
    except ValueError:
        raise RuntimeError(f"checkov answered with {answer.returncode}: {answer.stderr[-2000:]}") from None
    failed: list[dict[str, Any]] = []
    for report in reports if isinstance(reports, list) else [reports]:
        summary = report.get("summary", report)
        if not summary.get("passed") or summary.get("parsing_errors"):
            raise RuntimeError(f"checkov has not judged {folder}: {summary}")
        failed += report["results"]["failed_checks"]
    return failed


def _construct(templates: Mapping[str, Any], check: Mapping[str, Any]) -> str:
    """The construct path of a resource (``AWS::S3::Bucket.WeightsBucket670F500A``)."""
    file, logical_id = Path(check["file_path"]).name, check["resource"].rpartition(".")[2]
    metadata = templates[file]["Resources"][logical_id].get("Metadata", {})
    # The CDK gives its singleton providers no path.
    return str(metadata.get("aws:cdk:path", f"{file.removesuffix('.template.json')}/{logical_id}"))


def _object(resource: str) -> str:
    """``Kind/namespace/name`` of an object (``Deployment.gpt-oss.gpt-oss-20b``)."""
    return "/".join(resource.split(".", 2))
