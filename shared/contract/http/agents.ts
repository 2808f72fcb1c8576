import { z } from 'zod';
import { advertised, maskedInput, secureView, sharedOut, unmasking } from '../../aggregation/messages.js';
import { enrolRequest, enrolResponse, renewRequest, renewResponse } from '../messages.js';
import { newDevice, ok, roundParams } from './common.js';
import { contract } from './contract.js';

/** What devices need of HTTP: enrolment by claim token, and everything else by client certificate. */
const enrol = contract({
  method: 'POST',
  path: '/api/v1/enrol',
  access: 'public',
  summary: 'A card’s claim token and signing request for a certificate of the fleet.',
  more: 'The same card with the same key gets the same answer again.',
  body: enrolRequest.extend({ device: newDevice }),
  bodyIs: 'the enrolment',
  answer: enrolResponse,
});
const renew = contract({
  method: 'POST',
  path: '/agent/renew',
  access: 'late-device',
  summary: 'The next certificate, also for one that has ended, within the grace period.',
  body: renewRequest,
  bodyIs: 'the renewal',
  answer: renewResponse,
});
const session = contract({
  method: 'GET',
  path: '/agent/session',
  access: 'device',
  summary: 'Why the broker refused a session: MQTT 3.1.1 has a number only.',
  query: z.object({ instance: z.string().max(64) }),
  answer: ok,
});
const round = contract({
  method: 'GET',
  path: '/agent/evaluations/{round}',
  access: 'device',
  summary: 'The phase of a secure round, and what the device needs for it.',
  params: roundParams,
  answer: secureView,
});
const phase = <const B extends z.ZodType>(name: string, what: string, body: B) =>
  contract({
    method: 'POST',
    path: `/agent/evaluations/{round}/${name}`,
    access: 'device',
    summary: `A device’s part of a secure round: ${what}.`,
    params: roundParams,
    body,
    bodyIs: what,
    answer: ok,
  });
const keys = phase('keys', 'the keys', advertised);
const shares = phase('shares', 'the shares', sharedOut);
const masked = phase('masked', 'the masked input', maskedInput);
const unmask = phase('unmask', 'the shares of others', unmasking);

const metadata = contract({
  method: 'GET',
  path: '/tuf/metadata/{file}',
  access: 'device',
  summary: 'Signed metadata of the registry (TUF 1.0); the next root is asked for until there is none.',
  params: z.object({ file: z.string().max(200) }),
  answer: { media: 'application/json', holds: 'TUF metadata' },
});
const target = contract({
  method: 'GET',
  path: '/tuf/targets/{name}/{version}/{file}',
  access: 'device',
  summary: 'A file that the metadata lists, by its digest.',
  params: z.object({ name: z.string().max(200), version: z.string().max(200), file: z.string().max(200) }),
  answer: { media: 'application/octet-stream', holds: 'a model or its manifest', ranges: true },
});

export const agents = { enrol, renew, session, round, keys, shares, masked, unmask, metadata, target };
