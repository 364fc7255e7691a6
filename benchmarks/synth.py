"""Synthesis of the default app beside a hand-written app with the same resources."""

from __future__ import annotations

import collections
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

__all__ = ["compare"]

ROOT = Path(__file__).parent.parent
RUNS = 15
WARM = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""The environment, with Python free to keep what it compiled: that is not what is measured."""


def _synthesise(script: str, out: Path) -> float:
    context = json.loads((ROOT / "cdk.json").read_text("utf-8"))["context"] | {"demos": []}
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", script],
        cwd=ROOT,
        env={**WARM, "CDK_CONTEXT_JSON": json.dumps(context), "CDK_OUTDIR": str(out)},
        check=True,
        capture_output=True,
    )
    return time.perf_counter() - began


def _resources(out: Path) -> dict[str, int]:
    kinds: collections.Counter[str] = collections.Counter()
    for template in out.glob("*.template.json"):
        kinds.update(body["Type"] for body in json.loads(template.read_text("utf-8"))["Resources"].values())
    return dict(kinds)


def compare() -> None:
    """Prints the ratio of the medians; both apps take turns, so that a busy machine hits both."""
    ours, by_hand = [], []
    with tempfile.TemporaryDirectory() as folder:
        first, second = Path(folder, "ours"), Path(folder, "by-hand")
        _synthesise("app", first)  # neither pays for cold files
        _synthesise("benchmarks.hand_written", second)
        if _resources(first) != _resources(second):
            raise SystemExit(f"not the same resources:\n{_resources(first)}\n{_resources(second)}")
        for _ in range(RUNS):
            ours.append(_synthesise("app", first))
            by_hand.append(_synthesise("benchmarks.hand_written", second))
    mine, theirs = statistics.median(ours), statistics.median(by_hand)
    print(
        f"synth: {mine:.2f} s, by hand {theirs:.2f} s, ratio {mine / theirs:.2f} "
        f"(goal: at most 1.15; medians of {RUNS} runs in turn, since both copy 60 MB of assets to a disk in its moods)"
    )
