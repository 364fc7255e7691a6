"""NodeDiagnostic (``eks.amazonaws.com/v1alpha1``), read and judged but not offered as a construct.

Its presigned URLs are credentials, which do not belong in a file that is kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import Field

from automode_constructs.errors import Problem, shown
from automode_constructs.specs.fields import ListOf, in_units, matching, no_number
from automode_constructs.specs.model import KubeModel
from automode_constructs.specs.rule import rule

__all__ = ["LogCapture", "NodeDiagnosticSpec", "PacketCapture", "PresignedPost"]

_LOG_PAGE = "EKS User Guide, 'Retrieve node logs for a managed node using kubectl and S3'"
_CAPTURE_PAGE = "EKS User Guide, 'Capture network traffic on a managed node using kubectl and S3'"

PRESIGNED_URL = rule(
    "automode:PresignedUrl",
    "NodeDiagnostic",
    severity="warning",
    sentence="A presigned URL is a credential: it is not kept in a file or a repository.",
    source=f"{_LOG_PAGE}; {_CAPTURE_PAGE}",
)
CAPTURE_DURATION = rule(
    "automode:CaptureDuration",
    "NodeDiagnostic",
    severity="error",
    sentence="Packets are captured for at most an hour.",
    source=_CAPTURE_PAGE,
)

_SECONDS = {"s": 1, "m": 60, "h": 3600}


class LogCapture(KubeModel):
    """Logs of a node, packed and delivered."""

    destination: str
    """A presigned URL to put the logs to, or ``node`` to keep them on the node (agent 1.6.1 or newer)."""
    categories: ListOf[Literal["Base", "Device", "Networking", "Runtime", "System", "All"]] | None = None
    """Which logs. Default: ``All``, as EKS decides."""

    def _broken_rules(self) -> Iterator[Problem]:
        if "://" in self.destination and "?" in self.destination:
            yield _presigned("destination")


class PresignedPost(KubeModel):
    """A presigned POST."""

    url: str
    """URL of the bucket."""
    fields: Mapping[str, str]
    """Form fields, with the signature among them."""


class PacketCapture(KubeModel):
    """Traffic of a node, captured and delivered."""

    duration: Annotated[
        str, no_number(in_units), matching(r"[0-9]{1,9}[smh]", "a duration such as '30s', '5m' or '1h'")
    ]
    """How long, at most ``1h``."""
    interface: str | None = None
    """Network interface. Default: all of them, as EKS decides."""
    filter: str | None = None
    """Filter in tcpdump's syntax. Default: everything."""
    chunk_size_mb: Annotated[int, Field(ge=1, le=100)] | None = Field(
        default=None, validation_alias="chunkSizeMB", serialization_alias="chunkSizeMB"
    )
    """Size of a capture file in MB, 1 to 100. Default: 10, as EKS decides."""
    mode: Literal["tcpdump"] | None = None
    """Default: ``tcpdump``, as EKS decides."""
    upload: PresignedPost
    """Where captures go."""

    def _broken_rules(self) -> Iterator[Problem]:
        length = re.fullmatch(r"([0-9]+)([smh])", self.duration)
        if length is not None and int(length[1]) * _SECONDS[length[2]] > 3600:
            yield CAPTURE_DURATION.problem(
                "duration", f"{shown(self.duration)} is more than an hour", "write 1h or less"
            )
        if self.upload.fields:
            yield _presigned("upload.fields")


class NodeDiagnosticSpec(KubeModel):
    """What a node is asked to collect. The object has the node's name, and is not cleaned up by itself.

    Source: EKS User Guide, "Retrieve node logs for a managed node using kubectl and S3" and "Capture network traffic
    on a managed node using kubectl and S3"; CRD ``nodediagnostics.eks.amazonaws.com``.
    """

    log_capture: LogCapture | None = None
    """Collects logs."""
    packet_capture: PacketCapture | None = None
    """Collects traffic."""


def _presigned(field: str) -> Problem:
    # The value is a credential, so no message shows it.
    return PRESIGNED_URL.problem(
        field,
        "holds a presigned request, with which whoever reads it writes to the bucket until it expires",
        "apply it by hand and keep it out of the repository",
    )
