"""`placeholder_reason`: what stands for nothing, in which field."""

import pytest

from cdp_lib.transforms.clean.placeholder import placeholder_reason

NOTHING, SOMETHING = "placeholder", None
EVERYWHERE = ["0", "000000", "--", "0-0", "-", ".", "???", "n/a", "N/A", "None", "NULL", "unknown", "Unknown",
              "xxx", "XXXX", "asdf", "ไม่ระบุ", "aaaa", "test"]  # fmt: skip
VECTORS = {
    "first_name": {
        "Ann": SOMETHING,
        "Na": SOMETHING,
        "Nan": SOMETHING,
        "Guest": NOTHING,
        "firstname": NOTHING,
        "X": SOMETHING,
    },
    "last_name": {"Lee": SOMETHING, "Na": SOMETHING, "Nash": SOMETHING, "Customer": NOTHING},
    "full_name": {"Ann Lee": SOMETHING, "walk-in customer": NOTHING, "ลูกค้าทั่วไป": NOTHING},
    "email": {
        "test@shop.org": NOTHING,
        "Test1@shop.org": NOTHING,
        "noreply@shop.org": NOTHING,
        "no-reply+7@shop.org": NOTHING,
        "mailto:test@shop.org": NOTHING,
        "xxx@shop.org": NOTHING,
        "none@none.com": NOTHING,
        "aaa@aaa.com": NOTHING,
        "ann@noemail.com": NOTHING,
        "ann@shop.org": SOMETHING,
        "ann@example.com": SOMETHING,
        "tester.lee@shop.org": SOMETHING,
        "contest@shop.org": SOMETHING,
        "na@shop.org": SOMETHING,
        "na@na.com": NOTHING,
    },
    "phone": {
        "000-000-0000": NOTHING,
        "0000000000": NOTHING,
        "111-111-1111": NOTHING,
        "9999999": NOTHING,
        "+66 0000 0000 00": NOTHING,
        "080 000 0000": NOTHING,
        "1234567890": NOTHING,
        "1234567890.0": NOTHING,
        "1111111111.0": NOTHING,
        "081-234-5678": SOMETHING,
        "555-0123": SOMETHING,
        "081-111-1112": SOMETHING,
        "081-999-9999": SOMETHING,
        "089-999-9999": NOTHING,
    },
    "birth_date": {
        "1900-01-01": NOTHING,
        "1900-01-01 00:00:00": NOTHING,
        "01/01/1900": NOTHING,
        "0000-00-00": NOTHING,
        "9999-12-31": NOTHING,
        "1990-01-01": SOMETHING,
    },
    "gender": {"u": NOTHING, "x": SOMETHING, "f": SOMETHING},
    "postcode": {
        "00000": NOTHING,
        "99999": NOTHING,
        "99999.0": NOTHING,
        "10110": SOMETHING,
        "11111": NOTHING,
        "22222": SOMETHING,
    },
    "country": {"NA": SOMETHING},
    "nickname": {"Na": SOMETHING},
}


@pytest.mark.parametrize("field", VECTORS)
def test_value_that_means_nothing_in_its_field_has_a_reason(check_vectors, field: str) -> None:
    vectors = [(None, SOMETHING), *((text, NOTHING) for text in EVERYWHERE), *VECTORS[field].items()]

    check_vectors(lambda column: placeholder_reason(column, field), vectors)


def test_own_patterns_add_to_the_default_ones(check_vectors) -> None:
    vectors = [("STAFF-7", NOTHING), ("n/a", NOTHING), ("Ann", SOMETHING), (None, SOMETHING)]

    check_vectors(lambda column: placeholder_reason(column, "first_name", (r"^staff-\d+$",)), vectors)


def test_no_rows_give_no_rows(check_vectors) -> None:
    check_vectors(lambda column: placeholder_reason(column, "email"), [])
