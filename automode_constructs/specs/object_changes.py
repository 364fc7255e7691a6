"""What to do where the API server refuses a change of an object that exists."""

from __future__ import annotations

__all__ = ["made_anew"]

_CONSEQUENCES = {
    "Job": "its pods run again",
    "PersistentVolumeClaim": "its volume and data go with it unless their reclaimPolicy is Retain",
    "Service": "its address changes",
    "StatefulSet": "with --cascade=orphan its pods keep running",
}


def made_anew(kind: str) -> str:
    """The cure for a change that no object of a kind takes, and its consequence."""
    consequence = f"; {_CONSEQUENCES[kind]}" if kind in _CONSEQUENCES else ""
    return f"An existing {kind} refuses this change: delete it and create it again{consequence}"
