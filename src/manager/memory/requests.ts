/** What operators ask of a section, and how far it is (L6), over plain maps. */
import { PatchwireError } from '../../model/errors.ts';
import type { OperationProgress, OperatorRequest } from '../distributed-data-manager.ts';
import type { StoredSection } from './memory-store.ts';

const MOST_REQUESTS = 1000;
const MOST_OPERATIONS = 200;

export function putRequest(stored: StoredSection, request: OperatorRequest): void {
  stored.requests = [...stored.requests, request].slice(-MOST_REQUESTS);
}

/** Oldest first; what an earlier lead began and did not end comes again. */
export function pendingRequests({ requests, operations, meta }: StoredSection): readonly OperatorRequest[] {
  return requests.filter(({ id }) => {
    const operation = operations.get(id);
    return operation === undefined || (operation.state === 'running' && operation.leader !== meta?.leader);
  });
}

/** @throws PW-M305 when the lead is lost */
export function writeProgress(stored: StoredSection, section: string, token: string, progress: OperationProgress): void {
  if (stored.meta?.leader !== token) {
    throw new PatchwireError('PW-M305', `progress of section ${section}: another leader holds the section`);
  }
  stored.operations.set(progress.id, { ...progress, leader: token });
  if (progress.state !== 'running') {
    stored.requests = stored.requests.filter(({ id }) => id !== progress.id);
  }
  const tooMany = [...stored.operations.values()].toSorted((a, b) => b.atMs - a.atMs).slice(MOST_OPERATIONS);
  for (const { id } of tooMany) {
    stored.operations.delete(id);
  }
}

export function readOperation(stored: StoredSection, id: string): OperationProgress | null {
  const operation = stored.operations.get(id);
  if (operation === undefined) {
    return null;
  }
  const { leader: _, ...progress } = operation;
  return progress;
}
