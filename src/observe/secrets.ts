/** Keeps known secrets out of texts: log lines, error messages. */

/** Replaces every secret in a text by `***`, also where JSON or a URL spells it. */
export function hideSecrets(text: string, secrets: readonly string[]): string {
  return secrets.reduce((shown, secret) => {
    const spellings = new Set([secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret)]);
    return [...spellings].reduce((inner, spelling) => inner.replaceAll(spelling, '***'), shown);
  }, text);
}
