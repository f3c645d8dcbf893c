/**
 * Restores that the version counter has overtaken, under a daemon, a real Redis and a replica: with the checkpoint store they are proven and mended; what
 * happens without it is written down here too, since the README says so.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { until } from '../support/daemon-process.ts';
import { testPlaces } from '../support/places.ts';
import { startControlled } from '../support/sandbox.ts';
import { troubled, type TroubledWorld } from './redis-troubles-world.ts';

const at = testPlaces(startControlled);

const SCRIPT = readFileSync(new URL('../../sql/checkpoint-store.sql', import.meta.url), 'utf8').split(/^GO$/mu);

interface Given {
  readonly world: TroubledWorld;
  readonly database: string;
}

/** A table of 30 rows, loaded and followed, with the store or without it. */
async function given(store: 'sqlserver' | 'redis'): Promise<Given> {
  const world = await troubled(at.server, at.redis);
  onTestFinished(() => world[Symbol.asyncDispose]());
  const { recordset } = await world.world.pool.request().query<{ name: string }>('SELECT DB_NAME() AS name');
  if (store === 'sqlserver') {
    await world.stop();
    await world.world.sql(...SCRIPT.filter((batch) => /CREATE (?:SCHEMA|TABLE)/u.test(batch)));
    (world.world.cli.env as Record<string, string>)['PATCHWIRE_CHECKPOINT__STORE'] = 'sqlserver';
    await world.start();
    await until('Redis knows a mark', async () => (await world.world.meta('items'))['mark'] !== undefined);
  }
  return { world, database: recordset[0]?.name ?? '' };
}

/** What is lost by the restore: a value, a removed row, a new row. */
const LOST = [
  "UPDATE dbo.Items SET T = N'lost' WHERE Id = 3",
  'DELETE dbo.Items WHERE Id = 4',
  "INSERT INTO dbo.Items VALUES (77, 1, N'lost too')",
];
/** Of one row, until the counter is above whatever was delivered. */
const OVERTAKING = Array.from({ length: 12 }, (_, i) => `UPDATE dbo.Items SET A = ${i} WHERE Id = 30`);

describe('a restore that the counter has overtaken', () => {
  it('with the store: is proven at the next start, told once, and every document is right', async () => {
    const { world, database } = await given('sqlserver');
    await world.endsEqual();
    const state = at.server.sandbox.control.saveState(database);
    await world.world.sql(...LOST);
    await world.world.equal();
    const epoch = await world.epoch();
    await world.stop();
    at.server.sandbox.control.restoreState(database, state);
    await world.world.sql(...OVERTAKING);
    await world.start();
    await until('a new epoch', async () => (await world.epoch()) !== epoch);
    await world.endsEqual();
    expect(world.told('PW-S234')).toHaveLength(1);
    expect(world.told('PW-S212')).toEqual([]);
  });

  it('without the store: nothing is noticed, and documents of the lost time stay', async () => {
    const { world, database } = await given('redis');
    await world.endsEqual();
    const state = at.server.sandbox.control.saveState(database);
    await world.world.sql(...LOST);
    await world.world.equal();
    await world.stop();
    at.server.sandbox.control.restoreState(database, state);
    await world.world.sql(...OVERTAKING);
    await world.start();
    const differing = await world.world.differences();
    expect(differing.join('\n')).toMatch(/\b3\b/u);
    expect(world.lines.filter(({ code }) => code === 'PW-S212' || code === 'PW-S234')).toEqual([]);
    const said = 'once it has overtaken, it is not';
    expect(world.lines.some(({ msg }) => String(msg).includes(said))).toBe(true);
  });

  it('with the store: under a running daemon, twice', async () => {
    const { world, database } = await given('sqlserver');
    const state = at.server.sandbox.control.saveState(database);
    for (const times of [1, 2]) {
      await world.world.sql(...LOST);
      await world.world.equal();
      const epoch = await world.epoch();
      at.server.sandbox.control.restoreState(database, state);
      await world.world.sql(...OVERTAKING);
      await until(`a new epoch, ${times}`, async () => (await world.epoch()) !== epoch);
      await world.world.equal();
    }
    await world.endsEqual();
  });

  it('with the store: a restore to before its table was made, and a table whose rights are gone', async () => {
    const { world, database } = await given('sqlserver');
    await world.endsEqual();
    await world.world.sql('DROP TABLE patchwire.checkpoints');
    await world.world.sql("UPDATE dbo.Items SET T = N'waits' WHERE Id = 5");
    const { trouble } = await world.inTrouble('PW-S233');
    expect(trouble?.hint).toContain('patchwire sql checkpoint-store');
    expect((await world.world.raw.get(`${world.keys.document}5`))?.includes('waits')).toBe(false);
    await world.world.sql(...SCRIPT.filter((batch) => /CREATE TABLE/u.test(batch)));
    // It would be tried again by itself within a minute.
    await world.stop();
    await world.start();
    await until('it is proven', () => world.told('PW-S234').length === 1);
    await world.endsEqual();
    expect(database).not.toBe('');
  });
});
