/**
 * src/wire as other languages read it: the JSON Schema is the zod schemas', and every golden file means the same to the schemas, to the JSON
 * Schema, to the codec and to the Python subscriber. After a change of messages.ts: WRITE_SCHEMA=1 and this file, then oxfmt.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { Document, Patch } from '../../../src/model/document.ts';
import { encodeDataKey } from '../../../src/model/data-key.ts';
import { compareVersionTexts } from '../../../src/model/version.ts';
import { parseMessage } from '../../../src/wire/codec.ts';
import { Digest } from '../../../src/wire/digest.ts';
import { applyPatch } from '../../../src/wire/json-patch.ts';
import { decodeIndexEntry, encodeIndexEntry, partitionKeys, sectionKeys } from '../../../src/wire/keys.ts';
import { message, MESSAGE_VERSION, STORE_FORMAT, WHOLE_FORMAT } from '../../../src/wire/messages.ts';
import { namesUnder, wireReadme } from '../../support/wire-readme.ts';

const wire = fileURLToPath(new URL('../../../src/wire/', import.meta.url));
const SCHEMA = `${wire}messages.schema.json`;

/** Open to fields that are not known: changes are additive. */
function generated(): Readonly<Record<string, unknown>> {
  const { $schema, ...schema } = z.toJSONSchema(message, { io: 'input' });
  const title = `Messages of patchwire, version ${MESSAGE_VERSION}`;
  return JSON.parse(JSON.stringify({ $schema, title, description: 'Generated from src/wire/messages.ts.', ...schema })) as Record<
    string,
    unknown
  >;
}

function files(folder: 'accepted' | 'refused' | 'keys'): readonly (readonly [string, string])[] {
  return readdirSync(`${wire}golden/${folder}`).map((name) => [name, readFileSync(`${wire}golden/${folder}/${name}`, 'utf8')]);
}

interface Vectors {
  readonly digests: readonly {
    readonly entries: readonly { readonly identity: string; readonly version: string }[];
    readonly digest: string;
  }[];
  readonly indexEntries: readonly {
    readonly identity: string;
    readonly value: string;
    readonly version: string;
    readonly dataKey: string;
  }[];
  readonly dataKeys: readonly { readonly values: readonly string[]; readonly dataKey: string }[];
  readonly versions: readonly (readonly [string, string])[];
  readonly patches: readonly { readonly before: Document | null; readonly patch: Patch; readonly after: Document | null }[];
  readonly misfits: readonly { readonly before: Document | null; readonly patch: Patch }[];
}

const vectors = JSON.parse(readFileSync(`${wire}golden/vectors.json`, 'utf8')) as Vectors;

describe('the JSON Schema of messages', () => {
  it('is what the zod schemas say', () => {
    if (process.env['WRITE_SCHEMA'] !== undefined) {
      writeFileSync(SCHEMA, `${JSON.stringify(generated(), null, 2)}\n`);
    }
    expect(JSON.parse(readFileSync(SCHEMA, 'utf8'))).toEqual(generated());
  });

  const validate = new Ajv2020({ strict: false }).compile(generated());

  it.each([...files('accepted'), ...files('keys')])('accepts %s, as the codec does', (_name, text) => {
    const value: unknown = JSON.parse(text);
    expect({ valid: validate(value), errors: validate.errors }).toEqual({ valid: true, errors: null });
    expect(message.safeParse(value).success).toBe(true);
    expect(parseMessage(text)).toMatchObject({ v: 1, partitionKey: 'shop', section: 'orders' });
  });

  it.each(files('refused'))('refuses %s, as the codec does', (name, text) => {
    // A newer version has the same form as far as anybody knows: it is refused for its number.
    expect(validate(JSON.parse(text))).toBe(name === 'newer-version.json');
    expect(() => parseMessage(text)).toThrow(
      expect.objectContaining({ code: name === 'newer-version.json' ? 'PW-W402' : 'PW-W401' }) as Error,
    );
  });
});

interface ObjectSchema {
  readonly properties: Readonly<Record<string, { readonly const?: string; readonly items?: ObjectSchema }>>;
  readonly required: readonly string[];
}

describe('the specification', () => {
  const kinds = (generated() as { readonly oneOf: readonly ObjectSchema[] }).oneOf;
  const [common = []] = namesUnder('## Messages');
  const envelope = common.flat().filter((name) => kinds.every(({ properties }) => name in properties));

  it.each(kinds.map((kind) => [kind.properties['type']?.const ?? '', kind] as const))('lists every field of %s', (name, { properties }) => {
    const [fields = [], ofChange] = namesUnder(`### ${name}`);
    expect([...envelope, ...fields.flat()].toSorted()).toEqual(Object.keys(properties).toSorted());
    expect(ofChange?.map(([field]) => field)).toEqual(
      properties['changes'] === undefined ? undefined : Object.keys(properties['changes'].items?.properties ?? {}),
    );
  });

  it('calls exactly those optional that are', () => {
    const optional = kinds.flatMap(({ properties, required }) => Object.keys(properties).filter((name) => !required.includes(name)));
    const said = wireReadme.split('\n').filter((line) => /^\| `\w+` +\|[^|]*optional/u.test(line));
    expect(said.map((line) => line.split('`')[1] ?? '').toSorted()).toEqual([...optional, 'identity', 'identity'].toSorted());
  });

  it('lists every key', () => {
    const { document, channel, keysChannel, ...keys } = sectionKeys('p', 's');
    const [listed = []] = namesUnder('## Keys');
    const expected = [`${document}<dataKey>`, ...Object.values(keys), ...Object.values(partitionKeys('p'))];
    expect(listed.flat().toSorted()).toEqual(expected.toSorted());
    expect(wireReadme).toContain(channel);
    expect(wireReadme).toContain(keysChannel);
  });

  it('gives a digest that is one', () => {
    const [, identity = '', version = '', digest = ''] = /sha256\(b"(.*?)" \+ b"\\0" \+ b"(.*?)"\).*# (\w+)/u.exec(wireReadme) ?? [];
    const sum = new Digest();
    sum.toggle(identity, version);
    expect(digest).toBe(sum.toString());
  });

  it('knows the version of messages and the formats of the store', () => {
    expect({ MESSAGE_VERSION, WHOLE_FORMAT, STORE_FORMAT }).toEqual({ MESSAGE_VERSION: 1, WHOLE_FORMAT: 1, STORE_FORMAT: 2 });
  });
});

describe('the vectors of the specification', () => {
  it.each(vectors.digests)('digest $digest', ({ entries, digest }) => {
    const sum = new Digest();
    entries.forEach(({ identity, version }) => sum.toggle(identity, version));
    expect(sum.toString()).toBe(digest);
  });

  it.each(vectors.indexEntries)('index entry $value', ({ identity, value, version, dataKey }) => {
    expect(decodeIndexEntry(identity, value)).toEqual({ version, dataKey });
    expect(encodeIndexEntry({ identity, version, dataKey })).toBe(value);
  });

  it.each(vectors.dataKeys)('data key $dataKey', ({ values, dataKey }) => {
    expect(encodeDataKey(values)).toBe(dataKey);
  });

  it.each(vectors.versions)('version %s is below %s', (lower, greater) => {
    expect(compareVersionTexts(lower, greater)).toBeLessThan(0);
    expect(compareVersionTexts(greater, lower)).toBeGreaterThan(0);
  });

  it.each(vectors.patches)('patch $patch', ({ before, patch, after }) => {
    expect(applyPatch(before, patch)).toEqual(after);
  });

  it.each(vectors.misfits)('misfit $patch', ({ before, patch }) => {
    expect(() => applyPatch(before, patch)).toThrow(/./u);
  });
});

const PYTHON = `
import json, pathlib, sys
sys.path.insert(0, sys.argv[1] + 'python')
import patchwire_subscriber as p
golden = pathlib.Path(sys.argv[1] + 'golden')
for file in sorted((golden / 'accepted').iterdir()):
    p.parse_message(file.read_text())
for file in sorted((golden / 'refused').iterdir()):
    try:
        p.parse_message(file.read_text())
        sys.exit('accepted ' + file.name)
    except p.TooNew:
        assert file.name == 'newer-version.json', file.name
    except p.Invalid:
        pass
vectors = json.loads((golden / 'vectors.json').read_text())
for vector in vectors['digests']:
    copy = p.Copy()
    for entry in vector['entries']:
        copy.put(entry['identity'], p.Row('', entry['version'], {}))
    assert copy.digest == vector['digest'], vector
for vector in vectors['indexEntries']:
    assert p.spelled(vector['identity'], vector['value']) == vector['dataKey'], vector
for lower, greater in vectors['versions']:
    assert p.later(lower, greater) == p.later(greater, lower) == greater, lower
for vector in vectors['patches']:
    before = json.dumps(vector['before'])
    assert p.patched(vector['before'], vector['patch']) == vector['after'], vector
    assert json.dumps(vector['before']) == before
for vector in vectors['misfits']:
    try:
        p.patched(vector['before'], vector['patch'])
        sys.exit('applied ' + json.dumps(vector))
    except (LookupError, TypeError, ValueError):
        pass
class Respelled(p.Subscriber):
    # Between the names and the documents of a page the key was respelled.
    def read(self, entries, documents):
        return {'seq': 1}, (['5 ANN'], ['{"n":1}' if documents[1].endswith(':ANN') else None])
pages = list(Respelled('redis://nowhere', 'p', 's').page({'ann': 'Ann'}))
assert pages[0][1] == {} and pages[1][1] == {'ann': p.Row('ANN', '5', {'n': 1})}, pages
print('all')
`;

const withPython = spawnSync('/usr/bin/python3', ['-c', 'import redis'], { stdio: 'ignore' }).status === 0;

it.skipIf(!withPython && process.env['CI'] === undefined)(
  'golden files and vectors mean the same to the Python subscriber (npm run setup -- --tests)',
  () => {
    const { stdout, stderr } = spawnSync('/usr/bin/python3', ['-B', '-c', PYTHON, wire], { encoding: 'utf8' });
    expect(stderr + stdout).toBe('all\n');
  },
);
