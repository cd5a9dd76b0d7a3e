"""From a SQL type text to Spark's type, without a session."""

from pyspark.sql import types as T

from cdp_lib.settings.sql import parse_type, TypeTree

_SCALARS: dict[str, T.DataType] = {
    "string": T.StringType(),
    "tinyint": T.ByteType(),
    "smallint": T.ShortType(),
    "int": T.IntegerType(),
    "bigint": T.LongType(),
    "float": T.FloatType(),
    "double": T.DoubleType(),
    "boolean": T.BooleanType(),
    "date": T.DateType(),
    "timestamp": T.TimestampType(),
    "timestamp_ntz": T.TimestampNTZType(),
    "binary": T.BinaryType(),
}


def spark_type(text: str) -> T.DataType:
    """The Spark type of `decimal(18,2)`, `array<struct<sku:string>>`, ...; raises ValueError with a near-miss."""
    return _from_tree(parse_type(text))


def _from_tree(tree: TypeTree) -> T.DataType:
    if tree.name == "decimal":
        return T.DecimalType(*tree.parameters)
    if tree.name == "array":
        return T.ArrayType(_from_tree(tree.children[0][1]))
    if tree.name == "map":
        return T.MapType(_from_tree(tree.children[0][1]), _from_tree(tree.children[1][1]))
    if tree.name == "struct":
        return T.StructType([T.StructField(name, _from_tree(child)) for name, child in tree.children])
    return _SCALARS[tree.name]
