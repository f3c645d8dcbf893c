/** Histories: what a seed means. Drawn whole before anything happens, so that parts can be taken out again. */
import { seededRandom, type Random } from '../../src/lib/random.ts';
import { type Action, type ActionName, KINDS } from './actions.ts';
import type { SectionSetting } from './section.ts';
import type { Setting } from './world.ts';

export interface History {
  readonly seed: number;
  readonly setting: Setting;
  readonly actions: readonly Action[];
}

const pick = <T>(random: Random, items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;

const NAMES = {
  write: Object.keys(KINDS.write),
  break: Object.keys(KINDS.break),
  fault: Object.keys(KINDS.fault),
  request: Object.keys(KINDS.request),
} as { readonly [K in keyof typeof KINDS]: readonly ActionName[] };

function sectionOf(random: Random): SectionSetting {
  return { keyType: pick(random, ['int', 'nvarchar', 'nvarchar', 'pair'] as const), filtered: random() < 0.4 };
}

/** At least 30 actions. Some histories are calm, so that claims are made and judged; some are nothing but faults. */
export function historyOf(seed: number): History {
  const random = seededRandom(seed * 2_654_435_761 + 1);
  const isolation = pick(random, ['snapshot', 'snapshot', 'readCommitted', 'committedSnapshot'] as const);
  const claims = pick(random, ['implied', 'implied', 'confirmed'] as const);
  const setting: Setting = {
    profile: pick(random, ['implied', 'live', 'worst'] as const),
    isolation,
    claims,
    // Under SNAPSHOT with implied claims Microsoft's text is believed: there is no gap.
    gaps: random() < 0.5 && (claims === 'confirmed' || isolation !== 'snapshot'),
    ...sectionOf(random),
    others: Array.from({ length: pick(random, [0, 0, 0, 1, 1, 2]) }, () => sectionOf(random)),
    limits: {
      pageRows: 2 + Math.floor(random() * 9),
      pageBytes: random() < 0.15 ? 500 : 1 << 20,
      batchRows: 1 + Math.floor(random() * 6),
      inFlight: 1 + Math.floor(random() * 4),
    },
    replayBytes: random() < 0.5 ? 1500 : 1 << 20,
    lost: pick(random, ['resync', 'resync', 'resync', 'stop'] as const),
    sweepShare: pick(random, [0.2, 0.2, 0.5, 1]),
  };
  const shares = pick(random, [
    { write: 0.9, break: 0, fault: 0.06, request: 0.04 },
    { write: 0.72, break: 0.02, fault: 0.22, request: 0.04 },
    { write: 0.6, break: 0.07, fault: 0.25, request: 0.08 },
  ]);
  const length = 30 + Math.floor(random() * 20);
  const pace = 20 + random() * 250;
  const actions = Array.from({ length }, (): Action => {
    const draw = random();
    const kind =
      draw < shares.write
        ? 'write'
        : draw < shares.write + shares.break
          ? 'break'
          : draw < shares.write + shares.break + shares.fault
            ? 'fault'
            : 'request';
    return {
      name: pick(random, NAMES[kind]),
      n: Math.floor(random() * 1_000_000),
      afterMs: Math.round(random() * 2 * pace),
      // At a call or between two statements, where it hurts.
      afterCalls: random() < 0.5 ? 1 + Math.floor(random() * 12) : null,
    };
  });
  return { seed, setting, actions };
}
