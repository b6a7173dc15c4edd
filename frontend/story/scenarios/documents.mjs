// Documents: photographed, dropped, sent through a poor network, and looked at by staff.

import assert from 'node:assert/strict'
import { openWallet } from '../../demo/wallet.mjs'
import { phone } from '../browser.mjs'
import { AnchorPage } from '../pages.mjs'
import { words } from '../words.mjs'

/** What a camera writes beside a picture: that it lies on its side, and where it was taken. */
const beside = Buffer.concat([
  Buffer.from('ffe1003845786966000049492a0008000000010012010300010000000600000000000000', 'hex'),
  Buffer.from('GPS 34.9011 S 56.1645 W'.padEnd(22).slice(0, 22)),
])

/** A photo of a size, drawn in a page: speckles, which do not pack. */
async function photo(page, width, height) {
  const plain = await page.evaluate(
    async ([width, height]) => {
      const canvas = Object.assign(document.createElement('canvas'), { width, height })
      const paper = canvas.getContext('2d')
      const speckles = paper.createImageData(width, height)
      for (let i = 0; i < speckles.data.length; i++) speckles.data[i] = i % 4 === 3 ? 255 : Math.random() * 255
      paper.putImageData(speckles, 0, 0)
      const blob = await new Promise((made) => canvas.toBlob(made, 'image/jpeg', 0.9))
      const reader = new FileReader()
      await new Promise((read) => ((reader.onload = read), reader.readAsDataURL(blob)))
      return reader.result.split(',')[1]
    },
    [width, height],
  )
  const jpeg = Buffer.from(plain, 'base64')
  return Buffer.concat([jpeg.subarray(0, 2), beside, jpeg.subarray(2)])
}

/** A document of one empty page. */
export const pdf = Buffer.from('%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n')

export const scenarios = {
  async 'documents from a phone whose network comes and goes'({ visitor, anchor, look }) {
    visitor.expect(/net::ERR_|status of 401|Failed to fetch dynamically imported/)
    const t = words('en')
    const wallet = await openWallet({ anchorUrl: anchor.public, horizon: anchor.horizon })
    await wallet.fund()
    await wallet.signIn()
    const { url, id } = await wallet.start('deposit', {})
    const tab = await visitor.open('about:blank')
    const page = new AnchorPage(tab, t)
    // The control comes with the screen or neither does: nothing can be typed that would be lost.
    const control = /assets\/Document-.*\.js$/
    await tab.route(control, (route) => route.abort())
    await Promise.all([tab.waitForEvent('requestfailed', (request) => control.test(request.url())), tab.goto(url)])
    await page.heading(t('page.opening')).waitFor()
    await tab.unroute(control)
    await page.who()
    const of = (name) => tab.getByRole('group', { name: t(`field.${name}`) })
    const [front, bill] = [of('photo_id_front'), of('photo_proof_residence')]
    const choose = (group, file) => group.locator('input[type=file]:not([capture])').setInputFiles(file)
    await front.getByRole('button', { name: t('page.file.take') }).waitFor()
    assert.equal(await front.locator('input[capture]').getAttribute('capture'), 'environment')
    await look(tab, 'asked')

    // Nobody goes on without what is asked for.
    await page.press('page.continue')
    await front.and(tab.locator(':focus')).waitFor()
    await tab.getByText(t('error.file_unknown')).waitFor()

    // The network goes while the photo is on its way: it stays here, and goes by itself when there is one again.
    const browser = await tab.context().newCDPSession(tab)
    const network = (conditions) => browser.send('Network.emulateNetworkConditions', { offline: false, latency: 20, downloadThroughput: -1, uploadThroughput: -1, ...conditions })
    await browser.send('Network.enable')
    await network({ uploadThroughput: 60_000 })
    await front.locator('input[capture]').setInputFiles({ name: 'IMG_0001.jpg', mimeType: 'image/jpeg', buffer: await photo(tab, 2400, 1200) })
    await front.getByRole('progressbar').waitFor()
    await page.button('page.file.wait').waitFor()
    await tab.waitForFunction(() => document.querySelector('progress').value > 0.05)
    await visitor.picture(tab, 'sending')
    await anchor.kill() // which cuts the connection as a network would
    await front.getByText(t('page.file.lost')).waitFor()
    await look(tab, 'lost')
    await network({})
    await anchor.start()
    await front.getByText(t('page.file.there')).waitFor()
    await look(tab, 'there')

    // What is no document is refused in words; what is one takes its place.
    await choose(bill, { name: 'bill.jpg', mimeType: 'image/jpeg', buffer: Buffer.from('a letter to a friend') })
    await bill.getByText(t('error.file_kind_unknown')).waitFor()
    await look(tab, 'no-document')
    await choose(bill, { name: 'bill.pdf', mimeType: 'application/pdf', buffer: Buffer.alloc(9 << 20, 'x') })
    await bill.getByText(t('error.file_too_large', { limit: 8 })).waitFor()

    // Nobody goes on without what is on its way, even where it need not be sent; they may give it up.
    const formsBreak = (route) => (route.request().headers()['content-type'].startsWith('multipart/') ? route.abort() : route.continue())
    await tab.route('**/graphql', formsBreak)
    await choose(bill, { name: 'bill.pdf', mimeType: 'application/pdf', buffer: pdf })
    await bill.getByText(t('page.file.lost')).waitFor()
    await page.who()
    await page.press('page.continue')
    await bill.and(tab.locator(':focus')).waitFor()
    await bill.getByText(t('page.file.lost')).waitFor()
    await bill.getByRole('button', { name: t('page.file.stop') }).click()
    await bill.getByText(t('page.file.kinds', { limit: 8 })).waitFor()
    await bill.getByRole('button', { name: t('page.file.take') }).waitFor()
    await choose(bill, { name: 'bill.pdf', mimeType: 'application/pdf', buffer: pdf })
    await bill.getByText(t('page.file.lost')).waitFor()
    await tab.unroute('**/graphql', formsBreak)
    await page.press('page.continue') // which tries again at once
    await bill.getByText(t('page.file.there')).waitFor()
    await tab.reload()
    await bill.getByText(t('page.file.there')).waitFor()
    await page.who() // the answers to the rest are with the server after this
    await page.press('page.continue')
    await page.heading(t('page.amount.deposit')).waitFor()

    // Staff see them, small and upright, without what the camera wrote; and that they looked is known.
    const staff = await visitor.open(await anchor.signInAs('kim'))
    await staff.getByRole('button', { name: 'Sign in' }).click()
    await staff.waitForURL(/playground/)
    const ask = (query) =>
      staff.evaluate(async (query) => (await fetch('/graphql', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ query }) })).json(), query)
    const { data } = await ask(`{ transaction(id: "${id}") { questions { name file { id mediaType size url } } } }`)
    const [passport, statement] = data.transaction.questions.map(({ file }) => file).filter(Boolean)
    assert.deepEqual([passport.mediaType, statement.mediaType, statement.size], ['image/jpeg', 'application/pdf', pdf.length])
    const get = async (context, path) => context.request.get(new URL(path, anchor.admin).href)
    const shown = await get(staff.context(), passport.url)
    const content = await shown.body()
    assert.equal(shown.headers()['content-type'], 'image/jpeg')
    assert.ok(!content.includes('Exif\0') && !content.includes('34.9011 S'), 'what the camera wrote is gone')
    const picture = await visitor.open(new URL(passport.url, anchor.admin).href)
    const size = await picture.locator('img').evaluate(({ naturalWidth, naturalHeight }) => [naturalWidth, naturalHeight])
    assert.deepEqual(size, [1000, 2000], 'it is upright, and no larger than it need be')
    await visitor.picture(picture, 'staff-looks')
    // A PDF is handed over as a download, under our own words for a name.
    assert.deepEqual(await (await get(staff.context(), statement.url)).body(), pdf)
    const [download] = await Promise.all([staff.waitForEvent('download'), staff.evaluate((url) => void open(url), statement.url)])
    assert.equal(download.suggestedFilename(), `photo_proof_residence-${statement.id}.pdf`)
    await download.cancel()
    const { data: trail } = await ask(`{ audit(subject: "file:${passport.id}") { nodes { actor event note } } }`)
    assert.deepEqual(trail.audit.nodes[0], { actor: 'staff:kim', event: 'fileSeen', note: 'photo_id_front' })

    // Nobody else does.
    const stranger = await visitor.context.browser().newContext()
    assert.equal((await get(stranger, passport.url)).status(), 401)
    await stranger.close()
    assert.equal((await staff.context().request.get(new URL(passport.url, anchor.public).href)).status(), 404)
  },
}

export const settings = {
  'documents from a phone whose network comes and goes': {
    device: phone,
    env: {
      WINDLASS_ASSETS_0_DEPOSIT_FIELDS: 'first_name,last_name,email_address,photo_id_front',
      WINDLASS_ASSETS_0_DEPOSIT_OPTIONAL_FIELDS: 'photo_proof_residence',
    },
  },
}
