"""Steps are data: chosen by name, played in order, told as a table."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app import Settings
from tools.rehearse import expect
from tools.rehearse.account import Holdings
from tools.rehearse.parts import Parts
from tools.rehearse.plan import APPS, FINDINGS
from tools.rehearse.stage import Outcome, Stage
from tools.rehearse.step import Expectation, Result, Seen, Step, chosen, play, table
from tools.rehearse.workplace import ROOT, Ran, Workplace


def step(name: str, *needs: str, value: int = 1) -> Step[int]:
    expects = Expectation[int]("is 1", lambda made: Seen(made == 1, f"it is {made}"))
    return Step(name, f"make {value}", lambda: value, (expects,), needs)


STEPS = [step("a/one"), step("a/two", "a/one"), step("a/three", "a/two"), step("b/one")]


@pytest.mark.parametrize(
    ("only", "names"),
    [
        ([], ["a/one", "a/two", "a/three", "b/one"]),
        (["three"], ["a/one", "a/two", "a/three"]),
        (["b/", "a/one"], ["a/one", "b/one"]),
    ],
)
def test_only_brings_what_it_needs(only: list[str], names: list[str]) -> None:
    assert [each.name for each in chosen(STEPS, only)] == names


def test_unknown_step_is_told_with_those_there_are() -> None:
    with pytest.raises(SystemExit, match="no step is called four; the steps are a/one, a/two, a/three, b/one"):
        chosen(STEPS, ["one", "four"])


def broken() -> int:
    raise ConnectionError("nobody listens")


def test_a_failed_step_stops_those_that_need_it_and_no_other() -> None:
    results: list[Result] = []
    steps = [step("one", value=2), step("two", "one"), Step("three", "break", broken, ()), step("four")]
    play(steps, results, lambda _: None)
    assert [(each.name, each.ok, each.seen) for each in results] == [
        ("one", False, "it is 2"),
        ("two", None, "not tried without one"),
        ("three", False, "ConnectionError: nobody listens"),
        ("four", True, "it is 1"),
    ]


def test_only_what_is_wrong_is_told_when_something_is() -> None:
    results: list[Result] = []
    fine = Expectation[int]("a", lambda _: Seen(True, "fine"))
    wrong = Expectation[int]("b", lambda _: Seen(False, "wrong"))
    play([Step("one", "do", lambda: 1, (fine, wrong))], results, lambda _: None)
    assert [(each.expected, each.seen, each.ok) for each in results] == [("a; b", "wrong", False)]


@pytest.mark.parametrize("width", [20, 100, 200])
def test_table_holds_every_word_within_its_width(width: int) -> None:
    long = "cdk deploy --all --require-approval never " * 5
    results = [
        Result("default/deploy", long, "exit code 0", "z" * 90, 12.4, ok=True),
        Result("default/again", "the same", "exit code 0", "exit code 1", 0.6, ok=False),
        Result("default/change", "more", "exit code 0", "not tried", 0, ok=None),
    ]
    text = table(results, width)
    assert max(map(len, text.splitlines())) <= max(width, 80)
    assert re.findall(r"^(ok|NO|-)\s+default/(\w+)", text, re.MULTILINE) == [
        ("ok", "deploy"),
        ("NO", "again"),
        ("-", "change"),
    ]
    assert (text.count("cdk"), text.count("z")) == (5, 90)
    assert re.search(r" 12$", text, re.MULTILINE)


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(Workplace(tmp_path, Parts(tmp_path), 1))


def steps(stage: Stage) -> list[Step[Outcome]]:
    return [each for app in APPS.values() for each in app.steps(stage)]


def test_plan_names_each_step_once_after_its_app_and_after_what_it_needs(stage: Stage) -> None:
    names = [each.name for each in steps(stage)]
    assert len(set(names)) == len(names)
    assert {name.partition("/")[0] for name in names} == set(APPS)
    for number, each in enumerate(steps(stage)):
        assert set(each.needs) <= set(names[:number]), each.name


def test_every_step_expects_something_and_every_finding_has_its_case(stage: Stage) -> None:
    assert all(each.expects and each.does for each in steps(stage))
    assert {found for each in steps(stage) for found in re.findall(r"\[(R\d)\]", each.name)} == set(FINDINGS)


def test_plan_gives_the_app_keys_that_it_knows(stage: Stage) -> None:
    given = {key: value for each in steps(stage) for key, value in re.findall(r"-c (\w+)=(\S+)", each.does)}
    assert {"ephemeral", "retail_store_replicas"} <= set(given)
    Settings.from_context(given)


def test_variants_are_examples(stage: Stage) -> None:
    for command in (app.command for app in APPS.values() if app.command):
        assert (ROOT / command.removeprefix("python ")).is_file()


def outcome(stage: Stage, code: int, said: str, before: Holdings, after: Holdings) -> Outcome:
    return Outcome(stage, Ran(code, said), before, after)


NOTHING = Holdings({}, {}, frozenset())
CLUSTER = Holdings({"c": "CREATE_COMPLETE"}, {("c", "Vpc"): "vpc-1"}, frozenset({"NodePool general"}))


def looked(expectation: Expectation[Outcome], outcome: Outcome) -> tuple[bool, str]:
    seen = expectation.look(outcome)
    return seen.ok, seen.what


@pytest.mark.parametrize(
    ("after", "told"),
    [
        (Holdings({}, CLUSTER.resources, CLUSTER.objects), "lost: stack c"),
        (Holdings(CLUSTER.stacks, {("c", "Vpc"): "vpc-2"}, CLUSTER.objects), "lost: c/Vpc"),
        (Holdings(CLUSTER.stacks, CLUSTER.resources, frozenset()), "lost: NodePool general"),
    ],
)
def test_what_was_deleted_or_replaced_is_seen(after: Holdings, told: str, stage: Stage) -> None:
    assert looked(expect.nothing_lost(), outcome(stage, 0, "", CLUSTER, after)) == (False, told)
    assert looked(expect.nothing_lost(), outcome(stage, 0, "", CLUSTER, CLUSTER))[0]


def test_words_of_termination_protection_are_no_answer_to_a_refused_approval(stage: Stage) -> None:
    arn = "arn:x:cloudformation:us-east-1:000000000000:stack/c/f1490e61-9430-4d1a-a2e1-56224c1a9b54"
    said = f"❌  c failed: ValidationError: Stack [{arn}] cannot be deleted while TerminationProtection is enabled"
    ok, told = looked(expect.hides_nothing(), outcome(stage, 1, said, NOTHING, NOTHING))
    assert not ok
    assert told == (
        "it says: ❌ c failed: ValidationError: Stack [c] cannot be deleted while TerminationProtection is enabled"
    )
    assert looked(expect.hides_nothing(), outcome(stage, 1, "Aborted by user", NOTHING, NOTHING))[0]


def test_exit_code_is_told_with_the_last_words(stage: Stage) -> None:
    said = "one\nerror: context: nam: is not a known key\n\n"
    assert looked(expect.ends(0), outcome(stage, 1, said, NOTHING, NOTHING)) == (
        False,
        "exit code 1: error: context: nam: is not a known key",
    )
    assert looked(expect.ends(1), outcome(stage, 0, said, NOTHING, NOTHING)) == (False, "exit code 0")
    assert looked(expect.ends(1), outcome(stage, 1, said, NOTHING, NOTHING))[0]


def test_first_failure_is_told_rather_than_the_last_words(stage: Stage) -> None:
    said = """
c | 3/9 | 9:00:01 AM | CREATE_FAILED        | AWS::ECR::Repository | Images (Images1) it exists already
c | 3/9 | 9:00:02 AM | CREATE_FAILED        | AWS::S3::Bucket      | Bucket (Bucket1) Resource creation cancelled
❌  c failed: DeploymentError: Resource updates failed:
"""
    told = "exit code 1: Images (Images1) it exists already"
    assert looked(expect.ends(0), outcome(stage, 1, said, NOTHING, NOTHING)) == (False, told)


def test_one_difference_is_one(stage: Stage) -> None:
    line = "[~] Custom::AWSCDK-EKS-KubernetesResource shop/Deployment/Resource Deployment may be replaced"
    one = outcome(stage, 0, f"Resources\n{line}\n └─ [~] Manifest\n", NOTHING, NOTHING)
    two = outcome(stage, 0, f"{line}\n{line}\n", NOTHING, NOTHING)
    assert looked(expect.differs("Deployment"), one) == (True, "shop/Deployment/Resource may be replaced")
    assert not looked(expect.differs("Deployment"), two)[0]
    assert looked(expect.differs("Deployment"), outcome(stage, 0, "", NOTHING, NOTHING)) == (False, "no differences")
