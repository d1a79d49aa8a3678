#!/usr/bin/env python3
"""Receives webhooks from Callbox and believes none that is not signed. Needs nothing but Python 3.8 or newer.

    CALLBOX_SIGNING_SECRET=whsec_… examples/receiver.py 9000

Then:  callbox destination create webhook --name hub --to http://HOST:9000/ --signing-secret env:CALLBOX_SIGNING_SECRET

While a secret is rotated Callbox signs with both, so this needs either. Two secrets, with a space between, are fine as well.
"""

import base64
import binascii
import collections
import hashlib
import hmac
import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOLERANCE = 300  # seconds: whoever recorded a request cannot send it again tomorrow
BODY_MAX = 1024 * 1024  # bytes
SEEN_MAX = 10_000  # ids of deliveries that are remembered


def key(secret):
    """The bytes that a secret stands for: base64 behind whsec_, or the text itself."""
    if secret.startswith("whsec_"):
        try:
            return base64.b64decode(secret[6:] + "=" * (-len(secret[6:]) % 4), validate=True)
        except binascii.Error:
            pass
    return secret.encode()


def verified(headers, body, keys, now):
    """Whether `body`, the bytes as they came, was signed with one of `keys` just now. See https://www.standardwebhooks.com."""
    ident, at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not ident or not at.isdecimal() or not at.isascii() or len(at) > 12 or abs(now - int(at)) > TOLERANCE:
        return False
    signed = f"{ident}.{at}.".encode("latin-1") + body
    wanted = [base64.b64encode(hmac.new(one, signed, hashlib.sha256).digest()) for one in keys]
    given = [part[3:].encode("latin-1") for part in headers.get("webhook-signature", "").split(" ") if part.startswith("v1,")]
    # compare_digest takes as long for a bad guess as for a good one.
    return any([hmac.compare_digest(one, other) for one in wanted for other in given])


class Receiver(BaseHTTPRequestHandler):
    timeout = 10  # seconds that a sender may take
    keys = []
    seen = collections.OrderedDict()

    def do_POST(self):
        length = self.headers.get("content-length", "")
        if not length.isdecimal() or not length.isascii() or len(length) > 9:
            return self.answer(411)
        if int(length) > BODY_MAX:
            return self.answer(413)
        body = self.rfile.read(int(length))
        if not verified(self.headers, body, self.keys, time.time()):
            return self.answer(401)
        try:
            message = json.loads(body)
        except ValueError:
            return self.answer(400)
        # Answer first: whoever takes longer than five seconds is told again.
        self.answer(204)
        # A delivery that comes twice has the same id.
        ident = self.headers["webhook-id"]
        if ident not in self.seen:
            self.seen[ident] = True
            while len(self.seen) > SEEN_MAX:
                self.seen.popitem(last=False)
            handle(message)

    def answer(self, status):
        self.send_response(status)
        self.send_header("content-length", "0")
        self.send_header("connection", "close")
        self.end_headers()
        self.wfile.flush()
        self.close_connection = True


def handle(message):
    """What you make of it."""
    about = message.get("incident") or message.get("change") or {}
    print(message.get("event"), about.get("title") or about.get("summary"), flush=True)


if __name__ == "__main__":
    Receiver.keys = [key(secret) for secret in os.environ.get("CALLBOX_SIGNING_SECRET", "").split()]
    if not Receiver.keys or len(sys.argv) != 2:
        sys.exit(__doc__)
    ThreadingHTTPServer(("", int(sys.argv[1])), Receiver).serve_forever()
