"""Settings given once on the cluster that apply to every NodeClass of this library."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, Field

from automode_constructs.errors import AutoModeError
from automode_constructs.specs.fields import VALUE, ListOf, TokenOr
from automode_constructs.specs.model import KubeModel
from automode_constructs.specs.nodes.advanced_networking import AdvancedNetworking
from automode_constructs.specs.nodes.advanced_security import AdvancedSecurity, KernelLockdown
from automode_constructs.specs.nodes.certificate_bundle import CertificateBundle

__all__ = ["NodeDefaults"]

Settings = TypeVar("Settings", bound=KubeModel)


def _proxy(url: str) -> str:
    if "://" not in url:
        raise VALUE.broken("", f"'{url}' has no scheme", f"write 'http://{url}'")
    try:
        AdvancedNetworking(https_proxy=url)
    except AutoModeError as error:
        raise AutoModeError("", [replace(problem, field="") for problem in error.problems]) from None
    return url


class NodeDefaults(KubeModel):
    """Settings of every NodeClass that ``ClusterValues.node_class_spec`` creates.

    EKS's built-in pools use EKS's own NodeClass, which has none of these settings: together with built-in pools,
    setting any of them is an error of the cluster.

    Source: EKS User Guide, "Create a Node Class for Amazon EKS".
    """

    fips: bool | None = None
    """Whether nodes run images with FIPS 140 validated modules, which AWS has in the United States and Canada.

    Default: True in GovCloud, where we decide; elsewhere false, as EKS decides.
    """
    kernel_lockdown: KernelLockdown | None = None
    """How far the kernel prevents root from changing it; both spellings of ``AdvancedSecurity``
    are accepted. Default: not documented; EKS decides."""
    https_proxy: TokenOr[Annotated[str, AfterValidator(_proxy)]] | None = None
    """The forward proxy, ``http://host:port``, at most 255 characters; the nodes' image pulls and the kubectl
    handler use it. Default: none."""
    no_proxy: ListOf[TokenOr[Annotated[str, Field(min_length=1, max_length=255)]]] | None = None
    """Further destinations that bypass the proxy, entries of 1 to 255 characters. The cluster adds those that always do
    (metadata service, its own names, its networks, the VPC's endpoints), 50 entries in all.

    Default: only what the cluster adds; we decide.
    """
    certificate_bundles: ListOf[CertificateBundle] | None = None
    """Authorities that nodes trust besides the public ones; ``CertificateBundle.from_pem`` makes one. Default: none."""
    associate_public_ip: bool | None = None
    """Whether nodes get a public IPv4 address. An organization policy that demands ``false`` requires the field to be
    written.

    Default: not written; what the subnet says, as EC2 decides (no, in our subnets).
    """
    snat_policy: Literal["Random", "Disabled"] | None = None
    """Whether pod traffic that leaves the VPC takes the node's address. Default: ``Random``, as EKS decides."""
    network_policy: Literal["DefaultAllow", "DefaultDeny"] | None = None
    """The rule for pods without a network policy. Default: ``DefaultAllow``, as EKS decides."""
    network_policy_event_logs: Literal["Enabled", "Disabled"] | None = None
    """Whether nodes log network-policy events to a local file. Default: ``Disabled``, as EKS decides."""
    enable_v4_egress: bool | None = None
    """Whether pods of an IPv6 cluster get egress over IPv4, which network policies do not cover.

    Default: true, as EKS decides.
    """

    def non_default_fields(self) -> list[str]:
        """The fields that EKS's own NodeClass does not have: those set to something other than EKS's default."""
        return [
            name
            for name in type(self).model_fields
            if (value := getattr(self, name)) not in (None, ()) and value != _AS_EKS_DECIDES.get(name)
        ]

    def advanced_networking(self, overrides: AdvancedNetworking | None = None) -> AdvancedNetworking | None:
        """The network settings of a NodeClass; ``overrides`` takes precedence over the defaults."""
        settings: dict[str, Any] = {
            "associate_public_ip_address": self.associate_public_ip,
            "https_proxy": self.https_proxy,
            "no_proxy": self.no_proxy if self.https_proxy is not None else None,
            "enable_v4_egress": self.enable_v4_egress,
        }
        return _filled(AdvancedNetworking, settings, overrides)

    def advanced_security(self, overrides: AdvancedSecurity | None = None) -> AdvancedSecurity | None:
        """The security settings of a NodeClass; ``overrides`` takes precedence over the defaults."""
        settings: dict[str, Any] = {"fips": self.fips, "kernel_lockdown": self.kernel_lockdown}
        return _filled(AdvancedSecurity, settings, overrides)

    def proxy_environment(self) -> dict[str, str]:
        """The proxy as environment variables, for a container; empty without one."""
        if self.https_proxy is None:
            return {}
        return {"HTTPS_PROXY": self.https_proxy, "NO_PROXY": ",".join(self.no_proxy or ())}


def _filled(model: type[Settings], defaults: Mapping[str, Any], overrides: Settings | None) -> Settings | None:
    """The defaults, with the overrides applied field by field; ``None`` if neither sets anything."""
    settings = {**defaults, **{name: value for name, value in vars(overrides or model()).items() if value is not None}}
    return model(**settings) if any(value is not None for value in settings.values()) else None


_AS_EKS_DECIDES: Mapping[str, object] = {
    "fips": False,
    "snat_policy": "Random",
    "network_policy": "DefaultAllow",
    "network_policy_event_logs": "Disabled",
    "enable_v4_egress": True,
}
