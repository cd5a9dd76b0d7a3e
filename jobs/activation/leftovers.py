"""What earlier runs planned and did not hand over. It is judged anew: nothing goes out on an old plan."""

from collections.abc import Callable

from pyspark.sql import DataFrame, functions as F, SparkSession

from cdp_lib.contracts.activation import DELIVERY, LIST_ENTRY
from cdp_lib.contracts.table import Table
from cdp_lib.io.journal import read_open
from cdp_lib.io.local_rows import local_rows
from cdp_lib.io.sending_folder import SendingFolder
from cdp_lib.transforms.activation.ledger import open_tries

Read = Callable[[Table], DataFrame]

JUDGED_ANEW = "judged anew"
"""Why the try of an earlier plan has ended, whether another one took its place or none may."""


def leftovers(deliveries: DataFrame, folder: SendingFolder, spark: SparkSession) -> DataFrame:
    """`open_tries` of ops.delivery but for those of requests that a crash cut off: the channel may have had them."""
    lanes = [read_open(one) for one in folder.journals.glob("*/*") if one.is_dir()]
    ids = sorted({intent_id for lane in lanes for intent_id in lane.open_intents})
    return open_tries(deliveries, local_rows(spark, "intent_id string", [(one,) for one in ids]))


def without_leftovers(read: Read, left: DataFrame) -> Read:
    """Reads ops.delivery and ops.list_entry as if nothing of `left` (`leftovers`) had been planned.

    So planning takes up each of them where it still may be sent, under the same intent id, and no other.
    """
    unsent = left.select("intent_id")

    def reading(table: Table) -> DataFrame:
        found = read(table)
        return found.join(unsent, "intent_id", "left_anti") if table in (DELIVERY, LIST_ENTRY) else found

    return reading


def with_attempt(planned: DataFrame, left: DataFrame) -> DataFrame:
    """Every row of `plan` with `attempt`: one more than that of the try whose place it takes, else 1."""
    before = left.select("intent_id", F.col("attempt").alias("_before"))  # one row per intent
    attempt = (F.coalesce("_before", F.lit(0)) + 1).alias("attempt")
    return planned.join(before, "intent_id", "left").select(*planned.columns, attempt)
