"""One cleaned row per raw person record, and why values were nulled."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date

from pyspark.sql import Column, DataFrame, functions as F, types as T

from cdp_lib.errors import ConfigError, ContractError, Fault
from cdp_lib.settings.cleaning import known_region, placeholder_pattern
from cdp_lib.transforms.clean.address import clean_address, clean_city, clean_country
from cdp_lib.transforms.clean.date import clean_date, date_reason, DAY_FIRST, MONTH_FIRST
from cdp_lib.transforms.clean.email import clean_email
from cdp_lib.transforms.clean.gender import clean_gender, GENDER_WORDS
from cdp_lib.transforms.clean.name import (
    clean_first_name,
    clean_last_name,
    DEFAULT_NAME_WORDS,
    NameWords,
    split_full_name,
)
from cdp_lib.transforms.clean.phone import clean_phone
from cdp_lib.transforms.clean.placeholder import placeholder_reason, REAL_LAST_NAMES
from cdp_lib.transforms.clean.postcode import clean_postcode
from cdp_lib.transforms.clean.rejection import INVALID, rejection, rejections
from cdp_lib.transforms.clean.text import clean_text

FULL_NAME = "full_name"
CLEANED_FIELDS = (
    "first_name", "last_name", "email", "phone", "birth_date", "gender", "address", "city", "postcode", "country",
)  # fmt: skip
"""Columns of every cleaned record: `birth_date` DATE, the others STRING."""

_RAW_FIELDS = (*CLEANED_FIELDS, FULL_NAME)
EARLIEST_BIRTH_DATE = date(1900, 1, 2)


@dataclass(frozen=True)
class CleaningRules:
    """What differs between businesses; raises ConfigError with every fault.

    `phone_region`: ISO 3166 region of phones without country code and of postcodes, where the record has no country.
    `latest_birth_date`: the run's as-of date. `day_first`: 03/04/1990 is 3 April. `placeholders`: Java patterns of
    further values that mean nothing, in any field and any case.
    """

    phone_region: str
    latest_birth_date: date
    day_first: bool = True
    placeholders: tuple[str, ...] = ()
    name_words: NameWords = DEFAULT_NAME_WORDS
    gender_words: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: GENDER_WORDS, hash=False)
    earliest_birth_date: date = EARLIEST_BIRTH_DATE

    def __post_init__(self) -> None:
        found = [("placeholders", _problem(placeholder_pattern, pattern)) for pattern in self.placeholders]
        found.append(("phone_region", _problem(known_region, self.phone_region)))
        faults = [Fault("cleaning rules", key, problem) for key, problem in found if problem]
        if self.earliest_birth_date > self.latest_birth_date:
            said = f"{self.earliest_birth_date} is after latest_birth_date {self.latest_birth_date}"
            faults.append(Fault("cleaning rules", "earliest_birth_date", said))
        if faults:
            raise ConfigError(faults)


def clean_customer_records(records: DataFrame, rules: CleaningRules) -> DataFrame:
    """One row per row of `records`: its other columns as they are, CLEANED_FIELDS, and `rejected`.

    `records` holds STRING columns of CLEANED_FIELDS and `full_name`, any of them absent; they are replaced, and
    `full_name` only fills a first or last name that its own column does not give. `rejected` lists each value that was
    given (something visible) and nulled: field, the value as it came, and 'placeholder', 'invalid' or 'implausible';
    one entry per field at most, sorted by field, an empty array if none. Raises ContractError for a raw column of
    another type, or a column `rejected`.
    """
    raw = [field for field in _RAW_FIELDS if field in records.columns]
    _check_columns(records, raw)
    others = [column for column in records.columns if column not in raw]
    given = [F.col(field).alias(_raw(field)) for field in raw]
    tidy = records.select(*others, *given, *(clean_text(F.col(field)).alias(_text(field)) for field in raw))
    judged = tidy.select("*", _country(raw, rules).alias("_country"), *(_nothing(field, raw, rules) for field in raw))
    read = judged.select("*", *(value.alias(_value(field)) for field, value in _values(raw, rules).items()))
    entries = [rejection(field, F.col(_raw(field)), _reason(field, rules)) for field in sorted(raw)]
    cleaned = [_kept(field, raw, rules).alias(field) for field in CLEANED_FIELDS]
    return read.select(*others, *cleaned, rejections(entries).alias("rejected"))


def _raw(field: str) -> str:
    return f"_raw_{field}"


def _text(field: str) -> str:
    return f"_text_{field}"


def _value(field: str) -> str:
    return f"_value_{field}"


def _check_columns(records: DataFrame, raw: list[str]) -> None:
    faults = [
        f"column '{field}' is {records.schema[field].dataType.simpleString()}, not string: map it as text"
        for field in raw
        if not isinstance(records.schema[field].dataType, T.StringType)
    ]
    if "rejected" in records.columns:
        faults.append("column 'rejected' is there already: cleaning writes it")
    if faults:
        raise ContractError(f"raw customer records: {'; '.join(faults)}.")


def _country(raw: list[str], rules: CleaningRules) -> Column:
    """The record's own country by code; null where it is not given, "" where it is given by a name without code."""
    if "country" not in raw:
        return F.lit(None).cast("string")
    text = F.col(_text("country"))
    given = clean_country(F.when(placeholder_reason(text, "country", rules.placeholders).isNull(), text))
    return F.when(given.rlike("^[A-Z]{2}$"), given).when(given.isNotNull(), F.lit(""))


def _nothing(field: str, raw: list[str], rules: CleaningRules) -> Column:
    reason = placeholder_reason(F.col(_text(field)), field, rules.placeholders)
    if field == "last_name" and "first_name" in raw:
        first = F.col(_text("first_name"))
        has_first = first.isNotNull() & placeholder_reason(first, "first_name", rules.placeholders).isNull()
        is_a_name = F.lower(_text(field)).isin(*REAL_LAST_NAMES) & has_first & (F.lower(first) != F.lower(_text(field)))
        reason = F.when(~F.coalesce(is_a_name, F.lit(False)), reason)
    return reason.alias(f"_nothing_{field}")


def _values(raw: list[str], rules: CleaningRules) -> dict[str, Column]:
    """What each given field says once read; of a full name the struct of its halves."""
    usable = {field: F.when(F.col(f"_nothing_{field}").isNull(), F.col(_text(field))) for field in raw}
    own_country = F.nullif("_country", F.lit("")) if "country" in raw else None
    reads: dict[str, Callable[[Column], Column]] = {
        "first_name": lambda text: clean_first_name(text, rules.name_words),
        "last_name": lambda text: clean_last_name(text, rules.name_words),
        "email": clean_email,
        "phone": lambda text: clean_phone(text, rules.phone_region, own_country),
        "birth_date": lambda text: clean_date(text, DAY_FIRST if rules.day_first else MONTH_FIRST),
        "gender": lambda text: clean_gender(text, rules.gender_words),
        "address": clean_address,
        "city": clean_city,
        "postcode": lambda text: clean_postcode(text, F.coalesce("_country", F.lit(rules.phone_region))),
        "country": clean_country,
    }
    values = {field: read(usable[field]) for field, read in reads.items() if field in raw}
    if FULL_NAME in raw:
        values[FULL_NAME] = split_full_name(usable[FULL_NAME], rules.name_words)
    return values


def _reason(field: str, rules: CleaningRules) -> Column:
    value = F.col(_value(field))
    if field == FULL_NAME:
        value = F.coalesce(value["first_name"], value["last_name"])
    invalid = F.when(value.isNull(), F.lit(INVALID))
    unreadable = _birth_date_reason(rules) if field == "birth_date" else invalid
    return F.coalesce(F.col(f"_nothing_{field}"), F.when(F.col(_text(field)).isNotNull(), unreadable))


def _birth_date_reason(rules: CleaningRules) -> Column:
    return date_reason(F.col(_value("birth_date")), rules.earliest_birth_date, rules.latest_birth_date)


def _kept(field: str, raw: list[str], rules: CleaningRules) -> Column:
    """The field's value in the answer, a typed null if no column gives it."""
    if field == "birth_date":
        is_good = _birth_date_reason(rules).isNull()
        return F.when(is_good, F.col(_value(field))) if field in raw else F.lit(None).cast("date")
    own = [F.col(_value(field))] if field in raw else []
    is_half = FULL_NAME in raw and field in ("first_name", "last_name")
    whole = [F.col(_value(FULL_NAME))[field]] if is_half else []
    return F.coalesce(*own, *whole, F.lit(None).cast("string"))


def _problem(check: Callable[[str], str], text: str) -> str:
    try:
        check(text)
    except ValueError as problem:
        return str(problem)
    return ""
