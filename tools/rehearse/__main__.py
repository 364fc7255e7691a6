"""``python -m tools.rehearse``: plays the steps of each app and prints what it saw as a table."""

from __future__ import annotations

import argparse
import fcntl
import os
import shlex
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import FrameType

from tools.rehearse.account import clear_objects
from tools.rehearse.parts import Parts, install
from tools.rehearse.plan import APPS, FINDINGS
from tools.rehearse.servers import api_server, loopback_server, stand_in
from tools.rehearse.stage import Outcome, Stage
from tools.rehearse.step import Result, Step, chosen, play, table
from tools.rehearse.workplace import ROOT, Workplace, free_port

FOLDER = ROOT / ".rehearse"
LIMITS = (
    "The stand-in judges properties weakly and permissions not at all, runs no pod, has every Job succeed, and goes on "
    "deleting after a failed delete.\ndocs/rehearsal.md says what a rehearsal proves and what not."
)


def main() -> None:
    """Exit code 0 when every step ended as expected, 1 when one did not, 130 when it was stopped."""
    options, outside = _options(), dict(os.environ)
    for ending in (signal.SIGHUP, signal.SIGTERM):
        signal.signal(ending, _stop)
    kubeconfig = Path(outside["KUBECONFIG"]).absolute() if outside.get("KUBECONFIG") else None
    server = loopback_server(kubeconfig) if kubeconfig else "a kubectl that records"
    parts, port = Parts(FOLDER), free_port()
    stages = {
        name: Stage(
            Workplace(FOLDER / "last" / name, parts, port, kubeconfig), app.command, app.region, options.verbose
        )
        for name, app in APPS.items()
    }
    steps = chosen([step for name, app in APPS.items() for step in app.steps(stages[name])], options.only)
    results: list[Result] = []
    begun, stopped = time.monotonic(), False
    with alone():
        install(FOLDER, _say)
        _say(f"Rehearsing against a stand-in AWS on loopback and {server}; what is said goes to {FOLDER / 'last'}")
        try:
            for name, stage in stages.items():
                own = [step for step in steps if step.name.partition("/")[0] == name]
                if own:
                    _play(stage, own, results, outside, keep=options.keep and own[-1] is steps[-1])
        except KeyboardInterrupt:
            stopped = True
    wrong = [result for result in results if not result.ok]
    print(table(results))
    print(f"\n{len(results) - len(wrong)} of {len(results)} steps as expected, {time.monotonic() - begun:.0f} s.")
    print("".join(f"{finding}: {words}.\n" for finding, words in FINDINGS.items()), end="")
    print(LIMITS)
    sys.exit(130 if stopped else 1 if wrong else 0)


@contextmanager
def alone() -> Iterator[None]:
    """Lets no second rehearsal into the folder."""
    FOLDER.mkdir(exist_ok=True)
    with (FOLDER / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit(f"make rehearse: another rehearsal runs in {FOLDER}")
        yield


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make rehearse", description=__doc__)
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="WORD",
        help="the steps with this in their names, and those that they need; may be repeated",
    )
    parser.add_argument("--keep", action="store_true", help="leave the last app's stand-in running, until Ctrl-C")
    parser.add_argument("--verbose", action="store_true", help="show all that the commands print")
    return parser.parse_args()


def _play(
    stage: Stage, steps: list[Step[Outcome]], results: list[Result], outside: Mapping[str, str], *, keep: bool
) -> None:
    place = stage.place
    place.make()
    environment = place.environment(outside)
    # From here on nothing in this process, or started by it, knows another account than the stand-in's.
    os.environ.clear()
    os.environ.update(environment)
    with ExitStack() as running:
        running.enter_context(stand_in(place, environment))
        running.enter_context(api_server(place))
        if place.kubeconfig is not None:
            running.callback(lambda: clear_objects(stage.assembly))
        play(steps, results, _say)
        if keep:
            _say("The stand-in runs until Ctrl-C. In another terminal, in this folder:")
            shown = {name: value for name, value in environment.items() if name not in ("PYTHONPATH", "TERM")}
            _say("".join(f"export {name}={shlex.quote(value)}\n" for name, value in shown.items()))
            with suppress(KeyboardInterrupt):
                signal.pause()


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
