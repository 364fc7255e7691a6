"""In which order CloudFormation makes the resources of a template, and deletes them backwards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

__all__ = ["most_at_once", "waits_for"]


def waits_for(template: dict[str, Any]) -> dict[str, set[str]]:
    """For each resource all others that CloudFormation makes before it, and deletes after it."""

    def referred(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            yield from ([value["Ref"]] if "Ref" in value else [])
            yield from ([value["Fn::GetAtt"][0]] if "Fn::GetAtt" in value else [])
        for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            yield from referred(inner)

    resources = template["Resources"]
    direct = {
        name: ({*body.get("DependsOn", [])} | {*referred(body.get("Properties", {}))}) & resources.keys()
        for name, body in resources.items()
    }

    def all_of(name: str) -> set[str]:
        seen: set[str] = set()
        waiting = [name]
        while waiting:
            more = direct[waiting.pop()] - seen
            seen |= more
            waiting += more
        return seen

    return {name: all_of(name) for name in resources}


def most_at_once(names: Sequence[str], before: Mapping[str, set[str]]) -> int:
    """The largest number of resources of which none waits for another (Dilworth: all minus the largest matching)."""
    matched: dict[str, str] = {}

    def match(name: str, tried: set[str]) -> bool:
        for other in before[name] & set(names) - tried:
            tried.add(other)
            if other not in matched or match(matched[other], tried):
                matched[other] = name
                return True
        return False

    return len(names) - sum(match(name, set()) for name in names)
