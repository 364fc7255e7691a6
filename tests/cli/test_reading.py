"""What the linter's reader makes of a text: Kubernetes' scalars, places, and nothing dangerous."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automode_constructs.cli.reading import (
    MAX_BYTES,
    MAX_DEPTH,
    UnreadableError,
    decoded,
    documents,
)


def read(text: str) -> Any:
    (only,) = documents(text)
    return only.data


def refused(text: str) -> str:
    with pytest.raises(UnreadableError) as caught:
        list(documents(text))
    line, column = caught.value.place
    return f"{line}:{column} {caught.value.message}"


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("yes", True),
        ("Off", False),
        ("y", True),
        ("'yes'", "yes"),
        ("true", True),
        ("~", None),
        ("", None),
        ("null", None),
        ("010", 8),
        ("0o10", 8),
        ("0x1F", 31),
        ("-0b11", -3),
        ("0", 0),
        ("08", 8),
        ("1_000", 1000),
        ("1e3", 1000),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1.0", 1),
        ("12:30:45", "12:30:45"),
        ("2026-11-23", "2026-11-23"),
        ("2026-11-23T10:00:00Z", "2026-11-23T10:00:00Z"),
        ("64Gi", "64Gi"),
        ("500m", "500m"),
        ("-", "-"),
        ("+", "+"),
        (".", "."),
        ("1" + "0" * 400, "1" + "0" * 400),
        ("18446744073709551615", 2**64 - 1),
        ("!!str 1", "1"),
        ("!!int 1", 1),
        ('"\\u00e9"', "é"),
    ],
)
def test_scalars_are_read_as_kubernetes_reads_them(written: str, value: object) -> None:
    text = f"a: {written}" if written != "-" else "a: '-'"
    found = read(text)["a"]
    assert (found, type(found)) == (value, type(value))


def test_keys_are_texts() -> None:
    assert read("1: a\nyes: b\n1.5: c\n") == {"1": "a", "true": "b", "1.5": "c"}


def test_aliases_and_merges_are_followed() -> None:
    assert read("a: &x {b: 1, c: 2}\nd: *x\ne: {<<: *x, c: 3}\nf: {<<: [*x, {g: 4}]}\n") == {
        "a": {"b": 1, "c": 2},
        "d": {"b": 1, "c": 2},
        "e": {"b": 1, "c": 3},
        "f": {"b": 1, "c": 2, "g": 4},
    }


def test_streams_line_ends_marks_and_json_are_read() -> None:
    text = "\ufeff---\r\na: 1\r\n---\r\n---\r\n# nothing\r\n---\r\n" + '{\r\n\t"b": ["x"]}\r\n'
    assert [document.data for document in documents(decoded(text.encode()))] == [{"a": 1}, {"b": ["x"]}]


def test_json_is_read_with_its_escapes() -> None:
    text = '{"a": "\\ud83d\\ude00", "b": "\\\\ud83d\\\\ude00", "c": "x\\/y", "d": 1.5e3, "e": null}'
    assert read(text) == json.loads(text)


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("", (2, 1)),
        ("spec", (2, 1)),
        ("spec.items[1].key", (5, 7)),
        ("spec.items[1]", (5, 7)),
        ("spec.items[1].absent.deeper", (5, 7)),
        ("spec.items[7]", (3, 3)),
        ("spec['a b'].c", (6, 9)),
        ("absent", (2, 1)),
    ],
)
def test_a_field_stands_where_it_stands(path: str, place: tuple[int, int]) -> None:
    (only,) = documents("---\nspec:\n  items:\n    - key: a\n    - key: b\n  a b: {c: 1}\n")
    assert only.place(path) == place


def test_a_key_that_stands_twice_is_found() -> None:
    (only,) = documents("a: 1\nb: 2\na: 3\n")
    assert [(place, f"{problem.rule} {problem}") for place, problem in only.problems] == [
        ((3, 1), "automode:DuplicateKey the key 'a' stands twice; take one away")
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 200_000, f"1:{MAX_DEPTH + 1} is nested deeper than {MAX_DEPTH} levels"),
        ("{a: " * 200_000, f"is nested deeper than {MAX_DEPTH} levels"),
        ("- " * 200_000, f"is nested deeper than {MAX_DEPTH} levels"),
        (
            "a: &a [1,1,1,1,1,1,1,1,1]\n"
            + "".join(f"{chr(98 + i)}: &{chr(98 + i)} [{','.join([f'*{chr(97 + i)}'] * 9)}]\n" for i in range(9)),
            "has aliases that stand for more than 100000 values",
        ),
        ("&a [*a]", "1:5 is not YAML: the alias '*a' stands inside itself"),
        ("a: *b", "1:4 is not YAML: the alias '*b' is defined nowhere"),
        ("a: !!python/object/apply:os.system [ls]", "has the tag 'tag:yaml.org,2002:python/object/apply:os.system'"),
        ("a: !mine 1", "1:4 has the tag '!mine', which Kubernetes does not read"),
        ("a: [1", "is not YAML: while parsing a flow sequence, did not find expected ',' or ']'"),
        ("a:\n\tb: 1", "2:1 is not YAML"),
        ("? [a]\n: 1", "1:3 has a mapping or a list as a key, which Kubernetes does not read"),
        ("{{ a }}: 1", "has a mapping or a list as a key, which Kubernetes does not read"),
        ("a: .inf", "1:4 has the number .inf, which JSON and so Kubernetes does not know"),
        ("~: 1", "1:1 has an empty key, which Kubernetes does not read"),
        ("<<: 1", "1:5 is not YAML: '<<' merges mappings only"),
        ("a: \x01", "is not YAML: control characters are not allowed"),
    ],
)
def test_what_is_no_yaml_or_would_hurt_is_refused_at_its_place(text: str, message: str) -> None:
    began = time.monotonic()
    told = refused(text)
    assert message in told
    assert "\n" not in told
    assert time.monotonic() - began < 5


def test_an_alias_deepens_by_what_it_stands_for() -> None:
    deep = "[" * 40 + "]" * 40
    assert f"is nested deeper than {MAX_DEPTH} levels" in refused(f"a: &a {deep}\nb: {'[' * 30}*a{']' * 30}")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"a: \xff\n", "1:4 is not UTF-8: byte 0xff cannot stand here"),
        (b"a: 1\nb\0", "2:2 is binary: it holds a zero byte"),
        ("a: 1".encode("utf-16"), "1:1 is UTF-16"),
        (b"a" * (MAX_BYTES + 1), "1:1 is larger than 10 MiB"),
    ],
)
def test_what_is_no_text_is_named(data: bytes, message: str) -> None:
    with pytest.raises(UnreadableError) as caught:
        decoded(data)
    assert "{}:{} {}".format(*caught.value.place, caught.value.message) == message


@given(st.text(alphabet="ab:-[]{},&*<!|>'\"# \n\t?~01.", max_size=60))
def test_no_text_gives_anything_but_documents_or_a_refusal(text: str) -> None:
    with suppress(UnreadableError):
        for document in documents(text):
            assert document.place("a[0].b")[0] >= 1
