"""Find the customers' clusters anew, under the labels that they had."""

from cdp_lib.contracts import gold
from cdp_lib.contracts.table import Table
from cdp_lib.settings.pack import Pack
from cdp_lib.workflow.context import JobContext
from cdp_lib.workflow.job import job
from jobs.forecasts.champions import renew
from jobs.forecasts.clusters import cluster_figures, cluster_fit, cluster_learner, model_name
from jobs.page import run_page


def reads_of(pack: Pack) -> tuple[Table, ...]:
    """The single view."""
    return (gold.customer(pack),)


@job(reads=(reads_of,), writes=(), shaped_by=("pack", "segmentation"))
def run(ctx: JobContext) -> None:
    """Clusters have no truth to be tried on: what is found takes the place of what was found before."""
    table = gold.customer(ctx.pack)
    for segmentation in ctx.pack.segmentations:
        if segmentation.method == "clusters" and ctx.input_version(table) is not None:
            figures = cluster_figures(ctx.read(table), segmentation)
            fit = cluster_fit(ctx.pack, segmentation, figures.count())
            renew(ctx, model_name(segmentation), fit, cluster_learner(ctx, segmentation, figures))


if __name__ == "__main__":
    run_page(__file__)
