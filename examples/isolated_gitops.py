"""An isolated cluster without the kubectl Lambda: charts become YAML, which a GitOps tool applies.

Deploy with ``cdk deploy --outputs-file outputs.json`` and run this file again: the charts are then in the folder
manifests. Endpoints for EKS and Lambda are not needed; some regions have no endpoint for EKS.
"""

import json
from pathlib import Path

import aws_cdk as cdk
import cdk8s
from constructs import Construct

from automode_constructs import AutoModeNetwork, ClusterValues, VpcEndpoints, write_yaml_folder
from automode_constructs.patterns import ClusterStack, platform_charts


def isolated_network(stack: Construct) -> AutoModeNetwork:
    network = AutoModeNetwork(stack, "Network", isolated=True)
    VpcEndpoints(stack, "Endpoints", network=network, kubectl=False)
    return network


app = cdk.App()
env = cdk.Environment(region="mx-central-1")
ClusterStack(
    app,
    "GitOps",
    cluster_name="gitops",
    network=isolated_network,
    kubectl=False,
    pools_applied_by="argo-cd",
    env=env,
)
app.synth()

outputs = Path("outputs.json")
if outputs.exists():
    values = ClusterValues.from_outputs(json.loads(outputs.read_text("utf-8")), where=str(outputs))
    charts = platform_charts(cdk8s.App(), values)
    write_yaml_folder(charts, Path("manifests"), default_node_class=values.built_in_pools, internet=False)
