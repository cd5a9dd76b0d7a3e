"""The `matching` section of kind `identity`: which records are compared, how, and what makes two records one person.

Every number has a default, so that an empty section matches a business about which nothing is known.
"""

from typing import Literal, Self

from pydantic import Field, model_validator

from cdp_lib.errors import near_miss
from cdp_lib.settings.kind import Frozen, Name, SqlText

ComparisonKind = Literal[
    "name", "birth_date", "email", "phone", "address", "postcode", "id_number", "text", "exact"
]  # fmt: skip


class BlockingRule(Frozen):
    """Records are compared when they agree on every expression of a rule; a null in one of them agrees with nobody."""

    on: tuple[SqlText, ...] = Field(
        min_length=1, description="Spark SQL over the comparisons' fields, which are lower-case text there"
    )
    max_records: int = Field(
        default=300,
        ge=2,
        description="A larger block is left out and reported: what so many records share says little of each pair",
    )

    @property
    def name(self) -> str:
        """What `blocking_rule` holds."""
        return " & ".join(self.on)


class Comparison(Frozen):
    """One field of two records, and how its agreement is graded."""

    field: Name
    value: SqlText | None = Field(
        default=None,
        description="Spark SQL over customer_record; left out: its column of that name, else the identifier so named",
    )
    kind: ComparisonKind
    term_frequency: bool = Field(default=True, description="Agreement on a rare value says more than on a common one")
    swapped_with: Name | None = Field(default=None, description="Name field that people confuse this one with")
    coarser: tuple[Name, ...] = Field(
        default=(),
        description="For an address: wider areas around it, narrowest first, which tell nothing more once it agrees",
    )


class Veto(Frozen):
    """Two records that agree on all of `same` and clearly differ in one of `different` are two people."""

    same: tuple[Name, ...] = Field(min_length=1)
    different: tuple[Name, ...] = Field(min_length=1)
    unless: tuple[Name, ...] = Field(default=(), description="Agreement on one of these lifts the veto")


_HOUSE = "nullif(regexp_extract(address, '[0-9]+', 0), '')"
"""The house's number, which stays the same however the street is spelt."""

_BLOCKING = tuple(
    BlockingRule(on=on)
    for on in (
        ("national_id",),
        ("email",),
        ("phone",),
        ("last_name", "birth_date"),
        ("first_name", "birth_date"),
        ("sort_array(split(first_name || ' ' || last_name, ' '))",),
        ("address", "substr(first_name, 1, 1)"),
        ("soundex(last_name)", _HOUSE, "city"),
        ("soundex(first_name)", _HOUSE, "city"),
        ("postcode", _HOUSE, "substr(first_name, 1, 1)"),
        ("birth_date", "postcode"),
        ("split_part(email, '@', 1)",),
        ("last_name", "postcode", "substr(first_name, 1, 1)"),
        ("first_name", "postcode", "substr(last_name, 1, 1)"),
        ("first_name", "last_name", "city"),
        ("last_name", "city"),
        ("first_name", "city"),
        ("soundex(last_name)", "substr(birth_date, 1, 4)"),
        ("soundex(first_name)", "substr(birth_date, 1, 4)"),
        ("birth_date",),
    )
)
_COMPARISONS = (
    Comparison(field="first_name", kind="name", swapped_with="last_name"),
    Comparison(field="last_name", kind="name", swapped_with="first_name"),
    Comparison(field="birth_date", kind="birth_date"),
    Comparison(field="email", kind="email"),
    Comparison(field="phone", kind="phone"),
    Comparison(field="national_id", kind="id_number"),
    Comparison(field="address", kind="address", coarser=("postcode", "city")),
)


class Rival(Frozen):
    """Another reason why two records may agree than being one person; how frequent it is is learned."""

    name: Name
    shared: tuple[Name, ...] = Field(
        description="Fields that such people agree on more than strangers; at least three tell them from chance"
    )
    by_chance: bool = Field(
        default=False,
        description="They agree because values are frequent, so rare ones count in full; else they share rare ones too",
    )


_RIVALS = (
    Rival(name="household", shared=("last_name", "address", "phone", "email")),
    # Mailboxes are made of names, so namesakes have similar ones.
    Rival(name="namesake", shared=("first_name", "last_name", "email"), by_chance=True),
)


_USES = ("together", "absent_weight", "max_component", "review_bits", "review_pairs")


class Matching(Frozen):
    """How probable matches are found and decided."""

    blocking: tuple[BlockingRule, ...] = Field(default=_BLOCKING, min_length=1, max_length=32)
    comparisons: tuple[Comparison, ...] = _COMPARISONS
    rivals: tuple[Rival, ...] = _RIVALS
    vetoes: tuple[Veto, ...] = ()
    pairs_per_record: int = Field(
        default=1,
        ge=1,
        description="Pairs that one rule may bring together, by the number of records; the smallest blocks come first. "
        "A rule that could compare less than two thirds of its records is left out: it is too loose for so many",
    )
    least_pairs: int = Field(
        default=200_000, ge=1, description="So many pairs a rule may make in any case: a few seconds of one machine"
    )
    one_record_per_source: tuple[Name, ...] = Field(
        default=(), description="Sources that list every person once: two of their records are two people"
    )
    false_pairs: float = Field(
        default=0.02,
        gt=0,
        lt=1,
        description="Share of the linked pairs that may be expected to be wrong: the threshold follows from it, at any "
        "size, but is never below 0 bits, where a pair is as likely wrong as right",
    )
    threshold: float | None = Field(default=None, description="Bits from which a pair is linked, in place of that")
    together: float = Field(
        default=-2.0,
        description="Bits that two parts of a group of linked records have on average to be one person: below 0, since "
        "records of one person contradict each other now and then",
    )
    absent_weight: float = Field(
        default=-4.0,
        description="Bits of two records of one group that no rule brought together, though both know a field: about "
        "what a name that differs weighs. Records that know no field in common say nothing of each other",
    )
    review_bits: float = Field(default=5.0, gt=0, description="Pairs so near to the threshold are put to people")
    review_pairs: int = Field(default=500, ge=0, description="At most so many pairs, the most uncertain ones")
    max_component: int = Field(default=2_000, ge=2, description="A larger group is cut at rising thresholds first")
    max_terms: int = Field(default=10_000, ge=0, description="Most frequent values of a field with a frequency each")
    random_pairs: int = Field(
        default=200_000,
        ge=1_000,
        description="Pairs drawn at random to see how often strangers agree; a level that one in ten thousand reaches "
        "is then seen twenty times",
    )

    @property
    def model_hash(self) -> str:
        """Hash of what a model is learned under; the rest only says how its weights are used."""
        return self.model_copy(update={name: Matching.model_fields[name].default for name in _USES}).content_hash()

    @property
    def fields(self) -> tuple[str, ...]:
        """The compared fields."""
        return tuple(comparison.field for comparison in self.comparisons)

    @model_validator(mode="after")
    def _names_are_known(self) -> Self:
        faults: list[str] = []
        if len(set(self.fields)) < len(self.fields):
            faults.append("comparisons: a field is compared twice")
        named = [("swapped_with", entry.swapped_with) for entry in self.comparisons if entry.swapped_with]
        if "rivals" in self.model_fields_set:
            named += [("rivals", field) for rival in self.rivals for field in rival.shared]
        for veto in self.vetoes:
            named += [("vetoes", field) for field in (*veto.same, *veto.different, *veto.unless)]
        for where, field in named:
            if field not in self.fields:
                faults.append(f"{where}: no comparison has the field {field!r}.{near_miss(field, self.fields)}")
        if faults:
            raise ValueError("; ".join(faults))
        return self
