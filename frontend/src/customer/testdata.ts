import type { Question } from './model'

/** A person who does not exist, for test networks. */
const person: Record<string, string> = {
  first_name: 'Alex',
  last_name: 'Rivera',
  additional_name: 'Robin',
  email_address: 'alex.rivera@example.org',
  birth_place: 'Montevideo',
  address: '12 Harbour Street',
  city: 'Montevideo',
  state_or_province: 'Montevideo',
  postal_code: '11000',
  occupation: 'Teacher',
  employer_name: 'Harbour School',
  employer_address: '1 Quay Road',
  language_code: 'en',
  tax_id: '123456789',
  tax_id_name: 'TIN',
  id_number: 'X1234567',
  bank_name: 'Harbour Sample Bank',
  bank_number: '021000021',
  bank_branch_number: '001',
  external_transfer_memo: 'Rent',
  clabe_number: '032180000118359719',
  cbu_number: '2850590940090418135201',
  cbu_alias: 'quay.anchor.sail',
  mobile_money_provider: 'Bay Money',
  crypto_address: '0x0000000000000000000000000000000000000001',
}

/** How many years before its last day a date lies; a document is valid for some after its first. */
const ago: Record<string, number> = { birth_date: 30 }

/** An answer that will do, by the question's name and type. */
export function testAnswer({ name, type, options, earliest, latest }: Question): string {
  const known = person[name]
  if (options.length > 0) return (options.find(({ value }) => value === known) ?? options[0]!).value
  switch (type) {
    case 'email':
      return person.email_address!
    case 'phone':
      return '+12025550143'
    case 'date': {
      const year = latest ? Number(latest.slice(0, 4)) - (ago[name] ?? 2) : Number(earliest?.slice(0, 4) ?? 2020) + 5
      return `${year}-05-17`
    }
    case 'country':
      return 'URY'
    case 'file':
      return '' // see testPicture
    case 'account_number':
      return '000123456789'
    default:
      return known ?? 'Test'
  }
}

/** A document that is nobody's. */
export function testPicture({ label }: Question): Promise<Blob> {
  const canvas = document.createElement('canvas')
  canvas.width = 800
  canvas.height = 500
  const paper = canvas.getContext('2d')!
  paper.fillStyle = '#e4f1f4'
  paper.fillRect(0, 0, 800, 500)
  paper.fillStyle = '#0b5a70'
  paper.textAlign = 'center'
  paper.font = '600 96px sans-serif'
  paper.fillText('TEST', 400, 250)
  paper.font = '28px sans-serif'
  paper.fillText(label, 400, 330, 760)
  return new Promise((made) => canvas.toBlob((blob) => made(blob!), 'image/jpeg', 0.85))
}
