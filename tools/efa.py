"""Writes ``automode_constructs/facts/efa.json``: the network cards of the instance types that have EFA.

From the answers of DescribeInstanceTypes that moto has recorded, for the types that Auto Mode lists. Which card of a
type is without EFA, where one is, no answer tells: such a type is left out, but for those that AWS documents.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tools.instance_types import is_kept, recorded_types, recording

__all__ = ["document", "main"]

_WRITTEN = Path(__file__).parent.parent / "automode_constructs" / "facts" / "efa.json"

_NO_EFA_ON_CARD_0 = frozenset({"p6-b300.48xlarge"})
"""Types whose first card takes no EFA. Source: Amazon EC2 User Guide, "Maximize network bandwidth on Amazon EC2
instances with multiple network cards"."""


def document() -> str:
    """The data file: one type a line.

    Raises:
        SystemExit: for another version of moto than the one whose recording has a day here.
    """
    with_efa = {
        name: info["NetworkInfo"]
        for name, info in sorted(recorded_types().items())
        if info.get("NetworkInfo", {}).get("EfaSupported") and is_kept(info)
    }
    rows = {name: _row(name, network) for name, network in with_efa.items()}
    source, day = recording()
    head = {
        "source": f"{source}; Amazon EC2 User Guide, 'Maximize network bandwidth on Amazon EC2 instances with multiple "
        "network cards'",
        "date": day,
        "columns": ["network_cards", "first_efa_card", "interfaces_of_first_card", "ipv4_of_interface"],
        "unclear": [name for name, row in rows.items() if row is None],
    }
    lines = [f"  {json.dumps(key)}: {json.dumps(value)}," for key, value in head.items()]
    types = [
        f"    {json.dumps(name)}: {json.dumps(row, separators=(',', ':'))}"
        for name, row in rows.items()
        if row is not None
    ]
    return "\n".join(["{", *lines, '  "types": {', ",\n".join(types), "  }", "}", ""])


def _row(name: str, network: dict[str, Any]) -> Sequence[int] | None:
    cards, first = network["MaximumNetworkCards"], int(name in _NO_EFA_ON_CARD_0)
    if network["EfaInfo"]["MaximumEfaInterfaces"] != cards - first:
        return None
    (first_card,) = [card for card in network["NetworkCards"] if card["NetworkCardIndex"] == 0]
    return [cards, first, first_card["MaximumNetworkInterfaces"], network["Ipv4AddressesPerInterface"]]


def main() -> None:
    """Writes the data file."""
    _WRITTEN.write_text(document(), "utf-8")


if __name__ == "__main__":
    main()
