/** What is claimed when a transition comes between a read that proved it and the heartbeat that was to claim it. */
import { describe, expect, it } from 'vitest';
import { pino } from 'pino';
import type { DistributedDataManager } from '../../../src/manager/distributed-data-manager.ts';
import { silentObserver } from '../../../src/observe/section-observer.ts';
import { Delivery } from '../../../src/pipeline/deliver.ts';
import type { Read } from '../../../src/pipeline/delivery-options.ts';
import { Marks } from '../../../src/pipeline/marks.ts';
import { MemoryCheckpointStore } from '../../support/memory-checkpoint-store.ts';
import { settled } from '../../support/manual-clock.ts';
import { SECTION, slowLine, World } from './world.ts';

interface Led {
  readonly world: World;
  readonly manager: DistributedDataManager;
  readonly delivery: Delivery;
  readonly checkpoints: MemoryCheckpointStore;
  /** The upTo that the observer was told last. */
  readonly told: { upTo: bigint | null };
  /** A read that found nothing and proves everything up to a version. */
  readonly idle: (version: bigint) => Read;
}

/** A led, live section that has proved everything up to version 100 and told nobody. */
async function proved({ store, slow = false }: { readonly store: boolean; readonly slow?: boolean }): Promise<Led> {
  const world = new World();
  const manager = world.manager();
  await manager.lead(SECTION);
  const meta = await manager.transition(SECTION, {
    state: 'live',
    newEpoch: false,
    reset: { phase: 'end', reason: 'test' },
    advance: { checkpoint: 0n, confirmed: 0n, upTo: 0n },
  });
  const { signal } = new AbortController();
  const checkpoints = new MemoryCheckpointStore();
  const logger = pino({ level: 'silent' });
  const marks = store ? new Marks({ section: SECTION, checkpoints, logger, kill: signal }) : undefined;
  await marks?.examine(meta, meta.leader, signal);
  const told: Led['told'] = { upTo: null };
  const delivery = new Delivery({
    section: SECTION,
    manager: slow ? slowLine(manager, world.clock, () => 1000) : manager,
    clock: world.clock,
    limits: { rows: 10, bytes: 1 << 20, inFlight: slow ? 1 : 4 },
    heartbeatMs: 5000,
    observer: { ...silentObserver, position: ({ upTo }) => (told.upTo = upTo) },
    logger,
    meta,
    marks,
    onRefusal: () => {},
    onAcknowledged: () => {},
    onUrgent: () => {},
  });
  const idle = (version: bigint): Read => ({
    rows: [],
    to: version,
    readAtMs: 0,
    mode: 'publish',
    advance: { checkpoint: version, confirmed: version, high: version, upTo: version },
    sameKey: () => Promise.resolve(true),
    signal,
  });
  await delivery.deliver(idle(100n));
  return { world, manager, delivery, checkpoints, told, idle };
}

const DROPPED = {
  state: 'live',
  newEpoch: false,
  reset: null,
  advance: {},
  incomplete: { reason: 'skipped', since: 100n },
} as const;

const BACK = { state: 'live', newEpoch: false, reset: null, advance: { checkpoint: 50n, confirmed: 50n, high: 100n } } as const;

describe('claims beside transitions', () => {
  it.each([{ store: false }, { store: true }])(
    'L3: what was proved before the section became incomplete is not claimed with it, nor after it (%o)',
    async ({ store }) => {
      const { manager, delivery } = await proved({ store });
      expect((await delivery.transition(DROPPED)).upTo).not.toBe(100n);
      await delivery.heartbeat();
      const meta = await manager.readMeta(SECTION);
      expect(meta?.incomplete?.reason).toBe('skipped');
      expect(meta?.upTo).not.toBe(100n);
    },
  );

  it('L3: while a section is resynced no upTo is told of it', async () => {
    const { delivery, told } = await proved({ store: false });
    await delivery.heartbeat();
    expect(told.upTo).toBe(100n);
    await delivery.transition({ ...BACK, state: 'resyncing' });
    await delivery.heartbeat();
    expect(told.upTo).toBeNull();
  });

  it('L6: a checkpoint that was set back stays there, when the row of the claim before it comes late', async () => {
    const { world, manager, delivery, checkpoints } = await proved({ store: true });
    let release = (): void => {};
    checkpoints.before = () => new Promise<void>((resolve) => (release = resolve));
    const beat = delivery.heartbeat();
    await world.clock.advance(1000);
    await beat;
    checkpoints.before = null;
    release();
    await settled();
    await delivery.transition(BACK);
    await delivery.heartbeat();
    expect(await manager.readMeta(SECTION)).toMatchObject({ checkpoint: 50n, confirmed: 50n });
  });

  it('L6: a checkpoint that was set back stays there, when a heartbeat with an older claim waits behind it', async () => {
    const { world, manager, delivery, idle } = await proved({ store: true, slow: true });
    const busy = delivery.heartbeat();
    await settled();
    await delivery.deliver(idle(110n));
    const set = delivery.transition(BACK);
    await settled();
    const next = delivery.heartbeat();
    await world.clock.advance(5000);
    await Promise.all([busy, set, next]);
    expect(await manager.readMeta(SECTION)).toMatchObject({ checkpoint: 50n, confirmed: 50n });
  });
});
