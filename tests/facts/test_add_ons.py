"""EKS add-ons, and what Auto Mode has built in."""

from __future__ import annotations

import re

from automode_constructs.facts.add_ons import add_ons, add_ons_as_of, built_in_add_on, built_in_program, built_ins


def test_what_auto_mode_has_built_in_is_no_add_on_to_install() -> None:
    names = {one.add_on for one in built_ins()} - {None}
    assert names == {
        *("vpc-cni", "kube-proxy", "coredns", "aws-ebs-csi-driver", "eks-pod-identity-agent"),
        "eks-node-monitoring-agent",
    }
    assert not names & add_ons().keys()


def test_programs_are_found_by_the_end_of_an_image() -> None:
    image = "602401143452.dkr.ecr.us-west-2.amazonaws.com/eks/kube-proxy"
    found = built_in_program(image)
    assert found is not None and found.add_on == "kube-proxy"
    assert built_in_program("example.com/my-kube-proxy") is None
    assert built_in_add_on("metrics-server") is None


def test_every_add_on_is_whole() -> None:
    assert add_ons_as_of().year == 2026
    for name, add_on in add_ons().items():
        assert re.fullmatch(r"[a-z0-9-]+", name) and add_on.owner in {"aws", "community"}
        assert add_on.newest is None or re.fullmatch(r"v\d+\.\d+\.\d+-eksbuild\.\d+", add_on.newest)
        assert {*add_on.needs} <= add_ons().keys()
