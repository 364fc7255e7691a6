"""A cluster without a route to the internet: VPC endpoints lead to AWS, and all images come from ECR.

Endpoints for seven services in three zones replace three NAT gateways. Each endpoint has an hourly fee: about 150 US
dollars a month in us-east-1, where the gateways cost about 100. An image of a public registry in a chart is an error.
"""

import aws_cdk as cdk
from constructs import Construct

from automode_constructs import AutoModeNetwork, VpcEndpoints
from automode_constructs.patterns import ClusterStack, PlatformStack


def isolated_network(stack: Construct) -> AutoModeNetwork:
    network = AutoModeNetwork(stack, "Network", isolated=True)
    VpcEndpoints(stack, "Endpoints", network=network, also=["logs"])
    return network


app = cdk.App()
env = cdk.Environment(region="eu-central-1")
stack = ClusterStack(app, "Isolated", cluster_name="isolated", network=isolated_network, env=env)
PlatformStack(app, "IsolatedPlatform", cluster=stack.cluster, env=env)
app.synth()
