"""Names: titles off, capitals by rule, whole names in two halves."""

import pytest

from cdp_lib.transforms.clean.name import clean_first_name, clean_last_name, NameWords, split_full_name

FIRST = [
    (None, None),
    ("", None),
    ("ann", "Ann"),
    ("ann", "Ann"),
    ("ANN", "Ann"),
    ("mary-jane", "Mary-Jane"),
    ("mary  ann", "Mary  Ann"),
    ("MARY ANN", "Mary Ann"),
    ("mr. john", "John"),
    ("Mr John", "John"),
    ("Dr.John", "John"),
    ("prof. dr. ada", "Ada"),
    ("Mr", None),
    ("Mrs.", None),
    ("Drew", "Drew"),
    ("Khun", None),
    ("Misses", "Misses"),
    ("maria de lourdes", "Maria de Lourdes"),
    ("de", "De"),
    ("van", "Van"),
    ("j.r.", "J.R."),
    ("josé", "José"),
    ("ÉLODIE", "Élodie"),
    ("นายสมชาย", "สมชาย"),
    ("นาย สมชาย", "สมชาย"),
    ("นางสาวมาลี", "มาลี"),
    ("น.ส.มาลี", "มาลี"),
    ("ดร.สมชาย", "สมชาย"),
    ("คุณ สมชาย", "สมชาย"),
    ("คุณากร", "คุณากร"),
    ("คุณสมชาย", "สมชาย"),
    ("คุณหญิงสมศรี", "สมศรี"),
    ("Hon", "Hon"),
    ("Hon. Ann", "Ann"),
    ("Ann, MD", "Ann"),
    ("Md", "Md"),
    ("นายิกา", "นายิกา"),
    ("นาย", None),
    ("123", None),
    ("-", None),
    ("ann@shop.org", None),
    ('"Ann"', "Ann"),
]
LAST = [
    (None, None),
    ("o'brien", "O'Brien"),
    ("O`BRIEN", "O'Brien"),
    ("mcdonald", "McDonald"),
    ("MCDONALD", "McDonald"),
    ("mcdonald-o'neil", "McDonald-O'Neil"),
    ("mack", "Mack"),
    ("MacDonald", "Macdonald"),
    ("d'angelo", "D'Angelo"),
    ("van der berg", "van der Berg"),
    ("VAN DER BERG", "van der Berg"),
    ("Van", "Van"),
    ("josé", "José"),
    ("ii", "Ii"),
    ("smith-jones", "Smith-Jones"),
    ("king jr", "King Jr"),
    ("TUDOR VIII", "Tudor Viii"),
    ("ford iii", "Ford III"),
    ("smith, PhD", "Smith"),
    ("smith Ph.D.", "Smith"),
    ("ณ อยุธยา", "ณ อยุธยา"),
    ("ใจดี", "ใจดี"),
]
FULL = [
    (None, None, None),
    ("", None, None),
    ("ann lee", "Ann", "Lee"),
    ("LEE, ANN", "Ann", "Lee"),
    ("Mr. O'BRIEN, Dr. john paul", "John Paul", "O'Brien"),
    ("Lee,", "Lee", None),
    ("Mrs Mary Ann Smith", "Mary Ann", "Smith"),
    ("ludwig van beethoven", "Ludwig", "van Beethoven"),
    ("Jan van der Berg", "Jan", "van der Berg"),
    ("Martin Luther King Jr.", "Martin Luther", "King Jr."),
    ("John Smith, Jr.", "John", "Smith Jr."),
    ("SMITH, JOHN", "John", "Smith"),
    ("Smith, Iva", "Iva", "Smith"),
    ("Ann Lee, PhD", "Ann", "Lee"),
    ("Ann", "Ann", None),
    ("นายสมชาย ใจดี", "สมชาย", "ใจดี"),
    ("นาง มาลี ณ อยุธยา", "มาลี", "ณ อยุธยา"),
    ("สมชาย", "สมชาย", None),
    ("Mr", None, None),
    ("12345", None, None),
]


def test_first_name_has_no_title_and_one_spelling(check_vectors) -> None:
    check_vectors(clean_first_name, FIRST)


def test_last_name_keeps_small_particles_and_inner_capitals(check_vectors) -> None:
    check_vectors(clean_last_name, LAST)


def test_full_name_gives_both_halves(check_vectors) -> None:
    vectors = [(text, (first, last)) for text, first, last in FULL]
    check_vectors(split_full_name, vectors, "struct<first_name: string, last_name: string>")


def test_own_titles_replace_the_default_ones(check_vectors) -> None:
    words = NameWords(titles=("captain",))

    check_vectors(lambda column: clean_first_name(column, words), [("captain ann", "Ann"), ("mr ann", "Mr Ann")])


@pytest.mark.parametrize(("make", "vectors"), [(clean_first_name, FIRST), (clean_last_name, LAST)])
def test_cleaning_twice_is_cleaning_once(check_vectors, make, vectors) -> None:
    check_vectors(lambda column: make(make(column)), vectors)
