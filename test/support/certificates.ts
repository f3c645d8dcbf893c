/** A certificate of our own for servers on loopback, made by openssl: it is its own authority. Gone with the folder of the test run. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from './temporary-folder.ts';

/** Paths of PEM files, and what a client has to trust. */
export interface Certificates {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
  /** The text of `ca`. */
  readonly trust: string;
}

/** For `localhost` and 127.0.0.1. */
export function makeCertificates(): Certificates {
  const folder = temporaryFolder('tls');
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
  const how = ['-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-keyout', key, '-out', cert];
  execFileSync('openssl', ['req', ...how, ...subject], { stdio: 'ignore' });
  return { cert, key, ca: cert, trust: readFileSync(cert, 'utf8') };
}
