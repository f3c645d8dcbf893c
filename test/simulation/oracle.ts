/**
 * The judge: knows every committed state of every row, looks at what Redis holds after each script and at what replicas say after their inputs,
 * and writes down what is not so. It never looks into the code under test.
 */
import type { StoredSection } from '../../src/manager/memory/memory-store.ts';
import { Digest } from '../../src/wire/digest.ts';
import type { ModelDatabase } from './model-database.ts';
import type { Column, Delta, ModelTable, Row } from './model-table.ts';
import { passes } from './model-server.ts';
import { MAX_DOCUMENT_BYTES } from './section.ts';

interface State {
  readonly version: bigint;
  /** Data key and document under each projection that may be in force; null: the section holds no such row. */
  readonly values: readonly (string | null)[];
}

const ABSENT: State = { version: -1n, values: [null] };

/** What the judge asks of a replica, of the simulated machine and of the real library alike. */
export interface JudgedReplica {
  /** null: it says that its documents do not count. */
  position(nowMs: number): { readonly epoch: string; readonly seq: number; readonly last: string; readonly upTo: string | null } | null;
  state(): { readonly equal: boolean; readonly reasons: readonly string[] };
  documents(): Iterable<{ readonly identity: string; readonly dataKey: string; readonly document: unknown }>;
}

export interface OracleOptions {
  readonly database: ModelDatabase;
  readonly table: ModelTable;
  readonly filtered: boolean;
  /** Whether upTo and versions may be believed: not where commits become visible late and nobody waits for them. */
  readonly exact: boolean;
  /** Whether a document is current as of its version: under READ COMMITTED a row may be read before the change record that names it. */
  readonly current: boolean;
  readonly now: () => number;
}

export class Oracle {
  readonly violations: string[];
  /** How often something was compared, so that a run that compares nothing is noticed. */
  readonly checks = { documents: 0, claims: 0, equalReplicas: 0, replicaClaims: 0, rowsAside: 0 };
  readonly #options: OracleOptions;
  readonly #states = new Map<string, State[]>();
  /** Where each key stands in its states; what it held. */
  readonly #places = new Map<string, number>();
  readonly #held = new Map<string, string>();
  #epoch: string | null = null;
  #state = '';
  #upTo: bigint | null = null;
  /** It sees Redis now and then, and not after each script. */
  sampled = false;
  /** Messages at which rows were in quarantine. */
  readonly #aside = new Set<string>();
  /** What was published at the last messages. */
  readonly #published = new Map<string, string>();
  #brokenAtMs: number | null = null;
  /** Epochs that were begun, or resynced, after the last break; a Redis that goes back may bring another. */
  readonly #sound = new Set<string>();
  /** What somebody else has taken away of the stored documents: nobody answers for it until it is written again. */
  readonly #damaged = new Set<string>();
  /** All that ever was: a dataset that goes back may bring any of it again. */
  readonly #everDamaged = new Set<string>();

  constructor(options: OracleOptions, violations: string[]) {
    this.#options = options;
    this.violations = violations;
  }

  /** Something that no version tells of has happened: nothing is claimed of it until the section is loaded from what is now. */
  get broken(): boolean {
    return this.#brokenAtMs !== null && (this.#epoch === null || !this.#sound.has(this.#epoch));
  }

  break(): void {
    this.#sound.clear();
    this.#brokenAtMs = this.#options.now();
  }

  /** What broke it has only now been done: whatever was begun meanwhile is not sound. */
  breakAgain(): void {
    if (this.#brokenAtMs !== null) {
      this.break();
    }
  }

  committed(delta: Delta, version: bigint | null): void {
    const { database, table } = this.#options;
    for (const [identity, row] of delta) {
      const states = this.#states.get(identity) ?? [ABSENT];
      this.#states.set(identity, states);
      states.push({ version: version ?? database.version, values: row === null ? [null] : this.#projections(row, table.columns) });
    }
  }

  /** The dataset was replaced: what keys stand at is looked up anew. */
  rewound(): void {
    this.#places.clear();
    this.#held.clear();
    this.#epoch = null;
    this.#state = '';
    this.#upTo = null;
    this.#everDamaged.forEach((identity) => this.#damaged.add(identity));
  }

  /** After a script. `describedAtMs`: when a daemon last asked what the table is. */
  script(stored: StoredSection, describedAtMs: number): void {
    const { meta } = stored;
    if (meta === null) {
      this.rewound();
      return;
    }
    if (meta.pending !== '') {
      return;
    }
    if (meta.epoch !== this.#epoch) {
      this.#places.clear();
      this.#upTo = null;
    }
    if (
      meta.state !== 'live' &&
      // What only looks for lost documents (C8) compares no row with its source.
      meta.cursor?.phase !== 'check' &&
      (meta.epoch !== this.#epoch || this.#state !== meta.state) &&
      this.#brokenAtMs !== null &&
      describedAtMs > this.#brokenAtMs
    ) {
      this.#sound.add(meta.epoch);
    }
    this.#epoch = meta.epoch;
    this.#state = meta.state;
    const changed = this.#changes(stored);
    changed.forEach((identity) => this.#checkKey(identity, stored));
    if (meta.state === 'live' && meta.upTo !== null && meta.incomplete === null && !this.broken && this.#options.exact) {
      this.#checkClaim(meta.upTo, meta.upTo === this.#upTo ? changed : this.#states.keys());
    }
    if (this.#upTo !== null && meta.upTo !== null && meta.upTo < this.#upTo) {
      this.#say(`upTo fell from ${this.#upTo} to ${meta.upTo}`);
    }
    this.#upTo = meta.upTo;
    this.checks.rowsAside += stored.quarantine.size;
    this.#aside[stored.quarantine.size > 0 ? 'add' : 'delete'](`${meta.epoch}/${meta.last}`);
    if (meta.state === 'live' && [...stored.index.values()].every(({ dataKey }) => stored.documents.has(dataKey))) {
      this.#published.set(`${meta.epoch}/${meta.last}`, canonical(publishedOf(stored), this.#options.table));
      if (this.#published.size > 60) {
        this.#published.delete(this.#published.keys().next().value ?? '');
      }
    }
  }

  /** Somebody else deletes the document of a key, or what stands in its index entry. */
  damage(identity: string): void {
    this.#damaged.add(identity);
    this.#everDamaged.add(identity);
  }

  /** After an input of a replica. */
  replica(replica: JudgedReplica, nowMs: number): void {
    const at = replica.position(nowMs);
    if (at === null) {
      return;
    }
    const documents = new Map([...replica.documents()].map((entry) => [entry.dataKey, entry.document]));
    const published = this.#published.get(`${at.epoch}/${at.last}`);
    if (!this.sampled && replica.state().equal && this.#aside.has(`${at.epoch}/${at.last}`)) {
      this.#say(`a replica calls itself equal at ${at.seq}, where rows are in quarantine`);
    }
    if (replica.state().equal && published !== undefined) {
      this.checks.equalReplicas += 1;
      const held = canonical(documents, this.#options.table);
      if (held !== published) {
        this.#say(`a replica calls itself equal at ${at.seq} and is not: ${held} / ${published}`);
      }
    }
    if (at.upTo !== null && at.epoch === this.#epoch && !this.broken && this.#options.exact) {
      this.checks.replicaClaims += 1;
      const upTo = BigInt(at.upTo);
      const values = new Map(
        [...replica.documents()].map((entry) => [entry.identity, canonicalValue(entry.dataKey, entry.document, this.#options.table)]),
      );
      for (const [identity, states] of this.#states) {
        if (!contains(states, upTo, values.get(identity) ?? null)) {
          this.#say(`a replica claims upTo ${upTo} and holds ${identity} as ${values.get(identity)}`);
        }
      }
    }
  }

  /** What differs from the table when nothing moves any more. */
  differences(stored: StoredSection): string[] {
    const expected = new Map<string, string>();
    const aside: string[] = [];
    for (const [identity, row] of this.#options.table.rows) {
      const value = this.#projections(row, this.#options.table.columns)[0] ?? null;
      if (value !== null) {
        expected.set(...split(value));
      } else if (!this.#options.filtered || passes(row)) {
        aside.push(identity);
      }
    }
    const differences: string[] = [];
    if (aside.toSorted().join() !== [...stored.quarantine.keys()].toSorted().join()) {
      differences.push(`rows ${aside.join()} cannot be published, in quarantine are ${[...stored.quarantine.keys()].join()}`);
    }
    for (const key of new Set([...expected.keys(), ...stored.documents.keys()])) {
      if (expected.get(key) !== stored.documents.get(key)) {
        differences.push(`${key}: the row is ${expected.get(key)}, the document ${stored.documents.get(key)}`);
      }
    }
    if (stored.index.size !== expected.size) {
      differences.push(`${expected.size} rows, ${stored.index.size} index entries`);
    }
    const digest = new Digest();
    stored.index.forEach(({ version }, identity) => digest.toggle(identity, version));
    if (stored.meta !== null && stored.meta.digest !== digest.toString()) {
      differences.push(`the digest is ${stored.meta.digest}, of the index ${digest.toString()}`);
    }
    return differences;
  }

  replicaDifferences(replica: JudgedReplica, stored: StoredSection): string[] {
    const documents = new Map([...replica.documents()].map((entry) => [entry.dataKey, entry.document]));
    return canonical(documents, this.#options.table) === canonical(publishedOf(stored), this.#options.table)
      ? []
      : [`a replica holds ${canonical(documents, this.#options.table)}`];
  }

  #changes({ index, documents }: StoredSection): string[] {
    const changed: string[] = [];
    for (const [identity, { dataKey }] of index) {
      const value = joined(dataKey, documents.get(dataKey) ?? '');
      if (!value.endsWith('\0')) {
        this.#damaged.delete(identity);
      }
      if (this.#held.get(identity) !== value) {
        changed.push(identity);
        this.#held.set(identity, value);
      }
    }
    for (const identity of this.#held.keys()) {
      if (!index.has(identity)) {
        changed.push(identity);
        this.#held.delete(identity);
        this.#damaged.delete(identity);
      }
    }
    return changed;
  }

  /** What is stored is a state that was committed, and none before the one that was stored. */
  #checkKey(identity: string, stored: StoredSection): void {
    this.checks.documents += 1;
    const value = this.#held.get(identity) ?? null;
    const states = this.#states.get(identity) ?? [ABSENT];
    const from = this.#places.get(identity) ?? 0;
    const place = states.findIndex((state, i) => i >= from && state.values.includes(value));
    if (place >= 0) {
      this.#places.set(identity, place);
    } else if (states.some((state) => state.values.includes(value))) {
      this.#say(`${identity} went backwards to ${value}, from ${states[from]?.values[0]}`);
    } else if (value?.endsWith('\0') !== true) {
      this.#say(`${identity} was invented: ${value}`);
    }
    const version = stored.index.get(identity)?.version;
    if (
      version !== undefined &&
      value?.endsWith('\0') !== true &&
      // While a load is under way, what it has not come to yet is old.
      stored.meta?.state === 'live' &&
      !this.broken &&
      this.#options.current &&
      !contains(states, BigInt(version), value)
    ) {
      this.#say(`${identity} is said to be current as of ${version}, and is ${value}`);
    }
  }

  #checkClaim(upTo: bigint, identities: Iterable<string>): void {
    this.checks.claims += 1;
    for (const identity of identities) {
      const states = this.#states.get(identity) ?? [ABSENT];
      if (!this.#damaged.has(identity) && !contains(states, upTo, this.#held.get(identity) ?? null)) {
        this.#say(`upTo ${upTo} is claimed, and ${identity} is ${this.#held.get(identity)}`);
      }
    }
  }

  /** Under all columns, and under fewer: a column that was added is not noticed at once. */
  #projections(row: Row, columns: readonly Column[]): readonly (string | null)[] {
    if (this.#options.filtered && !passes(row)) {
      return [null];
    }
    const dataKey = dataKeyOf(this.#options.table, row);
    const own = this.#options.table.keyColumns.length + 3;
    const values: (string | null)[] = [];
    for (let n = columns.length; n >= own; n -= 1) {
      const document = Object.fromEntries(columns.slice(0, n).map(({ name }) => [name, row[name] ?? null]));
      const text = JSON.stringify(document);
      values.push(text.length > MAX_DOCUMENT_BYTES ? null : joined(dataKey, text));
    }
    return values;
  }

  #say(text: string): void {
    if (this.violations.length < 20) {
      this.violations.push(`${text} (at ${this.#options.now()})`);
    }
  }
}

/** Whether a value is what a row was at a version, or became later. */
function contains(states: readonly State[], version: bigint, value: string | null): boolean {
  for (let i = states.length - 1; i >= 0; i -= 1) {
    const state = states[i];
    if (state?.values.includes(value) === true) {
      return true;
    }
    if (state !== undefined && state.version <= version) {
      return false;
    }
  }
  return false;
}

function joined(dataKey: string, document: string): string {
  return `${dataKey}\0${document}`;
}

function split(value: string): [string, string] {
  const at = value.indexOf('\0');
  return [value.slice(0, at), value.slice(at + 1)];
}

function publishedOf({ index, documents }: StoredSection): Map<string, unknown> {
  return new Map([...index.values()].map(({ dataKey }) => [dataKey, JSON.parse(documents.get(dataKey) ?? 'null') as unknown]));
}

/** As patchwire spells it. */
export function dataKeyOf(table: ModelTable, row: Row): string {
  return table
    .keyOf(row)
    .map((value) => encodeURIComponent(String(value)))
    .join('|');
}

const COLUMNS_FIRST = ['Code', 'Part', 'N', 'S', 'State'];

/** Patches may put properties in another order. */
function canonicalValue(dataKey: string, document: unknown, { columns }: ModelTable): string {
  const order = columns.map(({ name }) => name);
  const rank = (name: string): number => {
    const own = COLUMNS_FIRST.indexOf(name);
    return own >= 0 ? own : order.includes(name) ? 10 + order.indexOf(name) : 100 + Number(name.slice(1));
  };
  const entries = Object.entries((document ?? {}) as Record<string, unknown>).toSorted(([a], [b]) => rank(a) - rank(b));
  return joined(dataKey, JSON.stringify(Object.fromEntries(entries)));
}

function canonical(documents: ReadonlyMap<string, unknown>, table: ModelTable): string {
  return [...documents]
    .map(([dataKey, document]) => canonicalValue(dataKey, document, table))
    .toSorted()
    .join('\n');
}
