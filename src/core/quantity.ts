/** Times, amounts and rates as people and contracts have them. */

/** `1.50 GB`. */
export function dataSize(bytes: number): string {
  const [value, unit] = inUnits(bytes, ['B', 'kB', 'MB', 'GB', 'TB'])
  return `${Number.isInteger(value) ? value : threeDigits(value)} ${unit}`
}

/** `18.2 Mbit/s`: lines are sold in bits. */
export function bitRate(bytesPerS: number): string {
  const [value, unit] = inUnits(bytesPerS * 8, ['bit/s', 'kbit/s', 'Mbit/s', 'Gbit/s'])
  return `${unit === 'bit/s' ? value.toFixed(0) : threeDigits(value)} ${unit}`
}

/** Two units at most: `3 s`, `2 min 5 s`, `4 h 10 min`, `12 d 3 h`. */
export function duration(totalS: number): string {
  const whole = Math.max(0, Math.floor(totalS))
  const parts: [number, string][] = [
    [Math.floor(whole / 86_400), 'd'],
    [Math.floor(whole / 3600) % 24, 'h'],
    [Math.floor(whole / 60) % 60, 'min'],
    [whole % 60, 's'],
  ]
  const first = parts.findIndex(([count]) => count > 0)
  if (first < 0) return '0 s'
  return parts
    .slice(first, first + 2)
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count} ${unit}`)
    .join(' ')
}

/** In steps of 1000. */
function inUnits(amount: number, units: readonly string[]): [number, string] {
  let value = amount
  let unit = 0
  // 999.5 would be written as 1000.
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000
    unit++
  }
  return [value, units[unit]!]
}

function threeDigits(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3)
}
