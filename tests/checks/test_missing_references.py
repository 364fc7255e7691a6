"""An object that names another one which is not there."""

from __future__ import annotations

from typing import Any

import pytest

from automode_constructs.checks.missing_references import missing_reference_problems


def thing(api_version: str, kind: str, name: str, spec: Any = None, **metadata: Any) -> dict[str, Any]:
    head = {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, **metadata}}
    return head if spec is None else {**head, "spec": spec}


def found(*manifests: dict[str, Any], whole: bool = True) -> list[str]:
    problems = missing_reference_problems(
        manifests, whole=whole, certain=whole, maker="nobody makes", addition="add it"
    )
    return [f"{index} {problem.severity} {problem.rule} {problem}" for index, problem in problems]


PARAMETERS = {"apiGroup": "eks.amazonaws.com", "kind": "IngressClassParams", "name": "alb"}
CLASS_SPEC = {"controller": "eks.amazonaws.com/alb", "parameters": PARAMETERS}
INGRESS_CLASS = thing("networking.k8s.io/v1", "IngressClass", "alb", CLASS_SPEC)
PARAMS = thing("eks.amazonaws.com/v1", "IngressClassParams", "alb", {})
STORAGE_CLASS = thing("storage.k8s.io/v1", "StorageClass", "fast")
SERVICE = thing("v1", "Service", "web", {})
BACKEND = {"defaultBackend": {"service": {"name": "web"}}}


def claim(spec: dict[str, Any]) -> dict[str, Any]:
    return thing("v1", "PersistentVolumeClaim", "data", spec)


def ingress(spec: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    return thing("networking.k8s.io/v1", "Ingress", "web", spec, **metadata)


def binding(name: str) -> dict[str, Any]:
    return thing("eks.amazonaws.com/v1", "TargetGroupBinding", "b", {"serviceRef": {"name": name, "port": 80}})


def stateful_set(spec: dict[str, Any]) -> dict[str, Any]:
    return thing("apps/v1", "StatefulSet", "db", {"volumeClaimTemplates": [{"spec": spec}]})


MISSING = [
    (INGRESS_CLASS, "spec.parameters.name", "IngressClassParams 'alb'", "its Ingresses get no load balancer"),
    (
        ingress({"ingressClassName": "alb"}),
        "spec.ingressClassName",
        "IngressClass 'alb'",
        "no controller makes a load balancer for it",
    ),
    (claim({"storageClassName": "fast"}), "spec.storageClassName", "StorageClass 'fast'", "the claim stays pending"),
    (
        stateful_set({"storageClassName": "fast"}),
        "spec.volumeClaimTemplates[0].spec.storageClassName",
        "StorageClass 'fast'",
        "the claim stays pending",
    ),
    (
        claim({"storageClassName": "", "volumeAttributesClassName": "gold"}),
        "spec.volumeAttributesClassName",
        "VolumeAttributesClass 'gold'",
        "its volume is not changed",
    ),
]


@pytest.mark.parametrize(("manifest", "field", "name", "outcome"), MISSING, ids=[each[1] for each in MISSING])
def test_an_object_without_the_one_that_it_names_is_an_error_where_all_is_known(
    manifest: dict[str, Any], field: str, name: str, outcome: str
) -> None:
    assert found(manifest) == [
        f"0 error automode:ReferenceNotFound {field}: nobody makes the {name}, so {outcome}; add it"
    ]


@pytest.mark.parametrize(
    ("manifest", "there"),
    [
        (INGRESS_CLASS, PARAMS),
        (ingress({"ingressClassName": "alb"}), thing("networking.k8s.io/v1", "IngressClass", "alb", {})),
        (claim({"storageClassName": "fast"}), STORAGE_CLASS),
        (stateful_set({"storageClassName": "fast"}), STORAGE_CLASS),
        (binding("web"), SERVICE),
    ],
    ids=lambda each: str(each["kind"]),
)
def test_an_object_beside_the_one_that_it_names_passes(manifest: dict[str, Any], there: dict[str, Any]) -> None:
    assert found(manifest, there) == []


@pytest.mark.parametrize("manifest", [binding("web"), ingress({"ingressClassName": "alb", **BACKEND})])
def test_a_service_that_an_operator_may_make_is_a_warning(manifest: dict[str, Any]) -> None:
    alb = thing("networking.k8s.io/v1", "IngressClass", "alb", {})
    (finding,) = found(manifest, alb, {**SERVICE, "metadata": {"name": "web", "namespace": "other"}})
    assert finding.startswith("0 warning automode:ReferenceNotFound spec.")
    assert "nobody makes the Service 'web', so " in finding


def test_of_some_files_a_slip_in_a_name_is_a_warning() -> None:
    assert found(claim({"storageClassName": "fats"}), STORAGE_CLASS, whole=False) == [
        "0 warning automode:ReferenceNotFound spec.storageClassName: nobody makes the StorageClass 'fats', so the "
        "claim stays pending; did you mean 'fast'?"
    ]
    assert found(claim({"storageClassName": "gp3"}), STORAGE_CLASS, whole=False) == []


def test_a_class_and_its_parameters_are_a_pair() -> None:
    assert found(INGRESS_CLASS, whole=False) == [
        "0 warning automode:ReferenceNotFound spec.parameters.name: nobody makes the IngressClassParams 'alb', so its "
        "Ingresses get no load balancer; add it"
    ]


def test_a_claim_and_an_ingress_without_a_class_need_a_default() -> None:
    assert found(claim({}), STORAGE_CLASS) == [
        "0 warning automode:ReferenceNotFound spec.storageClassName: is not set, and nobody makes a default "
        "StorageClass, so the claim stays pending; name a StorageClass"
    ]
    assert found(ingress({})) == [
        "0 warning automode:ReferenceNotFound spec.ingressClassName: is not set, and nobody makes a default "
        "IngressClass, so no controller makes a load balancer for it; name an IngressClass"
    ]
    assert found(claim({}), ingress({}), whole=False) == []
    default = thing("storage.k8s.io/v1", "StorageClass", "a", annotations={_DEFAULT: "true"})
    assert found(claim({}), default) == []


_DEFAULT = "storageclass.kubernetes.io/is-default-class"


@pytest.mark.parametrize(
    "manifest",
    [
        claim({"storageClassName": "", "volumeName": "v"}),
        claim({"volumeName": "v", "storageClassName": "x"}),
        claim({"storageClassName": "${Token[TOKEN.1]}"}),
        claim({"storageClassName": ["fast"]}),
        ingress({}, annotations={"kubernetes.io/ingress.class": "alb"}),
        ingress({"ingressClassName": "x"}, annotations={"kubernetes.io/ingress.class": "nginx"}),
        thing("networking.k8s.io/v1", "IngressClass", "nginx", {**CLASS_SPEC, "controller": "k8s.io/ingress-nginx"}),
        thing("networking.k8s.io/v1", "IngressClass", "alb", {**CLASS_SPEC, "parameters": None}),
        thing("networking.k8s.io/v1", "IngressClass", "alb"),
        thing("eks.amazonaws.com/v1", "TargetGroupBinding", "b", {"serviceRef": "web"}),
        {**stateful_set({}), "spec": {"volumeClaimTemplates": ["x"]}},
    ],
    ids=str,
)
def test_what_names_nothing_or_cannot_be_read_passes(manifest: dict[str, Any]) -> None:
    assert found(manifest) == []
