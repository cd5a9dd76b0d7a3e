"""Homes and the people in them: who is related, born when, named how."""

from dataclasses import dataclass

import numpy as np

from cdp_lib.settings.simulated_people import Population
from cdp_lib.simulate.draws import between, chance, edges, Flags, Ints, pick, place, skewed, stream
from cdp_lib.simulate.names import NameBook

GIVEN_OFFSET = 12.0
"""A given name's weight is 1 / (rank + offset): with 900 names the commonest is held by about 2% of a gender."""
SURNAME_OFFSET = 25.0
YEAR = 365
ADULT_BANDS = (0.14, 0.24, 0.22, 0.18, 0.14, 0.08)
"""Shares of first adults by decade of age, from 20."""


@dataclass(frozen=True)
class Family:
    """One entry per person, homes side by side. Days are days since 1970-01-01."""

    home: Ints
    head: Ints
    is_child: Flags
    gender: Ints
    birth_day: Ints
    given: Ints
    surname: Ints
    surname_before: Ints
    homes: int


@dataclass(frozen=True)
class _Seats:
    """Each person's place in a home."""

    home: Ints
    seat: Ints
    head: Ints
    adults: Ints
    related: Flags

    @property
    def is_child(self) -> Flags:
        child: Flags = self.seat >= self.adults
        return child

    @property
    def is_partner(self) -> Flags:
        partner: Flags = self.related & (self.seat == 1) & ~self.is_child
        return partner


def build_families(config: Population, book: NameBook, people: int, start: int, seed: int) -> Family:
    """`people` persons in homes; the last home may be cut short. `start` is the first simulated day."""
    seats = _seats(config, people, seed)
    gender = _genders(seats, seed)
    birth = _births(seats, config, start, seed)
    culture = pick(stream(seed, "culture"), config.cultures.values(), int(seats.home[-1]) + 1)[seats.home]
    given = _given_names(seats, gender, culture, (config, book, seed))
    surname, before = _surnames(seats, gender, culture, (config, book, seed))
    return Family(
        home=seats.home,
        head=seats.head,
        is_child=seats.is_child,
        gender=gender,
        birth_day=birth,
        given=given,
        surname=surname,
        surname_before=before,
        homes=int(seats.home[-1]) + 1,
    )


def _seats(config: Population, people: int, seed: int) -> _Seats:
    kinds = config.households
    kind = pick(stream(seed, "household kind"), [k.share for k in kinds], people)
    size = np.array([k.adults + k.children for k in kinds], dtype=np.int64)[kind]
    ends = np.cumsum(size)
    homes = int(np.searchsorted(ends, people)) + 1
    home = np.repeat(np.arange(homes, dtype=np.int64), size[:homes])[:people]
    first = (ends - size)[:homes][home]
    return _Seats(
        home=home,
        seat=np.arange(people, dtype=np.int64) - first,
        head=first,
        adults=np.array([k.adults for k in kinds], dtype=np.int64)[kind[:homes]][home],
        related=np.array([k.related for k in kinds], dtype=np.bool_)[kind[:homes]][home],
    )


def _genders(seats: _Seats, seed: int) -> Ints:
    """0 female, 1 male; partners mostly of the other gender."""
    rng = stream(seed, "gender")
    gender = between(rng, 0, 1, len(seats.home))
    opposite = seats.is_partner & chance(rng, 0.94, len(gender))
    return np.where(opposite, 1 - gender[seats.head], gender)


def _births(seats: _Seats, config: Population, start: int, seed: int) -> Ints:
    rng = stream(seed, "birth")
    size = len(seats.home)
    decade = place(rng.random(size), edges(ADULT_BANDS))
    own = (20 + 10 * decade) * YEAR + between(rng, 0, 10 * YEAR - 1, size)
    parent = (38 + 2 * decade) * YEAR + between(rng, 0, 2 * YEAR - 1, size)
    has_children = np.zeros(size, dtype=np.bool_)
    has_children[seats.head[seats.is_child]] = True
    own = np.where(has_children, parent, own)
    near = own[seats.head] + between(rng, -6 * YEAR, 6 * YEAR, size)
    age = np.where(seats.is_partner, np.maximum(near, 19 * YEAR), own)
    child = np.minimum(between(rng, 14 * YEAR, 24 * YEAR, size), own[seats.head] - 17 * YEAR)
    birth = start - np.where(seats.is_child, child, age)
    twin = seats.is_child & (seats.seat == seats.adults + 1) & chance(rng, config.twins, size)
    return np.where(twin, np.roll(birth, 1), birth)


Naming = tuple[Population, NameBook, int]


def _given_names(seats: _Seats, gender: Ints, culture: Ints, naming: Naming) -> Ints:
    config, book, seed = naming
    rng = stream(seed, "given")
    size = len(gender)
    own = skewed(rng, book.given_size, size, GIVEN_OFFSET)
    namesake = seats.is_child & (seats.seat == seats.adults) & (gender == gender[seats.head])
    namesake &= chance(rng, config.namesakes, size)
    rank = np.where(namesake, own[seats.head], own)
    return (culture * 2 + gender) * book.given_size + rank


def _surnames(seats: _Seats, gender: Ints, culture: Ints, naming: Naming) -> tuple[Ints, Ints]:
    """(surname now, surname at birth), equal for most."""
    config, book, seed = naming
    rng = stream(seed, "surname")
    size = len(gender)
    born = culture * book.surname_size + skewed(rng, book.surname_size, size, SURNAME_OFFSET)
    shares = seats.is_partner & chance(rng, config.partners_share_surname, size)
    inherits = seats.is_child & seats.related
    now = np.where(shares | inherits, born[seats.head], born)
    return now, np.where(inherits, now, born)
