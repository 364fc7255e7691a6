"""The guard: what holds the other stacks, in which order the CDK CLI meets it, and how its protection goes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest

import app as the_app
from tests.conftest import AS_OF
from tests.support import feature_flags

GUARDED = ("cluster", "access", "platform")


class Assembly:
    """What ``cdk`` reads: the manifest, and the stacks' templates."""

    def __init__(self, **context: Any) -> None:
        made = cdk.App(context={**feature_flags(), **context})
        the_app.build(made, the_app.Settings.from_context(context), as_of=AS_OF)
        self.read(made)

    def read(self, made: cdk.App) -> None:
        self.folder = Path(made.synth().directory)
        manifest = json.loads((self.folder / "manifest.json").read_text("utf-8"))
        self.artifacts: dict[str, dict[str, Any]] = manifest["artifacts"]
        self.stacks = {
            name: artifact
            for name, artifact in self.artifacts.items()
            if artifact["type"] == "aws:cloudformation:stack"
        }

    def template(self, name: str) -> dict[str, Any]:
        text = (self.folder / self.stacks[name]["properties"]["templateFile"]).read_text("utf-8")
        return dict(json.loads(text))

    def protected(self) -> set[str]:
        return {name for name, stack in self.stacks.items() if stack["properties"].get("terminationProtection")}

    def in_the_order_of_the_cli(self) -> list[str]:
        """``topologicalSort`` of the CLI: rank by rank, each by name, over all artifacts."""
        remaining = {name: set(artifact.get("dependencies", ())) for name, artifact in self.artifacts.items()}
        order: list[str] = []
        while remaining:
            rank = sorted(name for name, needs in remaining.items() if not needs & remaining.keys())
            order += rank
            for name in rank:
                del remaining[name]
        return [name for name in order if name in self.stacks]

    def destroyed(self, *selected: str) -> list[str]:
        """What ``cdk destroy`` destroys, in its order: with all that depends on it, a stack after its dependants."""
        needs = {name: set(stack.get("dependencies", ())) & set(self.stacks) for name, stack in self.stacks.items()}
        wanted = set(selected or self.stacks)
        while more := {name for name in needs if needs[name] & wanted} - wanted:
            wanted |= more
        queue = [name for name in self.in_the_order_of_the_cli() if name in wanted]
        gone: list[str] = []
        ready: list[str] = []
        while len(gone) < len(queue):
            # A stack joins the end of the queue when nothing that depends on it is left.
            ready += [
                name
                for name in queue
                if name not in ready and name not in gone
                if not any(name in needs[other] for other in wanted - set(gone))
            ]
            gone.append(ready.pop(0))
        return gone


@pytest.fixture(scope="module")
def assembly() -> Assembly:
    return Assembly(name="guarded")


@pytest.fixture(scope="module")
def throw_away() -> Assembly:
    return Assembly(name="guarded", ephemeral="true")


def test_only_what_cannot_fail_is_protected(assembly: Assembly) -> None:
    assert assembly.protected() == {"guarded-guard"}
    resources = assembly.template("guarded-guard")["Resources"]
    assert [body["Type"] for body in resources.values()] == ["AWS::CloudFormation::WaitConditionHandle"]
    assert all(not body.get("Properties") for body in resources.values())


def test_it_imports_a_text_of_each_guarded_stack_where_cloudformation_counts_it(assembly: Assembly) -> None:
    imported = re.findall(r'"Fn::ImportValue": "([^"]+)"', json.dumps(assembly.template("guarded-guard")["Outputs"]))
    assert imported == [f"guarded-{name}:guard" for name in GUARDED]
    for name in GUARDED:
        exports = {
            output["Export"]["Name"]: output["Value"]
            for output in assembly.template(f"guarded-{name}")["Outputs"].values()
            if "Export" in output
        }
        assert exports[f"guarded-{name}:guard"] == f"guarded-{name}", "the text never changes"
        assert f"guarded-{name}" in assembly.stacks["guarded-guard"]["dependencies"]


def test_what_is_exported_is_the_same_whatever_the_context_says(assembly: Assembly, throw_away: Assembly) -> None:
    for name in GUARDED:
        outputs = [each.template(f"guarded-{name}")["Outputs"] for each in (assembly, throw_away)]
        (guards, again) = [{key: value for key, value in found.items() if "guard" in key} for found in outputs]
        assert guards == again
        assert len(guards) == 1


@pytest.mark.parametrize("selected", [(), *((f"guarded-{name}",) for name in GUARDED)], ids=str)
def test_the_cli_meets_it_before_anything_goes(assembly: Assembly, selected: tuple[str, ...]) -> None:
    assert assembly.destroyed(*selected)[0] == "guarded-guard"


@pytest.mark.parametrize("demo", ["retail-store", "gpt-oss", "weights"])
def test_the_demos_come_and_go_without_it(assembly: Assembly, demo: str) -> None:
    assert not {"guarded-guard", *(f"guarded-{name}" for name in GUARDED)} & set(assembly.destroyed(f"guarded-{demo}"))


@pytest.mark.parametrize("demos", ["gpt-oss", "retail-store", ""])
def test_it_is_met_first_whichever_demos_there_are(demos: str) -> None:
    assert Assembly(name="few", demos=demos).destroyed()[0] == "few-guard"


def test_a_throw_away_has_it_without_protection_and_with_the_same_template(
    assembly: Assembly, throw_away: Assembly
) -> None:
    """The CLI compares the protection by itself and changes it also where the templates are equal."""
    assert throw_away.protected() == set()
    assert set(throw_away.stacks) == set(assembly.stacks)
    assert throw_away.template("guarded-guard") == assembly.template("guarded-guard")


def test_it_says_how_its_protection_is_lifted(assembly: Assembly) -> None:
    (output,) = assembly.template("guarded-guard")["Outputs"].values()
    assert output["Description"] == "Go only after a deployment of guarded-guard with ephemeral=True"
