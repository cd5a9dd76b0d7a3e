"""Meta custom audiences: the wire is as the golden file says, and every answer is read to the row."""

from contextlib import closing

import pytest

from cdp_lib.connectors import normalise
from cdp_lib.connectors.kit.meta_audience import BENCH, MetaAudienceFake
from cdp_lib.connectors.kit.server import serving
from cdp_lib.connectors.meta_audience import KIND
from cdp_lib.connectors.protocol import Batch, Refused
from tests.connectors.transcript import exchanges, golden, played


@pytest.mark.parametrize("exchange", exchanges("meta_audience"))
def test_exchange_is_as_the_golden_transcript(exchange: str) -> None:
    actual, expected = played("meta_audience", exchange, KIND)

    assert actual == expected


def test_an_audience_that_is_gone_refuses_everybody() -> None:
    batch = Batch("add", "loyal", (BENCH.item(1), BENCH.item(2)))
    with serving(MetaAudienceFake()) as server:
        settings = {**BENCH.settings(server.url), "audience_id": "7"}
        meta = KIND.build(KIND.settings.model_validate(settings))
        with closing(meta), pytest.raises(Refused, match=r"subcode 33: there is no such audience.*check audience_id"):
            meta.deliver(batch, idempotency_key="key")


@pytest.mark.parametrize("vector", golden("meta_audience")["vectors"], ids=lambda one: f"{one['rule']} {one['raw']!r}")
def test_value_is_normalised_and_hashed_as_the_golden_vector(vector: dict[str, str | None]) -> None:
    normalised = getattr(normalise, str(vector["rule"]))(vector["raw"])

    assert (normalised, normalise.sha256(normalised)) == (vector["normalised"], vector["sha256"])
