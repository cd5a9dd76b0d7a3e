"""The population: people with the contacts they had over time."""

from dataclasses import dataclass

import numpy as np

from cdp_lib.settings.simulated_people import Contacts, Population
from cdp_lib.settings.simulator import Simulator
from cdp_lib.simulate.draws import between, chance, Flags, Floats, Ints, pick, scatter, skewed, stream
from cdp_lib.simulate.households import build_families, Family
from cdp_lib.simulate.names import name_book, NameBook, Pool

NEVER = 1 << 40
"""A day that does not come."""
OLD, NEW, NEWEST, SPARE = range(4)
"""Versions of a mailbox or number: first, after one change, after two; and a second one in use beside it."""
VERSIONS = 4
MAIL_STYLES = (0.34, 0.22, 0.16, 0.14, 0.14)
"""first.last, firstlast + two digits, initial + last, first_last + birth year, first + four digits."""


@dataclass(frozen=True)
class Changes:
    """Days from which a second and a third version hold; NEVER if there is none."""

    first: Ints
    second: Ints

    def version(self, people: Ints, days: Ints) -> Ints:
        """OLD, NEW or NEWEST for each person on each day."""
        return np.add(days >= self.first[people], days >= self.second[people], dtype=np.int64)


@dataclass(frozen=True)
class Mailboxes:
    """Per mailbox (owner * VERSIONS + version): how its address is spelt. `suffix` makes equal ones unique."""

    style: Ints
    domain: Ints
    digits: Ints
    suffix: Ints


@dataclass(frozen=True)
class Homes:
    """Per address (home, then home + count for the place before a move)."""

    street: Ints
    number: Ints
    city: Ints
    postcode: Ints


@dataclass(frozen=True)
class People:
    """Everything that is true of everyone; index = person. `mail_owner` and `phone_owner` may be another person."""

    family: Family
    book: NameBook
    mail: Changes
    phone: Changes
    surname_day: Ints
    move_day: Ints
    mail_owner: Ints
    phone_owner: Ints
    has_spare_mail: Flags
    has_spare_phone: Flags
    mailboxes: Mailboxes
    homes: Homes
    joined: Ints
    left: Ints
    affinity: Floats
    city_names: tuple[str, ...]
    local_city_names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.joined)


def build_people(config: Simulator, people: int, days: int, seed: int) -> People:
    """A population of `people` that lives through `days` simulated days and the configured history before them."""
    population = config.population
    book = name_book(tuple(population.cultures), population.given_names, population.surnames)
    start = day_number(config)
    family = build_families(population, book, people, start, seed)
    span = (start - population.history_days, start + days)
    rng = stream(seed, "contact sharing")
    shares_mail = chance(rng, population.family_email, people) & (family.head != np.arange(people))
    shares_phone = chance(rng, population.family_phone, people) & (family.head != np.arange(people))
    joined, left = _tenure(population, people, (start, days), seed)
    return People(
        family=family,
        book=book,
        mail=_changes(population.email_changed, people, span, (seed, "mail")),
        phone=_changes(population.phone_changed, people, span, (seed, "phone")),
        surname_day=_surname_days(population, family, span, seed),
        move_day=_changes(population.homes_moved, family.homes, span, (seed, "move")).first[family.home],
        mail_owner=np.where(shares_mail, family.head, np.arange(people)),
        phone_owner=np.where(shares_phone, family.head, np.arange(people)),
        has_spare_mail=chance(rng, population.second_email, people),
        has_spare_phone=chance(rng, population.second_phone, people),
        mailboxes=_mailboxes(config.contacts, family, book, seed),
        homes=_homes(config.contacts, family.homes, seed),
        joined=joined,
        left=left,
        affinity=stream(seed, "affinity").random(people),
        city_names=tuple(config.contacts.cities),
        local_city_names=tuple(city.local_name or name for name, city in config.contacts.cities.items()),
    )


def day_number(config: Simulator) -> int:
    """The first simulated day as days since 1970-01-01."""
    return int(np.datetime64(config.start, "D").astype(np.int64))


def phone_numbers(contacts: Contacts, numbers: Ints) -> Ints:
    """National numbers, each used by one owner and version only while the prefixes have room."""
    free = contacts.phone_digits - len(contacts.phone_prefixes[0])
    room = 10**free
    spread = scatter(numbers, room * len(contacts.phone_prefixes), 4_241)
    prefixes = np.array([int(prefix) for prefix in contacts.phone_prefixes], dtype=np.int64)
    national: Ints = prefixes[spread // room] * room + spread % room
    return national


def phone_index(owner: Ints, version: Ints, people: int) -> Ints:
    """The position of an owner's number: all first numbers, then all second ones, so that few are used up."""
    return version * people + owner


def _changes(rate: float, size: int, span: tuple[int, int], purpose: tuple[int, str]) -> Changes:
    rng = stream(*purpose)
    first = between(rng, span[0] + 1, span[1] - 1, size)
    second = first + 1 + (rng.random(size) * (span[1] - first)).astype(np.int64)
    changed = chance(rng, rate, size)
    again = changed & chance(rng, rate, size)
    return Changes(np.where(changed, first, NEVER), np.where(again, second, NEVER))


def _surname_days(config: Population, family: Family, span: tuple[int, int], seed: int) -> Ints:
    """The day a surname changed: within the history for some, long before for the others."""
    rng = stream(seed, "surname day")
    size = len(family.home)
    recent = chance(rng, config.surname_changed_in_history, size)
    return np.where(recent, between(rng, span[0] + 1, span[1] - 1, size), -NEVER)


def _tenure(config: Population, people: int, window: tuple[int, int], seed: int) -> tuple[Ints, Ints]:
    rng = stream(seed, "tenure")
    start, days = window
    new = chance(rng, config.newcomers, people)
    earlier = between(rng, start - config.history_days, start - 1, people)
    joined = np.where(new, between(rng, start, start + days - 1, people), earlier)
    leaves = chance(rng, config.leavers, people)
    left = np.maximum(between(rng, start, start + days - 1, people), joined + 1)
    return joined, np.where(leaves, left, NEVER)


def _mailboxes(config: Contacts, family: Family, book: NameBook, seed: int) -> Mailboxes:
    rng = stream(seed, "mailboxes")
    people = len(family.home)
    size = people * VERSIONS
    style = pick(rng, MAIL_STYLES, size)
    domain = pick(rng, config.email_domains.values(), size)
    digits = between(rng, 0, 9999, size)
    owner = np.repeat(np.arange(people, dtype=np.int64), VERSIONS)
    given = _sound_alikes(book.given)[family.given[owner]]
    surname = _sound_alikes(book.surnames)[family.surname[owner]]
    first = np.where(style == 2, -1, given)
    last = np.where(style == 4, -1, surname)
    shown = np.select([style == 1, style == 3, style == 4], [digits % 100, born_in(family.birth_day[owner]), digits], 0)
    key = ((first + 1) * (len(book.surnames) + 1) + last + 1) * 16384 + shown
    key = (key * len(MAIL_STYLES) + style) * len(config.email_domains) + domain
    return Mailboxes(style, domain, digits, _rank_within(key))


def born_in(birth_day: Ints) -> Ints:
    """Calendar years."""
    years: Ints = birth_day.astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64) + 1970
    return years


def _sound_alikes(pool: Pool) -> Ints:
    """A code per name, equal for names that are romanised alike: their mailboxes could collide."""
    return np.unique(np.asarray(pool.roman.to_pylist()), return_inverse=True)[1].astype(np.int64)


def _rank_within(key: Ints) -> Ints:
    """0 for the first holder of each key, 1 for the second, and so on."""
    order = np.argsort(key, kind="stable")
    ordered = key[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    rank = np.arange(len(key)) - np.repeat(starts, np.diff(np.r_[starts, len(key)]))
    back = np.empty_like(rank)
    back[order] = rank
    return back.astype(np.int64)


def _homes(config: Contacts, homes: int, seed: int) -> Homes:
    rng = stream(seed, "homes")
    size = homes * 2
    cities = list(config.cities.values())
    city = pick(rng, [c.weight for c in cities], size)
    low = np.array([c.postcodes[0] for c in cities], dtype=np.int64)[city]
    high = np.array([c.postcodes[1] for c in cities], dtype=np.int64)[city]
    return Homes(
        street=skewed(rng, config.streets, size, 30.0),
        number=between(rng, 1, 899, size),
        city=city,
        postcode=low + (rng.random(size) * (high - low + 1)).astype(np.int64),
    )
