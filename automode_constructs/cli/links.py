"""Links to the pages that rules name as their sources."""

from __future__ import annotations

import re

__all__ = ["links_of"]

_EKS = "https://docs.aws.amazon.com/eks/latest/userguide/{}.html"
_KUBERNETES = "https://kubernetes.io/docs/{}/"
_KARPENTER = "https://karpenter.sh/docs/concepts/{}/"

_PAGES = {
    _EKS: {
        "AWS add-ons": "workloads-add-ons-available-eks",
        "Amazon EKS add-ons": "eks-add-ons",
        "Amazon EKS Auto Mode cluster IAM role": "auto-cluster-iam-role",
        "Automate cluster infrastructure with EKS Auto Mode": "automode",
        "Community add-ons": "community-addons",
        "Control deployment of workloads into Capacity Reservations": "auto-odcr",
        "Cost optimization": "auto-cost-control",
        "Create a Node Class for Amazon EKS": "create-node-class",
        "Create a Node Pool for EKS Auto Mode": "create-node-pool",
        "Create access entries": "creating-access-entries",
        "Create a storage class": "create-storage-class",
        "Create an IngressClass to configure an Application Load Balancer": "auto-configure-alb",
        "Deploy an accelerated workload": "auto-accelerated",
        "Deploy private clusters with limited internet access": "private-clusters",
        "Enable or Disable Built-in NodePools": "set-builtin-node-pools",
        "Grant IAM users access to Kubernetes with EKS access entries": "access-entries",
        "Learn about Amazon EKS Auto Mode Managed instances": "automode-learn-instances",
        "Learn about VPC networking and load balancing in EKS Auto Mode": "auto-networking",
        "Manage EFA devices on Amazon EKS": "device-management-efa",
        "Migrate from Karpenter to EKS Auto Mode": "auto-migrate-karpenter",
        "Migration reference": "migrate-auto",
        "Retrieve node logs for a managed node using kubectl and S3": "auto-get-logs",
        "Send control plane logs to CloudWatch Logs": "control-plane-logs",
        "Simplify compute management with AWS Fargate": "fargate",
        "Static Capacity Node Pools in EKS Auto Mode": "auto-static-capacity",
        "Tag subnets for EKS Auto Mode": "tag-subnets-auto",
        "Understand the Kubernetes version lifecycle on EKS": "kubernetes-versions",
        "Update organization controls for EKS Auto Mode": "auto-controls",
        "Use Network Policies with EKS Auto Mode": "auto-net-pol",
        "Use Service Annotations to configure Network Load Balancers": "auto-configure-nlb",
        "View Amazon EKS networking requirements for VPC and subnets": "network-reqs",
    },
    _KUBERNETES: {
        "Deployments": "concepts/workloads/controllers/deployment",
        "Horizontal Pod Autoscaling": "tasks/run-application/horizontal-pod-autoscale",
        "Images": "concepts/containers/images",
        "Jobs": "concepts/workloads/controllers/job",
        "Namespaces": "concepts/overview/working-with-objects/namespaces",
        "Object Names and IDs": "concepts/overview/working-with-objects/names",
        "Storage Classes": "concepts/storage/storage-classes",
        "Taints and Tolerations": "concepts/scheduling-eviction/taint-and-toleration",
        "Volume Attributes Classes": "concepts/storage/volume-attributes-classes",
    },
    _KARPENTER: {"NodePools": "nodepools", "Scheduling": "scheduling"},
}
"""The address of each page by the title that a source quotes. Source: awsdocs/amazon-eks-user-guide, where a page has
the name of its file; the indexes of kubernetes.io and karpenter.sh."""
_ADDRESSES = {title: pattern.format(page) for pattern, pages in _PAGES.items() for title, page in pages.items()}
_QUOTED = re.compile(r"(?<!\w)'([^']+)'|\b([\w.-]+/[\w.-]+)#(\d+)\b")


def links_of(source: str) -> list[str]:
    """The addresses of the pages and of the GitHub threads that a source names; pages not known here are left out."""
    links = []
    for title, repository, number in _QUOTED.findall(source):
        if number:
            links.append(f"https://github.com/{repository}/issues/{number}")
        else:
            page = _ADDRESSES.get(title) or _ADDRESSES.get(title.removesuffix(" with EKS Auto Mode"))
            links += [page] if page else []
    return list(dict.fromkeys(links))
