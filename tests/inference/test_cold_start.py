"""The estimate against the published figures and the table that it was made from."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from automode_constructs.facts.instance_types import InstanceType, instance_types
from automode_constructs.inference.cold_start import ColdStart, Seconds, estimate_cold_start
from automode_constructs.inference.model_preset import GPT_OSS_20B
from automode_constructs.inference.prices import AUTO_MODE_FEE, auto_mode_fee, auto_mode_fee_usd
from automode_constructs.specs.nodes.node_class import EphemeralStorage
from tests.refusal import refusal

ENGINE, BAKED = 9_000_000_000, 23_000_000_000


def start(instance_type: str | InstanceType, **changed: Any) -> ColdStart:
    known = instance_types()[instance_type] if isinstance(instance_type, str) else instance_type
    given: dict[str, Any] = {"image_bytes": ENGINE, "weight_bytes": GPT_OSS_20B.weight_bytes, "weights": "s3"}
    return estimate_cold_start(instance_type=known, **{**given, **changed})


def bounds(seconds: Seconds | None) -> tuple[float, float]:
    assert seconds is not None
    return seconds.low, seconds.high


def minutes(seconds: Seconds | None) -> tuple[float, float]:
    return bounds(seconds)[0] / 60, bounds(seconds)[1] / 60


def exactly(seconds: Seconds | None) -> float:
    assert seconds is not None
    assert seconds.low == seconds.high
    return seconds.low


TABLE = [
    # type, pull of 9 GB and weights from S3 in s, minutes in S3 mode, minutes with a baked image of 23 GB
    ("g5.xlarge", 130, 44, (4, 6.5), (7, 9.5)),
    ("g6.xlarge", 130, 44, (4, 6.5), (7, 9.5)),
    ("g6e.xlarge", 130, 44, (4, 6.5), (7, 9.5)),
    ("g5.2xlarge", 98, 22, (3.3, 5.6), (5.7, 8.2)),
    ("g6.2xlarge", 98, 22, (3.3, 5.6), (5.7, 8.2)),
    ("g6e.2xlarge", 98, 22, (3.3, 5.6), (5.7, 8.2)),
    ("g5.4xlarge", 49, 11, (2.3, 4.6), (3.6, 6.1)),
    ("g6.4xlarge", 49, 11, (2.3, 4.6), (3.6, 6.1)),
    ("g6e.4xlarge", 49, 6, (2.2, 4.5), (3.6, 6.1)),
    ("g7e.2xlarge", 98, 2, (2.9, 5.2), (5.7, 8.2)),
    ("g7e.4xlarge", 49, 2, (2.1, 4.4), (3.6, 6.1)),
]


@pytest.mark.parametrize(("name", "pull", "weights", "streamed", "baked"), TABLE)
def test_the_table_comes_out_within_nine_seconds(
    name: str, pull: float, weights: float, streamed: tuple[float, float], baked: tuple[float, float]
) -> None:
    # The table is rounded to half a minute in its first rows, to a tenth in the others.
    told = start(name)
    assert exactly(told.pull) == pytest.approx(pull, abs=2)
    assert exactly(told.weights) == pytest.approx(weights, abs=0.6)
    assert minutes(told.total) == pytest.approx(streamed, abs=0.15)
    in_the_image = start(name, image_bytes=BAKED, weights="image")
    assert minutes(in_the_image.total) == pytest.approx(baked, abs=0.15)


@pytest.mark.parametrize(("name", "size", "seconds"), [("g6e.4xlarge", 8_802_823_997, 48.4), ("g5.4xlarge", 14e9, 75)])
def test_published_pulls_are_met_within_two_seconds(name: str, size: float, seconds: float) -> None:
    assert exactly(start(name, image_bytes=size).pull) == pytest.approx(seconds, abs=2)


def test_no_pull_and_no_stream_is_faster_than_the_baseline_network() -> None:
    for known in instance_types().values():
        assert known.network_baseline_mbps is not None
        told = start(known)
        rate = known.network_baseline_mbps / 8 * 1e6
        assert exactly(told.weights) == pytest.approx(GPT_OSS_20B.weight_bytes / rate), known.name
        if known.local_nvme_gb or known.ebs_baseline_mbps is not None:
            assert bounds(told.pull)[0] >= ENGINE / rate * 0.999, known.name
        else:
            assert told.pull is None, known.name


def test_the_total_is_the_sum_of_the_parts() -> None:
    told = start("g5.4xlarge")
    parts = [told.node, told.pull, told.process, told.weights, told.compile, told.init, told.first_token]
    assert told.total is not None
    assert told.total.low == pytest.approx(sum(part.low for part in parts if part is not None))
    assert told.total.high == pytest.approx(sum(part.high for part in parts if part is not None))


def test_what_the_catalogue_does_not_know_is_not_invented() -> None:
    no_network = start(replace(instance_types()["g5.4xlarge"], network_baseline_mbps=None))
    assert (no_network.pull, no_network.weights, no_network.total) == (None, None, None)
    no_ebs = start(replace(instance_types()["g5g.xlarge"], ebs_baseline_mbps=None), weights="image")
    assert (no_ebs.pull, no_ebs.weights, no_ebs.total) == (None, None, None)
    no_way = start("g5.4xlarge", weights=None)
    assert no_way.pull is not None
    assert (no_way.weights, no_way.total) == (None, None)


def test_weights_from_the_hub_are_a_wide_range() -> None:
    told = start("g5.4xlarge", weights="hub").weights
    # 13.76 GB at 1,000 MB/s and read again at 1,000 MB/s; 50 MB/s and read again at 500 MB/s.
    assert bounds(told) == pytest.approx((13.76 * 2, 275.2 + 27.52))


def test_a_compile_cache_and_eager_mode_shorten_the_compile() -> None:
    assert start("g5.4xlarge").compile == Seconds(low=20, high=55)
    assert start("g5.4xlarge", compile_cached=True).compile == Seconds(low=4, high=6)
    assert start("g5.4xlarge", compile_cached=True, enforce_eager=True).compile == Seconds(low=0, high=0)


def test_a_measured_rate_takes_the_place_of_the_estimate() -> None:
    assert exactly(start("g5.xlarge", pull_mb_per_second=300).pull) == pytest.approx(30)
    without_network = replace(instance_types()["g5.xlarge"], network_baseline_mbps=None)
    assert exactly(start(without_network, pull_mb_per_second=300).pull) == pytest.approx(30)


def test_a_data_volume_as_large_as_the_nvme_takes_its_place() -> None:
    nvme = start("g5.4xlarge", image_bytes=BAKED, weights="image")
    below = start(
        "g5.4xlarge",
        image_bytes=BAKED,
        weights="image",
        ephemeral_storage=EphemeralStorage(size="599G", throughput=500),
    )
    assert below == nvme
    at = start("g5.4xlarge", weights="image", ephemeral_storage=EphemeralStorage(size="600G", throughput=500))
    # 500 MiB/s are 524 MB/s, and the instance has 594 MB/s to EBS.
    assert exactly(at.weights) == pytest.approx(13760 / 524.288)
    assert bounds(at.pull) == pytest.approx((9000 / 184, 9000 / 70))


def test_a_type_without_nvme_has_the_default_volume_and_a_range_for_the_pull() -> None:
    told = start("g5g.4xlarge", weights="image")
    assert exactly(told.weights) == pytest.approx(13760 / 131.072)
    assert bounds(told.pull) == pytest.approx((9000 / 131.072, 9000 * 2.2 / 131.072))


def test_seconds_read_as_people_write_them() -> None:
    assert [str(Seconds(low=48.9, high=48.9)), str(Seconds(low=30, high=90.4))] == ["49 s", "30-90 s"]


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"image_bytes": 0}, "image_bytes: needs a number above 0, got 0"),
        ({"weight_bytes": -1}, "weight_bytes: needs a number above 0, got -1"),
        ({"pull_mb_per_second": float("nan")}, "estimate_cold_start: pull_mb_per_second: needs a number, got nan"),
        ({"weights": "efs"}, "estimate_cold_start: weights: 'efs' is not known; use one of 's3', 'image', 'hub'"),
    ],
)
def test_what_makes_no_sense_is_refused(changed: dict[str, Any], text: str) -> None:
    make: Callable[[], object] = lambda: start("g5.xlarge", **changed)  # noqa: E731
    assert refusal(make) == text


def test_the_fee_is_a_share_of_the_on_demand_price() -> None:
    known = instance_types()["g6.xlarge"]
    assert auto_mode_fee_usd(known) == pytest.approx(0.8048 * 0.078)
    assert auto_mode_fee_usd(known, as_of=date(2026, 6, 30)) == pytest.approx(0.8048 * 0.12)
    assert auto_mode_fee_usd(replace(known, on_demand_price_usd=None)) is None


def test_the_fee_of_accelerators_is_lower_since_july_2026() -> None:
    before, after = date(2026, 6, 30), date(2026, 7, 1)
    families = ["g6", "gr6", "g4dn", "p5", "p6-b200", "trn2", "inf2", "m7i", "c6g", "x2gd"]
    assert [auto_mode_fee(family, as_of=before) for family in families] == [0.12] * 10
    lower = [0.078, 0.078, 0.078, 0.048, 0.048, 0.048, 0.12, 0.12, 0.12, 0.12]
    assert [auto_mode_fee(f"{family}.xlarge", as_of=after) for family in families] == lower
    assert [auto_mode_fee(family) for family in families] == lower
    assert AUTO_MODE_FEE == {"g": 0.078, "gr": 0.078, "p": 0.048, "trn": 0.048, "others": 0.12}
    # Lines of AWS's price list: the fee of g6.xlarge in Seoul and Tokyo, of g5.xlarge in Seoul.
    for fee, price in ((0.07719, 0.9896), (0.09104, 1.1672), (0.09649, 1.237)):
        assert auto_mode_fee("g6.xlarge") * price == pytest.approx(fee, rel=1e-4)


def test_no_node_process_is_started() -> None:
    program = (
        "import automode_constructs.inference.cold_start, automode_constructs.cli.estimate_report, sys;"
        "print(*(name for name in ('constructs', 'cdk8s', 'aws_cdk', 'jsii') if name in sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == []
