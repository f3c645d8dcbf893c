/**
 * The demo, from the first row to the verdict: steps one after another with their patches beside them, then traffic that waits for nobody, a
 * burst in one transaction, and the comparison of every replica with its table.
 */
import { Disposer } from '../lib/disposer.ts';
import { seededRandom } from '../lib/random.ts';
import type { ChangeEvent, SubscriberEvent } from '../subscriber/events.ts';
import { compareAll } from './compare.ts';
import { type SectionName, SECTIONS } from './order-desk.ts';
import { commit, PARTITION, setStage, type Stage, waitFor } from './stage.ts';
import { type ChangeKind, type Expectation, KINDS, type Step, traffic } from './traffic.ts';
import { createView, type View } from './view.ts';

export interface DemoOptions {
  /** The same seed, the same statements and the same tables. */
  readonly seed: number;
  /** Leave everything up at the end, until the signal. */
  readonly keepRunning: boolean;
  readonly color: boolean;
  readonly write: (line: string) => void;
  readonly signal: AbortSignal;
}

const EXIT_EQUAL = 0;
const EXIT_DIFFERS = 3;

const PACED_EXTRA = 8;
const FREE_STEPS = 150;
const BURST_ROWS = 2000;
/** Patches printed a step; the rest is counted. */
const SHOWN = 4;

interface Heard {
  readonly section: SectionName;
  readonly change: ChangeEvent;
  readonly atMs: number;
}

/** Runs the demo. @returns 0 only if all is equal, every kind of change arrived as patches, and no replica reloaded; else 3 */
export async function runDemo({ seed, keepRunning, color, write, signal }: DemoOptions): Promise<number> {
  const random = seededRandom(seed);
  const view = createView(write, color);
  await using disposer = new Disposer();
  const heard: Heard[] = [];
  let patches = 0;
  const onEvent = (section: SectionName, event: SubscriberEvent): void => {
    if (event.type === 'change') {
      heard.push({ section, change: event, atMs: performance.now() });
      patches += 1;
    } else if (event.type === 'trouble') {
      view.note(`${section}: ${event.error.code} ${event.error.message}`);
    }
  };
  const stage = await setStage(disposer, { random, note: (text) => view.note(text), onEvent, signal });

  const unmet = new Set<ChangeKind>();
  const played = new Set<ChangeKind>();
  for (const step of traffic(random, { extra: PACED_EXTRA, burstRows: BURST_ROWS })) {
    signal.throwIfAborted();
    if (step.kind === 'burst') {
      await runFreely(stage, seed, view, signal);
    }
    heard.length = 0;
    played.add(step.kind);
    if (!(await playStep(stage, step, { view, heard, signal }))) {
      unmet.add(step.kind);
    }
  }

  const comparisons = await compareAll(stage.pool, (section) => replicaOf(stage, section));
  const reloads = [...stage.replicas.values()].reduce((sum, replica) => sum + replica.state().counters.reloads, 0);
  const kinds = new Map(KINDS.map((kind) => [kind, played.has(kind) && !unmet.has(kind)]));
  const equal = comparisons.every(({ different }) => different === 0) && [...kinds.values()].every(Boolean) && reloads === 0;
  view.summary({ comparisons, kinds, reloads, patches, seed, equal });
  if (keepRunning) {
    explainConnections(stage, view);
    await untilAborted(signal);
  }
  return equal ? EXIT_EQUAL : EXIT_DIFFERS;
}

/** One step, shown: commits it, waits until every replica contains it, prints what was heard. @returns whether all that was expected came */
async function playStep(
  stage: Stage,
  step: Step,
  { view, heard, signal }: { readonly view: View; readonly heard: readonly Heard[]; readonly signal: AbortSignal },
): Promise<boolean> {
  const version = await commit(stage.pool, step.statements);
  const committedAtMs = performance.now();
  view.step(step, version);
  await waitFor(stage, step.touches, version, signal);
  for (const { section, change, atMs } of heard.slice(0, SHOWN)) {
    view.patch({ section, ...change, lagMs: Math.max(0, atMs - committedAtMs) });
  }
  if (heard.length > SHOWN) {
    view.more(heard.length - SHOWN);
  }
  if (heard.length === 0) {
    view.note('  no patch: nothing is different');
  }
  return step.expected.length === 0 ? heard.length === 0 : step.expected.every((expectation) => wasHeard(expectation, heard));
}

/** Traffic that waits for nobody: several transactions fall into one poll, and what a subscriber hears is the net of them. */
async function runFreely(stage: Stage, seed: number, view: View, signal: AbortSignal): Promise<void> {
  const random = seededRandom(seed + 1);
  let version = '0';
  for (let i = 0; i < FREE_STEPS; i += 1) {
    signal.throwIfAborted();
    version = await commit(stage.pool, FREE_STATEMENTS[Math.floor(random() * FREE_STATEMENTS.length)]?.(random) ?? []);
  }
  await waitFor(stage, SECTIONS, version, signal);
  view.note('');
  view.note(`${FREE_STEPS} more transactions without waiting for anybody: all arrived`);
}

const FREE_STATEMENTS: readonly ((random: () => number) => readonly string[])[] = [
  (random) => [`UPDATE dbo.Customers SET Credit = Credit + 1 WHERE CustomerId = ${1 + Math.floor(random() * 40)}`],
  (random) => [`UPDATE dbo.OrderLines SET Quantity = Quantity + 1 WHERE LineNumber = 1 AND ProductId = ${1 + Math.floor(random() * 25)}`],
  (random) => [
    `DELETE FROM dbo.Coupons WHERE Code = N'flash'`,
    `INSERT INTO dbo.Coupons (Code, PercentOff, ValidTo, Note) VALUES (N'flash', ${Math.floor(random() * 90)}, NULL, N'back again')`,
  ],
];

function wasHeard({ section, dataKey, op, path }: Expectation, heard: readonly Heard[]): boolean {
  return heard.some(
    ({ section: from, change }) =>
      from === section &&
      change.dataKey === dataKey &&
      change.op === op &&
      change.patch.some((operation) => operation.path === path || operation.path === ''),
  );
}

function replicaOf(stage: Stage, section: SectionName): { readonly size: number; entries(): Iterable<readonly [string, unknown]> } {
  return stage.replicas.get(section) ?? { size: 0, entries: () => [] };
}

function explainConnections(stage: Stage, view: View): void {
  const { http } = stage.daemon.status();
  view.note('');
  view.note('Everything is left running until Ctrl+C:');
  view.note(`  SQL Server (sandbox)  ${stage.connectionString}`);
  view.note(`  Redis                 ${stage.redisUrl}, partition ${PARTITION}`);
  if (http !== null) {
    view.note(`  metrics               http://${http.host}:${http.port}/metrics`);
  }
  view.note('Change rows with any SQL client, and watch the patches in another terminal:');
  view.note(`  PATCHWIRE_MSSQL='${stage.connectionString}' PATCHWIRE_REDIS='${stage.redisUrl}' npx patchwire tail`);
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
