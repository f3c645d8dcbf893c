/**
 * The form of the tables that say what an error of a driver means: one row for what is treated alike, by number or code, never by message text.
 * Each driver has one such table, in its errors file; what Node itself says of sockets, names, files and certificates stands here, since every
 * driver passes it on.
 */
import type { ErrorCode } from './error-catalogue.ts';
import type { ErrorOptions } from './failure.ts';

/** What an error is here: its code, and where the cause says more than the catalogue, class, hint and least wait. */
export type Classified = Pick<ErrorOptions, 'retry' | 'hint' | 'waitMs'> & { readonly code: ErrorCode };

/** Rows of keys that are treated alike. */
export type Row<K> = readonly [code: ErrorCode, keys: readonly K[], more?: Omit<Classified, 'code'>];

/** @throws Error when a key stands twice: one of the two would be ignored */
export function classification<K extends string | number>(rows: readonly Row<K>[]): ReadonlyMap<K, Classified> {
  const table = new Map<K, Classified>();
  for (const [code, keys, more] of rows) {
    for (const key of keys) {
      if (table.has(key)) {
        throw new Error(`${key} is classified twice`);
      }
      table.set(key, { code, ...more });
    }
  }
  return table;
}

/** Where nothing was reached, by what Node calls it. Sources: nodejs.org, errors (common system errors) and dns (error codes). */
export function unreachable(code: ErrorCode): readonly Row<string>[] {
  return [
    [code, ['ECONNREFUSED'], { hint: 'Nothing listens there: check host and port, and that the server runs.' }],
    [code, ['ECONNRESET', 'ECONNABORTED', 'EPIPE', 'ENOTCONN', 'ERR_STREAM_DESTROYED', 'ERR_SOCKET_CLOSED']],
    [code, ['ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'EHOSTDOWN', 'ENETDOWN'], { hint: 'Nobody answered: check network and firewall.' }],
    [code, ['ENOTFOUND', 'ENODATA'], { hint: 'The host name is not known: check it, and the DNS server.' }],
    [code, ['EAI_AGAIN', 'EAI_FAIL', 'ESERVFAIL', 'EREFUSED'], { hint: 'The DNS server did not answer: check the resolver of this host.' }],
    [
      code,
      ['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM', 'EADDRNOTAVAIL'],
      { hint: 'This host is out of file descriptors, ports or memory: raise LimitNOFILE, and look who holds them.' },
    ],
    [code, ['EACCES', 'EPERM', 'ENOENT'], { hint: 'This process may not open the socket: check its rights and the path.' }],
  ];
}

/**
 * Where encryption was not agreed upon or the certificate is not trusted. Source: nodejs.org, tls (X509 certificate error codes) and errors
 * (ERR_TLS_, ERR_SSL_; EPROTO is what OpenSSL's protocol errors are called).
 */
export function untrusted(code: ErrorCode, hint?: string): readonly Row<string>[] {
  const more = hint === undefined ? {} : { hint };
  return [
    [code, CERTIFICATE_ERRORS, more],
    [
      code,
      ['ERR_TLS_CERT_ALTNAME_INVALID', 'HOSTNAME_MISMATCH'],
      { hint: 'The certificate is of another host name: connect by the name that it has.' },
    ],
    [code, TLS_ERRORS, more],
  ];
}

const CERTIFICATE_ERRORS: readonly string[] = [
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_CRL',
  'UNABLE_TO_DECRYPT_CERT_SIGNATURE',
  'UNABLE_TO_DECRYPT_CRL_SIGNATURE',
  'UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY',
  'CERT_SIGNATURE_FAILURE',
  'CRL_SIGNATURE_FAILURE',
  'CERT_NOT_YET_VALID',
  'CERT_HAS_EXPIRED',
  'CRL_NOT_YET_VALID',
  'CRL_HAS_EXPIRED',
  'ERROR_IN_CERT_NOT_BEFORE_FIELD',
  'ERROR_IN_CERT_NOT_AFTER_FIELD',
  'ERROR_IN_CRL_LAST_UPDATE_FIELD',
  'ERROR_IN_CRL_NEXT_UPDATE_FIELD',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'CERT_CHAIN_TOO_LONG',
  'CERT_REVOKED',
  'INVALID_CA',
  'PATH_LENGTH_EXCEEDED',
  'INVALID_PURPOSE',
  'CERT_UNTRUSTED',
  'CERT_REJECTED',
];

const TLS_ERRORS: readonly string[] = [
  'EPROTO',
  'ERR_TLS_HANDSHAKE_TIMEOUT',
  'ERR_TLS_PROTOCOL_VERSION_CONFLICT',
  'ERR_TLS_INVALID_PROTOCOL_VERSION',
  'ERR_SSL_WRONG_VERSION_NUMBER',
  'ERR_SSL_UNSUPPORTED_PROTOCOL',
  'ERR_SSL_NO_PROTOCOLS_AVAILABLE',
  'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION',
  'ERR_SSL_TLSV1_ALERT_UNKNOWN_CA',
  'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED',
  'ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE',
  'ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE',
  'ERR_SSL_PACKET_LENGTH_TOO_LONG',
  'ERR_SSL_EE_KEY_TOO_SMALL',
  'ERR_SSL_DH_KEY_TOO_SMALL',
  'ERR_SSL_CA_MD_TOO_WEAK',
];

/** The first of several errors, the likeliest cause first, whose `code` a table has; null when none has. */
export function byCode(table: ReadonlyMap<string, Classified>, errors: Iterable<unknown>): Classified | null {
  for (const error of errors) {
    const { code } = (error ?? {}) as { readonly code?: unknown };
    const known = typeof code === 'string' ? table.get(code) : undefined;
    if (known !== undefined) {
      return known;
    }
  }
  return null;
}
