"""Runs every measurement: ``python -m benchmarks``."""

from __future__ import annotations

from benchmarks import lint, synth

if __name__ == "__main__":
    lint.compare()
    synth.compare()
