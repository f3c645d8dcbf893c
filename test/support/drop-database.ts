/** Drops a test's database on any SQL Server: sessions that were just closed may be in it for a moment more. */
import type mssql from 'mssql';

/** "Cannot drop database because it is currently in use." Source: learn.microsoft.com, Database Engine errors 3000 to 3999. */
const IN_USE = 3702;
const PATIENCE_MS = 10_000;

/** @throws the driver's error when the database stays in use */
export async function dropDatabase(admin: mssql.ConnectionPool, name: string): Promise<void> {
  const limit = Date.now() + PATIENCE_MS;
  for (;;) {
    try {
      await admin.request().batch(`DROP DATABASE [${name}]`);
      return;
    } catch (error) {
      if ((error as { readonly number?: number }).number !== IN_USE || Date.now() > limit) {
        throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
