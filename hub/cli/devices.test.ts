import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fleet } from '@adbreak/shared/contract/http/fleet.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { publish } from '../testing/chain.js';
import { runAt } from '../testing/command.js';
import { enrolByHand } from '../testing/enrol.js';
import { MODEL } from '../testing/state.js';
import { storedState } from '../testing/store.js';
import { type TestHub, testHub } from '../testing.js';
import { callBy } from './client.js';

const SPORTS = 'sports-ad-detector';
async function furnished(t: Parameters<typeof testHub>[0]): Promise<TestHub> {
  const hub = await testHub(t);
  await publish(hub, '1.0.0');
  await publish(hub, '4.0.0', 1, { name: SPORTS });
  for (const device of ['pi-1', 'pi-2', 'pi-3']) await enrolByHand(hub, device);
  return hub;
}
const show = (hub: TestHub, id: string) => callBy(hub, fleet.show, { params: { id } });
async function table(text: string): Promise<string> {
  const path = join(await temporaryFolder(), 'fleet.csv');
  await writeFile(path, text);
  return path;
}

test('devices are set by name and by what they have in common; a dry run says what would change and changes nothing', async (t) => {
  const hub = await furnished(t);
  const devices = (...args: string[]) => runAt(hub, 'devices', ...args);
  const asked = ['set', 'pi-1', '--model', SPORTS, '--tags', 'ring=early', '--site', 'attic'];
  const dry = await devices(...asked, '--dry-run');
  assert.equal(dry.code, 0, dry.error);
  assert.equal(
    dry.out,
    [
      'pi-1',
      `  model: ${MODEL} → ${SPORTS}`,
      '  tags: none → ring=early',
      '  site: none → attic',
      `  it runs ${SPORTS} 4.0.0, once it is there`,
      '1 device would change, 0 are so already',
      '',
    ].join('\n'),
  );
  assert.equal((await show(hub, 'pi-1')).model, MODEL);
  assert.match((await devices(...asked)).out, /1 device changed, 0 are so already/);
  assert.match((await devices(...asked)).out, /^0 devices changed, 1 is so already\n$/);
  const many = await devices('set', '--where', `model=${MODEL}`, '--tags', 'ring=late');
  assert.match(many.out, /2 devices changed/);
  const list = await devices('list', '--columns', 'device,model,site,tags', '--where', 'tag=ring:early');
  assert.match(list.out, /^device +model +site +tags\npi-1 +sports-ad-detector +attic +ring=early\n$/);
  assert.match((await devices('show', 'pi-1')).out, /^pi-1\n {2}model +sports-ad-detector\n[\s\S]*days left/);
  for (const [wrong, why] of [
    [['set'], /give either a name or --where/],
    [['set', 'pi-1'], /nothing is said of what they shall be/],
    [['set', '--where', 'sight=home', '--tags', 'a=b'], /"sight=home": it is no condition/],
    [['set', 'pi-1', '--model', 'no-such-model'], /there is no model no-such-model/],
    [['list', '--columns', 'device,colour'], /the column "colour"/],
  ] as const) {
    const { code, error } = await devices(...wrong);
    assert.equal(code, 1);
    assert.match(error, why);
  }
});

test('a table goes out and comes in again as it is, and what a spreadsheet would take for a formula is text in it', async (t) => {
  const hub = await furnished(t);
  const devices = (...args: string[]) => runAt(hub, 'devices', ...args);
  await devices('set', 'pi-1', '--channel', '=HYPERLINK("http://evil.example")', '--tags', 'note=a, "b"');
  await devices('set', 'pi-2', '--site=-2+3');
  const { out } = await devices('list', '--csv', '--columns', 'device,site,channel,tags');
  assert.equal(
    out,
    [
      'device,site,channel,tags',
      `pi-1,,"'=HYPERLINK(""http://evil.example"")","note=a, ""b"""`,
      "pi-2,'-2+3,,",
      'pi-3,,,',
      '',
    ].join('\r\n'),
  );
  const whole = await table((await devices('list', '--csv')).out);
  assert.match((await devices('import', whole)).out, /^0 devices changed, 3 are so already\n$/);
  const edited = await table(`device,model,channel,tags\r\npi-3,${SPORTS},'=two,ring=early; use=x\r\n`);
  const dry = await devices('import', edited, '--dry-run');
  assert.match(dry.out, /pi-3\n[\s\S]*channel: none → =two\n[\s\S]*1 device would change/);
  assert.equal((await devices('import', edited)).code, 0);
  const { model, channel, tags } = await show(hub, 'pi-3');
  assert.deepEqual([model, channel, tags], [SPORTS, '=two', { ring: 'early', use: 'x' }]);
});

test('a table that is wrong anywhere changes nothing, and says where', async (t) => {
  const hub = await furnished(t);
  const imported = async (text: string) => runAt(hub, 'devices', 'import', await table(text));
  for (const [text, why] of [
    ['', /it is empty/],
    ['model,tags\r\nx,y\r\n', /no column `device`/],
    ['device,colour\r\npi-1,red\r\n', /it has a column "colour"/],
    ['device,model\r\npi-1\r\n', /line 2/],
    ['device,model\r\n"pi-1,x\r\n', /Quote Not Closed/],
    ['device,model,model\r\npi-1,a,b\r\n', /the column model twice/],
    ['device,tags\r\n,ring=early\r\n', /row 1 names no device/],
    ['device,tags\r\npi-1,RING\r\n', /"RING": it is not key=value/],
    ['device,model\r\npi-1,NO MODEL\r\n', /must be a model name/],
    [`device,model\r\npi-1,${SPORTS}\r\npi-1,${MODEL}\r\n`, /pi-1: it comes twice/],
  ] as const) {
    const { code, error } = await imported(text);
    assert.equal(code, 1, text);
    assert.match(error, why, text);
  }
  const mixed = await imported(`device,model\r\npi-1,${SPORTS}\r\npi-9,${SPORTS}\r\n`);
  assert.equal(mixed.code, 1);
  assert.match(mixed.out, /refused \(not_found\): Cannot change device pi-9: it is not enrolled/);
  assert.equal((await show(hub, 'pi-1')).model, MODEL);
});

test('each --device of a claim gets a token of its own, and one that is no name makes none', async (t) => {
  const hub = await testHub(t);
  const claim = (...args: string[]) => runAt(hub, 'devices', 'claim', ...args);
  const both = await claim('--device', 'pi-1', '--device', 'pi-2', '--hours', '3');
  const made = JSON.parse(both.out) as { device: string; tokens: string[] }[];
  assert.deepEqual(
    made.map(({ device, tokens }) => [device, tokens.length]),
    [
      ['pi-1', 1],
      ['pi-2', 1],
    ],
  );
  const { claims } = await storedState(hub.folder);
  assert.deepEqual(
    Object.values(claims)
      .map(({ device }) => device)
      .sort(),
    ['pi-1', 'pi-2'],
  );
  for (const [wrong, why] of [
    [
      ['--device', 'pi-3', '--device', 'PI 4'],
      /error input_invalid: Cannot accept the device "PI 4": must be/,
    ],
    [['--device', 'pi-3', '--count', '2'], /error input_invalid: Cannot make claims: --count is for devices/],
  ] as const) {
    const { code, error, out } = await claim(...wrong);
    assert.deepEqual([code, out], [1, '']);
    assert.match(error, why);
  }
  assert.equal(Object.keys((await storedState(hub.folder)).claims).length, 2);
  assert.equal((JSON.parse((await claim('--device', 'pi-5')).out) as { tokens: string[] }).tokens.length, 1);
});
