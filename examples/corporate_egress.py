"""A corporate forward proxy, and the certificate authority with which it inspects TLS.

You state both once: nodes pull images through the proxy, and so do the Lambdas that run kubectl. The cluster adds the
destinations that must bypass it (metadata service, cluster endpoint, VPC endpoints, networks). Pods use the proxy only
if their charts say so; "trust" shows how: variables, and the authority as a file. You run the proxy itself.
"""

from pathlib import Path

import aws_cdk as cdk
import cdk8s

from automode_constructs import CertificateBundle, CertificateConfigMap, ChartDelivery, KubernetesObject, NodeDefaults
from automode_constructs.patterns import AccessStack, ClusterStack, PlatformStack

app = cdk.App()
ADMIN = f"arn:{cdk.Aws.PARTITION}:iam::111122223333:role/Admin"
env = cdk.Environment(region="eu-central-1")
cluster = ClusterStack(
    app,
    "Corporate",
    cluster_name="corporate",
    node_defaults=NodeDefaults(
        https_proxy="http://proxy.corp.example:3128",
        no_proxy=[".corp.example"],
        certificate_bundles=[
            CertificateBundle.from_pem("corporate", Path(__file__).with_name("corporate_root.pem").read_text("utf-8"))
        ],
    ),
    env=env,
).cluster
AccessStack(app, "CorporateAccess", cluster=cluster, admin_role_arns=[ADMIN], env=env)
platform = PlatformStack(app, "CorporatePlatform", cluster=cluster, env=env)

chart = cdk8s.Chart(cdk8s.App(), "trust", namespace="default")
trust = CertificateConfigMap(chart, "corporate-trust", values=cluster.values)
# The proxy inspects all TLS, so its authority is enough.
environment = {**cluster.values.proxy_environment(), "SSL_CERT_FILE": "/etc/corporate/certificates.pem"}
container = {
    "name": "fetch",
    "image": "public.ecr.aws/docker/library/python:3.13-slim",
    "command": ["python", "-c", "import urllib.request as u; print(u.urlopen('https://example.com').status)"],
    "env": [{"name": name, "value": value} for name, value in environment.items()],
    "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}},
    "volumeMounts": [trust.volume_mount("/etc/corporate")],
}
pod = {"restartPolicy": "Never", "containers": [container], "volumes": [trust.volume()]}
body = {"spec": {"backoffLimit": 3, "template": {"spec": pod}}}
KubernetesObject(chart, "fetch", api_version="batch/v1", kind="Job", cluster_scoped=False, body=body)
ChartDelivery(platform, "Trust", cluster=cluster, chart=chart)
app.synth()
