/**
 * What a user's parser makes of documents: each is parsed once, when it comes. Documents themselves stay as published, since patches apply to
 * them. Keeps no list of documents: what is forgotten by the replica is forgotten here.
 */
import type { Document } from '../model/document.ts';
import { PatchwireError } from '../model/failure.ts';

/** The part of Standard Schema (standardschema.dev, version 1) that is used: zod, valibot, arktype and others have it. */
export interface StandardSchema<T> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => StandardResult<T> | Promise<StandardResult<T>>;
    readonly types?: { readonly input: unknown; readonly output: T } | undefined;
  };
}

export type StandardResult<T> =
  | { readonly value: T; readonly issues?: undefined }
  | { readonly issues: readonly { readonly message: string; readonly path?: readonly unknown[] | undefined }[] };

/**
 * A schema, or a function that returns what it makes of a document and throws what it thinks of it. Both must be synchronous, and leave the document
 * as it is: patches apply to it.
 */
export type Parser<T> = StandardSchema<T> | ((document: Document) => T);

/** What becomes of a document that the parser refuses. stop: the replica closes with PW-W407; skip: as if it were not there; keep: as published. */
export type OnInvalid = 'stop' | 'skip' | 'keep';

export type Parsed<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: PatchwireError };

export class Parsing<T> {
  readonly #parse: ((document: Document) => T) | null;
  readonly #keep: boolean;
  readonly #known = new WeakMap<Document, Parsed<T>>();

  constructor(parser: Parser<T> | undefined, onInvalid: OnInvalid) {
    this.#parse = parser === undefined ? null : functionOf(parser);
    this.#keep = onInvalid === 'keep';
  }

  /** Whether documents are given out as they are. */
  get plain(): boolean {
    return this.#parse === null;
  }

  /** @param refused called once for a document that is refused */
  of(dataKey: string, document: Document, refused: (error: PatchwireError) => void): Parsed<T> {
    if (this.#parse === null) {
      return { ok: true, value: document as T };
    }
    const known = this.#known.get(document);
    if (known !== undefined) {
      return known;
    }
    let parsed: Parsed<T>;
    try {
      parsed = { ok: true, value: this.#parse(document) };
    } catch (error) {
      const refusal = new PatchwireError('PW-W407', `the document of ${dataKey} was refused: ${messageOf(error)}`, {
        cause: error,
        details: { dataKey },
      });
      parsed = this.#keep ? { ok: true, value: document as T } : { ok: false, error: refusal };
      refused(refusal);
    }
    this.#known.set(document, parsed);
    return parsed;
  }
}

function functionOf<T>(parser: Parser<T>): (document: Document) => T {
  // Some schemas are functions, too.
  if (!('~standard' in parser)) {
    return (document) => atOnce(parser(document));
  }
  const standard = parser['~standard'];
  return (document) => {
    const result = atOnce(standard.validate(document));
    if (result.issues !== undefined) {
      const [issue] = result.issues;
      const path = (issue?.path ?? []).map((step) => (typeof step === 'object' && step !== null && 'key' in step ? step.key : step));
      throw new TypeError(`${path.length === 0 ? '' : `${path.map(String).join('.')}: `}${issue?.message ?? 'refused'}`);
    }
    return result.value;
  };
}

/** A replica that answers at once cannot wait. zod tries it with promises, too, when a transform throws; what it finds then is of no use. */
function atOnce<T>(result: T | Promise<T>): T {
  if (result instanceof Promise) {
    result.catch(() => {});
    throw new TypeError('the parser is not synchronous, or a transform of its schema throws');
  }
  return result;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
