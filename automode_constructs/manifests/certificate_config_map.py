"""The cluster's certificate authorities for workloads: a ConfigMap to mount."""

from __future__ import annotations

from typing import Any

from constructs import Construct

from automode_constructs.arguments import checked_arguments
from automode_constructs.errors import AutoModeError
from automode_constructs.manifests.cluster_values import ClusterValues
from automode_constructs.manifests.kubernetes_object import KubernetesObject
from automode_constructs.tokens import is_token

__all__ = ["CertificateConfigMap"]

_FILE = "certificates.pem"


class CertificateConfigMap(KubernetesObject):
    """A ConfigMap with the authorities that the cluster's nodes trust, for pods that mount it.

    Creates an object of kind ``ConfigMap`` with one file, ``certificates.pem``. A pod trusts only the authorities in
    its image until you point its program to this file: ``NODE_EXTRA_CA_CERTS`` adds it; ``SSL_CERT_FILE``,
    ``AWS_CA_BUNDLE`` and ``REQUESTS_CA_BUNDLE`` replace the public authorities with it, which is enough if all traffic
    uses the proxy.

    Args:
        scope: the cdk8s chart, or a construct in one, with the namespace of the pods.
        id: the construct's id.
        values: the cluster's values, with ``node_defaults.certificate_bundles``.
        name: the object's name. Default: the construct's id; we decide.

    Raises:
        AutoModeError: if the cluster has no bundles, or has one that is known only after deployment.

    Source: Kubernetes, "ConfigMaps".
    """

    @checked_arguments
    def __init__(self, scope: Construct, id: str, *, values: ClusterValues, name: str | None = None) -> None:
        # Imported here because it loads the certificate parser.
        from automode_constructs.manifests.certificates import pem_text

        where = f"{scope.node.path}/{id}".removeprefix("/")
        bundles = (values.node_defaults.certificate_bundles if values.node_defaults is not None else None) or ()
        if not bundles:
            raise AutoModeError.of(
                where,
                field="values",
                message="the cluster has no certificate bundles",
                cure="give it NodeDefaults(certificate_bundles=[CertificateBundle.from_pem(...)])",
            )
        if any(is_token(bundle.data) for bundle in bundles):
            raise AutoModeError.of(
                where,
                field="values",
                message="a certificate bundle is known only after deployment",
                cure="give its PEM text at synth",
            )
        super().__init__(
            scope,
            id,
            api_version="v1",
            kind="ConfigMap",
            name=name,
            cluster_scoped=False,
            body={"data": {_FILE: "".join(pem_text(bundle) for bundle in bundles)}},
        )

    @checked_arguments
    def volume(self, name: str = "certificates") -> dict[str, Any]:
        """The entry for ``volumes`` of a pod."""
        return {"name": name, "configMap": {"name": self.name}}

    @checked_arguments
    def volume_mount(self, path: str, name: str = "certificates") -> dict[str, Any]:
        """The entry for ``volumeMounts`` of a container; the file is ``certificates.pem`` in that folder."""
        return {"name": name, "mountPath": path, "readOnly": True}
