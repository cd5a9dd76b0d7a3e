"""Silver's conformed entities: they mean the same in every business. Who is who stands in `contracts/identity.py`."""

from cdp_lib.contracts.table import amount, Column, instant, MergeByKey, number, one_of, Table, text

RECORD_KEY = ("source_system", "source_record_id")

_CONFORM_LINEAGE = (
    text("_source_file", "Landing file of the row's newest version.", required=True),
    instant("_ingested_at", "When the run that ingested it began.", required=True),
    number("_row_number", "Row in that file; the last of a group's rows.", required=True),
    text("_record_hash", "SHA-256 of the content columns.", required=True),
    text("_run_id", "Run that wrote the row.", required=True),
)
_NEWEST = MergeByKey(newest_by=("source_updated_at", "_source_file", "_ingested_at", "_row_number"))
_SOURCE = text("source_system", "Source id of the pack.", required=True)
_PERSON = text(
    "person_id", "source_record_id of the customer_record it belongs to; null: nobody known.", pii="online_id"
)
_UPDATED = instant("source_updated_at", "When the source last changed the row; the newest version wins.", required=True)
_CURRENCY = text("currency", "ISO 4217 code of the amounts.", check="length(currency) = 3")
_ATTRIBUTES = Column("attributes", "map<string,string>", "What else the source says, by the pack's names.")

CUSTOMER_RECORD = Table(
    name="silver.customer_record",
    purpose="One cleaned row per person record per source system.",
    key=RECORD_KEY,
    columns=(
        _SOURCE,
        text("source_record_id", "The source's own id of the person.", required=True, pii="online_id"),
        text("first_name", "Given name; null if unusable.", pii="name"),
        text("last_name", "Family name; null if unusable.", pii="name"),
        text("email", "Lower case; null if unusable.", pii="email"),
        text("phone", "E.164; null if unusable.", pii="phone", check="phone RLIKE '^[+][1-9][0-9]{6,14}$'"),
        Column("birth_date", "date", "Date of birth; null if unknown or implausible.", pii="birth_date"),
        one_of("gender", "As the person states it; null if unknown.", ("female", "male", "other")),
        text("address", "Street address.", pii="address"),
        text("city", "City."),
        text("postcode", "Postcode in the region's usual form.", pii="address"),
        text("country", "ISO 3166 code or name as the source gives it."),
        Column(
            "identifiers",
            "map<string,string>",
            "Exact identifiers by the pack's names, e.g. member id.",
            pii="online_id",
        ),
        Column("attributes", "map<string,string>", "What else the source says of the person.", pii="free_text"),
        Column(
            "rejected",
            "array<struct<field:string,value:string,reason:string>>",
            "Values that were given and nulled, each with its reason.",
            required=True,
            pii="raw",
        ),
        _UPDATED,
        *_CONFORM_LINEAGE,
    ),
    write=_NEWEST,
    cluster_by=("source_system",),
)

ORDER = Table(
    name="silver.order",
    purpose="One row per order: a paid basket, bill, ticket purchase. Refunds and cancellations are negative.",
    key=("source_system", "order_id"),
    columns=(
        _SOURCE,
        text("order_id", "The source's id of the order.", required=True),
        _PERSON,
        instant("ordered_at", "When it was placed.", required=True),
        amount("paid_amount", "Net paid, refunds subtracted.", required=True),
        amount("discount_amount", "Given off the list price, 0 or more."),
        _CURRENCY,
        number("item_count", "Items kept; of a cancelled order 0 or null.", check="item_count >= 0"),
        text("store_id", "Where; null if online or unknown."),
        text("channel", "How, e.g. store, online, app."),
        text("payment_method", "How it was paid."),
        text("status", "As the source says, e.g. paid, refunded."),
        _ATTRIBUTES,
        _UPDATED,
        *_CONFORM_LINEAGE,
    ),
    write=_NEWEST,
    cluster_by=("ordered_at",),
)

ORDER_LINE = Table(
    name="silver.order_line",
    purpose="One row per product line of an order.",
    key=("source_system", "order_id", "line_id"),
    columns=(
        _SOURCE,
        text("order_id", "The order it stands in.", required=True),
        text("line_id", "Names the line in its order.", required=True),
        _PERSON,
        instant("ordered_at", "When the order was placed.", required=True),
        text("product_id", "The source's product id; null: a line without a product."),
        Column("quantity", "decimal(18,3)", "Units bought; 0 and negative as the source has them."),
        amount("paid_amount", "Net paid for the line.", required=True),
        amount("discount_amount", "Given off the list price, 0 or more."),
        _CURRENCY,
        _ATTRIBUTES,
        _UPDATED,
        *_CONFORM_LINEAGE,
    ),
    write=_NEWEST,
    cluster_by=("ordered_at",),
)

PRODUCT = Table(
    name="silver.product",
    purpose="One row per product of a source's catalogue.",
    key=("source_system", "product_id"),
    columns=(
        _SOURCE,
        text("product_id", "The source's id of the product.", required=True),
        text("name", "What people call it."),
        text("brand", "Brand or maker."),
        text("department", "Broadest group."),
        text("category", "Group."),
        text("subcategory", "Finest group."),
        amount("price_amount", "List price."),
        _CURRENCY,
        Column("is_available", "boolean", "Whether it can be bought now; null: unknown."),
        Column("is_durable", "boolean", "Whether people buy it once in years; null: unknown."),
        _ATTRIBUTES,
        _UPDATED,
        *_CONFORM_LINEAGE,
    ),
    write=_NEWEST,
)

EVENT = Table(
    name="silver.event",
    purpose="One row per thing a person did online, in the app or on social media.",
    key=("source_system", "event_id"),
    columns=(
        _SOURCE,
        text("event_id", "The source's id of the event.", required=True),
        _PERSON,
        instant("event_at", "When.", required=True),
        text("event_type", "What, e.g. page_view, like, share, menu_view.", required=True),
        text("channel", "Where, e.g. web, app, the social network."),
        text("object_id", "What it was done to: a page, product, post."),
        text("campaign_id", "Campaign that led there."),
        Column("value", "double", "Its number, if it has one."),
        _ATTRIBUTES,
        _UPDATED,
        *_CONFORM_LINEAGE,
    ),
    write=_NEWEST,
    cluster_by=("event_at",),
)

REVIEW = Table(
    name="silver.review",
    purpose="One row per review or feedback form.",
    key=("source_system", "review_id"),
    columns=(
        _SOURCE,
        text("review_id", "The source's id of the review.", required=True),
        _PERSON,
        instant("reviewed_at", "When.", required=True),
        Column("rating", "double", "Stars, 1 to 5.", check="rating BETWEEN 0 AND 5"),
        text("review_text", "What the person wrote.", pii="free_text"),
        text("topic", "What it is about, as the source says."),
        text("product_id", "Product reviewed."),
        text("store_id", "Place reviewed."),
        _ATTRIBUTES,
        _UPDATED,
        *_CONFORM_LINEAGE,
    ),
    write=_NEWEST,
)

LOYALTY_ENTRY = Table(
    name="silver.loyalty_entry",
    purpose="One row per movement of loyalty points.",
    key=("source_system", "entry_id"),
    columns=(
        _SOURCE,
        text("entry_id", "The source's id of the movement.", required=True),
        _PERSON,
        instant("entry_at", "When.", required=True),
        one_of("entry_type", "What happened.", ("earn", "redeem", "expire", "adjust"), required=True),
        number("points_count", "Points, signed: earned positive, redeemed or expired negative.", required=True),
        text("item", "What was redeemed."),
        text("order_id", "Order that earned or used them."),
        _ATTRIBUTES,
        _UPDATED,
        *_CONFORM_LINEAGE,
    ),
    write=_NEWEST,
)

CONSENT = Table(
    name="silver.consent",
    purpose="One row per decision of a person about one purpose and channel.",
    key=("source_system", "consent_id"),
    columns=(
        _SOURCE,
        text("consent_id", "The source's id of the decision.", required=True),
        _PERSON,
        text("purpose", "What for, e.g. marketing.", required=True),
        text("channel", "By which channel; `any` for all.", required=True),
        one_of("status", "What was decided.", ("granted", "withdrawn"), required=True),
        instant("decided_at", "When.", required=True),
        text("evidence", "How it was given."),
        _ATTRIBUTES,
        _UPDATED,
        *_CONFORM_LINEAGE,
    ),
    write=_NEWEST,
)

REFERRAL = Table(
    name="silver.referral",
    purpose="One row per invitation of one person by another.",
    key=("source_system", "referral_id"),
    columns=(
        _SOURCE,
        text("referral_id", "The source's id of the referral.", required=True),
        _PERSON,
        text("referred_person_id", "source_record_id of the invited person.", pii="online_id"),
        text("code", "Code or link used."),
        instant("referred_at", "When.", required=True),
        text("status", "As the source says, e.g. invited, joined."),
        _ATTRIBUTES,
        _UPDATED,
        *_CONFORM_LINEAGE,
    ),
    write=_NEWEST,
)

CAMPAIGN_RESPONSE = Table(
    name="silver.campaign_response",
    purpose="One row per reaction of a person to a campaign, being targeted included.",
    key=("source_system", "response_id"),
    columns=(
        _SOURCE,
        text("response_id", "The source's id of the reaction.", required=True),
        _PERSON,
        text("campaign_id", "Campaign.", required=True),
        text("response_type", "targeted, sent, opened, clicked, bounced, unsubscribed, redeemed, ...", required=True),
        instant("responded_at", "When.", required=True),
        text("channel", "By which channel."),
        text("offer_code", "Coupon or code used."),
        text(
            "message_id",
            "What names the message: our Message-ID or intent id, or the channel's own id of it; null: not told.",
            pii="online_id",
        ),
        text("sent_to", "Mailbox, or E.164 number, that the message went to; null: not told.", pii="email"),
        text(
            "person_source",
            "Source whose record person_id is, where message_id names a message that the suite sent: the one of the "
            "customer who got it, and campaign_id is its activation. Null: person_id is the source's own.",
        ),
        _ATTRIBUTES,
        _UPDATED,
        *_CONFORM_LINEAGE,
    ),
    write=_NEWEST,
)

ENRICHMENT = Table(
    name="silver.enrichment",
    purpose="One row per fact that a third party says of a person.",
    key=("source_system", "enrichment_id"),
    columns=(
        _SOURCE,
        text("enrichment_id", "Names the fact in its source.", required=True),
        _PERSON,
        text("attribute", "What is said.", required=True),
        text("value", "The value said.", pii="free_text"),
        instant("observed_at", "As of when.", required=True),
        _UPDATED,
        *_CONFORM_LINEAGE,
    ),
    write=_NEWEST,
)

ENTITIES: dict[str, Table] = {
    table.noun: table
    for table in (
        CUSTOMER_RECORD,
        ORDER,
        ORDER_LINE,
        PRODUCT,
        EVENT,
        REVIEW,
        LOYALTY_ENTRY,
        CONSENT,
        REFERRAL,
        CAMPAIGN_RESPONSE,
        ENRICHMENT,
    )
}
"""The conformed entities: what a pack's feeds may feed."""

FACT_TIME: dict[str, str] = {
    "order": "ordered_at",
    "order_line": "ordered_at",
    "event": "event_at",
    "review": "reviewed_at",
    "loyalty_entry": "entry_at",
    "consent": "decided_at",
    "referral": "referred_at",
    "campaign_response": "responded_at",
    "enrichment": "observed_at",
}
"""Entities that are facts about a person, and when each fact happened."""

COMPUTED: dict[str, tuple[str, ...]] = {"customer_record": ("rejected",), "campaign_response": ("person_source",)}
"""Columns that no feed maps, because the suite finds them."""

RAW_RECORD_FIELDS = ("full_name",)
"""Fields a feed may map into customer_record although the cleaned table has them in another form."""
