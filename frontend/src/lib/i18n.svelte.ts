import { figuresLocale, formatAmount, formatPrice } from './money'
import { direction, sentence, type Catalogue, type Values } from './sentence'
import { formatAbout, formatDay, formatMoment, formatSpan } from './time'

/** One chunk a language; only the one in use travels. */
const catalogues = import.meta.glob<Catalogue>('../../../server/language/*.json', { import: 'default' })

const loader = (code: string) => catalogues[`../../../server/language/${code}.json`]

/** The page's language: the server's catalogue, and figures and dates as the customer's region writes them. */
class Language {
  code = $state('en')
  #sentences = $state.raw<Catalogue>({})

  /** The words of a language of ours. */
  sentences = (code: string): Promise<Catalogue> => loader(code)!()

  async use(code: string): Promise<void> {
    const known = loader(code) ? code : 'en'
    const sentences = await this.sentences(known)
    document.documentElement.lang = known
    document.documentElement.dir = direction(known)
    this.#sentences = sentences
    this.code = known
  }

  get locale(): string {
    return figuresLocale(this.code, navigator.languages)
  }

  t(key: string, values?: Values): string {
    return sentence(this.#sentences, this.code, key, values)
  }
}

export const language = new Language()

/** The sentence of a catalogue key. */
export const t = (key: string, values?: Values): string => language.t(key, values)

interface Unit {
  code: string
  decimals: number
}

/** Figures keep their order in a sentence that runs from right to left. */
const figures = (text: string): string => (document.documentElement.dir === 'rtl' ? `\u2066${text}\u2069` : text)

/** "98.50 USD" */
export const money = (amount: string, asset: Unit): string => figures(`${formatAmount(amount, asset.decimals, language.locale)}\u00a0${asset.code}`)

/** "1 XLM = 0.1176 EUR" */
export const rate = (price: string, asset: Unit, worth: Unit): string =>
  figures(`1\u00a0${asset.code} = ${formatPrice(price, worth.decimals, language.locale)}\u00a0${worth.code}`)

export const moment = (at: string): string => formatMoment(at, language.locale)

/** "23 November 2026 at 14:30", as a receipt has it. */
export const day = (at: string): string => formatDay(at, language.locale)

export const span = (milliseconds: number): string => formatSpan(milliseconds, language.locale)

export const about = (seconds: number): string => formatAbout(seconds, language.locale)
