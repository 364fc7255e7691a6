"""Writes the scripts with which shells complete the command."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

import shtab

from automode_constructs.checks.document import KINDS
from automode_constructs.cli.explain import all_rules
from automode_constructs.simulation import Assumptions

__all__ = ["completion"]

_FILES = {"PATH", "FILE"}


def completion(parser: argparse.ArgumentParser, commands: Mapping[str, argparse.ArgumentParser], shell: str) -> str:
    """The script for a shell.

    Args:
        parser: the parser of the command line, which is changed.
        commands: those of its commands, which are changed.
        shell: ``bash``, ``zsh`` or ``fish``.
    """
    words = {
        "RULE-ID": [rule.id.removeprefix("automode:") for rule in all_rules()],
        "RULES": [rule.id.removeprefix("automode:") for rule in all_rules() if rule.judged != "app"],
        "KIND": [kind.kind for kind in KINDS],
        "NAME=VALUE": [f"{each.name}=" for each in Assumptions().listed()],
    }
    for command in commands.values():
        action: Any
        for action in command._actions:  # noqa: SLF001 - as shtab itself reads a parser
            if action.metavar in _FILES:
                action.complete = shtab.FILE
            elif action.metavar == "FOLDER":
                action.complete = shtab.DIRECTORY
            elif action.metavar in words:
                action.choices = words[action.metavar]
    return str(shtab.complete(parser, shell))
