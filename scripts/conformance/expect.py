"""What a check is made of: something must hold, or be refused, or be acknowledged."""

import json

from https import Refusal
from link import Link


def expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise AssertionError(otherwise)


def refuses(code: str, ask) -> None:
    """The hub must refuse what `ask()` asks, with this code."""
    try:
        ask()
    except Refusal as refusal:
        expect(refusal.code == code, f"{refusal} instead of {code}")
        return
    raise AssertionError(f"it is answered instead of {code}")


def acknowledged(link: Link, topic: str, message: object, *, retain: bool = False) -> None:
    expect(link.publish(topic, message, retain=retain), f"{topic}: no acknowledgement of {message}")


def please(what: str) -> None:
    """Asks who runs the device for what only an operator may do."""
    print(json.dumps({"please": what}), flush=True)
