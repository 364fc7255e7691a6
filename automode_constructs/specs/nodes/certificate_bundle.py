"""Certificate authorities that the nodes of a class trust."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Annotated, Self

from pydantic import AfterValidator, Field

from automode_constructs.errors import AutoModeError, shown
from automode_constructs.specs.fields import KNOWN_LATE, NOT_HERE, TokenOr
from automode_constructs.specs.model import KubeModel
from automode_constructs.specs.rule import rule
from automode_constructs.tokens import is_token

__all__ = ["CertificateBundle", "check_pem"]

CERTIFICATE_DATA = rule(
    "automode:CertificateData",
    "NodeClass",
    severity="error",
    sentence="The data of a certificate bundle are base64 of a PEM text that holds certificates and no private key.",
    source="EKS User Guide, 'Create a Node Class for Amazon EKS'; RFC 7468",
)

_MARKER = re.compile(r"-----(BEGIN|END) ([A-Z0-9][A-Z0-9 ]*)-----")
_BODY = re.compile(r"[A-Za-z0-9+/]*={0,2}")
_PATH = re.compile(r"[^\n]*([/\\]|\.(pem|crt|cer|der|ca-bundle))[^\n]*")
_PRINT_AS_PEM = "give what 'openssl x509 -in FILE' prints"


def check_pem(content: bytes) -> None:
    """Checks the form of a PEM text with certificates, without reading the certificates.

    Text between the blocks is allowed, as OpenSSL writes it.

    Raises:
        AutoModeError: for anything else: a path, binary data, a private key, a block that is cut or of another kind.
    """
    if content[:2] in (b"\x30\x80", b"\x30\x81", b"\x30\x82", b"\x30\x83") or b"\0" in content:
        raise _refused("is binary, not PEM text", "give what 'openssl x509 -inform der -in FILE' prints")
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise _refused(f"is not UTF-8: byte 0x{content[error.start]:02x} cannot stand here", _PRINT_AS_PEM) from None
    if text.startswith("\ufeff"):
        raise _refused("begins with a byte order mark", "save it as UTF-8 without one")
    if "-----BEGIN" not in text:
        if len(text) < 1024 and _PATH.fullmatch(text.strip()):
            raise _refused(f"{shown(text.strip())} is a path, not a PEM text", "read the file and give its content")
        raise _refused("is no PEM text with certificates", _PRINT_AS_PEM)
    if "PRIVATE KEY-----" in text:
        raise _refused(
            "holds a private key, which would go to every node",
            "leave the certificates only, and think of that key as known",
        )
    opened, body = 0, ""
    for number, line in enumerate(text.splitlines(), 1):
        marker = _MARKER.fullmatch(line.strip())
        if marker is None:
            if "-----BEGIN" in line or "-----END" in line:
                raise _refused(f"line {number} holds more than the marker of a block", "keep the file's line breaks")
            if opened and _BODY.fullmatch(line.strip()) is None:
                raise _refused(f"line {number} is not base64", _PRINT_AS_PEM)
            body += line.strip() if opened else ""
        elif marker[2] != "CERTIFICATE":
            raise _refused(f"line {number} is of a block '{marker[2]}'", "leave the blocks 'CERTIFICATE' only")
        elif (marker[1] == "BEGIN") is bool(opened):
            raise _refused(f"line {number} stands in no block of its own", "every BEGIN needs its END")
        elif marker[1] == "BEGIN":
            opened, body = number, ""
        else:
            _check_block(body, opened)
            opened = 0
    if opened:
        raise _refused(f"the block of line {opened} has no end", "give the whole file")


def _check_block(body: str, line: int) -> None:
    """Refuses a block that holds anything but one whole DER sequence."""
    try:
        data = base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        raise _refused(f"the block of line {line} is not base64", _PRINT_AS_PEM) from None
    size, start = (data[1], 2) if len(data) > 1 else (-1, 0)
    if size > 0x80:
        start += size - 0x80
        size = int.from_bytes(data[2:start])
    if data[:1] != b"\x30" or start + size != len(data):
        raise _refused(f"the block of line {line} is no certificate, or is not whole", _PRINT_AS_PEM)


def _refused(message: str, cure: str) -> AutoModeError:
    return CERTIFICATE_DATA.broken("", message, cure)


def _base64(data: str) -> str:
    try:
        content = base64.b64decode(data.replace("\n", "").replace("\r", ""), validate=True)
    except (binascii.Error, ValueError):
        what = "a PEM text, not base64" if "-----BEGIN" in data else "not base64"
        raise _refused(f"is {what}", "write the PEM file encoded in base64") from None
    check_pem(content)
    return data


class CertificateBundle(KubeModel):
    """Certificates of authorities that nodes trust in addition to public ones: a proxy's, a private registry's.

    Source: EKS User Guide, "Create a Node Class for Amazon EKS".
    """

    name: TokenOr[Annotated[str, Field(min_length=1)]]
    """The bundle's name on the node."""
    data: TokenOr[Annotated[str, Field(min_length=1), AfterValidator(_base64)]]
    """The certificates in PEM form, encoded in base64. AWS names no limit of size or number."""

    @classmethod
    def from_pem(cls, name: str, pem: str | bytes) -> Self:
        """A bundle from the content of a PEM file; a cluster that gets the bundle reads the certificates too.

        Args:
            name: the bundle's name on the node.
            pem: one or more certificates in PEM form: the content of the file, not its path.

        Raises:
            AutoModeError: for what is no PEM text with certificates, or holds a private key.
        """
        where = f"{cls.__name__}.from_pem"
        if is_token(pem):
            raise KNOWN_LATE.broken("pem", NOT_HERE, "give the text itself").at(where)
        if not isinstance(pem, (str, bytes)):
            raise _refused(f"needs a text or bytes, got {shown(pem)}", "read the file and give its content").at(
                where, "pem"
            )
        try:
            content = pem.encode() if isinstance(pem, str) else pem
            check_pem(content)
        except UnicodeEncodeError as error:
            found = shown(error.object[error.start])
            raise _refused(f"holds {found}, which is no character", "read the file as UTF-8").at(where, "pem") from None
        except AutoModeError as error:
            raise error.at(where, "pem") from None
        return cls(name=name, data=base64.b64encode(content).decode())
