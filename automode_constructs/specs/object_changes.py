"""What to do where the API server refuses a change of an object that exists."""

from __future__ import annotations

__all__ = ["made_anew", "refused_by_existing"]

_MAKE_ANEW = "delete it and create it again"

_CONSEQUENCES = {
    "Job": "its pods run again",
    "PersistentVolumeClaim": "its volume is deleted too, unless its reclaim policy is Retain",
    "Service": "its address changes",
    "StatefulSet": "with --cascade=orphan its pods keep running meanwhile",
}


def made_anew(kind: str) -> str:
    """The cure for a change that no object of a kind takes, and its consequence."""
    return f"{_MAKE_ANEW}; {_CONSEQUENCES[kind]}" if kind in _CONSEQUENCES else _MAKE_ANEW


def refused_by_existing(kind: str) -> str:
    """A sentence that follows a cure which only a new object of a kind takes."""
    return f"An existing {kind} refuses this change: {made_anew(kind)}"
