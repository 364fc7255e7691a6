"""Writes ``automode_constructs/facts/kubernetes_fields.json``: the fields of Kubernetes' own kinds and their types.

From Kubernetes' OpenAPI as the package kubernetes-validate ships it; names and types only, without its descriptions.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

__all__ = ["KINDS", "document", "main"]

_WRITTEN = Path(__file__).parent.parent / "automode_constructs" / "facts" / "kubernetes_fields.json"

_KUBERNETES = "1.37"
_DAY = "2026-11-27"

KINDS = (
    *("v1 ConfigMap", "v1 LimitRange", "v1 Namespace", "v1 PersistentVolumeClaim", "v1 Pod", "v1 ResourceQuota"),
    *("v1 Secret", "v1 Service", "v1 ServiceAccount"),
    *("apps/v1 DaemonSet", "apps/v1 Deployment", "apps/v1 ReplicaSet", "apps/v1 StatefulSet"),
    *("autoscaling/v2 HorizontalPodAutoscaler", "batch/v1 CronJob", "batch/v1 Job"),
    *("networking.k8s.io/v1 Ingress", "networking.k8s.io/v1 IngressClass", "networking.k8s.io/v1 NetworkPolicy"),
    "policy/v1 PodDisruptionBudget",
    *("rbac.authorization.k8s.io/v1 ClusterRole", "rbac.authorization.k8s.io/v1 ClusterRoleBinding"),
    *("rbac.authorization.k8s.io/v1 Role", "rbac.authorization.k8s.io/v1 RoleBinding"),
    "scheduling.k8s.io/v1 PriorityClass",
    *("storage.k8s.io/v1 StorageClass", "storage.k8s.io/v1 VolumeAttributesClass"),
)
"""The kinds that the file holds: those of the workloads, and what stands beside them."""

_PLAIN = {
    "io.k8s.apimachinery.pkg.api.resource.Quantity": "quantity",
    "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1": "any",
    "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime": "string",
    "io.k8s.apimachinery.pkg.apis.meta.v1.Time": "string",
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": "integer-or-string",
}


def document() -> str:
    """The data file: one type a line."""
    schemas = files("kubernetes_validate").joinpath(f"kubernetes-json-schema/v{_KUBERNETES}.0-local-strict")
    defined: dict[str, Any] = json.loads(schemas.joinpath("_definitions.json").read_text("utf-8"))["$defs"]
    kinds = {
        f"{group}/{one['version']} {one['kind']}".removeprefix("/"): name
        for name, schema in defined.items()
        for one in schema.get("x-kubernetes-group-version-kind", ())
        for group in [one["group"]]
    }
    types: dict[str, dict[str, str]] = {}
    full: dict[str, str] = {}
    waiting = [kinds[kind] for kind in KINDS]
    for name in waiting:
        short = _short(name)
        if short in types:
            assert full.setdefault(short, name) == name, f"two types are called {short}"
            continue
        full[short] = name
        schema = defined[name]
        required = schema.get("required", ())
        fields = dict(sorted(schema.get("properties", {}).items()))
        if "status" in fields and "x-kubernetes-group-version-kind" in schema:
            fields["status"] = {}  # what an object is told about itself is not judged
        types[short] = {field: _type(inner) + ("!" if field in required else "") for field, inner in fields.items()}
        waiting += [inner for part in fields.values() for inner in _references(part) if inner not in _PLAIN]
    head = {
        "source": f"Kubernetes {_KUBERNETES}, OpenAPI, by kubernetes-validate {version('kubernetes-validate')}",
        "date": _DAY,
        "kinds": {kind: _short(kinds[kind]) for kind in KINDS},
    }
    lines = [f"  {json.dumps(key)}: {json.dumps(value)}," for key, value in head.items()]
    rows = [f"    {json.dumps(name)}: {json.dumps(types[name], separators=(',', ':'))}" for name in sorted(types)]
    return "\n".join(["{", *lines, '  "types": {', ",\n".join(rows), "  }", "}", ""])


def _short(name: str) -> str:
    return name.rpartition(".")[2]


def _references(schema: Mapping[str, Any]) -> Iterator[str]:
    if "$ref" in schema:
        yield schema["$ref"].rpartition("/")[2]
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from _references(schema[key])


def _type(schema: Mapping[str, Any]) -> str:
    """A word for a type: ``[]`` before it stands for a list of it, ``{}`` for a map of texts to it."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return _PLAIN.get(name, _short(name))
    kind = schema.get("type", "any")
    kind = next(one for one in kind if one != "null") if isinstance(kind, list) else kind
    if kind == "array":
        return f"[]{_type(schema['items'])}"
    if kind == "object":
        values = schema.get("additionalProperties")
        return f"{{}}{_type(values)}" if isinstance(values, dict) else "any"
    return str(schema["format"] if kind == "integer" and "format" in schema else kind)


def main() -> None:
    """Writes the data file."""
    _WRITTEN.write_text(document(), "utf-8")


if __name__ == "__main__":
    main()
