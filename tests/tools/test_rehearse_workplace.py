"""A rehearsal touches this machine's loopback and its own folder, and nothing else."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tools.rehearse import parts as parts_of_it
from tools.rehearse.parts import NODE_PARTS, PYTHON_PARTS, Parts, install, stamp_text
from tools.rehearse.servers import loopback_server, settings
from tools.rehearse.workplace import Workplace, ended_with_its_children, free_port

OUTSIDE = {
    "PATH": os.environ["PATH"],
    "LANG": "C.UTF-8",
    "HOME": "/home/me",
    "AWS_PROFILE": "production",
    "AWS_ACCESS_KEY_ID": "AKIAREAL",
    "AWS_SECRET_ACCESS_KEY": "real",
    "AWS_SESSION_TOKEN": "real",
    "AWS_CONFIG_FILE": "/home/me/.aws/config",
    "AWS_ENDPOINT_URL_S3": "https://s3.example.com",
    "AWS_REGION": "eu-west-1",
    "HTTPS_PROXY": "http://proxy.example.com:3128",
    "KUBECONFIG": "/home/me/.kube/config",
    "CDK_DEFAULT_ACCOUNT": "111122223333",
    "NODE_OPTIONS": "--require /home/me/x.js",
}


@pytest.fixture
def place(tmp_path: Path) -> Workplace:
    made = Workplace(tmp_path / "last", Parts(tmp_path / "parts"), free_port())
    made.make()
    return made


def test_environment_knows_no_account_but_the_stand_in(place: Workplace) -> None:
    environment = place.environment(OUTSIDE)
    assert environment["LANG"] == "C.UTF-8"
    assert {name: value for name, value in environment.items() if name.startswith("AWS_")} == {
        "AWS_ACCESS_KEY_ID": "rehearsal",
        "AWS_SECRET_ACCESS_KEY": "rehearsal",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{place.port}",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_PAGER": "",
    }
    kept = {name for name in OUTSIDE if environment.get(name) == OUTSIDE[name]}
    assert kept == {"LANG"}
    assert not {"KUBECONFIG", "HTTPS_PROXY", "CDK_DEFAULT_ACCOUNT", "NODE_OPTIONS"} & environment.keys()


def test_every_address_of_the_environment_is_loopback(place: Workplace) -> None:
    values = {**place.environment(OUTSIDE), **settings(place)}
    addresses = [value for value in values.values() if "://" in value]
    assert addresses
    assert {urlsplit(address).hostname for address in addresses} == {"127.0.0.1"}
    assert settings(place)["BIND_HOST"] == "127.0.0.1"
    assert (settings(place)["IOT_MTLS_ENABLED"], settings(place)["SFTP_ENABLED"]) == ("0", "0")


def test_what_commands_write_stays_in_the_folder(place: Workplace) -> None:
    environment = {**place.environment(OUTSIDE), **settings(place)}
    for name in ("HOME", "TMPDIR", "REHEARSE_OBJECTS", "REHEARSE_FAULTS", "S3_DATA_DIR", "STATE_DIR"):
        assert Path(environment[name]).is_relative_to(place.folder), name
    assert environment["PATH"].split(os.pathsep)[0] == str(place.bin)


def test_port_is_free_on_loopback() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", free_port()))


def test_commands_of_the_folder_can_be_run(place: Workplace) -> None:
    place.parts.python.parent.mkdir(parents=True)
    place.parts.python.symlink_to(sys.executable)
    environment = place.environment(OUTSIDE)
    ran = subprocess.run(["kubectl", "get", "ns", "x"], env=environment, capture_output=True, text=True, check=False)
    assert ran.stderr == 'Error from server (NotFound): namespace "x" not found\n'
    awscli = place.parts.layers / "awscli" / "aws"
    awscli.parent.mkdir(parents=True)
    awscli.write_text("import sys; print(sys.argv[1:])", "utf-8")
    ran = subprocess.run(["aws", "sts", "a b"], env=environment, capture_output=True, text=True, check=False)
    assert ran.stdout == "['sts', 'a b']\n", ran.stderr


def test_command_has_a_code_words_and_a_log(place: Workplace) -> None:
    log = place.folder / "logs" / "x.log"
    ran = place.run("""python3 -c 'import sys; print("one"); print("two", file=sys.stderr); sys.exit(3)'""", log)
    assert (ran.code, sorted(ran.output.split())) == (3, ["one", "two"])
    assert log.read_text("utf-8").startswith("$ python3 -c")


def test_nobody_answers_unless_an_answer_is_given(place: Workplace) -> None:
    ask = """python3 -c 'import sys; print(sys.stdin.isatty()); print("got", input("Go on (y/n)? "))'"""
    log = place.folder / "logs" / "x.log"
    alone = place.run(ask, log)
    assert alone.code == 1 and "False" in alone.output and "EOFError" in alone.output
    answered = place.run(ask, log, answer="n")
    assert answered.code == 0 and "True" in answered.output and "got n" in answered.output


def test_colours_are_no_words(place: Workplace) -> None:
    ran = place.run(r"""printf '\033[31mrefused\033[39m'""", place.folder / "logs" / "x.log", answer="y")
    assert ran.output == "refused"


def test_children_end_with_the_one_that_started_them() -> None:
    parent = subprocess.Popen(["sh", "-c", "sleep 600 & echo $!; wait"], stdout=subprocess.PIPE, start_new_session=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    with suppress(KeyboardInterrupt), ended_with_its_children(parent):
        assert running(child)
        raise KeyboardInterrupt
    assert parent.returncode is not None
    until = time.monotonic() + 10
    while running(child) and time.monotonic() < until:
        time.sleep(0.05)
    assert not running(child)
    parent.stdout.close()


def running(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text("utf-8").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def kubeconfig(folder: Path, server: str) -> Path:
    file = folder / "kubeconfig"
    file.write_text(
        f"""
current-context: here
contexts: [{{name: other, context: {{cluster: far}}}}, {{name: here, context: {{cluster: near}}}}]
clusters: [{{name: far, cluster: {{server: "https://127.0.0.1:1"}}}}, {{name: near, cluster: {{server: "{server}"}}}}]
""",
        "utf-8",
    )
    return file


@pytest.mark.parametrize("server", ["https://127.0.0.1:6443", "https://localhost:6443", "https://[::1]:6443"])
def test_api_server_of_this_machine_is_taken(server: str, tmp_path: Path) -> None:
    assert loopback_server(kubeconfig(tmp_path, server)) == server


@pytest.mark.parametrize(
    "server",
    ["https://ABC.gr7.eu-central-1.eks.amazonaws.com", "https://10.0.0.1:6443", "https://127.0.0.1.nip.io", ""],
)
def test_api_server_of_another_machine_is_refused(server: str, tmp_path: Path) -> None:
    with pytest.raises(
        SystemExit, match=rf"leads to {re.escape(server or 'no server')}; a rehearsal makes and deletes"
    ):
        loopback_server(kubeconfig(tmp_path, server))


@pytest.mark.parametrize("text", ["", "[]", "current-context: x"])
def test_kubeconfig_that_leads_nowhere_is_refused(text: str, tmp_path: Path) -> None:
    file = tmp_path / "kubeconfig"
    file.write_text(text, "utf-8")
    with pytest.raises(SystemExit, match=r"leads to no server; .* unset KUBECONFIG to rehearse without one"):
        loopback_server(file)
    with pytest.raises(SystemExit, match="leads to no server"):
        loopback_server(tmp_path / "missing")


def test_parts_are_pinned_by_name_and_version() -> None:
    lines = PYTHON_PARTS.read_text("utf-8").splitlines()
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*", line)] == []
    assert "ministack" in {line.partition("==")[0] for line in lines}
    assert [part for part in NODE_PARTS if not re.fullmatch(r"@[a-z-]+/[a-z0-9-]+@\d+\.\d+\.\d+", part)] == []


def test_parts_are_installed_once_for_a_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[tuple[str, ...]] = []
    said: list[str] = []
    monkeypatch.setattr(parts_of_it, "_run", lambda *command: ran.append(tuple(map(str, command))))
    monkeypatch.setattr(parts_of_it, "_unpack", lambda *_: None)
    install(tmp_path, said.append)
    assert [command[-1] for command in ran if "install" in command] == [str(PYTHON_PARTS), NODE_PARTS[-1]]
    assert "MB" in " ".join(said)  # what is fetched is said before it starts
    ran.clear()
    install(tmp_path, said.append)
    assert ran == []
    (tmp_path / "ready").write_text(stamp_text(tmp_path / "elsewhere"), "utf-8")
    install(tmp_path, said.append)
    assert ran != []
