"""A deterministic model of EKS Auto Mode: which nodes come and go for which pods, why, and what they cost."""

from __future__ import annotations

from automode_constructs.simulation.assumptions import Assumption, Assumptions
from automode_constructs.simulation.choice import Choice, Lost
from automode_constructs.simulation.node import WhyNot
from automode_constructs.simulation.simulate import NodeView, PendingPod, Result, StepResult, TotalsView, simulate
from automode_constructs.simulation.timeline import Step, Timeline, Verb
from automode_constructs.simulation.world import Event, Sample

__all__ = [
    "Assumption",
    "Assumptions",
    "Choice",
    "Event",
    "Lost",
    "NodeView",
    "PendingPod",
    "Result",
    "Sample",
    "Step",
    "StepResult",
    "Timeline",
    "TotalsView",
    "Verb",
    "WhyNot",
    "simulate",
]
