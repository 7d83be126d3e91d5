import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inspectorOf } from '#cli/kit'
import { typed } from './typed.ts'

const CONTAINER = {
  Id: '0123',
  State: { Status: 'created' },
  HostConfig: { NanoCpus: 5, Dns: [] },
  Config: { Labels: { a: '1' }, Image: 'x' },
  NetworkSettings: { Networks: { bridge: { IPAddress: '1.2.3.4' } }, Ports: {} },
}
const IMAGE = { Id: 'sha256:0', RootFS: {}, Config: { Env: ['A=1'], Labels: null, User: '' } }

const show = (template: string, sent: unknown): string => inspectorOf(template)(typed(sent), sent)

test('a template of inspect knows the members that the JSON calls otherwise, or leaves out', () => {
  for (const [template, expected] of [
    ['{{.ID}} {{.Id}}', '0123 0123'],
    ['{{.HostConfig.NanoCPUs}} {{.HostConfig.DNS}} {{json .HostConfig.Mounts}}', '5 [] null'],
    ['{{.Config.StopTimeout}}|{{.Config.StopSignal}}|{{.SizeRw}}', '<nil>||<nil>'],
    ['{{.Config.Labels.a}} {{.Config.Labels.b}} {{if .Config.Labels.b}}yes{{else}}no{{end}}', '1 <no value> no'],
    ['{{.NetworkSettings.Networks.bridge.IPAddress}} {{.NetworkSettings.Networks.x.IPAddress}}', '1.2.3.4 <no value>'],
    ['{{json .HostConfig}}', '{"NanoCpus":5,"Dns":[]}'],
    ['{{json .Config}}', '{"Labels":{"a":"1"},"Image":"x"}'],
  ] as const)
    assert.equal(show(template, CONTAINER), expected, template)
  assert.equal(show('{{.ID}} {{.Config.Labels.x}} {{json .Variant}}', IMAGE), 'sha256:0 <no value> ""')
  assert.equal(show('{{json .Config}}', IMAGE), '{"Env":["A=1"]}')
  assert.equal(show('{{.ID}} {{.Peers}} {{.Labels.x}}', { Id: 'n', Labels: {} }), 'n [] <no value>')
})

test('a template that fails on the type is told what the JSON has not', () => {
  for (const [template, key] of [
    ['{{.State.Health.Status}}', 'Health'],
    ['{{.Nosuch}}', 'Nosuch'],
    ['{{.NetworkSettings.Ports.x}}', 'x'],
  ] as const)
    assert.throws(() => show(template, CONTAINER), new RegExp(`map has no entry for key "${key}"$`), template)
})
