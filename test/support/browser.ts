import type { Readable, Writable } from 'node:stream'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { until } from './wait.ts'

/** Debian's Chromium without a window; with a profile of its own that goes with it. */
export interface Browser extends AsyncDisposable {
  /** A tab. */
  open(): Promise<Page>
}

/**
 * A tab, used as a person does: what is clicked is waited for until it is there, still and on top. Selectors are CSS;
 * `text=…` chooses the link or button that says exactly that.
 */
export interface Page {
  /** Resolves when the page has loaded. */
  goto(url: string): Promise<void>
  url(): Promise<string>
  /** The value of an expression in the page, as JSON carries it. */
  evaluate(expression: string): Promise<unknown>
  /** Waits until something on the page matches. */
  see(selector: string): Promise<void>
  has(selector: string): Promise<boolean>
  /** The page's text as it is shown. */
  text(): Promise<string>
  /** With `result`: again while that is not to be seen, for a page may not listen yet. */
  click(selector: string, result?: string): Promise<void>
  /** Clicks a field, empties it and types, until the text stands there. */
  fill(selector: string, text: string): Promise<void>
  /** The whole page as PNG. */
  screenshot(file: string): Promise<void>
}

/** How long the page of a loaded machine may take. Seconds. */
const PATIENCE = 90
/** After so long a click is taken for lost. Milliseconds. */
const SECOND_TRY = 5000

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--disable-background-networking',
  '--disable-component-update',
  '--no-first-run',
  '--no-proxy-server',
  '--window-size=1280,960',
  '--remote-debugging-pipe',
]

export async function startBrowser(): Promise<Browser> {
  const profile = mkdtempSync(join(tmpdir(), 'mica-browser-'))
  const child = spawn('chromium-headless-shell', [...FLAGS, `--user-data-dir=${profile}`], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], HOME: profile },
  })
  const ended = once(child, 'exit')
  const devtools = new DevTools(child.stdio[3] as Writable, child.stdio[4] as Readable)
  await devtools.send('Browser.getVersion')
  return {
    async open() {
      const { targetId } = await devtools.send('Target.createTarget', { url: 'about:blank' })
      const { sessionId } = await devtools.send('Target.attachToTarget', { targetId, flatten: true })
      const page = new Tab((method, params) => devtools.send(method, params, String(sessionId)))
      await page.prepare()
      return page
    },
    async [Symbol.asyncDispose]() {
      // The program on the path is a script beside the browser: a signal to it would leave the browser running.
      devtools.send('Browser.close').catch(() => undefined)
      await ended
      rmSync(profile, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

type Values = Record<string, unknown>
type Send = (method: string, params?: Values) => Promise<Values>

/** The DevTools protocol over the browser's descriptors 3 and 4: JSON, each message ended by a zero byte. */
class DevTools {
  readonly #out: Writable
  readonly #waiting = new Map<number, { resolve(value: Values): void; reject(error: Error): void }>()
  #sent = 0
  #rest = ''
  #ended = false

  constructor(out: Writable, input: Readable) {
    this.#out = out
    out.on('error', () => undefined)
    input.setEncoding('utf8')
    input.on('data', (text: string) => this.#take(text))
    input.on('close', () => {
      this.#ended = true
      for (const waiting of this.#waiting.values()) waiting.reject(new Error('the browser ended'))
    })
  }

  send(method: string, params: Values = {}, sessionId?: string): Promise<Values> {
    if (this.#ended) return Promise.reject(new Error(`${method}: the browser ended`))
    this.#sent += 1
    const id = this.#sent
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject: (error) => reject(new Error(`${method}: ${error.message}`)) })
      this.#out.write(`${JSON.stringify({ id, method, params, ...(sessionId !== undefined && { sessionId }) })}\0`)
    })
  }

  #take(text: string): void {
    const messages = (this.#rest + text).split('\0')
    this.#rest = messages.pop() ?? ''
    for (const { id, result, error } of messages.map((message) => JSON.parse(message))) {
      const waiting = this.#waiting.get(id)
      if (!waiting) continue
      this.#waiting.delete(id)
      if (error) waiting.reject(new Error(error.message))
      else waiting.resolve(result)
    }
  }
}

/** Finds the element of a selector in the page. */
const FIND = `(selector) => selector.startsWith('text=')
  ? [...document.querySelectorAll('a, button, input[type=submit]')]
      .find((element) => (element.innerText || element.value || '').trim() === selector.slice(5))
  : document.querySelector(selector)`

/** Its middle where a click would reach it, else nothing. */
const PLACE = `(selector) => {
  const element = (${FIND})(selector)
  if (!element || element.disabled || element.getAttribute('aria-disabled') === 'true') return
  element.scrollIntoView({ block: 'center', behavior: 'instant' })
  const { x, y, width, height } = element.getBoundingClientRect()
  if (width === 0 || height === 0) return
  const hit = document.elementFromPoint(x + width / 2, y + height / 2)
  if (hit && (element.contains(hit) || hit.closest('label')?.control === element)) return [x + width / 2, y + height / 2]
}`

class Tab implements Page {
  readonly #send: Send

  constructor(send: Send) {
    this.#send = send
  }

  async prepare(): Promise<void> {
    await this.#send('Page.enable')
    await this.#send('Emulation.setFocusEmulationEnabled', { enabled: true })
  }

  async goto(url: string): Promise<void> {
    const { errorText } = await this.#send('Page.navigate', { url })
    if (errorText !== undefined) throw new Error(`${url} cannot be opened: ${JSON.stringify(errorText)}`)
    await this.#until(`${url} loads`, () => this.evaluate(`document.readyState === 'complete'`))
  }

  async url(): Promise<string> {
    return String(await this.evaluate('location.href'))
  }

  async evaluate(expression: string): Promise<unknown> {
    const { result, exceptionDetails } = await this.#send('Runtime.evaluate', { expression, returnByValue: true })
    if (exceptionDetails) throw new Error(`in the page: ${JSON.stringify(exceptionDetails)}`)
    return (result as { value?: unknown }).value
  }

  async see(selector: string): Promise<void> {
    await this.#until(`${selector} appears`, () => this.has(selector))
  }

  async has(selector: string): Promise<boolean> {
    return (await this.#ask(FIND, selector, 'Boolean')) === true
  }

  async text(): Promise<string> {
    return String(await this.evaluate('document.body.innerText'))
  }

  async click(selector: string, result?: string): Promise<void> {
    await this.#press(selector)
    if (result !== undefined)
      await this.#again(
        `${result} appears`,
        () => this.has(result),
        () => this.#pressNow(selector),
      )
  }

  async #press(selector: string): Promise<void> {
    let last = ''
    // An element that moves is not where it was asked for: it has to be at one place twice.
    const place = await this.#until(`${selector} can be clicked`, async () => {
      const found = await this.#ask(PLACE, selector)
      const still = JSON.stringify(found) === last
      last = JSON.stringify(found)
      return still && Array.isArray(found) ? found : undefined
    })
    await this.#mouse(place ?? [])
  }

  /** Clicks where there is something to click at just now. */
  async #pressNow(selector: string): Promise<void> {
    const place = await this.#ask(PLACE, selector)
    if (Array.isArray(place)) await this.#mouse(place)
  }

  async #mouse([x, y]: readonly unknown[]): Promise<void> {
    for (const type of ['mouseMoved', 'mousePressed', 'mouseReleased'])
      await this.#send('Input.dispatchMouseEvent', { type, x, y, button: 'left', clickCount: 1 })
  }

  async fill(selector: string, text: string): Promise<void> {
    const type = async (): Promise<void> => {
      await this.#press(selector)
      await this.#ask(FIND, selector, '(element) => element?.select?.()')
      await this.#send('Input.insertText', { text })
    }
    const wanted = JSON.stringify(text)
    const stands = `(element) => element?.value === ${wanted} || element?.isContentEditable && element.innerText.includes(${wanted})`
    await type()
    await this.#again(`${selector} says ${text}`, async () => (await this.#ask(FIND, selector, stands)) === true, type)
  }

  /** Asks, and acts once more each time that some seconds did not bring it. */
  async #again(what: string, ask: () => Promise<boolean>, act: () => Promise<void>): Promise<void> {
    let acted = Date.now()
    await this.#until(what, async () => {
      if (await ask()) return true
      if (Date.now() - acted < SECOND_TRY) return false
      await act()
      acted = Date.now()
      return false
    })
  }

  async screenshot(file: string): Promise<void> {
    const { data } = await this.#send('Page.captureScreenshot', { format: 'png', captureBeyondViewport: true })
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, String(data), 'base64')
  }

  /** `find` of the selector, then `then` of what it gave; nothing while the page changes. */
  async #ask(find: string, selector: string, then = '(found) => found'): Promise<unknown> {
    return this.evaluate(`(${then})((${find})(${JSON.stringify(selector)}))`)
  }

  /** A page that is just being replaced answers with an error: it is asked again. */
  async #until<T>(what: string, ask: () => Promise<T>): Promise<T> {
    let trouble = ''
    try {
      const answer = await until(
        what,
        async () => {
          try {
            return await ask()
          } catch (error) {
            trouble = String(error)
            return undefined
          }
        },
        PATIENCE,
      )
      return answer as T
    } catch (error) {
      const shown = await this.text().catch(String)
      throw new Error(`${String(error)} ${trouble}\nthe page shows:\n${shown.slice(0, 2000)}`, { cause: error })
    }
  }
}
