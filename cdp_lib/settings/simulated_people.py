"""Who the `simulator` kind's people are: homes, lives, contacts, and what goes wrong with what is known of them."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from cdp_lib.settings.kind import Frozen

Rate = Annotated[float, Field(ge=0, le=1)]
Weight = Annotated[float, Field(ge=0)]
Weights = Annotated[dict[str, Weight], Field(min_length=1)]

PersonField = Literal[
    "first_name", "last_name", "full_name", "nickname", "email", "phone", "birth_date", "age", "gender",
    "address", "city", "postcode", "handle", "household_id",
]  # fmt: skip


class HouseholdKind(Frozen):
    """One way of living together; `related` households share a surname and raise children of the first adult."""

    share: Weight
    adults: int = Field(ge=1, le=8)
    children: int = Field(default=0, ge=0, le=6)
    related: bool = True


class Population(Frozen):
    """Who lives with whom, and what changes in their lives. Shares are of the people (or homes) they can apply to."""

    households: tuple[HouseholdKind, ...] = Field(min_length=1)
    cultures: Weights
    given_names: int = Field(default=900, ge=10)
    surnames: int = Field(default=20_000, ge=10)
    history_days: int = Field(default=1460, ge=1)
    newcomers: Rate = 0.1
    leavers: Rate = 0.15
    partners_share_surname: Rate = 0.7
    surname_changed_in_history: Rate = 0.15
    twins: Rate = 0.03
    namesakes: Rate = 0.05
    homes_moved: Rate = 0.2
    email_changed: Rate = 0.2
    phone_changed: Rate = 0.2
    second_email: Rate = 0.1
    second_phone: Rate = 0.03
    family_email: Rate = 0.05
    family_phone: Rate = 0.1


class City(Frozen):
    """A city, how often it is drawn, and the postcodes its homes get (first and last, both included)."""

    weight: Weight
    postcodes: tuple[int, int]
    local_name: str | None = None


class Contacts(Frozen):
    """What addresses, phones and mailboxes look like."""

    phone_prefixes: tuple[Annotated[str, Field(pattern=r"^[1-9]\d*$")], ...] = Field(min_length=1)
    phone_digits: int = Field(ge=7, le=12)
    country_code: Annotated[str, Field(pattern=r"^\d{1,3}$")]
    email_domains: Weights
    cities: dict[str, City] = Field(min_length=1)
    streets: int = Field(default=400, ge=1)
    address_forms: Weights = Field(default={"{number} {street} Road": 1.0})
    postcode_digits: int = Field(default=5, ge=3, le=7)

    @model_validator(mode="after")
    def _fiction_only(self) -> Self:
        bad = sorted(d for d in self.email_domains if not (d.endswith(".test") or ".example." in f".{d}"))
        if bad:
            raise ValueError(f"email_domains: {bad} could be real. Use names under example.com, .net, .org or .test.")
        if len({len(prefix) for prefix in self.phone_prefixes}) > 1:
            raise ValueError("phone_prefixes: all must have the same number of digits")
        return self


class FieldNoise(Frozen):
    """What goes wrong with one field, each as a share of the records that hold it."""

    missing: Rate = 0
    placeholder: Rate = 0
    typo: Rate = 0
    scan: Rate = 0
    sound: Rate = 0
    nickname: Rate = 0
    initial: Rate = 0
    swapped: Rate = 0
    shifted: Rate = 0


Noise = dict[PersonField, FieldNoise]
