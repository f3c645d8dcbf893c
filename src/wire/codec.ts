/**
 * Reads message texts. They are checked by hand against the same shapes as the schemas in messages.ts (a property test holds the two together):
 * change messages come by the thousand, and a subscriber needs no schema library. Fields that are not known are ignored. Writes nothing.
 */
import { PatchwireError } from '../model/failure.ts';
import { MESSAGE_VERSION, SECTION_STATES } from './format.ts';
import type { ChangesMessage, Message, SectionState } from './messages.ts';

const VERSION = /^(0|[1-9][0-9]{0,18})$/;

type Fields = Readonly<Record<string, unknown>>;

/**
 * A message from its text.
 * @throws PatchwireError PW-W401 when the text is no message; PW-W402 when its `v` is newer than this library
 */
export function parseMessage(text: string): Message {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new PatchwireError('PW-W401', 'a message is not JSON', { cause: error });
  }
  if (!isRecord(value) || !Number.isInteger(value['v'])) {
    throw new PatchwireError('PW-W401', 'a message has no version `v`');
  }
  const v = value['v'] as number;
  if (v > MESSAGE_VERSION) {
    throw new PatchwireError('PW-W402', `a message has version ${v}; this library knows ${MESSAGE_VERSION}`, { details: { v } });
  }
  if (isMessage(value)) {
    return value;
  }
  throw new PatchwireError('PW-W401', `a message of type ${JSON.stringify(value['type'])} has another form`);
}

/** Whether the value has the shape of a message of any type: what the schema `message` accepts. */
export function isMessage(value: unknown): value is Message {
  return (
    isChangesMessage(value) ||
    isRows(value, 'keys', isKeyChange) ||
    (isRecord(value) && areTexts(value, ENVELOPE) && isInteger(value['v']) && isOther(value))
  );
}

const ENVELOPE = ['partitionKey', 'section', 'managerId', 'epoch'];
const OPTIONAL_TEXTS = ['incomplete', 'paused', 'fingerprint'];

function isOther(value: Fields): boolean {
  switch (value['type']) {
    case 'heartbeat':
      return (
        Number.isFinite(value['intervalMs']) &&
        ['seq', 'count', 'quarantined'].every((name) => isInteger(value[name])) &&
        areTexts(value, ['last', 'tip', 'digest', 'time']) &&
        isVersion(value['checkpoint']) &&
        (value['upTo'] === null || isVersion(value['upTo'])) &&
        isSectionState(value['state']) &&
        (value['sourceReadAt'] === null || typeof value['sourceReadAt'] === 'string') &&
        OPTIONAL_TEXTS.every((name) => isAbsent(value[name]) || typeof value[name] === 'string') &&
        (isAbsent(value['sweepHeld']) || isInteger(value['sweepHeld']))
      );
    case 'reset':
      return (
        isInteger(value['seq']) &&
        areTexts(value, ['id', 'prevId', 'reason']) &&
        (value['phase'] === 'begin' || value['phase'] === 'end') &&
        isSectionState(value['state']) &&
        (value['fingerprint'] === undefined || typeof value['fingerprint'] === 'string')
      );
    case 'removed':
      return typeof value['reason'] === 'string';
    default:
      return false;
  }
}

export function isSectionState(value: unknown): value is SectionState {
  return (SECTION_STATES as readonly unknown[]).includes(value);
}

/** Whether the value has the shape of a change message: what the schema `changesMessage` accepts. */
export function isChangesMessage(value: unknown): value is ChangesMessage {
  return isRows(value, 'changes', isChange) && (value['state'] === undefined || isSectionState(value['state']));
}

function isRows(value: unknown, type: string, isRow: (row: unknown) => boolean): value is Fields {
  return (
    isRecord(value) &&
    value['type'] === type &&
    isInteger(value['v']) &&
    isInteger(value['seq']) &&
    areTexts(value, [...ENVELOPE, 'id', 'prevId', 'changeTime']) &&
    isVersion(value['checkpoint']) &&
    (value['upTo'] === null || isVersion(value['upTo'])) &&
    Array.isArray(value['changes']) &&
    value['changes'].every(isRow)
  );
}

function isChange(value: unknown): boolean {
  return isKeyChange(value) && isVersion(value['changeVersion']) && Array.isArray(value['patch']) && value['patch'].every(isOperation);
}

function isKeyChange(value: unknown): value is Fields {
  return (
    isRecord(value) &&
    typeof value['dataKey'] === 'string' &&
    (value['identity'] === undefined || typeof value['identity'] === 'string') &&
    (value['op'] === 'upsert' || value['op'] === 'remove' || value['op'] === 'unavailable') &&
    isVersion(value['versionId']) &&
    (value['prevVersionId'] === null || isVersion(value['prevVersionId']))
  );
}

/** The value is not walked: it came out of JSON.parse, so it is JSON. */
function isOperation(value: unknown): boolean {
  return (
    isRecord(value) &&
    typeof value['path'] === 'string' &&
    (value['op'] === 'remove' || ((value['op'] === 'add' || value['op'] === 'replace') && value['value'] !== undefined))
  );
}

function areTexts(value: Fields, names: readonly string[]): boolean {
  return names.every((name) => typeof value[name] === 'string');
}

function isAbsent(value: unknown): boolean {
  return value === undefined || value === null;
}

function isInteger(value: unknown): boolean {
  return Number.isSafeInteger(value);
}

function isVersion(value: unknown): boolean {
  return typeof value === 'string' && VERSION.test(value);
}

function isRecord(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
