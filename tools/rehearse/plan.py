"""What is rehearsed: the default app, a first deployment that fails, a throw-away app, and two variants.

Each app has an account of its own. R1 to R5 are what the first rehearsals found and must not come back.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from automode_constructs.facts.regions import partition_of
from tools.rehearse.expect import (
    all_in,
    arrived,
    differs,
    ends,
    event_says,
    gone,
    hides_nothing,
    in_state,
    no_objects,
    nothing_left,
    nothing_lost,
    says,
)
from tools.rehearse.stage import Outcome, Stage
from tools.rehearse.step import Step
from tools.rehearse.workplace import REGION

__all__ = ["APPS", "FINDINGS", "App"]

Steps = Iterator[Step[Outcome]]

FINDINGS = {
    "R1": "cdk destroy of a protected app is refused before the first object goes",
    "R2": "an approval that is refused, or that nobody can give, ends in the CLI's own words",
    "R3": "an ephemeral app leaves nothing behind, log groups included",
    "R4": "cdk diff of a change of replicas says 'may be replaced', and nothing is",
    "R5": "a manifest that the server refuses, on the way back too, and what cures it",
}
"""The regression cases, as the table's names have them in brackets."""

_YES = "--require-approval never"
_DONE = ("CREATE_COMPLETE", "UPDATE_COMPLETE")


@dataclass(frozen=True, slots=True)
class App:
    """The steps of an app, its command where it is not that of cdk.json, and its region."""

    steps: Callable[[Stage], Steps]
    command: str | None = None
    region: str = REGION


def _bootstrap(stage: Stage, app: str, *more: str, context: str = "") -> Step[Outcome]:
    words = f"cdk bootstrap {context}".strip()
    return Step(f"{app}/bootstrap", "; ".join([words, *more]), stage.act(words, *more), (ends(0),))


def _default(stage: Stage) -> Steps:
    yield _bootstrap(stage, "default")
    ready, deployed = ("default/bootstrap",), ("default/deploy",)
    yield Step(
        "default/no-terminal [R2]",
        "cdk deploy --all, with nobody to ask",
        stage.act("cdk deploy --all"),
        (
            ends(1),
            says("terminal .TTY. is not attached|without a terminal", "that it has no terminal"),
            hides_nothing(),
        ),
        ready,
    )
    yield Step(
        "default/refused [R2]",
        "cdk deploy --all, answered with n",
        stage.act("cdk deploy --all", answer="n"),
        (ends(1), says("[Aa]borted by user|[Cc]ancelled", "that it was stopped"), hides_nothing()),
        ready,
    )
    yield Step(
        deployed[0],
        f"cdk deploy --all {_YES}",
        stage.act(f"cdk deploy --all {_YES}"),
        (ends(0), all_in("CREATE_COMPLETE"), arrived()),
        ready,
    )
    yield Step(
        "default/again",
        "the same once more",
        stage.act(f"cdk deploy --all {_YES}"),
        (ends(0), all_in("CREATE_COMPLETE"), nothing_lost()),
        deployed,
    )
    two = "-c retail_store_replicas=2"
    yield Step(
        "default/diff [R4]",
        f"cdk diff {two}",
        stage.act(f"cdk diff {two}"),
        (ends(0), differs("Deployment")),
        deployed,
    )
    yield Step(
        "default/change [R4]",
        f"cdk deploy --all {two}",
        stage.act(f"cdk deploy --all {_YES} {two}"),
        (ends(0), all_in(*_DONE), in_state("automode-retail-store", "UPDATE_COMPLETE"), nothing_lost()),
        deployed,
    )
    shop, three = "automode-retail-store", "-c retail_store_replicas=3"
    yield Step(
        "default/break [R5]",
        f"somebody makes the Deployment anew, with another selector; cdk deploy {shop} {three}",
        stage.act(lambda: _with_other_selector(stage), f"cdk deploy {shop} {_YES} {three}"),
        (ends(1), in_state(shop, "UPDATE_ROLLBACK_FAILED"), event_says(shop, "field is immutable")),
        deployed,
    )
    cure = (
        "kubectl delete deployment ui --namespace retail-store",
        f"aws cloudformation continue-update-rollback --stack-name {shop}",
        f"aws cloudformation wait stack-rollback-complete --stack-name {shop}",
        f"cdk deploy {shop} {_YES} {three}",
    )
    yield Step(
        "default/repair [R5]",
        f"{cure[0]}; {cure[1]}; cdk deploy {shop}",
        stage.act(*cure),
        (ends(0), in_state(shop, "UPDATE_COMPLETE"), arrived()),
        ("default/break [R5]",),
    )
    model = "automode-gpt-oss"
    yield Step(
        "default/demo-goes",
        f"cdk destroy {model}",
        stage.act(f"cdk destroy {model} --force"),
        (ends(0), gone(model)),
        deployed,
    )
    yield Step(
        "default/demo-comes",
        f"cdk deploy {model}",
        stage.act(f"cdk deploy {model} {_YES}"),
        (ends(0), in_state(model, "CREATE_COMPLETE"), arrived()),
        ("default/demo-goes",),
    )
    yield Step(
        "default/careless [R1]",
        "cdk destroy automode-cluster",
        stage.act("cdk destroy automode-cluster --force"),
        (ends(1), says("TerminationProtection is enabled", "what protects it"), nothing_lost()),
        deployed,
    )
    yield Step(
        "default/lift",
        "cdk deploy --all -c ephemeral=true",
        stage.act(f"cdk deploy --all {_YES} -c ephemeral=true"),
        (ends(0), all_in(*_DONE)),
        deployed,
    )
    yield Step(
        "default/destroy",
        "cdk destroy --all -c ephemeral=true",
        stage.act("cdk destroy --all --force -c ephemeral=true"),
        (ends(0), gone(), no_objects()),
        ("default/lift",),
    )


def _with_other_selector(stage: Stage) -> None:
    file, log = stage.place.folder / "tmp" / "deployment.json", stage.place.folder / "logs" / "kubectl.log"
    manifest = json.loads(
        stage.place.run("kubectl get deployment ui --namespace retail-store --output json", log).output
    )
    labels = {"app": "ui"}
    manifest["spec"]["selector"] = {"matchLabels": labels}
    manifest["spec"]["template"]["metadata"]["labels"] = labels
    for late in ("resourceVersion", "uid", "creationTimestamp", "generation", "managedFields"):
        manifest["metadata"].pop(late, None)
    file.write_text(json.dumps(manifest), "utf-8")
    stage.place.run(f"kubectl replace --force -f {file}", log)


def _second_try(stage: Stage) -> Steps:
    trust = """'{"Version":"2012-10-17","Statement":[]}'"""
    role = f"aws iam create-role --role-name Admin --assume-role-policy-document {trust}"
    second = f"-c name=second -c demos= -c admin_role_arns=arn:{partition_of(REGION).name}:iam::000000000000:role"
    deploy = f"cdk deploy --all {_YES} {second}"
    yield _bootstrap(stage, "second-try", role, context=f"{second}/Admim")
    quota = "The maximum number of addresses has been reached. (Service: Ec2, Status Code: 400)"
    yield Step(
        "second-try/quota",
        "cdk deploy --all, in an account without Elastic IPs",
        stage.act(stage.refuse({"AWS::EC2::EIP": quota}), f"{deploy}/Admim", stage.refuse({})),
        (ends(1), says("maximum number of addresses", "why"), in_state("second-cluster", "ROLLBACK_COMPLETE")),
        ("second-try/bootstrap",),
    )
    yield Step(
        "second-try/admin",
        "the same once more, with a role that does not exist in admin_role_arns",
        stage.act(f"{deploy}/Admim"),
        (ends(1), says("invalid principal", "why"), in_state("second-cluster", "CREATE_COMPLETE")),
        ("second-try/quota",),
    )
    yield Step(
        "second-try/deploy",
        "the same once more, with a role that exists",
        stage.act(f"{deploy}/Admin"),
        (ends(0), all_in(*_DONE), arrived()),
        ("second-try/quota",),
    )


def _ephemeral(stage: Stage) -> Steps:
    # With its region known, this network is placed by zone ids.
    brief, prerequisite = f"-c name=brief -c ephemeral=true -c region={REGION}", "ephemeral/bootstrap"
    yield _bootstrap(stage, "ephemeral", context=brief)
    for again in ("", "-again"):
        yield Step(
            f"ephemeral/deploy{again}",
            f"cdk deploy --all {brief}",
            stage.act(f"cdk deploy --all {_YES} {brief}"),
            (ends(0), all_in("CREATE_COMPLETE"), arrived()),
            (prerequisite,),
        )
        prerequisite = f"ephemeral/deploy{again}"
        yield Step(
            f"ephemeral/destroy{again} [R3]",
            f"cdk destroy --all {brief}",
            stage.act(f"cdk destroy --all --force {brief}"),
            (ends(0), gone(), no_objects(), nothing_left()),
            (prerequisite,),
        )


def _variant(name: str, platform: str) -> Callable[[Stage], Steps]:
    def steps(stage: Stage) -> Steps:
        yield _bootstrap(stage, name)
        app = f"--app 'python examples/{name}.py'"
        yield Step(
            f"{name}/deploy",
            f"cdk deploy --all {app}",
            stage.act(f"cdk deploy --all {_YES}"),
            (ends(0), all_in("CREATE_COMPLETE"), arrived()),
            (f"{name}/bootstrap",),
        )
        yield Step(
            f"{name}/destroy",
            f"cdk destroy {platform} {app}",
            stage.act(f"cdk destroy {platform} --force"),
            (ends(0), gone(platform), no_objects()),
            (f"{name}/deploy",),
        )

    return steps


APPS: Mapping[str, App] = {
    "default": App(_default),
    "second-try": App(_second_try),
    "ephemeral": App(_ephemeral),
    "isolated": App(_variant("isolated", "IsolatedPlatform"), "python examples/isolated.py", "eu-central-1"),
    "pod_subnets": App(_variant("pod_subnets", "PodSubnetsPlatform"), "python examples/pod_subnets.py", "eu-central-1"),
}
"""What is rehearsed, in this order."""
