/** A connection for one question: to a Sentinel, or to a node that tells the slots of its cluster. */
import type { Redis } from 'ioredis';
import { hearLateErrors } from '../lib/late-errors.ts';
import { mapSubscriberError, replyCode } from './redis-errors.ts';

/** Connects, asks, closes. @throws PatchwireError with what was wrong: of a connection that is not made ioredis tells the cause only by its event */
export async function askOnce<T>(client: Redis, what: string, question: () => Promise<T>): Promise<T> {
  let lost: unknown = null;
  hearLateErrors(client);
  client.on('error', (error: unknown) => {
    lost = error;
  });
  try {
    await client.connect();
    return await question();
  } catch (error) {
    throw mapSubscriberError(replyCode(error) === null ? (lost ?? error) : error, what);
  } finally {
    client.disconnect();
  }
}
