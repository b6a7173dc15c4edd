// Amounts are decimal texts, as in the API; they never become floats.

/** 10⁻⁷ units, to compare and to add. */
export function units(amount: string): bigint {
  const [whole = '0', part = ''] = amount.split('.')
  return BigInt(whole + part.slice(0, 7).padEnd(7, '0'))
}

/** "1,234.50": at least two decimals, all that there are. */
export function shown(amount: string): string {
  const text = amount as Intl.StringNumericLiteral
  return new Intl.NumberFormat('en', { minimumFractionDigits: 2, maximumFractionDigits: 7 }).format(text)
}

/** "GABC…WXYZ" */
export function shortAddress(address: string): string {
  return address.length > 16 ? `${address.slice(0, 4)}…${address.slice(-4)}` : address
}

/** "USDW" of "stellar:USDW:G…", "USD" of "iso4217:USD", "XLM" of "stellar:native". */
export function assetCode(id: string | undefined, otherwise = ''): string {
  return id === 'stellar:native' ? 'XLM' : (id?.split(':')[1] ?? otherwise)
}
