"""Tags of everything that a cluster causes in an AWS account, and where each of them comes from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from aws_cdk import Tags
from constructs import Construct

from automode_constructs.arguments import Refusals
from automode_constructs.delivery.chart_delivery import ChartTarget
from automode_constructs.errors import shown
from automode_constructs.specs.nodes.node_class import RESERVED_TAG_KEYS
from automode_constructs.tokens import is_token

__all__ = ["COVERAGE", "TagCoverage", "check_tags", "coverage_page", "tag_as_cluster", "tag_with"]

_MOST_TAGS: Final = 40
"""EC2 takes 50 on a resource, and Auto Mode adds its own; we decide. Source: Amazon EC2, "Tag your resources"."""

_ALLOWED = re.compile(r"[\w\s.:/=+@-]*")
"""Letters, digits, spaces and these signs, as IAM, EC2 and Elastic Load Balancing all take them."""

_PRIORITY: Final = 50
"""Below the CDK's 100 of ``Tags.of(...).add(...)``, so that a tag which a user sets on a construct wins."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TagCoverage:
    """One row of what carries the tags of a cluster.

    Args:
        what: the AWS resources, in Markdown.
        source: where their tags come from, in Markdown.
        statement: the statement of the cluster role's policy ``CustomTags`` that they need; empty without one.
        how: ``always``; ``by hand`` where a word of yours is needed; ``never`` where nothing can tag them.
    """

    what: str
    source: str
    statement: str = ""
    how: str = "always"


COVERAGE: Final = (
    TagCoverage(
        what="Resources of the cluster's stack: VPC, keys, roles, log groups, Lambdas, the cluster",
        source="`Tags` in the template; of a few that the CDK adds, the stack's own tags, which `ClusterStack` sets",
    ),
    TagCoverage(
        what="Resources of the stacks that take the cluster (`AccessStack`, `PlatformStack`, `GptOssStack`, ...)",
        source="`Tags` in their templates",
    ),
    TagCoverage(
        what="Instances of own pools, with their root and data volumes",
        source="`tags` of each NodeClass from `ClusterValues.node_class_spec()`",
        statement="Compute",
    ),
    TagCoverage(
        what="Launch templates and fleets",
        source="the same `tags`",
        statement="Compute",
    ),
    TagCoverage(
        what="Network interfaces of nodes and pods",
        source="the same `tags`",
        statement="Networking",
    ),
    TagCoverage(
        what="Volumes of claims",
        source="`tagSpecification_N` of the default StorageClass of `PlatformChart`",
        statement="Storage",
    ),
    TagCoverage(
        what="Application Load Balancers, with target groups, listeners, rules and security groups",
        source="`tags` of the IngressClassParams from `ClusterValues.ingress_class_params_spec()`",
        statement="LoadBalancer",
    ),
    TagCoverage(
        what="Network Load Balancers, with all that belongs to them",
        source="annotations from `ClusterValues.load_balancer_annotations()` on each Service",
        statement="LoadBalancer",
        how="by hand",
    ),
    TagCoverage(
        what="Volumes of other StorageClasses",
        source="`StorageParameters.with_tags(values.tags)`",
        statement="Storage",
        how="by hand",
    ),
    TagCoverage(
        what="Snapshots of volumes",
        source="`tagSpecification_N` among the `parameters` of a VolumeSnapshotClass (?)",
        statement="Storage",
        how="by hand",
    ),
    TagCoverage(
        what="Nodes of EKS's built-in pools",
        source="their NodeClass `default` is EKS's own; `hardened_pools` replaces them",
        how="never",
    ),
    TagCoverage(
        what="What EKS creates for itself: the cluster's security group, instance profiles, its network interfaces",
        source="EKS sets its own tags, such as `aws:eks:cluster-name`",
        how="never",
    ),
)
"""What carries the tags. Source: EKS User Guide, "Amazon EKS Auto Mode cluster IAM role", "Create a Node Class for
Amazon EKS", "Create a storage class"; kubernetes-sigs/aws-ebs-csi-driver, docs/tagging.md (snapshots)."""


def check_tags(refusals: Refusals, tags: Mapping[str, str], *, field: str = "tags") -> None:
    """Refuses tags that not every resource of a cluster can have.

    Args:
        refusals: collects what is wrong.
        tags: the tags.
        field: the argument that holds them.
    """
    if len(tags) > _MOST_TAGS:
        refusals.refuse(field, f"has {len(tags)} tags; at most {_MOST_TAGS} leave room for EKS's own", "leave some out")
    folded: dict[str, str] = {}
    for key, value in tags.items():
        where = f"{field}[{shown(key)}]"
        if is_token(key) or is_token(value):
            refusals.refuse(
                where,
                "holds a value known only after deployment",
                "give the text; the name of the StorageClass derives from it",
            )
            continue
        if not 1 <= len(key) <= 127:
            refusals.refuse(where, f"a key has 1 to 127 characters, got {len(key)}", "shorten it")
        if not 1 <= len(value) <= 255:
            refusals.refuse(where, f"a value has 1 to 255 characters, got {len(value)}", "give a text of that length")
        if not _ALLOWED.fullmatch(key) or "=" in key:
            refusals.refuse(where, f"{shown(key)} is not a tag key", "use letters, digits, spaces and '_.:/+@-'")
        if not _ALLOWED.fullmatch(value):
            refusals.refuse(where, f"{shown(value)} is not a tag value", "use letters, digits, spaces and '_.:/=+@-'")
        if key.lower().startswith(("aws:", "eks:", "kubernetes.io/")) or key in RESERVED_TAG_KEYS:
            refusals.refuse(where, "the key is reserved for AWS and Auto Mode", "choose another key")
        if (other := folded.setdefault(key.lower(), key)) != key:
            refusals.refuse(where, f"differs from '{other}' only in case, which IAM does not tell apart", "keep one")


def tag_with(scope: Construct, tags: Mapping[str, str]) -> None:
    """Tags all AWS resources of a construct that can have tags, unless they have a tag of that key already.

    Args:
        scope: a stack or another construct.
        tags: the tags.
    """
    for key, value in tags.items():
        Tags.of(scope).add(key, value, priority=_PRIORITY)


def tag_as_cluster(scope: Construct, cluster: ChartTarget) -> None:
    """Tags all AWS resources of a construct with the tags of a cluster.

    Args:
        scope: a stack or another construct.
        cluster: an ``AutoModeCluster``, or an ``ImportedCluster`` whose ``values`` have tags.
    """
    tag_with(scope, cluster.tags)


def coverage_page() -> str:
    """The table of what carries the tags, in Markdown."""
    rows = [
        f"| {row.what} | {row.source} | {f'`{row.statement}`' if row.statement else '-'} | {row.how} |"
        for row in COVERAGE
    ]
    return "\n".join(
        [
            "| What | Where its tags come from | Statement of the cluster role | |",
            "| --- | --- | --- | --- |",
            *rows,
            "",
        ]
    )
