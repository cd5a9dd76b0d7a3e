"""Mistakes in a simulator.yml, each named."""

from typing import Any

import pytest
from pydantic import ValidationError

from cdp_lib.errors import ConfigError
from cdp_lib.settings.simulator import Simulator
from cdp_lib.simulate.systems import simulate

from .conftest import library_settings


def broken(system: int, **changed: Any) -> dict[str, Any]:
    settings = library_settings()
    settings["systems"][system] = settings["systems"][system] | changed
    return settings


def test_the_example_is_valid_and_hashes_alike_twice() -> None:
    first, second = (Simulator.model_validate(library_settings()) for _ in range(2))
    assert first.content_hash() == second.content_hash()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (broken(2, needs="raeder"), "needs: unknown 'raeder'. Did you mean 'reader'"),
        (broken(2, record_id=["crad"]), "idents: unknown 'crad'. Did you mean 'card'"),
        (broken(2, lines={"catalogue": "book", "counts": {1: 1}}), "unknown 'book'. Did you mean 'books'"),
        (broken(2, id="reader"), "'reader' is used 2 times"),
        (broken(1, columns={"card": {"of": "redaer"}}), "columns.card.of: unknown 'redaer'"),
        (broken(1, columns={"card": {"key": True, "serial": "#"}}), "exactly one of"),
        (broken(1, columns={"card": {"blank": 0.1}}), "exactly one of .* found none"),
        (broken(1, path="/etc/readers.csv"), "path"),
        (library_settings(placeholders={}), "placeholder rate without placeholders.email"),
        (library_settings(extra=1), "extra"),
        (library_settings(noise={"emial": {}}), "noise.emial"),
        (library_settings(placeholders={"birth_date": {"31/12/1900": 1}}), "isoformat"),
        (broken(2, hours={24: 1}), "hours.24"),
        (broken(1, columns={"tel": {"person": "phone", "formats": {"0##": 1}}}), "need 10 `#` signs"),
    ],
)
def test_a_fault_is_named(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Simulator.model_validate(settings)


def test_mail_domains_that_could_be_real_are_refused() -> None:
    settings = library_settings()
    settings["contacts"] = settings["contacts"] | {"email_domains": {"somewhere.com": 1}}
    with pytest.raises(ValidationError, match="could be real"):
        Simulator.model_validate(settings)


def test_phone_prefixes_of_different_lengths_are_refused() -> None:
    settings = library_settings()
    settings["contacts"] = settings["contacts"] | {"phone_prefixes": ["7400", "75"]}
    with pytest.raises(ValidationError, match="same number of digits"):
        Simulator.model_validate(settings)


@pytest.mark.parametrize(
    ("system", "column", "message"),
    [
        (0, {"item": "titel"}, "no item field 'titel'. Did you mean 'title'"),
        (1, {"item": "title"}, "`item` needs `lines`"),
        (1, {"step": True}, "`step` needs the stream's `steps`"),
        (1, {"total": ["copies"]}, "'copies' is no earlier number column"),
        (2, {"key": True}, "`key` belongs to a records system"),
    ],
)
def test_a_column_that_cannot_be_made_is_named(
    tmp_path: Any, system: int, column: dict[str, Any], message: str
) -> None:
    settings = library_settings()
    columns = settings["systems"][system]["columns"] | {"odd": column}
    settings["systems"][system] = settings["systems"][system] | {"columns": columns}
    with pytest.raises(ConfigError, match=f"column odd: {message}"):
        simulate(Simulator.model_validate(settings), customers=50, days=2, seed=1, out=tmp_path / "out")
