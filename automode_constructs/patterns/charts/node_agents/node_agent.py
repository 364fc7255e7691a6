"""One agent of a list: what it is, what it needs from the node, and its version in each ring of clusters."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from automode_constructs.arguments import Refusals, checked_arguments
from automode_constructs.errors import Problem, did_you_mean, shown
from automode_constructs.facts.add_ons import built_in_program
from automode_constructs.facts.bottlerocket import PACKAGE_MANAGERS, SELINUX_TYPES, SelinuxType, host_folder
from automode_constructs.inference.image import ImageReference
from automode_constructs.inference.weights import SecretKey
from automode_constructs.patterns.charts.own_namespace import PodSecurity
from automode_constructs.specs.object_metadata import is_qualified_name
from automode_constructs.specs.pools.node_pool import Taint
from automode_constructs.specs.quantity import number
from automode_constructs.tokens import is_token

__all__ = ["Architecture", "HostPath", "NodeAgent", "Purpose"]

Architecture = Literal["amd64", "arm64"]
"""What an image runs on, as the node label ``kubernetes.io/arch`` says it."""

Purpose = Literal["compliance", "logging", "monitoring", "security"]
"""What an agent is for."""

_NAME = re.compile(r"[a-z](?:[a-z0-9-]{0,40}[a-z0-9])?")
_RING = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,40}[a-z0-9])?")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_RESOURCE = re.compile(r"(?:[a-z0-9.-]+/)?[a-z]+")
_DIGEST = "sha256:"
_NOBODY = 65534
_WORD = re.compile(r"[\w./-]+")

_BASELINE = frozenset(
    [
        "AUDIT_WRITE",
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "MKNOD",
        "NET_BIND_SERVICE",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_CHROOT",
    ]
)
"""The capabilities of the level baseline. Source: Kubernetes, "Pod Security Standards"."""

_CAPABILITIES = _BASELINE | frozenset(
    [
        "AUDIT_CONTROL",
        "AUDIT_READ",
        "BLOCK_SUSPEND",
        "BPF",
        "CHECKPOINT_RESTORE",
        "DAC_READ_SEARCH",
        "IPC_LOCK",
        "IPC_OWNER",
        "LEASE",
        "LINUX_IMMUTABLE",
        "MAC_ADMIN",
        "MAC_OVERRIDE",
        "NET_ADMIN",
        "NET_BROADCAST",
        "NET_RAW",
        "PERFMON",
        "SYSLOG",
        "SYS_ADMIN",
        "SYS_BOOT",
        "SYS_MODULE",
        "SYS_NICE",
        "SYS_PACCT",
        "SYS_PTRACE",
        "SYS_RAWIO",
        "SYS_RESOURCE",
        "SYS_TIME",
        "SYS_TTY_CONFIG",
        "WAKE_ALARM",
    ]
)
"""Source: capabilities(7)."""


@checked_arguments
@dataclass(frozen=True, kw_only=True, slots=True)
class HostPath:
    """A folder, file or socket of the node that an agent sees.

    Args:
        path: the absolute path on the node.
        mount: where the agent sees it. Default: at the same path; we decide.
        writable: whether the agent may write there. Default: False; we decide.
        kind: what it is; ``...OrCreate`` makes it where it is missing, for ``writable`` ones only. Default:
            ``Directory``; we decide.

    Raises:
        AutoModeError: for a path that is not absolute or has ``.`` or ``..`` in it; for one that a Bottlerocket node
            does not have, or does not let be written.
    """

    path: str
    mount: str | None = None
    writable: bool = False
    kind: Literal["Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"] = "Directory"

    def __post_init__(self) -> None:
        refusals = Refusals(f"HostPath({shown(self.path)})")
        for name, value in (("path", self.path), ("mount", self.mount)):
            if value is None:
                continue
            if not value.startswith("/") or posixpath.normpath(value) != value or value.startswith("//"):
                refusals.refuse(name, f"{shown(value)} is not a plain absolute path", "write it as '/var/log'")
        if not refusals.problems:
            self._check_bottlerocket(refusals)
        refusals.raise_all()

    def _check_bottlerocket(self, refusals: Refusals) -> None:
        if self.mount == "/":
            refusals.refuse("mount", "'/' would hide the agent's own image", "mount it at '/host'")
        if posixpath.basename(self.path) in {"docker.sock", "dockershim.sock", "crio.sock"}:
            refusals.refuse(
                "path",
                f"{shown(self.path)} does not exist on Bottlerocket, whose runtime is containerd",
                "use /run/containerd/containerd.sock, or ask the agent's maker for a build without it",
            )
        if self.kind.endswith("OrCreate") and not self.writable:
            refusals.refuse(
                "kind", f"{shown(self.kind)} creates what is missing, and writable is False", "set one or the other"
            )
        folder = host_folder(self.path)
        if self.writable and folder.written_by is None:
            refusals.refuse(
                "path",
                f"{shown(self.path)} cannot be written: {folder.path} {folder.why}",
                "write below /var, /opt, /local or /mnt, or to a folder of the pod (scratch)",
            )

    @property
    def needs(self) -> SelinuxType:
        """The least SELinux type that may use it."""
        folder = host_folder(self.path)
        return (folder.written_by if self.writable else None) or folder.read_by


@checked_arguments
@dataclass(frozen=True, kw_only=True, slots=True)
class NodeAgent:
    """An agent for every node of a cluster: a row of the list that ``NodeAgentsChart`` delivers.

    The pods tolerate every taint and select no nodes, so that they also reach pools that somebody adds later. Karpenter
    counts their requests for each node that it launches from then on; it does not replace older nodes that are full,
    where the priority class makes room. The root file system is read-only, and no capability is there that is not
    named.

    AWS charges nothing for an agent, but its requests take room on each node: 100m and 128Mi are 5 % of the vCPUs and
    3 % of the memory of a ``c6g.large``, so 2.8 of the 55.6 USD that such a node costs a month with Auto Mode's fee
    (us-east-1; price of 2026-02-09, fee of 2026-07-01).

    What Bottlerocket allows is checked here: folders that may be written, SELinux types, no package manager, no kernel
    modules. That its policy on Auto Mode's nodes is the published one is an inference (?).

    Args:
        name: the name of the DaemonSet and of all that belongs to it, 1 to 42 lower-case letters, digits and ``-``.
        purpose: what it is for; becomes the label ``app.kubernetes.io/component``.
        image: the image's registry and repository, without tag or digest.
        versions: the tag or digest (``sha256:...``) in each ring of clusters, the first ring to get a version first.
        cpu: the request for CPU of the container. No limit is set, which would only delay the agent.
        memory: the request for memory of the container.
        memory_limit: at how much memory the container is ended. Default: as much as ``memory``; we decide.
        architectures: what the image runs on. With one, the pods keep off the other's nodes, and pools that may launch
            such nodes are refused at synthesis. Default: both; we decide.
        command: the command. Default: that of the image.
        arguments: its arguments. Default: those of the image.
        environment: environment variables. Default: none.
        secrets: environment variables with the value of a key of a Secret in the agents' namespace. Default: none.
        host_paths: folders, files and sockets of the node. Default: none.
        scratch: folders of the pod that the agent may write, since its root is read-only, such as ``/tmp``. Default:
            none.
        host_network: whether it has the node's addresses instead of one of its own. Default: False; we decide.
        host_pid: whether it sees the processes of the node. Default: False; we decide.
        capabilities: Linux capabilities without ``CAP_``, such as ``BPF`` and ``PERFMON``; they need ``user=0``.
            Default: none; we decide.
        privileged: whether the container is privileged, which takes in all capabilities and devices and needs
            ``user=0``. Default: False; we decide.
        selinux_type: the SELinux type of the container. Default: ``container_t``, or ``control_t`` for a privileged
            one; the node decides.
        user: the user's number; 0 is root. Default: 65534, nobody; we decide.
        reads: what the agent may get, list and watch in the Kubernetes API, such as ``pods`` or ``apps/deployments``.
            Default: nothing, and no API token; we decide.
        health_port: the port where ``health_path`` answers when the agent is ready. Default: none.
        health_path: the path. Default: ``/healthz``; we decide.
        ready_command: a command that succeeds when the agent is ready, in place of ``health_port``. Default: none.
        startup_seconds: how long the agent may take to become ready, 10 to 1800. Default: 300; we decide.
        startup_taint: the key of a startup taint (effect NoSchedule) that NodePools carry, so that no other pod starts
            before the agent is ready; a second container then removes it. Needs ``health_port`` or ``ready_command``.
            Default: none: other pods may start before it; we decide.

    Raises:
        AutoModeError: with everything that is wrong: what Auto Mode has built in; a value that Kubernetes or
            Bottlerocket would refuse.

    Source: Kubernetes, "DaemonSet"; kubernetes-sigs/karpenter, scheduler.go; bottlerocket-os/bottlerocket-core-kit,
    packages/selinux-policy; bottlerocket-os/bottlerocket, SECURITY_GUIDANCE.md.
    """

    name: str
    purpose: Purpose
    image: str
    versions: Mapping[str, str]
    cpu: int | str
    memory: int | str
    memory_limit: int | str | None = None
    architectures: Sequence[Architecture] = ("amd64", "arm64")
    command: Sequence[str] = ()
    arguments: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, SecretKey] = field(default_factory=dict)
    host_paths: Sequence[HostPath] = ()
    scratch: Sequence[str] = ()
    host_network: bool = False
    host_pid: bool = False
    capabilities: Sequence[str] = ()
    privileged: bool = False
    selinux_type: SelinuxType | None = None
    user: int = _NOBODY
    reads: Sequence[str] = ()
    health_port: int | None = None
    health_path: str = "/healthz"
    ready_command: Sequence[str] = ()
    startup_seconds: int = 300
    startup_taint: str | None = None

    def __post_init__(self) -> None:
        refusals = Refusals(f"NodeAgent({shown(self.name)})")
        refusals.problems += [
            *_identity_problems(self),
            *_version_problems(self),
            *_resource_problems(self),
            *_mount_problems(self),
            *_privilege_problems(self),
            *_program_problems(self),
            *_readiness_problems(self),
        ]
        refusals.raise_all()

    @checked_arguments
    def reference(self, ring: str) -> str:
        """The image in a ring, with its tag or digest.

        Args:
            ring: one of the keys of ``versions``.

        Raises:
            AutoModeError: for another ring.
        """
        refusals = Refusals(f"NodeAgent({shown(self.name)})")
        refusals.choice("ring", ring, self.versions)
        refusals.raise_all()
        version = self.versions[ring]
        return f"{self.image}{'@' if version.startswith(_DIGEST) else ':'}{version}"

    @property
    def startup_taints(self) -> list[Taint]:
        """What a NodePool's ``startup_taints`` need for this agent; empty without ``startup_taint``."""
        return [] if self.startup_taint is None else [Taint(key=self.startup_taint, effect="NoSchedule")]

    @property
    def pod_security(self) -> PodSecurity:
        """The strictest Pod Security level that admits its pods."""
        if (
            self.privileged
            or self.host_network
            or self.host_pid
            or self.host_paths
            or not _BASELINE.issuperset(self.capabilities)
            or self.selinux_type not in {None, "container_t"}
        ):
            return "privileged"
        return "baseline" if self.user == 0 or {*self.capabilities} - {"NET_BIND_SERVICE"} else "restricted"


def _identity_problems(agent: NodeAgent) -> Iterator[Problem]:
    if _NAME.fullmatch(agent.name) is None:
        yield Problem(
            field="name",
            message=f"{shown(agent.name)} cannot be the name of an agent",
            cure="use 1 to 42 lower-case letters, digits and '-', beginning with a letter",
        )
    for name, value in (("name", agent.name), ("image", agent.image)):
        built_in = built_in_program(value)
        if built_in is not None:
            yield Problem(
                field=name,
                message=f"{shown(value)} brings {built_in.what}, which Auto Mode has built in",
                cure="leave this agent out",
            )
            return


def _version_problems(agent: NodeAgent) -> Iterator[Problem]:
    where = f"NodeAgent({shown(agent.name)})"
    refusals = Refusals(where)
    pinned = "digest" if "@" in agent.image else "tag" if ":" in agent.image.rpartition("/")[2] else ""
    if pinned and not is_token(agent.image):
        refusals.refuse("image", f"{shown(agent.image)} has a {pinned}", "name it in versions")
    else:
        with refusals.collecting():
            ImageReference.of(where, agent.image and f"{agent.image}:1")
    yield from refusals.problems
    if not agent.versions:
        yield Problem(field="versions", message="is empty", cure="name a ring and its version: {'all': '1.2.3'}")
    for ring, version in agent.versions.items():
        if _RING.fullmatch(ring) is None:
            yield Problem(
                field="versions",
                message=f"{shown(ring)} cannot be the name of a ring",
                cure="use lower-case letters, digits and '-'",
            )
        judged = Refusals(where)
        with judged.collecting():
            join = "@" if version.startswith(_DIGEST) else ":"
            ImageReference.of(where, f"example{join}{version}", field=f"versions[{shown(ring)}]")
        yield from judged.problems


def _resource_problems(agent: NodeAgent) -> Iterator[Problem]:
    amounts = {"cpu": agent.cpu, "memory": agent.memory, "memory_limit": agent.memory_limit}
    sizes = {name: number(value) for name, value in amounts.items() if value is not None}
    for name, size in sizes.items():
        if size is None or size <= 0:
            yield Problem(
                field=name,
                message=f"{shown(amounts[name])} is not a quantity above 0",
                cure="write it as '100m' or '128Mi': Karpenter sizes nodes by requests, and does not see an agent "
                "without",
            )
    cpu, memory, limit = (sizes.get(name) for name in amounts)
    if cpu is not None and cpu > 64:
        yield Problem(
            field="cpu", message=f"{shown(agent.cpu)} is more than 64 vCPUs of each node", cure="write '100m'"
        )
    if memory is not None and 0 < memory < 1024**2:
        yield Problem(field="memory", message=f"{shown(agent.memory)} is less than 1 MiB", cure="write it as '128Mi'")
    if memory is not None and limit is not None and limit < memory:
        yield Problem(
            field="memory_limit", message=f"{shown(agent.memory_limit)} is less than memory, {shown(agent.memory)}"
        )
    if not agent.architectures:
        yield Problem(field="architectures", message="is empty", cure="name 'amd64', 'arm64' or both")


def _mount_problems(agent: NodeAgent) -> Iterator[Problem]:
    kind = agent.selinux_type or ("control_t" if agent.privileged else "container_t")
    mounts: set[str] = set()
    for index, host in enumerate(agent.host_paths):
        mount = host.mount or host.path
        if mount in mounts or mount == "/":
            message = "'/' would hide the agent's own image" if mount == "/" else f"{shown(mount)} is mounted twice"
            yield Problem(field=f"host_paths[{index}].mount", message=message, cure="give it another mount")
        mounts.add(mount)
        if SELINUX_TYPES.index(host.needs) > SELINUX_TYPES.index(kind):
            folder = host_folder(host.path)
            what = "written" if host.writable else "read"
            yield Problem(
                field=f"host_paths[{index}]",
                message=f"{shown(host.path)} cannot be {what} by a container of SELinux type {kind}: {folder.path} "
                f"{folder.why}",
                cure=f"leave it out, or set selinux_type='{host.needs}', which makes the agent an administrator of "
                "the node",
            )
    for index, path in enumerate(agent.scratch):
        if not path.startswith("/") or path == "/" or posixpath.normpath(path) != path:
            yield Problem(
                field=f"scratch[{index}]", message=f"{shown(path)} is not a folder of the pod", cure="write '/tmp'"
            )
        elif path in mounts:
            yield Problem(field=f"scratch[{index}]", message=f"{shown(path)} is mounted twice", cure="remove one")
        mounts.add(path)


def _privilege_problems(agent: NodeAgent) -> Iterator[Problem]:
    if agent.user < 0 or agent.user > 2**31 - 1:
        yield Problem(field="user", message=f"{agent.user} is not the number of a user", cure="use 0 to 2147483647")
    for index, name in enumerate(agent.capabilities):
        place = f"capabilities[{index}]"
        if name == "SYS_MODULE":
            yield Problem(
                field=place,
                message="'SYS_MODULE' loads kernel modules, and Bottlerocket takes none that its image does not hold",
                cure="use the agent's eBPF driver, with BPF and PERFMON",
            )
        elif name not in _CAPABILITIES:
            meant = name.upper().removeprefix("CAP_")
            cure = f"write '{meant}'" if meant in _CAPABILITIES else did_you_mean(meant, sorted(_CAPABILITIES))
            yield Problem(field=place, message=f"{shown(name)} is not a capability", cure=cure)
    if agent.privileged and agent.capabilities:
        yield Problem(field="capabilities", message="privileged takes in all of them", cure="remove one of the two")
    if (agent.privileged or agent.capabilities) and agent.user != 0:
        field_name = "privileged" if agent.privileged else "capabilities"
        yield Problem(
            field="user",
            message=f"{agent.user} gets nothing of {field_name}: Linux gives it to root",
            cure="set user=0",
        )
    if agent.selinux_type == "container_t" and agent.privileged:
        yield Problem(
            field="selinux_type",
            message="'container_t' takes from a privileged container what it is privileged for",
            cure="leave it out, or set privileged=False",
        )
    for index, resource in enumerate(agent.reads):
        if _RESOURCE.fullmatch(resource) is None:
            yield Problem(
                field=f"reads[{index}]",
                message=f"{shown(resource)} is not a resource of the Kubernetes API",
                cure="write 'pods', 'nodes', or with its group 'apps/deployments'",
            )
        elif resource == "secrets":
            yield Problem(
                field=f"reads[{index}]",
                message="'secrets' would give every node's agent all Secrets of the cluster",
                cure="give the agent its own by secrets={...}",
            )


def _program_problems(agent: NodeAgent) -> Iterator[Problem]:
    for name, words in (("command", agent.command), ("arguments", agent.arguments)):
        programs = [posixpath.basename(word) for text in words for word in _WORD.findall(text)]
        enters = {"chroot", "nsenter"} & {*programs}
        managers = PACKAGE_MANAGERS & {*programs}
        if enters and managers:
            yield Problem(
                field=name,
                message=f"runs {min(managers)} on the node by {min(enters)}, and Bottlerocket has neither "
                "a package manager nor a writable root",
                cure="put the program into the agent's image",
            )
    for field_name, names in (("environment", agent.environment), ("secrets", agent.secrets)):
        for variable in names:
            if _VARIABLE.fullmatch(variable) is None:
                yield Problem(
                    field=field_name,
                    message=f"{shown(variable)} is not the name of an environment variable",
                    cure="use letters, digits and '_'",
                )
            elif field_name == "secrets" and variable in agent.environment:
                yield Problem(field="secrets", message=f"{shown(variable)} is in environment too", cure="remove one")


def _readiness_problems(agent: NodeAgent) -> Iterator[Problem]:
    if agent.health_port is not None and not 1 <= agent.health_port <= 65535:
        yield Problem(field="health_port", message=f"{agent.health_port} is not a port", cure="use 1 to 65535")
    if not agent.health_path.startswith("/"):
        yield Problem(
            field="health_path", message=f"{shown(agent.health_path)} is not a path", cure="begin it with '/'"
        )
    if agent.health_port is not None and agent.ready_command:
        yield Problem(field="ready_command", message="health_port is set too", cure="remove one of the two")
    if not 10 <= agent.startup_seconds <= 1800:
        yield Problem(
            field="startup_seconds", message=f"needs a whole number from 10 to 1800, got {agent.startup_seconds}"
        )
    if agent.startup_taint is None:
        return
    if not is_qualified_name(agent.startup_taint) or "/" not in agent.startup_taint:
        yield Problem(
            field="startup_taint",
            message=f"{shown(agent.startup_taint)} is not the key of a taint of your own",
            cure="write it as 'agents.example.com/not-ready'",
        )
    if agent.health_port is None and not agent.ready_command:
        yield Problem(
            field="startup_taint",
            message="is removed when the agent is ready, and nothing says when that is",
            cure="set health_port or ready_command",
        )
