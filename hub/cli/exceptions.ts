import { check } from '@adbreak/shared/contract/parse.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import type { Command } from 'commander';
import { z } from 'zod';
import { call, print, type Remote, say, type remote as withHub } from './remote.js';

interface ExceptionFlags extends Remote {
  lift?: string;
  reason?: string;
  json: boolean;
}

/** `adbreak models exceptions MODEL`: lists them, or lifts one. */
export function exceptionCommand(models: Command, remote: typeof withHub): void {
  remote(models.command('exceptions <model>'))
    .description(
      'slices and devices that stay on an earlier version, and why; --lift puts one back on production',
    )
    .option(
      '--lift <name>',
      'channel=one, device=pi-3, …: back on production, without the gate, by your word; needs the role admin',
    )
    .option('--reason <text>', 'why it is lifted; kept in the audit log')
    .option('--json', 'the whole answer, as JSON', false)
    .action(exceptions);
}

async function exceptions(model: string, flags: ExceptionFlags): Promise<void> {
  const { lift, reason } = flags;
  if (lift === undefined && reason !== undefined)
    throw new AdbreakError(
      'input_invalid',
      'Cannot take --reason alone: listing exceptions changes nothing',
      {
        remedy: 'Name what to lift: --lift channel=one.',
      },
    );
  const path = `/api/v1/models/${encodeURIComponent(model)}/exceptions`;
  const answer =
    lift === undefined
      ? await call(flags, path)
      : await call(flags, `${path}/lift`, {
          method: 'POST',
          json: { name: lift, ...(reason !== undefined && { reason }) },
        });
  if (flags.json) print(answer);
  else say(check(z.object({ text: z.string() }), answer, 'the answer of the hub').text);
}
