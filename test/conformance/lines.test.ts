import { testEnvironment } from '#test/environment'
import { testAreas } from '#test/line-areas'
import { clientMajor } from '#test/lines'
import { ownMountNamespace } from '#test/mount-namespace'

ownMountNamespace()

const { docker } = testEnvironment()
const major = await clientMajor(docker)

testAreas({ program: docker, major, marks: [major, '*'], settle: (answer) => answer })
