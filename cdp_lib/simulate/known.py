"""What one system knows of some people at some time: outdated, misheard, missing, sometimes invented."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cdp_lib.settings.simulated_people import FieldNoise, PersonField
from cdp_lib.settings.simulator import Simulator
from cdp_lib.simulate import corruption
from cdp_lib.simulate.draws import chance, Flags, Ints, pick, stream
from cdp_lib.simulate.names import Pool
from cdp_lib.simulate.people import born_in, Changes, People, phone_index, phone_numbers, SPARE, VERSIONS
from cdp_lib.simulate.text import choose, column, decimal, fill, join, moments, Text, where

_PLACES = re.compile(r"(\{number\}|\{street\})")
QUIET = FieldNoise()
OTHER_ROMANISATION = 0.15
"""Share of records in which a name is romanised the other way than its bearer does."""
SPARE_USED = 0.5
"""Share of records in which someone with a second mailbox or number gives that one."""


@dataclass(frozen=True)
class World:
    """One run: its settings, its people, its seed."""

    config: Simulator
    people: People
    seed: int


@dataclass(frozen=True)
class Known:
    """Some people (by index) as one system has them on some days. `purpose` names the draws of this batch."""

    world: World
    persons: Ints
    days: Ints
    noise: Mapping[PersonField, FieldNoise]
    local_script: float
    purpose: tuple[str | int, ...]

    def rng(self, *what: str) -> np.random.Generator:
        """The draws for one aspect of this batch, the same whichever other aspects are asked for."""
        return stream(self.world.seed, *self.purpose, *what)

    @cached_property
    def in_local_script(self) -> Flags:
        return chance(self.rng("script"), self.local_script, len(self.persons))

    @cached_property
    def names_swapped(self) -> Flags:
        return chance(self.rng("swapped"), self.world.config.names_swapped, len(self.persons))

    @cached_property
    def given_text(self) -> Text:
        return _first(self)

    @cached_property
    def surname_text(self) -> Text:
        return _last(self)

    def noise_of(self, field: PersonField) -> FieldNoise:
        """The rates for one field, none if the pack says nothing."""
        return self.noise.get(field, QUIET)

    def finish(self, field: PersonField, values: Text) -> Text:
        """Errors of hand and eye, then placeholders, then gaps."""
        noise, rng = self.noise_of(field), self.rng(field, "finish")
        values = corruption.spoil(values, noise, rng)
        return self.patch(field, values)

    def patch(self, field: PersonField, values: Text) -> Text:
        """Placeholders and gaps only."""
        noise, rng = self.noise_of(field), self.rng(field, "patch")
        values = corruption.stand_in(values, noise.placeholder, self.world.config.placeholders.get(field, {}), rng)
        return corruption.drop_some(values, noise.missing, rng)


def first_name(known: Known) -> Text:
    """Given names; some short, some only an initial, a few in the surname's place."""
    return where(known.names_swapped, known.surname_text, known.given_text)


def last_name(known: Known) -> Text:
    """Surnames as of the day: the one at birth until it changed."""
    return where(known.names_swapped, known.given_text, known.surname_text)


def full_name(known: Known) -> Text:
    """First and last name in one field; the one that is there if the other is missing."""
    first, last = first_name(known), last_name(known)
    return column(pc.coalesce(join(first, last, separator=" "), first, last))


def nickname(known: Known) -> Text:
    """The everyday form of the given name."""
    given = known.world.people.family.given[known.persons]
    return known.finish("nickname", known.world.people.book.given.short.take(pa.array(given)))


def _first(known: Known) -> Text:
    book, family = known.world.people.book, known.world.people.family
    noise, rng = known.noise_of("first_name"), known.rng("first_name")
    size = len(known.persons)
    given = family.given[known.persons]
    names = _spelling(known, book.given, given)
    names = where(chance(rng, noise.nickname, size), book.given.short.take(pa.array(given)), names)
    initials = join(column(pc.utf8_slice_codeunits(names, 0, 1)), ".")
    return known.finish("first_name", where(chance(rng, noise.initial, size), initials, names))


def _last(known: Known) -> Text:
    people = known.world.people
    changed = known.days >= people.surname_day[known.persons]
    family = people.family
    surname = np.where(changed, family.surname[known.persons], family.surname_before[known.persons])
    return known.finish("last_name", _spelling(known, people.book.surnames, surname))


def _spelling(known: Known, pool: Pool, index: Ints) -> Text:
    """Local script or one of two romanisations, of which each person has a usual one."""
    unusual = chance(known.rng("romanisation"), OTHER_ROMANISATION, len(index))
    roman = 1 + ((known.persons % 2 == 1) ^ unusual)
    taken = pa.array(index)
    spellings = [names.take(taken) for names in (pool.local, pool.roman, pool.roman_other)]
    return choose(np.where(known.in_local_script, 0, roman), spellings)


def email(known: Known) -> Text:
    """The mailbox in use on the day, or a second one, or a relative's."""
    people = known.world.people
    owner = people.mail_owner[known.persons]
    version = _version(known, people.mail, owner, ("email", people.has_spare_mail))
    box = owner * VERSIONS + version
    boxes, family = people.mailboxes, people.family
    style, digits = boxes.style[box], boxes.digits[box]
    given = column(pc.utf8_lower(people.book.given.roman.take(pa.array(family.given[owner]))))
    surname = column(pc.utf8_lower(people.book.surnames.roman.take(pa.array(family.surname[owner]))))
    locals_ = [
        join(given, ".", surname),
        join(given, surname, fill("##", digits)),
        join(column(pc.utf8_slice_codeunits(given, 0, 1)), surname),
        join(given, "_", surname, fill("####", born_in(family.birth_day[owner]))),
        join(given, fill("####", digits)),
    ]
    suffix = boxes.suffix[box]
    local = choose(style, locals_)
    local = where(suffix > 0, join(local, decimal(suffix, 0)), local)
    domains = pa.array(list(known.world.config.contacts.email_domains), pa.string())
    return known.finish("email", join(local, "@", domains.take(pa.array(boxes.domain[box]))))


def phone(known: Known, formats: Mapping[str, float] | None = None) -> Text:
    """The number in use on the day, or a second one, or a relative's; E.164 unless formats (with `#`) are given."""
    people, contacts = known.world.people, known.world.config.contacts
    owner = people.phone_owner[known.persons]
    version = _version(known, people.phone, owner, ("phone", people.has_spare_phone))
    numbers = phone_numbers(contacts, phone_index(owner, version, len(people)))
    noise, rng = known.noise_of("phone"), known.rng("phone")
    numbers = corruption.misdialled(numbers, contacts.phone_digits, noise.typo, rng)
    forms = formats or {f"+{contacts.country_code}" + "#" * contacts.phone_digits: 1.0}
    shown = choose(pick(rng, forms.values(), len(numbers)), [fill(form, numbers) for form in forms])
    return known.patch("phone", shown)


def _version(known: Known, changes: Changes, owner: Ints, spare: tuple[str, Flags]) -> Ints:
    field, has_spare = spare
    uses_spare = has_spare[owner] & chance(known.rng(field, "spare"), SPARE_USED, len(owner))
    return np.where(uses_spare, SPARE, changes.version(owner, known.days))


def birth_date(known: Known, formats: Mapping[str, float] | None = None) -> Text:
    """Dates of birth, ISO unless formats are given; a placeholder is written in the same format as the others."""
    noise, rng = known.noise_of("birth_date"), known.rng("birth_date")
    size = len(known.persons)
    days = corruption.misdated(known.world.people.family.birth_day[known.persons], noise, rng)
    pool = known.world.config.placeholders.get("birth_date", {})
    if noise.placeholder and pool:
        stand_ins = np.array(list(pool), dtype="datetime64[D]").astype(np.int64)
        days = np.where(chance(rng, noise.placeholder, size), stand_ins[pick(rng, pool.values(), size)], days)
    forms = formats or {"%Y-%m-%d": 1.0}
    midnight = np.zeros(size, dtype=np.int64)
    shown = choose(pick(rng, forms.values(), size), [moments(form, days, midnight) for form in forms])
    return corruption.drop_some(shown, noise.missing, rng)


def age(known: Known) -> Text:
    """Whole years on the day."""
    lived = known.days - known.world.people.family.birth_day[known.persons]
    return known.patch("age", decimal(lived * 10_000 // 3_652_425, 0))


def gender(known: Known) -> Text:
    """`f` or `m`; a few ticked wrongly."""
    noise, rng = known.noise_of("gender"), known.rng("gender")
    codes = known.world.people.family.gender[known.persons]
    codes = np.where(chance(rng, noise.swapped, len(codes)), 1 - codes, codes)
    return known.patch("gender", pa.array(["f", "m"], pa.string()).take(pa.array(codes)))


def _address_index(known: Known) -> Ints:
    people = known.world.people
    homes = people.family.home[known.persons]
    before_move = known.days < people.move_day[known.persons]
    moved = people.move_day[known.persons] < (1 << 39)
    return np.where(before_move & moved, homes + people.family.homes, homes)


def address(known: Known) -> Text:
    """House number and street in one of the pack's forms."""
    people, contacts = known.world.people, known.world.config.contacts
    where_to = _address_index(known)
    numbers = decimal(people.homes.number[where_to], 0)
    streets = people.book.surnames.roman.take(pa.array(people.homes.street[where_to] % len(people.book.surnames)))
    values = {"{number}": numbers, "{street}": streets}
    shown = [join(*(values.get(part, part) for part in _PLACES.split(form) if part)) for form in contacts.address_forms]
    form_of = pick(known.rng("address"), contacts.address_forms.values(), len(where_to))
    return known.finish("address", choose(form_of, shown))


def city(known: Known) -> Text:
    """The city, in the script of the record."""
    people = known.world.people
    index = pa.array(people.homes.city[_address_index(known)])
    names = pa.array(people.city_names, pa.string()).take(index)
    local = pa.array(people.local_city_names, pa.string()).take(index)
    return known.finish("city", where(known.in_local_script, local, names))


def postcode(known: Known) -> Text:
    """The home's postcode on the day."""
    digits = "#" * known.world.config.contacts.postcode_digits
    return known.finish("postcode", fill(digits, known.world.people.homes.postcode[_address_index(known)]))


def handle(known: Known) -> Text:
    """A public nickname that no one else has."""
    people = known.world.people
    given = column(pc.utf8_lower(people.book.given.roman.take(pa.array(people.family.given[known.persons]))))
    return known.patch("handle", join(given, "_", decimal(known.persons * 7 + 11, 0)))


def household_id(known: Known) -> Text:
    """A number per home, from 1."""
    return decimal(known.world.people.family.home[known.persons] + 1, 0)


FIELDS = {
    "first_name": first_name,
    "last_name": last_name,
    "full_name": full_name,
    "nickname": nickname,
    "email": email,
    "age": age,
    "gender": gender,
    "address": address,
    "city": city,
    "postcode": postcode,
    "handle": handle,
    "household_id": household_id,
}
"""Fields without formats; `phone` and `birth_date` take theirs."""
