"""Managed Argo CD, ACK and kro on a cluster; Argo CD applies the YAML of the platform from a repository.

Deploy with ``cdk deploy --all --outputs-file outputs.json`` and run this file again: the charts are then in the folder
manifests. Push it to the repository, and Argo CD applies it. Not in GovCloud, which has no EKS Capabilities.
"""

import json
from pathlib import Path

import aws_cdk as cdk
import cdk8s

from automode_constructs import (
    AckCapability,
    ArgoCdCapability,
    AutoModeNetwork,
    CapabilityRole,
    ChartDelivery,
    ClusterValues,
    KroCapability,
    SsoGroup,
    VpcEndpoints,
    write_yaml_folder,
)
from automode_constructs.patterns import AccessStack, ArgoCdChart, ClusterStack, platform_charts

app = cdk.App()
ACCOUNT = f"arn:{cdk.Aws.PARTITION}:iam::111122223333"
env = cdk.Environment(account="111122223333", region="eu-central-1")

net = cdk.Stack(app, "HubNetwork", env=env)
network = AutoModeNetwork(net, "Network")
private = VpcEndpoints(net, "Endpoints", network=network, also=["eks-capabilities"]).endpoints["eks-capabilities"]
hub = ClusterStack(app, "Hub", cluster_name="hub", network=network, env=env)
AccessStack(app, "HubAccess", cluster=hub.cluster, admin_role_arns=[f"{ACCOUNT}:role/Admin"], env=env)

stack = cdk.Stack(app, "HubCapabilities", env=env)
argo_cd = ArgoCdCapability(
    stack,
    "ArgoCd",
    cluster=hub.cluster,
    role=CapabilityRole(hub, "ArgoCdRole"),  # minutes before its use, so that IAM has spread it
    identity_center_arn=f"arn:{cdk.Aws.PARTITION}:sso:::instance/ssoins-1234567890abcdef",
    roles={"ADMIN": [SsoGroup(id="a1b2c3d4-5678-90ab-cdef-111111111111")]},
    sources=[f"arn:{cdk.Aws.PARTITION}:codecommit:eu-central-1:111122223333:clusters"],
    vpc_endpoints=[private],
)
AckCapability(stack, "Ack", cluster=hub.cluster, role_arns=[f"{ACCOUNT}:role/ack-shop"], disabled_services=["iam"])
KroCapability(stack, "Kro", cluster=hub.cluster, namespaces=["shop"])
arn = stack.format_arn(service="eks", resource="cluster", resource_name="hub")
repository = "https://git-codecommit.eu-central-1.amazonaws.com/v1/repos/clusters"
chart = ArgoCdChart(cdk8s.App(), "argo-cd", cluster_arn=arn, repository=repository)
delivery = ChartDelivery(stack, "Charts", cluster=hub.cluster, chart=chart, retain_namespaces=True)
delivery.node.add_dependency(argo_cd)
app.synth()

outputs = Path("outputs.json")
if outputs.exists():
    values = ClusterValues.from_outputs(json.loads(outputs.read_text("utf-8")), where=str(outputs))
    charts = platform_charts(cdk8s.App(), values)
    write_yaml_folder(charts, Path("manifests"), default_node_class=values.built_in_pools)
