"""Name pools made from syllables, so no name here is a particular person's.

Each name has a local spelling, two romanisations and a short form. Latin cultures spell all three alike.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np
import pyarrow as pa

from cdp_lib.errors import ConfigError, near_miss
from cdp_lib.simulate.draws import stream
from cdp_lib.simulate.text import Text

POOL_SEED = 20
"""Pools are the same for every run: only who gets which name depends on the run's seed."""


def _words(*rows: str) -> tuple[str, ...]:
    """The space-separated words of all rows."""
    return tuple(word for row in rows for word in row.split())


_LATIN_STARTS = _words("b br c ch d dr f fl g gr h j k l m n p r s sh st t th tr v w")
_LATIN_VOWELS = _words("a e i o u ai ea ee ie")
_LATIN_MIDDLES = _words("b d l ll m n nn r rr s t v nd rl st lm")
_LATIN_ENDS = {"f": _words("a ie elle ina eth yn ora ita"), "m": _words("an er on us ic ard el o")}
_LATIN_SURNAMES = _words("son ton ley ford man well wood ing field er sen owski ez ini ard mark by stone")
_THAI_HEADS = _words(
    "สม:som:som วิ:wi:vi ปิ:pi:phi ณัฐ:nat:nut ธน:thana:tana กิต:kit:git ศิ:si:sri สุ:su:soo",
    "อร:on:orn จิ:ji:chi มา:ma:mar ชล:chon:chol นิ:ni:nee รัต:rat:ratt พิ:phi:pi ภู:phu:poo",
    "อนุ:anu:anoo วร:wora:vora ปรี:pri:pree ธี:thi:tee เก:ke:kay ชุ:chu:choo นัน:nan:nun",
    "พง:phong:pong ทิพ:thip:tip จัน:chan:jan บุญ:bun:boon เพ็ญ:phen:pen ประ:pra:bra",
    "ศุภ:supha:supa กัน:kan:gun วัน:wan:van ไพ:phai:pai อำ:am:um ลัก:lak:luck มน:mon:mont",
    "ดา:da:dah ยุ:yu:yoo เอก:ek:aek สาย:sai:sye",
)
_THAI_FEMALE = _words(
    "พร:phon:porn รัตน์:rat:ratana นันท์:nan:nant ดา:da:dah ภา:pha:pa วรรณ:wan:wanna",
    "ลักษณ์:lak:luk มาศ:mat:mas ณี:ni:nee ทิพย์:thip:tip รี:ri:ree สุดา:suda:sooda กานต์:kan:karn",
    "นุช:nut:nuch ยา:ya:yah",
)
_THAI_MALE = _words(
    "ชัย:chai:chay ศักดิ์:sak:sakdi วุฒิ:wut:woot พงษ์:phong:pong เดช:det:dej กร:kon:korn",
    "พล:phon:pol ชาติ:chat:chart นาท:nat:nart ยศ:yot:yos ภพ:phop:pob สิทธิ์:sit:sith",
    "ธร:thon:thorn วัฒน์:wat:vat รงค์:rong:rongk",
)
_THAI_MIDDLES = _words(
    "รุ่ง:rung:roong ทอง:thong:tong ศรี:si:sri แก้ว:kaeo:kaew สุข:suk:sook ใจ:chai:jai",
    "มณี:mani:manee เจริญ:charoen:jaroen",
)
_THAI_TAILS = _words(
    "วงศ์:wong:vong กุล:kun:kul สกุล:sakun:sakul พันธ์:phan:pan ดี:di:dee มงคล:mongkhon:mongkol",
    "สิน:sin:sinn เรือง:rueang:ruang รักษ์:rak:raksa นนท์:non:nont ประเสริฐ:prasoet:prasert",
    "ไทย:thai:tai งาม:ngam:ngarm ลาภ:lap:larb",
)
_THAI_SHORT = _words(
    "นก:nok:nok หนู:nu:noo แดง:daeng:dang ต้น:ton:tonn ฝน:fon:fonn เล็ก:lek:leck โอ:o:oh",
    "บี:bi:bee",
)


@dataclass(frozen=True)
class Pool:
    """Spellings by index. `short` is the name's everyday form."""

    local: Text
    roman: Text
    roman_other: Text
    short: Text

    def __len__(self) -> int:
        return len(self.local)


@dataclass(frozen=True)
class NameBook:
    """All names of a run. Given names of culture c and gender g (0 f, 1 m) start at given_start[c][g]."""

    given: Pool
    surnames: Pool
    given_size: int
    surname_size: int

    def given_start(self, culture: int, gender: int) -> int:
        """First index of one culture's and gender's given names."""
        return (culture * 2 + gender) * self.given_size

    def surname_start(self, culture: int) -> int:
        """First index of one culture's surnames."""
        return culture * self.surname_size


Spelling = tuple[str, str, str, str]


@lru_cache(maxsize=4)
def name_book(cultures: tuple[str, ...], given: int, surnames: int) -> NameBook:
    """Pools for the given cultures, in their order; each has exactly the asked sizes."""
    unknown = [culture for culture in cultures if culture not in CULTURES]
    if unknown:
        raise ConfigError(f"population.cultures: unknown '{unknown[0]}'.{near_miss(unknown[0], CULTURES)}")
    people: list[Spelling] = []
    families: list[Spelling] = []
    for culture in cultures:
        for gender in ("f", "m"):
            people += _sample(CULTURES[culture][gender](), given, f"{culture} given names")
        families += _sample(CULTURES[culture]["surname"](), surnames, f"{culture} surnames")
    return NameBook(_pool(people), _pool(families), given, surnames)


def _pool(names: list[Spelling]) -> Pool:
    return Pool(*(pa.array(list(spelling), pa.string()) for spelling in zip(*names, strict=True)))


def _sample(names: list[Spelling], size: int, what: str) -> list[Spelling]:
    unique = list({name[0]: name for name in names}.values())
    if len(unique) < size:
        raise ConfigError(f"population: {size} {what} asked, {len(unique)} can be made. Ask for fewer.")
    order = stream(POOL_SEED, what).permutation(len(unique))[:size]
    return [unique[i] for i in np.sort(order)] if size == len(unique) else [unique[i] for i in order]


def _latin_given(gender: str) -> list[Spelling]:
    parts = product(_LATIN_STARTS, _LATIN_VOWELS, _LATIN_MIDDLES, _LATIN_ENDS[gender])
    return [_latin(a + b + c + d, short=(a + b + c[0]) + ("y" if gender == "m" else "ie")) for a, b, c, d in parts]


def _latin_surnames() -> list[Spelling]:
    parts = product(_LATIN_STARTS, _LATIN_VOWELS, _LATIN_MIDDLES, "aeo", _LATIN_SURNAMES)
    long = [_latin(a + b + c + d + e) for a, b, c, d, e in parts]
    return long + [
        _latin(a + b + c + e) for a, b, c, e in product(_LATIN_STARTS, _LATIN_VOWELS, "dlnrst", _LATIN_SURNAMES)
    ]


def _latin(name: str, short: str | None = None) -> Spelling:
    name = name.capitalize()
    return name, name, name, (short or name).capitalize()


def _thai_given(gender: str) -> list[Spelling]:
    tails = _THAI_FEMALE if gender == "f" else _THAI_MALE
    two = [_thai(head, tail) for head, tail in product(_THAI_HEADS, tails)]
    return two + [_thai(a, b, c) for a, b, c in product(_THAI_HEADS, _THAI_HEADS[:20], tails) if a != b]


def _thai_surnames() -> list[Spelling]:
    return [
        _thai(*parts) for parts in product(_THAI_HEADS, _THAI_HEADS, _THAI_MIDDLES, _THAI_TAILS) if parts[0] != parts[1]
    ]


def _thai(*parts: str) -> Spelling:
    split = [part.split(":") for part in parts]
    local, roman, other = ("".join(piece[i] for piece in split) for i in range(3))
    nick = _THAI_SHORT[(len(local) * 7 + len(roman) * 3 + ord(local[-1])) % len(_THAI_SHORT)].split(":")
    return local, roman.capitalize(), other.capitalize(), nick[0] if len(roman) % 2 else nick[1].capitalize()


CULTURES = {
    "latin": {"f": lambda: _latin_given("f"), "m": lambda: _latin_given("m"), "surname": _latin_surnames},
    "thai": {"f": lambda: _thai_given("f"), "m": lambda: _thai_given("m"), "surname": _thai_surnames},
}
