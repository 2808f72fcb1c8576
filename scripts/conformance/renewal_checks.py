"""The next certificate, and a restart: docs/protocol/enrolment.md, renewal."""

import identity
import messages
from device import Device
from expect import expect, refuses
from https import Https


def renews(device: Device) -> None:
    before = device.identity.pair
    device.identity.renew(device.hub)
    expect(device.identity.pair.certificate != before.certificate, "the same certificate")
    # Both are good until the new one is used: an answer may be lost.
    old = Https(device.hub, device.authority, before)
    question = f"/agent/session?instance={device.instance}"
    expect(old.ask(question) == {"ok": True}, "the old one is refused early")
    with device.connected() as link:
        device.says(link, True)
    refuses("unauthorized", lambda: old.ask(question))
    with device.link(pair=before) as link:
        expect(not link.accepted, "the old certificate is accepted")


def goes_on_after_a_restart(device: Device) -> None:
    """The next window, under what the disk holds; and an orderly end."""
    device.identity = identity.Identity(device.folder)
    with device.connected() as link:
        device.says(link, True)
        device.report(link, 4, 0, end=messages.now())
        device.says(link, False)


CHECKS = (renews, goes_on_after_a_restart)
