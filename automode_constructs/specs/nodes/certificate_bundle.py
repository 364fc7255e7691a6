"""Certificate authorities that the nodes of a class trust."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Self

from pydantic import AfterValidator, Field

from automode_constructs.specs.fields import TokenOr
from automode_constructs.specs.model import KubeModel
from automode_constructs.specs.rule import rule

__all__ = ["CertificateBundle"]

CERTIFICATE_DATA = rule(
    "automode:CertificateData",
    "NodeClass",
    severity="error",
    sentence="The data of a certificate bundle are base64.",
    source="EKS User Guide, 'Create a Node Class for Amazon EKS'",
)


def _base64(data: str) -> str:
    try:
        base64.b64decode(data.replace("\n", "").replace("\r", ""), validate=True)
    except (binascii.Error, ValueError):
        what = "a PEM text, not base64" if "-----BEGIN" in data else "not base64"
        raise CERTIFICATE_DATA.broken("", f"is {what}", "write the PEM file encoded in base64") from None
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
        """A bundle from the content of a PEM file; the certificates are checked when a cluster gets the bundle.

        Args:
            name: the bundle's name on the node.
            pem: one or more certificates in PEM form.
        """
        content = pem.encode() if isinstance(pem, str) else pem
        return cls(name=name, data=base64.b64encode(content).decode())
