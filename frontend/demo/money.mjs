// Amounts are decimal texts on every wire; here they are counted in stroops
// (10⁻⁷) as BigInt, so that no float ever touches them.

/** "98.5" -> 985000000n. Anything but a plain decimal is an error. */
export function stroops(amount) {
  const parts = /^(-?)(\d+)(?:\.(\d{1,7}))?$/.exec(amount ?? '')
  if (!parts) throw new Error(`${JSON.stringify(amount)} is not an amount`)
  const [, sign, whole, fraction = ''] = parts
  const units = BigInt(whole + fraction.padEnd(7, '0'))
  return sign ? -units : units
}

/** 985000000n -> "98.50" */
export function decimal(units) {
  const digits = (units < 0n ? -units : units).toString().padStart(8, '0')
  const fraction = digits.slice(-7).replace(/0{1,5}$/, '')
  return `${units < 0n ? '-' : ''}${digits.slice(0, -7)}.${fraction}`
}
