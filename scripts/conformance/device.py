"""The device: who it is, how it reaches the hub, and what it has heard."""

import secrets
import uuid
from datetime import datetime
from pathlib import Path

import identity
import messages
from expect import acknowledged, expect
from https import Https
from link import Link
from messages import topic


class Device:
    def __init__(self, hub: str, authority: str, token: str, name: str, folder: Path):
        self.hub = hub
        self.authority = authority
        self.token = token
        self.name = name
        self.folder = folder
        self.instance = str(uuid.uuid4())
        self.identity = identity.Identity(folder)
        self.key = identity.new_key()
        self.desired: dict = {}
        self.stream = secrets.token_hex(8)
        # Looked at once: an hour that ends in the middle of a run changes none of its windows.
        self.open_hour = messages.open_hour()

    def request(self, key, token: str | None = None) -> dict:
        csr = identity.signing_request(key, self.name)
        return {"token": token or self.token, "device": self.name, "csr": csr, "instance": self.instance}

    def stranger(self) -> Https:
        """HTTPS without a client certificate."""
        return Https(self.hub, self.authority)

    def https(self) -> Https:
        return Https(self.hub, self.identity.stored["authority"], self.identity.pair)

    def topic(self, kind: str) -> str:
        return topic(self.name, kind)

    def link(self, **unusual) -> Link:
        """A connection as the page says, but for what is `unusual`."""
        stored = self.identity.stored
        usual = {"client_id": self.name, "instance": self.instance, "will_topic": self.topic("status")}
        pair = unusual.pop("pair", self.identity.pair)
        return Link(stored["mqtt"], stored["authority"], pair, **{**usual, **unusual})

    def connected(self) -> Link:
        link = self.link()
        expect(link.accepted, "the hub does not accept the connection")
        return link

    def says(self, link: Link, online: bool, at: str | None = None) -> None:
        acknowledged(link, self.topic("status"), messages.status(online, at), retain=True)

    def hour(self, ago: int) -> datetime:
        """The begin of the window `ago` hours before the one that was open; in the future where it is negative."""
        return self.open_hour - ago * messages.HOUR

    def window(self, sequence: int, ago: int) -> dict:
        return messages.window((self.stream, sequence), self.hour(ago), self.desired)

    def report(self, link: Link, sequence: int, ago: int, **changes) -> None:
        acknowledged(link, self.topic("windows"), {**self.window(sequence, ago), **changes})
