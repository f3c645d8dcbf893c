/** How a source is reached: a type of its own, so that the public declarations need none of the driver's. */

/** Where a source is; the names follow the configuration. */
export interface SqlServerConnection {
  readonly server: string;
  readonly port?: number;
  readonly instanceName?: string;
  readonly database?: string;
  readonly user?: string;
  readonly password?: string;
  /** Windows domain for NTLM. */
  readonly domain?: string;
  /** Default true. 'strict' is TDS 8: TLS before the first byte. */
  readonly encrypt?: boolean | 'strict';
  readonly trustServerCertificate?: boolean;
  readonly hostNameInCertificate?: string;
  /** For listeners of availability groups. */
  readonly multiSubnetFailover?: boolean;
  /** Default 15,000. */
  readonly connectTimeoutMs?: number;
}
