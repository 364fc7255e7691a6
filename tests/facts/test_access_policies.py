"""EKS's access policies: their order of might, and what none of them knows."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from automode_constructs.facts.access_policies import _data, people_policies, service_policies

SECRETS = ("", "secrets")


def allowed(policy: str) -> set[tuple[str, str, str]]:
    return {
        (group, resource, verb)
        for rule in people_policies()[policy].rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def test_view_edit_and_admin_each_contain_the_one_before() -> None:
    view, edit, admin = (allowed(f"AmazonEKS{name}Policy") for name in ("View", "Edit", "Admin"))
    assert view < edit < admin
    assert {verb for *_, verb in view} == {"get", "list", "watch"}
    assert {(group, resource) for group, resource, _ in admin - edit} == {
        ("authorization.k8s.io", "localsubjectaccessreviews"),
        ("rbac.authorization.k8s.io", "rolebindings"),
        ("rbac.authorization.k8s.io", "roles"),
    }


def test_who_edits_reads_secrets_and_impersonates_service_accounts_and_who_views_does_not() -> None:
    assert {verb for *what, verb in allowed("AmazonEKSEditPolicy") if tuple(what) == SECRETS} >= {"get", "update"}
    assert ("", "serviceaccounts", "impersonate") in allowed("AmazonEKSEditPolicy")
    assert not [what for *what, _ in allowed("AmazonEKSViewPolicy") if tuple(what) == SECRETS]


def test_only_the_two_policies_with_a_star_know_custom_kinds() -> None:
    groups = {name: {group for group, *_ in allowed(name)} for name in people_policies()}
    assert [name for name, known in groups.items() if "*" in known] == [
        "AmazonEKSClusterAdminPolicy",
        "AmazonEKSAdminViewPolicy",
    ]
    assert not [known for known in groups.values() if known & {"karpenter.sh", "gateway.networking.k8s.io"}]


def test_no_policy_is_both_for_people_and_for_services() -> None:
    assert not people_policies().keys() & service_policies().keys()
    assert "AmazonEKSAutoNodePolicy" in service_policies()


def test_the_day_and_the_source_are_there() -> None:
    assert date.fromisoformat(_data()["date"]) <= date(2026, 11, 27)
    assert "Review access policy permissions" in _data()["source"]


def test_the_page_tells_what_the_rules_say_of_secrets_and_custom_kinds() -> None:
    page = (Path(__file__).parents[2] / "docs" / "access.md").read_text("utf-8")
    rows = {cells[1].strip(" `"): cells[3:5] for line in page.splitlines() if len(cells := line.split("|")) == 6}
    written = {name: [cell.strip() for cell in rows[name]] for name in people_policies()}
    assert written == {name: [_right(name, "", "secrets"), _right(name, "x", "things")] for name in people_policies()}


def _right(policy: str, group: str, resource: str) -> str:
    verbs = {verb for g, r, verb in allowed(policy) if g in (group, "*") and r in (resource, "*")}
    return "write" if verbs & {"*", "create"} else "read" if verbs else "none"
