/** Exact sums of prices. In scripts decimal.lua does it. */

/** The total of lines of quantity and price, with the decimals of the longest price. */
export function totalOf(lines: { price: string; quantity: number }[]): string {
  const parts = lines.map(({ price, quantity }) => {
    const [whole = "", fraction = ""] = price.split(".");
    return { amount: BigInt(whole + fraction) * BigInt(quantity), places: fraction.length };
  });
  const places = Math.max(0, ...parts.map((part) => part.places));
  const sum = parts.reduce((total, part) => total + part.amount * 10n ** BigInt(places - part.places), 0n);
  const digits = sum.toString().padStart(places + 1, "0");
  return places ? `${digits.slice(0, -places)}.${digits.slice(-places)}` : digits;
}
