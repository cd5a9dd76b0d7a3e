"""A real mail server, logged in to over STARTTLS: after connectors.md, row `E-mail SMTP`."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from cdp_lib.connectors.email import KIND
from cdp_lib.connectors.kit.bench import Bench, Channel, intent_of
from cdp_lib.connectors.kit.script import Behaviour, Script
from cdp_lib.connectors.protocol import Item

_PARTS = {"subject": "Coffee", "text": "Coffee is ready.\n"}


@contextmanager
def _served(script: Iterable[Behaviour], slow_seconds: float) -> Iterator[Channel]:
    from cdp_lib.connectors.kit.mail_server import authenticated, certificate, LOGIN, mail_server, Mailbox

    mailbox = Mailbox(script=Script(slow_seconds))
    mailbox.script.will(script)
    with TemporaryDirectory() as folder:
        context, trusted = certificate(Path(folder))
        rules = {"tls_context": context, "require_starttls": True, "authenticator": authenticated}
        with mail_server(mailbox, **rules, auth_required=True) as server:
            url = f"smtp://{LOGIN}@127.0.0.1:{server.port}?{urlencode({'ca_file': str(trusted)})}"
            yield Channel(url, lambda: [("send", whom) for whom in mailbox.taken], mailbox.script.will)


def _settings(url: str) -> dict[str, Any]:
    place = urlsplit(url)
    login = {"user": place.username, "password": place.password, "sender": "news@example.com"}
    return {"host": place.hostname, "port": place.port, **login, **dict(parse_qsl(place.query))}


def _item(number: int) -> Item:
    return Item(intent_of(number), f"person{number}@example.com", _PARTS)


def _bad_item(number: int) -> Item:
    return Item(intent_of(number), f"unknown.person{number}@example.com", _PARTS)


BENCH = Bench(
    kind=KIND,
    fake=None,
    settings=_settings,
    item=_item,
    bad_item=_bad_item,
    whom=lambda item: item.address,
    served=_served,
    needs=("aiosmtpd",),
    timeout_seconds=1.0,
    lacks={
        "5xx_after": "after DATA a failure says that nothing was taken; a message that is not confirmed is cut off",
        "gone": "a mail server keeps no list",
    },
)
