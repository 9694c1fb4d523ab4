/**
 * Scripts in a wrapper that gives them Upstash's rules and Redis 7's errors, whichever engine runs them.
 *
 * The wrapper is written before the script on its first line, so line numbers stay right. It puts its own `redis.call`
 * and `redis.pcall` in front of the engine's: they count the calls, for the bill, and refuse keys that are not in KEYS
 * when the script asked for key locking. The wrapped script answers `{calls, result}`, or `{calls, 0, error, line}` when
 * it raised an error.
 */
import { createHash } from "node:crypto";
import type { Script } from "../scripts.ts";
import { isReplyError, type Reply, type ScriptCalls } from "./backend.ts";

/**
 * Where commands keep their keys, by the letter after the colon; a command that is not listed has one key, first.
 * 0 none, a all, e every second, 2 the first two, s the second, o all from the second,
 * n a count and then keys, d one key, a count and then keys, x after the word STREAMS.
 */
const KEY_POSITIONS = ` ${[
  "time:0 ping:0 echo:0 dbsize:0 keys:0 scan:0 randomkey:0 flushdb:0 flushall:0 publish:0 spublish:0 info:0 script:0",
  "function:0 select:0 command:0 config:0 lolwut:0 wait:0 acl:0 pubsub:0 swapdb:0",
  "del:a unlink:a exists:a touch:a mget:a sinter:a sunion:a sdiff:a sinterstore:a sunionstore:a sdiffstore:a pfcount:a",
  "pfmerge:a mset:e msetnx:e rename:2 renamenx:2 copy:2 smove:2 rpoplpush:2 lmove:2 zrangestore:2 geosearchstore:2",
  "lcs:2 object:s memory:s xinfo:s xgroup:s bitop:o zunion:n zinter:n zdiff:n zintercard:n sintercard:n lmpop:n zmpop:n",
  "zunionstore:d zinterstore:d zdiffstore:d xread:x xreadgroup:x",
].join(" ")} `;

/** Written as a program for readers; line breaks and indentation go before it is put in front of a script. */
const WRAPPER = `
local redis, pcall, __run = (function(R, pcall, positions, locked)
  local calls, inside, allowed = 0, false, {}
  if locked then for _, key in ipairs(KEYS) do allowed[key] = true end end
  local function keysOf(args, count)
    local at, letter = string.find(positions, ' ' .. string.lower(tostring(args[1])) .. ':', 1, true), '1'
    if at then letter = string.match(positions, ':(.)', at) end
    local first, last, step = 2, 2, 1
    if letter == '0' then last = 1 end
    if letter == 'a' then last = count end
    if letter == 'e' then last = count step = 2 end
    if letter == '2' then last = 3 end
    if letter == 's' then first = 3 last = 3 end
    if letter == 'o' then first = 3 last = count end
    if letter == 'n' then first = 3 last = 2 + (tonumber(args[2]) or 0) end
    if letter == 'd' then first = 4 last = 3 + (tonumber(args[3]) or 0) end
    if letter == 'x' then
      last = 1
      for i = 2, count do
        if string.lower(tostring(args[i])) == 'streams' then first = i + 1 last = i + (count - i) / 2 break end
      end
    end
    return first, last, step, letter == 'd'
  end
  local function stranger(count, ...)
    if not locked or count == 0 then return nil end
    local args = {...}
    local first, last, step, destination = keysOf(args, count)
    if destination and args[2] and not allowed[tostring(args[2])] then return tostring(args[2]) end
    for i = first, math.min(last, count), step do
      if not allowed[tostring(args[i])] then return tostring(args[i]) end
    end
    return nil
  end
  local function refusal(key)
    return { err = "ERR Dynamic keys are not allowed in Lua scripts when 'allow-key-locking' flag is set. Key was: " .. key }
  end
  local function call(...)
    calls = calls + 1
    inside = true
    local key = stranger(select('#', ...), ...)
    if key then error(refusal(key)) end
    local reply = R.pcall(...)
    if type(reply) == 'table' and reply.err then error(reply) end
    inside = false
    return reply
  end
  local function pcallRedis(...)
    calls = calls + 1
    local key = stranger(select('#', ...), ...)
    if key then return refusal(key) end
    return R.pcall(...)
  end
  local function lineOf(level)
    local _, place = pcall(error, '', level)
    return string.match(tostring(place), ':(%d+):')
  end
  local function raised(e)
    local line
    if inside then line = lineOf(6) else line = lineOf(4) or lineOf(5) end
    if type(e) == 'table' then e = e.err or 'ERR unknown error' else e = 'ERR ' .. tostring(e) end
    return { calls, 0, e, line or '' }
  end
  local function withText(ok, e, ...)
    if not ok and type(e) == 'table' and type(e.err) == 'string' then e = e.err end
    return ok, e, ...
  end
  local function pcallText(...) return withText(pcall(...)) end
  return setmetatable({ call = call, pcall = pcallRedis }, { __index = R }), pcallText, function(main)
    local ok, result = xpcall(main, raised)
    if ok then return { calls, result } end
    result[1] = calls
    return result
  end
end)(redis, pcall, POSITIONS, LOCKED) return __run(function() `;

const PREFIX = WRAPPER.replace(/\s*\n\s*/g, " ").trimStart();

export type WrappedScript = { script: Script; sha: string; text: Buffer };

/** `judgeKeys` is false where the engine itself can tell the keys of a command. */
export function wrapScript(script: Script, judgeKeys = true): WrappedScript {
  const prefix = PREFIX.replace("POSITIONS", JSON.stringify(KEY_POSITIONS)).replace("LOCKED", String(judgeKeys && script.locksKeys));
  const flags = script.readOnly ? "#!lua flags=no-writes" : "";
  const body = flags ? script.text.replace("\n", `\n${prefix}`) : prefix + script.text;
  const text = Buffer.from(`${flags}${body}\nend)`, "latin1");
  return { script, sha: createHash("sha1").update(text).digest("hex"), text };
}

/** The wrapped script's answer, as the script itself would have answered. */
export function unwrapReply(wrapped: WrappedScript, reply: Reply, onScriptCalls?: ScriptCalls): Reply {
  if (!Array.isArray(reply)) return isReplyError(reply) ? withOriginalSha(reply.error, wrapped) : reply;
  const [calls, result = null, error, line] = reply;
  if (typeof calls === "number" && calls > 0) onScriptCalls?.(calls);
  if (reply.length < 4 || !Buffer.isBuffer(error)) return result;
  const { sha, text } = wrapped.script;
  const place = Buffer.isBuffer(line) && line.length > 0 ? line.toString() : lineOfTailCall(text);
  return { error: `${error.toString()} script: ${sha}, on @user_script:${place}.` };
}

function withOriginalSha(error: string, { sha, script }: WrappedScript): Reply {
  return { error: error.replaceAll(sha, script.sha) };
}

/** `return redis.call(…)` leaves no trace of its line in Lua; there is mostly just one in a script. */
function lineOfTailCall(text: string): number {
  const lines = text.split("\n");
  return lines.findIndex((line) => /return\s+redis\.call\b/.test(line)) + 1 || 1;
}
