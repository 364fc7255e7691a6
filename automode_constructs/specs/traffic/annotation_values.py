"""The values of load balancers' annotations: all are texts, and what they say has bounds that a load balancer sets."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable, Iterator
from typing import Annotated, Any

from pydantic import AfterValidator

from automode_constructs.errors import AutoModeError, Problem, shown
from automode_constructs.specs.fields import Digits, matching
from automode_constructs.specs.rule import rule
from automode_constructs.tokens import is_token

__all__ = [
    "LOAD_BALANCER_VALUE",
    "SSL_POLICY",
    "Arns",
    "Attributes",
    "Cidrs",
    "Flag",
    "HealthCheckInterval",
    "HealthCheckPath",
    "HealthCheckTimeout",
    "JsonList",
    "JsonMapping",
    "ListenPorts",
    "Pairs",
    "Port",
    "SslPolicy",
    "SuccessCodes",
    "Threshold",
    "attribute_problem",
    "form_problem",
    "whole_number",
]


LOAD_BALANCER_VALUE = rule(
    "automode:LoadBalancerValue",
    "IngressClassParams",
    "TargetGroupBinding",
    severity="warning",
    sentence="ARNs, security policies and attributes have the form that Elastic Load Balancing takes.",
    source="Elastic Load Balancing API; the CRDs take any text",
)


def form_problem(field: str, value: str, form: str, what: str) -> Iterator[Problem]:
    """The warning of a text that the CRD takes and Elastic Load Balancing does not."""
    if not is_token(value) and re.fullmatch(form, value) is None:
        yield LOAD_BALANCER_VALUE.problem(field, f"{shown(value)} is not {what}, so the controller reports an error")


def _refusal(value: str, what: str, cure: str = "") -> AutoModeError:
    return AutoModeError.of("", field="", message=f"{shown(value)} {what}", cure=cure)


def whole_number(low: int, high: int) -> AfterValidator:
    """Checks that a text of digits is a number between two bounds."""

    def check(value: str) -> str:
        if not is_token(value) and not (len(value) < len(str(high)) + 3 and low <= int(value) <= high):
            raise _refusal(value, f"must be {low} to {high}")
        return value

    return AfterValidator(check)


HealthCheckInterval = Annotated[Digits, whole_number(5, 300)]
"""Seconds between health checks. Source: Elastic Load Balancing API, CreateTargetGroup; so for the next three."""
HealthCheckTimeout = Annotated[Digits, whole_number(2, 120)]
"""Seconds until a health check has failed."""
Threshold = Annotated[Digits, whole_number(2, 10)]
"""Health checks in a row that change a target's state."""
HealthCheckPath = Annotated[str, matching(r"/.{0,1023}", "a path that begins with '/', such as '/healthz'")]
"""The path of HTTP health checks."""
SuccessCodes = Annotated[
    str, matching(r"[0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*", "codes such as '200', '200,301' or '200-399'")
]
"""HTTP or gRPC codes with which a health check succeeds."""
SslPolicy = Annotated[
    str,
    matching(r"ELBSecurityPolicy-[A-Za-z0-9-]+", "a security policy such as 'ELBSecurityPolicy-TLS13-1-2-2021-06'"),
]
"""The TLS versions and ciphers of a listener."""
Port = Annotated[str, matching(r"[0-9]{1,5}", "a port such as '443'"), whole_number(1, 65535)]
"""A port."""
Flag = Annotated[str, matching(r"(?i:t|f|true|false)|0|1", "'true' or 'false'")]
"""Whether something is."""
Pairs = Annotated[
    str, matching(r"\s*[^=,\s]+\s*=[^,]*(,\s*[^=,\s]+\s*=[^,]*)*", "a list of pairs ('key=value,key=value')")
]
"""Pairs of texts."""
Arns = Annotated[str, matching(r"\s*arn:[^,\s]+\s*(,\s*arn:[^,\s]+\s*)*", "a list of ARNs, separated by commas")]
"""ARNs."""


SSL_POLICY = r"ELBSecurityPolicy-[A-Za-z0-9-]+"
"""The form of a security policy's name."""


def attribute_problem(key: str, text: str) -> tuple[str, str] | None:
    """What is wrong with an attribute of a load balancer, a listener or a target group, and the cure."""
    if is_token(key):
        return None
    if "." not in key:
        return f"{shown(key)} is no attribute", "write its whole name, such as 'idle_timeout.timeout_seconds'"
    if is_token(text):
        return None
    if key.endswith(".enabled") and text.lower() not in ("true", "false"):
        return f"{shown(text)} is not allowed as {key}", "write true or false"
    if key.endswith("seconds") and not text.isdecimal():
        return f"{shown(text)} is not allowed as {key}", "write a whole number"
    return None


def _attributes(value: str) -> str:
    for pair in value.split(","):
        key, _, text = (part.strip() for part in pair.partition("="))
        problem = attribute_problem(key, text)
        if problem is not None:
            raise AutoModeError.of("", field="", message=problem[0], cure=problem[1])
    return value


Attributes = Annotated[Pairs, AfterValidator(_attributes)]
"""Attributes of a load balancer, a listener or a target group. Source: Elastic Load Balancing API."""


def _cidrs(value: str) -> str:
    for part in () if is_token(value) else value.split(","):
        try:
            if "/" not in part:
                raise ValueError
            ipaddress.ip_network(part.strip(), strict=False)
        except ValueError:
            raise _refusal(part.strip(), "is no range of addresses", "write ranges such as '10.0.0.0/8'") from None
    return value


Cidrs = Annotated[str, AfterValidator(_cidrs)]
"""Ranges of addresses, separated by commas."""


def _json(example: str, is_right: Callable[[Any], bool]) -> AfterValidator:
    def check(value: str) -> str:
        if is_token(value):
            return value
        try:
            read = json.loads(value)
        except (ValueError, RecursionError):
            raise _refusal(value, "is not JSON", f"write for example '{example}'") from None
        if not is_right(read):
            raise _refusal(value, "is not what a controller reads here", f"write for example '{example}'")
        return value

    return AfterValidator(check)


def _are_listen_ports(read: Any) -> bool:
    return isinstance(read, list) and all(
        isinstance(entry, dict)
        and all(
            protocol in ("HTTP", "HTTPS") and isinstance(port, int) and not isinstance(port, bool) and 0 < port < 65536
            for protocol, port in entry.items()
        )
        for entry in read
    )


ListenPorts = Annotated[str, _json('[{"HTTPS": 443}]', _are_listen_ports)]
"""The ports of the listeners, each by its protocol."""
JsonList = Annotated[str, _json("[{...}]", lambda read: isinstance(read, list))]
"""A list in JSON."""
JsonMapping = Annotated[str, _json('{"name": ...}', lambda read: isinstance(read, dict))]
"""A mapping in JSON."""
