"""Who is in which arm: decided by a hash of the golden_id alone, so that nobody changes arms and nothing is stored."""

from itertools import accumulate

from pyspark.sql import Column, functions as F

from cdp_lib.settings.activation import Activation, ContactPolicy, EVERYBODY, HOLDOUT

_DIGITS = 13
_STEPS = float(16**_DIGITS)


def unit_interval(key: Column, salt: str) -> Column:
    """A number in [0, 1) that looks drawn and is always the same for a key and salt; null for a null key.

    It is the first 52 bits of SHA-256, all that a double holds.
    """
    digest = F.sha2(F.concat(F.lit(f"{salt}|"), key), 256)
    return F.conv(F.substring(digest, 1, _DIGITS), 16, 10).cast("bigint").cast("double") / F.lit(_STEPS)


def arm_of(activation: Activation, key: Column | None = None) -> Column:
    """`holdout`, else one of the activation's arms by share, else `all`; by `golden_id` where no other key is given.

    Being held out and the arm are drawn apart: another holdout share moves nobody between arms. Merged people have the
    arm of the id that lives on; who is parted again has the arm of before.
    """
    person = F.col("golden_id") if key is None else key
    is_held_out = unit_interval(person, f"holdout|{activation.id}") < activation.holdout_share
    return F.when(is_held_out, F.lit(HOLDOUT)).otherwise(_version_of(activation, person))


def _version_of(activation: Activation, person: Column) -> Column:
    if not activation.arms:
        return F.lit(EVERYBODY)
    drawn = unit_interval(person, f"arm|{activation.id}")
    version = F.lit(activation.arms[-1].id)
    bounds = list(accumulate(arm.share for arm in activation.arms))
    for arm, bound in reversed(list(zip(activation.arms[:-1], bounds, strict=False))):
        version = F.when(drawn < bound, F.lit(arm.id)).otherwise(version)
    return version


def is_globally_held_out(policy: ContactPolicy | None, key: Column | None = None) -> Column:
    """Whether a person gets no message of any campaign; drawn apart from every activation's own holdout."""
    if policy is None or policy.holdout_share == 0:
        return F.lit(False)
    person = F.col("golden_id") if key is None else key
    return F.coalesce(unit_interval(person, "global holdout") < policy.holdout_share, F.lit(False))
