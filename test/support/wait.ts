const STEP = 25

/** Asks until the answer is truthy; throws after `seconds`, saying what was waited for. For tests on the real kernel only. */
export async function until<T>(
  what: string,
  ask: () => T | Promise<T>,
  seconds = 30,
): Promise<Exclude<T, undefined | false | null>> {
  const end = Date.now() + seconds * 1000
  for (;;) {
    const answer = await ask()
    if (isAnswer(answer)) return answer
    if (Date.now() > end) throw new Error(`${what}: not within ${seconds} s`)
    await new Promise((resolve) => setTimeout(resolve, STEP))
  }
}

function isAnswer<T>(answer: T): answer is Exclude<T, undefined | false | null> {
  return answer !== undefined && answer !== null && answer !== false
}
