/**
 * The judge of a quiet moment: nobody writes, nothing is hurt. Waits until every section and every subscriber says that it contains everything,
 * then compares each with the tables, key by key.
 */
import { answerDifferences, replicaDifferences, sectionDifferences, tableDocuments, type TableShape } from '../support/equality.ts';
import { folded } from './asking.ts';
import { PARTITION, shapeNow, TABLES } from './tables.ts';
import { sleep, until } from './waiting.ts';
import type { World } from './world.ts';

/** A faulted table is tried again within a minute, a count of rows a minute after the last. */
const CAUGHT_UP_LIMIT_MS = 240_000;
/** What moves no version is noticed by the catalog's probe, once a second, or by a count of rows. */
const UNNUMBERED_LIMIT_MS = 180_000;

export interface Verdict {
  readonly comparisons: number;
  readonly rows: number;
  readonly differences: readonly string[];
  /** How long it took until all were caught up. */
  readonly waitedMs: number;
}

/** @param unnumbered something was done that moves no version: until it is noticed, what is claimed is about the history before */
export async function judge(world: World, unnumbered: boolean): Promise<Verdict> {
  const began = Date.now();
  const end = began + UNNUMBERED_LIMIT_MS;
  for (;;) {
    const behind = await caughtUp(world);
    const waitedMs = Date.now() - began;
    if (behind !== null) {
      return { comparisons: 0, rows: 0, differences: behind, waitedMs };
    }
    const verdict = await compare(world);
    if (verdict.differences.length === 0 || !unnumbered || world.violations.length > 0 || Date.now() > end) {
      return { ...verdict, waitedMs };
    }
    await sleep(250);
  }
}

/** Null once all contain everything; else who does not, after the limit. */
async function caughtUp(world: World): Promise<readonly string[] | null> {
  const version = await world.sql.version();
  let behind: string[] = [];
  const look = async (): Promise<true | null> => {
    behind = [];
    const lasts = new Map<string, string>();
    for (const { shape } of TABLES) {
      const meta = await world.meta(shape.section);
      const reached = (name: string): boolean => BigInt(meta[name] || -1) >= version;
      if (meta['state'] !== 'live' || meta['pending'] !== '' || !reached('checkpoint') || !reached('upTo')) {
        behind.push(`${shape.section} is not at version ${version}: ${JSON.stringify(meta)}`);
      }
      lasts.set(shape.section, meta['last'] ?? '');
    }
    for (const subscriber of behind.length > 0 ? [] : world.subscribers) {
      for (const [section, standing] of Object.entries(await subscriber.standing())) {
        const { equal, upTo, last } = standing;
        if (!equal || BigInt(upTo ?? -1) < version || last !== lasts.get(section)) {
          behind.push(`${subscriber.name} is not at version ${version} of ${section}: ${JSON.stringify(standing)}`);
        }
      }
    }
    return behind.length === 0 ? true : null;
  };
  try {
    await until('all are caught up', look, CAUGHT_UP_LIMIT_MS, 100);
    return null;
  } catch (error) {
    const { message, cause } = error as Error;
    return [message, ...(cause instanceof Error ? [cause.message] : []), ...behind];
  }
}

async function compare(world: World): Promise<Omit<Verdict, 'waitedMs'>> {
  const { pool } = world.sql;
  const differences: string[] = [];
  let comparisons = 0;
  let rows = 0;
  for (const table of TABLES) {
    const shape: TableShape = await shapeNow(pool, table);
    const meta = await world.meta(shape.section);
    differences.push(...(await sectionDifferences({ pool, redis: world.redis.client, partition: PARTITION }, shape)));
    comparisons += 1;
    const expected = await tableDocuments(pool, shape);
    for (const subscriber of world.subscribers) {
      const { equal, documents } = await subscriber.documents(shape.section, [...expected.keys()]);
      comparisons += 1;
      rows += documents.length;
      if (!equal) {
        differences.push(`${subscriber.name} no longer calls ${shape.section} equal`);
      }
      const lines = subscriber.whole
        ? await replicaDifferences(pool, shape, { entries: () => documents })
        : answerDifferences(subscriber.newColumns ? expected : await tableDocuments(pool, table.shape), shape, documents, folded);
      differences.push(...lines.map((line) => `${subscriber.name}: ${line}`));
    }
    // The table was read while nobody wrote it: if the section moved, it was not because of a row.
    if (differences.length > 0) {
      differences.push(`${shape.section} was at ${JSON.stringify(meta)}`);
      break;
    }
  }
  return { comparisons, rows, differences };
}
