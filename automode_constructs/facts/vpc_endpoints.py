"""The interface endpoints that a cluster without internet access may need."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

__all__ = ["EndpointService", "endpoint_services"]


@dataclass(frozen=True, kw_only=True, slots=True)
class EndpointService:
    """An AWS service that a VPC endpoint leads to, and who needs it."""

    name: str
    """The last part of the service's name: ``ecr.api`` of ``com.amazonaws.<region>.ecr.api``."""
    need: Literal["nodes", "pods", "kubectl", "workloads"]
    """Who needs it: every node, pods with an IAM role, the kubectl Lambda, or some workloads."""
    why: str
    """What they need it for."""
    policy: bool = True
    """Whether the endpoint is known to take a policy."""
    fips: str | None = None
    """The name of the endpoint with FIPS 140 validated TLS, where AWS has one of its own."""
    fips_partitions: tuple[str, ...] = ("aws",)
    """The partitions with that endpoint. In GovCloud the plain host of most services is the validated one."""
    missing_regions: tuple[str, ...] = ()
    """The regions without this endpoint."""


@cache
def endpoint_services() -> Mapping[str, EndpointService]:
    """The services by their names, those that nodes need first."""
    rows: list[dict[str, Any]] = json.loads(Path(__file__).with_name("vpc_endpoints.json").read_text("utf-8"))[
        "services"
    ]
    for row in rows:
        row.update({name: tuple(value) for name, value in row.items() if isinstance(value, list)})
    return {str(row["name"]): EndpointService(**row) for row in rows}
