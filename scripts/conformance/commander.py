"""An operator's program: docs/protocol/operators.md."""

import json
import time
import uuid
from datetime import datetime, timedelta, timezone
from pathlib import Path

import identity
import messages
from expect import expect
from https import Pair
from link import Link

WAIT_SECONDS = 30
ROLLOUTS = "adbreak/v1/rollouts/+"


class Commander:
    """Who it is, and how it commands; key and certificate are files of its folder."""

    def __init__(self, name: str, folder: Path):
        self.name = name
        self._folder = folder

    @property
    def _certificate(self) -> Path:
        return self._folder / f"{self.name}.pem"

    def request(self) -> None:
        """A key that stays here, and NAME.csr, for which an administrator makes NAME.pem."""
        key = identity.new_key()
        (self._folder / f"{self.name}.key").write_text(identity.key_pem(key))
        (self._folder / f"{self.name}.csr").write_text(identity.signing_request(key, self.name))

    def await_certificate(self) -> None:
        for _ in range(10 * WAIT_SECONDS):
            if self._certificate.exists():
                return
            time.sleep(0.1)
        raise TimeoutError(f"nobody has made {self._certificate}")

    def topic(self, kind: str, name: str) -> str:
        return f"adbreak/v1/operators/{self.name}/{kind}/{name}"

    def link(self, address: str, authority: str, **unusual) -> Link:
        key = (self._folder / f"{self.name}.key").read_text()
        pair = Pair(key, self._certificate.read_text())
        usual = {"client_id": f"operator:{self.name}", "instance": str(uuid.uuid4())}
        return Link(address, authority, pair, **{**usual, **unusual})

    def connected(self, address: str, authority: str) -> Link:
        link = self.link(address, authority)
        expect(link.accepted, "the hub does not accept the operator")
        link.subscribe(self.topic("replies", "+"))
        link.subscribe(ROLLOUTS)
        return link

    def ask(self, link: Link, command: str, *, name: str | None = None, **fields) -> dict:
        """Sends a command, good for five minutes where `deadline` says nothing else, and gives its reply."""
        asked = {"command": command, "deadline": in_minutes(5), **fields}
        return self.send(link, json.dumps(asked).encode(), name)

    def send(self, link: Link, message: bytes, name: str | None = None) -> dict:
        name = name or str(uuid.uuid4())
        expect(link.publish(self.topic("commands", name), message), "the hub acknowledges no command")
        _, reply = link.receive_at(self.topic("replies", name))
        return reply

    def done(self, link: Link, command: str, **fields) -> dict:
        reply = self.ask(link, command, **fields)
        expect(reply["outcome"] == "done", str(reply))
        return reply


def in_minutes(minutes: float) -> str:
    return messages.instant(datetime.now(timezone.utc) + timedelta(minutes=minutes))
