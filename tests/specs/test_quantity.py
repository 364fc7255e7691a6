"""Quantities as numbers, and as Kubernetes writes them."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automode_constructs.specs.quantity import canonical, number

# As kubectl 1.32 wrote them after it had read them into Kubernetes' own type.
REWRITTEN = {
    "1024Mi": "1Gi",
    "1000m": "1",
    "0.5": "500m",
    ".5": "500m",
    "0Ki": "0",
    "0e3": "0",
    "1.5Gi": "1536Mi",
    "0.5Mi": "512Ki",
    "0.5Ki": "512",
    "0.1Ki": "102400m",
    "100.035Ki": "102435840m",
    "0.05Gi": "53687091200m",
    "0.000000000001Ki": "2n",
    "-1024Ki": "-1Mi",
    "2000k": "2M",
    "0.0005k": "500m",
    "1.01E": "1010P",
    "1e14": "100e12",
    "0.5e0": "500e-3",
    "1.2e3": "1200",
    "1.53E12": "1530e9",
    "3.001n": "4n",
    "1.1E-9": "2e-9",
    "5e-10": "1e-9",
    "100000000u": "100",
}
KEPT = [
    "1",
    "100m",
    "1Gi",
    "1023Ki",
    "1000Ki",
    "1536",
    "1024",
    "2048k",
    "1e3",
    "1000000Mi",
    "7Ei",
    "1E",
    str(2**63 - 1),
]

_digits = st.from_regex(r"[0-9]{1,6}(\.[0-9]{1,6})?", fullmatch=True)
_binary = st.builds(str.__add__, _digits, st.sampled_from(["Ki", "Mi", "Gi"]))
_decimal = st.builds(str.__add__, _digits, st.sampled_from(["n", "u", "m", "", "k", "M", "G", "T"]))


@pytest.mark.parametrize(("written", "kubernetes"), REWRITTEN.items())
def test_quantities_get_the_form_that_kubernetes_gives_them(written: str, kubernetes: str) -> None:
    assert canonical(written) == kubernetes


@pytest.mark.parametrize("written", KEPT)
def test_the_canonical_form_is_kept(written: str) -> None:
    assert canonical(written) == written


def test_numbers_become_texts() -> None:
    assert [canonical(each) for each in (0, 1, 1000, 4, 0.5, 2.0)] == ["0", "1", "1k", "4", "500m", "2"]


@pytest.mark.parametrize(
    "text", ["", ".", "many", "1 Gi", "1Zi", "${Token[a.1]}", "1e1.5", "8Ei", "10E", "9" * 50, "1e99"]
)
def test_what_is_no_quantity_or_too_large_stays_as_it_is(text: str) -> None:
    assert canonical(text) == text


@given(st.one_of(_binary, _decimal))
def test_the_number_stays_and_the_form_is_final(written: str) -> None:
    once = canonical(written)
    before, after = number(written), number(once)
    assert before is not None and after is not None
    assert 0 <= after - before < Decimal("1e-9")
    assert canonical(once) == once
