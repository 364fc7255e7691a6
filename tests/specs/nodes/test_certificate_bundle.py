"""Certificate bundles: a PEM text with certificates, by its form, and what people give in its place."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from automode_constructs import CertificateBundle
from tests.refusal import refusal

PEM = (Path(__file__).parents[3] / "examples" / "corporate_root.pem").read_text("utf-8")
LINES = PEM.splitlines()
AS_PEM = "; give what 'openssl x509 -in FILE' prints"
READ = "; read the file and give its content"
BINARY = "is binary, not PEM text; give what 'openssl x509 -inform der -in FILE' prints"


@pytest.mark.parametrize(
    "pem", [PEM, PEM.encode(), PEM * 2, f"subject=CN = ours\n{PEM}\n# é\n", PEM.replace("\n", "\r\n"), PEM.rstrip()]
)
def test_the_content_of_a_file_is_taken_unchanged(pem: str | bytes) -> None:
    bundle = CertificateBundle.from_pem("corporate", pem)
    assert base64.b64decode(bundle.data) == (pem if isinstance(pem, bytes) else pem.encode())


@pytest.mark.parametrize(
    ("pem", "message"),
    [
        ("/etc/ssl/ca.pem", f"'/etc/ssl/ca.pem' is a path, not a PEM text{READ}"),
        (b"ca.crt\n", f"'ca.crt' is a path, not a PEM text{READ}"),
        ("C:\\ssl\\ca", f"'C:\\\\ssl\\\\ca' is a path, not a PEM text{READ}"),
        (Path("ca.pem"), f"needs a text or bytes, got {Path('ca.pem')!r}{READ}"),
        (None, f"needs a text or bytes, got None{READ}"),
        ("\ud800", "holds '\\ud800', which is no character; read the file as UTF-8"),
        (f"{PEM}\ud800", "holds '\\ud800', which is no character; read the file as UTF-8"),
        ("", f"is no PEM text with certificates{AS_PEM}"),
        ("ours", f"is no PEM text with certificates{AS_PEM}"),
        (PEM.encode() + b"# caf\xe9", f"is not UTF-8: byte 0xe9 cannot stand here{AS_PEM}"),
        (f"\ufeff{PEM}", "begins with a byte order mark; save it as UTF-8 without one"),
        (PEM.encode("utf-16"), BINARY),
        (base64.b64decode("".join(LINES[1:-1])), BINARY),
        (f"{PEM}\0", BINARY),
        (
            f"{PEM}-----BEGIN EC PRIVATE KEY-----\nMAA=\n-----END EC PRIVATE KEY-----\n",
            "holds a private key, which would go to every node; leave the certificates only, and think of that key "
            "as known",
        ),
        (
            PEM.replace("CERTIFICATE", "CERTIFICATE REQUEST"),
            "line 1 is of a block 'CERTIFICATE REQUEST'; leave the blocks 'CERTIFICATE' only",
        ),
        (PEM.replace("\n", "\\n"), "line 1 holds more than the marker of a block; keep the file's line breaks"),
        ("\n".join(LINES[:-1]), "the block of line 1 has no end; give the whole file"),
        (f"{LINES[0]}\n{PEM}", "line 2 stands in no block of its own; every BEGIN needs its END"),
        (f"{PEM}{LINES[-1]}", f"line {len(LINES) + 1} stands in no block of its own; every BEGIN needs its END"),
        ("\n".join([*LINES[:2], "hello!", *LINES[2:]]), f"line 3 is not base64{AS_PEM}"),
        ("\n".join([LINES[0], "A=A", LINES[-1]]), f"line 2 is not base64{AS_PEM}"),
        ("\n".join([LINES[0], "AAA", LINES[-1]]), f"the block of line 1 is not base64{AS_PEM}"),
        (
            "\n".join([*LINES[:2], *LINES[3:]]),
            f"the block of line 1 is no certificate, or is not whole{AS_PEM}",
        ),
        (f"{LINES[0]}\n{LINES[-1]}", f"the block of line 1 is no certificate, or is not whole{AS_PEM}"),
        (
            "${Token[TOKEN.1]}",
            "holds a value known only after deployment, which cannot stand here; give the text itself",
        ),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_anything_else_is_refused_with_what_to_give(pem: Any, message: str) -> None:
    assert (
        refusal(lambda: CertificateBundle.from_pem("corporate", pem)) == f"CertificateBundle.from_pem: pem: {message}"
    )


def test_the_data_of_yaml_are_held_to_the_same() -> None:
    encoded = base64.b64encode(b"/etc/ssl/ca.pem").decode()
    assert refusal(lambda: CertificateBundle(name="corporate", data=encoded)) == (
        f"data: '/etc/ssl/ca.pem' is a path, not a PEM text{READ}"
    )


def test_a_long_text_of_markers_is_refused_at_once() -> None:
    assert "line 2 stands in no block of its own" in refusal(
        lambda: CertificateBundle.from_pem("corporate", f"{LINES[0]}\n" * 200_000)
    )
