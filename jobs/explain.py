"""`cdp explain`: why records are one person or not, on the terminal and as a picture."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from cdp_lib.errors import ConfigError, IdentityError
from cdp_lib.io.private_file import writable
from jobs.audit import note_deed
from jobs.compose import Suite
from jobs.explanation.answers import answer_golden_id, answer_record, answer_why_not, Desk
from jobs.explanation.evidence import matcher_in_force
from jobs.explanation.lookup import find_member
from jobs.explanation.tables import Compared, tell
from jobs.waterfall import html_page, png_picture


@dataclass(frozen=True)
class Question:
    """What one call of `cdp explain` asks: one of `record`, `golden_id`, `why_not`; and the files to draw.

    `shows_values`: personal values are shown on the terminal. No file ever holds one.
    """

    record: str | None = None
    golden_id: str | None = None
    why_not: tuple[str, str] | None = None
    shows_values: bool = False
    html: Path | None = None
    png: Path | None = None

    @property
    def is_drawn(self) -> bool:
        """Whether a file is asked for."""
        return self.html is not None or self.png is not None


def explain(console: Console, suite: Suite, question: Question) -> None:
    """Answer the question, and draw its first pair where a file is named.

    Raises ConfigError unless just one thing is asked, IdentityError for an unknown record or id and where there is no
    pair to draw, ModelError where the pack's matcher is missing or outdated, StorageError before the first run.
    """
    asked = [one for one in (question.record, question.golden_id, question.why_not) if one is not None]
    if len(asked) != 1:
        raise ConfigError("Ask one thing: --record SOURCE:ID, --golden-id ID, or --why-not SOURCE:ID SOURCE:ID.")
    desk = Desk(console, suite, matcher_in_force(suite), question.shows_values)
    if question.shows_values:
        # Before, for what was seen was seen, whatever comes after it.
        note_deed(suite, "explain_values", _subject(suite, question), "shown on a terminal")
    if question.record is not None:
        pictured = answer_record(desk, question.record)
    elif question.golden_id is not None:
        pictured = answer_golden_id(desk, question.golden_id, is_drawn=question.is_drawn)
    else:
        pictured = answer_why_not(desk, question.why_not or ("", ""))
    if question.is_drawn:
        _draw(console, suite, pictured, question)


def _subject(suite: Suite, question: Question) -> str:
    """What is asked about, without personal data: a person's id, or hashes of records, which may be typed masked."""
    named = (question.record,) if question.record else question.why_not or ()
    return question.golden_id or " ".join(find_member(suite, name).record.hash for name in named)


def _draw(console: Console, suite: Suite, pictured: Compared | None, question: Question) -> None:
    if pictured is None:
        why = "has no probable matching" if suite.pack.identity.matching is None else "weighs no pair of this person"
        raise IdentityError(f"Nothing to draw: pack {suite.pack.name} {why}. Leave out --html and --png.")
    files: Mapping[Path | None, bytes] = {
        question.png: png_picture(pictured) if question.png else b"",
        question.html: html_page(pictured).encode() if question.html else b"",
    }
    for path, content in files.items():
        if path is not None:
            with writable(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            tell(console, f"{path}: drawn")
