"""Landing files for a pack that has none: its sample of real data, or its simulated systems."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console

from cdp_lib.errors import ConfigError
from cdp_lib.settings.pack import Pack
from cdp_lib.simulate.sample import export_sample
from cdp_lib.simulate.systems import simulate
from jobs.compose import Suite


@dataclass(frozen=True)
class Size:
    """How much is simulated: people, days, and the seed that makes it repeatable."""

    customers: int = 2_000
    days: int = 60
    seed: int = 1


_MARK = "_simulated.json"


def fill_landing(suite: Suite, console: Console) -> None:
    """Export the pack's sample or simulate its systems, once; raises ConfigError where the pack has neither."""
    out = Path(suite.landing)
    if suite.pack.sample is not None:
        console.print(f"landing files: real data of {suite.pack.sample.package} into {out}", highlight=False)
        export_sample(suite.pack.sample, out, time_zone=suite.pack.info.time_zone)
    elif suite.pack.simulator is not None:
        simulate_into(suite.pack, Size(), out, console)
    else:
        raise ConfigError(
            f"pack {suite.pack.name} has neither sample.yml nor simulator.yml, so there is nothing to demonstrate. "
            f"Put files into {out} and use: cdp run daily --pack {suite.place.pack}"
        )


def simulate_into(pack: Pack, size: Size, out: Path, console: Console) -> None:
    """Write the simulated files, unless the very same lie there already."""
    if pack.simulator is None:
        raise ConfigError(f"pack {pack.name} has no simulator.yml. Copy one from another pack and adapt it.")
    wanted = {"simulator": pack.simulator.content_hash(), **asdict(size)}
    mark = out / _MARK
    if mark.exists() and json.loads(mark.read_text()) == wanted:
        console.print(f"landing files: already in {out}", highlight=False)
        return
    summary = simulate(pack.simulator, customers=size.customers, days=size.days, seed=size.seed, out=out)
    mark.write_text(json.dumps(wanted))
    console.print(f"landing files: {summary.files} files about {summary.people:,} people in {out}", highlight=False)
