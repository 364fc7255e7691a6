"""Where most people start: stacks, charts and NodePools with choices made, built on this library's constructs.

If a stack or chart does not decide as you want, copy it. Names are loaded when they are first used: a chart does not
start the CDK, and only the charts written with the package ``cdk8s-plus-28`` need it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from automode_constructs.patterns.charts.accelerator_taint import accelerator_taint as accelerator_taint
    from automode_constructs.patterns.charts.argo_cd import ArgoCdAccessChart as ArgoCdAccessChart
    from automode_constructs.patterns.charts.argo_cd import ArgoCdChart as ArgoCdChart
    from automode_constructs.patterns.charts.cluster_guardrails import ClusterGuardrails as ClusterGuardrails
    from automode_constructs.patterns.charts.dcgm_exporter import DcgmExporterChart as DcgmExporterChart
    from automode_constructs.patterns.charts.gpt_oss import GptOssChart as GptOssChart
    from automode_constructs.patterns.charts.guardrails.settings import Guardrails as Guardrails
    from automode_constructs.patterns.charts.guardrails.tenants import Tenant as Tenant
    from automode_constructs.patterns.charts.kube_state_metrics import KubeStateMetricsChart as KubeStateMetricsChart
    from automode_constructs.patterns.charts.local_zone import LocalZoneChart as LocalZoneChart
    from automode_constructs.patterns.charts.model_metrics import ModelMetricsChart as ModelMetricsChart
    from automode_constructs.patterns.charts.network_policies import NetworkPoliciesChart as NetworkPoliciesChart
    from automode_constructs.patterns.charts.node_agents.chart import NodeAgentsChart as NodeAgentsChart
    from automode_constructs.patterns.charts.node_agents.node_agent import HostPath as HostPath
    from automode_constructs.patterns.charts.node_agents.node_agent import NodeAgent as NodeAgent
    from automode_constructs.patterns.charts.node_pools import NODE_POOLS as NODE_POOLS
    from automode_constructs.patterns.charts.node_pools import NodePoolsChart as NodePoolsChart
    from automode_constructs.patterns.charts.platform import PlatformChart as PlatformChart
    from automode_constructs.patterns.charts.platform import platform_charts as platform_charts
    from automode_constructs.patterns.charts.reserved_capacity import ReservedCapacityChart as ReservedCapacityChart
    from automode_constructs.patterns.charts.retail_store import RetailStoreChart as RetailStoreChart
    from automode_constructs.patterns.charts.static_pools import StaticPoolsChart as StaticPoolsChart
    from automode_constructs.patterns.charts.team_chart import TeamChart as TeamChart
    from automode_constructs.patterns.charts.teams.quota import TeamQuota as TeamQuota
    from automode_constructs.patterns.charts.teams.team import Team as Team
    from automode_constructs.patterns.charts.teams.team import tenants_of as tenants_of
    from automode_constructs.patterns.charts.training import TrainingChart as TrainingChart
    from automode_constructs.patterns.stacks.access_stack import AccessStack as AccessStack
    from automode_constructs.patterns.stacks.cluster_stack import ClusterStack as ClusterStack
    from automode_constructs.patterns.stacks.gpt_oss_stack import GptOssStack as GptOssStack
    from automode_constructs.patterns.stacks.guard_stack import GuardStack as GuardStack
    from automode_constructs.patterns.stacks.guardrails_stack import GuardrailsStack as GuardrailsStack
    from automode_constructs.patterns.stacks.node_agents_stack import NodeAgentsStack as NodeAgentsStack
    from automode_constructs.patterns.stacks.platform_stack import PlatformStack as PlatformStack
    from automode_constructs.patterns.stacks.retail_store_stack import RetailStoreStack as RetailStoreStack
    from automode_constructs.patterns.stacks.team_rights import TeamRights as TeamRights
    from automode_constructs.patterns.stacks.team_rights import team_grants as team_grants
    from automode_constructs.patterns.stacks.team_stack import TeamStack as TeamStack
    from automode_constructs.patterns.stacks.weights_stack import WeightsStack as WeightsStack
else:
    from automode_constructs.lazy_names import lazy_names

    __getattr__, __dir__, __all__ = lazy_names(
        __name__,
        {
            "AccessStack": "stacks.access_stack",
            "ArgoCdAccessChart": "charts.argo_cd",
            "ArgoCdChart": "charts.argo_cd",
            "ClusterGuardrails": "charts.cluster_guardrails",
            "ClusterStack": "stacks.cluster_stack",
            "DcgmExporterChart": "charts.dcgm_exporter",
            "GptOssChart": "charts.gpt_oss",
            "GptOssStack": "stacks.gpt_oss_stack",
            "GuardStack": "stacks.guard_stack",
            "Guardrails": "charts.guardrails.settings",
            "GuardrailsStack": "stacks.guardrails_stack",
            "HostPath": "charts.node_agents.node_agent",
            "KubeStateMetricsChart": "charts.kube_state_metrics",
            "LocalZoneChart": "charts.local_zone",
            "ModelMetricsChart": "charts.model_metrics",
            "NODE_POOLS": "charts.node_pools",
            "NetworkPoliciesChart": "charts.network_policies",
            "NodeAgent": "charts.node_agents.node_agent",
            "NodeAgentsChart": "charts.node_agents.chart",
            "NodeAgentsStack": "stacks.node_agents_stack",
            "NodePoolsChart": "charts.node_pools",
            "PlatformChart": "charts.platform",
            "PlatformStack": "stacks.platform_stack",
            "ReservedCapacityChart": "charts.reserved_capacity",
            "RetailStoreChart": "charts.retail_store",
            "RetailStoreStack": "stacks.retail_store_stack",
            "StaticPoolsChart": "charts.static_pools",
            "Team": "charts.teams.team",
            "TeamChart": "charts.team_chart",
            "TeamQuota": "charts.teams.quota",
            "TeamRights": "stacks.team_rights",
            "TeamStack": "stacks.team_stack",
            "Tenant": "charts.guardrails.tenants",
            "TrainingChart": "charts.training",
            "WeightsStack": "stacks.weights_stack",
            "accelerator_taint": "charts.accelerator_taint",
            "platform_charts": "charts.platform",
            "team_grants": "stacks.team_rights",
            "tenants_of": "charts.teams.team",
        },
    )
