"""Inputs that hurt: bytes of files, and values of arguments; each is small to write down and has a name."""

from __future__ import annotations

import base64
from collections.abc import Mapping

POOL = """\
apiVersion: karpenter.sh/v1
kind: NodePool
metadata: {name: batch}
spec:
  template:
    spec:
      nodeClassRef: {group: eks.amazonaws.com, kind: NodeClass, name: standard}
      requirements: [{key: eks.amazonaws.com/instance-category, operator: In, values: [c]}]
      expireAfter: 336h
"""
_CLASS = "apiVersion: eks.amazonaws.com/v1\nkind: NodeClass\nmetadata: {name: a}\nspec: {role: nodes, %s}\n"
_BOMB = "a: &a [1,1,1,1,1,1,1,1,1]\n" + "".join(
    f"{chr(98 + step)}: &{chr(98 + step)} [{','.join([f'*{chr(97 + step)}'] * 9)}]\n" for step in range(9)
)
_MANY_REQUIREMENTS = POOL.replace(
    "{key: eks.amazonaws.com/instance-category, operator: In, values: [c]}",
    ",".join("{key: a, operator: Exists}" for _ in range(5000)),
)

FILES: Mapping[str, bytes] = {
    "empty": b"",
    "blank": b" \n\t\n",
    "words": b"hello",
    "number": b"7",
    "list of nothing": b"- - - -",
    "binary": b"\x7fELF\x02\x01\x01\0\0" + bytes(range(256)),
    "zero byte": POOL.encode() + b"\0",
    "zero byte by its escape": b'a: "\\0"\nkind: "Node\\0Pool"',
    "not UTF-8": b"a: \xff\xfe\xfd",
    "cut in a character": "a: é".encode()[:-1],
    "UTF-16": POOL.encode("utf-16"),
    "UTF-16 without a mark": POOL.encode("utf-16-le"),
    "UTF-32": POOL.encode("utf-32"),
    "latin-1": "kind: café".encode("latin-1"),
    "mark": b"\xef\xbb\xbf" + POOL.encode(),
    "mark alone": b"\xef\xbb\xbf",
    "surrogate in bytes": b"a: \xed\xa0\x80",
    "surrogate by its escape": b'{"kind": "\\ud800", "metadata": {"name": "\\udfff"}}',
    "surrogate in YAML": b'kind: "\\ud800"',
    "escape sequences": b'apiVersion: v1\nkind: "\\e[2J\\e]0;x\\a"\nmetadata: {name: "a\\nb"}',
    "brackets": b"[" * 100_000,
    "braces": b"{" * 100_000,
    "dashes": b"- " * 100_000,
    "deep JSON": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "deep and well-formed": b"kind: " + b"[" * 500 + b"]" * 500,
    "bomb": _BOMB.encode(),
    "alias of itself": b"&a [*a]",
    "alias of nothing": b"a: *b",
    "merge of itself": b"a: &a {<<: *a}",
    "many small bombs": "---\n".join(
        f"a: &a [{','.join('1' * 99)}]\nb: [{','.join(['*a'] * 99)}]\n" for _ in range(50)
    ).encode(),
    "key that stands twice": POOL.encode() + b"kind: NodePool\n",
    "key that stands a thousand times": b"a: 1\n" * 1000,
    "key that is a mapping": b"? {a: b}\n: c",
    "tag that runs code": b"a: !!python/object/apply:os.system [ls]",
    "tag of ours": b"!mine {a: b}",
    "directive": b"%YAML 9.9\n%TAG ! tag:x,2000:\n---\na: 1",
    "not a number": b"a: .nan",
    "huge number": POOL.replace("336h", "9" * 400).encode(),
    "long number": b"a: " + b"1" * 100_000,
    "long line": b"a: " + b"x" * 1_000_000,
    "long key": b"x" * 100_000 + b": 1",
    "tabs": b"a:\n\t- b",
    "open quote": b'a: "b\nc: d',
    "placeholder": b"{{ .Values.x }}: {{" * 100,
    "carriage returns": POOL.replace("\n", "\r").encode(),
    "next line": "a: 1\u0085b: 2\u2028c: 3".encode(),
    "control": b"a: \x01",
    "kind of a number": b"apiVersion: 1\nkind: 2\nmetadata: 3\nspec: 4",
    "kind of a list": b"apiVersion: []\nkind: []\nmetadata: []\nspec: []",
    "spec of a list": POOL.partition("spec:")[0].encode() + b"spec: [[[]]]",
    "list of lists": b"apiVersion: v1\nkind: List\nitems: [[], 1, null, {items: []}, {kind: List, items: [{}]}]",
    "thousands of requirements": _MANY_REQUIREMENTS.encode(),
    "path as certificate": (
        _CLASS % "subnetSelectorTerms: [{id: subnet-0123}], securityGroupSelectorTerms: [{id: sg-0123}], "
        f"certificateBundles: [{{name: a, data: {base64.b64encode(b'/etc/ssl/ca.pem').decode()}}}]"
    ).encode(),
    "shell in a role": (_CLASS % "x: 1").replace("role: nodes", "role: '`id`$(id)'").encode(),
    "token": (_CLASS % "x: '${Token[TOKEN.1]}'").encode(),
}
"""The content of a file, by what is wrong with it."""

_DEEP: list[object] = []
for _ in range(3000):
    _DEEP = [_DEEP]
_LOOP: dict[str, object] = {}
_LOOP["a"] = _LOOP

VALUES: Mapping[str, object] = {
    "nothing": None,
    "yes": True,
    "number": 7,
    "negative": -1,
    "fraction": 0.5,
    "not a number": float("nan"),
    "endless": float("inf"),
    "huge number": 10**5000,
    "number token": -1.8881545897087626e289,
    "empty": "",
    "blank": " ",
    "text token": "${Token[TOKEN.1]}",
    "token in a text": "a-${Token[AWS.Region.3]}",
    "list token": ["#{Token[TOKEN.1]}"],
    "surrogate": "\ud800",
    "surrogate in a list": ["a", "\udfff"],
    "zero byte": "a\0b",
    "escape sequences": "\x1b[2J\n",
    "right to left": "a\u202eb",
    "other digits": "١٢٣٤٥٦٧٨٩٠١٢",
    "shell": "`id`$(id);'\"",
    "long": "a" * 1_000_000,
    "digits": "1" * 10_000,
    "commas": "," * 10_000,
    "brackets": "[" * 100_000,
    "JSON": '[{"a": ["b"]}]',
    "JSON with a surrogate": '["\\ud800"]',
    "bytes": b"a",
    "list": [1, None, [], {}],
    "long list": ["a"] * 50_000,
    "deep": _DEEP,
    "loop": _LOOP,
    "mapping": {"a": 1},
    "class": object,
    "object": object(),
}
"""A value of an argument, by what is wrong with it."""
