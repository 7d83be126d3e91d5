import { randomInt } from 'node:crypto'
import { conflict, invalid } from '#base'

const ADJECTIVES = (
  'agile amber ample balmy bold brave breezy bright brisk calm candid clever cosy crisp curious dapper daring deft eager ' +
  'early earnest elegant fair festive fleet fond frosty gentle glad golden graceful grand handy hardy hazel honest humble ' +
  'jolly keen kind lively loyal lucid lucky mellow merry mild modest neat nimble noble patient placid playful polite prompt ' +
  'proud quick quiet rapid ready robust rosy sage serene shiny sincere smart snowy sober solar spry stable steady sturdy ' +
  'sunny swift tender tidy tranquil trusty upbeat valiant vivid warm wise witty zesty'
).split(' ')

const SURNAMES = (
  'abel agnesi airy alhazen ampere archimedes avicenna babbage banneker bernoulli bessel bohr boole born bose brahe ' +
  'cannon carson cauchy cavendish celsius chandra copernicus coulomb crick curie dalton darwin descartes dirac doppler ' +
  'edison einstein euclid euler faraday fermat fermi fleming fourier franklin galois gauss germain goodall halley hamilton ' +
  'herschel hertz hilbert hodgkin hopper hubble huygens hypatia joule kelvin kepler kovalevskaya lagrange laplace lavoisier ' +
  'leavitt leibniz linnaeus lovelace maxwell mayer meitner mendel mirzakhani mitchell newton noether ohm pascal pasteur ' +
  'pauli payne planck poincare ptolemy ramanujan riemann ritchie rubin rutherford somerville tesla thales turing volta wu'
).split(' ')

/** Tries of two words before a number is put behind. */
const TRIES = 20

/** A free name `adjective_surname`. `pick` gives a whole number below its argument. */
export function randomName(isTaken: (name: string) => boolean, pick: (below: number) => number = randomInt): string {
  for (let attempt = 0; ; attempt += 1) {
    const words = `${ADJECTIVES[pick(ADJECTIVES.length)]}_${SURNAMES[pick(SURNAMES.length)]}`
    const name = attempt < TRIES ? words : `${words}${pick(10 ** 6)}`
    if (!isTaken(name)) return name
  }
}

const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/

/** The name without its slash. Throws `invalid` or `conflict` in Docker's words. */
export function checkName(given: string, ownerOf: (name: string) => string | undefined): string {
  const name = given.replace(/^\//, '')
  if (!NAME.test(name)) throw invalid(`Invalid container name (${given}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`)
  const owner = ownerOf(name)
  if (owner !== undefined) throw conflict(nameConflict(name, owner))
  return name
}

function nameConflict(name: string, owner: string): string {
  return (
    `Conflict. The container name "/${name}" is already in use by container "${owner}". ` +
    'You have to remove (or rename) that container to be able to reuse that name.'
  )
}
