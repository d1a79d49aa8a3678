"""PyPI `standardwebhooks`: whether it takes the request on standard input (JSON: headers, body as a text) for one signed by CALLBOX_SECRET."""

import json
import os
import sys

from standardwebhooks import Webhook, WebhookVerificationError

request = json.load(sys.stdin)
try:
    Webhook(os.environ["CALLBOX_SECRET"]).verify(request["body"], request["headers"])
    print("verified")
except WebhookVerificationError as error:
    print("refused:", error)
