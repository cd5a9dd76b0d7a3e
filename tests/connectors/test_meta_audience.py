"""Meta custom audiences: the wire is as the golden file says, and every answer is read to the row."""

import pytest

from cdp_lib.connectors import normalise
from cdp_lib.connectors.meta_audience import KIND
from tests.connectors.transcript import exchanges, golden, played


@pytest.mark.parametrize("exchange", exchanges("meta_audience"))
def test_exchange_is_as_the_golden_transcript(exchange: str) -> None:
    actual, expected = played("meta_audience", exchange, KIND)

    assert actual == expected


@pytest.mark.parametrize("vector", golden("meta_audience")["vectors"], ids=lambda one: f"{one['rule']} {one['raw']!r}")
def test_value_is_normalised_and_hashed_as_the_golden_vector(vector: dict[str, str | None]) -> None:
    normalised = getattr(normalise, str(vector["rule"]))(vector["raw"])

    assert (normalised, normalise.sha256(normalised)) == (vector["normalised"], vector["sha256"])
