"""Writes charts as a folder of YAML, for GitOps."""

from __future__ import annotations

import re
import shutil
import tempfile
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import yaml

from automode_constructs.arguments import checked_arguments
from automode_constructs.checks.app_rules import CHART_WARNING
from automode_constructs.checks.image_sources import image_source_problems, uses_proxy
from automode_constructs.checks.whole_tree import TreeObject, judge_tree, object_key
from automode_constructs.errors import AutoModeError, Problem
from automode_constructs.manifests.scope import ChartInApp
from automode_constructs.rendering.order import in_order, prerequisites
from automode_constructs.rendering.render import render
from automode_constructs.tokens import token_paths

__all__ = ["ChartWarning", "to_yaml", "write_yaml_folder"]

HEADER = "# Written by automode-constructs; the next run replaces this file.\n"
"""The first line of every file, by which the next run knows which files it may remove."""

# Kubernetes reads YAML 1.2 with some rules of 1.1; only strings that every reader takes for strings stay unquoted.
_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9_./-]*")
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"})


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - PyYAML's signature
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return dumper.represent_scalar("tag:yaml.org,2002:str", text)
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else '"')


_Dumper.add_representer(str, _represent_text)


class ChartWarning(UserWarning):
    """Something in a chart works, but at a risk."""


def to_yaml(manifests: Sequence[Mapping[str, Any]]) -> str:
    """The manifests as one multi-document stream, with strings quoted so that every YAML reader sees strings."""
    return yaml.dump_all(
        manifests,
        Dumper=_Dumper,
        sort_keys=False,
        default_flow_style=False,
        allow_unicode=True,
        explicit_start=True,
        width=2**31,
    )


@checked_arguments
def write_yaml_folder(
    charts: Sequence[ChartInApp],
    folder: Path | str,
    *,
    default_node_class: bool,
    built_in_pools: Collection[str] | None = None,
    internet: bool | None = None,
    ip_family: Literal["ipv4", "ipv6"] | None = None,
) -> list[Path]:
    """Writes one file per chart, with its objects in the order in which they must be applied.

    The folder is replaced as a whole, and only if everything could be written; it may contain nothing else.

    Args:
        charts: the charts, in the order in which they must be applied; their ids name the files.
        folder: where to write; files of an earlier run are removed.
        default_node_class: whether the cluster has EKS's NodeClass ``default``.
        built_in_pools: EKS's own pools that are on (``system``, ``general-purpose``). Default: not known; both count as
            on if the cluster has the NodeClass ``default``.
        internet: whether the cluster's nodes reach the internet; if not, images of public registries are errors.
            Default: not known, and images are not checked.
        ip_family: the address family of the cluster's pods and services, ``ip_family`` of its ``ClusterValues``; for
            ``ipv6``, load balancers of IPv4 are errors. Default: ``ipv4``.

    Returns:
        The files written.

    Warns:
        ChartWarning: for everything in the charts that works but is risky, with the rule's id.

    Raises:
        AutoModeError: for a folder with other files, a value known only after deployment, an empty chart, an error that
            a chart contains, or an error of the whole-tree checks; nothing is written then.
    """
    folder = Path(folder)
    with _told_of(folder):
        _refuse_strangers(folder)
    problems: list[Problem] = []
    risks: list[Problem] = []
    streams: dict[str, str] = {}
    everything: list[TreeObject] = []
    if not charts:
        problems.append(Problem(field="charts", message="there is none", cure="give at least one"))
    for number, chart in enumerate(charts):
        rendering = render(chart)
        problems += [note for note in rendering.notes if note.severity == "error"]
        risks += [note for note in rendering.notes if note.severity == "warning"]
        if not rendering.objects:
            problems.append(Problem(field="", message=f"{chart.node.path}: the chart is empty", cure="leave it out"))
        for item in rendering.objects:
            subject = f"{item.where}: {object_key(item.manifest)}"
            problems += [
                Problem(
                    field="",
                    message=f"{subject}: {path} holds a value known only after deployment",
                    cure="give a concrete value, for example from the outputs of a deployment",
                )
                for path in token_paths(item.manifest)
            ]
        everything += [item.in_tree() for item in rendering.objects]
        try:
            order = in_order(rendering.objects, prerequisites(rendering.objects))
        except AutoModeError as error:
            problems += error.problems
            continue
        name = f"{number:0{max(2, len(str(len(charts) - 1)))}}-{chart.node.id}.yaml"
        streams[name] = HEADER + to_yaml([rendering.objects[index].manifest for index in order])
    if internet is False and not uses_proxy(each.manifest for each in everything):
        for each in everything:
            where = f"{each.where}: {object_key(each.manifest)}"
            for problem in image_source_problems(each.manifest):
                (problems if problem.severity == "error" else risks).append(replace(problem, where=where))
    findings = judge_tree(
        everything,
        default_node_class=default_node_class,
        whole=True,
        built_in_pools=built_in_pools,
        ip_family=ip_family,
    )
    problems += [finding for finding in findings if finding.severity == "error"]
    if problems:
        raise AutoModeError(str(folder), problems)
    risks += [finding for finding in findings if finding.severity == "warning"]
    for risk in risks:
        warnings.warn(
            f"{risk} [{risk.rule or CHART_WARNING.id}]", ChartWarning, stacklevel=3
        )  # past the check of the arguments
    with _told_of(folder):
        _replace(folder.resolve(), streams)
    return [folder / name for name in streams]


@contextmanager
def _told_of(folder: Path) -> Iterator[None]:
    try:
        yield
    except AutoModeError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a path with a zero byte
        raise AutoModeError.of(
            str(folder),
            field="",
            message=f"cannot be written ({getattr(error, 'strerror', None) or error})",
            cure="name a folder that can",
        ) from None


def _refuse_strangers(folder: Path) -> None:
    if not folder.exists():
        return
    if not folder.is_dir():
        raise AutoModeError.of(
            str(folder), field="", message="is not a folder", cure="name one, or one that does not exist yet"
        )
    for file in sorted(folder.iterdir()):
        if not _is_ours(file):
            raise AutoModeError.of(
                str(folder),
                field="",
                message=f"holds '{file.name}', which this command did not write",
                cure="name a folder of its own",
            )


def _is_ours(file: Path) -> bool:
    if not file.is_file():
        return False
    with file.open("rb") as stream:
        return stream.read(len(HEADER)) == HEADER.encode()


def _replace(folder: Path, streams: Mapping[str, str]) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as workshop:
        fresh, old = Path(workshop, "fresh"), Path(workshop, "old")
        fresh.mkdir()
        for name, text in streams.items():
            (fresh / name).write_text(text, encoding="utf-8", newline="\n")
        if not folder.exists():
            fresh.rename(folder)
            return
        shutil.copymode(folder, fresh)
        folder.rename(old)
        try:
            fresh.rename(folder)
        except OSError:
            old.rename(folder)
            raise
