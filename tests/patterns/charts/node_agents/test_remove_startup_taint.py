"""The program that removes startup taints, against an API server on this machine."""

from __future__ import annotations

import ast
import json
import os
import signal
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from automode_constructs.patterns.charts.node_agents import remove_startup_taint

OURS, OTHERS = "agents.example.com/not-ready", "example.com/other"


@dataclass
class Node:
    """A node as the API server keeps it, and what it was asked."""

    taints: list[dict[str, Any]] | None
    version: int = 7
    refuse: list[int] = field(default_factory=list)
    """The status of the next answers to changes."""
    asked: list[tuple[str, str, str]] = field(default_factory=list)

    def manifest(self) -> dict[str, Any]:
        spec = {} if self.taints is None else {"taints": self.taints}
        return {"metadata": {"resourceVersion": str(self.version)}, "spec": spec}


@pytest.fixture
def node() -> Node:
    return Node(taints=[{"key": OURS, "effect": "NoSchedule"}, {"key": OTHERS, "effect": "NoExecute"}])


@pytest.fixture
def server(node: Node) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def _answer(self, status: int) -> None:
            node.asked.append((self.command, self.path, self.headers["Authorization"]))
            body = json.dumps(node.manifest()).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            self._answer(200)

        def do_PATCH(self) -> None:
            assert self.headers["Content-Type"] == "application/merge-patch+json"
            change = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status = node.refuse.pop() if node.refuse else 200
            if change["metadata"]["resourceVersion"] != str(node.version):
                status = 409
            if status == 200:
                node.taints = change["spec"]["taints"]
            else:
                node.version += 1
            self._answer(status)

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{httpd.server_address[1]}"
    httpd.shutdown()
    httpd.server_close()
    thread.join()


@pytest.fixture
def environment(server: str, tmp_path: Path) -> dict[str, str]:
    (tmp_path / "token").write_text("secret\n", "utf-8")
    return {"API_SERVER": server, "SERVICE_ACCOUNT": str(tmp_path), "NODE_NAME": "i-0a1", "STARTUP_TAINT": OURS}


class TestRemove:
    @pytest.fixture(autouse=True)
    def _environment(self, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)

    def test_its_own_taint_alone(self, node: Node) -> None:
        assert remove_startup_taint.remove(OURS)
        assert node.taints == [{"key": OTHERS, "effect": "NoExecute"}]
        assert node.asked == [(method, "/api/v1/nodes/i-0a1", "Bearer secret") for method in ("GET", "PATCH")]

    def test_nothing_on_a_node_without_it(self, node: Node) -> None:
        node.taints = None
        assert not remove_startup_taint.remove(OURS)
        assert [method for method, _, _ in node.asked] == ["GET"]


def test_the_program_tries_until_it_succeeds_and_ends_with_its_pod(
    node: Node, environment: dict[str, str], tmp_path: Path
) -> None:
    node.refuse = [403, 409]
    source = (
        Path(remove_startup_taint.__file__).read_text("utf-8").replace("RETRY_SECONDS = 2.0", "RETRY_SECONDS = 0.05")
    )
    program = tmp_path / "program.py"
    program.write_text(source, "utf-8")
    with subprocess.Popen(
        [sys.executable, str(program)], env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        lines = [running.stdout.readline() for _ in range(3)]
        running.send_signal(signal.SIGTERM)
        assert running.wait(timeout=20) == 0
    assert f"node i-0a1 keeps {OURS} for now: HTTP Error 409" in lines[0]
    assert f"node i-0a1 keeps {OURS} for now: HTTP Error 403" in lines[1]
    assert f"node i-0a1: removed {OURS} after" in lines[2]
    assert node.taints == [{"key": OTHERS, "effect": "NoExecute"}]


def test_the_program_needs_nothing_but_python() -> None:
    tree = ast.parse(Path(remove_startup_taint.__file__).read_text("utf-8"))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in names} <= sys.stdlib_module_names


def test_an_ipv6_address_is_put_in_brackets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret", "utf-8")
    asked: list[str] = []

    def stop(request: Any, **_: Any) -> None:
        asked.append(request.full_url)
        raise OSError("no network")

    monkeypatch.setattr(remove_startup_taint, "urlopen", stop)
    monkeypatch.setattr(ssl, "create_default_context", lambda **_: None)
    for name, value in {
        "SERVICE_ACCOUNT": str(tmp_path),
        "KUBERNETES_SERVICE_HOST": "fd00::1",
        "KUBERNETES_SERVICE_PORT": "443",
        "NODE_NAME": "n",
    }.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(OSError, match="no network"):
        remove_startup_taint.remove(OURS)
    assert asked == ["https://[fd00::1]:443/api/v1/nodes/n"]
