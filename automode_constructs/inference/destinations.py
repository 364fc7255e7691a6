"""Where the pods of a model server and of its staging open connections to, as rules of network policies."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_address
from urllib.parse import urlsplit

from automode_constructs.errors import Problem, shown
from automode_constructs.facts.regions import known_regions, partition_of
from automode_constructs.inference.model_preset import ModelPreset
from automode_constructs.manifests.pod_network_policy import DNS, POD_IDENTITY, https_to
from automode_constructs.specs.traffic.network_policy import ApplicationEgressRule
from automode_constructs.tokens import is_token

__all__ = [
    "HUB_DOMAIN_NAMES",
    "VOCABULARY_DOMAIN_NAME",
    "address_rule",
    "destination_problems",
    "hub_rule",
    "pod_egress",
    "s3_rule",
    "vocabulary_rules",
]

HUB_DOMAIN_NAMES = ("huggingface.co", "*.hf.co")
"""The Hugging Face hub, and the stores of large files that it redirects to.

Source: https://huggingface.co/.well-known/meta.json.
"""

VOCABULARY_DOMAIN_NAME = "openaipublic.blob.core.windows.net"
"""Where vLLM before 0.32 loads the vocabulary of gpt-oss from, at each start of a pod, whatever the weights come from.

Source: openai/harmony#101, #95; vllm-project/recipes, gpt-oss (``TIKTOKEN_ENCODINGS_BASE``).
"""

_VOCABULARY = "TIKTOKEN_ENCODINGS_BASE"
"""The variable that names another place of the vocabulary, a folder or an address."""

_PROXIES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")
_ADDRESSES = (*_PROXIES, "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "HF_ENDPOINT")
"""Variables that hold the address of something that the pods talk to."""
_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")


def s3_rule(
    bucket: str, region: str | None, endpoint_cidrs: Sequence[str], environment: Mapping[str, str]
) -> ApplicationEgressRule:
    """HTTPS to S3.

    Args:
        bucket: the bucket's name; a token too.
        region: its region; a token too. ``None`` stands for every region that has Auto Mode.
        endpoint_cidrs: the blocks that an interface endpoint for S3 is in, instead of domain names.
        environment: the container's variables, which may ask for FIPS or dual-stack endpoints.
    """
    if endpoint_cidrs:
        return https_to(cidrs=endpoint_cidrs)
    if region is None:
        places = [(name, partition_of(name).dns_suffix) for name in known_regions()]
    elif is_token(region):
        places = [(region, suffix) for suffix in sorted({partition_of(name).dns_suffix for name in known_regions()})]
    else:
        places = [(region, partition_of(region).dns_suffix)]
    service = "s3-fips" if _is_on(environment, "AWS_USE_FIPS_ENDPOINT") else "s3"
    if _is_on(environment, "AWS_USE_DUALSTACK_ENDPOINT"):
        service += ".dualstack"
    hosts = [f"{service}.{place}.{suffix}" for place, suffix in places]
    if service == "s3" and (region is None or is_token(region) or region == "us-east-1"):
        hosts.append("s3.amazonaws.com")  # SDKs still use the global name in this one region.
    return https_to(domain_names=[name for host in hosts for name in (f"{bucket}.{host}", host)])


def hub_rule(endpoint: str | None) -> ApplicationEgressRule:
    """HTTPS to the Hugging Face hub, or to a mirror of it."""
    return https_to(domain_names=HUB_DOMAIN_NAMES) if endpoint is None else address_rule(endpoint)


def vocabulary_rules(
    model: ModelPreset, version: str | None, environment: Mapping[str, str]
) -> list[ApplicationEgressRule]:
    """HTTPS to the vocabulary of gpt-oss, for a version of vLLM that loads it from there.

    Args:
        model: the model.
        version: the version of vLLM, or ``None`` if it is not known.
        environment: the container's variables.
    """
    is_gpt_oss = model.tool_call_parser == "openai" or "gpt-oss" in model.repository.lower()
    has_its_own = version is not None and tuple(int(part) for part in version.split(".")[:2]) >= (0, 32)
    if not is_gpt_oss or has_its_own or environment.get(_VOCABULARY):
        return []
    return [https_to(domain_names=[VOCABULARY_DOMAIN_NAME])]


def address_rule(url: str) -> ApplicationEgressRule:
    """TCP to the host and port of an address that ``destination_problems`` has accepted."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 443)
    try:
        address = ip_address(host)
    except ValueError:
        return https_to(domain_names=[host], port=port)
    return https_to(cidrs=[f"{address}/{address.max_prefixlen}"], port=port)


def pod_egress(
    destinations: Sequence[ApplicationEgressRule],
    egress: Sequence[ApplicationEgressRule] | None,
    environment: Mapping[str, str],
) -> list[ApplicationEgressRule]:
    """All that pods may open connections to: DNS, Pod Identity, and ``egress`` or else what they are known to need.

    Args:
        destinations: what the pods need by themselves.
        egress: what the user named instead.
        environment: the container's variables; proxies and endpoints in it are destinations.
    """
    if egress is None:
        egress = [*destinations, *(address_rule(url) for _, url in _addresses(environment))]
    return list({str(rule.to_manifest()): rule for rule in (DNS, POD_IDENTITY, *egress)}.values())


def destination_problems(
    egress: Sequence[ApplicationEgressRule] | None, environment: Mapping[str, str], **addresses: str | None
) -> Iterator[Problem]:
    """Destinations that cannot be read from the arguments, and have to be named.

    Args:
        egress: the rules that the user named, which need no reading.
        environment: the container's variables.
        addresses: further addresses by argument.
    """
    if egress is not None:
        return
    cure = "name where the pods open connections to: egress=[https_to(domain_names=[...])]"
    named = [(f"environment[{shown(name)}]", url) for name, url in _addresses(environment)]
    named += [(field, url) for field, url in addresses.items() if url is not None]
    for field, url in named:
        if not _is_readable(url):
            what = "is known only after deployment" if is_token(url) else f"got {shown(url)}"
            yield Problem(
                field="egress", message=f"is needed beside {field}, whose host no policy can name ({what})", cure=cure
            )


def _addresses(environment: Mapping[str, str]) -> list[tuple[str, str]]:
    found = [(name, environment[name]) for name in _ADDRESSES if environment.get(name)]
    vocabulary = environment.get(_VOCABULARY, "")
    return [*found, (_VOCABULARY, vocabulary)] if "://" in vocabulary else found


def _is_on(environment: Mapping[str, str], name: str) -> bool:
    return environment.get(name, "").lower() == "true"


def _is_readable(url: str) -> bool:
    """Whether an address has a host that a policy can name, and a valid port."""
    if is_token(url):
        return False
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return False
    if parts.scheme not in _PORTS or port == 0:
        return False
    try:
        ip_address(host)
    except ValueError:
        # A Service of the cluster is no domain name to a policy: its pods are selected.
        return _HOST.fullmatch(host) is not None and not f"{host}.".endswith((".svc.", ".cluster.local."))
    return True
