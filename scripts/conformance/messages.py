"""What a device says: docs/protocol/mqtt.md, window-reports.md and rounds.md."""

from datetime import datetime, timedelta, timezone

from link import now

SLICE = {"channel": "one", "site": "conformance", "hardware": "python"}
HOUR = timedelta(hours=1)


def topic(device: str, kind: str) -> str:
    return f"adbreak/v1/devices/{device}/{kind}"


def status(online: bool, at: str | None = None) -> dict:
    return {"online": online, "agent": "conformance", "at": at or now()}


def reported(desired: dict, problem: dict | None = None) -> dict:
    return {
        "revision": desired["revision"],
        "serving": desired["production"],
        "shadow": None,
        "slot": "confirmed",
        "problem": problem,
        "source": "running",
        "statusPage": None,
        "at": now(),
    }


def open_hour() -> datetime:
    """The begin of the window that is open now."""
    return datetime.now(timezone.utc).replace(minute=0, second=0, microsecond=0)


def instant(time: datetime) -> str:
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def patience(command: dict) -> float:
    """How long after its arrival a command may be begun, seconds: whatever the clock here says."""
    times = [command[key].replace("Z", "+00:00") for key in ("sent", "deadline")]
    sent, deadline = map(datetime.fromisoformat, times)
    return (deadline - sent).total_seconds()


def window(number: tuple[str, int], start: datetime, desired: dict) -> dict:
    """An hour of one model: twenty episodes, five of them advertisements, and nobody to ask."""
    stream, sequence = number
    return {
        "sequence": sequence,
        "stream": stream,
        "start": instant(start),
        "end": instant(start + HOUR),
        "slice": SLICE,
        "rollout": desired["rollout"],
        "production": desired["production"]["digest"],
        "candidate": None,
        "serving": "production",
        "episodes": 20,
        "histograms": {"production": {"bins": [[10, 15], [240, 5]], "sum": 5.3}, "candidate": None},
        "joint": None,
        "labelled": {"episodes": 0, "productionRight": 0, "candidateRight": 0, "wins": 0, "losses": 0},
        "latency": {"production": [[20, 7200]], "candidate": None},
        "adFrames": 1800,
        "frames": 7200,
        "dropped": 0,
        "restarts": 0,
    }


def answer(request: dict) -> dict:
    """Twenty labelled episodes; the candidate is right about three more."""
    return {
        "round": request["round"],
        "production": request["production"]["digest"],
        "candidate": request["candidate"]["digest"],
        "sources": {"operator": 0, "button": 20, "rule": 0},
        "ageHours": {"youngest": 0, "oldest": 9},
        "counts": {"episodes": 20, "productionRight": 15, "candidateRight": 18, "wins": 4, "losses": 1},
        "slice": SLICE,
        "epsilonSpent": 0,
        "at": now(),
    }
