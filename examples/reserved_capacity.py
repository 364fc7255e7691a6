"""Pools on capacity that is paid for already: a reservation, one that its owner may take back, and a Capacity Block.

The pools cost nothing besides the reservations, because they launch nothing else. One NodeClass that selects
reservations ends their open matching in the whole cluster: select every one that is to be used.
"""

from datetime import date

import aws_cdk as cdk
import cdk8s

from automode_constructs import CapacityReservation, ChartDelivery
from automode_constructs.patterns import ClusterStack, ReservedCapacityChart

TODAY = date(2026, 12, 1)  # in an app of yours: date.today()

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
