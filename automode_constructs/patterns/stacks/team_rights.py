"""The IAM side of a team: who works in its namespaces, and the roles of its pods."""

from __future__ import annotations

from collections.abc import Mapping

from constructs import Construct

from automode_constructs.arguments import Refusals, checked_arguments, place
from automode_constructs.aws.access import Access, AccessGrant
from automode_constructs.aws.cluster import AutoModeCluster
from automode_constructs.aws.imported_cluster import ImportedCluster
from automode_constructs.aws.pod_identity import PodIdentityRole
from automode_constructs.aws.scope import StackScope
from automode_constructs.patterns.charts.teams.team import Team

__all__ = ["TeamRights", "team_grants"]


@checked_arguments
def team_grants(team: Team) -> list[AccessGrant]:
    """What the people of a team may do, as grants of ``Access``.

    Editors have ``AmazonEKSEditPolicy`` and viewers ``AmazonEKSViewPolicy``, both in the team's namespaces only. With
    ``team.kinds``, editors are also in the team's Kubernetes group, which ``TeamChart`` binds.

    EKS takes one access entry for a role. So where roles work for several teams, give the grants of all teams to one
    ``Access`` (or ``AccessStack``), which adds them up, and none to ``TeamRights``.

    Args:
        team: the team.
    """
    namespaces, groups = [*team.namespaces], [team.group] if team.kinds else []
    return [
        *(
            AccessGrant(role=role, policy="AmazonEKSEditPolicy", namespaces=namespaces, kubernetes_groups=groups)
            for role in team.editors
        ),
        *(AccessGrant(role=role, policy="AmazonEKSViewPolicy", namespaces=namespaces) for role in team.viewers),
    ]


class TeamRights(Construct):
    """The access entries of a team's people, and a Pod Identity role for each of its service accounts.

    Creates what ``Access`` creates for ``team_grants(team)``, and a ``PodIdentityRole`` for each of
    ``team.service_accounts``. The roles have no permissions at first: grant them through ``roles``. All of this is free
    of charge.

    Args:
        scope: a stack in the cluster's account and region, other than the cluster's own.
        id: the construct's id.
        cluster: an ``AutoModeCluster`` or ``ImportedCluster``.
        team: the team.
        access: whether the access entries are created here. Default: True; False where another ``Access`` has the
            grants, because roles work for several teams.

    Attributes:
        access: the ``Access``; ``None`` with ``access=False`` and for a team without editors and viewers.
        roles: the roles by namespace and service account: ``roles["payments"]["api"].role``.

    Raises:
        AutoModeError: for everything that ``Access`` and ``PodIdentityRole`` refuse.
    """

    @checked_arguments
    def __init__(
        self,
        scope: StackScope,
        id: str,
        *,
        cluster: AutoModeCluster | ImportedCluster,
        team: Team,
        access: bool = True,
    ) -> None:
        refusals = Refusals(place(scope, id))
        for namespace, names in team.service_accounts.items():
            if len(set(names)) != len(names):
                refusals.refuse(f"team.service_accounts['{namespace}']", "name one twice", "name each once")
        refusals.raise_all()
        super().__init__(scope, id)
        grants = team_grants(team) if access else []
        self.access: Access | None = Access(self, "Access", cluster=cluster, grants=grants) if grants else None
        self.roles: Mapping[str, Mapping[str, PodIdentityRole]] = {
            namespace: {
                name: PodIdentityRole(
                    self, f"{namespace}-{name}", cluster=cluster, namespace=namespace, service_account=name
                )
                for name in names
            }
            for namespace, names in team.service_accounts.items()
        }
