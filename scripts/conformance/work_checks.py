"""What a device is for: docs/protocol/mqtt.md, desired.md, downloads.md, window-reports.md, rounds.md."""

import hashlib
import json

import messages
from device import Device
from expect import acknowledged, expect, please, refuses
from tuf import Targets, Untrusted, verify


def receives_its_desired_state(device: Device) -> None:
    with device.connected() as link:
        link.subscribe(device.topic("desired"))
        device.desired = link.receive(lambda desired: desired["revision"] > 0)
    expect(device.desired["serve"] == "production", str(device.desired))
    expect(device.desired["candidate"] is None, str(device.desired))


def downloads_its_model(device: Device) -> None:
    targets = Targets(device.https(), device.identity.stored["root"])
    version = device.desired["production"]["version"]
    folder = f"{device.desired['model']}/{version}"
    manifest = json.loads(targets.fetch(f"{folder}/manifest.json"))
    model = targets.fetch(f"{folder}/model.tflite")
    listed = targets.digest(f"{folder}/model.tflite")
    digests = {hashlib.sha256(model).hexdigest(), manifest["digest"], listed}
    expect(digests == {device.desired["production"]["digest"]}, f"they do not agree: {digests}")
    expect(manifest["version"] == version and manifest["bytes"] == len(model), str(manifest))


def believes_no_changed_metadata(device: Device) -> None:
    root = json.loads(device.identity.stored["root"])
    changed = {**root, "signed": {**root["signed"], "expires": "2099-01-01T00:00:00Z"}}
    try:
        verify(changed, "root", root["signed"])
    except Untrusted:
        return
    raise AssertionError("a signature fits what was not signed")


def downloads_nothing_without_certificate(device: Device) -> None:
    stranger = device.stranger()
    refuses("unauthorized", lambda: stranger.download("/tuf/metadata/timestamp.json", 65536))
    refuses("not_found", lambda: device.https().ask("/tuf/metadata/../../identity/ca.key"))


def reports(device: Device) -> None:
    with device.connected() as link:
        device.says(link, True)
        acknowledged(link, device.topic("reported"), messages.reported(device.desired), retain=True)
        event = {"kind": "ad-started", "at": messages.now(), "mediaTime": 12.5}
        acknowledged(link, device.topic("events"), event)


def reports_windows(device: Device) -> None:
    with device.connected() as link:
        device.says(link, True)
        for sequence, ago in ((1, 3), (2, 2), (3, 1)):
            device.report(link, sequence, ago)
        # As after a lost acknowledgement: it counts once.
        device.report(link, 3, 1)


def is_acknowledged_when_it_is_wrong(device: Device) -> None:
    """Six messages that are refused and counted: they must not block what comes after them."""
    with device.connected() as link:
        device.says(link, True)
        device.report(link, 4, 1, episodes=21)
        device.report(link, 4, 1, picture="AAAA")
        device.report(link, 4, 1, frames=10_000_000)
        # It ends in the future though both clocks agree: it is wrong for good.
        device.report(link, 4, -5)
        acknowledged(link, device.topic("windows"), b"\xff not JSON")
        acknowledged(link, device.topic("events"), {"kind": "party", "at": messages.now()})


def waits_where_clocks_differ(device: Device) -> None:
    """Its clock is five hours ahead: the window is not taken and not lost."""
    ahead = messages.instant(device.hour(-5))
    with device.connected() as link:
        device.says(link, True, ahead)
        expect(not link.publish(device.topic("windows"), device.window(4, -4)), "it is acknowledged")
        expect(link.ends(), "the session goes on")
    with device.connected() as link:
        device.says(link, True)


def answers_a_round(device: Device) -> None:
    with device.connected() as link:
        link.subscribe(device.topic("desired"))
        please("start a round")
        desired = link.receive(lambda one: one.get("evaluation") is not None)
        request = desired["evaluation"]
        report = messages.answer(request)
        acknowledged(link, device.topic(f"evaluations/{request['round']}"), report)
        device.desired = link.receive(
            lambda one: one["revision"] > desired["revision"] and one.get("evaluation") is None
        )


CHECKS = (
    receives_its_desired_state,
    downloads_its_model,
    believes_no_changed_metadata,
    downloads_nothing_without_certificate,
    reports,
    reports_windows,
    is_acknowledged_when_it_is_wrong,
    waits_where_clocks_differ,
    answers_a_round,
)
