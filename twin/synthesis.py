"""Makes a city pack from its sources: `twin city build PACK` lays the base, then every network along it."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from twin import blocks, geojson, schematic
from twin.base import Base, Coupling, Laid, Need
from twin.city import HEADER, City, crossings
from twin.errors import InputError, Problem, StorageError, nearest
from twin.inventory import model_class
from twin.model import Setup

PROVENANCE = "provenance.json"
"""What was made of what: checks, invented figures and the SHA-256 of every generated file."""

Progress = Callable[[str], None]


@dataclass
class Report:
    """What a build made.

    `elements`: model -> element set -> count; `couplings`: kind -> rows; `files`: name -> bytes;
    `unmet`: needs that no network laid later answered; `changed`: files whose bytes are new.
    """

    files: dict[str, int] = field(default_factory=dict)
    elements: dict[str, dict[str, int]] = field(default_factory=dict)
    checks: dict[str, dict[str, str]] = field(default_factory=dict)
    synthetic: dict[str, dict[str, str]] = field(default_factory=dict)
    couplings: dict[str, int] = field(default_factory=dict)
    unmet: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)

    def plain(self) -> dict[str, Any]:
        """Return the report as plain data."""
        return asdict(self)


def build(pack: str | Path, progress: Progress = lambda _: None) -> Report:
    """Make the pack's generated files anew, byte-identical for the same sources and versions.

    Nothing in the pack changes unless every step succeeds: files are made in a folder beside them
    and moved at the end. InputError: the sources are wrong, a network fails the checks of its trade,
    or what was laid does not fit together.
    """
    city = City(pack)
    if city.manifest.base is None and not city.manifest.build:
        raise _problem(city, "nothing to build: the manifest has neither `base:` nor `build:`; the pack is used as it is")
    synths = _synths(city)
    report = Report()
    try:
        scratch = Path(tempfile.mkdtemp(prefix=".build-", dir=city.folder.resolve()))
    except OSError as error:
        raise StorageError(f"{city.folder}: cannot be written to: {error.strerror}") from error
    try:
        work = scratch / "pack"
        work.mkdir()
        names = _base_files(city, work, progress)
        base = _read_base(city, work)
        laid = _lay(city, synths, base, work, progress)
        names += [name for one in laid.values() for name in one.files.values()]
        rows = _rows(city, laid)
        names += _write_couplings(city, work, rows)
        _verify(city, laid, work, progress)
        _fill(report, base, laid, rows)
        _write_provenance(city, work, sorted(names), report)
        report.changed = _move(city, work, [*sorted(names), PROVENANCE])
        report.files = {name: (city.folder / name).stat().st_size for name in [*sorted(names), PROVENANCE]}
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return report


def _problem(city: City, what: str, *where: Any) -> InputError:
    return InputError(Problem(what, str(city.file), city.locate(where)))


def _synths(city: City) -> dict[str, EntryPoint]:
    """Find the synth of every model of `build:`, in its order; InputError for one that is not installed."""
    known = {found.name: found for found in entry_points(group="twin.synth")}
    wrong = [
        Problem(f"build: {nearest(name, known, what='synth')}", str(city.file), city.locate(("build", i)))
        for i, name in enumerate(city.manifest.build)
        if name not in known
    ]
    if wrong:
        raise InputError(wrong)
    return {name: known[name] for name in city.manifest.build}


def _base_files(city: City, work: Path, progress: Progress) -> list[str]:
    """Draw streets and buildings where the manifest has a `base:` stanza; return the names of the files made."""
    manifest = city.manifest
    if manifest.base is None:
        return []
    if manifest.streets is None or manifest.buildings is None:
        raise _problem(city, "base: name the files it makes: `streets: streets.geojson` and `buildings: buildings.geojson`", "base")
    wrong = [
        Problem(f"base.{path[0]}: {what}", str(city.file), city.locate(("base", *path)))
        for path, what in schematic.unknown(manifest.base, city.places())
    ]
    if wrong:
        raise InputError(wrong)
    progress("base")
    streets = schematic.streets(manifest.base, city.places())
    buildings = blocks.buildings(manifest.base, city.places(), streets)
    geojson.write(_made(work, manifest.streets), map(geojson.street_feature, streets), *city.frame)
    geojson.write(_made(work, manifest.buildings), map(geojson.building_feature, buildings), *city.frame)
    return [manifest.streets, manifest.buildings]


def _made(work: Path, name: str) -> Path:
    path = work / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _read_base(city: City, work: Path) -> Base:
    """Read the base that was just written: networks are laid along what the files say."""
    if city.manifest.base is None:
        return city.base()
    manifest = city.manifest
    streets = geojson.streets(work / str(manifest.streets), *city.frame)
    buildings = geojson.buildings(work / str(manifest.buildings), *city.frame)
    return Base(
        manifest.name, manifest.crs, manifest.base.seed if manifest.base else 0, crossings(streets), streets, buildings, city.places()
    )


def _lay(city: City, synths: Mapping[str, EntryPoint], base: Base, work: Path, progress: Progress) -> dict[str, Laid]:
    laid: dict[str, Laid] = {}
    for name, entry in synths.items():
        progress(name)
        laid[name] = entry.load()(base, dict(laid), work, city.manifest.options.get(name, {}))
        wrong = list(_unlike(city, name, laid[name], work))
        if wrong:
            raise InputError(wrong)
    return laid


def _unlike(city: City, model: str, laid: Laid, work: Path) -> Iterable[Problem]:
    """Yield where the files a synth made differ from the manifest's."""
    declared = city.manifest.models[model].files
    line = city.locate(("models", model, "files"))
    for role, name in sorted(laid.files.items()):
        if declared.get(role) != name:
            said = f"says '{declared[role]}'" if role in declared else "does not have it"
            yield Problem(f"models.{model}.files: the build makes `{role}: {name}`, the manifest {said}", str(city.file), line)
        if not (work / name).is_file():
            yield Problem(f"models.{model}: its synth says it made '{name}' and did not", str(city.file), line)
    for role in sorted(set(declared) - set(laid.files)):
        yield Problem(f"models.{model}.files: the build makes no '{role}'; take it out", str(city.file), line)


def _rows(city: City, laid: Mapping[str, Laid]) -> list[Coupling]:
    """Return the coupling rows of all synths, sorted, and those the pack has between models it does not build."""
    rows = {row for one in laid.values() for row in one.couplings}
    ids = {name: {id for elements in one.elements.values() for id in elements.ids} for name, one in laid.items()}
    wrong = []
    for row in sorted(rows, key=_key):
        for name, id in ((row.source, row.source_element), (row.target, row.target_element)):
            if name not in city.manifest.models:
                wrong.append(
                    Problem(f"coupling {','.join(_key(row))}: {nearest(name, city.manifest.models, what='model')}", str(city.file))
                )
            elif name in ids and id not in ids[name]:
                wrong.append(
                    Problem(f"coupling {','.join(_key(row))}: {nearest(id, sorted(ids[name]), what=f'element of {name}')}", str(city.file))
                )
    if wrong:
        raise InputError(wrong)
    if city.couplings_file.is_file():
        rows |= {one.coupling for one in city.couplings() if one.coupling.source not in laid and one.coupling.target not in laid}
    return sorted(rows, key=_key)


def _key(row: Coupling) -> tuple[str, ...]:
    return (row.source, row.source_element, row.target, row.target_element, row.kind)


def _write_couplings(city: City, work: Path, rows: list[Coupling]) -> list[str]:
    if city.manifest.couplings is None:
        if rows:
            raise _problem(city, f"the networks are coupled by {len(rows)} rows; add `couplings: couplings.csv`")
        return []
    lines = [",".join(HEADER), *(",".join(_key(row)) for row in rows)]
    _made(work, city.manifest.couplings).write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
    return [city.manifest.couplings]


def _verify(city: City, laid: Mapping[str, Laid], work: Path, progress: Progress) -> None:
    """Read every network made as its model will, and compare the elements with what the synth said."""
    for name, one in laid.items():
        progress(f"check {name}")
        files = {role: work / file for role, file in one.files.items()}
        setup = Setup(name, files, work.parent / name, offset_m=city.offset_m(name), start=datetime(2014, 8, 16, 20))
        found = model_class(name).read(setup).elements()
        for elements, said in sorted(one.elements.items()):
            if elements not in found or set(said.ids) != set(found[elements].ids):
                count = len(found[elements]) if elements in found else "none"
                raise _problem(
                    city, f"models.{name}: its synth laid {len(said)} of '{elements}', the model reads {count} or others", "models", name
                )


def _fill(report: Report, base: Base, laid: Mapping[str, Laid], rows: list[Coupling]) -> None:
    report.elements["base"] = {name: len(getattr(base, name)) for name in ("crossings", "streets", "buildings", "places")}
    report.elements |= {name: {kind: len(elements) for kind, elements in sorted(one.elements.items())} for name, one in laid.items()}
    report.checks = {name: dict(one.checks) for name, one in laid.items()}
    report.synthetic = {name: dict(one.synthetic) for name, one in laid.items()}
    report.couplings = dict(sorted(Counter(row.kind for row in rows).items()))
    met = {(row.target, row.target_element, row.kind) for row in rows} | {(row.source, row.source_element, row.kind) for row in rows}
    wants = ((name, need) for name, one in laid.items() for need in one.needs)
    report.unmet = [_said(name, need) for name, need in wants if (name, need.element, need.kind) not in met]


def _said(model: str, need: Need) -> str:
    return f"{model} {need.element}: {need.kind}"


def _write_provenance(city: City, work: Path, names: list[str], report: Report) -> None:
    """Write what a reader of the pack must know of it; no dates, so that a rebuild is the same."""
    manifest = city.manifest
    written = {
        "city": manifest.name,
        "provenance": manifest.provenance,
        "crs": manifest.crs,
        "origin_m": list(manifest.origin_m),
        "seed": manifest.base.seed if manifest.base else None,
        "synthetic": {"city": list(manifest.synthetic), **report.synthetic},
        "checks": report.checks,
        "elements": report.elements,
        "couplings": report.couplings,
        "unmet": report.unmet,
        "sha256": {name: hashlib.sha256((work / name).read_bytes()).hexdigest() for name in names},
    }
    (work / PROVENANCE).write_text(json.dumps(written, indent=1, ensure_ascii=False) + "\n", encoding="utf-8", newline="\n")


def _move(city: City, work: Path, names: list[str]) -> list[str]:
    """Move the files into the pack, the provenance last; return the names of those whose bytes changed."""
    changed = []
    try:
        for name in names:
            target = city.folder / name
            if not target.is_file() or target.read_bytes() != (work / name).read_bytes():
                changed.append(name)
                target.parent.mkdir(parents=True, exist_ok=True)
                (work / name).replace(target)
    except OSError as error:
        raise StorageError(f"{city.folder}: {error.strerror}; run `twin city build` again: the pack is half rebuilt") from error
    return changed
