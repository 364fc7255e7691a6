import aws_cdk as cdk
import cdk8s

from automode_constructs import AutoModeCluster, ChartDelivery, NodeClass, NodePool, Taint, labels

app = cdk.App()
cluster = AutoModeCluster(cdk.Stack(app, "Demo"), "Cluster", cluster_name="demo")
chart = cdk8s.Chart(cdk8s.App(), "gpu")
nodes = NodeClass(chart, "gpu", spec=cluster.values.node_class_spec())
kinds = [labels.INSTANCE_CATEGORY.is_in("g"), labels.INSTANCE_GPU_COUNT.is_in(1), labels.ARCH.is_in("amd64")]
taint = Taint(key="nvidia.com/gpu", effect="NoSchedule")
NodePool(chart, "gpu", node_class=nodes, requirements=kinds, taints=[taint], limits={"nvidia.com/gpu": 4})
ChartDelivery(cdk.Stack(app, "DemoPools"), "Gpu", cluster=cluster, chart=chart)
app.synth()
