"""This app's cluster stack: the pattern unchanged. Replace it with your own here."""

from __future__ import annotations

from automode_constructs.patterns.stacks.cluster_stack import ClusterStack

__all__ = ["ClusterStack"]
