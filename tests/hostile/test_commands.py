"""Every command on every hostile file: words and an exit code, never a traceback, in bounded time and memory."""

from __future__ import annotations

import io
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from automode_constructs.cli import files, pages
from automode_constructs.cli.files import InputFile, files_in
from automode_constructs.cli.main import main
from automode_constructs.cli.reading import MAX_EXPANDED, UnreadableError, decoded, documents
from tests.hostile.corpus import FILES, POOL

ROOT = Path(__file__).parents[2]
COMMANDS = {
    "lint": (["lint"], {0, 1, 2}),
    "lint as JSON": (["lint", "--format", "json"], {0, 1, 2}),
    "lint as SARIF": (["lint", "--format", "sarif"], {0, 1, 2}),
    "lint with a diff": (["lint", "--diff"], {0, 1, 2}),
    "lint for GitHub": (["lint", "--format", "github"], {0, 1, 2}),
    "lint of some rules": (["lint", "--ignore", "UnknownField"], {0, 1, 2}),
    "convert": (["convert"], {0, 1, 2}),
    "estimate": (["estimate"], {0, 2}),
}
"""The commands that read files, and the exit codes that docs/command.md names."""


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(arguments)
    output = capsys.readouterr()
    both = output.out + output.err
    assert "Traceback" not in both and "please report" not in both, both[-1000:]
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", both), "a control character reaches the terminal"
    return code, output.out, output.err


def command(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, with 1 GiB of memory and 60 seconds of CPU at most."""
    limits = "import resource as r; r.setrlimit(r.RLIMIT_AS, (2**30,) * 2); r.setrlimit(r.RLIMIT_CPU, (60,) * 2)\n"
    program = f"{limits}import sys; from automode_constructs.cli.main import main; sys.exit(main())"
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        **{"env": {**os.environ, "PYTHONPATH": str(ROOT)}, **options},
    )


@pytest.mark.parametrize("content", FILES.values(), ids=FILES)
def test_each_command_answers_each_file_in_words(capsys: pytest.CaptureFixture[str], content: bytes) -> None:
    Path("a.yaml").write_bytes(content)
    for arguments, codes in COMMANDS.values():
        code, out, err = run(capsys, *arguments, "a.yaml")
        assert code in codes
        assert "a.yaml" in out + err or code == 0 or "NodePool" in out + err or arguments[-1] == "sarif"
        assert sorted(path.name for path in Path().iterdir()) == ["a.yaml"], "a command writes to its output only"


@pytest.mark.parametrize("content", FILES.values(), ids=FILES)
def test_a_cure_never_spoils_a_hostile_file(capsys: pytest.CaptureFixture[str], content: bytes) -> None:
    Path("a.yaml").write_bytes(content)
    before = run(capsys, "lint", "a.yaml")[0]
    code, _, err = run(capsys, "lint", "--fix", "a.yaml")
    assert code <= before
    assert ("0 findings cured" in err) == (Path("a.yaml").read_bytes() == content)
    assert [path.name for path in Path().iterdir()] == ["a.yaml"]


@pytest.mark.parametrize("content", FILES.values(), ids=FILES)
def test_a_hostile_file_spoils_no_other(capsys: pytest.CaptureFixture[str], content: bytes) -> None:
    Path("a.yaml").write_bytes(content)
    Path("b.yaml").write_text(POOL.replace("expireAfter", "expireAfer").replace("name: batch", "name: z"), "utf-8")
    _, out, _ = run(capsys, "lint", ".")
    assert "b.yaml:9:7 automode:UnknownField error: spec.template.spec.expireAfer: is not a known field" in out


def test_the_linter_answers_the_worst_files_within_a_gibibyte(tmp_path: Path) -> None:
    lines = b"".join(b"k%d: [a, b]\n" % number for number in range(20_000))
    worst = {"bomb": FILES["bomb"], "lines": lines, "huge": b"a" * (11 * 1024**2), "duplicates": b"a: 1\n" * 50_000}
    for name, content in worst.items():
        file = tmp_path / f"{name}.yaml"
        file.write_bytes(content)
        finished = command("lint", str(file))
        assert finished.returncode in (0, 2), finished.stderr
        assert "please report" not in finished.stderr
        assert "Traceback" not in finished.stderr


def test_aliases_are_counted_over_the_whole_stream() -> None:
    values = ",".join("1" * 99)
    one = f"a: &a [{values}]\nb: [{','.join(['*a'] * 99)}]\n"
    with pytest.raises(UnreadableError, match=f"aliases that stand for more than {MAX_EXPANDED} values"):
        list(documents("---\n".join([one] * 50)))


def test_of_keys_that_stand_twice_a_hundred_are_told() -> None:
    (only,) = documents("a: 1\n" * 1000)
    assert len(only.problems) == 100


def _loop(path: Path) -> None:
    path.symlink_to(path.name)


def _dangling(path: Path) -> None:
    path.symlink_to("nowhere.yaml")


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as opened:
        opened.bind(path.name)


KINDS_OF_FILE: dict[str, tuple[Callable[[Path], None], str]] = {
    "a link to itself": (_loop, "cannot be read: too many levels of symbolic links"),
    "a link to nothing": (_dangling, "cannot be read: no such file or directory"),
    "a pipe": (os.mkfifo, "is a named pipe, not a file; name it to read it"),
    "a socket": (_socket, "is a socket, not a file"),
    "a device": (lambda path: path.symlink_to("/dev/zero"), "is a device, not a file"),
}


@pytest.mark.parametrize(("make", "message"), KINDS_OF_FILE.values(), ids=KINDS_OF_FILE)
def test_in_a_folder_what_is_no_file_is_a_finding_and_the_rest_is_judged(
    capsys: pytest.CaptureFixture[str], make: Callable[[Path], None], message: str
) -> None:
    make(Path("a.yaml"))
    Path("b.yaml").write_text(POOL, "utf-8")
    code, out, err = run(capsys, "lint", ".")
    assert (code, out) == (2, f"a.yaml:1:1 automode:UnreadableInput error: {message}\n")
    assert err == "1 document judged, 0 of other kinds passed by: 1 error, 0 warnings\n"
    code, out, err = run(capsys, "estimate", ".")
    assert (code, out, err) == (2, "", f"automode: a.yaml:1:1: {message}\n")


@pytest.mark.parametrize("arguments", [arguments for arguments, _ in COMMANDS.values()], ids=COMMANDS)
@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("", "the path is empty; name a file"),
        ("x" * 5000, "cannot be read: file name too long"),
        ("a\0b", "cannot be read: its name holds a null character"),
        ("/dev/zero", "is larger than 10 MiB; split it"),
        ("absent\x1b[2J\n", "cannot be read: no such file or directory"),
        ("\udcff", "cannot be read: no such file or directory"),
    ],
)
def test_a_path_that_leads_nowhere_is_named(
    capsys: pytest.CaptureFixture[str], arguments: list[str], path: str, message: str
) -> None:
    code, out, err = run(capsys, *arguments, path)
    assert code == 2
    assert message.partition(";")[0] in out + err


def _refusing(real: Callable[..., Any], name: str, error: OSError) -> Callable[..., Any]:
    def refuse(path: Any, *arguments: Any, **options: Any) -> Any:
        if Path(path).name == name:
            raise error
        return real(path, *arguments, **options)

    return refuse


def test_a_folder_without_permission_is_a_finding(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("closed").mkdir()
    Path("good.yaml").write_text(POOL, "utf-8")
    monkeypatch.setattr(os, "scandir", _refusing(os.scandir, "closed", PermissionError(13, "Permission denied")))
    code, out, err = run(capsys, "lint", ".")
    assert (code, out) == (2, "closed:1:1 automode:UnreadableInput error: cannot be read: permission denied\n")
    assert err.startswith("1 document judged")


def test_a_file_that_is_unreadable_or_vanishes_is_a_finding(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("good.yaml").write_text(POOL, "utf-8")
    Path("closed.yaml").write_text(POOL, "utf-8")
    Path("gone.yaml").write_text(POOL, "utf-8")
    listed = list(files_in("."))
    monkeypatch.setattr("automode_constructs.cli.lint.files_in", lambda _: listed)
    Path("gone.yaml").unlink()
    monkeypatch.setattr(Path, "open", _refusing(Path.open, "closed.yaml", PermissionError(13, "Permission denied")))
    code, out, err = run(capsys, "lint", ".")
    assert (code, out.splitlines()) == (
        2,
        [
            "closed.yaml:1:1 automode:UnreadableInput error: cannot be read: permission denied",
            "gone.yaml:1:1 automode:UnreadableInput error: cannot be read: no such file or directory",
        ],
    )
    assert err.startswith("1 document judged")


def test_folders_may_be_deep(capsys: pytest.CaptureFixture[str]) -> None:
    at = os.open(".", os.O_RDONLY)
    for _ in range(300):
        os.mkdir("d", dir_fd=at)
        below = os.open("d", os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = below
    os.close(at)
    code, out, _ = run(capsys, "lint", ".")
    assert (code, "holds no YAML and no JSON" in out) == (2, True)


def test_a_named_pipe_is_read_to_its_end_and_a_wait_is_said() -> None:
    os.mkfifo("a.yaml")
    reader = subprocess.Popen(
        [sys.executable, "-m", "automode_constructs.cli.main", "lint", "a.yaml"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert reader.stderr is not None
    assert reader.stderr.readline() == "automode: waiting for the end of a.yaml\n"
    Path("a.yaml").write_text(POOL, "utf-8")
    assert reader.communicate(timeout=60)[1].startswith("1 document judged")
    assert reader.returncode == 0


def test_a_quick_answer_says_nothing_of_waiting(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_PATIENCE", 60.0)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(POOL.encode())))
    assert run(capsys, "lint", "-") == (0, "", "1 document judged, 0 of other kinds passed by: 0 errors, 0 warnings\n")


@pytest.mark.parametrize(
    ("redirection", "code", "words"),
    [
        (">&-", 2, "automode: cannot write to standard output: it is closed\n"),
        (">/dev/full", 2, "automode: cannot write to standard output: no space left on device\n"),
        ("2>/dev/full >/dev/null", 0, ""),
        ("2>&- >/dev/null", 0, ""),
    ],
)
def test_an_output_that_takes_nothing_is_said(redirection: str, code: int, words: str) -> None:
    finished = subprocess.run(
        f"'{sys.executable}' -m automode_constructs.cli.main explain {redirection}",
        shell=True,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert (finished.returncode, finished.stderr) == (code, words)


def test_a_closed_standard_input_is_said() -> None:
    finished = subprocess.run(
        f"'{sys.executable}' -m automode_constructs.cli.main lint - <&-",
        shell=True,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert finished.returncode == 2
    assert finished.stdout == "-:1:1 automode:UnreadableInput error: standard input is closed; name a file\n"


def test_a_terminal_without_unicode_is_written_to() -> None:
    plain = {"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": ""}
    Path("a.yaml").write_text(POOL.replace("336h", "é"), "utf-8")
    finished = command("lint", "a.yaml", env={**os.environ, **plain, "PYTHONPATH": str(ROOT)})
    assert finished.returncode == 1
    assert "'\\xe9' is not a duration" in finished.stdout


@pytest.mark.parametrize("rule", ["", "\x1b[2J", "\udcff", "é", "x" * 100_000, "automode:", "a\0", "`id`"])
def test_explain_answers_any_text(capsys: pytest.CaptureFixture[str], rule: str) -> None:
    code, out, err = run(capsys, "explain", rule)
    assert (code, out) == (2, "")
    assert err.startswith("automode: no rule is called ")
    assert len(err) < 500


@pytest.mark.parametrize("what", ["rules", "schemas"])
def test_pages_that_cannot_be_written_are_said(capsys: pytest.CaptureFixture[str], what: str) -> None:
    Path("file").write_text("mine", "utf-8")
    assert pages.main([what, "file/x\n"]) == 1
    assert capsys.readouterr().err.startswith("file/x\\n: cannot be written: ")
    assert Path("file").read_text("utf-8") == "mine"


@pytest.fixture(params=["in C", "in Python"])
def _loader(request: pytest.FixtureRequest) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "in Python":
            patch.setattr("automode_constructs.cli.reading.LOADER", yaml.SafeLoader)
        yield


def _read(text: str) -> None:
    try:
        for document in documents(text):
            assert document.place("a[0].b")[0] >= 1
    except UnreadableError as error:
        _has_words(error)


def _has_words(error: UnreadableError) -> None:
    assert error.message
    assert error.place >= (1, 1)


_YAML = st.lists(st.sampled_from([*"ab:-[]{},&*<!|>'\"# \n\t?~01.%@\\\r", "\\u", "d800", "&a ", "*a", "<<: ", "---\n"]))


@pytest.mark.usefixtures("_loader")
class TestAnyInput:
    """Whatever the bytes are, they are documents, or an error with words and a place."""

    @given(st.binary(max_size=200) | _YAML.map(lambda parts: "".join(parts).encode()))
    @example(b"\xff\xfe")
    @example(b'"\\ud800"')
    @settings(deadline=None)
    def test_any_bytes_are_documents_or_a_finding(self, data: bytes) -> None:
        try:
            text = decoded(data)
        except UnreadableError as error:
            _has_words(error)
        else:
            _read(text)

    @given(st.text(alphabet=st.characters(), max_size=100))
    @example("a: \ud800")
    @settings(deadline=None)
    def test_any_text_is_documents_or_a_finding(self, text: str) -> None:
        _read(text)


def test_an_input_file_has_one_identity_by_every_path(tmp_path: Path) -> None:
    Path("a.yaml").write_text(POOL, "utf-8")
    Path("b.yaml").symlink_to("a.yaml")
    assert InputFile("b.yaml").identity == InputFile(str(tmp_path / "a.yaml")).identity
    assert InputFile("a\0b").identity == "a\0b"
