/**
 * What a subscriber holds and how it knows: documents, the chain of messages that made them, and while a load runs, the stage that will
 * replace them. Says what a message or a page means for them (S1, S2, S4); what to do about it is the state machine's.
 */
import type { ChangesMessage, HeartbeatMessage } from '../wire/messages.ts';
import { Chain } from './chain.ts';
import type { GapReason, Position } from './events.ts';
import type { AppliedChange, ChangeRule, Holding, Mode } from './holding.ts';
import type { InputOf, KeyName, LinkedMessage, LoadedRow, SectionView, StoredReplica } from './section-view.ts';
import { KeyPages } from './key-pages.ts';
import { Stage } from './stage.ts';
import { Standing, type StandingFacts } from './standing.ts';

export type Outcome =
  | { readonly kind: 'applied'; readonly applied: readonly AppliedChange[]; readonly passedOver: number }
  /** The chain has reached the highest page: the stage has become the documents. */
  | { readonly kind: 'settled' }
  | { readonly kind: 'duplicate' }
  /** A reset that follows the last message applied. */
  | { readonly kind: 'reset' }
  | { readonly kind: 'gap'; readonly reason: GapReason }
  /** A patch or the digest does not fit the documents. */
  | { readonly kind: 'diverged'; readonly detail: string }
  /** The pages and the chain do not belong together: load again. */
  | { readonly kind: 'inconsistent' };

/** After a skipped gap a change counts only for the document that it follows. */
const lenient = (): ChangeRule => 'lenient';

export class Ledger {
  readonly #mode: Mode;
  #documents: Holding;
  #key: SectionView['key'] = null;
  #standing = new Standing();
  /** The chain of the stage while there is one, else of the documents; null: what is held does not count. */
  #chain: Chain | null = null;
  #stage: Stage | null = null;
  /** Of keys that are read one by one, where not everything is held. */
  #pages = new KeyPages();

  constructor(mode: Mode) {
    this.#mode = mode;
    this.#documents = mode.empty();
  }

  get documents(): Holding {
    return this.#documents;
  }

  /** Whether everything is held. */
  get whole(): boolean {
    return this.#mode.whole;
  }

  /** The columns of the key, as far as they are known. */
  get key(): SectionView['key'] {
    return this.#key;
  }

  get standing(): Standing {
    return this.#standing;
  }

  get chain(): Chain | null {
    return this.#chain;
  }

  get staging(): boolean {
    return this.#stage !== null;
  }

  /** Whether the documents count: they are what was published at `position`. */
  get counts(): boolean {
    return this.#chain !== null && this.#stage === null;
  }

  position(nowMs: number): Position | null {
    if (this.#chain === null || this.#stage !== null) {
      return null;
    }
    const { epoch, seq, last } = this.#chain;
    return { epoch, seq, last, ...this.#standing.position(nowMs) };
  }

  /** What is held now, to be stored; null: it does not count, or is not whole. */
  store(): StoredReplica | null {
    const at = this.position(0);
    if (at === null || this.#standing.skipped) {
      return null;
    }
    const { epoch, seq, last, checkpoint, upTo } = at;
    const entries = [...this.#documents.entries()];
    const aside = [...(this.#documents.aside ?? [])];
    return { epoch, seq, last, checkpoint, upTo, incomplete: this.#standing.incomplete, key: this.#key, entries, aside };
  }

  /** What was stored counts from now on, at its place of the chain: a replay will say whether the chain still goes through it. */
  restore({ entries, key, aside, ...stored }: StoredReplica): void {
    this.#documents = this.#mode.empty();
    entries.forEach((entry) => this.#documents.set(entry.identity, entry));
    this.#documents.aside = new Set(aside);
    this.#key = key;
    this.#chain = new Chain(stored);
    this.#standing = new Standing();
    this.#standing.adopt({
      ...stored,
      state: 'live',
      digest: this.#documents.digest ?? '',
      pending: false,
      quarantined: 0,
      sourceReadAtMs: null,
    });
  }

  /** Messages are missing for good: goes on at what was published last, with the documents as they are. */
  skipTo(view: SectionView): void {
    this.#chain = new Chain(view);
    this.#standing.skip();
    this.adopt(view);
  }

  /** What is held does not count any more. The documents can still be looked at. */
  abandon(): void {
    this.#stage = null;
    this.#chain = null;
  }

  /** A load begins: the chain starts here. */
  begin(view: SectionView): void {
    this.#stage = new Stage(view, this.#mode.empty());
    this.#chain = new Chain(view);
  }

  /** False: the page shows that the load has to begin again. */
  addPage({ view, rows, aside }: Pick<InputOf<'page'>, 'view' | 'rows' | 'aside'>): boolean {
    return view !== null && this.#stage?.add(view, rows, aside) === null;
  }

  /** Keys are read one by one from now on. @returns the seq that their page must have reached */
  read(names: readonly KeyName[]): number {
    const seq = Math.max(this.#chain?.seq ?? 0, this.#pages.newest);
    names.forEach(({ identity }) => this.#pages.begin(identity, seq));
    return seq;
  }

  /** Takes what a page says of keys that were asked for when the chain stood at `seq`. @returns those to be read again; or why it is no page of this history */
  fill({ view, rows, seq, aside }: InputOf<'found'>): readonly LoadedRow[] | GapReason {
    const chain = this.#chain;
    if (chain === null || view === null || view.epoch !== chain.epoch || view.state === 'loading' || view.pending) {
      return 'epoch';
    }
    // What is not remembered lies so far back that every key is read again.
    const known = view.seq > chain.seq ? this.#pages.idAt(view) : (chain.idAt(view.seq) ?? null);
    if (view.seq < seq || (known !== null && known !== view.last)) {
      return 'rewound';
    }
    if (aside !== undefined && view.seq >= chain.seq) {
      this.#documents.aside = aside;
    }
    return rows.filter(({ identity, entry, error }) => {
      const taken = known !== null && this.#pages.take(identity, view, chain);
      if (taken && error === undefined) {
        this.#documents.set(identity, entry);
      }
      return !taken;
    });
  }

  /** All pages are in. */
  finishPages(): Outcome {
    this.#stage?.finish();
    return this.settle();
  }

  /** Whether the message lies before everything that is remembered: a load or a replay that has just ended covers it. */
  covers(message: LinkedMessage): boolean {
    const chain = this.#chain;
    return chain !== null && message.epoch === chain.epoch && message.seq <= chain.seq && chain.idAt(message.seq) === undefined;
  }

  /** Applies a message if it follows the last one (S2). */
  take(message: LinkedMessage, nowMs: number): Outcome {
    const chain = this.#chain;
    if (chain === null) {
      return { kind: 'inconsistent' };
    }
    if (message.type === 'reset' && message.prevId === chain.last && message.seq > chain.seq) {
      return { kind: 'reset' };
    }
    const verdict = chain.judge(message);
    if (verdict === 'duplicate') {
      return { kind: 'duplicate' };
    }
    if (verdict !== 'next' || message.type === 'reset') {
      return { kind: 'gap', reason: verdict === 'next' ? 'missed' : verdict.gap };
    }
    return this.#apply(message, chain, nowMs);
  }

  #apply(message: ChangesMessage, chain: Chain, nowMs: number): Outcome {
    const { skipped } = this.#standing;
    const result =
      this.#stage === null
        ? this.#documents.apply(message.changes, skipped ? lenient : this.#pages.rule(message.seq))
        : this.#stage.apply(message);
    if (!result.ok) {
      return { kind: 'diverged', detail: result.detail };
    }
    chain.advance(message);
    if (this.#stage !== null) {
      return this.settle();
    }
    if (!this.#pages.agrees(chain)) {
      return { kind: 'diverged', detail: 'a key was read from another history' };
    }
    this.#standing.apply(message, nowMs);
    return { kind: 'applied', applied: result.applied, passedOver: skipped ? message.changes.length - result.applied.length : 0 };
  }

  /** Makes the stage the documents if the chain has reached its highest page. Without a stage there is nothing to do. */
  settle(): Outcome {
    const [stage, chain] = [this.#stage, this.#chain];
    if (stage === null || chain === null) {
      return { kind: 'applied', applied: [], passedOver: 0 };
    }
    if (!stage.agrees(chain)) {
      return { kind: 'inconsistent' };
    }
    if (!stage.complete || !stage.reached(chain)) {
      return { kind: 'applied', applied: [], passedOver: 0 };
    }
    const detail = stage.target.pending ? null : digestDetail(stage.documents, stage.target);
    if (detail !== null) {
      return { kind: 'diverged', detail };
    }
    this.#documents = stage.documents;
    this.#pages = new KeyPages();
    this.#standing = new Standing();
    this.#standing.adopt(stage.target);
    this.#key = stage.target.key;
    this.#stage = null;
    return { kind: 'settled' };
  }

  /** Takes what was published of the moment of my last message (S4). A text: the digest says that the documents are not the publisher's. */
  adopt(facts: StandingFacts): string | null {
    const detail = facts.pending || this.#standing.skipped ? null : digestDetail(this.#documents, facts);
    if (detail === null) {
      this.#standing.adopt(facts);
    }
    return detail;
  }

  /** Where a heartbeat stands to the chain: at my last message, not above it (`rewound`, unless it is late), or beyond it. */
  place(message: HeartbeatMessage): 'mine' | GapReason {
    const chain = this.#chain;
    if (chain === null || message.epoch !== chain.epoch) {
      return 'epoch';
    }
    if (message.last === chain.last) {
      return 'mine';
    }
    return message.seq > chain.seq ? 'heartbeat' : 'rewound';
  }
}

/** Null: the documents are the publisher's, as far as can be told. */
function digestDetail({ digest }: Holding, { digest: published }: Pick<SectionView, 'digest'>): string | null {
  return digest === null || digest === published ? null : `the digest here is ${digest}, published is ${published}`;
}
