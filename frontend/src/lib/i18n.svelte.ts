import { figuresLocale, formatAmount } from './money'
import { direction, sentence, type Catalogue, type Values } from './sentence'
import { formatMoment, formatSpan } from './time'

/** One chunk a language; only the one in use travels. */
const catalogues = import.meta.glob<Catalogue>('../../../server/language/*.json', { import: 'default' })

const loader = (code: string) => catalogues[`../../../server/language/${code}.json`]

/** The page's language: the server's catalogue, and figures and dates as the customer's region writes them. */
class Language {
  code = $state('en')
  #sentences = $state.raw<Catalogue>({})

  async use(code: string): Promise<void> {
    const known = loader(code) ? code : 'en'
    const sentences = await loader(known)!()
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

/** "98.50 USD", which keeps its order in a sentence that runs from right to left. */
export function money(amount: string, asset: { code: string; decimals: number }): string {
  const text = `${formatAmount(amount, asset.decimals, language.locale)}\u00a0${asset.code}`
  return document.documentElement.dir === 'rtl' ? `\u2066${text}\u2069` : text
}

export const moment = (at: string): string => formatMoment(at, language.locale)

export const span = (milliseconds: number): string => formatSpan(milliseconds, language.locale)
