"""A Delta table opened without Spark, as an Arrow dataset."""

import os

import deltalake
import pyarrow.dataset as ds
from pyarrow import fs


def open_dataset(path: str) -> ds.Dataset:
    """The newest version of the table at a folder or URI. Raises deltalake's TableNotFoundError where there is none.

    A local table is read by Arrow's own file system. Through deltalake's, which is written in Python, Arrow's threads
    may still ask for the interpreter while it ends, and the process aborts with exit code 134.
    """
    stored = deltalake.DeltaTable(path)
    if not os.path.isdir(path):
        return stored.to_pyarrow_dataset()
    return stored.to_pyarrow_dataset(filesystem=fs.SubTreeFileSystem(os.path.abspath(path), fs.LocalFileSystem()))
