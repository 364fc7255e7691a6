"""The cluster's stack of this app: the pattern as it is, and the place to put one of your own."""

from __future__ import annotations

from automode_constructs.patterns.stacks.cluster_stack import ClusterStack

__all__ = ["ClusterStack"]
