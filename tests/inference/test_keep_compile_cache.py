"""The program that keeps the compile cache, against an S3 in this process and a server on this machine."""

from __future__ import annotations

import io
import os
import signal
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from automode_constructs.inference import keep_compile_cache

BUCKET, PREFIX = "our-models", "compile-cache"


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name, value in (("ACCESS_KEY_ID", "x"), ("SECRET_ACCESS_KEY", "x"), ("DEFAULT_REGION", "us-east-1")):
        monkeypatch.setenv(f"AWS_{name}", value)
    handler = signal.getsignal(signal.SIGTERM)
    with mock_aws():
        client = boto3.client("s3")
        client.create_bucket(Bucket=BUCKET)
        yield client
    signal.signal(signal.SIGTERM, handler)


@pytest.fixture
def health(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A server that is not ready at first."""
    statuses = iter([503, 200])

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(next(statuses, 200))
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    monkeypatch.setattr(keep_compile_cache, "_PAUSE_SECONDS", 0.01)
    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/health"
    server.shutdown()
    thread.join()
    server.server_close()


def restore(cache: Path) -> int:
    cache.mkdir(exist_ok=True)
    return keep_compile_cache.main(["restore", f"--bucket={BUCKET}", f"--prefix={PREFIX}", f"--cache={cache}"])


def save(cache: Path, health: str, *, ended_after: float = 1.0) -> int:
    stop = threading.Timer(ended_after, os.kill, (os.getpid(), signal.SIGTERM))
    stop.start()
    try:
        return keep_compile_cache.main(
            ["save", f"--bucket={BUCKET}", f"--prefix={PREFIX}", f"--cache={cache}", f"--health={health}"]
        )
    finally:
        stop.join()


def keys(bucket: Any) -> list[str]:
    return [each["Key"] for each in bucket.list_objects_v2(Bucket=BUCKET).get("Contents", [])]


def compiled(cache: Path, name: str, text: str = "code") -> None:
    path = cache / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_what_one_node_compiled_is_there_on_the_next(bucket: Any, health: str, tmp_path: Path) -> None:
    one, other, third = tmp_path / "one", tmp_path / "other", tmp_path / "third"
    assert restore(one) == 0
    compiled(one, "vllm/torch_compile_cache/l4/rank_0_0/graph", "for an L4")
    compiled(one, "triton/kernel.so")
    compiled(one, "hf/token", "a secret")
    compiled(one, "vllm/x.lock")
    assert save(one, health) == 0
    assert len(keys(bucket)) == 1

    restore(other)
    assert (other / "vllm/torch_compile_cache/l4/rank_0_0/graph").read_text() == "for an L4"
    assert not (other / "hf").exists()
    assert not (other / "vllm/x.lock").exists()
    assert save(other, health) == 0
    assert len(keys(bucket)) == 1, "nothing new was compiled"

    compiled(other, "vllm/torch_compile_cache/l40s/rank_0_0/graph", "for an L40S")
    save(other, health)
    assert len(keys(bucket)) == 2
    restore(third)
    assert {path.parent.parent.name for path in third.rglob("graph")} == {"l4", "l40s"}


def test_a_server_that_never_becomes_ready_saves_nothing(bucket: Any, tmp_path: Path) -> None:
    compiled(tmp_path, "vllm/half")
    assert save(tmp_path, "http://127.0.0.1:9/health", ended_after=0.2) == 0
    assert keys(bucket) == []


def test_no_bucket_is_no_reason_to_have_no_server(bucket: Any, tmp_path: Path, capsys: Any) -> None:
    bucket.delete_bucket(Bucket=BUCKET)
    assert restore(tmp_path) == 0
    assert "compile-cache: without the cache: NoSuchBucket" in capsys.readouterr().out


def test_an_archive_cannot_write_elsewhere(bucket: Any, tmp_path: Path, capsys: Any) -> None:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("../outside"), io.BytesIO())
    bucket.put_object(Bucket=BUCKET, Key=f"{PREFIX}/bad.tar", Body=file.getvalue())
    cache = tmp_path / "cache"
    assert restore(cache) == 0
    assert not (tmp_path / "outside").exists()
    assert "OutsideDestinationError" in capsys.readouterr().out


def test_archives_are_bounded_in_number_and_size(
    bucket: Any, health: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(keep_compile_cache.MOST_ARCHIVES):
        bucket.put_object(Bucket=BUCKET, Key=f"{PREFIX}/{number}.tar", Body=b"\0" * 10_240)
    compiled(tmp_path, "vllm/graph")
    save(tmp_path, health)
    assert len(keys(bucket)) == keep_compile_cache.MOST_ARCHIVES
    monkeypatch.setattr(keep_compile_cache, "MOST_BYTES", 10_239)
    assert restore(tmp_path / "new") == 0
