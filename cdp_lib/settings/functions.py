"""Names of SQL functions that differ between Spark's SQL and its Python API, which lists nearly all of them."""

ONLY_IN_SQL = frozenset(
    {
        "any", "approx_top_k", "bigint", "binary", "boolean", "cast", "date", "decimal", "div",
        "double", "extract", "float", "if", "int", "len", "luhn_check", "mod", "nvl", "nvl2", "overlay",
        "percentile_cont", "percentile_disc", "position", "smallint", "space", "string", "struct", "time", "timestamp",
        "timestampadd", "timestampdiff", "tinyint", "trim", "try_cast",
    }
)  # fmt: skip
"""What an expression may call beside the functions of `pyspark.sql.functions`."""

ONLY_IN_PYTHON = frozenset(
    {
        "arrow_udf", "arrow_udtf", "asc", "asc_nulls_first", "asc_nulls_last", "bitwise_not", "broadcast",
        "call_function", "call_udf", "col", "column", "count_distinct", "create_map", "desc", "desc_nulls_first",
        "desc_nulls_last", "listagg_distinct", "lit", "negate", "overload", "pandas_udf", "string_agg_distinct",
        "sum_distinct", "timestamp_add", "timestamp_diff", "udf", "udtf",
    }
)  # fmt: skip
"""Functions of `pyspark.sql.functions` that no SQL expression can call."""
