"""What a device may not do: docs/protocol/mqtt.md."""

import messages
from device import Device
from expect import expect, refuses
from messages import topic


def may_not_connect_otherwise(device: Device) -> None:
    for what, unusual in {
        "as another": {"client_id": f"{device.name}-2"},
        "with a session that stays": {"clean": False},
        "without keep alive": {"keepalive": 0},
        "with a keep alive of minutes": {"keepalive": 301},
        "with a last will of another": {"will_topic": topic("other", "status")},
        "with a last will that is the hub's": {"will_topic": device.topic("desired")},
        "with a last will that is no status": {"will_topic": device.topic("windows")},
    }.items():
        with device.link(**unusual) as link:
            expect(not link.accepted, f"{what}: it is accepted")


def may_not_read_others(device: Device) -> None:
    for wanted in (
        topic("other", "desired"),
        topic("+", "desired"),
        device.topic("windows"),
        device.topic("+"),
        device.topic("#"),
        "#",
        "$SYS/#",
        "adbreak/v1/rollouts/+",
    ):
        with device.connected() as link:
            link.subscribe(wanted)
            expect(link.ends(), f"{wanted}: the session goes on")


def may_not_write_others(device: Device) -> None:
    for what, wanted, retain, qos, payload in (
        ("another's status", topic("other", "status"), True, 1, messages.status(True)),
        ("its desired state", device.topic("desired"), True, 1, device.desired),
        ("a topic of its own", device.topic("frames"), False, 1, {}),
        ("a topic of nobody", "somewhere/else", False, 1, {}),
        ("a retained window", device.topic("windows"), True, 1, {}),
        ("with QoS 2", device.topic("status"), True, 2, messages.status(True)),
        ("too much", device.topic("windows"), False, 1, b" " * 65_537),
    ):
        with device.connected() as link:
            expect(not link.publish(wanted, payload, retain=retain, qos=qos), f"{what}: it is acknowledged")
            expect(link.ends(), f"{what}: the session goes on")


def is_there_once(device: Device) -> None:
    with device.connected():
        with device.link(instance="another") as second:
            expect(not second.accepted, "a second program is accepted")
        refuses("identity_in_use", lambda: device.https().ask("/agent/session?instance=another"))


CHECKS = (may_not_connect_otherwise, may_not_read_others, may_not_write_others, is_there_once)
