"""A kubectl that remembers: every object is a file in a folder, every call a line in a log.

Stands before the kubectl of the CDK's layer in the Lambdas of a rehearsal, and on the rehearsal's own PATH. It knows
the calls that the CDK's handler makes and a few of a person's, refuses what a server refuses first (an object that is
there already, a namespace that is not, an immutable field) and has every Job succeed at once. With
``REHEARSE_KUBECONFIG`` it hands each call to the real kubectl, with that file in place of the one the handler wrote.

Run by the stand-in's Python too, so that it imports nothing but the standard library.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

OBJECTS = "REHEARSE_OBJECTS"
"""Names the folder of the objects; ``calls.jsonl`` beside it is the log."""

KUBECONFIG = "REHEARSE_KUBECONFIG"
"""Names the file that leads to a real API server, where there is one."""

Manifest = dict[str, Any]

_NAMESPACES = frozenset({"default", "kube-node-lease", "kube-public", "kube-system"})
CRDS = frozenset(
    {
        "ingressclassparams.eks.amazonaws.com",
        "nodeclasses.eks.amazonaws.com",
        "nodepools.karpenter.sh",
        "targetgroupbindings.eks.amazonaws.com",
    }
)
"""What EKS installs in every Auto Mode cluster."""

_CLUSTER_SCOPED = frozenset(
    {
        "clusterrole",
        "clusterrolebinding",
        "customresourcedefinition",
        "deviceclass",
        "ingressclass",
        "ingressclassparams",
        "namespace",
        "nodeclass",
        "nodepool",
        "persistentvolume",
        "priorityclass",
        "storageclass",
        "validatingadmissionpolicy",
        "validatingadmissionpolicybinding",
        "volumeattributesclass",
    }
)
_IMMUTABLE = {
    "daemonset": ("spec.selector",),
    "deployment": ("spec.selector",),
    "job": ("spec.selector", "spec.template"),
    "statefulset": ("spec.selector", "spec.serviceName"),
    "storageclass": ("parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"),
}
_SHORT = {"crd": "customresourcedefinition", "ns": "namespace"}
_WITH_VALUE = {"--filename": "-f", "--kubeconfig": "--kubeconfig", "--namespace": "-n", "--output": "-o"}
_SWITCHES = frozenset({"--force", "--ignore-not-found", "--save-config", "--validate=false"})


class RefusedError(Exception):
    """What the API server would refuse, in its words."""


def main(arguments: Sequence[str]) -> None:
    """Does one call, as kubectl would: exit code 1 and ``Error from server`` for what is refused."""
    folder = Path(os.environ[OBJECTS])
    note = {"time": time.strftime("%H:%M:%S"), "call": list(arguments)}
    try:
        if os.environ.get(KUBECONFIG):
            _log(folder, note)
            _hand_on(arguments, os.environ[KUBECONFIG])
        print(call(arguments, folder), end="")
    except RefusedError as refused:
        note["refused"] = str(refused)
        sys.exit(str(refused))
    finally:
        _log(folder, note)


def call(arguments: Sequence[str], folder: Path) -> str:
    """What a call prints; the objects in the folder are the cluster's.

    Raises:
        RefusedError: for what a server refuses, and for a call that this kubectl does not know.
    """
    words, options = _parsed(arguments)
    verb, *names = words or ("",)
    if verb in {"apply", "create", "delete", "replace"} and "-f" in options:
        lines = []
        for manifest in _manifests(options["-f"]):
            if verb == "delete":
                lines.append(_delete(manifest, folder))
            else:
                if verb == "replace":
                    _file(manifest, folder).unlink(missing_ok=True)
                lines.append(_apply(manifest, folder, create=verb == "create"))
        return "".join(f"{line}\n" for line in lines)
    if verb == "get" and "-f" in options:
        items = [stored for one in _manifests(options["-f"]) if (stored := _stored(one, folder)) is not None]
        return _shown({"apiVersion": "v1", "kind": "List", "items": items}, options.get("-o", ""))
    if verb in {"get", "delete"} and names:
        reference = _reference(names, options.get("-n"))
        if verb == "delete":
            return f"{_delete(reference, folder)}\n"
        there = _stored(reference, folder)
        if there is None:
            raise RefusedError(
                f'Error from server (NotFound): {reference["kind"]} "{reference["metadata"]["name"]}" not found'
            )
        return _shown(there, options.get("-o", ""))
    raise RefusedError(f"error: this kubectl only records; it does not know: {' '.join(arguments)}")


def json_path(value: Any, path: str) -> list[Any]:
    r"""What a kubectl JSONPath finds: fields (``\.`` for a dot in one), ``[0]``, ``[*]``, ``[?(@.field=="value")]``.

    Raises:
        RefusedError: for what else JSONPath can say.
    """
    values = [value]
    step = re.compile(r'\.((?:\\.|[^.\[\\])+)|\[(\d+|\*)\]|\[\?\(@\.([\w.]+)\s*==\s*"([^"]*)"\)\]')
    at = 0
    while at < len(path):
        match = step.match(path, at)
        if match is None:
            raise RefusedError(f"error: this kubectl does not know the JSONPath {path}")
        at = match.end()
        field, index, key, literal = match.groups()
        if field is not None:
            name = field.replace("\\", "")
            values = [inner[name] for inner in values if isinstance(inner, dict) and name in inner]
            continue
        items = [item for inner in values if isinstance(inner, list) for item in inner]
        if index is not None:
            values = items if index == "*" else items[int(index) : int(index) + 1]
        else:
            values = [item for item in items if _at(item, key) == literal]
    return values


def _log(folder: Path, note: Mapping[str, Any]) -> None:
    with folder.with_name("calls.jsonl").open("a", encoding="utf-8") as log:
        log.write(f"{json.dumps(note)}\n")


def _hand_on(arguments: Sequence[str], kubeconfig: str) -> NoReturn:
    own = Path(os.environ["REHEARSE_BIN"])
    path = [part for part in os.environ["PATH"].split(os.pathsep) if Path(part) != own]
    real = shutil.which("kubectl", path=os.pathsep.join(path))
    if real is None:
        sys.exit("kubectl: not found on PATH")
    rest = list(arguments)
    with suppress(ValueError):
        at = rest.index("--kubeconfig")
        del rest[at : at + 2]
    os.execv(real, [real, "--kubeconfig", kubeconfig, *rest])


def _parsed(arguments: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    words: list[str] = []
    options: dict[str, str] = {}
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        name, equals, value = word.partition("=")
        name = _WITH_VALUE.get(name, name)
        if word in _SWITCHES:
            options[word] = ""
        elif name in _WITH_VALUE.values():
            if not equals and not rest:
                raise RefusedError(f"error: flag needs an argument: {word}")
            options[name] = value if equals else rest.pop(0)
        elif word.startswith("-"):
            raise RefusedError(f"error: this kubectl only records; it does not know the flag {word}")
        else:
            words.append(word)
    return words, options


def _manifests(file: str) -> Iterator[Manifest]:
    text = sys.stdin.read() if file == "-" else Path(file).read_text("utf-8")
    decoder = json.JSONDecoder()
    while text := text.lstrip():
        manifest, end = decoder.raw_decode(text)
        text = text[end:]
        yield from manifest["items"] if manifest.get("kind") == "List" else [manifest]


def _reference(names: Sequence[str], namespace: str | None) -> Manifest:
    kind, name = names[0].split("/") if "/" in names[0] else (names[0], names[1])
    kind = _SHORT.get(kind, kind).partition(".")[0].lower()
    if not kind.endswith("ss") and kind not in _CLUSTER_SCOPED:
        kind = kind.removesuffix("s")
    return {"kind": kind, "metadata": {"name": name, **({"namespace": namespace} if namespace else {})}}


def _namespace(manifest: Manifest) -> str | None:
    if manifest["kind"].lower() in _CLUSTER_SCOPED:
        return None
    return str(manifest["metadata"].get("namespace", "default"))


def _file(manifest: Manifest, folder: Path) -> Path:
    name = manifest["metadata"]["name"].replace("/", "_")
    return folder / (_namespace(manifest) or "_cluster") / f"{manifest['kind'].lower()}.{name}.json"


def _stored(manifest: Manifest, folder: Path) -> Manifest | None:
    name = manifest["metadata"]["name"]
    if manifest["kind"] == "customresourcedefinition" and name in CRDS:
        established = {"conditions": [{"type": "Established", "status": "True"}]}
        return {"kind": "CustomResourceDefinition", "metadata": {"name": name}, "status": established}
    file = _file(manifest, folder)
    return json.loads(file.read_text("utf-8")) if file.exists() else None


def _apply(manifest: Manifest, folder: Path, *, create: bool) -> str:
    kind, name, namespace = manifest["kind"].lower(), manifest["metadata"]["name"], _namespace(manifest)
    if namespace is not None and namespace not in _NAMESPACES:
        namespace_object = {"kind": "namespace", "metadata": {"name": namespace}}
        if _stored(namespace_object, folder) is None:
            raise RefusedError(f'Error from server (NotFound): namespaces "{namespace}" not found')
    before = _stored(manifest, folder)
    if before is not None and create:
        raise RefusedError(f'Error from server (AlreadyExists): {kind} "{name}" already exists')
    for field in _IMMUTABLE.get(kind, ()) if before is not None else ():
        if _at(before, field) != _at(manifest, field):
            raise RefusedError(
                f'The {manifest["kind"]} "{name}" is invalid: {field}: Invalid value: field is immutable'
            )
    stored = manifest if kind != "job" else {**manifest, "status": _done()}
    file = _file(manifest, folder)
    file.parent.mkdir(parents=True, exist_ok=True)
    half = file.with_suffix(f".{os.getpid()}")
    half.write_text(json.dumps(stored, indent=2), "utf-8")
    half.replace(file)
    return f"{kind}/{name} {'created' if before is None else 'configured'}"


def _done() -> dict[str, Any]:
    return {
        "completionTime": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "succeeded": 1,
        "conditions": [{"type": "SuccessCriteriaMet", "status": "True"}, {"type": "Complete", "status": "True"}],
    }


def _delete(manifest: Manifest, folder: Path) -> str:
    kind, name = manifest["kind"].lower(), manifest["metadata"]["name"]
    file = _file(manifest, folder)
    if not file.exists():
        raise RefusedError(f'Error from server (NotFound): {kind} "{name}" not found')
    file.unlink()
    if kind == "namespace":
        shutil.rmtree(folder / name, ignore_errors=True)
    return f'{kind} "{name}" deleted'


def _at(value: Any, path: str) -> Any:
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _shown(manifest: Manifest, form: str) -> str:
    if form == "json":
        return f"{json.dumps(manifest, indent=2)}\n"
    if form.startswith("jsonpath="):
        return _filled(re.split(r"\{([^{}]*)\}", form.removeprefix("jsonpath=")), manifest)
    items = manifest["items"] if manifest["kind"] == "List" else [manifest]
    return "".join(f"{item['kind'].lower()}/{item['metadata']['name']}\n" for item in items)


def _filled(parts: Sequence[str], value: Any) -> str:
    """Text, with a path or the head or end of a loop after every piece but the last."""
    text, at = parts[0], 1
    while at < len(parts):
        if parts[at].startswith("range "):
            begin, at = at, next((end for end in range(at, len(parts), 2) if parts[end] == "end"), len(parts))
            if at == len(parts):
                raise RefusedError("error: unexpected end of a range in a JSONPath")
            values = json_path(value, parts[begin].removeprefix("range "))
            text += "".join(_filled(parts[begin + 1 : at], each) for each in values)
        else:
            text += " ".join(_plain(each) for each in json_path(value, parts[at]))
        text += parts[at + 1]
        at += 2
    return text


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


if __name__ == "__main__":
    main(sys.argv[1:])
