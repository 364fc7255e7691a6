"""How tests hear what was refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from automode_constructs.errors import AutoModeError
from automode_constructs.specs.model import KubeModel

__all__ = ["made", "refusal"]


def refusal(make: Callable[[], object]) -> str:
    """The text of the AutoModeError that making something gives."""
    with pytest.raises(AutoModeError) as caught:
        make()
    return str(caught.value)


def made(model: type[KubeModel], /, **fields: Any) -> KubeModel:
    """A model from fields that no type checker would let through."""
    return model(**fields)
