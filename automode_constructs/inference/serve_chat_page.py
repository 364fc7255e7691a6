"""A chat page for a model server: the program of ``ChatPage``, held by a ConfigMap as text.

It needs only Python 3.11. It serves one page, passes ``POST /v1/chat/completions`` on to the server as it streams, and
reports at ``/metrics`` whether somebody wanted the model lately, so that an autoscaler can start a server that has no
pod. It keeps nothing: the conversation lives in the browser.

Environment: ``MODEL_URL`` (the server), ``MODEL_NAME``, ``MODEL_API_KEY`` (optional), ``IDLE_SECONDS``.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

__all__ = ["LONGEST_REQUEST", "ChatServer", "main"]

LONGEST_REQUEST = 1024 * 1024
"""Bytes of a request."""

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem}
.message{white-space:pre-wrap;margin:1rem 0;padding:.6rem .8rem;border-radius:.5rem;background:#f2f3f3}
.user{background:#e3eefc}.reasoning{color:#687078;font-size:.85em}.error{background:#fdecea}
form{display:flex;gap:.5rem}textarea{flex:1;font:inherit}button{font:inherit}
"""

_SCRIPT = """
const log = document.getElementById('log'), form = document.getElementById('form');
const text = document.getElementById('text'), messages = [];
function add(kind, content) {
  const box = document.createElement('div');
  box.className = 'message ' + kind; box.textContent = content; log.append(box); return box;
}
async function ask() {
  const response = await fetch('v1/chat/completions', {method: 'POST',
    headers: {'Content-Type': 'application/json'}, body: JSON.stringify({messages, stream: true})});
  if (!response.ok) {
    const problem = await response.json().catch(() => ({}));
    throw new Error((problem.error && problem.error.message) || 'HTTP ' + response.status);
  }
  const reader = response.body.getReader(), decoder = new TextDecoder;
  let rest = '', answer = '', reasoning, box;
  for (;;) {
    const {done, value} = await reader.read();
    if (done) break;
    const lines = (rest + decoder.decode(value, {stream: true})).split('\\n');
    rest = lines.pop();
    for (const line of lines) {
      if (!line.startsWith('data: ') || line.trim() === 'data: [DONE]') continue;
      const choice = JSON.parse(line.slice(6)).choices[0], delta = (choice && choice.delta) || {};
      if (delta.reasoning) { reasoning = reasoning || add('reasoning', ''); reasoning.textContent += delta.reasoning; }
      if (delta.content) { box = box || add('assistant', ''); answer += delta.content; box.textContent = answer; }
    }
  }
  messages.push({role: 'assistant', content: answer});
}
form.addEventListener('submit', async (event) => {
  event.preventDefault();
  const content = text.value.trim();
  if (!content) return;
  text.value = ''; form.lastElementChild.disabled = true;
  messages.push({role: 'user', content}); add('user', content);
  try { await ask(); } catch (problem) { messages.pop(); text.value = content; add('error', problem.message); }
  form.lastElementChild.disabled = false; text.focus();
});
"""

_PAGE = f"""<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Chat</title>
<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body><main id="log"></main>
<form id="form"><textarea id="text" rows="3" aria-label="Message" autofocus></textarea><button>Send</button></form>
<script>{_SCRIPT}</script></body></html>"""


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


_HEADERS = {
    # The page runs its own script and nothing else, whatever a model writes.
    "Content-Security-Policy": (
        f"default-src 'none'; script-src {_digest(_SCRIPT)}; style-src {_digest(_STYLE)}; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class ChatServer(ThreadingHTTPServer):
    """The page and its way to the model.

    Args:
        address: where to listen.
        model_url: the server, ``http://<service>:8000``.
        model_name: the name that requests use.
        api_key: the key that the server asks for, or ``""``.
        idle_seconds: for how long after a request the model counts as wanted.
    """

    daemon_threads = True

    def __init__(
        self, address: tuple[str, int], *, model_url: str, model_name: str, api_key: str, idle_seconds: float
    ) -> None:
        super().__init__(address, _Handler)
        self.model, self.model_name, self.api_key = urlsplit(model_url), model_name, api_key
        self._idle_seconds = idle_seconds
        self._wanted_until = 0.0
        self._open = 0
        self._lock = threading.Lock()

    def begin(self) -> None:
        """A request has come."""
        with self._lock:
            self._open += 1

    def end(self) -> None:
        """A request is answered."""
        with self._lock:
            self._open -= 1
            self._wanted_until = time.monotonic() + self._idle_seconds

    @property
    def wanted(self) -> bool:
        """Whether somebody asks, or asked lately."""
        with self._lock:
            return self._open > 0 or time.monotonic() < self._wanted_until


class _Handler(BaseHTTPRequestHandler):
    server: ChatServer

    def do_GET(self) -> None:
        if self.path == "/":
            self._answer(200, "text/html; charset=utf-8", _PAGE.encode())
        elif self.path == "/healthz":
            self._answer(200, "text/plain", b"ok\n")
        elif self.path == "/metrics":
            metric = f"# TYPE model_wanted gauge\nmodel_wanted {int(self.server.wanted)}\n"
            self._answer(200, "text/plain; version=0.0.4", metric.encode())
        else:
            self._refuse(404, "there is nothing here")

    def do_POST(self) -> None:
        if self.path != "/v1/chat/completions":
            self._refuse(404, "there is nothing here")
            return
        # Another site's page cannot send this type without asking first.
        if self.headers.get_content_type() != "application/json":
            self._refuse(415, "send application/json")
            return
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > LONGEST_REQUEST:
            self._refuse(413, f"send a Content-Length of at most {LONGEST_REQUEST} bytes")
            return
        try:
            body = json.loads(self.rfile.read(int(length)))
            messages, stream = body["messages"], bool(body.get("stream"))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            self._refuse(400, "send a JSON object with messages")
            return
        self.server.begin()
        try:
            self._pass_on({"model": self.server.model_name, "messages": messages, "stream": stream})
        finally:
            self.server.end()

    def _pass_on(self, body: dict[str, Any]) -> None:
        model = self.server.model
        connection = http.client.HTTPConnection(model.hostname or "", model.port or 80, timeout=10)
        headers = {"Content-Type": "application/json"}
        if self.server.api_key:
            headers["Authorization"] = f"Bearer {self.server.api_key}"
        try:
            connection.connect()
            connection.sock.settimeout(300)
            connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
            answer = connection.getresponse()
        except (OSError, http.client.HTTPException):
            connection.close()
            self._refuse(503, "The model is not up. It starts when somebody asks, which takes some minutes: try again.")
            return
        try:
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.getheader("Content-Type", "application/json"))
            self._send_headers()
            self.send_header("Connection", "close")
            self.end_headers()
            while block := answer.read1(65536):
                self.wfile.write(block)
                self.wfile.flush()
        except (OSError, http.client.HTTPException):
            pass  # the browser or the model went away, and the answer's end says so
        finally:
            self.close_connection = True
            connection.close()

    def _refuse(self, status: int, message: str) -> None:
        self._answer(status, "application/json", json.dumps({"error": {"message": message}}).encode())

    def _answer(self, status: int, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self._send_headers()
        self.end_headers()
        self.wfile.write(body)

    def _send_headers(self) -> None:
        for name, value in _HEADERS.items():
            self.send_header(name, value)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Says nothing: questions are nobody's business, and probes are noise."""


def main() -> int:
    """Serves until the pod ends."""
    server = ChatServer(
        ("", 8080),
        model_url=os.environ["MODEL_URL"],
        model_name=os.environ["MODEL_NAME"],
        api_key=os.environ.get("MODEL_API_KEY", ""),
        idle_seconds=float(os.environ["IDLE_SECONDS"]),
    )
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
