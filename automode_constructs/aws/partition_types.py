"""Finds resources that GovCloud lacks, in the whole app and before CloudFormation does."""

from __future__ import annotations

import jsii
from aws_cdk import CfnResource, Stack
from constructs import Construct, IValidation

from automode_constructs.facts.regions import partition_of, types_govcloud_lacks
from automode_constructs.tokens import is_token

__all__ = ["refuse_missing_types"]


def refuse_missing_types(cluster: Construct) -> None:
    """Makes synthesis fail if stacks in the cluster's region create an EKS resource that its partition lacks.

    Applies only if the region is known and in GovCloud.

    Args:
        cluster: the cluster.
    """
    region = Stack.of(cluster).region
    if not is_token(region) and partition_of(region).name == "aws-us-gov":
        cluster.node.add_validation(_MissingTypes(cluster, region))


@jsii.implements(IValidation)
class _MissingTypes:
    def __init__(self, cluster: Construct, region: str) -> None:
        self._cluster = cluster
        self._region = region

    def validate(self) -> list[str]:
        return [
            f"{construct.node.path}: {construct.cfn_resource_type} does not exist in '{self._region}'; leave it out in "
            "GovCloud"
            for construct in self._cluster.node.root.node.find_all()
            if isinstance(construct, CfnResource)
            and construct.cfn_resource_type in types_govcloud_lacks()
            and Stack.of(construct).region == self._region
        ]
