"""A Job that copies a model's weights into S3 once, before you pay for a GPU."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from typing import Any

from constructs import Construct

from automode_constructs.arguments import checked_arguments, is_whole_number
from automode_constructs.errors import AutoModeError, Problem, shown
from automode_constructs.inference.destinations import destination_problems, hub_rule, pod_egress
from automode_constructs.inference.image import ImageReference
from automode_constructs.inference.model_preset import ModelPreset
from automode_constructs.inference.weights import LONGEST_AWAITED_SECONDS, STAGING_DEADLINE, S3Weights, SecretKey
from automode_constructs.manifests.kubernetes_object import KubernetesObject, note_warning, wait_for
from automode_constructs.manifests.pod_network_policy import PodNetworkPolicy
from automode_constructs.specs import labels
from automode_constructs.specs.object_metadata import kubernetes_name
from automode_constructs.specs.quantity import number
from automode_constructs.specs.traffic.network_policy import ApplicationEgressRule
from automode_constructs.tokens import is_token

__all__ = ["STAGING_IMAGE", "WeightStaging"]

STAGING_IMAGE = "public.ecr.aws/lambda/python:3.13.2026.06.05.14"
"""AWS's image with Python 3.13 and boto3, for amd64 and arm64; runs as any user on a read-only root.

Its digest could not be looked up here: pin one where it matters.
Source: AWS Lambda Developer Guide, "Deploy Python Lambda functions with container images".
"""

_PROGRAM = "stage_weights.py"
_FOLDER = "/stage-weights"
_CONTAINER = "stage-weights"
_USER = 1000
_SETTINGS_EXIT = 2
"""The program's exit code for a failure that no retry can fix."""

_SHORTEST_DEADLINE_SECONDS = 60
_LONGEST_NAME = 63
_COMMIT = re.compile(r"[0-9a-f]{40}")
_REPOSITORY = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]{0,95}/)?[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TEXT_TOKEN = re.compile(r"\$\{Token\[[^\]]*\]\}")
_OURS = {"HF_ENDPOINT": "hub_endpoint", "HF_TOKEN": "token"}
"""Variables derived from other arguments, and the argument each comes from."""


class WeightStaging(Construct):
    """Copies one commit of a model from the Hugging Face hub into the bucket that servers load it from.

    Creates a Job on ordinary nodes of Auto Mode, a ConfigMap with its program, a ServiceAccount, and network policies
    (see ``PodNetworkPolicy``) by which its pods reach DNS, EKS Pod Identity, the hub and S3 and are reached by nobody,
    in the chart's namespace. The Job streams the files through memory, compares sizes and digests with the hub's,
    writes the marker ``.ready.json`` last, and copies nothing if the marker is already there. When a pod fails, another
    one copies what is missing; settings that can never work end the Job at once. Jobs are immutable in Kubernetes, so
    the Job's name holds the model, the commit and a digest of all settings and the program: a change makes a new Job,
    which finds the objects of the old one. Values known only after deployment are not part of the digest: when one of
    them changes, increase ``run``.

    The service account needs an EKS Pod Identity association (by its namespace and name) with a role that allows
    ``s3:ListBucket`` and ``s3:ListBucketMultipartUploads`` on the bucket, ``s3:GetObject``, ``s3:PutObject`` and
    ``s3:AbortMultipartUpload`` under the prefix, and ``kms:GenerateDataKey`` and ``kms:Decrypt`` on the bucket's own
    KMS key. The pods must reach the hub and S3 over HTTPS; with a proxy, add 169.254.170.23 to ``NO_PROXY``.

    A CloudFormation deployment waits for the Job before it creates what depends on this construct, for at most 14
    minutes; the Job gives up before that. A copy that fails or takes longer fails the deployment, and CloudFormation
    deletes the Job again. Files are copied one after another, and complete ones stay in the bucket, so the next
    deployment resumes at the file where this one stopped, provided it finds the same bucket. Create the bucket in a
    stack of its own. In the stack that fails it is deleted too or, if retained, left behind while the next deployment
    creates another one.

    The Job never deletes itself: CloudFormation would not notice, and GitOps would create it again.

    Args:
        scope: the cdk8s chart, or a construct in one.
        id: the construct's id.
        model: the model; its repository, commit and files determine what is copied.
        weights: the target; give servers the same value. A prefix is for one commit only, so include the commit in it.
        image: an image with Python 3.11 or later as ``python3`` and boto3, by tag or digest; from your own registry
            if nodes reach no other. Default: ``STAGING_IMAGE``; we decide.
        service_account: name of an existing ServiceAccount. Default: one of our own, named after the construct's id;
            we decide.
        hub_endpoint: address of a mirror of the hub. Default: the hub itself; we decide.
        token: the Secret with an access token of the hub. Default: none, which open models do not need.
        environment: more environment variables of the container and the init container, as text, e.g. ``HTTPS_PROXY``.
            Default: none.
        cpu: vCPU that the pod requests. Default: 1, which fits the smallest ordinary types; we decide.
        memory: memory that the pod requests and may use; a file in transfer takes up to 0.3 GiB.
            Default: 1Gi; we decide.
        retries: pods that may fail before the Job does, 0 to 20, with 10, 20, 40 ... seconds between them; the first
            ones may start before their permissions are in force. Default: 3, about two minutes; we decide.
        deadline: seconds after which the Job fails, at least 60. Use more than 780 only if no CloudFormation deployment
            waits for the copy. Default: 780, which ends before such a deployment stops waiting; we decide.
        network_policy: whether to write network policies. Default: True; we decide.
        egress: where the pods may open connections to besides DNS and EKS Pod Identity; ``https_to`` makes a rule.
            Default: the hub's domain names or the host of ``hub_endpoint``, S3 as ``weights`` says, and the proxy in
            ``environment``; we decide. A mirror that redirects to other hosts needs them here.
        run: increase it to run again with the same settings, for example into a new bucket. Default: 1; we decide.

    Raises:
        AutoModeError: with every problem: a branch instead of a commit, an invalid bucket or image, a variable that
            another argument sets, numbers out of bounds.

    Source: EKS User Guide, "Understand how EKS Pod Identity works"; Kubernetes documentation, "Jobs", "Pod failure
    policy"; aws-samples/sample-eks-nitro-sandbox, service-account.yaml (Pod Identity brings its own token).
    """

    @checked_arguments
    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        model: ModelPreset,
        weights: S3Weights,
        image: str = STAGING_IMAGE,
        service_account: str | None = None,
        hub_endpoint: str | None = None,
        token: SecretKey | None = None,
        environment: Mapping[str, str] | None = None,
        cpu: int | str = 1,
        memory: int | str = "1Gi",
        retries: int = 3,
        deadline: int = LONGEST_AWAITED_SECONDS,
        network_policy: bool = True,
        egress: Sequence[ApplicationEgressRule] | None = None,
        run: int = 1,
    ) -> None:
        where = f"{scope.node.path}/{id}".removeprefix("/")
        weights.check(where)
        self.image = ImageReference.of(where, image)
        account = kubernetes_name(where, id if service_account is None else service_account)
        variables = environment or {}
        problems = [
            *_model_problems(model),
            *_endpoint_problems(hub_endpoint),
            *_environment_problems(variables),
            *_quantity_problems(cpu=cpu, memory=memory),
            *_bound_problems("retries", retries, 0, 20),
            *_bound_problems("deadline", deadline, _SHORTEST_DEADLINE_SECONDS, None),
            *_bound_problems("run", run, 1, None),
        ]
        if network_policy and not problems:
            problems += destination_problems(egress, variables, hub_endpoint=hub_endpoint)
        elif egress is not None and not network_policy:
            message, cure = "has no effect with network_policy=False", "leave egress out, or network_policy"
            problems.append(Problem(field="egress", message=message, cure=cure))
        if problems:
            raise AutoModeError(where, problems)
        super().__init__(scope, id)
        self.model = model
        self.weights = weights
        self.service_account = account
        """The name that a Pod Identity association needs, in addition to the namespace."""
        self._environment = [{"name": name, "value": value} for name, value in variables.items()]
        program = files(__package__).joinpath(_PROGRAM).read_text("utf-8")
        container = self._container(_CONTAINER, "copy")
        if hub_endpoint is not None:
            container["env"].append({"name": "HF_ENDPOINT", "value": hub_endpoint})
        if token is not None:
            container["env"].append(token.environment("HF_TOKEN"))
        container["resources"] = {"requests": {"cpu": cpu, "memory": memory}, "limits": {"memory": memory}}
        pod = _pod_spec(account, container)
        spec = _job_spec(pod, retries=retries, deadline=deadline)
        self.name = _name(model, program, spec, run)
        """Name of the Job and of the ConfigMap."""
        pod["volumes"] = [self.volume()]
        if service_account is None:
            KubernetesObject(
                self,
                "account",
                api_version="v1",
                kind="ServiceAccount",
                name=account,
                cluster_scoped=False,
                body={"automountServiceAccountToken": False},
            )
        self.config_map = KubernetesObject(
            self,
            "program",
            api_version="v1",
            kind="ConfigMap",
            name=self.name,
            cluster_scoped=False,
            body={"immutable": True, "data": {_PROGRAM: program}},
        )
        self.job = KubernetesObject(
            self,
            "job",
            api_version="batch/v1",
            kind="Job",
            name=self.name,
            longest_name=_LONGEST_NAME,
            cluster_scoped=False,
            body={"spec": spec},
        )
        if network_policy:
            PodNetworkPolicy(
                self,
                "traffic",
                name=self.name,
                # Kubernetes adds this label; other Jobs of the namespace may copy other models, from elsewhere.
                pod_labels={"batch.kubernetes.io/job-name": self.name},
                egress=pod_egress(
                    [hub_rule(hub_endpoint), *weights.egress(variables)] if egress is None else [], egress, variables
                ),
            )
        wait_for(self.job, ".status.succeeded")
        if deadline > LONGEST_AWAITED_SECONDS:
            problem = STAGING_DEADLINE.problem(
                "deadline",
                f"the Job may take {deadline} s, but a CloudFormation deployment fails after 840 s without the reason",
                f"set it to {LONGEST_AWAITED_SECONDS} or less, and deploy again if a copy takes longer: it resumes",
            )
            note_warning(self.job, problem.rule, str(problem))

    @checked_arguments
    def init_container(self, *, image: str | None = None) -> dict[str, Any]:
        """The first init container of a server: it fails, with the reason, if weights are missing.

        It covers what happens after the deployment, such as an emptied bucket. It ends within seconds, before the
        server's image is pulled. The server must be in the same namespace, its pods also need ``volume()``, and its
        role needs ``s3:ListBucket`` and ``s3:GetObject``.

        Args:
            image: an image as for the Job. The server's own image is not pulled twice, but then the check runs only
                after that pull. Default: the Job's image; we decide.

        Raises:
            AutoModeError: for a value that is not an image with tag or digest.
        """
        container = self._container("weights-ready", "check", f"--job={self.name}")
        if image is not None:
            container["image"] = ImageReference.of(self.node.path, image).text
        container["resources"] = {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}}
        return container

    def volume(self) -> dict[str, Any]:
        """The volume with the program that ``init_container()`` runs."""
        return {"name": _CONTAINER, "configMap": {"name": self.name}}

    def _container(self, name: str, command: str, *more: str) -> dict[str, Any]:
        patterns = [f"--include={pattern}" for pattern in self.model.files]
        return {
            "name": name,
            "image": self.image.text,
            "command": ["python3", "-B", f"{_FOLDER}/{_PROGRAM}", command],
            "args": [
                f"--repository={self.model.repository}",
                f"--revision={self.model.revision}",
                f"--bucket={self.weights.bucket}",
                f"--prefix={self.weights.prefix}",
                # Folders hold the same weights in other formats, and servers read none of them.
                *([*patterns, "--exclude=*/*"] if command == "copy" else []),
                *more,
            ],
            "env": list(self._environment),
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            },
            "terminationMessagePolicy": "FallbackToLogsOnError",
            "volumeMounts": [{"name": _CONTAINER, "mountPath": _FOLDER, "readOnly": True}],
        }


def _pod_spec(account: str, container: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "serviceAccountName": account,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        # A pod that began before its Pod Identity association never gets credentials; a new one does.
        "restartPolicy": "Never",
        "nodeSelector": {str(labels.COMPUTE_TYPE): "auto"},
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _USER,
            "runAsGroup": _USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
    }


def _job_spec(pod: Mapping[str, Any], *, retries: int, deadline: int) -> dict[str, Any]:
    hopeless = {"containerName": _CONTAINER, "operator": "In", "values": [_SETTINGS_EXIT]}
    return {
        "backoffLimit": retries,
        "activeDeadlineSeconds": deadline,
        "podFailurePolicy": {
            "rules": [
                {"action": "FailJob", "onExitCodes": hopeless},
                {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
            ]
        },
        "template": {
            "metadata": {
                "labels": {"app.kubernetes.io/name": _CONTAINER},
                # Finishing a copy is worth more than moving to a cheaper node.
                "annotations": {"karpenter.sh/do-not-disrupt": "true"},
            },
            "spec": pod,
        },
    }


def _name(model: ModelPreset, program: str, spec: Mapping[str, Any], run: int) -> str:
    """Model, commit, and a digest of the Job's settings; without tokens, whose text differs in every synthesis."""
    settings = _TEXT_TOKEN.sub("token", json.dumps([program, spec, run], sort_keys=True))
    digest = hashlib.sha256(settings.encode()).hexdigest()[:8]
    slug = re.sub(r"[^a-z0-9]+", "-", model.repository.rpartition("/")[2].lower())[:35].strip("-")
    return f"stage-{slug}-{model.revision[:12]}-{digest}"


def _model_problems(model: ModelPreset) -> Iterator[Problem]:
    if _REPOSITORY.fullmatch(model.repository) is None:
        yield Problem(
            field="model.repository",
            message=f"{shown(model.repository)} is not a repository of the hub",
            cure="write 'owner/name'",
        )
    if _COMMIT.fullmatch(model.revision) is None:
        yield Problem(
            field="model.revision",
            message=f"{shown(model.revision)} is not a commit, and a branch's files change",
            cure="write the commit's 40 hexadecimal digits",
        )
    if not model.files:
        yield Problem(field="model.files", message="is empty", cure="name patterns such as '*.safetensors'")


def _endpoint_problems(endpoint: str | None) -> Iterator[Problem]:
    if endpoint is not None and not is_token(endpoint) and not endpoint.startswith(("https://", "http://")):
        yield Problem(field="hub_endpoint", message=f"{shown(endpoint)} is not a URL", cure="begin it with 'https://'")


def _environment_problems(environment: Mapping[str, str]) -> Iterator[Problem]:
    for name in environment:
        field = f"environment[{shown(name)}]"
        if name in _OURS:
            yield Problem(field=field, message=f"is set by '{_OURS[name]}'", cure=f"use '{_OURS[name]}'")
        elif _VARIABLE.fullmatch(name) is None:
            yield Problem(
                field=field, message="is not the name of a variable", cure="use letters, digits and '_', no digit first"
            )


def _quantity_problems(**quantities: int | str) -> Iterator[Problem]:
    for field, value in quantities.items():
        amount = number(value) if isinstance(value, int | str) else None
        if amount is None or amount <= 0:
            yield Problem(
                field=field, message=f"{shown(value)} is not a quantity above 0", cure="write it as 1, '500m' or '1Gi'"
            )


def _bound_problems(field: str, value: int, least: int, most: int | None) -> Iterator[Problem]:
    if not is_whole_number(value) or value < least or (most is not None and value > most):
        bounds = f"at least {least}" if most is None else f"of {least} to {most}"
        yield Problem(field=field, message=f"must be a whole number {bounds}, got {shown(value)}")
