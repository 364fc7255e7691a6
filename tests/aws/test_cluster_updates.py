"""The Lambda that waits for the updates of a cluster, run against a stand-in of EKS."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from automode_constructs.aws.cluster_updates import HANDLER

EVENT = {"ResourceProperties": {"ClusterName": "prod"}, "LogicalResourceId": "Before", "RequestType": "Create"}


class NotFoundError(Exception):
    """What EKS raises for a cluster that does not exist."""


class Eks:
    """Each look sees the next state: which updates there are, and how each one stands."""

    exceptions = SimpleNamespace(ResourceNotFoundException=NotFoundError)

    def __init__(self, looks: Sequence[dict[str, str] | Exception]) -> None:
        self._looks = list(looks)
        self._now: dict[str, str] = {}
        self.described: list[str] = []
        self.looked = 0

    def get_paginator(self, operation: str) -> Eks:
        assert operation == "list_updates"
        return self

    def paginate(self, name: str) -> Iterator[dict[str, list[str]]]:
        assert name == "prod"
        self.looked += 1
        look = self._looks.pop(0) if len(self._looks) > 1 else self._looks[0]
        if isinstance(look, Exception):
            raise look
        self._now = look
        for update in look:
            yield {"updateIds": [update]}

    def describe_update(self, name: str, updateId: str) -> dict[str, dict[str, str]]:  # noqa: N803 - boto3's name
        self.described.append(updateId)
        return {"update": {"status": self._now[updateId]}}


def answer(
    monkeypatch: pytest.MonkeyPatch, eks: Eks, *, event: dict[str, Any] = EVENT, seconds: int = 900
) -> tuple[str, str]:
    """What the Lambda answers to CloudFormation, and why; time passes only while it sleeps."""
    answers: list[tuple[str, str]] = []
    left = [seconds * 1000]

    def send(event: object, context: object, status: str, data: object, place: str, reason: str | None = None) -> None:
        answers.append((status, reason or place))

    boto3, cfnresponse, time = ModuleType("boto3"), ModuleType("cfnresponse"), ModuleType("time")
    boto3.client = lambda service: {"eks": eks}[service]  # type: ignore[attr-defined]
    cfnresponse.send, cfnresponse.SUCCESS, cfnresponse.FAILED = send, "SUCCESS", "FAILED"  # type: ignore[attr-defined]
    time.sleep = lambda pause: left.__setitem__(0, left[0] - pause * 1000)  # type: ignore[attr-defined]
    for module in (boto3, cfnresponse, time):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    code: dict[str, Any] = {}
    exec(HANDLER, code)
    code["handler"](event, SimpleNamespace(get_remaining_time_in_millis=lambda: left[0]))
    (only,) = answers
    return only


def test_a_quiet_cluster_is_looked_at_three_times(monkeypatch: pytest.MonkeyPatch) -> None:
    eks = Eks([{"old": "Successful"}])
    assert answer(monkeypatch, eks) == ("SUCCESS", "Before")
    assert eks.looked == 3
    assert eks.described == ["old"]


def test_an_update_that_shows_late_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    eks = Eks([{}, {}, {"new": "InProgress"}, {"new": "InProgress"}, {"new": "Successful"}])
    assert answer(monkeypatch, eks)[0] == "SUCCESS"
    assert eks.looked == 7


@pytest.mark.parametrize("status", ["Failed", "Cancelled", "Successful"])
def test_how_an_update_ends_does_not_matter(monkeypatch: pytest.MonkeyPatch, status: str) -> None:
    assert answer(monkeypatch, Eks([{"new": "InProgress"}, {"new": status}]))[0] == "SUCCESS"


def test_an_update_that_does_not_end_in_time_fails_with_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    status, reason = answer(monkeypatch, Eks([{"stuck": "InProgress"}]))
    assert (status, reason) == ("FAILED", "cluster prod still has the updates ['stuck'] in progress")


def test_a_cluster_that_is_gone_needs_no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    event = {**EVENT, "RequestType": "Delete", "PhysicalResourceId": "Before"}
    assert answer(monkeypatch, Eks([NotFoundError()]), event=event) == ("SUCCESS", "Before")


def test_other_errors_are_answered_not_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert answer(monkeypatch, Eks([PermissionError("denied")])) == ("FAILED", "denied")
    assert answer(monkeypatch, Eks([PermissionError()])) == ("FAILED", "PermissionError")


def test_the_code_fits_a_template() -> None:
    assert len(HANDLER) <= 4096
