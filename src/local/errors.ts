/**
 * Upstash's words for what its REST layer itself refuses. Clients match on these texts.
 */
export const WRONG_TOKEN = "WRONGPASS invalid or missing auth token";
export const NOT_A_COMMAND = "ERR failed to parse command";
export const EMPTY_COMMAND = "ERR empty command";
export const NOT_A_PIPELINE = "ERR failed to parse pipeline request";
export const EMPTY_PIPELINE = "ERR empty pipeline request";
export const EMPTY_PIPELINE_COMMAND = "ERR empty pipeline command";
export const TOO_LARGE = "ERR max request size exceeded";
export const WRONG_METHOD = "ERR method not allowed";
export const QUOTA =
  "ERR max daily request limit exceeded. Limit: 10000, Usage: 10000. See https://upstash.com/docs/redis/troubleshooting/max_daily_request_limit for details";
export const NULL_ARGUMENT = "ERR unsupported arg type: %!q(<nil>): <nil>";

export const UNKNOWN_FORMAT = 'ERR Upstash-Response-Format must be "json" or "resp2"';
export const ENCODED_RESP2 = "ERR Upstash-Encoding cannot be used when Upstash-Response-Format is resp2";

export function unsupportedArgument(value: unknown): string {
  return value === null ? NULL_ARGUMENT : `ERR unsupported arg type: ${JSON.stringify(value)}`;
}

export function notAvailable(name: string): string {
  return `ERR Command is not available: '${name}'. See https://upstash.com/docs/redis/overall/rediscompatibility for details`;
}

export function notAllowed(name: string): string {
  return `ERR Command "${name}" is not allowed in REST or it has a special context path`;
}

export function noPermission(name: string): string {
  return `NOPERM this user has no permissions to run the '${name.toLowerCase()}' command`;
}
