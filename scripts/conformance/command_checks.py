"""What the hub asks a device to do once: docs/protocol/device-commands.md."""

import messages
from device import Device
from expect import acknowledged, expect, please
from link import Link, now
from notebook import Notebook, refused

LINES = ["it began", "it was asked for this"]


def carry_out(command: dict) -> dict | None:
    """What a device without a model, a light and a page makes of a command; None where it ends for it."""
    kind = command["command"]
    if kind in ("restart", "reload"):
        return None
    if kind == "collect-logs":
        lines = LINES[-command.get("lines", 200) :]
        return {"outcome": "done", "at": now(), "command": kind, "lines": lines, "cut": False}
    if kind in ("benchmark", "identify"):
        return refused("conflict", f"Cannot {kind}: it has nothing for that", now())
    return refused("input_invalid", f"Cannot {kind}: it knows no such command", now())


def next_command(device: Device, link: Link, kind: str) -> tuple[str, dict]:
    name, command = link.receive_at(device.topic("commands"))
    expect(command["command"] == kind, f"{command} instead of {kind}")
    expect(messages.patience(command) > 0, f"it comes after its deadline: {command}")
    return name, command


def answer(device: Device, link: Link, kind: str) -> dict | None:
    name, command = next_command(device, link, kind)
    reply = Notebook(device.folder).reply_to(name, command, carry_out, now())
    if reply is not None:
        acknowledged(link, device.topic(f"replies/{name}"), reply)
    return reply


def listening(device: Device, link: Link) -> Link:
    link.subscribe(device.topic("desired"))
    link.subscribe(device.topic("commands/+"))
    return link


def sends_its_log(device: Device) -> None:
    with device.connected() as link:
        listening(device, link)
        please("collect its log")
        reply = answer(device, link, "collect-logs")
        expect(reply is not None and reply["lines"] == LINES, str(reply))


def hears_later_what_was_asked_while_it_was_off(device: Device) -> None:
    please("measure it")
    with device.connected() as link:
        reply = answer(device, listening(device, link), "benchmark")
        expect(reply is not None and reply["error"]["code"] == "conflict", str(reply))


def restarts_once(device: Device) -> None:
    with device.connected() as link:
        listening(device, link)
        please("restart it")
        expect(answer(device, link, "restart") is None, "it answers before it has begun anew")
    # The program that begins reads the notebook; the hub sends the command again, for nobody has answered.
    with device.connected() as link:
        reply = answer(device, listening(device, link), "restart")
        expect(reply is not None and reply["outcome"] == "done", str(reply))


CHECKS = (sends_its_log, hears_later_what_was_asked_while_it_was_off, restarts_once)
