"""What SELinux lets containers do with the folders of a Bottlerocket node, which every Auto Mode node is.

Read on 2026-11-27. Auto Mode's nodes run an AWS variant of Bottlerocket whose policy is not published: that it is the
one of the sources is an inference (?).

Source: bottlerocket-os/bottlerocket-core-kit, packages/selinux-policy (fs.cil, object.cil, rules.cil);
bottlerocket-os/bottlerocket, SECURITY_GUIDANCE.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

__all__ = ["HOST_FOLDERS", "PACKAGE_MANAGERS", "SELINUX_TYPES", "HostFolder", "SelinuxType", "host_folder"]

SelinuxType = Literal["container_t", "control_t", "super_t"]
"""Containers have ``container_t``, privileged ones ``control_t``; ``super_t`` one must ask for."""

SELINUX_TYPES: Final[tuple[SelinuxType, ...]] = ("container_t", "control_t", "super_t")
"""The types of containers, the least first: each may do all that those before it may."""

PACKAGE_MANAGERS: Final = frozenset({"apk", "apt", "apt-get", "dnf", "dpkg", "microdnf", "rpm", "yum", "zypper"})
"""Programs that no Bottlerocket host has."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HostFolder:
    """A folder of the host and what may be done with it."""

    path: str
    read_by: SelinuxType = "container_t"
    """The least type that may read its files."""
    written_by: SelinuxType | None = "container_t"
    """The least type that may change its files; ``None`` where nothing may, or nothing that is written stays."""
    why: str = ""
    """Why not everyone may, as the end of a sentence that begins with the path."""


_STATE = "holds state of the system (SELinux label state_t)"
_PROTECTED = "holds secrets of the system (SELinux label secret_t)"
_CONTAINERD = "holds the files of images and containers, which belong to containerd (SELinux label cache_t)"

HOST_FOLDERS: Final = (
    HostFolder(path="/", written_by=None, why="is the read-only root file system, which dm-verity protects"),
    HostFolder(path="/dev"),
    HostFolder(path="/etc", written_by=None, why="is in memory, and Bottlerocket generates it (SELinux label etc_t)"),
    HostFolder(path="/local"),
    HostFolder(path="/local/bootstrap-containers", read_by="control_t", written_by="super_t", why=_PROTECTED),
    HostFolder(path="/local/host-containers", read_by="control_t", written_by="super_t", why=_PROTECTED),
    HostFolder(path="/media"),
    HostFolder(path="/mnt"),
    HostFolder(path="/opt"),
    HostFolder(path="/proc"),
    HostFolder(path="/run"),
    HostFolder(
        path="/run/api.sock", written_by="control_t", why="is the socket of Bottlerocket's API, which changes the node"
    ),
    HostFolder(path="/sys"),
    HostFolder(path="/tmp"),  # noqa: S108 - of the host
    HostFolder(path="/var"),
    HostFolder(
        path="/var/lib/bottlerocket",
        read_by="control_t",
        written_by=None,
        why="holds Bottlerocket's settings (SELinux label private_t)",
    ),
    HostFolder(path="/var/lib/cni-plugins", written_by="control_t", why=_STATE),
    HostFolder(path="/var/lib/containerd", written_by="super_t", why=_CONTAINERD),
    HostFolder(path="/var/lib/csi-helpers", written_by="control_t", why=_STATE),
    HostFolder(path="/var/lib/kernel-devel", written_by="control_t", why=_STATE),
    HostFolder(path="/var/lib/kernel-modules", written_by="control_t", why=_STATE),
    HostFolder(path="/var/lib/selinux", written_by="control_t", why=_STATE),
    HostFolder(path="/var/lib/systemd", written_by="control_t", why=_STATE),
    HostFolder(path="/var/log/journal", written_by="control_t", why=_STATE),
)
"""The folders whose files have labels of their own, each before those inside it."""


def host_folder(path: str) -> HostFolder:
    """The innermost known folder that a path of the host is in.

    Args:
        path: an absolute path without ``.`` and ``..``.
    """
    inside = [folder for folder in HOST_FOLDERS if f"{path.rstrip('/')}/".startswith(f"{folder.path.rstrip('/')}/")]
    return max(inside, key=lambda folder: len(folder.path))
