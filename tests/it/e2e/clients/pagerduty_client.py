"""PyPI `pagerduty`: one action against the service at CALLBOX_URL. It speaks https only; CALLBOX_CA names whom to trust.

Usage: pagerduty_client.py trigger|acknowledge|resolve|change [DEDUP_KEY]; prints the key that the service answered.
"""

import os
import ssl
import sys

import pagerduty

context = ssl.create_default_context(cafile=os.environ["CALLBOX_CA"])
client = pagerduty.EventsApiV2Client(os.environ["CALLBOX_KEY"], base_url=os.environ["CALLBOX_URL"], verify=context)
action, *rest = sys.argv[1:]
if action == "trigger":
    print(client.trigger("the cache is cold", "cache-1.example.com", severity="error", custom_details={"hit rate": 0.1}))
elif action == "acknowledge":
    print(client.acknowledge(rest[0]))
elif action == "resolve":
    print(client.resolve(rest[0]))
else:
    # Its own default for the time is broken in this version, so the time is given.
    client.submit("a change by pagerduty", source="ci.example.com", timestamp="2024-05-01T10:00:00+02:00")
