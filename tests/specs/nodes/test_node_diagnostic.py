from __future__ import annotations

from typing import Any

import pytest

from automode_constructs.checks.document import judge_document
from automode_constructs.specs.nodes.node_diagnostic import NodeDiagnosticSpec
from tests.refusal import refusal

_CAPTURE: dict[str, Any] = {
    "duration": "5m",
    "interface": "eth0",
    "filter": "port 53",
    "chunkSizeMB": 10,
    "mode": "tcpdump",
    "upload": {"url": "https://bucket", "fields": {"policy": "secret"}},
}


def test_a_whole_diagnostic_comes_back_as_it_was() -> None:
    document = {"logCapture": {"destination": "node", "categories": ["All"]}, "packetCapture": _CAPTURE}
    assert NodeDiagnosticSpec.from_manifest(document).to_manifest() == document


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"duration": "2h"}, "packetCapture.duration: '2h' is more than an hour; write 1h or less"),
        ({"duration": "61m"}, "packetCapture.duration: '61m' is more than an hour; write 1h or less"),
        ({"duration": "1d"}, "packetCapture.duration: '1d' is not a duration such as '30s', '5m' or '1h'"),
        ({"chunkSizeMB": 101}, "packetCapture.chunkSizeMB: must be at most 100, got 101"),
    ],
)
def test_a_capture_is_bounded(changed: dict[str, Any], message: str) -> None:
    assert refusal(lambda: NodeDiagnosticSpec.from_manifest({"packetCapture": {**_CAPTURE, **changed}})) == message


def test_presigned_requests_are_warned_of_and_never_shown() -> None:
    spec = NodeDiagnosticSpec.from_manifest(
        {"logCapture": {"destination": "https://bucket/a?X-Amz-Signature=secret"}, "packetCapture": _CAPTURE}
    )
    told = [f"{problem.rule} {problem}" for problem in spec.warnings(by_alias=True)]
    assert told == [
        f"automode:PresignedUrl {field}: holds a presigned request, with which whoever reads it writes to the "
        f"bucket until it expires; "
        "apply it by hand and keep it out of the repository"
        for field in ("logCapture.destination", "packetCapture.upload.fields")
    ]
    assert not any("secret" in line for line in told)


def test_it_is_served_as_v1alpha1_only() -> None:
    findings = judge_document(
        {
            "apiVersion": "eks.amazonaws.com/v1",
            "kind": "NodeDiagnostic",
            "metadata": {"name": "i-1"},
            "spec": {"logCapture": {"destination": "node"}},
        }
    )
    assert findings is not None
    assert [str(finding) for finding in findings] == [
        "apiVersion: 'eks.amazonaws.com/v1' is not served; write eks.amazonaws.com/v1alpha1"
    ]
