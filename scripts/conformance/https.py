"""The hub over HTTPS: docs/protocol/enrolment.md and refusals.md."""

import http.client
import json
import ssl
import tempfile
import urllib.parse
from dataclasses import dataclass
from pathlib import Path

ANSWER_LIMIT = 64 * 1024
SILENCE_SECONDS = 30


@dataclass(frozen=True)
class Pair:
    """A private key and its certificate, both PEM."""

    key: str
    certificate: str


class Refusal(Exception):
    """The hub's no: its code is what a program goes by."""

    def __init__(self, status: int, code: str, message: str):
        super().__init__(f"{code} ({status}): {message}")
        self.status = status
        self.code = code


def tls_context(authority: str, pair: Pair | None = None) -> ssl.SSLContext:
    """TLS that trusts the fleet's authority (PEM) alone; with a pair it is mutual."""
    # Not ssl.create_default_context(): it would trust nobody else here, but insist on key identifiers.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=authority)
    if pair is not None:
        # OpenSSL takes keys from files alone; the folder is its owner's, and gone at the end.
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "pair.pem"
            path.write_text(pair.key + pair.certificate)
            context.load_cert_chain(path)
    return context


class Https:
    def __init__(self, hub: str, authority: str, pair: Pair | None = None):
        self._address = urllib.parse.urlsplit(hub)
        self._context = tls_context(authority, pair)

    def ask(self, path: str, body: object = None) -> dict:
        """A POST where there is a body, else a GET; gives the JSON of the answer. Raises Refusal."""
        return json.loads(self._request(path, body, ANSWER_LIMIT))

    def download(self, path: str, limit: int) -> bytes:
        return self._request(path, None, limit)

    def _request(self, path: str, body: object, limit: int) -> bytes:
        host, port = self._address.hostname, self._address.port
        connection = http.client.HTTPSConnection(
            host, port, context=self._context, timeout=SILENCE_SECONDS
        )
        try:
            if body is None:
                connection.request("GET", path)
            else:
                headers = {"content-type": "application/json"}
                connection.request("POST", path, json.dumps(body), headers)
            answer = connection.getresponse()
            text = answer.read(limit + 1)
            if len(text) > limit:
                raise ValueError(f"{path}: more than {limit} bytes")
            if answer.status != 200:
                raise refusal_of(answer.status, text)
            return text
        finally:
            connection.close()


def refusal_of(status: int, text: bytes) -> Refusal:
    try:
        said = json.loads(text)
        return Refusal(status, said["error"], said["message"])
    except (ValueError, KeyError, TypeError):
        return Refusal(status, "hub_unreachable", "what answered is no hub")
