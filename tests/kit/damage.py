"""Damages the files of a run, one at a time, and says what became of it: noticed, harmless, or wrong without a word."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import random
import shutil
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

Damage = Callable[[bytes, random.Random], bytes | None]

WAYS: dict[str, Damage] = {
    "removed": lambda data, chance: None,
    "emptied": lambda data, chance: b"",
    "cut to a third": lambda data, chance: data[: len(data) // 3],
    "cut by a byte": lambda data, chance: data[:-1],
}


def flipped(data: bytes, chance: random.Random) -> bytes:
    """Return `data` with one bit turned over."""
    at = chance.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]


def said_by(folder: Path) -> str:
    """Return the digest of all that a reader of a run is told: fields, tracks, journal, sheets, city, KPIs, ledger, summary."""
    import twin
    from twin import report

    run = twin.open_run(folder)
    total = hashlib.sha256(repr((run.status, run.committed_s, run.duration_s, str(run.start), run.models)).encode())
    for name in run.models:
        fields = run.fields[name].load()
        for port in sorted(fields.variables):
            total.update(f"{name}.{port}{fields[port].attrs}".encode() + fields[port].values.astype(str).tobytes())
        total.update(run.tracks(name).to_csv().encode() + repr(run.static[name]).encode() + repr(run.looks(name)).encode())
    total.update(run.events.to_csv().encode() + repr(run.city).encode())
    total.update(run.kpis.to_csv().encode() + run.ledger.to_csv().encode() + repr(run).encode())
    with contextlib.redirect_stdout(io.StringIO()):
        report.show(run)
    return total.hexdigest()


def goes_on(folder: Path) -> str:
    """Take a run up and return the digest of its data at its end."""
    import twin
    from twin.storage import digest

    twin.resume(folder, hosts="inline")
    return digest(folder)


def branches(folder: Path) -> str:
    """Branch off a run without a change and return the digest of its data at its end."""
    import twin
    from twin.storage import digest

    out = folder.with_name(folder.name + "-branch")
    try:
        twin.branch(folder, 1000, out=out, hosts="inline")
        return digest(out)
    finally:
        shutil.rmtree(out, ignore_errors=True)


def verdict(use: Callable[[Path], str], folder: Path, right: str) -> str:
    """Return what using a damaged run came to."""
    from twin.errors import TwinError

    try:
        got = use(folder)
    except TwinError as error:
        text = str(error)
        if error.exit_code not in (2, 4) or not text or "\n" in text.strip():
            return f"refused oddly ({error.exit_code}): {text}"
        return "noticed"
    except Exception:  # noqa: BLE001 - whatever comes is the finding
        return (
            "traceback: "
            + traceback.format_exc().strip().splitlines()[-1]
            + " in "
            + traceback.format_exc().strip().splitlines()[-3].strip()
        )
    return "harmless" if got == right else "unnoticed"


def cases(folder: Path, flips: int, seed: int) -> Iterator[tuple[str, str, bytes | None]]:
    """Yield (file, damage, its new content) for every file of a run."""
    chance = random.Random(seed)
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        data, name = path.read_bytes(), path.relative_to(folder).as_posix()
        for way, damage in WAYS.items():
            yield name, way, damage(data, chance)
        for _ in range(flips if data else 0):
            yield name, "flipped", flipped(data, chance)


def main() -> None:
    """`python damage.py FOLDER FLIPS EVERY`: make a finished and an unfinished run, damage each file, print what was seen."""
    import mini
    import sixth

    import twin
    from twin.simulation import Simulation

    folder, flips, every = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    sixth.register(None)
    scenario = mini.write(folder / "pack")
    twin.simulate(scenario, folder / "done", checkpoint_every_s=300, hosts="inline")
    with Simulation(scenario, folder / "left", checkpoint_every_s=300, hosts="inline") as simulation:
        simulation.until(1000)
    whole = twin.open_run(folder / "done").digest
    found = []
    for run, uses in (("done", {"read": said_by, "branch": branches}), ("left", {"read": said_by, "resume": goes_on})):
        right = {"read": said_by(folder / run), "branch": whole, "resume": whole}
        for number, (file, way, data) in enumerate(cases(folder / run, flips, 20140816)):
            if number % every:
                continue
            for name, use in uses.items():
                copy = folder / "copy"
                shutil.rmtree(copy, ignore_errors=True)
                shutil.copytree(folder / run, copy)
                (copy / file).unlink()
                if data is not None:
                    (copy / file).write_bytes(data)
                found.append([run, file, way, name, verdict(use, copy, right[name])])
    print(json.dumps(found))


if __name__ == "__main__":
    main()
