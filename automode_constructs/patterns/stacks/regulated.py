"""What ``regulated=True`` turns on and refuses, in one table, with the controls that each setting helps to meet."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from aws_cdk import aws_logs as logs

from automode_constructs.arguments import Refusals
from automode_constructs.facts.regions import fips_node_regions
from automode_constructs.manifests.node_defaults import NodeDefaults

__all__ = [
    "REGULATED_LOG_RETENTION",
    "SETTINGS",
    "RegulatedSetting",
    "check_regulated",
    "regulated_node_defaults",
    "regulated_page",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class RegulatedSetting:
    """One thing that the switch decides.

    Args:
        name: what it is about.
        effect: what holds with the switch on.
        without: what holds without it.
        nist: controls of NIST SP 800-53 Rev. 5.
        pci: requirements of PCI DSS 3.2.1, whose numbers cdk-nag uses.
        hipaa: paragraphs of the HIPAA Security Rule, 45 CFR.
    """

    name: str
    effect: str
    without: str
    nist: str
    pci: str
    hipaa: str


SETTINGS: Final = (
    RegulatedSetting(
        name="Endpoint",
        effect="The Kubernetes API is private; `endpoint_cidrs` is refused.",
        without="private, unless `endpoint_cidrs` are given",
        nist="AC-4, AC-17, SC-7",
        pci="1.2, 1.3",
        hipaa="164.312(e)(1)",
    ),
    RegulatedSetting(
        name="Keys",
        effect="Customer keys for Kubernetes secrets, volumes, logs, weights and cached images; `aws-owned` is "
        "refused.",
        without="customer keys for secrets, volumes and logs",
        nist="SC-12, SC-13, SC-28",
        pci="3.4, 10.5",
        hipaa="164.312(a)(2)(iv)",
    ),
    RegulatedSetting(
        name="FIPS",
        effect="Nodes run FIPS 140 validated modules where AWS has them; `fips=False` is refused there.",
        without="in GovCloud only",
        nist="SC-13",
        pci="4.1",
        hipaa="164.312(a)(2)(iv), 164.312(e)(2)(ii)",
    ),
    RegulatedSetting(
        name="Pools",
        effect="Our NodePools alone, with limits, on NodeClasses that have these settings; EKS's own are refused.",
        without="the same, unless `hardened_pools=False`",
        nist="CM-2, CM-6, SC-6",
        pci="2.2",
        hipaa="164.308(a)(1)(ii)(B)",
    ),
    RegulatedSetting(
        name="Network policies",
        effect="A pod without a policy reaches nothing and is reached by nothing (`DefaultDeny`), nodes have no public "
        "addresses; policies are enforced.",
        without="policies are enforced, pods without one are open",
        nist="AC-3, AC-4, SC-7",
        pci="1.2.1, 1.3",
        hipaa="164.312(a)(1), 164.312(e)(1)",
    ),
    RegulatedSetting(
        name="Guard rails",
        effect="The app delivers `GuardrailsStack`: images of named registries, no `latest`, requests, no privileges, "
        "internal load balancers, Pod Security labels.",
        without="opt-in",
        nist="AC-6, CM-7, SI-7",
        pci="2.2, 6.2, 7.1",
        hipaa="164.308(a)(3)(i), 164.312(c)(1)",
    ),
    RegulatedSetting(
        name="Logs",
        effect="All five control-plane logs, those of Auto Mode's controllers and flow logs, for two years, at least "
        "one.",
        without="control plane and flow logs for one year",
        nist="AU-2, AU-3, AU-11, AU-12",
        pci="10.1, 10.2, 10.3, 10.7",
        hipaa="164.312(b)",
    ),
    RegulatedSetting(
        name="Load balancers",
        effect="The app needs `certificate_arns` for the shop, so that load balancers speak TLS 1.2 or 1.3 only.",
        without="internal, plain HTTP unless a certificate is named",
        nist="SC-8, SC-23",
        pci="4.1",
        hipaa="164.312(e)(1), 164.312(e)(2)(i)",
    ),
    RegulatedSetting(
        name="Deployments",
        effect="kubectl runs in a Lambda with its own security group and no rights on images; without it "
        "`pools_applied_by` must say who applies the pools.",
        without="the same Lambda",
        nist="AC-6, CM-3",
        pci="7.1",
        hipaa="164.308(a)(4)(ii)(B)",
    ),
    RegulatedSetting(
        name="Support",
        effect="`support_type` must be chosen: STANDARD upgrades by itself at its end, EXTENDED costs more.",
        without="STANDARD",
        nist="SI-2",
        pci="6.2",
        hipaa="164.308(a)(5)(ii)(B)",
    ),
    RegulatedSetting(
        name="Life",
        effect="Deletion protection, keys and logs that outlive their stack; `ephemeral` is refused.",
        without="the same, unless `ephemeral`",
        nist="CP-9, SI-12",
        pci="10.7",
        hipaa="164.308(a)(7)(i), 164.310(d)(2)(iv)",
    ),
)
"""The settings. Source of the controls: cdk-nag's packs and AWS Config's conformance packs for the same resources."""

REGULATED_LOG_RETENTION: Final = logs.RetentionDays.TWO_YEARS
"""How long a regulated cluster keeps its logs, unless told otherwise."""

_TOO_SHORT = frozenset(
    {
        "ONE_DAY",
        "THREE_DAYS",
        "FIVE_DAYS",
        "ONE_WEEK",
        "TWO_WEEKS",
        "ONE_MONTH",
        "TWO_MONTHS",
        "THREE_MONTHS",
        "FOUR_MONTHS",
        "FIVE_MONTHS",
        "SIX_MONTHS",
    }
)
"""The retentions of less than a year. Source: PCI DSS, 10.7."""


def check_regulated(
    refusals: Refusals,
    *,
    region: str,
    ephemeral: bool,
    hardened_pools: bool,
    endpoint_cidrs: Iterable[str],
    keys: dict[str, object],
    node_defaults: NodeDefaults | None,
    log_retention: logs.RetentionDays | None,
    support_type: str | None,
) -> None:
    """Refuses what contradicts ``regulated=True``.

    Args:
        refusals: collects what is wrong.
        region: the region, or its token.
        ephemeral: as given to the stack, like all below.
        hardened_pools: likewise.
        endpoint_cidrs: likewise.
        keys: the key arguments by name.
        node_defaults: likewise.
        log_retention: likewise.
        support_type: likewise; ``None`` if it was not given.
    """
    never = "is refused by regulated=True"
    if ephemeral:
        refusals.refuse("ephemeral", f"True {never}: keys and logs would go with the stack", "leave out one of the two")
    if not hardened_pools:
        refusals.refuse(
            "hardened_pools", f"False {never}: EKS's own pools have none of your keys and settings", "leave it out"
        )
    if list(endpoint_cidrs):
        refusals.refuse(
            "endpoint_cidrs",
            f"a public endpoint {never}",
            "leave them out, and reach the API from inside the VPC: a VPN, Direct Connect, or SSM on an instance there",
        )
    for name, key in keys.items():
        if key == "aws-owned":
            refusals.refuse(name, f"'aws-owned' {never}", "leave it out for a new key, or pass a key of yours")
    if support_type is None:
        refusals.refuse(
            "support_type",
            "must be chosen with regulated=True",
            "write 'STANDARD', where AWS upgrades the cluster when standard support ends, or 'EXTENDED', which costs "
            "more in the year after",
        )
    if log_retention is not None and log_retention.name in _TOO_SHORT:
        refusals.refuse("log_retention", f"{log_retention.name} {never}", "keep logs for at least one year")
    defaults = node_defaults or NodeDefaults()
    if defaults.fips is False and region in fips_node_regions():
        refusals.refuse("node_defaults.fips", f"False {never}", "leave it out")
    if defaults.network_policy == "DefaultAllow":
        refusals.refuse("node_defaults.network_policy", f"'DefaultAllow' {never}", "leave it out")
    if defaults.associate_public_ip:
        refusals.refuse("node_defaults.associate_public_ip", f"True {never}", "leave it out")


def regulated_node_defaults(region: str, defaults: NodeDefaults | None) -> NodeDefaults:
    """The settings of every node of a regulated cluster: what the user set, and the table for the rest."""
    given = defaults or NodeDefaults()
    return given.replace(
        fips=True if region in fips_node_regions() else given.fips,
        network_policy=given.network_policy or "DefaultDeny",
        associate_public_ip=False,
    )


def regulated_page() -> str:
    """The table of settings and controls, in Markdown."""
    head = "| What | With `regulated=True` | Without | NIST 800-53 R5 | PCI DSS 3.2.1 | HIPAA, 45 CFR |"
    rows = [f"| {one.name} | {one.effect} | {one.without} | {one.nist} | {one.pci} | {one.hipaa} |" for one in SETTINGS]
    return "\n".join([head, "|---|---|---|---|---|---|", *rows]) + "\n"
