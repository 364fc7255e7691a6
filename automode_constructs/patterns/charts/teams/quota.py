"""TeamQuota: the ceiling of a namespace, with the defaults that let every pod pass under it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from automode_constructs.arguments import Refusals, checked_arguments
from automode_constructs.errors import shown
from automode_constructs.specs.fields import is_quantity
from automode_constructs.specs.quantity import number
from automode_constructs.tokens import is_token

__all__ = ["DEVICES", "TeamQuota"]

DEVICES = (
    "nvidia.com/gpu",
    "aws.amazon.com/neuron",
    "aws.amazon.com/neuroncore",
    "aws.amazon.com/neurondevice",
    "vpc.amazonaws.com/efa",
)
"""Devices that nodes of Auto Mode can have. What a quota does not name has no ceiling, so each is named."""


@checked_arguments
@dataclass(frozen=True, kw_only=True, slots=True)
class TeamQuota:
    """The ceiling of one namespace, as a ResourceQuota and a LimitRange that fit together.

    Requests are counted, not limits: they are what Karpenter buys nodes for. The LimitRange gives a request to each
    container that has none, because otherwise the quota would refuse its pod. It sets no limits: a default limit would
    refuse every container that requests more and names no limit of its own.

    Args:
        cpu: what all containers of the namespace may request, as a quantity: ``32``, ``"500m"``.
        memory: the same of memory, such as ``"128Gi"``.
        devices: the same of devices by resource, whole numbers: ``{"nvidia.com/gpu": 4}``. Default: none of the
            devices that Auto Mode's nodes have (0 of each); we decide, without a quota there is no ceiling.
        storage: what all volume claims may request. Default: ``100Gi``; we decide.
        pods: how many pods there may be; each takes an address of the subnets. Default: 100; we decide.
        load_balancers: how many Services of type LoadBalancer there may be; each is an AWS load balancer, while
            Ingresses share one. Default: 0; we decide.
        default_cpu: the request of a container that has none. Default: ``100m``; we decide.
        default_memory: the same of memory. Default: ``128Mi``; we decide.

    Raises:
        AutoModeError: for what is no quantity, or negative; for a device that has no domain or is named as a quota
            names it; for a default that is more than the ceiling.

    Source: Kubernetes documentation, "Resource Quotas", "Limit Ranges".
    """

    cpu: int | str
    memory: int | str
    devices: Mapping[str, int] = field(default_factory=dict)
    storage: int | str = "100Gi"
    pods: int = 100
    load_balancers: int = 0
    default_cpu: int | str = "100m"
    default_memory: int | str = "128Mi"

    def __post_init__(self) -> None:
        refusals = Refusals("TeamQuota")
        amounts = {
            name: _amount(refusals, name, getattr(self, name))
            for name in ("cpu", "memory", "storage", "default_cpu", "default_memory")
        }
        for name in ("cpu", "memory"):
            most, default = amounts[name], amounts[f"default_{name}"]
            if most is not None and default is not None and default > most:
                refusals.refuse(
                    f"default_{name}",
                    f"{shown(getattr(self, f'default_{name}'))} is more than all of the namespace may request "
                    f"({name}={shown(getattr(self, name))}), so no pod without requests could start",
                    "lower it, or raise the ceiling",
                )
        refusals.number("pods", self.pods, least=0)
        refusals.number("load_balancers", self.load_balancers, least=0)
        for device, count in self.devices.items():
            at = f"devices[{shown(device)}]"
            if "/" not in device or device.startswith(("requests.", "limits.")):
                bare = device.removeprefix("requests.").removeprefix("limits.")
                cure = f"write {shown(bare)}" if "/" in bare else "write a resource such as 'nvidia.com/gpu'"
                refusals.refuse(at, "is not the resource of a device", cure)
            elif is_token(count):
                refusals.refuse(at, "is known only after deployment", "write a number")
            else:
                refusals.number(at, count, least=0)
        refusals.raise_all()

    def hard(self) -> dict[str, str]:
        """``spec.hard`` of the ResourceQuota."""
        devices = {**dict.fromkeys(DEVICES, 0), **self.devices}
        return {
            "requests.cpu": str(self.cpu),
            "requests.memory": str(self.memory),
            # Devices cannot be overcommitted, so that Kubernetes counts them by their requests alone.
            **{f"requests.{device}": str(count) for device, count in devices.items()},
            "requests.storage": str(self.storage),
            "pods": str(self.pods),
            "services.loadbalancers": str(self.load_balancers),
        }

    def limit_range(self) -> list[dict[str, Any]]:
        """``spec.limits`` of the LimitRange."""
        return [
            {
                "type": "Container",
                "defaultRequest": {"cpu": str(self.default_cpu), "memory": str(self.default_memory)},
            }
        ]


def _amount(refusals: Refusals, field: str, value: int | str) -> Decimal | None:
    """The number that a quantity stands for; what is none is refused."""
    if is_token(value):
        refusals.refuse(field, "is known only after deployment", "write a quantity")
        return None
    amount = number(value) if isinstance(value, int) or is_quantity(value) else None
    if amount is None or not amount.is_finite() or amount < 0:
        refusals.refuse(field, f"{shown(value)} is not an amount", "write a quantity such as 32, '500m' or '128Gi'")
        return None
    return amount
