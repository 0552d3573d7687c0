"""The datasheet of communications: options, ports and notices."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from models.comms.network import Network
from twin.model import Model, Options
from twin.ports import In, Notice, Out, State
from twin.units import Seconds

NONE, MAIN, RECOVERY = 0, 1, 2
"""Which data centre serves."""


class CommsOptions(Options):
    """The comms stanza of a scenario."""

    erlang_per_person: float = Field(0.02, ge=0, le=1, description="voice traffic a person offers in the busy hour (synthetic)")
    active_share: float = Field(0.1, gt=0, le=1, description="share of people who use data at one moment (synthetic)")
    phone_share: float = Field(0.92, ge=0, le=1, description="share of people whose telephone shows an alert (synthetic)")
    blocking_limit: float = Field(0.02, gt=0, lt=1, description="blocked calls from which a cell counts as overloaded (usual design: 2 %)")
    residents_factor: float = Field(1.0, ge=0, le=5, description="share of the areas' own people who are there")
    retry: Seconds = Field(10, description="seconds until a blocked caller tries again (synthetic)")
    manual_factor: float = Field(
        1.5, ge=1, le=10, description="time of a call without the data centre's records over that with them (synthetic)"
    )
    patience: Annotated[Seconds, Field(ge=1, le=86400)] = Field(
        180, description="mean time a caller waits for a dispatcher before hanging up (synthetic)"
    )
    fallback: Seconds = Field(600, description="delay when a desk cannot be called at all: by messenger (synthetic)")
    battery_charge: Annotated[float, Field(ge=0, le=1)] = Field(1.0, description="charge of all batteries at the start")


class Surface(Model):
    """What communications show and take."""

    period_s = 60
    Options = CommsOptions
    files = {"network": "comms.json: sites, links, areas, desks, terminals, recovery"}
    engines = ("scipy", "numpy")

    supplied = In(at="site", dtype=bool, fill=True, wake=True, kind="supply", label="site has mains")
    people = In(at="area", reduce="sum", kind="people", label="people of a crowd in the area")
    extra_calls_per_h = In(
        at="desk", unit="1/h", reduce="sum", kind="calls", label="calls about what is not attended to, beside the usual ones"
    )

    is_up = Out(at="site", dtype=bool, fill=True, label="site has power and works")
    in_service = Out(at="site", dtype=bool, fill=True, kind="service", label="site serves")
    battery_fraction = Out(at="site", fill=1.0, label="battery", cmap="RdYlGn", range=(0.0, 1.0))
    p_mw = Out(at="site", unit="MW", kind="load", label="electric power")
    attached_people = Out(at="site", label="people on the cell", cmap="viridis", range=(0.0, 5000.0))
    blocked_share = Out(at="site", label="share of calls blocked", cmap="Reds", range=(0.0, 0.5))
    per_person_mbit_per_s = Out(at="site", unit="Mbit/s", label="data rate of an active telephone")
    link_up = Out(at="link", dtype=bool, fill=True, label="fibre works")
    coverage = Out(at="area", fill=1.0, label="share of people with signal", cmap="RdYlGn", range=(0.0, 1.0))
    reach = Out(at="area", label="share of people whom an alert would reach now", cmap="RdYlGn", range=(0.0, 1.0))
    alerted = Out(at="area", kind="alert", label="share of people alerted", cmap="RdYlGn", range=(0.0, 1.0))
    private_coverage = Out(at="area", fill=1.0, label="share covered by private broadband", cmap="RdYlGn", range=(0.0, 1.0))
    dispatch_delay_s = Out(at="desk", unit="s", kind="dispatch", label="wait until a dispatcher answers", cmap="YlOrRd", range=(0.0, 600.0))
    calls_waiting = Out(at="desk", label="calls that wait")
    hung_up = Out(at="desk", label="callers who hung up before they were answered")
    desk_up = Out(at="desk", dtype=bool, fill=True, label="desk can be called")
    telemetry_up = Out(at="terminal", dtype=bool, fill=True, label="telemetry is heard")
    telemetry_true = Out(at="terminal", dtype=bool, fill=True, label="telemetry is heard and true")
    platform = Out(at="all", dtype=int, fill=1, label="data centre that serves: 0 none, 1 main, 2 recovery")
    covered_share = Out(at="all", fill=1.0, label="share of all people with signal")
    people_alerted = Out(at="all", label="people alerted")

    battery_kwh = State(at="site", unit="kWh")
    fuel_h = State(at="site", unit="h")
    off_s = State(at="site", unit="s", dtype=int)
    failed = State(at="site", dtype=bool)
    asleep = State(at="site", dtype=bool)
    cut = State(at="link", dtype=bool)
    servers_lost = State(at="all", dtype=bool)
    spoofed = State(at="terminal", dtype=bool)
    terminal_lost = State(at="terminal", dtype=bool)
    call_factor = State(at="area", fill=1.0)
    channel = State(at="area", dtype=int)
    alert_s = State(at="area", unit="s", dtype=int)
    alerted_share = State(at="area")
    dispatchers = State(at="desk", dtype=int)
    calls_per_h = State(at="desk", unit="1/h")
    was_up = State(at="site", dtype=bool, fill=True)
    was_joined = State(at="site", dtype=bool, fill=True)
    was_busy = State(at="site", dtype=bool)
    was_heard = State(at="terminal", dtype=bool, fill=True)
    was_over = State(at="desk", dtype=bool)
    was_answering = State(at="desk", dtype=bool, fill=True)

    site_dark = Notice(at="site", severity="warning")
    site_back = Notice(at="site")
    site_isolated = Notice(at="site", severity="warning")
    site_joined = Notice(at="site")
    cell_overloaded = Notice(at="site", severity="warning")
    telemetry_lost = Notice(at="terminal", severity="warning")
    telemetry_back = Notice(at="terminal")
    desk_overloaded = Notice(at="desk", severity="warning")
    desk_unreachable = Notice(at="desk", severity="alarm")
    desk_back = Notice(at="desk")
    platform_lost = Notice(at="all", severity="alarm")
    platform_back = Notice(at="all")
    alert_sent = Notice(at="area")
    alert_failed = Notice(at="area", severity="alarm")
    alert_ended = Notice(at="area")

    network: Network
