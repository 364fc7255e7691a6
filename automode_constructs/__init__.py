"""EKS Auto Mode from Python: CDK constructs for the cluster, cdk8s constructs for what runs in it.

Names are loaded when they are first used, so that the light half (specs, errors) starts no Node process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from automode_constructs.aws.cluster import AutoModeCluster as AutoModeCluster
    from automode_constructs.aws.imported_cluster import ImportedCluster as ImportedCluster
    from automode_constructs.aws.network import AutoModeNetwork as AutoModeNetwork
    from automode_constructs.aws.network import ExistingNetwork as ExistingNetwork
    from automode_constructs.aws.roles import BuiltInNodeRole as BuiltInNodeRole
    from automode_constructs.aws.roles import ClusterRole as ClusterRole
    from automode_constructs.aws.roles import NodeRole as NodeRole
    from automode_constructs.cluster_values import ClusterValues as ClusterValues
    from automode_constructs.delivery import ChartDelivery as ChartDelivery
    from automode_constructs.errors import AutoModeError as AutoModeError
    from automode_constructs.manifests.ingress_class import IngressClass as IngressClass
    from automode_constructs.manifests.ingress_class import IngressClassParams as IngressClassParams
    from automode_constructs.manifests.node_class import NodeClass as NodeClass
    from automode_constructs.manifests.node_pool import NodePool as NodePool
    from automode_constructs.manifests.storage_class import StorageClass as StorageClass
    from automode_constructs.manifests.yaml_folder import write_yaml_folder as write_yaml_folder
    from automode_constructs.specs.advanced_compute import AdvancedCompute as AdvancedCompute
    from automode_constructs.specs.advanced_networking import AdvancedNetworking as AdvancedNetworking
    from automode_constructs.specs.advanced_networking import NetworkInterface as NetworkInterface
    from automode_constructs.specs.advanced_security import AdvancedSecurity as AdvancedSecurity
    from automode_constructs.specs.capacity import CapacityReservationSelectorTerm as CapacityReservationSelectorTerm
    from automode_constructs.specs.capacity import PlacementGroupSelector as PlacementGroupSelector
    from automode_constructs.specs.certificate_bundle import CertificateBundle as CertificateBundle
    from automode_constructs.specs.ingress_class import IngressClassParamsSpec as IngressClassParamsSpec
    from automode_constructs.specs.node_class import EphemeralStorage as EphemeralStorage
    from automode_constructs.specs.node_class import NodeClassSpec as NodeClassSpec
    from automode_constructs.specs.node_class import SecurityGroupSelectorTerm as SecurityGroupSelectorTerm
    from automode_constructs.specs.node_class import SubnetSelectorTerm as SubnetSelectorTerm
    from automode_constructs.specs.node_pool import Budget as Budget
    from automode_constructs.specs.node_pool import Disruption as Disruption
    from automode_constructs.specs.node_pool import NodeClaimSpec as NodeClaimSpec
    from automode_constructs.specs.node_pool import NodeClaimTemplate as NodeClaimTemplate
    from automode_constructs.specs.node_pool import NodeMetadata as NodeMetadata
    from automode_constructs.specs.node_pool import NodePoolSpec as NodePoolSpec
    from automode_constructs.specs.node_pool import Taint as Taint
    from automode_constructs.specs.requirement import Requirement as Requirement
    from automode_constructs.specs.storage_class import StorageClassSpec as StorageClassSpec
    from automode_constructs.specs.storage_class import StorageParameters as StorageParameters
else:
    _HOMES = {
        "AdvancedCompute": "specs.advanced_compute",
        "AdvancedNetworking": "specs.advanced_networking",
        "AdvancedSecurity": "specs.advanced_security",
        "AutoModeCluster": "aws.cluster",
        "AutoModeError": "errors",
        "AutoModeNetwork": "aws.network",
        "Budget": "specs.node_pool",
        "BuiltInNodeRole": "aws.roles",
        "CapacityReservationSelectorTerm": "specs.capacity",
        "CertificateBundle": "specs.certificate_bundle",
        "ChartDelivery": "delivery",
        "ClusterRole": "aws.roles",
        "ClusterValues": "cluster_values",
        "Disruption": "specs.node_pool",
        "EphemeralStorage": "specs.node_class",
        "ExistingNetwork": "aws.network",
        "ImportedCluster": "aws.imported_cluster",
        "IngressClass": "manifests.ingress_class",
        "IngressClassParams": "manifests.ingress_class",
        "IngressClassParamsSpec": "specs.ingress_class",
        "NetworkInterface": "specs.advanced_networking",
        "NodeClaimSpec": "specs.node_pool",
        "NodeClaimTemplate": "specs.node_pool",
        "NodeClass": "manifests.node_class",
        "NodeClassSpec": "specs.node_class",
        "NodeMetadata": "specs.node_pool",
        "NodePool": "manifests.node_pool",
        "NodePoolSpec": "specs.node_pool",
        "NodeRole": "aws.roles",
        "PlacementGroupSelector": "specs.capacity",
        "Requirement": "specs.requirement",
        "SecurityGroupSelectorTerm": "specs.node_class",
        "StorageClass": "manifests.storage_class",
        "StorageClassSpec": "specs.storage_class",
        "StorageParameters": "specs.storage_class",
        "SubnetSelectorTerm": "specs.node_class",
        "Taint": "specs.node_pool",
        "write_yaml_folder": "manifests.yaml_folder",
    }

    __all__ = sorted(_HOMES)

    def __getattr__(name):
        from importlib import import_module

        home = _HOMES.get(name)
        if home is None:
            raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
        return getattr(import_module(f"{__name__}.{home}"), name)

    def __dir__():
        return __all__
