"""Messages that name fields, in the reader's spelling: snake_case in Python, camelCase in YAML."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

__all__ = ["Worded", "field_names", "worded"]


class Worded(str):
    """A message in Python's spelling that knows which of its words are names of fields."""

    __slots__ = ("template", "values")

    template: str
    values: Mapping[str, object]

    def spelt(self, aliases: Mapping[str, str]) -> str:
        """The message with each field under its other name.

        Args:
            aliases: the names, by the names in Python.
        """
        values = {
            name: value.spelt(aliases) if isinstance(value, Worded) else value for name, value in self.values.items()
        }
        return self.template.format_map(_OrName({**aliases, **values}))


class _OrName(dict[str, object]):
    """What stands for each placeholder: its value, or else the placeholder's own name."""

    def __missing__(self, name: str) -> str:
        return name


def worded(template: str, **values: object) -> Worded:
    """A message that names fields.

    Args:
        template: the message, with a placeholder for each field, such as ``{expire_after}``, and for each value.
        values: the values. A placeholder without a value is the field of that name.
    """
    message = Worded(template.format_map(_OrName(values)))
    message.template, message.values = template, values
    return message


def field_names(names: Iterable[str], between: str) -> Worded:
    """A list of fields, each in quotes.

    Args:
        names: the fields, named as in Python.
        between: what stands between two of them, such as ``" and "``.
    """
    return worded(between.join(f"'{{{name}}}'" for name in names))
