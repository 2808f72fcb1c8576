"""Rollouts over MQTT, and what a device hears of them: docs/protocol/operators.md and desired.md."""

import uuid

import messages
from commander import Commander, in_minutes
from device import Device
from expect import acknowledged, expect, please
from link import Link

MODEL = "base-ad-detector"
DESK = "desk"
PROMOTE = {"model": MODEL, "version": "2.0.0"}


def commander(device: Device) -> Commander:
    return Commander(DESK, device.folder)


def connected(device: Device) -> Link:
    stored = device.identity.stored
    return commander(device).connected(stored["mqtt"], stored["authority"])


def under_way(device: Device, link: Link) -> dict:
    """The rollout of the model that is under way."""
    (rollout,) = commander(device).done(link, "status", model=MODEL)["rollouts"]
    return rollout


def becomes_an_operator(device: Device) -> None:
    desk = commander(device)
    desk.request()
    please("make an operator")
    desk.await_certificate()


def asks_how_a_model_stands(device: Device) -> None:
    with connected(device) as link:
        reply = commander(device).done(link, "status", model=MODEL)
        expect(reply["production"]["version"] == "1.0.0", str(reply))
        expect(reply["rollouts"] == [], str(reply))


def begins_a_rollout_of_which_the_device_hears(device: Device) -> None:
    with device.connected() as heard, connected(device) as link:
        heard.subscribe(device.topic("desired"))
        before = device.desired["revision"]
        name, deadline = str(uuid.uuid4()), in_minutes(5)
        desk = commander(device)
        reply = desk.done(link, "promote", name=name, deadline=deadline, **PROMOTE)
        (rollout,) = reply["rollouts"]
        expect(rollout["to"]["version"] == "2.0.0" and rollout["status"] == "running", str(rollout))
        device.desired = heard.receive(lambda one: one["revision"] > before and one["candidate"] is not None)
        expect(device.desired["serve"] == "production", "it acts at once")
        expect(device.desired["rollout"] == rollout["id"], str(device.desired))
        again = desk.ask(link, "promote", name=name, deadline=deadline, **PROMOTE)
        expect(again == reply, "the same command again has another reply")
        other = desk.ask(link, "promote", name=name, deadline=deadline, **{**PROMOTE, "percent": 10})
        expect(other["error"]["code"] == "conflict", str(other))
        (only,) = desk.done(link, "status", model=MODEL)["rollouts"]
        expect(only["id"] == rollout["id"], "it began twice")


def pauses_and_resumes(device: Device) -> None:
    with connected(device) as link:
        rollout = under_way(device, link)["id"]
        for command, status in (("pause", "paused"), ("resume", "running")):
            reply = commander(device).done(link, command, rollout=rollout, reason="asked to")
            expect(reply["rollouts"][0]["status"] == status, str(reply))
            state = stands(link, rollout, status)
            expect(state["to"]["version"] == "2.0.0", str(state))


def stands(link: Link, rollout: str, status: str) -> dict:
    """The retained state of a rollout, once it says so."""
    return link.stands(f"adbreak/v1/rollouts/{rollout}", lambda one: one["status"] == status)


def who_comes_later_reads_the_state(device: Device) -> None:
    with connected(device) as link:
        rollout = under_way(device, link)["id"]
    with connected(device) as link:
        stands(link, rollout, "running")


def sets_tags(device: Device) -> None:
    with connected(device) as link:
        tags = {"room": "bar"}
        reply = commander(device).done(link, "set-device", device=device.name, tags=tags)
        expect(reply["device"] == {"id": device.name, "model": MODEL, "tags": tags}, str(reply))


def hears_why_not(device: Device) -> None:
    desk = commander(device)
    with connected(device) as link:
        for code, reply in (
            ("command_expired", desk.ask(link, "promote", deadline=in_minutes(-1), **PROMOTE)),
            ("input_invalid", desk.ask(link, "promote", deadline=in_minutes(25 * 60), **PROMOTE)),
            ("input_invalid", desk.ask(link, "promote", force=True, **PROMOTE)),
            ("input_invalid", desk.ask(link, "dance")),
            ("input_invalid", desk.send(link, b"{")),
            ("input_too_large", desk.send(link, b" " * 9000)),
            ("not_found", desk.ask(link, "promote", model=MODEL, version="9.9.9")),
            ("not_found", desk.ask(link, "pause", rollout="none", reason="none")),
            ("not_found", desk.ask(link, "set-device", device="nobody", tags={"room": "bar"})),
        ):
            expect(reply["outcome"] == "refused", str(reply))
            expect(reply["error"]["code"] == code, f"{reply} instead of {code}")


def may_not_do_otherwise(device: Device) -> None:
    desk = commander(device)
    stored = device.identity.stored
    for what, unusual in {
        "as another": {"client_id": "operator:other"},
        "as the device": {"client_id": device.name},
        "with a last will": {"will_topic": desk.topic("commands", str(uuid.uuid4()))},
    }.items():
        with desk.link(stored["mqtt"], stored["authority"], **unusual) as link:
            expect(not link.accepted, f"{what}: it is accepted")
    for wanted in ("#", "adbreak/v1/operators/+/replies/+", "adbreak/v1/rollouts/#", device.topic("desired")):
        with connected(device) as link:
            link.subscribe(wanted)
            expect(link.ends(), f"{wanted}: the session goes on")
    for wanted in (
        f"adbreak/v1/operators/other/commands/{uuid.uuid4()}",
        desk.topic("replies", str(uuid.uuid4())),
        "adbreak/v1/rollouts/one",
        device.topic("status"),
    ):
        with connected(device) as link:
            expect(not link.publish(wanted, {}), f"{wanted}: it is acknowledged")
            expect(link.ends(), f"{wanted}: the session goes on")


def ends_it_when_the_device_cannot_run_it(device: Device) -> None:
    with device.connected() as heard, connected(device) as link:
        heard.subscribe(device.topic("desired"))
        fault = {
            "code": "model_unsupported",
            "message": "Cannot run it: this device runs no model",
            "model": device.desired["candidate"]["digest"],
        }
        topic = device.topic("reported")
        acknowledged(heard, topic, messages.reported(device.desired, fault), retain=True)
        rollout = under_way(device, link)["id"]
        reply = commander(device).done(link, "abort", rollout=rollout, reason="it runs nowhere")
        expect(reply["rollouts"][0]["status"] == "aborted", str(reply))
        expect(stands(link, rollout, "aborted")["last"]["reason"].count("it runs nowhere") == 1, "no reason")
        before = device.desired["revision"]
        device.desired = heard.receive(lambda one: one["revision"] > before and one["candidate"] is None)
        acknowledged(heard, topic, messages.reported(device.desired), retain=True)


CHECKS = (
    becomes_an_operator,
    asks_how_a_model_stands,
    begins_a_rollout_of_which_the_device_hears,
    pauses_and_resumes,
    who_comes_later_reads_the_state,
    sets_tags,
    hears_why_not,
    may_not_do_otherwise,
    ends_it_when_the_device_cannot_run_it,
)
