import { invalid, messageOf } from '#base'
import type { ImageService } from '#engine'
import { encodeLine } from '#wire'
import { type Exchange, type Route, wallClock } from '#api/exchange'
import { selectImages } from './image-filter.ts'
import { imageTree } from './image-tree.ts'
import { layersJson } from './image-view.ts'
import { diffLines, originLines } from './looking-view.ts'

type Looking = Pick<ImageService, 'list' | 'get' | 'layers' | 'compare' | 'origins'>

/** What mica shows of images beyond Docker's API; docs/differs.md names it. */
export function lookingRoutes(images: Looking): readonly Route[] {
  return [
    {
      method: 'GET',
      pattern: '/x/images/tree',
      handle: async ({ query, reply }) => {
        const options = { filters: query.filters(), all: query.flag('all'), now: wallClock() }
        reply(200, imageTree(await selectImages(images, options)))
      },
    },
    {
      method: 'GET',
      pattern: '/x/images/{name...}/layers',
      handle: async ({ param, reply }) => reply(200, layersJson(await images.layers(param('name')))),
    },
    { method: 'GET', pattern: '/x/images/{name...}/diff', handle: (exchange) => compare(images, exchange) },
    { method: 'GET', pattern: '/x/images/{name...}/files', handle: (exchange) => origins(images, exchange) },
  ]
}

async function compare(images: Looking, exchange: Exchange): Promise<void> {
  const { param, query, signal } = exchange
  const to = query.text('to')
  if (to === undefined) throw invalid('cannot compare an image: the parameter to names no other one')
  const comparison = await images.compare(param('name'), to, { times: query.flag('times'), signal })
  await send(exchange, diffLines(comparison))
}

async function origins(images: Looking, exchange: Exchange): Promise<void> {
  const { param, query, signal } = exchange
  const paths = query.list('path').map(cleanPath)
  const everything = paths.includes('')
  await send(exchange, originLines(await images.origins(param('name'), everything ? [] : paths, signal)))
}

/** With one slash before each component and none at the end; the root is the empty text. */
function cleanPath(text: string): string {
  const kept: string[] = []
  for (const part of text.split('/')) {
    if (part === '' || part === '.') continue
    if (part === '..') kept.pop()
    else kept.push(part)
  }
  return kept.map((part) => `/${part}`).join('')
}

const BATCH = 1 << 15

/** An error after the first line is a line itself, as in Docker's progress streams. */
async function send(exchange: Exchange, lines: AsyncIterable<unknown>): Promise<void> {
  const reply = exchange.stream('application/json')
  let text = ''
  try {
    for await (const line of lines) {
      text += encodeLine(line)
      if (text.length < BATCH) continue
      await reply.write(text)
      text = ''
    }
  } catch (error) {
    if (exchange.signal.aborted) return
    text += encodeLine({ error: messageOf(error), errorDetail: { message: messageOf(error) } })
  }
  await reply.write(text)
  reply.end()
}
