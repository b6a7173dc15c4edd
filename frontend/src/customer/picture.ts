/** What is sent of a file, and a small picture of it where there is one. */
export interface Prepared {
  content: Blob
  small: HTMLCanvasElement | null
}

const LARGEST = 2000
const SMALL = 320

function drawn(bitmap: ImageBitmap, most: number): HTMLCanvasElement {
  const scale = Math.min(1, most / Math.max(bitmap.width, bitmap.height))
  const canvas = document.createElement('canvas')
  canvas.width = Math.max(1, Math.round(bitmap.width * scale))
  canvas.height = Math.max(1, Math.round(bitmap.height * scale))
  const paper = canvas.getContext('2d')!
  paper.fillStyle = '#fff' // where a picture has nothing, JPEG would have black
  paper.fillRect(0, 0, canvas.width, canvas.height)
  paper.drawImage(bitmap, 0, 0, canvas.width, canvas.height)
  return canvas
}

/**
 * Makes a JPEG of a picture: upright, not larger than can be of use, and without
 * what cameras write beside it, such as where it was taken. What this browser
 * cannot read as a picture goes as it is; the server judges.
 */
export async function prepare(file: Blob): Promise<Prepared> {
  if (file.type === 'application/pdf') return { content: file, small: null }
  const bitmap = await createImageBitmap(file, { imageOrientation: 'from-image' })
    .catch(() => createImageBitmap(file)) // browsers that do not know the option turn it upright anyway
    .catch(() => null)
  if (!bitmap) return { content: file, small: null }
  const small = drawn(bitmap, SMALL)
  const canvas = drawn(bitmap, LARGEST)
  bitmap.close()
  const content = await new Promise<Blob | null>((made) => canvas.toBlob(made, 'image/jpeg', 0.85))
  return { content: content ?? file, small }
}
