/**
 * What operators asked of a section (L6): notices it within a second, hands it to whoever can do it, writes progress and result. Knows no
 * verb itself; the lane and the section bring theirs.
 */
import type { Clock } from '../lib/clock.ts';
import type { DistributedDataManager, OperationProgress, OperatorRequest } from '../manager/distributed-data-manager.ts';
import { asPatchwireError } from '../model/errors.ts';
import type { Logger } from '../observe/logger.ts';

/** Requests are looked for this often. */
export const REQUEST_INTERVAL_MS = 1000;

/**
 * Does what a verb asks. @returns the result's message, or null: `answerLater` answers, or nobody (a purge)
 * @throws PatchwireError: of class never or resync it becomes the request's result; any other passes, and the request stays to be done
 */
export type VerbHandler = (request: OperatorRequest) => Promise<string | null>;

export interface RequestDeskOptions {
  readonly manager: DistributedDataManager;
  readonly section: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Ids answered in this process are remembered, so that a list that was read before the answer does not repeat a request. */
const REMEMBERED = 1000;

export class RequestDesk {
  readonly #options: RequestDeskOptions;
  readonly #taken = new Set<string>();
  /** Taken, and to be answered when the next round has been delivered. */
  #later: OperatorRequest[] = [];
  #due: readonly OperatorRequest[] = [];
  /** Begun under this lead and interrupted: the manager takes them for running, and gives them to the next leader only. */
  readonly #interrupted = new Map<string, OperatorRequest>();

  constructor(options: RequestDeskOptions) {
    this.#options = options;
  }

  /** Whether something waits that nobody has taken. */
  get due(): boolean {
    return this.#due.length > 0;
  }

  /** The ids of what waits that nobody has taken. */
  get dueIds(): readonly string[] {
    return this.#due.map(({ id }) => id);
  }

  /**
   * The lead is about to be taken: whether something is still to be done, Redis says. What was taken and not answered (its script or its answer
   * was lost, or Redis went back) comes again; what is kept is answered. Call it when nothing of the lead before is under way.
   */
  forget(): void {
    this.#taken.clear();
    this.#later.forEach((request) => this.#take(request));
    this.#interrupted.clear();
    this.#due = [];
  }

  /** Asks the manager once. @returns whether something is due */
  async look(): Promise<boolean> {
    const pending = await this.#options.manager.pendingRequests(this.#options.section);
    const interrupted = [...this.#interrupted.values()].filter(({ id }) => !pending.some((request) => request.id === id));
    this.#due = [...interrupted, ...pending].filter(({ id }) => !this.#taken.has(id));
    return this.due;
  }

  /** Looks once a second until the signal fires. @throws the signal's reason, or what the manager threw */
  async watch(onDue: () => void, signal: AbortSignal): Promise<never> {
    for (;;) {
      if (await this.look()) {
        onDue();
      }
      await this.#options.clock.sleep(REQUEST_INTERVAL_MS, { signal });
    }
  }

  /**
   * Does what is due, oldest first, as far as `verbs` knows it; the rest stays due, or with `refuseUnknown` is answered as failed.
   * The lead must be held.
   */
  async serve(verbs: ReadonlyMap<string, VerbHandler>, { refuseUnknown }: { readonly refuseUnknown: boolean }): Promise<void> {
    const left: OperatorRequest[] = [];
    const due = this.#due;
    this.#due = [];
    for (const [i, request] of due.entries()) {
      const handler = verbs.get(request.verb);
      if (handler === undefined && !refuseUnknown) {
        left.push(request);
        continue;
      }
      this.#take(request);
      if (handler === undefined) {
        await this.answer(request, 'failed', `This daemon does not know the verb ${request.verb}.`, 'PW-M317');
        continue;
      }
      try {
        await this.#do(request, handler);
      } catch (error) {
        this.#taken.delete(request.id);
        this.#interrupted.set(request.id, request);
        this.#due = [...left, request, ...due.slice(i + 1)];
        throw error;
      }
    }
    this.#due = left;
  }

  /** Whether requests wait for `answerLater`. */
  get keeps(): boolean {
    return this.#later.length > 0;
  }

  /** Keeps a request that its handler has taken until `answerLater` or `refuse`. */
  keep(request: OperatorRequest): void {
    this.#later.push(request);
  }

  /** A request that its handler has taken, and that the lane did not live to answer, is due again. */
  giveBack(request: OperatorRequest): void {
    this.#taken.delete(request.id);
    this.#interrupted.set(request.id, request);
    if (!this.#due.some(({ id }) => id === request.id)) {
      this.#due = [...this.#due, request];
    }
  }

  /** Answers what was kept. */
  async answerLater(message: string): Promise<void> {
    for (let request = this.#later[0]; request !== undefined; request = this.#later[0]) {
      await this.answer(request, 'done', message);
      this.#later.shift();
    }
  }

  /** Answers everything that is due or kept as failed: the section stops for `error`. */
  async refuse(error: unknown): Promise<void> {
    const { code, message } = asPatchwireError(error);
    for (const request of [...this.#later, ...this.#due]) {
      this.#take(request);
      await this.answer(request, 'failed', message, code);
    }
    this.#later = [];
    this.#due = [];
  }

  /** Writes progress, which is no line in the log. */
  async tell({ id, verb }: OperatorRequest, message: string): Promise<void> {
    const { manager, section, clock } = this.#options;
    await manager.progress(section, { id, verb, state: 'running', message, atMs: clock.now() });
  }

  /** Writes progress or result of a request. */
  async answer(request: OperatorRequest, state: OperationProgress['state'], message: string, code?: string): Promise<void> {
    const { manager, section, clock, logger } = this.#options;
    const { id, verb } = request;
    const why = code === undefined ? {} : { code, reason: message };
    logger.info({ request: id, verb, who: request.who, state, ...why }, 'request');
    await manager.progress(section, { id, verb, state, message, atMs: clock.now(), ...(code === undefined ? {} : { code }) });
  }

  async #do(request: OperatorRequest, handler: VerbHandler): Promise<void> {
    await this.answer(request, 'running', 'Taken by the leader.');
    let message: string | null;
    try {
      message = await handler(request);
    } catch (thrown) {
      const error = asPatchwireError(thrown);
      // That Redis has no room, or that the section is torn, is the answer to who asked: nothing was begun.
      const passes = error.kind === 'manager' && error.code !== 'PW-M318' && error.code !== 'PW-M307';
      if (error !== thrown || passes || (error.retry !== 'never' && error.retry !== 'resync')) {
        throw thrown;
      }
      await this.answer(request, 'failed', error.message, error.code);
      return;
    }
    if (message !== null) {
      await this.answer(request, 'done', message);
    }
  }

  #take({ id }: OperatorRequest): void {
    this.#taken.add(id);
    this.#interrupted.delete(id);
    for (const oldest of this.#taken) {
      if (this.#taken.size <= REMEMBERED) {
        break;
      }
      this.#taken.delete(oldest);
    }
  }
}
