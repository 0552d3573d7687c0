"""A planner's what-if: is the street in front of the stadium's gates better closed to cars while people leave?

Run from the folder of the project: `python docs/gallery/planner.py`. Some minutes; `python docs/gallery/planner.py small` is quicker.
"""

import sys

import twin
import viz
from viz.compare import compare

scenario = twin.load("configs/scenarios/first_look.yaml").with_(
    timeline={"feeder_fault": None, "second_fault": None, "isolated": None, "fed_back": None}
)
if "small" in sys.argv:
    scenario = scenario.with_(duration="6 min", models={"traffic": {"vehicles": 150}, "crowd": {"people": 300}})
closing = {"closed": {"at": "21:32", "do": "traffic.close", "edge": "S0175f"}}

as_it_is = twin.simulate(scenario.with_(name="as_it_is"), out="runs/gallery/as_it_is")
closed = twin.simulate(scenario.with_(name="closed", timeline=closing), out="runs/gallery/closed")

print(as_it_is.kpis[["label", "value", "unit"]].join(closed.kpis["value"], rsuffix=" closed").to_string(index=False))
compare(as_it_is, closed, "runs/gallery/closed-or-not.html")
viz.map(closed, "21:35", "traffic.speed_m_per_s", "crowd.density").savefig("runs/gallery/closed.png")
