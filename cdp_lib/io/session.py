"""The one place where a Spark session is built."""

import logging
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from py4j.protocol import Py4JError
from pydantic import SecretStr
from pyspark import SparkConf, SparkContext
from pyspark.errors import PySparkRuntimeError
from pyspark.java_gateway import launch_gateway
from pyspark.sql import SparkSession

from cdp_lib.errors import ConfigError, SetupError
from cdp_lib.io.jars import find_jars, spark_home
from cdp_lib.io.java import check_worker_python, find_java
from cdp_lib.settings.settings import Settings

log = logging.getLogger(__name__)

FIXED_OPTIONS: Mapping[str, str] = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.sql.sources.default": "delta",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",
    "spark.databricks.delta.schema.autoMerge.enabled": "false",
    # Tables from before their contract kept versions (io/declared.py) have them all the same: nothing deletes files.
    "spark.databricks.delta.vacuum.enforceTimeTravelWithinDeletedFileRetentionDuration": "false",
    # Spark 4.2.0 (SPARK-58241): with it on, a Python UDF straight over a Parquet or Delta scan waits for ever.
    "spark.sql.execution.arrow.pythonUDF.columnarInput.enabled": "false",
}
"""What the suite's results depend on; no setting may say otherwise."""

_LEAN_OPTIONS: Mapping[str, str] = {
    # They note the Python line behind every column expression: half of all calls into the JVM, a tenth of a small run.
    "spark.python.sql.dataFrameDebugging.enabled": "false",
    "spark.sql.dataFrameQueryContext.enabled": "false",
    # HotSpot never compiles a longer method: Spark's one loop over such a row would be interpreted for good. Above it
    # Spark writes many small ones instead.
    "spark.sql.codegen.hugeMethodLimit": "8000",
    # Cached rows are read a few times and given up: to look for runs and repeated values in them costs more.
    "spark.sql.inMemoryColumnarStorage.compressed": "false",
    # What numpy is called for costs the same for a few rows as for many.
    "spark.sql.execution.arrow.maxRecordsPerBatch": "50000",
}
"""What makes plans cheap to build and to run; `spark.extra` may say otherwise."""

_QUOTING_LOGGERS = ("SQLQueryContextLogger", "DataFrameQueryContextLogger")
"""PySpark's own loggers print the JVM's message of a failed query, which may quote a row."""

_LOG4J = Path(__file__).with_name("log4j2.properties")
_DIRECTIVES = Path(__file__).with_name("compiler_directives.json")
"""What HotSpot's second compiler leaves to the first: code that parses and compiles queries, which is much and runs
little. It took a quarter of that compiler's time. Spark's planner is not among it: long sessions want it fast."""

_LOG4J_LEVEL = {"DEBUG": "DEBUG", "INFO": "INFO", "WARNING": "WARN", "ERROR": "ERROR"}


def build_session(settings: Settings, *, app_name: str) -> SparkSession:
    """The session: UTC, ANSI rules, Delta on board, quiet, its Python workers on the running interpreter.

    Started by spark-submit, it keeps the submitter's master, memory, jars and other options; Delta's jars are added
    when the submitter named none. Otherwise it starts a JVM of its own. A session that already runs in this process is
    returned. The process's own zone becomes UTC, so that instants collected as datetimes read in UTC. Secret options
    go into the session alone, never onto a command line. Raises SetupError in one line when no session can be had.
    """
    if sys.platform != "win32":
        os.environ["TZ"] = "UTC"
        time.tzset()
    for name in _QUOTING_LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    secrets = secret_options(settings)
    started = time.monotonic()
    running = SparkSession.getActiveSession()
    if running is not None:
        return running
    if "PYSPARK_GATEWAY_PORT" in os.environ:
        session = _join_submitted(settings, app_name)
    else:
        session = _launch(settings, app_name)
    for key, value in secrets.items():
        session.conf.set(key, value.get_secret_value())
    log.info(
        "session=%s spark=%s master=%s seconds=%.1f",
        app_name,
        session.version,
        session.sparkContext.master,
        time.monotonic() - started,
    )
    return session


def session_options(settings: Settings) -> dict[str, str]:
    """What is set however the session starts: the fixed options, the shuffle's width, the settings' own extras.

    Raises ConfigError when an extra contradicts a fixed option.
    """
    extra = {key: value for key, value in settings.spark.extra.items() if isinstance(value, str)}
    fixed = [key for key in sorted(extra) if key in FIXED_OPTIONS and extra[key] != FIXED_OPTIONS[key]]
    if fixed:
        stated = "; ".join(f"{key} is always {FIXED_OPTIONS[key]}" for key in fixed)
        raise ConfigError(f"spark.extra: {stated}. Results depend on it; remove it from the settings.")
    return {
        "spark.sql.shuffle.partitions": str(settings.spark.shuffle_partitions),
        **_LEAN_OPTIONS,
        **extra,
        **FIXED_OPTIONS,
    }


def secret_options(settings: Settings) -> dict[str, SecretStr]:
    """Hadoop options whose values are secret, by the name that Hadoop knows them by.

    Raises ConfigError for another option with a secret: Spark would show it on command lines, in its UI and event log.
    """
    secret = {key: value for key, value in settings.spark.extra.items() if isinstance(value, SecretStr)}
    exposed = sorted(key for key in secret if not key.startswith("spark.hadoop."))
    if exposed:
        raise ConfigError(f"spark.extra: only spark.hadoop.* options may be secret; move {', '.join(exposed)}.")
    return {key.removeprefix("spark.hadoop."): value for key, value in secret.items()}


def launch_options(settings: Settings, jars: tuple[Path, ...]) -> dict[str, str]:
    """What a JVM of our own is started with, besides `session_options`.

    Raises ConfigError when the settings name no master.
    """
    spark = settings.spark
    if spark.master is None:
        raise ConfigError("spark.master is not set: take the local environment, or start the job by spark-submit.")
    driver = [
        "-Duser.timezone=UTC",
        f"-Dlog4j2.configurationFile={_LOG4J.as_uri()}",
        f"-Dcdp.spark.level={_LOG4J_LEVEL[settings.log.spark_level]}",
        # HotSpot says that it has read them: not on standard output, which some commands' readers parse.
        f'-XX:+UnlockDiagnosticVMOptions -XX:+DisplayVMOutputToStderr "-XX:CompilerDirectivesFile={_DIRECTIVES}"',
        spark.java_options,
    ]
    options = {
        "spark.master": spark.master,
        "spark.driver.memory": spark.driver_memory,
        "spark.executor.memory": spark.executor_memory,
        "spark.local.dir": spark.local_dir,
        "spark.jars": ",".join(str(jar) for jar in jars),
        "spark.driver.extraJavaOptions": " ".join(option for option in driver if option),
        "spark.executor.extraJavaOptions": "-Duser.timezone=UTC",
        "spark.executorEnv.TZ": "UTC",
        "spark.ui.enabled": str(spark.ui).lower(),
        "spark.ui.showConsoleProgress": "false",
    }
    return {key: value for key, value in options.items() if value is not None}


def _launch(settings: Settings, app_name: str) -> SparkSession:
    """A session in a JVM that this process starts."""
    java = find_java()
    options = launch_options(settings, find_jars(Path(settings.spark.jars_dir))) | session_options(settings)
    os.environ["JAVA_HOME"] = str(java.home)
    os.environ["SPARK_HOME"] = str(spark_home())
    os.environ["PYSPARK_PYTHON"] = os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
    if options["spark.master"].startswith("local"):
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    log_file = Path(settings.log.spark_file).absolute() if settings.log.spark_file else None
    said_before = log_file.stat().st_size if log_file and log_file.exists() else 0
    try:
        with _output_into(log_file):
            return SparkSession.builder.appName(app_name).config(map=dict(options)).getOrCreate()
    except (PySparkRuntimeError, Py4JError) as problem:
        raise SetupError(f"Spark did not start: {_reason(problem, log_file, said_before)}") from problem


def _join_submitted(settings: Settings, app_name: str) -> SparkSession:
    """A session in the JVM that spark-submit started, whose options stay as submitted, but for the fixed ones."""
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    try:
        gateway = launch_gateway()  # type: ignore[no-untyped-call]  # py4j has no types; it only joins here
        submitted = gateway.jvm.SparkConf()
        own = session_options(settings)
        options = {key: own[key] for key in own if key in FIXED_OPTIONS or not submitted.contains(key)}
        options |= _jars_option(gateway, Path(settings.spark.jars_dir))
        if submitted.get("spark.master", "").startswith("local"):
            check_worker_python(os.environ, sys.executable)
        context = SparkContext(appName=app_name, conf=SparkConf(False).setAll(list(options.items())), gateway=gateway)
        context.setLogLevel(_LOG4J_LEVEL[settings.log.spark_level])
        return SparkSession.builder.config(map=dict(options)).getOrCreate()
    except (PySparkRuntimeError, Py4JError) as problem:
        raise SetupError(f"Spark did not start: {_reason(problem, None)}") from problem


def _jars_option(gateway: Any, jars_dir: Path) -> dict[str, str]:
    """`spark.jars` with Delta's jars added, for executors, once the driver has them; empty when they were submitted."""
    loader = gateway.jvm.java.lang.Thread.currentThread().getContextClassLoader()
    if loader.getResource(FIXED_OPTIONS["spark.sql.extensions"].replace(".", "/") + ".class") is not None:
        return {}
    jars = find_jars(jars_dir)
    for jar in jars:
        loader.addURL(gateway.jvm.java.net.URL(jar.as_uri()))
    submitted = gateway.jvm.SparkConf().get("spark.jars", "")
    return {"spark.jars": ",".join([*submitted.split(","), *map(str, jars)] if submitted else map(str, jars))}


@contextmanager
def _output_into(log_file: Path | None) -> Iterator[None]:
    """Lead standard output and error into the file, so that a JVM started meanwhile writes there all its life."""
    if log_file is None:
        yield
        return
    log_file.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    kept = {stream: os.dup(stream) for stream in (1, 2)}
    try:
        with log_file.open("ab") as sink:
            for stream in kept:
                os.dup2(sink.fileno(), stream)
        yield
    finally:
        for stream, terminal in kept.items():
            os.dup2(terminal, stream)
            os.close(terminal)


def _reason(problem: Exception, log_file: Path | None, start: int = 0) -> str:
    """What tells most in one line: the exception that came out of Spark, else what the JVM said as it died."""
    if "stopped SparkContext" in str(problem):
        return "the master did not answer. Is it up, and is spark.master its address?"
    for line in str(problem).splitlines():
        if line.startswith(": "):
            return line.removeprefix(": ")
    if log_file is None:
        return f"{str(problem).splitlines()[0]} See the lines above."
    with log_file.open("rb") as written:
        written.seek(start)
        lines = written.read().decode(errors="replace").splitlines()
    telling = [line.strip() for line in lines if line.strip() and not line.startswith(("\t", " ", "WARNING:"))]
    return f"{' / '.join(telling[-3:]) or 'the JVM said nothing'} (all of it is in {log_file})"
