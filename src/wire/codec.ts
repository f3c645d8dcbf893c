/**
 * Reads message texts. Change messages, which come by the thousand, are checked by hand against the same shape as the schema in messages.ts
 * (a property test holds the two together); the rare ones by the schema itself. Fields that are not known are ignored. Writes nothing.
 */
import { PatchwireError } from '../model/failure.ts';
import { type ChangesMessage, MESSAGE_VERSION, type Message, message, sectionState } from './messages.ts';

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
  if (isChangesMessage(value)) {
    return value;
  }
  const parsed = message.safeParse(value);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const at = issue === undefined || issue.path.length === 0 ? '' : ` at ${issue.path.join('.')}`;
    throw new PatchwireError('PW-W401', `a message of type ${JSON.stringify(value['type'])} has another form${at}`, {
      cause: parsed.error,
    });
  }
  return parsed.data;
}

/** Whether the value has the shape of a change message: what the schema `changesMessage` accepts. */
export function isChangesMessage(value: unknown): value is ChangesMessage {
  return (
    isRecord(value) &&
    value['type'] === 'changes' &&
    isInteger(value['v']) &&
    isInteger(value['seq']) &&
    ['partitionKey', 'section', 'managerId', 'epoch', 'id', 'prevId', 'changeTime'].every((name) => typeof value[name] === 'string') &&
    isVersion(value['checkpoint']) &&
    (value['upTo'] === null || isVersion(value['upTo'])) &&
    Array.isArray(value['changes']) &&
    value['changes'].every(isChange) &&
    (value['state'] === undefined || sectionState.safeParse(value['state']).success)
  );
}

function isChange(value: unknown): boolean {
  return (
    isRecord(value) &&
    typeof value['dataKey'] === 'string' &&
    (value['identity'] === undefined || typeof value['identity'] === 'string') &&
    (value['op'] === 'upsert' || value['op'] === 'remove' || value['op'] === 'unavailable') &&
    isVersion(value['versionId']) &&
    (value['prevVersionId'] === null || isVersion(value['prevVersionId'])) &&
    isVersion(value['changeVersion']) &&
    Array.isArray(value['patch']) &&
    value['patch'].every(isOperation)
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

function isInteger(value: unknown): boolean {
  return Number.isSafeInteger(value);
}

function isVersion(value: unknown): boolean {
  return typeof value === 'string' && VERSION.test(value);
}

function isRecord(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
