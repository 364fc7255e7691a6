"""Copies one commit of a model from the Hugging Face hub into S3: the program of the Job that ``WeightStaging`` makes.

The ConfigMap of the Job holds this file as text, so it needs only Python 3.11 and boto3, both in AWS's Lambda base
image for Python. It installs nothing and writes no disk. A model server's image would work too, but is a 9 GB pull on
an ordinary node. The AWS CLI's image has no Python for other programs, and a shell script that resumes and checks
digests is easier to get wrong.

``copy`` streams one file after another through memory into a multipart upload and hashes it on the way. Only a file
with the hub's size and digest becomes an object. So an object whose metadata holds the digest is complete and is not
copied again, and an interrupted copy resumes at the file where it stopped. The marker ``.ready.json`` is written last.
``check`` reports whether the marker and all objects exist. The last line of the log gives the reason for a failure.

Exit codes: 0 everything exists; 1 a retry may succeed (network, permissions not yet in force); 2 no retry can succeed
with these settings; 143 terminated by SIGTERM.

Environment: ``HF_ENDPOINT`` (a mirror of the hub), ``HF_TOKEN``, ``HTTPS_PROXY``, ``NO_PROXY``, and boto3's own.

Source: Hugging Face, "Hub API Endpoints"; Amazon S3 User Guide, "Multipart upload".
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import os
import re
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

__all__ = ["ATTEMPTS", "MARKER", "PART_BYTES", "SettingsError", "SourceFile", "TransferError", "main"]

HUB = "https://huggingface.co"

MARKER = ".ready.json"
"""Name of the object that marks the copy as complete."""

DIGEST = "source-digest"
"""The metadata in which an object keeps the hub's digest."""

PART_BYTES = 16 * 1024 * 1024
"""Bytes of a part of a multipart upload; S3 takes 10,000 parts, so a file above 150 GB gets larger ones.

About 14 of them are in memory: ten that wait, four on their way.
"""

ATTEMPTS = 6
"""How often a request is made before it counts as failed, with 1, 2, 4 ... seconds in between."""

TIMEOUT_SECONDS = 60
LONGEST_PAUSE_SECONDS = 60
_BLOCK_BYTES = 1024 * 1024
_LOGGED_BYTES = 1_000_000_000
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
"""HTTP status codes that are worth a retry."""
_NOT_SHOWN = frozenset({401, 403, 404})
"""The hub's status codes for a repository that is missing, private or gated; it does not say which."""

log = logging.getLogger("stage-weights")


class SettingsError(Exception):
    """These settings can never work."""


class TransferError(Exception):
    """This attempt failed; another may succeed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceFile:
    """A file of the model: path in the repository, bytes, and ``sha256:`` or ``git-sha1:`` with a digest in hex."""

    path: str
    size: int
    digest: str


class Hub:
    """One commit of a repository on the hub."""

    def __init__(self, repository: str, revision: str) -> None:
        self._endpoint = os.environ.get("HF_ENDPOINT", "").rstrip("/") or HUB
        self._token = os.environ.get("HF_TOKEN", "").strip()
        self._repository = repository
        self._revision = revision
        if not self._endpoint.startswith(("https://", "http://")):
            raise SettingsError(f"HF_ENDPOINT is not a URL: {self._endpoint!r}")

    def __str__(self) -> str:
        return f"{self._repository} at {self._revision}"

    def files(self) -> Iterator[SourceFile]:
        """Every file of the commit."""
        url = f"{self._endpoint}/api/models/{quote(self._repository)}/tree/{self._revision}?recursive=true"
        while url:
            with self.fetch(url) as response:
                try:
                    entries = json.load(response)
                    for entry in entries:
                        if entry["type"] == "file":
                            large = entry.get("lfs")
                            digest = f"sha256:{large['oid']}" if large else f"git-sha1:{entry['oid']}"
                            yield SourceFile(path=entry["path"], size=int(entry["size"]), digest=digest)
                except (OSError, HTTPException, ValueError, KeyError, TypeError) as error:
                    raise TransferError(f"{url} did not answer with a list of files ({error!r})") from None
                following = re.search(r'<([^>]+)>;\s*rel="next"', response.headers.get("Link") or "")
            url = following[1] if following else ""

    def fetch_file(self, path: str, offset: int) -> Any:
        """A file's bytes, starting at an offset."""
        return self.fetch(
            f"{self._endpoint}/{quote(self._repository)}/resolve/{self._revision}/{quote(path)}", offset=offset
        )

    def fetch(self, url: str, *, offset: int = 0) -> Any:
        """Opens a URL, and retries where that may help."""
        fault, pause = "", 0
        for attempt in range(ATTEMPTS):
            if attempt:
                log.info("%s: %s; trying again in %s s", url, fault, pause)
                time.sleep(pause)
            pause = min(2**attempt, LONGEST_PAUSE_SECONDS)
            try:
                response = urlopen(self._request(url, offset), timeout=TIMEOUT_SECONDS)  # noqa: S310 - see __init__
            except HTTPError as error:
                fault = f"HTTP {error.code}"
                retry_after = error.headers.get("Retry-After") or ""
                error.close()
                if error.code in _NOT_SHOWN:
                    raise SettingsError(
                        f"{self}: the hub answers HTTP {error.code} to {url}; check repository and revision, and set "
                        "HF_TOKEN if the repository is private or requires you to accept its terms"
                    ) from None
                if error.code not in _PASSING:
                    raise TransferError(f"{url}: {fault}") from None
                if retry_after.isdecimal():
                    pause = min(int(retry_after), LONGEST_PAUSE_SECONDS)
            except (OSError, HTTPException) as error:
                fault = str(error) or type(error).__name__
            else:
                if offset and not (response.headers.get("Content-Range") or "").startswith(f"bytes {offset}-"):
                    response.close()
                    raise TransferError(f"{url} cannot be read from byte {offset}")
                return response
        raise TransferError(f"{url}: {fault}, {ATTEMPTS} times")

    def _request(self, url: str, offset: int) -> Request:
        request = Request(url, headers={"User-Agent": "stage-weights"})  # noqa: S310 - see __init__
        if offset:
            request.add_header("Range", f"bytes={offset}-")
        if self._token and url.startswith(f"{self._endpoint}/"):
            # Not for the store of large files that the hub redirects to.
            request.add_unredirected_header("Authorization", f"Bearer {self._token}")
        return request


class CheckedStream:
    """A file of the hub, read once: resumes after a broken connection, and raises if the size or digest is wrong.

    boto3 treats it as a stream that cannot seek, and aborts the upload when it raises.
    """

    def __init__(self, hub: Hub, file: SourceFile) -> None:
        self._hub = hub
        self._file = file
        self._response: Any = None
        self._received = 0
        self._losses = 0
        kind, _, self._expected = file.digest.partition(":")
        if kind == "sha256":
            self._hash = hashlib.sha256()
        else:
            self._hash = hashlib.sha1(f"blob {file.size}\0".encode(), usedforsecurity=False)

    def read(self, amount: int = -1) -> bytes:
        """As many bytes as asked for, fewer only at the end: S3 takes no small part but the last."""
        unread = self._file.size - self._received
        remaining = unread if amount < 0 else min(amount, unread)
        blocks: list[bytes] = []
        while remaining:
            block = self._some(min(remaining, _BLOCK_BYTES))
            self._hash.update(block)
            if (self._received + len(block)) // _LOGGED_BYTES > self._received // _LOGGED_BYTES:
                log.info("%s: %.0f of %.1f GB", self._file.path, self._received / 1e9, self._file.size / 1e9)
            self._received += len(block)
            remaining -= len(block)
            blocks.append(block)
        if self._received == self._file.size:
            self._judge()
        return b"".join(blocks)

    def close(self) -> None:
        """Closes the connection."""
        if self._response is not None:
            self._response.close()
            self._response = None

    def _some(self, amount: int) -> bytes:
        while True:
            if self._response is None:
                self._response = self._hub.fetch_file(self._file.path, self._received)
            try:
                block: bytes = self._response.read(amount)
                fault = "the connection ended"
            except (OSError, HTTPException) as error:
                block, fault = b"", str(error) or type(error).__name__
            if block:
                self._losses = 0
                return block
            self.close()
            self._losses += 1
            where = f"{self._file.path}: {fault} at byte {self._received} of {self._file.size}"
            if self._losses == ATTEMPTS:
                raise TransferError(f"{where}, {ATTEMPTS} times")
            log.info("%s; resuming from there", where)
            time.sleep(2 ** (self._losses - 1))

    def _judge(self) -> None:
        try:
            more = self._response is not None and self._response.read(1)
        except (OSError, HTTPException):
            more = b""
        if more:
            raise TransferError(f"{self._file.path}: has more than the {self._file.size} bytes that the hub reports")
        got = self._hash.hexdigest()
        if got != self._expected:
            raise TransferError(f"{self._file.path}: its digest is {got}, but the hub reports {self._expected}")


class Bucket:
    """The prefix of an S3 bucket that holds one commit of a model."""

    def __init__(self, name: str, prefix: str) -> None:
        self._client = boto3.client(
            "s3", config=Config(retries={"mode": "standard", "total_max_attempts": ATTEMPTS}, max_pool_connections=32)
        )
        self._name = name
        self._prefix = f"{prefix}/"

    def __str__(self) -> str:
        return f"s3://{self._name}/{self._prefix}"

    def sizes(self) -> dict[str, int]:
        """The size of each object, in bytes."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._name, Prefix=self._prefix)
        listed = (item for page in pages for item in page.get("Contents", ()))
        return {item["Key"].removeprefix(self._prefix): item["Size"] for item in listed}

    def marker(self) -> dict[str, Any]:
        """The content of the marker, which must exist."""
        body = self._client.get_object(Bucket=self._name, Key=f"{self._prefix}{MARKER}")["Body"].read()
        try:
            marker: dict[str, Any] = json.loads(body)
            for file in marker["files"]:
                SourceFile(**file)
        except (ValueError, KeyError, TypeError):
            raise SettingsError(f"{self}{MARKER} is not a marker of this program; use another prefix") from None
        return marker

    def holds(self, file: SourceFile) -> bool:
        """Whether the object is a copy of this file."""
        metadata = self._client.head_object(Bucket=self._name, Key=f"{self._prefix}{file.path}")["Metadata"]
        return bool(metadata.get(DIGEST) == file.digest)

    def abort_uploads(self, paths: set[str]) -> None:
        """Aborts uploads that an interrupted run left behind: their parts cost money and no listing shows them."""
        pages = self._client.get_paginator("list_multipart_uploads").paginate(Bucket=self._name, Prefix=self._prefix)
        for page in pages:
            for upload in page.get("Uploads", ()):
                if upload["Key"].removeprefix(self._prefix) in paths:
                    log.info("aborting the interrupted upload of %s", upload["Key"])
                    self._client.abort_multipart_upload(
                        Bucket=self._name, Key=upload["Key"], UploadId=upload["UploadId"]
                    )

    def take(self, file: SourceFile, stream: CheckedStream) -> None:
        """Uploads a file."""
        part = max(PART_BYTES, file.size // 9_000)
        self._client.upload_fileobj(
            stream,
            self._name,
            f"{self._prefix}{file.path}",
            ExtraArgs={"Metadata": {DIGEST: file.digest}},
            Config=TransferConfig(multipart_threshold=part, multipart_chunksize=part, max_concurrency=4),
        )

    def mark(self, marker: dict[str, Any]) -> None:
        """Writes the marker."""
        self._client.put_object(
            Bucket=self._name,
            Key=f"{self._prefix}{MARKER}",
            Body=json.dumps(marker, indent=1).encode(),
            ContentType="application/json",
        )


def _copy(options: argparse.Namespace) -> None:
    hub, bucket = Hub(options.repository, options.revision), Bucket(options.bucket, options.prefix)
    wish = {
        "repository": options.repository,
        "revision": options.revision,
        "include": options.include,
        "exclude": options.exclude,
    }
    sizes = bucket.sizes()
    marker = bucket.marker() if MARKER in sizes else None
    if marker is not None:
        _refuse_other_model(bucket, marker, options)
        if wish.items() <= marker.items() and not _lacking(marker, sizes):
            log.info("%s already holds %s: nothing to copy", bucket, hub)
            return
    files = [file for file in hub.files() if _is_selected(file.path, options)]
    _refuse_mixture(hub, bucket, files, sizes, options)
    missing = [file for file in files if sizes.get(file.path) != file.size or not bucket.holds(file)]
    log.info(
        "%s: %s files, %.2f GB; %s of them, %.2f GB, to copy into %s",
        hub,
        len(files),
        sum(file.size for file in files) / 1e9,
        len(missing),
        sum(file.size for file in missing) / 1e9,
        bucket,
    )
    if missing:
        bucket.abort_uploads({file.path for file in missing})
        _copy_all(hub, bucket, missing)
    bucket.mark({**wish, "files": [asdict(file) for file in files]})
    log.info("%s is ready", bucket)


def _check(options: argparse.Namespace) -> None:
    bucket = Bucket(options.bucket, options.prefix)
    hint = f"; see 'kubectl logs job/{options.job}'" if options.job else ""
    sizes = bucket.sizes()
    if MARKER not in sizes:
        raise TransferError(f"{bucket} is not ready: it has no {MARKER}, which is written last{hint}")
    marker = bucket.marker()
    _refuse_other_model(bucket, marker, options)
    lacking = _lacking(marker, sizes)
    if lacking:
        raise TransferError(f"{bucket} is incomplete: {_some_of(lacking)} missing or of a different size{hint}")
    log.info("%s holds %s at %s", bucket, options.repository, options.revision)


def _is_selected(path: str, options: argparse.Namespace) -> bool:
    return any(fnmatchcase(path, pattern) for pattern in options.include) and not any(
        fnmatchcase(path, pattern) for pattern in options.exclude
    )


def _refuse_other_model(bucket: Bucket, marker: dict[str, Any], options: argparse.Namespace) -> None:
    if (marker.get("repository"), marker.get("revision")) != (options.repository, options.revision):
        raise SettingsError(
            f"{bucket} holds {marker.get('repository')} at {marker.get('revision')}, not {options.repository} at "
            f"{options.revision}; use another prefix"
        )


def _refuse_mixture(
    hub: Hub, bucket: Bucket, files: Sequence[SourceFile], sizes: dict[str, int], options: argparse.Namespace
) -> None:
    if not files:
        raise SettingsError(f"{hub} has no file that matches ({', '.join(options.include)})")
    if "*.safetensors" in options.include and not any(file.path.endswith(".safetensors") for file in files):
        raise SettingsError(f"{hub} has no *.safetensors, so a server would find no weights")
    strangers = {path for path in sizes if _is_selected(path, options)} - {file.path for file in files} - {MARKER}
    if strangers:
        raise SettingsError(
            f"{bucket} has {_some_of(strangers)}, which {hub} does not have and a server would load too; "
            "use another prefix, or delete it"
        )


def _lacking(marker: dict[str, Any], sizes: dict[str, int]) -> set[str]:
    return {file["path"] for file in marker["files"] if sizes.get(file["path"]) != file["size"]}


def _some_of(paths: set[str]) -> str:
    first = sorted(paths)[:3]
    return ", ".join(first) + (f" and {len(paths) - len(first)} more" if len(paths) > len(first) else "")


def _copy_all(hub: Hub, bucket: Bucket, files: Sequence[SourceFile]) -> None:
    """Copies one file after another, so that an interrupted run leaves at most one file incomplete."""
    failures: list[TransferError] = []
    # The smallest first: a mistake in the settings shows at once.
    for number, file in enumerate(sorted(files, key=lambda file: (file.size, file.path)), 1):
        _under_way[:] = [f"copying file {number} of {len(files)}, {file.path}"]
        try:
            _copy_one(hub, bucket, file)
        except (SettingsError, TransferError, BotoCoreError, ClientError) as error:
            failure = _in_words(error, bucket)
            log.error("%s", failure)
            if isinstance(failure, SettingsError):
                raise failure from None
            failures.append(failure)
    if failures:
        raise TransferError(
            f"{len(failures)} of {len(files)} files failed, the last of them: {failures[-1]}; the next run copies "
            "the missing files"
        )


_under_way: list[str] = []
"""What the run is doing, for the message on SIGTERM."""


def _end(*_: object) -> None:
    """Writes what was under way as the last line, and that nothing is lost."""
    notice = f"error: terminated while {_under_way[0] if _under_way else 'starting'}; complete files stay, and the "
    # Past the log, whose lock may be held.
    os.write(1, f"{notice}next run resumes there\n".encode())
    os._exit(143)


def _copy_one(hub: Hub, bucket: Bucket, file: SourceFile) -> None:
    log.info("%s: copying %.3f GB", file.path, file.size / 1e9)
    began = time.monotonic()
    stream = CheckedStream(hub, file)
    try:
        bucket.take(file, stream)
    finally:
        stream.close()
    seconds = time.monotonic() - began
    log.info("%s: copied in %.1f s, %.0f MB/s, %s", file.path, seconds, file.size / 1e6 / seconds, file.digest)


def _in_words(error: Exception, bucket: Bucket | str) -> SettingsError | TransferError:
    if isinstance(error, (SettingsError, TransferError)):
        return error
    if isinstance(error, NoCredentialsError):
        return TransferError(
            "there are no AWS credentials; create an EKS Pod Identity association for the pod's service account, and "
            "start the pod after it"
        )
    if isinstance(error, ClientError):
        code, operation = error.response.get("Error", {}).get("Code", ""), error.operation_name
        if code == "NoSuchBucket":
            return SettingsError(f"{bucket}: the bucket does not exist")
        if code in {"AccessDenied", "403"}:
            return TransferError(
                f"{bucket}: the pod's role may not {operation}; it needs s3:ListBucket and s3:GetObject, for copying "
                "also s3:ListBucketMultipartUploads, s3:PutObject and s3:AbortMultipartUpload, and the use of the "
                "bucket's KMS key"
            )
    return TransferError(f"{bucket}: {error}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="stage-weights", description=(__doc__ or "").partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    copy = commands.add_parser("copy", help="copy the missing files")
    check = commands.add_parser("check", help="check that everything exists")
    for command in (copy, check):
        command.add_argument("--repository", required=True, help="owner/name on the hub")
        command.add_argument("--revision", required=True, help="the commit, 40 hexadecimal digits")
        command.add_argument("--bucket", required=True)
        command.add_argument("--prefix", required=True, help="where in the bucket, without a slash at either end")
    copy.add_argument("--include", action="append", required=True, help="a pattern of paths; may be repeated")
    copy.add_argument("--exclude", action="append", default=[], help="like --include, and overrides it")
    check.add_argument("--job", default="", help="name of the Job that copies, for the message")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; its exit code is the result."""
    logging.basicConfig(stream=sys.stdout, level=logging.WARNING, format="%(asctime)s %(message)s", force=True)
    log.setLevel(logging.INFO)
    options = _parser().parse_args(arguments)
    try:
        if re.fullmatch(r"[0-9a-f]{40}", options.revision) is None:
            raise SettingsError(
                f"{options.revision!r} is not a commit but a branch or tag, whose files change; pass 40 hexadecimal "
                "digits"
            )
        if options.command == "copy":
            _copy(options)
        else:
            _check(options)
    except (SettingsError, TransferError, BotoCoreError, ClientError) as error:
        failure = _in_words(error, f"s3://{options.bucket}/{options.prefix}/")
        log.error("error: %s", failure)
        return 2 if isinstance(failure, SettingsError) else 1
    return 0


if __name__ == "__main__":
    # Python as a container's first process ignores SIGTERM, and threads would keep it alive.
    signal.signal(signal.SIGTERM, _end)
    sys.exit(main())
