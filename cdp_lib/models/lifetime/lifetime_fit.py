"""Fitting lifetime value: which form the customers bear out, on earlier cuts and what came after them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import pandas as pd

from cdp_lib.errors import ModelError
from cdp_lib.models.lifetime.boosted import Boosted, design_frame
from cdp_lib.models.lifetime.closed_form import ClosedForm, ClosedFormModel, pooled_amount, PURCHASE_MODELS
from cdp_lib.models.lifetime.last_period import last_period_spend
from cdp_lib.models.lifetime.lifetime_value import BLEND, CLOSED_FORM, LAST_PERIOD, LifetimeModel, LifetimeSettings
from cdp_lib.models.lifetime.maximum_likelihood import Floats
from cdp_lib.models.lifetime.purchase_counts import purchase_counts
from cdp_lib.models.lifetime.spend_interval import SpendInterval

WEIGHTS = (0.5, 0.25, 0.75)
"""The boosters' share of a blend, the default first: neither side is trusted alone on the word of one back-test."""
LAST_WEIGHTS = (0.0, 0.25, 0.5)
"""The last period's share of it, the default first: where most customers are regulars it steadies both."""
_FOLDS = 5
_LEAST_SILENT = 30
"""Customers who buy nothing after an earlier cut: without them there is no telling buyers from others."""
_SIMULATED = 20_000


@dataclass(frozen=True)
class Example:
    """Features at an earlier cut, and the labels of the days after it, which must end by the present cut."""

    features: pd.DataFrame
    labels: pd.DataFrame
    horizon_days: int


@dataclass(frozen=True)
class _BackTest:
    """An earlier cut and the closed form that knew no more."""

    example: Example
    closed: ClosedFormModel

    @property
    def purchase_error(self) -> float:
        """Mean absolute error of the purchases expected after the cut."""
        said = self.closed.forecast(self.example.features, self.example.horizon_days)
        return float(np.abs(said.purchases - _matched(self.example, "future_purchase_count")).mean())


def fit_lifetime(features: pd.DataFrame, earlier: Sequence[Example], settings: LifetimeSettings) -> LifetimeModel:
    """The richest form that the customers bear out; never fails for too few of them.

    `earlier` are cuts before the present one. The purchase model is the one that told the purchases after them best
    (mean absolute error), without any the likelier one. The boosters learn from them; their share of the blend, and
    that of the last period's spend, are those of WEIGHTS and LAST_WEIGHTS with the least mean absolute error there,
    over customers that they had not learnt from. The same back-test calibrates the interval; without one, futures drawn
    from the closed form do.
    Raises ModelError for a feature frame without the columns or with histories that cannot be.
    """
    purchase_counts(features)
    _check_labels(earlier)
    pooled = pooled_amount(features)
    simple = LifetimeModel(settings, LAST_PERIOD, "", None, None, 0.0, None, pooled)
    short = _too_little(features, settings)
    if short:
        return replace(simple, reason=short)
    try:
        closed, why, tests = _choose_kind(features, earlier, settings)
    except ModelError as problem:
        return replace(simple, reason=f"the closed form could not be fitted: {problem}")
    model = replace(simple, form=CLOSED_FORM, reason=why, closed=closed)
    enough = [test for test in tests if not _too_few(test.example, settings)]
    if not enough:
        few = "; ".join(_too_few(example, settings) for example in earlier) or "there is no earlier cut"
        said = replace(model, reason=f"{why}; no boosters: {few}")
        return replace(said, interval=_simulated_interval(closed, features, settings))
    return _with_boosters(model, closed, features, enough)


def _too_little(features: pd.DataFrame, settings: LifetimeSettings) -> str:
    """Why there is no closed form, or nothing."""
    repeaters = int((features["frequency"] > 0).sum())
    if len(features) < settings.least_customers:
        return f"{len(features)} customers, {settings.least_customers} needed for a closed form"
    if repeaters < settings.least_repeaters:
        return f"{repeaters} customers with two purchase days, {settings.least_repeaters} needed for a closed form"
    days = float(features["tenure_days"].max())
    if days < settings.least_history_days:
        return f"{days:.0f} days of history, {settings.least_history_days} needed for a closed form"
    return ""


def _too_few(example: Example, settings: LifetimeSettings) -> str:
    """Why nothing can be learnt from an earlier cut, or nothing."""
    customers, buyers = len(example.features), int((example.labels["future_amount"] > 0).sum())
    if customers < settings.least_examples:
        return f"{customers} customers at an earlier cut, {settings.least_examples} needed"
    if buyers < settings.least_buyers:
        return f"{buyers} customers bought after an earlier cut, {settings.least_buyers} needed"
    if customers - buyers < _LEAST_SILENT:
        return f"{customers - buyers} customers bought nothing after an earlier cut, {_LEAST_SILENT} needed"
    return ""


def _choose_kind(
    features: pd.DataFrame, earlier: Sequence[Example], settings: LifetimeSettings
) -> tuple[ClosedFormModel, str, list[_BackTest]]:
    """The closed form with the better model of purchases, why it is that one, and its back-tests."""
    tests = {kind: _back_tests(earlier, kind, settings) for kind in PURCHASE_MODELS}
    if not any(tests.values()):
        fitted = [_fitted(features, kind, settings) for kind in PURCHASE_MODELS]
        best = max(fitted, key=lambda model: model.purchases.log_likelihood)
        told = best.purchases.log_likelihood
        return best, f"{best.kind} is the likelier model of purchases ({told:.4f} per customer)", []
    error = {kind: float(np.mean([test.purchase_error for test in tests[kind]])) for kind in PURCHASE_MODELS}
    kind = least_wrong(error)
    why = f"{kind} told purchases best after the earlier cut ({error[kind]:.3f} off per customer)"
    return _fitted(features, kind, settings), why, tests[kind]


def least_wrong(error: Mapping[str, float]) -> str:
    """The name with the smallest error; one that is no number counts as the largest. Raises ModelError without any."""
    told = {name: value for name, value in error.items() if np.isfinite(value)}
    if not told:
        raise ModelError(f"{' and '.join(sorted(error))} gave no number for customers of an earlier cut.")
    return min(told, key=lambda name: told[name])


def _fitted(features: pd.DataFrame, kind: str, settings: LifetimeSettings) -> ClosedFormModel:
    return ClosedFormModel.fit(features, kind, first_included=settings.first_included)


def _back_tests(earlier: Sequence[Example], kind: str, settings: LifetimeSettings) -> list[_BackTest]:
    """Of the earlier cuts with enough customers for a closed form."""
    usable = [example for example in earlier if not _too_little(example.features, settings)]
    return [_BackTest(example, _fitted(example.features, kind, settings)) for example in usable]


def _check_labels(earlier: Sequence[Example]) -> None:
    """Every customer of an earlier cut has one row of labels."""
    for example in earlier:
        labels = example.labels.dropna(subset=["future_purchase_count", "future_amount"])["golden_id"]
        missing = int((~example.features["golden_id"].isin(labels)).sum())
        twice = int(labels.duplicated().sum())
        if missing or twice:
            raise ModelError(
                f"Lifetime value: {missing} customers of an earlier cut have no labels, {twice} have them twice. "
                "Labels have a row per customer of the features, 0 without a purchase."
            )


def _matched(example: Example, label: str) -> Floats:
    """A label in the order of the example's features."""
    matched: Floats = example.labels.set_index("golden_id")[label].reindex(example.features["golden_id"]).to_numpy()
    return matched


@dataclass(frozen=True)
class _Learnt:
    """What the boosters learn from: all earlier cuts, one below the other, and the fold of each row's customer."""

    design: pd.DataFrame
    closed: ClosedForm
    last: Floats
    truth: Floats
    fold: Floats


def _learnt(tests: Sequence[_BackTest], settings: LifetimeSettings) -> _Learnt:
    parts = []
    for test in tests:
        example = test.example
        hashed = pd.util.hash_array(example.features["golden_id"].to_numpy(dtype=object))
        # The lowest hashes: the same customers, in whatever order the rows come.
        kept = np.sort(np.argsort(hashed, kind="stable")[: settings.most_examples])
        features = example.features.iloc[kept]
        said = test.closed.forecast(features, example.horizon_days)
        design = design_frame(features, said, example.horizon_days)
        last = last_period_spend(features, example.horizon_days)
        truth, fold = _matched(example, "future_amount")[kept], (hashed % 1_000_003 % _FOLDS)[kept]
        parts.append((design, said, last, truth, fold))
    designs, said_all, *others = zip(*parts, strict=True)
    whole = ClosedForm(
        *(
            np.concatenate([getattr(one, name) for one in said_all])
            for name in ("purchases", "amount", "silent", "alive")
        )
    )
    return _Learnt(pd.concat(designs, ignore_index=True), whole, *(np.concatenate(arrays) for arrays in others))


def _blends(learnt: _Learnt, boosted: Floats) -> dict[tuple[float, float], Floats]:
    """The spend by the boosters' share and the last period's, the default shares first."""
    return {
        (weight, last): (1 - last) * ((1 - weight) * learnt.closed.spend + weight * boosted) + last * learnt.last
        for last, weight in product(LAST_WEIGHTS, WEIGHTS)
    }


def _with_boosters(
    model: LifetimeModel, closed: ClosedFormModel, features: pd.DataFrame, tests: Sequence[_BackTest]
) -> LifetimeModel:
    """The model with boosters, shares of a blend and a calibrated interval."""
    settings = model.settings
    learnt = _learnt(tests, settings)
    unseen = np.empty(len(learnt.truth))
    for fold in range(_FOLDS):
        train, test = np.flatnonzero(learnt.fold != fold), np.flatnonzero(learnt.fold == fold)
        if len(test):
            part = Boosted.fit(learnt.design.iloc[train], learnt.closed.taken(train), learnt.truth[train])
            unseen[test] = part.expected_spend(learnt.design.iloc[test], learnt.closed.taken(test))
    blends = _blends(learnt, unseen)
    error = {shares: float(np.abs(blend - learnt.truth).mean()) for shares, blend in blends.items()}
    weight, last = best = min(error, key=lambda shares: error[shares])
    beside = f" beside {last:.0%} of the last period's" if last else ""
    blended = replace(
        model,
        form=BLEND,
        reason=f"{model.reason}; boosters weigh {weight:.0%} of the spend{beside}, off {error[best]:.2f} per customer "
        f"in the back-test (closed form {np.abs(learnt.closed.spend - learnt.truth).mean():.2f})",
        boosted=Boosted.fit(learnt.design, learnt.closed, learnt.truth),
        boosted_weight=weight,
        last_weight=last,
    )
    present = blended.spend_before_discount(features, closed.forecast(features, settings.horizon_days))
    return replace(blended, interval=SpendInterval.calibrated(blends[best], learnt.truth, present, settings.confidence))


def _simulated_interval(closed: ClosedFormModel, features: pd.DataFrame, settings: LifetimeSettings) -> SpendInterval:
    """From one future drawn per customer: as wide as the model's own doubt, no wider."""
    ordered = features.sort_values("golden_id").iloc[:: max(1, len(features) // _SIMULATED)]
    drawn = closed.draw_spend(ordered, settings.horizon_days, np.random.default_rng(settings.seed))
    forecast = closed.forecast(ordered, settings.horizon_days).spend
    return SpendInterval.calibrated(forecast, drawn, forecast, settings.confidence)
