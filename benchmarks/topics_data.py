"""Reviews with labels that no pack's examples know: the practice files' sentences, and real ones from a folder."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

GROUPS: Mapping[str, str] = {
    "drinks": "food",
    "food": "food",
    "staff": "service",
    "waiting": "service",
    "order": "service",
    "price": "price",
    "place": "place",
    "access": "place",
}
"""Topic of the coffee shop: what restaurants' reviews are labelled with."""

_MAMS: Mapping[str, str] = {
    "food": "food",
    "menu": "food",
    "staff": "service",
    "service": "service",
    "price": "price",
    "ambience": "place",
    "place": "place",
}
_TONES: Mapping[str, str] = {"positive": "praise", "negative": "complaint"}


@dataclass(frozen=True)
class Labelled:
    """A text, what it is about with the tone of each (empty: neither praise nor complaint), and its stars."""

    text: str
    topics: Mapping[str, str]
    rating: int | None = None


SIMULATED: tuple[Labelled, ...] = (
    Labelled("Best latte in town", {"drinks": "praise"}, 5),
    Labelled("กาแฟหอมมาก พนักงานน่ารัก", {"drinks": "praise", "staff": "praise"}, 5),
    Labelled("Fast, friendly, will come again", {"waiting": "praise", "staff": "praise"}, 5),
    Labelled("ชอบร้านนี้มากค่ะ", {"other": "praise"}, 5),
    Labelled("Lovely place to work, wifi is quick", {"place": "praise"}, 5),
    Labelled("Good coffee but a bit pricey", {"drinks": "praise", "price": "complaint"}, 4),
    Labelled("อร่อยดีแต่รอนานนิดหน่อย", {"drinks": "praise", "waiting": "complaint"}, 4),
    Labelled("Nice cakes, few seats", {"food": "praise", "place": "complaint"}, 4),
    Labelled("บรรยากาศดี", {"place": "praise"}, 4),
    Labelled("It was okay", {"other": ""}, 3),
    Labelled("เฉยๆ ราคาสูงไปหน่อย", {"price": "complaint"}, 3),
    Labelled("Coffee fine, music too loud", {"drinks": "praise", "place": "complaint"}, 3),
    Labelled("ที่จอดรถน้อย", {"access": "complaint"}, 3),
    Labelled("Waited 20 minutes for an iced tea", {"waiting": "complaint"}, 2),
    Labelled("ห้องน้ำไม่ค่อยสะอาด", {"cleanliness": "complaint"}, 2),
    Labelled("Order was wrong, staff fixed it slowly", {"order": "complaint", "staff": "complaint"}, 2),
    Labelled("Cold coffee and rude staff, never again", {"drinks": "complaint", "staff": "complaint"}, 1),
    Labelled("รอนานมาก ออเดอร์ผิด", {"waiting": "complaint", "order": "complaint"}, 1),
    Labelled("The app took my money and no order came", {"app": "complaint"}, 1),
)
"""The coffee shop's practice reviews (conf/packs/coffee_shop/simulator.yml), labelled by hand."""


def restaurants(folder: Path) -> Iterator[Labelled]:
    """English sentences of restaurants' reviews, each about two things or more; MAMS-ACSA's test file."""
    for sentence in ElementTree.parse(folder / "mams_acsa_test.xml").getroot():
        labels: dict[str, set[str]] = {}
        for category in sentence.iter("aspectCategory"):
            group = _MAMS.get(category.attrib["category"])
            if group:
                labels.setdefault(group, set()).add(_TONES.get(category.attrib["polarity"], ""))
        topics = {group: next(iter(tones)) if len(tones) == 1 else "" for group, tones in labels.items()}
        if topics:
            yield Labelled(sentence.findtext("text") or "", topics)


def thai_posts(folder: Path) -> Iterator[Labelled]:
    """Thai posts about brands that praise or complain, topic unknown; the Wisesight Sentiment Corpus."""
    for file, tone in (("pos.txt", "praise"), ("neg.txt", "complaint")):
        for line in (folder / file).read_text(encoding="utf-8").splitlines():
            if line.strip():
                yield Labelled(line, {"": tone})
