"""`clean_date` and its reasons."""

from datetime import date

from pyspark.sql import functions as F

from cdp_lib.transforms.clean.date import clean_date, date_reason, MONTH_FIRST

MAY_3 = date(1990, 5, 3)
DAY_FIRST_VECTORS = [
    (None, None),
    ("", None),
    ("1990-05-03", MAY_3),
    ("1990-05-03", MAY_3),
    ("1990/5/3", MAY_3),
    ("19900503", MAY_3),
    ("19900503.0", MAY_3),
    ("19900503.5", None),
    ("1.9900503E7", None),
    ("1990-05-03T23:59:00+07:00", MAY_3),
    ("1990-05-03 00:00:00", MAY_3),
    ("03/05/1990", MAY_3),
    ("3.5.1990", MAY_3),
    ("3-5-1990", MAY_3),
    ("05/13/1990", date(1990, 5, 13)),
    ("3 May 1990", MAY_3),
    ("3rd of May 1990", None),
    ("3rd May, 1990", MAY_3),
    ("03-MAY-1990", MAY_3),
    ("May 3, 1990", MAY_3),
    ("1990 may 3", MAY_3),
    ("3 พ.ค. 2533", MAY_3),
    ("3 พฤษภาคม พ.ศ. 2533", MAY_3),
    ("3พฤษภาคม2533", MAY_3),
    ("03/05/2533", MAY_3),
    ("29/02/2531", date(1988, 2, 29)),
    ("29/02/2532", None),
    ("30/02/1990", None),
    ("1990-13-01", None),
    ("03/05/90", None),
    ("1990", None),
    ("soon", None),
    ("9999-12-31", date(9999, 12, 31)),
]
MONTH_FIRST_VECTORS = [
    ("03/05/1990", date(1990, 3, 5)),
    ("13/05/1990", date(1990, 5, 13)),
    ("1990-03-05", date(1990, 3, 5)),
    ("5 march 1990", date(1990, 3, 5)),
]
REASONS = [
    (None, "invalid"),
    ("1900-01-01", "placeholder"),
    ("9999-12-31", "placeholder"),
    ("1899-12-31", "implausible"),
    ("1900-01-02", None),
    ("2026-07-01", None),
    ("2026-07-02", "implausible"),
]


def test_day_first_reads_mixed_forms(check_vectors) -> None:
    check_vectors(clean_date, DAY_FIRST_VECTORS, "date")


def test_month_first_takes_the_other_order_where_both_would_do(check_vectors) -> None:
    check_vectors(lambda column: clean_date(column, MONTH_FIRST), MONTH_FIRST_VECTORS, "date")


def test_only_given_patterns_are_read(check_vectors) -> None:
    check_vectors(lambda column: clean_date(column, ("y-M-d",)), [("1990-05-03", MAY_3), ("03/05/1990", None)], "date")


def test_reason_says_why_a_date_is_not_kept(check_vectors) -> None:
    check_vectors(lambda column: date_reason(column.try_cast("date"), date(1900, 1, 2), date(2026, 7, 1)), REASONS)


def test_no_rows_give_no_rows(check_vectors) -> None:
    check_vectors(clean_date, [], "date")


def test_month_names_in_every_spelling(check_vectors) -> None:
    thai = ["ม.ค.", "ก.พ.", "มี.ค.", "เม.ย.", "พ.ค.", "มิ.ย.", "ก.ค.", "ส.ค.", "ก.ย.", "ต.ค.", "พ.ย.", "ธ.ค."]
    english = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sept", "Oct", "Nov", "Dec."]
    vectors = [(f"7 {word} 1990", date(1990, n, 7)) for words in (thai, english) for n, word in enumerate(words, 1)]

    check_vectors(clean_date, vectors, "date")
    check_vectors(lambda column: F.year(clean_date(column)), [("7 ธันวาคม 2542", 1999)], "int")
