"""A disk that is full from some moment on: the n-th time that a folder is written to and ever after, until there is room again.

Written to: a file opened for writing, a folder made, a file moved into place, by whatever library. Run as a program it lets a small
run with checkpoints meet a full disk at each of these moments, makes room, and lets it go on; it prints what was seen as JSON.
"""

from __future__ import annotations

import errno
import json
import os
import sys
from pathlib import Path
from typing import Any


class FullDisk:
    """Refuses writes inside `folder` while `room` writes have been used up; None: there is always room."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.room, self.used = str(folder), None, 0
        sys.addaudithook(self._hear)

    def _hear(self, event: str, about: tuple[Any, ...]) -> None:
        if self.room is None or event not in ("open", "os.mkdir", "os.rename") or not isinstance(about[0], str | os.PathLike):
            return
        path = os.fspath(about[0])
        if not path.startswith(self.folder) or (event == "open" and not about[2] & (os.O_WRONLY | os.O_RDWR)):
            return
        self.used += 1
        if self.used > self.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)


def attempt(disk: FullDisk, scenario: Path, out: Path, room: int) -> dict[str, Any]:
    """Run with room for so many writes; then look at what is left, make room and go on."""
    import twin
    from twin.errors import TwinError
    from twin.storage import digest

    disk.room, disk.used = room, 0
    said: dict[str, Any] = {"room": room, "code": 0, "says": ""}
    try:
        twin.simulate(scenario, out, checkpoint_every_s=300, hosts="inline")
    except TwinError as error:
        said |= {"code": error.exit_code, "says": str(error)}
    said["writes"] = disk.used
    disk.room = None
    if (out / "manifest.json").exists():
        run = twin.open_run(out)
        held = {name: run.fields[name].load().sizes["time"] for name in run.models}
        said |= {"status": run.status, "committed_s": run.committed_s, "samples": sorted(set(held.values())), "events": len(run.events)}
        said["expected"] = len(run.times_s)
        if run.status != "done":
            twin.resume(out)
    else:
        twin.simulate(scenario, out, checkpoint_every_s=300, hosts="inline")
    return said | {"digest": digest(out), "at_last": twin.open_run(out).status}


def main() -> None:
    """`python full_disk.py FOLDER EVERY`: every so many writes, the disk fills; all is printed."""
    import mini
    import sixth

    folder, every = Path(sys.argv[1]), int(sys.argv[2])
    sixth.register(None)
    scenario = mini.write(folder / "pack")
    runs = folder / "runs"
    runs.mkdir()
    disk = FullDisk(runs)
    whole = attempt(disk, scenario, runs / "whole", 10**9)
    found = [attempt(disk, scenario, runs / f"{room}", room) for room in range(0, whole["writes"], every)]
    print(json.dumps({"whole": whole, "found": found}))


if __name__ == "__main__":
    main()
