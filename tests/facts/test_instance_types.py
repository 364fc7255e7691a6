from __future__ import annotations

import gzip
import json
from datetime import date
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from automode_constructs.facts.gpus import GPU_MODELS, gpu_named
from automode_constructs.facts.instance_types import Gpu, InstanceType, as_of, instance_types
from automode_constructs.facts.instances import FAMILIES, NEVER_LAUNCHED_SIZES, family_of, size_of
from automode_constructs.facts.versions import as_of_default
from tools.instance_types import from_account, from_recordings, main, recorded_prices

STORED = files("automode_constructs.facts").joinpath("instance_types.json")


def recorded() -> dict[str, dict[str, Any]]:
    """What moto has recorded of DescribeInstanceTypes."""
    packed = files("moto").joinpath("ec2", "resources", "instance_types.json.gz").read_bytes()
    loaded: dict[str, dict[str, Any]] = json.loads(gzip.decompress(packed))
    return loaded


def test_the_stored_file_is_what_the_tool_writes() -> None:
    assert from_recordings() == STORED.read_text("utf-8"), "run: python -m tools.instance_types"


def test_the_tool_writes_where_it_is_told(tmp_path: Path) -> None:
    main(["--out", str(tmp_path / "types.json")])
    assert (tmp_path / "types.json").read_bytes() == STORED.read_bytes()


def test_another_recording_than_the_dated_one_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.instance_types._RECORDED_BY", "1.2.3")
    with pytest.raises(SystemExit) as stopped:
        from_recordings()
    assert str(stopped.value) == (
        f"moto is {version('moto')}, and the day of its recording is known for 1.2.3 only: "
        "set _RECORDED_BY and _RECORDED_ON"
    )


def test_the_file_is_small_and_has_one_type_a_line() -> None:
    text = STORED.read_text("utf-8")
    assert len(text) < 400_000
    lines = [line for line in text.splitlines() if line.startswith("    ")]
    assert [json.loads(f"{{{line.strip().rstrip(',')}}}").popitem()[0] for line in lines] == sorted(instance_types())


def test_the_file_says_its_sources_and_days() -> None:
    told = as_of()
    assert told.source and told.price_source
    assert date(2026, 1, 1) <= told.types <= as_of_default()
    assert date(2026, 1, 1) <= told.prices <= as_of_default()
    assert told.price_region == "us-east-1"


def test_every_family_of_auto_modes_list_is_there_and_no_other() -> None:
    assert {family_of(name) for name in instance_types()} == FAMILIES


def test_what_auto_mode_does_not_launch_is_not_there() -> None:
    assert not [name for name in instance_types() if size_of(name) in NEVER_LAUNCHED_SIZES or ".metal" in name]
    assert min(known.vcpu for known in instance_types().values()) == 2
    for absent in ("t3.small", "m7a.medium", "m5.metal", "g6f.large", "u7i-12tb.224xlarge"):
        assert absent not in instance_types()


def test_numbers_are_plausible() -> None:
    for known in instance_types().values():
        assert 1024 <= known.memory_mib / known.vcpu <= 65_536, known
        assert known.eni_pods >= 4, known
        network = (known.network_baseline_mbps, known.network_burst_mbps)
        ebs = (known.ebs_baseline_mbps, known.ebs_burst_mbps)
        assert ebs == (None, None) if family_of(known.name) == "t2" else None not in ebs, known
        for baseline, burst in (network, ebs):
            assert (baseline or 0) <= (burst or 0), known
        assert network[0], known
        assert known.on_demand_price_usd is None or 0.01 < known.on_demand_price_usd / known.vcpu < 1, known


def test_a_type_without_a_published_price_has_none() -> None:
    families = {family_of(known.name) for known in instance_types().values() if known.on_demand_price_usd is None}
    newer_than_the_list = {"c8ib", "c9g", "c9gd", "hpc8a", "m8azn", "m9g", "m9gd", "r9g", "x8aedz"}
    not_sold_in_its_region = {"p5e", "p6-b300", "trn2"}
    assert families == newer_than_the_list | not_sold_in_its_region


def test_every_price_of_the_list_is_of_a_type() -> None:
    assert recorded_prices().by_type == {
        name: known.on_demand_price_usd
        for name, known in instance_types().items()
        if known.on_demand_price_usd is not None
    }


G5_XLARGE = InstanceType(
    name="g5.xlarge",
    vcpu=4,
    memory_mib=16_384,
    architecture="amd64",
    cpu_manufacturer="amd",
    hypervisor="nitro",
    gpu=Gpu(name="a10g", manufacturer="nvidia", count=1, memory_mib=22_888),
    neuron_devices=0,
    local_nvme_gb=250,
    network_baseline_mbps=2_500,
    network_burst_mbps=10_000,
    ebs_baseline_mbps=700,
    ebs_burst_mbps=3_500,
    encryption_in_transit=True,
    eni_pods=58,
    on_demand_price_usd=1.006,
)


def test_one_type_is_known_in_full() -> None:
    assert instance_types()["g5.xlarge"] == G5_XLARGE


@pytest.mark.parametrize(
    ("name", "network_gbps", "ebs_gbps", "nvme_gb", "price"),
    [
        ("g5.xlarge", 2.5, 3.5, 250, 1.006),
        ("g6.xlarge", 2.5, 5, 250, 0.8048),
        ("g6e.xlarge", 2.5, 5, 250, 1.861),
        ("g5.2xlarge", 5, 3.5, 450, 1.212),
        ("g6.2xlarge", 5, 5, 450, 0.9776),
        ("g5.4xlarge", 10, 4.75, 600, 1.624),
        ("g6.4xlarge", 10, 8, 600, 1.3232),
        ("g6e.4xlarge", 20, 8, 600, 3.00424),
        ("g7e.2xlarge", 50, 5, 1_900, 3.36312),
        ("g7e.4xlarge", 50, 8, 1_900, 3.99816),
    ],
)
def test_gpu_types_have_the_published_bandwidths_disks_and_prices(
    name: str, network_gbps: float, ebs_gbps: float, nvme_gb: int, price: float
) -> None:
    known = instance_types()[name]
    assert known.network_baseline_mbps == network_gbps * 1000
    assert known.ebs_burst_mbps == ebs_gbps * 1000
    assert (known.local_nvme_gb, known.on_demand_price_usd) == (nvme_gb, price)


@pytest.mark.parametrize(
    ("name", "gpu", "count", "memory_mib"),
    [
        ("g4dn.xlarge", "t4", 1, 16_384),
        ("g4ad.xlarge", "radeon-pro-v520", 1, 8_192),
        ("g6.12xlarge", "l4", 4, 22_888),
        ("g6e.xlarge", "l40s", 1, 45_776),
        ("g7e.2xlarge", "rtx-pro-server-6000", 1, 98_304),
        ("p3.2xlarge", "v100", 1, 16_384),
        ("p4d.24xlarge", "a100", 8, 40_960),
        ("p5.48xlarge", "h100", 8, 81_920),
    ],
)
def test_gpus_are_named_as_the_label_names_them(name: str, gpu: str, count: int, memory_mib: int) -> None:
    found = instance_types()[name].gpu
    assert found is not None
    assert (found.name, found.count, found.memory_mib) == (gpu, count, memory_mib)


def test_the_bandwidth_of_several_network_cards_is_added() -> None:
    assert instance_types()["p4d.24xlarge"].network_baseline_mbps == 400_000
    assert instance_types()["p5.48xlarge"].network_baseline_mbps == 3_200_000


def test_neuron_devices_are_counted() -> None:
    counted = {name: known.neuron_devices for name, known in instance_types().items() if known.neuron_devices}
    assert {family_of(name) for name in counted} == {"inf1", "inf2", "trn1", "trn1n", "trn2"}
    assert (counted["inf2.xlarge"], counted["trn1.32xlarge"], counted["inf2.48xlarge"]) == (1, 16, 12)


def test_every_gpu_has_its_model_and_every_model_a_gpu() -> None:
    gpus = [known.gpu for known in instance_types().values() if known.gpu is not None]
    assert {gpu.name for gpu in gpus} == GPU_MODELS.keys()
    assert all(model.name == name for name, model in GPU_MODELS.items())
    for gpu in gpus:
        model = GPU_MODELS[gpu.name]
        assert (model.compute_capability is not None) == (gpu.manufacturer == "nvidia")
        assert model.usable_memory_gib is None or 0.93 < model.usable_memory_gib * 1024 / gpu.memory_mib < 1


@pytest.mark.parametrize(
    ("name", "capability"), [("t4", (7, 5)), ("a10g", (8, 6)), ("l4", (8, 9)), ("l40s", (8, 9)), ("h100", (9, 0))]
)
def test_compute_capability_is_known_by_the_gpus_name(name: str, capability: tuple[int, int]) -> None:
    gpu = gpu_named(name)
    assert gpu is not None
    assert gpu.compute_capability == capability


def test_a_gpu_newer_than_the_table_is_not_known() -> None:
    assert gpu_named("r100") is None


# What a user with an account gets: DescribeInstanceTypes in pages, then the Pricing API.

PRICE_FILTERS = [
    {"Type": "TERM_MATCH", "Field": field, "Value": value}
    for field, value in {
        "regionCode": "eu-west-1",
        "operatingSystem": "Linux",
        "preInstalledSw": "NA",
        "tenancy": "Shared",
        "capacitystatus": "Used",
        "marketoption": "OnDemand",
    }.items()
]


def product(name: str, price: str, unit: str = "Hrs") -> str:
    return json.dumps(
        {
            "product": {"attributes": {"instanceType": name}},
            "terms": {"OnDemand": {"a": {"priceDimensions": {"b": {"unit": unit, "pricePerUnit": {"USD": price}}}}}},
        }
    )


@pytest.fixture
def ec2() -> Stubber:
    client = boto3.client("ec2", region_name="eu-west-1", aws_access_key_id="a", aws_secret_access_key="b")
    stubber = Stubber(client)
    types = recorded()
    for names, token in ((["t3.small", "g6e.xlarge"], "more"), (["m5.metal", "c7g.large"], None)):
        page = {"InstanceTypes": [{**types[name], "InstanceType": name} for name in names]}
        asked = {} if token else {"NextToken": "more"}
        stubber.add_response("describe_instance_types", page | ({"NextToken": token} if token else {}), asked)
    return stubber


@pytest.fixture
def pricing() -> Stubber:
    return Stubber(boto3.client("pricing", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b"))


def read(ec2: Stubber, pricing: Stubber) -> dict[str, Any]:
    with ec2, pricing:
        text = from_account("eu-west-1", ec2=ec2.client, pricing=pricing.client, today="2026-11-30")
    ec2.assert_no_pending_responses()
    pricing.assert_no_pending_responses()
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def test_an_account_is_asked_page_by_page(ec2: Stubber, pricing: Stubber) -> None:
    asked = {"ServiceCode": "AmazonEC2", "Filters": PRICE_FILTERS}
    pricing.add_response(
        "get_products",
        {"PriceList": [product("g6e.xlarge", "2.0"), product("g6e.xlarge", "0.0")], "NextToken": "more"},
        asked,
    )
    pricing.add_response(
        "get_products",
        {"PriceList": [product("c7g.large", "9", unit="Quantity"), product("t3.small", "0.02")]},
        {**asked, "NextToken": "more"},
    )
    written = read(ec2, pricing)
    assert list(written["types"]) == ["c7g.large", "g6e.xlarge"]
    assert [
        dict(zip(written["columns"], row, strict=True))["on_demand_price_usd"] for row in written["types"].values()
    ] == [
        None,
        2.0,
    ]
    assert {key: written[key] for key in ("source", "date", "price_source", "price_date", "price_region")} == {
        "source": "EC2's DescribeInstanceTypes in eu-west-1",
        "date": "2026-11-30",
        "price_source": "Pricing API of AWS for eu-west-1",
        "price_date": "2026-11-30",
        "price_region": "eu-west-1",
    }


def test_an_account_without_the_pricing_api_keeps_the_recorded_prices(
    ec2: Stubber, pricing: Stubber, capsys: pytest.CaptureFixture[str]
) -> None:
    pricing.add_client_error("get_products", "AccessDeniedException", "not allowed")
    written = read(ec2, pricing)
    assert written["types"]["g6e.xlarge"][-1] == 1.861
    assert (written["price_region"], written["price_date"]) == ("us-east-1", recorded_prices().date)
    assert capsys.readouterr().err == (
        "no prices from the Pricing API, so that the recorded ones are kept: An error occurred "
        "(AccessDeniedException) when calling the GetProducts operation: not allowed\n"
    )
