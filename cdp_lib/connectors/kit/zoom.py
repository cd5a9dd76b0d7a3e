"""A fake of Zoom's webinars; connectors.md knows its events, the registration's shape is unverified."""

import base64
from urllib.parse import parse_qsl

from cdp_lib.connectors.kit.bench import Bench, intent_of
from cdp_lib.connectors.kit.server import Request, Response
from cdp_lib.connectors.protocol import Item
from cdp_lib.connectors.zoom import KIND

_LOGIN = base64.b64encode(b"client:secret-of-nobody").decode()
_FORM = {"grant_type": "account_credentials", "account_id": "account"}


class ZoomFake:
    """An account with one webinar. `expire` makes the token that is out useless."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, str]] = []
        self._tokens = 0
        self._registrants: dict[str, str] = {}

    def expire(self) -> None:
        """The next request under the token that is out meets a 401."""
        self._tokens += 1

    def answer(self, request: Request) -> Response:
        """A token, 201 with the registrant, or 400 with a code."""
        if (request.method, request.path) == ("POST", "/oauth/token"):
            if request.headers.get("authorization") != f"Basic {_LOGIN}":
                return Response(401, {"error": "invalid_client"})
            if dict(parse_qsl(request.body.decode())) != _FORM:
                return Response(400, {"error": "unsupported_grant_type"})
            self._tokens += 1
            return Response(200, {"access_token": f"token-{self._tokens}", "expires_in": 3599, "token_type": "bearer"})
        if request.headers.get("authorization") != f"Bearer token-{self._tokens}":
            return _error(401, 124)
        if (request.method, request.path) != ("POST", "/v2/webinars/98765432100/registrants"):
            return _error(404, 3001)
        person = request.json()
        email = person.get("email", "")
        if set(person) - {"email", "first_name", "last_name"} or not person.get("first_name") or email.count("@") != 1:
            return _error(400, 300)
        if email not in self._registrants:
            self._registrants[email] = f"registrant-{len(self._registrants) + 1}"
            self.taken.append(("send", email))
        return Response(201, {"id": 98765432100, "registrant_id": self._registrants[email]})


def _error(status: int, code: int) -> Response:
    return Response(status, {"code": code, "message": "as the channel puts it"})


def _item(number: int) -> Item:
    person = {"first_name": "Made", "last_name": f"Up {number}"}
    return Item(intent_of(number), f"person-{number}@example.com", person=person)


def _bad_item(number: int) -> Item:
    return Item(intent_of(number), f"nowhere-{number}", person={"first_name": "Made"})


BENCH = Bench(
    kind=KIND,
    fake=ZoomFake,
    settings=lambda url: {
        "account_id": "account",
        "client_id": "client",
        "client_secret": "secret-of-nobody",
        "webinar_id": "98765432100",
        "base_url": url,
        "token_url": f"{url}/oauth/token",
    },
    item=_item,
    bad_item=_bad_item,
    whom=lambda item: item.address,
)
