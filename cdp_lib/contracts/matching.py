"""Silver's tables of probable matches: scored pairs, what blocking rules leave out, pairs for people to judge."""

from cdp_lib.contracts.table import Column, MergeByKey, number, ReplaceAll, Table, text
from cdp_lib.settings.matching import Matching

_RECORD_L = text("record_l", "Hash of the record with the smaller hash; the first 32 hex digits.", required=True)
_RECORD_R = text("record_r", "Hash of the other record.", required=True)
_RULE = text("blocking_rule", "First rule that brought the two together.", required=True)
_WEIGHT = Column("match_weight", "double", "Bits that speak for one person: the prior and every field.", required=True)
_PROBABILITY = Column(
    "match_probability",
    "double",
    "The same as a probability.",
    required=True,
    check="match_probability BETWEEN 0 AND 1",
)
_MODEL = text("model_version", "Registered model that weighed it, as name/version.", required=True)


def match_pair(matching: Matching) -> Table:
    """silver.match_pair of a pack: a level of every compared field. Pairs far below the threshold are not kept."""
    levels = [
        Column(f"{field}_level", "int", f"How well {field} agrees, 0: clearly differs; null: unknown on a side.")
        for field in matching.fields
    ]
    vetoed = Column("is_vetoed", "boolean", "Whether a veto says that they are two people.", required=True)
    return Table(
        name="silver.match_pair",
        purpose="One row per pair of records that may be one person, with what speaks for it.",
        key=("record_l", "record_r"),
        columns=(_RECORD_L, _RECORD_R, _RULE, *levels, _WEIGHT, _PROBABILITY, vetoed, _MODEL),
        write=MergeByKey(),
    )


MATCH_KEY = Table(
    name="silver.match_key",
    purpose="One row per blocking rule: what it brings together and what it leaves out, as the model was trained.",
    key=("blocking_rule",),
    columns=(
        text("blocking_rule", "The rule's expressions.", required=True),
        number("max_records", "Records of a block that is compared at most; 0: the rule is too loose for so many."),
        number("block_count", "Blocks of two records or more."),
        number("dropped_block_count", "Blocks above the limit: none of their pairs is compared by this rule."),
        number("dropped_record_count", "Records in those blocks."),
        _MODEL,
    ),
    write=ReplaceAll(),
)

REVIEW_PAIR = Table(
    name="silver.review_pair",
    purpose="Uncertain pairs for people to judge, the most uncertain first; judged ones leave the list.",
    key=("record_l", "record_r"),
    columns=(
        number("place", "1 is the most uncertain.", required=True),
        _RECORD_L,
        _RECORD_R,
        text("source_system_l", "Source of the first record.", required=True),
        text("source_record_id_l", "Id of the first record there.", required=True, pii="online_id"),
        text("source_system_r", "Source of the second record.", required=True),
        text("source_record_id_r", "Id of the second record there.", required=True, pii="online_id"),
        _RULE,
        Column("agreement", "map<string,string>", "Field: how well it agrees, in words.", required=True),
        _WEIGHT,
        _PROBABILITY,
        Column("is_together", "boolean", "Whether they are one person as of this run.", required=True),
        _MODEL,
    ),
    write=ReplaceAll(),
)
