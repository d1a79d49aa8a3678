// npm `@pagerduty/pdjs`: one action against the service at CALLBOX_URL. It speaks https only; NODE_EXTRA_CA_CERTS names whom to
// trust. Usage: pdjs_client.mjs trigger|acknowledge|resolve|change [DEDUP_KEY]; prints the key that the service answered.

import { createRequire } from 'node:module';

// The package is installed apart from this file, where a plain import would not look.
const require = createRequire(process.env.CALLBOX_NODE_MODULES + '/');
const { acknowledge, change, resolve, trigger } = require('@pagerduty/pdjs');

const server = new URL(process.env.CALLBOX_URL).host;
const [action, dedupKey] = process.argv.slice(2);
const data = { routing_key: process.env.CALLBOX_KEY };
const payload = { summary: 'the cache is cold', source: 'cache-1.example.com', severity: 'error' };

const calls = {
  trigger: () => trigger({ server, data: { ...data, payload } }),
  acknowledge: () => acknowledge({ server, data: { ...data, dedup_key: dedupKey } }),
  resolve: () => resolve({ server, data: { ...data, dedup_key: dedupKey } }),
  change: () => change({ server, data: { ...data, payload: { summary: 'a change by pdjs', source: 'ci.example.com' } } }),
};

const answer = await calls[action]();
if (answer.response.status !== 202) {
  throw new Error(`${answer.response.status} ${JSON.stringify(answer.data)}`);
}
console.log(answer.data.dedup_key ?? '');
