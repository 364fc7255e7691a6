"""Checks a construct's arguments before it is created: wrong kinds of values, unknown and missing names."""

from __future__ import annotations

import functools
import inspect
import types
import typing
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from typing import Annotated, Any, Literal, ParamSpec, TypeVar, Union, Unpack, get_args, get_origin, overload

from automode_constructs.errors import AutoModeError, Problem, did_you_mean, shown
from automode_constructs.tokens import is_token

__all__ = ["Also", "JudgedByItsModel", "Refusals", "checked_arguments", "is_whole_number", "place"]

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

_CURES = {
    "IRole": "write iam.Role.from_role_arn(scope, 'Role', {value})",
    "IKey": "write kms.Key.from_key_arn(scope, 'Key', {value})",
    "IVpc": "write ec2.Vpc.from_lookup(scope, 'Vpc', vpc_id={value})",
    "ISubnet": "write ec2.Subnet.from_subnet_id(scope, 'Subnet', {value})",
    "ISecurityGroup": "write ec2.SecurityGroup.from_security_group_id(scope, 'Group', {value})",
    "IBucket": "write s3.Bucket.from_bucket_name(scope, 'Bucket', {value})",
    "IManagedPolicy": "write iam.ManagedPolicy.from_managed_policy_arn(scope, 'Policy', {value})",
    "NodeClass": "write NodeClass.from_name({value})",
    "NamedNodeClass": "write NodeClass.from_name({value})",
    "date": "write datetime.date.fromisoformat({value})",
}
"""How to make the expected object from a string, keyed by the name of its class."""

_WORDS = {
    "ChartTarget": "an AutoModeCluster or an ImportedCluster",
    "Network": "an AutoModeNetwork or an ExistingNetwork",
    "PathLike": "a path",
    "Stage": "a cdk.App or a cdk.Stage",
}
"""User-facing names of classes that users seldom name, or whose own objects are the usual choice."""

_CONVERSIONS = {
    ("ExistingNetwork", "AutoModeNetwork"): "make the subnets with ec2.PrivateSubnet",
    ("Vpc", "Network"): "pass it as vpc=, or write ExistingNetwork(vpc=..., node_subnets=vpc.private_subnets)",
}
"""How to make the expected object from another one, keyed by the names of both classes."""


def place(scope: object, id: object) -> str:
    """The path that a construct has, or would have once it is created."""
    path = getattr(getattr(scope, "node", None), "path", "")
    return f"{path}/{id}".strip("/") if id else str(path)


class Refusals:
    """Collects everything wrong with the arguments of one construct, to report it all at once.

    Args:
        where: the construct's path.
    """

    def __init__(self, where: str) -> None:
        self.where = where
        self.problems: list[Problem] = []

    def refuse(self, field: str, message: str, cure: str = "") -> None:
        """Adds one problem."""
        self.problems.append(Problem(field=field, message=message, cure=cure))

    def choice(self, field: str, value: object, known: Iterable[str]) -> None:
        """Refuses a string that is not one of the known ones."""
        names = list(known)
        if value not in names:
            text = value if isinstance(value, str) else ""
            self.refuse(field, f"{shown(value)} is not known", did_you_mean(text, names))

    def number(self, field: str, value: float, *, least: float | None = None, most: float | None = None) -> None:
        """Refuses a number out of its bounds; accepts a number that is known only at deployment."""
        if is_token(value):
            return
        if least is not None and value < least:
            self.refuse(field, f"must be at least {least}, got {value}")
        elif most is not None and value > most:
            self.refuse(field, f"must be at most {most}, got {value}")

    def kind(self, field: str, value: object, kind: Any) -> None:
        """Refuses a value that is not of a kind.

        Args:
            field: the name of the value.
            value: the value.
            kind: a class, protocol or other type annotation.
        """
        self.problems += _judge(field, value, kind)

    @contextmanager
    def collecting(self, field: str = "") -> Iterator[None]:
        """Collects the problems of an ``AutoModeError`` that is raised inside.

        Args:
            field: the prefix for the fields of the problems. Default: no prefix.
        """
        try:
            yield
        except AutoModeError as error:
            self.problems += error.at("", field).problems if field else error.problems

    def raise_all(self) -> None:
        """Raises the problems, if there are any.

        Raises:
            AutoModeError: with all of them.
        """
        if self.problems:
            raise AutoModeError(self.where, self.problems)


@overload
def checked_arguments(function: type[T]) -> type[T]: ...
@overload
def checked_arguments(function: Callable[P, R]) -> Callable[P, R]: ...
def checked_arguments(function: Any) -> Any:
    """Checks the arguments of a constructor, method or function against its annotations before its body runs.

    A wrong kind of value, an unknown argument name and a missing argument become one ``AutoModeError`` with the
    construct's path, each argument's name and value, and the cure. Values that are known only at deployment are
    accepted if the CDK represents them as a value of the same kind. ``**options: Unpack[Options]``, with a
    ``TypedDict``, are checked as arguments of those names.

    Args:
        function: the decorated function; for a dataclass, its generated constructor.
    """
    if isinstance(function, type):
        function.__init__ = checked_arguments(function.__init__)  # type: ignore[misc]
        return function
    signature = _signature(function)

    @functools.wraps(function)
    def check(*args: Any, **kwargs: Any) -> Any:
        hints, signature = _hints(function), _signature(function)
        for name, value in kwargs.items():
            # Inspecting an iterator would consume it.
            if isinstance(value, Iterator) and any(get_origin(kind) is Iterable for kind in _options(hints.get(name))):
                kwargs[name] = tuple(value)
        arguments, problems = _by_name(signature, args, kwargs)
        for field, name, value in arguments:
            if name in hints and not (value is None and signature.parameters[name].default is None):
                problems += _judge(field, value, hints[name])
        if problems:
            raise AutoModeError(_where(function, args, arguments), problems)
        try:
            return function(*args, **kwargs)
        except AutoModeError:
            if function.__name__ == "__init__":
                _leave_the_tree(args[0])
            raise
        except RuntimeError as error:
            values = {name: value for _, name, value in arguments}
            if "id" in values and f"There is already a Construct with name '{values['id']}' in " in str(error):
                raise AutoModeError.of(
                    _where(function, args, arguments),
                    field="id",
                    message=f"'{values['id']}' is taken in its scope",
                    cure="choose another id",
                ) from None
            raise

    check.__signature__ = signature  # type: ignore[attr-defined]  # for help() and editors
    return check


def _signature(function: Callable[..., object]) -> inspect.Signature:
    """The signature, with the keys of ``**fields: Unpack[SomeTypedDict]`` as optional keywords."""
    signature = inspect.signature(function)
    parameters: list[inspect.Parameter] = []
    for parameter in signature.parameters.values():
        hint = parameter.annotation
        if parameter.kind is parameter.VAR_KEYWORD and isinstance(hint, str) and hint.startswith("Unpack["):
            fields = function.__globals__[hint.removeprefix("Unpack[").removesuffix("]")]
            parameters += [
                inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)
                for name, kind in inspect.get_annotations(fields).items()
            ]
        else:
            parameters.append(parameter)
    return signature.replace(parameters=parameters)


def _leave_the_tree(construct: object) -> None:
    """Removes a construct that was refused half-made from the tree, so that its id is free again."""
    if hasattr(construct, "__jsii_ref__") and hasattr(construct, "node"):
        scope = construct.node.scope
        if scope is not None:
            scope.node.try_remove_child(construct.node.id)


@dataclass(frozen=True, slots=True)
class Also:
    """In ``Annotated[kind, Also(judge)]``: a further check of a value of the right kind.

    Args:
        judge: takes the argument's name and the value, and returns what is wrong.
    """

    judge: Callable[[str, Any], Iterable[Problem]]


class JudgedByItsModel:
    """In ``Annotated[kind, JudgedByItsModel()]``: any value passes, because the model that takes it knows the cure."""


_GRANTS = (
    "grant it apart from the cluster's stack, where a mistake rolls back alone: AccessStack(app, 'Access', "
    "cluster=..., grants=[AccessGrant(role=..., policy='AmazonEKSViewPolicy', namespaces=['team-a'])])"
)
_ELSEWHERE = {"access": ("admin_role_arns", _GRANTS)}
"""Arguments that people look for in the wrong place: an argument that marks the place, and where to go instead."""

_Arguments = list[tuple[str, str, Any]]
"""Arguments: the name for messages, the name in the signature, the value."""


def _by_name(
    signature: inspect.Signature, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> tuple[_Arguments, list[Problem]]:
    """The arguments by name, and the problems: unknown or missing arguments."""
    parameters = signature.parameters
    positional = [
        name for name, one in parameters.items() if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)
    ]
    named = [name for name, one in parameters.items() if one.kind is one.KEYWORD_ONLY]
    rest = next((name for name, one in parameters.items() if one.kind is one.VAR_POSITIONAL), None)
    others = next((name for name, one in parameters.items() if one.kind is one.VAR_KEYWORD), None)
    arguments: _Arguments = [(name, name, value) for name, value in zip(positional, args, strict=False)]
    problems: list[Problem] = []
    extra = args[len(positional) :]
    if rest is not None:
        arguments += [(f"{rest}[{index}]", rest, value) for index, value in enumerate(extra)]
    elif extra:
        free = next((name for name in named if name not in kwargs), "")
        message, cure = f"is given by its position: {shown(extra[0])}", f"write {free}=..."
        problems.append(Problem(field=free, message=message, cure=cure if free else "leave it out"))
    by_position = set(positional[: len(args)])
    for name, value in kwargs.items():
        if name in by_position:
            problems.append(Problem(field=name, message="is given twice, by its position and by its name"))
        elif name in positional or name in named:
            arguments.append((name, name, value))
        elif others is not None:
            arguments.append((name, others, value))
        else:
            known = [name for name in [*positional, *named] if name not in _RECEIVERS]
            neighbour, cure = _ELSEWHERE.get(name, ("", ""))
            cure = cure if neighbour in known else did_you_mean(name, known)
            problems.append(Problem(field=name, message="is not a known argument", cure=cure))
    present = {name for _, name, _ in arguments} | {problem.field for problem in problems}
    if "scope" in parameters:
        problems += [
            Problem(field=name, message="must not be empty")
            for name, _, value in arguments
            if name == "id" and value == ""
        ]
    problems += [
        Problem(field=name, message="is required")
        for name in [*positional, *named]
        if name not in present and parameters[name].default is inspect.Parameter.empty
    ]
    return [item for item in arguments if item[1] not in _RECEIVERS], problems


_RECEIVERS = ("self", "cls")


def _where(function: Callable[..., object], args: Sequence[Any], arguments: _Arguments) -> str:
    """The path of the construct, or the name of the class or function that is called."""
    values = {name: value for _, name, value in arguments}
    if hasattr(values.get("scope"), "node") and isinstance(values.get("id"), str):
        return place(values["scope"], values["id"])
    if function.__name__ != "__init__" and args and isinstance(path := place(args[0], ""), str) and path:
        return path
    return function.__qualname__.removesuffix(".__init__")


@functools.cache
def _hints(function: Callable[..., object]) -> dict[str, Any]:
    hints = typing.get_type_hints(function, include_extras=True)
    for hint in list(hints.values()):
        if get_origin(hint) is Unpack:
            hints |= typing.get_type_hints(get_args(hint)[0], include_extras=True)
    return hints


def _judge(field: str, value: object, hint: Any) -> list[Problem]:
    """What is wrong with the kind of a value; empty if nothing is."""
    problems = _judge_kind(field, value, hint)
    if problems or get_origin(hint) is not Annotated:
        return problems
    return [problem for also in get_args(hint)[1:] if isinstance(also, Also) for problem in also.judge(field, value)]


def _judge_kind(field: str, value: object, hint: Any) -> list[Problem]:
    options = _options(hint)
    inner: list[Problem] = []
    for option in options:
        problems = _judge_one(field, value, option)
        if problems == []:
            return []
        inner += problems or []
    # For a list or mapping of the right kind, the wrong items are named. So are problems inside a string.
    if inner:
        return inner
    expected = [option for option in options if option is not type(None)]
    literals = [name for option in expected if get_origin(option) is Literal for name in get_args(option)]
    kinds = list(dict.fromkeys(_kind(option) for option in expected if get_origin(option) is not Literal))
    if literals and not kinds:
        text = value if isinstance(value, str) else ""
        return [
            Problem(field=field, message=f"{shown(value)} is not known", cure=did_you_mean(text, map(str, literals)))
        ]
    kinds += [f"'{name}'" for name in literals]
    message = f"needs {_either(kinds)}, got {_label(value)}"
    cure = next(filter(None, (_cure(field, value, option) for option in expected)), "")
    return [Problem(field=field, message=message, cure=cure)]


def _options(hint: Any) -> list[Any]:
    """The kinds that a type hint admits, without metadata meant for other readers."""
    while get_origin(hint) is Annotated:
        hint, *metadata = get_args(hint)
        if any(isinstance(one, JudgedByItsModel) for one in metadata):
            return [Any]
    hint = getattr(hint, "__supertype__", hint)
    if isinstance(hint, TypeVar):
        hint = Union[hint.__constraints__] if hint.__constraints__ else hint.__bound__ or Any  # noqa: UP007
    if get_origin(hint) in (Union, types.UnionType):
        return [option for part in get_args(hint) for option in _options(part)]
    return [hint]


def _judge_one(field: str, value: object, hint: Any) -> list[Problem] | None:
    """``[]`` if a value is of a kind, the problems of its parts if only they are wrong, else ``None``."""
    origin = get_origin(hint)
    container = origin or hint
    if hint is Any or hint is object:
        return []
    if hint is None or hint is type(None):
        return [] if value is None else None
    if origin is Literal:
        return [] if any(value == one and type(value) is type(one) for one in get_args(hint)) else None
    if hint is str:
        return _inside_text(field, value) if isinstance(value, str) else None
    if hint is bool:
        return [] if isinstance(value, bool) else None
    if hint is int:
        return _inside_number(field, value) if is_whole_number(value) or _is_number_token(value) else None
    if hint is float:
        return _inside_number(field, value) if is_whole_number(value) or isinstance(value, float) else None
    if container is Callable:
        if not callable(value) or isinstance(value, type):
            return None
        return _parameters_of_function(field, value, get_args(hint))
    if origin is type:
        return [] if isinstance(value, type) else None
    if not isinstance(container, type):
        raise TypeError(f"no rule for the annotation {hint!r}")
    if container is date:
        # In Python a datetime is also a date, but cannot be compared with one.
        return [] if isinstance(value, date) and not isinstance(value, datetime) else None
    if issubclass(container, Mapping):
        return _items_of_mapping(field, value, get_args(hint)) if isinstance(value, Mapping) else None
    if _is_list_kind(container):
        if isinstance(value, str | bytes | Mapping):
            return None
        return _items_of_list(field, value, get_args(hint)) if isinstance(value, _LISTS[container]) else None
    return _judge_members(field, value, container) if _is_one(value, container) else None


def is_whole_number(value: object) -> bool:
    """Whether a value is a whole number, excluding ``True``, which counts as one in Python."""
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number_token(value: object) -> bool:
    """Whether a number is a placeholder for one that is known only at deployment."""
    return isinstance(value, float) and is_token(value)


def _inside_text(field: str, value: str) -> list[Problem]:
    try:
        value.encode()
    except UnicodeEncodeError:
        return [Problem(field=field, message=f"holds what is no character: {shown(value)}", cure="write it anew")]
    return []


def _inside_number(field: str, value: Any) -> list[Problem]:
    """Refuses NaN and numbers that are too large: numbers travel as JSON, which cannot represent them."""
    if is_token(value) or abs(value) < _TOO_LARGE:
        return []
    need = "needs a number" if value != value else f"must be a number below {_TOO_LARGE:,}"
    return [Problem(field=field, message=f"{need}, got {shown(value)}")]


_TOO_LARGE = 2**53


def _parameters_of_function(field: str, value: Callable[..., object], hints: Sequence[Any]) -> list[Problem]:
    """Refuses a function that cannot be called with as many arguments as its caller passes."""
    kinds = hints[0] if hints and isinstance(hints[0], list) else None
    if kinds is None:
        return []
    try:
        inspect.signature(value).bind(*kinds)
    except TypeError:
        names = ", ".join(getattr(kind, "__name__", str(kind)) for kind in kinds)
        return [Problem(field=field, message=f"needs a function that takes ({names})")]
    except ValueError:
        pass  # a function written in C may hide its parameters
    return []


_LISTS: dict[type, tuple[type, ...]] = {
    list: (list,),
    tuple: (list, tuple),
    set: (AbstractSet,),
    frozenset: (AbstractSet,),
    AbstractSet: (AbstractSet,),
    Sequence: (Sequence,),
    Collection: (Sequence, AbstractSet),
    Iterable: (Sequence, AbstractSet),
}
"""The types accepted for an argument that is a list."""


def _is_list_kind(container: type) -> bool:
    return container in _LISTS


def _items_of_list(field: str, value: Any, hints: Sequence[Any]) -> list[Problem]:
    hint = hints[0] if hints else Any
    if len(hints) > 1 and Ellipsis not in hints and len(list(value)) != len(hints):
        return [Problem(field=field, message=f"needs {len(hints)} items, got {len(list(value))}")]
    return [problem for index, item in enumerate(value) for problem in _judge(f"{field}[{index}]", item, hint)]


def _items_of_mapping(field: str, value: Mapping[Any, object], hints: Sequence[Any]) -> list[Problem]:
    if len(hints) != 2:
        return []
    problems: list[Problem] = []
    for key, item in value.items():
        problems += _judge(f"{field}[{shown(key)}]", key, hints[0])
        problems += _judge(f"{field}[{shown(key)}]", item, hints[1])
    return problems


def _is_one(value: object, kind: type) -> bool:
    """Whether a value is an instance of a class, or has everything that a protocol or a CDK interface requires."""
    if not getattr(kind, "_is_protocol", False):
        return isinstance(value, kind)
    if isinstance(value, type):
        return False
    # jsii returns an object with several interfaces as one object with a delegate for each interface.
    classes = [type(part) for part in getattr(value, "_delegates", [value])]
    if any(kind in one.__mro__ for one in classes):
        return True
    if not _members(kind):  # as of IDependable, which any object of the CDK may be
        return any(hasattr(one, "__jsii_type__") for one in classes)
    return not _lacking(value, kind)


def _lacking(value: object, protocol: type) -> list[str]:
    """The members of a protocol that a value lacks; nothing is read, because a property may fail or take time."""
    parts = getattr(value, "_delegates", [value])
    # An attribute of a Python object may exist in the object alone.
    own = getattr(value, "__dict__", {}) if _is_own_protocol(protocol) else {}
    return [
        name for name in _members(protocol) if name not in own and not any(hasattr(type(part), name) for part in parts)
    ]


def _is_own_protocol(kind: type) -> bool:
    """Whether a class is a protocol of this library, whose objects anyone may write, and not an interface of jsii."""
    return getattr(kind, "_is_protocol", False) and not hasattr(kind, "__jsii_type__")


def _judge_members(field: str, value: object, kind: type) -> list[Problem]:
    """What is wrong with the members that a protocol of this library requires."""
    problems: list[Problem] = []
    for name in _members(kind) if _is_own_protocol(kind) else ():
        member, item = getattr(kind, name), getattr(value, name)
        if isinstance(member, property):
            problems += _judge(f"{field}.{name}", item, _hints(member.fget)["return"])
        elif not callable(item):
            problems.append(Problem(field=f"{field}.{name}", message=f"needs a method, got {_label(item)}"))
    return problems


@functools.cache
def _members(interface: type) -> list[str]:
    return [name for name in dir(interface) if not name.startswith("_")]


def _kind(hint: Any) -> str:
    """A kind of value, in words."""
    container = get_origin(hint) or hint
    simple = {
        bool: "True or False",
        int: "a whole number",
        float: "a number",
        str: "a text",
        bytes: "bytes",
    }
    if container in simple:
        return simple[container]
    if isinstance(container, type) and issubclass(container, Mapping):
        return "a mapping"
    if isinstance(container, type) and _is_list_kind(container):
        return "a list"
    if container is Callable:
        return "a function"
    name = getattr(container, "__name__", str(container))
    return _WORDS.get(name) or _with_article(name)


def _with_article(name: str) -> str:
    return f"{'an' if name[:1] in 'AEIOaeio' or name.startswith('S3') else 'a'} {name}"


def _either(names: Sequence[str]) -> str:
    return " or ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _label(value: object) -> str:
    if isinstance(value, str):
        return f"the text {shown(value)}"
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if value is None or isinstance(value, bool | int | float | bytes | Mapping) or _is_list_kind(type(value)):
        return "a set" if isinstance(value, AbstractSet) else shown(value)
    if isinstance(value, Enum):
        return str(value)
    # An object that jsii knows only by its interfaces has a nameless class.
    names = [type(part).__name__.strip("_").removesuffix("Proxy") for part in getattr(value, "_delegates", [value])]
    return _with_article(next((name for name in names if name != "Resource"), names[0]))


def _cure(field: str, value: object, hint: Any) -> str:
    """How to write what was probably intended."""
    container = get_origin(hint) or hint
    name = getattr(container, "__name__", "")
    if isinstance(container, type) and issubclass(container, Enum):
        near = did_you_mean(value if isinstance(value, str) else "", [member.name for member in container])
        first = near.partition("'")[2].partition("'")[0]
        return f"write {name}.{first}" if "did you mean" in near or len(list(container)) == 1 else near
    if isinstance(container, type) and _is_list_kind(container):
        if value is None or value is False:
            return "write [] for none"
        if isinstance(value, AbstractSet):
            return f"write sorted({field}): a set has no order"
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            return f"write [{shown(value)}]"
        return ""
    if container is bool and isinstance(value, str) and value.lower() in ("true", "false"):
        return f"write {value.capitalize()}"
    if container is str and isinstance(value, int | float) and not isinstance(value, bool):
        return f"write '{value}'"
    if container is int and isinstance(value, str) and value.isdigit():
        return f"write {value}"
    if name == "ChartTarget":
        return "ImportedCluster is for clusters made elsewhere"
    if (type(value).__name__, name) in _CONVERSIONS:
        return _CONVERSIONS[type(value).__name__, name]
    if _is_own_protocol(container):
        lacking = _lacking(value, container)
        if 2 * len(lacking) < len(_members(container)):
            return f"it lacks {', '.join(lacking)}"
    if isinstance(value, str) and name in _CURES:
        return _CURES[name].format(value=shown(value))
    if isinstance(value, Mapping) and isinstance(container, type) and hasattr(container, "from_manifest"):
        if all(isinstance(key, str) and key.isidentifier() for key in value) and 0 < len(value) <= 3:
            inner = ", ".join(
                f"{key}={shown(item) if not isinstance(item, Mapping) else '...'}" for key, item in value.items()
            )
            return f"write {name}({inner})"
        return f"write {name}(...), or {name}.from_manifest({field}) for the form of YAML"
    return ""
