"""Credit everybody who brought somebody, once for each person, and nobody for bringing themself."""

from cdp_lib.contracts import identity, results, silver
from cdp_lib.transforms.campaign.referrals import referral_credits
from cdp_lib.workflow.context import JobContext
from cdp_lib.workflow.job import job
from jobs.page import run_page


@job(reads=(silver.REFERRAL, identity.IDENTITY_LINK), writes=(results.referrals,))
def run(ctx: JobContext) -> None:
    """All referrals anew: who is one person today may have been two yesterday."""
    referrals, links = ctx.read(silver.REFERRAL), ctx.read(identity.IDENTITY_LINK)
    credited = referral_credits(referrals, links, as_of=ctx.as_of, time_zone=ctx.pack.info.time_zone)
    ctx.write(results.REFERRAL_CREDIT, credited)


if __name__ == "__main__":
    run_page(__file__)
