"""What is kept of a verdict: rows for ops.quality_result, and Data Docs for people."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Any

from great_expectations.core import (
    ExpectationSuite,
    ExpectationSuiteValidationResult,
    ExpectationValidationResult,
    RunIdentifier,
)
from great_expectations.data_context.types.resource_identifiers import (
    ExpectationSuiteIdentifier,
    ValidationResultIdentifier,
)
from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

from cdp_lib.errors import QualityError
from quality.expectations import expectation_of
from quality.validation import Outcome, quiet_context, quiet_logs
from quality.verdict import Candidate, CheckResult, Figures, Verdict

_SITE = "run"
_FROM_THE_NET = re.compile(
    r"<script\b.*?</script>|<footer\b.*?</footer>|<(?:link|img)\b[^>]*https?://[^>]*>|url\(['\"]?https?://[^)]*\)",
    re.IGNORECASE | re.DOTALL,
)
"""What a page of GX would load from the net, the scripts that need it, and an advertisement."""

_LEADING_NUMBER = re.compile(r"^-?[0-9.]+(?:e[-+]?[0-9]+)?")


@dataclass(frozen=True)
class RunFacts:
    """Which run and job a verdict belongs to, and when it was given (an instant with a zone)."""

    run_id: str
    job: str
    checked_at: datetime


def result_rows(verdict: Verdict, facts: RunFacts) -> list[dict[str, object]]:
    """One row of ops.quality_result per check of the verdict: figures only."""
    return [
        {
            "run_id": facts.run_id,
            "job": facts.job,
            "table_name": verdict.table_name,
            "expectation": result.check.name,
            "column_name": ", ".join(result.check.columns),
            "severity": result.check.severity,
            "success": result.success,
            "observed": result.observed_text,
            "checked_at": facts.checked_at,
        }
        for result in verdict.results
    ]


def history_of(rows: Iterable[Mapping[str, Any]], table_name: str) -> Figures:
    """Check name -> figures of the table's publications, oldest first, read back from rows of ops.quality_result.

    A run in which an error-level check of the table failed published nothing and is left out.
    """
    own = [row for row in rows if row["table_name"] == table_name]
    refused = {row["run_id"] for row in own if row["severity"] == "error" and not row["success"]}
    figures: dict[str, tuple[float, ...]] = {}
    for row in sorted(own, key=lambda row: (row["checked_at"], row["run_id"])):
        number = _LEADING_NUMBER.match(row["observed"] or "")
        if number and row["run_id"] not in refused:
            name = str(row["expectation"])
            figures[name] = (*figures.get(name, ()), float(number[0]))
    return figures


def document_of(
    candidate: Candidate, results: Sequence[CheckResult], outcomes: Mapping[str, Outcome]
) -> dict[str, Any]:
    """The table's Great Expectations validation as JSON, from which Data Docs are built at any later time."""
    passed = sum(result.success for result in results)
    return {
        "suite_name": candidate.table.name,
        "success": passed == len(results),
        "results": [dict(outcomes[result.check.key].document) or _unevaluated(result) for result in results],
        "statistics": {
            "evaluated_expectations": len(results),
            "successful_expectations": passed,
            "unsuccessful_expectations": len(results) - passed,
            "success_percent": 100 * passed / len(results) if results else None,
        },
        "meta": {"as_of": candidate.as_of.isoformat(), "contract_hash": candidate.table.contract_hash()},
    }


def _unevaluated(result: CheckResult) -> dict[str, Any]:
    """A result that GX could not give, in GX's form: the obstacle's name stands for the exception's text."""
    key = result.check.key
    return dict(
        ExpectationValidationResult(
            success=result.success,
            expectation_config=expectation_of(result.check, "NULL").configuration,
            result={"observed_value": result.observed_text},
            exception_info={
                "raised_exception": bool(result.obstacle),
                "exception_message": f"{key}: {result.obstacle}" if result.obstacle else None,
                "exception_traceback": "",
            },
        ).to_json_dict()
    )


def build_data_docs(documents: Sequence[Mapping[str, Any]], folder: Path, facts: RunFacts) -> Path:
    """The index page of a run's Data Docs: one page per table, readable without a network. `folder` is made.

    `documents` are those of the run's verdicts, fresh or read back from JSON: nothing is validated again. Raises
    QualityError when a page cannot be rendered.
    """
    context = quiet_context()
    backend = {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(folder.absolute())}
    builder = {"class_name": "DefaultSiteIndexBuilder"}
    site: Any = {"class_name": "SiteBuilder", "store_backend": backend, "site_index_builder": builder}
    context.add_data_docs_site(_SITE, site | {"show_how_to_buttons": False})
    with quiet_logs():
        for document in documents:
            _store(context, document, facts)
        context.build_data_docs(site_names=[_SITE])
    for page in folder.rglob("*.html"):
        page.write_text(_offline(page.read_text("utf-8")), "utf-8")
    index = folder / "index.html"
    index.write_text(_index(documents, _pages(documents, folder, facts), facts), "utf-8")
    return index


def _pages(documents: Sequence[Mapping[str, Any]], folder: Path, facts: RunFacts) -> dict[str, Path]:
    """Table -> its page of this run. Raises QualityError where one is missing: GX only logs such a failure."""
    found = [page.relative_to(folder) for page in folder.glob("validations/**/*.html")]
    written = {page.stem: page for page in found if facts.run_id in page.parts}
    names = {str(document["suite_name"]) for document in documents}
    if names - set(written):
        raise QualityError(
            f"Data Docs of {', '.join(sorted(names - set(written)))} could not be rendered into {folder}."
        )
    return {name: written[name] for name in names}


def _index(documents: Sequence[Mapping[str, Any]], pages: Mapping[str, Path], facts: RunFacts) -> str:
    """The list of tables. GX's own index is drawn by scripts from the net."""
    lines = [
        f'<tr><td><a href="{escape(pages[document["suite_name"]].as_posix())}">{escape(document["suite_name"])}</a>'
        f"</td><td>{document['statistics']['evaluated_expectations']}</td>"
        f"<td>{document['statistics']['unsuccessful_expectations']}</td></tr>"
        for document in sorted(documents, key=lambda document: str(document["suite_name"]))
    ]
    return (
        f"<!DOCTYPE html><html><head><meta charset='utf-8'><title>Data Docs of {escape(facts.run_id)}</title>"
        f"<style>{_STYLE}</style></head><body><h1>Quality of run {escape(facts.run_id)}</h1>"
        f"<p>{facts.checked_at.isoformat()}</p><table><tr><th>table</th><th>checks</th><th>failed</th></tr>"
        f"{''.join(lines)}</table></body></html>"
    )


def _store(context: Any, document: Mapping[str, Any], facts: RunFacts) -> None:
    suite_name = str(document["suite_name"])
    configurations = [ExpectationConfiguration(**result["expectation_config"]) for result in document["results"]]
    suite = ExpectationSuite(suite_name, expectations=configurations)
    context.stores[context.expectations_store_name].set(ExpectationSuiteIdentifier(suite_name), suite)
    run = RunIdentifier(run_name=facts.run_id, run_time=facts.checked_at)
    results = [
        ExpectationValidationResult(**{**result, "expectation_config": configuration})
        for result, configuration in zip(document["results"], configurations, strict=True)
    ]
    validation = ExpectationSuiteValidationResult(
        success=document["success"],
        results=results,
        suite_name=suite_name,
        statistics=dict(document["statistics"]),
        meta={**document["meta"], "run_id": run.to_json_dict(), "job": facts.job},
    )
    identifier = ValidationResultIdentifier(ExpectationSuiteIdentifier(suite_name), run, batch_identifier=suite_name)
    context.stores[context.validation_results_store_name].set(identifier, validation)


def _offline(page: str) -> str:
    """The page without what it would load from the net, and with a few styles in its stead."""
    return _FROM_THE_NET.sub("", page).replace("</head>", f"<style>{_STYLE}</style></head>", 1)


_STYLE = """
body { font-family: sans-serif; margin: 2rem; }
table { border-collapse: collapse; width: 100%; }
td, th { border: 1px solid #ccc; padding: .3rem .6rem; text-align: left; vertical-align: top; }
.text-danger { color: #b00020; } .text-success { color: #1b5e20; }
.btn-group, .card-text { display: none; } ul { padding-left: 1.2rem; } .badge { background: #eee; padding: 0 .4rem; }
"""
