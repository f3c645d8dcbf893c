/**
 * The answers of a login: refusals and the tokens that tell a client where it is. It decides nothing but what the protocol itself forbids.
 */
import type { BackendSession, ServerBackend } from '../session.ts';
import { SqlError } from '../session.ts';
import type { SqlMessage } from '../sql-types.ts';
import type { ByteWriter } from './byte-writer.ts';
import type { Login7 } from './login.ts';
import type { PreloginRequest } from './prelogin.ts';
import { DONE, PACKET_SIZE, TOKEN } from './protocol.ts';
import type { ServerVersion } from './tokens.ts';
import { TDS_VERSION, writeCollationChange, writeDone, writeLoginAck, writeMessage, writeTextChange } from './tokens.ts';

/**
 * Opens a session for a login.
 * @throws SqlError what the backend throws; 18452 for Windows authentication; 17836 for what this server does not speak.
 */
export function openSession(backend: ServerBackend, login: Login7, prelogin: PreloginRequest | null): BackendSession {
  if (prelogin?.encryption === 'demanded') {
    throw refusal('Encryption is not supported by this server. Connect with Encrypt=false.');
  }
  if (login.tdsVersion !== TDS_VERSION.v74 && login.tdsVersion !== TDS_VERSION.v73b) {
    throw refusal(`TDS version 0x${login.tdsVersion.toString(16)} is not supported by this server. Connect with TDS 7.4.`);
  }
  if (login.integrated) {
    throw new SqlError(18452, 'Login failed. The login is from an untrusted domain and cannot be used with Integrated authentication.', {
      class: 14,
      line: 1,
    });
  }
  return backend.login(login.request);
}

function refusal(message: string): SqlError {
  return new SqlError(17836, message, { class: 20, line: 1 });
}

/** The tokens of a login that was refused. The connection is closed after them. */
export function writeRefusal(writer: ByteWriter, error: SqlError, serverName: string): void {
  for (const each of error.preceding === null ? [error] : [error.preceding, error]) {
    writeMessage(writer, messageOf(each), serverName);
  }
  writeDone(writer, TOKEN.done, DONE.error, 0, 0n);
}

/** An error as a message token carries it. */
export function messageOf(error: SqlError): SqlMessage {
  const { number, state, message, line } = error;
  return { number, state, class: error.class, message, procedure: '', line };
}

export interface Welcome {
  readonly session: BackendSession;
  readonly serverName: string;
  readonly login: Login7;
  readonly version: ServerVersion;
}

/** The tokens of a login that succeeded, in SQL Server's order: environment, acknowledgement, packet size, DONE. */
export function writeWelcome(writer: ByteWriter, { session, serverName, login, version }: Welcome): void {
  const info = (number: number, state: number, message: string): void =>
    writeMessage(writer, { number, state, class: 0, message, procedure: '', line: 1 }, serverName);
  writeTextChange(writer, 'database', session.database, 'master');
  info(5701, 2, `Changed database context to '${session.database}'.`);
  writeCollationChange(writer, session.collation);
  writeTextChange(writer, 'language', 'us_english', '');
  info(5703, 1, 'Changed language setting to us_english.');
  writeLoginAck(writer, login.tdsVersion, version);
  writeTextChange(writer, 'packetSize', String(login.packetSize), String(PACKET_SIZE.default));
  writeDone(writer, TOKEN.done, 0, 0, 0n);
}
