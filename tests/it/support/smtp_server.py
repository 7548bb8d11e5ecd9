"""A mail server (aiosmtpd) for the tests: takes mail, and answers as the file `orders` beside it says.

Each mail is written to `N.eml` in the folder. `orders` holds lines: `refuse CODE ADDRESS` answers RCPT of that
address (or of `*`) so, `data CODE` answers the message so.
"""
import asyncio, itertools, pathlib, ssl, sys

from aiosmtpd.smtp import SMTP

folder, port, certificate = pathlib.Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
numbers = itertools.count(len(list(folder.glob("*.eml"))))


def orders():
    file = folder / "orders"
    return [line.split() for line in file.read_text().splitlines()] if file.exists() else []


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        for order in orders():
            if order[0] == "refuse" and order[2] in ("*", address):
                return f"{order[1]} not this one <{address}>"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        for order in orders():
            if order[0] == "data":
                return f"{order[1]} not now"
            if order[0] == "hang":
                await asyncio.sleep(float(order[1]))
        draft = folder / "draft"
        head = f"X-Envelope: {envelope.mail_from} {','.join(envelope.rcpt_tos)} {bool(session.ssl)}\r\n"
        draft.write_bytes(head.encode() + envelope.content)
        draft.rename(folder / f"{next(numbers)}.eml")
        return "250 taken"


def protocol():
    tls = None
    if certificate:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(*certificate)
    return SMTP(Handler(), tls_context=tls, enable_SMTPUTF8=True)


async def main():
    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", port)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
