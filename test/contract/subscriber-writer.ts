/** Writes a section through the real Redis manager, as the pipeline would: what a subscriber's contract is held against. */
import { until } from '../support/daemon-process.ts';
import type { Document } from '../../src/model/document.ts';
import type { SourceIdentity } from '../../src/model/table.ts';
import { systemClock } from '../../src/lib/clock.ts';
import type { RowWrite } from '../../src/manager/distributed-data-manager.ts';
import type { RedisTargetOptions } from '../../src/manager/redis/connection.ts';
import { type RedisDataManager, redisDataManager } from '../../src/manager/redis/redis-data-manager.ts';
import { diff } from '../../src/wire/json-patch.ts';
import type { WireChange } from '../../src/wire/messages.ts';

export type Write = readonly [dataKey: string, document: Document | null, identity?: string];

const SOURCE: SourceIdentity = {
  ...{ serviceBrokerGuid: 'guid', database: 'Shop', objectId: 1, beginVersion: '0', fingerprint: 'f' },
  recorded: { serverName: 's', databaseId: 5, createDate: '2026-01-01' },
};

export class SectionWriter implements AsyncDisposable {
  readonly section = 'orders';
  readonly manager: RedisDataManager;
  readonly rows = new Map<string, { readonly dataKey: string; readonly version: string; readonly document: Document }>();
  #version = 0n;
  /** What the section says of its key from the next load on. */
  key: SourceIdentity['key'];

  /** @param redis a url, or options with a cluster */
  constructor(redis: string | RedisTargetOptions, partition: string, maxReplayBytes: number = 1_000_000, invalidations: boolean = true) {
    this.manager = redisDataManager({
      ...(typeof redis === 'string' ? { url: redis } : { options: redis }),
      partition,
      leaseMs: 60_000,
      replay: { maxBytes: maxReplayBytes, maxAgeMs: 3_600_000 },
      commandTimeoutMs: 10_000,
      invalidations,
      clock: systemClock,
    });
  }

  get version(): bigint {
    return this.#version;
  }

  /** Documents by data key. */
  get documents(): Record<string, Document> {
    return Object.fromEntries([...this.rows.values()].map(({ dataKey, document }) => [dataKey, document]));
  }

  async lead(): Promise<void> {
    await this.manager.open({ signal: AbortSignal.timeout(10_000) });
    await this.manager.lead(this.section);
  }

  /** A first load or a replacement, as L3 has it. Between begin and end nothing is told. */
  async load(writes: readonly Write[], newEpoch: boolean = true): Promise<void> {
    await this.begin(newEpoch);
    await this.write(writes, 'store');
    await this.end();
  }

  async begin(newEpoch: boolean): Promise<void> {
    await this.manager.transition(this.section, {
      state: 'loading',
      newEpoch,
      reset: { phase: 'begin', reason: 'first load' },
      advance: { checkpoint: this.#version, confirmed: this.#version, high: this.#version },
      ...(this.key === undefined ? {} : { source: { ...SOURCE, key: this.key } }),
    });
  }

  async end(): Promise<void> {
    await this.manager.transition(this.section, {
      state: 'live',
      newEpoch: false,
      reset: { phase: 'end', reason: 'load ended' },
      advance: { upTo: this.#version },
    });
  }

  /** A resync begins or ends: documents stay good. */
  async resync(state: 'resyncing' | 'live'): Promise<void> {
    await this.manager.transition(this.section, { state, newEpoch: false, reset: null, advance: {} });
  }

  async write(writes: readonly Write[], how: 'publish' | 'store' = 'publish'): Promise<bigint> {
    const version = ++this.#version;
    const text = version.toString();
    const rows = writes.map(([dataKey, document, identity = dataKey]): RowWrite => {
      const old = this.rows.get(identity);
      const changes: WireChange[] = [];
      const base = { ...(identity === dataKey ? {} : { identity }), versionId: text, changeVersion: text };
      const respelled = old !== undefined && old.dataKey !== dataKey;
      if (old !== undefined && (document === null || respelled)) {
        const was = { ...base, ...(identity === old.dataKey ? {} : { identity }), dataKey: old.dataKey };
        changes.push({ ...was, op: 'remove', prevVersionId: old.version, patch: [{ op: 'remove', path: '' }] });
      } else if (document === null) {
        // It came and went between two reads.
        changes.push({ ...base, dataKey, op: 'remove', prevVersionId: null, patch: [{ op: 'remove', path: '' }] });
      }
      if (document !== null) {
        const prev = respelled ? undefined : old;
        const patch = diff(prev?.document ?? null, document) as WireChange['patch'];
        changes.push({ ...base, dataKey, op: 'upsert', prevVersionId: prev?.version ?? null, patch });
        this.rows.set(identity, { dataKey, version: text, document });
      } else {
        this.rows.delete(identity);
      }
      return {
        identity,
        expected: old === undefined ? null : { version: old.version, dataKey: old.dataKey },
        next: document === null ? null : { version: text, dataKey, document: JSON.stringify(document) },
        changes: how === 'publish' ? changes : [],
      };
    });
    const advance = { checkpoint: version, confirmed: version, high: version, ...(how === 'publish' ? { upTo: version } : {}) };
    await this.manager[how]({ section: this.section, rows, advance, changeTimeMs: Date.now() });
    return version;
  }

  async heartbeat(intervalMs: number = 60_000): Promise<void> {
    const believed = { checkpoint: this.#version, confirmed: this.#version };
    await this.manager.heartbeat(this.section, { believed, advance: {}, intervalMs });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.manager[Symbol.asyncDispose]();
  }
}

/** Waits until the writer leads where its section lies now. */
export async function leading({ manager, section }: Pick<SectionWriter, 'manager' | 'section'>): Promise<void> {
  await until('the lead where the section lies now', () =>
    manager.lead(section).then(
      ({ kind }) => kind === 'leading',
      () => false,
    ),
  );
}
