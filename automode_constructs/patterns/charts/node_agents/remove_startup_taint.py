"""Removes a startup taint from the node it runs on: the second container of the pods that ``NodeAgentsChart`` makes.

The agent is a sidecar (an init container that keeps running), so that this program starts only when the agent's startup
probe has succeeded. It then removes the taint, and waits until the pod ends. It needs Python 3.11 and nothing else.

Environment: ``NODE_NAME``, ``STARTUP_TAINT`` (the key), ``KUBERNETES_SERVICE_HOST`` and ``KUBERNETES_SERVICE_PORT``;
``API_SERVER`` and ``SERVICE_ACCOUNT`` (a folder) take the place of the usual ones in tests.

Source: Kubernetes, "Sidecar Containers"; Kubernetes API, "Patch Node".
"""

from __future__ import annotations

import json
import logging
import os
import signal
import ssl
import sys
import threading
import time
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import Request, urlopen

__all__ = ["main", "remove"]

RETRY_SECONDS = 2.0
"""The time between two tries; every one is cheap for the API server."""

log = logging.getLogger(__name__)


def _send(method: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """One request for this program's own node."""
    folder = Path(os.environ.get("SERVICE_ACCOUNT", "/var/run/secrets/kubernetes.io/serviceaccount"))
    host, port = os.environ.get("KUBERNETES_SERVICE_HOST", ""), os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    server = os.environ.get("API_SERVER") or f"https://{f'[{host}]' if ':' in host else host}:{port}"
    request = Request(  # noqa: S310 - the address is the API server's
        f"{server}/api/v1/nodes/{quote(os.environ['NODE_NAME'])}",
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={
            "Accept": "application/json",
            "Content-Type": "application/merge-patch+json",
            # Kubernetes replaces the token before it expires.
            "Authorization": f"Bearer {(folder / 'token').read_text('utf-8').strip()}",
        },
    )
    context = ssl.create_default_context(cafile=folder / "ca.crt") if server.startswith("https:") else None
    with urlopen(request, timeout=10, context=context) as answer:  # noqa: S310
        found: dict[str, Any] = json.load(answer)
        return found


def remove(key: str) -> bool:
    """Removes the taint; whether the node had it.

    The version of the node goes with the change, so that a taint which somebody else sets meanwhile is not lost.
    """
    node = _send("GET")
    taints = node["spec"].get("taints") or []
    left = [taint for taint in taints if taint.get("key") != key]
    if len(left) == len(taints):
        return False
    version = node["metadata"]["resourceVersion"]
    _send("PATCH", {"metadata": {"resourceVersion": version}, "spec": {"taints": left}})
    return True


def main() -> int:
    """Removes the taint, tries again until that succeeds, and waits for the end of the pod."""
    logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(asctime)s %(message)s", force=True)
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    key, node = os.environ["STARTUP_TAINT"], os.environ["NODE_NAME"]
    begun = time.monotonic()
    while not ended.is_set():
        try:
            removed = remove(key)
        except (HTTPError, URLError, OSError, KeyError, ValueError) as error:
            # 409: somebody else changed the node. 403: the rights are not in force yet.
            log.warning("node %s keeps %s for now: %s", node, key, error)
            ended.wait(RETRY_SECONDS)
            continue
        log.info("node %s: %s %s after %.1f s", node, "removed" if removed else "has no", key, time.monotonic() - begun)
        ended.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
