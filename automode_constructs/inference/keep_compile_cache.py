"""Keeps what vLLM compiles between nodes: the program of a fast-starting ``ModelServer``, held by a ConfigMap as text.

It needs Python 3.11 and boto3, which every image has that streams weights from S3. ``restore`` unpacks the archives
under the prefix into the cache before the server starts. ``save`` waits until the server is ready, packs the files
that no archive had, uploads them as one archive, and sleeps until the pod ends. vLLM names what it compiles after
version, settings and GPU, so archives of different GPUs do not disturb each other, and what does not match is compiled
as ever.

A cache may be missing: whatever fails is logged, and the server starts without it. What vLLM loads from the archives
is code: who may write to the prefix decides what the server runs.

Source: vLLM, "torch.compile integration" (the whole torch_compile_cache may be copied to another deployment).
"""

from __future__ import annotations

import argparse
import hashlib
import logging
import signal
import sys
import tarfile
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import boto3
from botocore.config import Config

__all__ = ["FOLDERS", "MOST_ARCHIVES", "MOST_BYTES", "main"]

FOLDERS = ("vllm", "inductor", "triton", ".cache/flashinfer")
"""Folders of the cache in which vLLM, Inductor, Triton and FlashInfer keep what they compile."""

MOST_ARCHIVES = 16
"""Archives under a prefix: one for each kind of GPU, and some for what longer runs compile."""

MOST_BYTES = 1024**3
"""Bytes of archives that a pod unpacks, so that the cache's volume never overflows."""

_HEALTH = "http://127.0.0.1:8000/health"
_PAUSE_SECONDS = 5

log = logging.getLogger("compile-cache")


def _client() -> Any:
    return boto3.client("s3", config=Config(connect_timeout=5, read_timeout=30, retries={"max_attempts": 3}))


def _archives(client: Any, bucket: str, prefix: str) -> list[dict[str, Any]]:
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{prefix}/")
    found = [each for page in pages for each in page.get("Contents", ()) if each["Key"].endswith(".tar")]
    return sorted(found, key=lambda each: each["LastModified"], reverse=True)


def _files(cache: Path) -> list[str]:
    """Compiled files by their path in the cache, in order; no links, which an archive could lead elsewhere."""
    return sorted(
        path.relative_to(cache).as_posix()
        for folder in FOLDERS
        for path in (cache / folder).rglob("*")
        if path.is_file() and not path.is_symlink() and not path.name.endswith((".tmp", ".lock"))
    )


def _restore(cache: Path, bucket: str, prefix: str) -> None:
    client, left = _client(), MOST_BYTES
    for archive in _archives(client, bucket, prefix)[:MOST_ARCHIVES]:
        left -= archive["Size"]
        if left < 0:
            log.info("the other archives are too large together")
            break
        with tempfile.TemporaryFile(dir=cache) as file:
            client.download_fileobj(bucket, archive["Key"], file)
            file.seek(0)
            with tarfile.open(fileobj=file, mode="r:") as tar:
                # "data" refuses what leads out of the folder.
                tar.extractall(cache, filter="data")
        log.info("restored %s, %d bytes", archive["Key"], archive["Size"])
    (cache / ".restored").write_text("\n".join(_files(cache)), "utf-8")


def _save(cache: Path, bucket: str, prefix: str) -> None:
    restored = cache / ".restored"
    known = set(restored.read_text("utf-8").split("\n")) if restored.exists() else set()
    new = [name for name in _files(cache) if name not in known]
    if not new:
        log.info("nothing was compiled that the archives lack")
        return
    client = _client()
    archives = _archives(client, bucket, prefix)
    key = f"{prefix}/{hashlib.sha256(chr(10).join(new).encode()).hexdigest()[:32]}.tar"
    if len(archives) >= MOST_ARCHIVES or any(archive["Key"] == key for archive in archives):
        log.info("not saved: %d archives are there", len(archives))
        return
    with tempfile.TemporaryFile(dir=cache) as file:
        with tarfile.open(fileobj=file, mode="w:") as tar:
            for name in new:
                tar.add(cache / name, arcname=name, recursive=False)
        if file.tell() > MOST_BYTES:
            log.info("not saved: %d bytes are too many", file.tell())
            return
        file.seek(0)
        client.upload_fileobj(file, bucket, key)
    log.info("saved %d files as %s", len(new), key)


def _wait_until_ready(ended: threading.Event, health: str) -> bool:
    while not ended.wait(_PAUSE_SECONDS):
        try:
            with urlopen(health, timeout=3) as answer:  # noqa: S310 - a constant address
                if answer.status == 200:
                    return True
        except OSError:
            continue
    return False


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the program.

    Args:
        arguments: the command line without the program's name. Default: the process's own.
    """
    parser = argparse.ArgumentParser(prog="keep_compile_cache.py", allow_abbrev=False)
    parser.add_argument("command", choices=("restore", "save"))
    for name in ("bucket", "prefix", "cache"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--health", default=_HEALTH)
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s", stream=sys.stdout, force=True)
    ended = threading.Event()
    # As the first process of its container, Python would ignore the signal otherwise.
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    act = _restore if options.command == "restore" else _save
    if options.command == "save" and not _wait_until_ready(ended, options.health):
        return 0
    try:
        act(Path(options.cache), options.bucket, options.prefix)
    except Exception as error:  # noqa: BLE001 - a cache is no reason to have no server
        log.warning("without the cache: %s: %s", type(error).__name__, error)
    if options.command == "save":
        # A sidecar that ends is started again.
        ended.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
