import { describe, expect, it } from 'vitest'
import { editableAmount, figuresLocale, formatAmount, formatPrice, parseAmount } from './money'

describe('formatAmount', () => {
  it.each([
    ['98.5', 2, 'en', '98.50'],
    ['1234567.891', 2, 'en', '1,234,567.89'],
    ['1234.5', 2, 'es', '1.234,50'],
    ['1234.5', 2, 'es-MX', '1,234.50'],
    ['922337203685.4775807', 7, 'en', '922,337,203,685.4775807'],
    ['100', 0, 'en', '100'],
    ['837.585034', 7, 'es', '837,585034'],
    ['10000', 7, 'en', '10,000.00'],
    ['0.5', 7, 'en', '0.50'],
    ['0.0000001', 7, 'en', '0.0000001'],
    ['1.5', 3, 'en', '1.500'],
    ['1.50000001', 7, 'en', '1.50'],
    ['0', 2, 'en', '0.00'],
    ['0.004', 2, 'en', '< 0.01'],
    ['-5', 2, 'en', '−5.00'],
  ])('%s with %i decimals in %s is %s', (amount, decimals, locale, want) => {
    expect(formatAmount(amount, decimals, locale)).toBe(want)
  })
})

describe('formatPrice', () => {
  it.each([
    ['0.1176', 2, 'en', '0.1176'],
    ['0.1176', 2, 'es', '0,1176'],
    ['0.3', 2, 'en', '0.30'],
    ['1.1', 3, 'en', '1.100'],
    ['4100', 0, 'en', '4,100'],
    ['4100', 2, 'es-MX', '4,100.00'],
    ['0.000000123456', 2, 'en', '0.000000123456'],
    ['123456789012345.678', 2, 'en', '123,456,789,012,345.678'],
  ])('%s in a currency of %i decimals in %s is %s', (price, decimals, locale, want) => {
    expect(formatPrice(price, decimals, locale)).toBe(want)
  })
})

describe('parseAmount', () => {
  it.each([
    ['100', 'en', '100'],
    ['98.50', 'en', '98.5'],
    ['98,50', 'en', '98.5'],
    ['1,000', 'en', '1000'],
    ['1.000', 'es', '1000'],
    ['١٠٠', 'ar', '100'],
    ['١٬٠٠٠٫٥', 'ar-u-nu-latn', '1000.5'],
    ['۱۲', 'ar-u-nu-latn', '12'],
    ['1.000,50', 'es', '1000.5'],
    ['1,000.50', 'es', '1000.5'],
    ['1,000,000', 'en', '1000000'],
    ['1 000.5', 'en', '1000.5'],
    ['0,125', 'en', '0.125'],
    ['.5', 'en', '0.5'],
    ['5.', 'en', '5'],
    ['007', 'en', '7'],
    ['922337203685.4775807', 'en', '922337203685.4775807'],
    ['', 'en', null],
    ['.', 'en', null],
    ['abc', 'en', null],
    ['-5', 'en', null],
    ['1e3', 'en', null],
    ['1,00,0.5', 'en', null],
    ['1.2,3.4', 'en', null],
  ])('%j in %s is %j', (text, locale, want) => {
    expect(parseAmount(text, locale)).toBe(want)
  })

  it('reads back what a field shows', () => {
    for (const locale of ['en', 'es', 'es-MX', 'de']) {
      expect(parseAmount(editableAmount('1234.567', locale), locale)).toBe('1234.567')
    }
  })
})

describe('figuresLocale', () => {
  it('takes the region of a browser that speaks the language', () => {
    expect(figuresLocale('es', ['en-US', 'es-MX', 'es'])).toBe('es-MX')
    expect(figuresLocale('es', ['en-US'])).toBe('es')
    expect(figuresLocale('ar', ['ar-EG'])).toBe('ar-EG-u-nu-latn')
    expect(formatAmount('1234.5', 2, figuresLocale('ar', ['ar-EG']))).toMatch(/^1[.,]234[.,]50$/)
  })
})
