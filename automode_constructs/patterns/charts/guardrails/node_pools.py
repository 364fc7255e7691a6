"""NodePools and NodeClasses: who may create, change and delete them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from automode_constructs.patterns.charts.guardrails.admission_policy import AdmissionPolicy, Resources, listed, text
from automode_constructs.patterns.charts.guardrails.identities import IS_VERIFIED, in_a_group

__all__ = ["node_pools"]

_WRITES = ("CREATE", "UPDATE", "DELETE")
_CONTROLLERS = "system:serviceaccounts:kube-system"
"""The group of the controllers of Kubernetes, such as the garbage collector, and of managed add-ons."""


def node_pools(name: str, groups: Sequence[str]) -> list[AdmissionPolicy]:
    """Refuses writes of anybody but the members of the named groups.

    An identity that may be one of EKS's own is only warned of: it is not documented under which names all of EKS's
    controllers write.
    """
    members = f"members of {listed(groups)} and the CDK" if groups else "the CDK"
    cure = "deliver the change with the CDK, or put the group on your access entry (kubernetesGroups)"
    cure = cure if groups else "deliver the change with the CDK, or name your group (node_pool_groups)"
    strict = AdmissionPolicy(
        name=name,
        resources=(
            Resources(group="karpenter.sh", version="v1", names=("nodepools",), operations=_WRITES),
            Resources(group="eks.amazonaws.com", version="v1", names=("nodeclasses",), operations=_WRITES),
        ),
        conditions={
            "not-a-named-group": f"!({in_a_group([_CONTROLLERS, *groups])})",
            # Status is another resource; what remains are labels, annotations and finalizers.
            "changes-the-spec": "request.operation != 'UPDATE' || has(object.spec) != has(oldObject.spec)"
            " || has(object.spec) && object.spec != oldObject.spec",
            "is-verified": IS_VERIFIED,
        },
        expression="false",
        message=f"only {members} may create, change or delete NodePools and NodeClasses; {cure}",
        message_expression=f"request.userInfo.username + {text(' may not ')} + request.operation + "
        f"{text(' a ')} + request.kind.kind + {text(f': only {members} may; {cure}')}",
    )
    unverified = {**strict.conditions, "is-verified": f"!({IS_VERIFIED})"}
    return [strict, replace(strict, name=f"{name}-unverified", conditions=unverified).warning()]
