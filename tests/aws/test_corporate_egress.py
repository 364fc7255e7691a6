"""A company's proxy and authorities: on every node, and with the Lambdas that run kubectl."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import cdk8s
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk.assertions import Annotations, Match

from automode_constructs import (
    AutoModeCluster,
    AutoModeNetwork,
    CertificateBundle,
    CertificateConfigMap,
    ClusterValues,
    ExistingNetwork,
    ImportedCluster,
    NodeDefaults,
)
from automode_constructs.aws.corporate_egress import complete_no_proxy
from tests.manifests.test_certificates import certificate
from tests.refusal import refusal
from tests.support import of_type, synthesised, text_of

PROXY = "http://proxy.corp.example:3128"
EXAMPLE = Path(__file__).parents[2] / "examples" / "corporate_root.pem"
DEFAULTS = NodeDefaults(
    https_proxy=PROXY,
    no_proxy=[".corp.example", "localhost"],
    certificate_bundles=[CertificateBundle.from_pem("corporate", EXAMPLE.read_text("utf-8"))],
)
ALWAYS = [
    "localhost",
    "127.0.0.1",
    "169.254.169.254",
    "169.254.170.23",
    ".internal",
    ".svc",
    ".cluster.local",
    ".eks.amazonaws.com",
]


def _cluster(stack: cdk.Stack, **arguments: Any) -> AutoModeCluster:
    return AutoModeCluster(
        stack, "Cluster", **{"cluster_name": "dev", "built_in_pools": [], "node_defaults": DEFAULTS, **arguments}
    )


def _synthesised() -> Iterator[Any]:
    app = cdk.App()
    cluster = _cluster(cdk.Stack(app, "Ours", env=cdk.Environment(region="eu-west-1")))
    yield cluster.values
    imported = ImportedCluster(cdk.Stack(app, "Theirs"), "Cluster", cluster_name="dev", values=cluster.values)
    assert imported.values is not None
    yield synthesised(app)
    (certificates,) = Path(app.outdir).glob("asset.*/automode/certificates.pem")
    yield certificates.parent


@pytest.fixture(scope="module")
def egress() -> tuple[ClusterValues, dict[str, Any], Path]:
    """What charts are told, the templates, and the folder of the layer."""
    values, templates, layer = _synthesised()
    return values, templates, layer


def _lambdas(template: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    functions = of_type(template, "AWS::Lambda::Function")
    (handler,) = [body["Properties"] for name, body in functions.items() if "KubectlProviderHandler" in name]
    (framework,) = [body["Properties"] for name, body in functions.items() if "KubectlProviderframework" in name]
    return handler, framework


Egress = tuple[ClusterValues, dict[str, Any], Path]


class TestNodes:
    def test_what_must_go_past_the_proxy_is_added_once(self, egress: Egress) -> None:
        networking = egress[0].node_class_spec().to_manifest()["advancedNetworking"]
        assert networking == {
            "httpsProxy": PROXY,
            "noProxy": [
                *ALWAYS,
                "s3.eu-west-1.amazonaws.com",
                ".s3.eu-west-1.amazonaws.com",
                "172.20.0.0/16",
                "10.0.0.0/16",
                ".corp.example",
            ],
        }

    def test_endpoints_pods_and_services_go_past_it(self) -> None:
        stack = cdk.Stack(cdk.App(), "Dev", env=cdk.Environment(region="us-east-1"))
        network = AutoModeNetwork(stack, "Network", nat_gateways=0, pod_cidr="100.64.0.0/16")
        for name in ("ECR", "ECR_DOCKER", "EKS", "EKS_AUTH", "LAMBDA_", "STS"):
            network.vpc.add_interface_endpoint(name, service=getattr(ec2.InterfaceVpcEndpointAwsService, name))
        cluster = _cluster(stack, network=network, service_ipv4_cidr="10.200.0.0/20")
        entries = cluster.values.node_class_spec().to_manifest()["advancedNetworking"]["noProxy"]
        assert set(entries) - set(ALWAYS) == {
            "api.ecr.us-east-1.amazonaws.com",
            ".dkr.ecr.us-east-1.amazonaws.com",
            "eks.us-east-1.amazonaws.com",
            "eks-auth.us-east-1.api.aws",
            "lambda.us-east-1.amazonaws.com",
            "sts.us-east-1.amazonaws.com",
            "s3.us-east-1.amazonaws.com",
            ".s3.us-east-1.amazonaws.com",
            "10.200.0.0/20",
            "10.0.0.0/16",
            "100.64.0.0/16",
            ".corp.example",
        }

    def test_ipv6_has_its_own_addresses_of_metadata_and_cluster(self) -> None:
        done = complete_no_proxy("C", DEFAULTS, region="us-east-1", cidrs=[], services=["eks-fips"], ipv6=True)
        assert set(done.no_proxy or ()) >= {
            "::1",
            "fd00:ec2::254",
            "fd00:ec2::23",
            ".eks-cluster.us-east-1.api.aws",
            "fips.eks.us-east-1.amazonaws.com",
        }


class TestKubectl:
    @pytest.mark.parametrize("stack", ["Ours", "Theirs"])
    def test_handler_and_framework_take_the_proxy_and_trust_its_authority(self, egress: Egress, stack: str) -> None:
        handler, framework = _lambdas(egress[1][stack])
        (layer,) = [name for name in of_type(egress[1][stack], "AWS::Lambda::LayerVersion") if "Certificate" in name]
        (proxy,) = [name for name in of_type(egress[1][stack], "AWS::Lambda::LayerVersion") if "ProxyLayer" in name]
        assert framework["Layers"] == [{"Ref": proxy}, {"Ref": layer}]
        assert {"Ref": proxy} not in handler["Layers"]
        for function in (handler, framework):
            variables = function["Environment"]["Variables"]
            assert variables["HTTPS_PROXY"] == PROXY
            assert text_of(variables["NO_PROXY"]).startswith("localhost,127.0.0.1,169.254.169.254,")
            assert function["Layers"][-1] == {"Ref": layer}
        assert handler["Environment"]["Variables"]["AWS_LAMBDA_EXEC_WRAPPER"] == "/opt/automode/trust"
        variables = framework["Environment"]["Variables"]
        assert variables["NODE_USE_ENV_PROXY"] == "1"
        assert variables["NODE_OPTIONS"] == "--require /opt/automode/proxied-agents.cjs"
        assert variables["NODE_EXTRA_CA_CERTS"] == "/opt/automode/certificates.pem"

    def test_the_layer_holds_the_certificates_and_a_wrapper_that_adds_them(
        self, egress: Egress, tmp_path: Path
    ) -> None:
        layer = egress[2]
        assert (layer / "certificates.pem").read_text("utf-8") == EXAMPLE.read_text("utf-8")
        public, joined = tmp_path / "cacert.pem", tmp_path / "joined.pem"
        public.write_text("public\n", "utf-8")
        # The script itself, with the three paths of Lambda led here.
        script = (layer / "trust").read_text("utf-8")
        for there, here in {
            "/opt/awscli/botocore/cacert.pem": public,
            "/opt/automode": layer,
            "/tmp/automode-certificates.pem": joined,
        }.items():
            assert there in script
            script = script.replace(there, str(here))
        ran = subprocess.run(
            ["sh", "-c", script, "trust", "sh", "-c", "echo $AWS_CA_BUNDLE $0", "handler"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert ran.stdout.split() == [str(joined), "handler"]
        assert joined.read_text("utf-8") == "public\n" + EXAMPLE.read_text("utf-8")
        assert (layer / "trust").stat().st_mode & 0o111 == 0o111

    def test_without_a_proxy_nothing_changes(self, cluster_template: dict[str, Any]) -> None:
        handler, framework = _lambdas(cluster_template)
        assert not {"HTTPS_PROXY", "NO_PROXY"} & {*handler["Environment"]["Variables"]}
        assert "Layers" not in framework

    def test_a_cluster_without_kubectl_has_proxied_nodes(self) -> None:
        cluster = _cluster(cdk.Stack(cdk.App(), "Dev"), kubectl=False)
        assert cluster.values.proxy_environment()["HTTPS_PROXY"] == PROXY

    def test_certificates_known_late_are_told_of(self) -> None:
        stack = cdk.Stack(cdk.App(), "Dev")
        data = cdk.CfnParameter(stack, "Pem").value_as_string
        late = NodeDefaults(certificate_bundles=[CertificateBundle(name="late", data=data)])
        _cluster(stack, node_defaults=late)
        Annotations.from_stack(stack).has_warning(
            "/Dev/Cluster",
            "node_defaults.certificate_bundles: a bundle known only after deployment reaches the nodes, but not the "
            "kubectl handler; give it endpoints of eks, lambda and S3, or the certificates as text "
            "[ack: automode:HandlerCertificates]",
        )


class TestWorkloads:
    def test_a_config_map_carries_the_authorities(self, egress: Egress) -> None:
        chart = cdk8s.Testing.chart()
        config = CertificateConfigMap(chart, "trust", values=egress[0])
        (manifest,) = cdk8s.Testing.synth(chart)
        assert manifest == {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "trust"},
            "data": {"certificates.pem": EXAMPLE.read_text("utf-8")},
        }
        assert config.volume() == {"name": "certificates", "configMap": {"name": "trust"}}
        assert config.volume_mount("/etc/corporate") == {
            "name": "certificates",
            "mountPath": "/etc/corporate",
            "readOnly": True,
        }

    def test_a_cluster_without_authorities_has_none_to_carry(self, egress: Egress) -> None:
        values, chart = egress[0], cdk8s.Testing.chart()
        bare = values.replace(node_defaults=None)
        assert refusal(lambda: CertificateConfigMap(chart, "trust", values=bare)) == (
            "test/trust: values: the cluster has no certificate bundles; give it "
            "NodeDefaults(certificate_bundles=[CertificateBundle.from_pem(...)])"
        )
        late = NodeDefaults(certificate_bundles=[CertificateBundle(name="late", data="${Token[TOKEN.1]}")])
        with_late = values.replace(node_defaults=late)
        assert refusal(lambda: CertificateConfigMap(chart, "trust", values=with_late)) == (
            "test/trust: values: a certificate bundle is known only after deployment; give its PEM text at synth"
        )


class TestRefusals:
    def test_an_expired_authority(self) -> None:
        old = NodeDefaults(
            certificate_bundles=[CertificateBundle.from_pem("old", certificate("Old", end="2026-06-01"))]
        )
        stack = cdk.Stack(cdk.App(), "Dev")
        assert refusal(lambda: _cluster(stack, node_defaults=old, as_of=date(2026, 6, 2), version="1.35")) == (
            "Dev/Cluster: node_defaults.certificate_bundles[0].data: 'CN=Old' expired on 2026-06-01; give its successor"
        )

    def test_beside_built_in_pools(self) -> None:
        stack = cdk.Stack(cdk.App(), "Dev")
        assert refusal(lambda: _cluster(stack, built_in_pools=["system"])) == (
            "Dev/Cluster: built_in_pools: ['system'] cannot carry node_defaults.https_proxy, node_defaults.no_proxy, "
            "node_defaults.certificate_bundles: their NodeClass 'default' is EKS's own; set built_in_pools=[] and "
            "deliver pools of your own (ClusterStack does so unless hardened_pools=False)"
        )

    def test_more_entries_than_a_node_class_takes(self) -> None:
        many = NodeDefaults(https_proxy=PROXY, no_proxy=[f"host{number}.corp.example" for number in range(43)])
        assert refusal(
            lambda: complete_no_proxy("Dev/Cluster", many, region="eu-west-1", cidrs=[], services=[], ipv6=False)
        ) == (
            "Dev/Cluster: node_defaults.no_proxy: comes to 51 entries with the 8 that the cluster adds, but a "
            "NodeClass takes 50; name domains ('.corp.example') instead of hosts"
        )

    def test_more_text_than_a_lambda_takes(self) -> None:
        long = NodeDefaults(https_proxy=PROXY, no_proxy=[f"{number}{'a' * 250}" for number in range(10, 30)])
        assert refusal(
            lambda: complete_no_proxy("Dev/Cluster", long, region="eu-west-1", cidrs=[], services=[], ipv6=False)
        ) == (
            "Dev/Cluster: node_defaults.no_proxy: comes to 5,159 characters, but the kubectl handler's environment "
            "has room for 3,500; name domains ('.corp.example') instead of hosts"
        )

    def test_a_vpc_of_unknown_blocks_is_told_of(self) -> None:
        stack = cdk.Stack(cdk.App(), "Dev", env=cdk.Environment(region="eu-west-1"))
        vpc = ec2.Vpc.from_vpc_attributes(
            stack,
            "Vpc",
            vpc_id="vpc-1",
            availability_zones=["eu-west-1a", "eu-west-1b"],
            private_subnet_ids=["subnet-1", "subnet-2"],
        )
        _cluster(stack, network=ExistingNetwork(vpc=vpc, node_subnets=vpc.private_subnets))
        Annotations.from_stack(stack).has_warning(
            "/Dev/Cluster",
            "node_defaults.no_proxy: the network's blocks are not known, so that traffic inside the VPC would take the "
            "proxy; give ExistingNetwork(cidrs=[...]) [ack: automode:ProxyNetwork]",
        )

    def test_the_block_of_a_vpc_made_in_the_app_is_known(self) -> None:
        stack = cdk.Stack(cdk.App(), "Dev")
        vpc = ec2.Vpc(stack, "Vpc", max_azs=2)
        cluster = _cluster(stack, network=ExistingNetwork(vpc=vpc, node_subnets=vpc.private_subnets))
        entries = cluster.values.node_class_spec().to_manifest()["advancedNetworking"]["noProxy"]
        assert {"Fn::GetAtt": [stack.get_logical_id(vpc.node.default_child), "CidrBlock"]} in stack.resolve(entries)  # type: ignore[arg-type]
        assert Annotations.from_stack(stack).find_warning("*", Match.string_like_regexp("no_proxy")) == []


def test_equal_input_gives_equal_templates(egress: Egress) -> None:
    _, again, _ = _synthesised()
    assert json.dumps(again, sort_keys=True) == json.dumps(egress[1], sort_keys=True)
