"""LINE messages: the wire is as the golden file says, every answer is read, and a repeated request doubles nothing."""

from dataclasses import replace

import pytest

from cdp_lib.connectors.kit.line import BENCH, LineFake
from cdp_lib.connectors.kit.server import serving
from cdp_lib.connectors.line import is_user_id, KIND
from cdp_lib.connectors.protocol import Batch, Retryable
from tests.connectors.transcript import exchanges, golden, played


@pytest.mark.parametrize("exchange", exchanges("line"))
def test_exchange_is_as_the_golden_transcript(exchange: str) -> None:
    actual, expected = played("line", exchange, KIND)

    assert actual == expected


@pytest.mark.parametrize("vector", golden("line")["vectors"], ids=lambda vector: repr(vector["raw"]))
def test_only_a_user_id_is_sendable(vector: dict[str, object]) -> None:
    assert is_user_id(str(vector["raw"])) == vector["is_sendable"]


@pytest.mark.parametrize(("text", "status"), [("☕" * 4998 + "🎂", "accepted"), ("☕" * 4999 + "🎂", "rejected")])
def test_text_beyond_5000_utf16_units_is_refused_before_it_leaves(text: str, status: str) -> None:
    batch = Batch("send", "ready", tuple(replace(BENCH.item(number), parts={"text": text}) for number in (1, 2)))
    fake = LineFake()
    with serving(fake) as server:
        line = KIND.build(KIND.settings(**BENCH.settings(server.url)))
        receipt = line.deliver(batch, idempotency_key=golden("line")["key"])
        line.close()

    reason = "" if status == "accepted" else "text_too_long"
    assert [(outcome.status, outcome.reason) for outcome in receipt.outcomes] == [(status, reason)] * 2
    assert len(fake.taken) == (2 if status == "accepted" else 0)


def test_batch_taken_before_the_fault_is_accepted_once_when_repeated() -> None:
    fake = LineFake()
    batch = Batch("send", "ready", tuple(BENCH.item(number) for number in range(500)))
    key = golden("line")["key"]
    with serving(fake, ["5xx_after"]) as server:
        line = KIND.build(KIND.settings(**BENCH.settings(server.url)))
        with pytest.raises(Retryable, match="HTTP 502"):
            line.deliver(batch, idempotency_key=key)
        receipt = line.deliver(batch, idempotency_key=key)
        line.close()

    assert {(outcome.status, outcome.provider_id) for outcome in receipt.outcomes} == {("accepted", "request-1")}
    assert fake.taken == [("send", item.address) for item in batch.items]
