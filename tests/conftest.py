"""Synthesised once, asserted on by many."""

from __future__ import annotations

import os
import sys
from datetime import date
from pathlib import Path
from typing import Any

# Node is the venv's also when pytest is started without activating it; it must be so before the CDK starts one.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])

import aws_cdk as cdk
import pytest

import app as the_app
from tests.support import feature_flags, synthesised

AS_OF = date(2026, 11, 23)


def default_app(flags: bool = True, **context: Any) -> dict[str, dict[str, Any]]:
    """The templates of the default app with some context keys."""
    made = cdk.App(context={**(feature_flags() if flags else {}), **context})
    the_app.build(made, the_app.Settings.from_context(context), as_of=AS_OF)
    return synthesised(made)


@pytest.fixture(scope="session")
def templates() -> dict[str, dict[str, Any]]:
    """The app as ``make synth`` writes it."""
    return default_app()


@pytest.fixture(scope="session")
def cluster_template(templates: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The cluster's stack."""
    return templates["automode-cluster"]


@pytest.fixture(scope="session")
def built_in_template() -> dict[str, Any]:
    """The cluster's stack with EKS's own pools."""
    return default_app(hardened_pools="false", demos="")["automode-cluster"]


@pytest.fixture(scope="session")
def platform_template(templates: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The stack that delivers charts."""
    return templates["automode-platform"]


@pytest.fixture(scope="session")
def templates_without_flags() -> dict[str, dict[str, Any]]:
    """The same app inside another one that sets no feature flags."""
    return default_app(flags=False)
