"""One MQTT connection: docs/protocol/mqtt.md."""

import json
import queue
import threading
import time
import urllib.parse
from datetime import datetime, timezone

import paho.mqtt.client as mqtt

from https import Pair, tls_context

WAIT_SECONDS = 10


def now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Link:
    """Connects as told, also as nobody should: what the hub makes of it is the caller's to look at."""

    def __init__(
        self,
        address: str,
        authority: str,
        pair: Pair,
        *,
        client_id: str,
        instance: str,
        will_topic: str | None = None,
        clean: bool = True,
        keepalive: int = 20,
    ):
        url = urllib.parse.urlsplit(address)
        self._messages: queue.Queue = queue.Queue()
        self._newest: dict[str, bytes] = {}
        self._answered = threading.Event()
        self._ended = threading.Event()
        self.accepted = False
        self._client = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2,
            client_id=client_id,
            clean_session=clean,
            protocol=mqtt.MQTTv311,
            reconnect_on_failure=False,
        )
        self._client.tls_set_context(tls_context(authority, pair))
        self._client.username_pw_set(instance)
        if will_topic is not None:
            will = {"online": False, "agent": "conformance", "at": now()}
            self._client.will_set(will_topic, json.dumps(will), qos=1, retain=True)
        self._client.on_connect = self._connected
        self._client.on_disconnect = self._disconnected
        self._client.on_message = self._heard
        try:
            self._client.connect(url.hostname, url.port, keepalive)
            self._client.loop_start()
        except OSError:
            # Refused in the handshake.
            self._ended.set()
            self._answered.set()
        self._answered.wait(WAIT_SECONDS)

    def __enter__(self) -> "Link":
        return self

    def __exit__(self, *_) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def subscribe(self, topic: str) -> None:
        self._client.subscribe(topic, qos=1)

    def publish(self, topic: str, message: object, *, retain: bool = False, qos: int = 1) -> bool:
        """True with the hub's PUBACK; false where the session ends without one."""
        payload = message if isinstance(message, bytes) else json.dumps(message)
        sent = self._client.publish(topic, payload, qos=qos, retain=retain)
        for _ in range(10 * WAIT_SECONDS):
            if taken(sent):
                return True
            if self._ended.wait(0.1):
                return taken(sent)
        raise TimeoutError(f"{topic}: neither an acknowledgement nor an end")

    def receive(self, wanted) -> dict:
        """The next message for which `wanted(message)` holds."""
        return self.receive_at("", wanted)[1]

    def receive_at(self, begin: str, wanted=lambda _: True) -> tuple[str, dict]:
        """The last level of its topic, and the message: the next one at `begin` or below for which it holds."""
        while True:
            came = self._messages.get(timeout=2 * WAIT_SECONDS)
            if f"{came.topic}/".startswith(f"{begin}/" if begin else "") and came.payload:
                message = json.loads(came.payload)
                if wanted(message):
                    return came.topic.rsplit("/", 1)[1], message

    def stands(self, topic: str, wanted) -> dict:
        """What is retained at a topic, once `wanted` holds for the newest message that came from there."""
        for _ in range(20 * WAIT_SECONDS):
            newest = self._newest.get(topic)
            if newest and wanted(json.loads(newest)):
                return json.loads(newest)
            time.sleep(0.1)
        raise TimeoutError(f"{topic}: the newest is {newest!r}")

    def ends(self) -> bool:
        """Whether the hub ends the session now."""
        return self._ended.wait(WAIT_SECONDS)

    def _connected(self, _client, _data, _flags, reason, _properties) -> None:
        self.accepted = not reason.is_failure
        self._answered.set()

    def _heard(self, _client, _data, message) -> None:
        self._newest[message.topic] = message.payload
        self._messages.put(message)

    def _disconnected(self, *_) -> None:
        self._ended.set()
        self._answered.set()


def taken(sent: mqtt.MQTTMessageInfo) -> bool:
    """Whether the hub has acknowledged it; of a session that ended meanwhile paho raises in place of a no."""
    try:
        return sent.is_published()
    except RuntimeError:
        return False
