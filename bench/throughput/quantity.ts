/** Numbers as people read them; what was not measured is a dash. */

const UNMEASURED = '–'

type Quantity = number | undefined

const formatted = (value: Quantity, format: (value: number) => string) =>
  value === undefined || Number.isNaN(value) ? UNMEASURED : format(value)

export const gbit = (mbit: Quantity) => formatted(mbit, (value) => (value / 1000).toFixed(2))

export const count = (value: Quantity) => formatted(value, (each) => each.toFixed(0))

/** Thousands of packets in a second. */
export const thousands = (perS: Quantity) => formatted(perS, (value) => (value / 1000).toFixed(0))

/** Seconds of CPU for a GB, microseconds for a packet. */
export const cost = (value: Quantity) => formatted(value, (each) => each.toFixed(2))

export const micros = (us: Quantity) => formatted(us, (value) => value.toFixed(0))

/** A share of 1. */
export const hundredths = (share: Quantity) => formatted(share, (value) => (value * 100).toFixed(2))

export const megabytes = (bytes: Quantity) => formatted(bytes, (value) => (value / 1e6).toFixed(0))

export const times = (ratio: number) => `${ratio.toFixed(1)} times`

export const percent = (ratio: number) => `${(ratio * 100).toFixed(0)} %`
