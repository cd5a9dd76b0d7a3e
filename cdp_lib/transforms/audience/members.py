"""Who is in each audience of a pack: rules, exclusions, priority lists, and the bounds that say how many.

Audiences are computed each after those it needs, over one frame of all customers that gains a flag per audience. A rule
alone is a column; only cap, draw and lookalike look at all candidates at once, and hand on no more than they keep.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import reduce

from pyspark.sql import Column, DataFrame, functions as F, types as T, Window as W

from cdp_lib.settings.audience import ahead_in_list, Audience, Cap, Draw, in_order, Lookalike, SUPPRESSION
from cdp_lib.transforms.audience.questions import member_flag, REASONS, told
from cdp_lib.transforms.audience.rules import holds, reasons

Likeness = Callable[[Lookalike, DataFrame, DataFrame], DataFrame]
"""Of a lookalike, the candidates and the seed's members: (golden_id, score) of the candidates, 1 is most alike."""

_LOT_DIGITS = 13
"""Hex digits that a double holds exactly."""


@dataclass(frozen=True)
class Means:
    """What the pure part is lent: how to keep a small frame without its lineage, how to find the alike, what was."""

    keep: Callable[[DataFrame], DataFrame]
    alike: Likeness
    former: DataFrame
    """Rows of gold.audience_member of the run before, by today's ids: who won a draw then has won."""
    as_of: date


def audience_members(
    customers: DataFrame, suppressed: DataFrame, audiences: Sequence[Audience], means: Means
) -> DataFrame:
    """One row (audience_id, golden_id, score, why) per audience and customer in it.

    `customers` are the scored single view with the figures of every rule (`with_figures`); flags of audiences are added
    here. `suppressed` are rows of silver.suppression. `score` is what a cap, draw or likeness ordered by; null without.
    """
    flagged = with_suppression(customers, suppressed)
    decided = reduce(lambda frame, one: _with_audience(frame, one, audiences, means), in_order(audiences), flagged)
    rows = [F.when(F.col(member_flag(one.id)), _member(one, audiences)) for one in audiences]
    told = decided.select("golden_id", F.explode(F.array_compact(F.array(*rows))).alias("member"))
    return told.select("member.audience_id", "golden_id", "member.score", "member.why")


def with_suppression(customers: DataFrame, suppressed: DataFrame) -> DataFrame:
    """The customers with the flag that `exclude: [suppression]` asks for.

    It is set for whoever has a row of silver.suppression, whatever its channel and reason: who turned one channel down
    is not looked for by another. Whether a message may go out by its own channel is asked again when it is sent.
    """
    flag = member_flag(SUPPRESSION)
    on_list = suppressed.select("golden_id", F.lit(True).alias(flag)).distinct()
    joined = customers.join(on_list, "golden_id", "left")
    return joined.select(*customers.columns, F.coalesce(flag, F.lit(False)).alias(flag))


def is_candidate(audience: Audience, audiences: Sequence[Audience]) -> Column:
    """Whether the rule is met and nothing keeps the customer out, before any bound; never null."""
    rule = F.lit(True) if audience.where is None else holds(audience.where)
    barriers = _barriers(audience, audiences)
    return reduce(lambda held, name: held & ~F.col(member_flag(name)), barriers, rule)


def candidate_reasons(audience: Audience, audiences: Sequence[Audience]) -> Column:
    """The reasons of the rule, then one per audience (or list) that a member must not be in."""
    barred = [
        told(
            f"not {label}",
            F.when(F.col(member_flag(name)), "member").otherwise("not a member"),
            "member",
            ~F.col(member_flag(name)),
        )
        for name, label in _barriers(audience, audiences).items()
    ]
    of_rule = [] if audience.where is None else [reasons(audience.where)]
    return F.concat(F.array().cast(REASONS), *of_rule, F.array(*barred).cast(REASONS))


def lot_number(draw: Draw) -> Column:
    """The customer's lot from 0 to 1, the least win: the SHA-256 of `<seed>|<golden_id>` read as a fraction.

    Anybody who knows the seed can draw again.
    """
    digits = F.conv(F.substring(_lot(draw), 1, _LOT_DIGITS), 16, 10).cast("double")
    return digits / F.lit(16.0**_LOT_DIGITS)


def _lot(draw: Draw) -> Column:
    return F.sha2(F.concat(F.lit(f"{draw.seed}|"), "golden_id"), 256)


def bound_words(audience: Audience) -> tuple[str, str] | None:
    """(what is ordered by, how many are kept) of a bounded audience; None: everybody whom the rule finds is in it."""
    if audience.cap is not None:
        return f"cap by {audience.cap.by}", f"the {audience.cap.count} {audience.cap.order}"
    if audience.draw is not None:
        return _name(audience.draw), f"the {audience.draw.count} least lots"
    if audience.lookalike is not None:
        return f"likeness to {audience.lookalike.seed}", f"the {audience.lookalike.count} most alike"
    return None


def _name(draw: Draw) -> str:
    return f"draw with seed {draw.seed}"


def named_by(audience: Audience, audiences: Sequence[Audience]) -> tuple[str, ...]:
    """The audiences (and lists) whose flags decide on membership beside those that the rule asks for."""
    return tuple(_barriers(audience, audiences))


def _barriers(audience: Audience, audiences: Sequence[Audience]) -> dict[str, str]:
    """What a member must not be in, and how it is told: exclusions, the seed, what comes first in a list."""
    found = {
        one.id: f"audience {one.id} (first in list {audience.priority_list})"
        for one in ahead_in_list(audience, audiences)
    }
    if audience.lookalike is not None:
        found[audience.lookalike.seed] = f"audience {audience.lookalike.seed} (the seed)"
    return {name: name if name == SUPPRESSION else f"audience {name}" for name in audience.exclude} | found


def _member(audience: Audience, audiences: Sequence[Audience]) -> Column:
    words, score = bound_words(audience), F.lit(None).cast("double")
    why = candidate_reasons(audience, audiences)
    if words is not None:
        score = F.col(_score_column(audience))
        bound = told(words[0], score.cast("string"), words[1], F.lit(True))
        why = F.concat(why, F.array(bound).cast(REASONS))
    if audience.draw is not None:
        why = F.coalesce(_why_column(audience), why)
    return F.struct(F.lit(audience.id).alias("audience_id"), score.alias("score"), why.alias("why"))


def _with_audience(frame: DataFrame, audience: Audience, audiences: Sequence[Audience], means: Means) -> DataFrame:
    """The frame with the audience's flag and, where it is bounded, its score: later audiences ask for the flag."""
    flag = member_flag(audience.id)
    candidacy = is_candidate(audience, audiences)
    bound = audience.cap or audience.draw or audience.lookalike
    if bound is None:
        return frame.select("*", candidacy.alias(flag))
    winners = means.keep(_winners(frame, audience.id, bound, frame.where(candidacy), means))
    names = {"score": _score_column(audience), "why": _why_column(audience)}
    told_of = [F.col(name).alias(names[name]) for name in winners.columns if name in names]
    chosen = winners.select("golden_id", *told_of, F.lit(True).alias(flag))  # one row per golden_id
    joined = frame.join(chosen, "golden_id", "left")
    return joined.select(*joined.columns[:-1], F.coalesce(flag, F.lit(False)).alias(flag))


def _winners(
    frame: DataFrame, audience_id: str, bound: Cap | Draw | Lookalike, candidates: DataFrame, means: Means
) -> DataFrame:
    """(golden_id, score) of the candidates whom the bound keeps, of a draw with `why`; ties by golden_id."""
    if isinstance(bound, Cap):
        return _best(candidates, bound)
    if isinstance(bound, Draw):
        stand = _winners_before(audience_id, bound, means.former).join(frame, "golden_id", "left_semi")
        return _first_drawn(stand, _drawn(candidates, bound, means.as_of))
    scored = means.alike(bound, candidates, frame.where(F.col(member_flag(bound.seed))))
    return scored.orderBy(F.col("score").desc(), "golden_id").limit(bound.count).select("golden_id", "score")


def _best(candidates: DataFrame, cap: Cap) -> DataFrame:
    """Days count from 1970-01-01, times in seconds from then, where a cap goes by them."""
    kind = candidates.schema[cap.by].dataType
    value = F.col(cap.by)
    number = F.unix_date(value) if isinstance(kind, T.DateType) else F.unix_seconds(value)
    score = (number if isinstance(kind, T.DateType | T.TimestampType) else value).cast("double")
    measured = candidates.select("golden_id", value.alias("measure"), score.alias("score"))
    measure = F.col("measure")
    order = measure.desc_nulls_last() if cap.order == "highest" else measure.asc_nulls_last()
    return measured.orderBy(order, "golden_id").limit(cap.count).select("golden_id", "score")


def _drawn(candidates: DataFrame, draw: Draw, as_of: date) -> DataFrame:
    """Nobody while entries still count."""
    open_lots = candidates.where(F.lit(as_of > draw.closes_on))
    drawn = open_lots.select("golden_id", _lot(draw).alias("lot"), lot_number(draw).alias("score"))
    why = F.lit(None).cast(REASONS).alias("why")
    return drawn.orderBy("lot", "golden_id").limit(draw.count).select("golden_id", "score", why)


def _winners_before(audience_id: str, draw: Draw, former: DataFrame) -> DataFrame:
    """(golden_id, score, why) of those whom the same seed has drawn in an earlier run, also for another day."""
    is_of_draw = F.exists("why", lambda one: one["leaf"] == _name(draw))
    is_theirs = (F.col("audience_id") == audience_id) & (F.col("status") != "exit") & is_of_draw
    return former.where(is_theirs).select("golden_id", "score", "why")


def _first_drawn(stand: DataFrame, drawn: DataFrame) -> DataFrame:
    """Who stands as a winner; where nobody does, who is drawn."""
    both = stand.select("*", F.lit(True).alias("stands")).unionByName(drawn.select("*", F.lit(False).alias("stands")))
    # Some few rows.
    everybody = W.partitionBy(F.lit(1)).rowsBetween(W.unboundedPreceding, W.unboundedFollowing)
    told_by = both.select("*", F.max("stands").over(everybody).alias("has_winners"))
    return told_by.where(F.col("stands") == F.col("has_winners")).select("golden_id", "score", "why")


def _score_column(audience: Audience) -> str:
    return f"score_in_{audience.id}"


def _why_column(audience: Audience) -> str:
    return f"why_in_{audience.id}"
