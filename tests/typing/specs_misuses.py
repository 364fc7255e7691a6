"""User code that must not type-check: every line carries the complaint, and an unneeded one is an error itself."""

import automode_constructs
from automode_constructs import Budget, EphemeralStorage, Hugepages, Kubelet, NodePoolSpec, Taint
from automode_constructs.specs import labels


def misspelt() -> None:
    automode_constructs.AutoModeClutser  # type: ignore[attr-defined]  # noqa: B018
    from automode_constructs import NodePol  # type: ignore[attr-defined]  # noqa: F401

    labels.INSTANCE_CATEGROY  # type: ignore[attr-defined]  # noqa: B018


def wrong() -> None:
    EphemeralStorage(size=100)  # type: ignore[arg-type]
    EphemeralStorage(kmsKeyID="alias/volumes")  # type: ignore[call-arg]
    Taint(key="a", effect="Never")  # type: ignore[arg-type]
    Budget(nodes=0.5)  # type: ignore[arg-type]
    labels.ARCH.is_in(["arm64"])  # type: ignore[arg-type]
    Budget(node="10%")  # type: ignore[call-arg]
    Hugepages(pages=["2Mi"])  # type: ignore[list-item]
    Kubelet(max_pod=10)  # type: ignore[call-arg]
    NodePoolSpec(weight=1)  # type: ignore[call-arg]
    labels.INSTANCE_CATEGORY.greater_than(4)  # type: ignore[attr-defined]
    labels.INSTANCE_GENERATION.greater_than("4")  # type: ignore[arg-type]
