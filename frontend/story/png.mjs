// Makes a picture small: the browser's PNG of three bytes a pixel becomes one of a
// palette, which is enough for pages of few colours.

import { crc32, deflateSync, inflateSync } from 'node:zlib'

const signature = 8
const most = 256

/** The picture with the 256 colours that it has most of, the others as the nearest of them. */
export function small(png) {
  const { width, height, colours } = read(png)
  const counts = new Map()
  for (const colour of colours) counts.set(colour, (counts.get(colour) ?? 0) + 1)
  const palette = [...counts].sort(([a, m], [b, n]) => n - m || a - b).slice(0, most).map(([colour]) => colour)
  const index = new Map(palette.map((colour, i) => [colour, i]))
  const part = (colour, shift) => (colour >> shift) & 255
  const apart = (a, b) => [16, 8, 0].reduce((sum, shift) => sum + (part(a, shift) - part(b, shift)) ** 2, 0)
  for (const colour of counts.keys()) {
    if (!index.has(colour)) index.set(colour, index.get(palette.reduce((best, other) => (apart(colour, other) < apart(colour, best) ? other : best))))
  }

  const rows = Buffer.alloc((width + 1) * height)
  colours.forEach((colour, i) => (rows[i + Math.floor(i / width) + 1] = index.get(colour)))
  const head = Buffer.alloc(13)
  head.writeUInt32BE(width, 0)
  head.writeUInt32BE(height, 4)
  head.set([8, 3], 8)
  const table = Buffer.from(palette.flatMap((colour) => [16, 8, 0].map((shift) => part(colour, shift))))
  return Buffer.concat([png.subarray(0, signature), chunk('IHDR', head), chunk('PLTE', table), chunk('IDAT', deflateSync(rows, { level: 9 })), chunk('IEND', Buffer.alloc(0))])
}

function chunk(name, data) {
  const body = Buffer.concat([Buffer.from(name), data])
  const frame = Buffer.alloc(8)
  frame.writeUInt32BE(data.length, 0)
  frame.writeUInt32BE(crc32(body), 4)
  return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)])
}

/** The colours of a picture as browsers write it: eight bits, three or four of them a pixel, not interlaced. */
function read(png) {
  const data = []
  let width, height, size
  for (let at = signature; at < png.length; ) {
    const length = png.readUInt32BE(at)
    const body = png.subarray(at + 8, at + 8 + length)
    const name = png.toString('latin1', at + 4, at + 8)
    if (name === 'IHDR') [width, height, size] = [body.readUInt32BE(0), body.readUInt32BE(4), body[9] === 6 ? 4 : 3]
    if (name === 'IDAT') data.push(body)
    at += 12 + length
  }
  const raw = inflateSync(Buffer.concat(data))
  const line = width * size
  const colours = new Array(width * height)
  let above = Buffer.alloc(line)
  for (let y = 0; y < height; y++) {
    const filter = raw[y * (line + 1)]
    const row = Buffer.from(raw.subarray(y * (line + 1) + 1, (y + 1) * (line + 1)))
    for (let x = 0; x < line; x++) {
      const [left, up, corner] = [x < size ? 0 : row[x - size], above[x], x < size ? 0 : above[x - size]]
      row[x] += [0, left, up, (left + up) >> 1, paeth(left, up, corner)][filter]
    }
    for (let x = 0; x < width; x++) colours[y * width + x] = row.readUIntBE(x * size, 3)
    above = row
  }
  return { width, height, colours }
}

function paeth(left, up, corner) {
  const [a, b, c] = [left, up, corner].map((near) => Math.abs(left + up - corner - near))
  return a <= b && a <= c ? left : b <= c ? up : corner
}
