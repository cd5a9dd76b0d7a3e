"""The session: what it always is, what settings may say, how it starts alone and under spark-submit."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pytest
import yaml
from chispa import assert_df_equality
from pydantic import SecretStr
from pyspark.errors import ArithmeticException
from pyspark.sql import functions as F, SparkSession, types as T

from cdp_lib.errors import ConfigError
from cdp_lib.io.jars import spark_home
from cdp_lib.io.session import build_session, launch_options, secret_options, session_options
from cdp_lib.settings.settings import Settings, SparkSettings
from jobs import workers

ROOT = Path(__file__).parents[2]
FOR_WORKERS = {
    "cdp_lib.io.early_start",
    "cdp_lib.io.inspection",
    "cdp_lib.io.raw_rows",
    "cdp_lib.transforms.clean.phone",
    "cdp_lib.transforms.identity.blocking",
    "cdp_lib.transforms.identity.comparison",
    "cdp_lib.transforms.identity.scoring",
}
JARS = ROOT / ".jars"

PROGRAM = """
import sys
from cdp_lib.errors import CdpError
from cdp_lib.io.session import build_session
from cdp_lib.settings.settings import LogSettings, Settings, SparkSettings

master, memory, jars, log_file, table = (argument or None for argument in sys.argv[1:])
spark_settings = SparkSettings(master=master, driver_memory=memory, shuffle_partitions=2, jars_dir=jars)
try:
    spark = build_session(Settings(spark=spark_settings, log=LogSettings(spark_file=log_file)), app_name="program")
except CdpError as problem:
    raise SystemExit(f"{type(problem).__name__}: {problem}")
spark.range(3).write.format("delta").save(table)
rows = spark.read.format("delta").load(table).count()
sys.stdout.write(f"{spark.sparkContext.master} {spark.sparkContext.appName} {rows} rows")
"""


def with_extra(**extra: str | SecretStr) -> Settings:
    """Settings with these Spark options, their dots written as two underscores."""
    return Settings(spark=SparkSettings(extra={key.replace("__", "."): value for key, value in extra.items()}))


def run_program(
    folder: Path, starter: Sequence[str | Path], *, master: str, memory: str = "1g"
) -> tuple[int, str, str]:
    """(exit code, output, errors) of a program that builds a session of its own and writes a table."""
    program = folder / "program.py"
    program.write_text(PROGRAM)
    arguments = [master, memory, JARS, folder / "spark.log", folder / "table"]
    environ = os.environ | {"SPARK_HOME": str(spark_home()), "PYSPARK_PYTHON": sys.executable}
    done = subprocess.run(
        [str(part) for part in (*starter, program, *arguments)],
        env=environ,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_delta_table_is_written_and_read(spark: SparkSession, lakehouse: Path) -> None:
    path = str(lakehouse / "shop" / "silver" / "order")
    schema = T.StructType([T.StructField("order_id", T.StringType()), T.StructField("item_count", T.LongType())])
    written = spark.createDataFrame([("o1", 2), ("o2", None)], schema)

    written.write.save(path)

    assert (Path(path) / "_delta_log").is_dir()
    assert_df_equality(spark.read.load(path), written, ignore_row_order=True)


def test_python_function_straight_over_a_stored_table_answers(spark: SparkSession, lakehouse: Path) -> None:
    path = str(lakehouse / "shop" / "silver" / "order")
    spark.range(3).write.save(path)
    doubled = F.udf(lambda number: number * 2, T.LongType())

    actual = spark.read.load(path).select(doubled("id").alias("twice"))

    expected = spark.createDataFrame([(0,), (2,), (4,)], T.StructType([T.StructField("twice", T.LongType())]))
    assert_df_equality(actual, expected, ignore_row_order=True)


def test_division_by_zero_fails_as_ansi_asks(spark: SparkSession) -> None:
    with pytest.raises(ArithmeticException, match="DIVIDE_BY_ZERO"):
        spark.sql("SELECT 1 / 0 AS ratio").collect()


def test_instants_are_read_in_utc(spark: SparkSession) -> None:
    (row,) = spark.sql("SELECT current_timezone() AS zone, timestamp'2025-06-01 12:00:00' AS at").collect()

    assert (row["zone"], row["at"].isoformat()) == ("UTC", "2025-06-01T12:00:00")


def test_running_session_is_returned_not_doubled(spark: SparkSession) -> None:
    assert build_session(Settings(), app_name="second") is spark


def test_extra_options_pass_and_fixed_ones_stand() -> None:
    options = session_options(with_extra(spark__sql__adaptive__enabled="false", spark__sql__ansi__enabled="true"))

    assert options["spark.sql.adaptive.enabled"] == "false"
    assert (options["spark.sql.ansi.enabled"], options["spark.sql.session.timeZone"]) == ("true", "UTC")


def test_contradicting_a_fixed_option_is_refused() -> None:
    settings = with_extra(spark__sql__ansi__enabled="false", spark__sql__session__timeZone="Asia/Bangkok")

    with pytest.raises(ConfigError, match=r"spark\.sql\.ansi\.enabled is always true.*timeZone is always UTC"):
        session_options(settings)


def test_secret_options_stay_off_the_command_line() -> None:
    settings = with_extra(spark__hadoop__fs__s3a__secret__key=SecretStr("hush"))

    assert secret_options(settings) == {"fs.s3a.secret.key": SecretStr("hush")}
    assert "hush" not in str(session_options(settings))


def test_secret_that_spark_would_show_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"only spark\.hadoop\.\* options may be secret; move spark\.app\.token"):
        secret_options(with_extra(spark__app__token=SecretStr("hush")))


def test_no_master_is_refused_with_the_way_out() -> None:
    with pytest.raises(ConfigError, match=r"spark\.master is not set.*local environment.*spark-submit"):
        launch_options(Settings(), ())


@pytest.mark.slow
def test_spark_submit_s_master_stands_and_delta_is_there_unasked(tmp_path: Path) -> None:
    starter = [spark_home() / "bin" / "spark-submit", "--master", "local[1]", "--conf", "spark.ui.enabled=false"]

    assert run_program(tmp_path, starter, master="local[7]")[:2] == (0, "local[1] program 3 rows")


@pytest.mark.slow
def test_own_jvm_leaves_the_terminal_silent(tmp_path: Path) -> None:
    assert run_program(tmp_path, [sys.executable], master="local[1]") == (0, "local[1] program 3 rows", "")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("master", "memory", "said"),
    [
        ("locl", "1g", "SetupError: Spark did not start: .*Master must either be"),
        ("local[1]", "100m", "SetupError: Spark did not start: .*INVALID_DRIVER_MEMORY"),
        ("local[1]", "99999999g", "SetupError: Spark did not start: .*heap"),
    ],
)
def test_failing_jvm_is_told_in_one_line(tmp_path: Path, master: str, memory: str, said: str) -> None:
    code, output, errors = run_program(tmp_path, [sys.executable], master=master, memory=memory)

    assert (code, output, len(errors.splitlines())) == (1, "", 1)
    assert re.search(said, errors)


def test_python_workers_start_with_what_they_import_loaded(spark: SparkSession) -> None:
    def loaded(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        import sys  # a function with names of its own goes to the workers as it is, without this file's imports

        import pyarrow

        for _ in batches:
            yield pyarrow.RecordBatch.from_pydict({"name": [sys.modules["__main__"].__spec__.name, *sys.modules]})

    frame = spark.range(1, numPartitions=1).mapInArrow(loaded, "name string")

    started, *modules = (row["name"] for row in frame.collect())

    assert started == workers.__name__
    assert {"pandas", *FOR_WORKERS} <= set(modules)


def test_whatever_goes_to_python_workers_is_loaded_before_they_start() -> None:
    """But for models, which bring libraries of their own."""
    sends = re.compile(r"\b(mapInArrow|mapInPandas|applyInArrow|arrow_udf)\(")
    files = {path for room in ("cdp_lib", "jobs", "quality") for path in (ROOT / room).rglob("*.py")}
    names = {".".join(path.relative_to(ROOT).with_suffix("").parts) for path in files if sends.search(path.read_text())}
    assert {name for name in names if not name.startswith("cdp_lib.models.")} == FOR_WORKERS


def test_a_session_of_ones_own_forks_its_workers_from_that() -> None:
    local = yaml.safe_load((ROOT / "conf" / "local.yml").read_text())
    assert local["spark"]["extra"]["spark.python.daemon.module"] == workers.__name__
