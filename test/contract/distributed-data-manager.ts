/**
 * The contract of the port DistributedDataManager: what every adapter does, seen through the port, the messages and the stored state. The
 * adapter's test file gives a bench: managers over one store, and ways to look at it and to tamper with it.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Base, DistributedDataManager } from '../../src/manager/distributed-data-manager.ts';
import { type ChangesMessage, type HeartbeatMessage, type Message, message } from '../../src/wire/messages.ts';
import { batch, codeOf, digestOf, live, type ManagerBench, removal, S, upsert } from './distributed-data-manager-rows.ts';
import { auditContract } from './distributed-data-manager-audit.ts';
import { daemonsContract } from './distributed-data-manager-daemons.ts';
import { keysContract } from './distributed-data-manager-keys.ts';
import { logContract } from './distributed-data-manager-log.ts';
import { damageContract } from './distributed-data-manager-damage.ts';
import { holdsContract } from './distributed-data-manager-holds.ts';
import { quarantineContract } from './distributed-data-manager-quarantine.ts';
import { requestsContract } from './distributed-data-manager-requests.ts';
import { resyncContract } from './distributed-data-manager-resync.ts';

export function distributedDataManagerContract(name: string, make: () => Promise<ManagerBench>): void {
  describe(`a distributed data manager (${name})`, () => {
    let bench: ManagerBench;
    let manager: DistributedDataManager;

    beforeEach(async () => {
      bench = await make();
      manager = bench.manager();
      await manager.open({ signal: AbortSignal.timeout(30_000) });
    });
    afterEach(async () => {
      await bench[Symbol.asyncDispose]();
    });

    const parsed = async (): Promise<Message[]> => (await bench.messages()).map((text) => message.parse(JSON.parse(text)));

    requestsContract(() => ({ bench, manager }));
    resyncContract(() => ({ bench, manager }));
    daemonsContract(() => ({ bench, manager }));
    auditContract(() => ({ bench, manager }));
    holdsContract(() => ({ bench, manager }));
    damageContract(() => ({ bench, manager }));
    quarantineContract(() => ({ bench, manager }));
    logContract(() => bench);
    keysContract(() => ({ bench, manager }));

    it('creates a section that does not exist, loading, with checkpoint 0', async () => {
      expect(await manager.readMeta(S)).toBeNull();
      const result = await manager.lead(S);
      expect(result).toMatchObject({ kind: 'leading', created: true, rewound: false });
      const meta = await manager.readMeta(S);
      expect(meta).toMatchObject({
        format: 1,
        seq: 0,
        checkpoint: 0n,
        upTo: null,
        confirmed: 0n,
        high: 0n,
        state: 'loading',
        cursor: null,
        source: null,
        digest: '0000000000000000',
        count: 0,
        pending: false,
        heartbeatAtMs: null,
        sourceReadAtMs: null,
        quarantined: 0,
        incomplete: null,
        paused: null,
        mark: null,
      });
      expect(meta?.epoch).not.toBe('');
    });

    it('keeps epoch, tip, seq and last when the lead is taken again (C1)', async () => {
      await live(manager);
      await manager.publish(batch([upsert('1', '5', null)]));
      const before = await manager.readMeta(S);
      const again = await manager.lead(S);
      expect(again).toMatchObject({ kind: 'leading', created: false, rewound: false });
      const after = await manager.readMeta(S);
      expect(after).toEqual({ ...before, leader: after?.leader });
      expect(after?.leader).not.toBe(before?.leader);
    });

    it('stores the position, the cursor and the source with the data', async () => {
      await manager.lead(S);
      const source = {
        serviceBrokerGuid: 'g',
        database: 'd',
        objectId: 7,
        beginVersion: '3',
        fingerprint: 'f',
        recorded: { serverName: 's', databaseId: 5, createDate: 'x' },
      };
      const cursor = { phase: 'load', after: 'a"b', rows: 2, estimate: null, startedAtMs: 5 } as const;
      const big = 9_223_372_036_854_775_807n;
      const meta = await manager.transition(S, {
        state: 'loading',
        newEpoch: true,
        reset: { phase: 'begin', reason: 'load' },
        advance: { checkpoint: 4n, confirmed: 3n, high: big, cursor },
        source,
      });
      expect(meta).toEqual(await manager.readMeta(S));
      expect(meta).toMatchObject({ checkpoint: 4n, confirmed: 3n, high: big, upTo: null, cursor, source, seq: 1 });
      await manager.store(batch([upsert('1', '4', null)], { cursor: null, sourceReadAtMs: 1234 }));
      expect(await manager.readMeta(S)).toMatchObject({ cursor: null, source, sourceReadAtMs: 1234, count: 1 });
    });

    it('publishes documents, index, log, message and position together', async () => {
      await live(manager);
      await manager.publish(batch([upsert('1', '5', null), upsert('a%20b', '5', null, 'A%20b')], { checkpoint: 5n, upTo: 5n }));
      const state = await bench.state(S);
      expect(state.index).toEqual({ '1': '5 1', 'a%20b': '5 A%20b' });
      expect(state.documents).toEqual({ '1': '{"id":"1","version":"5"}', 'A%20b': '{"id":"a%20b","version":"5"}' });
      const all = await parsed();
      expect(all.at(-1)).toMatchObject({ type: 'changes', checkpoint: '5', upTo: '5', seq: 2, changeTime: '2026-01-01T00:00:00.000Z' });
      expect((all.at(-1) as ChangesMessage).changes.map((change) => change.dataKey)).toEqual(['1', 'A%20b']);
      expect(state.changes.at(-1)).toEqual({ seq: 2, text: (await bench.messages()).at(-1) });
      expect(await manager.readMeta(S)).toMatchObject({ checkpoint: 5n, upTo: 5n, confirmed: 1n, seq: 2, count: 2 });
    });

    it('moves a respelled row to its new key', async () => {
      await live(manager);
      await manager.publish(batch([upsert('abc', '5', null, 'ABC')]));
      await manager.publish(
        batch([
          {
            identity: 'abc',
            expected: { version: '5', dataKey: 'ABC' },
            next: { version: '6', dataKey: 'Abc', document: '{}' },
            changes: [],
          },
        ]),
      );
      expect(await bench.state(S)).toMatchObject({ index: { abc: '6 Abc' }, documents: { Abc: '{}' } });
      expect(Object.keys((await bench.state(S)).documents)).toEqual(['Abc']);
    });

    it('removes a row from documents and index', async () => {
      await live(manager);
      await manager.publish(batch([upsert('1', '5', null), upsert('2', '5', null)]));
      await manager.publish(batch([removal('1', '5')]));
      expect(await bench.state(S)).toMatchObject({ index: { '2': '5 2' } });
      expect(Object.keys((await bench.state(S)).documents)).toEqual(['2']);
    });

    it('answers bases as they are stored, and nothing for keys that are not', async () => {
      await live(manager);
      await manager.publish(batch([upsert('abc', '5', null, 'ABC'), upsert('1', '4', null)]));
      const base: Base = { version: '5', dataKey: 'ABC', document: '{"id":"abc","version":"5"}' };
      expect(await manager.bases(S, ['abc', '1', 'no'], { documents: true })).toEqual(
        new Map([
          ['abc', base],
          ['1', { version: '4', dataKey: '1', document: '{"id":"1","version":"4"}' }],
        ]),
      );
      expect(await manager.bases(S, ['abc', 'no'], { documents: false })).toEqual(new Map([['abc', { ...base, document: null }]]));
      expect((await manager.bases(S, [], { documents: true })).size).toBe(0);
    });

    it('writes and reads more rows than one Lua call can take', async () => {
      await live(manager);
      const many = Array.from({ length: 9001 }, (_, i) => `k${i}`);
      await manager.publish(batch(many.map((key) => upsert(key, '5', null, key.toUpperCase()))));
      expect((await manager.bases(S, many, { documents: true })).size).toBe(9001);
      const seen = new Map<string, string>();
      let cursor = '0';
      do {
        const page = await manager.scan(S, cursor, 500);
        for (const entry of page.entries) {
          seen.set(entry.identity, `${entry.version} ${entry.dataKey}`);
        }
        cursor = page.cursor;
      } while (cursor !== '0');
      expect(seen.size).toBe(9001);
      expect(seen.get('k77')).toBe('5 K77');
      await manager.publish(batch(many.map((key) => removal(key, '5', key.toUpperCase()))));
      expect(await manager.readMeta(S)).toMatchObject({ count: 0, digest: '0000000000000000' });
      expect(await bench.state(S)).toMatchObject({ index: {}, documents: {} });
    });

    it('C1: messages form one chain of ids in the order of the calls', async () => {
      await live(manager);
      await Promise.all([1, 2, 3, 4, 5].map((i) => manager.publish(batch([upsert(String(i), '5', null)]))));
      const chain = (await parsed()).filter((one) => one.type === 'changes' || one.type === 'reset');
      expect(chain.map((one) => one.seq)).toEqual([1, 2, 3, 4, 5, 6]);
      for (const [i, one] of chain.entries()) {
        expect(one.prevId).toBe(i === 0 ? one.prevId : chain[i - 1]!.id);
      }
      const meta = await manager.readMeta(S);
      expect(meta).toMatchObject({ seq: 6, last: chain.at(-1)!.id });
      expect((await bench.state(S)).changes.map((entry) => entry.seq)).toEqual([1, 2, 3, 4, 5, 6]);
      expect((await bench.state(S)).changes.map((entry) => entry.text)).toEqual(await bench.messages());
    });

    it('C1: a load page moves the tip only; a heartbeat moves nothing', async () => {
      await live(manager);
      const start = await manager.readMeta(S);
      await manager.store(batch([upsert('1', '5', null)]));
      const stored = await manager.readMeta(S);
      expect(stored).toMatchObject({ seq: start?.seq, last: start?.last });
      expect(stored?.tip).not.toBe(start?.tip);
      await manager.heartbeat(S, { believed: { checkpoint: 1n, confirmed: 1n }, advance: { checkpoint: 9n }, intervalMs: 5000 });
      expect(await manager.readMeta(S)).toMatchObject({ seq: stored?.seq, last: stored?.last, tip: stored?.tip, checkpoint: 9n });
    });

    it('C2: after a refused script, one that would fit by seq is refused too, and nothing is written', async () => {
      await live(manager);
      await manager.publish(batch([upsert('1', '5', null)]));
      const before = { state: await bench.state(S), meta: await manager.readMeta(S) };
      const refused = manager.publish(batch([upsert('1', '7', '6')]));
      const next = manager.publish(batch([upsert('2', '7', null)]));
      const third = manager.store(batch([upsert('3', '7', null)]));
      expect(await Promise.all([codeOf(refused), codeOf(next), codeOf(third)])).toEqual(['PW-M308', 'PW-M306', 'PW-M306']);
      expect({ state: await bench.state(S), meta: await manager.readMeta(S) }).toEqual(before);
    });

    it('C2: after a failure every writing call rejects until the lead is taken again', async () => {
      await live(manager);
      expect(await codeOf(manager.publish(batch([removal('1', '6')])))).toBe('PW-M308');
      expect(await codeOf(manager.publish(batch([])))).toBe('PW-M311');
      expect(await codeOf(manager.heartbeat(S, { believed: { checkpoint: 1n, confirmed: 1n }, advance: {}, intervalMs: 1 }))).toBe(
        'PW-M311',
      );
      expect(await manager.lead(S)).toMatchObject({ kind: 'leading', rewound: false });
      await manager.publish(batch([upsert('1', '6', null)]));
    });

    it('C3: refuses to write without a lead', async () => {
      expect(await codeOf(manager.publish(batch([])))).toBe('PW-M305');
      expect(await codeOf(manager.purge(S, 'x'))).toBe('PW-M305');
    });

    it('C3: another manager stands by while the lease is held', async () => {
      await live(manager);
      const other = bench.manager();
      const result = await other.lead(S);
      expect(result).toMatchObject({ kind: 'held', by: manager.managerId });
      expect(result.kind === 'held' && result.expiresInMs > 0).toBe(true);
      expect(await codeOf(other.publish(batch([])))).toBe('PW-M305');
      await manager.publish(batch([]));
    });

    it('C3: a stale leader is refused, whatever it writes, and the new one keeps the epoch', async () => {
      await live(manager);
      await manager.publish(batch([upsert('1', '5', null)]));
      const epoch = (await manager.readMeta(S))?.epoch;
      await bench.expireLease(S);
      const other = bench.manager();
      expect(await other.lead(S)).toMatchObject({ kind: 'leading', created: false, rewound: false, meta: { epoch } });
      expect(await codeOf(manager.publish(batch([upsert('1', '6', '5')])))).toBe('PW-M305');
      expect(await manager.lead(S)).toMatchObject({ kind: 'held', by: other.managerId });
      await other.publish(batch([upsert('1', '6', '5')]));
      await bench.expireLease(S);
      // Another's token was found: no rewind, although the tip is not one of ours.
      expect(await manager.lead(S)).toMatchObject({ kind: 'leading', rewound: false, meta: { epoch } });
    });

    it('C3: resigning lets another lead at once, and a lost lead is given up without an error', async () => {
      await live(manager);
      await manager.resign(S);
      const other = bench.manager();
      expect((await other.lead(S)).kind).toBe('leading');
      await manager.resign(S);
      await other.publish(batch([upsert('1', '6', null)]));
      await bench.expireLease(S);
      await manager.lead(S);
      await other.resign(S);
      await manager.publish(batch([upsert('1', '7', '6')]));
      expect((await other.lead(S)).kind).toBe('held');
    });

    it('C3: an expired lease that nobody took costs nothing: every script renews it', async () => {
      await live(manager);
      const other = bench.manager();
      const scripts: readonly (() => Promise<unknown>)[] = [
        () => manager.publish(batch([upsert('1', '5', null)])),
        () => manager.store(batch([])),
        () => manager.heartbeat(S, { believed: { checkpoint: 1n, confirmed: 1n }, advance: {}, intervalMs: 5000 }),
        () => manager.transition(S, { state: 'live', newEpoch: false, reset: null, advance: {} }),
      ];
      for (const script of scripts) {
        await bench.expireLease(S);
        await script();
        expect((await other.lead(S)).kind).toBe('held');
      }
    });

    it('C4: a leader that kept its memory finds Redis rewound and draws a new epoch; seq goes on, the log begins anew', async () => {
      await live(manager);
      await manager.publish(batch([upsert('1', '5', null)], { checkpoint: 5n }));
      const restore = await bench.snapshot();
      const before = await manager.readMeta(S);
      await manager.publish(batch([upsert('1', '6', '5')], { checkpoint: 6n }));
      await manager.publish(batch([upsert('2', '7', null)], { checkpoint: 7n }));
      await restore();
      expect(await codeOf(manager.publish(batch([upsert('3', '8', null)])))).toBe('PW-M306');
      const result = await manager.lead(S);
      expect(result).toMatchObject({ kind: 'leading', rewound: true, created: false, meta: { checkpoint: 5n, seq: 3, state: 'live' } });
      const meta = await manager.readMeta(S);
      expect(meta?.epoch).not.toBe(before?.epoch);
      expect(meta?.tip).not.toBe(before?.tip);
      const last = (await parsed()).at(-1);
      expect(last).toMatchObject({ type: 'reset', phase: 'end', reason: 'rewound', epoch: meta?.epoch, seq: 3, id: meta?.last });
      expect((await bench.state(S)).changes.map((entry) => entry.seq)).toEqual([3]);
      await manager.publish(batch([upsert('1', '6', '5')]));
      expect(await manager.readMeta(S)).toMatchObject({ seq: 4, epoch: meta?.epoch });
    });

    it('C4: a Redis that went back beyond the last lead is rewound too: the token found is one of ours', async () => {
      await live(manager);
      await manager.publish(batch([upsert('1', '5', null)]));
      const restore = await bench.snapshot();
      const before = await manager.readMeta(S);
      await manager.publish(batch([upsert('1', '6', '5')]));
      await manager.lead(S);
      await manager.publish(batch([upsert('1', '7', '6')]));
      await restore();
      const result = await manager.lead(S);
      expect(result).toMatchObject({ kind: 'leading', rewound: true, meta: { seq: 3 } });
      expect(result.kind === 'leading' && result.meta.epoch).not.toBe(before?.epoch);
    });

    it('C4: a Redis that only lost the last lead, and nothing that was written, keeps its epoch', async () => {
      await live(manager);
      const restore = await bench.snapshot();
      const before = await manager.readMeta(S);
      await manager.lead(S);
      await restore();
      expect(await manager.lead(S)).toMatchObject({ kind: 'leading', rewound: false, meta: { epoch: before?.epoch, seq: 1 } });
    });

    it('C4: a fresh leader keeps the epoch of a rewound Redis', async () => {
      await live(manager);
      const restore = await bench.snapshot();
      const before = await manager.readMeta(S);
      await manager.publish(batch([upsert('1', '6', null)]));
      await restore();
      await bench.expireLease(S);
      expect(await bench.manager().lead(S)).toMatchObject({
        kind: 'leading',
        rewound: false,
        meta: { epoch: before?.epoch, seq: before?.seq },
      });
    });

    it('C4: a new epoch deletes the log first, and seq does not restart', async () => {
      await live(manager);
      await manager.publish(batch([upsert('1', '6', null)]));
      const before = await manager.readMeta(S);
      const meta = await manager.transition(S, { state: 'loading', newEpoch: true, reset: { phase: 'begin', reason: 'x' }, advance: {} });
      expect(meta).toMatchObject({ seq: 3, state: 'loading', upTo: null, checkpoint: before?.checkpoint });
      expect(meta.epoch).not.toBe(before?.epoch);
      expect((await bench.state(S)).changes.map((entry) => entry.seq)).toEqual([3]);
    });

    it('C1: a transition without a message moves the tip only, so that no seq is without its message', async () => {
      await live(manager);
      const before = await manager.readMeta(S);
      const count = (await bench.messages()).length;
      const meta = await manager.transition(S, { state: 'live', newEpoch: false, reset: null, advance: { checkpoint: 0n } });
      expect(meta).toMatchObject({ seq: before?.seq, last: before?.last, checkpoint: 0n, upTo: 1n, epoch: before?.epoch });
      expect(meta.tip).not.toBe(before?.tip);
      expect(await manager.readMeta(S)).toEqual(meta);
      expect(await bench.messages()).toHaveLength(count);
      await manager.publish(batch([]));
      expect((await parsed()).at(-1)).toMatchObject({ prevId: before?.last, seq: 2 });
      expect((await bench.state(S)).changes.map((entry) => entry.seq)).toEqual([1, 2]);
    });

    it('C5: a section with the pending marker is neither led nor written', async () => {
      await live(manager);
      await bench.setMeta(S, 'pending', 'torn');
      const before = await bench.state(S);
      expect(await codeOf(manager.publish(batch([upsert('1', '5', null)])))).toBe('PW-M307');
      const meta = await manager.readMeta(S);
      expect(await codeOf(manager.lead(S))).toBe('PW-M307');
      expect(await manager.readMeta(S)).toEqual(meta);
      expect(await bench.state(S)).toEqual(before);
    });

    it('C5: led for repair, a torn section takes a new epoch only, which puts marker and digest right', async () => {
      await live(manager);
      await manager.publish(batch([upsert('1', '5', null)]));
      await bench.setMeta(S, 'pending', 'torn');
      await bench.setIndexEntry(S, '2', '6');
      expect(await manager.lead(S, { repair: true })).toMatchObject({ kind: 'leading', meta: { pending: true } });
      expect(await codeOf(manager.publish(batch([])))).toBe('PW-M307');
      await manager.lead(S, { repair: true });
      const meta = await manager.transition(S, {
        state: 'loading',
        newEpoch: true,
        reset: { phase: 'begin', reason: 'torn' },
        advance: {},
      });
      expect(meta).toMatchObject({ pending: false, digest: digestOf(await bench.state(S)), count: 2 });
      await manager.store(batch([upsert('2', '7', '6'), upsert('1', '7', '5')]));
      expect(await manager.readMeta(S)).toMatchObject({ digest: digestOf(await bench.state(S)) });
    });

    it('C5: a torn section can be purged', async () => {
      await live(manager);
      await manager.publish(batch([upsert('1', '5', null)]));
      await bench.setMeta(S, 'pending', 'torn');
      await manager.lead(S, { repair: true });
      expect(await manager.purge(S, 'torn')).toEqual({ documents: 1 });
      expect(await manager.readMeta(S)).toBeNull();
    });

    it('C6: a base that differs, is missing or is spelled differently refuses the whole batch with how many', async () => {
      await live(manager);
      await manager.publish(batch([upsert('1', '5', null), upsert('2', '5', null)]));
      await bench.setIndexEntry(S, '2', '4');
      const before = { state: await bench.state(S), meta: await manager.readMeta(S) };
      const error: unknown = await manager
        .publish(batch([upsert('1', '6', '5'), upsert('2', '6', '5'), upsert('3', '6', '5')], { checkpoint: 9n }))
        .catch((caught: unknown) => caught);
      expect(error).toMatchObject({ code: 'PW-M308', details: { identities: 2 } });
      expect({ state: await bench.state(S), meta: await manager.readMeta(S) }).toEqual(before);
      await manager.lead(S);
      expect(await codeOf(manager.publish(batch([upsert('1', '6', '5', 'X')])))).toBe('PW-M308');
      await manager.lead(S);
      expect(await codeOf(manager.publish(batch([upsert('1', '6', null)])))).toBe('PW-M308');
    });

    it('C7: a heartbeat tells what is stored, and carries an idle advance', async () => {
      const at = Date.UTC(2026, 5, 1);
      const timed = bench.manager({ clock: { now: () => at, monotonic: () => at, sleep: async () => undefined } });
      await live(timed);
      await timed.publish(batch([upsert('1', '5', null)], { checkpoint: 5n, sourceReadAtMs: at - 1000 }));
      await timed.heartbeat(S, {
        believed: { checkpoint: 5n, confirmed: 1n },
        advance: { checkpoint: 8n, confirmed: 8n, upTo: 8n },
        intervalMs: 5000,
      });
      const meta = await timed.readMeta(S);
      expect((await parsed()).at(-1)).toEqual({
        v: 1,
        type: 'heartbeat',
        partitionKey: timed.partition,
        section: S,
        managerId: timed.managerId,
        epoch: meta!.epoch,
        intervalMs: 5000,
        seq: 2,
        last: meta!.last,
        tip: meta!.tip,
        checkpoint: '8',
        upTo: '8',
        state: 'live',
        digest: digestOf(await bench.state(S)),
        count: 1,
        quarantined: 0,
        incomplete: null,
        paused: null,
        fingerprint: null,
        sweepHeld: null,
        sourceReadAt: '2026-05-31T23:59:59.000Z',
        time: '2026-06-01T00:00:00.000Z',
      } satisfies HeartbeatMessage);
      expect(meta).toMatchObject({ checkpoint: 8n, confirmed: 8n, upTo: 8n, heartbeatAtMs: at });
      await timed.publish(batch([upsert('1', '9', '5')]));
      expect((await parsed()).at(-1)).toMatchObject({ checkpoint: '8', upTo: '8' });
    });

    it('C7: a heartbeat is refused when the stored position is not the believed one', async () => {
      await live(manager);
      const beat = (checkpoint: bigint, confirmed: bigint): Promise<void> =>
        manager.heartbeat(S, { believed: { checkpoint, confirmed }, advance: {}, intervalMs: 5000 });
      await beat(1n, 1n);
      expect(await codeOf(beat(2n, 1n))).toBe('PW-M306');
      await manager.lead(S);
      expect(await codeOf(beat(1n, 0n))).toBe('PW-M306');
      await manager.lead(S);
      await bench.setMeta(S, 'upTo', '3');
      expect(await codeOf(beat(1n, 1n))).toBe('PW-M306');
      await manager.lead(S);
      await bench.setMeta(S, 'checkpoint', '3');
      const count = (await bench.messages()).length;
      expect(await codeOf(beat(1n, 1n))).toBe('PW-M306');
      expect(await bench.messages()).toHaveLength(count);
    });

    it('C7: a heartbeat checks leader and tip like any script', async () => {
      await live(manager);
      await bench.setMeta(S, 'tip', 'elsewhere');
      const beat = (): Promise<void> =>
        manager.heartbeat(S, { believed: { checkpoint: 1n, confirmed: 1n }, advance: {}, intervalMs: 5000 });
      expect(await codeOf(beat())).toBe('PW-M306');
      await bench.expireLease(S);
      await manager.lead(S);
      await bench.expireLease(S);
      await bench.manager().lead(S);
      expect(await codeOf(beat())).toBe('PW-M305');
    });

    it('a batch is refused when checkpoint or upTo were moved by somebody else', async () => {
      await live(manager);
      await bench.setMeta(S, 'checkpoint', '3');
      expect(await codeOf(manager.publish(batch([])))).toBe('PW-M306');
    });

    it('the digest is that of the index, whatever came and went', async () => {
      await live(manager);
      await manager.publish(batch([upsert('1', '5', null), upsert('2', '5', null, 'B'), upsert('3', '5', null)]));
      await manager.publish(batch([removal('1', '5'), upsert('2', '6', '5', 'B'), upsert('3', '5', '5')]));
      await manager.store(batch([upsert('9', '18014398509481984', null)]));
      const meta = await manager.readMeta(S);
      expect(meta?.digest).toBe(digestOf(await bench.state(S)));
      expect(meta?.digest).not.toBe('0000000000000000');
    });

    it('a section of a newer format is refused by name', async () => {
      await live(manager);
      await bench.setMeta(S, 'format', '3');
      expect(await codeOf(manager.publish(batch([])))).toBe('PW-M313');
      expect(await codeOf(manager.readMeta(S))).toBe('PW-M313');
      expect(await codeOf(manager.lead(S))).toBe('PW-M313');
      // Refused means untouched: whoever led still does.
      const leading = bench.manager();
      await live(leading, 1n, 'other');
      await bench.setMeta('other', 'format', '3');
      await bench.expireLease('other');
      expect(await codeOf(bench.manager().lead('other'))).toBe('PW-M313');
      await bench.setMeta('other', 'format', '1');
      await leading.publish(batch([], {}, 'other'));
    });

    it('a purge leaves nothing, tells subscribers and ends the lead', async () => {
      await live(manager);
      await manager.publish(batch(Array.from({ length: 1500 }, (_, i) => upsert(`k${i}`, '5', null, `K${i}`))));
      const epoch = (await manager.readMeta(S))?.epoch;
      expect(await manager.purge(S, 'no longer wanted')).toEqual({ documents: 1500 });
      expect(await bench.state(S)).toEqual({ index: {}, documents: {}, changes: [] });
      expect(await manager.readMeta(S)).toBeNull();
      expect((await parsed()).at(-1)).toMatchObject({ type: 'removed', reason: 'no longer wanted', epoch });
      expect(await codeOf(manager.publish(batch([])))).toBe('PW-M305');
      expect(await manager.lead(S)).toMatchObject({ kind: 'leading', created: true });
    });

    it('C3: a stale leader purges nothing', async () => {
      await live(manager);
      await manager.publish(batch([upsert('1', '5', null)]));
      await bench.expireLease(S);
      const other = bench.manager();
      await other.lead(S);
      const before = await bench.state(S);
      expect(await codeOf(manager.purge(S, 'x'))).toBe('PW-M305');
      expect(await bench.state(S)).toEqual(before);
      await other.publish(batch([upsert('1', '6', '5')]));
    });

    it('a section whose purge stopped half-way is purged to its end by the next lead, then created', async () => {
      await live(manager);
      await manager.publish(batch([upsert('1', '5', null)]));
      await bench.setMeta(S, 'pending', 'purge');
      await bench.expireLease(S);
      const other = bench.manager();
      expect(await other.lead(S)).toMatchObject({ kind: 'leading', created: true, meta: { count: 0, seq: 0 } });
      expect(await bench.state(S)).toEqual({ index: {}, documents: {}, changes: [] });
    });

    it('what a section without meta left behind is purged before it is created', async () => {
      await live(manager);
      await manager.publish(batch([upsert('1', '5', null)]));
      await bench.deleteMeta(S);
      expect(await codeOf(manager.publish(batch([])))).toBe('PW-M305');
      expect(await manager.lead(S)).toMatchObject({ kind: 'leading', created: true, meta: { count: 0, digest: '0000000000000000' } });
      expect(await bench.state(S)).toEqual({ index: {}, documents: {}, changes: [] });
    });

    it('sections know nothing of each other', async () => {
      await live(manager);
      await live(manager, 1n, 'other');
      await Promise.all([manager.publish(batch([upsert('1', '5', null)])), manager.publish(batch([upsert('1', '6', null)], {}, 'other'))]);
      expect(await codeOf(manager.publish(batch([upsert('1', '6', null)], {}, 'other')))).toBe('PW-M308');
      await manager.publish(batch([upsert('1', '6', '5')]));
      expect((await bench.state('other')).index).toEqual({ '1': '6 1' });
    });
  });
}
