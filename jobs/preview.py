"""What would become of each audience's members, by the rules as they are written now."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

from rich.console import Console
from rich.table import Table as Grid

from cdp_lib.contracts.activation import AUDIENCE_MEMBER, DECISIONS, DELIVERY
from cdp_lib.contracts.identity import IDENTITY_EVENT
from cdp_lib.errors import ConfigError, near_miss
from cdp_lib.models.experiment import power_preview
from cdp_lib.settings.activation import Activation
from cdp_lib.settings.audience import Audience
from cdp_lib.transforms.activation.plan import plan, waterfall
from cdp_lib.transforms.audience.difference import against_yesterday, by_todays_ids
from jobs.activation.inputs import morning_after, plan_inputs
from jobs.activation.leftovers import leftovers, without_leftovers
from jobs.activation.ways import ways_of
from jobs.compose import Suite
from jobs.deliveries import folder_of
from jobs.gold_audience import members_now
from jobs.look import look_at, scored_view

_WORDS: Mapping[str, str] = {
    "no_consent": "no consent",
    "suppressed": "suppressed",
    "no_address": "no address",
    "offer_closed": "offer not open",
    "sent_before": "told already",
    "global_holdout": "held out of all campaigns",
    "capped": "capped: enough messages",
    "quiet_hours": "quiet hours",
    "held_out": "held out to compare",
    "to_send": "to send",
}


def show_preview(screen: Console, suite: Suite, audience: str | None, at: datetime | None = None) -> None:
    """A waterfall for each activation; raises ConfigError for an unknown audience, StorageError before a first run."""
    wanted = _wanted(suite, audience)
    look = look_at(suite)
    moment = morning_after(look.as_of, suite.pack, at, run_id="preview", salt=folder_of(suite).key())
    former = by_todays_ids(look.read(AUDIENCE_MEMBER), look.read(IDENTITY_EVENT))
    with look.checkpoints() as keep, members_now(look, keep, former) as members:
        sizes = {row["audience_id"]: row["count"] for row in members.groupBy("audience_id").count().collect()}
        ways = [way for way in ways_of(suite.pack) if way.activation.audience in {one.id for one in wanted}]
        current = against_yesterday(members, former, look.as_of)
        left = leftovers(look.read(DELIVERY), folder_of(suite), suite.session())
        noted = without_leftovers(look.read, left)
        inputs = plan_inputs(suite.pack, look.read, scored_view(suite.pack, look.read), noted, current)
        rows = waterfall(plan(inputs, ways_of(suite.pack), suite.pack, moment)).collect() if ways else []
    for one in wanted:
        screen.print(f"[bold]{one.id}[/]: {sizes.get(one.id, 0):,} members. {one.description}", highlight=False)
        for way in (way for way in ways if way.activation.audience == one.id):
            of_way = [row for row in rows if row["activation_id"] == way.activation.id]
            counts = Counter({(row["operation"], row["decision"]): row["customer_count"] for row in of_way})
            _show_waterfall(screen, way.activation, counts)
    screen.print(f"Planned for {moment.at.astimezone(suite.pack.info.zone):%Y-%m-%d %H:%M %Z}; nothing was written.")


def _wanted(suite: Suite, audience: str | None) -> Sequence[Audience]:
    known = {one.id: one for one in suite.pack.audiences}
    if audience is None:
        used = {one.audience for one in suite.pack.activations}
        return [one for one in suite.pack.audiences if one.id in used]
    if audience not in known:
        raise ConfigError(f"pack {suite.pack.name}: unknown audience '{audience}'.{near_miss(audience, known)}")
    return [known[audience]]


def _show_waterfall(screen: Console, activation: Activation, counts: Counter[tuple[str, str]]) -> None:
    grid = Grid(title=f"  {activation.id}", title_justify="left", box=None, show_header=False, padding=(0, 2))
    grid.add_column()
    grid.add_column(justify="right")
    grid.add_row("matched", f"{counts.total():,}")
    for decision in DECISIONS:
        for operation in sorted({operation for operation, of in counts if of == decision}):
            words = _WORDS[decision] if operation == "send" else f"{_WORDS[decision]} ({operation})"
            grid.add_row(words, f"{counts[operation, decision]:,}")
    screen.print(grid)
    reached = sum(count for (_, decision), count in counts.items() if decision in ("held_out", "to_send"))
    if activation.holdout_share and reached:
        shown = power_preview(reached, activation.holdout_share, None, None)
        screen.print(f"  {shown.text}", highlight=False)
