/**
 * The answers of a login: refusals and the tokens that tell a client where it is. It decides nothing but what the protocol itself forbids.
 */
import type { BackendSession, ServerBackend } from '../session.ts';
import { SqlError } from '../session.ts';
import { UnsupportedError } from '../sql/unsupported.ts';
import type { SqlMessage } from '../sql-types.ts';
import type { ByteWriter } from './byte-writer.ts';
import type { Login7 } from './login.ts';
import { DONE, PACKET_SIZE, TOKEN } from './protocol.ts';
import type { ServerVersion } from './tokens.ts';
import type { Encryption } from './transport.ts';
import { TDS_VERSION, writeCollationChange, writeDone, writeLoginAck, writeMessage, writeTextChange } from './tokens.ts';

/** What a connection is when its login arrives. */
export interface LoginContext {
  readonly backend: ServerBackend;
  /** The client asked for encryption and got none, as this server was told to have none. */
  readonly encryptionMissing: boolean;
  readonly encryption: Encryption;
}

/** Names of the one language that the server speaks. Source: sys.syslanguages. */
const LANGUAGES: ReadonlySet<string> = new Set(['', 'us_english', 'english']);

/**
 * Opens a session for a login.
 * @throws SqlError what the backend throws; 18452 for Windows authentication; UnsupportedError for what this server does not have.
 */
export function openSession(login: Login7, { backend, encryptionMissing, encryption }: LoginContext): BackendSession {
  if (encryptionMissing) {
    throw refusal('encryption: it was told to have none; connect with Encrypt=false');
  }
  const { v73b, v74, v80 } = TDS_VERSION;
  if (login.tdsVersion !== v74 && login.tdsVersion !== v73b && !(encryption === 'strict' && login.tdsVersion === v80)) {
    throw refusal(`TDS version 0x${login.tdsVersion.toString(16).padStart(8, '0')}; connect with TDS 7.4`);
  }
  if (login.integrated) {
    throw new SqlError(18452, 'Login failed. The login is from an untrusted domain and cannot be used with Integrated authentication.', {
      class: 14,
      line: 1,
    });
  }
  if (!LANGUAGES.has(login.language.toLowerCase())) {
    throw refusal(`the language ${login.language}`);
  }
  const [unsupported] = login.unsupported;
  if (unsupported !== undefined) {
    throw refusal(unsupported);
  }
  return backend.login({ ...login.request, encrypted: encryption === 'all' || encryption === 'strict' });
}

function refusal(what: string): SqlError {
  return new UnsupportedError(what, 1);
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
