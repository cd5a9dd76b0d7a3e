"""The three questions and their answers: who is this record, who is this person, why are these two not one."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from rich.console import Console
from rich.markup import escape

from cdp_lib.errors import IdentityError
from jobs.compose import Suite
from jobs.decisions import read_book
from jobs.explanation.evidence import fields_of, identifiers_of, weigh_asked, Weighings
from jobs.explanation.lookup import (
    find_member,
    golden_record,
    Member,
    members_of,
    members_of_clusters,
    pair_of,
    records_of,
    stored_pairs,
    trace_golden_id,
)
from jobs.explanation.path import Edge, Step, strongest_chains, TIE
from jobs.explanation.reasons import Between, Case, Judged, reasons
from jobs.explanation.survival import show_survivorship
from jobs.explanation.tables import Compared, Discretion, listed, show_pair, table, tell
from jobs.explanation.ties import between_groups, edges_between, Known
from jobs.matching.matchers import NamedMatcher

_SHOWN_PAIRS, _SHOWN_MEMBERS = 10, 50


@dataclass(frozen=True)
class Desk:
    """Where an answer is given: the screen, the pack's tables, the matcher in force (None: exact matches only)."""

    console: Console
    suite: Suite
    named: NamedMatcher | None
    shows_values: bool = False

    def say(self, text: str, indent: int = 0) -> None:
        """A line for the person."""
        tell(self.console, text, indent)

    def discretion(self, *texts: str) -> Discretion:
        """What may be named openly: the person typed these texts, of which some may be masked ids."""
        return Discretion(texts, self.shows_values)


def answer_record(desk: Desk, text: str) -> Compared | None:
    """Tells the record's person and what ties it to the others; its strongest pair, None where nothing was weighed."""
    member = find_member(desk.suite, text)
    people = members_of(desk.suite, member.golden_id)
    others = [one for one in people if one.record != member.record]
    discretion = desk.discretion(text)
    desk.say(f"{discretion.name(member.record)} is person {member.golden_id}")
    desk.say(f"component   {member.component_id}", indent=2)
    desk.say(f"matched by  {member.matched_by or 'nothing: it stands alone'}", indent=2)
    desk.say(f"linked at   {member.linked_at:%Y-%m-%d %H:%M}Z", indent=2)
    if not others:
        desk.say("No other record is this person.")
        return None
    desk.say(f"other records of the person  {listed([discretion.name(one.record) for one in others[:_SHOWN_MEMBERS]])}")
    if len(others) > _SHOWN_MEMBERS:
        desk.say(f"and {len(others) - _SHOWN_MEMBERS:,} more", indent=2)
    known = _known(desk, people)
    ranked = _by_strength(desk, member, others, known)
    all_tied = [one for one, edge in ranked if edge is not None]
    tied = all_tied[:_SHOWN_PAIRS]
    loose = [discretion.name(one.record) for one, edge in ranked if edge is None][:_SHOWN_MEMBERS]
    pictured = _show_pairs(desk, member, tied, known, discretion)
    if len(all_tied) > len(tied):
        desk.say(f"Tied to {len(all_tied) - len(tied):,} more of them, less strongly")
    if loose:
        desk.say(f"Not tied to it directly, but through others (cdp explain --golden-id): {listed(loose)}")
    return pictured


def answer_golden_id(desk: Desk, golden_id: str, *, is_drawn: bool) -> Compared | None:
    """Tells the person's records, how each leads to the founding one, and where every field's value comes from."""
    lived = trace_golden_id(desk.suite, golden_id)
    if lived.today is None:
        desk.say(f"{golden_id} was retired: no record of this person is left.")
        return None
    if lived.today != golden_id:
        desk.say(f"{golden_id} is an old id: since a merge the person is {lived.today}.")
    people = members_of(desk.suite, lived.today)
    root = next((one for one in people if one.founding_record.startswith(one.record.hash)), people[0])
    known, discretion = _known(desk, people), desk.discretion()
    chains = _chains(desk, root, people, known)
    names = {one.record.hash: discretion.name(one.record) for one in people}
    grid = table(f"person {lived.today}: {len(people):,} records", "record", "matched by", "linked at", "tied by")
    for one in people[:_SHOWN_MEMBERS]:
        how = _chain_words(chains.get(one.record.hash), names, is_root=one == root, is_founder=_is_founder(root))
        cells = (names[one.record.hash], one.matched_by or "", f"{one.linked_at:%Y-%m-%d}", how)
        grid.add_row(*map(escape, cells))
    desk.console.print(grid)
    if len(people) > _SHOWN_MEMBERS:
        desk.say(f"and {len(people) - _SHOWN_MEMBERS:,} more records", indent=2)
    rows = records_of(desk.suite, people)
    show_survivorship(desk.console, golden_record(desk.suite, lived.today), rows, desk.suite.pack.identity, discretion)
    if not is_drawn or desk.named is None:
        return None
    nearest = [one for one in people if len(chains.get(one.record.hash, ())) == 1]
    return _compared(desk, nearest[0], root, known, _weighed(desk, nearest[0], [root])) if nearest else None


def answer_why_not(desk: Desk, texts: tuple[str, str]) -> Compared | None:
    """Tells why two records are two people, the most decisive reason first, or that they are one and why."""
    one, other = (find_member(desk.suite, text) for text in texts)
    if one.record == other.record:
        raise IdentityError(f"{texts[0]} is named twice. Name two records.")
    people = members_of_clusters(desk.suite, {one.cluster_id, other.cluster_id})
    is_linked = one.component_id == other.component_id
    known = _known(desk, people if is_linked else (one, other))
    weighings = _weighed(desk, one, [other])
    case = _case(desk, (one, other), people, known, weighings)
    discretion = desk.discretion(*texts)
    both = f"{discretion.name(one.record)} and {discretion.name(other.record)}"
    if case.is_together:
        desk.say(f"{both} are one person, {one.golden_id}:")
    else:
        desk.say(f"{both} are two people, {one.golden_id} and {other.golden_id}:")
    for place, reason in enumerate(reasons(case), start=1):
        desk.say(f"{place}. {reason}", indent=2)
    if case.is_together:
        chains = _chains(desk, other, people, known)
        names = {member.record.hash: discretion.name(member.record) for member in people}
        desk.say(f"Strongest chain: {_chain_words(chains.get(one.record.hash), names, is_root=False)}", indent=2)
    desk.console.print()
    pictured = _compared(desk, one, other, known, weighings)
    if pictured is not None:
        show_pair(desk.console, pictured, discretion)
    return pictured


def _known(desk: Desk, members: Sequence[Member]) -> Known:
    book = read_book(desk.suite.ledger)
    return Known(
        decisions=book.held,
        commanded=book.commanded,
        identifiers=identifiers_of(desk.suite, members),
        stored=stored_pairs(desk.suite, {member.record.hash for member in members}),
    )


def _weighed(desk: Desk, one: Member, others: Sequence[Member]) -> Weighings:
    if desk.named is None or not others:
        return Weighings({}, {})
    pairs = {pair_of(one.record, other.record) for other in others}
    return weigh_asked(desk.suite, desk.named, (one, *others), pairs)


def _show_pairs(
    desk: Desk, member: Member, tied: Sequence[Member], known: Known, discretion: Discretion
) -> Compared | None:
    """The table of each pair, and the exact identifiers that they share; the first pair that was weighed."""
    identity = desk.suite.pack.identity
    rows, weighings = records_of(desk.suite, (member, *tied)), _weighed(desk, member, tied)
    first: Compared | None = None
    desk.console.print()
    for other in tied:
        pair = pair_of(member.record, other.record)
        compared = _compared(desk, member, other, known, weighings)
        first = first or compared
        if compared is None:
            desk.say(f"{discretion.name(member.record)} and {discretion.name(other.record)}")
        else:
            show_pair(desk.console, compared, discretion)
        shared = known.identifiers.shared(pair, rows, identity)
        said = [f"{value.identifier} ({value.why_not})" if value.why_not else value.identifier for value in shared]
        desk.say(f"exact identifiers shared: {listed(said) if said else 'none'}", indent=2)
        decision = known.decisions.get(pair)
        if decision is not None:
            desk.say(f"a person's decision is in force: {decision.verdict}", indent=2)
        desk.console.print()
    return first


def _compared(desk: Desk, one: Member, other: Member, known: Known, weighings: Weighings) -> Compared | None:
    """The pair, ready to be shown; None where it was not weighed."""
    pair = pair_of(one.record, other.record)
    if desk.named is None or pair not in weighings.pairs:
        return None
    values = {member.record: weighings.values.get(member.record.hash, {}) for member in (one, other)}
    stored, threshold = known.stored.get(pair), desk.named.matcher.threshold
    return Compared(one.record, other.record, weighings.pairs[pair], values, stored, threshold)


def _by_strength(
    desk: Desk, member: Member, others: Sequence[Member], known: Known
) -> list[tuple[Member, Edge | None]]:
    """The others, those tied strongest first; without an edge where nothing ties the two by itself."""
    root = member.record.hash
    hashes = {root, *(other.record.hash for other in others)}
    best: dict[str, Edge] = {}
    for edge in edges_between(root, hashes, known, desk.suite.pack.identity):
        if root in (edge.left, edge.right) and edge.strength >= _least(desk):
            other = edge.beyond(root)
            if other not in best or edge.strength > best[other].strength:
                best[other] = edge
    found = [(other, best.get(other.record.hash)) for other in others]
    return sorted(found, key=lambda one: (-(one[1].strength if one[1] else float("-inf")), one[0].record.hash))


def _chains(desk: Desk, root: Member, people: Sequence[Member], known: Known) -> dict[str, tuple[Step, ...]]:
    hashes = {member.record.hash for member in people}
    edges = edges_between(root.record.hash, hashes, known, desk.suite.pack.identity)
    # A pair below the threshold links nobody, though it counts where a group is parted.
    links = tuple(edge for edge in edges if edge.strength >= _least(desk))
    return strongest_chains(root.record.hash, hashes, links)


def _least(desk: Desk) -> float:
    """From what strength on an edge ties two records; exact identifiers and decisions do in any case."""
    return TIE / 2 if desk.named is None else min(desk.named.matcher.threshold, TIE / 2)


def _is_founder(root: Member) -> bool:
    return root.founding_record.startswith(root.record.hash)


def _chain_words(
    chain: tuple[Step, ...] | None, names: dict[str, str], *, is_root: bool, is_founder: bool = True
) -> str:
    if is_root:
        return "the founding record" if is_founder else "first record left; the founding one is another person now"
    if chain is None:
        return "no link of its own: the group holds it on average"
    return ", then ".join(f"{step.edge.words} with {names[step.record]}" for step in chain)


def _case(
    desk: Desk, both: tuple[Member, Member], people: Collection[Member], known: Known, weighings: Weighings
) -> Case:
    one, other = both
    pair, identity = pair_of(one.record, other.record), desk.suite.pack.identity
    decision, said_at, matching = known.decisions.get(pair), known.commanded.get(pair), identity.matching
    last = desk.suite.ledger.history().last_success("silver_identity")
    is_pending = decision is None and said_at is not None and (last is None or said_at > last.recorded_at)
    source = one.record.source_system
    is_listed = matching is not None and source in matching.one_record_per_source
    between: Between | None = None
    if matching is not None and one.component_id == other.component_id and one.cluster_id != other.cluster_id:
        groups = [[member for member in people if member.cluster_id == end.cluster_id] for end in both]
        told = replace(known, fields=fields_of(desk.suite, [*groups[0], *groups[1]]))
        between = between_groups(groups[0], groups[1], told, identity, matching)
    return Case(
        is_together=one.golden_id == other.golden_id,
        judged=None if decision is None else Judged(decision.verdict == "link", decision.decided_at),
        shared=known.identifiers.shared(pair, records_of(desk.suite, both), identity),
        too_many=known.identifiers.too_many(pair, identity),
        weighed=weighings.pairs.get(pair),
        threshold=None if desk.named is None else desk.named.matcher.threshold,
        listed_once=source if is_listed and source == other.record.source_system else None,
        between=between,
        withdrawn_at=said_at if is_pending else None,
    )
