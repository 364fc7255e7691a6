"""Recognizes unresolved CDK tokens by their text, without importing the CDK.

For values that exist only after deployment, the CDK uses marked strings, lists and numbers as placeholders
(``aws-cdk-lib/core/lib/private/encoding``). Such a value must never be parsed, compared or formatted.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Mapping, Sequence

__all__ = ["is_list_token", "is_resolvable", "is_text_token", "is_token", "shell_word", "token_paths"]

_STRING_MARK = "${Token["
_LIST_MARK = "#{Token["
_NUMBER_MARK = 0xFBFF
"""The top 16 bits of every number token, a double near -1.9e289."""


def is_token(value: object) -> bool:
    """Whether a value is an unresolved CDK token or contains one in its text.

    A string counts if it contains a token anywhere, a list if it is a list token (one marked item), a number if it has
    the CDK's mark. Containers are not searched; see ``token_paths``.
    """
    if isinstance(value, str):
        return _STRING_MARK in value or _LIST_MARK in value
    if isinstance(value, float):
        if math.isnan(value) or value >= 0:
            return False
        return int.from_bytes(struct.pack(">d", value)[:2]) == _NUMBER_MARK
    return is_list_token(value)


def is_text_token(value: object) -> bool:
    """Whether a value is a string that contains a token.

    The single item of a list token does not count: it only looks like a string, and the CDK accepts it only inside its
    list.
    """
    return isinstance(value, str) and _STRING_MARK in value and _LIST_MARK not in value


def is_list_token(value: object) -> bool:
    """Whether a value is a list that, as a whole, is known only after deployment."""
    if not isinstance(value, Sequence) or isinstance(value, (str, bytes, bytearray)):
        return False
    return len(value) == 1 and isinstance(value[0], str) and value[0].startswith(_LIST_MARK)


def is_resolvable(value: object) -> bool:
    """Whether a value is a CDK object (``IResolvable``, a construct) instead of its string placeholder."""
    return hasattr(value, "__jsii_ref__")


def shell_word(value: str) -> str:
    """A value in a printed command, quoted so that a shell takes it as one word.

    A token stays bare: AWS fills it in, and its ids, regions and names hold nothing that a shell would read.
    """
    import shlex  # only what prints commands needs it

    return value if is_token(value) else shlex.quote(value)


def token_paths(document: object) -> Iterator[str]:
    """The dotted paths of all tokens in a document of mappings, lists and scalars, keys included."""
    # Iterative, visiting each container once: a document may be deeply nested, or contain itself through a YAML alias.
    if type(document) is str and _STRING_MARK not in document:  # most values, and a linter asks for each of them
        return
    waiting: list[tuple[str, object]] = [("", document)]
    seen: dict[int, object] = {}
    while waiting:
        path, value = waiting.pop()
        if is_token(value) and not is_list_token(value):
            yield path
        if not isinstance(value, Mapping | Sequence) or isinstance(value, (str, bytes, bytearray)) or id(value) in seen:
            continue
        seen[id(value)] = value
        inner: list[tuple[str, object]] = []
        if isinstance(value, Mapping):
            for key, item in value.items():
                place = f"{path}.{key}" if path else str(key)
                inner += [(place, key), (place, item)]
        else:
            inner = [(f"{path}[{index}]", item) for index, item in enumerate(value)]
        waiting += reversed(inner)
