import { describe, expect, it } from 'vitest';
import * as patchwire from '../../../src/index.ts';

describe('the embedding API', () => {
  it('gives everything that `patchwire run` is built on', () => {
    expect(Object.keys(patchwire).toSorted()).toEqual([
      'AutoBatcher',
      'CATALOGUE',
      'PatchwireError',
      'createDaemon',
      'loadConfig',
      'parseConfig',
      'redisDataManager',
      'runSection',
      'sqlServerChangeTracker',
    ]);
  });

  it('batches by rows, in order', async () => {
    const batcher = new patchwire.AutoBatcher<number>({ maxRows: 2, maxBytes: 100, measure: () => ({ rows: 1, bytes: 1 }) });
    const batches: (readonly number[])[] = [];
    for await (const { items } of batcher.batches([1, 2, 3])) {
      batches.push(items);
    }
    expect(batches).toEqual([[1, 2], [3]]);
  });
});
