"""The linter: how fast it starts, and how many documents a second it judges."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

__all__ = ["compare"]

ROOT = Path(__file__).parent.parent
RUNS = 7
DOCUMENTS = 3000

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
    """The best time of each; they take turns, so that a busy machine hits all."""
    best = [float("inf")] * len(measured)
    for _ in range(RUNS):
        for number, run in enumerate(measured):
            began = time.perf_counter()
            run()
            best[number] = min(best[number], time.perf_counter() - began)
    return best


def _python(*arguments: str | Path) -> None:
    subprocess.run([sys.executable, *arguments], cwd=ROOT, check=True, capture_output=True)


def compare() -> None:
    """Prints the start beside PyYAML with one used pydantic model, and the speed beside a plain parse."""
    with tempfile.TemporaryDirectory() as folder:
        one, many = Path(folder, "one.yaml"), Path(folder, "many.yaml")
        one.write_text(POOL.format(number=0), "utf-8")
        many.write_text("".join(POOL.format(number=number) for number in range(DOCUMENTS)), "utf-8")
        command = ("-m", "automode_constructs.cli.main", "lint")
        start, floor, whole, parsed = _best_in_turn(
            lambda: _python(*command, one),
            lambda: _python("-c", FLOOR),
            lambda: _python(*command, many),
            lambda: _python("-c", PLAIN, many),
        )
    print(f"lint, one document: {start:.2f} s (goal: below 0.5), {start / floor:.2f} times {floor:.2f} s, the floor")
    print(
        f"lint, {DOCUMENTS} documents: {DOCUMENTS / (whole - start):.0f} a second after the start (goal: over 1000), "
        f"{whole / parsed:.2f} times the {parsed:.2f} s of PyYAML's C loader alone"
    )
