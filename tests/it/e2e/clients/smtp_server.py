"""A mail server by PyPI `aiosmtpd`, on a free port of 127.0.0.1, which it prints. Each mail becomes a line of JSON in CALLBOX_MAILS, as
Python's own `email` reads it.

CALLBOX_TLS: starttls, tls or none. CALLBOX_LOGIN: user:password, or empty. CALLBOX_GREY: how many mails are put off with 451 first.
"""

import json
import os
import ssl
import time
from email import message_from_bytes, policy

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

TLS = os.environ["CALLBOX_TLS"]
LOGIN = os.environ.get("CALLBOX_LOGIN", "")
grey = int(os.environ.get("CALLBOX_GREY", "0"))


class Handler:
    async def handle_DATA(self, server, session, envelope):
        global grey
        message = message_from_bytes(envelope.original_content, policy=policy.default)
        put_off = grey > 0
        grey -= 1
        line = {
            "put_off": put_off,
            "tls": session.ssl is not None or TLS == "tls",
            "user": session.auth_data.decode() if session.authenticated else None,
            "mail_from": envelope.mail_from,
            "rcpt_tos": envelope.rcpt_tos,
            "headers": [[name.lower(), str(value)] for name, value in message.items()],
            "defects": [type(defect).__name__ for part in message.walk() for defect in part.defects],
            "type": message.get_content_type(),
            "parts": [[part.get_content_type(), part.get_content().replace("\r\n", "\n")] for part in message.walk() if not part.is_multipart()],
            "longest_line": max(len(line) for line in envelope.original_content.split(b"\r\n")),
        }
        with open(os.environ["CALLBOX_MAILS"], "a") as mails:
            mails.write(json.dumps(line) + "\n")
        return "451 4.7.1 Come again" if put_off else "250 2.0.0 Taken"


def authenticate(server, session, envelope, mechanism, data):
    good = isinstance(data, LoginPassword) and f"{data.login.decode()}:{data.password.decode()}" == LOGIN
    return AuthResult(success=good, handled=good, auth_data=data.login if good else None)


context = None
if TLS != "none":
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.environ["CALLBOX_CERT"], os.environ["CALLBOX_CERT_KEY"])
controller = Controller(
    Handler(),
    hostname="127.0.0.1",
    port=int(os.environ["CALLBOX_PORT"]),
    ssl_context=context if TLS == "tls" else None,
    tls_context=context if TLS == "starttls" else None,
    require_starttls=TLS == "starttls",
    authenticator=authenticate if LOGIN else None,
    auth_required=bool(LOGIN),
    # What speaks TLS from the first byte is, to the library, a connection without.
    auth_require_tls=TLS == "starttls",
    data_size_limit=10 * 1024 * 1024,
)
controller.start()
print("ready", flush=True)
while True:
    time.sleep(60)
