/**
 * container/link: what `--link` gives on the default bridge, by Docker's rules: the text of a link, the environment
 * variables of one, and its line for /etc/hosts. Who is linked to whom, and when lines change, is the container room's.
 */
export * from './text.ts'
export { linkVariables } from './variables.ts'
