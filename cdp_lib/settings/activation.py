"""Kinds of activation: what is offered and said, to which audience, through which destination, judged by what."""

import re
from datetime import datetime, time
from typing import Annotated, Any, get_args, Literal

from pydantic import Field, field_validator, model_validator, ValidationInfo, WithJsonSchema

from cdp_lib.settings.audience import days_in, one_day_at_least
from cdp_lib.settings.kind import Frozen, Name, SqlText
from cdp_lib.settings.template import template_fields

HOLDOUT = "holdout"
"""The arm of those who get nothing, so that there is somebody to compare with."""

EVERYBODY = "all"
"""The arm of those who are written to where no versions compete; in results, all arms together."""

ContactChannel = Literal["email", "sms", "push", "line"]
CONTACT_CHANNELS: tuple[str, ...] = get_args(ContactChannel)
"""Channels that reach for a person: what quiet hours, contact caps and the global holdout are about."""

_TIME = re.compile(r"^([01][0-9]|2[0-3]):[0-5][0-9]$")

_Moment = Annotated[datetime, WithJsonSchema({"type": "string"})]
"""A plain day is one too, which JSON Schema's own format of times does not know."""


class OfferCode(Frozen):
    """One code for each customer, or one for all."""

    type: Literal["unique", "shared"] = "unique"
    prefix: str = Field(default="", pattern=r"^[A-Z0-9-]{0,12}$", description="Begins every unique code")
    shared: str | None = Field(default=None, pattern=r"^[A-Z0-9-]{3,32}$", description="The one code for all")

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> "OfferCode":
        if (self.type == "shared") != (self.shared is not None):
            raise ValueError("a shared code is written as `shared: CODE`, and only a shared one")
        return self


class Offer(Frozen):
    """Something that a customer may redeem, within its time."""

    kind: Literal["offer"]
    id: Name
    title: str = Field(min_length=1, description="What the customer reads")
    description: str = ""
    code: OfferCode = OfferCode()
    starts_at: _Moment | None = Field(default=None, description="Local time of the pack, or a day; not sent before it")
    ends_at: _Moment | None = Field(
        default=None, description="Local time of the pack, or the last day; not sent after it"
    )
    valid_hours: int | None = Field(
        default=None, ge=1, description="How long a customer's code lives; none: to the end"
    )

    @field_validator("starts_at", "ends_at", mode="before")
    @classmethod
    def _is_moment(cls, value: object, field: ValidationInfo) -> object:
        """A day begins where the offer starts and is over where it ends."""
        if value is None or isinstance(value, datetime):
            return value
        try:
            if not isinstance(value, str) or value.isdigit():
                raise ValueError
            moment = datetime.fromisoformat(value)
        except ValueError:
            said = f"{value!r} is not a time such as 2025-01-31T18:00, or a day such as 2025-01-31"
            raise ValueError(said) from None
        is_last_day = field.field_name == "ends_at" and len(value) == len("2025-01-31")
        return datetime.combine(moment, time.max) if is_last_day else moment

    @model_validator(mode="after")
    def _ends_after_start(self) -> "Offer":
        if self.starts_at and self.ends_at and (self.starts_at.tzinfo is None) != (self.ends_at.tzinfo is None):
            raise ValueError("one of starts_at and ends_at names a zone: write both with one, or both without")
        if self.starts_at and self.ends_at and self.ends_at <= self.starts_at:
            raise ValueError(f"ends_at {self.ends_at} is not after starts_at {self.starts_at}")
        return self


class Message(Frozen):
    """Texts in one or more languages; each part is a Jinja template.

    Templates know `customer` (the single view with scores), `offer` (title, code, ends_at), `products` (recommended:
    name, product_id, category, reason), `activation` (id, arm), `business` (title, currency) and `unsubscribe_url`.
    """

    kind: Literal["message"]
    id: Name
    default_language: str = Field(default="en", pattern=r"^[a-z]{2}$")
    language: Name | None = Field(default=None, description="Column of the single view with the customer's language")
    texts: dict[str, dict[Name, str]] = Field(
        min_length=1, description="Language: part (subject, text, html, title, ...): template"
    )

    @model_validator(mode="after")
    def _templates_can_be_read(self) -> "Message":
        if self.default_language not in self.texts:
            raise ValueError(f"texts lacks the default language '{self.default_language}'")
        parts = set(self.texts[self.default_language])
        for language, texts in self.texts.items():
            if set(texts) != parts:
                raise ValueError(f"texts.{language} has parts {sorted(texts)}, the default language {sorted(parts)}")
            for part, text in texts.items():
                try:
                    template_fields(text)
                except ValueError as problem:
                    raise ValueError(f"texts.{language}.{part}: {problem}") from None
        return self

    @property
    def fields(self) -> frozenset[tuple[str, str]]:
        """(root, field) of everything that the templates read."""
        return frozenset(
            found for texts in self.texts.values() for text in texts.values() for found in template_fields(text)
        )


class Destination(Frozen):
    """An account at a channel: which connector, and how it is reached. Secrets stand as ${SECRET:NAME} only."""

    kind: Literal["destination"]
    id: Name
    connector: Name = Field(description="One of `cdp connectors list`")
    settings: dict[str, Any] = Field(default_factory=dict, description="What the connector asks for")
    per_second: float | None = Field(
        default=None,
        gt=0,
        description="Requests a second that the account allows, more or fewer than usual; left out: as "
        "docs/connectors.md says",
    )


class Arm(Frozen):
    """One version of a campaign; shares are parts of those who are not held out."""

    id: Name
    share: float = Field(gt=0, le=1)
    message: Name | None = Field(default=None, description="In place of the activation's")
    offer: Name | None = Field(default=None, description="In place of the activation's")


class Kpi(Frozen):
    """What the campaign is judged by: facts of a customer in the days after the message was due."""

    id: Name
    from_: Name = Field(alias="from", description="Entity, e.g. order; of referral only those that are credited count")
    select: SqlText = Field(default="count(*)", description="count(*), count_distinct(x) or sum(x), as in a trait")
    where: SqlText | None = None
    window: str = Field(default="14d", description="Days from the moment the customer was assigned")

    _is_a_day = field_validator("window")(one_day_at_least)


class Activation(Frozen):
    """An audience, a destination and what is said there."""

    kind: Literal["activation"]
    id: Name
    description: str = ""
    use_case: str = Field(default="", description="Row of the requirements that it serves, e.g. C2")
    audience: Name | None = Field(
        default=None, description="Left out: only journeys send it; to a list for as long as they last"
    )
    destination: Name
    message: Name | None = None
    offer: Name | None = None
    purpose: Name | None = Field(default=None, description="What customers must have agreed to; else the audience's")
    needs_consent: bool = Field(default=True, description="false: a service that the customer asked for")
    address: SqlText | None = Field(default=None, description="Over the single view; else the channel's own column")
    fields: dict[str, SqlText] = Field(default_factory=dict, description="More for the destination: SQL over the view")
    on_birthday: bool = Field(
        default=False, description="A message goes out on the customer's birthday alone, in the pack's zone"
    )
    repeat_after: str | None = Field(
        default=None,
        description="Again to a member after 30d, and to nobody sooner, who enters anew included; none: once per entry",
    )
    send_within: str = Field(
        default="3d",
        description="A journey's message is sent on its day or the next ones, so many days in all; later it is not",
    )
    priority: int = Field(default=100, description="Least first where contacts are capped")
    holdout_share: float = Field(default=0.1, ge=0, lt=1, description="Who gets nothing, to measure against")
    arms: tuple[Arm, ...] = ()
    products: int = Field(default=0, ge=0, le=10, description="Recommended products that the message may name")
    kpis: tuple[Kpi, ...] = Field(default=(), description="The first is the one that counts")

    @field_validator("repeat_after")
    @classmethod
    def _is_days(cls, value: str | None) -> str | None:
        if value is not None:
            days_in(value)
        return value

    _is_a_day = field_validator("send_within")(one_day_at_least)

    @model_validator(mode="after")
    def _arms_are_whole(self) -> "Activation":
        ids = [arm.id for arm in self.arms]
        if {HOLDOUT, EVERYBODY} & set(ids) or len(set(ids)) < len(ids):
            raise ValueError(f"arms need names of their own, none of them '{HOLDOUT}' or '{EVERYBODY}'")
        if self.arms and abs(sum(arm.share for arm in self.arms) - 1) > 1e-6:
            raise ValueError(f"the arms' shares sum to {sum(arm.share for arm in self.arms):g}, not to 1")
        return self

    @property
    def offers(self) -> frozenset[str]:
        """Every offer that it may make."""
        return frozenset(name for name in (self.offer, *(arm.offer for arm in self.arms)) if name)

    @property
    def messages(self) -> frozenset[str]:
        """Every message that it may send."""
        return frozenset(name for name in (self.message, *(arm.message for arm in self.arms)) if name)


class QuietHours(Frozen):
    """No message between these local times of the customer; they may span midnight."""

    start: str = Field(description="HH:MM")
    end: str = Field(description="HH:MM")

    @field_validator("start", "end")
    @classmethod
    def _is_time(cls, value: str) -> str:
        if not _TIME.match(value):
            raise ValueError(f"{value!r} is not a time such as 21:00; quote it in YAML")
        return value


class ContactCap(Frozen):
    """No more messages than this in any such window."""

    channel: Literal[ContactChannel, "any"] = Field(default="any", description="any: all of them together")
    count: int = Field(ge=1)
    window: str = Field(description="E.g. 7d")

    @field_validator("window")
    @classmethod
    def _is_days(cls, value: str) -> str:
        if days_in(value) < 1:
            raise ValueError("window is one day at least")
        return value


class ContactPolicy(Frozen):
    """What holds for every message of the business."""

    kind: Literal["contact_policy"]
    quiet_hours: QuietHours | None = None
    time_zone: Name | None = Field(default=None, description="Column of the single view; else the pack's zone")
    caps: tuple[ContactCap, ...] = ()
    holdout_share: float = Field(default=0.0, ge=0, lt=1, description="Who gets no message of any campaign")
    unsubscribe_url: str | None = Field(
        default=None, pattern=r"^https://.*\{token\}", description="https, with {token} where the customer's token goes"
    )
