"""Models as TUF targets: docs/protocol/downloads.md. It keeps nothing between runs; a product takes a client that does."""

import hashlib
import json
from datetime import datetime, timezone

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from https import Https, Refusal

METADATA_LIMIT = 5_000_000
MODEL_LIMIT = 256 * 1024 * 1024


class Untrusted(Exception):
    """What came is not what somebody whom this device trusts has signed."""


def canonical(value: object) -> str:
    """Canonical JSON: no white space, keys in order, two escapes."""
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, dict):
        return "{" + ",".join(f"{canonical(key)}:{canonical(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    return json.dumps(value)


def verify(metadata: dict, role: str, root: dict) -> dict:
    """The signed part, when enough of the keys that `root` names for the role have signed it, and it is in its time."""
    signed = metadata["signed"]
    if signed["_type"] != role:
        raise Untrusted(f"{role}: it is {signed['_type']}")
    trusted = root["roles"][role]
    message = canonical(signed).encode()
    good = {
        signature["keyid"]
        for signature in metadata["signatures"]
        if signature["keyid"] in trusted["keyids"]
        and is_signed(message, signature["sig"], root["keys"][signature["keyid"]])
    }
    if len(good) < trusted["threshold"]:
        raise Untrusted(f"{role}: {len(good)} of {trusted['threshold']} signatures")
    if datetime.fromisoformat(signed["expires"].replace("Z", "+00:00")) <= datetime.now(timezone.utc):
        raise Untrusted(f"{role}: it ended at {signed['expires']}")
    return signed


def is_signed(message: bytes, signature: str, key: dict) -> bool:
    if (key["keytype"], key["scheme"]) != ("ed25519", "ed25519"):
        return False
    try:
        public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(key["keyval"]["public"]))
        public.verify(bytes.fromhex(signature), message)
        return True
    except (InvalidSignature, ValueError):
        return False


class Targets:
    """The list of targets, looked up in the order of the page."""

    def __init__(self, https: Https, root: str):
        self._https = https
        self.root = json.loads(root)["signed"]
        verify(json.loads(root), "root", self.root)
        self._newer_roots()
        timestamp = verify(self._metadata("timestamp.json"), "timestamp", self.root)
        version = timestamp["meta"]["snapshot.json"]["version"]
        snapshot = self._named(f"{version}.snapshot.json", "snapshot", version)
        version = snapshot["meta"]["targets.json"]["version"]
        self._targets = self._named(f"{version}.targets.json", "targets", version)["targets"]

    def fetch(self, path: str) -> bytes:
        """A target by its name in the list, such as `base-ad-detector/1.0.0/model.tflite`."""
        listed = self._targets[path]
        digest = listed["hashes"]["sha256"]
        folder, name = path.rsplit("/", 1)
        limit = min(listed["length"], MODEL_LIMIT)
        content = self._https.download(f"/tuf/targets/{folder}/{digest}.{name}", limit)
        if len(content) != listed["length"] or hashlib.sha256(content).hexdigest() != digest:
            raise Untrusted(f"{path}: it is not what was signed")
        return content

    def digest(self, path: str) -> str:
        return self._targets[path]["hashes"]["sha256"]

    def _newer_roots(self) -> None:
        while True:
            version = self.root["version"] + 1
            try:
                newer = self._metadata(f"{version}.root.json")
            except Refusal as refusal:
                if refusal.status != 404:
                    raise
                return
            verify(newer, "root", self.root)
            signed = verify(newer, "root", newer["signed"])
            if signed["version"] != version:
                raise Untrusted(f"root {version}: it is version {signed['version']}")
            self.root = signed

    def _named(self, file: str, role: str, version: int) -> dict:
        signed = verify(self._metadata(file), role, self.root)
        if signed["version"] != version:
            raise Untrusted(f"{file}: it is version {signed['version']}")
        return signed

    def _metadata(self, file: str) -> dict:
        return json.loads(self._https.download(f"/tuf/metadata/{file}", METADATA_LIMIT))
