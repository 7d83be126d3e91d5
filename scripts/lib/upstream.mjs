// Whether docker.io itself can be reached: then the daemon pulls from there and needs no stand-in.
const PATIENCE = 1500

export async function reachesDockerHub() {
  try {
    const reply = await fetch('https://registry-1.docker.io/v2/', { signal: AbortSignal.timeout(PATIENCE) })
    return reply.headers.get('docker-distribution-api-version') === 'registry/2.0'
  } catch {
    return false
  }
}
