import { webcrypto } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ROLES, type Role } from '@adbreak/shared/contract/http/access.js';
import type { AnswerOf } from '@adbreak/shared/contract/http/contract.js';
import { OPERATOR_DAYS, operators } from '@adbreak/shared/contract/http/operators.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { exists, writeAtomic } from '@adbreak/shared/storage/atomic.js';
import { Argument, type Command, InvalidArgumentError, Option } from 'commander';
import { askHub, print, type Remote, say, type remote as withHub } from './remote.js';

type Operator = AnswerOf<typeof operators.setRole>;
interface CertificateFlags extends Remote {
  role: Role;
  days: number;
  csr?: string;
  output: string;
}

/** `adbreak operators …`: programs and machines that command over MQTT. docs/protocol/operators.md. */
export function operatorCommands(program: Command, remote: typeof withHub): void {
  const own = program.command('operators').description('programs and machines that command over MQTT');

  remote(own.command('certificate <name>'))
    .description('a key, made here, and a certificate for it; a known operator gets one more')
    .addOption(new Option('--role <role>', 'what it may do').choices(ROLES).makeOptionMandatory())
    .option('--days <n>', 'how long it opens anything', days, OPERATOR_DAYS)
    .option('--csr <file>', 'a signing request (PEM) whose key stays where it is')
    .option('--output <dir>', 'folder of NAME.key, NAME.pem and ca.pem', '.')
    .action(certificate);
  remote(own.command('list'))
    .description('all of them: what they may do, and until when')
    .option('--json', 'as JSON', false)
    .action(async (flags: Remote & { json: boolean }) => {
      const answer = await askHub(flags, operators.list, {});
      if (flags.json) return print(answer);
      for (const one of answer.operators) say(operatorLine(one));
    });
  remote(own.command('role <name>'))
    .description('what it may do from now on, in open sessions too')
    .addArgument(new Argument('<role>', 'the role').choices(ROLES))
    .action(async (name: string, role: Role, flags: Remote) =>
      say(operatorLine(await askHub(flags, operators.setRole, { params: { name }, body: { role } }))),
    );
  remote(own.command('revoke <name>'))
    .description('ends all its certificates and its sessions')
    .action(async (name: string, flags: Remote) =>
      say(operatorLine(await askHub(flags, operators.revoke, { params: { name } }))),
    );
}

/** Nothing is overwritten: a key that is gone cannot be made again. */
async function certificate(name: string, flags: CertificateFlags): Promise<void> {
  const { role, days: life, output } = flags;
  const paths = { key: join(output, `${name}.key`), certificate: join(output, `${name}.pem`) };
  const made = flags.csr === undefined;
  for (const path of made ? [paths.key, paths.certificate] : [paths.certificate])
    if (await exists(path))
      throw new AdbreakError('conflict', `Cannot write ${path}: it is there already`, {
        remedy: 'Choose another folder with --output, or move it away.',
      });
  const { key, csr } = flags.csr === undefined ? await newRequest(name) : await readRequest(flags.csr);
  const body = { csr, role, days: life };
  const answer = await askHub(flags, operators.certificate, { params: { name }, body });
  if (key !== null) await writeAtomic(paths.key, key, { mode: 0o600 });
  await writeAtomic(paths.certificate, answer.certificate);
  const authority = join(output, 'ca.pem');
  if (!(await exists(authority))) await writeAtomic(authority, answer.authority);
  const files = [...(made ? [paths.key] : []), paths.certificate].join(', ');
  say(
    `wrote ${files}: ${name} is ${role} over MQTT, as client operator:${name}; the hub's authority is ${authority}`,
  );
}

async function newRequest(name: string): Promise<{ key: string; csr: string }> {
  // Ten megabytes, which no other command needs.
  const { PemConverter, Pkcs10CertificateRequestGenerator } = await import('../identity/x509.js');
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const request = await Pkcs10CertificateRequestGenerator.create({
    name: `CN=${name}`,
    keys,
    signingAlgorithm: algorithm,
  });
  const key = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
  return { key: PemConverter.encode(key, 'PRIVATE KEY'), csr: request.toString('pem') };
}

async function readRequest(path: string): Promise<{ key: null; csr: string }> {
  const csr = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new AdbreakError('not_found', `Cannot read the signing request ${path}`, { cause });
  });
  return { key: null, csr };
}

function operatorLine({ name, role, certificates }: Operator): string {
  const ends = certificates.map(({ fingerprint, ends: end, revoked }) => {
    const until = revoked === null ? `until ${end}` : `revoked ${revoked}`;
    return `${fingerprint.slice(0, 12)} ${until}`;
  });
  return `${name}  ${role}  ${ends.join('; ')}`;
}

function days(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value > 0)) throw new InvalidArgumentError('It must be a number of days.');
  return value;
}
