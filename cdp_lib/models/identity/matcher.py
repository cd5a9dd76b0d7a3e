"""A trained matcher: what a run needs to weigh pairs and to decide, frozen from the day it was trained."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from cdp_lib.errors import ModelError
from cdp_lib.models.charts import Bars
from cdp_lib.models.identity.match_model import Floats, Model

KEPT_BELOW = 30.0
"""Bits below the threshold down to which a pair is kept: it may part a group of records, though it links nobody."""


@dataclass(frozen=True)
class Matcher:
    """The model, the largest block that each rule compares, and the bits from which a pair is one person.

    `rules` are rows of silver.match_key without the model's version; `settings_hash` tells the settings that it was
    trained under, `record_count` how many records, `judged_count` how many pairs people had judged with either verdict
    (of the rarer one); `reason` says where the threshold comes from.
    """

    model: Model
    caps: tuple[int, ...]
    threshold: float
    reason: str
    settings_hash: str
    record_count: int
    rules: tuple[Mapping[str, Any], ...]
    judged_count: int = 0

    @property
    def most_doubtful(self) -> float:
        """The weight about which people's judgement tells most: the threshold; where none will do, even odds."""
        return self.threshold if isfinite(self.threshold) else 0.0

    @property
    def least_weight(self) -> float:
        """Pairs of this weight or less are not kept."""
        return self.most_doubtful - KEPT_BELOW

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; `from_dict` gives an equal matcher."""
        return {
            "model": self.model.to_dict(),
            "caps": list(self.caps),
            "threshold": self.threshold,
            "reason": self.reason,
            "settings_hash": self.settings_hash,
            "record_count": self.record_count,
            "rules": [dict(rule) for rule in self.rules],
            "judged_count": self.judged_count,
        }

    @staticmethod
    def from_dict(body: Mapping[str, Any]) -> "Matcher":
        """The matcher that `to_dict` wrote; raises ModelError for the body of another kind of model."""
        try:
            return Matcher(
                model=Model.from_dict(body["model"]),
                caps=tuple(body["caps"]),
                threshold=float(body["threshold"]),
                reason=str(body["reason"]),
                settings_hash=str(body["settings_hash"]),
                record_count=int(body["record_count"]),
                rules=tuple(body["rules"]),
                judged_count=int(body.get("judged_count", 0)),
            )
        except KeyError as problem:
            raise ModelError(
                f"The registered model has no {problem}: it is no matcher. Roll back, or train anew."
            ) from None


@dataclass(frozen=True)
class LevelScorer:
    """Weighs rows of `<field>_level` columns (null: unknown): match_weight in bits, match_probability.

    How rare a value is, is not in the levels, so pairs that agree on a frequent value weigh less in the suite.
    """

    prior: float
    levels: Mapping[str, Sequence[float]]
    rivals: Mapping[str, tuple[float, Mapping[str, Sequence[float]]]]

    def __call__(self, rows: pd.DataFrame) -> pd.DataFrame:
        """One row of weights per row of levels."""
        weight: Floats = self.prior + self._sum(rows, self.levels)
        odds = sum(np.exp2(prior + self._sum(rows, levels)) for prior, levels in self.rivals.values())
        weight = weight - np.log2(1.0 + odds)
        return pd.DataFrame({"match_weight": weight, "match_probability": 1 / (1 + np.exp2(-np.clip(weight, -60, 60)))})

    def _sum(self, rows: pd.DataFrame, of_levels: Mapping[str, Sequence[float]]) -> Floats:
        total: Floats = np.zeros(len(rows))
        for field, bits in of_levels.items():
            level = rows[f"{field}_level"].astype("float64").to_numpy()
            known = ~np.isnan(level)
            total[known] += np.asarray(bits)[level[known].astype(int)]
        return total


def level_scorer(model: Model) -> LevelScorer:
    """The model as a scorer of levels, for the registry and for notebooks."""
    rivals = {name: (bits, model.rival_levels[name]) for name, bits in model.rival_priors.items()}
    return LevelScorer(model.prior_weight, model.levels, rivals)


def example_levels(patterns: pa.Table, fields: Sequence[str], count: int = 5) -> pd.DataFrame:
    """The most frequent patterns of levels, as rows that a LevelScorer takes: figures, nobody's data."""
    frequent = patterns.sort_by([("pair_count", "descending"), *((f"{field}_level", "ascending") for field in fields)])
    levels = frequent.select([f"{field}_level" for field in fields]).slice(0, count).to_pandas()
    rows: pd.DataFrame = levels.astype("float64")
    return rows


def weight_chart(model: Model, names: Mapping[str, Sequence[str]]) -> Bars:
    """What each level of each field weighs; `names` has the levels' words by field."""
    panels = {
        field.field: {name: [bits] for name, bits in zip(names[field.field], field.weights, strict=True)}
        for field in model.fields
    }
    return Bars("What agreement weighs", "bits", panels, ("match weight",))


def probability_chart(model: Model, names: Mapping[str, Sequence[str]]) -> Bars:
    """How frequent each level is among pairs of one person (m) and among strangers (u)."""
    panels = {
        field.field: {name: [m, u] for name, m, u in zip(names[field.field], field.m, field.u, strict=True)}
        for field in model.fields
    }
    return Bars("How often fields agree", "probability", panels, ("m: one person", "u: strangers"))


def rule_rows(sizes: pa.Table, names: Sequence[str], caps: Sequence[int]) -> tuple[dict[str, Any], ...]:
    """Rows of silver.match_key without the model's version: what each rule's blocks bring together and leave out.

    `sizes` (rule, record_count, block_count) is `block_sizes` of the records that the matcher is trained on.
    """
    rule, size, blocks = (sizes[name].to_numpy().astype(np.int64) for name in ("rule", "record_count", "block_count"))
    rows = []
    for place, (name, cap) in enumerate(zip(names, caps, strict=True)):
        own = rule == place
        dropped = own & (size > cap)
        rows.append(
            {
                "blocking_rule": name,
                "max_records": int(cap),
                "block_count": int(blocks[own].sum()),
                "dropped_block_count": int(blocks[dropped].sum()),
                "dropped_record_count": int((blocks * size)[dropped].sum()),
            }
        )
    return tuple(rows)
