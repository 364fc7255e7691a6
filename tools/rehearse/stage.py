"""One app in one account: what a step does there, and what its expectations look at."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tools.rehearse.account import Holdings, holdings
from tools.rehearse.workplace import REGION, Ran, Workplace

__all__ = ["Outcome", "Stage"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The last command of a step, and what the account held before and after."""

    stage: Stage
    ran: Ran
    before: Holdings
    after: Holdings


@dataclass(frozen=True, slots=True)
class Stage:
    """Runs the commands of one app, one log a step.

    Args:
        place: its folder and environment.
        app: the app's command. Default: that of cdk.json.
        region: where its stacks go. Default: where the CLI's environment points.
        aloud: whether what the commands print is shown too.
    """

    place: Workplace
    app: str | None = None
    region: str = REGION
    aloud: bool = False
    _logs: list[Path] = field(default_factory=list)
    _assemblies: dict[str, Path] = field(default_factory=dict)

    @property
    def assembly(self) -> Path:
        """What the last command has synthesised."""
        return list(self._assemblies.values())[-1] if self._assemblies else self.place.folder / "cdk.out"

    def act(self, *words: str | Callable[[], None], answer: str | None = None) -> Callable[[], Outcome]:
        """Runs commands one after another until one of them fails, and whatever else is to be done."""

        def do() -> Outcome:
            before, ran = holdings(self.region, self.assembly), Ran(0, "")
            log = self.place.folder / "logs" / f"{len(self._logs) + 1:02}.log"
            self._logs.append(log)
            for each in words:
                if callable(each):
                    each()
                elif ran.code == 0:
                    ran = self.place.run(self._completed(each), log, answer=answer, aloud=self.aloud)
            return Outcome(self, ran, before, holdings(self.region, self.assembly))

        return do

    def refuse(self, faults: Mapping[str, str]) -> Callable[[], None]:
        """Has the stand-in refuse to create some resource types, in these words, until the next such call."""

        def write() -> None:
            self.place.faults.write_text(json.dumps(faults), "utf-8")

        return write

    def _completed(self, words: str) -> str:
        if not words.startswith("cdk "):
            return words
        context = " ".join(re.findall(r"-c \S+", words))
        # What was synthesised once is not again, which takes most of the time.
        assembly = self._assemblies.pop(context, self.place.folder / f"cdk.out.{len(self._assemblies) + 1}")
        self._assemblies[context] = assembly
        if (assembly / "manifest.json").exists():
            return f"{re.sub(r' -c [^ ]+', '', words)} --app {assembly}"
        return f"{words} --output {assembly}" + (f" --app '{self.app}'" if self.app else "")
