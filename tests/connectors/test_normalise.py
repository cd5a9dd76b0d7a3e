"""Values as each destination wants them: what the golden vectors, which each connector's test plays, do not show."""

import pytest

from cdp_lib.connectors import normalise


@pytest.mark.parametrize(
    "rule",
    [
        normalise.sha256,
        normalise.meta_email,
        normalise.meta_phone,
        normalise.meta_name,
        normalise.meta_city,
        normalise.meta_country,
        normalise.meta_gender,
        normalise.google_email,
        normalise.google_phone,
        normalise.tiktok_text,
    ],
    ids=lambda rule: rule.__name__,
)
@pytest.mark.parametrize("raw", [None, ""])
def test_unknown_stays_unknown_and_is_never_hashed(rule: object, raw: str | None) -> None:
    assert callable(rule)
    assert rule(raw) is None


@pytest.mark.parametrize(
    ("postcode", "country", "expected"),
    [
        ("94105-1234", "US", "94105"),
        ("94105-1234", None, "941051234"),
        ("SW1A 1AA", "GB", "sw1a1aa"),
        (None, "US", None),
        (" - ", "US", None),
    ],
)
def test_postcode_is_closed_up_and_cut_in_the_united_states_alone(
    postcode: str | None, country: str | None, expected: str | None
) -> None:
    assert normalise.meta_postcode(postcode, country) == expected


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ("1990-02-03", ("1990", "02", "03")),
        ("03/02/1990", (None, None, None)),
        ("1990-2-3", (None, None, None)),
        (None, (None, None, None)),
    ],
)
def test_birth_date_is_read_in_iso_form_alone(day: str | None, expected: tuple[str | None, ...]) -> None:
    assert normalise.meta_birth(day) == expected


def test_one_number_is_hashed_differently_for_meta_and_google() -> None:
    number = "+66812345678"

    assert normalise.meta_phone(number) == "66812345678"
    assert normalise.google_phone(number) == "+66812345678"


@pytest.mark.parametrize("rule", [normalise.meta_email, normalise.tiktok_text])
def test_dots_and_tags_of_an_address_belong_to_it_but_to_google(rule: object) -> None:
    assert callable(rule)
    assert rule("A.B+c@Gmail.com") == "a.b+c@gmail.com"


@pytest.mark.parametrize("stated", ["other", "unknown", "Male", "x", "diverse"])
def test_gender_is_told_only_where_it_is_said(stated: str) -> None:
    assert normalise.meta_gender(stated) is None
