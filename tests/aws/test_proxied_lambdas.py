"""A proxy as the only way out: the CDK's own Lambda code, run here with what the template and the layers give it.

The provider framework and the kubectl handler are the files of the cloud assembly. Around them stand a proxy that knows
CONNECT and an HTTPS server that plays AWS, both on loopback; a name that anything tries to resolve fails the run, as in
a VPC that nothing else leads out of. The AWS SDK for JavaScript comes with Lambda's runtime, not with us: a stand-in
makes its agent as the SDK does. To run the SDK itself, name a folder that has been filled with
``npm install @aws-sdk/client-lambda @aws-sdk/client-sfn``: ``AUTOMODE_NODE_MODULES=FOLDER/node_modules``.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from automode_constructs import AutoModeCluster, AutoModeNetwork, CertificateBundle, NodeDefaults
from tests.support import of_type, synthesised, text_of

REGION = "eu-west-1"
LAMBDA, EKS = f"lambda.{REGION}.amazonaws.com", f"eks.{REGION}.amazonaws.com"
ANSWERS = f"cloudformation-custom-resource-response-euwest1.s3-{REGION}.amazonaws.com"
EVENT = {
    "RequestType": "Create",
    "ResourceType": "Custom::AWSCDK-EKS-KubernetesResource",
    "RequestId": "request",
    "StackId": "stack",
    "LogicalResourceId": "Pod",
    "ResponseURL": f"https://{ANSWERS}/answer?signature=1",
    "ResourceProperties": {"ClusterName": "dev", "Manifest": json.dumps([{"kind": "Pod"}])},
}

NO_NAMES = """'use strict';
const dns = require('node:dns');
dns.lookup = (name, options, callback) => {
  const done = callback ?? options;
  process.nextTick(() => done(new Error(`nobody resolves ${name} here`)));
};
"""

SDK = """'use strict';
const https = require('node:https');
exports.Lambda = class {
  agent = new https.Agent({ keepAlive: false, maxSockets: 50 });
  invoke({ FunctionName, Payload }) {
    return new Promise((resolve, reject) => {
      const request = https.request({
        agent: this.agent,
        method: 'POST',
        hostname: `lambda.${process.env.AWS_REGION}.amazonaws.com`,
        path: `/2015-03-31/functions/${encodeURIComponent(FunctionName)}/invocations`,
      }, (response) => {
        const parts = [];
        response.on('data', (part) => parts.push(part));
        response.on('end', () => resolve({ Payload: Buffer.concat(parts) }));
      });
      request.on('error', reject);
      request.end(Payload);
    });
  }
};
exports.waitUntilFunctionActiveV2 = async () => {};
exports.SFN = class {};
"""

AWS_CLI = f"""#!{sys.executable}
import os
import botocore.session
client = botocore.session.get_session().create_client("eks", region_name=os.environ["AWS_REGION"])
print(client.describe_cluster(name="dev")["cluster"]["endpoint"])
"""


@dataclass
class Surroundings:
    """The proxy, AWS behind it, and the assembly of a cluster that knows the proxy."""

    proxied: list[str] = field(default_factory=list)
    """The hosts that the proxy was asked for."""
    requests: list[tuple[str, str, str, Any]] = field(default_factory=list)
    """What AWS was asked: method, host, path, body."""
    assembly: Path = Path()
    opt: Path = Path()
    """What the layers put into ``/opt/automode``."""
    variables: dict[str, dict[str, str]] = field(default_factory=dict)
    """The environment of the framework and of the handler."""

    def asset(self, name: str) -> Path:
        (file,) = self.assembly.glob(f"asset.*/{name}")
        return file.parent

    def environment(self, function: str, **more: str) -> dict[str, str]:
        variables = {
            name: value.replace("/opt/automode", str(self.opt)) for name, value in self.variables[function].items()
        }
        return {
            "PATH": os.environ["PATH"],
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            **variables,
            **more,
        }


@pytest.fixture(scope="module")
def surroundings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Surroundings]:
    folder = tmp_path_factory.mktemp("proxied")
    made = Surroundings()
    with ExitStack() as stack:
        pem, key = _authority()
        folder.joinpath("server.pem").write_text(pem + key, "utf-8")
        aws = stack.enter_context(_aws(folder / "server.pem", made))
        proxy = stack.enter_context(_proxy(aws, made))
        _synthesise(f"http://127.0.0.1:{proxy}", pem, made, folder / "opt")
        yield made


@pytest.fixture
def around(surroundings: Surroundings) -> Surroundings:
    surroundings.proxied.clear()
    surroundings.requests.clear()
    return surroundings


def _authority() -> tuple[str, str]:
    """A certificate that signs itself for the names of AWS, as a proxy that opens TLS makes one; and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Corporate")])
    certificate = (
        x509.CertificateBuilder(
            subject_name=name,
            issuer_name=name,
            public_key=key.public_key(),
            serial_number=7,
            not_valid_before=datetime(2020, 1, 1, tzinfo=UTC),
            not_valid_after=datetime(2049, 1, 1, tzinfo=UTC),
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in (LAMBDA, EKS, ANSWERS)]), False)
        .sign(key, hashes.SHA256())
    )
    return (
        certificate.public_bytes(serialization.Encoding.PEM).decode(),
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode(),
    )


@contextmanager
def _served(server: ThreadingHTTPServer) -> Iterator[int]:
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def _aws(certificate: Path, made: Surroundings) -> Iterator[int]:
    class Answer(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            host = self.headers["host"].partition(":")[0]
            made.requests.append((self.command, host, self.path, json.loads(body) if body else None))
            answer = {LAMBDA: {"PhysicalResourceId": "pod"}, EKS: {"cluster": {"endpoint": "https://api"}}}.get(
                host, {}
            )
            text = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_PUT = _answer  # noqa: N815 - so the server names them

        def log_message(self, *_: object) -> None:
            pass

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    with _served(server) as port:
        yield port


@contextmanager
def _proxy(aws: int, made: Surroundings) -> Iterator[int]:
    class Connect(BaseHTTPRequestHandler):
        def do_CONNECT(self) -> None:
            made.proxied.append(self.path)
            with socket.create_connection(("127.0.0.1", aws)) as there:
                self.send_response(200)
                self.end_headers()
                back = threading.Thread(target=_pipe, args=(there, self.connection))
                back.start()
                _pipe(self.connection, there)
                back.join()
            self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    with _served(ThreadingHTTPServer(("127.0.0.1", 0), Connect)) as port:
        yield port


def _pipe(source: socket.socket, target: socket.socket) -> None:
    try:
        while part := source.recv(65536):
            target.sendall(part)
        target.shutdown(socket.SHUT_WR)
    except OSError:  # The other side is gone.
        pass


def _synthesise(proxy: str, pem: str, made: Surroundings, opt: Path) -> None:
    app = cdk.App()
    stack = cdk.Stack(app, "Dev", env=cdk.Environment(region=REGION))
    AutoModeCluster(
        stack,
        "Cluster",
        cluster_name="dev",
        built_in_pools=[],
        network=AutoModeNetwork(stack, "Network", isolated=True),
        node_defaults=NodeDefaults(
            https_proxy=proxy, certificate_bundles=[CertificateBundle.from_pem("corporate", pem)]
        ),
    )
    functions = of_type(synthesised(app)["Dev"], "AWS::Lambda::Function")
    for name, mark in (("framework", "KubectlProviderframework"), ("handler", "KubectlProviderHandler")):
        (found,) = [body["Properties"] for key, body in functions.items() if mark in key]
        made.variables[name] = {
            key: text_of(value).replace('"', "") for key, value in found["Environment"]["Variables"].items()
        }
    made.assembly, made.opt = Path(app.outdir), opt
    for layer in made.assembly.glob("asset.*/automode"):
        shutil.copytree(layer, opt, dirs_exist_ok=True)


def _framework(around: Surroundings, folder: Path, *, modules: Path | None = None, **variables: str | None) -> None:
    """Runs the framework on an event of CloudFormation."""
    if modules is None:
        modules = folder / "node_modules"
        for name in ("client-lambda", "client-sfn"):
            modules.joinpath("@aws-sdk", name).mkdir(parents=True)
            modules.joinpath("@aws-sdk", name, "index.js").write_text(SDK, "utf-8")
    folder.joinpath("no-names.cjs").write_text(NO_NAMES, "utf-8")
    changed = {**around.environment("framework", NODE_PATH=str(modules)), **variables}
    script = f"require('./framework.js').onEvent({json.dumps(EVENT)})"
    subprocess.run(
        ["node", "--require", str(folder / "no-names.cjs"), "-e", script],
        cwd=around.asset("framework.js"),
        env={name: value for name, value in changed.items() if value is not None},
        capture_output=True,
        check=True,
        timeout=120,
    )


def _answer(around: Surroundings) -> Mapping[str, Any]:
    """What CloudFormation was told."""
    (answer,) = [body for method, host, _, body in around.requests if (method, host) == ("PUT", ANSWERS)]
    assert isinstance(answer, dict)
    return answer


class TestFramework:
    def test_call_and_answer_go_through_the_proxy(self, around: Surroundings, tmp_path: Path) -> None:
        _framework(around, tmp_path)
        assert around.proxied == [f"{LAMBDA}:443", f"{ANSWERS}:443"]
        (call,) = [body for _, host, _, body in around.requests if host == LAMBDA]
        assert call["ResourceProperties"] == EVENT["ResourceProperties"]
        assert (_answer(around)["Status"], _answer(around)["PhysicalResourceId"]) == ("SUCCESS", "pod")

    def test_the_switch_of_node_alone_leaves_the_call_behind(self, around: Surroundings, tmp_path: Path) -> None:
        _framework(around, tmp_path, NODE_OPTIONS=None)
        assert around.proxied == [f"{ANSWERS}:443"]
        assert _answer(around)["Status"] == "FAILED"
        assert f"nobody resolves {LAMBDA} here" in _answer(around)["Reason"]

    def test_what_an_endpoint_serves_goes_past_it(self, around: Surroundings, tmp_path: Path) -> None:
        past = f"{around.environment('framework')['NO_PROXY']},{LAMBDA}"
        _framework(around, tmp_path, NO_PROXY=past)
        assert around.proxied == [f"{ANSWERS}:443"]
        assert f"nobody resolves {LAMBDA} here" in _answer(around)["Reason"]

    def test_the_sdk_itself(self, around: Surroundings, tmp_path: Path) -> None:
        modules = os.environ.get("AUTOMODE_NODE_MODULES")
        if modules is None:
            pytest.skip("no AUTOMODE_NODE_MODULES: a stand-in has made the agents of the AWS SDK for JavaScript")
        _framework(around, tmp_path, modules=Path(modules))
        assert around.proxied == [f"{LAMBDA}:443", f"{ANSWERS}:443"]
        assert _answer(around)["Status"] == "SUCCESS"

    def test_agents_of_every_kind_take_it(self, around: Surroundings) -> None:
        """ES modules, subclasses, old constructors; an agent with a proxy of its own keeps it."""
        script = """
            import { Agent } from 'node:https';
            import https from 'node:https';
            import { inherits } from 'node:util';
            class Own extends Agent {}
            function Old(options) { https.Agent.call(this, options); }
            inherits(Old, https.Agent);
            const made = [new Agent(), new Own({}), https.Agent(), new Old(), new Agent({ proxyEnv: {} })];
            const told = made.map((agent) => agent.options.proxyEnv?.HTTPS_PROXY ?? null);
            console.log(JSON.stringify([told, made.every((each) => each instanceof Agent), made[1] instanceof Own]));
        """
        ran = subprocess.run(
            ["node", "--input-type=module", "-e", script],
            env=around.environment("framework"),
            capture_output=True,
            text=True,
            check=True,
        )
        proxy = around.variables["framework"]["HTTPS_PROXY"]
        assert json.loads(ran.stdout) == [[proxy, proxy, proxy, proxy, None], True, True]


def test_the_handler_finds_the_cluster_through_the_proxy(around: Surroundings, tmp_path: Path) -> None:
    """The AWS CLI is played by its engine, botocore; kubectl by a script that keeps its arguments."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for name, text in {"aws": AWS_CLI, "kubectl": f'#!/bin/sh\necho "$@" >{tmp_path}/kubectl\n'}.items():
        tools.joinpath(name).write_text(text, "utf-8")
        tools.joinpath(name).chmod(0o755)
    public = tmp_path / "cacert.pem"
    public.write_text("", "utf-8")
    wrapper = (around.opt / "trust").read_text("utf-8").replace("/opt/awscli/botocore/cacert.pem", str(public))
    wrapper = wrapper.replace("/opt/automode", str(around.opt)).replace("/tmp/automode", f"{tmp_path}/automode")
    call = f"import index; index.handler({EVENT!r}, None)"
    subprocess.run(
        ["sh", "-c", wrapper, "trust", sys.executable, "-c", call],
        cwd=around.asset("index.py"),
        env=around.environment(
            "handler",
            PATH=f"{tools}{os.pathsep}{os.environ['PATH']}",
            PYTHONDONTWRITEBYTECODE="1",
            TEST_OUTDIR=str(tmp_path),
        ),
        capture_output=True,
        check=True,
    )
    assert around.proxied == [f"{EKS}:443"]
    assert [request[:3] for request in around.requests] == [("GET", EKS, "/clusters/dev")]
    assert tmp_path.joinpath("kubectl").read_text("utf-8").startswith("create --kubeconfig")
