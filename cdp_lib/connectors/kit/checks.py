"""What every connector must withstand: it is driven by the courier against a channel on loopback that misbehaves.

Whatever happens, each item has one outcome or was not sent, what is accepted was taken once, what is rejected was not
taken, and no more is unknown than the misbehaved requests held.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import find_spec

from cdp_lib.connectors import BUILT_IN
from cdp_lib.connectors.kit.bench import Bench
from cdp_lib.connectors.kit.script import Behaviour
from cdp_lib.connectors.kit.sending import BATCH_SIZE, Run, send, send_to, SLOW
from cdp_lib.connectors.protocol import Item
from cdp_lib.errors import DeliveryError

GROUP = "cdp.connector_benches"

_ITEMS = 9
"""Three batches."""

_MOVERS = 3
"""One batch."""

_POSITIONS = 3
"""A fault strikes the first, second and third request in turn: the first may be one for a token."""

_FOR_GOOD = 50
"""Requests to which nothing else is answered: more than are made."""

_CLOSED: dict[str, Behaviour] = {
    "credentials are refused": "denied",
    "account or list is gone": "gone",
    "429 for good": "429",
}
"""Ways of a channel to take nothing from anybody."""

_HICCUPS: dict[str, Behaviour] = {
    "429, then well": "429",
    "5xx before the commit": "5xx_before",
    "5xx after the commit": "5xx_after",
    "connection cut before the commit": "cut_before",
    "connection cut after the commit": "cut_after",
    "slower than the client waits": "slow",
}


@dataclass(frozen=True)
class Finding:
    """How a connector did in one check."""

    check: str
    ok: bool
    detail: str = ""
    """What is wrong; where nothing is, what was seen."""


def check(bench: Bench) -> list[Finding]:
    """Every check of the kit, in order."""
    findings = [_well(bench)]
    findings += [_hiccup(bench, name, behaviour) for name, behaviour in _HICCUPS.items()]
    findings += [_partial(bench)]
    findings += [_closed(bench, name, behaviour) for name, behaviour in _CLOSED.items()]
    return [*findings, _limit(bench), _keys(bench), _moved(bench), _silence(bench)]


def benches() -> dict[str, Bench]:
    """The benches of the suite's own connectors and of installed packages (entry points of `cdp.connector_benches`)."""
    own = {
        name: import_module(f"cdp_lib.connectors.kit.{name}").BENCH
        for name in BUILT_IN
        if find_spec(f"cdp_lib.connectors.kit.{name}")
    }
    return own | {entry.name: _third_party(entry.name, entry.load()) for entry in entry_points(group=GROUP)}


def _third_party(name: str, bench: object) -> Bench:
    if not isinstance(bench, Bench):
        raise DeliveryError(f"Entry point {GROUP}: {name} names a {type(bench).__name__}, not a Bench.")
    return bench


def _well(bench: Bench) -> Finding:
    run = send(bench, _items(bench))
    wrong = [*run.faults(), *_not_all_accepted(run)]
    return _finding("all goes well", wrong, f"{len(run.items)} items in {len(run.journal.begun)} requests")


def _hiccup(bench: Bench, name: str, behaviour: Behaviour) -> Finding:
    """One fault: where the channel's kind is idempotent all is accepted in the end, else one batch may be unknown."""
    if behaviour in bench.lacks:
        return Finding(name, True, f"no such fault here: {bench.lacks[behaviour]}")
    wrong: list[str] = []
    unknown = 0
    for position in range(_POSITIONS):
        before: list[Behaviour] = ["well"] * position
        run = send(bench, _items(bench), [*before, behaviour])
        found = list(run.faults())
        is_sure = bench.kind.is_idempotent or behaviour == "429"
        size = min(BATCH_SIZE, bench.kind.limits.batch_size)
        if is_sure:
            found += _not_all_accepted(run)
        elif len(run.of("unknown")) > size:
            found.append(f"{len(run.of('unknown'))} items are unknown, one request held {size}")
        if run.of("rejected"):
            found.append("items are rejected that the channel did not refuse")
        wrong += [f"at request {position + 1}: {one}" for one in found]
        unknown += len(run.of("unknown"))
    return _finding(name, wrong, f"{unknown} unknown in {_POSITIONS} runs" if unknown else "all accepted, none twice")


def _partial(bench: Bench) -> Finding:
    name = "one bad item among good ones"
    if bench.bad_item is None:
        return Finding(name, True, "the channel refuses nobody on their own")
    items = list(_items(bench))
    middle = len(items) // 2
    items[middle] = bench.bad_item(middle)
    run = send(bench, items)
    rejected = [one.intent_id for one in run.of("rejected")]
    wrong = list(run.faults())
    if rejected != [items[middle].intent_id] or len(run.of("accepted")) != len(items) - 1:
        wrong.append(f"{len(rejected)} rejected and {len(run.of('accepted'))} accepted, not the bad one alone")
    return _finding(name, wrong, f"rejected alone, in {len(run.journal.begun)} requests")


def _closed(bench: Bench, name: str, behaviour: Behaviour) -> Finding:
    """The destination is given up; nothing is taken, nothing counts as sent, and later all of it goes."""
    if behaviour in bench.lacks:
        return Finding(name, True, f"no such fault here: {bench.lacks[behaviour]}")
    run = send(bench, _items(bench), [behaviour] * _FOR_GOOD)
    wrong = list(run.faults())
    if run.refusal is None:
        wrong.append("it went on although nothing was taken from anybody")
    if run.outcomes:
        wrong.append(f"{len(run.outcomes)} items have an outcome although nothing was taken")
    return _finding(name, wrong, "given up, everything still to be sent")


def _limit(bench: Bench) -> Finding:
    size = bench.kind.limits.batch_size
    items = tuple(bench.item(number) for number in range(size + 1))
    run = send(bench, items, batch_size=size)
    wrong = [*run.faults(), *_not_all_accepted(run)]
    if () in run.journal.ended:
        wrong.append("a full batch was refused and halved")
    return _finding("the batch limit is kept", wrong, f"{size + 1:,} items in {len(run.journal.begun)} requests")


def _keys(bench: Bench) -> Finding:
    """The same items again, as a run does that lost its ledger: an idempotent channel takes none twice."""
    name = "the same items again under the same keys"
    if not bench.kind.is_idempotent:
        return Finding(name, True, "the channel knows no keys: the ledger alone holds it from sending twice")
    with bench.channel() as channel:
        items = _items(bench)
        send_to(channel, bench, items)
        run = send_to(channel, bench, items)
    wrong = [*run.faults(), *_not_all_accepted(run)]
    return _finding(name, wrong, "accepted, none taken twice")


def _moved(bench: Bench) -> Finding:
    """Who is known to a list by what is theirs no more: that is taken off and they are put on, once, whatever fails."""
    name = "members who are known by something else now"
    identifiers, operations = bench.kind.identifiers, bench.kind.operations
    if identifiers is None or "update" not in operations or "remove" not in operations:
        return Finding(name, True, "nothing is kept of them, or nobody is taken off")
    before = [bench.item(number) for number in range(_MOVERS)]
    after = [replace(bench.item(_MOVERS + at), told_before=(identifiers(one),)) for at, one in enumerate(before)]
    # Put on before, taken off, and put on by the new names.
    expected = Counter([bench.whom(one) for one in before] * 2 + [bench.whom(one) for one in after])
    faults: tuple[Behaviour, ...] = ("well", *(one for one in _HICCUPS.values() if one not in bench.lacks))
    wrong = []
    scripts: list[list[Behaviour]] = [[fault] for fault in faults] + [["well", fault] for fault in faults]
    for script in scripts:
        with bench.channel(slow_seconds=SLOW * bench.timeout_seconds) as channel:
            send_to(channel, bench, before)
            channel.will(script)
            run = send_to(channel, bench, after, operation="update")
        if Counter(run.taken) != expected:
            wrong.append(f"{' '.join(script)}: {len(run.taken)} times something was taken, not each move once")
        wrong += _not_all_accepted(run)
    return _finding(name, sorted(set(wrong)), f"{_MOVERS} taken off by what was theirs, and put on, once each")


def _silence(bench: Bench) -> Finding:
    """Reasons, logs and representations name no secret and no person, whatever happens."""
    items = list(_items(bench))
    if bench.bad_item is not None:
        items[1] = bench.bad_item(1)
    closed: list[list[Behaviour]] = [[one] * _FOR_GOOD for one in _CLOSED.values() if one not in bench.lacks]
    scripts: list[list[Behaviour]] = [[], ["5xx_after", "cut_after"], *closed]
    wrong = set()
    for script in scripts:
        run = send(bench, items, script)
        told = "\n".join([run.said, run.refusal or "", *(repr(one) for one in run.outcomes)])
        if any(secret in told for secret in run.secrets):
            wrong.add("a secret is in a reason, a log or a representation")
        if any(word in told for word in _private(items)):
            wrong.add("an address or name is in a reason, a log or a representation")
    return _finding("says nothing of secrets and people", sorted(wrong), "reasons, logs and representations")


def _items(bench: Bench) -> tuple[Item, ...]:
    return tuple(bench.item(number) for number in range(_ITEMS))


def _not_all_accepted(run: Run) -> list[str]:
    others = Counter(one.status for one in run.outcomes if one.status != "accepted")
    reasons = sorted({one.reason for one in run.outcomes if one.status != "accepted"})
    refusal = [run.refusal] if run.refusal else []
    return [f"{count} items are {status}: {'; '.join(reasons)}" for status, count in others.items()] + refusal


def _finding(name: str, wrong: Sequence[str], seen: str) -> Finding:
    return Finding(name, not wrong, "; ".join(wrong) or seen)


def _private(items: Iterable[Item]) -> set[str]:
    """Words that would give a person away; what is shorter than four letters may stand anywhere by chance."""
    hidden = {"golden_id", "gender", "country"}
    words = {item.address for item in items}
    words |= {value for item in items for name, value in item.person.items() if value and name not in hidden}
    return {word for word in words if len(word) > 3}
