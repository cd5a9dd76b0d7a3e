"""Values that stand for 'nothing': what people and systems type when a field must not stay empty."""

from collections.abc import Mapping, Sequence
from functools import reduce

from pyspark.sql import Column, functions as F

from cdp_lib.transforms.clean.once import once
from cdp_lib.transforms.clean.rejection import PLACEHOLDER
from cdp_lib.transforms.clean.text import whole_number

ANY_FIELD = "*"

WORDS_FOR_NOTHING = (
    "n/a", "n.a.", "n.a", "#n/a", "#n/a!", "none", "null", "(null)", "[null]", "nil", "undefined", "unknown",
    "unknow", "not available", "not applicable", "not provided", "not given", "not known", "not specified",
    "not stated", "no data", "missing", "ไม่ระบุ", "ไม่มี", "ไม่ทราบ", "ไม่มีข้อมูล", "ไม่ประสงค์ระบุ",
)  # fmt: skip
"""What nobody means as a value, of a field or of an id, in lower case."""

PLACEHOLDER_WORDS: Mapping[str, tuple[str, ...]] = {
    ANY_FIELD: (
        *WORDS_FOR_NOTHING, "blank", "empty", "tba", "tbc", "tbd", "test", "testing", "dummy", "fake",
        "asdf", "asdfgh", "asdfghjkl", "qwer", "qwerty", "foo", "foobar", "prefer not to say", "undisclosed", "ทดสอบ",
    ),
    "first_name": ("first name", "firstname", "fname", "customer", "guest", "anonymous", "walk-in", "walkin"),
    "last_name": ("last name", "lastname", "lname", "surname", "customer", "guest", "anonymous", "no name"),
    "full_name": (
        "full name", "fullname", "name", "customer", "guest", "anonymous", "walk-in", "walkin", "walk-in customer",
        "no name", "test test", "test user", "first last", "ไม่ระบุชื่อ", "ลูกค้า", "ลูกค้าทั่วไป",
    ),
    "email": ("na", "nan", "no", "no email", "no e-mail", "noemail"),
    "phone": ("na", "nan", "no", "no phone", "nophone", "1234567890", "0123456789", "123456789", "12345678", "1234567"),
    "birth_date": ("na", "nan"),
    "gender": ("na", "nan", "u", "unk", "no answer"),
    "postcode": ("na", "nan", "11111", "99999", "999999", "99999-9999"),
    "address": ("na", "nan", "no address", "address"),
    "city": ("nan", "no city", "city"),
    "country": ("nan", "country"),
}  # fmt: skip
"""Whole values in lower case, for any field or one. `na` and `nan` are names of people, and NA is Namibia."""

NO_LETTERS = r"^[\p{P}\p{S}\s]+$"
"""A value of signs alone."""

REAL_LAST_NAMES = ("blank", "foo", "guest")
"""Words for nothing that are people's last names too: beside a first name that is one they stand."""

PLACEHOLDER_PATTERNS: Mapping[str, tuple[str, ...]] = {
    ANY_FIELD: (r"^[0-]*$", NO_LETTERS, r"^x{2,}$"),
    "email": (
        r"^(?:mailto:)?(?:test(?:ing|er)?\d*|no[._-]?reply|do[._-]?not[._-]?reply|none|null|n/a|unknown|nobody|noone"
        r"|no[._-]?e?-?mail|asdf\w*|qwerty|x{2,}|dummy|fake)(?:\+[^@]*)?@",
        r"^[^@]+@(?:test|none|null|noemail|nomail|unknown|invalid|localhost|asdf)(?:\.\w+)?$",
        r"^(?<name>.)\k<name>*@\k<name>+\.",
        r"^na@na\.",
    ),
    "phone": (r"(?<last>\d)(?:[\s().-]*\k<last>){7}[\s().-]*$", r"^\D*(?<every>\d)(?:\D*\k<every>){5,}\D*$"),
    "birth_date": (r"^(?:1900-0?1-0?1|9999-12-31|1111-11-11|0001-0?1-0?1)(?!\d)", r"^0?1[/.-]0?1[/.-]1900(?!\d)"),
}
"""Java patterns found in the value in lower case, for any field or one; they are joined, so groups have names."""

_REPEATED, _REPEATED_LETTER = r"^(?<one>.)\k<one>{3,}$", r"^(?<one>\D)\k<one>{3,}$"
"""22222 and 44444 are towns."""

_FIGURES = ("phone", "birth_date", "postcode")
"""Fields of figures, which a spreadsheet may hand out as 1234567890.0."""


def placeholder_reason(column: Column, field: str, extra_patterns: Sequence[str] = ()) -> Column:
    """'placeholder' where the value stands for nothing in that field, else null.

    `column` is text as `clean_text` leaves it; `extra_patterns` are Java patterns for any field, found in any case.
    A field without lists of its own has those for any field.
    """
    words = (*PLACEHOLDER_WORDS[ANY_FIELD], *PLACEHOLDER_WORDS.get(field, ()))
    repeated = _REPEATED_LETTER if field == "postcode" else _REPEATED
    pattern = "|".join((*PLACEHOLDER_PATTERNS[ANY_FIELD], repeated, *PLACEHOLDER_PATTERNS.get(field, ())))
    lower = whole_number(F.lower(column)) if field in _FIGURES else F.lower(column)
    by_default = once(lower, lambda lower: lower.isin(*words) | lower.rlike(pattern))
    by_extra = (column.rlike(f"(?iu){extra}") for extra in extra_patterns)
    return F.when(reduce(Column.__or__, by_extra, by_default), F.lit(PLACEHOLDER))
