/**
 * Scripts in a wrapper that gives them Upstash's rules and Redis 7's errors, whichever engine runs them.
 *
 * The wrapper is written before the script on its first line, so line numbers stay right. It puts its own `redis.call`
 * and `redis.pcall` in front of the engine's. Over a Redis they count the calls, for the bill, and refuse keys that are not
 * in KEYS when the script asked for key locking. On the embedded engine they write numbers as Redis does (`%.17g`: all
 * digits), and what the script returns is looked through before the engine does, which ends by too deep a nesting. The
 * wrapped script answers `{calls, result}`, or `{calls, 0, error, line}` when it raised an error.
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

/** Written as programs for readers; line breaks and indentation go before they are put in front of a script. */
const OVER_REDIS = `
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
  ERRORS
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

/**
 * A script killed for running too long is not caught: it would go on for ever. In the place of the calls stands a 1 if the
 * script ran into the end of a stack, caught or not: the WebAssembly module is no longer sound then.
 */
const EMBEDDED = `
local redis, pcall, xpcall, __run = (function(R, pcall, xpcall, select, type, format, rawget, rawset, find, gsub)
  local calls, inside, run, worn = 0, false, R.pcall, 0
  local function few(n, v, ...)
    if n == 0 then return end
    if type(v) == 'number' then v = format('%.17g', v) end
    return v, few(n - 1, ...)
  end
  local function exact(n, ...)
    if n < 8 then return few(n, ...) end
    local words = {...}
    for i = 1, n do
      if type(words[i]) == 'number' then words[i] = format('%.17g', words[i]) end
    end
    return unpack(words, 1, n)
  end
  local function call(...)
    inside = true
    local reply = run(exact(select('#', ...), ...))
    if type(reply) == 'table' and reply.err then error(reply) end
    inside = false
    return reply
  end
  local function pcallRedis(...) return run(exact(select('#', ...), ...)) end
  ERRORS
  local function look(e)
    if type(e) ~= 'string' then return e end
    if find(e, 'overflow', 1, true) or find(e, 'nesting', 1, true) then worn = 1 end
    e = gsub(e, '__RLUA_E__:global%-read:(%S+)', "Script attempted to access nonexistent global variable '%1'")
    return (gsub(e, '__RLUA_E__:command%-arg%-type', 'Lua redis lib command arguments must be strings or integers'))
  end
  local function isKilled(e) return type(e) == 'string' and find(e, 'Script killed by fuel limit', 1, true) end
  local function withText(ok, e, ...)
    if not ok then e = look(e) end
    if not ok and isKilled(e) then error(e, 0) end
    if not ok and type(e) == 'table' and type(rawget(e, 'err')) == 'string' then e = rawget(e, 'err') end
    return ok, e, ...
  end
  local function pcallText(...) return withText(pcall(...)) end
  local function xpcallText(f, handle)
    local killed
    local function handled(e)
      e = look(e)
      if isKilled(e) then killed = e return e end
      return handle(e)
    end
    return (function(...) if killed then error(killed, 0) end return ... end)(xpcall(f, handled))
  end
  local seen = {}
  local function bare(value)
    local copy, i = {}, 1
    for _, name in ipairs({ 'err', 'ok', 'double', 'map', 'set', 'big_number', 'verbatim_string' }) do copy[name] = rawget(value, name) end
    while rawget(value, i) ~= nil do copy[i] = rawget(value, i) i = i + 1 end
    return copy
  end
  local function shortest(number)
    if number ~= number then return 'nan' end
    if number == math.huge then return 'inf' end
    if number == -math.huge then return '-inf' end
    for digits = 15, 16 do
      local text = format('%.' .. digits .. 'g', number)
      if tonumber(text) == number then return text end
    end
    return format('%.17g', number)
  end
  local function isLine(value, name)
    local line = rawget(value, name)
    if line == nil then return false end
    if type(line) ~= 'string' then rawset(value, name, nil) return false end
    if find(line, '[\\r\\n]') then rawset(value, name, (gsub(line, '[\\r\\n]', ' '))) end
    return true
  end
  local function typed(value)
    if isLine(value, 'err') or isLine(value, 'ok') then return value end
    local double, map, set = rawget(value, 'double'), rawget(value, 'map'), rawget(value, 'set')
    local big, verbatim = rawget(value, 'big_number'), rawget(value, 'verbatim_string')
    if type(double) == 'number' then return shortest(double) end
    if type(map) == 'table' then
      local flat = {}
      for k, v in pairs(map) do rawset(flat, #flat + 1, k) rawset(flat, #flat + 1, v) end
      return flat
    end
    if type(set) == 'table' then
      local flat = {}
      for k in pairs(set) do rawset(flat, #flat + 1, k) end
      return flat
    end
    if type(big) == 'string' then return (gsub(big, '[\\r\\n]', ' ')) end
    if type(verbatim) == 'table' and type(rawget(verbatim, 'string')) == 'string' then return rawget(verbatim, 'string') end
    return value
  end
  local function plain(value, depth)
    if depth > MAX_DEPTH then error('deep') end
    local known = seen[value]
    if known then
      if depth + known.height > MAX_DEPTH then error('deep') end
      return known.value, known.height, known.size
    end
    local shown, height, size, i = getmetatable(value) and bare(value) or value, 0, 1, 1
    shown = typed(shown)
    if type(shown) == 'string' then return shown, 0, 1 end
    while true do
      local item = rawget(shown, i)
      if item == nil then break end
      if type(item) == 'table' then
        local inner, innerHeight, innerSize = plain(item, depth + 1)
        if inner ~= item then rawset(shown, i, inner) end
        if innerHeight >= height then height = innerHeight + 1 end
        size = size + innerSize
      else size = size + 1 end
      if size > MAX_SIZE then error('deep') end
      i = i + 1
    end
    seen[value] = { value = shown, height = height, size = size }
    return shown, height, size
  end
  return setmetatable({ call = call, pcall = pcallRedis }, { __index = R }), pcallText, xpcallText, function(main)
    local ok, result = xpcall(main, raised)
    if ok and type(result) == 'table' then
      local shallow, copy = pcall(plain, result, 1)
      if shallow then result = copy else result = { err = isKilled(copy) and 'ERR ' .. copy or 'ERR reached lua stack limit' } end
    end
    if ok then return { worn, result } end
    if type(result) ~= 'table' then return { 1, 0, 'ERR ' .. tostring(result), '' } end
    result[3] = look(result[3])
    result[1] = worn
    return result
  end
end)(redis, pcall, xpcall, select, type, string.format, rawget, rawset, string.find, string.gsub) return __run(function() `;

const ERRORS = `
  local function lineOf(level)
    local _, place = pcall(error, '', level)
    return string.match(tostring(place), ':(%d+):')
  end
  local function raised(e)
    local line
    if inside then line = lineOf(6) else line = lineOf(4) or lineOf(5) end
    if type(e) == 'table' then e = rawget(e, 'err') else e = 'ERR ' .. tostring(e) end
    if type(e) == 'number' then e = tostring(e) elseif type(e) ~= 'string' then e = 'ERR unknown error' end
    return { calls, 0, e, line or '' }
  end`;

/** Redis' own limit depends on its C stack; no reply anyone reads is nested deeper. */
const MAX_DEPTH = 100;

/** A table may stand in another more than once; counted as often as it stands there. */
const MAX_SIZE = 20_000_000;

const onOneLine = (program: string) =>
  program
    .replace("ERRORS", ERRORS)
    .replaceAll("MAX_DEPTH", String(MAX_DEPTH))
    .replace("MAX_SIZE", String(MAX_SIZE))
    .replace(/\s*\n\s*/g, " ")
    .trimStart();

const REDIS_PREFIX = onOneLine(OVER_REDIS).replace("POSITIONS", JSON.stringify(KEY_POSITIONS));
const EMBEDDED_PREFIX = onOneLine(EMBEDDED);

export type WrappedScript = { script: Script; sha: string; text: Buffer };

/** For a Redis at an address, or for the embedded engine, which counts calls and judges keys itself. */
export function wrapScript(script: Script, engine: "redis" | "embedded" = "redis"): WrappedScript {
  const prefix = engine === "redis" ? REDIS_PREFIX.replace("LOCKED", String(script.locksKeys)) : EMBEDDED_PREFIX;
  const flags = script.readOnly && engine === "redis" ? "#!lua flags=no-writes" : ""; // the embedded engine runs it by EVALSHA_RO
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
  return { error: `${error.toString().replace(/[\r\n]/g, " ")} script: ${sha}, on @user_script:${place}.` };
}

function withOriginalSha(error: string, { sha, script }: WrappedScript): Reply {
  return { error: error.replaceAll(sha, script.sha) };
}

/** `return redis.call(…)` leaves no trace of its line in Lua; there is mostly just one in a script. */
function lineOfTailCall(text: string): number {
  const lines = text.split("\n");
  return lines.findIndex((line) => /return\s+redis\.call\b/.test(line)) + 1 || 1;
}
