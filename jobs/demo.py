"""Landing files for a pack that has none: its sample of real data, or its simulated systems."""

import json
from pathlib import Path

from rich.console import Console

from cdp_lib.errors import ConfigError
from cdp_lib.settings.pack import Pack
from cdp_lib.simulate.sample import export_sample
from cdp_lib.simulate.systems import simulate
from jobs.compose import Suite

DEMO_CUSTOMERS = 2_000
DEMO_DAYS = 60
DEMO_SEED = 1
_MARK = "_simulated.json"


def fill_landing(suite: Suite, console: Console) -> None:
    """Export the pack's sample or simulate its systems, once; raises ConfigError where the pack has neither."""
    out = Path(suite.landing)
    if suite.pack.sample is not None:
        console.print(f"landing files: real data of {suite.pack.sample.package} into {out}", highlight=False)
        export_sample(suite.pack.sample, out, time_zone=suite.pack.info.time_zone)
    elif suite.pack.simulator is not None:
        simulate_into(suite.pack, DEMO_CUSTOMERS, DEMO_DAYS, DEMO_SEED, out, console)
    else:
        raise ConfigError(
            f"pack {suite.pack.name} has neither sample.yml nor simulator.yml, so there is nothing to demonstrate. "
            f"Put files into {out} and use: cdp run daily --pack {suite.place.pack}"
        )


def simulate_into(pack: Pack, customers: int, days: int, seed: int, out: Path, console: Console) -> None:
    """Write the simulated files, unless the very same lie there already."""
    if pack.simulator is None:
        raise ConfigError(f"pack {pack.name} has no simulator.yml. Copy one from another pack and adapt it.")
    wanted = {"simulator": pack.simulator.content_hash(), "customers": customers, "days": days, "seed": seed}
    mark = out / _MARK
    if mark.exists() and json.loads(mark.read_text()) == wanted:
        console.print(f"landing files: already in {out}", highlight=False)
        return
    summary = simulate(pack.simulator, customers=customers, days=days, seed=seed, out=out)
    mark.write_text(json.dumps(wanted))
    console.print(f"landing files: {summary} in {out}", highlight=False)
