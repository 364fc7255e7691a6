import aws_cdk as cdk
import cdk8s

from automode_constructs import (
    AutoModeCluster,
    ChartDelivery,
    NodeClaimSpec,
    NodeClaimTemplate,
    NodeClass,
    NodePool,
    NodePoolSpec,
    Taint,
)
from automode_constructs.specs.pools.labels import ARCH, INSTANCE_CATEGORY, INSTANCE_GENERATION

app = cdk.App()
cluster = AutoModeCluster(cdk.Stack(app, "Demo"), "Cluster", cluster_name="demo")
chart = cdk8s.Chart(cdk8s.App(), "gpu")
nodes = NodeClaimSpec(
    requirements=[INSTANCE_CATEGORY.is_in("g"), INSTANCE_GENERATION.greater_than(4), ARCH.is_in("amd64")],
    taints=[Taint(key="nvidia.com/gpu", effect="NoSchedule")],
)
spec = NodePoolSpec(template=NodeClaimTemplate(spec=nodes), limits={"nvidia.com/gpu": 4})
NodePool(chart, "gpu", node_class=NodeClass(chart, "nodes", spec=cluster.values.node_class_spec()), spec=spec)
ChartDelivery(cdk.Stack(app, "DemoPools"), "Gpu", cluster=cluster, chart=chart)
app.synth()
