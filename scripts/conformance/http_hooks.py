"""What schemathesis does not do by itself: names that the hub knows, and a count of what was answered."""

import atexit
import json
import os
import zlib
from collections import Counter

import schemathesis

# What tools/protocol/openapi.ts has put into the hub: by the begin of a path, then by parameter or field.
KNOWN = json.loads(os.environ["ADBREAK_KNOWN"])
statuses = Counter()


def known_at(context) -> dict:
    path = context.operation.path if context.operation is not None else ""
    begins = [begin for begin in KNOWN if path.startswith(begin)]
    return KNOWN[max(begins, key=len)] if begins else {}


def made_known(context, values):
    """Of made-up names nearly all lead to not_found: half become known ones, by their own checksum."""
    for name, known in known_at(context).items():
        if name not in values:
            continue
        choice = zlib.crc32(repr(values[name]).encode())
        if choice % 2 == 0:
            values[name] = known[(choice >> 1) % len(known)]
    return values


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    return made_known(context, path_parameters) if isinstance(path_parameters, dict) else path_parameters


@schemathesis.hook
def map_body(context, body):
    """A sign-in is one where name and password fit."""
    known = known_at(context)
    if not isinstance(body, dict) or "password" not in known or zlib.crc32(repr(body).encode()) % 2:
        return body
    return {**body, **{name: values[0] for name, values in known.items()}}


@schemathesis.hook
def after_call(context, case, response):
    statuses[response.status_code] += 1


@atexit.register
def tell():
    with open(os.environ["ADBREAK_COUNT"], "w") as file:
        json.dump({str(status): count for status, count in sorted(statuses.items())}, file)
