"""Runs every measurement: ``python -m benchmarks``."""

from __future__ import annotations

from benchmarks import deployment, lint, simulation, synth

if __name__ == "__main__":
    deployment.compare()
    lint.compare()
    simulation.compare()
    synth.compare()
