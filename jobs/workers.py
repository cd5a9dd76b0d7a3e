"""What Spark forks its Python workers from (`spark.python.daemon.module`), with what they import loaded.

A worker of its own takes four seconds of CPU to import the suite, pyarrow and (for pyarrow's sake) pandas, and a run
starts a dozen of them.
"""

import gc

import pandas
from pyspark.daemon import manager

from cdp_lib.io import early_start, inspection, raw_rows
from cdp_lib.transforms.clean import phone
from cdp_lib.transforms.identity import blocking, comparison, scoring

LOADED = (early_start, inspection, raw_rows, phone, blocking, comparison, scoring, pandas)
"""They bring all that `mapInArrow` and the like are given, but for models, which have libraries of their own."""

if __name__ == "__main__":
    # Workers collect garbage after each task: what is loaded here is none, and stays in memory that all share.
    gc.freeze()
    manager()
