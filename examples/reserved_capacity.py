"""Pools on capacity that you already pay for: a reservation, one that its owner may reclaim, and a Capacity Block.

The pools cost nothing beyond the reservations, because they launch nothing else. One NodeClass that selects
reservations ends open matching in the whole cluster: select every reservation that you want to use.
"""

from datetime import date

import aws_cdk as cdk
import cdk8s

from automode_constructs import CapacityReservation, ChartDelivery
from automode_constructs.patterns import ClusterStack, ReservedCapacityChart

TODAY = date(2026, 12, 1)  # in your own app: date.today()

app = cdk.App()
environment = cdk.Environment(region="us-east-1")
cluster = ClusterStack(
    app, "Cluster", cluster_name="reserved", as_of=TODAY, hardened_pools=False, env=environment
).cluster
chart = ReservedCapacityChart(
    cdk8s.App(),
    "reserved",
    values=cluster.values,
    reservations={
        "web": CapacityReservation(id="cr-0aaaaaaaaaaaaaaaa", instance_type="m8i.4xlarge", zone="us-east-1a"),
        "batch": CapacityReservation(
            tags={"team": "batch"},
            owner="111122223333",
            kind="interruptible",
            instance_type="c8g.16xlarge",
            zone="us-east-1b",
        ),
        "training": CapacityReservation(
            id="cr-0bbbbbbbbbbbbbbbb",
            kind="capacity-block",
            instance_type="p5.48xlarge",
            zone="us-east-1a",
            ends=date(2026, 12, 14),
        ),
    },
    as_of=TODAY,
)
ChartDelivery(cdk.Stack(app, "Pools", env=environment), "Reserved", cluster=cluster, chart=chart)
app.synth()
