"""What a user gets from ``pip install``: built, looked into, and used by an app that has never seen this folder."""

from __future__ import annotations

import email
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile
from email.message import Message
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from automode_constructs.facts.versions import auto_mode_floor, known_versions, minor

ROOT = Path(__file__).parents[1]

# The whole app of a stranger: it knows the package root, and no file of this repository.
APP = """
import automode_constructs
from automode_constructs import AutoModeCluster
from aws_cdk import App, Stack

app = App(outdir="cdk.out")
stack = Stack(app, "Stranger")
AutoModeCluster(stack, "Cluster")
app.synth()
print(automode_constructs.__file__)
"""


def run(*command: str | Path, cwd: Path, **variables: str) -> str:
    """Run a command; its whole output is the message when it fails."""
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    ran = subprocess.run(command, cwd=cwd, env=environment | variables, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, f"{command}\n{ran.stdout}\n{ran.stderr}"
    return ran.stdout


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the source distribution and the wheel that is built from it, made once."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
    return folder


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    return next(dist.glob("*.whl"))


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return email.message_from_bytes(archive.read(name))


def test_wheel_holds_the_library_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    library = ROOT / "automode_constructs"
    files = {str(path.relative_to(ROOT)) for path in library.rglob("*") if path.is_file() and path.suffix != ".pyc"}
    schemas = {f"automode_constructs/schemas/{path.name}" for path in (ROOT / "schemas").glob("*.json")}
    assert names == files | schemas
    assert {"automode_constructs/py.typed", "automode_constructs/facts/regions.json"} <= names


def test_source_distribution_holds_what_git_tracks(dist: Path) -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: there is nothing to compare the source distribution with")
    tracked = run(
        *("git", "-c", f"core.excludesFile={os.devnull}", "ls-files", "--cached", "--others", "--exclude-standard"),
        cwd=ROOT,
    )
    with tarfile.open(next(dist.glob("*.tar.gz"))) as archive:
        names = {member.name.split("/", 1)[1] for member in archive if member.isfile()}
    assert names - {"PKG-INFO"} == {line for line in tracked.splitlines() if (ROOT / line).exists()}


def test_metadata_says_what_it_is_and_where_it_runs(metadata: Message) -> None:
    assert metadata["Name"] == "automode-constructs"
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["Keywords"] == "auto-mode,aws,cdk,cdk8s,eks,gpu,karpenter,kubernetes"
    classifiers = metadata.get_all("Classifier", [])
    assert {"Framework :: AWS CDK", "Framework :: AWS CDK :: 2", "Typing :: Typed"} <= set(classifiers)
    assert [line.rpartition(" ")[2] for line in classifiers if re.search(r"Python :: 3\.\d", line)] == [
        "3.11",
        "3.12",
        "3.13",
        "3.14",
    ]


def test_every_runtime_requirement_has_a_floor_and_a_ceiling(metadata: Message) -> None:
    requirements = [Requirement(line) for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line]
    assert {requirement.name for requirement in requirements} == {
        "aws-cdk-lib",
        "aws-cdk-lambda-layer-kubectl-v36",
        "cdk8s",
        "constructs",
        "cryptography",
        "pydantic",
        "pyyaml",
        "shtab",
    }
    for requirement in requirements:
        assert {specifier.operator for specifier in requirement.specifier} == {">=", "<"}, requirement


def test_every_kubernetes_version_has_its_kubectl_extra(metadata: Message) -> None:
    versions = [minor(each.version) for each in known_versions() if minor(each.version) >= minor(auto_mode_floor())]
    extras = {extra for extra in metadata.get_all("Provides-Extra", []) if extra.startswith("kubectl-")}
    assert {f"kubectl-v{version}" for version in versions} <= extras


def test_constraints_pin_everything_that_is_asked_for() -> None:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", line)] == []
    pins = {canonicalize_name(name): version for name, version in (line.split("==") for line in lines)}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    for line in [*project["dependencies"], *project["optional-dependencies"]["dev"]]:
        requirement = Requirement(line)
        assert requirement.specifier.contains(pins[canonicalize_name(requirement.name)]), line


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a venv with the wheel, and no file of this folder."""
    environment = tmp_path_factory.mktemp("installed") / "venv"
    venv.create(environment, symlinks=True)
    python = environment / "bin" / "python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", wheel, cwd=environment)
    # The packages it depends on are lent by the venv of this test, since nothing may be fetched here.
    site = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=environment).strip()
    Path(site, "lent.pth").write_text(sysconfig.get_path("purelib"))
    return python


def templates(folder: Path) -> dict[str, dict[str, Any]]:
    return {file.name.partition(".")[0]: json.loads(file.read_text("utf-8")) for file in folder.glob("*.template.json")}


def test_installed_wheel_synthesises_a_cluster_far_from_this_folder(installed: Path, tmp_path: Path) -> None:
    printed = run(installed, "-c", APP, cwd=tmp_path)

    assert Path(printed.strip()).is_relative_to(installed.parents[1])
    resources = templates(tmp_path / "cdk.out")["Stranger"]["Resources"].values()
    clusters = [each for each in resources if each["Type"] == "AWS::EKS::Cluster"]
    assert [cluster["Properties"]["ComputeConfig"]["Enabled"] for cluster in clusters] == [True]


@pytest.mark.parametrize(
    ("example", "stacks"), [("govcloud", {"Gov", "GovAccess", "GovPlatform"}), ("training", {"Cluster", "Training"})]
)
def test_examples_run_from_the_installed_wheel_alone(
    installed: Path, tmp_path: Path, example: str, stacks: set[str]
) -> None:
    for name in ("app", "charts", "stacks"):
        missing = f"import importlib.util; print(importlib.util.find_spec('{name}'))"
        assert run(installed, "-c", missing, cwd=tmp_path) == "None\n"
    shutil.copy(ROOT / "examples" / f"{example}.py", tmp_path)
    run(installed, f"{example}.py", cwd=tmp_path, CDK_OUTDIR=str(tmp_path / "out"))
    assert set(templates(tmp_path / "out")) == stacks


def test_every_extra_is_developed_against(metadata: Message) -> None:
    asked = [Requirement(line) for line in metadata.get_all("Requires-Dist", [])]
    of_dev = {each.name: each.specifier for each in asked if each.marker is not None and "dev" in str(each.marker)}
    extra = next(each for each in asked if "extra == 'cdk8s-plus'" in str(each.marker).replace('"', "'"))
    assert (extra.name, extra.specifier) == ("cdk8s-plus-28", of_dev["cdk8s-plus-28"])
