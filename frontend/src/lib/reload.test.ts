import { expect, it } from 'vitest'
import { startOver } from './reload'

it('loads the page anew once the server answers, and not before', async () => {
  const told: string[] = []
  const answers = [false, false, true]
  await startOver(null, {
    answers: async () => {
      const answer = answers.shift()!
      told.push(answer ? 'there' : 'away')
      return answer
    },
    pause: async () => void told.push('pause'),
    reload: () => void told.push('reload'),
  })
  expect(told).toEqual(['pause', 'away', 'pause', 'away', 'pause', 'there', 'reload'])
})
