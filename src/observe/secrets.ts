/** Keeps known secrets out of texts: log lines, error messages. */

/** Replaces every secret in a text by `***`, also where JSON or a URL spells it. */
export function hideSecrets(text: string, secrets: readonly string[]): string {
  const spellings = new Set(secrets.flatMap((secret) => [secret, JSON.stringify(secret).slice(1, -1), uriSpelling(secret)]));
  // The longest first: one that is a part of another would leave the rest of that in sight.
  const ordered = [...spellings].toSorted((a, b) => b.length - a.length);
  return ordered.reduce((shown, spelling) => shown.replaceAll(spelling, '***'), text);
}

function uriSpelling(secret: string): string {
  try {
    return encodeURIComponent(secret);
  } catch {
    // Half a surrogate pair has no such spelling.
    return secret;
  }
}
