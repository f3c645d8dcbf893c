/**
 * Runs statements.sql through the driver, batch after batch in one session of one new database, and compares what came back with what its
 * comments say. Runs on any SQL Server.
 */
import { readFileSync } from 'node:fs';
import type sql from 'mssql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { TestServer } from '../support/sandbox.ts';
import { startServer } from '../support/sandbox.ts';
import { asPrecise, readBatches, runBatch } from './statement-file.ts';

const batches = readBatches(readFileSync(new URL('statements.sql', import.meta.url), 'utf8'));

let server: TestServer;
let session: sql.ConnectionPool;

beforeAll(async () => {
  server = await startServer();
  const database = await server.freshDatabase({ tracking: false });
  session = await database.session();
});

afterAll(async () => {
  await server.close();
});

test('the file has three hundred statements and more', () => {
  expect(batches.length).toBeGreaterThan(300);
});

const sections = [...new Set(batches.map((batch) => batch.section))];

describe.each(sections)('%s', (section) => {
  test.each(batches.filter((batch) => batch.section === section).map((batch) => [batch.title, batch] as const))(
    '%s',
    async (_title, batch) => {
      const found = await runBatch(session, batch.text);
      expect(asPrecise(found, batch.expected)).toEqual(batch.expected);
    },
  );
});
