"""What the decorator says of each kind of argument, without any construct."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from typing import Annotated, Any, Literal, Never, Protocol, TypedDict, TypeVar, Unpack

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct, IDependable

from automode_constructs.arguments import Also, JudgedByItsModel, Refusals, checked_arguments, is_whole_number, place
from automode_constructs.errors import AutoModeError, Problem
from automode_constructs.specs.nodes.node_class import EphemeralStorage
from tests.refusal import refusal


class Colour(Enum):
    RED = 1
    GREEN = 2


class Vpc:
    """Not the CDK's."""


Word = TypeVar("Word", bound=str)


def _even(field: str, value: int) -> Iterator[Problem]:
    if value % 2:
        yield Problem(field=field, message=f"must be even, got {value}")


@checked_arguments
def paint(
    *words: str,
    text: str = "",
    optional: str | None = None,
    implicit: str = None,  # type: ignore[assignment] # noqa: RUF013 - people write it so
    switch: bool = False,
    count: int = 1,
    share: float = 0.5,
    names: Sequence[str] = (),
    some: Collection[str] = (),
    each: Iterable[str] = (),
    pair: tuple[int, int] = (1, 2),
    labels: Mapping[str, str] | None = None,
    amount: int | str = 1,
    way: Literal["up", "down"] = "up",
    key: kms.IKey | Literal["aws-owned"] | None = None,
    colour: Colour = Colour.RED,
    day: date | None = None,
    storage: EphemeralStorage | None = None,
    role: iam.IRole | None = None,
    vpc: ec2.IVpc | None = None,
    needs: IDependable | None = None,
    make: Callable[[], str] | str = "",
    kind: type[Exception] = ValueError,
    word: Word | None = None,
    even: Annotated[int, Also(_even)] = 2,
    anything: Any = None,
    **others: int,
) -> tuple[object, ...]:
    """Takes one of each kind, and gives back what it got."""
    return (text, optional, switch, count, share, names, tuple(each), labels, amount, key, role, vpc, words, others)


@pytest.mark.parametrize(
    ("argument", "value", "message"),
    [
        ("text", 1.36, "text: needs a text, got 1.36; write '1.36'"),
        ("text", None, "text: needs a text, got None"),
        ("text", b"x", "text: needs a text, got b'x'"),
        ("text", "\ud800", "text: holds what is no character: '\\ud800'; write it anew"),
        ("optional", ["a"], "optional: needs a text, got a list of 1"),
        ("switch", "false", "switch: needs True or False, got the text 'false'; write False"),
        ("switch", 1, "switch: needs True or False, got 1"),
        ("count", True, "count: needs a whole number, got True"),
        ("count", "3", "count: needs a whole number, got the text '3'; write 3"),
        ("count", 2.5, "count: needs a whole number, got 2.5"),
        ("count", 10**400, "count: must be a number below 9,007,199,254,740,992, got a huge number"),
        ("share", float("nan"), "share: needs a number, got nan"),
        ("share", "0.5", "share: needs a number, got the text '0.5'"),
        ("names", "a", "names: needs a list, got the text 'a'; write ['a']"),
        ("names", False, "names: needs a list, got False; write [] for none"),
        ("names", {"a": 1}, "names: needs a list, got a mapping"),
        ("names", {"a"}, "names: needs a list, got a set; write sorted(names): a set has no order"),
        ("names", ["a", 2, "b", None], "2 problems"),
        ("some", "a", "some: needs a list, got the text 'a'; write ['a']"),
        ("each", 3, "each: needs a list, got 3; write [3]"),
        ("pair", (1, 2, 3), "pair: needs 2 items, got 3"),
        ("pair", (1, "2"), "pair[1]: needs a whole number, got the text '2'; write 2"),
        ("labels", ["a"], "labels: needs a mapping, got a list of 1"),
        ("labels", {"a": 1}, "labels['a']: needs a text, got 1; write '1'"),
        ("labels", {1: "a"}, "labels[1]: needs a text, got 1; write '1'"),
        ("amount", 2.5, "amount: needs a whole number or a text, got 2.5; write '2.5'"),
        ("way", "dwon", "way: 'dwon' is not known; did you mean 'down'? Use one of 'up', 'down'"),
        ("way", True, "way: True is not known; use one of 'up', 'down'"),
        (
            "key",
            "key/1",
            "key: needs an IKey or 'aws-owned', got the text 'key/1'; "
            "write kms.Key.from_key_arn(scope, 'Key', 'key/1')",
        ),
        ("colour", "green", "colour: needs a Colour, got the text 'green'; write Colour.GREEN"),
        ("colour", 1, "colour: needs a Colour, got 1; use one of 'RED', 'GREEN'"),
        (
            "day",
            "2026-11-27",
            "day: needs a date, got the text '2026-11-27'; write datetime.date.fromisoformat('2026-11-27')",
        ),
        ("day", datetime(2026, 11, 27), "day: needs a date, got a datetime"),  # noqa: DTZ001
        (
            "storage",
            {"size": "80Gi"},
            "storage: needs an EphemeralStorage, got a mapping; write EphemeralStorage(size='80Gi')",
        ),
        (
            "storage",
            {"kmsKeyID": "a", "size": "1Gi", "iops": 1, "throughput": 2},
            "storage: needs an EphemeralStorage, got a mapping; write EphemeralStorage(...), or "
            "EphemeralStorage.from_manifest(storage) for the form of YAML",
        ),
        (
            "role",
            "role/x",
            "role: needs an IRole, got the text 'role/x'; write iam.Role.from_role_arn(scope, 'Role', 'role/x')",
        ),
        ("role", iam.Role, "role: needs an IRole, got the class Role"),
        ("vpc", Vpc(), "vpc: needs an IVpc, got a Vpc"),
        ("needs", Vpc(), "needs: needs an IDependable, got a Vpc"),
        ("make", 3, "make: needs a function or a text, got 3; write '3'"),
        ("make", Vpc, "make: needs a function or a text, got the class Vpc"),
        ("kind", "ValueError", "kind: needs a type, got the text 'ValueError'"),
        ("word", 3, "word: needs a text, got 3; write '3'"),
        ("even", 3, "even: must be even, got 3"),
        ("even", "3", "even: needs a whole number, got the text '3'; write 3"),
        ("strange", "3", "strange: needs a whole number, got the text '3'; write 3"),
    ],
)
def test_each_kind_of_argument_has_its_words(argument: str, value: Any, message: str) -> None:
    assert refusal(lambda: paint(**{argument: value})).partition("\n")[0] == f"paint: {message}"


def test_items_are_named_by_their_place() -> None:
    assert refusal(lambda: paint(names=["a", 2, "b", None])) == (  # type: ignore[list-item]
        "paint: 2 problems\n  names[1]: needs a text, got 2; write '2'\n  names[3]: needs a text, got None"
    )
    assert refusal(lambda: paint("a", 2)) == "paint: words[1]: needs a text, got 2; write '2'"  # type: ignore[arg-type]


def test_all_mistakes_are_told_at_once() -> None:
    assert refusal(lambda: paint(text=1, switch="true", names="a")) == (  # type: ignore[arg-type]
        "paint: 3 problems\n"
        "  text: needs a text, got 1; write '1'\n"
        "  switch: needs True or False, got the text 'true'; write True\n"
        "  names: needs a list, got the text 'a'; write ['a']"
    )


def test_what_is_right_reaches_the_body() -> None:
    assert paint("a", text="t", share=1, amount="2Gi", each=iter(["x"]), strange=3, anything=object) == (
        *("t", None, False, 1, 1, (), ("x",), None, "2Gi", None, None, None),
        ("a",),
        {"strange": 3},
    )
    paint(implicit=None, make=lambda: "", kind=KeyError, some={"a"}, word="a", pair=[1, 2])  # type: ignore[arg-type]


def test_tokens_pass_for_what_they_stand_for() -> None:
    stack = cdk.Stack(cdk.App(), "Try")
    number, listed = cdk.Token.as_number({"Ref": "X"}), cdk.Token.as_list({"Ref": "Y"})
    key = kms.Key.from_key_arn(stack, "Key", f"arn:{stack.partition}:kms:eu-west-1:{stack.account}:key/1")
    found = paint(text=stack.region, count=number, names=listed, labels={"a": stack.account}, key=key)  # type: ignore[arg-type]
    assert found[3] == number
    assert found[5] == listed
    assert refusal(lambda: paint(text=cdk.Token.as_any({"Ref": "X"}))).startswith("paint: text: needs a text, got a")  # type: ignore[arg-type]


def test_objects_of_the_cdk_pass_for_the_interfaces_that_they_have() -> None:
    stack = cdk.Stack(cdk.App(), "Try")
    imported = ec2.Vpc.from_vpc_attributes(stack, "Vpc", vpc_id="vpc-1", availability_zones=["eu-west-1a"])
    own = iam.Role(stack, "Role", assumed_by=iam.AccountRootPrincipal())
    paint(vpc=imported, role=own, needs=own)
    paint(role=own.without_policy_updates(), vpc=ec2.Vpc(stack, "Own"))
    assert refusal(lambda: paint(vpc=own)) == "paint: vpc: needs an IVpc, got a Role"  # type: ignore[arg-type]
    assert refusal(lambda: paint(role=imported)).startswith("paint: role: needs an IRole, got a")  # type: ignore[arg-type]


class Thing(Construct):
    @checked_arguments
    def __init__(self, scope: Construct, id: str, *, size: int, shape: str = "round") -> None:
        super().__init__(scope, id)

    @checked_arguments
    def grow(self, by: int) -> int:
        return by

    @classmethod
    @checked_arguments
    def named(cls, name: str) -> str:
        return f"{cls.__name__} {name}"


def test_a_construct_is_named_by_the_path_it_would_have_had() -> None:
    stack = cdk.Stack(cdk.App(), "Try")
    assert refusal(lambda: Thing(stack, "a", size="1")) == (  # type: ignore[arg-type]
        "Try/a: size: needs a whole number, got the text '1'; write 1"
    )
    made = Thing(stack, "a", size=1)
    assert refusal(lambda: made.grow("2")).startswith("Try/a: by: needs a whole number")  # type: ignore[arg-type]
    assert made.grow(2) == 2
    assert refusal(lambda: Thing.named(2)).startswith("Thing.named: name: needs a text")  # type: ignore[arg-type]
    assert Thing.named("a") == "Thing a"
    assert refusal(lambda: Thing(None, "a", size=1)) == "Thing: scope: needs a Construct, got None"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        ((), {}, "size: is required"),
        ((3,), {}, "size: is given by its position: 3; write size=..."),
        ((), {"size": 1, "shap": "square"}, "shap: is not a known argument; did you mean 'shape'? Use one of "),
        ((3,), {"size": 1}, "shape: is given by its position: 3; write shape=..."),
        ((3,), {"size": 1, "shape": "a"}, "is given by its position: 3; leave it out"),
        ((), {"size": 1, "id": "b"}, "id: is given twice, by its position and by its name"),
    ],
)
def test_names_and_positions(args: tuple[Any, ...], kwargs: dict[str, Any], message: str) -> None:
    stack = cdk.Stack(cdk.App(), "Try")
    assert refusal(lambda: Thing(stack, "a", *args, **kwargs)).startswith(f"Try/a: {message}")


def test_ids_that_cannot_be_or_are_taken() -> None:
    stack = cdk.Stack(cdk.App(), "Try")
    assert refusal(lambda: Thing(stack, "", size=1)) == "Try: id: must not be empty"
    Thing(stack, "a", size=1)
    assert refusal(lambda: Thing(stack, "a", size=1)) == "Try/a: id: 'a' is taken in its scope; choose another id"


@checked_arguments
@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    x: int
    names: tuple[str, ...] = ()


def test_a_dataclass_is_judged_as_a_constructor_is() -> None:
    assert Point(x=1, names=("a", "b")).names == ("a", "b")
    assert refusal(lambda: Point(x="1", names=(1,))) == (  # type: ignore[arg-type]
        "Point: 2 problems\n  x: needs a whole number, got the text '1'; write 1\n"
        "  names[0]: needs a text, got 1; write '1'"
    )


def test_an_annotation_that_nobody_knows_is_the_programmers_mistake() -> None:
    @checked_arguments
    def odd(one: Never) -> None:
        """Takes what nobody can be."""

    with pytest.raises(TypeError, match="no rule for the annotation"):
        odd(1)  # type: ignore[arg-type]


def test_the_decorator_keeps_name_words_and_signature() -> None:
    assert (paint.__name__, paint.__doc__) == ("paint", "Takes one of each kind, and gives back what it got.")


class Strokes(TypedDict, total=False):
    """Keywords that ``draw`` unpacks."""

    width: int | None
    length: Annotated[str, JudgedByItsModel()] | None


@checked_arguments
def draw(colour: str, *, name: str | None = None, **strokes: Unpack[Strokes]) -> dict[str, object]:
    """Gives back what it got."""
    return {"colour": colour, "name": name, **strokes}


def test_unpacked_keywords_are_arguments_like_others() -> None:
    assert draw("red", width=2, length="1m") == {"colour": "red", "name": None, "width": 2, "length": "1m"}
    assert draw("red", width=None) == {"colour": "red", "name": None, "width": None}
    assert list(inspect.signature(draw).parameters) == ["colour", "name", "width", "length"]
    untyped: Any = draw
    assert refusal(lambda: untyped("red", width="2", with_=1)) == (
        "draw: 2 problems\n"
        "  with_: is not a known argument; did you mean 'width'? Use one of 'colour', 'name', 'width', 'length'\n"
        "  width: needs a whole number, got the text '2'; write 2"
    )


def test_what_its_model_judges_passes() -> None:
    untyped: Any = draw
    assert untyped("red", length=3)["length"] == 3


def test_true_is_no_whole_number() -> None:
    assert [is_whole_number(value) for value in (1, 0, True, 1.0, "1")] == [True, True, False, False, False]


def test_a_place_is_the_path_that_a_construct_would_have() -> None:
    app = cdk.App()
    stack = cdk.Stack(app, "Try")
    assert (place(stack, "a"), place(app, "a"), place(stack, ""), place(None, "a")) == ("Try/a", "a", "Try", "a")


def test_refusals_collect_what_several_checks_say() -> None:
    refusals = Refusals("Try/a")
    refusals.raise_all()
    refusals.choice("colour", "gren", ["red", "green"])
    refusals.choice("colour", "red", ["red", "green"])
    refusals.number("count", 0, least=1)
    refusals.number("count", 9, most=8)
    refusals.number("count", cdk.Token.as_number({"Ref": "X"}), least=1, most=3)
    with refusals.collecting("network"):
        raise AutoModeError.of("elsewhere", field="cidrs[0]", message="is odd")
    with refusals.collecting():
        raise AutoModeError.of("elsewhere", field="name", message="is too long", cure="shorten it")
    assert refusal(refusals.raise_all) == (
        "Try/a: 5 problems\n"
        "  colour: 'gren' is not known; did you mean 'green'? Use one of 'red', 'green'\n"
        "  count: must be at least 1, got 0\n"
        "  count: must be at most 8, got 9\n"
        "  network.cidrs[0]: is odd\n"
        "  name: is too long; shorten it"
    )


class Talker(Protocol):
    """A protocol of Python's own."""

    def talk(self) -> str: ...


class Parrot:
    def talk(self) -> str:
        return "hello"


def test_a_protocol_asks_for_its_members() -> None:
    @checked_arguments
    def listen(talker: Talker) -> str:
        return talker.talk()

    assert listen(Parrot()) == "hello"
    assert refusal(lambda: listen(Vpc())).endswith("listen: talker: needs a Talker, got a Vpc")  # type: ignore[arg-type]


class Half(Construct):
    @checked_arguments
    def __init__(self, scope: Construct, id: str, *, size: int) -> None:
        super().__init__(scope, id)
        Thing(self, "inner", size=size)
        if size > 9:
            raise AutoModeError.of(self.node.path, field="size", message="is too large")


def test_a_construct_that_is_refused_half_made_leaves_its_id() -> None:
    stack = cdk.Stack(cdk.App(), "Try")
    assert refusal(lambda: Half(stack, "a", size=10)) == "Try/a: size: is too large"
    made = Half(stack, "a", size=1)
    assert [child.node.path for child in stack.node.children] == ["Try/a"]
    with pytest.raises(AutoModeError, match="'a' is taken in its scope"):
        Half(stack, "a", size=10)
    assert made.node.path == "Try/a"
    assert [child.node.path for child in stack.node.children] == ["Try/a"]
