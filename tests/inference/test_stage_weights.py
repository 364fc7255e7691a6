"""The copying program itself, against a hub on this machine and an S3 in this process."""

from __future__ import annotations

import ast
import contextlib
import hashlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest, HeadersDict
from moto import mock_aws

from automode_constructs.inference import stage_weights

REPOSITORY, REVISION = "openai/gpt-oss-20b", "6cee5e81ee83917806bbde320786a8fb61efebee"
OTHER_REVISION = "0123456789abcdef0123456789abcdef01234567"
PREFIX = "gpt-oss-20b/6cee5e81"
MIB = 1024 * 1024

LARGE = {
    "model-00000-of-00001.safetensors": bytes(range(256)) * (MIB // 256) * 12,
    "model-00001-of-00001.safetensors": b"weights" * 700_000,
}
SMALL = {"config.json": b'{"model_type": "gpt_oss"}', "chat_template.jinja": b"{{ messages }}", "empty.json": b""}
UNWANTED = {
    "README.md": b"# about",
    "original/model.safetensors": b"the same once more",
    "original/config.json": b"{}",
    "metal/model.bin": b"and again",
}


@dataclass
class Hub:
    """A hub that lists two files a page, redirects to a store with ranges, and fails as it is told to."""

    files: dict[str, bytes] = field(default_factory=lambda: {**LARGE, **SMALL, **UNWANTED})
    cuts: dict[str, list[int]] = field(default_factory=dict)
    """By path: the byte at which each of the next answers breaks off."""
    altered: dict[str, bytes] = field(default_factory=dict)
    """What the store has in place of what the hub lists."""
    statuses: dict[str, list[int]] = field(default_factory=dict)
    """By path: the statuses of the next answers."""
    held: dict[str, int] = field(default_factory=dict)
    """By path: the byte at which an answer stops until it is released."""
    holding: threading.Event = field(default_factory=threading.Event)
    release: threading.Event = field(default_factory=threading.Event)
    retry_after: str = ""
    ranges: bool = True
    seen: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    address: str = ""

    def paths(self) -> list[str]:
        return [path for path, _ in self.seen]

    def entry(self, path: str) -> dict[str, Any]:
        content = self.files[path]
        blob = hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()
        found: dict[str, Any] = {"type": "file", "path": path, "size": len(content), "oid": blob}
        if path.endswith((".safetensors", ".bin")):
            found["lfs"] = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 135}
        return found


class Handler(BaseHTTPRequestHandler):
    hub: Hub

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        hub, path = self.hub, self.path
        hub.seen.append((path, dict(self.headers)))
        name = path.split("/", 5 if "/resolve/" in path else 2)[-1]
        if hub.statuses.get(name):
            self._answer(hub.statuses[name].pop(0), b"", {"Retry-After": hub.retry_after} if hub.retry_after else {})
        elif path.startswith(f"/api/models/{REPOSITORY}/tree/{REVISION}?recursive=true"):
            self._list(int(path.partition("&cursor=")[2] or 0))
        elif path.startswith(f"/{REPOSITORY}/resolve/{REVISION}/"):
            # Another host name of the same machine, as the real hub's store is another host.
            store = hub.address.replace("127.0.0.1", "localhost")
            self._answer(302, b"", {"Location": f"{store}/store/{name}"})
        elif path.startswith("/store/"):
            self._send(name)
        else:
            self._answer(404, b"", {})

    def _list(self, first: int) -> None:
        entries = [{"type": "directory", "path": "original"}, *(self.hub.entry(path) for path in self.hub.files)]
        here = f"{self.hub.address}/api/models/{REPOSITORY}/tree/{REVISION}?recursive=true"
        last = first + 2 >= len(entries)
        following = {} if last else {"Link": f'<{here}&cursor={first + 2}>; rel="next"'}
        self._answer(200, json.dumps(entries[first : first + 2]).encode(), following)

    def _send(self, name: str) -> None:
        content = self.hub.altered.get(name, self.hub.files[name])
        match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
        begin = int(match[1]) if match and self.hub.ranges else 0
        if match and begin >= len(content):
            self._answer(416, b"", {})
            return
        if name in self.hub.held:
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: self.hub.held[name]])
            self.hub.holding.set()
            self.hub.release.wait(60)
            self.close_connection = True
            return
        end = self.hub.cuts[name].pop(0) if self.hub.cuts.get(name) else len(content)
        answered = {"Content-Range": f"bytes {begin}-{len(content) - 1}/{len(content)}"} if begin else {}
        self._answer(206 if begin else 200, content[begin:end], answered, length=len(content) - begin)

    def _answer(self, status: int, body: bytes, headers: dict[str, str], *, length: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    made = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("HandlerOfThisTest", (Handler,), {"hub": made}))
    made.address = f"http://127.0.0.1:{server.server_port}"
    for name in ("HTTP_PROXY", "http_proxy", "HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_ENDPOINT", made.address)
    thread = threading.Thread(target=server.serve_forever, args=[0.01])
    thread.start()
    yield made
    server.shutdown()
    server.server_close()
    thread.join()


@dataclass
class Store:
    """An S3 bucket, and the calls that were made to S3."""

    client: Any
    calls: list[tuple[str, str]]

    def objects(self) -> dict[str, bytes]:
        listed = self.client.list_objects_v2(Bucket="weights").get("Contents", [])
        return {
            item["Key"]: self.client.get_object(Bucket="weights", Key=item["Key"])["Body"].read() for item in listed
        }

    def uploads(self) -> list[str]:
        return [upload["Key"] for upload in self.client.list_multipart_uploads(Bucket="weights").get("Uploads", [])]

    def written(self) -> list[str]:
        """The objects in the order in which they came to be."""
        return [key for name, key in self.calls if name in {"PutObject", "CompleteMultipartUpload"}]


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    for name, value in {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_REGION": "us-west-2"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-west-2")
    with mock_aws():
        boto3.setup_default_session()
        client = boto3.client("s3")
        client.create_bucket(Bucket="weights", CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
        calls: list[tuple[str, str]] = []

        def record(params: dict[str, Any], model: Any, **_: Any) -> None:
            calls.append((model.name, params.get("url_path", "").removeprefix("/weights/").removeprefix("/")))

        boto3.DEFAULT_SESSION.events.register("before-call.s3", record)
        yield Store(client=client, calls=calls)
    boto3.DEFAULT_SESSION = None


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    return slept


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage_weights, "PART_BYTES", 5 * MIB)


def copy(*more: str, revision: str = REVISION, prefix: str = PREFIX, bucket: str = "weights") -> int:
    return stage_weights.main(
        [
            *("copy", "--repository", REPOSITORY, "--revision", revision, "--bucket", bucket, "--prefix", prefix),
            *("--include", "*.safetensors", "--include", "*.json", "--include", "*.jinja", "--exclude", "*/*"),
            *more,
        ]
    )


def check(*more: str, revision: str = REVISION) -> int:
    return stage_weights.main(
        ["check", "--repository", REPOSITORY, "--revision", revision, "--bucket", "weights", "--prefix", PREFIX, *more]
    )


def last_line(capsys: pytest.CaptureFixture[str]) -> str:
    """The last line of the log without its time."""
    return capsys.readouterr().out.splitlines()[-1].split(" ", 2)[2]


def keys(paths: Sequence[str]) -> set[str]:
    return {f"{PREFIX}/{path}" for path in paths}


class TestCopy:
    def test_takes_the_needed_files_and_writes_the_marker_last(self, hub: Hub, store: Store) -> None:
        assert copy() == 0
        objects = store.objects()
        marker = json.loads(objects.pop(f"{PREFIX}/.ready.json"))
        assert objects == {f"{PREFIX}/{path}": content for path, content in {**LARGE, **SMALL}.items()}
        assert store.written()[-1] == f"{PREFIX}/.ready.json"
        assert store.written().count(f"{PREFIX}/.ready.json") == 1
        assert store.uploads() == []
        assert (marker["repository"], marker["revision"]) == (REPOSITORY, REVISION)
        assert {file["path"]: (file["size"], file["digest"]) for file in marker["files"]} == {
            path: (
                len(content),
                f"sha256:{hashlib.sha256(content).hexdigest()}" if path in LARGE else f"git-sha1:{_blob(content)}",
            )
            for path, content in {**LARGE, **SMALL}.items()
        }

    def test_a_second_run_copies_nothing_and_does_not_ask_the_hub(
        self, hub: Hub, store: Store, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert copy() == 0
        hub.seen.clear()
        store.calls.clear()
        assert copy() == 0
        assert hub.seen == []
        assert [name for name, _ in store.calls] == ["ListObjectsV2", "GetObject"]
        assert last_line(capsys) == (
            f"s3://weights/{PREFIX}/ already holds {REPOSITORY} at {REVISION}: nothing to copy"
        )

    def test_an_object_that_went_or_shrank_is_copied_again_and_no_other(self, hub: Hub, store: Store) -> None:
        assert copy() == 0
        store.client.delete_object(Bucket="weights", Key=f"{PREFIX}/config.json")
        shard = "model-00001-of-00001.safetensors"
        store.client.put_object(Bucket="weights", Key=f"{PREFIX}/{shard}", Body=b"short")
        store.calls.clear()
        assert copy() == 0
        assert set(store.written()) == keys(["config.json", shard, ".ready.json"])
        assert store.objects()[f"{PREFIX}/{shard}"] == LARGE[shard]

    def test_an_object_of_the_right_size_without_the_digest_is_copied_again(self, hub: Hub, store: Store) -> None:
        wrong = b"X" * len(SMALL["config.json"])
        store.client.put_object(Bucket="weights", Key=f"{PREFIX}/config.json", Body=wrong)
        assert copy() == 0
        assert store.objects()[f"{PREFIX}/config.json"] == SMALL["config.json"]

    def test_more_patterns_copy_only_what_they_add(self, hub: Hub, store: Store) -> None:
        assert copy() == 0
        store.calls.clear()
        assert copy("--include", "*.md") == 0
        assert store.written() == [f"{PREFIX}/README.md", f"{PREFIX}/.ready.json"]

    def test_the_token_goes_to_the_hub_and_not_to_its_store(
        self, hub: Hub, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HF_TOKEN", "secret\n")
        assert copy() == 0
        sent = {path.split("/")[1]: headers.get("Authorization") for path, headers in hub.seen}
        assert sent == {"api": "Bearer secret", "openai": "Bearer secret", "store": None}


def _blob(content: bytes) -> str:
    return hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()


class TestFaults:
    SHARD = "model-00000-of-00001.safetensors"

    def test_a_broken_connection_is_taken_up_where_it_broke(self, hub: Hub, store: Store, pauses: list[float]) -> None:
        hub.cuts[self.SHARD] = [7 * MIB, 9 * MIB]
        assert copy() == 0
        assert store.objects()[f"{PREFIX}/{self.SHARD}"] == LARGE[self.SHARD]
        ranges = [headers.get("Range") for path, headers in hub.seen if path == f"/store/{self.SHARD}"]
        assert ranges == [None, f"bytes={7 * MIB}-", f"bytes={9 * MIB}-"]

    def test_a_connection_that_breaks_again_and_again_ends_the_run(
        self, hub: Hub, store: Store, pauses: list[float], capsys: pytest.CaptureFixture[str]
    ) -> None:
        hub.cuts[self.SHARD] = [6 * MIB] * 20
        assert copy() == 1
        assert pauses == [1, 2, 4, 8, 16]
        out = capsys.readouterr().out
        assert f"{self.SHARD}: the connection ended at byte {6 * MIB} of {12 * MIB}, 6 times" in out
        assert out.endswith(
            f"error: 1 of 5 files failed, the last of them: {self.SHARD}: the connection ended at byte {6 * MIB} of "
            f"{12 * MIB}, 6 times; the next run copies the missing files\n"
        )
        assert f"{PREFIX}/.ready.json" not in store.objects()

    def test_the_next_run_copies_only_what_is_not_there(self, hub: Hub, store: Store, pauses: list[float]) -> None:
        hub.statuses[self.SHARD] = [503] * 6
        assert copy() == 1
        there = set(store.objects())
        assert there == keys([*(path for path in LARGE if path != self.SHARD), *SMALL])
        store.calls.clear()
        assert copy() == 0
        assert store.written() == [f"{PREFIX}/{self.SHARD}", f"{PREFIX}/.ready.json"]

    def test_the_parts_of_a_killed_run_are_taken_away(self, hub: Hub, store: Store) -> None:
        for key in (f"{PREFIX}/{self.SHARD}", "another-model/model.safetensors", f"{PREFIX}/not-ours.bin"):
            store.client.create_multipart_upload(Bucket="weights", Key=key)
        assert copy() == 0
        assert sorted(store.uploads()) == ["another-model/model.safetensors", f"{PREFIX}/not-ours.bin"]

    @pytest.mark.parametrize("path", [SHARD, "config.json"])
    def test_altered_bytes_never_become_an_object(
        self, path: str, hub: Hub, store: Store, capsys: pytest.CaptureFixture[str]
    ) -> None:
        content = hub.files[path]
        hub.altered[path] = content[:-1] + b"?"
        assert copy() == 1
        out = capsys.readouterr().out
        told = hub.entry(path).get("lfs", hub.entry(path))["oid"]
        altered = hub.altered[path]
        got = hashlib.sha256(altered).hexdigest() if path == self.SHARD else _blob(altered)
        assert f"{path}: its digest is {got}, but the hub reports {told}" in out
        assert f"{PREFIX}/{path}" not in store.objects()
        assert f"{PREFIX}/.ready.json" not in store.objects()
        assert store.uploads() == []

    def test_more_bytes_than_the_hub_tells(self, hub: Hub, store: Store, capsys: pytest.CaptureFixture[str]) -> None:
        hub.altered["config.json"] = SMALL["config.json"] + b" "
        assert copy() == 1
        assert "config.json: has more than the 25 bytes that the hub reports" in capsys.readouterr().out

    def test_fewer_bytes_than_the_hub_tells(
        self, hub: Hub, store: Store, pauses: list[float], capsys: pytest.CaptureFixture[str]
    ) -> None:
        hub.altered["config.json"] = SMALL["config.json"][:-1]
        assert copy() == 1
        assert f"{hub.address}/{REPOSITORY}/resolve/{REVISION}/config.json: HTTP 416" in capsys.readouterr().out

    def test_a_store_without_ranges(
        self, hub: Hub, store: Store, pauses: list[float], capsys: pytest.CaptureFixture[str]
    ) -> None:
        hub.ranges = False
        hub.cuts[self.SHARD] = [7 * MIB]
        assert copy() == 1
        assert f"{self.SHARD} cannot be read from byte {7 * MIB}" in capsys.readouterr().out

    def test_a_busy_hub_is_asked_again_when_it_says(self, hub: Hub, store: Store, pauses: list[float]) -> None:
        hub.statuses[self.SHARD], hub.retry_after = [429, 503], "7"
        assert copy() == 0
        assert pauses == [7, 7]

    def test_a_hub_that_cannot_be_reached(
        self,
        store: Store,
        pauses: list[float],
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        with socket.socket() as held:
            held.bind(("127.0.0.1", 0))
            monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{held.getsockname()[1]}")
            assert copy() == 1
        assert pauses == [1, 2, 4, 8, 16]
        assert last_line(capsys).endswith("Connection refused>, 6 times")

    def test_files_come_one_after_another(self, hub: Hub, store: Store) -> None:
        assert copy() == 0
        ended = [key for name, key in store.calls if name in {"PutObject", "CompleteMultipartUpload"}]
        begun = [key for name, key in store.calls if name in {"PutObject", "CreateMultipartUpload"}]
        assert [key.removesuffix("?uploads") for key in begun] == ended
        sizes = [len({**LARGE, **SMALL}[key.removeprefix(f"{PREFIX}/")]) for key in ended[:-1]]
        assert sizes == sorted(sizes)

    def test_what_can_never_work_ends_the_run_at_once(
        self, hub: Hub, store: Store, capsys: pytest.CaptureFixture[str]
    ) -> None:
        hub.statuses["config.json"] = [404]
        assert copy() == 2
        assert "the hub answers HTTP 404" in last_line(capsys)
        assert f"/store/{self.SHARD}" not in hub.paths()


class TestSettings:
    def test_a_branch_is_refused(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert copy(revision="main") == 2
        assert last_line(capsys) == (
            "error: 'main' is not a commit but a branch or tag, whose files change; pass 40 hexadecimal digits"
        )

    def test_a_commit_that_the_hub_does_not_have(
        self, hub: Hub, store: Store, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert copy(revision=OTHER_REVISION) == 2
        assert last_line(capsys) == (
            f"error: {REPOSITORY} at {OTHER_REVISION}: the hub answers HTTP 404 to {hub.address}/api/models/"
            f"{REPOSITORY}/tree/{OTHER_REVISION}?recursive=true; check repository and revision, and set HF_TOKEN if "
            "the repository is private or requires you to accept its terms"
        )
        assert store.objects() == {}

    def test_a_bucket_that_is_not_there(self, hub: Hub, store: Store, capsys: pytest.CaptureFixture[str]) -> None:
        assert copy(bucket="elsewhere") == 2
        assert last_line(capsys) == f"error: s3://elsewhere/{PREFIX}/: the bucket does not exist"

    def test_a_prefix_that_holds_another_revision(
        self, hub: Hub, store: Store, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert copy() == 0
        assert copy(revision=OTHER_REVISION) == 2
        assert last_line(capsys) == (
            f"error: s3://weights/{PREFIX}/ holds {REPOSITORY} at {REVISION}, not {REPOSITORY} at {OTHER_REVISION}; "
            "use another prefix"
        )

    def test_a_prefix_with_weights_of_another_model(
        self, hub: Hub, store: Store, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for name in ("other.safetensors", "notes.md"):
            store.client.put_object(Bucket="weights", Key=f"{PREFIX}/{name}", Body=b"old")
        assert copy() == 2
        assert last_line(capsys) == (
            f"error: s3://weights/{PREFIX}/ has other.safetensors, which {REPOSITORY} at {REVISION} does not "
            "have and a server would load too; use another prefix, or delete it"
        )

    def test_a_marker_of_someone_else(self, hub: Hub, store: Store, capsys: pytest.CaptureFixture[str]) -> None:
        store.client.put_object(Bucket="weights", Key=f"{PREFIX}/.ready.json", Body=b'{"files": [1]}')
        assert copy() == 2
        assert last_line(capsys) == (
            f"error: s3://weights/{PREFIX}/.ready.json is not a marker of this program; use another prefix"
        )

    def test_a_repository_without_safetensors(self, hub: Hub, store: Store, capsys: pytest.CaptureFixture[str]) -> None:
        hub.files = {"config.json": b"{}", "original/model.safetensors": b"elsewhere"}
        assert copy() == 2
        assert last_line(capsys) == (
            f"error: {REPOSITORY} at {REVISION} has no *.safetensors, so a server would find no weights"
        )

    def test_a_repository_without_anything_asked_for(
        self, hub: Hub, store: Store, capsys: pytest.CaptureFixture[str]
    ) -> None:
        hub.files = {"README.md": b"#"}
        assert copy() == 2
        assert last_line(capsys) == (
            f"error: {REPOSITORY} at {REVISION} has no file that matches (*.safetensors, *.json, *.jinja)"
        )

    def test_an_endpoint_that_is_none(
        self, store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("HF_ENDPOINT", "hub.example.com")
        assert copy() == 2
        assert last_line(capsys) == "error: HF_ENDPOINT is not a URL: 'hub.example.com'"

    def test_a_role_that_may_not(self, hub: Hub, store: Store, capsys: pytest.CaptureFixture[str]) -> None:
        def refuse(**_: Any) -> tuple[Any, Any]:
            from botocore.awsrequest import AWSResponse

            return AWSResponse("", 403, {}, None), {"Error": {"Code": "AccessDenied", "Message": "no"}}

        boto3.DEFAULT_SESSION.events.register("before-call.s3.ListObjectsV2", refuse)
        assert copy() == 1
        assert last_line(capsys) == (
            f"error: s3://weights/{PREFIX}/: the pod's role may not ListObjectsV2; it needs s3:ListBucket and "
            "s3:GetObject, for copying also s3:ListBucketMultipartUploads, s3:PutObject and s3:AbortMultipartUpload, "
            "and the use of the bucket's KMS key"
        )


class TestCheck:
    def test_is_content_when_all_is_there(self, hub: Hub, store: Store, capsys: pytest.CaptureFixture[str]) -> None:
        assert copy() == 0
        hub.seen.clear()
        assert check() == 0
        assert hub.seen == []
        assert last_line(capsys) == f"s3://weights/{PREFIX}/ holds {REPOSITORY} at {REVISION}"

    def test_tells_that_the_marker_is_not_there(self, store: Store, capsys: pytest.CaptureFixture[str]) -> None:
        assert check("--job", "stage-x") == 1
        assert last_line(capsys) == (
            f"error: s3://weights/{PREFIX}/ is not ready: it has no .ready.json, which is written last; "
            "see 'kubectl logs job/stage-x'"
        )

    def test_tells_what_went_after_the_marker(self, hub: Hub, store: Store, capsys: pytest.CaptureFixture[str]) -> None:
        assert copy() == 0
        for path in [*SMALL, *list(LARGE)[:1]]:
            store.client.delete_object(Bucket="weights", Key=f"{PREFIX}/{path}")
        assert check() == 1
        assert last_line(capsys) == (
            f"error: s3://weights/{PREFIX}/ is incomplete: chat_template.jinja, config.json, empty.json and 1 more "
            "missing or of a different size"
        )

    def test_is_not_content_with_another_revision(
        self, hub: Hub, store: Store, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert copy() == 0
        assert check(revision=OTHER_REVISION) == 2
        assert last_line(capsys) == (
            f"error: s3://weights/{PREFIX}/ holds {REPOSITORY} at {REVISION}, not {REPOSITORY} at {OTHER_REVISION}; "
            "use another prefix"
        )


@pytest.fixture
def s3(store: Store) -> Iterator[str]:
    """The address of moto's S3, for programs of their own process."""
    from moto.core.models import botocore_stubber

    class Gateway(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:
            pass

        def handle_one_request(self) -> None:
            with contextlib.suppress(ConnectionError):
                super().handle_one_request()

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            address = f"https://s3.us-west-2.amazonaws.com{self.path}"
            asked = AWSPreparedRequest(self.command, address, HeadersDict(self.headers.items()), body, False)
            answered = botocore_stubber.process_request(asked)
            assert answered is not None
            status, headers, content = answered
            content = content.encode() if isinstance(content, str) else content
            self.send_response(status)
            for name, value in headers.items():
                if name.lower() not in {"content-length", "transfer-encoding"}:
                    self.send_header(name, str(value))
            length = headers.get("content-length") if self.command == "HEAD" else len(content)
            self.send_header("Content-Length", str(length or 0))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = answer  # noqa: N815 - the server's names

    server = ThreadingHTTPServer(("127.0.0.1", 0), Gateway)
    thread = threading.Thread(target=server.serve_forever, args=[0.01])
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


class TestCutOff:
    """The program as a process of its own, ended while it copies its last file, and run again."""

    LAST = "model-00000-of-00001.safetensors"

    @pytest.mark.parametrize(("ending", "code"), [(signal.SIGKILL, -9), (signal.SIGTERM, 143)])
    def test_whole_files_are_not_copied_again(
        self, ending: signal.Signals, code: int, hub: Hub, store: Store, s3: str, tmp_path: Path
    ) -> None:
        hub.held[self.LAST] = 6 * MIB
        first = self.run(s3, hub, tmp_path)
        assert hub.holding.wait(30), first.communicate(timeout=10)[0]
        first.send_signal(ending)
        out, _ = first.communicate(timeout=60)
        hub.release.set()
        assert first.returncode == code
        if ending == signal.SIGTERM:
            assert out.splitlines()[-1] == (
                f"error: terminated while copying file 5 of 5, {self.LAST}; complete files stay, and the next run "
                "resumes there"
            )
        others = [path for path in (*LARGE, *SMALL) if path != self.LAST]
        assert set(store.objects()) == keys(others)
        hub.held.clear()
        hub.seen.clear()
        second = self.run(s3, hub, tmp_path)
        out, _ = second.communicate(timeout=60)
        assert second.returncode == 0, out
        assert [path for path in hub.paths() if path.startswith("/store/")] == [f"/store/{self.LAST}"]
        assert {key: body for key, body in store.objects().items() if not key.endswith(".ready.json")} == {
            f"{PREFIX}/{path}": content for path, content in {**LARGE, **SMALL}.items()
        }
        assert store.uploads() == []

    def run(self, s3: str, hub: Hub, home: Path) -> subprocess.Popen[str]:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "HF_ENDPOINT": hub.address,
            "AWS_ENDPOINT_URL_S3": s3,
            "AWS_REGION": "us-west-2",
            "AWS_DEFAULT_REGION": "us-west-2",
            "AWS_ACCESS_KEY_ID": "x",
            "AWS_SECRET_ACCESS_KEY": "x",
            "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
        }
        return subprocess.Popen(
            [
                *(sys.executable, "-B", stage_weights.__file__, "copy", "--repository", REPOSITORY),
                *("--revision", REVISION, "--bucket", "weights", "--prefix", PREFIX, "--exclude", "*/*"),
                *("--include", "*.safetensors", "--include", "*.json", "--include", "*.jinja"),
            ],
            cwd=home,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


class TestAlone:
    PROGRAM = Path(stage_weights.__file__)

    def test_needs_python_and_boto3_only(self) -> None:
        tree = ast.parse(self.PROGRAM.read_text("utf-8"))
        imported = {
            (node.module or "." if isinstance(node, ast.ImportFrom) else alias.name).partition(".")[0]
            for node in ast.walk(tree)
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names
        }
        assert imported - sys.stdlib_module_names == {"boto3", "botocore"}

    def test_without_credentials(self, tmp_path: Path) -> None:
        ran = self._run(tmp_path, AWS_EC2_METADATA_DISABLED="true")
        assert ran.wait(60) == 1
        assert ran.stdout is not None
        assert ran.stdout.read().split(" ", 2)[2] == (
            "error: there are no AWS credentials; create an EKS Pod Identity association for the pod's service "
            "account, and start the pod after it\n"
        )
        ran.stdout.close()

    def test_ends_at_once_when_it_is_told_to(self, tmp_path: Path) -> None:
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen()
            silent.settimeout(60)
            address = f"http://127.0.0.1:{silent.getsockname()[1]}"
            ran = self._run(tmp_path, AWS_ENDPOINT_URL_S3=address, AWS_ACCESS_KEY_ID="x", AWS_SECRET_ACCESS_KEY="x")
            connection, _ = silent.accept()
            ran.send_signal(signal.SIGTERM)
            assert ran.wait(30) == 143
            connection.close()
        assert ran.stdout is not None
        ran.stdout.close()

    def _run(self, home: Path, **environment: str) -> subprocess.Popen[str]:
        kept = {name: os.environ[name] for name in ("PATH",) if name in os.environ}
        return subprocess.Popen(
            [
                *(sys.executable, "-B", str(self.PROGRAM), "check", "--repository", REPOSITORY),
                *("--revision", REVISION, "--bucket", "weights", "--prefix", PREFIX),
            ],
            cwd=home,
            env={**kept, "HOME": str(home), "AWS_REGION": "us-west-2", **environment},
            stdout=subprocess.PIPE,
            text=True,
        )
