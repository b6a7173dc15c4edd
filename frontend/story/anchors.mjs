// The anchors that the stories need, as their operators set them up by the environment.

import { fileURLToPath } from 'node:url'

/** The scheme of a wallet's app that the anchor knows. */
export const appScheme = 'org.example.storywallet'

/** The anchor's brand, as its operator sets it. */
export const brand = {
  WINDLASS_BRAND_NAME: 'Harbour Exchange',
  WINDLASS_BRAND_LOGO: fileURLToPath(new URL('logo.svg', import.meta.url)),
  WINDLASS_BRAND_ACCENT: '#5b3a8e',
  WINDLASS_BRAND_TERMS: 'https://harbour.example/terms',
  WINDLASS_BRAND_PRIVACY: 'https://harbour.example/privacy',
}

/** Lumens as the second asset, by the environment: their price is one dollar. */
const side = (direction, settings) => Object.entries({
  PRICE: '1', MIN: '5', MAX: '10000', FIELDS: 'first_name,last_name,email_address', REVIEW: 'none', METHODS_0_ID: 'bank_transfer', ...settings,
}).map(([key, value]) => [`WINDLASS_ASSETS_1_${direction}_${key}`, value])
export const lumens = {
  WINDLASS_ASSETS_1_CODE: 'native',
  WINDLASS_ASSETS_1_OFF_CHAIN: 'iso4217:USD',
  WINDLASS_CHOICES_MOBILE_MONEY_PROVIDER: 'Bay Money,Port Pay',
  ...Object.fromEntries([
    ...side('DEPOSIT', {
      FEE_FIXED: '1',
      METHODS_0_TAKES: '24h',
      METHODS_1_ID: 'instant_transfer',
      METHODS_1_FEE_FIXED: '2',
      METHODS_1_TAKES: '20s',
      METHODS_2_ID: 'cash',
      METHODS_2_MAX: '50',
    }),
    // It asks for an answer of every kind.
    ...side('WITHDRAW', {
      FEE_FIXED: '2',
      FIELDS: 'first_name,last_name,email_address,mobile_number,birth_date,address_country_code,id_type',
      OPTIONAL_FIELDS: 'id_expiration_date,sex',
      METHODS_0_FIELDS: 'bank_account_number,bank_name',
      METHODS_0_OPTIONAL_FIELDS: 'bank_account_type,mobile_money_provider',
      METHODS_1_ID: 'cash',
    }),
  ]),
}

/** An anchor whose asset is worth another amount of what the bank moves, in other decimals. */
export const unlike = {
  WINDLASS_ASSETS_0_CODE: 'SUNW',
  WINDLASS_ASSETS_0_DECIMALS: '7',
  WINDLASS_ASSETS_0_OFF_CHAIN: 'iso4217:EUR',
  WINDLASS_ASSETS_0_OFF_CHAIN_DECIMALS: '2',
  WINDLASS_ASSETS_0_DEPOSIT_PRICE: '0.1176',
  WINDLASS_ASSETS_0_WITHDRAW_PRICE: '0.115',
}
