/** The benchmark's table: ten columns, about 200 bytes a row, and the backlog that an update of every row leaves. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type sql from 'mssql';

export const TABLE = { schema: 'dbo', name: 'Bench' };

export interface Server extends AsyncDisposable {
  readonly connectionString: string;
}

/** The sandbox in a process of its own, so that its CPU is not counted with the daemon's. */
export async function startServer(): Promise<Server> {
  const main = fileURLToPath(new URL('../../src/main.js', import.meta.url));
  const child = spawn(process.execPath, [main, 'sandbox'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  return {
    connectionString: line,
    async [Symbol.asyncDispose]() {
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      await ended;
    },
  };
}

export async function createTable(pool: sql.ConnectionPool, rows: number): Promise<void> {
  const { recordset } = await pool.request().query<{ name: string }>('SELECT DB_NAME() AS name');
  const database = recordset[0]?.name ?? '';
  await pool.request().batch(`ALTER DATABASE [${database}] SET ALLOW_SNAPSHOT_ISOLATION ON`);
  await pool.request().batch(`ALTER DATABASE [${database}] SET CHANGE_TRACKING = ON`);
  await pool
    .request()
    .batch(
      'CREATE TABLE dbo.Bench (Id int NOT NULL PRIMARY KEY, Big bigint NOT NULL, Name nvarchar(60) NOT NULL, City nvarchar(40) NOT NULL, Note nvarchar(80) NULL, Amount decimal(18, 2) NOT NULL, At datetime2(3) NOT NULL, Flag bit NOT NULL, Ref uniqueidentifier NOT NULL, Ratio float NOT NULL)',
    );
  await pool.request().batch('ALTER TABLE dbo.Bench ENABLE CHANGE_TRACKING');
  const values = Array.from({ length: Math.min(1000, rows) }, (_, i) => row(i + 1));
  await pool.request().batch(`INSERT INTO dbo.Bench VALUES ${values.join(',')}`);
  for (let have = values.length; have < rows; have *= 2) {
    // The table doubles itself: no literal is parsed.
    await pool
      .request()
      .batch(
        `INSERT INTO dbo.Bench SELECT Id + ${have}, Big + ${have}, Name, City, Note, Amount, At, Flag, Ref, Ratio FROM dbo.Bench WHERE Id <= ${rows - have}`,
      );
  }
}

function row(n: number): string {
  const hex = n.toString(16).padStart(12, '0');
  return `(${n}, ${9_007_199_254_740_992n + BigInt(n)}, N'customer number ${n}', N'city ${n % 500}', N'a note of some forty characters, no. ${n}', ${n}.25, '2026-01-01T00:00:00.${String(n % 1000).padStart(3, '0')}', ${n % 2}, '00000000-0000-4000-a000-${hex}', ${n / 8})`;
}

/** Changes two columns of every row, a thousand rows a transaction. */
export async function makeBacklog(pool: sql.ConnectionPool, rows: number): Promise<void> {
  for (let first = 1; first <= rows; first += 1000) {
    await pool.request().batch(`UPDATE dbo.Bench SET Amount = Amount + 1, Flag = 1 - Flag WHERE Id >= ${first} AND Id < ${first + 1000}`);
  }
}

export async function currentVersion(pool: sql.ConnectionPool): Promise<bigint> {
  const { recordset } = await pool.request().query<{ version: string }>('SELECT CHANGE_TRACKING_CURRENT_VERSION() AS version');
  return BigInt(recordset[0]?.version ?? 0);
}
