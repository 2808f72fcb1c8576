"""What schemathesis does not do by itself: names that the hub knows, and a count of what was answered."""

import atexit
import json
import os
import zlib
from collections import Counter

import schemathesis

# What tools/protocol/openapi.ts has put into the hub, by the names of the parameters.
KNOWN = {
    "name": ["base-ad-detector", "viewer"],
    "version": ["1.0.0", "2.0.0", "production"],
    "id": ["pi-1", "viewer", os.environ["ADBREAK_ROLLOUT"]],
    "file": ["timestamp.json", "1.root.json"],
}
statuses = Counter()


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    """Of made-up names nearly all lead to not_found: half of them become known ones, by their own checksum."""
    for name, value in (path_parameters or {}).items():
        choice = zlib.crc32(repr(value).encode())
        known = KNOWN.get(name)
        if known is not None and choice % 2 == 0:
            path_parameters[name] = known[(choice >> 1) % len(known)]
    return path_parameters


@schemathesis.hook
def after_call(context, case, response):
    statuses[response.status_code] += 1


@atexit.register
def tell():
    with open(os.environ["ADBREAK_COUNT"], "w") as file:
        json.dump({str(status): count for status, count in sorted(statuses.items())}, file)
