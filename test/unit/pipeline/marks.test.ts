/** The checkpoint row beside the table: what it proves after a crash, a restore, both, and what it must not be taken for. */
import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import type { Document } from '../../../src/model/document.ts';
import { PatchwireError } from '../../../src/model/errors.ts';
import { Marks } from '../../../src/pipeline/marks.ts';
import type { SectionOptions } from '../../../src/pipeline/section.ts';
import type { CheckpointRow } from '../../../src/source/checkpoint-store.ts';
import { MemoryCheckpointStore } from '../../support/memory-checkpoint-store.ts';
import type { ScriptedState } from '../../support/scripted-tracker.ts';
import { LEASE_MS, PARTITION, type Running, SECTION, World } from './world.ts';

interface DatabaseState {
  readonly table: ScriptedState;
  readonly rows: ReadonlyMap<string, CheckpointRow>;
}

/** A section whose table and checkpoint row go back in time together. */
class Database {
  readonly world = new World({ pageRows: 3, loadRows: 3 });
  readonly checkpoints = new MemoryCheckpointStore();
  readonly withStore: boolean;

  constructor({ withStore = true }: { readonly withStore?: boolean } = {}) {
    this.withStore = withStore;
  }

  start(overrides: Partial<SectionOptions> = {}): Running {
    const batch = { rows: 2, bytes: 1 << 20, inFlight: 3 };
    const store = this.withStore ? { checkpoints: this.checkpoints } : {};
    return this.world.start({ batch, onLostHistory: 'resync', ...store, ...overrides });
  }

  state(): DatabaseState {
    return { table: this.world.tracker.state(), rows: this.checkpoints.state() };
  }

  /** RESTORE, which ends every connection to the database. */
  restore({ table, rows }: DatabaseState): void {
    this.world.tracker.restore(table);
    this.checkpoints.restore(rows);
    for (const call of ['probe', 'readWindow', 'readLoadPage', 'existing'] as const) {
      this.world.tracker.fail(call, new PatchwireError('PW-S201', 'connection lost'));
    }
  }

  /** So many transactions of another row that the counter is above whatever was ever delivered. */
  overtake(): void {
    for (let i = 0; i < 40; i += 1) {
      this.world.tracker.commit({ zz: { k: 'zz', i } });
    }
  }

  async caughtUp(): Promise<void> {
    const { world } = this;
    await world.until(() => {
      const { meta } = world.stored;
      return meta?.state === 'live' && (meta.upTo ?? -1n) >= world.tracker.version && world.running.some((each) => !each.ended);
    });
  }

  get row(): CheckpointRow {
    return this.checkpoints.rows.get(SECTION)!;
  }

  get noticed(): boolean {
    return this.world.errors.includes('PW-S234');
  }
}

const row = (k: string, v: number): Record<string, Document> => ({ [k]: { k, v } });

/** A first load of five rows, then single changes: a value, a removal, a new row; each followed to its end. */
async function follow(database: Database): Promise<void> {
  const { tracker } = database.world;
  tracker.commit({ ...row('a', 1), ...row('b', 1), ...row('c', 1), ...row('d', 1), ...row('e', 1) });
  database.start();
  await database.caughtUp();
  for (const values of [row('a', 2), { b: null }, row('f', 1), { ...row('c', 2), ...row('d', 2), ...row('g', 1) }]) {
    tracker.commit(values);
    await database.caughtUp();
  }
}

/** Equal, documents and replica, whatever was proven. */
async function expectEqual(database: Database): Promise<void> {
  const { world } = database;
  await database.caughtUp();
  await world.clock.advance(3000);
  await database.caughtUp();
  expect(world.documents).toEqual(world.expected);
  expect(world.replicated).toEqual(world.expected);
  await world[Symbol.asyncDispose]();
}

describe('the checkpoint row', () => {
  it('is there from the first load on, ahead of what Redis knows of it, and is never behind', async () => {
    const database = new Database();
    const behind: string[] = [];
    database.world.store.intercept = ({ method }) => {
      const { mark } = database.world.stored.meta ?? {};
      if ((mark ?? 0n) > (database.row?.mark ?? 0n)) {
        behind.push(method);
      }
      return null;
    };
    await follow(database);
    const { meta } = database.world.stored;
    expect(behind).toEqual([]);
    expect(meta?.mark).toBeGreaterThan(4n);
    expect(database.row).toMatchObject({ epoch: meta?.epoch, leader: meta?.leader, mark: meta?.mark });
    expect(database.row.checkpoint).toBe(meta?.checkpoint);
    expect(database.noticed).toBe(false);
    await expectEqual(database);
  });

  it('is written once for a read, not for a batch, and not at all while nothing moves', async () => {
    const database = new Database();
    await follow(database);
    await database.world.clock.advance(60_000);
    const before = database.checkpoints.calls.length;
    await database.world.clock.advance(60_000);
    expect(database.checkpoints.calls.length).toBe(before);
    database.world.tracker.commit({ ...row('h', 1), ...row('i', 1), ...row('j', 1) });
    await database.caughtUp();
    // Two batches of a full page of three, then what was confirmed.
    expect(database.checkpoints.calls.length - before).toBeLessThanOrEqual(3);
    await expectEqual(database);
  });

  it('is written at a stop with all that was read', async () => {
    const database = new Database();
    await follow(database);
    database.world.tracker.elsewhere();
    await database.world.clock.advance(5000);
    await database.world.stop(database.world.running[0]!);
    const { meta } = database.world.stored;
    expect(database.row).toMatchObject({ checkpoint: meta!.checkpoint, confirmed: meta!.confirmed, mark: meta!.mark });
    expect(meta!.checkpoint).toBe(database.world.tracker.version);
  });
});

describe('crashes and restores', () => {
  /** Every moment that a store, a manager or a tracker sees, numbered, with what the database was then. */
  async function run(
    withStore: boolean,
    crashAt: number | null,
    restoreTo: DatabaseState | null,
  ): Promise<{ readonly database: Database; readonly states: readonly DatabaseState[]; readonly crashed: boolean }> {
    const database = new Database({ withStore });
    const { world, checkpoints } = database;
    const states: DatabaseState[] = [];
    let crashed = false;
    const moment = (): boolean => {
      states.push(database.state());
      if (!crashed && states.length === crashAt) {
        crashed = true;
        world.running[0]!.kill.abort(new Error('killed'));
        return true;
      }
      return false;
    };
    const orKilled = (): void => {
      if (moment()) {
        throw new Error('killed');
      }
    };
    checkpoints.before = orKilled;
    checkpoints.after = orKilled;
    world.store.intercept = () => (moment() ? 'before' : moment() ? 'after' : null);
    world.tracker.after = () => void moment();
    const following = follow(database).catch(() => {});
    await world.until(() => crashed || world.tracker.version >= 5n, 600_000).catch(() => {});
    if (!crashed) {
      await following;
      await world.clock.advance(2000);
    }
    if (!crashed) {
      await world.kill(world.running[0]!);
    }
    await world.until(() => world.running[0]!.ended);
    if (restoreTo !== null) {
      database.restore(restoreTo);
      database.overtake();
    }
    world.store.intercept = () => null;
    checkpoints.before = null;
    checkpoints.after = null;
    world.tracker.after = null;
    database.start();
    return { database, states, crashed };
  }

  it('kill -9 at any moment, before or after row, script and acknowledgement, is never taken for a restore', async () => {
    const whole = await run(true, null, null);
    await expectEqual(whole.database);
    expect(whole.states.length).toBeGreaterThan(60);
    for (let at = 1; at <= whole.states.length; at += 1) {
      const { database } = await run(true, at, null);
      await expectEqual(database);
      expect([at, database.noticed]).toEqual([at, false]);
    }
  });

  it('any restore, after a crash at any moment, once the counter has overtaken, ends with equal documents', async () => {
    const whole = await run(true, null, null);
    await whole.database.world[Symbol.asyncDispose]();
    let proven = 0;
    for (let at = 12; at <= whole.states.length; at += 11) {
      const { database: before, states } = await run(true, at, null);
      await before.world[Symbol.asyncDispose]();
      for (let to = 6 + (at % 5); to < states.length; to += 6) {
        const { database } = await run(true, at, states[to]!);
        await expectEqual(database).catch((error: unknown) => {
          throw new Error(`crash at ${at}, restored to ${to}: ${String(error)}`, { cause: error });
        });
        proven += database.noticed ? 1 : 0;
      }
    }
    expect(proven).toBeGreaterThan(10);
  });

  it('without the row such a restore is not noticed, and documents differ for good', async () => {
    const whole = await run(false, null, null);
    await whole.database.world[Symbol.asyncDispose]();
    let wrong = 0;
    for (let to = 10; to < whole.states.length; to += 10) {
      const { database } = await run(false, null, whole.states[to]!);
      await database.caughtUp();
      await database.world.clock.advance(60_000);
      const same = [...database.world.documents].join() === [...database.world.expected].join();
      expect(database.noticed).toBe(false);
      wrong += same ? 0 : 1;
      await database.world[Symbol.asyncDispose]();
    }
    expect(wrong).toBeGreaterThan(0);
  });
});

describe('what the row proves', () => {
  it('a restore under a running daemon, whose connections end with it, is told once by its code and mended by a replacement', async () => {
    const database = new Database();
    await follow(database);
    const before = database.state();
    const { epoch } = database.world.stored.meta!;
    database.world.tracker.commit({ ...row('a', 9), x: { k: 'x', v: 1 } });
    await database.caughtUp();
    database.restore(before);
    database.overtake();
    await database.world.until(() => database.noticed);
    await expectEqual(database);
    expect(database.world.resyncs).toEqual(['replace PW-S234']);
    expect(database.world.errors.filter((code) => code === 'PW-S234')).toHaveLength(1);
    expect(database.world.stored.meta?.epoch).not.toBe(epoch);
  });

  it('a restore that nobody felt is noticed by the first row that is written after it', async () => {
    const database = new Database();
    await follow(database);
    const before = database.state();
    database.world.tracker.commit(row('a', 9));
    await database.caughtUp();
    database.world.tracker.restore(before.table);
    database.checkpoints.restore(before.rows);
    database.overtake();
    await database.world.until(() => database.noticed);
    expect(database.world.errors).toContain('PW-S235');
    await expectEqual(database);
    expect(database.world.resyncs).toEqual(['replace PW-S234']);
  });

  it('two restores to the same state, each after new changes, are each proven', async () => {
    const database = new Database();
    await follow(database);
    const before = database.state();
    for (const round of [1, 2]) {
      database.world.tracker.commit({ ...row('a', 90 + round), [`x${round}`]: { k: 'x', v: 1 } });
      await database.caughtUp();
      database.restore(before);
      database.overtake();
      await database.world.until(() => database.world.resyncs.length === round);
      await database.caughtUp();
    }
    await expectEqual(database);
    expect(database.world.resyncs).toEqual(['replace PW-S234', 'replace PW-S234']);
  });

  it('a restore to before the row existed, or a row that was deleted by hand', async () => {
    const database = new Database();
    const empty = database.state();
    await follow(database);
    database.checkpoints.rows.delete(SECTION);
    database.world.tracker.commit(row('a', 9));
    await database.world.until(() => database.noticed);
    await expectEqual(database);
    const other = new Database();
    await follow(other);
    const { mark } = other.row;
    other.restore({ ...other.state(), rows: empty.rows });
    await other.world.until(() => other.noticed);
    await expectEqual(other);
    expect(other.row.mark).toBeGreaterThan(mark);
  });

  it('the proof outlives whoever saw it: killed before the replacement begins, the next daemon finds it again', async () => {
    const database = new Database();
    await follow(database);
    const before = database.state();
    database.world.tracker.commit(row('a', 9));
    await database.caughtUp();
    await database.world.kill(database.world.running[0]!);
    database.restore(before);
    database.overtake();
    for (const moment of ['before', 'after'] as const) {
      const killed = database.start();
      database.world.store.intercept = ({ method }) => {
        if (method === 'transition') {
          killed.kill.abort(new Error('killed'));
          return 'before';
        }
        return null;
      };
      if (moment === 'before') {
        database.checkpoints.before = (call) => {
          if (call === 'replace') {
            killed.kill.abort(new Error('killed'));
          }
        };
      }
      await database.world.until(() => killed.ended);
      database.checkpoints.before = null;
      database.world.store.intercept = () => null;
    }
    database.start();
    await expectEqual(database);
    expect(database.world.resyncs).toEqual(['replace PW-S234']);
  });

  it('with onLostHistory: stop the section stops by it until an operator acts, whose resync is a replacement', async () => {
    const database = new Database();
    await follow(database);
    const before = database.state();
    database.world.tracker.commit(row('a', 9));
    await database.caughtUp();
    await database.world.stop(database.world.running[0]!);
    database.restore(before);
    database.overtake();
    const { epoch } = database.world.stored.meta!;
    database.start({ onLostHistory: 'stop' });
    await database.world.until(() => database.world.phases.at(-1) === 'stopped PW-S234');
    await database.world.clock.advance(120_000);
    expect(database.world.phases.at(-1)).toBe('stopped PW-S234');
    await database.world.ask('resync');
    await expectEqual(database);
    expect(database.world.stored.meta?.epoch).not.toBe(epoch);
  });
});

describe('what the row does not prove', () => {
  it('Redis restored from an older dump: reading goes on from its checkpoint', async () => {
    const database = new Database();
    await follow(database);
    const dump = database.world.store.snapshot();
    database.world.tracker.commit(row('a', 9));
    await database.caughtUp();
    await database.world.kill(database.world.running[0]!);
    database.world.store.restore(dump);
    database.start();
    await database.caughtUp();
    // Replicas notice by their own chain (S3); this one only follows.
    expect(database.world.documents).toEqual(database.world.expected);
    expect(database.noticed).toBe(false);
    await database.world[Symbol.asyncDispose]();
  });

  it('Redis rewound under its leader, who draws a new epoch (C4)', async () => {
    const database = new Database();
    await follow(database);
    const dump = database.world.store.snapshot();
    const { epoch } = database.world.stored.meta!;
    database.world.tracker.commit(row('a', 9));
    await database.caughtUp();
    database.world.store.restore(dump);
    database.world.tracker.commit(row('e', 9));
    await expectEqual(database);
    expect(database.noticed).toBe(false);
    expect(database.world.stored.meta?.epoch).not.toBe(epoch);
    expect(database.row.epoch).toBe(database.world.stored.meta?.epoch);
  });

  it('Redis flushed: the section is loaded as a new one, and takes the row over', async () => {
    const database = new Database();
    await follow(database);
    await database.world.kill(database.world.running[0]!);
    const { mark } = database.row;
    database.world.store.restore(new Map());
    database.start();
    await expectEqual(database);
    expect(database.noticed).toBe(false);
    expect(database.row.mark).toBeGreaterThan(mark);
    expect(database.row.epoch).toBe(database.world.stored.meta?.epoch);
  });

  it('a section that was loaded without the store: the row begins where it stands', async () => {
    const database = new Database();
    database.world.tracker.commit({ ...row('a', 1), ...row('b', 1) });
    const first = database.start({ checkpoints: undefined });
    await database.caughtUp();
    await database.world.stop(first);
    database.start();
    await database.world.until(() => database.world.stored.meta?.mark !== null);
    expect(database.row).toMatchObject({ checkpoint: database.world.stored.meta?.checkpoint, epoch: database.world.stored.meta?.epoch });
    await expectEqual(database);
    expect(database.noticed).toBe(false);
  });
});

describe('what it does prove: Redis from before the documents were begun anew', () => {
  it('a dump of an earlier epoch is replaced: its documents may be of a history that the database left', async () => {
    const database = new Database();
    await follow(database);
    const dump = database.world.store.snapshot();
    await database.world.ask('reset');
    await database.world.until(() => database.world.replica.loads > 1 && database.world.stored.meta?.state === 'live');
    await database.caughtUp();
    await database.world.clock.advance(5000);
    await database.world.kill(database.world.running[0]!);
    database.world.store.restore(dump);
    database.start();
    await database.world.until(() => database.noticed);
    await expectEqual(database);
  });
});

describe('a store in trouble', () => {
  it('that refuses for good stops the section visibly, publishes nothing unmarked, and goes on once it is mended', async () => {
    const database = new Database();
    await follow(database);
    database.checkpoints.before = () => {
      throw new PatchwireError('PW-S233', 'no rights');
    };
    database.world.tracker.commit(row('a', 9));
    await database.world.until(() => database.world.phases.at(-1) === 'stopped PW-S233');
    expect(database.world.documents.get('a')).toBe(JSON.stringify({ k: 'a', v: 2 }));
    database.checkpoints.before = null;
    await expectEqual(database);
    expect(database.noticed).toBe(false);
  });

  it('that cannot be reached while reads go on holds everything back, but no heartbeat (C7)', async () => {
    const database = new Database();
    await follow(database);
    database.checkpoints.before = () => {
      throw new PatchwireError('PW-S216', 'no answer');
    };
    database.world.tracker.commit(row('a', 9));
    await database.world.until(() => database.world.errors.includes('PW-S216'));
    const beats = database.world.told.heartbeats;
    const { upTo, seq } = database.world.stored.meta!;
    await database.world.clock.advance(30_000);
    expect(database.world.told.heartbeats).toBeGreaterThan(beats + 3);
    expect(database.world.stored.meta).toMatchObject({ upTo, seq });
    database.checkpoints.before = null;
    await expectEqual(database);
    expect(database.noticed).toBe(false);
  });

  it('that hangs holds no heartbeat up, and the lease stays', async () => {
    const database = new Database();
    await follow(database);
    let release = (): void => {};
    database.checkpoints.before = () => new Promise<void>((resolve) => (release = resolve));
    database.world.tracker.elsewhere();
    await database.world.clock.advance(4 * LEASE_MS);
    const { lease } = database.world.store.section(PARTITION, SECTION);
    expect(lease?.expiresAtMs).toBeGreaterThan(database.world.clock.now());
    expect(database.world.stored.meta?.upTo).toBeLessThan(database.world.tracker.version);
    database.checkpoints.before = null;
    release();
    await expectEqual(database);
  });

  it('whose answer is lost after it wrote is examined again, and the mark that nobody knows of proves nothing', async () => {
    const database = new Database();
    await follow(database);
    let lost = 2;
    database.checkpoints.after = (call) => {
      if (call === 'replace' && lost-- > 0) {
        throw new PatchwireError('PW-S216', 'no answer');
      }
    };
    database.world.tracker.commit(row('a', 9));
    await expectEqual(database);
    expect(database.noticed).toBe(false);
  });

  it('two leaders: the stale one writes neither row nor documents once another has taken both', async () => {
    const database = new Database();
    await follow(database);
    let release = (): void => {};
    let held = true;
    const stale = database.world.running[0]!;
    database.checkpoints.before = (call) => {
      if (held && call === 'replace') {
        held = false;
        return new Promise<void>((resolve) => (release = resolve));
      }
      return undefined;
    };
    database.world.tracker.commit(row('a', 9));
    await database.world.until(() => !held);
    // As if it had been stopped: its lease runs out, another leads, publishes and marks.
    database.world.stored.lease = null;
    database.start();
    await database.world.until(() => database.world.documents.get('a') === JSON.stringify({ k: 'a', v: 9 }));
    const { mark, leader } = database.row;
    release();
    await database.world.clock.advance(3000);
    expect(database.row.leader).toBe(leader);
    expect(database.row.mark).toBeGreaterThanOrEqual(mark);
    expect(stale.ended).toBe(false);
    await expectEqual(database);
    expect(database.noticed).toBe(false);
  });

  it('that refuses stops a section too whose own rows do not change: a heartbeat may not claim, and the lane ends by it', async () => {
    const database = new Database();
    await follow(database);
    await database.world.clock.advance(10_000);
    database.checkpoints.before = () => {
      throw new PatchwireError('PW-S233', 'no rights');
    };
    database.world.tracker.elsewhere();
    await database.world.until(() => database.world.phases.at(-1) === 'stopped PW-S233');
    expect(database.world.stored.meta?.upTo).toBeLessThan(database.world.tracker.version);
    database.checkpoints.before = null;
    await expectEqual(database);
  });

  it('that was off for a while: the lower of both checkpoints counts, so that nothing of the database as it is now is missed', async () => {
    const database = new Database();
    await follow(database);
    await database.world.stop(database.world.running[0]!);
    const before = database.state();
    const without = database.start({ checkpoints: undefined });
    for (const v of [7, 8, 9]) {
      database.world.tracker.commit(row('a', v));
      await database.caughtUp();
    }
    await database.world.clock.advance(10_000);
    await database.world.stop(without);
    // Restored while nobody marked, and under versions that Redis takes for read: its row proves nothing.
    database.restore(before);
    database.world.tracker.commit(row('d', 5));
    database.overtake();
    database.start();
    await database.caughtUp();
    expect(database.noticed).toBe(false);
    expect(database.world.documents.get('d')).toBe(JSON.stringify({ k: 'd', v: 5 }));
    await database.world[Symbol.asyncDispose]();
  });

  it('is neither read nor written for somebody who does not lead any more', async () => {
    const checkpoints = new MemoryCheckpointStore();
    const { signal } = new AbortController();
    const marks = new Marks({ section: SECTION, checkpoints, logger: pino({ level: 'silent' }), kill: signal });
    const meta = { epoch: 'e', leader: 'other', mark: 3n, source: null, checkpoint: 1n, confirmed: 1n };
    await expect(marks.examine(meta, 'mine', signal)).rejects.toMatchObject({ code: 'PW-M305' });
    await expect(marks.cover({ checkpoint: 1n, confirmed: 1n })).rejects.toMatchObject({ code: 'PW-S235' });
    expect(checkpoints.calls).toEqual([]);
  });

  it('does not hold up a pause, which needs no source; what was to be claimed is claimed once the row can be written', async () => {
    const database = new Database();
    await follow(database);
    await database.world.clock.advance(10_000);
    let release = (): void => {};
    database.checkpoints.before = () => new Promise<void>((resolve) => (release = resolve));
    const version = database.world.tracker.version + 1n;
    database.world.tracker.elsewhere();
    await database.world.clock.advance(1000);
    await database.world.ask('pause');
    await database.world.until(() => database.world.stored.meta?.paused?.what === 'all');
    expect(database.world.stored.meta?.upTo).toBeLessThan(version);
    database.checkpoints.before = null;
    release();
    await database.world.ask('resume');
    await expectEqual(database);
    expect(database.noticed).toBe(false);
  });
});
