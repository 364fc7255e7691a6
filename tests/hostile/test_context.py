"""Every context key with every hostile value: read, or refused in words; and what the CDK would not survive."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from typing import Any

import pytest

from app import Settings, check_context
from automode_constructs.errors import AutoModeError
from tests.hostile.corpus import VALUES
from tests.refusal import refusal

KEYS = [known.name for known in fields(Settings)]


def _refused(context: dict[str, Any]) -> str:
    """The refusal, or nothing."""
    try:
        Settings.from_context(context)
    except AutoModeError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_each_key_reads_each_value_or_says_why_not(value: object) -> None:
    for key in KEYS:
        words = _refused({key: value})
        assert not words or words.startswith(f"context: {key}: ")
        assert len(words) < 5000
        assert words.isprintable()


@pytest.mark.parametrize("value", ["text token", "token in a text", "list token", "surrogate", "surrogate in a list"])
def test_no_key_takes_what_is_no_value(value: str) -> None:
    assert [key for key in KEYS if not _refused({key: VALUES[value]})] == []


@pytest.mark.parametrize(
    ("context", "message"),
    [
        (
            {"availability_zones": ["${Token[TOKEN.1]}"]},
            "context: availability_zones: '${Token[TOKEN.1]}' is a CDK token, which means nothing here; give the value "
            "itself",
        ),
        ({"version": "\ud800"}, "context: version: '\\ud800' holds what cannot be printed; type it anew"),
        (
            {"admin_role_arns": ["a"] * 50_000},
            "context: admin_role_arns: needs a list of at most 1000 texts, got 50000; give a shorter one",
        ),
        (
            {"version": "1" * 1001},
            "context: version: needs a text of at most 1000 characters, got 1001; give a shorter one",
        ),
    ],
    ids=["token", "surrogate", "long list", "long text"],
)
def test_the_words(context: dict[str, Any], message: str) -> None:
    assert refusal(lambda: Settings.from_context(context)) == message


@pytest.mark.parametrize("key", ["", " ", "x" * 1_000_000, "\ud800", "\x1b[2J", "a\0", "${Token[TOKEN.1]}", " name "])
def test_a_hostile_key_is_named_in_short(key: str) -> None:
    words = _refused({key: "x"})
    assert words.startswith("context: ")
    assert len(words) < 1000
    assert words.isprintable()


def test_a_setting_to_copy_is_quoted_for_a_shell() -> None:
    assert _refused({" name": "a'`id`"}).endswith("""-c 'name=a'"'"'`id`'""")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "context: is not JSON: "),
        ("[1]", "context: needs a mapping of at most 32 levels; correct cdk.json"),
        ('{"a": ' + "[" * 40 + "]" * 40 + "}", "context: needs a mapping of at most 32 levels; correct cdk.json"),
        ('{"a": ' + "[" * 5000 + "]" * 5000 + "}", "context: needs a mapping of at most 32 levels; correct cdk.json"),
        ('{"a": [{"$jsii.byref": "x"}]}', "context: holds a key that begins with '$jsii.'; take it away"),
    ],
    ids=["no JSON", "list", "deep", "deeper", "object"],
)
def test_a_context_that_the_cdk_would_not_survive_is_refused(text: str, message: str) -> None:
    with pytest.raises(AutoModeError, match=re.escape(message)):
        check_context(text)


@pytest.mark.parametrize("context", [{}, None, {"name": "a", "x:y": [1, {"a": [None, True]}]}])
def test_an_ordinary_context_passes(context: object) -> None:
    check_context(json.dumps(context))
