import { describe, expect, it } from 'vitest'
import { editableAmount, figuresLocale, formatAmount, parseAmount } from './money'

describe('formatAmount', () => {
  it.each([
    ['98.5', 2, 'en', '98.50'],
    ['1234567.891', 2, 'en', '1,234,567.89'],
    ['1234.5', 2, 'es', '1.234,50'],
    ['1234.5', 2, 'es-MX', '1,234.50'],
    ['922337203685.4775807', 7, 'en', '922,337,203,685.4775807'],
    ['100', 0, 'en', '100'],
    ['0', 2, 'en', '0.00'],
    ['0.004', 2, 'en', '< 0.01'],
    ['-5', 2, 'en', '−5.00'],
  ])('%s with %i decimals in %s is %s', (amount, decimals, locale, want) => {
    expect(formatAmount(amount, decimals, locale)).toBe(want)
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
