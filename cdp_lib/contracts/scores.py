"""Gold tables of what customers may do and which groups they are in; each exists where a pack asks for it."""

from cdp_lib.contracts import results
from cdp_lib.contracts.table import amount, Column, instant, number, one_of, ReplaceAll, Table, text
from cdp_lib.settings.pack import Pack
from cdp_lib.settings.recommendation import KINDS

_CUSTOMER = text("golden_id", "The customer.", required=True)
_AS_OF = Column("as_of_date", "date", "The last day that the row knows, in the pack's zone.", required=True)
_HORIZON = Column("horizon_days", "int", "How many days after the as-of date it speaks of.", required=True)
_VERSION = text("model_version", "Registered model and version that scored it.", required=True)
_CURRENCY = text("currency", "ISO 4217 code of the amounts.", required=True)
_RUN = text("_run_id", "Run that computed the row.", required=True)


def _probability(name: str, meaning: str, *, required: bool = False) -> Column:
    return Column(name, "double", meaning, required, check=f"{name} BETWEEN 0 AND 1")


CLTV = Table(
    name="gold.cltv",
    purpose="What each customer who ever bought is expected to spend within the horizon.",
    key=("golden_id",),
    columns=(
        _CUSTOMER,
        _AS_OF,
        _HORIZON,
        Column(
            "predicted_purchase_count",
            "double",
            "Days with a purchase expected in the horizon.",
            required=True,
            check="predicted_purchase_count >= 0",
        ),
        amount("expected_spend_amount", "Expected spend of one such day.", check="expected_spend_amount >= 0"),
        amount(
            "cltv_amount",
            "Expected spend in the horizon, later money discounted.",
            required=True,
            check="cltv_amount >= 0",
        ),
        amount("cltv_low_amount", "Lower end of the interval of cltv_amount.", check="cltv_low_amount >= 0"),
        amount("cltv_high_amount", "Upper end of the interval of cltv_amount."),
        _CURRENCY,
        _probability(
            "probability_alive",
            "That the customer has not left for good; no churn score. 1 with one purchase day in BG/NBD; in "
            "the forms without a model 1 with a purchase in about the last horizon, else 0. Never null.",
        ),
        _VERSION,
        _RUN,
    ),
    write=ReplaceAll(),
    cluster_by=("golden_id",),
    checks=(("interval_in_order", "cltv_low_amount <= cltv_high_amount"),),
)

CHURN_SCORE = Table(
    name="gold.churn_score",
    purpose="How likely each customer who ever bought is to buy nothing within the horizon.",
    key=("golden_id",),
    columns=(
        _CUSTOMER,
        _AS_OF,
        _HORIZON,
        _probability(
            "churn_probability", "That nothing is bought in the horizon; calibrated once labels tell.", required=True
        ),
        one_of("churn_band", "By the pack's limits.", ("high", "medium", "low"), required=True),
        Column("top_reasons", "array<string>", "What speaks most for it, the strongest first.", required=True),
        _VERSION,
        _RUN,
    ),
    write=ReplaceAll(),
    cluster_by=("golden_id",),
)

SEGMENT_MEMBER = Table(
    name="gold.segment_member",
    purpose="Which segment of each segmentation a customer is in.",
    key=("segmentation_id", "golden_id"),
    columns=(
        text("segmentation_id", "Segmentation of the pack.", required=True),
        _CUSTOMER,
        _AS_OF,
        text("segment", "The segment's lasting label; `everybody` where there are no clusters.", required=True),
        text("segment_name", "What people call it.", required=True),
        *(
            Column(f"{name}_score", "int", f"1 to 5, 5 is best: {meaning}; null for clusters.")
            for name, meaning in (
                ("recency", "how lately the customer bought"),
                ("frequency", "on how many days"),
                ("monetary", "for how much in all"),
            )
        ),
        _VERSION,
        _RUN,
    ),
    write=ReplaceAll(),
    cluster_by=("segmentation_id", "golden_id"),
)

SEGMENT_PROFILE = Table(
    name="gold.segment_profile",
    purpose="A card for each segment: how many customers, their figures, and what that means in words.",
    key=("segmentation_id", "segment"),
    columns=(
        text("segmentation_id", "Segmentation of the pack.", required=True),
        text("segment", "The segment's lasting label.", required=True),
        _AS_OF,
        text("segment_name", "What people call it.", required=True),
        text("description", "Its figures in words.", required=True),
        number("customer_count", "Customers in it.", required=True),
        _probability("customer_share", "Their share of all customers of the segmentation.", required=True),
        Column(
            "figures",
            "map<string,double>",
            "Median of each feature; features that nobody has are absent.",
            required=True,
        ),
        _VERSION,
        _RUN,
    ),
    write=ReplaceAll(),
)

RECOMMENDATION = Table(
    name="gold.recommendation",
    purpose="Products for each customer, the best first.",
    key=("golden_id", "rank"),
    columns=(
        _CUSTOMER,
        _AS_OF,
        Column("rank", "int", "1 is the first to show.", required=True, check="rank >= 1"),
        text("product_id", "The product.", required=True),
        one_of("kind", "Why it is shown.", KINDS, required=True),
        Column(
            "score",
            "double",
            "0 to 1 within its kind; not comparable between kinds.",
            required=True,
            check="score BETWEEN 0 AND 1",
        ),
        text("reason", "Why, in words made of figures and product ids.", required=True),
        _RUN,
    ),
    write=ReplaceAll(),
    cluster_by=("golden_id",),
)

PURCHASE_PATTERN = Table(
    name="gold.purchase_pattern",
    purpose="What is bought together, when, how often, and which categories people move between.",
    key=("pattern_type", "subject", "object", "measure"),
    columns=(
        text(
            "pattern_type",
            "E.g. rule_product, rule_category, basket_weekday, purchase_gap, migration_main.",
            required=True,
        ),
        text("subject", "What it is about: a product, category, weekday, hour.", required=True),
        text("object", "What it leads to, e.g. the other product; `all` where there is no second side.", required=True),
        text("measure", "Which figure of the two, e.g. rule, median.", required=True),
        _AS_OF,
        number("support_count", "Baskets, people or gaps behind it."),
        number("subject_count", "Those of the subject alone."),
        number("object_count", "Those of the object alone."),
        number("basis_count", "All that could have had it."),
        _probability("support_share", "support_count / basis_count."),
        _probability("confidence", "Share of the subject's baskets or people that have the object too."),
        Column("lift", "double", "Times as often as if the two had nothing to do with each other."),
        Column("value", "double", "Figure of patterns that are no rule, in `unit`."),
        text("unit", "What counts and values are in."),
        _RUN,
    ),
    write=ReplaceAll(),
    cluster_by=("pattern_type",),
)

CUSTOMER_PREFERENCE = Table(
    name="gold.customer_preference",
    purpose="What each customer likes best: products, categories, channels, stores, weekdays and hours.",
    key=("golden_id", "preference_kind", "rank"),
    columns=(
        _CUSTOMER,
        one_of(
            "preference_kind",
            "What the preference is for.",
            ("product", "category", "channel", "store", "weekday", "hour_band"),
            required=True,
        ),
        Column("rank", "int", "1 is liked best.", required=True, check="rank >= 1"),
        _AS_OF,
        text("value", "The product, category, channel, ...", required=True),
        number("purchase_count", "Orders with it.", required=True),
        _probability("share", "Their share of the customer's orders in which that kind is known.", required=True),
        instant("last_at", "The last of them.", required=True),
        _RUN,
    ),
    write=ReplaceAll(),
    cluster_by=("golden_id",),
)

TABLES = (CLTV, CHURN_SCORE, SEGMENT_MEMBER, SEGMENT_PROFILE, PURCHASE_PATTERN, CUSTOMER_PREFERENCE, RECOMMENDATION)
"""Every table that a pack may ask for."""


def cltv(pack: Pack) -> tuple[Table, ...]:
    """gold.cltv, where the pack has a lifetime_value."""
    return () if pack.lifetime_value is None else (CLTV,)


def churn(pack: Pack) -> tuple[Table, ...]:
    """gold.churn_score, where the pack has a churn."""
    return () if pack.churn is None else (CHURN_SCORE,)


def segments(pack: Pack) -> tuple[Table, ...]:
    """Segments and their cards, where the pack has a segmentation."""
    return (SEGMENT_MEMBER, SEGMENT_PROFILE) if pack.segmentations else ()


def recommendations(pack: Pack) -> tuple[Table, ...]:
    """gold.recommendation, where the pack has a recommendation."""
    return () if pack.recommendation is None else (RECOMMENDATION,)


def patterns(pack: Pack) -> tuple[Table, ...]:
    """Patterns and preferences, where the pack has a purchase_pattern."""
    return () if pack.purchase_pattern is None else (PURCHASE_PATTERN, CUSTOMER_PREFERENCE)


def tables(pack: Pack) -> tuple[Table, ...]:
    """Every table of this module that the pack has."""
    return (*cltv(pack), *churn(pack), *segments(pack), *patterns(pack), *recommendations(pack))


def customer_scores(pack: Pack) -> dict[str, tuple[Column, ...]]:
    """Table: its columns that exports and audiences may name beside those of gold.customer.

    Of gold.segment_member they are `segment_<id>` (the label) and `segment_<id>_name` for each segmentation; of
    gold.referral_credit how many people a customer is credited for.
    """
    of_cltv = ("predicted_purchase_count", "cltv_amount", "cltv_low_amount", "cltv_high_amount", "probability_alive")
    of_churn = ("churn_probability", "churn_band", "top_reasons")
    found = {table.name: tuple(table.column(name) for name in of_cltv) for table in cltv(pack)}
    found |= {table.name: tuple(table.column(name) for name in of_churn) for table in churn(pack)}
    if pack.segmentations:
        found[SEGMENT_MEMBER.name] = tuple(
            text(f"segment_{one.id}{ending}", meaning)
            for one in pack.segmentations
            for ending, meaning in (("", "The segment's label."), ("_name", "What people call it."))
        )
    found |= {
        table.name: (
            number("credited_referral_count", "People whom the customer is credited for bringing; 0: nobody."),
        )
        for table in results.referrals(pack)
    }
    return found


def score_tables(pack: Pack) -> tuple[Table, ...]:
    """The tables that `customer_scores` takes columns from, in its order."""
    named = customer_scores(pack)
    return tuple(table for table in (*TABLES, results.REFERRAL_CREDIT) if table.name in named)
