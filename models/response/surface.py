"""The datasheet of response: options, ports and notices."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from models.response.network import SKILLS, Network
from twin.model import Model, Options
from twin.ports import FlowIn, FlowOut, In, Notice, Out
from twin.units import Quantity, Seconds

STATES = (
    "at depot",
    "turning out",
    "driving",
    "on scene",
    "working",
    "to hospital",
    "at hospital",
    "returning",
    "held up",
    "off duty",
    "standing by",
)
"""What a unit does, by its code."""
AT_DEPOT, TURNING_OUT, DRIVING, ON_SCENE, WORKING, TO_HOSPITAL, AT_HOSPITAL, RETURNING, HELD, OFF, STANDING_BY = range(len(STATES))
CAME = (ON_SCENE, WORKING, TO_HOSPITAL, AT_HOSPITAL)
"""The states of a unit that has been at the scene of its job."""


class ResponseOptions(Options):
    """The response stanza of a scenario."""

    dispatchers: int | None = Field(None, ge=0, le=1000, description="dispatchers of the command centre; the pack's when left out")
    handling: Seconds = Field(
        60, ge=1, description="mean time a dispatcher takes over a call (NFPA 1225: 60 s for nine in ten; from memory)"
    )
    spread: float = Field(0.4, ge=0, le=3, description="coefficient of variation of handling, work, loading and handing over (synthetic)")
    blue_factor: float = Field(
        1.3, ge=1, le=3, description="speed with blue lights over that of others, where dispatchers reckon (synthetic)"
    )
    walk: Quantity("m") = Field(300.0, ge=0, description="furthest that a crew walks from its vehicle (synthetic)")  # type: ignore[valid-type]
    strand_after: Seconds = Field(600, ge=30, description="a unit without a way, or so much later than reckoned, counts as stranded")
    messenger: Seconds = Field(300, ge=0, description="delay of an order to a depot that radio does not reach (synthetic)")
    loading: Seconds = Field(480, ge=1, description="mean time of an ambulance on the scene (synthetic)")
    handover: Seconds = Field(600, ge=1, description="mean time at a hospital's door (synthetic; the NHS aims at 15 min or less)")
    seats: int = Field(2, ge=1, le=20, description="green patients an ambulance takes at once; of the others one (synthetic)")
    callers: float = Field(
        12.0, ge=0, le=1000, description="calls an hour about a job that no crew has reached, or about ten patients who wait (synthetic)"
    )
    policy: Literal["nearest", "spread"] = Field("nearest", description="hospital of those that accept: soonest reached, or least crowded")


class Surface(Model):
    """What response shows and takes."""

    period_s = 5
    Options = ResponseOptions
    files = {"network": "response.json: command centre, depots with units, hospitals, streets"}
    engines = ("scipy", "numpy")
    moving = {0: "crew on free roads"}

    passing_s = In(at="spot", unit="s", kind="travel", label="time to drive along")
    dispatch_delay_s = In(at="skill", unit="s", kind="dispatch", label="wait until the desk answers")
    radio_up = In(at="depot", dtype=bool, fill=True, kind="service", label="radio reaches the depot")
    accepts = In(at="hospital", dtype=bool, fill=True, wake=True, kind="accepts", label="hospital takes patients")
    ed_share = In(at="hospital", kind="share", label="share of the department's capacity")
    orders = FlowOut(at="spot", kind="blue")
    reached = FlowIn(at="spot", kind="reached")
    handed_over = FlowOut(at="hospital", kind="patient")

    state = Out(
        at="unit", dtype=int, label="unit: " + ", ".join(f"{i} {name}" for i, name in enumerate(STATES)), cmap="tab20", range=(0, 10)
    )
    unit_skill = Out(
        at="unit", dtype=int, label="skill: " + ", ".join(f"{i} {name}" for i, name in enumerate(SKILLS)), cmap="tab10", range=(0, 9)
    )
    aboard = Out(at="unit", dtype=int, label="patients aboard")
    units_free = Out(at="depot", dtype=int, label="units at the depot")
    units_out = Out(at="depot", dtype=int, label="units out on a job")
    free = Out(at="skill", dtype=int, label="units that can be sent")
    jobs_waiting = Out(at="skill", dtype=int, label="jobs that want for a unit", cmap="YlOrRd", range=(0.0, 10.0))
    wait_s = Out(at="skill", unit="s", label="longest wait of a job without a unit", cmap="YlOrRd", range=(0.0, 1800.0))
    calls_per_h = Out(at="skill", unit="1/h", kind="calls", label="calls of the public about what is not attended to")
    calls_waiting = Out(at="centre", dtype=int, label="calls that wait for a dispatcher")
    jobs_open = Out(at="centre", dtype=int, label="jobs not done")
    jobs_done = Out(at="centre", dtype=int, label="jobs done since the start")
    patients_waiting = Out(at="centre", dtype=int, label="patients on scenes")
    patients_moving = Out(at="centre", dtype=int, label="patients in ambulances")
    reds_outside = Out(at="centre", dtype=int, label="red patients not yet in a hospital")
    delivered = Out(at="centre", dtype=int, label="patients brought to hospital since the start")

    called = Notice(at="unit")
    refused = Notice(at="unit", severity="warning")
    sent = Notice(at="unit")
    on_scene = Notice(at="unit")
    work_done = Notice(at="unit")
    recalled = Notice(at="unit")
    unmet = Notice(at="unit", severity="warning")
    stranded = Notice(at="unit", severity="warning")
    patients_delivered = Notice(at="unit")
    diverted = Notice(at="unit", severity="warning")
    roads_free = Notice(at="centre", severity="warning")

    network: Network


Kind = Annotated[Literal["power", "water", "gas", "fire", "ambulance", "police", "bus"], Field(description="what the crew can do")]
