"""A channel of plain JSON, an honest connector to it, and connectors that cheat: the kit must tell them apart."""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from pydantic import SecretStr

from cdp_lib.connectors.http import HttpChannel
from cdp_lib.connectors.kit.bench import Bench, intent_of
from cdp_lib.connectors.kit.server import Request, Response
from cdp_lib.connectors.protocol import (
    Batch,
    ConnectorKind,
    ConnectorSettings,
    Item,
    Limits,
    Outcome,
    Receipt,
    Rejected,
    Unsure,
)

TOKEN = "token-of-nobody"
BAD = "bad"


class PlainSettings(ConnectorSettings):
    """Where it is, and how it fails."""

    base_url: str
    token: SecretStr
    timeout_seconds: float = 5.0


class PlainFake:
    """Takes rows that are not bad; knows a request by its key where `knows_keys`."""

    def __init__(self, *, knows_keys: bool, most: int = 4) -> None:
        self.taken: list[tuple[str, str]] = []
        self._keys: set[str] = set()
        self._knows_keys = knows_keys
        self._most = most

    def answer(self, request: Request) -> Response:
        rows = request.json()["rows"]
        if request.headers.get("authorization") != f"Bearer {TOKEN}" or len(rows) > self._most:
            return Response(400)
        errors = [number for number, row in enumerate(rows) if row.startswith(BAD)]
        key = request.headers["idempotency-key"]
        if not (self._knows_keys and key in self._keys):
            self._keys.add(key)
            self.taken += [("send", row) for number, row in enumerate(rows) if number not in errors]
        return Response(200, {"errors": errors})


class Plain:
    """Reads the answer to the row."""

    is_idempotent = False

    def __init__(self, settings: PlainSettings) -> None:
        self._channel = HttpChannel(
            settings.base_url,
            headers={"authorization": f"Bearer {settings.token.get_secret_value()}"},
            repeats_safely=self.is_idempotent,
            timeout_seconds=settings.timeout_seconds,
        )

    def deliver(self, batch: Batch, *, idempotency_key: str) -> Receipt:
        return self.told(batch, self.post(batch, idempotency_key))

    def post(self, batch: Batch, key: str) -> Any:
        rows = [item.address for item in batch.items]
        return self._channel.request("POST", "/rows", headers={"idempotency-key": key}, json={"rows": rows}).body

    def told(self, batch: Batch, body: Mapping[str, Any]) -> Receipt:
        bad = set(body["errors"])
        return Receipt(
            tuple(
                Outcome(item.intent_id, "rejected", "bad row") if number in bad else Outcome(item.intent_id, "accepted")
                for number, item in enumerate(batch.items)
            )
        )

    def close(self) -> None:
        self._channel.close()


class PlainWithKeys(Plain):
    """The channel knows keys."""

    is_idempotent = True


class MarksAllAccepted(Plain):
    """HTTP 200 is enough for it."""

    def told(self, batch: Batch, body: Mapping[str, Any]) -> Receipt:
        return super().told(batch, {"errors": []})


class TriesAgainInSecret(Plain):
    """Makes an unsafe request twice."""

    def post(self, batch: Batch, key: str) -> Any:
        try:
            return super().post(batch, key)
        except Unsure:
            return super().post(batch, key)


class DropsARow(Plain):
    """Leaves the last row out of its receipt."""

    def told(self, batch: Batch, body: Mapping[str, Any]) -> Receipt:
        return Receipt(super().told(batch, body).outcomes[:-1])


class RejectsAllForOne(Plain):
    """Counts a whole batch as rejected for its bad row."""

    def told(self, batch: Batch, body: Mapping[str, Any]) -> Receipt:
        reason = "bad batch"
        fine = super().told(batch, body)
        return Receipt(tuple(Outcome(i.intent_id, "rejected", reason) for i in batch.items)) if body["errors"] else fine


class NamesPeople(Plain):
    """Quotes the address in its reason."""

    def told(self, batch: Batch, body: Mapping[str, Any]) -> Receipt:
        bad = [batch.items[number] for number in body["errors"]]
        others = [item for item in batch.items if item not in bad]
        return Receipt(
            tuple(Outcome(item.intent_id, "rejected", f"bad: {item.address}") for item in bad)
            + tuple(Outcome(item.intent_id, "accepted") for item in others)
        )


class TellsItsSecret(Plain):
    """Shows its token in its representation."""

    def __repr__(self) -> str:
        return f"TellsItsSecret({TOKEN})"


class CallsSilenceRefusal(Plain):
    """Says that nothing was taken when nobody knows."""

    def post(self, batch: Batch, key: str) -> Any:
        try:
            return super().post(batch, key)
        except Unsure as problem:
            raise Rejected(str(problem)) from None


class MakesNewKeys(PlainWithKeys):
    """Gives each try a key of its own."""

    def post(self, batch: Batch, key: str) -> Any:
        return super().post(batch, uuid4().hex)


class GoesOnWithoutCredentials(Plain):
    """Counts refused credentials as a fault of the rows."""

    def post(self, batch: Batch, key: str) -> Any:
        reply = self._channel.request(
            "POST",
            "/rows",
            sees=(401,),
            headers={"idempotency-key": key},
            json={"rows": [item.address for item in batch.items]},
        )
        if reply.status == 401:
            raise Rejected("HTTP 401")
        return reply.body


class BlamesTheRows(Plain):
    """Counts what a channel says of itself as a fault of the rows."""

    said = 429

    def post(self, batch: Batch, key: str) -> Any:
        rows = {"rows": [item.address for item in batch.items]}
        headers = {"idempotency-key": key}
        reply = self._channel.request("POST", "/rows", sees=(self.said,), headers=headers, json=rows)
        if reply.status == self.said:
            raise Rejected(f"HTTP {self.said}")
        return reply.body


class BlamesTheRowsForAll(BlamesTheRows):
    """The same, where there is no such account any more."""

    said = 404


class OverTheLimit(Plain):
    """Believes that the channel bears more than it does."""

    most = 8


def bench_of(connector: type[Plain]) -> Bench:
    """The connector on a bench of its own."""
    kind = ConnectorKind(
        name="plain",
        channel="post",
        mode="message",
        settings=PlainSettings,
        build=connector,
        limits=Limits(batch_size=getattr(connector, "most", 4), per_second=1000.0),
        is_idempotent=connector.is_idempotent,
    )
    return Bench(
        kind=kind,
        fake=lambda: PlainFake(knows_keys=connector.is_idempotent),
        settings=lambda url: {"base_url": url, "token": TOKEN},
        item=lambda number: Item(intent_of(number), f"person{number}@example.com"),
        bad_item=lambda number: Item(intent_of(number), f"{BAD}{number}@example.com"),
        whom=lambda item: item.address,
    )
