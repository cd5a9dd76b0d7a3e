"""E-mail addresses in the one form in which they are compared and written to."""

from pyspark.sql import Column, functions as F

from cdp_lib.transforms.clean.once import once

_ATOM = r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_TOP_LABEL = r"(?:[a-z]{2,63}|xn--[a-z0-9-]{1,58}[a-z0-9])"
_ADDRESS = rf"^(?=.{{3,254}}$)(?=[^@]{{1,64}}@){_ATOM}(?:\.{_ATOM})*@(?:{_LABEL}\.)+{_TOP_LABEL}$"


def clean_email(column: Column) -> Column:
    """The address in lower case, without `mailto:`, a display name (`Ann <ann@shop.org>`) or wrapping marks.

    `column` is text as `clean_text` leaves it. Dots and plus-tags stay: they are different mailboxes at many providers.
    Typing errors are not guessed at. Null: null, or not one ASCII address that mail servers accept (RFC 5321 lengths,
    RFC 5322 dot-atoms, a domain with a top level).
    """
    lower = F.lower(column)
    address = F.regexp_replace(lower, r"^[^<>]*<([^<>]+)>$", "$1")
    bare = F.regexp_replace(address, r"^[\s\"'(\[]*(?:mailto:)?\s*|[\s\"')\],;.]*$", "")
    return once(bare, lambda text: F.when(text.rlike(_ADDRESS), text))
