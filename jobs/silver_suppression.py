"""List whom no message may reach: who unsubscribed, complained or bounced, and did not come back since."""

from cdp_lib.contracts import activation, identity, silver
from cdp_lib.transforms.activation.suppression import suppressed_customers
from cdp_lib.transforms.campaign.answers import answers_of_holders, without_former_addresses
from cdp_lib.transforms.customer.traits import facts_of_people
from cdp_lib.workflow.context import JobContext
from cdp_lib.workflow.job import job
from jobs.page import run_page


@job(
    reads=(silver.CAMPAIGN_RESPONSE, silver.CONSENT, identity.IDENTITY_LINK, identity.GOLDEN_RECORD),
    writes=(activation.suppression,),
    shaped_by=("pack", "audience", "activation"),
)
def run(ctx: JobContext) -> None:
    """Reactions and decisions of everybody, under today's ids; the list is made anew.

    An answer that names a mailbox and no message of ours is everybody's who holds the mailbox today; what bounced from
    an address concerns nobody who is reached by another one now.
    """
    links, responses = ctx.read(identity.IDENTITY_LINK), ctx.read(silver.CAMPAIGN_RESPONSE)
    golden_records = ctx.read(identity.GOLDEN_RECORD)
    of_people = without_former_addresses(facts_of_people(responses, links), golden_records)
    of_holders = answers_of_holders(responses, golden_records)
    consents = facts_of_people(ctx.read(silver.CONSENT), links)
    ctx.write(activation.SUPPRESSION, suppressed_customers(of_people.unionByName(of_holders), consents))


if __name__ == "__main__":
    run_page(__file__)
