"""Fields with a small vocabulary or shape: gender, postcode, address, city, country."""

import pytest
from pyspark.sql import functions as F

from cdp_lib.transforms.clean.address import clean_address, clean_city, clean_country
from cdp_lib.transforms.clean.gender import clean_gender
from cdp_lib.transforms.clean.postcode import clean_postcode

GENDER = [
    (None, None),
    ("", None),
    ("F", "female"),
    ("f", "female"),
    ("f", "female"),
    ("Female", "female"),
    ("Mrs.", "female"),
    ("นางสาว", "female"),
    ("น.ส.", "female"),
    ("หญิง", "female"),
    ("M", "male"),
    ("MALE", "male"),
    ("Mr", "male"),
    ("นาย", "male"),
    ("ชาย", "male"),
    ("X", "other"),
    ("Non-binary", "other"),
    ("อื่นๆ", "other"),
    ("1", None),
    ("purple", None),
]
POSTCODES = {
    "TH": [(None, None), ("", None), ("10110", "10110"), ("10110", "10110"), ("10 110", "10110"), ("10110.0", "10110"),
           ("1011", None), ("00110", None), ("SW1A 1AA", None)],
    "US": [("02139", "02139"), ("02139-4307", "02139-4307"), ("021394307", "02139-4307"), ("2139", None),
           ("0213A", None)],
    "GB": [("sw1a1aa", "SW1A 1AA"), ("SW1A 1AA", "SW1A 1AA"), ("m1 1ae", "M1 1AE"), ("GIR 0AA", "GIR 0AA"),
           ("12345", None)],
    "CA": [("k1a0b1", "K1A 0B1"), ("D1A 0B1", None)],
    "JP": [("1000001", "100-0001"), ("100-0001", "100-0001")],
    "NL": [("1012ab", "1012 AB")],
    "ZZ": [("ab-1 2", "AB12"), ("abcdef", None), ("12", None), ("12345678901", None), (None, None)],
    None: [("ab-1 2", "AB12")],
}  # fmt: skip
ADDRESSES = [
    (None, None),
    ("", None),
    ("-", None),
    ("12 Main Road", "12 Main Road"),
    ("12 Main Road", "12 Main Road"),
    ("12 MAIN RD.", "12 Main Road"),
    ("12 main st", "12 Main Street"),
    ("12 St Mary Ave", "12 St Mary Avenue"),
    ("12 Main St., Apt 4", "12 Main Street, Apartment 4"),
    ("12 Main Road ,, Block B ;", "12 Main Road, Block B"),
    (", 12 Main Road,", "12 Main Road"),
    ("99/1 ม.4 ถ.สุขุมวิท ต.บางนา", "99/1 หมู่ 4 ถนนสุขุมวิท ตำบลบางนา"),
]
CITIES = [
    (None, None),
    ("", None),
    ("BANGKOK", "Bangkok"),
    ("bangkok", "Bangkok"),
    ("new york", "New York"),
    ("จ.เชียงใหม่", "เชียงใหม่"),
    ("จังหวัดเชียงใหม่", "เชียงใหม่"),
    ("10110", None),
]
COUNTRIES = [
    (None, None),
    ("", None),
    ("th", "TH"),
    ("Thailand", "TH"),
    ("ไทย", "TH"),
    ("U.S.A.", "US"),
    ("uk", "GB"),
    ("no", "NO"),
    ("Ruritania", "Ruritania"),
    ("66", None),
]


@pytest.mark.parametrize(
    ("make", "vectors"),
    [(clean_gender, GENDER), (clean_address, ADDRESSES), (clean_city, CITIES), (clean_country, COUNTRIES)],
    ids=["gender", "address", "city", "country"],
)
def test_field_takes_its_one_spelling_once_and_twice(check_vectors, make, vectors) -> None:
    check_vectors(make, vectors)
    check_vectors(lambda column: make(make(column)), vectors)


@pytest.mark.parametrize("region", POSTCODES, ids=str)
def test_postcode_is_written_as_its_region_does(check_vectors, region) -> None:
    def make(column):
        return clean_postcode(column, F.lit(region).cast("string"))

    check_vectors(make, POSTCODES[region])
    check_vectors(lambda column: make(make(column)), POSTCODES[region])


def test_own_gender_words_replace_the_default_ones(check_vectors) -> None:
    check_vectors(lambda column: clean_gender(column, {"female": ("2",)}), [("2", "female"), ("f", None)])
