"""A tiny business that no pack of ours resembles, so that these tests hold for any pack."""

from datetime import date
from typing import Any

import pytest

from cdp_lib.settings.simulator import Simulator

MEMBER_COLUMNS: dict[str, Any] = {
    "card": {"key": True},
    "name": {"person": "full_name", "case": 0.1, "space": 0.1},
    "mail": {"person": "email"},
    "tel": {"person": "phone", "formats": {"0#### ######": 1, "+44##########": 1}},
    "born": {"person": "birth_date", "formats": {"%d/%m/%Y": 1, "%Y-%m-%d": 1}},
    "street": {"person": "address"},
    "code": {"person": "postcode"},
    "since": {"when": {"%Y-%m-%d": 1}, "first_seen": True},
    "changed": {"when": {"%Y-%m-%d %H:%M:%S": 1}},
}
LOAN_COLUMNS: dict[str, Any] = {
    "loan": {"serial": "L%Y%m%d-######"},
    "card": {"of": "reader"},
    "tel": {"person": "phone", "formats": {"0##########": 1}},
    "title": {"item": "title"},
    "copies": {"number": [[9, 1, 1], [1, 2, 3]], "type": "number"},
    "worth": {"total": ["copies", "price"], "type": "number"},
    "at": {"when": {"%Y-%m-%dT%H:%M:%SZ": 1}, "utc": True},
}


def library_settings(**changed: Any) -> dict[str, Any]:
    """A lending library's simulator settings as YAML would give them."""
    settings: dict[str, Any] = {
        "kind": "simulator",
        "id": "library",
        "start": date(2025, 3, 1),
        "utc_offset_hours": 1,
        "population": {
            "households": [
                {"share": 2, "adults": 1},
                {"share": 2, "adults": 2, "children": 2},
                {"share": 1, "adults": 3, "related": False},
            ],
            "cultures": {"latin": 3, "thai": 1},
            "given_names": 60,
            "surnames": 300,
            "twins": 0.3,
        },
        "contacts": {
            "country_code": "44",
            "phone_digits": 10,
            "phone_prefixes": ["7400", "7500"],
            "email_domains": {"mail.example.com": 2, "post.test": 1},
            "cities": {"Upper Town": {"weight": 1, "postcodes": [100, 160]}},
            "address_forms": {"{street} Row {number}": 1},
            "postcode_digits": 4,
        },
        "noise": {
            "first_name": {"typo": 0.1, "nickname": 0.1, "initial": 0.05},
            "last_name": {"typo": 0.1, "scan": 0.05, "sound": 0.05},
            "email": {"missing": 0.2, "typo": 0.05, "placeholder": 0.05},
            "phone": {"missing": 0.2, "typo": 0.05, "placeholder": 0.05},
            "birth_date": {"missing": 0.1, "swapped": 0.05, "typo": 0.05, "shifted": 0.05, "placeholder": 0.05},
        },
        "names_swapped": 0.02,
        "placeholders": {
            "email": {"nobody@example.com": 1},
            "phone": {"0000000000": 1},
            "birth_date": {"1900-01-01": 1},
        },
        "catalogues": {
            "books": {
                "id_format": "B####",
                "rows": [
                    {"title": "Volume {n}", "price": 1000, "price_step": 50, "variants": 5},
                    {"title": 'The "Sea", part one', "price": 2500},
                ],
            }
        },
        "systems": [
            {
                "what": "table",
                "id": "book",
                "path": "stock/books.csv",
                "catalogue": "books",
                "columns": {"book": {"item": "id"}, "title": {"item": "title"}, "price": {"item": "price"}},
            },
            {
                "what": "records",
                "id": "reader",
                "path": "readers/{day}.csv",
                "share": 0.8,
                "again": [0.3],
                "id_format": "C######",
                "local_script": 0.5,
                "columns": MEMBER_COLUMNS,
            },
            {
                "what": "facts",
                "id": "loan",
                "path": "loans/{day}.jsonl.gz",
                "rate": [[1, 0.2], [1, 0.6]],
                "hours": {"9": 1, "17": 2},
                "idents": [
                    {"weight": 3, "shows": ["card"]},
                    {"weight": 2, "shows": ["tel"]},
                    {"weight": 1},
                ],
                "record_id": ["card", "tel"],
                "lines": {"catalogue": "books", "counts": {"1": 2, "2": 1}},
                "columns": LOAN_COLUMNS,
            },
        ],
        "delivery": {"late": 0.2, "resent": 0.2, "duplicate_rows": 0.05},
    }
    return settings | changed


@pytest.fixture
def library() -> Simulator:
    return Simulator.model_validate(library_settings())
