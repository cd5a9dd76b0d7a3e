"""How each destination wants a customer written before it is hashed: one function per rule, each with its source.

A hash is only matched where both sides wrote the same text, and no two destinations write alike, so a value is
normalised for each of them. All take a cleaned value or None; None comes back where nothing is left to match by.
Dots and +tags of an address belong to it, but to Google those of its own mailboxes, which know neither. Sources: docs
of connectors.md, row and mark given.
"""

import hashlib
import re
import unicodedata

_DIGITS = re.compile(r"[0-9]+")
_INTERNATIONAL = re.compile(r"^(?:\+|00)[\s().-]*(?P<number>[1-9][0-9\s().-]*)$")
_ISO_DATE = re.compile(r"^([0-9]{4})-([0-9]{2})-([0-9]{2})$")
_ISO_COUNTRY = re.compile(r"^[a-z]{2}$")
_META_GENDERS = {"female": "f", "male": "m"}
_US_POSTCODE_DIGITS = 5
_GOOGLE_MAIL = ("gmail.com", "googlemail.com")


def sha256(text: str | None) -> str | None:
    """Lower hex SHA-256 of the text in UTF-8."""
    return hashlib.sha256(text.encode()).hexdigest() if text else None


def meta_email(email: str | None) -> str | None:
    """Trimmed, lower case. "EMAIL trim lower", Meta Custom Audiences [D]."""
    return _trimmed(email)


def meta_phone(phone: str | None) -> str | None:
    """Digits only, none of them a leading zero, no plus. "PHONE digits only, no leading zeros", Meta [D].

    The country's code must stand in front, as it does in a cleaned number.
    """
    return "".join(_DIGITS.findall(phone or "")).lstrip("0") or None


def meta_name(name: str | None) -> str | None:
    """Lower case without punctuation, in any script. "FN/LN lower no punctuation", Meta [D]."""
    return _trimmed(_without_punctuation(name))


def meta_city(city: str | None) -> str | None:
    """Lower case, neither punctuation nor spaces; a state alike. "CT/ST/ZIP", Meta [D]; the spaces [K]."""
    return _closed(_without_punctuation(city))


def meta_postcode(postcode: str | None, country: str | None) -> str | None:
    """Lower case, neither punctuation nor spaces; of the United States five digits. "CT/ST/ZIP", Meta [D]; form [K]."""
    text = _closed(_without_punctuation(postcode))
    return text[:_US_POSTCODE_DIGITS] if text and meta_country(country) == "us" else text


def meta_country(country: str | None) -> str | None:
    """Two lower-case letters of ISO 3166; None for a name. "COUNTRY (ISO2 lower)", Meta [D]."""
    text = _trimmed(country)
    return text if text and _ISO_COUNTRY.match(text) else None


def meta_birth(birth_date: str | None) -> tuple[str | None, str | None, str | None]:
    """Year, month and day with leading zeros, of an ISO date. "DOBY/DOBM/DOBD", Meta [D]; the zeros [K]."""
    found = _ISO_DATE.match(birth_date or "")
    return (found[1], found[2], found[3]) if found else (None, None, None)


def meta_gender(gender: str | None) -> str | None:
    """`f` or `m` where the customer said female or male; None for all else, which is never `m`. "GEN", Meta [D]."""
    return _META_GENDERS.get(gender or "")


def google_email(email: str | None) -> str | None:
    """Lower case, without any white space, inside neither. "remove ALL whitespace, lower", Google (new) [D].

    Of gmail.com and googlemail.com also without dots before the @ and without +tag: Data Manager, formatting [D].
    """
    address = _closed(email)
    name, _, domain = (address or "").partition("@")
    return f"{name.partition('+')[0].replace('.', '')}@{domain}" if domain in _GOOGLE_MAIL else address


def google_phone(phone: str | None) -> str | None:
    """E.164 with its plus; None where the country's code is not said. "phone E.164 with '+'", Google (new) [D]."""
    found = _INTERNATIONAL.match((phone or "").strip())
    return "+" + "".join(_DIGITS.findall(found["number"])) if found else None


def tiktok_text(value: str | None) -> str | None:
    """Trimmed, lower case: an address or a number as it is. "SHA256 or MD5 (trim lower)", TikTok [S]."""
    return _trimmed(value)


def mailchimp_member(email: str) -> str:
    """What Mailchimp calls a member of a list. "MD5(lower e-mail) as member id", Mailchimp [P]."""
    return hashlib.md5(email.strip().lower().encode(), usedforsecurity=False).hexdigest()


def _trimmed(text: str | None) -> str | None:
    return (text or "").strip().lower() or None


def _closed(text: str | None) -> str | None:
    return "".join((text or "").split()).lower() or None


def _without_punctuation(text: str | None) -> str | None:
    return "".join(sign for sign in text or "" if unicodedata.category(sign)[0] not in "PS")
