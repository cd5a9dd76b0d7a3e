"""Fitting lifetime value: which form the customers bear out, on earlier cuts and what came after them."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import pandas as pd

from cdp_lib.errors import ModelError
from cdp_lib.models.lifetime.boosted import Boosted, design_frame
from cdp_lib.models.lifetime.closed_form import ClosedForm, ClosedFormModel, pooled_amount, PURCHASE_MODELS
from cdp_lib.models.lifetime.gamma_gamma import kept_share
from cdp_lib.models.lifetime.last_period import last_period_spend
from cdp_lib.models.lifetime.lifetime_value import BLEND, CLOSED_FORM, LifetimeModel, LifetimeSettings, REPEAT_RATE
from cdp_lib.models.lifetime.maximum_likelihood import Floats
from cdp_lib.models.lifetime.purchase_counts import purchase_counts
from cdp_lib.models.lifetime.repeat_rate import pooled_repeat_rate
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
    (mean absolute error), without any the likelier one; where one cannot be fitted, the other. The boosters learn from
    them; their share of the blend, and that of the last period's spend, are those of WEIGHTS and LAST_WEIGHTS with the
    least mean absolute error there, over customers that they had not learnt from. The same back-test calibrates the
    interval; without one, futures drawn from the closed form do.
    Raises ModelError for a feature frame without the columns or with histories that cannot be.
    """
    purchase_counts(features)
    _check_labels(earlier)
    simple = LifetimeModel(
        *(settings, REPEAT_RATE, "", None, None, 0.0, None, pooled_amount(features)),
        repeat_rate=pooled_repeat_rate(features, settings.horizon_days),
        kept_share=kept_share(features),
    )
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
    """The closed form with the better model of purchases, why it is that one, and its back-tests.

    Where one of the models cannot be fitted, now or at an earlier cut, the other stands. Raises ModelError where
    neither can.
    """
    usable = [example for example in earlier if not _too_little(example.features, settings)]
    tests = {kind: _back_tests(usable, kind, settings) for kind in PURCHASE_MODELS}
    error = _purchase_errors(tests)
    if not error:
        best = max(_fits(features, tuple(PURCHASE_MODELS), settings), key=lambda one: one.purchases.log_likelihood)
        told = best.purchases.log_likelihood
        return best, f"{best.kind} is the likelier model of purchases ({told:.4f} per customer)", []
    told_best = in_order(error)
    kinds = (*told_best, *(kind for kind in PURCHASE_MODELS if kind not in error))
    if not kinds:
        raise ModelError(f"{' and '.join(sorted(error))} gave no number for customers of an earlier cut.")
    closed = next(_fits(features, kinds, settings))
    off = f"{error[closed.kind]:.3f} off per customer" if closed.kind in error else "not tried on an earlier cut"
    is_best = closed.kind in told_best[:1]
    first = "told purchases best after the earlier cut" if is_best else "is the one that could be fitted"
    return closed, f"{closed.kind} {first} ({off})", list(tests[closed.kind].values())


def in_order(error: Mapping[str, float]) -> tuple[str, ...]:
    """The names from the smallest error up; without those whose error is no number."""
    return tuple(sorted((name for name in error if np.isfinite(error[name])), key=lambda name: error[name]))


def _fits(features: pd.DataFrame, kinds: Sequence[str], settings: LifetimeSettings) -> Iterator[ClosedFormModel]:
    """The closed forms of those kinds that can be fitted, in order. Raises ModelError at the end where none could."""
    problems = []
    for kind in kinds:
        try:
            fitted = ClosedFormModel.fit(features, kind, first_included=settings.first_included)
        except ModelError as problem:
            problems.append(f"{kind}: {problem}")
        else:
            yield fitted
    if len(problems) == len(kinds):
        raise ModelError("; ".join(problems))


def _back_tests(usable: Sequence[Example], kind: str, settings: LifetimeSettings) -> dict[int, _BackTest]:
    """By place of the cut, of those at which the kind can be fitted."""
    found = {}
    for place, example in enumerate(usable):
        with suppress(ModelError):  # its other cuts, and the other kind, are judged all the same
            found[place] = _BackTest(example, next(_fits(example.features, [kind], settings)))
    return found


def _purchase_errors(tests: Mapping[str, Mapping[int, _BackTest]]) -> dict[str, float]:
    """Mean error by kind, over the cuts at which every kind could be fitted that could be at any; else over its own."""
    tried = {kind: by_cut for kind, by_cut in tests.items() if by_cut}
    shared = set[int]().union(*tried.values()).intersection(*tried.values())
    return {
        kind: float(np.mean([test.purchase_error for place, test in by_cut.items() if place in (shared or by_cut)]))
        for kind, by_cut in tried.items()
    }


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
