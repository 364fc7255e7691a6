"""Two agents on every node of two clusters, their versions rolled out by ring.

The security agent is ready before anything else runs on a node: the pools carry its startup taint, and EKS's own
pools, which cannot, are off. The log agent comes to every node without that. The cluster of the ring "canary" gets a
version first; a change of one line brings it to the rest.
"""

import aws_cdk as cdk
import cdk8s

from automode_constructs import ChartDelivery, NodeClass, NodePool
from automode_constructs.patterns import ClusterStack, HostPath, NodeAgent, NodeAgentsStack
from automode_constructs.specs.labels import ARCH, INSTANCE_CATEGORY

GUARD = NodeAgent(
    name="runtime-guard",
    purpose="security",
    image="111122223333.dkr.ecr.eu-central-1.amazonaws.com/runtime-guard",
    versions={"canary": "7.21.0", "rest": "7.20.3"},
    cpu="100m",
    memory="256Mi",
    user=0,
    host_pid=True,
    capabilities=["BPF", "PERFMON", "SYS_RESOURCE"],
    host_paths=[HostPath(path="/var/lib/runtime-guard", writable=True, kind="DirectoryOrCreate")],
    reads=["pods", "nodes"],
    health_port=8765,
    startup_taint="agents.example.com/runtime-guard-not-ready",
)
LOGS = NodeAgent(
    name="log-shipper",
    purpose="logging",
    image="111122223333.dkr.ecr.eu-central-1.amazonaws.com/log-shipper",
    versions={"canary": "4.2.1", "rest": "4.2.0"},
    cpu="50m",
    memory="128Mi",
    user=0,
    host_paths=[HostPath(path="/var/log/pods"), HostPath(path="/var/log/containers")],
    scratch=["/buffer"],
)
app = cdk.App()
ADMIN = f"arn:{cdk.Aws.PARTITION}:iam::111122223333:role/Admin"
env = cdk.Environment(region="eu-central-1")
for name, ring in {"test": "canary", "live": "rest"}.items():
    stack = ClusterStack(app, name, cluster_name=name, admin_role_arns=[ADMIN], hardened_pools=True, env=env)
    agents = NodeAgentsStack(app, f"{name}-agents", cluster=stack.cluster, agents=[GUARD, LOGS], ring=ring, env=env)
    chart = cdk8s.Chart(cdk8s.App(), "pools")
    NodePool(
        chart,
        "standard",
        node_class=NodeClass(chart, "standard", spec=stack.cluster.values.node_class_spec()),
        requirements=[INSTANCE_CATEGORY.is_in("c", "m", "r"), ARCH.is_in("amd64", "arm64")],
        startup_taints=GUARD.startup_taints,
        limits={"cpu": "100"},
    )
    ChartDelivery(agents, "Pools", cluster=stack.cluster, chart=chart)
app.synth()
