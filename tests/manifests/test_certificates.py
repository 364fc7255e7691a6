"""Certificate bundles: what is an authority's certificate on a day, and what is refused in its place."""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from automode_constructs import CertificateBundle
from automode_constructs.manifests.certificates import MAX_BYTES, check_bundles, pem_text
from tests.refusal import refusal

DAY = date(2026, 11, 23)
EXAMPLE = Path(__file__).parents[2] / "examples" / "corporate_root.pem"
EMPTY = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"
"""A certificate by its form only."""


@cache
def _key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def certificate(name: str, *, start: str = "2026-01-01", end: str = "2030-01-01", ca: bool | None = True) -> str:
    """A certificate in PEM form, signed by itself; without the extension that says whether it is an authority's."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder(
        subject_name=subject,
        issuer_name=subject,
        public_key=_key().public_key(),
        serial_number=7,
        not_valid_before=datetime.fromisoformat(start).replace(tzinfo=UTC),
        not_valid_after=datetime.fromisoformat(end).replace(tzinfo=UTC),
    )
    if ca is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    return builder.sign(_key(), hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def _check(*pems: str) -> None:
    bundles = [CertificateBundle.from_pem(f"b{index}", pem) for index, pem in enumerate(pems)]
    check_bundles("Dev/Cluster", "bundles", bundles, as_of=DAY)


def test_authorities_pass_one_or_many_in_a_bundle() -> None:
    _check(certificate("a"), certificate("b") + certificate("c"))
    _check(EXAMPLE.read_text("utf-8"))


def test_a_certificate_counts_through_the_day_before_it_ends_and_from_the_day_it_begins() -> None:
    _check(certificate("a", end="2026-11-24"), certificate("b", start="2026-11-23"))


def test_a_token_is_not_looked_into() -> None:
    bundle = CertificateBundle(name="late", data="${Token[TOKEN.1]}")
    check_bundles("Dev/Cluster", "bundles", [bundle], as_of=DAY)


def test_text_goes_in_and_comes_out() -> None:
    bundle = CertificateBundle.from_pem("a", EXAMPLE.read_bytes().rstrip())
    assert (bundle.name, pem_text(bundle)) == ("a", EXAMPLE.read_text("utf-8"))


@pytest.mark.parametrize(
    ("pem", "message"),
    [
        (certificate("Old", end="2026-11-23"), "'CN=Old' expired on 2026-11-23; give its successor"),
        (certificate("New", start="2026-11-24"), "'CN=New' is valid only from 2026-11-24; give one that is valid now"),
        (
            certificate("www", ca=False),
            "'CN=www' is not the certificate of an authority (it lacks the CA flag); give the certificate of the "
            "authority that signed it",
        ),
        (
            certificate("mail", ca=None),
            "'CN=mail' is not the certificate of an authority (it lacks the CA flag); give the certificate of the "
            "authority that signed it",
        ),
        (EMPTY, "holds what is no X.509 certificate; give what 'openssl x509 -in FILE' prints"),
    ],
    ids=["expired", "not yet", "leaf", "no extension", "garbage"],
)
def test_what_no_node_should_get_is_told_by_its_subject(pem: str, message: str) -> None:
    assert refusal(lambda: _check(certificate("good"), pem)) == f"Dev/Cluster: bundles[1].data: {message}"


def test_all_mistakes_come_at_once() -> None:
    assert refusal(lambda: _check(certificate("www", ca=False, end="2026-02-01"), EMPTY)).splitlines() == [
        "Dev/Cluster: 3 problems",
        "  bundles[0].data: 'CN=www' is not the certificate of an authority (it lacks the CA flag); give the "
        "certificate of the authority that signed it",
        "  bundles[0].data: 'CN=www' expired on 2026-02-01; give its successor",
        "  bundles[1].data: holds what is no X.509 certificate; give what 'openssl x509 -in FILE' prints",
    ]


def test_a_name_is_given_once() -> None:
    bundles = [CertificateBundle.from_pem("same", certificate("a"))] * 2
    assert refusal(lambda: check_bundles("Dev/Cluster", "bundles", bundles, as_of=DAY)) == (
        "Dev/Cluster: bundles[1].name: 'same' is named twice; give each bundle its own"
    )


def test_the_public_authorities_need_not_be_given() -> None:
    one = certificate("a")
    many = one * (MAX_BYTES // len(one) + 1)
    assert refusal(lambda: _check(many)) == (
        f"Dev/Cluster: bundles: {len(many):,} bytes of certificates are more than the 49,152 we pass on; give your own "
        "authorities only: nodes know the public ones"
    )
