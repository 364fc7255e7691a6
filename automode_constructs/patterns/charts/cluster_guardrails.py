"""Guard rails inside the cluster: what the API server refuses, whoever sends it."""

from __future__ import annotations

import cdk8s
from constructs import Construct

from automode_constructs.arguments import checked_arguments
from automode_constructs.manifests.kubernetes_object import KubernetesObject
from automode_constructs.patterns.charts.guardrails.settings import Guardrails

__all__ = ["ClusterGuardrails"]

_API = "admissionregistration.k8s.io/v1"


class ClusterGuardrails(cdk8s.Chart):
    """ValidatingAdmissionPolicies with their bindings: rules that hold for whoever writes to the cluster.

    Creates a policy for each rule, named ``automode-<rule>`` (``node-pools`` has a second one), and a binding of the
    same name; the rules about pods have a second binding, ``automode-<rule>-early``, which only warns about the
    workloads that make them. Refused are new objects and what a change adds: what an object had before may stay, so
    that its finalizers, labels and replicas can always be written.

    The CDK delivers policies and bindings after everything else, in whichever stack it is, and deletes them first; so
    give them a stack of their own, such as ``GuardrailsStack``.

    Args:
        scope: the cdk8s app.
        id: the chart's id.
        guardrails: the rules, and whom and what they spare.

    Source: Kubernetes documentation, "Validating Admission Policy", "Pod Security Admission"; EKS User Guide, "Set a
    custom username for EKS access entries".
    """

    @checked_arguments
    def __init__(self, scope: Construct, id: str, *, guardrails: Guardrails) -> None:
        super().__init__(scope, id)
        for policy in guardrails.policies():
            KubernetesObject(
                self, policy.name, api_version=_API, kind="ValidatingAdmissionPolicy", body={"spec": policy.spec()}
            )
            for name, spec in policy.bindings().items():
                KubernetesObject(
                    self,
                    f"{name}-binding",
                    name=name,
                    api_version=_API,
                    kind="ValidatingAdmissionPolicyBinding",
                    body={"spec": spec},
                )
