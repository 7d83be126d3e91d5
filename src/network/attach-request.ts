import type { AttachRequest } from './types.ts'

/** An attachment without names, ports or settings of its own. */
export function plainAttach(container: string, mode: string): AttachRequest {
  return {
    container,
    name: '',
    hostname: '',
    mode,
    networks: [],
    ports: [],
    publishAll: false,
    exposedPorts: [],
    links: [],
    dns: { servers: [], search: [], options: [] },
  }
}
