"""Where charts are created: in a cdk8s app."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import cdk8s
from constructs import Construct

from automode_constructs.arguments import Also
from automode_constructs.errors import Problem

__all__ = ["ChartInApp", "ChartScope"]


def _in_a_cdk8s_app(field: str, construct: Construct) -> Iterator[Problem]:
    if not isinstance(construct.node.root, cdk8s.App):
        path = construct.node.path or type(construct).__name__
        yield Problem(
            field=field,
            message=f"'{path}' is in no cdk8s.App, so that cdk8s cannot write its objects",
            cure="create charts in cdk8s.App(), also where a stack of the CDK delivers them",
        )


ChartScope = Annotated[Construct, Also(_in_a_cdk8s_app)]
"""A cdk8s app, or a construct in one."""

ChartInApp = Annotated[cdk8s.Chart, Also(_in_a_cdk8s_app)]
"""A chart in a cdk8s app."""
