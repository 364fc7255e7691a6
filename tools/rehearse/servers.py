"""What runs while a rehearsal lasts: the stand-in AWS, and a hand for the Jobs of a real API server."""

from __future__ import annotations

import ipaddress
import json
import os
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from tools.rehearse.kubectl import CRDS
from tools.rehearse.workplace import Workplace, ended_with_its_children

__all__ = ["api_server", "loopback_server", "settings", "stand_in"]


def settings(place: Workplace) -> dict[str, str]:
    """The variables of ministack: this machine only, one port, nothing written elsewhere."""
    return {
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(place.port),
        "MINISTACK_HOST": "localhost",
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "S3_DATA_DIR": str(place.folder / "tmp" / "s3"),
        "STATE_DIR": str(place.folder / "tmp" / "state"),
    }


@contextmanager
def stand_in(place: Workplace, environment: Mapping[str, str]) -> Iterator[None]:
    """Starts the stand-in AWS and waits until it answers; ends it and its Lambdas afterwards.

    Raises:
        SystemExit: when it does not answer within a minute, with the place of its log.
    """
    log = place.folder / "logs" / "stand-in.log"
    command = [str(place.parts.python), "-P", str(Path(__file__).with_name("stand_in.py"))]
    variables = {name: value for name, value in environment.items() if name != "PYTHONPATH"} | settings(place)
    # The first Python on PATH is the one of its Lambdas.
    variables["PATH"] = os.pathsep.join([str(place.parts.python.parent), environment["PATH"]])
    with log.open("wb") as file:
        process = subprocess.Popen(
            command,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    with ended_with_its_children(process):
        until = time.monotonic() + 60
        while not _answers(place.endpoint):
            if process.poll() is not None or time.monotonic() > until:
                raise SystemExit(f"make rehearse: the stand-in AWS did not start; see {log}")
            time.sleep(0.2)
        yield


def _answers(endpoint: str) -> bool:
    try:
        with urllib.request.urlopen(f"{endpoint}/_ministack/health", timeout=5):
            return True
    except (OSError, urllib.error.URLError):
        return False


def loopback_server(kubeconfig: Path) -> str:
    """The API server that a kubeconfig's current context leads to, when it is one of this machine.

    Raises:
        SystemExit: when it is another one, which a rehearsal would change and empty, or none.
    """
    config = yaml.safe_load(kubeconfig.read_text("utf-8")) if kubeconfig.is_file() else None
    config = config if isinstance(config, dict) else {}
    contexts = {each.get("name"): each.get("context") or {} for each in config.get("contexts") or ()}
    clusters = {each.get("name"): each.get("cluster") or {} for each in config.get("clusters") or ()}
    cluster = contexts.get(config.get("current-context"), {}).get("cluster")
    server = str(clusters.get(cluster, {}).get("server", ""))
    host = urlsplit(server).hostname or ""
    if host != "localhost" and not _is_loopback(host):
        raise SystemExit(
            f"make rehearse: KUBECONFIG={kubeconfig} leads to {server or 'no server'}; a rehearsal makes and deletes "
            "objects, so it takes an API server on loopback only: unset KUBECONFIG to rehearse without one"
        )
    return server


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@contextmanager
def api_server(place: Workplace) -> Iterator[None]:
    """Has every Job of a real API server succeed, for no kubelet runs its pods; without one there is nothing to do.

    Raises:
        SystemExit: when the server lacks a CRD of Auto Mode, for which a deployment would wait 14 minutes.
    """
    if place.kubeconfig is None:
        yield
        return
    for name in sorted(CRDS):
        answer = _kubectl("get", "crd", name)
        if answer.returncode:
            last_line = answer.stderr.strip().splitlines()[-1]
            raise SystemExit(
                f"make rehearse: {place.kubeconfig}: the CRDs of EKS Auto Mode must be there first: {last_line}"
            )
    over = threading.Event()
    hand = threading.Thread(target=_finish_jobs, args=(over,), daemon=True)
    hand.start()
    try:
        yield
    finally:
        over.set()
        hand.join(10)


def _finish_jobs(over: threading.Event) -> None:
    while not over.wait(1):
        answer = _kubectl("get", "jobs", "--all-namespaces", "--output", "json")
        for job in json.loads(answer.stdout)["items"] if answer.returncode == 0 else ():
            if job.get("status", {}).get("conditions"):
                continue
            now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            conditions = [
                {"type": kind, "status": "True", "lastProbeTime": now, "lastTransitionTime": now, "reason": "Rehearsal"}
                for kind in ("SuccessCriteriaMet", "Complete")
            ]
            status = {"succeeded": 1, "startTime": now, "completionTime": now, "conditions": conditions}
            name, namespace = job["metadata"]["name"], job["metadata"]["namespace"]
            patch = json.dumps({"status": status})
            _kubectl(
                *("patch", "job", name, "--namespace", namespace, "--subresource=status", "--type=merge"),
                *("--patch", patch),
            )


def _kubectl(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["kubectl", *arguments], capture_output=True, text=True, check=False)
