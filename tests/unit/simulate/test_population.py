"""People, their homes, names, mailboxes and phones."""

import numpy as np
import phonenumbers
import pytest

from cdp_lib.errors import ConfigError
from cdp_lib.settings.simulator import Simulator
from cdp_lib.simulate.known import email, Known, phone, World
from cdp_lib.simulate.names import name_book
from cdp_lib.simulate.people import build_people, day_number, People

from .conftest import library_settings

SIZE = 6_000


@pytest.fixture(scope="module")
def world() -> World:
    config = Simulator.model_validate(library_settings())
    return World(config, build_people(config, SIZE, 30, 3), 3)


@pytest.fixture(scope="module")
def people(world: World) -> People:
    return world.people


def everyone(world: World) -> Known:
    size = len(world.people)
    days = np.full(size, day_number(world.config), dtype=np.int64)
    return Known(world=world, persons=np.arange(size), days=days, noise={}, local_script=0.0, purpose=("test",))


def test_homes_are_numbered_side_by_side_and_headed_by_their_first_person(people: People) -> None:
    family = people.family
    assert len(people) == SIZE
    assert set(np.diff(family.home).tolist()) == {0, 1}
    assert (family.home[family.head] == family.home).all()
    assert (family.head <= np.arange(SIZE)).all()


def test_children_share_their_first_parent_s_surname_and_are_younger(people: People) -> None:
    family = people.family
    child = family.is_child
    assert (family.surname[child] == family.surname[family.head[child]]).all()
    assert (family.birth_day[child] >= family.birth_day[family.head[child]] + 17 * 365).all()


def test_twins_share_home_surname_and_birthday(people: People) -> None:
    family = people.family
    child = np.flatnonzero(family.is_child[1:] & family.is_child[:-1]) + 1
    same = child[(family.home[child] == family.home[child - 1])]
    twins = same[family.birth_day[same] == family.birth_day[same - 1]]
    assert 0.2 < len(twins) / len(same) < 0.4
    assert (family.surname[twins] == family.surname[twins - 1]).all()


def test_no_two_people_have_the_same_mailbox_unless_it_is_the_family_s(world: World) -> None:
    addresses = np.asarray(email(everyone(world)).to_pylist())
    own = world.people.mail_owner == np.arange(SIZE)
    assert len(np.unique(addresses[own])) == own.sum()


def test_no_two_people_have_the_same_phone_unless_it_is_the_family_s(world: World) -> None:
    numbers = np.asarray(phone(everyone(world)).to_pylist())
    own = world.people.phone_owner == np.arange(SIZE)
    assert len(np.unique(numbers[own])) == own.sum()


def test_phones_are_valid_for_their_region(world: World) -> None:
    numbers = phone(everyone(world)).to_pylist()[:500]
    assert all(phonenumbers.is_valid_number(phonenumbers.parse(number)) for number in numbers)


def test_a_changed_mailbox_holds_from_its_day_on(world: World) -> None:
    changes = world.people.mail
    someone = np.flatnonzero(changes.second < 1 << 39)[:1]
    first, second = int(changes.first[someone][0]), int(changes.second[someone][0])
    days = np.array([first - 1, first, second], dtype=np.int64)
    assert changes.version(np.repeat(someone, 3), days).tolist() == [0, 1, 2]


def test_common_names_are_common_and_rare_names_rare(people: People) -> None:
    counts = np.sort(np.unique(people.family.surname_before, return_counts=True)[1])[::-1]
    assert counts[0] > 5 * counts[len(counts) // 2]


def test_name_pools_hold_what_was_asked_without_doubles() -> None:
    book = name_book(("latin", "thai"), 700, 14_000)
    assert len(book.surnames) == 28_000
    assert len(set(book.surnames.local.to_pylist())) == 28_000
    start = book.given_start(1, 1)
    assert len(set(book.given.local.to_pylist()[start : start + 700])) == 700


def test_an_unknown_culture_is_named_with_a_near_miss() -> None:
    with pytest.raises(ConfigError, match=r"unknown 'latn'\. Did you mean 'latin'\?"):
        name_book(("latn",), 10, 10)


def test_more_names_than_can_be_made_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"100000000 latin surnames asked, \d+ can be made"):
        name_book(("latin",), 10, 100_000_000)
