"""The ``automode`` command."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import sys
from collections.abc import Sequence

__all__ = ["main"]

# Each command imports what it needs when it runs: a linter must answer in a fraction of a second.


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code.

    Args:
        arguments: the arguments after ``automode``. Default: those of the command line.
    """
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "1")  # they cost time, and run code that others installed
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # output never fails on the terminal's encoding
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - open to the end
    try:
        if sys.stdout is None:
            raise _OutputError("it is closed")
        return _run(_parser().parse_args(arguments))
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="automode", description="Amazon EKS Auto Mode from the command line.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    lint = commands.add_parser(
        "lint",
        help="judge Kubernetes YAML and JSON",
        description="Judges the objects of EKS Auto Mode in YAML and JSON; all other kinds are passed by.",
        epilog="Exit code: 0 clean, 1 findings, 2 unusable input.",
    )
    lint.add_argument("paths", nargs="+", metavar="PATH", help="a file, a folder, or - for standard input")
    lint.add_argument("--format", choices=("text", "json", "sarif"), default="text", help="default: text")
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
    explain = commands.add_parser("explain", help="say what a rule wants, and why")
    explain.add_argument(
        "rule", metavar="RULE-ID", nargs="?", help="such as automode:NodeLifetime; without one, all are listed"
    )
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
    return parser


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
    if options.command == "explain":
        from automode_constructs.cli.explain import explain, list_of_rules

        if options.rule is None:
            _write(list_of_rules())
            return 0
        text, known = explain(options.rule)
        if known:
            _write(text)
            return 0
        _say(f"automode: {text}")
        return 2
    if options.command == "convert":
        return _convert(options.file)
    if options.command == "estimate":
        return _estimate(options)
    if options.fix or options.diff:
        return _fix(options)
    from automode_constructs.cli.lint import lint
    from automode_constructs.cli.report import as_json, as_sarif, as_text, summary

    run = lint(options.paths, before=options.before, cluster=options.cluster)
    if options.format == "text":
        _write(as_text(run, coloured=_coloured()))
        _say(summary(run))
    else:
        _write(as_json(run) if options.format == "json" else as_sarif(run))
    return run.exit_code(strict=options.strict)


def _fix(options: argparse.Namespace) -> int:
    from automode_constructs.cli.files import STDIN
    from automode_constructs.cli.fix import fix, write_file
    from automode_constructs.cli.lint import lint
    from automode_constructs.cli.reading import UnreadableError
    from automode_constructs.cli.report import as_json, as_sarif, as_text, summary

    prints = options.diff or STDIN in options.paths
    if prints and options.format != "text":
        _say(f"automode: --format {options.format} and the new text would share standard output; run lint again for it")
        return 2
    try:
        fixed = fix(options.paths, lambda texts: lint(options.paths, before=options.before, texts=texts))
    except UnreadableError as error:
        _say(f"automode: {error.at(STDIN)}")
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
    if options.format != "text":
        _write(as_json(run) if options.format == "json" else as_sarif(run))
    elif not prints:
        _write(as_text(run, coloured=_coloured()))
    else:
        for line in as_text(run, coloured=False).splitlines():
            _say(line)
    _say(fixed.summary(written=not options.diff))
    if options.format == "text":
        _say(summary(run))
    return max(run.exit_code(strict=options.strict), int(options.diff and bool(fixed.changed)))


def _convert(file: str) -> int:
    from automode_constructs.cli.convert import convert
    from automode_constructs.cli.files import InputFile
    from automode_constructs.cli.reading import UnreadableError
    from automode_constructs.errors import AutoModeError

    try:
        _write(convert(InputFile(file).text(), where=file))
    except AutoModeError as error:
        _say(str(error))
        return 1
    except UnreadableError as error:
        _say(str(error.at(file)))
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
