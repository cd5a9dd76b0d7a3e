"""Google customer match: the wire is as the golden file says, and every answer is read to the row."""

import base64
import json
from dataclasses import replace
from urllib.parse import parse_qs

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pydantic import ValidationError

from cdp_lib.connectors import normalise
from cdp_lib.connectors.google_audience import GoogleAudience, GoogleAudienceSettings, KIND
from cdp_lib.connectors.kit.bench import intent_of
from cdp_lib.connectors.kit.google_audience import BENCH
from cdp_lib.connectors.kit.sending import send
from cdp_lib.connectors.kit.server import serving
from cdp_lib.connectors.protocol import Batch, Item
from tests.connectors.transcript import exchanges, golden, played, Tape

TOLD = {"account_id": "1", "audience_id": "2", "ad_user_data": "granted", "ad_personalization": "granted"}


@pytest.mark.parametrize("exchange", exchanges("google_audience"))
def test_exchange_is_as_the_golden_transcript(exchange: str) -> None:
    actual, expected = played("google_audience", exchange, KIND)

    assert actual == expected


@pytest.mark.parametrize(
    "vector", golden("google_audience")["vectors"], ids=lambda one: f"{one['rule']} {one['raw']!r}"
)
def test_value_is_normalised_and_hashed_as_the_golden_vector(vector: dict[str, str | None]) -> None:
    normalised = getattr(normalise, str(vector["rule"]))(vector["raw"])

    assert (normalised, normalise.sha256(normalised)) == (vector["normalised"], vector["sha256"])


@pytest.mark.parametrize("proof", [{}, {"access_token": "a", "service_account": "{}"}], ids=["none", "two"])
def test_one_proof_is_needed(proof: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="either service_account or access_token"):
        GoogleAudienceSettings.model_validate({**TOLD, **proof})


def test_consent_is_never_taken_for_granted() -> None:
    with pytest.raises(ValidationError, match=r"ad_user_data\n  Field required"):
        GoogleAudienceSettings.model_validate({"account_id": "1", "audience_id": "2", "access_token": "a"})


def test_a_trial_of_the_destination_leaves_no_trace_of_anybody() -> None:
    bench = replace(BENCH, settings=lambda url: {**BENCH.settings(url), "validate_only": True})
    run = send(bench, [BENCH.item(number) for number in range(9)])
    assert (run.outcomes, run.taken, len(run.journal.begun)) == ((), (), 1)
    assert run.refusal is not None
    assert run.refusal.startswith("validate_only: Google found the request valid and took nobody")


def test_service_account_gets_a_token_for_the_data_manager_and_keeps_it() -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    account = {"client_email": "sender@example.com", "private_key_id": "k1", "private_key": pem}
    taken = {"status": 200, "body": {"requestId": "r-1"}}
    batch = Batch("remove", "loyal", (Item(intent_of(1), person={"email": "a@example.com"}),))
    with serving(Tape([{"status": 200, "body": {"access_token": "t-1"}}, taken, taken])) as server:
        urls = {"base_url": server.url, "token_url": f"{server.url}/token"}
        settings = GoogleAudienceSettings.model_validate({**TOLD, **urls, "service_account": json.dumps(account)})
        connector = GoogleAudience(settings, now=lambda: 1_764_057_600.0)
        for _ in range(2):
            connector.deliver(batch, idempotency_key="key")
        connector.close()

    asked, *sent = server.requests
    claims = parse_qs(asked.body.decode())["assertion"][0].split(".")[1]
    assert json.loads(base64.urlsafe_b64decode(claims + "=="))["scope"].endswith("/auth/datamanager")
    assert [one.headers["authorization"] for one in sent] == ["Bearer t-1", "Bearer t-1"]
