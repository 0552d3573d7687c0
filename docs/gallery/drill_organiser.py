"""A drill organiser's evening: rehearse, look, hand out the report and the replay.

Run from the folder of the project: `python docs/gallery/drill_organiser.py`. Two minutes; `python docs/gallery/drill_organiser.py small`
is quicker. The same by hand: `twin run`, `twin shot`, `twin report`, `twin replay`.
"""

import sys

import twin
import viz
from viz.replay import replay
from viz.report import report

scenario = twin.load("configs/scenarios/first_look.yaml")
if "small" in sys.argv:
    small = {"traffic": {"vehicles": 150}, "crowd": {"people": 300}}
    scenario = scenario.with_(
        start="2014-08-16 21:38", duration="6 min", models=small, timeline={"isolated": {"at": "21:42"}, "fed_back": None}
    )
run = twin.simulate(scenario, out="runs/gallery/drill")

print(run)
viz.scene(run, size=(960, 540)).at("21:42").save("runs/gallery/drill.png")
report(run, "runs/gallery/drill-report.html")
report(run, "runs/gallery/drill-report.pdf")
replay(run, "runs/gallery/drill-replay.html", language="zh")
