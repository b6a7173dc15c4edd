import { createInstance } from 'i18next'
import { figuresLocale, formatAmount } from './money'
import { formatMoment, formatSpan } from './time'

type Catalogue = Record<string, string>

/** One chunk a language; only the one in use travels. */
const catalogues = import.meta.glob<Catalogue>('../../../server/language/*.json', { import: 'default' })

const load = (code: string): Promise<Catalogue> | undefined => catalogues[`../../../server/language/${code}.json`]?.()

/** The page's language: the server's catalogue, and figures and dates as the customer's region writes them. */
class Language {
  code = $state('en')
  #i18n = createInstance({
    fallbackLng: false,
    keySeparator: false,
    nsSeparator: false,
    interpolation: { escapeValue: false },
    resources: {},
  })

  constructor() {
    void this.#i18n.init()
  }

  async use(code: string): Promise<void> {
    const known = load(code) ? code : 'en'
    if (!this.#i18n.hasResourceBundle(known, 'translation')) {
      this.#i18n.addResourceBundle(known, 'translation', await load(known))
    }
    await this.#i18n.changeLanguage(known)
    document.documentElement.lang = known
    document.documentElement.dir = this.#i18n.dir(known)
    this.code = known
  }

  get locale(): string {
    return figuresLocale(this.code, navigator.languages)
  }

  t(key: string, values: Record<string, string | number> = {}): string {
    return this.#i18n.t(key, { ...values, lng: this.code })
  }
}

export const language = new Language()

/** The sentence of a catalogue key. */
export const t = (key: string, values?: Record<string, string | number>): string => language.t(key, values)

/** "98.50 USD", which keeps its order in a sentence that runs from right to left. */
export function money(amount: string, asset: { code: string; decimals: number }): string {
  const text = `${formatAmount(amount, asset.decimals, language.locale)}\u00a0${asset.code}`
  return document.documentElement.dir === 'rtl' ? `\u2066${text}\u2069` : text
}

export const moment = (at: string): string => formatMoment(at, language.locale)

export const span = (milliseconds: number): string => formatSpan(milliseconds, language.locale)
