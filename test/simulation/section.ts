/** One followed table of a history, the section that holds it, and what is known of both: keys and rows that are drawn, the judge, the breaks. */
import type { Random } from '../../src/lib/random.ts';
import type { StoredSection } from '../../src/manager/memory/memory-store.ts';
import type { TableSelection } from '../../src/model/table.ts';
import type { ModelDatabase } from './model-database.ts';
import type { Key, KeyType, ModelTable, Row } from './model-table.ts';
import type { Oracle } from './oracle.ts';

export interface SectionSetting {
  readonly keyType: KeyType;
  readonly filtered: boolean;
}

/** The names of the tables of a history, in their order. */
export const TABLE_NAMES = ['Items', 'Lines', 'Notes'];

/** A greater document goes into quarantine. */
export const MAX_DOCUMENT_BYTES = 300;

/** Now and then a row that cannot be published. */
function textOf(drawn: number): string {
  return drawn < 0.5 ? 'a' : drawn < 0.97 ? 'b' : 'z'.repeat(350);
}

export class SimSection {
  /** The section's name. */
  readonly name: string;
  readonly table: ModelTable;
  readonly filtered: boolean;
  readonly oracle: Oracle;
  /** What Redis holds of it now. */
  readonly #stored: () => StoredSection;
  readonly #database: ModelDatabase;
  /** When a daemon last asked what the table is. */
  describedAtMs = 0;
  /** A break of history that no number of change tracking shows: the operator who did it resets in the end. */
  hidden = false;

  constructor(options: {
    readonly database: ModelDatabase;
    readonly table: ModelTable;
    readonly filtered: boolean;
    readonly oracle: Oracle;
    readonly stored: () => StoredSection;
  }) {
    this.name = options.table.name.toLowerCase();
    this.table = options.table;
    this.filtered = options.filtered;
    this.oracle = options.oracle;
    this.#stored = options.stored;
    this.#database = options.database;
  }

  get stored(): StoredSection {
    return this.#stored();
  }

  get selection(): TableSelection {
    return { schema: 'dbo', name: this.table.name, columns: 'all', json: [], filter: this.filtered ? "State <> N'gone'" : null };
  }

  key(n: number): Key {
    const { keyType } = this.table;
    return keyType === 'int' ? [n] : keyType === 'pair' ? [`k${n >> 1}`, n % 2] : [`k${n}`];
  }

  /** A row that no other is like, but for S and State, which come again. */
  row(key: Key, random: Random): Row {
    const { keyColumns, columns } = this.table;
    const state = random() < 0.25 ? 'gone' : random() < 0.2 ? null : 'ok';
    const extra = columns.filter(({ name }) => name.startsWith('X')).map(({ name }) => [name, random() < 0.5 ? 'x' : null] as const);
    return {
      ...Object.fromEntries(keyColumns.map((name, i) => [name, key[i] ?? null])),
      N: random() < 0.7 ? this.#database.nextRevision() : Math.floor(random() * 2),
      S: textOf(random()),
      State: state,
      ...Object.fromEntries(extra),
    };
  }
}
