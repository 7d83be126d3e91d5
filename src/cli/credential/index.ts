/**
 * cli/credential: who the user is at which registry: docker's config.json, the programs `docker-credential-…`, the
 * headers that hand credentials to the daemon, and the commands login and logout. It promises that a secret goes into
 * the file (only its owner reads it), to a helper's standard input, or into a header, and nowhere else, and that a file
 * keeps what others wrote into it. Whether a password is right is asked of the daemon.
 */
export { buildHeaders, registryHeaders } from './headers.ts'
export { login } from './login.ts'
export { logout } from './logout.ts'
