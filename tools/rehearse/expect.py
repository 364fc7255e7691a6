"""What a step must have come to, each as words and a look."""

from __future__ import annotations

import re

from tools.rehearse.account import events, left_over, objects_of, stacks_of
from tools.rehearse.stage import Outcome
from tools.rehearse.step import Expectation, Seen

__all__ = [
    "all_in",
    "arrived",
    "differs",
    "ends",
    "event_says",
    "gone",
    "hides_nothing",
    "in_state",
    "no_objects",
    "nothing_left",
    "nothing_lost",
    "says",
]


def ends(code: int) -> Expectation[Outcome]:
    """The last command's exit code is 0, or it is not."""

    def look(outcome: Outcome) -> Seen:
        ran = outcome.ran
        text = f"exit code {ran.code}" if ran.code == 0 or code else f"exit code {ran.code}: {_last_words(ran.output)}"
        return Seen((ran.code == 0) is (code == 0), text)

    return Expectation("exit code 0" if code == 0 else "fails", look)


def _last_words(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    # What failed first is the cause; the CLI's own last words are often about what it did afterwards.
    failed = [line.rpartition("|")[2] for line in lines if re.search(r"_FAILED +\|", line)]
    error_lines = [line for line in lines if re.search(r"❌|rror:|failed:|refus", line)]
    words = " ".join((failed[:1] or error_lines[-1:] or lines[-1:] or ["nothing"])[0].split())
    return re.sub(r"arn:\S*:stack/([^/]+)/[0-9a-f-]+", r"\1", words)[:250]


def says(pattern: str, words: str) -> Expectation[Outcome]:
    """The last command prints what a pattern finds."""

    def look(outcome: Outcome) -> Seen:
        match = re.search(pattern, outcome.ran.output)
        return Seen(match is not None, f"'{match[0]}'" if match else f"it says: {_last_words(outcome.ran.output)}")

    return Expectation(f"says {words}", look)


def hides_nothing() -> Expectation[Outcome]:
    """The last command does not end in the words that hide what has happened before."""

    def look(outcome: Outcome) -> Seen:
        hidden = "TerminationProtection is enabled" in outcome.ran.output
        return Seen(
            not hidden, f"it says: {_last_words(outcome.ran.output)}" if hidden else "no word of termination protection"
        )

    return Expectation("no word of termination protection", look)


def event_says(stack: str, pattern: str) -> Expectation[Outcome]:
    """An event of a stack has what a pattern finds."""

    def look(outcome: Outcome) -> Seen:
        match = re.search(pattern, events(outcome.stage.region, stack))
        return Seen(match is not None, f"event: '{match[0]}'" if match else f"no event has '{pattern}'")

    return Expectation(f"an event of {stack} says why", look)


def all_in(*states: str) -> Expectation[Outcome]:
    """All stacks of the app are in one of some states."""

    def look(outcome: Outcome) -> Seen:
        expected, there = stacks_of(outcome.stage.assembly), outcome.after.stacks
        wrong = [f"{name} {there.get(name, 'is not there')}" for name in expected if there.get(name) not in states]
        resources = sum(stack in expected for stack, _ in outcome.after.resources)
        return Seen(not wrong, ", ".join(wrong) or f"{len(expected)} stacks with {resources} resources")

    return Expectation(f"all stacks {' or '.join(states)}", look)


def in_state(stack: str, *states: str) -> Expectation[Outcome]:
    """One stack is in one of some states."""

    def look(outcome: Outcome) -> Seen:
        state = outcome.after.stacks.get(stack, "not there")
        return Seen(state in states, f"{stack} {state}")

    return Expectation(f"{stack} {' or '.join(states)}", look)


def arrived() -> Expectation[Outcome]:
    """Every Kubernetes object of the app is in the cluster."""

    def look(outcome: Outcome) -> Seen:
        expected, there = len(objects_of(outcome.stage.assembly)), len(outcome.after.objects)
        return Seen(expected == there, f"{there} of {expected} objects in the cluster")

    return Expectation("every object in the cluster", look)


def gone(*stacks: str) -> Expectation[Outcome]:
    """Some stacks are gone; all where none is named."""

    def look(outcome: Outcome) -> Seen:
        there = [f"{name} {state}" for name, state in outcome.after.stacks.items() if not stacks or name in stacks]
        return Seen(not there, ", ".join(there) or "stacks gone")

    return Expectation(f"{', '.join(stacks) or 'all stacks'} gone", look)


def no_objects() -> Expectation[Outcome]:
    """No Kubernetes object of the app is in the cluster."""

    def look(outcome: Outcome) -> Seen:
        there = sorted(outcome.after.objects)
        return Seen(not there, ", ".join(there) or f"{len(outcome.before.objects)} objects gone")

    return Expectation("no object left", look)


def nothing_left() -> Expectation[Outcome]:
    """The account holds what bootstrapping made, and nothing else."""

    def look(outcome: Outcome) -> Seen:
        remains = left_over(outcome.stage.region, outcome.stage.assembly)
        return Seen(not remains, f"left: {', '.join(remains)}" if remains else "nothing left")

    return Expectation("nothing left in the account", look)


def nothing_lost() -> Expectation[Outcome]:
    """Every stack, resource and object of before is there, and the same."""

    def look(outcome: Outcome) -> Seen:
        before, after = outcome.before, outcome.after
        missing = [f"stack {name}" for name in before.stacks if name not in after.stacks]
        missing += [
            f"{stack}/{resource}"
            for (stack, resource), physical_id in before.resources.items()
            if stack in after.stacks and after.resources.get((stack, resource)) != physical_id
        ]
        missing += sorted(before.objects - after.objects)
        summary = f"{len(before.resources)} resources and {len(before.objects)} objects as before"
        return Seen(not missing, f"lost: {', '.join(missing[:8])}{' ...' * (len(missing) > 8)}" if missing else summary)

    return Expectation("nothing deleted or replaced", look)


def differs(pattern: str) -> Expectation[Outcome]:
    """The last command tells of one difference, which a pattern finds."""

    def look(outcome: Outcome) -> Seen:
        lines = re.findall(r"^\[[~+-]\] .*$", outcome.ran.output, re.MULTILINE)
        summary = "; ".join(re.sub(r"^\S+ \S+ (\S+) \S+", r"\1", line) for line in lines)
        return Seen(len(lines) == 1 and re.search(pattern, lines[0]) is not None, summary or "no differences")

    return Expectation("the Deployment alone differs", look)
