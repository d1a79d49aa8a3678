"""PyPI `pypd`: one action against the service at CALLBOX_URL. It posts to the path with a slash at the end.

Usage: pypd_client.py trigger|acknowledge|resolve [DEDUP_KEY]; prints the key that the service answered.
"""

import os
import sys

import pypd

pypd.EventV2.base_url = os.environ["CALLBOX_URL"] + "/v2/enqueue"
action, *rest = sys.argv[1:]
event = {
    "routing_key": os.environ["CALLBOX_KEY"],
    "event_action": action,
    # It insists on a payload for each action.
    "payload": {"summary": "the cache is cold", "source": "cache-1.example.com", "severity": "error"},
}
if rest:
    event["dedup_key"] = rest[0]
print(pypd.EventV2.create(data=event)["dedup_key"])
