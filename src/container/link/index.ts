/**
 * container/link: what `--link` gives on the default bridge, by Docker's rules: the text of a link, the environment
 * variables of one with its ports and their ranges, and the names of its line in /etc/hosts. All of it is values only:
 * who is linked to whom, what runs, and when files change, is the container room's.
 */
export * from './text.ts'
export { linkVariables } from './variables.ts'
