"""The variants of the app that are judged."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

import aws_cdk as cdk

import app as the_app

__all__ = ["APPS", "AS_OF", "built"]

AS_OF: Final = date(2026, 11, 23)
"""The day on which the app is judged: what warns later than this is no matter of these judges."""

APPS: Mapping[str, Mapping[str, Any]] = {
    "default": {},
    "regulated": {
        "regulated": "true",
        "support_type": "STANDARD",
        "region": "us-east-1",
        "certificate_arns": "arn:aws:acm:us-east-1:111122223333:certificate/12345678-1234-1234-1234-123456789012",
    },
    "regulated-govcloud": {
        "regulated": "true",
        "support_type": "STANDARD",
        "region": "us-gov-west-1",
        "certificate_arns": "arn:aws-us-gov:acm:us-gov-west-1:111122223333:certificate/"
        "12345678-1234-1234-1234-123456789012",
    },
}
"""The context keys of each variant."""


def built(name: str, outdir: str, context: Mapping[str, Any] | None = None) -> cdk.App:
    """One variant of the app, not synthesised yet."""
    keys = APPS[name] if context is None else context
    # With the path of each construct in the templates, as the CDK CLI asks for.
    app = cdk.App(outdir=outdir, context={"aws:cdk:enable-path-metadata": True, **keys})
    the_app.build(app, the_app.Settings.from_context(keys), as_of=AS_OF)
    return app
