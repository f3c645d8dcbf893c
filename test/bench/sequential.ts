/**
 * What patchwire is measured against: the plain loop that one writes first. The same SELECT by the same reader, the same documents in Redis,
 * commands pipelined by 100; no guard, no index, no replay, no proof.
 */
import type { Redis } from 'ioredis';
import type { Document } from '../../src/model/document.ts';
import type { PageCursor, RowState } from '../../src/model/change.ts';
import type { TrackedTable } from '../../src/model/table.ts';
import type { ChangeTracker } from '../../src/source/change-tracker.ts';
import { diff } from '../../src/wire/json-patch.ts';

const GROUP = 100;
const signal = new AbortController().signal;

export interface SequentialLoop {
  readonly tracker: ChangeTracker;
  readonly table: TrackedTable;
  readonly redis: Redis;
  /** What stands before the data key. */
  readonly prefix: string;
}

/** Writes every row's document. */
export async function loadAll({ tracker, table, redis, prefix }: SequentialLoop): Promise<void> {
  for (let after: string | null = null, end = false; !end;) {
    const page = await tracker.readLoadPage(table, { after, signal });
    const pipeline = redis.pipeline();
    for (const { dataKey, document } of page.rows) {
      pipeline.set(prefix + dataKey, JSON.stringify(document));
    }
    await pipeline.exec();
    after = page.last;
    end = page.end;
  }
}

/** Follows everything after `from`, page by page, each awaited. @returns the rows handled */
export async function drain(loop: SequentialLoop, from: bigint): Promise<number> {
  const { tracker, table } = loop;
  const position = { checkpoint: from, confirmed: from, high: from };
  let cursor: PageCursor | null = null;
  let rows = 0;
  for (;;) {
    const page = await tracker.readWindow(table, { from, cursor, position, signal });
    for (let at = 0; at < page.rows.length; at += GROUP) {
      await publish(loop, page.rows.slice(at, at + GROUP));
    }
    rows += page.rows.length;
    if (!page.full) {
      return rows;
    }
    cursor = page.last;
  }
}

async function publish({ redis, prefix }: SequentialLoop, rows: readonly RowState[]): Promise<void> {
  const before = await redis.mget(rows.map(({ dataKey }) => prefix + dataKey));
  const pipeline = redis.pipeline();
  rows.forEach(({ dataKey, document, changeVersion }, i) => {
    const text = before[i] ?? null;
    const patch = diff(text === null ? null : (JSON.parse(text) as Document), document);
    if (patch.length === 0) {
      return;
    }
    if (document === null) {
      pipeline.del(prefix + dataKey);
    } else {
      pipeline.set(prefix + dataKey, JSON.stringify(document));
    }
    pipeline.publish('sequential', JSON.stringify({ dataKey, versionId: changeVersion.toString(), patch }));
  });
  await pipeline.exec();
}
