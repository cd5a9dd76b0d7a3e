"""A stranger's business: a town library, in files and words that no pack of ours knows, written outside the project."""

import gzip
import json
from datetime import datetime, UTC
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

PACK = {
    "pack.yml": """
kind: pack
id: town_library
title: Town library
currency: EUR
time_zone: Europe/Lisbon
phone_region: PT
""",
    "sources.yml": """
kind: source
id: patrons
description: The registry of card holders.
read: {format: csv, path: "registry/patrons_*.csv", delimiter: ";"}
key: [card_no]
columns:
  card_no: {type: string, header: Card No, pii: online_id}
  given: {type: string, header: Given name, pii: name}
  family: {type: string, header: Family name, pii: name}
  mail: {type: string, header: E-mail, pii: email}
  mobile: {type: string, header: Mobile, pii: phone}
  born: {type: date, header: Born, format: dd/MM/yyyy, pii: birth_date}
  changed_on: {type: date, header: Changed on, required: true}
feeds:
  - to: customer_record
    map:
      source_record_id: card_no
      first_name: given
      last_name: family
      email: mail
      phone: mobile
      birth_date: born
      identifiers: map('card', card_no)
      source_updated_at: cast(changed_on as timestamp)
---
kind: source
id: loans
description: What the desk lent out, with the fee paid.
read: {format: jsonl, path: "desk/loans-*.jsonl.gz"}
key: [loan_id]
columns:
  loan_id: {type: string}
  card_no: {type: string, required: true, pii: online_id}
  title: {type: "struct<isbn:string,shelf:string>"}
  lent_at: {type: timestamp, required: true}
  fee: {type: "decimal(18,2)", required: true, expect: ["fee >= 0"]}
feeds:
  - to: order
    map:
      order_id: loan_id
      person_id: card_no
      ordered_at: lent_at
      paid_amount: fee
      attributes: map('shelf', title.shelf)
      source_updated_at: lent_at
  - to: customer_record
    map: {source_record_id: card_no, identifiers: "map('card', card_no)", source_updated_at: lent_at}
---
kind: source
id: reading_room
description: Visits to the web reading room; people sign in with their e-mail.
read: {format: parquet, path: "web/**/*.parquet"}
key: [sitting]
columns:
  sitting: {type: string}
  mail: {type: string, pii: email}
  began_at: {type: timestamp, required: true}
  pages: {type: "array<struct<path:string,seconds:int>>"}
feeds:
  - to: event
    map:
      event_id: sitting
      person_id: sha2(lower(mail), 256)
      event_at: began_at
      event_type: "'sitting'"
      value: cast(size(pages) as double)
      source_updated_at: began_at
  - to: customer_record
    where: mail is not null
    map: {source_record_id: "sha2(lower(mail), 256)", email: mail, source_updated_at: began_at}
""",
    "identity.yml": """
kind: identity
identifiers:
  - {field: card, max_values: 1}
  - {field: email}
source_priority: [patrons]
""",
    "traits.yml": """
kind: trait
name: loans_2d
from: order
select: count(*)
window: 2d
---
kind: trait
name: favourite_shelf
from: order
select: most_frequent(attributes['shelf'])
type: string
---
kind: trait
name: pages_read
from: event
select: sum(value)
---
kind: trait
name: fee_per_loan
from: customer
select: ratio(total_amount, order_count)
type: decimal(18,2)
""",
    "exports.yml": """
kind: export
id: reminders
columns: {Name: "concat_ws(' ', first_name, last_name)", Loans: order_count, "Fee per loan": fee_per_loan}
order_by: [Name]
notes: {Loans: All loans up to the as-of date.}
""",
}

HEADER = "Card No;Given name;Family name;E-mail;Mobile;Born;Changed on"


def write_pack(folder: Path) -> Path:
    """The pack's folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in PACK.items():
        (folder / name).write_text(text.lstrip(), encoding="utf-8")
    return folder


def write_first_day(landing: Path) -> None:
    """3 March: two patrons, one of them also on the web; one row whose date cannot be, one row cut short."""
    put_text(
        landing / "registry/patrons_0303.csv",
        [
            HEADER,
            "P1;Ana;Sousa;Ana.Sousa@example.org;912 345 678;01/02/1980;2025-03-03",
            "P2;Rui;Pinto;n/a;;31/12/1975;2025-03-03",
            "P3;Eva;Reis;;;31/02/1990;2025-03-03",
            "P4;Ivo",
        ],
    )
    put_loans(landing / "desk/loans-0303.jsonl.gz", [("L1", "P1", "poetry", "2025-03-03T10:00:00Z", "1.50")])
    put_sittings(landing / "web/03/a.parquet", [("S1", "ana.sousa@example.org", 3, 3)])


def write_second_day(landing: Path) -> None:
    """4 March: columns in another order, one row repeated, one fee negative, one file cut off."""
    put_text(
        landing / "registry/patrons_0304.csv",
        [
            "Family name;Given name;Card No;Born;Changed on;Mobile;E-mail;Floor",
            "Pinto;Rui;P2;31/12/1975;2025-03-04;913 000 111;rui@example.org;2",
            "Pinto;Rui;P2;31/12/1975;2025-03-04;913 000 111;rui@example.org;2",
        ],
    )
    put_loans(
        landing / "desk/loans-0304.jsonl.gz",
        [
            ("L2", "P1", "poetry", "2025-03-04T09:00:00Z", "0.50"),
            ("L3", "P2", "maps", "2025-03-04T23:30:00Z", "2.00"),
            ("L4", "P2", "maps", "2025-03-04T11:00:00Z", "-2.00"),
        ],
    )
    cut = landing / "desk/loans-0304b.jsonl.gz"
    put_loans(cut, [("L9", "P1", "maps", "2025-03-04T09:00:00Z", "9.00")])
    cut.write_bytes(cut.read_bytes()[:-9])


def write_third_day(landing: Path) -> None:
    """6 March: a file of the 2nd comes late, the first day's loans are sent again, Rui reads on the web."""
    put_loans(landing / "desk/loans-0302.jsonl.gz", [("L0", "P2", "poetry", "2025-03-02T10:00:00Z", "1.00")])
    put_loans(landing / "desk/loans-0306.jsonl.gz", [("L5", "P1", "maps", "2025-03-06T10:00:00Z", "1.00")])
    again = landing / "desk/loans-0303-again.jsonl.gz"
    again.write_bytes((landing / "desk/loans-0303.jsonl.gz").read_bytes())
    put_sittings(landing / "web/06/b.parquet", [("S2", "RUI@example.org", 6, 2), ("S3", None, 6, 1)])


def put_text(path: Path, lines: list[str]) -> None:
    """A text file of these lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def put_loans(path: Path, loans: list[tuple[str, str, str, str, str]]) -> None:
    """JSON lines of (loan, card, shelf, instant, fee), the same bytes for the same loans."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [
        json.dumps(
            {"loan_id": loan, "card_no": card, "title": {"isbn": "1", "shelf": shelf}, "lent_at": at, "fee": fee}
        )
        for loan, card, shelf, at, fee in loans
    ]
    path.write_bytes(gzip.compress("\n".join(lines).encode(), mtime=0))


def put_sittings(path: Path, sittings: list[tuple[str, str | None, int, int]]) -> None:
    """Nested Parquet of (sitting, e-mail, day of March, pages)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [
        {
            "sitting": name,
            "mail": mail,
            "began_at": datetime(2025, 3, day, 20, 0, tzinfo=UTC),
            "pages": [{"path": f"/{page}", "seconds": 10} for page in range(pages)],
        }
        for name, mail, day, pages in sittings
    ]
    pq.write_table(pa.Table.from_pylist(rows), path)
