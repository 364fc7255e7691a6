"""The command line of vLLM, read as its own parser reads it."""

from __future__ import annotations

from typing import Any

import pytest

from automode_constructs.checks.vllm_command import VllmCommand, command_of, read_command


@pytest.mark.parametrize(
    "arguments",
    [
        ["m", "--tensor-parallel-size=2"],
        ["m", "--tensor-parallel-size", "2"],
        ["m", "--tensor_parallel_size", "2"],
        ["m", "--tensor-par", "2"],
        ["m", "--tensor_par=2"],
        ["m", "-tp", "2"],
        ["m", "-tp=2"],
        ["m", "-t", "2"],
        ["m", "-tp", "4", "--tensor-parallel-size=2"],
        ["m", "--served-model-name", "a", "b", "-tp", "2"],
        ["m", "--enforce-eager", "-tp", "2"],
        ["m", "--no-such-flag", "x", "-tp", "2"],
    ],
    ids=" ".join,
)
def test_every_spelling_of_a_flag_counts(arguments: list[str]) -> None:
    command = read_command(arguments)
    assert (command.model, command.value("--tensor-parallel-size"), command.processes) == ("m", "2", 2)


@pytest.mark.parametrize(
    ("arguments", "config"),
    [
        (['--model-loader-extra-config={"memory_limit":5}'], {"memory_limit": 5}),
        (["--model_loader_extra_config", '{"memory_limit": 5}'], {"memory_limit": 5}),
        (["--model-loader-extra-config.memory_limit", "5"], {"memory_limit": 5}),
        (["--model_loader_extra_config.memory_limit=5"], {"memory_limit": 5}),
        (["--model-loader.memory_limit", "-1"], {"memory_limit": -1}),
        (["--model-loader-extra-config.memory_limit", "4G"], {"memory_limit": "4G"}),
        (
            ["--model-loader-extra-config.memory_limit=5", "--model-loader-extra-config.concurrency", "8"],
            {"memory_limit": 5, "concurrency": 8},
        ),
        (["--model-loader-extra-config.a.b+=1,2"], {"a": {"b": ["1", "2"]}}),
        # vLLM appends what is written key by key, so that it replaces the whole.
        (
            ["--model-loader-extra-config.concurrency=8", '--model-loader-extra-config={"memory_limit":5}'],
            {"concurrency": 8},
        ),
        (["--model-loader-extra-config=None"], {}),
        (["--model-loader-extra-config={"], None),
        (["--model-loader-extra-config=[1]"], None),
        ([], {}),
    ],
)
def test_json_is_read_whole_or_key_by_key(arguments: list[str], config: dict[str, Any] | None) -> None:
    assert read_command(["m", *arguments]).mapping("--model-loader-extra-config") == config


def test_a_switch_can_be_turned_off_again() -> None:
    assert read_command(["m", "--enforce-eager"]).has("--enforce-eager")
    assert not read_command(["m", "--enforce-eager", "--no-enforce-eager"]).has("--enforce-eager")
    assert not read_command(["m"]).has("--enforce-eager")


def test_processes_are_what_all_kinds_of_parallelism_ask_for() -> None:
    assert read_command(["-tp", "2", "-pp", "2", "-dp", "4", "-dpl", "2"]).processes == 8
    assert read_command(["-tp=many"]).processes == 1


def container(**fields: Any) -> dict[str, Any]:
    return {"name": "server", "image": "registry.example/engine:1", **fields}


@pytest.mark.parametrize(
    ("fields", "model"),
    [
        ({"command": ["vllm", "serve"], "args": ["a/b", "-tp", "2"]}, "a/b"),
        ({"command": ["/opt/venv/bin/vllm", "serve", "a/b"], "args": ["-tp=2"]}, "a/b"),
        ({"command": ["python3", "-m", "vllm.entrypoints.openai.api_server"], "args": ["--model=a/b", "-tp=2"]}, "a/b"),
        ({"image": "registry.example/vllm:0.27.1", "args": ["a/b", "-tp", "2"]}, "a/b"),
        ({"image": "vllm/vllm-openai:v0.27.1", "args": ["--model", "a/b", "-tp=2"]}, "a/b"),
        ({"command": ["bash", "-c"], "args": ["exec vllm serve a/b \\\n  -tp 2; echo done --model=c"]}, "a/b"),
        ({"command": ["sh", "-c", "sleep 1 && vllm serve 'a/b' -tp 2 | tee log"]}, "a/b"),
        (
            {
                "command": ["vllm", "serve"],
                "args": ["$(MODEL)", "-tp=2"],
                "env": [{"name": "MODEL", "value": "a/b"}],
            },
            "a/b",
        ),
    ],
)
def test_a_server_is_found_however_it_is_started(fields: dict[str, Any], model: str) -> None:
    command = command_of(container(**fields))
    assert command is not None
    assert (command.model, command.processes) == (model, 2)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"command": ["vllm", "bench", "serve"]},
        {"image": "vllm/vllm-openai:v1", "command": ["sleep", "1"]},
        {"image": "registry.example/vllm-router:1"},
        {"command": "vllm serve", "args": {"a": "b"}},
    ],
)
def test_what_serves_nothing_is_no_server(fields: dict[str, Any]) -> None:
    assert command_of(container(**fields)) is None


def test_the_variables_of_manifest_and_shell_are_told() -> None:
    command = command_of(
        container(
            command=["bash", "-c", "export B=2; C=3 vllm serve m"],
            env=[{"name": "A", "value": "1"}, {"name": "SECRET", "valueFrom": {"secretKeyRef": {}}}],
        )
    )
    assert command is not None
    assert command.environment == {"A": "1", "B": "2", "C": "3"}


def test_a_quote_that_never_ends_is_no_reason_to_stop() -> None:
    command = command_of(container(command=["bash", "-c", "vllm serve m -tp 2 'oh"]))
    assert command is not None
    assert command.processes == 2


def test_nothing_is_told_of_nothing() -> None:
    assert read_command([]) == VllmCommand()
