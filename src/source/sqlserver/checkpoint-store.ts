/**
 * The checkpoint store in SQL Server: reads and writes the rows of one partition over one small connection of its own, never the readers'. Creates
 * nothing: the table comes from sql/checkpoint-store.sql. Judges no row.
 */
import mssql from 'mssql';
import type { Clock } from '../../lib/clock.ts';
import { PatchwireError } from '../../model/errors.ts';
import { parseVersion } from '../../model/version.ts';
import type { Logger } from '../../observe/logger.ts';
import type { CheckpointRow, CheckpointStore, ExpectedRow, StoredCheckpoint } from '../checkpoint-store.ts';
import {
  CHECKPOINT_SETS,
  CHECKPOINT_TABLE,
  createCheckpointQuery,
  readCheckpointQuery,
  replaceCheckpointQuery,
} from './checkpoint-queries.ts';
import { APPLICATION_NAME, driverConfig } from './connection.ts';
import type { SqlServerConnection } from './connection-options.ts';
import { numberOfError, sourceError } from './errors.ts';
import { collector, textOf } from './facts.ts';
import { Guest, type Run } from './guest.ts';
import type { DriverRow } from './plan.ts';
import type { Parameter } from './request.ts';

export interface SqlServerCheckpointStoreOptions {
  /** The source's name in the configuration. */
  readonly source: string;
  readonly partition: string;
  readonly connection: string | SqlServerConnection;
  readonly lockTimeoutMs: number;
  /** The watchdog over a whole request. */
  readonly requestTimeoutMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** The application name that the server's administrator sees of this connection. */
export const CHECKPOINT_APPLICATION_NAME = `${APPLICATION_NAME} checkpoints`;

/** Nothing is connected before the first call. @throws PatchwireError PW-C103 for a connection that cannot be honoured */
export function sqlServerCheckpointStore(options: SqlServerCheckpointStoreOptions): CheckpointStore {
  return new SqlServerCheckpointStore(options);
}

/** A row that is there already: PRIMARY KEY. Source: learn.microsoft.com, MSSQLSERVER_2627. */
const DUPLICATE_KEY = 2627;
/** The table or one of its columns is not there; SELECT, INSERT or UPDATE is denied on the table or a column. */
const NOT_USABLE: ReadonlySet<number> = new Set([207, 208, 229, 230]);

class SqlServerCheckpointStore implements CheckpointStore {
  readonly #options: SqlServerCheckpointStoreOptions;
  readonly #guest: Guest;

  constructor(options: SqlServerCheckpointStoreOptions) {
    this.#options = options;
    const config = driverConfig(options.connection);
    this.#guest = new Guest({
      ...options,
      config: { ...config, options: { ...config.options, appName: CHECKPOINT_APPLICATION_NAME } },
      readers: 1,
      timeShare: 1,
    });
  }

  async read(section: string, { signal }: { readonly signal: AbortSignal }): Promise<StoredCheckpoint | null> {
    return await this.#use('reading the checkpoint row', section, signal, async (run) => {
      const { sets, onRow } = collector(CHECKPOINT_SETS);
      try {
        await run({ text: readCheckpointQuery(this.#options), parameters: this.#names(section), onRow });
      } finally {
        // What is wrong with the table says more than the error that it leads to.
        checkUsable(sets.get('facts')?.[0]);
      }
      const row = sets.get('row')?.[0];
      return row === undefined ? null : decodeRow(row);
    });
  }

  async create(section: string, row: CheckpointRow, { signal }: { readonly signal: AbortSignal }): Promise<boolean> {
    return await this.#use('writing the checkpoint row', section, signal, async (run) => {
      try {
        await run({
          text: createCheckpointQuery(this.#options),
          parameters: [...this.#names(section), ...values(row)],
          onRow: () => 'more',
        });
        return true;
      } catch (error) {
        if (numberOfError(error) === DUPLICATE_KEY) {
          return false;
        }
        throw error;
      }
    });
  }

  async replace(
    section: string,
    expected: ExpectedRow,
    row: CheckpointRow,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<boolean> {
    return await this.#use('writing the checkpoint row', section, signal, async (run) => {
      const { sets, onRow } = collector(['written']);
      await run({
        text: replaceCheckpointQuery(this.#options),
        parameters: [
          ...this.#names(section),
          ...values(row),
          { name: 'expectedLeader', type: mssql.VarChar(64), value: expected.leader },
          { name: 'expectedMark', type: mssql.BigInt, value: expected.mark.toString() },
        ],
        onRow,
      });
      return Number(sets.get('written')?.[0]?.['written']) === 1;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#guest[Symbol.asyncDispose]();
  }

  #names(section: string): Parameter[] {
    return [
      { name: 'partition', type: mssql.VarChar(400), value: this.#options.partition },
      { name: 'section', type: mssql.VarChar(400), value: section },
    ];
  }

  async #use<T>(doing: string, section: string, signal: AbortSignal, work: (run: Run) => Promise<T>): Promise<T> {
    const { source } = this.#options;
    try {
      return await this.#guest.read(work, { signal });
    } catch (error) {
      if (signal.aborted && error === signal.reason) {
        throw error;
      }
      const number = error instanceof PatchwireError ? null : numberOfError(error);
      if (number !== null && NOT_USABLE.has(number)) {
        throw notUsable(`SQL Server error ${number} while ${doing} of section ${section}: ${(error as Error).message}`, { number }, error);
      }
      throw sourceError(error, { source, doing, table: CHECKPOINT_TABLE });
    }
  }
}

/** @throws PatchwireError PW-S233, PW-S214 */
function checkUsable(facts: DriverRow | undefined): void {
  if (facts === undefined) {
    return;
  }
  const database = textOf(facts['name']);
  const updateability = textOf(facts['updateability']);
  if (updateability.toUpperCase() !== 'READ_WRITE') {
    throw new PatchwireError('PW-S214', `The database ${database} is ${updateability || 'not known to be writable'}.`, {
      details: { database, updateability },
    });
  }
  if ((facts['object_id'] ?? null) === null) {
    throw notUsable(`There is no table ${CHECKPOINT_TABLE} in ${database} that the login may see.`, { database });
  }
  const lacking = ['select', 'insert', 'update'].filter((right) => Number(facts[`may_${right}`] ?? 0) !== 1);
  if (lacking.length > 0) {
    const rights = lacking.join(', ').toUpperCase();
    throw notUsable(`The login lacks ${rights} on ${CHECKPOINT_TABLE} in ${database}.`, { database, lacking: rights });
  }
  if (Number(facts['tracked']) !== 0) {
    throw new PatchwireError(
      'PW-S233',
      `Change tracking is on for ${CHECKPOINT_TABLE} in ${database}: every checkpoint would be a change.`,
      {
        hint: `ALTER TABLE ${CHECKPOINT_TABLE} DISABLE CHANGE_TRACKING;`,
        details: { database },
      },
    );
  }
}

function notUsable(message: string, details: Readonly<Record<string, unknown>>, cause?: unknown): PatchwireError {
  return new PatchwireError('PW-S233', message, {
    hint: 'Run sql/checkpoint-store.sql in the database: `patchwire sql checkpoint-store` prints it.',
    details,
    ...(cause === undefined ? {} : { cause }),
  });
}

function values({ epoch, checkpoint, confirmed, leader, mark, originMark }: CheckpointRow): Parameter[] {
  return [
    { name: 'epoch', type: mssql.VarChar(64), value: epoch },
    { name: 'checkpoint', type: mssql.BigInt, value: checkpoint.toString() },
    { name: 'confirmed', type: mssql.BigInt, value: confirmed.toString() },
    { name: 'leader', type: mssql.VarChar(64), value: leader },
    { name: 'mark', type: mssql.BigInt, value: mark.toString() },
    { name: 'origin', type: mssql.BigInt, value: originMark.toString() },
  ];
}

function decodeRow(row: DriverRow): StoredCheckpoint {
  const version = (column: string): bigint => parseVersion(textOf(row[column]));
  return {
    epoch: textOf(row['epoch']),
    checkpoint: version('checkpoint_version'),
    confirmed: version('confirmed_version'),
    leader: textOf(row['leader']),
    mark: version('mark'),
    originMark: version('origin_mark'),
    updatedAtMs: Date.parse(`${textOf(row['updated_at'])}Z`),
  };
}
