"""List whom no message may reach: who unsubscribed, complained or bounced, and did not come back since."""

from cdp_lib.contracts import activation, identity, silver
from cdp_lib.transforms.activation.suppression import suppressed_customers
from cdp_lib.transforms.customer.traits import facts_of_people
from cdp_lib.workflow.context import JobContext
from cdp_lib.workflow.job import job
from jobs.page import run_page


@job(
    reads=(silver.CAMPAIGN_RESPONSE, silver.CONSENT, identity.IDENTITY_LINK),
    writes=(activation.suppression,),
    shaped_by=("pack", "audience", "activation"),
)
def run(ctx: JobContext) -> None:
    """Reactions and decisions of everybody, under today's ids; the list is made anew."""
    links = ctx.read(identity.IDENTITY_LINK)
    responses = facts_of_people(ctx.read(silver.CAMPAIGN_RESPONSE), links)
    consents = facts_of_people(ctx.read(silver.CONSENT), links)
    ctx.write(activation.SUPPRESSION, suppressed_customers(responses, consents))


if __name__ == "__main__":
    run_page(__file__)
