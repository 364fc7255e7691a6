"""What people type first: a value in another form, a field one level off, an argument by its position."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import aws_cdk as cdk
import pytest

from automode_constructs.checks.document import judge_document
from automode_constructs.manifests.node_defaults import NodeDefaults
from automode_constructs.specs import labels as on
from automode_constructs.specs.model import KubeModel
from automode_constructs.specs.nodes.advanced_networking import AdvancedNetworking
from automode_constructs.specs.nodes.advanced_security import AdvancedSecurity
from automode_constructs.specs.nodes.kubelet import Eviction
from automode_constructs.specs.nodes.node_class import EphemeralStorage, NodeClassSpec
from automode_constructs.specs.pools.node_pool import (
    Budget,
    Disruption,
    NodeClaimSpec,
    NodeClaimTemplate,
    NodePoolSpec,
)
from automode_constructs.specs.quantity import near_quantities
from automode_constructs.specs.storage.storage_class import StorageParameters
from tests.refusal import made, refusal

NODES = NodeClaimSpec(requirements=[on.INSTANCE_CATEGORY.is_in("m")])
ARCH: Any = on.ARCH


def test_whole_numbers_are_taken_where_kubernetes_has_their_text() -> None:
    assert on.INSTANCE_GPU_COUNT.is_in(1, 4) == on.INSTANCE_GPU_COUNT.is_in("1", "4")
    assert on.INSTANCE_GENERATION.is_not_in(1).values == ("1",)
    assert Budget(nodes=5).to_manifest() == {"nodes": "5"}
    assert Budget(nodes=0) == Budget(nodes="0")


def test_yaml_must_have_the_text() -> None:
    assert refusal(lambda: Budget.from_manifest({"nodes": 5})) == "nodes: needs a text, got 5; quote it: '5'"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: ARCH.is_in(["arm64"]),
            "values[0]: 'kubernetes.io/arch' needs a text or a whole number, got a list of 1; write is_in('arm64')",
        ),
        (
            lambda: ARCH.is_not_in(("amd64", "arm64")),
            "values[0]: 'kubernetes.io/arch' needs a text or a whole number, got a list of 2; "
            "write is_not_in('amd64', 'arm64')",
        ),
        (
            lambda: ARCH.is_in(cdk.Token.as_list({"Ref": "Zones"})),
            "values[0]: 'kubernetes.io/arch' needs a text or a whole number, got a list of 1; write is_in(*values)",
        ),
        (
            lambda: ARCH.is_in(True, None),
            "2 problems\n"
            "  values[0]: 'kubernetes.io/arch' needs a text or a whole number, got True; write 'true'\n"
            "  values[1]: 'kubernetes.io/arch' needs a text or a whole number, got None",
        ),
        (
            lambda: on.INSTANCE_FAMILY.is_in("m 7"),
            "requirement of 'eks.amazonaws.com/instance-family': values[0]: 'm 7' is not a label value (at most 63 "
            "letters, digits, '-', '_', '.')",
        ),
        (
            on.INSTANCE_FAMILY.is_in,
            "requirement of 'eks.amazonaws.com/instance-family': values: operator In needs at least one value",
        ),
    ],
)
def test_a_requirement_that_fails_names_its_label(make: Callable[[], object], message: str) -> None:
    assert refusal(make) == message


@pytest.mark.parametrize(
    ("given", "cure"),
    [
        (30, "needs a text, got 30; write '30s' for seconds, '30m' for minutes, '30h' for hours"),
        (timedelta(hours=1, minutes=30), "needs a text, got datetime.timedelta(seconds=5400); write '90m'"),
        (timedelta(milliseconds=1), "needs a text, got datetime.timedelta(microseconds=1000)"),
        (1.5, "needs a text, got 1.5; write '90s' for minutes, '90m' for hours"),
        (2.0, "needs a text, got 2.0; write '2s' for seconds, '2m' for minutes, '2h' for hours"),
        (0.1, "needs a text, got 0.1; write '6s' for minutes, '6m' for hours"),
        (-30, "needs a text, got -30"),
        (10**9, "needs a text, got 1000000000"),
        ("1000000000", "'1000000000' is not a duration such as '30s', '1h30m' or 'Never'"),
        ("9" * 5000, f"'{'9' * 77}'... is not a duration such as '30s', '1h30m' or 'Never'"),
        (float("inf"), "needs a text, got inf"),
        (True, "needs a text, got True"),
        ("10d", "'10d' is not a duration such as '30s', '1h30m' or 'Never'; write '240h'"),
        ("1d 12h", "'1d 12h' is not a duration such as '30s', '1h30m' or 'Never'; write '36h'"),
        ("30 seconds", "'30 seconds' is not a duration such as '30s', '1h30m' or 'Never'; write '30s'"),
        ("1.5h", "'1.5h' is not a duration such as '30s', '1h30m' or 'Never'; write '90m'"),
        ("5min", "'5min' is not a duration such as '30s', '1h30m' or 'Never'; write '5m'"),
        ("never", "'never' is not a duration such as '30s', '1h30m' or 'Never'; write 'Never'"),
        ("500ms", "'500ms' is not a duration such as '30s', '1h30m' or 'Never'"),
        ("soon", "'soon' is not a duration such as '30s', '1h30m' or 'Never'"),
    ],
)
def test_a_duration_in_another_form_is_offered_in_the_right_one(given: Any, cure: str) -> None:
    assert refusal(lambda: Disruption(consolidate_after=given)) == f"consolidate_after: {cure}"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: made(Budget, nodes="1", schedule="@daily", duration=8),
            "duration: needs a text, got 8; write '8m' for minutes, '8h' for hours",
        ),
        (
            lambda: made(Budget, nodes="1", schedule="@daily", duration=0.01),
            "duration: needs a text, got 0.01",
        ),
        (lambda: made(Budget, nodes=0.1), "nodes: needs a text, got 0.1; write '10%'"),
        (lambda: made(Budget, nodes=0.125), "nodes: needs a text, got 0.125"),
        (lambda: made(Budget, nodes=2.5), "nodes: needs a text, got 2.5"),
        (
            lambda: made(Eviction, soft={"memory.available": 0.5}),
            "soft['memory.available']: needs a text, got 0.5; quote it: '0.5'",
        ),
        (
            lambda: made(Eviction, soft_grace_period={"memory.available": 90}),
            "soft_grace_period['memory.available']: needs a text, got 90; "
            "write '90s' for seconds, '90m' for minutes, '90h' for hours",
        ),
        (lambda: made(EphemeralStorage, size=80.5), "size: needs a text, got 80.5"),
        (lambda: made(StorageParameters, throughput=250.0), "throughput: needs a text, got 250.0; quote it: '250'"),
        (lambda: made(StorageParameters, throughput=2.5), "throughput: needs a text, got 2.5"),
    ],
)
def test_a_number_is_offered_as_the_text_that_the_field_takes(make: Callable[[], object], message: str) -> None:
    assert refusal(make) == message


def test_a_budget_without_nodes_is_of_a_tenth_of_them() -> None:
    assert Budget.from_manifest({"reasons": ["Drifted"]}).to_manifest() == {"reasons": ["Drifted"]}


def test_what_is_offered_is_what_the_field_takes() -> None:
    def grace(text: str) -> str:
        return refusal(lambda: NodeClaimSpec(requirements=[], termination_grace_period=text))

    assert grace("never") == "termination_grace_period: 'never' is not a duration such as '30s' or '1h30m'"
    assert grace("1 day").endswith("; write '24h'")
    assert refusal(lambda: Budget(nodes=1, schedule="@daily", duration="1 day")).endswith("; write '24h'")
    assert refusal(lambda: Budget(nodes=1, schedule="@daily", duration="30 seconds")).endswith(
        "such as '8h' or '1h30m'"
    )
    assert refusal(lambda: Eviction(soft_grace_period={"memory.available": "2 minutes"})).endswith("; write '2m'")


@pytest.mark.parametrize(
    ("text", "quantities"),
    [
        ("100GB", ["100G", "100Gi"]),
        ("64 gi", ["64Gi"]),
        ("1K", ["1k", "1Ki"]),
        ("512MiB", ["512Mi"]),
        ("1.5tb", ["1.5T", "1.5Ti"]),
        ("100B", ["100"]),
        ("much", []),
        ("", []),
        ("1 000", []),
    ],
)
def test_quantities_near_a_text(text: str, quantities: list[str]) -> None:
    assert near_quantities(text) == quantities


@pytest.mark.parametrize(
    ("make", "cure"),
    [
        (lambda: EphemeralStorage(size="100GB"), "; did you mean '100G' or '100Gi'?"),
        (lambda: EphemeralStorage(size="60000gb"), "; did you mean '60000G'?"),
        (lambda: EphemeralStorage(size="1 MB"), "; 1Ti is 1024Gi"),
        (
            lambda: NodePoolSpec(template=NodeClaimTemplate(spec=NODES), limits={"memory": "100GB"}),
            "limits.memory: '100GB' is not a quantity such as 1000, '500m' or '64Gi'; did you mean '100G' or '100Gi'?",
        ),
        (
            lambda: made(NodePoolSpec, template=NodeClaimTemplate(spec=NODES), limits={"cpu": 1.5}),
            "limits.cpu: 1.5 is not a quantity such as 1000, '500m' or '64Gi'; write '1.5'",
        ),
    ],
)
def test_a_quantity_in_another_form_is_offered_in_the_right_one(make: Callable[[], object], cure: str) -> None:
    assert refusal(make).endswith(cure)


@pytest.mark.parametrize(
    ("model", "field", "cure"),
    [
        (NodePoolSpec, "requirements", "write it in 'template.spec' (NodeClaimSpec)"),
        (NodePoolSpec, "labels", "write it in 'template.metadata' (NodeMetadata)"),
        (NodePoolSpec, "consolidate_after", "write it in 'disruption' (Disruption)"),
        (NodePoolSpec, "expireAfter", "write expire_after in 'template.spec' (NodeClaimSpec)"),
        (NodePoolSpec, "schedule", "write it in 'disruption.budgets' (Budget)"),
        (NodeClaimTemplate, "taints", "write it in 'spec' (NodeClaimSpec)"),
        (NodeClaimSpec, "limits", "write it in NodePoolSpec"),
        (NodeClaimSpec, "labels", "write it in NodeMetadata"),
        (Budget, "consolidation_policy", "write it in Disruption"),
        (NodeClassSpec, "https_proxy", "write it in 'advanced_networking' (AdvancedNetworking)"),
        (NodeClassSpec, "max_pods", "write it in 'advanced_compute.kubelet' (Kubelet)"),
        (NodeClassSpec, "kmsKeyID", "write kms_key_id in 'ephemeral_storage' (EphemeralStorage)"),
        (AdvancedNetworking, "snat_policy", "write it in NodeClassSpec"),
        (NodePoolSpec, "name", "use one of 'template', 'disruption', 'limits', 'weight', 'replicas'"),
        (NodePoolSpec, "wieght", "did you mean 'weight'? Use one of "),
    ],
)
def test_a_field_one_level_off_is_told_where_it_lies(model: type[KubeModel], field: str, cure: str) -> None:
    problems = refusal(lambda: model(**{field: "x"})).splitlines()
    (told,) = [line.strip() for line in problems if line.strip().startswith(f"{field}: is not a known field")]
    assert told.startswith(f"{field}: is not a known field; {cure}")


def test_a_field_of_each_model_is_told_from_each_place_of_its_kind() -> None:
    """Whatever stands in one part of a pool or class alone is told from the outermost one."""
    for kind in (NodePoolSpec, NodeClassSpec):
        for place, inner in _parts(kind):
            for name in inner.model_fields:
                problems = refusal(lambda kind=kind, name=name: kind(**{name: object()}))  # type: ignore[misc]
                if name in kind.model_fields or name in {"group", "id", "key", "kind", "name", "value", "values"}:
                    continue
                assert f"{name}: is not a known field; write it in '" in problems, (kind, place, name)


def _parts(model: type[KubeModel], place: str = "") -> list[tuple[str, type[KubeModel]]]:
    from automode_constructs.specs.messages import inner_model

    parts = [(name, inner_model(field.annotation)) for name, field in model.model_fields.items()]
    found = [(f"{place}.{name}", inner) for name, inner in parts if inner is not None]
    return found + [deeper for name, inner in found for deeper in _parts(inner, name)]


def test_yaml_is_told_the_same_in_its_own_names() -> None:
    document = {
        "apiVersion": "eks.amazonaws.com/v1",
        "kind": "NodeClass",
        "metadata": {"name": "a"},
        "spec": {
            "role": "nodes",
            "subnetSelectorTerms": [{"id": "subnet-0123"}],
            "securityGroupSelectorTerms": [{"id": "sg-0123"}],
            "kmsKeyID": "alias/nodes",
            "httpsProxy": "http://proxy.example.com:3128",
            "networkInterfaces": [],
            "ephemeralStorage": {"noProxy": [], "snatPolicy": "Random"},
        },
    }
    told = {finding.field: finding.cure for finding in judge_document(document) or ()}
    assert told == {
        "spec.kmsKeyID": "write it in 'ephemeralStorage'",
        "spec.httpsProxy": "write it in 'advancedNetworking'",
        "spec.networkInterfaces": "write it in 'advancedNetworking'",
        "spec.ephemeralStorage.noProxy": "write it in 'advancedNetworking'",
        "spec.ephemeralStorage.snatPolicy": "write it further out, beside 'ephemeralStorage'",
    }


def test_an_argument_by_its_position_is_told_its_name() -> None:
    any_spec: Any = NodePoolSpec
    template = NodeClaimTemplate(spec=NODES)
    assert refusal(lambda: any_spec(template)) == (
        "template: is given by its position: a NodeClaimTemplate; write template=..."
    )
    any_budget: Any = Budget
    assert refusal(lambda: any_budget("10%")) == "nodes: is given by its position: '10%'; write nodes=..."
    assert refusal(lambda: any_budget("@daily", nodes=1)).endswith("write reasons=...")


@pytest.mark.parametrize("spelling", ["integrity", "Integrity", "none", "None"])
def test_both_spellings_of_the_lockdown_pass_wherever_it_is_set(spelling: Any) -> None:
    nodes = AdvancedSecurity(kernel_lockdown=spelling)
    assert NodeDefaults(kernel_lockdown=spelling).advanced_security() == nodes
