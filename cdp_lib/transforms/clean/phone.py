"""Phone numbers in E.164, as the numbering plans of the world allow them."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import phonenumbers
import pyarrow as pa
from phonenumbers.phonemetadata import PhoneMetadata, PhoneNumberDesc
from pyspark.sql import Column, functions as F, types as T
from pyspark.sql.pandas.functions import arrow_udf

from cdp_lib.transforms.clean.text import DECIMAL_ENDING, whole_number

_KINDS = (
    "fixed_line", "mobile", "toll_free", "premium_rate", "shared_cost", "voip", "personal_number", "pager", "uan",
    "voicemail",
)  # fmt: skip
_SCIENTIFIC = re.compile(r"^\d(?:\.\d+)?[eE]\+?\d+$")
_REMARK = re.compile(r"\([^()\d]*\)|\s*ต่อ\s*\d+\s*$")
_BETWEEN_NUMBERS = re.compile(r"[,;/|]|\bor\b|\band\b|และ|หรือ")
_PLAIN = r"^[+(]{0,2}\d[\d ().-]{5,30}$"
_WITH_COUNTRY_CODE = r"^[ ().-]*(?:\+|0[ ().-]*0)"
_BETWEEN = "\n"
"""Between a number and the country that it is dialled in; `clean_text` leaves no such character in a text."""


@dataclass(frozen=True)
class KnownNumbers:
    """Numbers of one region that patterns can judge as phonenumbers does; Java and Python read both patterns alike.

    `valid` matches digits, maybe with `+`, `00`, country code or national prefix before them, whose answer is
    `country_code` and what `before` does not match.
    """

    valid: str
    before: str
    country_code: str


def clean_phone(column: Column, region: str, country: Column | None = None) -> Column:
    """The number in E.164 (+66812345678); an extension is dropped.

    `column` is text as `clean_text` leaves it; a number without country code is read as dialled in the person's own
    `country` (ISO 3166; null, or none given: unknown), and where that has no such number, in `region`; one with 00
    before the country code is read as with +. 812345678.0 is 812345678. Null: null, not a valid number of any
    numbering plan, or a number that lost digits (6.68E+10).
    """
    own = F.lit(None) if country is None else country
    is_elsewhere = F.coalesce(own != region, F.lit(False)) & ~column.rlike(_WITH_COUNTRY_CODE)
    at_home = F.when(~is_elsewhere, known_phone(column, region))
    dialled = F.concat_ws(_BETWEEN, column, F.when(is_elsewhere, own))
    return F.coalesce(at_home, _parser(region)(F.when(at_home.isNull() & column.isNotNull(), dialled)))


def known_phone(column: Column, region: str) -> Column:
    """The E.164 form where patterns are sure of it, else null (which does not mean invalid)."""
    numbers = known_numbers(region)
    if numbers is None:
        return F.lit(None).cast("string")
    digits = F.regexp_replace(whole_number(column), r"[ ().-]", "")
    national = F.regexp_replace(digits, numbers.before, "")
    is_known = column.rlike(_PLAIN) & digits.rlike(numbers.valid)
    return F.when(is_known, F.concat(F.lit(f"+{numbers.country_code}"), national))


def known_numbers(region: str) -> KnownNumbers | None:
    """The patterns of a region, from the metadata of phonenumbers; None where its parsing is more than a pattern.

    Why they are right (`n` a national number: of an allowed length, matching the plan and one of its kinds):
    `+cc n` and `n` are parsed as they stand if `n` begins with no national prefix, and if `n` alone begins neither
    with the country code nor with an international prefix. `00cc n` is read as `+cc n` first (`e164`). `cc n` loses its
    country code if the whole fits no number of the plan. `prefix n` loses its prefix, since `n` fits the plan, if the
    whole begins with no international prefix and not with the country code, unless prefix and country code are the
    same, where both readings give `n`. Valid: the region comes first for its country code, so `n` is tried as its
    number. No leading noughts in `n`, which E.164 would have to keep. Tests compare both over every region.
    """
    plan = PhoneMetadata.metadata_for_region(region)
    if plan is None or plan.general_desc is None:
        return None
    if phonenumbers.region_code_for_country_code(plan.country_code or 0) != region:
        return None
    prefix = plan.national_prefix_for_parsing or ""
    alternatives = prefix.split("|")
    if plan.national_prefix_transform_rule or not re.fullmatch(r"[\d|]*", prefix):
        return None
    own, code = plan.national_prefix or "", str(plan.country_code)
    if any(other != own and other.startswith(own) for other in alternatives) or (own and own not in alternatives):
        return None
    general = plan.general_desc
    kinds = "|".join(dict.fromkeys(_pattern(kind, general) for kind in _described(plan)))
    unprefixed = f"(?!0|{prefix})" if prefix else "(?!0)"
    number = f"{unprefixed}(?={_exactly(general)}$)(?:{kinds})$"
    abroad = f"(?!{plan.international_prefix})" if plan.international_prefix else ""
    not_code = "" if own == code else f"(?!{code})"
    dialled = f"(?:{own})?{number}" if own else number
    no_whole = f"(?!{_exactly(general)}$)"
    readings = (rf"(?:\+|00){code}{number}", f"{abroad}{no_whole}{code}{number}", f"{abroad}{not_code}{dialled}")
    before = rf"^(?:(?:\+|00)?{code}|{own})" if own else rf"^(?:\+|00)?{code}"
    return KnownNumbers(valid=f"^(?:{'|'.join(readings)})", before=before, country_code=code)


def _described(plan: PhoneMetadata) -> Iterator[PhoneNumberDesc]:
    for kind in _KINDS:
        desc = getattr(plan, kind)
        if desc is not None and desc.national_number_pattern:
            yield desc


def _pattern(kind: PhoneNumberDesc, general: PhoneNumberDesc) -> str:
    lengths = "|".join(rf"\d{{{length}}}" for length in kind.possible_length or general.possible_length)
    return f"(?=(?:{lengths})$){_exactly(kind)}"


def _exactly(desc: PhoneNumberDesc) -> str:
    return f"(?:{desc.national_number_pattern})"


def _parser(region: str) -> Callable[[Column], Column]:
    """Of a number, or of one and its country. A numbering plan is no pattern: the library knows it.

    Each distinct value of a batch is parsed once.
    """

    def read(value: str | None) -> str | None:
        if value is None:
            return None
        text, _, country = value.partition(_BETWEEN)
        return (country and e164(text, country)) or e164(text, region)

    def parse(values: pa.Array) -> pa.Array:
        coded = values.dictionary_encode()
        parsed = pa.array([read(value) for value in coded.dictionary.to_pylist()], pa.string())
        return parsed.take(coded.indices)

    # Spark asks for type hints in place of the third argument, but its stub does not know that form.
    parser: Callable[[Column], Column] = arrow_udf(parse, T.StringType())  # type: ignore[call-overload]
    return parser


def e164(text: str, region: str) -> str | None:
    """The number in E.164, of several in one text the first that is valid; None if none is, in any plan.

    What stands in brackets without a digit is a remark, and what follows the Thai word for an extension is one.
    """
    text = DECIMAL_ENDING.sub(r"\1", text)
    if _SCIENTIFIC.match(text):
        return None
    bare = _REMARK.sub("", text)
    pieces = (text, bare, *_BETWEEN_NUMBERS.split(bare), *bare.split())
    return next((number for piece in dict.fromkeys(pieces) if (number := _read(piece, region))), None)


def _read(text: str, region: str) -> str | None:
    # Some plans dial abroad by 001 or 009 only, yet everybody there writes 0044 too.
    bare = re.sub(r"[ ().-]", "", text)
    readings = (f"+{bare[2:]}", text) if bare.startswith("00") else (text,)
    return next((number for number in map(lambda reading: _parsed(reading, region), readings) if number), None)


def _parsed(text: str, region: str) -> str | None:
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
