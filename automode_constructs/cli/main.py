"""The ``automode`` command."""

from __future__ import annotations

import argparse
import contextlib
import gc
import io
import os
import re
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from automode_constructs.cli.lint import LintRun
    from automode_constructs.cli.simulate import SimulateRun

__all__ = ["main"]

# Each command imports what it needs when it runs: a linter must answer in a fraction of a second.


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code.

    Args:
        arguments: the arguments after ``automode``. Default: those of the command line.
    """
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "1")  # they cost time, and run code that others installed
    gc.set_threshold(
        1_000_000, 20, 20
    )  # what is loaded and read stays, and looking through it often takes a third longer
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # output never fails on the terminal's encoding
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - open to the end
    try:
        if sys.stdout is None:
            raise _OutputError("it is closed")
        return _run(_options(sys.argv[1:] if arguments is None else arguments))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        _forget_output()
        return 141
    except _OutputError as error:
        _forget_output()
        _say(f"automode: cannot write to standard output: {error}")
    except Exception as error:  # noqa: BLE001 - a person reads this, not a traceback
        _say(f"automode: unexpected {type(error).__name__}: {error}; please report it with the input")
    return 2


class _OutputError(Exception):
    """Raised when standard output takes no more."""


def _forget_output() -> None:
    """Sends what is still to be written nowhere, so that Python does not complain again while it shuts down."""
    with contextlib.suppress(AttributeError, OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    """The options, with a suggestion for a misspelt command or option."""
    parser, commands = _parsers()
    name = next((argument for argument in arguments if not argument.startswith("-")), None)
    if name is not None and name not in commands:
        parser.error(f"no command is called {name!r}; {_nearest(name, commands)}")
    options, unknown = parser.parse_known_args(arguments)
    if unknown:
        command = commands[options.command]
        known = re.findall(r"--[a-z][a-z-]+", command.format_help())
        cure = _nearest(unknown[0].partition("=")[0], known) if unknown[0].startswith("-") else "see its --help"
        command.error(f"it has no option {unknown[0]!r}; {cure}")
    return options


def _nearest(word: str, known: Iterable[str]) -> str:
    from automode_constructs.errors import did_you_mean

    return did_you_mean(word, list(dict.fromkeys(known)))


class _Version(argparse.Action):
    """Prints the version, which is looked for only then."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        _write(f"automode {version('automode-constructs')}\n")
        parser.exit()


def _parsers() -> tuple[argparse.ArgumentParser, Mapping[str, argparse.ArgumentParser]]:
    """The parser of the command line, and those of its commands."""
    parser = argparse.ArgumentParser(prog="automode", description="Amazon EKS Auto Mode from the command line.")
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    lint = commands.add_parser(
        "lint",
        help="judge Kubernetes YAML and JSON",
        description="Judges the objects of EKS Auto Mode in YAML and JSON; all other kinds are passed by.",
        epilog="Exit code: 0 clean, 1 findings, 2 unusable input.",
    )
    lint.add_argument("paths", nargs="+", metavar="PATH", help="a file, a folder, or - for standard input")
    lint.add_argument("--format", choices=("text", "json", "sarif", "github"), default="text", help="default: text")
    lint.add_argument(
        "--before",
        action="append",
        default=[],
        metavar="PATH",
        help="the objects as they are in the cluster, to find what cannot change on them",
    )
    lint.add_argument(
        "--cluster",
        action="store_true",
        help="the input is all that the cluster has, besides what EKS makes itself: what is missing is an error",
    )
    lint.add_argument("--strict", action="store_true", help="warnings fail too")
    lint.add_argument(
        "--fix",
        action="store_true",
        help="make the cures that are exact in the files, and judge the result; standard input is printed",
    )
    lint.add_argument(
        "--diff", action="store_true", help="print what --fix would change, and write nothing; 1 if that is anything"
    )
    for option, words in (("--select", "report these rules only"), ("--ignore", "leave these rules out")):
        lint.add_argument(
            option, action="append", default=[], metavar="RULES", help=f"{words}; ids with commas between them"
        )
    explain = commands.add_parser("explain", help="say what a rule wants, and why")
    explain.add_argument(
        "rule", metavar="RULE-ID", nargs="?", help="such as automode:NodeLifetime; without one, all are listed"
    )
    explain.add_argument("--format", choices=("text", "json"), default="text", help="default: text")
    convert = commands.add_parser(
        "convert",
        help="write the Python for existing manifests",
        description="Prints a cdk8s chart that makes the same objects.",
        epilog="Exit code: 0 done, 1 the objects have errors, 2 unusable input.",
    )
    convert.add_argument("file", metavar="FILE", help="YAML or JSON, or - for standard input")
    estimate = commands.add_parser(
        "estimate",
        help="say how long vLLM servers take to start, and what their nodes cost",
        description="Prints the instance types that the NodePools of manifests admit, with prices and with the cold "
        "start of each vLLM server that can land on them.",
        epilog="Exit code: 0 estimated, 2 unusable input, or nothing to estimate.",
    )
    estimate.add_argument("paths", nargs="+", metavar="PATH", help="a file, a folder, or - for standard input")
    estimate.add_argument("--format", choices=("text", "json"), default="text", help="default: text")
    image = estimate.add_mutually_exclusive_group()
    image.add_argument(
        "--image-gb",
        type=_gigabytes,
        dest="image_bytes",
        metavar="GB",
        help="the compressed image; default: 9, and the weights where they are in it",
    )
    image.add_argument("--image-bytes", type=_bytes, metavar="BYTES", help="the same in bytes, as registries tell it")
    estimate.add_argument(
        "--weight-gb",
        type=_gigabytes,
        dest="weight_bytes",
        metavar="GB",
        help="weights of models that are not known here",
    )
    estimate.add_argument("--all", action="store_true", help="print every instance type, not the 15 cheapest")
    _add_simulate(commands)
    _add_pools(commands)
    schemas = commands.add_parser(
        "schemas",
        help="write the JSON Schema of each kind, for editors",
        description="Writes the JSON Schema of each kind to a folder, or prints one.",
    )
    where = schemas.add_mutually_exclusive_group(required=True)
    where.add_argument("folder", metavar="FOLDER", nargs="?", help="it is made where it is missing")
    where.add_argument("--print", metavar="KIND", dest="kind", help="print the schema of this kind, such as NodePool")
    completion = commands.add_parser(
        "completion",
        help="write what a shell completes the command with",
        description="Prints a script that completes the command in a shell.",
    )
    completion.add_argument("shell", choices=("bash", "zsh", "fish"))
    return parser, commands.choices


def _add_simulate(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The commands that simulate Auto Mode."""
    simulate = commands.add_parser(
        "simulate",
        help="show which nodes Auto Mode would launch for your pods, and what they cost",
        description="Plays a timeline, or applies manifests, on a simulated EKS Auto Mode: no AWS account, no cluster.",
        epilog="Exit code: 0 every pod has a node at the end, 1 pods are pending, 2 unusable input.",
    )
    simulate.add_argument(
        "paths",
        nargs="*",
        metavar="PATH",
        help="a timeline and manifests: a file, a folder, the folder that cdk synth wrote, or - for standard input",
    )
    _add_views(simulate)
    simulate.add_argument(
        "--assume", action="append", default=[], metavar="NAME=VALUE", help="another value of an assumption"
    )
    simulate.add_argument(
        "--assumptions", action="store_true", help="list the assumptions, and those that the result hangs on"
    )
    simulate.add_argument(
        "--why", metavar="NAME", help="why a node is what it is (n1), or why a pod has none, instead of the report"
    )
    demo = commands.add_parser(
        "demo",
        help="replay a talk on EKS Auto Mode on a simulated cluster",
        description="Replays a re:Invent 2025 talk on a simulated cluster: an empty cluster, a shop that scales to 10 "
        "pods and to 0, and GPT-OSS-20B on a GPU; with the talk's own numbers beside.",
        epilog="Exit code: 0.",
    )
    _add_views(demo)


def _add_views(command: argparse.ArgumentParser) -> None:
    views = command.add_mutually_exclusive_group()
    views.add_argument("--format", choices=("text", "json"), default="text", help="default: text")
    views.add_argument("--live", action="store_true", help="play it in the terminal")
    command.add_argument(
        "--speed", type=_speed, default=30.0, metavar="N", help="seconds of the timeline in one of --live; default: 30"
    )
    command.add_argument("--svg", metavar="FILE", help="write a picture of the nodes over time")
    command.add_argument("--html", metavar="FILE", help="write a page with the picture and the report")


def _add_pools(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    pools = commands.add_parser(
        "pools",
        help="list the instance types that each NodePool admits, with prices",
        description="Prints the instance types that the NodePools of manifests admit, or why they exclude one.",
        epilog="Exit code: 0 done, 1 no pool admits the type of --why, 2 unusable input.",
    )
    pools.add_argument(
        "paths", nargs="+", metavar="PATH", help="a file, a folder, the folder that cdk synth wrote, or -"
    )
    pools.add_argument("--format", choices=("text", "json"), default="text", help="default: text")
    pools.add_argument("--all", action="store_true", help="print every instance type, not the 15 cheapest")
    pools.add_argument(
        "--why", metavar="TYPE", help="the requirement of each pool that excludes this type, such as g4dn.xlarge"
    )


def _speed(text: str) -> float:
    try:
        speed = float(text)
    except ValueError:
        speed = 0
    if not 0 < speed < 1e9:
        raise argparse.ArgumentTypeError(f"needs a number above 0, got {text!r}")
    return speed


def _gigabytes(text: str) -> int:
    return _bytes(text, scale=10**9)


def _bytes(text: str, *, scale: int = 1) -> int:
    try:
        size = round(float(text) * scale)
    except (OverflowError, ValueError):
        size = 0
    if size <= 0:
        raise argparse.ArgumentTypeError(f"needs a number above 0, got {text!r}")
    return size


def _run(options: argparse.Namespace) -> int:
    commands = {
        "lint": _lint,
        "explain": _explain,
        "convert": _convert,
        "estimate": _estimate,
        "simulate": _simulate,
        "demo": _demo,
        "pools": _pools,
        "schemas": _schemas,
        "completion": _completion,
    }
    return commands[options.command](options)


def _lint(options: argparse.Namespace) -> int:
    from automode_constructs.cli.lint import lint
    from automode_constructs.cli.report import summary
    from automode_constructs.cli.selection import choose, selection_of
    from automode_constructs.errors import AutoModeError

    if options.fix or options.diff:
        return _fix(options)
    try:
        selection = selection_of(options.select, options.ignore)
        run = lint(options.paths, before=options.before, cluster=options.cluster)
        choose(run, selection)
    except AutoModeError as error:
        _say(f"automode: {error}")
        return 2
    _write_findings(run, options.format)
    if options.format in ("text", "github"):
        _say(summary(run))
    return run.exit_code(strict=options.strict)


def _fix(options: argparse.Namespace) -> int:
    from automode_constructs.cli.files import STDIN
    from automode_constructs.cli.fix import fix, write_file
    from automode_constructs.cli.lint import lint
    from automode_constructs.cli.reading import UnreadableError
    from automode_constructs.cli.report import as_text, summary
    from automode_constructs.cli.selection import choose, selection_of
    from automode_constructs.errors import AutoModeError

    prints = options.diff or STDIN in options.paths
    if prints and options.format != "text":
        _say(f"automode: --format {options.format} and the new text would share standard output; run lint again for it")
        return 2

    def judged(texts: Mapping[str, str]) -> LintRun:
        run = lint(options.paths, before=options.before, cluster=options.cluster, texts=texts)
        choose(run, selection)
        return run

    try:
        selection = selection_of(options.select, options.ignore)
        fixed = fix(options.paths, judged)
    except UnreadableError as error:
        _say(f"automode: {error.at(STDIN)}")
        return 2
    except AutoModeError as error:
        _say(f"automode: {error}")
        return 2
    run = fixed.run
    if options.diff:
        _write(fixed.diff())
    else:
        for path in fixed.changed:
            if path != STDIN:
                try:
                    write_file(path, fixed.before[path], fixed.texts[path])
                except UnreadableError as error:
                    run.unusable = True
                    _say(f"automode: {error.at(path)}")
        _write(fixed.texts.get(STDIN, ""))
    if not prints:
        _write_findings(run, options.format)
    else:
        for line in as_text(run, coloured=False).splitlines():
            _say(line)
    _say(fixed.summary(written=not options.diff))
    if options.format == "text":
        _say(summary(run))
    return max(run.exit_code(strict=options.strict), int(options.diff and bool(fixed.changed)))


def _write_findings(run: LintRun, form: str) -> None:
    from automode_constructs.cli.report import as_github, as_json, as_sarif, as_text

    if form == "text":
        _write(as_text(run, coloured=_coloured(), width=_width()))
    else:
        _write({"json": as_json, "sarif": as_sarif, "github": as_github}[form](run))


def _explain(options: argparse.Namespace) -> int:
    from automode_constructs.cli.explain import all_rules, as_json, explain, list_of_rules, rule_called

    rules = all_rules()
    if options.rule is None:
        _write(as_json(rules) if options.format == "json" else list_of_rules())
        return 0
    rule = rule_called(options.rule)
    if isinstance(rule, str):
        _say(f"automode: {rule}")
        return 2
    _write(as_json([rule]) if options.format == "json" else explain(rule))
    return 0


def _schemas(options: argparse.Namespace) -> int:
    from automode_constructs.checks.document import KINDS
    from automode_constructs.cli.schemas import schemas, write_schemas
    from automode_constructs.errors import on_one_line

    if options.kind is not None:
        text = schemas().get(f"{options.kind.lower()}.json")
        if text is None:
            _say(f"automode: no kind is called {options.kind!r}; {_nearest(options.kind, [k.kind for k in KINDS])}")
            return 2
        _write(text)
        return 0
    try:
        write_schemas(Path(options.folder))
    except (OSError, ValueError) as error:
        _say(f"automode: {on_one_line(options.folder)}: cannot be written: {error}")
        return 2
    return 0


def _completion(options: argparse.Namespace) -> int:
    from automode_constructs.cli.completion import completion

    parser, commands = _parsers()
    _write(completion(parser, commands, options.shell))
    return 0


def _width() -> int | None:
    """The width of the terminal that standard output is; ``None`` for a pipe or a file."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def _convert(options: argparse.Namespace) -> int:
    from automode_constructs.cli.convert import convert
    from automode_constructs.cli.files import InputFile
    from automode_constructs.cli.reading import UnreadableError
    from automode_constructs.errors import AutoModeError

    try:
        _write(convert(InputFile(options.file).text(), where=options.file))
    except AutoModeError as error:
        _say(str(error))
        return 1
    except UnreadableError as error:
        _say(str(error.at(options.file)))
        return 2
    return 0


def _estimate(options: argparse.Namespace) -> int:
    from automode_constructs.cli.estimate import estimate
    from automode_constructs.cli.estimate_report import as_json, as_text
    from automode_constructs.errors import AutoModeError

    try:
        run = estimate(options.paths, image_bytes=options.image_bytes, weight_bytes=options.weight_bytes)
    except AutoModeError as error:
        _say(f"automode: {error}")
        return 2
    _write(as_json(run) if options.format == "json" else as_text(run, all_types=options.all))
    return 0 if run.tables else 2


def _simulate(options: argparse.Namespace) -> int:
    from automode_constructs.cli.simulate import assumptions_of, run_simulation
    from automode_constructs.cli.simulate_report import assumptions_text, why
    from automode_constructs.errors import AutoModeError

    if not options.paths and not options.assumptions:
        _say("automode: nothing to simulate; name a timeline or manifests ('automode demo' needs none)")
        return 2
    try:
        if not options.paths:
            _write(assumptions_text(assumptions_of(options.assume).listed()))
            return 0
        run = run_simulation(options.paths, assume=options.assume)
        if options.assumptions:
            listed = assumptions_of(options.assume).listed()
            _write(assumptions_text(listed, used=run.result.assumptions))
            return run.exit_code
        if options.why is not None:
            _write(why(run, options.why))
            return run.exit_code
    except AutoModeError as error:
        _say(f"automode: {error}")
        return 2
    return _show(run, options) or run.exit_code


def _show(run: SimulateRun, options: argparse.Namespace, *, beside: str = "") -> int:
    """Writes a simulation in the form that the options ask for; 2 if a file cannot be written."""
    from automode_constructs.cli.simulate_picture import as_html, as_svg
    from automode_constructs.cli.simulate_report import as_json, as_text
    from automode_constructs.errors import AutoModeError, on_one_line

    for path, picture in ((options.svg, as_svg), (options.html, as_html)):
        if path is not None:
            try:
                Path(path).write_text(picture(run), "utf-8")
            except (OSError, ValueError) as error:
                reason = getattr(error, "strerror", None) or str(error)
                _say(f"automode: {on_one_line(path)}: cannot be written: {reason.lower()}")
                return 2
    if options.live:
        from automode_constructs.cli.simulate_live import play

        try:
            play(run, speed=options.speed, write=_write)
        except AutoModeError as error:
            _say(f"automode: {error}")
            return 2
        _write(beside)
    else:
        _write(as_json(run) if options.format == "json" else as_text(run) + beside)
    return 0


def _demo(options: argparse.Namespace) -> int:
    from automode_constructs.cli.demo import beside_the_talk, demo

    run = demo()
    return _show(run, options, beside="\n" + beside_the_talk(run))


def _pools(options: argparse.Namespace) -> int:
    from automode_constructs.cli.pools import as_json, as_text, pools, why_not
    from automode_constructs.errors import AutoModeError

    try:
        found = pools(options.paths)
        if options.why is not None:
            text, is_admitted = why_not(found, options.why, form=options.format)
            _write(text)
            return 0 if is_admitted else 1
    except AutoModeError as error:
        _say(f"automode: {error}")
        return 2
    _write(as_json(found) if options.format == "json" else as_text(found, all_types=options.all))
    return 0


def _coloured() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _write(text: str) -> None:
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has closed the pipe (``| head``)
        raise
    except OSError as error:
        raise _OutputError((error.strerror or str(error)).lower()) from None


def _say(line: str) -> None:
    with contextlib.suppress(OSError):  # where nobody listens, the exit code still tells
        sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
