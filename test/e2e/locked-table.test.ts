/** A table that somebody holds by a Sch-M lock, as an offline index rebuild or a long ALTER TABLE does: it waits, the others go on. */
import mssql from 'mssql';
import { expect, it, onTestFinished } from 'vitest';
import { daemonWorld, until } from '../support/daemon-process.ts';
import type { TableShape } from '../support/equality.ts';
import { testPlaces } from '../support/places.ts';
import { startServer } from '../support/sandbox.ts';

const HELD: TableShape = { table: 'dbo.Held', section: 'held', key: ['Id'], columns: { Id: 'plain', A: 'plain' } };
const FREE: TableShape = { ...HELD, table: 'dbo.Free', section: 'free' };

const at = testPlaces(startServer);

it('R9: a table under a Sch-M lock waits by itself: the others are read on, and it comes back when the lock goes', async () => {
  const database = await at.server.freshDatabase();
  const world = daemonWorld({ database, redis: at.redis, tables: [{ shape: HELD }, { shape: FREE }] });
  onTestFinished(() => world.close());
  for (const { table } of [HELD, FREE]) {
    await world.sql(
      `CREATE TABLE ${table} (Id int NOT NULL PRIMARY KEY, A int NOT NULL)`,
      `ALTER TABLE ${table} ENABLE CHANGE_TRACKING`,
      `INSERT INTO ${table} VALUES (1, 0), (2, 0)`,
    );
  }
  const free = world.follow('free');
  const daemon = world.daemon('--set', 'sources.shop.limits.lockTimeout=500ms');
  await world.equal();

  const other = await new mssql.ConnectionPool(database.connectionString).connect();
  onTestFinished(() => other.close());
  const transaction = new mssql.Transaction(other);
  await transaction.begin();
  await new mssql.Request(transaction).batch('ALTER TABLE dbo.Held ADD B int NULL');
  await daemon.line('PW-S215');

  // Through several rounds of the catalog, each of which meets the lock.
  for (let value = 1; value <= 5; value += 1) {
    await world.sql(`UPDATE dbo.Free SET A = ${value} WHERE Id = 1`);
    await world.caughtUp('free');
    expect(free.replica.get(1)).toMatchObject({ A: value });
  }
  const metrics = (await daemon.get('/metrics')).body;
  expect(metrics).toMatch(/patchwire_errors_total\{[^}]*section="held"[^}]*code="PW-S215"[^}]*\} \d+/u);
  expect(metrics).not.toMatch(/patchwire_errors_total\{[^}]*section="free"[^}]*\} [1-9]/u);
  expect((await daemon.get('/ready')).status).not.toBe(200);

  await transaction.rollback();
  await world.sql('UPDATE dbo.Held SET A = 7 WHERE Id = 2');
  await until('both equal', async () => (await world.differences()).length === 0);
});
