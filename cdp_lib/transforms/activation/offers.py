"""Codes of offers: the same for the same customer and occasion, and not to be guessed without the salt."""

from pyspark.sql import Column, functions as F

_HEX_DIGITS, _LENGTH = 15, 12
"""60 bits: twelve characters of five. Among a million codes two are alike once in two million such sets."""

_BASE_32 = "0123456789ABCDEFGHIJKLMNOPQRSTUV"
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def offer_code(salt: str) -> Column:
    """The code of a candidate with `offer` (offer_id, shared, prefix), activation_id, golden_id and occasion.

    A shared code is taken as it is; another is its prefix and twelve characters of Crockford's base 32, which has no
    I, L, O and U to misread. Null without an offer.
    """
    told = F.array(F.lit(salt), "offer.offer_id", "activation_id", "golden_id", "occasion")
    digest = F.sha2(F.to_json(told), 256)
    digits = F.lpad(F.conv(F.substring(digest, 1, _HEX_DIGITS), 16, 32), _LENGTH, "0")
    unique = F.concat("offer.prefix", F.translate(digits, _BASE_32, _CROCKFORD))
    return F.when(F.col("offer.offer_id").isNotNull(), F.coalesce("offer.shared", unique))
