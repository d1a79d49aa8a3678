"""PyPI `standardwebhooks`: posts what the library signed to CALLBOX_URL, and checks with it what we signed.

Prints the status of a good post, that of the same signature over another body, and `verified`.
"""

import json
import os
import urllib.error
import urllib.request
from datetime import datetime, timezone

from standardwebhooks import Webhook

body = os.environ["CALLBOX_BODY"]
webhook = Webhook(os.environ["CALLBOX_SECRET"])


def post(ident, signed, sent):
    now = datetime.now(tz=timezone.utc)
    headers = {
        "Content-Type": "application/json",
        "webhook-id": ident,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": webhook.sign(ident, now, signed),
    }
    request = urllib.request.Request(os.environ["CALLBOX_URL"], sent.encode(), headers, method="POST")
    try:
        return urllib.request.urlopen(request).status
    except urllib.error.HTTPError as error:
        return error.code


print(post("msg_good", body, body))
print(post("msg_bad", body, body + " "))
webhook.verify(body, json.loads(os.environ["CALLBOX_SIGNED"]))
print("verified")
