"""A fake of Twilio's messages, after connectors.md: row `SMS Twilio-like`."""

import base64
import re
from urllib.parse import parse_qsl

from cdp_lib.connectors.kit.bench import Bench, intent_of
from cdp_lib.connectors.kit.server import Request, Response
from cdp_lib.connectors.protocol import Item
from cdp_lib.connectors.sms import KIND

_LOGIN = base64.b64encode(b"ACmadeup:token-of-nobody").decode()
_FIELDS = ({"To", "From", "Body"}, {"To", "MessagingServiceSid", "Body"})
_LANDLINE = "+66299999"
"""Numbers that begin so are well formed and cannot be texted."""


class SmsFake:
    """An account that takes one text per request, and takes a repeated one again."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, str]] = []

    def answer(self, request: Request) -> Response:
        """201 with a SID, or 400 with a code."""
        if request.headers.get("authorization") != f"Basic {_LOGIN}":
            return _error(401, 20003)
        if (request.method, request.path) != ("POST", "/2010-04-01/Accounts/ACmadeup/Messages.json"):
            return _error(404, 20404)
        pairs = parse_qsl(request.body.decode(), keep_blank_values=True)
        form = dict(pairs)
        if len(form) < len(pairs) or set(form) not in _FIELDS:
            return _error(400, 20001)
        if not form["Body"]:
            return _error(400, 21602)
        if form.get("From", "+66899999999") != "+66899999999":
            return _error(400, 21606)
        if not re.fullmatch(r"\+[0-9]{7,15}", form["To"]) or form["To"].startswith(_LANDLINE):
            return _error(400, 21211)
        self.taken.append(("send", form["To"]))
        return Response(201, {"sid": f"SM{len(self.taken):032x}", "status": "queued", "error_code": None})


def _error(status: int, code: int) -> Response:
    return Response(status, {"code": code, "message": "as the channel puts it", "status": status})


def _item(number: int) -> Item:
    return Item(intent_of(number), f"+6680{number:07d}", {"text": f"Coffee {number} is ready"})


def _bad_item(number: int) -> Item:
    return Item(intent_of(number), f"{_LANDLINE}{number:04d}", {"text": "Coffee is ready"})


BENCH = Bench(
    kind=KIND,
    fake=SmsFake,
    settings=lambda url: {
        "account_sid": "ACmadeup",
        "auth_token": "token-of-nobody",
        "from_number": "+66899999999",
        "base_url": url,
    },
    item=_item,
    bad_item=_bad_item,
    whom=lambda item: item.address,
)
