"""The linter: how fast it starts, and how long many documents take, beside what any such tool must pay."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

__all__ = ["compare"]

ROOT = Path(__file__).parent.parent
RUNS = 7
DOCUMENTS = 20_000

POOL = """\
---
apiVersion: karpenter.sh/v1
kind: NodePool
metadata:
  name: pool-{number}
spec:
  template:
    spec:
      nodeClassRef: {{group: eks.amazonaws.com, kind: NodeClass, name: standard}}
      requirements:
        - key: eks.amazonaws.com/instance-category
          operator: In
          values: [c, m, r]
        - key: kubernetes.io/arch
          operator: In
          values: [amd64]
      expireAfter: 336h
      terminationGracePeriod: 24h
"""

# What any such tool pays: PyYAML, and one pydantic model that has judged a value.
FLOOR = "import pydantic, yaml\nclass Floor(pydantic.BaseModel):\n    name: str\nFloor.model_validate({'name': 'a'})\n"

PLAIN = "import sys, yaml; sum(1 for _ in yaml.load_all(open(sys.argv[1], 'rb'), Loader=yaml.CSafeLoader))"


def _best_in_turn(*measured: Callable[[], object]) -> list[float]:
    """The least time of the processor for each; they take turns, so that a busy machine hits all."""
    best = [float("inf")] * len(measured)
    for _ in range(RUNS):
        for number, run in enumerate(measured):
            began = _processor_time()
            run()
            best[number] = min(best[number], _processor_time() - began)
    return best


def _processor_time() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _python(*arguments: str | Path, codes: tuple[int, ...] = (0,)) -> None:
    # Compiled once, as an installed package is.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    ran = subprocess.run([sys.executable, *arguments], cwd=ROOT, env=environment, check=False, capture_output=True)
    assert ran.returncode in codes, ran.stderr


def compare() -> None:
    """Prints the start beside PyYAML with one used pydantic model, and the speed beside a plain load of PyYAML's."""
    with tempfile.TemporaryDirectory() as folder:
        one, many = Path(folder, "one.yaml"), Path(folder, "many.yaml")
        one.write_text(POOL.format(number=0), "utf-8")
        many.write_text("".join(POOL.format(number=number) for number in range(DOCUMENTS)), "utf-8")
        faulty = Path(folder, "faulty.yaml")
        faulty.write_text("expireAfer".join(many.read_text("utf-8").rsplit("expireAfter", 1)), "utf-8")
        command = ("-m", "automode_constructs", "lint")
        start, floor, whole, found, parsed = _best_in_turn(
            lambda: _python(*command, one),
            lambda: _python("-c", FLOOR),
            lambda: _python(*command, many),
            lambda: _python(*command, faulty, codes=(1,)),
            lambda: _python("-c", PLAIN, many),
        )
    print(
        f"lint, one document: {start:.2f} s of the processor (goal: below 0.5), {start / floor:.2f} times the "
        f"{floor:.2f} s of the floor (goal: 1.3)"
    )
    print(
        f"lint, {DOCUMENTS} clean documents: {whole:.2f} s, {whole / parsed:.2f} times the {parsed:.2f} s that "
        f"PyYAML's C loader takes to load them (goal: 2); {found / parsed:.2f} times with a finding in the last of them"
    )
