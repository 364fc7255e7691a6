"""Checks certificate bundles for what nodes would not accept or should not get."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time

from cryptography import x509

from automode_constructs.errors import AutoModeError, Problem
from automode_constructs.specs.nodes.certificate_bundle import CertificateBundle
from automode_constructs.tokens import is_token

__all__ = ["MAX_BYTES", "check_bundles", "pem_text"]

MAX_BYTES = 48 * 1024
"""The most PEM text of all bundles. AWS documents no limit; the object that carries them, encoded, has at most 100 KiB
on its way through CloudFormation, and a few authorities of a company are far below."""


def pem_text(bundle: CertificateBundle) -> str:
    """A bundle's certificates as text, ending in a line break."""
    return base64.b64decode(bundle.data).decode().rstrip("\n") + "\n"


def check_bundles(where: str, field: str, bundles: Sequence[CertificateBundle], *, as_of: date) -> None:
    """Refuses bundles that are not certificates of an authority, valid on a given day.

    Args:
        where: the construct path for the error.
        field: the field that holds the bundles.
        bundles: the bundles; a bundle whose data are a token is not inspected.
        as_of: the day.

    Raises:
        AutoModeError: a bundle name is used twice; a bundle holds what is no certificate, or the certificate of no
            authority, or one that has expired or is not valid yet; the bundles together are too large.
    """
    problems: list[Problem] = []
    names = [bundle.name for bundle in bundles]
    known = [(index, bundle) for index, bundle in enumerate(bundles) if not is_token(bundle.data)]
    for index, name in enumerate(names):
        if name in names[:index]:
            problems.append(
                Problem(field=f"[{index}].name", message=f"'{name}' is named twice", cure="give each bundle its own")
            )
    for index, bundle in known:
        problems += [problem.under(f"[{index}].data") for problem in _problems(pem_text(bundle), as_of)]
    size = sum(len(pem_text(bundle)) for _, bundle in known)
    if size > MAX_BYTES:
        problems.append(
            Problem(
                field="",
                message=f"{size:,} bytes of certificates are more than the {MAX_BYTES:,} we pass on",
                cure="give your own authorities only: nodes know the public ones",
            )
        )
    if problems:
        raise AutoModeError(where, [problem.under(field) for problem in problems])


def _problems(pem: str, as_of: date) -> Iterator[Problem]:
    day = datetime.combine(as_of, time(), UTC)
    try:
        certificates = x509.load_pem_x509_certificates(pem.encode())
        subjects = [certificate.subject.rfc4514_string() or "(no subject)" for certificate in certificates]
    except ValueError:
        yield Problem(
            field="", message="holds what is no X.509 certificate", cure="give what 'openssl x509 -in FILE' prints"
        )
        return
    for certificate, subject in zip(certificates, subjects, strict=True):
        if not _is_authority(certificate):
            yield Problem(
                field="",
                message=f"'{subject}' is not the certificate of an authority (it lacks the CA flag)",
                cure="give the certificate of the authority that signed it",
            )
        if certificate.not_valid_after_utc <= day:
            yield Problem(
                field="",
                message=f"'{subject}' expired on {certificate.not_valid_after_utc.date()}",
                cure="give its successor",
            )
        if certificate.not_valid_before_utc.date() > as_of:
            yield Problem(
                field="",
                message=f"'{subject}' is valid only from {certificate.not_valid_before_utc.date()}",
                cure="give one that is valid now",
            )


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType, ValueError):
        return False
