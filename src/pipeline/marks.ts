/**
 * What the checkpoint row in the source's database proves (checkpoint.store: sqlserver). Before anything that was read is stored or claimed in
 * Redis the row gets the next mark, and the mark rides on the script: so whatever Redis holds was read before a mark that it knows, and a row
 * that is below that mark, or gone, is of a database that went back in time, however far its version counter has come since. A row that is
 * ahead proves nothing: a crash between row and script leaves it so. Judges rows and writes them; what is done about a loss remedies.ts says.
 */
import type { SectionMeta } from '../manager/distributed-data-manager.ts';
import { PatchwireError } from '../model/errors.ts';
import { maxVersion, type Version } from '../model/version.ts';
import type { Logger } from '../observe/logger.ts';
import type { CheckpointRow, CheckpointStore } from '../source/checkpoint-store.ts';

export interface MarksOptions {
  readonly section: string;
  readonly checkpoints: CheckpointStore;
  readonly logger: Logger;
  /** Ends a write that is under way. */
  readonly kill: AbortSignal;
}

export interface MarkedPosition {
  readonly checkpoint: Version;
  readonly confirmed: Version;
}

/** The part of meta that is compared with the row. */
export type MarkedMeta = Pick<SectionMeta, 'epoch' | 'leader' | 'mark' | 'source' | 'checkpoint' | 'confirmed'>;

/**
 * Of a section, for as long as its process lives. Modes: unread (nothing is written before the row was examined: from construction, and after any
 * write that failed, since its fate is unknown), kept (the row is this leader's), lost (the row proves a loss: only a beginning is written),
 * beginning (it is written, its script has not been answered).
 */
export class Marks {
  readonly #options: MarksOptions;
  #mode: 'unread' | 'kept' | 'lost' | 'beginning' = 'unread';
  /** As it was found, or written last; null: there is none. */
  #row: CheckpointRow | null = null;
  #loss: PatchwireError | null = null;
  /** What a write beside the lane met. */
  #failure: unknown = null;
  #token = '';
  #epoch = '';
  /** The greatest mark that was ever acknowledged, as far as this process knows; null: none. */
  #known: bigint | null = null;
  #owes = false;
  #queue: Promise<unknown> = Promise.resolve();

  constructor(options: MarksOptions) {
    this.#options = options;
  }

  /** What the row proves to be lost, until a load begins; null: nothing. */
  get loss(): PatchwireError | null {
    return this.#loss;
  }

  /** Where reading has to begin at the latest: what the row says is true of this database; null: nothing is known. */
  get confirmed(): Version | null {
    return this.#mode === 'kept' ? (this.#row?.confirmed ?? null) : null;
  }

  /** The last mark that was acknowledged; null: none is known to be true of this database. */
  get mark(): bigint | null {
    return this.#mode === 'kept' || this.#mode === 'beginning' ? (this.#row?.mark ?? null) : null;
  }

  /** Whether a position that waits may be written: the row is this leader's. */
  get isKept(): boolean {
    return this.#mode === 'kept';
  }

  /** Whether Redis knows no mark yet, or the row another epoch: the next heartbeat mends that. */
  get owes(): boolean {
    return this.#owes && this.#mode === 'kept';
  }

  /** What a write beside the lane met ends the lane, once. @throws it */
  check(): void {
    const failure = this.#failure;
    this.#failure = null;
    if (failure !== null) {
      throw failure as Error;
    }
  }

  /**
   * Compares the row with what Redis holds and takes it for this leader; where it proves a loss it stays as it is, so that the proof outlives a crash.
   * @param token of the lead. @throws PW-M305 when another leads by now; PW-S235 when another wrote meanwhile; what the store throws
   */
  async examine(meta: MarkedMeta, token: string, signal: AbortSignal): Promise<void> {
    await this.#alone(() => this.#examine(meta, token, signal));
  }

  /** Writes the next mark. @returns the mark, for the script that this stands before. @throws what it met: then the row has to be examined again */
  async cover(position: MarkedPosition): Promise<bigint> {
    return await this.#alone(async () => {
      const row = this.#row;
      if (this.#mode !== 'kept' || row === null) {
        throw this.#loss ?? changed(this.#options.section);
      }
      return await this.#write({ ...row, ...only(position), epoch: this.#epoch, leader: this.#token, mark: row.mark + 1n });
    });
  }

  /** The same beside the lane: what it meets is thrown by `check`. @returns null then */
  async coverBeside(position: MarkedPosition): Promise<bigint | null> {
    try {
      const mark = await this.cover(position);
      this.#owes = false;
      return mark;
    } catch (error) {
      this.#failure = error;
      return null;
    }
  }

  /**
   * Writes the mark at which everything begins anew: until `began` tells its epoch the row has none, so that documents with an earlier mark prove a
   * loss whether the script comes or not. @throws as cover
   */
  async coverBeginning(position: MarkedPosition): Promise<bigint> {
    return await this.#alone(async () => {
      if (this.#mode === 'unread') {
        throw changed(this.#options.section);
      }
      const mark = maxVersion(this.#row?.mark ?? 0n, this.#known ?? 0n) + 1n;
      await this.#write({ ...only(position), epoch: '', leader: this.#token, mark, originMark: mark });
      this.#mode = 'beginning';
      return mark;
    });
  }

  /** A script changed the epoch, or what is stored began anew. */
  stored(epoch: string, { begins }: { readonly begins: boolean }): void {
    this.#owes ||= this.#epoch !== epoch || begins;
    this.#epoch = epoch;
    if (begins && this.#mode === 'beginning') {
      this.#mode = 'kept';
      this.#loss = null;
    }
  }

  async #examine(meta: MarkedMeta, token: string, signal: AbortSignal): Promise<void> {
    const { checkpoints, section, logger } = this.#options;
    this.#mode = 'unread';
    this.#failure = null;
    if (meta.leader !== token) {
      throw new PatchwireError('PW-M305', `section ${section}: another leader holds the section`);
    }
    this.#token = token;
    this.#epoch = meta.epoch;
    this.#known = meta.source === null ? null : greater(this.#known, meta.mark);
    const found = await checkpoints.read(section, { signal });
    this.#row = found;
    this.#loss = meta.source === null ? null : lossOf(section, meta, this.#known, found);
    this.#owes = meta.mark === null || found?.epoch !== meta.epoch;
    if (this.#loss !== null) {
      this.#mode = 'lost';
      return;
    }
    const row: CheckpointRow =
      found === null
        ? { ...only(meta), epoch: meta.epoch, leader: token, mark: 1n, originMark: 1n }
        : { ...withoutTime(found), leader: token };
    if (found?.leader !== token) {
      await this.#write(row);
    }
    this.#mode = 'kept';
    logger.debug(
      { mark: row.mark.toString(), created: found === null, ahead: (row.mark - (meta.mark ?? 0n)).toString() },
      'checkpoint row taken',
    );
  }

  /** @throws PW-S235 when the row is not the one that was written last; whatever is thrown, the row has to be examined again */
  async #write(next: CheckpointRow): Promise<bigint> {
    const { checkpoints, section, kill } = this.#options;
    const before = this.#row;
    const { mode, options } = { mode: this.#mode, options: { signal: kill } };
    this.#mode = 'unread';
    const written =
      before === null ? await checkpoints.create(section, next, options) : await checkpoints.replace(section, before, next, options);
    if (!written) {
      throw changed(section);
    }
    this.#mode = mode;
    this.#row = next;
    this.#known = greater(this.#known, next.mark);
    return next.mark;
  }

  /** One after another: heartbeats write beside the lane. */
  async #alone<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#queue.then(work);
    this.#queue = turn.catch(() => {});
    return await turn;
  }
}

/** What the row proves to be lost of a section that has a source, as Redis has it; null: nothing. */
export function provenLoss(section: string, meta: Pick<MarkedMeta, 'epoch' | 'mark'>, row: CheckpointRow | null): PatchwireError | null {
  return lossOf(section, meta, meta.mark, row);
}

/**
 * What the row proves. Marks grow over all epochs, so the mark tells before the epoch does; another epoch alone proves nothing while the
 * documents' mark is not older than the row's last beginning: the epoch changed since (a rewound Redis, a repair), or is about to be written.
 */
function lossOf(
  section: string,
  { epoch, mark }: Pick<MarkedMeta, 'epoch' | 'mark'>,
  known: bigint | null,
  row: CheckpointRow | null,
): PatchwireError | null {
  const details = { section, epoch, mark: known?.toString() ?? null, row: row?.mark.toString() ?? null, rowEpoch: row?.epoch ?? null };
  if (row === null) {
    return known === null
      ? null
      : new PatchwireError(
          'PW-S234',
          `The checkpoint row of section ${section} is gone, although it had reached mark ${known}: the database was restored to before it, or the row was deleted.`,
          { details },
        );
  }
  if (known !== null && row.mark < known) {
    return new PatchwireError(
      'PW-S234',
      `The checkpoint row of section ${section} stands at mark ${row.mark}, below ${known} that it had reached: the database was restored or failed over with loss.`,
      { details },
    );
  }
  if (row.epoch !== epoch && (mark === null || mark < row.originMark)) {
    return new PatchwireError(
      'PW-S234',
      `The documents of section ${section} are of epoch ${epoch}, mark ${mark ?? 'none'}; the checkpoint row is of another epoch, begun at mark ${row.originMark}.`,
      { details: { ...details, originMark: row.originMark.toString() } },
    );
  }
  return null;
}

function changed(section: string): PatchwireError {
  return new PatchwireError('PW-S235', `The checkpoint row of section ${section} is not as it was written last.`, { details: { section } });
}

function greater(a: bigint | null, b: bigint | null): bigint | null {
  return a === null ? b : b === null ? a : maxVersion(a, b);
}

function only({ checkpoint, confirmed }: MarkedPosition): MarkedPosition {
  return { checkpoint, confirmed };
}

function withoutTime({ epoch, checkpoint, confirmed, leader, mark, originMark }: CheckpointRow): CheckpointRow {
  return { epoch, checkpoint, confirmed, leader, mark, originMark };
}
