// The journal of the runs as entries on the common clock, and how an entry reads.
import { numberText, plainWords, say } from "./words.js";

const DONE = new Set(["action", "inject"]);
const GRAVE = new Set(["warning", "error", "critical", "alarm"]);

// All entries of the runs in order, equal ones of one second together.
export function readJournal(runs) {
  const entries = [];
  for (const run of runs) {
    let last = null;
    for (const row of run.journal) {
      const key = `${row.t_s}|${row.kind}|${row.model}|${row.name}|${row.source}`;
      if (last && last.key === key && !DONE.has(row.kind)) {
        last.elements.push(row.element);
        continue;
      }
      const shape = DONE.has(row.kind) ? row.kind : "notice";
      const grave = GRAVE.has(row.severity) || row.kind === "degraded";
      last = { key, run, row, shape, grave, second: Math.max(0, row.t_s + run.offset_s), elements: [row.element] };
      entries.push(last);
    }
  }
  return entries.sort((one, other) => one.second - other.second);
}

export function describe(entry, app) {
  const { row, elements, run } = entry;
  const whose = app.runs.length > 1 ? `${say(`run_${run.key}`)} · ` : "";
  const named = elements.filter(Boolean);
  const which = named.length > 3 ? `${named.slice(0, 3).join(", ")} + ${named.length - 3}` : named.join(", ");
  return `${whose}${[plainWords(row.model), plainWords(row.name)].filter(Boolean).join(" · ")}${which ? ` ${which}` : ""}`;
}

// What the entry says besides: 'cause: fault, breaker: CB1'.
export function facts(entry) {
  const found = Object.entries(entry.row.facts ?? {}).filter(([, value]) => value !== null && typeof value !== "object" && value !== "");
  return found
    .slice(0, 5)
    .map(([name, value]) => `${plainWords(name)}: ${typeof value === "number" ? numberText(value) : value}`)
    .join(", ");
}
