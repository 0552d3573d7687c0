"""A researcher's experiment: how does the time in which a feeder is isolated carry over to the energy not served?

Run from the folder of the project: `python docs/gallery/researcher.py`. Some minutes; `python docs/gallery/researcher.py small` is quicker.
"""

import sys

import pandas as pd
import xarray as xr

import twin
import viz

minutes = (2, 4) if "small" in sys.argv else (2, 4, 6, 8, 10, 12)
nobody = {"gates_clear": None, "densest": None, "cars_away": None}
scenario = twin.load("configs/scenarios/first_look.yaml").with_(
    start="2014-08-16 21:38",
    duration="16 min",
    models={"traffic": {"mode": "meso", "vehicles": 1000}, "crowd": None},
    kpis=nobody,
    objectives={"leave_safely": None},
)

runs = []
for late in minutes:
    timeline = {"isolated": {"at": f"21:{40 + late}"}, "fed_back": {"at": f"21:{41 + late}"}}
    runs.append(twin.simulate(scenario.with_(timeline=timeline), out=f"runs/gallery/isolated-after-{late}"))

after = pd.Index(minutes, name="isolated_after_min")
unserved = xr.concat([run.fields["grid"].unserved_mw.sum("bus") for run in runs], after)
energy = unserved.integrate("time", "h") * 1000
energy.attrs = {"long_name": "energy not served", "units": "kW h"}
print(energy.round(1).to_series().to_string())
viz.plot.lines(runs[0], "grid.unserved_mw", title="Load not served").savefig("runs/gallery/unserved.png")
