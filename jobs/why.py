"""`cdp why`: why a customer was in an audience on a day, or why not, from the versions that the day's run asked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from pyspark.sql import DataFrame, functions as F
from rich.console import Console
from rich.markup import escape

from cdp_lib.contracts import activation, gold, identity
from cdp_lib.contracts.table import Table
from cdp_lib.errors import ConfigError, IdentityError, near_miss, WorkflowError
from cdp_lib.io.ledger import JobState
from cdp_lib.io.local_rows import local_rows
from cdp_lib.io.selection import select_rows
from cdp_lib.settings.audience import Audience, Condition, SUPPRESSION
from cdp_lib.settings.pack import Pack
from cdp_lib.transforms.audience.members import (
    bound_words,
    candidate_reasons,
    is_candidate,
    lot_number,
    named_by,
    with_suppression,
)
from cdp_lib.transforms.audience.questions import question as question_text
from cdp_lib.transforms.audience.rules import with_figures
from cdp_lib.transforms.customer.traits import facts_of_people
from jobs.audit import note_deed
from jobs.compose import Suite
from jobs.explanation.lookup import members_of, trace_golden_id
from jobs.explanation.tables import table, tell
from jobs.gold_audience import facts_of
from jobs.look import scored_view

HIDDEN = "(hidden)"
_NEVER_PERSONAL = ("audience ", "segment ", "score ", "suppression", "draw ", "likeness ")
_MEMBER = ("status", "entered_date", "why", "input_versions", "config_hash")


@dataclass(frozen=True)
class Question:
    """Why `customer` is in `audience` or not, as of a day (None: the last run's); personal values only when asked."""

    customer: str
    audience: str
    on: date | None = None
    shows_values: bool = False


@dataclass(frozen=True)
class _Desk:
    """The run that is asked about, and where the answer is given."""

    console: Console
    suite: Suite
    state: JobState
    audience: Audience
    shows_values: bool

    def say(self, text: str) -> None:
        """A line for the person."""
        tell(self.console, text)

    def pinned(self, of: Table) -> DataFrame:
        """A table as that run read it; no rows where it did not exist."""
        version = self.state.inputs.get(of.name)
        if version is None:
            return local_rows(self.suite.session(), of.schema())
        return self.suite.store.read(of, version)

    def members(self) -> DataFrame:
        """Who was in which audience after that run."""
        version = self.state.outputs[activation.AUDIENCE_MEMBER.name]
        return self.suite.store.read(activation.AUDIENCE_MEMBER, version).where("status <> 'exit'")


def why(console: Console, suite: Suite, question: Question) -> None:
    """Tell each question of the audience's rule, the customer's value, what was asked for, and whether it held.

    Raises ConfigError for an unknown audience, WorkflowError for a day without a run, IdentityError for a customer whom
    that run did not know.
    """
    known = {audience.id: audience for audience in suite.pack.audiences}
    if question.audience not in known:
        hint = near_miss(question.audience, known)
        raise ConfigError(f"pack {suite.pack.name}: unknown audience '{question.audience}'.{hint}")
    state = _run_of(suite, question.on)
    desk = _Desk(console, suite, state, known[question.audience], question.shows_values)
    row = _row_of(desk, question.customer)
    is_member = row is not None and row["status"] != "exit"
    customer = question.customer if is_member else _known_as(desk, question.customer)
    if customer != question.customer:
        desk.say(f"{question.customer} was the person {customer} in that run.")
        row = _row_of(desk, customer)
    if question.shows_values:
        note_deed(suite, "why_values", f"{question.audience} {customer}", "shown on a terminal")
    if row is not None and row["status"] != "exit":
        _tell_member(desk, customer, row)
        return
    if row is not None:
        desk.say(f"{customer} left {question.audience} in that run, a member since {row['entered_date']}.")
    _tell_why_not(desk, customer)


def _run_of(suite: Suite, on: date | None) -> JobState:
    """The last completed run as of the day."""
    written = activation.AUDIENCE_MEMBER.name
    done = [
        state
        for state in suite.ledger.states()
        if (state.job, state.status) == ("gold_audience", "succeeded") and written in state.outputs
    ]
    days = sorted({state.as_of_date for state in done if state.as_of_date})
    if not days:
        raise WorkflowError(f"audiences were never computed here. First: cdp run daily --pack {suite.place.pack}")
    wanted = on or done[-1].as_of_date or days[-1]
    of_day = [state for state in done if state.as_of_date == wanted]
    if not of_day:
        before, after = [day for day in days if day < wanted][-1:], [day for day in days if day > wanted][:1]
        near = " and ".join(day.isoformat() for day in (*before, *after))
        raise WorkflowError(f"no run of the audiences is as of {wanted}. The nearest: {near}.")
    return of_day[-1]


def _row_of(desk: _Desk, customer: str) -> Mapping[str, Any] | None:
    found = select_rows(
        desk.suite.store.path(activation.AUDIENCE_MEMBER),
        _MEMBER,
        {"audience_id": {desk.audience.id}, "golden_id": {customer}},
        version=desk.state.outputs[activation.AUDIENCE_MEMBER.name],
    )
    return found[0] if found else None


def _known_as(desk: _Desk, customer: str) -> str:
    """The id by which that run knew the person: the one given, today's, or what the person's records were then."""
    if _is_there(desk, customer):
        return customer
    today = trace_golden_id(desk.suite, customer).today
    if today is None:
        raise IdentityError(f"{customer}: the person was retired, and the run as of {desk.state.as_of_date} knew none.")
    if _is_there(desk, today):
        return today
    version = desk.state.inputs.get(identity.IDENTITY_LINK.name)
    records = {(one.record.source_system, one.record.source_record_id) for one in members_of(desk.suite, today)}
    then = set()
    if version is not None:
        links = select_rows(
            desk.suite.store.path(identity.IDENTITY_LINK),
            ("source_system", "source_record_id", "golden_id"),
            {"source_record_id": {record for _, record in records}},
            version=version,
        )
        then = {row["golden_id"] for row in links if (row["source_system"], row["source_record_id"]) in records}
    if len(then) != 1:
        what = f"its records were {len(then)} persons then" if then else "it has no record that the run knew"
        raise IdentityError(f"{customer}: no such person in the run as of {desk.state.as_of_date}: {what}.")
    return str(then.pop())


def _is_there(desk: _Desk, customer: str) -> bool:
    of = gold.customer(desk.suite.pack)
    version = desk.state.inputs.get(of.name)
    path = desk.suite.store.path(of)
    return version is not None and bool(select_rows(path, ("golden_id",), {"golden_id": {customer}}, version=version))


def _tell_member(desk: _Desk, customer: str, row: Mapping[str, Any]) -> None:
    since = "entered on" if row["status"] == "enter" else "a member since"
    desk.say(f"{customer} was in {desk.audience.id} as of {desk.state.as_of_date}: {since} {row['entered_date']}.")
    _show(desk, row["why"])
    _tell_versions(desk, dict(row["input_versions"]))
    if row["config_hash"] != desk.audience.content_hash():
        desk.say("The audience's rules changed since: the reasons above are those of the rules of that run.")


def _tell_why_not(desk: _Desk, customer: str) -> None:
    """The rules of today, asked of what that run read."""
    desk.say(f"{customer} was not in {desk.audience.id} as of {desk.state.as_of_date}.")
    found = _evaluated(desk, customer)
    _show(desk, [row.asDict() for row in found["reasons"]])
    counted = desk.members().where(F.col("audience_id") == desk.audience.id)
    summary = counted.agg(
        F.count("*").alias("count"),
        F.min("score").alias("least"),
        F.max("score").alias("most"),
        F.min("config_hash").alias("hash"),
    ).collect()[0]
    if found["is_candidate"]:
        desk.say(_bound_said(desk, found, summary.asDict()))
    _tell_versions(desk, desk.state.inputs)
    if summary["hash"] is None:
        desk.say("The audience had no member in that run: the rules above are those of today.")
    elif summary["hash"] != desk.audience.content_hash():
        desk.say("The audience's rules changed since: the reasons above are those of the rules of today.")


def _evaluated(desk: _Desk, customer: str) -> Mapping[str, Any]:
    pack, audience = desk.suite.pack, desk.audience
    is_asked = F.col("golden_id") == customer
    links = desk.pinned(identity.IDENTITY_LINK).where(is_asked)
    facts = {of.noun: facts_of_people(desk.pinned(of), links) for of in facts_of(pack)}
    one = scored_view(pack, desk.pinned).where(is_asked)
    barred = [Condition(audience=name) for name in named_by(audience, pack.audiences) if name != SUPPRESSION]
    members = desk.members().where(is_asked).select("audience_id", "golden_id")
    asked = with_figures(
        one, [*audience.leaves(), *barred], facts, members, pack=pack, as_of=desk.state.as_of_date or date.max
    )
    flagged = with_suppression(asked, desk.pinned(activation.SUPPRESSION))
    by = F.col(audience.cap.by) if audience.cap else lot_number(audience.draw) if audience.draw else F.lit(None)
    return (
        flagged.select(
            candidate_reasons(audience, pack.audiences).alias("reasons"),
            is_candidate(audience, pack.audiences).alias("is_candidate"),
            by.cast("string").alias("by"),
        )
        .collect()[0]
        .asDict()
    )


def _bound_said(desk: _Desk, found: Mapping[str, Any], members: Mapping[str, Any]) -> str:
    """What kept out somebody whom the rule takes."""
    words, audience = bound_words(desk.audience), desk.audience
    if words is None:
        return "By the rules of today the customer would have been in it."
    kept = f"{words[0]}: {members['count']:,} were kept ({words[1]})"
    if audience.draw is not None and not members["count"]:
        return f"{kept}: nobody is drawn before a run sees a day after {audience.draw.closes_on}."
    if audience.draw is not None:
        last, lot = members["most"] or 0.0, float(found["by"])
        return f"{kept}, the last with {last:.6f}; this customer has {lot:.6f}, and the least win."
    if audience.cap is not None:
        last = members["least"] if audience.cap.order == "highest" else members["most"]
        is_open = _is_open(f"cap by {audience.cap.by}", desk)
        own = "no value" if found["by"] is None else found["by"] if is_open else HIDDEN
        return f"{kept}, the last with {last if is_open else HIDDEN}; this customer has {own}."
    if not members["count"]:
        return f"{kept}: the seed audience was too small to learn from."
    return f"{kept}, the last with {members['least']}; this customer is less alike."


def _show(desk: _Desk, reasons: Sequence[Mapping[str, Any]]) -> None:
    if not reasons:
        desk.say("The audience has no rule: everybody is in it.")
        return
    grid = table(f"{desk.audience.id}", "question", "value", "asked for", "held")
    for one in reasons:
        value = "(unknown)" if one["value"] is None else one["value"] if _is_open(one["leaf"], desk) else HIDDEN
        grid.add_row(*map(escape, (one["leaf"], value, one["threshold"], "yes" if one["held"] else "NO")))
    desk.console.print(grid)


def _tell_versions(desk: _Desk, versions: Mapping[str, int]) -> None:
    told = ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))
    desk.say(f"Run {desk.state.run_id} read {told}.")


def _is_open(leaf: str, desk: _Desk) -> bool:
    """Whether the value beside that question may be shown: it is no personal one, or was asked for.

    A question that today's rules do not have is not known to be harmless.
    """
    asked = leaf.removeprefix("not ")
    if desk.shows_values or asked.startswith(_NEVER_PERSONAL):
        return True
    open_questions = {question_text(one) for one in desk.audience.leaves() if not _is_personal(one, desk.suite.pack)}
    cap = desk.audience.cap
    if cap is not None and not _is_personal(Condition(trait=cap.by, is_known=True), desk.suite.pack):
        open_questions.add(f"cap by {cap.by}")
    return asked in open_questions


def _is_personal(leaf: Condition, pack: Pack) -> bool:
    name = "birth_date" if leaf.birthday_within else leaf.figure.name if leaf.did else leaf.trait
    traits = (*pack.traits, leaf.figure) if leaf.did else pack.traits
    columns = {column.name: column for column in gold.customer(replace(pack, traits=traits)).columns}
    return name in columns and columns[name].pii is not None
