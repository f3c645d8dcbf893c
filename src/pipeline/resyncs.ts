/**
 * What operators ask by `resync` (L6): the whole section, the rows of some keys, or the rows that pass an expression. Joins what is under way, tells
 * how far it is, and answers when it has ended. Reads nothing itself: the lane loads and sweeps, partial-resync.ts reads a part.
 */
import type { Clock } from '../lib/clock.ts';
import type { OperatorRequest, SectionMeta } from '../manager/distributed-data-manager.ts';
import { PatchwireError } from '../model/errors.ts';
import type { TrackedTable } from '../model/table.ts';
import type { SectionObserver } from '../observe/section-observer.ts';
import { type LoadLimits, progressOf } from './load-pace.ts';
import type { Load } from './load.ts';
import { PartialResync, type PartialResyncOptions } from './partial-resync.ts';
import type { RequestDesk } from './requests.ts';
import type { GuardedSweep } from './sweep-guard.ts';

export interface ResyncsOptions extends Omit<PartialResyncOptions, 'table' | 'mode' | 'limits'> {
  readonly section: string;
  readonly desk: RequestDesk;
  readonly clock: Clock;
  readonly observer: SectionObserver;
  readonly meta: () => SectionMeta;
  readonly table: () => TrackedTable;
  readonly limits: LoadLimits;
  readonly running: () => Load | null;
  /** Of a section that is live. */
  readonly sweep: () => GuardedSweep | null;
  /** Goes on with what the section needs by itself; afterwards `load` says whether it is being read anew. */
  readonly prepare: () => Promise<void>;
  /** Reads the section anew. */
  readonly begin: (reason: string, guarded: boolean) => Promise<void>;
}

/** Progress is written this often. */
const TELL_EVERY_MS = 2000;

export class Resyncs {
  readonly #options: ResyncsOptions;
  /** Answered when what is under way ends. */
  #waiting: OperatorRequest[] = [];
  #parts: { readonly request: OperatorRequest; readonly part: PartialResync }[] = [];
  #toldAt = Number.NEGATIVE_INFINITY;

  constructor(options: ResyncsOptions) {
    this.#options = options;
  }

  /** Whether a part waits for its next step. */
  get due(): boolean {
    return this.#parts.length > 0;
  }

  /**
   * Takes a request on: it is answered later.
   * @throws PW-C109, PW-S210 for a part that cannot be read; whatever beginning a resync throws
   */
  async take(request: OperatorRequest): Promise<null> {
    const { keys, where, confirm } = request.args;
    const { desk, prepare, running: load, sweep, meta } = this.#options;
    if (keys !== undefined || where !== undefined) {
      await this.#takePart(request, keys, where);
      return null;
    }
    await prepare();
    const confirmed = confirm === 'true';
    const loading = load();
    // What only looks for lost documents (C8) compares no row.
    const running = (loading?.phase === 'check' ? null : loading) ?? (sweep()?.held === null ? null : sweep());
    if (running !== null && confirmed) {
      await running.confirm();
    }
    if (running === null && meta().incomplete?.reason === 'initial') {
      throw new PatchwireError('PW-C109', 'The section is followed without a load (initial: none): there is nothing to compare with.', {
        hint: 'Name the rows by --keys, or set initial: full.',
      });
    }
    if (running === null) {
      await this.#options.begin(`resync asked by ${request.who}`, !confirmed);
      await desk.tell(request, this.#words('The section is read anew'));
    } else {
      await desk.tell(request, this.#words('It is under way already: joined'));
    }
    this.#waiting.push(request);
    return null;
  }

  /** One piece of the part that was asked for first. */
  async step(): Promise<void> {
    const [first] = this.#parts;
    if (first === undefined) {
      return;
    }
    const { request, part } = first;
    const { delivery, desk } = this.#options;
    try {
      if (!(await part.step())) {
        return;
      }
    } catch (error) {
      // A key or an expression that cannot be read is the answer to who asked.
      if (error instanceof PatchwireError && (error.code === 'PW-C109' || error.code === 'PW-S210')) {
        this.#parts.shift();
        await desk.answer(request, 'failed', error.message, error.code);
        return;
      }
      throw error;
    }
    await delivery.settle();
    this.#parts.shift();
    await desk.answer(request, 'done', `Resynced: ${part.words}.`);
  }

  /** After each round: how far it is, and that it waits for a confirmation. */
  async tell(): Promise<void> {
    const { desk, clock, running: load, sweep, section } = this.#options;
    const held = (load() ?? sweep())?.held ?? null;
    if (held !== null && this.#waiting.length > 0) {
      const message = `The sweep would remove ${held.missing} of ${held.documents} documents; it removes nothing without a confirmation: \`patchwire resync ${section} --confirm\`.`;
      for (const request of this.#waiting.splice(0)) {
        await desk.answer(request, 'failed', message, 'PW-S231');
      }
    }
    if (clock.monotonic() - this.#toldAt < TELL_EVERY_MS) {
      return;
    }
    this.#toldAt = clock.monotonic();
    for (const request of this.#waiting) {
      await desk.tell(request, this.#words('Resync'));
    }
    const [part] = this.#parts;
    if (part !== undefined) {
      await desk.tell(part.request, part.part.words);
    }
  }

  /** What was waited for has ended. */
  async ended(message: string): Promise<void> {
    for (const request of this.#waiting.splice(0)) {
      await this.#options.desk.answer(request, 'done', message);
    }
  }

  /** The lane ends: what was not answered is to be done by the next. */
  giveBack(): void {
    const requests = [...this.#waiting, ...this.#parts.map(({ request }) => request)];
    requests.forEach((request) => this.#options.desk.giveBack(request));
    this.#waiting = [];
    this.#parts = [];
  }

  async #takePart(request: OperatorRequest, keys: string | undefined, where: string | undefined): Promise<void> {
    const { prepare, table, running: load, observer, desk } = this.#options;
    await prepare();
    const mode = (): 'publish' | 'store' => load()?.mode ?? 'publish';
    const part = new PartialResync({ ...this.#options, table: table(), mode }, { keys: keys?.split(',') ?? null, where: where ?? null });
    observer.resync({ reason: 'asked', how: 'resync' });
    this.#parts.push({ request, part });
    await desk.tell(request, keys === undefined ? `Reading the rows that pass: ${where}` : 'Reading the rows that were named.');
  }

  #words(what: string): string {
    const load = this.#options.running();
    if (load === null) {
      return `${what}: sweeping.`;
    }
    const { phase, rows, estimate, changed, removed } = load.progress;
    const { percent } = progressOf({ ...load.progress, phase, after: null, estimate });
    const share = percent === null ? '' : `${percent} %, `;
    const differing = changed === undefined ? '' : `, ${changed} corrected`;
    return phase === 'load'
      ? `${what}: ${share}${rows} rows${differing}.`
      : `${what}: ${rows} rows read${differing}, ${phase}, ${removed} removed.`;
  }
}
