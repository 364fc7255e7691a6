"""One agent: what is refused, and in which words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from automode_constructs import Taint
from automode_constructs.inference.weights import SecretKey
from automode_constructs.patterns import HostPath, NodeAgent
from tests.refusal import refusal

DIGEST = f"sha256:{'0' * 64}"


def agent(**changes: Any) -> NodeAgent:
    values: dict[str, Any] = {
        "name": "scanner",
        "purpose": "security",
        "image": "example.com/scanner",
        "versions": {"canary": "1.3.0", "all": "1.2.0"},
        "cpu": "100m",
        "memory": "128Mi",
    }
    return NodeAgent(**values | changes)


def _refused(**changes: Any) -> Callable[[], object]:
    return lambda: agent(**changes)


def test_an_image_by_ring() -> None:
    assert agent().reference("canary") == "example.com/scanner:1.3.0"
    assert agent(versions={"all": DIGEST}).reference("all") == f"example.com/scanner@{DIGEST}"
    assert refusal(lambda: agent().reference("canry")) == (
        "NodeAgent('scanner'): ring: 'canry' is not known; did you mean 'canary'? Use one of 'canary', 'all'"
    )


def test_the_taint_for_pools() -> None:
    key = "agents.example.com/not-ready"
    assert agent(startup_taint=key, health_port=80).startup_taints == [Taint(key=key, effect="NoSchedule")]
    assert agent().startup_taints == []


@pytest.mark.parametrize(
    ("changes", "level"),
    [
        ({}, "restricted"),
        ({"capabilities": ["NET_BIND_SERVICE"], "user": 0}, "baseline"),
        ({"user": 0}, "baseline"),
        ({"capabilities": ["CHOWN"], "user": 0}, "baseline"),
        ({"capabilities": ["BPF"], "user": 0}, "privileged"),
        ({"host_paths": [HostPath(path="/var/log")]}, "privileged"),
        ({"host_network": True}, "privileged"),
        ({"host_pid": True}, "privileged"),
        ({"privileged": True, "user": 0}, "privileged"),
        ({"selinux_type": "container_t"}, "restricted"),
        ({"selinux_type": "super_t"}, "privileged"),
    ],
)
def test_the_level_of_its_namespace(changes: dict[str, Any], level: str) -> None:
    assert agent(**changes).pod_security == level


ON = "NodeAgent('scanner'): "


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"name": "Scanner"},
            "NodeAgent('Scanner'): name: 'Scanner' cannot be the name of an agent; use 1 to 42 lower-case letters, "
            "digits and '-', beginning with a letter",
        ),
        (
            {"name": "kube-proxy"},
            "NodeAgent('kube-proxy'): name: 'kube-proxy' brings the addresses of Services, which Auto Mode has built "
            "in; leave this agent out",
        ),
        (
            {"image": "nvcr.io/nvidia/k8s-device-plugin"},
            f"{ON}image: 'nvcr.io/nvidia/k8s-device-plugin' brings the device plugins of NVIDIA and Neuron, which Auto "
            "Mode has built in; leave this agent out",
        ),
        ({"image": "example.com/a:1"}, f"{ON}image: 'example.com/a:1' has a tag; name it in versions"),
        (
            {"image": f"example.com/a@{DIGEST}"},
            f"{ON}image: 'example.com/a@sha256:{'0' * 56}'... has a digest; name it in versions",
        ),
        ({"versions": {}}, f"{ON}versions: is empty; name a ring and its version: {{'all': '1.2.3'}}"),
        (
            {"versions": {"all": "latest"}},
            f"{ON}versions['all']: 'example:latest' moves: a new node may run a different image from the old one; name "
            "a version, or better '@sha256:<digest>'",
        ),
        (
            {"versions": {"Ring 1": "1"}},
            f"{ON}versions: 'Ring 1' cannot be the name of a ring; use lower-case letters, digits and '-'",
        ),
        (
            {"cpu": "0"},
            f"{ON}cpu: '0' is not a quantity above 0; write it as '100m' or '128Mi': Karpenter sizes nodes by "
            "requests, and does not see an agent without",
        ),
        ({"cpu": 100}, f"{ON}cpu: 100 is more than 64 vCPUs of each node; write '100m'"),
        ({"memory": "128"}, f"{ON}memory: '128' is less than 1 MiB; write it as '128Mi'"),
        ({"memory_limit": "64Mi"}, f"{ON}memory_limit: '64Mi' is less than memory, '128Mi'"),
        ({"architectures": []}, f"{ON}architectures: is empty; name 'amd64', 'arm64' or both"),
        (
            {"architectures": ["x86"]},
            "NodeAgent: architectures[0]: 'x86' is not known; use one of 'amd64', 'arm64'",
        ),
        (
            {"host_paths": [HostPath(path="/var/lib/bottlerocket")]},
            f"{ON}host_paths[0]: '/var/lib/bottlerocket' cannot be read by a container of SELinux type container_t: "
            "/var/lib/bottlerocket holds Bottlerocket's settings (SELinux label private_t); leave it out, or set "
            "selinux_type='control_t', which makes the agent an administrator of the node",
        ),
        (
            {"host_paths": [HostPath(path="/var/log/journal", writable=True)]},
            f"{ON}host_paths[0]: '/var/log/journal' cannot be written by a container of SELinux type container_t: "
            "/var/log/journal holds state of the system (SELinux label state_t); leave it out, or set "
            "selinux_type='control_t', which makes the agent an administrator of the node",
        ),
        (
            {"host_paths": [HostPath(path="/var"), HostPath(path="/opt", mount="/var")]},
            f"{ON}host_paths[1].mount: '/var' is mounted twice; give it another mount",
        ),
        (
            {"host_paths": [HostPath(path="/")]},
            f"{ON}host_paths[0].mount: '/' would hide the agent's own image; give it another mount",
        ),
        ({"scratch": ["tmp"]}, f"{ON}scratch[0]: 'tmp' is not a folder of the pod; write '/tmp'"),
        ({"scratch": ["/a", "/a"]}, f"{ON}scratch[1]: '/a' is mounted twice; remove one"),
        ({"user": -1}, f"{ON}user: -1 is not the number of a user; use 0 to 2147483647"),
        ({"capabilities": ["CAP_BPF"], "user": 0}, f"{ON}capabilities[0]: 'CAP_BPF' is not a capability; write 'BPF'"),
        (
            {"capabilities": ["SYS_MODULE"], "user": 0},
            f"{ON}capabilities[0]: 'SYS_MODULE' loads kernel modules, and Bottlerocket takes none that its image does "
            "not hold; use the agent's eBPF driver, with BPF and PERFMON",
        ),
        (
            {"capabilities": ["BPF"]},
            f"{ON}user: 65534 gets nothing of capabilities: Linux gives it to root; set user=0",
        ),
        (
            {"privileged": True, "user": 0, "capabilities": ["BPF"]},
            f"{ON}capabilities: privileged takes in all of them; remove one of the two",
        ),
        (
            {"privileged": True, "user": 0, "selinux_type": "container_t"},
            f"{ON}selinux_type: 'container_t' takes from a privileged container what it is privileged for; leave it "
            "out, or set privileged=False",
        ),
        (
            {"reads": ["*"]},
            f"{ON}reads[0]: '*' is not a resource of the Kubernetes API; write 'pods', 'nodes', or with its group "
            "'apps/deployments'",
        ),
        (
            {"reads": ["secrets"]},
            f"{ON}reads[0]: 'secrets' would give every node's agent all Secrets of the cluster; give the agent its own "
            "by secrets={...}",
        ),
        (
            {"command": ["/bin/sh", "-c", "chroot /host yum install -y agent"]},
            f"{ON}command: runs yum on the node by chroot, and Bottlerocket has neither a package manager nor a "
            "writable root; put the program into the agent's image",
        ),
        (
            {"environment": {"1X": "a"}},
            f"{ON}environment: '1X' is not the name of an environment variable; use letters, digits and '_'",
        ),
        (
            {"environment": {"KEY": "a"}, "secrets": {"KEY": SecretKey(name="a", key="b")}},
            f"{ON}secrets: 'KEY' is in environment too; remove one",
        ),
        ({"health_port": 0}, f"{ON}health_port: 0 is not a port; use 1 to 65535"),
        ({"health_path": "healthz"}, f"{ON}health_path: 'healthz' is not a path; begin it with '/'"),
        (
            {"health_port": 80, "ready_command": ["true"]},
            f"{ON}ready_command: health_port is set too; remove one of the two",
        ),
        ({"startup_seconds": 5}, f"{ON}startup_seconds: needs a whole number from 10 to 1800, got 5"),
        (
            {"startup_taint": "not-ready", "health_port": 80},
            f"{ON}startup_taint: 'not-ready' is not the key of a taint of your own; write it as "
            "'agents.example.com/not-ready'",
        ),
        (
            {"startup_taint": "agents.example.com/not-ready"},
            f"{ON}startup_taint: is removed when the agent is ready, and nothing says when that is; set health_port or "
            "ready_command",
        ),
    ],
)
def test_what_is_refused(changes: dict[str, Any], message: str) -> None:
    assert refusal(_refused(**changes)) == message


def test_everything_is_said_at_once() -> None:
    text = refusal(_refused(name="", cpu="x", capabilities=["ALL"]))
    assert text.startswith("NodeAgent(''): 4 problems\n")
    assert "  capabilities[0]: 'ALL' is not a capability; use one of 'AUDIT_CONTROL'" in text


def _path(**values: Any) -> Callable[[], object]:
    return lambda: HostPath(**values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"path": "var/log"}, "path: 'var/log' is not a plain absolute path; write it as '/var/log'"),
        ({"path": "/var/../etc"}, "path: '/var/../etc' is not a plain absolute path; write it as '/var/log'"),
        ({"path": "/", "mount": "/"}, "mount: '/' would hide the agent's own image; mount it at '/host'"),
        (
            {"path": "/var/run/docker.sock", "kind": "Socket"},
            "path: '/var/run/docker.sock' does not exist on Bottlerocket, whose runtime is containerd; use "
            "/run/containerd/containerd.sock, or ask the agent's maker for a build without it",
        ),
        (
            {"path": "/var/lib/a", "kind": "DirectoryOrCreate"},
            "kind: 'DirectoryOrCreate' creates what is missing, and writable is False; set one or the other",
        ),
        (
            {"path": "/usr/local/agent", "writable": True},
            "path: '/usr/local/agent' cannot be written: / is the read-only root file system, which dm-verity "
            "protects; write below /var, /opt, /local or /mnt, or to a folder of the pod (scratch)",
        ),
        (
            {"path": "/etc/cron.d", "writable": True},
            "path: '/etc/cron.d' cannot be written: /etc is in memory, and Bottlerocket generates it (SELinux label "
            "etc_t); write below /var, /opt, /local or /mnt, or to a folder of the pod (scratch)",
        ),
    ],
)
def test_paths_that_are_refused(values: dict[str, Any], message: str) -> None:
    assert refusal(_path(**values)) == f"HostPath({values['path']!r}): {message}"


def test_privileged_containers_read_more() -> None:
    paths = [HostPath(path="/var/lib/bottlerocket"), HostPath(path="/var/log/journal", writable=True)]
    assert agent(host_paths=paths, privileged=True, user=0).pod_security == "privileged"
    assert agent(host_paths=paths, selinux_type="super_t").pod_security == "privileged"
