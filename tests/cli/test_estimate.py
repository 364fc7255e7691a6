"""What ``automode estimate`` prints of manifests as people have them."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from automode_constructs.cli.main import main
from automode_constructs.facts.instance_types import instance_types

NODE_CLASS = """\
apiVersion: eks.amazonaws.com/v1
kind: NodeClass
metadata: {name: gpu}
spec:
  role: gpu-nodes
  subnetSelectorTerms: [{tags: {kubernetes.io/role/internal-elb: "1"}}]
  securityGroupSelectorTerms: [{tags: {"aws:eks:cluster-name": demo}}]
  ephemeralStorage: {size: 100Gi}
"""
GPU_POOL = """\
apiVersion: karpenter.sh/v1
kind: NodePool
metadata: {name: gpu-inference}
spec:
  template:
    spec:
      nodeClassRef: {group: eks.amazonaws.com, kind: NodeClass, name: gpu}
      taints: [{key: nvidia.com/gpu, effect: NoSchedule}]
      expireAfter: 336h
      terminationGracePeriod: 1h
      requirements:
        - {key: karpenter.sh/capacity-type, operator: In, values: [spot, on-demand]}
        - {key: kubernetes.io/arch, operator: In, values: [amd64]}
        - {key: eks.amazonaws.com/instance-family, operator: In, values: [g5, g6]}
        - {key: eks.amazonaws.com/instance-gpu-count, operator: In, values: ["1"]}
        - {key: eks.amazonaws.com/instance-cpu, operator: Lt, values: ["17"]}
"""
BATCH_POOL = """\
apiVersion: karpenter.sh/v1
kind: NodePool
metadata: {name: batch}
spec:
  template:
    spec:
      nodeClassRef: {group: eks.amazonaws.com, kind: NodeClass, name: gpu}
      expireAfter: 336h
      terminationGracePeriod: 1h
      requirements:
        - {key: karpenter.sh/capacity-type, operator: In, values: [on-demand]}
        - {key: eks.amazonaws.com/instance-family, operator: In, values: [c7g]}
"""
SERVER = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: gpt-oss, namespace: inference}
spec:
  replicas: 2
  selector: {matchLabels: {app: gpt-oss}}
  template:
    metadata: {labels: {app: gpt-oss}}
    spec:
      nodeSelector: {karpenter.sh/nodepool: gpu-inference}
      tolerations: [{key: nvidia.com/gpu, operator: Exists, effect: NoSchedule}]
      containers:
        - name: vllm
          image: registry.example/vllm:0.27.1
          command: [vllm, serve]
          args: ["s3://models/gpt-oss-20b/", "--max-model-len=32768"]
          env: [{name: RUNAI_STREAMER_MEMORY_LIMIT, value: "4294967296"}]
          resources: {requests: {cpu: "3", memory: 12Gi, nvidia.com/gpu: 1}, limits: {nvidia.com/gpu: 1}}
"""
ARGS = 'args: ["s3://models/gpt-oss-20b/", "--max-model-len=32768"]'
COMMAND = "command: [vllm, serve]\n          "


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Any:
    def _run(*manifests: str, options: tuple[str, ...] = ()) -> tuple[int, str, str]:
        Path("a.yaml").write_text("---\n".join(manifests), "utf-8")
        code = main(["estimate", "a.yaml", *options])
        said = capsys.readouterr()
        return code, said.out, said.err

    return _run


def data(run: Any, *manifests: str, options: tuple[str, ...] = ()) -> dict[str, Any]:
    code, out, err = run(*manifests, options=("--format", "json", *options))
    assert (code, err) == (0, "")
    found: dict[str, Any] = json.loads(out)
    return found


def server_of(run: Any, server: str, options: tuple[str, ...] = ()) -> dict[str, Any]:
    (table,) = data(run, NODE_CLASS, GPU_POOL, server, options=options)["tables"]
    found: dict[str, Any] = table["server"]
    return found


def test_a_server_and_its_pool_are_one_table_by_price(run: Any) -> None:
    # The pods ask for the other pool by name.
    assert run(NODE_CLASS, GPU_POOL, BATCH_POOL, SERVER) == (
        0,
        """\
Deployment gpt-oss, 2 replicas on NodePool gpu-inference
s3://models/gpt-oss-20b/: weights 13.76 GB from S3, image 9 GB (assumed; --image-gb)

TYPE        GPU              vCPU  MEMORY    NVMe   PULL  WEIGHTS   COLD START  ON-DEMAND
g6.xlarge   1 x l4 22 GiB       4  16 GiB  250 GB  129 s     44 s  4.1-6.4 min   $0.805/h
g6.2xlarge  1 x l4 22 GiB       8  32 GiB  450 GB   98 s     22 s  3.3-5.5 min   $0.978/h
g5.xlarge   1 x a10g 22 GiB     4  16 GiB  250 GB  129 s     44 s  4.1-6.4 min   $1.006/h
g5.2xlarge  1 x a10g 22 GiB     8  32 GiB  450 GB   98 s     22 s  3.3-5.5 min   $1.212/h
g6.4xlarge  1 x l4 22 GiB      16  64 GiB  600 GB   49 s     11 s  2.3-4.5 min   $1.323/h
g5.4xlarge  1 x a10g 22 GiB    16  64 GiB  600 GB   49 s     11 s  2.3-4.5 min   $1.624/h

One node:      $0.805 to $1.624/h on-demand; Spot: varies
Auto Mode fee: $0.063 to $0.127/h on top, about 7.8% of on-demand

Control plane: $0.10/h for the cluster
Cold start:    node 30-90 s, pull, process 10-20 s, weights, compile 20-55 s, init 15-45 s, first token 1-3 s;
               the pull is a fit to two published ones, the network counts with its baseline
Linux on-demand prices of us-east-1 on 2026-02-09, without volumes, traffic and taxes; estimates, not a quote
""",
        "",
    )


def test_without_a_server_there_are_types_and_prices(run: Any) -> None:
    assert run(BATCH_POOL) == (
        0,
        """\
NodePool batch

TYPE          GPU  vCPU   MEMORY  NVMe  ON-DEMAND
c7g.large     -       2    4 GiB     -   $0.072/h
c7g.xlarge    -       4    8 GiB     -   $0.145/h
c7g.2xlarge   -       8   16 GiB     -   $0.290/h
c7g.4xlarge   -      16   32 GiB     -   $0.580/h
c7g.8xlarge   -      32   64 GiB     -   $1.160/h
c7g.12xlarge  -      48   96 GiB     -   $1.740/h
c7g.16xlarge  -      64  128 GiB     -   $2.320/h

One node:      $0.072 to $2.320/h on-demand
Auto Mode fee: $0.009 to $0.278/h on top, about 12% of on-demand

Control plane: $0.10/h for the cluster
Linux on-demand prices of us-east-1 on 2026-02-09, without volumes, traffic and taxes; estimates, not a quote
""",
        "",
    )


def test_long_lists_are_cut_with_a_count(run: Any) -> None:
    every = BATCH_POOL.replace("[c7g]", "[c7g, m7g, r7g]")
    _, cut, _ = run(every)
    _, whole, _ = run(every, options=("--all",))
    types = {name for name in instance_types() if name.partition(".")[0] in ("c7g", "m7g", "r7g")}
    assert f"and {len(types) - 15} more types; --all shows them\n" in cut
    assert sum(f"{name} " in cut for name in types) == 15
    assert all(f"{name} " in whole for name in types)
    assert "more types" not in whole
    # What is cut counts in the price range.
    assert cut.partition("One node:")[2] == whole.partition("One node:")[2]


def test_json_says_everything(run: Any) -> None:
    told = data(run, NODE_CLASS, GPU_POOL, SERVER)
    assert told["not_estimated"] == []
    assert told["prices"] == {
        "region": "us-east-1",
        "date": "2026-02-09",
        "source": told["prices"]["source"],
        "auto_mode_fee_share": {"g": 0.078, "gr": 0.078, "p": 0.048, "trn": 0.048, "others": 0.12},
        "control_plane_usd_per_hour": 0.1,
        "note": "estimates, not a quote",
    }
    (table,) = told["tables"]
    rows = table.pop("types")
    assert table == {
        "pool": "gpu-inference",
        "server": {
            "kind": "Deployment",
            "name": "gpt-oss",
            "model": "s3://models/gpt-oss-20b/",
            "replicas": 2,
            "gpus": 1,
            "weights": "s3",
            "weight_bytes": 13_760_000_000,
            "image_bytes": 9_000_000_000,
            "image_is_assumed": True,
        },
        "spot": "varies",
        "warnings": [],
    }
    assert [row["type"] for row in rows][:2] == ["g6.xlarge", "g6.2xlarge"]
    start = rows[0].pop("cold_start_seconds")
    assert rows[0] == {
        "type": "g6.xlarge",
        "vcpu": 4,
        "memory_mib": 16384,
        "gpu": {"name": "l4", "manufacturer": "nvidia", "count": 1, "memory_mib": 22888},
        "local_nvme_gb": 250,
        "on_demand_usd_per_hour": 0.8048,
        "auto_mode_fee_usd_per_hour": pytest.approx(0.0627744),
    }
    assert list(start) == ["node", "pull", "process", "weights", "compile", "init", "first_token", "total"]
    assert start["total"] == {"low": pytest.approx(248.6, abs=0.01), "high": pytest.approx(385.6, abs=0.01)}


@pytest.mark.parametrize(
    ("args", "weights", "image_gb"),
    [
        ('args: ["/models/gpt-oss-20b"]', "image", 22.76),
        ('args: ["openai/gpt-oss-20b"]', "hub", 9),
        ('args: ["--model", "openai/gpt-oss-20b"]', "hub", 9),
        ('args: ["/data/model", "--served-model-name=openai/gpt-oss-20b"]', "image", 22.76),
        ('args: ["/models/gpt-oss-20b"]\n          volumeMounts: [{name: models, mountPath: /models}]', None, 9),
    ],
)
def test_the_arguments_tell_where_the_weights_are(run: Any, args: str, weights: str | None, image_gb: float) -> None:
    told = server_of(run, SERVER.replace(ARGS, args))
    assert (told["weights"], told["image_bytes"], told["weight_bytes"]) == (weights, image_gb * 1e9, 13_760_000_000)


def test_weights_on_a_volume_leave_the_cold_start_unknown(run: Any) -> None:
    mounted = 'args: ["/models/gpt-oss-20b"]\n          volumeMounts: [{name: models, mountPath: /models}]'
    code, out, _ = run(NODE_CLASS, GPU_POOL, SERVER.replace(ARGS, mounted))
    assert code == 0
    assert "weights 13.76 GB from a volume, image 9 GB (assumed; --image-gb)\n" in out
    row = next(line for line in out.splitlines() if line.startswith("g6.xlarge "))
    assert row.split()[-4:] == ["s", "unknown", "unknown", "$0.805/h"]


@pytest.mark.parametrize(
    "how",
    [
        'command: [/bin/sh, -c, "exec vllm serve s3://models/gpt-oss-20b/ --port 8000"]',
        'command: [/opt/venv/bin/vllm, serve, "s3://models/gpt-oss-20b/"]',
        "command: [python3, -m, vllm.entrypoints.openai.api_server]\n          args: [--model=s3://models/gpt-oss-20b/]",
        'args: ["s3://models/gpt-oss-20b/"]',
    ],
)
def test_a_server_is_known_by_its_command_or_its_image(run: Any, how: str) -> None:
    told = server_of(run, SERVER.replace(COMMAND + ARGS, how))
    assert (told["model"], told["weights"]) == ("s3://models/gpt-oss-20b/", "s3")


@pytest.mark.parametrize("image", ["/vllm-router:1", "/vllm:0.27.1"])
def test_another_command_is_no_server(run: Any, image: str) -> None:
    other = SERVER.replace("/vllm:0.27.1", image).replace("[vllm, serve]", "[router]")
    (table,) = data(run, GPU_POOL, other)["tables"]
    assert table["server"] is None


def test_a_limit_without_a_request_is_a_request(run: Any) -> None:
    limited = SERVER.replace("memory: 12Gi, nvidia.com/gpu: 1}, limits: {", "memory: 12Gi}, limits: {cpu: 8, ")
    assert server_of(run, limited)["gpus"] == 1
    more = limited.replace('cpu: "3", memory: 12Gi', "memory: 12Gi")
    assert types_of(run, GPU_POOL, more) == ["g6.4xlarge", "g5.4xlarge"]


def test_a_quantity_beyond_all_bounds_fits_nowhere(run: Any) -> None:
    assert run(GPU_POOL, SERVER.replace('cpu: "3"', 'cpu: "1e999999"'))[0] == 2
    assert run(GPU_POOL, SERVER.replace("nvidia.com/gpu: 1", 'nvidia.com/gpu: "1e999999"'))[0] == 2


def test_sizes_can_be_given(run: Any) -> None:
    told = server_of(run, SERVER, ("--image-gb", "12.5"))
    assert (told["image_bytes"], told["image_is_assumed"]) == (12_500_000_000, False)
    assert server_of(run, SERVER, ("--image-bytes", "8802823997"))["image_bytes"] == 8_802_823_997
    other = SERVER.replace("gpt-oss-20b/", "mistral-7b/")
    assert server_of(run, other, ("--weight-gb", "16.4"))["weight_bytes"] == 16_400_000_000
    # A model that is known keeps its own size.
    assert server_of(run, SERVER, ("--weight-gb", "16.4"))["weight_bytes"] == 13_760_000_000


def warnings_of(run: Any, server: str, options: tuple[str, ...] = ()) -> list[str]:
    (table,) = data(run, NODE_CLASS, GPU_POOL, server, options=options)["tables"]
    return [*table["warnings"]]


UNLIMITED = SERVER.replace('          env: [{name: RUNAI_STREAMER_MEMORY_LIMIT, value: "4294967296"}]\n', "")


def test_a_streamer_without_a_limit_is_held_against_the_container_or_its_node(run: Any) -> None:
    assert warnings_of(run, UNLIMITED) == [
        "pool 'gpu-inference' admits g6.xlarge, g5.xlarge: loading openai/gpt-oss-20b takes 18.8 GiB (the streamer's "
        'buffer 12.8, vLLM about 6), and g6.xlarge leaves pods 14,162Mi; request memory 19Gi, or set "memory_limit" in '
        "--model-loader-extra-config"
    ]
    limited = UNLIMITED.replace("limits: {", "limits: {memory: 12Gi, ")
    assert warnings_of(run, limited) == [
        "the weight streamer buffers up to 40 GB in a pod of 12Gi (its model has 13.8 GB): loading takes 18.8 GiB (the "
        'streamer\'s buffer 12.8, vLLM about 6), and the container is killed before it ends; set "memory_limit": '
        "4294967296 in --model-loader-extra-config, or the container's memory limit to 19Gi"
    ]
    assert warnings_of(run, SERVER.replace("limits: {", "limits: {memory: 12Gi, ")) == []


def test_the_size_that_is_given_counts_for_a_model_that_is_not_known(run: Any) -> None:
    other = UNLIMITED.replace("gpt-oss-20b/", "small/").replace("limits: {", "limits: {memory: 9Gi, ")
    assert warnings_of(run, other, ("--weight-gb", "3")) == []
    (said,) = warnings_of(run, other, ("--weight-gb", "16"))
    assert "in a pod of 9Gi (its model has 16.0 GB): loading takes 20.9 GiB" in said


def test_the_flags_count_by_every_spelling(run: Any) -> None:
    short = SERVER.replace("--max-model-len=32768", "--max_model_le=200k")
    (said,) = [one for one in warnings_of(run, short) if "g6" in one]
    assert "KV cache of one request of 200,000 tokens" in said


def test_eager_mode_compiles_nothing(run: Any) -> None:
    eager = SERVER.replace('"--max-model-len=32768"', '"--max-model-len=32768", "--enforce-eager"')
    (table,) = data(run, GPU_POOL, eager)["tables"]
    assert table["types"][0]["cold_start_seconds"]["compile"] == {"low": 0, "high": 0}


def types_of(run: Any, *manifests: str) -> list[str]:
    (table,) = data(run, *manifests)["tables"]
    return [row["type"] for row in table["types"]]


def test_only_types_with_room_and_with_the_labels_asked_for_are_listed(run: Any) -> None:
    large = SERVER.replace('cpu: "3", memory: 12Gi', "cpu: 7, memory: 40Gi")
    assert types_of(run, GPU_POOL, large) == ["g6.4xlarge", "g5.4xlarge"]
    chosen = SERVER.replace("nodeSelector: {", "nodeSelector: {eks.amazonaws.com/instance-gpu-name: l4, ")
    assert types_of(run, GPU_POOL, chosen) == ["g6.xlarge", "g6.2xlarge", "g6.4xlarge"]
    terms = "".join(
        "\n              - matchExpressions:"
        f" [{{key: node.kubernetes.io/instance-type, operator: In, values: [{name}]}}]"
        for name in ("g5.4xlarge", "g6.xlarge")
    )
    affinity = (
        "affinity:\n        nodeAffinity:\n          requiredDuringSchedulingIgnoredDuringExecution:\n"
        f"            nodeSelectorTerms:{terms}\n      "
    )
    assert types_of(run, GPU_POOL, SERVER.replace("nodeSelector:", f"{affinity}nodeSelector:")) == [
        "g6.xlarge",
        "g5.4xlarge",
    ]


def test_the_node_class_tells_where_images_lie(run: Any) -> None:
    baked = SERVER.replace("s3://models/gpt-oss-20b/", "/models/gpt-oss-20b")
    (table,) = data(run, NODE_CLASS.replace("100Gi", "300Gi"), GPU_POOL, baked)["tables"]
    weights = {row["type"]: row["cold_start_seconds"]["weights"]["low"] for row in table["types"]}
    # 250 GB of NVMe are not above 300Gi: the volume's 131 MB/s, less what the instance has to EBS.
    assert weights["g5.xlarge"] == pytest.approx(13760 / 87.5)
    assert weights["g5.2xlarge"] == pytest.approx(13.76)
    assert len([text for text in table["warnings"] if text.startswith("its NodeClass has ephemeral_storage.size")]) == 1


def test_gpus_that_cannot_serve_the_model_are_named(run: Any) -> None:
    old = GPU_POOL.replace("[g5, g6]", "[g4dn, g6]")
    code, out, _ = run(old, SERVER)
    assert code == 0
    assert "Warning: pool 'gpu-inference' admits" in out
    assert "compute capability 7.5 < 8.0" in out


def test_a_server_that_lands_nowhere_says_why(run: Any) -> None:
    untolerated = SERVER.replace("tolerations: [{key: nvidia.com/gpu, operator: Exists, effect: NoSchedule}]", "")
    assert run(GPU_POOL.replace("key: nvidia.com/gpu", "key: example.com/ours"), BATCH_POOL, untolerated) == (
        2,
        "Not estimated: Deployment gpt-oss lands on no NodePool here: NodePool gpu-inference has the taint "
        "example.com/ours; NodePool batch has other labels than the pod asks for\n",
        "",
    )
    other = SERVER.replace("gpt-oss-20b/", "mistral-7b/").replace("memory: 12Gi", "memory: 900Gi")
    assert run(GPU_POOL, other, options=("--weight-gb", "16")) == (
        2,
        "Not estimated: Deployment gpt-oss lands on no NodePool here: NodePool gpu-inference: no known instance type "
        "of it has the GPUs, CPU and memory\n",
        "",
    )


@pytest.mark.parametrize(
    ("server", "remark"),
    [
        (
            SERVER.replace("nvidia.com/gpu: 1", "aws.amazon.com/neuron: 1"),
            "Deployment gpt-oss asks for aws.amazon.com/neuron, and only NVIDIA GPUs are known here",
        ),
        (
            SERVER.replace(", nvidia.com/gpu: 1", "").replace("limits: {nvidia.com/gpu: 1}", "limits: {}"),
            "Deployment gpt-oss asks for no nvidia.com/gpu, and only NVIDIA GPUs are known here",
        ),
        (
            SERVER.replace("nodeSelector:", "schedulerName: mine\n      nodeSelector:"),
            "Deployment gpt-oss: its manifest does not tell which pool its pods are for",
        ),
    ],
)
def test_servers_that_are_beyond_the_estimate_are_named(run: Any, server: str, remark: str) -> None:
    assert run(GPU_POOL, server) == (2, f"Not estimated: {remark}\n", "")


def test_a_pool_that_admits_nothing_known_is_named(run: Any) -> None:
    code, out, _ = run(GPU_POOL, BATCH_POOL.replace("[c7g]", "[c99z]"))
    assert code == 0
    assert out.endswith("\nNot estimated: NodePool batch admits no instance type that is known here\n")
    assert run(BATCH_POOL.replace("[c7g]", "[c99z]"))[0] == 2


@pytest.mark.parametrize(
    ("manifest", "error"),
    [
        (SERVER, "automode: a.yaml: holds no NodePool; name the file of the pools too\n"),
        (
            GPU_POOL + "---\n" + SERVER.replace("gpt-oss-20b/", "mistral-7b/"),
            "automode: a.yaml: Deployment 'gpt-oss': nothing is known of the model 's3://models/mistral-7b/'; "
            "say how large its weights are with --weight-gb\n",
        ),
        (
            GPU_POOL + "---\n" + SERVER.replace(ARGS, "args: [--port=8000]"),
            "automode: a.yaml: Deployment 'gpt-oss': its arguments name no model; "
            "say how large its weights are with --weight-gb\n",
        ),
        (
            GPU_POOL.replace("[g5, g6]", "['${FAMILY}']"),
            "automode: a.yaml: NodePool 'gpu-inference': spec.template.spec.requirements[2].values[0]: "
            "the placeholder '${FAMILY}' is not filled in\n",
        ),
        ("a: [1\n", "automode: a.yaml:1:6: is not YAML: while parsing a flow sequence"),
    ],
)
def test_unusable_input_is_told_in_words(run: Any, manifest: str, error: str) -> None:
    code, out, err = run(manifest)
    assert (code, out) == (2, "")
    assert err.startswith(error)


def test_a_pool_with_errors_is_told_as_the_linter_tells_it(run: Any) -> None:
    code, _, err = run(GPU_POOL.replace("expireAfter", "expireAfer"))
    assert code == 2
    assert err.startswith("automode: a.yaml: NodePool 'gpu-inference': template.spec.expireAfer: is not a known field")


def test_a_missing_file_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["estimate", "none.yaml"]) == 2
    assert capsys.readouterr().err == "automode: none.yaml:1:1: cannot be read: no such file or directory\n"


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (("--image-gb", "0"), "argument --image-gb: needs a number above 0, got '0'"),
        (("--weight-gb", "nan"), "argument --weight-gb: needs a number above 0, got 'nan'"),
        (("--image-bytes", "many"), "argument --image-bytes: needs a number above 0, got 'many'"),
        (("--image-bytes", "1", "--image-gb", "1"), "argument --image-gb: not allowed with argument --image-bytes"),
        (("--format", "sarif"), "argument --format: invalid choice: 'sarif'"),
    ],
)
def test_wrong_use_is_refused(options: tuple[str, ...], error: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["estimate", "a.yaml", *options])
    assert stopped.value.code == 2
    assert error in capsys.readouterr().err


def test_folders_and_standard_input_are_read_each_file_once(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("pools").mkdir()
    Path("pools/gpu.yml").write_text(GPU_POOL, "utf-8")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(SERVER.encode())))
    assert main(["estimate", "pools", "pools/gpu.yml", "-", "--format", "json"]) == 0
    assert [table["pool"] for table in json.loads(capsys.readouterr().out)["tables"]] == ["gpu-inference"]


def test_a_name_cannot_command_the_terminal(run: Any) -> None:
    code, out, _ = run(GPU_POOL, SERVER.replace("{name: gpt-oss,", '{name: "gpt\\e[31m",'))
    assert code == 0
    assert "Deployment gpt\\x1b[31m, 2 replicas on NodePool gpu-inference\n" in out


def test_a_type_without_a_price_is_unknown(run: Any) -> None:
    code, out, _ = run(BATCH_POOL.replace("[c7g]", "[c9g]"))
    assert code == 0
    assert "One node:      unknown on-demand\n" in out
    assert next(line for line in out.splitlines() if line.startswith("c9g.large ")).endswith("  unknown")


def test_a_fast_start_counts_with_its_compile_cache(run: Any) -> None:
    fast = SERVER.replace(
        "      containers:", "      initContainers: [{name: compile-cache, image: x}]\n      containers:"
    )
    fast = fast.replace('"--max-model-len=32768"', '"--max-model-len=32768", "--max-cudagraph-capture-size=64"')
    _, out, _ = run(NODE_CLASS, GPU_POOL, fast, options=("--image-gb", "4.5"))
    (row,) = [line.split() for line in out.splitlines() if line.startswith("g6.4xlarge")]
    assert row[11:] == ["24", "s", "11", "s", "1.3-2.3", "min", "$1.323/h"]
    assert (
        "Cold start:    node 17-45 s, pull, process 10-20 s or 10-15 s, weights, compile 5-12 s, init 15-45 s or "
        "10-25 s, first token 1-3 s;" in out
    )
    plain = SERVER.replace("      containers:", "      initContainers: [{name: migrate, image: x}]\n      containers:")
    assert "node 30-90 s" in run(NODE_CLASS, GPU_POOL, plain)[1]


@pytest.mark.parametrize(("model", "weight_bytes"), [("gpt-oss-120b", 65_248_893_184), ("Qwen3-8B", 16_381_470_720)])
def test_models_with_a_preset_need_no_size(run: Any, model: str, weight_bytes: int) -> None:
    told = server_of(run, SERVER.replace("s3://models/gpt-oss-20b/", f"s3://models/{model}/"))
    assert told["weight_bytes"] == weight_bytes


def test_a_larger_model_is_held_against_the_gpus(run: Any) -> None:
    larger = SERVER.replace("gpt-oss-20b/", "gpt-oss-120b/")
    assert (
        "Warning: pool 'gpu-inference' admits g6's L4: openai/gpt-oss-120b needs"
        in run(NODE_CLASS, GPU_POOL, larger)[1]
    )
