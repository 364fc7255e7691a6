"""The charts that this app runs in its cluster: those of ``automode_constructs.patterns``, and your own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import cdk8s

from automode_constructs import patterns
from automode_constructs.errors import AutoModeError
from automode_constructs.manifests.cluster_values import ClusterValues

__all__ = ["DEMOS", "platform_charts"]


def platform_charts(
    app: cdk8s.App, values: ClusterValues, *, certificate_arns: Sequence[str] = ()
) -> list[cdk8s.Chart]:
    """The charts of the platform, in the order in which they are applied; equal for CloudFormation and GitOps.

    Without EKS's built-in pools, ``critical`` and ``general`` take their place.

    Args:
        app: the cdk8s app.
        values: the cluster's values.
        certificate_arns: ACM certificates of the load balancers. Default: none.
    """
    in_their_place = () if values.built_in_pools else ("critical", "general")
    load_balancers = values.ingress_class_params_spec(certificate_arns=certificate_arns)
    return patterns.platform_charts(
        app, values, pools=[*in_their_place, "spot", "graviton"], load_balancers=load_balancers
    )


def _retail_store(app: cdk8s.App, id: str, _values: ClusterValues, _weights_bucket: str | None) -> cdk8s.Chart:
    return patterns.RetailStoreChart(app, id)


def _gpt_oss(app: cdk8s.App, id: str, values: ClusterValues, weights_bucket: str | None) -> cdk8s.Chart:
    # Imported here: it takes time and is not always needed.
    from automode_constructs.inference.weights import S3Weights
    from automode_constructs.patterns.charts.gpt_oss import WEIGHTS_PREFIX

    if not weights_bucket:
        raise AutoModeError.of(
            "--demos",
            field="gpt-oss",
            message="needs the location of its weights",
            cure="add --weights-bucket with the bucket's name",
        )
    weights = S3Weights(bucket=weights_bucket, prefix=WEIGHTS_PREFIX)
    return patterns.GptOssChart(app, id, values=values, weights=weights)


DEMOS: Mapping[str, Callable[[cdk8s.App, str, ClusterValues, str | None], cdk8s.Chart]] = MappingProxyType(
    {"retail-store": _retail_store, "gpt-oss": _gpt_oss}
)
"""The demos, a shop and a model on a GPU. Each function creates its chart from a cdk8s app, an id, the cluster's values
and the bucket of the model's weights. The keys are the values that the app's context key ``demos`` accepts."""
