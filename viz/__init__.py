"""Pictures of runs; computes nothing.

`viz.scene(run).at("21:42").show()`, `viz.map(run, "21:42", "crowd.density")`, `viz.plot.lines(run, "water.pressure_m", at=["J17"])`.
"""

from viz import plot
from viz.map import draw as map  # hides the module of the same name: import from it, never as `viz.map`
from viz.scene import Scene, scene

__all__ = ["Scene", "map", "plot", "scene"]
