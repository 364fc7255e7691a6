"""What is refused before a rehearsal installs or starts anything, and how a stage runs its commands."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tools.rehearse import __main__ as command
from tools.rehearse.parts import Parts
from tools.rehearse.stage import Stage
from tools.rehearse.workplace import Ran, Workplace


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A place where nothing may be installed."""

    def install(*_: object) -> None:
        pytest.fail("it installs before it has judged what it was given")

    monkeypatch.setattr(command, "install", install)
    monkeypatch.setattr(command, "FOLDER", tmp_path / "rehearse")
    monkeypatch.delenv("KUBECONFIG", raising=False)
    return tmp_path


def test_unknown_step_is_refused_first(refused: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["rehearse", "--only", "destory"])
    with pytest.raises(
        SystemExit, match=r"^make rehearse: no step is called destory; the steps are default/bootstrap, "
    ):
        command.main()


def test_cluster_of_another_machine_is_refused_first(refused: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = refused / "config"
    cluster = {"name": "a", "cluster": {"server": "https://a.eks.example"}}
    context = {"name": "a", "context": {"cluster": "a"}}
    file.write_text(json.dumps({"current-context": "a", "contexts": [context], "clusters": [cluster]}), "utf-8")
    monkeypatch.setenv("KUBECONFIG", str(file))
    monkeypatch.setattr(sys, "argv", ["rehearse"])
    with pytest.raises(SystemExit, match=r"leads to https://a\.eks\.example; .* takes an API server on loopback only"):
        command.main()


def test_second_rehearsal_in_the_same_folder_is_refused(refused: Path) -> None:
    with command.alone(), pytest.raises(SystemExit, match="another rehearsal runs in"), command.alone():
        pytest.fail("two rehearsals in one folder")
    with command.alone():
        pass


class Recorded(Workplace):
    """Runs nothing; an app it is asked to synthesise has one stack without objects."""

    def run(self, words: str, log: Path, *, answer: str | None = None, aloud: bool = False) -> Ran:
        with log.open("a", encoding="utf-8") as file:
            file.write(f"{words}\n")
        if "--output" in words:
            out = Path(words.partition("--output ")[2].split()[0])
            out.mkdir()
            (out / "manifest.json").write_text('{"artifacts": {}}', "utf-8")
        return Ran(1 if "fails" in words else 0, words)


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setattr("tools.rehearse.stage.holdings", lambda region, assembly: assembly)
    (tmp_path / "logs").mkdir()
    return Stage(Recorded(tmp_path, Parts(tmp_path), 1), "python examples/isolated.py")


def test_app_is_synthesised_once_for_each_context(stage: Stage, tmp_path: Path) -> None:
    one, two = (f"{tmp_path}/cdk.out.{number}" for number in (1, 2))
    for words, ran in {
        "cdk bootstrap -c a=1": f"cdk bootstrap -c a=1 --output {one} --app 'python examples/isolated.py'",
        "cdk deploy --all": f"cdk deploy --all --output {two} --app 'python examples/isolated.py'",
        "cdk destroy --all -c a=1 --force": f"cdk destroy --all --force --app {one}",
        "aws sts get-caller-identity": "aws sts get-caller-identity",
    }.items():
        assert stage.act(words)().ran.output == ran
    assert stage.assembly == Path(one)


def test_step_stops_at_the_first_command_that_fails_and_always_tidies_up(stage: Stage, tmp_path: Path) -> None:
    faults = {"AWS::EC2::EIP": "none left"}
    outcome = stage.act(stage.refuse(faults), "echo fails", "echo never", stage.refuse({}))()
    assert (outcome.ran.code, outcome.ran.output) == (1, "echo fails")
    assert (tmp_path / "logs" / "01.log").read_text("utf-8") == "echo fails\n"
    assert (tmp_path / "faults.json").read_text("utf-8") == "{}"
