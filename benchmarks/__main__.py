"""Runs every measurement: ``python -m benchmarks``."""

from __future__ import annotations

from benchmarks import synth

if __name__ == "__main__":
    synth.compare()
