/**
 * What happens to SQL Server and its history. All take the lock `sql`. Those that move no version (TRUNCATE, tracking off and on, columns, another
 * database) say so: what is claimed meanwhile is of the history before.
 */
import sql from 'mssql';
import type { Action, Drawn } from './action.ts';
import { lasting } from './action.ts';
import { ADDED_COLUMN, DATABASE, SECTIONS, shapeNow, TABLES } from './tables.ts';
import { sleep, until } from './waiting.ts';
import type { World } from './world.ts';

const locks = (): string[] => ['sql'];
/** With everything that leads to SQL Server, since the lines are used for it. */
const lineLocks = (): string[] => ['sql', 'sql of daemon 0', 'sql of daemon 1'];
/** All but the one with the writers' marks: their versions must stay of one history. */
const tableOf = ({ table }: Drawn) => TABLES[table % 4]!;
/** TRUNCATE of a filtered table that is caught up shows nowhere when the version has not moved since tracking began there: not promised. */
const unfilteredOf = ({ table }: Drawn) => TABLES[table % 3]!;

const NOTICE_LIMIT_MS = 120_000;

async function checkpoints(world: World): Promise<ReadonlyMap<string, { readonly epoch: string; readonly checkpoint: bigint }>> {
  const entries = await Promise.all(
    SECTIONS.map(async (section) => {
      const { epoch = '', checkpoint } = await world.meta(section);
      return [section, { epoch, checkpoint: BigInt(checkpoint || -1) }] as const;
    }),
  );
  return new Map(entries);
}

export const SQL_ACTIONS: readonly Action[] = [
  {
    name: 'sql: sessions cut',
    locks,
    run: async (world) => {
      await world.sql.control('EXEC sandbox.cut_connections');
      // Ours were among them.
      await until('SQL Server answers', async () => await world.sql.version(), NOTICE_LIMIT_MS);
      return 'done';
    },
  },
  {
    name: 'sql: restarted (all sessions end, nobody gets in for a while)',
    locks: lineLocks,
    run: async (world, drawn) => {
      await world.sql.outage(lasting(drawn, 500, 4000));
      return 'done';
    },
  },
  {
    name: 'sql: asleep',
    locks,
    run: async (world, drawn) => {
      world.sql.process?.pause();
      await sleep(lasting(drawn, 500, 6000));
      world.sql.process?.resume();
      return 'done';
    },
  },
  {
    name: 'sql: slow',
    locks,
    run: async (world, drawn) => {
      await world.sql.control(`EXEC sandbox.slow_answers @ms = ${lasting(drawn, 50, 600)}, @app_name = N'patchwire'`);
      await sleep(lasting(drawn, 1000, 4000));
      await world.sql.control("EXEC sandbox.slow_answers @ms = 0, @app_name = N'patchwire'");
      return 'done';
    },
  },
  {
    name: 'sql: rows locked by a long transaction',
    locks,
    run: async (world, drawn) => {
      const transaction = new sql.Transaction(world.sql.pool);
      await transaction.begin();
      try {
        await new sql.Request(transaction).batch('UPDATE dbo.Goods SET N = N + 1 WHERE Id < 20; UPDATE dbo.Names SET Stock = 1');
        await sleep(lasting(drawn, 500, 4000));
      } finally {
        await (drawn.toDaemon ? transaction.commit() : transaction.rollback()).catch(() => undefined);
      }
      return 'done';
    },
  },
  {
    name: 'sql: rows too large for a document',
    locks,
    run: async (world, drawn) => {
      const id = Math.floor(drawn.length * 100);
      await world.sql.run(`UPDATE dbo.Goods SET Note = REPLICATE(N'large ', 600) WHERE Id BETWEEN ${id} AND ${id + 5}`);
      await sleep(lasting(drawn, 500, 3000));
      await world.sql.run(`UPDATE dbo.Goods SET Note = NULL WHERE LEN(Note) > 1000`);
      return 'done';
    },
  },
  {
    name: 'sql: retention passed while no daemon ran',
    locks: () => ['sql', 'daemon 0', 'daemon 1'],
    run: async (world, drawn) => {
      await Promise.all(world.daemons.map((daemon) => daemon.stop()));
      await sleep(lasting(drawn, 300, 1500));
      await world.sql.run('EXEC sandbox.cleanup_change_tracking');
      world.daemons.forEach((daemon) => daemon.start());
      return 'done';
    },
  },
  {
    name: 'sql: cleanup while daemons read',
    locks,
    run: async (world) => {
      await world.sql.run('EXEC sandbox.cleanup_change_tracking');
      return 'done';
    },
  },
  {
    name: 'sql: TRUNCATE',
    locks,
    run: async (world, drawn, memory) => {
      memory.unnumbered = true;
      await world.sql.run(`TRUNCATE TABLE ${unfilteredOf(drawn).shape.table}`);
      return 'done';
    },
  },
  {
    name: 'sql: tracking off and on',
    locks,
    run: async (world, drawn, memory) => {
      memory.unnumbered = true;
      const { table } = tableOf(drawn).shape;
      await world.sql.run(`ALTER TABLE ${table} DISABLE CHANGE_TRACKING`);
      await sleep(lasting(drawn, 0, 1500));
      await world.sql.run(`ALTER TABLE ${table} ENABLE CHANGE_TRACKING`);
      return 'done';
    },
  },
  {
    name: 'sql: column added',
    locks,
    run: async (world, drawn, memory) => {
      memory.unnumbered = true;
      memory.columns += 1;
      const { table } = tableOf(drawn).shape;
      await world.sql.run(`ALTER TABLE ${table} ADD ${ADDED_COLUMN}${memory.columns} int NULL`);
      await sleep(lasting(drawn, 0, 500));
      await world.sql.run(`UPDATE ${table} SET ${ADDED_COLUMN}${memory.columns} = ${memory.columns}`);
      return 'done';
    },
  },
  {
    name: 'sql: columns dropped',
    locks,
    run: async (world, drawn, memory) => {
      memory.unnumbered = true;
      const added = async (): Promise<string[]> => {
        const statements: string[] = [];
        for (const table of TABLES) {
          const { columns } = await shapeNow(world.sql.pool, table);
          const names = Object.keys(columns).filter((name) => name.startsWith(ADDED_COLUMN));
          statements.push(...names.map((name) => `ALTER TABLE ${table.shape.table} DROP COLUMN ${name}`));
        }
        return statements;
      };
      let drops = await added();
      if (drops.length === 0) {
        memory.columns += 1;
        await world.sql.run(`ALTER TABLE ${tableOf(drawn).shape.table} ADD ${ADDED_COLUMN}${memory.columns} int NULL`);
        await sleep(lasting(drawn, 100, 1500));
        drops = await added();
      }
      await world.sql.run(...drops);
      return 'done';
    },
  },
  {
    name: 'sql: database restored to an earlier backup',
    locks: () => ['all'],
    run: async (world, _, memory) => {
      const { backup } = memory;
      if (backup === null) {
        return 'skipped';
      }
      // That a restore is noticed is promised where the counter falls below what was read: everybody must be beyond the backup.
      await until(
        'every section is beyond the backup',
        async () => ([...(await checkpoints(world)).values()].every(({ checkpoint }) => checkpoint > backup.version) ? true : null),
        NOTICE_LIMIT_MS,
      );
      memory.unnumbered = true;
      if (world.setting.store === 'redis') {
        memory.dump = null;
      }
      await world.writers.pause();
      world.history += 1;
      world.forgetMarks();
      const before = await checkpoints(world);
      await world.sql.restore(backup.name);
      await until(
        `every section has a new epoch after ${DATABASE} was restored`,
        async () => ([...(await checkpoints(world))].every(([section, { epoch }]) => epoch !== before.get(section)?.epoch) ? true : null),
        NOTICE_LIMIT_MS,
      );
      world.writers.resume();
      return 'done';
    },
  },
  {
    name: 'sql: database restored, its counter has overtaken',
    locks: () => ['all'],
    run: async (world, { toDaemon }, memory) => {
      const { backup } = memory;
      if (backup === null || world.setting.store === 'redis') {
        return 'skipped';
      }
      const before = await world.sql.version();
      memory.unnumbered = true;
      world.history += 1;
      world.forgetMarks();
      if (toDaemon) {
        await Promise.all(world.daemons.map((daemon) => daemon.kill()));
      }
      await world.sql.restore(backup.name);
      world.tellRestored();
      await until('the counter has overtaken', async () => ((await world.sql.version()) > before ? true : null), NOTICE_LIMIT_MS);
      if (toDaemon) {
        world.daemons.forEach((daemon) => daemon.start());
      }
      return 'done';
    },
  },
  {
    name: 'sql: killed, built anew from a copy',
    locks: lineLocks,
    run: async (world, drawn, memory) => {
      memory.unnumbered = true;
      memory.backup = null;
      world.history += 1;
      world.forgetMarks();
      await world.sql.rebuild(lasting(drawn, 0, 2000));
      return 'done';
    },
  },
];
