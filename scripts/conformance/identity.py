"""Key, certificate, renewal: docs/protocol/enrolment.md."""

import json
import os
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from https import Https, Pair


def key_pem(key) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


def signing_request(key, name: str) -> str:
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject)
    return request.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def new_key():
    return ec.generate_private_key(ec.SECP256R1())


def key_of_another_kind():
    """One that the hub does not sign."""
    return rsa.generate_private_key(65537, 2048)


def is_for(certificate: str, key, name: str) -> bool:
    parsed = x509.load_pem_x509_certificate(certificate.encode())
    names = parsed.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return [one.value for one in names] == [name] and parsed.public_key() == key.public_key()


class Identity:
    """Who the device is, in one file: after a power cut there is a pair, the old one or the new one."""

    def __init__(self, folder: Path):
        self._path = folder / "identity.json"
        self.stored: dict = json.loads(self._path.read_text()) if self._path.exists() else {}

    @property
    def pair(self) -> Pair:
        return Pair(self.stored["key"], self.stored["certificate"])

    def enrol(self, hub: str, authority: str, request: dict, key) -> dict:
        answer = Https(hub, authority).ask("/api/v1/enrol", request)
        if not is_for(answer["certificate"], key, request["device"]):
            raise ValueError("the certificate is not for this key and name")
        self._save({**answer, "key": key_pem(key), "previous": None})
        return answer

    def renew(self, hub: str) -> None:
        """The next certificate, for a new key; the pair before stays beside it."""
        key = new_key()
        https = Https(hub, self.stored["authority"], self.pair)
        csr = signing_request(key, self.stored["device"])
        certificate = https.ask("/agent/renew", {"csr": csr})["certificate"]
        if not is_for(certificate, key, self.stored["device"]):
            raise ValueError("the certificate is not for this key and name")
        before = {"key": self.stored["key"], "certificate": self.stored["certificate"]}
        self._save({**self.stored, "key": key_pem(key), "certificate": certificate, "previous": before})

    def _save(self, value: dict) -> None:
        part = self._path.with_suffix(".part")
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(value, file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)
        self.stored = value
