"""HubSpot: the wire is as the golden file says, and every answer is read to the row."""

import pytest

from cdp_lib.connectors.hubspot import KIND
from tests.connectors.transcript import exchanges, played


@pytest.mark.parametrize("exchange", exchanges("hubspot"))
def test_exchange_is_as_the_golden_transcript(exchange: str) -> None:
    actual, expected = played("hubspot", exchange, KIND)

    assert actual == expected
