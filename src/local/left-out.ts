/**
 * Commands that are left out, each refused with a sentence that says where it is to be had.
 *
 * The table in docs/local-upstash.md lists them by family.
 */

/** A Redis has them, if it is new enough or has the module. */
const ON_A_REDIS: [RegExp, string][] = [
  [/^JSON\./, "redis:8"],
  [/^(DUMP|RESTORE|OBJECT)$/, "redis:8"],
  [/^(MSETEX|DIGEST|DELEX)$/, "redis:8.4"],
  [/^(FT|BF|CF|CMS|TOPK|TDIGEST|TS)\./, "redis:8"],
  [/^V(ADD|CARD|DIM|EMB|GETATTR|INFO|ISMEMBER|LINKS|RANDMEMBER|RANGE|REM|SETATTR|SIM)$/, "redis:8"],
];

/** Upstash has them and no Redis does. */
const ONLY_UPSTASH = /^(SEARCH|VECTOR)\./;

/** The refusal of a command that `who` does not offer, or null when it is none of these. */
export function leftOut(name: string, who: string): string | null {
  if (ONLY_UPSTASH.test(name)) return `ERR ${name} is not offered by ${who}; only Upstash has it`;
  const image = ON_A_REDIS.find(([pattern]) => pattern.test(name))?.[1];
  return image === undefined ? null : `ERR ${name} is not offered by ${who}; use --redis with ${image}`;
}
