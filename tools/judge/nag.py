"""cdk-nag: its packs over an app."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import cdk_nag

from tools.judge.finding import Finding

__all__ = ["REGULATED_PACKS", "SOLUTIONS_PACK", "judged"]

SOLUTIONS_PACK = (cdk_nag.AwsSolutionsChecks,)
"""AWS's own good practices: fast enough for ``make test``."""

REGULATED_PACKS = (cdk_nag.NIST80053R5Checks, cdk_nag.PCIDSS321Checks, cdk_nag.HIPAASecurityChecks)
"""What auditors of banks, card processors and hospitals ask for."""

_PACKS = ("AwsSolutions", "NIST.800.53.R5", "PCI.DSS.321", "HIPAA.Security")


def judged(name: str, app: cdk.App, packs: Iterable[Any]) -> list[Finding]:
    """Synthesises an app under some packs and returns what they find; its own acknowledgements count.

    Raises:
        RuntimeError: the app does not synthesise for another reason.
    """
    for pack in packs:
        cdk.Validations.of(app).add_plugins(pack(app))
    try:
        app.synth()
    except RuntimeError as error:
        # jsii raises no other exception; the report is what counts.
        if "validation-report.json" not in str(error):
            raise
    report = Path(app.outdir) / "validation-report.json"
    if not report.exists():
        return []
    return [
        Finding(name, "cdk-nag", _short(violation["ruleName"]), construct["constructPath"], violation["description"])
        for plugin in json.loads(report.read_text("utf-8"))["pluginReports"]
        if plugin["pluginName"] in _PACKS
        for violation in plugin["violations"]
        for construct in violation["violatingConstructs"]
    ]


def _short(rule: str) -> str:
    """The rule without its pack: several packs name one rule alike."""
    return next(rule.removeprefix(f"{pack}-") for pack in _PACKS if rule.startswith(f"{pack}-"))
