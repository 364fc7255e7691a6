from __future__ import annotations

import struct

import aws_cdk as cdk
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automode_constructs.tokens import is_list_token, is_resolvable, is_text_token, is_token, token_paths

TEXT = cdk.Token.as_string(cdk.Fn.get_att("Role", "Arn"))
LIST = cdk.Token.as_list(cdk.Fn.get_att("Vpc", "Subnets"))
NUMBER = cdk.Token.as_number(cdk.Fn.get_att("Db", "Port"))
steady = settings(max_examples=100, deadline=None, derandomize=True, database=None)
texts = st.text().filter(lambda text: "{Token[" not in text)


@pytest.mark.parametrize(
    "token",
    [
        TEXT,
        f"arn:{cdk.Aws.PARTITION}:iam::1:role/x",
        cdk.Aws.REGION,
        cdk.Fn.join("-", ["a", TEXT]),
        cdk.Fn.select(0, cdk.Fn.get_azs()),
        LIST,
        LIST[0],
        tuple(LIST),
        cdk.Fn.get_azs(),
        NUMBER,
    ],
    ids=repr,
)
def test_tokens_of_the_cdk_are_known(token: object) -> None:
    assert is_token(token)


def test_many_number_tokens_are_known() -> None:
    assert all(is_token(cdk.Token.as_number(cdk.Fn.get_att("Db", f"Port{count}"))) for count in range(50))


@pytest.mark.parametrize(
    "value",
    [
        "",
        "Token",
        "$Token[1]",
        "${AWS::Region}",
        [],
        ["a"],
        [TEXT],
        LIST * 2,
        {},
        None,
        True,
        0,
        1.5,
        -1e289,
        b"${Token[1]}",
    ],
)
def test_what_is_no_token_is_not_taken_for_one(value: object) -> None:
    assert not is_token(value)


@steady
@given(st.floats() | st.floats(min_value=-1e308, max_value=-1e280))
def test_no_float_is_a_token_without_the_cdks_mark(value: float) -> None:
    assert is_token(value) == (struct.pack(">d", value)[:2] == b"\xfb\xff")


@steady
@given(texts | st.lists(texts, max_size=2) | st.integers())
def test_no_text_list_or_whole_number_is_a_token_by_chance(value: object) -> None:
    assert not is_token(value)


def test_text_and_list_tokens_are_told_apart() -> None:
    assert is_text_token(TEXT) and is_text_token(f"a{TEXT}") and not is_list_token(TEXT)
    assert is_list_token(LIST) and not is_text_token(LIST)
    assert not is_text_token(LIST[0]) and not is_list_token(LIST[0])
    assert not is_text_token(NUMBER) and not is_list_token(NUMBER)


def test_cdk_objects_are_known_by_what_they_are() -> None:
    assert is_resolvable(cdk.Fn.get_att("Role", "Arn"))
    assert is_resolvable(cdk.Token.as_any(TEXT))
    assert is_resolvable(cdk.Stack())
    others: list[object] = [TEXT, LIST, NUMBER, None, {}, cdk.Stack]
    assert not any(is_resolvable(value) for value in others)


def test_the_paths_of_all_tokens_are_found_in_order_keys_included() -> None:
    document = {
        "role": TEXT,
        "plain": ["a", 1, None],
        "zones": LIST,
        "deep": [{"port": NUMBER}, [f"x{TEXT}"]],
        "tags": {f"cluster/{TEXT}": "owned"},
    }
    assert list(token_paths(document)) == ["role", "zones[0]", "deep[0].port", "deep[1][0]", f"tags.cluster/{TEXT}"]
    assert list(token_paths(TEXT)) == [""]
    assert list(token_paths({"a": 1})) == []


def test_a_document_that_holds_itself_or_is_very_deep_is_searched_all_the_same() -> None:
    loop: dict[str, object] = {"role": TEXT}
    loop["again"] = [loop]
    assert list(token_paths(loop)) == ["role"]
    deep: object = TEXT
    for _ in range(5_000):
        deep = [deep]
    assert list(token_paths(deep)) == ["[0]" * 5_000]
