/**
 * What went through the server: requests, commands as Upstash bills them, bytes.
 */

export type Counts = {
  /** HTTP requests, refused ones too. */
  requests: number;
  /** Every command of a request, and every command a script calls. */
  commands: number;
  /** The share of `commands` called by scripts. */
  scriptCalls: number;
  bytesIn: number;
  bytesOut: number;
  /** How often each command was sent in a request, by name. */
  byCommand: Record<string, number>;
};

export type Counters = {
  request(bytesIn: number): void;
  command(name: string): void;
  scriptCalls(calls: number): void;
  answer(bytesOut: number): void;
  read(): Counts;
  reset(): void;
};

export function createCounters(): Counters {
  let counts = zero();
  return {
    request(bytesIn) {
      counts.requests += 1;
      counts.bytesIn += bytesIn;
    },
    command(name) {
      counts.commands += 1;
      counts.byCommand[name] = (counts.byCommand[name] ?? 0) + 1;
    },
    scriptCalls(calls) {
      counts.commands += calls;
      counts.scriptCalls += calls;
    },
    answer(bytesOut) {
      counts.bytesOut += bytesOut;
    },
    read: () => ({ ...counts, byCommand: { ...counts.byCommand } }),
    reset() {
      counts = zero();
    },
  };
}

function zero(): Counts {
  return { requests: 0, commands: 0, scriptCalls: 0, bytesIn: 0, bytesOut: 0, byCommand: Object.create(null) as Record<string, number> };
}
