"""Golden transcripts: what a connector must put on the wire, and what it must make of each answer.

A file of golden/ names, per exchange, the batch, the requests that must leave (with the line of connectors.md that they
rest on), the answers, and the outcomes or the error that must come of them.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from cdp_lib.connectors.kit.bench import intent_of
from cdp_lib.connectors.kit.server import Request, Response, serving
from cdp_lib.connectors.protocol import (
    Batch,
    Connector,
    ConnectorKind,
    Item,
    Refused,
    Rejected,
    Retryable,
    Unsure,
)

GOLDEN = Path(__file__).parent / "golden"


class Tape:
    """Answers as a transcript says, whatever it is asked; more requests than answers are a fault of the connector."""

    def __init__(self, answers: list[Mapping[str, Any]]) -> None:
        self.taken: list[tuple[str, str]] = []
        self._answers = [Response(one["status"], one.get("body"), one.get("headers", {})) for one in answers]

    def answer(self, request: Request) -> Response:
        """The next answer."""
        return self._answers.pop(0) if self._answers else Response(418)


@dataclass(frozen=True)
class Played:
    """Canonical requests, and the outcomes or the name and text of the error."""

    wire: list[str]
    result: Any


def golden(name: str) -> dict[str, Any]:
    """One connector's file."""
    return dict(json.loads((GOLDEN / f"{name}.json").read_text()))


def exchanges(name: str) -> list[str]:
    """Names of its exchanges."""
    return sorted(golden(name)["exchanges"])


def played(
    name: str, exchange: str, kind: ConnectorKind, build: Callable[[Any], Connector] | None = None
) -> tuple[Played, Played]:
    """What the connector did in that exchange, and what it must do; `build` in place of the kind's own."""
    told = golden(name)
    one = told["exchanges"][exchange]
    assert one["cites"], "an exchange names the line of connectors.md that it rests on"
    with serving(Tape([step["answer"] for step in one["steps"]])) as server:
        said = {**told["settings"], **one.get("settings", {})}
        given = {key: value for key, value in said.items() if value is not None}
        texts = json.dumps(given).replace("{url}", server.url)
        connector = (build or kind.build)(kind.settings(**json.loads(texts)))
        try:
            result = _result(connector, _batch(one["batch"]), one.get("key", told["key"]))
        finally:
            connector.close()
        wire = [
            _canonical(asdict(seen), list(step["request"].get("headers", {})))
            for seen, step in zip(server.requests, one["steps"], strict=True)
        ]
    expected = [_canonical(step["request"], list(step["request"].get("headers", {}))) for step in one["steps"]]
    outcomes = [_outcome(row) for row in one["outcomes"]] if "outcomes" in one else one["raises"]
    return Played(wire, result), Played(expected, outcomes)


def _batch(told: Mapping[str, Any]) -> Batch:
    items = []
    for row in told["items"]:
        end = row.get("expires_at")
        fields = {**row, "intent_id": intent_of(row["intent_id"]), "expires_at": end and datetime.fromisoformat(end)}
        items.append(Item(**fields))
    return Batch(told.get("operation", "send"), told.get("campaign", "loyal_birthday"), tuple(items))


def _result(connector: Connector, batch: Batch, key: str) -> Any:
    try:
        receipt = connector.deliver(batch, idempotency_key=key)
    except (Retryable, Rejected, Unsure, Refused) as problem:
        return [type(problem).__name__, str(problem), getattr(problem, "retry_after_seconds", None)]
    return sorted((asdict(outcome) for outcome in receipt.outcomes), key=lambda row: row["intent_id"])


def _outcome(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"reason": "", "provider_id": None, **row, "intent_id": intent_of(row["intent_id"])}


def _canonical(request: Mapping[str, Any], headers: list[str]) -> str:
    """One text per request: JSON bodies with sorted keys, forms as they are, and only the headers that matter."""
    body = request.get("body")
    if isinstance(body, bytes):
        text = body.decode()
        body = json.loads(text) if text.startswith("{") else text or None
    said = {name.lower(): text for name, text in request.get("headers", {}).items()}
    kept = {name.lower(): said.get(name.lower()) for name in headers}
    shown = {"method": request["method"], "path": request["path"], "headers": kept, "body": body}
    return json.dumps(shown, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
