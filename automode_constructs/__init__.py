"""EKS Auto Mode from Python: CDK constructs for the cluster, cdk8s constructs for what runs in it.

Names are loaded when they are first used, so that the light half (specs, errors) starts no Node process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from automode_constructs.aws.ack import AckCapability as AckCapability
    from automode_constructs.aws.argo_cd import ArgoCdAccess as ArgoCdAccess
    from automode_constructs.aws.argo_cd import ArgoCdCapability as ArgoCdCapability
    from automode_constructs.aws.argo_cd import SsoGroup as SsoGroup
    from automode_constructs.aws.argo_cd import SsoUser as SsoUser
    from automode_constructs.aws.auto_mode_logs import AutoModeLogs as AutoModeLogs
    from automode_constructs.aws.backup import BackupRule as BackupRule
    from automode_constructs.aws.backup import ClusterBackup as ClusterBackup
    from automode_constructs.aws.backup_vault import ClusterBackupVault as ClusterBackupVault
    from automode_constructs.aws.backup_vault import ComplianceLock as ComplianceLock
    from automode_constructs.aws.backup_vault import GovernanceLock as GovernanceLock
    from automode_constructs.aws.capability import CapabilityRole as CapabilityRole
    from automode_constructs.aws.cluster import AutoModeCluster as AutoModeCluster
    from automode_constructs.aws.efa_security_group import EfaSecurityGroup as EfaSecurityGroup
    from automode_constructs.aws.imported_cluster import ImportedCluster as ImportedCluster
    from automode_constructs.aws.kro import KroCapability as KroCapability
    from automode_constructs.aws.load_balancer_logs import allow_load_balancer_logs as allow_load_balancer_logs
    from automode_constructs.aws.local_zone import LocalZoneSubnets as LocalZoneSubnets
    from automode_constructs.aws.model_bucket import ModelBucket as ModelBucket
    from automode_constructs.aws.network import AutoModeNetwork as AutoModeNetwork
    from automode_constructs.aws.network import ExistingNetwork as ExistingNetwork
    from automode_constructs.aws.network import Network as Network
    from automode_constructs.aws.pod_identity import PodIdentityRole as PodIdentityRole
    from automode_constructs.aws.pod_security_group import PodSecurityGroup as PodSecurityGroup
    from automode_constructs.aws.pull_through_cache import PullThroughCache as PullThroughCache
    from automode_constructs.aws.restore import ClusterRestore as ClusterRestore
    from automode_constructs.aws.restore import restore_metadata as restore_metadata
    from automode_constructs.aws.roles import BuiltInNodeRole as BuiltInNodeRole
    from automode_constructs.aws.roles import ClusterRole as ClusterRole
    from automode_constructs.aws.roles import NodeRole as NodeRole
    from automode_constructs.aws.roles import RoleNames as RoleNames
    from automode_constructs.aws.vpc_endpoints import VpcEndpoints as VpcEndpoints
    from automode_constructs.delivery.chart_delivery import ChartDelivery as ChartDelivery
    from automode_constructs.errors import AutoModeError as AutoModeError
    from automode_constructs.inference.cold_start import estimate_cold_start as estimate_cold_start
    from automode_constructs.inference.model_preset import GPT_OSS_20B as GPT_OSS_20B
    from automode_constructs.inference.model_preset import ModelPreset as ModelPreset
    from automode_constructs.inference.model_server import ModelServer as ModelServer
    from automode_constructs.inference.weight_staging import WeightStaging as WeightStaging
    from automode_constructs.inference.weights import HubWeights as HubWeights
    from automode_constructs.inference.weights import ImageWeights as ImageWeights
    from automode_constructs.inference.weights import S3Weights as S3Weights
    from automode_constructs.inference.weights import SecretKey as SecretKey
    from automode_constructs.manifests.argo_cd import ArgoCdApplication as ArgoCdApplication
    from automode_constructs.manifests.argo_cd import ArgoCdCluster as ArgoCdCluster
    from automode_constructs.manifests.certificate_config_map import CertificateConfigMap as CertificateConfigMap
    from automode_constructs.manifests.cluster_values import ClusterValues as ClusterValues
    from automode_constructs.manifests.gateway_class import GatewayClass as GatewayClass
    from automode_constructs.manifests.ingress_class import IngressClass as IngressClass
    from automode_constructs.manifests.ingress_class import IngressClassParams as IngressClassParams
    from automode_constructs.manifests.kubernetes_object import KubernetesObject as KubernetesObject
    from automode_constructs.manifests.network_policy_controller import (
        NetworkPolicyController as NetworkPolicyController,
    )
    from automode_constructs.manifests.node_class import NodeClass as NodeClass
    from automode_constructs.manifests.node_defaults import NodeDefaults as NodeDefaults
    from automode_constructs.manifests.node_pool import NodePool as NodePool
    from automode_constructs.manifests.pod_network_policy import PodNetworkPolicy as PodNetworkPolicy
    from automode_constructs.manifests.pod_network_policy import https_to as https_to
    from automode_constructs.manifests.reserved_capacity import ReservedCapacity as ReservedCapacity
    from automode_constructs.manifests.static_node_pools import StaticNodePools as StaticNodePools
    from automode_constructs.manifests.storage_class import StorageClass as StorageClass
    from automode_constructs.manifests.target_group_binding import TargetGroupBinding as TargetGroupBinding
    from automode_constructs.manifests.volume_attributes_class import VolumeAttributesClass as VolumeAttributesClass
    from automode_constructs.manifests.volume_snapshot_class import VolumeSnapshotClass as VolumeSnapshotClass
    from automode_constructs.rendering.yaml_folder import write_yaml_folder as write_yaml_folder
    from automode_constructs.specs import labels as labels
    from automode_constructs.specs.nodes.advanced_compute import AdvancedCompute as AdvancedCompute
    from automode_constructs.specs.nodes.advanced_networking import AdvancedNetworking as AdvancedNetworking
    from automode_constructs.specs.nodes.advanced_networking import NetworkInterface as NetworkInterface
    from automode_constructs.specs.nodes.advanced_security import AdvancedSecurity as AdvancedSecurity
    from automode_constructs.specs.nodes.capacity import (
        CapacityReservationSelectorTerm as CapacityReservationSelectorTerm,
    )
    from automode_constructs.specs.nodes.capacity import PlacementGroupSelector as PlacementGroupSelector
    from automode_constructs.specs.nodes.certificate_bundle import CertificateBundle as CertificateBundle
    from automode_constructs.specs.nodes.efa import efa_network_interfaces as efa_network_interfaces
    from automode_constructs.specs.nodes.efa import with_efa as with_efa
    from automode_constructs.specs.nodes.hugepages import Hugepages as Hugepages
    from automode_constructs.specs.nodes.hugepages import StaticHugepages as StaticHugepages
    from automode_constructs.specs.nodes.hugepages import TransparentHugepages as TransparentHugepages
    from automode_constructs.specs.nodes.kubelet import Eviction as Eviction
    from automode_constructs.specs.nodes.kubelet import Kubelet as Kubelet
    from automode_constructs.specs.nodes.kubelet import KubeletLogging as KubeletLogging
    from automode_constructs.specs.nodes.node_class import EphemeralStorage as EphemeralStorage
    from automode_constructs.specs.nodes.node_class import NodeClassSpec as NodeClassSpec
    from automode_constructs.specs.nodes.node_class import SecurityGroupSelectorTerm as SecurityGroupSelectorTerm
    from automode_constructs.specs.nodes.node_class import SubnetSelectorTerm as SubnetSelectorTerm
    from automode_constructs.specs.nodes.sysctls import Kernel as Kernel
    from automode_constructs.specs.nodes.sysctls import Sysctls as Sysctls
    from automode_constructs.specs.pools.capacity_reservation import CapacityReservation as CapacityReservation
    from automode_constructs.specs.pools.node_pool import Budget as Budget
    from automode_constructs.specs.pools.node_pool import Disruption as Disruption
    from automode_constructs.specs.pools.node_pool import NodeClaimSpec as NodeClaimSpec
    from automode_constructs.specs.pools.node_pool import NodeClaimTemplate as NodeClaimTemplate
    from automode_constructs.specs.pools.node_pool import NodeMetadata as NodeMetadata
    from automode_constructs.specs.pools.node_pool import NodePoolSpec as NodePoolSpec
    from automode_constructs.specs.pools.node_pool import Taint as Taint
    from automode_constructs.specs.pools.requirement import Requirement as Requirement
    from automode_constructs.specs.storage.storage_class import StorageClassSpec as StorageClassSpec
    from automode_constructs.specs.storage.storage_class import StorageParameters as StorageParameters
    from automode_constructs.specs.storage.volume_attributes_class import VolumeAttributes as VolumeAttributes
    from automode_constructs.specs.storage.volume_attributes_class import (
        VolumeAttributesClassSpec as VolumeAttributesClassSpec,
    )
    from automode_constructs.specs.storage.volume_snapshot_class import (
        VolumeSnapshotClassSpec as VolumeSnapshotClassSpec,
    )
    from automode_constructs.specs.traffic.gateway_class import GatewayClassSpec as GatewayClassSpec
    from automode_constructs.specs.traffic.ingress_class import IngressClassParamsSpec as IngressClassParamsSpec
    from automode_constructs.specs.traffic.target_group_binding import NetworkingPeer as NetworkingPeer
    from automode_constructs.specs.traffic.target_group_binding import NetworkingPort as NetworkingPort
    from automode_constructs.specs.traffic.target_group_binding import NetworkingRule as NetworkingRule
    from automode_constructs.specs.traffic.target_group_binding import (
        NetworkingSecurityGroup as NetworkingSecurityGroup,
    )
    from automode_constructs.specs.traffic.target_group_binding import ServiceReference as ServiceReference
    from automode_constructs.specs.traffic.target_group_binding import TargetGroupBindingSpec as TargetGroupBindingSpec
    from automode_constructs.specs.traffic.target_group_binding import TargetGroupNetworking as TargetGroupNetworking
else:
    from automode_constructs.lazy_names import lazy_names

    __getattr__, __dir__, __all__ = lazy_names(
        __name__,
        {
            "AckCapability": "aws.ack",
            "AdvancedCompute": "specs.nodes.advanced_compute",
            "AdvancedNetworking": "specs.nodes.advanced_networking",
            "AdvancedSecurity": "specs.nodes.advanced_security",
            "ArgoCdAccess": "aws.argo_cd",
            "ArgoCdApplication": "manifests.argo_cd",
            "ArgoCdCapability": "aws.argo_cd",
            "ArgoCdCluster": "manifests.argo_cd",
            "AutoModeCluster": "aws.cluster",
            "AutoModeError": "errors",
            "AutoModeLogs": "aws.auto_mode_logs",
            "AutoModeNetwork": "aws.network",
            "BackupRule": "aws.backup",
            "Budget": "specs.pools.node_pool",
            "BuiltInNodeRole": "aws.roles",
            "CapabilityRole": "aws.capability",
            "CapacityReservation": "specs.pools.capacity_reservation",
            "CapacityReservationSelectorTerm": "specs.nodes.capacity",
            "CertificateBundle": "specs.nodes.certificate_bundle",
            "CertificateConfigMap": "manifests.certificate_config_map",
            "ChartDelivery": "delivery.chart_delivery",
            "ClusterBackup": "aws.backup",
            "ClusterBackupVault": "aws.backup_vault",
            "ClusterRestore": "aws.restore",
            "ClusterRole": "aws.roles",
            "ClusterValues": "manifests.cluster_values",
            "ComplianceLock": "aws.backup_vault",
            "Disruption": "specs.pools.node_pool",
            "EfaSecurityGroup": "aws.efa_security_group",
            "EphemeralStorage": "specs.nodes.node_class",
            "Eviction": "specs.nodes.kubelet",
            "ExistingNetwork": "aws.network",
            "GPT_OSS_20B": "inference.model_preset",
            "GatewayClass": "manifests.gateway_class",
            "GatewayClassSpec": "specs.traffic.gateway_class",
            "GovernanceLock": "aws.backup_vault",
            "HubWeights": "inference.weights",
            "Hugepages": "specs.nodes.hugepages",
            "ImageWeights": "inference.weights",
            "ImportedCluster": "aws.imported_cluster",
            "IngressClass": "manifests.ingress_class",
            "IngressClassParams": "manifests.ingress_class",
            "IngressClassParamsSpec": "specs.traffic.ingress_class",
            "Kernel": "specs.nodes.sysctls",
            "KroCapability": "aws.kro",
            "Kubelet": "specs.nodes.kubelet",
            "KubeletLogging": "specs.nodes.kubelet",
            "KubernetesObject": "manifests.kubernetes_object",
            "LocalZoneSubnets": "aws.local_zone",
            "ModelBucket": "aws.model_bucket",
            "ModelPreset": "inference.model_preset",
            "ModelServer": "inference.model_server",
            "Network": "aws.network",
            "NetworkInterface": "specs.nodes.advanced_networking",
            "NetworkPolicyController": "manifests.network_policy_controller",
            "NetworkingPeer": "specs.traffic.target_group_binding",
            "NetworkingPort": "specs.traffic.target_group_binding",
            "NetworkingRule": "specs.traffic.target_group_binding",
            "NetworkingSecurityGroup": "specs.traffic.target_group_binding",
            "NodeClaimSpec": "specs.pools.node_pool",
            "NodeClaimTemplate": "specs.pools.node_pool",
            "NodeClass": "manifests.node_class",
            "NodeClassSpec": "specs.nodes.node_class",
            "NodeDefaults": "manifests.node_defaults",
            "NodeMetadata": "specs.pools.node_pool",
            "NodePool": "manifests.node_pool",
            "NodePoolSpec": "specs.pools.node_pool",
            "NodeRole": "aws.roles",
            "PlacementGroupSelector": "specs.nodes.capacity",
            "PodIdentityRole": "aws.pod_identity",
            "PodNetworkPolicy": "manifests.pod_network_policy",
            "PodSecurityGroup": "aws.pod_security_group",
            "PullThroughCache": "aws.pull_through_cache",
            "Requirement": "specs.pools.requirement",
            "ReservedCapacity": "manifests.reserved_capacity",
            "RoleNames": "aws.roles",
            "S3Weights": "inference.weights",
            "SecretKey": "inference.weights",
            "SecurityGroupSelectorTerm": "specs.nodes.node_class",
            "ServiceReference": "specs.traffic.target_group_binding",
            "SsoGroup": "aws.argo_cd",
            "SsoUser": "aws.argo_cd",
            "StaticHugepages": "specs.nodes.hugepages",
            "StaticNodePools": "manifests.static_node_pools",
            "StorageClass": "manifests.storage_class",
            "StorageClassSpec": "specs.storage.storage_class",
            "StorageParameters": "specs.storage.storage_class",
            "SubnetSelectorTerm": "specs.nodes.node_class",
            "Sysctls": "specs.nodes.sysctls",
            "Taint": "specs.pools.node_pool",
            "TargetGroupBinding": "manifests.target_group_binding",
            "TargetGroupBindingSpec": "specs.traffic.target_group_binding",
            "TargetGroupNetworking": "specs.traffic.target_group_binding",
            "TransparentHugepages": "specs.nodes.hugepages",
            "VolumeAttributes": "specs.storage.volume_attributes_class",
            "VolumeAttributesClass": "manifests.volume_attributes_class",
            "VolumeAttributesClassSpec": "specs.storage.volume_attributes_class",
            "VolumeSnapshotClass": "manifests.volume_snapshot_class",
            "VolumeSnapshotClassSpec": "specs.storage.volume_snapshot_class",
            "VpcEndpoints": "aws.vpc_endpoints",
            "WeightStaging": "inference.weight_staging",
            "estimate_cold_start": "inference.cold_start",
            "allow_load_balancer_logs": "aws.load_balancer_logs",
            "efa_network_interfaces": "specs.nodes.efa",
            "https_to": "manifests.pod_network_policy",
            "labels": "specs.labels",
            "restore_metadata": "aws.restore",
            "with_efa": "specs.nodes.efa",
            "write_yaml_folder": "rendering.yaml_folder",
        },
    )
