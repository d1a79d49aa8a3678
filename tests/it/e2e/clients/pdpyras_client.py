"""PyPI `pdpyras`: one action against the service at CALLBOX_URL.

Usage: pdpyras_client.py trigger|acknowledge|resolve|change [DEDUP_KEY]; prints the key that the service answered.
"""

import os
import sys

import pdpyras


def session(kind):
    """A session of this kind that talks to the service under test."""
    made = kind(os.environ["CALLBOX_KEY"])
    made.url = os.environ["CALLBOX_URL"]
    return made


action, *rest = sys.argv[1:]
if action == "trigger":
    events = session(pdpyras.EventsAPISession)
    link = {"href": "https://wiki.example.com/cache", "text": "runbook"}
    print(events.trigger("the cache is cold", "cache-1.example.com", severity="error", links=[link]))
elif action == "acknowledge":
    print(session(pdpyras.EventsAPISession).acknowledge(rest[0]))
elif action == "resolve":
    print(session(pdpyras.EventsAPISession).resolve(rest[0]))
else:
    session(pdpyras.ChangeEventsAPISession).submit("a change by pdpyras", source="ci.example.com")
