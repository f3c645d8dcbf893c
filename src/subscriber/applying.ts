/**
 * Patches on what is held: the changes of one message, in their order, all or none. Knows nothing of chains, epochs or Redis, and stores
 * nothing: who holds the documents puts there what comes out.
 */
import type { Document } from '../model/document.ts';
import { applyPatch } from '../wire/json-patch.ts';
import type { WireChange } from '../wire/messages.ts';
import type { AppliedChange, ApplyResult, ChangeRule, Held, HeldEntry } from './holding.ts';

export interface ApplyParts {
  readonly rule: ((identity: string) => ChangeRule) | undefined;
  /** null: known to be absent; undefined: not held, so that its changes mean nothing here. */
  held(identity: string): HeldEntry | null | undefined;
  /** Called when all changes fit: what the keys are now. */
  put(identity: string, next: Held): void;
}

export function applyChanges(changes: readonly WireChange[], parts: ApplyParts): ApplyResult {
  const staged = new Map<string, Held>();
  const applied: AppliedChange[] = [];
  for (const change of changes) {
    const { dataKey, prevVersionId } = change;
    const identity = change.identity ?? dataKey;
    const how = parts.rule?.(identity);
    const now = staged.get(identity);
    const old = now === undefined ? parts.held(identity) : now;
    if (how === 'skip' || old === undefined) {
      continue;
    }
    const version = old ? old.version : null;
    if (prevVersionId !== version) {
      if (how === 'lenient') {
        continue;
      }
      return { ok: false, detail: `a change of ${dataKey} follows version ${prevVersionId}, here is ${version}` };
    }
    const before = old ? old.document : null;
    let after: Document | null;
    try {
      after = change.op === 'upsert' ? applyPatch(before, change.patch) : null;
    } catch (error) {
      return { ok: false, detail: `the patch of ${dataKey} does not fit: ${error instanceof Error ? error.name : 'error'}` };
    }
    const gone = change.op === 'unavailable' ? false : null;
    staged.set(identity, after === null ? gone : { identity, dataKey, version: change.versionId, document: after });
    applied.push({ change, identity, before, after });
  }
  staged.forEach((entry, identity) => parts.put(identity, entry));
  return { ok: true, applied };
}
