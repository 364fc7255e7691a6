"""The folder and the environment of one rehearsal, and the commands that are run in them."""

from __future__ import annotations

import os
import pty
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tools.rehearse import kubectl
from tools.rehearse.parts import Parts

__all__ = ["REGION", "ROOT", "Ran", "Workplace", "ended_with_its_children", "free_port"]

REGION = "us-east-1"
"""Where an app goes that names no region."""

ROOT = Path(__file__).parents[2]
"""This repository, where every command is run."""

_KEPT = ("LANG", "LC_ALL", "LC_CTYPE", "TERM", "TZ")
"""All that a command sees of the environment of whoever started the rehearsal, beside the end of PATH."""

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")

_LONGEST = 900
"""Seconds that a command may take."""


@dataclass(frozen=True, slots=True)
class Ran:
    """A command that has ended: its exit code and all that it printed."""

    code: int
    output: str


@dataclass(frozen=True, slots=True)
class Workplace:
    """One app's folder, port and commands."""

    folder: Path
    parts: Parts
    port: int
    kubeconfig: Path | None = None

    def make(self) -> None:
        """Makes the folder anew, with the ``aws`` and ``kubectl`` that its commands and Lambdas meet."""
        shutil.rmtree(self.folder, ignore_errors=True)
        for folder in (self.bin, self.objects, *(self.folder / name for name in ("home", "logs", "tmp"))):
            folder.mkdir(parents=True)
        self.faults.write_text("{}", "utf-8")
        python = shlex.quote(str(self.parts.python))
        self._command("kubectl", f'exec {python} -I -S {shlex.quote(str(Path(kubectl.__file__)))} "$@"')
        # The CLI of the CDK's layer, whose first line asks for the Python of Lambda.
        self._command("aws", f'exec {python} {shlex.quote(str(self.parts.layers / "awscli" / "aws"))} "$@"')

    @property
    def bin(self) -> Path:
        """The commands that stand before all others."""
        return self.folder / "bin"

    @property
    def objects(self) -> Path:
        """What the recording kubectl has in the cluster."""
        return self.folder / "objects"

    @property
    def faults(self) -> Path:
        """What the stand-in refuses to create: resource types, each with the words."""
        return self.folder / "faults.json"

    @property
    def endpoint(self) -> str:
        """Where the stand-in listens."""
        return f"http://127.0.0.1:{self.port}"

    def environment(self, outside: Mapping[str, str]) -> dict[str, str]:
        """The variables of every command: nothing of an account, a proxy or a home of whoever starts the rehearsal.

        Args:
            outside: the environment that the rehearsal was started in.
        """
        path = [self.bin, self.parts.layers / "kubectl", Path(sys.executable).parent, outside.get("PATH", os.defpath)]
        return {
            **{name: outside[name] for name in _KEPT if name in outside},
            "PATH": os.pathsep.join(map(str, path)),
            "HOME": str(self.folder / "home"),
            "TMPDIR": str(self.folder / "tmp"),
            "PYTHONPATH": str(ROOT),  # the library of this checkout, wherever the examples run
            "AWS_ACCESS_KEY_ID": "rehearsal",
            "AWS_SECRET_ACCESS_KEY": "rehearsal",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_PAGER": "",
            "CDK_DISABLE_VERSION_CHECK": "1",
            "JSII_RUNTIME_PACKAGE_CACHE_ROOT": str(self.parts.folder / "jsii"),  # its home is new every time
            "NO_COLOR": "1",
            "NODE_PATH": str(self.parts.node_modules),
            "REHEARSE_BIN": str(self.bin),
            "REHEARSE_FAULTS": str(self.faults),
            kubectl.OBJECTS: str(self.objects),
            **({kubectl.KUBECONFIG: str(self.kubeconfig)} if self.kubeconfig else {}),
        }

    def run(self, words: str, log: Path, *, answer: str | None = None, aloud: bool = False) -> Ran:
        """Runs a command of words, as a person types it, in this repository.

        Args:
            words: the command and its arguments, quoted as for a shell.
            log: where all that it prints is added to.
            answer: what is typed at a terminal when the command asks. Default: it has no terminal.
            aloud: whether what it prints is shown too.
        """
        controller, terminal = pty.openpty() if answer is not None else (None, None)
        with log.open("a", 1, "utf-8") as file, _started(shlex.split(words), terminal) as process:
            file.write(f"$ {words}\n")
            late = threading.Timer(_LONGEST, _end, (process, signal.SIGKILL))
            late.start()
            try:
                output = []
                for text in _output_of(process, controller, answer):
                    output.append(text)
                    file.write(text)
                    if aloud:
                        sys.stderr.write(text)
                process.wait()
            finally:
                late.cancel()
                if controller is not None:
                    os.close(controller)
        return Ran(process.returncode, _COLOUR.sub("", "".join(output)))

    def _command(self, name: str, text: str) -> None:
        file = self.bin / name
        file.write_text(f"#!/bin/sh\n{text}\n", "utf-8")
        file.chmod(0o755)


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def ended_with_its_children(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """Ends a process that leads a group of its own, and the group with it, however the block is left."""
    try:
        yield process
    finally:
        _end(process, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(5)
        _end(process, signal.SIGKILL)
        process.wait()


@contextmanager
def _started(words: list[str], terminal: int | None) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        words,
        cwd=ROOT,
        stdin=subprocess.DEVNULL if terminal is None else terminal,
        stdout=subprocess.PIPE if terminal is None else terminal,
        stderr=subprocess.STDOUT if terminal is None else terminal,
        start_new_session=True,
    )
    if terminal is not None:
        os.close(terminal)
    with ended_with_its_children(process):
        yield process
    if process.stdout is not None:
        process.stdout.close()


def _end(process: subprocess.Popen[bytes], how: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, how)


def _output_of(process: subprocess.Popen[bytes], controller: int | None, answer: str | None) -> Iterator[str]:
    if controller is None or answer is None:
        stream: IO[bytes] | None = process.stdout
        assert stream is not None
        for line in stream:
            yield line.decode("utf-8", "replace")
        return
    prompt = ""
    while True:
        try:
            part = os.read(controller, 65536)
        except OSError:  # what Linux says when the other side of the terminal is gone
            return
        if not part:
            return
        text = part.decode("utf-8", "replace")
        prompt += text
        if "(y/n)" in prompt:
            prompt = ""
            time.sleep(0.2)
            os.write(controller, f"{answer}\n".encode())
        yield text
