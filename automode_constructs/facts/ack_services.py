"""The services that AWS Controllers for Kubernetes (ACK) knows, by the names of its controllers."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

__all__ = ["ack_services"]


@cache
def ack_services() -> tuple[str, ...]:
    """The services seen on the data file's date; AWS adds new ones."""
    loaded = json.loads(Path(__file__).with_name("ack_services.json").read_text("utf-8"))
    return tuple(str(name) for name in loaded["services"])
