"""Move everybody in the pack's journeys on to the as-of day, and note which messages that asks for."""

from collections.abc import Callable

from pyspark.sql import DataFrame

from cdp_lib.contracts import activation, gold, identity, scores, silver
from cdp_lib.contracts.table import Table
from cdp_lib.io.caching import cached
from cdp_lib.settings.pack import Pack
from cdp_lib.transforms.customer.traits import facts_of_people
from cdp_lib.transforms.journey.states import account, Known, next_states
from cdp_lib.workflow.context import JobContext
from cdp_lib.workflow.job import job
from jobs.look import scored_view
from jobs.page import run_page

_COUNTS = ("entered", "moved", "sends", "exits")


def entities_of(pack: Pack) -> tuple[str, ...]:
    """Entities whose facts the pack's journeys wait for or ask about."""
    steps = [step for journey in pack.journeys for step in journey.steps.values()]
    asked = [condition for journey in pack.journeys for condition in journey.conditions.values()]
    waited_for = {step.wait_until.did for step in steps if step.wait_until is not None}
    return tuple(sorted(waited_for | {leaf.did for condition in asked for leaf in condition.leaves() if leaf.did}))


def reads_of(pack: Pack) -> tuple[Table, ...]:
    """The single view, scores, memberships, facts, and who is who."""
    facts = tuple(silver.ENTITIES[name] for name in entities_of(pack))
    return (gold.customer(pack), *scores.score_tables(pack), *facts)


@job(
    reads=(reads_of, activation.AUDIENCE_MEMBER, identity.IDENTITY_LINK, identity.IDENTITY_EVENT),
    writes=(activation.JOURNEY_STATE,),
    remembers=(activation.JOURNEY_STATE,),
    shaped_by=("pack", "journey"),
)
def run(ctx: JobContext) -> None:
    """From where everybody stood before this run: a run that is tried again comes to the same."""
    former = ctx.recall(activation.JOURNEY_STATE)
    known = known_from(ctx.pack, ctx.read, lambda table: ctx.input_version(table) is not None)
    with ctx.checkpoints() as keep, cached(next_states(former, known, ctx.pack, ctx.as_of, keep)) as states:
        counted = {row["journey_id"]: row for row in account(states, former, ctx.as_of).collect()}
        ctx.write(activation.JOURNEY_STATE, states, kept=True)
        for name in sorted({journey.id for journey in ctx.pack.journeys} | set(counted)):
            figures = [f"{counted[name][count] if name in counted else 0:,} {count}" for count in _COUNTS]
            ctx.say(f"journey {name}: {', '.join(figures)}")


def known_from(pack: Pack, read: Callable[[Table], DataFrame], has: Callable[[Table], bool]) -> Known:
    """What the pack's journeys are run on, as `read` gives the tables; a score table that is not there gives nulls."""
    links = read(identity.IDENTITY_LINK)
    return Known(
        customers=scored_view(pack, read, has),
        facts={name: facts_of_people(read(silver.ENTITIES[name]), links) for name in entities_of(pack)},
        members=read(activation.AUDIENCE_MEMBER),
        events=read(identity.IDENTITY_EVENT),
    )


if __name__ == "__main__":
    run_page(__file__)
