"""When Karpenter looks for nodes to disrupt, and how it carries out what it found."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from automode_constructs.simulation.disruption import Command, consolidatable_at, look, still_holds
from automode_constructs.simulation.node import Node
from automode_constructs.simulation.node_lifecycle import end, launch

if TYPE_CHECKING:
    from automode_constructs.simulation.world import World

__all__ = ["ask_for_a_look"]


def ask_for_a_look(world: World) -> None:
    """The next look for nodes to disrupt is at the next tick of its clock, if there is anything new to see."""
    if world.looks_at is not None or world.command_waits or world.looked_at_change == world.change or not world.nodes:
        return
    poll = world.assumed.disruption_poll_s
    _look_at(world, (math.floor(world.now / poll) + 1) * poll)


def _look_at(world: World, when: float) -> None:
    if world.looks_at is None or when < world.looks_at:
        world.looks_at = when
        world.at(when, lambda: _look(world))


def _look(world: World) -> None:
    if world.looks_at is None or world.now < world.looks_at:
        return
    world.looks_at = None
    if world.command_waits:
        return
    found = look(world)
    world.looked_at_change = world.change
    if found.command is not None:
        if found.command.waits:
            world.command_waits = True
            command = found.command
            world.at(world.now + world.assumed.validation_s, lambda: _check(world, command))
        else:
            _start(world, found.command)
        return
    soon = [at for node in world.nodes if (at := consolidatable_at(world, node)) is not None and at > world.now]
    nominated = [node.nominated_until for node in world.nodes if node.nominated_until > world.now]
    waits = [min(each) for each in (soon, nominated) if each]
    if any(budget.schedule for name in found.held_by_budget for budget in world.pools[name].budgets):
        waits.append(world.now + 60 - world.now % 60)
    if waits:
        poll = world.assumed.disruption_poll_s
        _look_at(world, max(math.ceil(min(waits) / poll) * poll, world.now + poll))


def _check(world: World, command: Command) -> None:
    world.command_waits = False
    valid = still_holds(world, command)
    world.looked_at_change = -1
    if valid is not None:
        _start(world, valid)
    world.changed()


def _start(world: World, command: Command) -> None:
    """Launches the replacements, and drains the nodes once these are up."""
    for node in command.nodes:
        node.marked = True
        node.reason = command.reason
        what = f"is replaced: {command.reason}" if command.claims else f"is removed: {command.reason}"
        world.note("Disrupted", node.name, f"{what}{f' ({node.drifted})' if node.drifted else ''}")
    replacements = []
    for claim in command.claims:
        node_or_none = launch(world, claim)
        if node_or_none is None:
            for node in command.nodes:
                node.marked, node.reason = False, ""
                world.note("DisruptionFailed", node.name, "EC2 has no replacement")
            world.changed()
            return
        replacements.append(node_or_none)
    _finish(world, command.nodes, replacements)
    world.changed()


def _finish(world: World, nodes: Sequence[Node], replacements: Sequence[Node]) -> None:
    if any(not node.is_initialized and node.ended_at is None for node in replacements):
        world.at(world.now + 1, lambda: _finish(world, nodes, replacements))
        return
    for node in nodes:
        end(world, node, node.reason)
