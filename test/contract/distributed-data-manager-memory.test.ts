/** The contract over plain maps. */
import { systemClock } from '../../src/lib/clock.ts';
import { memoryDataManager } from '../../src/manager/memory/memory-data-manager.ts';
import { MemoryStore } from '../../src/manager/memory/memory-store.ts';
import { parseVersion } from '../../src/model/version.ts';
import { distributedDataManagerContract, type ManagerBench } from './distributed-data-manager.ts';

const PARTITION = 'shop';

export async function memoryBench(): Promise<ManagerBench & { readonly store: MemoryStore }> {
  const store = new MemoryStore();
  const texts: string[] = [];
  store.listen((_channel, text) => texts.push(text));
  return {
    store,
    manager: (options = {}) =>
      memoryDataManager({ store, partition: PARTITION, leaseMs: 60_000, replay: { maxBytes: 1e7, maxAgeMs: 1e9 }, clock: systemClock, ...options }),
    messages: async () => texts,
    state: async (section) => {
      const { index, documents, changes } = store.section(PARTITION, section);
      return {
        index: Object.fromEntries([...index].map(([identity, entry]) => [identity, `${entry.version} ${entry.dataKey}`])),
        documents: Object.fromEntries(documents),
        changes: changes.map(({ seq, text }) => ({ seq, text })),
      };
    },
    expireLease: async (section) => {
      store.section(PARTITION, section).lease = null;
    },
    setMeta: async (section, field, value) => {
      const meta = store.section(PARTITION, section).meta!;
      if (field === 'checkpoint') {
        meta.checkpoint = parseVersion(value);
      } else if (field === 'format') {
        meta.format = Number(value);
      } else {
        meta[field] = value;
      }
    },
    setIndexEntry: async (section, identity, version) => {
      store.section(PARTITION, section).index.set(identity, { version, dataKey: identity });
    },
    deleteDocument: async (section, dataKey) => {
      store.section(PARTITION, section).documents.delete(dataKey);
    },
    deleteMeta: async (section) => {
      store.section(PARTITION, section).meta = null;
    },
    snapshot: async () => {
      const copy = store.snapshot();
      return async () => store.restore(copy);
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
}

distributedDataManagerContract('memory', memoryBench);
