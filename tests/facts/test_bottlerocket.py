"""Folders of a Bottlerocket node."""

from __future__ import annotations

import pytest

from automode_constructs.facts.bottlerocket import HOST_FOLDERS, host_folder


@pytest.mark.parametrize(
    ("path", "folder"),
    [
        ("/", "/"),
        ("/usr/bin", "/"),
        ("/variable", "/"),
        ("/var", "/var"),
        ("/var/log/pods", "/var"),
        ("/var/log/journal/x", "/var/log/journal"),
        ("/var/lib/containerd", "/var/lib/containerd"),
        ("/etc/os-release", "/etc"),
    ],
)
def test_the_innermost_folder_counts(path: str, folder: str) -> None:
    assert host_folder(path).path == folder


def test_a_folder_with_a_bound_says_why() -> None:
    bounded = [one for one in HOST_FOLDERS if (one.read_by, one.written_by) != ("container_t", "container_t")]
    assert bounded and all(one.why for one in bounded)
    assert [one.path for one in HOST_FOLDERS] == sorted(one.path for one in HOST_FOLDERS)
