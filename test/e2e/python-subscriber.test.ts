/**
 * The specification of src/wire proved by its second implementation: the Python subscriber follows the built daemon through random changes, a
 * killed daemon and cut connections, and then holds exactly the table's rows. `patchwire subscribers` lists who else listens.
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { seededRandom } from '../../src/lib/random.ts';
import { type DaemonWorld, daemonWorld, until } from '../support/daemon-process.ts';
import { replicaDifferences, type TableShape } from '../support/equality.ts';
import { type PrivateTestRedis, privateTestRedis } from '../support/redis.ts';
import { startServer, type TestServer } from '../support/sandbox.ts';
import { type Follower, pythonFollower, pythonMissing } from '../support/wire-followers.ts';

const GOODS: TableShape = {
  table: 'dbo.Goods',
  section: 'goods',
  key: ['Name'],
  columns: { Name: 'plain', Price: 'decimal2', Stock: 'plain', At: 'datetime2', Note: 'plain' },
};
const NAMES = Array.from({ length: 60 }, (_, i) => `Good ${i}|ä`);
const TRANSACTIONS = 250;

let redis: PrivateTestRedis;
let server: TestServer;
let world: DaemonWorld;

beforeAll(async () => {
  redis = await privateTestRedis();
  server = await startServer();
  world = daemonWorld({ database: await server.freshDatabase(), redis, tables: [{ shape: GOODS }] });
  await world.sql(
    `CREATE TABLE dbo.Goods (Name nvarchar(40) COLLATE SQL_Latin1_General_CP1_CI_AS NOT NULL PRIMARY KEY, Price decimal(10, 2) NOT NULL,
      Stock int NULL, At datetime2(7) NOT NULL, Note nvarchar(100) NULL)`,
    'ALTER TABLE dbo.Goods ENABLE CHANGE_TRACKING',
    `INSERT INTO dbo.Goods VALUES ${NAMES.slice(0, 30)
      .map((name) => `(N'${name}', 1.5, 1, '2026-01-01', NULL)`)
      .join(', ')}`,
  );
});
afterAll(async () => {
  await world?.close();
  await server?.close();
  await redis?.[Symbol.asyncDispose]();
});

/** One row inserted, changed, respelled or deleted. */
function change(random: () => number, n: number): string {
  const name = NAMES[Math.floor(random() * NAMES.length)] ?? '';
  const kind = random();
  if (kind < 0.2) {
    return `DELETE dbo.Goods WHERE Name = N'${name}'`;
  }
  if (kind < 0.35) {
    return `UPDATE dbo.Goods SET Name = N'${random() < 0.5 ? name.toUpperCase() : name.toLowerCase()}' WHERE Name = N'${name}'`;
  }
  const note = random() < 0.3 ? 'NULL' : `N'"~/ ${n} \u{1f600}'`;
  const values = `Price = ${(random() * 1000).toFixed(2)}, Stock = ${n}, At = '2026-11-22T10:00:00.${1_000_000 + n}', Note = ${note}`;
  return `UPDATE dbo.Goods SET ${values} WHERE Name = N'${name}';
    IF @@ROWCOUNT = 0 INSERT INTO dbo.Goods VALUES (N'${name}', ${n}.25, NULL, '2026-11-22T10:00:00.1234567', ${note})`;
}

async function expectEqual(python: Follower): Promise<void> {
  await world.caughtUp();
  await until('the Python subscriber equal at the last message', async () => {
    const { equal, last } = python.standing();
    return equal && last === (await world.meta('goods'))['last'];
  }).catch((error: unknown) => {
    const { documents: _, ...standing } = python.standing();
    throw new Error(`${String(error)}: ${JSON.stringify(standing)} ${python.ended() ?? ''}`);
  });
  const documents = Object.entries(python.standing().documents ?? {});
  expect(await replicaDifferences(world.pool, GOODS, { entries: () => documents })).toEqual([]);
}

const missing = pythonMissing();

it.skipIf(missing !== null)(
  `follows the daemon through whatever happens, and holds the table's rows${missing === null ? '' : ` (${missing})`}`,
  async () => {
    const random = seededRandom(20_261_122);
    let daemon = world.daemon();
    await using python = pythonFollower({ url: redis.url, partition: world.partition, section: 'goods' });
    await expectEqual(python);
    for (let n = 0; n < TRANSACTIONS; n += 1) {
      await world.sql(change(random, n));
      if (n % 60 === 30) {
        await redis.raw.client('KILL', 'TYPE', 'PUBSUB');
      }
      if (n === 100) {
        await daemon.kill();
      }
      if (n === 120) {
        daemon = world.daemon();
      }
      if (n === 200) {
        await redis.kill();
        await redis.start();
      }
    }
    await expectEqual(python);
    await daemon.stop();
  },
);

it('patchwire subscribers lists who listens, and says what is wrong with its arguments', async () => {
  const { replica } = world.follow('goods');
  await using daemon = world.daemon();
  await replica.waitUntilLive({ timeoutMs: 60_000 });
  const listed = await until('the replica in the list', async () => {
    const { code, stdout } = await world.command('subscribers', 'goods', '--json');
    const list = JSON.parse(stdout) as { readonly status: string }[];
    return code === 0 && list.length === 1 && list;
  });
  expect(listed).toMatchObject([{ section: 'goods', name: null, mode: 'replica', everyMs: 10_000 }]);
  const { code, stdout } = await world.command('subscribers', '--all');
  expect({ code, head: stdout.split('\n')[0]?.split(/ {2,}/u) }).toEqual({
    code: 0,
    head: ['SECTION', 'NAME', 'MODE', 'STATE', 'SEQ', 'UP TO', 'AGE'],
  });
  expect(await world.command('subscribers')).toMatchObject({ code: 2, stderr: expect.stringContaining('PW-C109') });
  await daemon.stop();
});
