/**
 * The writers: inserts, updates, deletes, changes of keys (respelled too), large transactions, some rolled back, some that lock each other out,
 * through the real driver, all the time. Each also counts up a row of its own and says at which version that was committed: what a subscriber
 * must hold that claims this version.
 */
import type sql from 'mssql';
import type { Random } from '../../src/lib/random.ts';
import { seededRandom } from '../../src/lib/random.ts';
import type { SqlServer } from './sql-server.ts';
import { sleep } from './waiting.ts';

/** After the commit that made a writer's row `n`, the version was `version`. */
export interface Mark {
  readonly writer: number;
  readonly n: number;
  readonly version: string;
}

export type Tally = Map<string, number>;

export interface WritersOptions {
  readonly server: SqlServer;
  /** Where they reach SQL Server. */
  readonly port: number;
  readonly writers: number;
  readonly seed: number;
  readonly onMark: (mark: Mark) => void;
}

/** Rows of ordinary work; those of large transactions begin above. */
export const ROWS = 120;
export const LARGE = 1500;
export const NAMES = ['Ann', 'Böhm', 'Ça va', "O'Neil", 'x|y', '50%', 'Ünal', 'dot.', 'a b', 'snow ☃', 'Zoë', '[q]', 'ß'];
export const CODES = ['de', 'at', 'ch', 'x/y'];
/** The least of so many numbers of parts. */
export const PARTS = { from: 9_007_199_254_740_990n, count: 25 };

export const pick = <T>(random: Random, from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
export const int = (random: Random, below: number): number => Math.floor(random() * below);
const text = (value: string): string => `N'${value.replaceAll("'", "''")}'`;

export function respelled(random: Random, value: string): string {
  return Array.from(value, (letter) => (letter === 'ß' ? letter : random() < 0.5 ? letter.toUpperCase() : letter.toLowerCase())).join('');
}

function goods(random: Random, n: number): string {
  const id = int(random, ROWS);
  const kind = random();
  if (kind < 0.12) {
    return `DELETE dbo.Goods WHERE Id = ${id}`;
  }
  if (kind < 0.22) {
    return `UPDATE dbo.Goods SET Id = Id + 1 WHERE Id = ${id} AND NOT EXISTS (SELECT 1 FROM dbo.Goods WHERE Id = ${id + 1})`;
  }
  const note = random() < 0.3 ? 'NULL' : text(`"~/ ${n} \u{1f600} ${'.'.repeat(int(random, 40))}`);
  const at = `'2026-11-22T10:${String(int(random, 60)).padStart(2, '0')}:00.${String(int(random, 9_999_999)).padStart(7, '0')}'`;
  const amount = random() < 0.1 ? 'NULL' : (random() * 1000 - 100).toFixed(2);
  return `UPDATE dbo.Goods SET Amount = ${amount}, Note = ${note}, At = ${at}, N = ${n} WHERE Id = ${id};
    IF @@ROWCOUNT = 0 INSERT INTO dbo.Goods (Id, Amount, Note, At, N) VALUES (${id}, ${amount}, ${note}, ${at}, 9007199254740993 + ${n})`;
}

function names(random: Random, n: number): string {
  const name = `${pick(random, NAMES)} ${int(random, 8)}`;
  const kind = random();
  if (kind < 0.15) {
    return `DELETE dbo.Names WHERE Name = ${text(name)}`;
  }
  if (kind < 0.4) {
    return `UPDATE dbo.Names SET Name = ${text(respelled(random, name))} WHERE Name = ${text(name)}`;
  }
  if (kind < 0.5) {
    // Away and back under another spelling, in one transaction.
    return `BEGIN TRANSACTION; DELETE dbo.Names WHERE Name = ${text(name)};
      INSERT INTO dbo.Names (Name, Stock, Price) VALUES (${text(respelled(random, name))}, ${n}, NULL); COMMIT`;
  }
  return `UPDATE dbo.Names SET Stock = ${n}, Price = ${(random() * 100).toFixed(2)} WHERE Name = ${text(name)};
    IF @@ROWCOUNT = 0 INSERT INTO dbo.Names (Name, Stock, Price) VALUES (${text(respelled(random, name))}, NULL, ${n % 1000}.5)`;
}

function pairs(random: Random, n: number): string {
  const code = respelled(random, pick(random, CODES));
  const part = BigInt(int(random, PARTS.count)) + PARTS.from;
  const where = `WHERE Code = ${text(code)} AND Part = ${part}`;
  const kind = random();
  if (kind < 0.15) {
    return `DELETE dbo.Pairs ${where}`;
  }
  if (kind < 0.3) {
    return `UPDATE dbo.Pairs SET Code = ${text(respelled(random, code))} ${where}`;
  }
  return `UPDATE dbo.Pairs SET V = N'v ${n}' ${where};
    IF @@ROWCOUNT = 0 INSERT INTO dbo.Pairs (Code, Part, V) VALUES (${text(code)}, ${part}, NULL)`;
}

function orders(random: Random, n: number): string {
  const id = int(random, ROWS);
  const kind = random();
  if (kind < 0.1) {
    return `DELETE dbo.Orders WHERE Id = ${id}`;
  }
  const status = pick(random, ['open', 'paid', 'archived', 'Archived']);
  return `UPDATE dbo.Orders SET Status = '${status}', Quantity = ${n} WHERE Id = ${id};
    IF @@ROWCOUNT = 0 INSERT INTO dbo.Orders (Id, Status, Quantity) VALUES (${id}, '${status}', NULL)`;
}

/** Many rows at once, in a range of their own; sometimes all of them go. */
function large(random: Random, n: number): string {
  const from = 1000 + int(random, 4) * 250;
  const count = 100 + int(random, LARGE - 100);
  const ending = random() < 0.3 ? 'ROLLBACK' : 'COMMIT';
  if (random() < 0.35) {
    return `BEGIN TRANSACTION; DELETE dbo.Goods WHERE Id >= ${from} AND Id < ${from + count}; UPDATE dbo.Orders SET Quantity = ${n} WHERE Id < 40; ${ending}`;
  }
  const inserts: string[] = [];
  for (let at = 0; at < count; at += 500) {
    const rows = Array.from({ length: Math.min(500, count - at) }, (_, i) => `(${from + at + i}, ${i}.25, NULL, NULL, ${n})`);
    inserts.push(`INSERT INTO dbo.Goods (Id, Amount, Note, At, N) VALUES ${rows.join(', ')};`);
  }
  return `BEGIN TRANSACTION; DELETE dbo.Goods WHERE Id >= ${from} AND Id < ${from + count}; ${inserts.join('\n')} ${ending}`;
}

/** Several tables in one transaction, in an order that differs: writers lock each other out, and one may be the victim. */
function crossed(random: Random, n: number): string {
  const id = int(random, 6);
  const statements = [
    `UPDATE dbo.Goods SET N = ${n} WHERE Id = ${id}`,
    `UPDATE dbo.Orders SET Quantity = ${n} WHERE Id = ${id}`,
    `UPDATE dbo.Pairs SET V = N'crossed ${n}' WHERE Code = N'de'`,
  ];
  return `BEGIN TRANSACTION; ${(random() < 0.5 ? statements : statements.toReversed()).join('; ')}; ${random() < 0.2 ? 'ROLLBACK' : 'COMMIT'}`;
}

const KINDS: readonly (readonly [string, number, (random: Random, n: number) => string])[] = [
  ['goods', 0.3, goods],
  ['names', 0.25, names],
  ['pairs', 0.2, pairs],
  ['orders', 0.17, orders],
  ['crossed', 0.06, crossed],
  ['large', 0.02, large],
];

export class Writers {
  readonly #options: WritersOptions;
  readonly #runs: Promise<void>[];
  #going = true;
  #paused = false;
  #idle = 0;
  /** Statements that were committed (or rolled back as they meant to), and those that failed. */
  readonly tally: Tally = new Map();

  constructor(options: WritersOptions) {
    this.#options = options;
    this.#runs = Array.from({ length: options.writers }, (_, writer) => this.#write(writer));
  }

  /** Returns when none of them is writing. */
  async pause(): Promise<void> {
    this.#paused = true;
    while (this.#idle < this.#runs.length) {
      await sleep(10);
    }
  }

  resume(): void {
    this.#paused = false;
  }

  async stop(): Promise<void> {
    this.#going = false;
    await Promise.all(this.#runs);
  }

  #count(what: string): void {
    this.tally.set(what, (this.tally.get(what) ?? 0) + 1);
  }

  async #write(writer: number): Promise<void> {
    const { server, port, seed, onMark } = this.#options;
    const random = seededRandom(seed * 7919 + writer);
    let pool: sql.ConnectionPool | null = null;
    let mark = 0;
    for (let n = 1; this.#going; n += 1) {
      if (this.#paused) {
        this.#idle += 1;
        while (this.#paused && this.#going) {
          await sleep(10);
        }
        this.#idle -= 1;
        continue;
      }
      const draw = random();
      let below = 0;
      const [name, , make] = KINDS.find(([, share]) => draw < (below += share)) ?? KINDS[0]!;
      const statement = make(random, n);
      const marks = n % 5 === 0;
      try {
        pool ??= await server.connect(port, `chaos-writer-${writer}`);
        await pool.request().batch(`SET XACT_ABORT ON; ${statement}`);
        this.#count(name);
        if (marks) {
          mark += 1;
          // The number goes up even where the answer is lost: then nothing is said of it.
          const { recordset } = await pool.request().query<{ v: string }>(
            `UPDATE dbo.Marks SET N = ${mark} WHERE Writer = ${writer}; IF @@ROWCOUNT = 0 INSERT INTO dbo.Marks VALUES (${writer}, ${mark});
             SELECT CHANGE_TRACKING_CURRENT_VERSION() AS v`,
          );
          onMark({ writer, n: mark, version: recordset[0]?.v ?? '0' });
        }
      } catch (error) {
        this.#count('failed');
        if ((error as { number?: number }).number !== 1205) {
          await pool?.close().catch(() => undefined);
          pool = null;
          await sleep(100);
        }
      }
      await sleep(int(random, 25));
    }
    await pool?.close().catch(() => undefined);
  }
}
