"""The tables of docs/model-servers.md are what the code computes.

Run once with AUTOMODE_REGENERATE=1 to write them anew, then read the difference.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from automode_constructs.facts.gpus import gpu_named
from automode_constructs.facts.instance_types import InstanceType, instance_types
from automode_constructs.inference.cold_start import ColdStart, Seconds, estimate_cold_start
from automode_constructs.inference.model_preset import GPT_OSS_20B, MODEL_PRESETS, ModelPreset

PAGE = Path(__file__).parent.parent.parent / "docs" / "model-servers.md"
TOKENS = 32_768
AWS_IMAGE, SLIM_IMAGE, TALK_IMAGE = 9_400_000_000, 4_500_000_000, 14_000_000_000
TARGET_SECONDS = 150


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def fits(preset: ModelPreset, known: InstanceType) -> bool:
    gpu = known.gpu
    model = None if gpu is None else gpu_named(gpu.name)
    if gpu is None or model is None or gpu.manufacturer != "nvidia" or known.architecture != "amd64":
        return False
    if model.compute_capability is None or model.compute_capability < preset.min_compute_capability or gpu.count < 1:
        return False
    usable = model.usable_memory_gib or gpu.memory_mib / 1024
    return preset.gpu_memory(tokens=TOKENS, gpus=int(gpu.count)).total <= usable * 0.92


def cheapest(preset: ModelPreset) -> str:
    priced = [
        (known.on_demand_price_usd, known.name)
        for known in instance_types().values()
        if known.on_demand_price_usd is not None and fits(preset, known)
    ]
    price, name = min(priced)
    gpu = instance_types()[name].gpu
    assert gpu is not None
    return f"{name} ({int(gpu.count)} x {gpu.name.upper()}), {price:.2f} USD/h"


def models() -> str:
    head = ["Preset", "Model", "Weights", "in GPU memory", "KV cache per token", "Context", "Tools", "Reasoning"]
    head.append(f"Cheapest for {TOKENS:,} tokens")
    names = {id(value): name for name, value in vars(_presets()).items() if isinstance(value, ModelPreset)}
    return table(
        head,
        [
            [
                f"`{names[id(each)]}`",
                each.name,
                f"{each.weight_bytes / 1e9:.2f} GB",
                f"{each.weights_in_gpu_gib:.1f} GiB",
                f"{each.kv_bytes_per_token // 1024} KiB",
                f"{each.max_context:,}",
                f"`{each.tool_call_parser}`",
                "-" if each.reasoning_parser is None else f"`{each.reasoning_parser}`",
                cheapest(each),
            ]
            for each in MODEL_PRESETS
        ],
    )


def _presets() -> Any:
    from automode_constructs.inference import model_preset

    return model_preset


def start(name: str, image_bytes: int, **more: Any) -> ColdStart:
    arguments = {"weights": "s3", "weight_bytes": GPT_OSS_20B.weight_bytes, **more}
    return estimate_cold_start(instance_type=instance_types()[name], image_bytes=image_bytes, **arguments)


def cold_starts() -> Iterator[tuple[str, str, int, ColdStart]]:
    yield "before: the cheapest node", "g6.xlarge", AWS_IMAGE, start("g6.xlarge", AWS_IMAGE)
    baked = AWS_IMAGE + GPT_OSS_20B.weight_bytes
    yield "weights in the image", "g6.4xlarge", baked, start("g6.4xlarge", baked, weights="image")
    yield "more vCPU", "g6.4xlarge", AWS_IMAGE, start("g6.4xlarge", AWS_IMAGE)
    fast = {"fast_start": True, "cuda_graph_size": 64}
    yield "and the compile cache", "g6.4xlarge", AWS_IMAGE, start("g6.4xlarge", AWS_IMAGE, **fast)
    for name in ("g6.4xlarge", "g5.4xlarge", "g6e.4xlarge"):
        yield "**after: and a small image**", name, SLIM_IMAGE, start(name, SLIM_IMAGE, **fast)


def minutes(seconds: Seconds | None) -> str:
    assert seconds is not None
    return f"{seconds.low / 60:.1f}-{seconds.high / 60:.1f} min"


def times() -> str:
    head = ["GPT-OSS-20B", "Node", "Image", "node", "pull", "process", "weights", "compile", "init", "Cold start"]
    talk = start("g5.4xlarge", TALK_IMAGE).pull
    rows = [
        ["the talk, before parallel pull", "g5.4xlarge", "14 GB", "", "120-180 s (published)", *[""] * 5],
        ["the talk, with it", "g5.4xlarge", "14 GB", "", f"75 s (published), {talk} (model)", *[""] * 5],
    ]
    for what, name, size, each in cold_starts():
        parts = (each.node, each.pull, each.process, each.weights, each.compile, each.init)
        rows.append([what, name, f"{size / 1e9:.3g} GB", *map(str, parts), minutes(each.total)])
    return table(head, rows)


def test_the_tables_are_what_the_code_computes() -> None:
    text = PAGE.read_text("utf-8")
    for name, content in (("models", models()), ("cold starts", times())):
        opening = f"<!-- {name}: written by tests/inference/test_model_servers_page.py -->\n"
        assert opening in text
        text = re.sub(f"({re.escape(opening)}).*?(<!-- end -->)", rf"\g<1>\n{content}\n\n\g<2>", text, flags=re.DOTALL)
    if os.environ.get("AUTOMODE_REGENERATE"):
        PAGE.write_text(text, "utf-8")
    assert PAGE.read_text("utf-8") == text


def test_before_is_what_the_cheapest_took_and_after_is_two_and_a_half_minutes() -> None:
    starts = list(cold_starts())
    before = starts[0][3].total
    assert before is not None
    assert (round(before.low / 60, 1), round(before.high / 60, 1)) == (4.2, 6.5)
    after = [each.total for what, _, _, each in starts if "after" in what]
    assert len(after) == 3
    assert all(total is not None and total.high <= TARGET_SECONDS for total in after)


def test_the_page_says_what_a_slow_node_costs() -> None:
    (fast,) = [each for what, name, _, each in cold_starts() if "after" in what and name == "g6.4xlarge"]
    slow = start("g6.4xlarge", SLIM_IMAGE).node.high
    assert fast.total is not None
    assert f"{(fast.total.high - fast.node.high + slow) / 60:.1f}" == "3.0"
    assert "up to 3.0\nminutes" in PAGE.read_text("utf-8")


def test_the_page_imports_what_there_is() -> None:
    (program,) = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), flags=re.DOTALL)
    exec(compile(program, "docs/model-servers.md", "exec"), {})


def test_the_page_names_every_preset() -> None:
    text = PAGE.read_text("utf-8")
    assert [each.name for each in MODEL_PRESETS if f"| {each.name} |" not in text] == []
