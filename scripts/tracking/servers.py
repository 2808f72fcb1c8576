"""A TensorBoard and an MLflow server of this machine, each on a free port, ended with the block that began it."""

import contextlib
import datetime
import ipaddress
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

START_SECONDS = 120


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def program(arguments: list[str], log: Path, **environment: str):
    """A process group of its own; what it says goes to a file."""
    with log.open("wb") as output:
        child = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            env={**os.environ, **environment},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield child
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGTERM)
        try:
            child.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)


def wait_for(child: subprocess.Popen, log: Path, look) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if child.poll() is not None:
            break
        with contextlib.suppress(OSError):
            if look():
                return
        time.sleep(0.3)
    raise RuntimeError(f"a server did not start:\n{log.read_text()[-4000:]}")


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 by itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mlflow")])
    now = datetime.datetime.now(datetime.timezone.utc)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(names, critical=False)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "server.pem", folder / "server-key.pem"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return paths


@contextlib.contextmanager
def mlflow_server(folder: Path, user: str, password: str):
    """MLflow over TLS, for one user with a password; gives its address and its certificate."""
    port = free_port()
    address = f"https://127.0.0.1:{port}"
    own, key = certificate(folder)
    accounts = folder / "accounts.ini"
    accounts.write_text(
        "[mlflow]\ndefault_permission = READ\n"
        f"database_uri = sqlite:///{folder}/accounts.db\n"
        f"admin_username = {user}\nadmin_password = {password}\n"
        "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
    )
    arguments = ["mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    arguments += ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db"]
    arguments += ["--artifacts-destination", str(folder / "artifacts"), "--app-name", "basic-auth"]
    arguments += ["--uvicorn-opts", f"--ssl-certfile {own} --ssl-keyfile {key}"]
    log = folder / "mlflow.log"
    secrets = {"MLFLOW_AUTH_CONFIG_PATH": str(accounts), "MLFLOW_FLASK_SERVER_SECRET_KEY": password}
    with program(arguments, log, **secrets) as child:
        wait_for(child, log, lambda: port_answers(port))
        yield address, own


def port_answers(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), 1):
        return True


@contextlib.contextmanager
def tensorboard_server(logs: Path, folder: Path):
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    log = folder / "tensorboard.log"
    arguments = ["tensorboard.main", "--logdir", str(logs), "--port", str(port), "--host", "127.0.0.1"]
    with program(arguments, log) as child:
        runs = lambda: b'"' in urllib.request.urlopen(f"{address}/data/runs", timeout=5).read()
        wait_for(child, log, runs)
        yield address
