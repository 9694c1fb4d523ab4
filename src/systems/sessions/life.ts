/**
 * Whether a session lives, judged from what a read found: the rules of parts/session.lua, for reads that a replica
 * answers. test/session-life.test.ts runs one table of cases through both. What does not pass here is asked again at
 * the primary, whose verdict and clock count.
 */
import { timingSafeEqual } from "node:crypto";
import type { Texts } from "../../redis/codec.ts";

/** What the reads of a session's check find: its hash, and when it was opened, in milliseconds, as its index knows it. */
export type Found = { texts: Texts; opened: string | null };
export type Life = { isAlive: boolean; needsTouch: boolean };

/** No session lives longer than this after its sign-in, whatever touches it. */
export const maxSeconds = 30 * 86_400;

/** Does this session's token open it still? @param now the Worker's clock, in milliseconds */
export function judgeLife(found: Found, userId: string, secretHash: string, now: number): Life {
  const { secret_hash = "", last_activity, ttl_seconds = "86400" } = fieldsOf(found);
  const isAlive = isSame(secret_hash, secretHash) && isInTime(found, userId, now) && /^[1-9]\d{0,6}$/.test(ttl_seconds);
  const touched = secondsOf(last_activity);
  const needsTouch = touched === undefined || Math.abs(Math.floor(now / 1000) - touched) > Math.min(60, Number(ttl_seconds) / 2);
  return { isAlive, needsTouch: isAlive && needsTouch };
}

/** Is this a session of this user, whose absolute limit has not passed? */
export function isInTime(found: Found, userId: string, now: number): boolean {
  const { secret_hash, user_id, login_time } = fieldsOf(found);
  const login = secondsOf(login_time);
  const start = Math.min(scoreOf(found.opened), login === undefined ? Number.POSITIVE_INFINITY : login * 1000);
  return secret_hash !== undefined && user_id === userId && start + maxSeconds * 1000 > now;
}

/** A score as Redis writes it: `inf` too. */
const scoreOf = (score: string | null): number => (score === "inf" ? Number.POSITIVE_INFINITY : Number(score ?? "none"));

const fieldsOf = ({ texts }: Found) => Object.fromEntries(texts) as Record<string, string | undefined>;

function isSame(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}

/**
 * Seconds since 1970 of an ISO 8601 time, taken as UTC whatever follows the seconds; undefined for every other text. The
 * same arithmetic as in parts/session.lua, so that an impossible date is the same moment to both.
 */
function secondsOf(text: string | undefined): number | undefined {
  const parts = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)/
    .exec(text ?? "")
    ?.slice(1)
    .map(Number);
  if (!parts) return undefined;
  const [calendarYear, calendarMonth, day, hour, minute, second] = parts as [number, number, number, number, number, number];
  const year = calendarYear - (calendarMonth < 3 ? 1 : 0);
  const month = (calendarMonth + 9) % 12; // from March on
  const days =
    365 * year + Math.floor(year / 4) - Math.floor(year / 100) + Math.floor(year / 400) + Math.floor((153 * month + 2) / 5) + day - 719_469;
  return days * 86_400 + hour * 3600 + minute * 60 + second;
}
