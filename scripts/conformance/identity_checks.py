"""Enrolment and renewal: docs/protocol/enrolment.md."""

import identity
from device import Device
from expect import expect, refuses
from https import Https


def refused_enrolments(device: Device) -> None:
    https = device.stranger()
    stranger = "adbreak_claim_" + "0" * 40
    refuses("token_invalid", lambda: https.ask("/api/v1/enrol", device.request(device.key, stranger)))
    rsa = device.request(identity.key_of_another_kind())
    refuses("input_invalid", lambda: https.ask("/api/v1/enrol", rsa))
    more = {**device.request(device.key), "hostname": "pi"}
    refuses("input_invalid", lambda: https.ask("/api/v1/enrol", more))


def enrols(device: Device) -> None:
    answer = device.identity.enrol(device.hub, device.authority, device.request(device.key), device.key)
    expect(answer["authority"].strip() == device.authority.strip(), "another authority answers")
    expect(answer["mqtt"].startswith("mqtts://"), answer["mqtt"])


def enrols_again(device: Device) -> None:
    https = device.stranger()
    again = https.ask("/api/v1/enrol", device.request(device.key))
    expect(again["certificate"] == device.identity.stored["certificate"], "another certificate")
    other = device.request(identity.new_key())
    refuses("token_used", lambda: https.ask("/api/v1/enrol", other))


def asks_for_its_session(device: Device) -> None:
    expect(device.https().ask(f"/agent/session?instance={device.instance}") == {"ok": True}, "not ok")
    stranger = device.stranger()
    refuses("unauthorized", lambda: stranger.ask(f"/agent/session?instance={device.instance}"))


CHECKS = (refused_enrolments, enrols, enrols_again, asks_for_its_session)
