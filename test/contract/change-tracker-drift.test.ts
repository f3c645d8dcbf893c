/** A definition that changes between two statements of a read: on a server that can be held there, under each profile of what is not documented. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startSandbox, type Sandbox } from '../../src/sandbox/server.ts';
import { parseConnectionString } from '../../src/source/sqlserver/connection-string.ts';
import { DRIFTING, DRIFTS, HASH_KEY, reads, SHAPED } from './change-tracker-drift.ts';
import { Rigs } from './change-tracker-rig.ts';

/** Held before the statement that contains it: the version, the checks, the rows, the end. */
const MOMENTS = ['SELECT CHANGE_TRACKING_CURRENT_VERSION()', 'sys.change_tracking_tables', 'FROM [dbo].[Items]', 'COMMIT'];
const SWAPPED: string = 'two columns swap their names';
const RACED: readonly string[] = ['a column is dropped', SWAPPED, 'a type changes', 'the primary key is another'];
/** What tells the lane to look again: another definition, a definition under a snapshot (3961), tracking off or begun anew. */
const TOLD = ['PW-S230', 'PW-S217', 'PW-S205', 'PW-S211', 'PW-S221'];

describe.each([
  ['implied', 'snapshot', RACED],
  ['live', 'snapshot', [SWAPPED]],
  ['worst', 'snapshot', [SWAPPED]],
  ['implied', 'readCommitted', RACED],
] as const)('a definition that changes while it is read, profile %s, %s', (profile, isolation, kinds) => {
  let sandbox: Sandbox;
  beforeAll(async () => {
    sandbox = await startSandbox({ profile });
  });
  afterAll(() => sandbox.close());
  const rigs = new Rigs(() => parseConnectionString(sandbox.connectionString('master')));
  afterEach(() => rigs[Symbol.asyncDispose]());

  it.each(DRIFTS.filter(({ kind }) => kinds.includes(kind)))('R3: $kind: what a read returns is what was described', async ({ sql }) => {
    const rig = await rigs.start([], { isolation, hashKey: HASH_KEY });
    const told: string[] = [];
    for (const sqlContains of MOMENTS) {
      for (const name of ['a window', 'a load page', 'a look for keys']) {
        for (const batch of [...DRIFTING, "UPDATE dbo.Items SET Name = N'open'"]) {
          await rig.database.run(batch);
        }
        const table = await rig.describe('Items', SHAPED);
        const read = (): Promise<unknown> => reads(rig, table, table.version - 1n)[name]?.() ?? Promise.reject(new Error(name));
        const expected = await read();
        const pause = sandbox.control.pauseBefore({ sqlContains });
        const reading = read().catch((error: unknown) => error);
        const held = await Promise.race([pause.reached.then(() => true), reading.then(() => false)]);
        const drifting = (async () => {
          for (const batch of sql) {
            await rig.database.run(batch);
          }
        })();
        // A definition may have to wait for what is held: it comes when that has ended then.
        await Promise.race([drifting, new Promise((resolve) => setTimeout(resolve, held ? 50 : 0))]);
        pause.resume();
        const answer = await reading;
        await drifting;
        // A definition held back by a lock comes after the read, which is whole then.
        const code = answer instanceof Error ? (answer as Error & { readonly code: string }).code : null;
        told.push(...(code === null ? [] : [code]));
        expect({ name, sqlContains, got: code !== null && TOLD.includes(code) ? expected : answer }).toEqual({
          name,
          sqlContains,
          got: expected,
        });
        rig.tracker.forget(table);
        await rig.database.run('DROP TABLE dbo.Items');
      }
    }
    expect(told.length).toBeGreaterThan(3);
  });
});
