"""`clean_email`: one form per address, nothing guessed."""

from cdp_lib.transforms.clean.email import clean_email

VECTORS = [
    (None, None),
    ("", None),
    ("ann@shop.org", "ann@shop.org"),
    ("ann@shop.org", "ann@shop.org"),
    (" Ann.Lee@Shop.ORG ", "ann.lee@shop.org"),
    ("ann.lee+news@gmail.com", "ann.lee+news@gmail.com"),
    ("mailto:Ann@shop.org", "ann@shop.org"),
    ("MAILTO: ann@shop.org", "ann@shop.org"),
    ("Ann Lee <ann@shop.org>", "ann@shop.org"),
    ("<ann@shop.org>", "ann@shop.org"),
    ('"ann@shop.org";', "ann@shop.org"),
    ("o'neil@shop.org", "o'neil@shop.org"),
    ("ann@shop.co.th", "ann@shop.co.th"),
    ("ann@xn--bcher-kva.xn--p1ai", "ann@xn--bcher-kva.xn--p1ai"),
    ("ann@gmial.com", "ann@gmial.com"),
    ("ann@shop", None),
    ("ann@@shop.org", None),
    ("ann.shop.org", None),
    (".ann@shop.org", None),
    ("ann..lee@shop.org", None),
    ("ann.@shop.org", None),
    ("ann@-shop.org", None),
    ("ann@shop-.org", None),
    ("ann@shop..org", None),
    ("ann@shop.o", None),
    ("ann@shop.123", None),
    ("ann lee@shop.org", None),
    ("ann@shop.org, lee@shop.org", None),
    ("ann@shop.org;lee@shop.org", None),
    ("แอน@shop.org", None),
    ("a" * 64 + "@shop.org", "a" * 64 + "@shop.org"),
    ("a" * 65 + "@shop.org", None),
    ("a@" + "b" * 63 + ".org", "a@" + "b" * 63 + ".org"),
    ("a@" + "b" * 64 + ".org", None),
    ("a@" + ".".join(["b" * 60] * 4) + ".info", "a@" + ".".join(["b" * 60] * 4) + ".info"),
    ("a@" + ".".join(["b" * 61] * 4) + ".infos", None),
    ("@shop.org", None),
    ("ann@", None),
]


def test_address_is_lower_case_and_bare_or_null(check_vectors) -> None:
    check_vectors(clean_email, VECTORS)


def test_no_rows_give_no_rows(check_vectors) -> None:
    check_vectors(clean_email, [])
