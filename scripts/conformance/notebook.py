"""What the hub has asked this device to do, and what became of it: device-commands.md, "Once"."""

import json
import os
from pathlib import Path

KEPT = 100
# They are answered by the program that began after them.
ANSWERED_BY_THE_NEXT = ("restart", "reload")


class Notebook:
    """In one file; what is noted there is on the disk before anything is done."""

    def __init__(self, folder: Path):
        self._path = folder / "commands.json"
        self._notes: dict = json.loads(self._path.read_text()) if self._path.exists() else {}
        # Of an earlier run of the program: it is not begun anew.
        self._earlier = {name for name, note in self._notes.items() if note["reply"] is None}

    def reply_to(self, name: str, command: dict, carry_out, at: str) -> dict | None:
        """The one reply to a command; carried out where it was not before. None: the program ends for it."""
        content = {key: value for key, value in command.items() if key != "sent"}
        note = self._notes.get(name)
        if note is None:
            self._note(name, content, None)
            reply = carry_out(command)
        elif note["content"] != content:
            return refused("conflict", "another command has this name", at)
        elif name in self._earlier and command["command"] in ANSWERED_BY_THE_NEXT:
            reply = {"outcome": "done", "at": at, "command": command["command"], "agent": "conformance"}
        elif name in self._earlier:
            reply = refused("command_interrupted", "the program ended while it was under way", at)
        else:
            return note["reply"]
        if reply is not None:
            self._note(name, content, reply)
        self._earlier.discard(name)
        return reply

    def _note(self, name: str, content: dict, reply: dict | None) -> None:
        self._notes.pop(name, None)
        self._notes[name] = {"content": content, "reply": reply}
        kept = dict(list(self._notes.items())[-KEPT:])
        part = self._path.with_suffix(".part")
        with open(part, "w") as file:
            json.dump(kept, file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(self._path)
        self._notes = kept


def refused(code: str, message: str, at: str) -> dict:
    return {"outcome": "refused", "at": at, "error": {"code": code, "message": message, "remedy": ""}}
