/**
 * Makes a plan exact by asking: whether a section's fingerprint really changes, how many rows are to be loaded, how many documents stay
 * behind. What cannot be asked is said with its code; the rest of the plan stands. Reads only.
 */
import type { Config, TableConfig } from '../config/schema.ts';
import { selectionOf } from '../daemon/selection.ts';
import type { DistributedDataManager, SectionMeta } from '../manager/distributed-data-manager.ts';
import { asPatchwireError } from '../model/errors.ts';
import type { TrackedTable } from '../model/table.ts';
import { checkSource } from '../pipeline/position.ts';
import { type ChangeTracker, probedTable } from '../source/change-tracker.ts';
import { openTracker, readingManager } from './opening.ts';
import { becomes, type PlanStep } from './plan.ts';

interface Plan {
  readonly present: Config;
  readonly next: Config;
  readonly signal: AbortSignal;
}

/** @throws PatchwireError PW-M301 and so on when Redis cannot be asked, PW-S201 and so on when a source cannot */
export async function refine(steps: readonly PlanStep[], { present, next, signal }: Plan): Promise<PlanStep[]> {
  await using here = readingManager(present);
  await using there = readingManager(next);
  const refined: PlanStep[] = [];
  for (const source of Object.keys(next.sources)) {
    const tables = next.tables.filter((table) => table.source === source);
    const mine = steps.filter(
      (step) => step.cost !== 'purge' && step.section !== undefined && tables.some(({ section }) => section === step.section),
    );
    if (mine.some(({ cost }) => cost === 'reset' || cost === 'load')) {
      await using tracker = await openTracker(next, source, signal);
      for (const step of mine) {
        const table = tables.find(({ section }) => section === step.section);
        refined.push(table === undefined ? step : await judged(step, { table, tracker, manager: there, signal }));
      }
    } else {
      refined.push(...mine);
    }
  }
  for (const step of steps.filter((each) => each.cost === 'purge')) {
    const meta = step.section === undefined ? null : await here.readMeta(step.section);
    if (meta !== null) {
      refined.push({ ...step, detail: `${step.detail} (${meta.count} documents)` });
    }
  }
  return [...refined, ...steps.filter((step) => step.section === undefined)];
}

interface Asked {
  readonly table: TableConfig;
  readonly tracker: ChangeTracker;
  readonly manager: DistributedDataManager;
  readonly signal: AbortSignal;
}

async function judged(step: PlanStep, { table, tracker, manager, signal }: Asked): Promise<PlanStep> {
  if (step.cost === 'restart') {
    return step;
  }
  try {
    const described = await tracker.describe(selectionOf(table), { signal });
    const meta = await manager.readMeta(table.section);
    const rows = probedTable(await tracker.probe({ catalog: true, signal }), described.fullName)?.rows ?? null;
    tracker.forget(described);
    const load = rows === null ? '' : ` (${rows} rows)`;
    if (meta === null && table.initial === 'none') {
      return { ...step, cost: 'restart', detail: `restart: section ${table.section} is not in Redis: it ${becomes(table)}` };
    }
    if (meta === null) {
      return { ...step, cost: 'load', detail: `section ${table.section} is not in Redis: it is loaded${load}` };
    }
    const difference = differenceOf(meta, described);
    if (difference === null && meta.incomplete !== null && table.initial === 'full') {
      return { ...step, cost: 'load', detail: `section ${table.section} lacks rows: it is loaded${load}` };
    }
    if (difference === null) {
      const detail = `restart: section ${table.section} stands in Redis (${meta.count} documents) with just this source and projection`;
      return { ...step, cost: 'restart', detail };
    }
    return {
      ...step,
      cost: 'reset',
      detail: `${difference}: section ${table.section} (${meta.count} documents) is read anew${load}`,
    };
  } catch (error) {
    signal.throwIfAborted();
    const { code, message } = asPatchwireError(error);
    return { ...step, detail: `${step.detail}; it cannot be followed as it is: ${code} ${message}` };
  }
}

/** What keeps the section from going on with this table (L5), or null. */
function differenceOf({ source }: SectionMeta, described: TrackedTable): string | null {
  try {
    if (source !== null) {
      checkSource(source, described);
    }
    return null;
  } catch (error) {
    return asPatchwireError(error).code === 'PW-S220' ? 'another projection (PW-S220)' : 'another table or database (PW-S213)';
  }
}
