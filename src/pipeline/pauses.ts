/**
 * Pausing and resuming (L6): stored with the data, so that a restart or another leader keeps it. Heartbeats go on meanwhile, and say so. What is
 * not read while a section is paused must still be there when it is resumed: that is change tracking's retention.
 */
import type { Clock } from '../lib/clock.ts';
import type { DistributedDataManager, OperatorRequest, Paused, SectionMeta } from '../manager/distributed-data-manager.ts';
import { PatchwireError } from '../model/errors.ts';
import type { Logger } from '../observe/logger.ts';
import type { SectionObserver } from '../observe/section-observer.ts';
import type { Alarm } from './alarm.ts';
import type { Delivery } from './deliver.ts';
import type { RequestDesk, VerbHandler } from './requests.ts';

export interface PauseOptions {
  readonly delivery: Delivery;
  readonly desk: RequestDesk;
  readonly clock: Clock;
  /** As it is stored now. */
  readonly meta: () => SectionMeta;
  /** Told of it before the request is answered. */
  readonly changed: (meta: SectionMeta) => void;
}

/** The verbs `pause` (what: load or all) and `resume`. */
export function pauseVerbs({ delivery, desk, clock, meta, changed }: PauseOptions): readonly (readonly [string, VerbHandler])[] {
  const store = async (paused: Paused | null): Promise<void> => {
    const { state, pending } = meta();
    if (pending) {
      throw new PatchwireError('PW-M307', 'A script of this section stopped half-way.');
    }
    changed(await delivery.transition({ state, newEpoch: false, reset: null, advance: {}, paused }));
    await delivery.heartbeat();
  };
  return [
    [
      'pause',
      async (request: OperatorRequest): Promise<string | null> => {
        const { what = 'all' } = request.args;
        if (what !== 'all' && what !== 'load') {
          await desk.answer(request, 'failed', `There is nothing to pause that is called ${what}: load or all.`, 'PW-C109');
          return null;
        }
        await store({ what, who: request.who, atMs: clock.now() });
        return what === 'all' ? 'Paused: nothing is read until it is resumed.' : 'The load is paused: changes are read on.';
      },
    ],
    [
      'resume',
      async (): Promise<string> => {
        if (meta().paused === null) {
          return 'It was not paused.';
        }
        await store(null);
        return 'Resumed.';
      },
    ],
  ];
}

export interface SourcelessOptions {
  readonly section: string;
  readonly manager: DistributedDataManager;
  readonly delivery: Delivery;
  readonly desk: RequestDesk;
  readonly clock: Clock;
  readonly observer: SectionObserver;
  readonly logger: Logger;
  /** Rings when a request has come. */
  readonly alarm: Alarm;
  /** What was stored when the lead was taken. */
  readonly led: SectionMeta;
  /** Do not wait for an operator. */
  readonly once: boolean;
  readonly signal: AbortSignal;
}

export type Sourceless =
  /** Go on and read. */
  | { readonly kind: 'read'; readonly meta: SectionMeta }
  | { readonly kind: 'purge'; readonly request: OperatorRequest }
  | { readonly kind: 'paused' };

/** A paused section looks at itself this often, should a ring be missed. */
const LOOK_EVERY_MS = 5000;

/**
 * Does what needs no source, so that it is done even while none answers: purging, pausing, resuming. While the section is paused as a whole it
 * stays in here, and anything else that is asked is refused.
 * @returns `paused` only with `once`. @throws the signal's reason, and what the manager throws
 */
export async function withoutSource(options: SourcelessOptions): Promise<Sourceless> {
  const { section, manager, desk, observer, logger, alarm, led, once, signal } = options;
  let told = false;
  for (;;) {
    let meta = (await manager.readMeta(section)) ?? led;
    const changed = (after: SectionMeta): void => {
      meta = after;
      observer.leading(after);
    };
    const asked: { purge: OperatorRequest | null } = { purge: null };
    // What is torn cannot be resumed, only mended or purged (C5): a pause must not stand before that.
    const paused = meta.paused?.what === 'all' && !meta.pending ? meta.paused : null;
    const verbs = new Map<string, VerbHandler>([
      [
        'purge',
        (request) => {
          asked.purge = request;
          return Promise.resolve(null);
        },
      ],
      ...pauseVerbs({ ...options, meta: () => meta, changed }),
      ...(paused === null ? [] : ['poll', 'reset', 'set', 'resync'].map((verb) => [verb, refusal(desk, section, paused.who)] as const)),
    ]);
    await desk.serve(verbs, { refuseUnknown: paused !== null });
    if (asked.purge !== null) {
      return { kind: 'purge', request: asked.purge };
    }
    if (meta.pending || meta.paused?.what !== 'all') {
      return { kind: 'read', meta };
    }
    observer.phase('paused');
    if (!told) {
      told = true;
      logger.info({ who: meta.paused.who, since: new Date(meta.paused.atMs).toISOString() }, 'paused: nothing is read until it is resumed');
    }
    if (once) {
      return { kind: 'paused' };
    }
    await alarm.wait(LOOK_EVERY_MS, signal);
  }
}

/** For what a section that is paused as a whole does not do. */
function refusal(desk: RequestDesk, section: string, who: string): VerbHandler {
  return async (request) => {
    await desk.answer(request, 'failed', `The section ${section} was paused by ${who}: \`patchwire resume ${section}\` first.`, 'PW-M319');
    return null;
  };
}
