/**
 * The protocol of src/wire/README.md, followed by two implementations at once: whatever a scripted publisher does, both end equal to it or say
 * that they are not, and neither ever calls itself equal with other documents than were published there.
 */
import { isDeepStrictEqual } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { Disposer } from '../../src/lib/disposer.ts';
import { type Random, seededRandom } from '../../src/lib/random.ts';
import { type Mark, scriptedPublisher, type ScriptedPublisher, type Write } from '../../src/subscriber/testing/index.ts';
import { type PrivateTestRedis, privateTestRedis } from '../support/redis.ts';
import { type Follower, pythonFollower, pythonMissing, typescriptFollower } from '../support/wire-followers.ts';

const LIMIT = { timeout: 30_000, interval: 20 };
const section = 'orders';
const missing = pythonMissing();
if (missing !== null) {
  console.warn(`the Python subscriber is not tested: ${missing}`);
}

let redis: PrivateTestRedis;
let resources: Disposer;
let publisher: ScriptedPublisher;
let partition: string;
let followers: Follower[];
/** epoch/last → the documents that were published there: more than once only where somebody tampered with them. */
let history: Map<string, readonly unknown[]>;

beforeAll(async () => {
  redis = await privateTestRedis();
});
afterAll(() => redis[Symbol.asyncDispose]());
beforeEach(async () => {
  resources = new Disposer();
  partition = redis.partition();
  publisher = resources.use(await scriptedPublisher({ redis: redis.url, partition, section, intervalMs: 60_000 }));
  followers = [];
  history = new Map();
});
afterEach(() => resources[Symbol.asyncDispose]());

/** Starts both. */
function follow(): void {
  const where = { url: redis.url, partition, section };
  followers = [typescriptFollower(where), ...(missing === null ? [pythonFollower(where)] : [])];
  followers.forEach((follower) => resources.use(follower));
}

/** Does a step, and remembers what is published then. */
async function step(work: () => Promise<unknown>): Promise<void> {
  await work();
  remember();
}

function remember(): void {
  const place = `${publisher.epoch}/${publisher.position.last}`;
  history.set(place, [...(history.get(place) ?? []), publisher.documents]);
}

/** Heartbeats until both call themselves equal where the publisher is; then all that they ever claimed must have been true. */
async function expectEqual(): Promise<void> {
  remember();
  await vi.waitFor(async () => {
    await publisher.heartbeat();
    for (const follower of followers) {
      const { equal, reasons, epoch, last, documents } = follower.standing();
      const { last: published } = publisher.position;
      expect({ language: follower.language, equal, reasons, epoch, last }).toMatchObject({
        equal: true,
        epoch: publisher.epoch,
        last: published,
      });
      expect(documents).toEqual(publisher.documents);
    }
  }, LIMIT);
  for (const { language, claims } of followers) {
    const wrong = claims.filter(({ epoch, last, documents }) => {
      const then = history.get(`${epoch}/${last}`);
      return then !== undefined && !then.some((published) => isDeepStrictEqual(documents, published));
    });
    expect({ language, wrong }).toEqual({ language, wrong: [] });
  }
}

/** Heartbeats until both say that they are not equal, for this reason. */
async function expectUnequal(reason: RegExp): Promise<void> {
  await vi.waitFor(async () => {
    await publisher.heartbeat();
    for (const follower of followers) {
      const { equal, reasons } = follower.standing();
      expect({ language: follower.language, equal, reasons }).toEqual({
        language: follower.language,
        equal: false,
        reasons: [expect.stringMatching(reason)],
      });
    }
  }, LIMIT);
}

/** Both are live on a section of some rows. */
async function live(): Promise<void> {
  await publisher.load({ '1': { n: 1, tags: ['a', 'b'] }, '2': { n: 2, tags: [] }, '3': { n: 3, tags: ['c'] } });
  follow();
  await expectEqual();
}

const KEYS = ['1', '2', '3', '4', '5'];

/** One of all that a publisher, a network and a Redis can do. */
async function anything(random: Random, n: number, marks: Mark[]): Promise<unknown> {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const change = (): Promise<unknown> => publisher.publish([pick(KEYS), random() < 0.3 ? null : { n, list: [n, random() < 0.5] }]);
  const changes = async (): Promise<void> => {
    for (let i = 0; i <= random() * 3; i += 1) {
      await change();
    }
  };
  return pick<() => Promise<unknown>>([
    changes,
    changes,
    changes,
    changes,
    () => publisher.heartbeat(),
    () => publisher.drop(changes),
    () => publisher.reorder(changes),
    () => publisher.duplicate(),
    () => publisher.trim(1 + Math.floor(random() * 5)),
    () => publisher.cutSubscribers(),
    () => publisher.newEpoch(),
    () => publisher.load({ [pick(KEYS)]: { n, loaded: true }, [pick(KEYS)]: { n } }),
    () => (publisher.state === 'live' ? publisher.begin({ state: 'resyncing' }) : publisher.end()),
    () => publisher.quarantine(pick(KEYS)),
    () => publisher.send('nonsense'),
    async () => marks.push(publisher.mark()),
    () => publisher.rewind(pick(marks)),
  ])();
}

describe('whatever happens, both subscribers', () => {
  it('S1, S2: load what is there and follow it, with nested values, texts for numbers, respelled keys and paths that need escapes', async () => {
    await publisher.load(
      Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`k${i}`, { n: i, 'a/b~c': { d: [1, 2, { e: null }] } }])),
    );
    follow();
    await expectEqual();
    await step(() => publisher.upsert('k1', { n: 1.5, 'a/b~c': { d: [1, { e: null }, 'x', [], {}] }, added: true }));
    await step(() => publisher.upsert('k1', { n: -2e-7, 'a/b~c': { d: [] }, big: '9223372036854775807', money: '0.1000' }));
    await step(() => publisher.publish(['k2', null], ['k3', { 'a/b~c': null }], ['n%C3%A4u|1', { text: 'ä\u2028\ud83d\ude00' }]));
    await step(() => publisher.publish(['Ab', { name: 'Ab' }, 'ab']));
    await step(() => publisher.publish(['AB', { name: 'AB' }, 'ab']));
    await expectEqual();
    await step(() => publisher.publish(['AB', null, 'ab']));
    await expectEqual();
    expect(followers.map((follower) => follower.reloads())).toEqual(followers.map(() => 0));
  });

  it('S1: load page by page while rows change, are respelled, come and go under them', async () => {
    const random = seededRandom(7);
    const name = (i: number): string => `row${i % 2500}`;
    await publisher.load(Object.fromEntries(Array.from({ length: 2000 }, (_, i) => [name(i), { n: i }])));
    follow();
    let n = 0;
    while (n < 100 || followers.some((follower) => follower.standing().status !== 'live')) {
      const identity = name(Math.floor(random() * 2500));
      const spelled = random() < 0.2 ? identity.toUpperCase() : identity;
      await publisher.publish([spelled, random() < 0.2 ? null : { n }, identity]);
      n += 1;
    }
    await expectEqual();
    expect(followers.map((follower) => follower.reloads())).toEqual(followers.map(() => 0));
  });

  it('S3: fetch messages that were dropped', async () => {
    await live();
    await step(() => publisher.drop(() => publisher.upsert('1', { n: 10 })));
    await step(() => publisher.upsert('2', { n: 20 }));
    await expectEqual();
    await step(() =>
      publisher.drop(async () => {
        await publisher.remove('1');
        await publisher.upsert('4', { n: 4 });
      }),
    );
    await expectEqual();
    expect(followers.map((follower) => follower.reloads())).toEqual(followers.map(() => 0));
  });

  it('S2, S3: take duplicates once and put order right', async () => {
    await live();
    await step(() => publisher.upsert('1', { n: 10 }));
    await publisher.duplicate();
    await expectEqual();
    await step(() =>
      publisher.reorder(async () => {
        await publisher.upsert('1', { n: 11 });
        await publisher.upsert('1', { n: 12 });
        await publisher.remove('2');
      }),
    );
    await publisher.duplicate();
    await expectEqual();
    expect(followers.map((follower) => follower.reloads())).toEqual(followers.map(() => 0));
  });

  it('S3: come back after their connections were cut, with what was published meanwhile', async () => {
    await live();
    await publisher.cutSubscribers();
    await step(() => publisher.upsert('1', { n: 10 }));
    await step(() => publisher.upsert('5', { n: 5 }));
    await expectEqual();
    expect(followers.map((follower) => follower.reloads())).toEqual(followers.map(() => 0));
  });

  it('S3: load again when the stream does not reach back', async () => {
    await live();
    await step(() =>
      publisher.drop(async () => {
        await publisher.upsert('1', { n: 10 });
        await publisher.upsert('2', { n: 20 });
        await publisher.upsert('3', { n: 30 });
      }),
    );
    await publisher.trim();
    await expectEqual();
    expect(followers.map((follower) => follower.reloads())).toEqual(followers.map(() => 1));
  });

  it('S3: load a section that was replaced, and one with a new epoch', async () => {
    await live();
    await step(() => publisher.load({ '2': { n: 'another' }, '9': { n: 9 } }));
    await expectEqual();
    await step(() => publisher.newEpoch());
    await step(() => publisher.upsert('9', { n: 90 }));
    await expectEqual();
    await step(() => publisher.drop(() => publisher.newEpoch()));
    await expectEqual();
  });

  it('S3: notice that Redis went back in time, whether another history follows or not', async () => {
    await live();
    const mark = publisher.mark();
    await step(() => publisher.upsert('1', { n: 10 }));
    await step(() => publisher.upsert('2', { n: 20 }));
    await expectEqual();
    await step(() => publisher.rewind(mark));
    await expectEqual();
    await step(() => publisher.upsert('1', { n: 11 }));
    await step(() => publisher.upsert('2', { n: 21 }));
    await expectEqual();
    // As many messages as were seen already: by number alone nothing would be missing.
    const later = publisher.mark();
    await step(() => publisher.upsert('3', { n: 30 }));
    await expectEqual();
    await step(() => publisher.rewind(later));
    await step(() => publisher.drop(() => publisher.upsert('3', { n: 31 })));
    await expectEqual();
  });

  it('C8, S4: are not equal while a document is not there', async () => {
    await live();
    await publisher.damage('2');
    await step(() => publisher.newEpoch());
    await expectUnequal(/./u);
    await publisher.damage('2', '{"n":');
    await expectUnequal(/./u);
    await publisher.mend('2');
    await expectEqual();
  });

  it('S4: wait while a section is loading', async () => {
    await live();
    await step(() => publisher.begin());
    await expectUnequal(/^section loading$/u);
    await publisher.store(['1', { n: 'loaded' }], ['7', { n: 7 }]);
    await expectUnequal(/^section loading$/u);
    await step(() => publisher.end());
    await expectEqual();
    // The same under the same epoch.
    await step(() => publisher.begin({ newEpoch: false }));
    await expectUnequal(/^section loading$/u);
    await publisher.store(['7', { n: 'again' }]);
    await step(() => publisher.end());
    await expectEqual();
  });

  it('S2, S4: load again when the digest is not theirs, or a change does not fit what they hold', async () => {
    await live();
    await step(() => publisher.store(['1', { n: 'nobody was told' }]));
    await expectEqual();
    expect(followers.map((follower) => follower.reloads())).toEqual(followers.map(() => 1));
    const forged = await publisher.drop(() => publisher.upsert('1', { n: 'told' }));
    remember();
    await publisher.send(...forged.map((text) => text.replace(/"prevVersionId":"\d+"/u, '"prevVersionId":"987654"')));
    await vi.waitFor(() => followers.forEach((follower) => expect(follower.reloads()).toBe(2)), LIMIT);
    await expectEqual();
    await step(() => publisher.publish(['1', { n: 1, list: [1] }]));
    await expectEqual();
    const misfit = await publisher.drop(() => publisher.upsert('1', { n: 1, list: [] }));
    remember();
    await publisher.send(...misfit.map((text) => text.replace('/list/0', '/list/9')));
    await vi.waitFor(() => followers.forEach((follower) => expect(follower.reloads()).toBe(3)), LIMIT);
    await expectEqual();
  });

  it('S4: follow a section that is resynced, and are not equal before its end', async () => {
    await live();
    await step(() => publisher.begin({ state: 'resyncing' }));
    // Without a heartbeat.
    await vi.waitFor(() => followers.forEach((follower) => expect(follower.standing().reasons).toEqual(['section resyncing'])), LIMIT);
    await step(() => publisher.upsert('1', { n: 'corrected' }));
    await vi.waitFor(async () => {
      await publisher.heartbeat();
      for (const follower of followers) {
        expect(follower.standing()).toMatchObject({ reasons: ['section resyncing'], documents: publisher.documents });
      }
    }, LIMIT);
    await step(() => publisher.end());
    await expectEqual();
  });

  it('S4: are not equal while a row is set aside, a script has stopped half-way, or rows are missing', async () => {
    await live();
    await step(() => publisher.quarantine('2'));
    await expectUnequal(/^rows quarantined$/u);
    await step(() => publisher.upsert('2', { n: 'back' }));
    await expectEqual();
    await publisher.incomplete('skipped');
    await expectUnequal(/^section incomplete$/u);
    await publisher.incomplete(null);
    await expectEqual();
    await publisher.pending(true);
    await publisher.cutSubscribers();
    await expectUnequal(/^pending script$/u);
    await publisher.pending(false);
    await expectEqual();
  });

  it('S4: wait for a section that is not there yet, and for one that was removed', async () => {
    follow();
    await vi.waitFor(() => followers.forEach((follower) => expect(follower.standing().reasons).toEqual(['section missing'])), LIMIT);
    await step(() => publisher.load({ '1': { n: 1 } }));
    await expectEqual();
    await publisher.purge();
    await vi.waitFor(() => followers.forEach((follower) => expect(follower.standing().reasons).toEqual(['section missing'])), LIMIT);
    await step(() => publisher.load({ '2': { n: 2 } }));
    await expectEqual();
  });

  it('S3: take what anybody puts on the channel for a lost message, and for no more', async () => {
    await live();
    await publisher.send('nonsense', '{"v":1}', '[]', '{"v":99,"type":"changes"}', '{"v":1,"type":"changes","changes":[{}]}');
    await step(() => publisher.upsert('1', { n: 10 }));
    await expectEqual();
    expect(followers.map((follower) => follower.reloads())).toEqual(followers.map(() => 0));
  });

  it('S3: look by themselves when nothing is heard for three intervals', async () => {
    await using beating = await scriptedPublisher({ redis: redis.url, partition, section: 'silent', intervalMs: 100 });
    await beating.load({ '1': { n: 1 } });
    const where = { url: redis.url, partition, section: 'silent' };
    followers = [typescriptFollower(where), ...(missing === null ? [pythonFollower(where)] : [])];
    followers.forEach((follower) => resources.use(follower));
    beating.beat();
    const holds = (n: number): Promise<unknown> =>
      vi.waitFor(() => {
        for (const follower of followers) {
          expect(follower.standing()).toMatchObject({ equal: true, documents: { '1': { n } } });
        }
      }, LIMIT);
    await holds(1);
    // Heartbeats that were heard have told the interval.
    const claims = followers.map((follower) => follower.claims.length);
    await vi.waitFor(() => followers.forEach((follower, i) => expect(follower.claims.length).toBeGreaterThan((claims[i] ?? 0) + 2)), LIMIT);
    await beating.fallSilent();
    await beating.drop(() => beating.upsert('1', { n: 2 }));
    await holds(2);
  });

  it('end, and say so, when a newer patchwire has written the section', async () => {
    await live();
    await redis.raw.hset(`{${partition}:${section}}/meta`, 'format', '99');
    await publisher.cutSubscribers();
    await vi.waitFor(() => followers.forEach((follower) => expect(follower.ended()).toMatch(/newer|PW-W402/u)), LIMIT);
  });

  it.each([1, 2, 3])('end equal after any history (seed %i)', async (seed) => {
    const random = seededRandom(seed);
    await live();
    const marks: Mark[] = [publisher.mark()];
    for (let i = 0; i < 80; i += 1) {
      await step(() => anything(random, i, marks));
    }
    await step(async () => {
      if (publisher.state !== 'live') {
        await publisher.end();
      }
      await publisher.publish(...KEYS.map((key): Write => [key, { n: 'the end' }]));
    });
    await expectEqual();
  });
});
