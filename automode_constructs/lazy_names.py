"""Names that a package offers without importing their modules before they are used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from types import ModuleType
from typing import Any

__all__ = ["lazy_names"]


def lazy_names(
    package: str, homes: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """The ``__getattr__``, ``__dir__`` and ``__all__`` of a package that loads each name on first use.

    Args:
        package: the package's ``__name__``.
        homes: the module of each name, relative to the package. A module offers itself by its own name.
    """
    names = sorted(homes)

    def load(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module '{package}' has no attribute '{name}'{_suggestion(name, homes, load)}")
        module = import_module(f"{package}.{homes[name]}")
        return getattr(module, name, module)

    return load, lambda: names, names


def _suggestion(name: str, homes: Mapping[str, str], load: Callable[[str], Any]) -> str:
    """The nearest name that the package or a module that it offers has, if any is near."""
    if name.startswith("_"):
        return ""
    from difflib import get_close_matches

    modules = {known: load(known) for known, home in homes.items() if home.rpartition(".")[2] == known}
    inner = {
        _plain(one): f"{known}.{one}"
        for known, module in modules.items()
        if isinstance(module, ModuleType)
        for one in module.__all__
    }
    plain = inner | {_plain(known): known for known in homes}
    near = get_close_matches(_plain(name), plain, n=1, cutoff=0.7)
    return f"; did you mean '{plain[near[0]]}'?" if near else ""


def _plain(name: str) -> str:
    return name.lower().replace("_", "")
