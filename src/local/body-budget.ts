/**
 * How many bytes of request bodies may be in memory at once.
 *
 * A large request takes all it may need before its body is read, and gives it back when it is answered; those that find
 * nothing left wait in line. A thousand clients with 10 MB each then need a quarter of a gigabyte, not ten.
 */
export type BodyBudget = {
  /** Resolves, when there is room, to the function that gives it back. */
  take(bytes: number): Promise<() => void>;
};

export function createBodyBudget(totalBytes: number): BodyBudget {
  let free = totalBytes;
  const line: { bytes: number; enter(): void }[] = [];

  function admit(): void {
    for (let first = line[0]; first && first.bytes <= free; first = line[0]) {
      line.shift();
      free -= first.bytes;
      first.enter();
    }
  }

  return {
    async take(wanted) {
      const bytes = Math.min(wanted, totalBytes);
      await new Promise<void>((enter) => {
        line.push({ bytes, enter });
        admit();
      });
      let given = false;
      return () => {
        if (given) return;
        given = true;
        free += bytes;
        admit();
      };
    },
  };
}
