"""Tables of what came of it: campaigns, experiments, referrals, and what customers' reviews ask to be improved."""

from cdp_lib.contracts.table import amount, Column, instant, number, one_of, ReplaceAll, Table, text
from cdp_lib.settings.pack import Pack

_AS_OF = Column("as_of_date", "date", "The last day that the row knows, in the pack's zone.", required=True)
_RUN = text("_run_id", "Run that computed the row.", required=True)
_ACTIVATION = text("activation_id", "Activation of the pack.", required=True)

CAMPAIGN_RESULT = Table(
    name="gold.campaign_result",
    purpose="What each activation sent, what came back, and its figures: one row per activation and arm.",
    key=("activation_id", "arm"),
    columns=(
        _ACTIVATION,
        text("arm", "Arm; `all` for all that were written to.", required=True),
        text("use_case", "Row of the requirements; null: none."),
        text("channel", "Channel of the newest intent.", required=True),
        _AS_OF,
        *(
            number(f"{name}_count", meaning, required=True, check=f"{name}_count >= 0")
            for name, meaning in (
                ("planned", "Intents planned, the held out left aside"),
                ("sent", "Handed to the channel: accepted + rejected + unknown"),
                ("accepted", "Accepted by the channel"),
                ("rejected", "Refused by the channel"),
                ("unknown", "Nobody knows"),
                ("opened", "Customers who opened"),
                ("clicked", "Customers who clicked"),
                ("bounced", "Customers whose address bounced"),
                ("unsubscribed", "Customers who unsubscribed"),
                ("redeemed", "Customers who redeemed the offer"),
            )
        ),
        text("kpi", "The activation's main measure; null: it has none."),
        Column("kpi_mean", "double", "Mean of it over the customers of the arm whose window has passed; null: none."),
        number("kpi_customer_count", "Customers it is the mean of.", required=True),
        _RUN,
    ),
    write=ReplaceAll(),
)

EXPERIMENT_RESULT = Table(
    name="gold.experiment_result",
    purpose="What a message did, against those who were held out or got another version: a row per arm and measure.",
    key=("activation_id", "kpi", "arm"),
    columns=(
        _ACTIVATION,
        text("kpi", "Measure of the activation.", required=True),
        text("arm", "Arm that is compared.", required=True),
        text(
            "against", "Arm it is compared with: `holdout`, or the first arm where nobody is held out.", required=True
        ),
        _AS_OF,
        number("customer_count", "Customers of the arm whose window has passed.", required=True),
        number("against_count", "Of the arm it is compared with.", required=True),
        number(
            "crossed_count",
            "Customers assigned under two ids that are one person now, or to two arms: left out.",
            required=True,
        ),
        Column("mean", "double", "Mean of the measure in the arm."),
        Column("against_mean", "double", "Mean in the other."),
        Column(
            "lift", "double", "mean - against_mean, adjusted by what customers did before (CUPED) where that helps."
        ),
        Column("lift_low", "double", "Lower end of the 95% interval of lift."),
        Column("lift_high", "double", "Upper end."),
        Column("relative_lift", "double", "lift / against_mean; null where that is 0."),
        Column("p_value", "double", "Welch's test that lift is 0; null: too few.", check="p_value BETWEEN 0 AND 1"),
        Column("variance_kept", "double", "Variance after CUPED / before: 1 = no help."),
        Column(
            "srm_p_value",
            "double",
            "Chi-square that arms have their sizes by chance; small: do not trust the row. Null: too few, or an arm "
            "that the pack does not name.",
            check="srm_p_value BETWEEN 0 AND 1",
        ),
        Column("detectable_lift", "double", "Smallest lift that so many customers show with power 0.8."),
        amount("incremental_amount", "Revenue that the arm's customers brought more; null: the measure is no money."),
        text("verdict", "In words: better, worse, no difference seen, too early, arms are skewed.", required=True),
        _RUN,
    ),
    write=ReplaceAll(),
)

REVIEW_TOPIC = Table(
    name="gold.review_topic",
    purpose="What each review is about and whether it praises or complains; no text of the review.",
    key=("source_system", "review_id", "topic"),
    columns=(
        text("source_system", "Source id of the pack.", required=True),
        text("review_id", "The source's id of the review.", required=True),
        text("topic", "Topic of the pack; `other` where none fits.", required=True),
        text("golden_id", "Who wrote it; null: nobody known."),
        instant("reviewed_at", "When.", required=True),
        Column("rating", "double", "Stars, where given.", check="rating BETWEEN 0 AND 5"),
        one_of("sentiment", "Of what is said on the topic.", ("praise", "complaint"), required=True),
        Column(
            "probability",
            "double",
            "Of the topic, by the text model.",
            required=True,
            check="probability BETWEEN 0 AND 1",
        ),
        text("model_version", "Registered model and version.", required=True),
        _RUN,
    ),
    write=ReplaceAll(),
)

IMPROVEMENT_AREA = Table(
    name="gold.improvement_area",
    purpose="What to improve first, by what customers complain of: one row per topic, ranked, with its trend.",
    key=("topic",),
    columns=(
        text("topic", "Topic of the pack.", required=True),
        text("title", "What the team reads.", required=True),
        _AS_OF,
        Column("rank", "int", "1 is to be improved first.", required=True, check="rank >= 1"),
        number("review_count", "Reviews on it in the window.", required=True),
        number("complaint_count", "Those that complain.", required=True),
        Column("complaint_share", "double", "complaint_count / review_count.", check="complaint_share BETWEEN 0 AND 1"),
        Column(
            "complaints_saved",
            "double",
            "Complaints that a window would be spared, were the topic as seldom complained of as the best one.",
            required=True,
            check="complaints_saved >= 0",
        ),
        Column("mean_rating", "double", "Mean stars of its reviews in the window; null: none given."),
        Column("former_mean_rating", "double", "Mean stars in the window before."),
        Column("former_complaint_share", "double", "Share of complaints in the window before."),
        one_of(
            "trend",
            "Of the complaints' share against the window before.",
            ("better", "worse", "steady", "new"),
            required=True,
        ),
        text("description", "The row in words.", required=True),
        _RUN,
    ),
    write=ReplaceAll(),
)

CREDITED = "credited"
CREDIT_STATUSES = (CREDITED, "already_credited", "self_referral", "unknown_referrer", "not_joined")

REFERRAL_CREDIT = Table(
    name="gold.referral_credit",
    purpose="Who is credited for bringing whom: one row per referral that names whom it brought.",
    key=("source_system", "referral_id"),
    columns=(
        text("source_system", "Source id of the pack.", required=True),
        text("referral_id", "The source's id of the referral.", required=True),
        _AS_OF,
        text("referrer_golden_id", "Who invited; null: nobody known."),
        text("referred_golden_id", "Who was invited; null: no customer yet."),
        instant("referred_at", "When.", required=True),
        one_of(
            "status",
            "A person credits the first who invited them, once, whichever memberships were used, and never themself.",
            CREDIT_STATUSES,
            required=True,
        ),
        _RUN,
    ),
    write=ReplaceAll(),
    cluster_by=("referrer_golden_id",),
)

TABLES = (CAMPAIGN_RESULT, EXPERIMENT_RESULT, REVIEW_TOPIC, IMPROVEMENT_AREA, REFERRAL_CREDIT)
"""Every table that a pack may ask for."""


def campaigns(pack: Pack) -> tuple[Table, ...]:
    """What campaigns did, where the pack has an activation."""
    return (CAMPAIGN_RESULT, EXPERIMENT_RESULT) if pack.activations else ()


def review_topics(pack: Pack) -> tuple[Table, ...]:
    """Topics of reviews and areas to improve, where the pack has review_topics."""
    return () if pack.review_topics is None else (REVIEW_TOPIC, IMPROVEMENT_AREA)


def referrals(pack: Pack) -> tuple[Table, ...]:
    """gold.referral_credit, where a source of the pack feeds referral."""
    return (REFERRAL_CREDIT,) if "referral" in pack.fed else ()


def tables(pack: Pack) -> tuple[Table, ...]:
    """Every table of this module that the pack has."""
    return (*campaigns(pack), *review_topics(pack), *referrals(pack))
