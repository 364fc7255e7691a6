"""The app's context keys: few, typed, checked; and what a user sees who gets one wrong."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest

from app import Settings, build
from automode_constructs.errors import AutoModeError

ROOT = Path(__file__).parent.parent


def test_texts_of_the_command_line_and_values_of_cdk_json_read_alike() -> None:
    texts = Settings.from_context(
        {
            "name": "demo",
            "version": "1.37",
            "admin_role_arns": "a,b",
            "endpoint_cidrs": '["c"]',
            "ephemeral": "true",
            "availability_zones": "",
        }
    )
    values = Settings.from_context(
        {
            "name": "demo",
            "version": "1.37",
            "admin_role_arns": ["a", "b"],
            "endpoint_cidrs": ["c"],
            "ephemeral": True,
            "availability_zones": [],
        }
    )
    assert (
        texts
        == values
        == Settings(name="demo", version="1.37", admin_role_arns=("a", "b"), endpoint_cidrs=("c",), ephemeral=True)
    )


def test_the_cdk_s_own_keys_pass() -> None:
    context = {
        "@aws-cdk/core:validateAgainstDefaultRules": True,
        "aws:cdk:bundling-stacks": ["**"],
        "cli-telemetry": False,
        "availability-zones:account=1:region=x": [],
    }
    assert Settings.from_context(context) == Settings()


def test_a_region_without_auto_mode_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    class BuiltError(Exception):
        pass

    def built(*_: object, **__: object) -> None:
        raise BuiltError

    monkeypatch.setattr("app.ClusterStack", built)
    app = cdk.App()
    with pytest.raises(BuiltError):
        build(app, Settings(region="eu-wset-1"))
    (warning,) = [str(entry.data) for entry in app.node.metadata]
    assert warning.startswith("context: region: 'eu-wset-1' had no EKS Auto Mode when this was written; did you mean ")
    assert warning.endswith("[ack: automode:RegionUnknown]")


REFUSALS: list[tuple[dict[str, Any], str]] = [
    ({"nmae": "x"}, "context: nmae: is not a known key; did you mean 'name'? Use one of 'name', 'version', 'region',"),
    ({"ephemeral": "yess"}, 'context: ephemeral: needs true or false, got "yess"'),
    (
        {"support_type": "extended"},
        "context: support_type: 'extended' is not known; did you mean 'EXTENDED'? Use one of 'STANDARD', 'EXTENDED'",
    ),
    ({"wide_endpoint_cidrs": "yes"}, 'context: wide_endpoint_cidrs: needs true or false, got "yes"'),
    ({"ephemeral": 1}, "context: ephemeral: needs true or false, got 1"),
    ({"version": 1.36}, "context: version: needs a text, got 1.36"),
    ({"name": "my cluster"}, "context: name: 'my cluster' cannot name stacks and a cluster; use 1 to 80 letters"),
    ({"region": "Frankfurt"}, "context: region: 'Frankfurt' is not a region"),
    ({"account": "12"}, "context: account: '12' is not an account id; give its 12 digits"),
    ({"endpoint_cidrs": "[1"}, 'context: endpoint_cidrs: needs a list of texts (a,b,c or a JSON list), got "[1"'),
    ({"endpoint_cidrs": {"a": 1}}, "context: endpoint_cidrs: needs a list of texts"),
    ({"admin_role_arns": [1]}, "context: admin_role_arns: needs a list of texts"),
    ({"demos": "retail-stor"}, "context: demos: 'retail-stor' is not known; did you mean 'retail-store'?"),
    ({"gpt_oss_replicas": "1" * 5000}, "context: gpt_oss_replicas: needs a whole number from 0 to 999,999,999, got"),
    ({"gpt_oss_replicas": True}, "context: gpt_oss_replicas: needs a whole number from 0 to 999,999,999, got true"),
    ({"ephemeral": ["true"]}, 'context: ephemeral: needs true or false, got ["true"]'),
    ({"ephemeral": object}, "context: ephemeral: needs true or false, got <class 'object'>"),
    (
        {"availability_zones": "[" * 2000},
        f'context: availability_zones: needs a list of texts (a,b,c or a JSON list), got "{"[" * 76}...',
    ),
    (
        {" ephemeral": "true"},
        "context: ' ephemeral': has a blank at its end or beginning; write 'ephemeral'; in a shell quote each setting "
        "for itself: -c 'ephemeral=true'",
    ),
]


@pytest.mark.parametrize(("context", "message"), REFUSALS, ids=lambda value: str(value)[:50])
def test_refusals_in_words(context: dict[str, Any], message: str) -> None:
    with pytest.raises(AutoModeError, match=re.escape(message)):
        Settings.from_context(context)


def test_all_problems_at_once() -> None:
    with pytest.raises(AutoModeError) as refused:
        Settings.from_context({"nmae": "x", "ephemeral": "no"})
    assert len(refused.value.problems) == 2


def test_the_readme_quotes_a_real_refusal(tmp_path: Path) -> None:
    finished = _run({"endpoint_cidrs": "0.0.0.0/0"}, tmp_path / "out")
    assert finished.stderr.strip() in (ROOT / "README.md").read_text("utf-8").splitlines()


def _run(context: dict[str, Any], outdir: Path) -> subprocess.CompletedProcess[str]:
    """The app as the CDK CLI runs it."""
    return subprocess.run(
        [sys.executable, "app.py"],
        cwd=ROOT,
        env={**os.environ, "CDK_CONTEXT_JSON": json.dumps(context), "CDK_OUTDIR": str(outdir)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("context", "line"),
    [
        ({"ephemeral": "yess"}, 'error: context: ephemeral: needs true or false, got "yess"'),
        ({"version": "1.28"}, "error: automode-cluster: version: '1.28' is older than 1.29"),
    ],
    ids=["context", "construct"],
)
def test_a_mistake_is_one_line_and_no_template(context: dict[str, Any], line: str, tmp_path: Path) -> None:
    finished = _run(context, tmp_path / "out")
    assert finished.returncode == 1
    told = [text for text in finished.stderr.splitlines() if text.strip()]
    assert len(told) == 1, finished.stderr
    assert told[0].startswith(line)
    assert not list(tmp_path.glob("out/*.template.json"))
