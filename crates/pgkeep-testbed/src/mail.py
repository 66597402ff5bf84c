"""A mail server that keeps what it gets: a line of JSON for each mail. Arguments: starttls, tls or none; certificate;
key; user; password (empty for no log-in)."""

import asyncio
import email
import email.policy
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult

mode, certificate, key, user, password = sys.argv[1:]


def say(**line):
    print(json.dumps(line), flush=True)


class Keep:
    async def handle_DATA(self, server, session, envelope):
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        say(
            sender=envelope.mail_from, to=envelope.rcpt_tos, subject=mail["subject"], auto=mail["auto-submitted"],
            text=mail.get_content(), tls=session.ssl is not None or mode == "tls", user=session.auth_data,
        )
        return "250 kept as 42"


def log_in(server, session, envelope, mechanism, data):
    good = (data.login, data.password) == (user.encode(), password.encode())
    return AuthResult(success=good, handled=good, auth_data=user if good else None)


context = None
if mode != "none":
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
more = {}
if user:
    more.update(authenticator=log_in, auth_required=True, auth_require_tls=mode == "starttls")


async def main():
    def protocol():
        tls = {"tls_context": context, "require_starttls": True} if mode == "starttls" else {}
        return SMTP(Keep(), loop=loop, **tls, **more)

    loop = asyncio.get_running_loop()
    server = await loop.create_server(protocol, "127.0.0.1", 0, ssl=context if mode == "tls" else None)
    say(port=server.sockets[0].getsockname()[1])
    await server.serve_forever()


asyncio.run(main())
