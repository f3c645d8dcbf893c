/**
 * A database of its own for each test of the contract suite, on whatever server the suite runs against: made by plain T-SQL, written to
 * through a plain driver connection that knows nothing of patchwire.
 */
import mssql from 'mssql';
import { driverConfig } from '../../src/source/sqlserver/connection.ts';
import type { SqlServerConnection } from '../../src/source/sqlserver/connection-options.ts';
import { dropDatabase } from '../support/drop-database.ts';

export interface SqlDatabase extends AsyncDisposable {
  readonly name: string;
  /** For the tracker under test. */
  readonly connection: SqlServerConnection;
  /** Runs a batch in the database, autocommitting. */
  run(sql: string): Promise<mssql.IResult<Readonly<Record<string, unknown>>>>;
  /** A transaction that stays open until it is ended: for locks and late commits. */
  transaction(): Promise<mssql.Transaction>;
}

export interface DatabaseOptions {
  readonly snapshot?: boolean;
  readonly tracking?: boolean;
  readonly collation?: string;
}

let count = 0;

export async function createDatabase(
  server: SqlServerConnection,
  { snapshot = true, tracking = true, collation }: DatabaseOptions = {},
): Promise<SqlDatabase> {
  count += 1;
  const name = `patchwire_test_${process.pid}_${Date.now().toString(36)}_${count}`;
  const admin = await connect({ ...server, database: 'master' });
  await admin.request().batch(`CREATE DATABASE [${name}]${collation === undefined ? '' : ` COLLATE ${collation}`}`);
  if (snapshot) {
    await admin.request().batch(`ALTER DATABASE [${name}] SET ALLOW_SNAPSHOT_ISOLATION ON`);
  }
  if (tracking) {
    await admin.request().batch(`ALTER DATABASE [${name}] SET CHANGE_TRACKING = ON (CHANGE_RETENTION = 2 DAYS, AUTO_CLEANUP = OFF)`);
  }
  const connection = { ...server, database: name };
  const pool = await connect(connection);
  return {
    name,
    connection,
    run: (sql) => pool.request().batch<Readonly<Record<string, unknown>>>(sql),
    async transaction() {
      const transaction = new mssql.Transaction(pool);
      await transaction.begin(mssql.ISOLATION_LEVEL.READ_COMMITTED);
      return transaction;
    },
    async [Symbol.asyncDispose]() {
      await pool.close();
      try {
        await dropDatabase(admin, name);
      } finally {
        await admin.close();
      }
    },
  };
}

async function connect(connection: SqlServerConnection): Promise<mssql.ConnectionPool> {
  const pool = new mssql.ConnectionPool({ ...driverConfig(connection), pool: { max: 4, min: 0 } });
  pool.on('error', () => {});
  await pool.connect();
  return pool;
}
