"""The well-known label keys that Auto Mode schedules by, and the requirements built from them.

A requirement reads like a sentence: ``INSTANCE_CATEGORY.is_in("c", "m")``, ``INSTANCE_GENERATION.greater_than(4)``.
``kubernetes.io/os`` has no constant: AWS accepts the key and lists it as unsupported, since every node runs Linux, so
do not write it.
Source: EKS User Guide, "Create a Node Pool for EKS Auto Mode", table of supported labels.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Self, cast

from automode_constructs.errors import AutoModeError, Problem, shown
from automode_constructs.tokens import is_token

if TYPE_CHECKING:
    from automode_constructs.specs.pools.requirement import Operator, Requirement

__all__ = [
    "ARCH",
    "CAPACITY_RESERVATION_ID",
    "CAPACITY_RESERVATION_INTERRUPTIBLE",
    "CAPACITY_RESERVATION_TYPE",
    "CAPACITY_TYPE",
    "COMPUTE_TYPE",
    "INSTANCE_CATEGORY",
    "INSTANCE_CPU",
    "INSTANCE_CPU_MANUFACTURER",
    "INSTANCE_EBS_BANDWIDTH",
    "INSTANCE_ENCRYPTION_IN_TRANSIT_SUPPORTED",
    "INSTANCE_FAMILY",
    "INSTANCE_GENERATION",
    "INSTANCE_GPU_COUNT",
    "INSTANCE_GPU_MANUFACTURER",
    "INSTANCE_GPU_MEMORY",
    "INSTANCE_GPU_NAME",
    "INSTANCE_HYPERVISOR",
    "INSTANCE_LOCAL_NVME",
    "INSTANCE_MEMORY",
    "INSTANCE_NETWORK_BANDWIDTH",
    "INSTANCE_SIZE",
    "INSTANCE_TYPE",
    "PLACEMENT_GROUP_ID",
    "ZONE",
    "NumberLabel",
    "TextLabel",
    "stable_key",
]


class TextLabel(str):
    """A label key whose values are text. It is also a plain string, so it works as a ``nodeSelector`` key.

    Args:
        key: the label's key.
        choices: all values that the label can have. Default: none given; its values are an open set.
    """

    __slots__ = ("choices",)
    choices: tuple[str, ...]

    def __new__(cls, key: str, *choices: str) -> Self:
        """The key as text, with its choices."""
        label = super().__new__(cls, key)
        label.choices = choices
        return label

    def can_be(self, value: str) -> bool:
        """Whether the label can have this value; a value known only after deployment may be any."""
        return not self.choices or value in self.choices or is_token(value)

    def is_in(self, *values: int | str) -> Requirement:
        """The node's value is one of these (operator ``In``)."""
        return _requirement(self, "In", _texts(self, "is_in", values))

    def is_not_in(self, *values: int | str) -> Requirement:
        """The node's value is none of these (operator ``NotIn``)."""
        return _requirement(self, "NotIn", _texts(self, "is_not_in", values))

    def exists(self) -> Requirement:
        """The node has the label (operator ``Exists``)."""
        return _requirement(self, "Exists")

    def does_not_exist(self) -> Requirement:
        """The node lacks the label (operator ``DoesNotExist``)."""
        return _requirement(self, "DoesNotExist")


class NumberLabel(TextLabel):
    """A label key whose values are whole numbers; Karpenter compares them as numbers."""

    __slots__ = ()

    def can_be(self, value: str) -> bool:
        """Whether the value is a whole number, or known only after deployment."""
        return (value.isascii() and value.isdecimal()) or is_token(value)

    def greater_than(self, number: int) -> Requirement:
        """The node's value is greater (operator ``Gt``)."""
        return _requirement(self, "Gt", (_text(number),))

    def at_least(self, number: int) -> Requirement:
        """The node's value is greater or equal (operator ``Gte``)."""
        return _requirement(self, "Gte", (_text(number),))

    def less_than(self, number: int) -> Requirement:
        """The node's value is less (operator ``Lt``)."""
        return _requirement(self, "Lt", (_text(number),))

    def at_most(self, number: int) -> Requirement:
        """The node's value is less or equal (operator ``Lte``)."""
        return _requirement(self, "Lte", (_text(number),))


def _requirement(key: str, operator: Operator, values: tuple[str, ...] | None = None) -> Requirement:
    # Requirements look their keys up here, so that the module that has them is imported late.
    from automode_constructs.specs.pools.requirement import Requirement

    try:
        return Requirement(key=str(key), operator=operator, values=values)
    except AutoModeError as error:
        raise (error if f"'{key}'" in str(error) else error.at(f"requirement of '{key}'")) from None


def _texts(label: str, sentence: str, values: Sequence[object]) -> tuple[str, ...]:
    """Label values as Kubernetes has them: whole numbers as texts."""
    problems, texts = [], []
    for index, value in enumerate(values):
        if isinstance(value, str) or (is_token(value) and not isinstance(value, Collection)):
            texts.append(cast("str", value))
        elif isinstance(value, int) and not isinstance(value, bool):
            texts.append(str(value))
        else:
            cure = f"write '{str(value).lower()}'" if isinstance(value, bool) else ""
            if isinstance(value, Collection):
                plain = len(value) <= 5 and all(isinstance(item, int | str) and not is_token(item) for item in value)
                cure = f"write {sentence}({', '.join(map(repr, value)) if plain else '*values'})"
            message = f"'{label}' needs a text or a whole number, got {shown(value)}"
            problems.append(Problem(field=f"values[{index}]", message=message, cure=cure))
    if problems:
        raise AutoModeError("", problems)
    return tuple(texts)


def _text(number: int) -> str:
    # A number token must not become digits; the requirement rejects it with the cure.
    return number if is_token(number) else str(number)  # type: ignore[return-value]


ZONE = TextLabel("topology.kubernetes.io/zone")
"""Availability zone name, such as ``us-west-2a``."""
INSTANCE_TYPE = TextLabel("node.kubernetes.io/instance-type")
"""EC2 instance type, such as ``g6e.xlarge``."""
ARCH = TextLabel("kubernetes.io/arch", "amd64", "arm64")
"""CPU architecture: ``amd64`` or ``arm64``."""
CAPACITY_TYPE = TextLabel("karpenter.sh/capacity-type", "spot", "on-demand", "reserved")
"""How EC2 sells the node: ``spot``, ``on-demand`` or ``reserved``."""
COMPUTE_TYPE = TextLabel("eks.amazonaws.com/compute-type", "auto")
"""``auto`` on every Auto Mode node."""
INSTANCE_CATEGORY = TextLabel("eks.amazonaws.com/instance-category")
"""Letters before the generation digit: ``c``, ``m``, ``r``, ``t``, ``g``, ``p``, ``inf``, ``trn`` ..."""
INSTANCE_FAMILY = TextLabel("eks.amazonaws.com/instance-family")
"""Such as ``m7i-flex`` or ``g6e``."""
INSTANCE_GENERATION = NumberLabel("eks.amazonaws.com/instance-generation")
"""The digit in the family's name."""
INSTANCE_SIZE = TextLabel("eks.amazonaws.com/instance-size")
"""Such as ``xlarge``; Auto Mode launches no nano, micro or small."""
INSTANCE_CPU = NumberLabel("eks.amazonaws.com/instance-cpu")
"""vCPUs."""
INSTANCE_CPU_MANUFACTURER = TextLabel("eks.amazonaws.com/instance-cpu-manufacturer")
"""``aws``, ``intel`` or ``amd``."""
INSTANCE_MEMORY = NumberLabel("eks.amazonaws.com/instance-memory")
"""MiB."""
INSTANCE_EBS_BANDWIDTH = NumberLabel("eks.amazonaws.com/instance-ebs-bandwidth")
"""Mbit/s at most."""
INSTANCE_NETWORK_BANDWIDTH = NumberLabel("eks.amazonaws.com/instance-network-bandwidth")
"""Baseline Mbit/s."""
INSTANCE_HYPERVISOR = TextLabel("eks.amazonaws.com/instance-hypervisor")
"""``nitro``."""
INSTANCE_ENCRYPTION_IN_TRANSIT_SUPPORTED = TextLabel(
    "eks.amazonaws.com/instance-encryption-in-transit-supported", "true", "false"
)
"""``true`` or ``false``."""
INSTANCE_GPU_NAME = TextLabel("eks.amazonaws.com/instance-gpu-name")
"""Such as ``l4``, ``l40s``, ``a10g``."""
INSTANCE_GPU_MANUFACTURER = TextLabel("eks.amazonaws.com/instance-gpu-manufacturer")
"""``nvidia``."""
INSTANCE_GPU_COUNT = NumberLabel("eks.amazonaws.com/instance-gpu-count")
"""GPUs of the instance."""
INSTANCE_GPU_MEMORY = NumberLabel("eks.amazonaws.com/instance-gpu-memory")
"""MiB of one GPU."""
INSTANCE_LOCAL_NVME = NumberLabel("eks.amazonaws.com/instance-local-nvme")
"""GiB of local NVMe."""
CAPACITY_RESERVATION_ID = TextLabel("eks.amazonaws.com/capacity-reservation-id")
"""``cr-...``; on reserved nodes only."""
CAPACITY_RESERVATION_TYPE = TextLabel("eks.amazonaws.com/capacity-reservation-type", "default", "capacity-block")
"""``default`` or ``capacity-block``; on reserved nodes only."""
CAPACITY_RESERVATION_INTERRUPTIBLE = TextLabel("eks.amazonaws.com/capacity-reservation-interruptible", "true", "false")
"""``true`` or ``false``; on reserved nodes only."""
PLACEMENT_GROUP_ID = TextLabel("eks.amazonaws.com/placement-group-id")
"""``pg-...``."""

KNOWN_LABELS = {str(label): label for label in tuple(globals().values()) if isinstance(label, TextLabel)}
"""The labels above by their keys."""

ON_EVERY_NODE = frozenset(
    {
        ZONE,
        INSTANCE_TYPE,
        ARCH,
        CAPACITY_TYPE,
        COMPUTE_TYPE,
        INSTANCE_CATEGORY,
        INSTANCE_FAMILY,
        INSTANCE_GENERATION,
        INSTANCE_SIZE,
        INSTANCE_CPU,
        INSTANCE_CPU_MANUFACTURER,
        INSTANCE_MEMORY,
        INSTANCE_ENCRYPTION_IN_TRANSIT_SUPPORTED,
        "kubernetes.io/os",
    }
)
"""Labels that every node has. GPU labels, for example, are on GPU nodes only."""

_STABLE_KEYS = {
    "beta.kubernetes.io/arch": "kubernetes.io/arch",
    "beta.kubernetes.io/instance-type": "node.kubernetes.io/instance-type",
    "beta.kubernetes.io/os": "kubernetes.io/os",
    "failure-domain.beta.kubernetes.io/region": "topology.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone": "topology.kubernetes.io/zone",
}


def stable_key(key: str) -> str:
    """The present key for a label's old name, as Karpenter translates it; other keys unchanged."""
    return _STABLE_KEYS.get(key, str(key))
