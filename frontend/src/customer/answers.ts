import { written } from './checks'
import type { Answer, Question } from './model'

/**
 * The answer to show and send: what was typed is kept through every reply of
 * the server; only what was not typed comes from there.
 */
export const answerTo = (question: Question, typed: Record<string, string>): string => typed[question.name] ?? question.value ?? ''

export const answersTo = (questions: Question[], typed: Record<string, string>): Answer[] =>
  questions.map((question) => ({ name: question.name, value: written(question, answerTo(question, typed)) }))
