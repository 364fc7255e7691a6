"""Whatever stands in a timeline or a manifest, ``automode simulate`` answers in words, and soon."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from automode_constructs.cli.main import main
from tests.cli.test_simulate import POOL, SHOP

TIMELINE: dict[str, Any] = {
    "manifests": ["objects.yaml"],
    "zones": ["us-east-1a", "us-east-1b"],
    "images": {"example.com/ui:1": 5},
    "starts": {"Deployment/shop/ui": "5s"},
    "start": "2026-01-05T00:00:00Z",
    "steps": [
        {"apply": "*", "settle": "30s"},
        {"scale": "Deployment/shop/ui", "replicas": 3},
        {"patch": "NodePool/general", "merge": {"spec": {"weight": 3}}},
        {"interrupt_spot": {"count": 1}},
        {"capacity_shortage": {"instance_type": "c6a.large"}},
        {"zone_outage": "us-east-1a"},
        {"upgrade": "1.35"},
        {"delete": "Deployment/shop/ui"},
        {"reservation_end": "cr-1"},
    ],
}
BUDGET = """
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: ui, namespace: shop}
spec: {maxUnavailable: 1, selector: {matchLabels: {app: ui}}}
"""
CLAIM = """
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data, namespace: shop}
spec: {accessModes: [ReadWriteOnce], storageClassName: gp3, resources: {requests: {storage: 1Gi}}}
"""
DOCUMENTS: list[Any] = [*(yaml.safe_load(text) for text in (POOL, SHOP, BUDGET, CLAIM)), TIMELINE]
VALUES: list[Any] = [
    *(None, 7, -1, 1.5, 1e9, True, "", "x", "9" * 30, "1h", "*", "1e9"),
    *([], {}, [None], [[]], {"a": None}, {"kind": "Pod"}),
]


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Each container of a document, and each key or index of it."""
    for key, inner in [*value.items()] if isinstance(value, dict) else [*enumerate(value)]:
        yield value, key
        if isinstance(inner, dict | list):
            yield from places(inner)


@pytest.mark.parametrize("seed", range(100))
def test_odd_values_are_answered(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    chance = random.Random(seed)
    documents = copy.deepcopy(DOCUMENTS)
    for _ in range(chance.choice([1, 1, 2])):
        container, key = chance.choice([*places(documents[chance.randrange(len(documents))])])
        container[key] = copy.deepcopy(chance.choice(VALUES))
    Path("objects.yaml").write_text(yaml.safe_dump_all(documents[:-1]), "utf-8")
    Path("timeline.yaml").write_text(yaml.safe_dump(documents[-1]), "utf-8")
    code = main(["simulate", "timeline.yaml"])
    captured = capsys.readouterr()
    assert "unexpected" not in captured.err
    assert (code == 2) == bool(captured.err)
    assert bool(captured.out) == (code != 2)
