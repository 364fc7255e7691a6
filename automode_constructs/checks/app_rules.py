"""The rules that only a CDK app or a chart can break; synthesis prints their ids with its warnings.

They are separate from the constructs that check them, so that the command can explain them without the CDK.
"""

from __future__ import annotations

from automode_constructs.errors import Severity
from automode_constructs.specs.rule import Rule, rule

__all__ = [
    "ADMISSION_POLICY_NOT_LAST",
    "CHART_WARNING",
    "DEPENDENCY_NOT_DELIVERED",
    "GATEWAY_API_OFF",
    "IMAGE_SOURCE",
    "OPEN_MODEL",
    "VLLM_ARGUMENT",
    "WAITED_JOB",
]


def _app_rule(id: str, *kinds: str, sentence: str, source: str, severity: Severity = "warning") -> Rule:
    return rule(id, *kinds, severity=severity, sentence=sentence, source=source, judged="app")


_PRIVATE_CLUSTERS = "EKS User Guide, 'Deploy private clusters with limited internet access'"
_RESERVATIONS = "EKS User Guide, 'Control deployment of workloads into Capacity Reservations with EKS Auto Mode'"
_VERSIONS = "EKS User Guide, 'Understand the Kubernetes version lifecycle on EKS'"

# The cluster.
_app_rule(
    "automode:ClusterName",
    sentence="The cluster has a name that you choose, so CloudFormation refuses to replace it.",
    source="AWS CloudFormation User Guide, 'Update behaviors of stack resources'",
)
_app_rule(
    "automode:NoAdmin",
    sentence="At least one role has access to the cluster, so somebody can use kubectl.",
    source="EKS User Guide, 'Grant IAM users access to Kubernetes with EKS access entries'",
)
_app_rule(
    "automode:UnboundGroup",
    sentence="A chart that the app delivers names each Kubernetes group of its access entries.",
    source="EKS User Guide, 'Create access entries'",
)
_app_rule(
    "automode:VersionUnknown",
    sentence="This library knows the cluster's Kubernetes version and when its support ends.",
    source=_VERSIONS,
)
_app_rule(
    "automode:ExtendedSupport",
    sentence="The Kubernetes version of the cluster is in standard support: extended support costs extra.",
    source=_VERSIONS,
)
_app_rule(
    "automode:ScalingTierUnproven",
    sentence="The control plane's scaling tier is one that the EKS API names, so that it exists and has a price.",
    source="EKS API Reference, ControlPlaneScalingConfig; AWS::EKS::Cluster ControlPlaneScalingConfig",
)
_app_rule(
    "automode:RegionUnknown",
    sentence="EKS Auto Mode is available in the app's region.",
    source="EKS User Guide, 'Automate cluster infrastructure with EKS Auto Mode'",
)
_app_rule(
    "automode:ClusterRoleNotOurs",
    sentence="A cluster role that you bring trusts EKS and holds the policies of Auto Mode.",
    source="EKS User Guide, 'Amazon EKS Auto Mode cluster IAM role'",
)
_app_rule(
    "automode:EndpointCidrOverlap",
    sentence="No block of endpoint_cidrs is part of another: it would open nothing more.",
    source="EKS User Guide, 'Cluster API server endpoint'",
)
_app_rule(
    "automode:LogRetention",
    sentence="The control plane's log group is created with the cluster, so it has a retention period and a key.",
    source="EKS User Guide, 'Send control plane logs to CloudWatch Logs'",
)
_app_rule(
    "automode:KeyPolicyNotOurs",
    sentence="The policy of a KMS key that the stack cannot change allows every use that the stack makes of the key.",
    source="AWS KMS Developer Guide, 'Key policies in AWS KMS'",
)
_app_rule(
    "automode:TopicPolicyNotOurs",
    sentence="The policy of an SNS topic for alarms that the stack cannot change lets the services that report to it "
    "publish.",
    source="Amazon SNS Developer Guide, 'Example cases for Amazon SNS access control'",
)
_app_rule(
    "automode:CrossAccountBackup",
    sentence="The organization allows copies of backups to other accounts, which no template can turn on.",
    source="AWS Backup Developer Guide, 'Creating backup copies across AWS accounts'",
)
_app_rule(
    "automode:AckService",
    sentence="A disabled service of ACK is one that exists: EKS ignores a misspelt one, and the service stays on.",
    source="EKS API Reference, 'AckConfigRequest'",
)
_app_rule(
    "automode:LogBucketPolicyNotOurs",
    sentence="The policy of a log bucket that the stack cannot change lets S3 or Elastic Load Balancing write there.",
    source="Amazon S3 User Guide, 'Enabling Amazon S3 server access logging'; Elastic Load Balancing, 'Enable access "
    "logs for your Application Load Balancer'",
)
_app_rule(
    "automode:FipsRegion",
    sentence="Nodes use FIPS images only in a region that has them.",
    source="EKS User Guide, 'Create a Node Class for Amazon EKS', advancedSecurity.fips",
)
_app_rule(
    "automode:BuiltInPoolsDefaults",
    sentence="Where nodes have a volume key, EKS's built-in pools are off: their nodes do not have it.",
    source="EKS User Guide, 'Enable or Disable Built-in NodePools'",
)
_app_rule(
    "automode:FipsBuiltInPools",
    sentence=(
        "Where nodes use FIPS images by default, EKS's built-in pools are off: their nodes have neither such images "
        "nor a volume key."
    ),
    source="EKS User Guide, 'Create a Node Class for Amazon EKS'",
)

# The network.
_app_rule(
    "automode:RefusedZone",
    sentence="No subnet of the cluster is in an Availability Zone that EKS refuses.",
    source="EKS User Guide, 'View Amazon EKS networking requirements for VPC and subnets'",
)
_app_rule(
    "automode:SubnetTags",
    sentence="Subnets have the tags that load balancers look for.",
    source="EKS User Guide, 'Tag subnets for EKS Auto Mode'",
)
_app_rule(
    "automode:VpcEndpoints",
    sentence="A network without a route to the internet has the VPC endpoints that nodes, pods and kubectl need.",
    source=_PRIVATE_CLUSTERS,
)
_app_rule(
    "automode:ProxyNetwork",
    sentence="Where nodes use a proxy, the network's CIDR blocks are known, so traffic inside it bypasses the proxy.",
    source="EKS User Guide, 'Create a Node Class for Amazon EKS', advancedNetworking.noProxy",
)
_app_rule(
    "automode:HandlerCertificates",
    sentence="The certificates that kubectl's Lambda function trusts are known before deployment.",
    source="AWS Lambda Developer Guide, 'Managing Lambda dependencies with layers'",
)
_app_rule(
    "automode:LocalZoneOptIn",
    sentence="The account has opted in to each Local Zone that it uses.",
    source="AWS Local Zones User Guide, 'Getting started with AWS Local Zones'",
)
_app_rule(
    "automode:LocalZoneOffer",
    "NodePool",
    sentence="The instance families that a Local Zone offers are passed as instance_families.",
    source="AWS Local Zones User Guide, 'Considerations'",
)

# Images.
IMAGE_SOURCE = rule(
    "automode:ImageSource",
    "all",
    severity="error",
    sentence=(
        "Where a network has no route to the internet, container images come from a registry that the VPC can reach."
    ),
    source=_PRIVATE_CLUSTERS,
    warning_where="the registry is not a known public one and may be in the VPC",
    judged="app",
)
_app_rule(
    "automode:DigestNotCached",
    sentence="The first pull of an image through a pull-through cache is by tag: ECR may not fetch it by digest.",
    source="Amazon ECR User Guide, 'Sync an upstream registry with an Amazon ECR private registry'",
)
_app_rule(
    "automode:PullThroughCacheRegion",
    sentence="A pull-through cache is in a region where ECR has pull-through caches.",
    source="Amazon ECR User Guide, 'Sync an upstream registry with an Amazon ECR private registry'",
)

# Charts and their delivery.
CHART_WARNING = _app_rule(
    "automode:ChartWarning",
    sentence="The constructs of a delivered chart have no warnings of their own (without an id).",
    source="AWS CDK Developer Guide, 'Annotations'",
)
DEPENDENCY_NOT_DELIVERED = rule(
    "automode:DependencyNotDelivered",
    "all",
    severity="error",
    sentence="Every object that another one depends on (add_dependency) is delivered to the same cluster.",
    source="cdk8s, 'Dependencies'",
    warning_where="not all charts of the cluster are known",
    judged="app",
)
GATEWAY_API_OFF = _app_rule(
    "automode:GatewayApiOff",
    *("GRPCRoute", "Gateway", "GatewayClass", "HTTPRoute", "TCPRoute", "TLSRoute", "UDPRoute"),
    sentence="A cluster that gets objects of the Gateway API has its kinds: gateway_api=True, or CRDs beside them.",
    source="EKS User Guide, 'Configure the Kubernetes Gateway API in EKS Auto Mode'",
)
ADMISSION_POLICY_NOT_LAST = _app_rule(
    "automode:AdmissionPolicyNotLast",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    sentence="Admission policies and their bindings are created after everything else, and deleted before it.",
    source="Kubernetes, 'Validating Admission Policy'",
)
WAITED_JOB = _app_rule(
    "automode:WaitedJob",
    "Job",
    sentence="A Job that a deployment waits for ends before the deployment stops waiting, and still exists then.",
    source="Kubernetes, 'Jobs'; aws-cdk, kubectl-provider (its Lambda functions run for 15 minutes at most)",
)
_app_rule(
    "automode:OpenMatchingEnds",
    "NodeClass",
    sentence="Where one NodeClass selects capacity reservations, NodeClasses select every reservation that you use.",
    source=_RESERVATIONS,
)
_app_rule(
    "automode:ReservationEnds",
    "NodePool",
    sentence="The capacity reservation of a pool does not end within a week.",
    source=_RESERVATIONS,
)
_app_rule(
    "automode:EfaDevicePlugin",
    "NodeClass",
    sentence="Where pods ask for EFA interfaces, the EFA device plugin runs in the cluster.",
    source="EKS User Guide, 'Manage EFA devices on Amazon EKS'",
)
_app_rule(
    "automode:DcgmBesideNodeMonitoring",
    "DaemonSet",
    sentence="No second DCGM engine runs beside the one of Auto Mode's node monitoring agent.",
    source="aws/containers-roadmap#2763",
)
_app_rule(
    "automode:AgentAheadOfItsRing",
    "DaemonSet",
    sentence="No ring of clusters has a higher version of an agent than the ring before it.",
    source="the order of the rings that the list of agents names",
)
_app_rule(
    "automode:AgentMissesFargate",
    sentence="Where an agent is meant for every node, the cluster has no Fargate profile: Fargate runs no DaemonSets.",
    source="EKS User Guide, 'Simplify compute management with AWS Fargate', considerations",
)
_app_rule(
    "automode:AddOnUnknown",
    sentence="This library knows the EKS add-on and has seen a version as new as the one that is named.",
    source="EKS User Guide, 'AWS add-ons' and 'Community add-ons'",
)
_app_rule(
    "automode:AddOnNeeds",
    sentence="The add-ons that an EKS add-on does not work without are installed too.",
    source="EKS User Guide, 'AWS add-ons'",
)
_app_rule(
    "automode:AddOnOnClosedNodes",
    sentence="On nodes with networkPolicy: DefaultDeny, a NetworkPolicy opens the pods of each EKS add-on.",
    source="EKS User Guide, 'Use Network Policies with EKS Auto Mode'",
)
_app_rule(
    "automode:AddOnWithoutNodes",
    sentence="A cluster with EKS add-ons has NodePools or EKS's own pools: their pods need nodes.",
    source="EKS User Guide, 'Amazon EKS add-ons'",
)

# Model servers.
OPEN_MODEL = _app_rule(
    "automode:OpenModel",
    "Deployment",
    sentence="A model server that admits more than the pods of its own namespace asks for an API key.",
    source="vLLM, 'OpenAI-Compatible Server', --api-key",
)
VLLM_ARGUMENT = rule(
    "automode:VllmArgument",
    "Deployment",
    severity="error",
    sentence="The image's version of vLLM accepts every argument and its value.",
    source="vLLM, 'Engine Arguments'",
    warning_where="another version of vLLM may accept them",
    judged="app",
)
_app_rule(
    "automode:ImageTag",
    "Deployment",
    sentence="The image of a model server is pinned by its digest: a tag can move.",
    source="Kubernetes, 'Images'",
)
_app_rule(
    "automode:DrainLongerThanSpotNotice",
    "Deployment",
    sentence="A model server on Spot nodes shuts down within the two minutes of a Spot notice.",
    source="Amazon EC2 User Guide, 'Spot Instance interruption notices'",
)
