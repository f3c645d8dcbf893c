/** The reading scripts: each is one moment of a section. They write nothing and check no leader. */
import { DESCRIBE } from './prelude.ts';

/** KEYS 1 meta, 2 index, 3 quarantine. Returns the description that meta.ts parses. */
export const READ_META = `${DESCRIBE}
return describe(KEYS[1], KEYS[2], KEYS[3])
`;

/**
 * Index entries and documents of some identities. KEYS 1 index, then one document key for each identity: where the client supposes it.
 * ARGV the identities. Returns {entries, documents}; an entry may name another key than was supposed: the client asks again for that one.
 */
export const READ_BASES = `
local documents = {}
for i = 2, #KEYS do documents[i - 1] = KEYS[i] end
return {redis.call('HMGET', KEYS[1], unpack(ARGV)), redis.call('MGET', unpack(documents))}
`;
