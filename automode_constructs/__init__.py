"""EKS Auto Mode from Python: CDK constructs for the cluster, cdk8s constructs for what runs in it.

Names are loaded when they are first used, so that the light half (specs, errors) starts no Node process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from automode_constructs.aws.access import Access as Access
    from automode_constructs.aws.access import AccessGrant as AccessGrant
    from automode_constructs.aws.access_page import access_page as access_page
    from automode_constructs.aws.ack import AckCapability as AckCapability
    from automode_constructs.aws.add_on import AddOn as AddOn
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
    from automode_constructs.aws.break_glass import BreakGlassAlarm as BreakGlassAlarm
    from automode_constructs.aws.capability import CapabilityRole as CapabilityRole
    from automode_constructs.aws.cloudwatch_observability import CloudWatchObservability as CloudWatchObservability
    from automode_constructs.aws.cluster import AutoModeCluster as AutoModeCluster
    from automode_constructs.aws.cluster_alarms import ClusterAlarms as ClusterAlarms
    from automode_constructs.aws.cluster_dashboard import ClusterDashboard as ClusterDashboard
    from automode_constructs.aws.control_plane import ControlPlaneSettings as ControlPlaneSettings
    from automode_constructs.aws.efa_security_group import EfaSecurityGroup as EfaSecurityGroup
    from automode_constructs.aws.helm_release import HelmRelease as HelmRelease
    from automode_constructs.aws.imported_cluster import ImportedCluster as ImportedCluster
    from automode_constructs.aws.kro import KroCapability as KroCapability
    from automode_constructs.aws.load_balancer_logs import allow_load_balancer_logs as allow_load_balancer_logs
    from automode_constructs.aws.local_zone import LocalZoneSubnets as LocalZoneSubnets
    from automode_constructs.aws.managed_prometheus import ManagedPrometheus as ManagedPrometheus
    from automode_constructs.aws.metrics_server import MetricsServer as MetricsServer
    from automode_constructs.aws.model_bucket import ModelBucket as ModelBucket
    from automode_constructs.aws.network import AutoModeNetwork as AutoModeNetwork
    from automode_constructs.aws.network import ExistingNetwork as ExistingNetwork
    from automode_constructs.aws.network import Network as Network
    from automode_constructs.aws.permission_set_role import PermissionSetRole as PermissionSetRole
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
    from automode_constructs.inference.chat_page import ChatPage as ChatPage
    from automode_constructs.inference.cold_start import estimate_cold_start as estimate_cold_start
    from automode_constructs.inference.fast_start import FastStart as FastStart
    from automode_constructs.inference.model_autoscaler import ModelAutoscaler as ModelAutoscaler
    from automode_constructs.inference.model_preset import GPT_OSS_20B as GPT_OSS_20B
    from automode_constructs.inference.model_preset import GPT_OSS_120B as GPT_OSS_120B
    from automode_constructs.inference.model_preset import LLAMA_3_1_8B as LLAMA_3_1_8B
    from automode_constructs.inference.model_preset import MODEL_PRESETS as MODEL_PRESETS
    from automode_constructs.inference.model_preset import QWEN3_8B as QWEN3_8B
    from automode_constructs.inference.model_preset import QWEN3_30B_A3B as QWEN3_30B_A3B
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
    from automode_constructs.manifests.gateway import Gateway as Gateway
    from automode_constructs.manifests.gateway import GatewayListener as GatewayListener
    from automode_constructs.manifests.gateway import GrpcMatch as GrpcMatch
    from automode_constructs.manifests.gateway import GrpcRoute as GrpcRoute
    from automode_constructs.manifests.gateway import HttpMatch as HttpMatch
    from automode_constructs.manifests.gateway import HttpRoute as HttpRoute
    from automode_constructs.manifests.gateway import RouteBackend as RouteBackend
    from automode_constructs.manifests.gateway_class import GatewayClass as GatewayClass
    from automode_constructs.manifests.ingress_class import IngressClass as IngressClass
    from automode_constructs.manifests.ingress_class import IngressClassParams as IngressClassParams
    from automode_constructs.manifests.kubernetes_group import KubernetesGroup as KubernetesGroup
    from automode_constructs.manifests.kubernetes_group import PolicyRule as PolicyRule
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
            "Access": "aws.access",
            "AccessGrant": "aws.access",
            "AckCapability": "aws.ack",
            "AddOn": "aws.add_on",
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
            "BreakGlassAlarm": "aws.break_glass",
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
            "CloudWatchObservability": "aws.cloudwatch_observability",
            "ClusterAlarms": "aws.cluster_alarms",
            "ClusterDashboard": "aws.cluster_dashboard",
            "ChatPage": "inference.chat_page",
            "ClusterRole": "aws.roles",
            "ClusterValues": "manifests.cluster_values",
            "ComplianceLock": "aws.backup_vault",
            "ControlPlaneSettings": "aws.control_plane",
            "Disruption": "specs.pools.node_pool",
            "EfaSecurityGroup": "aws.efa_security_group",
            "EphemeralStorage": "specs.nodes.node_class",
            "Eviction": "specs.nodes.kubelet",
            "ExistingNetwork": "aws.network",
            "FastStart": "inference.fast_start",
            "GPT_OSS_120B": "inference.model_preset",
            "GPT_OSS_20B": "inference.model_preset",
            "Gateway": "manifests.gateway",
            "GatewayClass": "manifests.gateway_class",
            "GatewayClassSpec": "specs.traffic.gateway_class",
            "GovernanceLock": "aws.backup_vault",
            "GatewayListener": "manifests.gateway",
            "GrpcMatch": "manifests.gateway",
            "GrpcRoute": "manifests.gateway",
            "HttpMatch": "manifests.gateway",
            "HttpRoute": "manifests.gateway",
            "HelmRelease": "aws.helm_release",
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
            "KubernetesGroup": "manifests.kubernetes_group",
            "KubernetesObject": "manifests.kubernetes_object",
            "LLAMA_3_1_8B": "inference.model_preset",
            "LocalZoneSubnets": "aws.local_zone",
            "ManagedPrometheus": "aws.managed_prometheus",
            "ModelAutoscaler": "inference.model_autoscaler",
            "MetricsServer": "aws.metrics_server",
            "ModelBucket": "aws.model_bucket",
            "MODEL_PRESETS": "inference.model_preset",
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
            "PermissionSetRole": "aws.permission_set_role",
            "PlacementGroupSelector": "specs.nodes.capacity",
            "PodIdentityRole": "aws.pod_identity",
            "PodNetworkPolicy": "manifests.pod_network_policy",
            "PodSecurityGroup": "aws.pod_security_group",
            "PolicyRule": "manifests.kubernetes_group",
            "PullThroughCache": "aws.pull_through_cache",
            "QWEN3_30B_A3B": "inference.model_preset",
            "QWEN3_8B": "inference.model_preset",
            "Requirement": "specs.pools.requirement",
            "ReservedCapacity": "manifests.reserved_capacity",
            "RoleNames": "aws.roles",
            "RouteBackend": "manifests.gateway",
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
            "access_page": "aws.access_page",
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
