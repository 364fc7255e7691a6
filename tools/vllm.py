"""Writes automode_constructs/facts/vllm.json from vLLM wheels: ``python -m tools.vllm --date DAY WHEEL...``.

Nothing of vLLM is imported, since that needs torch and a GPU's libraries: the sources are read as syntax trees, and
``EngineArgs.add_cli_args``, ``FrontendArgs.add_cli_args`` and ``make_arg_parser`` are followed statement by statement.
A statement of a form that is not known here stops the run, so that a new vLLM cannot be misread in silence.
"""

from __future__ import annotations

import argparse
import ast
import copy
import itertools
import json
import sys
import zipfile
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

__all__ = ["document", "main", "read_wheel"]

TARGET = Path(__file__).parents[1] / "automode_constructs" / "facts" / "vllm.json"

Kwargs = dict[str, Any]
"""What one ``add_argument`` is given: ``type``, ``choices``, ``nargs``, ``action``; and what its type makes of it."""

REGISTRIES = {
    "--tool-call-parser": ("vllm.tool_parsers", "_TOOL_PARSERS_TO_REGISTER"),
    "--reasoning-parser": ("vllm.reasoning", "_REASONING_PARSERS_TO_REGISTER"),
    "--attention-backend": ("vllm.v1.attention.backends.registry", "AttentionBackendEnum"),
    "--mamba-backend": ("vllm.config.mamba", "MambaBackendEnum"),
    "--kv-cache-dtype": ("vllm.config.cache", "CacheDType"),
    "--load-format": ("vllm.model_executor.model_loader", "LoadFormats"),
    "--quantization": ("vllm.model_executor.layers.quantization", "QuantizationMethods"),
}
"""Flags whose parser takes any text, and where the names stand that vLLM looks the text up in afterwards."""

FOLDED = {"--attention-backend", "--mamba-backend", "--load-format", "--quantization"}
"""Those of them that are compared without regard to case, by a validator of their config class."""

BUILTINS = {"bool", "int", "float", "str", "list", "tuple", "set", "dict"}


class Wheel:
    """The sources of one vLLM wheel."""

    def __init__(self, path: Path) -> None:
        self.archive = zipfile.ZipFile(path)
        self.names = set(self.archive.namelist())
        self.version = path.name.split("-")[1]
        self.trees: dict[str, ast.Module] = {}

    def tree(self, module: str) -> ast.Module:
        """The syntax tree of a module."""
        if module not in self.trees:
            place = module.replace(".", "/")
            name = next(name for name in (f"{place}.py", f"{place}/__init__.py") if name in self.names)
            self.trees[module] = ast.parse(self.archive.read(name))
        return self.trees[module]

    def has(self, module: str) -> bool:
        """Whether the wheel holds a module."""
        place = module.replace(".", "/")
        return bool({f"{place}.py", f"{place}/__init__.py"} & self.names)

    def find(self, module: str, name: str) -> tuple[str, ast.AST] | None:
        """Where a name is defined, with the module it stands in, or ``None`` if that is another package."""
        if not self.has(module):
            return None
        for node in _statements(self.tree(module)):
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
                return module, node
            if isinstance(node, ast.Assign) and any(ast.unparse(target) == name for target in node.targets):
                return module, node.value
            if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == name and node.value is not None:
                return module, node.value
            if isinstance(node, ast.ImportFrom):
                home = _absolute(node, module, self)
                for alias in node.names:
                    if (alias.asname or alias.name) == name:
                        return self.find(home, alias.name)
                    if alias.name == "*" and (place := self.find(home, name)) is not None:
                        return place
        return None

    def definition(self, module: str, name: str) -> tuple[str, ast.AST]:
        """The same, for a name that must be there."""
        place = self.find(module, name)
        if place is None:
            raise ValueError(f"vLLM {self.version}: {module} has no {name}")
        return place

    @cached_property
    def command_line(self) -> str:
        """The module that has ``make_arg_parser``."""
        modules = ("vllm.entrypoints.common.cli_args", "vllm.entrypoints.openai.cli_args")
        return next(module for module in modules if self.has(module))

    @cached_property
    def compute(self) -> ast.FunctionDef:
        """The function that makes ``add_argument`` calls of config classes."""
        _, node = self.definition("vllm.engine.arg_utils", "_compute_kwargs")
        assert isinstance(node, ast.FunctionDef)
        return node

    @cached_property
    def human_readable(self) -> set[str]:
        """The fields of which a number may end in k, K, m, M ..."""
        groups = [node for node in ast.walk(self.compute) if isinstance(node, ast.Set | ast.Tuple)]
        items = [item for group in groups for item in group.elts]
        return {str(item.value) for item in items if isinstance(item, ast.Constant)}


def _statements(tree: ast.Module) -> Iterator[ast.stmt]:
    """The statements of a module as Python runs them: what only type checkers see comes last."""
    later: list[ast.stmt] = []
    for node in tree.body:
        if isinstance(node, ast.If):
            checked = ast.unparse(node.test) == "TYPE_CHECKING"
            yield from node.orelse if checked else node.body
            later += node.body if checked else node.orelse
        elif isinstance(node, ast.Try):
            yield from node.body
        else:
            yield node
    yield from later


def _absolute(node: ast.ImportFrom, module: str, wheel: Wheel) -> str:
    if not node.level:
        return node.module or ""
    package = module.split(".")
    if f"{module.replace('.', '/')}/__init__.py" not in wheel.names:
        package = package[:-1]
    package = package[: len(package) - node.level + 1]
    return ".".join([*package, *([node.module] if node.module else [])])


def _hints(wheel: Wheel, module: str, node: ast.AST) -> list[tuple[str, Any]]:
    """The members of a type's union: a word for each, with what it holds."""
    if isinstance(node, ast.Constant):
        if isinstance(node.value, str):
            return _hints(wheel, module, ast.parse(node.value, mode="eval").body)
        return [("none", None)]
    if isinstance(node, ast.BinOp):
        return _hints(wheel, module, node.left) + _hints(wheel, module, node.right)
    if isinstance(node, ast.Subscript):
        return _subscript(wheel, module, ast.unparse(node.value).rpartition(".")[2], node.slice)
    if isinstance(node, ast.Name) and node.id in BUILTINS:
        return [(node.id, None)]
    place = wheel.find(module, node.id) if isinstance(node, ast.Name) else None
    if place is None:
        return [("other", None)]
    home, definition = place
    if isinstance(definition, ast.ClassDef):
        marks = {
            ast.unparse(mark.func if isinstance(mark, ast.Call) else mark).rpartition(".")[2]
            for mark in definition.decorator_list
        }
        if marks & {"config", "dataclass"}:
            return [("dataclass", _keys(wheel, home, definition.name) if "config" in marks else None)]
        bases = {ast.unparse(base).partition("[")[0] for base in definition.bases}
        return [("dict" if "dict" in bases else "other", None)]
    return _hints(wheel, home, definition)


def _subscript(wheel: Wheel, module: str, base: str, inner: ast.expr) -> list[tuple[str, Any]]:
    items = inner.elts if isinstance(inner, ast.Tuple) else [inner]
    if base == "Literal":
        return [("literal", [value for item in items for value in _literals(wheel, module, item)])]
    if base in ("Annotated", "SkipValidation"):
        return _hints(wheel, module, items[0])
    if base in ("Optional", "Union"):
        hints = [hint for item in items for hint in _hints(wheel, module, item)]
        return hints + ([("none", None)] if base == "Optional" else [])
    if base in ("list", "set", "tuple"):
        return [(base, (items, module))]
    return [(base if base == "dict" else "other", None)]


def _literals(wheel: Wheel, module: str, node: ast.expr) -> list[Any]:
    if isinstance(node, ast.Name | ast.Subscript):
        return [value for word, values in _hints(wheel, module, node) if word == "literal" for value in values]
    return [ast.literal_eval(node)]


def _of_literal(values: list[Any], free: bool) -> Kwargs:
    record: Kwargs = {"type": type(values[0]).__name__}
    return record if free else record | {"choices": sorted(values)}


def _of_collection(wheel: Wheel, word: str, items: list[ast.expr], module: str) -> Kwargs:
    inner = _hints(wheel, module, items[0])
    words = [each for each, _ in inner]
    record: Kwargs = {"type": "str" if len(words) > 1 else words[0]}
    if record["type"] == "literal":
        record = _of_literal(inner[0][1], free=False)
    elif record["type"] not in BUILTINS:
        record["type"] = "str"
    endless = word != "tuple" or any(isinstance(item, ast.Constant) and item.value is ... for item in items)
    return record | {"nargs": "+" if endless else len(items)}


def _of_field(wheel: Wheel, module: str, name: str, annotation: ast.expr) -> Kwargs:
    """The same decisions, in the same order, as ``_compute_kwargs`` takes them."""
    hints = _hints(wheel, module, annotation)
    by_word = dict(reversed(hints))
    words = set(by_word)
    record: Kwargs
    if "dataclass" in words:
        record = {"type": "object", "keys": by_word["dataclass"]}
    elif words == {"bool", "str", "none"}:
        record = {"type": "str", "nargs": "?"}
    elif "bool" in words:
        return {"action": "bool"}
    elif "literal" in words:
        record = _of_literal(by_word["literal"], free="str" in words)
    elif collections := [word for word in ("tuple", "list", "set") if word in words]:
        record = _of_collection(wheel, collections[0], *by_word[collections[0]])
    elif "int" in words:
        size = "size-or-auto" if name == "max_model_len" else "size" if name in wheel.human_readable else "int"
        record = {"type": size}
    elif "float" in words:
        record = {"type": "float"}
    elif "dict" in words:
        record = {"type": "json-or-text" if words & {"str", "other"} else "json"}
    elif words & {"str", "other"}:
        record = {"type": "str"}
    else:
        raise ValueError(f"vLLM {wheel.version}: {module} {name} has the types {words}")
    # Up to 0.27 the word None was added to the choices and compared with the value None: it was refused.
    refused = "choices" in record and "append(None)" not in ast.unparse(wheel.compute)
    return record | ({"nullable": True} if "none" in words and "bool" not in words and not refused else {})


def _lines(wheel: Wheel, module: str, name: str) -> Iterator[tuple[str, ast.AnnAssign]]:
    """The annotated lines of a class, its bases' first, each with the module it stands in."""
    place = wheel.find(module, name)
    if place is None or not isinstance(place[1], ast.ClassDef):
        return
    home, node = place[0], place[1]
    for base in node.bases:
        if isinstance(base, ast.Name):
            yield from _lines(wheel, home, base.id)
    for line in node.body:
        if isinstance(line, ast.AnnAssign) and not ast.unparse(line.annotation).startswith("ClassVar"):
            yield home, line


def _keys(wheel: Wheel, module: str, name: str) -> list[str]:
    """What the JSON of a config class may hold: vLLM's ``config`` decorator forbids any other key."""
    lines = [line for _, line in _lines(wheel, module, name)]
    return sorted({ast.unparse(line.target) for line in lines if "init=False" not in ast.unparse(line)})


def _fields(wheel: Wheel, module: str, name: str) -> dict[str, Kwargs]:
    """``get_kwargs`` of a config class."""
    return {
        ast.unparse(line.target): _of_field(wheel, home, ast.unparse(line.target), line.annotation)
        for home, line in _lines(wheel, module, name)
        if not ast.unparse(line.annotation).startswith("InitVar")
    }


class Reader:
    """Follows the functions that add arguments, and keeps what each flag was given."""

    def __init__(self, wheel: Wheel) -> None:
        self.wheel = wheel
        self.flags: dict[str, tuple[list[str], Kwargs]] = {}
        self.module = ""
        self.values: dict[str, Any] = {}

    def function(self, module: str, owner: str, name: str) -> None:
        """Reads a function, or a method of a class."""
        home, node = self.wheel.definition(module, owner or name)
        if owner:
            assert isinstance(node, ast.ClassDef)
            node = next(line for line in node.body if isinstance(line, ast.FunctionDef) and line.name == name)
        assert isinstance(node, ast.FunctionDef)
        before = self.module, self.values
        self.module, self.values = home, {}
        for line in node.body:
            self.statement(line)
        self.module, self.values = before

    def frontend(self, module: str, owner: str) -> None:
        """A front end's flags: its fields, after each class of its line has had its say."""
        home, node = self.wheel.definition(module, owner)
        if not isinstance(node, ast.ClassDef):
            raise self.unreadable(node)
        bases = [self.wheel.definition(home, ast.unparse(base))[1] for base in node.bases]
        self.values = {"frontend_kwargs": _fields(self.wheel, home, owner)}
        parts = [part for part in (*bases, node) if isinstance(part, ast.ClassDef)]
        for part in parts:
            for each in part.body:
                if isinstance(each, ast.FunctionDef) and each.name == "_customize_cli_kwargs":
                    for inner in each.body:
                        self.statement(inner)
        for name, record in self.values["frontend_kwargs"].items():
            self.flags[f"--{name.replace('_', '-')}"] = ([], record)

    def statement(self, node: ast.stmt) -> None:
        """One statement; what has no bearing on flags is passed over by name."""
        if isinstance(node, ast.Assign | ast.AugAssign):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            self.assign(target, node.value)
        elif isinstance(node, ast.Delete):
            for target in node.targets:
                assert isinstance(target, ast.Subscript)
                self.value(target.value).pop(ast.literal_eval(target.slice), None)
        elif isinstance(node, ast.If):
            for inner in node.body:
                self.statement(inner)
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            self.call(node.value)
        elif not isinstance(node, ast.Return | ast.Expr | ast.ImportFrom):
            raise self.unreadable(node)

    def unreadable(self, node: ast.AST) -> ValueError:
        """What to say of a form that is not known."""
        return ValueError(f"vLLM {self.wheel.version}: cannot read '{ast.unparse(node)}' in {self.module}")

    def assign(self, target: ast.expr, value: ast.expr) -> None:
        """An assignment: a name for something, or a change to what an argument is given."""
        text = ast.unparse(value)
        if isinstance(target, ast.Name):
            if text.endswith(".add_cli_args(parser)"):
                owner = text.split(".")[0]
                if owner == "FrontendArgs":
                    self.frontend(self.wheel.command_line, owner)
                else:
                    self.function("vllm.engine.arg_utils", owner, "add_cli_args")
            elif "get_kwargs(" in text or (isinstance(value, ast.Subscript) and not text.startswith("sys.")):
                self.values[target.id] = self.value(value)
            elif "add_argument_group" not in text and target.id not in IGNORED_NAMES:
                raise self.unreadable(value)
            return
        assert isinstance(target, ast.Subscript)
        key = ast.literal_eval(target.slice)
        changes = self.value(target.value)
        if key == "type":
            changes |= self.type_of(value)
        elif key == "choices" and "permutations(" in text:
            # Pairs joined by a comma, beside the single choices.
            changes[key] = changes[key] + [",".join(pair) for pair in itertools.permutations(changes[key], 2)]
        elif key == "action" and text == "'append'":
            changes["repeats"] = True
        elif key not in ("help", "metavar", "default") and text != "LoRAParserAction":
            raise self.unreadable(value)

    def value(self, node: ast.expr) -> Any:
        """What an expression over ``get_kwargs`` stands for."""
        if isinstance(node, ast.Name):
            return self.values[node.id]
        if isinstance(node, ast.Subscript):
            return self.value(node.value)[ast.literal_eval(node.slice)]
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "get_kwargs":
            return _fields(self.wheel, self.module, ast.unparse(node.args[0]))
        if isinstance(node, ast.Dict):
            merged: Kwargs = {}
            for key, item in zip(node.keys, node.values, strict=True):
                if key is None:
                    merged |= copy.deepcopy(self.value(item))
                elif ast.literal_eval(key) not in ("default", "help"):
                    raise self.unreadable(node)
            return merged
        raise self.unreadable(node)

    def type_of(self, node: ast.expr) -> Kwargs:
        """What the ``type`` of an argument makes of its text."""
        text = ast.unparse(node)
        kwargs_by_type: dict[str, Kwargs] = {
            "int": {"type": "int"},
            "float": {"type": "float"},
            "str": {"type": "str"},
            "json.loads": {"type": "json", "keys": None, "nullable": False},
            "optional_type(json.loads)": {"type": "json", "keys": None, "nullable": True},
            "optional_type(str)": {"type": "str", "nullable": True},
            "parse_reasoning_parser": {"type": "str", "also": ["none"]},
            "lambda s: s.lower().replace('-', '_')": {"fold": "case-and-dash"},
        }
        if text.startswith("lambda s: [int(device_id)"):
            return {"type": "str"}
        if text not in kwargs_by_type:
            raise self.unreadable(node)
        return kwargs_by_type[text]

    def call(self, node: ast.Call) -> None:
        """A call: ``add_argument``, or a removal from choices."""
        text = ast.unparse(node.func)
        if text.endswith("['choices'].remove") and isinstance(node.func, ast.Attribute):
            self.value(node.func.value).remove(self.constant(node.args[0]))
        elif text.endswith(".add_argument"):
            self.add(node)
        elif text not in ("load_general_plugins", "current_platform.pre_register_and_update"):
            raise self.unreadable(node)

    def add(self, node: ast.Call) -> None:
        """One ``add_argument``."""
        names = [ast.literal_eval(name) for name in node.args]
        if not names[0].startswith("-"):
            return
        record: Kwargs = {}
        for keyword in node.keywords:
            text = ast.unparse(keyword.value)
            if keyword.arg is None:
                record |= copy.deepcopy(self.value(keyword.value))
            elif keyword.arg == "type":
                record |= self.type_of(keyword.value)
            elif keyword.arg == "choices":
                record["choices"] = self.choices(keyword.value)
            elif keyword.arg == "deprecated":
                record["deprecated"] = ""
            elif keyword.arg == "action":
                actions = {"'store_true'": {"action": "switch"}, "argparse.BooleanOptionalAction": {"action": "bool"}}
                if text not in actions and not text.startswith("Deprecated"):
                    raise self.unreadable(node)
                record |= actions.get(text, {})
            elif keyword.arg not in ("default", "help", "dest", "metavar"):
                raise self.unreadable(node)
        long = next(name for name in names if name.startswith("--"))
        self.flags[long] = ([name for name in names if name != long], record)

    def choices(self, node: ast.expr) -> list[Any]:
        """Choices that are written out, or the members of a ``Literal``."""
        if isinstance(node, ast.BinOp) and "current_platform.device_type" in ast.unparse(node.right):
            return [*ast.literal_eval(node.left), "cuda"]  # the platform of every image that we serve with
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "get_args":
            return _literals(self.wheel, self.module, node.args[0])
        choices: list[Any] = ast.literal_eval(node)
        return choices

    def constant(self, node: ast.expr) -> Any:
        """A constant by its name."""
        _, value = self.wheel.definition(self.module, ast.unparse(node))
        assert isinstance(value, ast.expr)
        return ast.literal_eval(value)


IGNORED_NAMES = {"valid_tool_parsers", "parsers_str", "metavar", "frontend_kwargs"}
"""What help texts are made of, and the hand-over from a base class."""


def _registered(wheel: Wheel, module: str, name: str) -> list[str]:
    """The names of a registry: keys of a mapping, members of an enum or of a ``Literal``."""
    home, node = wheel.definition(module, name)
    if isinstance(node, ast.Dict):
        return [ast.literal_eval(key) for key in node.keys if key is not None]
    if isinstance(node, ast.ClassDef):
        return [ast.unparse(line.targets[0]) for line in node.body if isinstance(line, ast.Assign)]
    return [str(each) for word, values in _hints(wheel, home, node) if word == "literal" for each in values]


def _deprecated(wheel: Wheel) -> dict[str, str]:
    """Flags with a deprecation message, and the version it names for their end."""
    removals: dict[str, str] = {}
    for line in wheel.tree("vllm.engine.arg_utils").body:
        name = ast.unparse(line.targets[0]) if isinstance(line, ast.Assign) else ""
        if isinstance(line, ast.Assign) and name.endswith("_DEPRECATION_MESSAGE"):
            flag = "--" + name.removesuffix("_DEPRECATION_MESSAGE").strip("_").lower().replace("_", "-")
            _, _, end = str(ast.literal_eval(line.value)).partition("removed in v")
            removals[flag] = ".".join(end.split(".")[:3]).split(" ")[0]
    return removals


def _record(flag: str, aliases: list[str], details: Kwargs, names: list[str], deprecated: str | None) -> dict[str, Any]:
    """What the data file says of a flag in one version; only what is not the rule."""
    kind = details.get("action") or {"str": "text"}.get(details.get("type", "str"), details.get("type", "text"))
    record: dict[str, Any] = {"kind": kind}
    if aliases:
        record["aliases"] = sorted(aliases)
    if "nargs" in details:
        record["values"] = details["nargs"]
    if details.get("choices"):
        record["choices"] = sorted(details["choices"])
    elif names:
        record["names"] = sorted(
            {*names, *details.get("also", []), *(["AUTO"] if flag == "--attention-backend" else [])}
        )
    if flag in FOLDED or details.get("fold"):
        record["fold"] = details.get("fold", "case")
    for word in ("keys", "nullable", "repeats"):
        if details.get(word):
            record[word] = details[word]
    if deprecated is not None:
        record["removal"] = deprecated
    return record


def read_wheel(path: Path) -> tuple[str, bool, dict[str, dict[str, Any]]]:
    """A wheel's version, whether ``--enable-x`` pairs with ``--disable-x`` in it, and its flags."""
    wheel = Wheel(path)
    reader = Reader(wheel)
    reader.function(wheel.command_line, "", "make_arg_parser")
    deprecated = _deprecated(wheel)
    missing = (REGISTRIES.keys() | deprecated.keys()) - reader.flags.keys()
    if missing:
        raise ValueError(f"vLLM {wheel.version}: no flag {sorted(missing)}")
    flags = {
        flag: _record(
            flag,
            aliases,
            record,
            _registered(wheel, *REGISTRIES[flag]) if flag in REGISTRIES else [],
            deprecated.get(flag),
        )
        for flag, (aliases, record) in reader.flags.items()
    }
    pairs = wheel.find("vllm.utils.argparse_utils", "EnableDisableAction") is not None
    return wheel.version, pairs, flags


def document(wheels: list[Path], date: str) -> str:
    """The data file: a flag a line, with what changed between the versions; ``null`` where a flag was gone."""
    releases = sorted((read_wheel(path) for path in wheels), key=lambda one: tuple(map(int, one[0].split("."))))
    versions = [version for version, _, _ in releases]
    history: dict[str, dict[str, Any]] = {}
    for flag in {flag for _, _, flags in releases for flag in flags}:
        changes: dict[str, Any] = {}
        before: Mapping[str, Any] | None = None
        for version, _, flags in releases:
            now = flags.get(flag)
            if now != before:
                changes[version] = now
            before = now
        history[flag] = changes
    head = {
        "source": "the vllm wheels of PyPI, read by tools/vllm.py",
        "date": date,
        "versions": versions,
        "enable_disable_pairs": [version for version, pairs, _ in releases if pairs],
    }
    lines = [f"  {json.dumps(key)}: {json.dumps(value)}," for key, value in head.items()]
    rows = [f"    {json.dumps(flag)}: {json.dumps(history[flag])}" for flag in sorted(history)]
    return "\n".join(["{", *lines, '  "flags": {', ",\n".join(rows), "  }", "}", ""])


def main(arguments: list[str]) -> None:
    """Writes the data file."""
    parser = argparse.ArgumentParser(prog="python -m tools.vllm", description=__doc__)
    parser.add_argument("wheels", nargs="+", type=Path, metavar="WHEEL", help="vllm-*.whl, a version each")
    parser.add_argument("--date", required=True, metavar="DAY", help="the day the newest was the newest: 2026-11-23")
    parser.add_argument("--out", type=Path, default=TARGET, help="the file to write")
    options = parser.parse_args(arguments)
    options.out.write_text(document(options.wheels, options.date), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main(sys.argv[1:])
