/** Property: whatever is called, in whatever order, the memory manager and Redis answer alike and end in equal states. */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Advance, DistributedDataManager, RowWrite } from '../../src/manager/distributed-data-manager.ts';
import { message } from '../../src/wire/messages.ts';
import { type TestRedis, testRedis } from '../support/redis.ts';
import { batch, codeOf, digestOf, live, type ManagerBench, removal, S, upsert } from './distributed-data-manager-rows.ts';
import { memoryBench, redisBench } from './distributed-data-manager-benches.ts';

let redis: TestRedis;
beforeAll(async () => {
  redis = await testRedis();
});
afterAll(async () => {
  await redis[Symbol.asyncDispose]();
});

/** A row of the batch as an intention; what is expected comes from the model, unless it is to be wrong. */
interface RowIntent {
  readonly identity: string;
  readonly remove: boolean;
  readonly upperCase: boolean;
  readonly wrong: boolean;
}

type Action =
  | { readonly kind: 'publish' | 'store'; readonly rows: readonly RowIntent[]; readonly checkpoint: number | null }
  | { readonly kind: 'heartbeat'; readonly wrong: boolean; readonly checkpoint: number | null }
  | { readonly kind: 'transition'; readonly newEpoch: boolean; readonly state: 'live' | 'loading' | 'resyncing'; readonly told: boolean }
  | { readonly kind: 'lead' | 'expire' | 'takeover' | 'rewind' };

const rowIntent = fc.record({
  identity: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
  remove: fc.boolean(),
  upperCase: fc.boolean(),
  wrong: fc.integer({ min: 0, max: 19 }).map((n) => n === 0),
});
const checkpoint = fc.option(fc.integer({ min: 1, max: 1000 }));
const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constantFrom('publish' as const, 'store' as const),
      rows: fc.uniqueArray(rowIntent, { selector: (row) => row.identity, maxLength: 5 }),
      checkpoint,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('heartbeat' as const),
      wrong: fc.integer({ min: 0, max: 4 }).map((n) => n === 0),
      checkpoint,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('transition' as const),
      newEpoch: fc.boolean(),
      state: fc.constantFrom('live' as const, 'loading' as const, 'resyncing' as const),
      told: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constantFrom('lead' as const, 'expire' as const, 'takeover' as const, 'rewind' as const) }),
  },
);

/** What happened, without what is random: codes, messages and states. */
async function play(bench: ManagerBench, actions: readonly Action[]): Promise<unknown> {
  const clock = { now: () => Date.UTC(2026, 5, 1), monotonic: () => 0, sleep: async () => undefined };
  const managers: DistributedDataManager[] = [bench.manager({ clock, invalidations: true }), bench.manager({ clock, invalidations: true })];
  let leader = 0;
  const manager = (): DistributedDataManager => managers[leader]!;
  await live(manager());
  let rewind = await bench.snapshot();
  const codes: unknown[] = [];
  let version = 10;
  for (const one of actions) {
    version += 1;
    const stored = (await bench.state(S)).index;
    const position = (await manager().readMeta(S))!;
    const advance: Advance = 'checkpoint' in one && one.checkpoint !== null ? { checkpoint: BigInt(one.checkpoint) } : {};
    switch (one.kind) {
      case 'publish':
      case 'store': {
        const rows = one.rows.map((intent) => rowOf(intent, stored[intent.identity], String(version)));
        codes.push(await codeOf(manager()[one.kind](batch(rows, advance))));
        break;
      }
      case 'heartbeat': {
        const believed = { checkpoint: position.checkpoint + (one.wrong ? 1n : 0n), confirmed: position.confirmed };
        codes.push(await codeOf(manager().heartbeat(S, { believed, advance, intervalMs: 5000 })));
        break;
      }
      case 'transition':
        codes.push(
          await codeOf(
            manager().transition(S, {
              ...one,
              reset: one.told ? { phase: 'begin', reason: 'r' } : null,
              advance: { high: BigInt(version) },
            }),
          ),
        );
        break;
      case 'expire':
        await bench.expireLease(S);
        rewind = await bench.snapshot();
        break;
      case 'rewind':
        await rewind();
        break;
      case 'takeover':
        leader = 1 - leader;
        codes.push(await manager().lead(S).then(plainLead));
        break;
      case 'lead':
        codes.push(await manager().lead(S).then(plainLead));
        break;
      default:
        throw new Error('no such action');
    }
  }
  const state = await bench.state(S);
  const meta = (await manager().readMeta(S))!;
  expect(meta.digest).toBe(digestOf(state));
  const texts = await bench.messages();
  return {
    codes,
    index: state.index,
    documents: state.documents,
    changes: state.changes.map(({ seq, text }) => [seq, plainMessage(text)]),
    messages: texts.map(plainMessage),
    keyMessages: (await bench.keyMessages()).map(plainMessage),
    meta: { ...meta, epoch: '', last: '', tip: '', leader: '' },
  };
}

function rowOf(intent: RowIntent, entry: string | undefined, version: string): RowWrite {
  const [storedVersion, storedKey] = entry?.split(' ') ?? [];
  const before = intent.wrong ? '1' : (storedVersion ?? null);
  const dataKey = storedKey ?? (intent.upperCase ? intent.identity.toUpperCase() : intent.identity);
  if (intent.remove) {
    return before === null
      ? { identity: intent.identity, expected: null, next: null, changes: [] }
      : removal(intent.identity, before, dataKey);
  }
  const row = upsert(intent.identity, version, before, dataKey);
  const next = row.next!;
  return { ...row, next: { ...next, dataKey: intent.upperCase ? intent.identity.toUpperCase() : intent.identity } };
}

function plainLead(result: Awaited<ReturnType<DistributedDataManager['lead']>>): unknown {
  return result.kind === 'held' ? 'held' : { created: result.created, rewound: result.rewound, seq: result.meta.seq };
}

function plainMessage(text: string): unknown {
  const { epoch: _epoch, managerId: _manager, ...rest } = message.parse(JSON.parse(text));
  return { ...rest, partitionKey: '', id: '', prevId: '', last: '', tip: '' };
}

it('the memory manager and Redis answer alike and end in equal states', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(action, { minLength: 1, maxLength: 25 }), async (actions) => {
      await using onMemory = await memoryBench();
      await using onRedis = await redisBench(redis);
      expect(await play(onRedis, actions)).toEqual(await play(onMemory, actions));
    }),
    {
      numRuns: Number(process.env['FC_RUNS'] ?? 60),
      ...(process.env['FC_SEED'] === undefined ? {} : { seed: Number(process.env['FC_SEED']) }),
    },
  );
}, 120_000);
