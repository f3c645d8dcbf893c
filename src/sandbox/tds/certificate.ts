/**
 * A self-signed certificate for this process, written by hand: the packages on npm that make one bring a dozen others along, for an
 * ASN.1 structure of a page. It is for `localhost` and the loopback addresses, and nobody trusts it who was not given it.
 */
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';

/** A server's private key and certificate, both PEM. */
export interface TlsIdentity {
  readonly key: string;
  readonly cert: string;
}

const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  objectId: 0x06,
  utf8: 0x0c,
  time: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

/** Object identifiers in DER. Source: RFC 5280, RFC 5758. */
const OID = {
  ecdsaWithSha256: '2a8648ce3d040302',
  commonName: '550403',
  subjectAlternativeName: '551d11',
  basicConstraints: '551d13',
  keyUsage: '551d0f',
  extendedKeyUsage: '551d25',
  serverAuthentication: '2b06010505070301',
} as const;

/** Implicit tags of a general name, RFC 5280 4.2.1.6. */
const NAME = { dns: 0x82, address: 0x87 } as const;
const DAY_MS = 86_400_000;

function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  const { length } = body;
  const head = length < 0x80 ? [tag, length] : length < 0x100 ? [tag, 0x81, length] : [tag, 0x82, length >>> 8, length & 0xff];
  return Buffer.concat([Buffer.from(head), body]);
}

const oid = (hex: string): Buffer => der(TAG.objectId, Buffer.from(hex, 'hex'));

function extension(id: string, critical: boolean, value: Buffer): Buffer {
  return der(TAG.sequence, oid(id), ...(critical ? [der(TAG.boolean, Buffer.of(0xff))] : []), der(TAG.octetString, value));
}

/** GeneralizedTime, which RFC 5280 asks for from 2050 on and every client reads before. */
function time(at: number): Buffer {
  const [day = '', clock = ''] = new Date(at).toISOString().split('T');
  return der(TAG.time, Buffer.from(`${day.replaceAll('-', '')}${clock.slice(0, 8).replaceAll(':', '')}Z`));
}

function extensions(): Buffer {
  const names = [
    der(NAME.dns, Buffer.from('localhost')),
    der(NAME.address, Buffer.of(127, 0, 0, 1)),
    der(NAME.address, Buffer.alloc(16).fill(1, 15)),
  ];
  return der(
    0xa3,
    der(
      TAG.sequence,
      // It may stand in a list of authorities: clients that are given it trust it as one.
      extension(OID.basicConstraints, true, der(TAG.sequence, der(TAG.boolean, Buffer.of(0xff)))),
      // digitalSignature and keyCertSign: bits 0 and 5, two bits unused.
      extension(OID.keyUsage, true, der(TAG.bitString, Buffer.of(2, 0x84))),
      extension(OID.extendedKeyUsage, false, der(TAG.sequence, oid(OID.serverAuthentication))),
      extension(OID.subjectAlternativeName, false, der(TAG.sequence, ...names)),
    ),
  );
}

/** Makes a key (P-256) and its certificate, valid from yesterday for ten years. Takes a few milliseconds. */
export function selfSignedIdentity(now: number = Date.now()): TlsIdentity {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const algorithm = der(TAG.sequence, oid(OID.ecdsaWithSha256));
  const name = der(TAG.sequence, der(TAG.set, der(TAG.sequence, oid(OID.commonName), der(TAG.utf8, Buffer.from('patchwire sandbox')))));
  // Positive, and never with a leading zero byte.
  const serial = Buffer.concat([Buffer.of(0x40), randomBytes(15)]);
  const content = der(
    TAG.sequence,
    der(0xa0, der(TAG.integer, Buffer.of(2))),
    der(TAG.integer, serial),
    algorithm,
    name,
    der(TAG.sequence, time(now - DAY_MS), time(now + 3650 * DAY_MS)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    extensions(),
  );
  const signature = sign('sha256', content, privateKey);
  const certificate = der(TAG.sequence, content, algorithm, der(TAG.bitString, Buffer.of(0), signature));
  return { key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string, cert: pem(certificate) };
}

function pem(bytes: Buffer): string {
  const lines = bytes.toString('base64').match(/.{1,64}/gu) ?? [];
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n');
}
