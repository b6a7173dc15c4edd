import { describe, expect, it } from 'vitest'
import { assetCode, shown, shortAddress, units } from './money'

describe('amounts', () => {
  it('are counted in 10⁻⁷ units', () => {
    expect(units('98.5')).toBe(985_000_000n)
    expect(units('0.0000001')).toBe(1n)
    expect(units('922337203685.4775807')).toBe(9_223_372_036_854_775_807n)
  })

  it('are shown exactly, with at least two decimals', () => {
    expect(shown('98.5')).toBe('98.50')
    expect(shown('10000.0000000')).toBe('10,000.00')
    expect(shown('922337203685.4775807')).toBe('922,337,203,685.4775807')
  })
})

it('names things shortly', () => {
  expect(assetCode('stellar:USDW:GABC')).toBe('USDW')
  expect(assetCode('iso4217:USD')).toBe('USD')
  expect(assetCode('stellar:native')).toBe('XLM')
  expect(assetCode(undefined, 'USDW')).toBe('USDW')
  expect(shortAddress('GABCDEFGHIJKLMNOPQRSTUVWXYZ')).toBe('GABC…WXYZ')
})
