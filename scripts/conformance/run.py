"""
A device and an operator that were written from docs/protocol alone, against a hub:
run.py HUB AUTHORITY TOKEN DEVICE FOLDER.

A line of JSON for each check, and one with the sum at the end; the exit code is 1 where one has failed.
`{"please": …}` asks who runs it for what only a person may do.
"""

import json
import sys
import traceback
from pathlib import Path

import bound_checks
import command_checks
import identity_checks
import operator_checks
import renewal_checks
import work_checks
from device import Device

CHECKS = (
    *identity_checks.CHECKS,
    *work_checks.CHECKS,
    *bound_checks.CHECKS,
    *command_checks.CHECKS,
    *operator_checks.CHECKS,
    *renewal_checks.CHECKS,
)


def main() -> int:
    hub, authority, token, name, folder = sys.argv[1:]
    device = Device(hub, Path(authority).read_text(), token, name, Path(folder))
    failed = []
    for check in CHECKS:
        try:
            check(device)
            print(json.dumps({"check": check.__name__, "ok": True}), flush=True)
        except Exception as error:
            traceback.print_exc()
            failed.append(check.__name__)
            print(json.dumps({"check": check.__name__, "ok": False, "why": repr(error)}), flush=True)
    print(json.dumps({"checks": len(CHECKS), "failed": failed}), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
