"""The chat page's program, against a model on this machine."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import re
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from automode_constructs.inference.serve_chat_page import LONGEST_REQUEST, ChatServer

CHUNKS = [b'data: {"choices":[{"delta":{"content":"Hel"}}]}\n\n', b"data: [DONE]\n\n"]
ASKED = json.dumps({"messages": [{"role": "user", "content": "hello"}], "stream": True, "model": "another"}).encode()
JSON = {"Content-Type": "application/json"}


class Model(BaseHTTPRequestHandler):
    seen: list[tuple[dict[str, Any], str | None]]

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.seen.append((body, self.headers.get("Authorization")))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        for chunk in CHUNKS:
            self.wfile.write(chunk)

    def log_message(self, *_: object) -> None:
        pass


def served(server: ThreadingHTTPServer) -> Iterator[ThreadingHTTPServer]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def model() -> Iterator[ThreadingHTTPServer]:
    Model.seen = []
    yield from served(ThreadingHTTPServer(("127.0.0.1", 0), Model))


@pytest.fixture
def page(model: ThreadingHTTPServer) -> Iterator[ThreadingHTTPServer]:
    yield from served(new_page(model.server_port))


def new_page(port: int, idle_seconds: float = 60) -> ChatServer:
    return ChatServer(
        ("127.0.0.1", 0),
        model_url=f"http://127.0.0.1:{port}",
        model_name="openai/gpt-oss-20b",
        api_key="a key",
        idle_seconds=idle_seconds,
    )


def ask(
    page: ThreadingHTTPServer, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
) -> tuple[int, str, http.client.HTTPMessage]:
    connection = http.client.HTTPConnection("127.0.0.1", page.server_port, timeout=10)
    with closing(connection):
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read().decode(), answer.headers


def test_the_page_runs_its_own_script_only(page: ThreadingHTTPServer) -> None:
    status, text, headers = ask(page, "GET", "/")
    assert status == 200
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; ")
    for tag in ("script", "style"):
        (content,) = re.findall(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert "innerHTML" not in text


def test_an_answer_streams_through_with_the_servers_key_and_model(page: ThreadingHTTPServer) -> None:
    status, text, headers = ask(page, "POST", "/v1/chat/completions", ASKED, JSON)
    assert (status, text) == (200, b"".join(CHUNKS).decode())
    assert headers["Content-Type"] == "text/event-stream"
    ((body, key),) = Model.seen
    assert key == "Bearer a key"
    assert body == {
        "model": "openai/gpt-oss-20b",
        "messages": [{"role": "user", "content": "hello"}],
        "stream": True,
    }


def test_a_request_wakes_a_model_that_is_not_up(model: ThreadingHTTPServer) -> None:
    for page in served(new_page(9)):
        assert "model_wanted 0\n" in ask(page, "GET", "/metrics")[1]
        status, text, _ = ask(page, "POST", "/v1/chat/completions", ASKED, JSON)
        assert status == 503
        assert json.loads(text)["error"]["message"].startswith("The model is not up.")
        assert "model_wanted 1\n" in ask(page, "GET", "/metrics")[1]


def test_a_model_is_not_wanted_forever(model: ThreadingHTTPServer) -> None:
    for page in served(new_page(model.server_port, idle_seconds=0)):
        ask(page, "POST", "/v1/chat/completions", ASKED, JSON)
        assert "model_wanted 0\n" in ask(page, "GET", "/metrics")[1]


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status"),
    [
        ("GET", "/v1/models", None, {}, 404),
        ("POST", "/v1/completions", ASKED, JSON, 404),
        ("POST", "/v1/chat/completions", ASKED, {"Content-Type": "text/plain"}, 415),
        ("POST", "/v1/chat/completions", b"{", JSON, 400),
        ("POST", "/v1/chat/completions", b"[]", JSON, 400),
        # Refused by its length, before the body is sent.
        ("POST", "/v1/chat/completions", None, {**JSON, "Content-Length": str(LONGEST_REQUEST + 1)}, 413),
        ("GET", "/healthz", None, {}, 200),
    ],
)
def test_only_a_conversation_gets_through(
    page: ThreadingHTTPServer, method: str, path: str, body: bytes | None, headers: dict[str, str], status: int
) -> None:
    assert ask(page, method, path, body, headers)[0] == status
    assert Model.seen == []
