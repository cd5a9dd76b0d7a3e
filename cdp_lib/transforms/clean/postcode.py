"""Postcodes in their region's usual form."""

from collections.abc import Mapping

from pyspark.sql import Column, functions as F

from cdp_lib.transforms.clean.once import once
from cdp_lib.transforms.clean.text import whole_number

POSTCODE_FORMS: Mapping[str, tuple[str, str]] = {
    "AU": (r"^(\d{4})$", "$1"),
    "CA": (r"^([ABCEGHJ-NPRSTVXY]\d[A-Z])(\d[A-Z]\d)$", "$1 $2"),
    "DE": (r"^(\d{5})$", "$1"),
    "FR": (r"^(\d{5})$", "$1"),
    "GB": (r"^((?!00)(?:[A-Z]{1,2}\d[A-Z\d]?|GIR))(\d[A-Z]{2})$", "$1 $2"),
    "IN": (r"^([1-9]\d{5})$", "$1"),
    "JP": (r"^(\d{3})(\d{4})$", "$1-$2"),
    "MY": (r"^(\d{5})$", "$1"),
    "NL": (r"^([1-9]\d{3})([A-Z]{2})$", "$1 $2"),
    "SG": (r"^(\d{6})$", "$1"),
    "TH": (r"^([1-9]\d{4})$", "$1"),
    "US": (r"^(\d{5})(?=\d{4}$|$)(\d{4})?$", "$1-$2"),
}
"""Region (ISO 3166) -> what the bare letters and digits must match, and how they are written."""

_ANY_FORM = r"^(?=.*\d)[A-Z0-9]{3,10}$"
"""Where the region has no entry: three to ten letters and digits, at least one digit."""


def clean_postcode(column: Column, region: Column) -> Column:
    """The postcode in upper case, spaced as its region writes it: TH 10110, US 02139 or 02139-4307, GB SW1A 1AA.

    `column` is text as `clean_text` leaves it, `region` an ISO 3166 code in upper case (null, or without an entry in
    POSTCODE_FORMS: any three to ten letters and digits). Null: null, or it cannot be a postcode of that region.
    """
    return once(F.regexp_replace(whole_number(F.upper(column)), r"[^A-Z0-9]", ""), lambda bare: _written(bare, region))


def _written(bare: Column, region: Column) -> Column:
    by_region = [
        F.when(region == code, F.when(bare.rlike(pattern), F.rtrim(F.regexp_replace(bare, pattern, form), F.lit("-"))))
        for code, (pattern, form) in POSTCODE_FORMS.items()
    ]
    is_elsewhere = ~F.coalesce(region.isin(*POSTCODE_FORMS), F.lit(False))
    return F.coalesce(*by_region, F.when(is_elsewhere & bare.rlike(_ANY_FORM), bare))
