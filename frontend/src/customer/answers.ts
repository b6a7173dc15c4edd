import type { Problem } from '../lib/graphql'
import { written } from './checks'
import type { Answer, Method, Question } from './model'

/**
 * The answer to show and send: what was typed is kept through every reply of
 * the server; only what was not typed comes from there.
 */
export const answerTo = (question: Question, typed: Record<string, string>): string => typed[question.name] ?? question.value ?? ''

/** Documents have been sent already, each by itself. */
export const answersTo = (questions: Question[], typed: Record<string, string>): Answer[] =>
  questions.filter(({ type }) => type !== 'file').map((question) => ({ name: question.name, value: written(question, answerTo(question, typed)) }))

/**
 * The saved account to use, '' for another: the customer's own choice, else the
 * one this transaction has, else what was entered by hand, else the newest.
 */
export function savedChoice({ saved, questions }: Method, own: string | null): string {
  if (own === '' || saved.some(({ id }) => id === own)) return own!
  const chosen = saved.find(({ chosen }) => chosen)
  if (chosen) return chosen.id
  return questions.some(({ value }) => value) ? '' : (saved[0]?.id ?? '')
}

/** What a saved account does not answer, as the server found. */
export const stillAsked = (questions: Question[], problems: Problem[], typed: Record<string, string>): Question[] =>
  questions.filter(({ name }) => name in typed || problems.some(({ field }) => field === name))
