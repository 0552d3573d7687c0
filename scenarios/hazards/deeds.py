"""Hazards of people: an attack on signals, servers and links; a crash on the road; what befalls a crowd."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field

from scenarios.hazards.effect import Effect
from scenarios.hazards.ground import Ground
from scenarios.hazards.kind import At, Injured, Kind, brought
from twin.units import Quantity, Seconds


class Cyber(Kind):
    """Remote terminals say what is not so or nothing, servers are lost, sites fail, links are cut; all back at `ends`."""

    strikes: ClassVar[tuple[str, ...]] = ("comms",)

    at: At
    spoofed: tuple[str, ...] = Field((), description="terminals that say what somebody else wants")
    silenced: tuple[str, ...] = Field((), description="terminals that say nothing")
    cut: tuple[str, ...] = Field((), description="fibre links")
    failed: tuple[str, ...] = Field((), description="sites")
    servers: bool = Field(False, description="the data centre's servers are lost")
    ends: str | None = Field(None, description="when all of it is undone")

    def effects(self, ground: Ground) -> list[Effect]:
        """Return the attack, and its end."""
        t_s = ground.moment_s("at", self.at)
        found = self._verbs(ground, t_s, ("spoof", "lose_terminal", "cut_link", "fail_site"), "lose_servers", "an attack")
        if self.ends is not None:
            back = ("clear_spoof", "restore_terminal", "splice_link", "restore_site")
            found += self._verbs(ground, ground.moment_s("ends", self.ends), back, "restore_servers", "the attack is over")
        if not found and ground.has("comms"):
            ground.say("spoofed", "nothing is attacked; name 'spoofed', 'silenced', 'cut', 'failed' or write 'servers: true'")
        return found

    def _verbs(self, ground: Ground, t_s: int, verbs: tuple[str, ...], servers: str, why: str) -> list[Effect]:
        if not ground.has("comms"):
            return []
        found = []
        named = (("spoofed", "terminal"), ("silenced", "terminal"), ("cut", "link"), ("failed", "site"))
        for (key, elements), verb in zip(named, verbs, strict=True):
            for id in getattr(self, key):
                ground.known(key, "comms", elements, id)
                found.append(Effect(t_s, "comms", verb, id, {elements: id}, why))
        return [*found, Effect(t_s, "comms", servers, "", {}, why)] if self.servers else found


class RoadCrash(Kind):
    """Vehicles crash: the road is closed, or passed at a walk, until it is cleared; people are hurt."""

    strikes: ClassVar[tuple[str, ...]] = ("traffic", "health")
    also: ClassVar[tuple[str, ...]] = ("response",)

    at: At
    edge: str
    passed_at: Annotated[Quantity("m/s"), Field(gt=0, le=20)] | None = Field(None, description="speed past it; closed when left out")
    cleared_after: Seconds | None = Field(None, description="until the road is free again; never when left out")
    injured: Injured | None = None

    def effects(self, ground: Ground) -> list[Effect]:
        """Return the closed or slow road, its clearing, the people who are hurt."""
        t_s = ground.moment_s("at", self.at)
        if not ground.has("traffic") or not ground.known("edge", "traffic", "edge", self.edge):
            return []
        closed = self.passed_at is None
        shut = {"edge": self.edge} if closed else {"edge": self.edge, "speed_m_per_s": self.passed_at}
        found = [Effect(t_s, "traffic", "close" if closed else "slow", self.edge, shut, "a crash")]
        if self.cleared_after is not None and t_s + self.cleared_after <= ground.context.duration_s:
            verb = "reopen" if closed else "unslow"
            found.append(Effect(t_s + self.cleared_after, "traffic", verb, self.edge, {"edge": self.edge}, "cleared"))
        at_m = ground.middle("traffic", "edge", self.edge)
        return [*found, *brought(ground, self.injured, t_s, at_m, "hurt in the crash")]


class CrowdHazard(Kind):
    """Exits shut or jam, trains stop, an area must be left (a threat): what the crowd then does is the crowd model's."""

    strikes: ClassVar[tuple[str, ...]] = ("crowd",)

    at: At
    shut: tuple[str, ...] = Field((), description="gates nobody gets through")
    narrowed: dict[str, Annotated[Quantity("m"), Field(gt=0, le=100)]] = Field({}, description="gate: the width that is left")
    threatened: tuple[str, ...] = Field((), description="areas that everybody is sent away from")
    stopped: tuple[str, ...] = Field((), description="stations without trains")
    ends: str | None = Field(None, description="when all of it is undone")

    def effects(self, ground: Ground) -> list[Effect]:
        """Return what befalls the crowd, and its end."""
        if not ground.has("crowd"):
            return []
        named = [("shut", "gate", "close_gate", "open_gate", id, {}) for id in self.shut]
        named += [("narrowed", "gate", "narrow_gate", "open_gate", id, {"width_m": width}) for id, width in self.narrowed.items()]
        named += [("threatened", "area", "alert", "all_clear", id, {}) for id in self.threatened]
        named += [("stopped", "station", "stop_trains", "resume_trains", id, {}) for id in self.stopped]
        t_s = ground.moment_s("at", self.at)
        ends_s = ground.moment_s("ends", self.ends) if self.ends is not None else None
        found = []
        for key, elements, verb, back, id, more in named:
            ground.known(key, "crowd", elements, id)
            found.append(Effect(t_s, "crowd", verb, id, {elements: id, **more}, f"{key} by {ground.name}"))
            if ends_s is not None:
                found.append(Effect(ends_s, "crowd", back, id, {elements: id}, "over"))
        if not found:
            ground.say("shut", "nothing befalls the crowd; name 'shut', 'narrowed', 'threatened' or 'stopped'")
        return found


DEEDS: dict[str, type[Any]] = {"cyber": Cyber, "road_crash": RoadCrash, "crowd": CrowdHazard}
