/**
 * Which commands Upstash's REST API takes, and which only read.
 */
import { type Command, commandName } from "./backends/backend.ts";
import { noPermission, notAllowed, notAvailable } from "./errors.ts";

const words = (text: string) => new Set(text.trim().split(/\s+/));

/** Bound to a connection, or blocking: a request over HTTP has no connection to block or to bind to. */
const NOT_OVER_REST = words(`
  AUTH HELLO RESET QUIT SELECT CLIENT MONITOR MULTI EXEC DISCARD WATCH UNWATCH
  SUBSCRIBE UNSUBSCRIBE PSUBSCRIBE PUNSUBSCRIBE SSUBSCRIBE SUNSUBSCRIBE
  BLPOP BRPOP BRPOPLPUSH BLMOVE BLMPOP BZPOPMIN BZPOPMAX BZMPOP WAIT WAITAOF
`);

/** Redis has them, Upstash does not. */
const NOT_ON_UPSTASH = words(`
  CONFIG DEBUG SHUTDOWN SAVE BGSAVE BGREWRITEAOF LASTSAVE REPLICAOF SLAVEOF FAILOVER ROLE CLUSTER ASKING
  READONLY READWRITE MIGRATE MODULE SLOWLOG LATENCY SYNC PSYNC REPLCONF SWAPDB MOVE LOLWUT PFDEBUG PFSELFTEST
  RESTORE-ASKING
`);

const READS = words(`
  GET MGET GETRANGE SUBSTR STRLEN LCS GETBIT BITCOUNT BITPOS BITFIELD_RO
  HGET HMGET HGETALL HKEYS HVALS HLEN HEXISTS HSTRLEN HRANDFIELD HSCAN HTTL HPTTL HEXPIRETIME HPEXPIRETIME
  LRANGE LLEN LINDEX LPOS SMEMBERS SISMEMBER SMISMEMBER SCARD SRANDMEMBER SINTER SUNION SDIFF SINTERCARD SSCAN
  ZRANGE ZREVRANGE ZRANGEBYSCORE ZREVRANGEBYSCORE ZRANGEBYLEX ZREVRANGEBYLEX ZCARD ZCOUNT ZLEXCOUNT ZSCORE ZMSCORE
  ZRANK ZREVRANK ZRANDMEMBER ZINTER ZUNION ZDIFF ZINTERCARD ZSCAN
  XRANGE XREVRANGE XLEN XREAD XPENDING XINFO PFCOUNT
  GEODIST GEOPOS GEOHASH GEOSEARCH GEORADIUS_RO GEORADIUSBYMEMBER_RO
  EXISTS TYPE TTL PTTL EXPIRETIME PEXPIRETIME KEYS SCAN RANDOMKEY DUMP DBSIZE TOUCH SORT_RO
  PING ECHO TIME INFO COMMAND MEMORY EVAL_RO EVALSHA_RO FCALL_RO
  JSON.GET JSON.MGET JSON.TYPE JSON.ARRLEN JSON.ARRINDEX JSON.OBJLEN JSON.OBJKEYS JSON.STRLEN JSON.RESP
`);

/** They read, but may take long or tell about the whole database: not with the token that may only read. */
const NOT_FOR_READERS = words("SCAN KEYS RANDOMKEY INFO");

export function isRead(command: Command): boolean {
  return READS.has(commandName(command));
}

/** Why the REST layer does not pass a command on, or null if it does. */
export function refusal(command: Command, readOnly: boolean): string | null {
  const name = commandName(command);
  const subcommand = (command[1] ?? "").toString("latin1").toUpperCase();
  if (name === "CLIENT" && subcommand === "SETINFO") return null;
  if (NOT_OVER_REST.has(name)) return notAllowed(name);
  if (NOT_ON_UPSTASH.has(name)) return notAvailable(name);
  if ((name === "XREAD" || name === "XREADGROUP") && blocks(command)) return notAllowed(name);
  if (readOnly && (!READS.has(name) || NOT_FOR_READERS.has(name))) return noPermission(name);
  return null;
}

function blocks(command: Command): boolean {
  for (const argument of command.slice(1)) {
    const word = argument.toString("latin1").toUpperCase();
    if (word === "STREAMS") return false;
    if (word === "BLOCK") return true;
  }
  return false;
}
