import { StringDecoder } from 'node:string_decoder'
import { abbreviate } from '#base'
import type { BuildEvent, BuildOutcome } from '#engine'
import { familiarReference } from '#oci'
import type { ProgressLine } from '#wire'
import { progressLine } from '#api/exchange'

/** Docker's classic builder shows what goes to stderr in red. */
const RED = '\u001B[91m'
const PLAIN = '\u001B[0m'

type Write = (line: ProgressLine) => void
type StreamName = 'stdout' | 'stderr'

/**
 * The classic build stream out of the events of a build whose stages go on at the same time. Lines come in the order of
 * the Dockerfile: those of the first step that is not done at once, those of the others when it is their turn.
 */
export class BuildStream {
  readonly #write: Write
  /** Those that are not done, in the order of the Dockerfile. */
  readonly #open = new Map<number, StepStream>()
  readonly #closing: string[] = []
  #count = 0

  constructor(write: Write) {
    this.#write = write
  }

  event(event: BuildEvent): void {
    if (event.kind === 'plan') this.#plan(event.steps)
    else if (event.kind === 'warning') this.#warn(event)
    else {
      this.#open.get(event.step)?.event(event)
      this.#release()
    }
  }

  /** The last lines of a build that went well. */
  finish({ image, tags }: BuildOutcome): void {
    this.flush()
    this.#write({ aux: { ID: image } })
    for (const text of this.#closing) this.#write({ stream: text })
    this.#write({ stream: `Successfully built ${abbreviate(image)}\n` })
    for (const tag of tags) this.#write({ stream: `Successfully tagged ${familiarReference(tag)}\n` })
  }

  /** Puts out what steps have said whose turn had not come: the failed one may be among them. */
  flush(): void {
    for (const step of this.#open.values()) step.flush(this.#write)
  }

  #plan(steps: Extract<BuildEvent, { kind: 'plan' }>['steps']): void {
    const ordered = steps.toSorted((one, other) => one.number - other.number)
    const first = ordered.find(({ text }) => /^from\b/i.test(text))?.number ?? 0
    this.#count = ordered.at(-1)?.number ?? 0
    for (const { number, text } of ordered)
      this.#open.set(number, new StepStream(`Step ${number}/${this.#count} : ${text}`, number < first))
  }

  /** What the Dockerfile's reader says comes first, what the whole build showed comes last. */
  #warn({ step, text }: Extract<BuildEvent, { kind: 'warning' }>): void {
    const line = `${text.startsWith('[Warning]') ? '' : '[Warning] '}${text}\n`
    const at = step === undefined ? undefined : this.#open.get(step)
    if (at) at.say({ stream: line })
    else if (text.startsWith('[Warning]')) this.#closing.push(line)
    else this.#write({ stream: line })
    this.#release()
  }

  #release(): void {
    for (const [number, step] of this.#open) {
      step.flush(this.#write)
      if (!step.done) return
      this.#open.delete(number)
    }
  }
}

type StepEvent = Exclude<BuildEvent, { kind: 'plan' | 'warning' }>

class StepStream {
  readonly #title: string
  /** An ARG before the first FROM has no outcome: it is done once it began. */
  readonly #endsAtStart: boolean
  readonly #decoders: Readonly<Record<StreamName, StringDecoder>> = {
    stdout: new StringDecoder('utf8'),
    stderr: new StringDecoder('utf8'),
  }
  #waiting: ProgressLine[] = []
  /** A RUN's id while it goes on. */
  #running: string | undefined
  done = false

  constructor(title: string, endsAtStart: boolean) {
    this.#title = title
    this.#endsAtStart = endsAtStart
  }

  say(line: ProgressLine): void {
    this.#waiting.push(line)
  }

  flush(write: Write): void {
    const lines = this.#waiting
    this.#waiting = []
    for (const line of lines) write(line)
  }

  event(event: StepEvent): void {
    switch (event.kind) {
      case 'start':
        this.#text(this.#title)
        this.#text('\n')
        this.done = this.#endsAtStart
        return
      case 'cached':
        return this.#text(' ---> Using cache\n')
      case 'run':
        this.#running = abbreviate(event.id)
        return this.#text(` ---> Running in ${this.#running}\n`)
      case 'output':
        return this.#output(event.stream, this.#decoders[event.stream].write(Buffer.from(event.bytes)))
      case 'pull':
        return this.say(progressLine(event.progress))
      case 'done':
        return this.#end(event.image)
    }
  }

  #end(image: string): void {
    for (const name of ['stdout', 'stderr'] as const) this.#output(name, this.#decoders[name].end())
    if (this.#running !== undefined) this.#text(` ---> Removed intermediate container ${this.#running}\n`)
    this.#text(` ---> ${abbreviate(image)}\n`)
    this.done = true
  }

  #output(name: StreamName, text: string): void {
    if (text !== '') this.#text(name === 'stderr' ? `${RED}${text}${PLAIN}` : text)
  }

  #text(stream: string): void {
    this.say({ stream })
  }
}
