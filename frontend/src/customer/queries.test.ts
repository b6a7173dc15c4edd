import { buildSchema, parse, validate } from 'graphql'
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { examples } from '../playground/examples'
import * as queries from './queries'

const schema = buildSchema(readFileSync(new URL('../../../schema.graphqls', import.meta.url), 'utf8'))

describe('the GraphQL contract', () => {
  it.each(Object.entries(queries))('allows %s', (_, query) => {
    expect(validate(schema, parse(query))).toEqual([])
  })

  it.each(examples)('allows the playground example %#', ({ query }) => {
    expect(validate(schema, parse(query))).toEqual([])
  })
})
