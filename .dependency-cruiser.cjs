/**
 * The boundaries of docs/architecture.md, "The folders", each by folder and one way. Imports between workspaces are seen
 * too: tsconfig.boundaries.json leads a package's name to its sources, where its own `exports` lead to what is compiled.
 */

/** What a test needs beside what it tests. It stands next to the code and never ships (docs/decisions/014). */
const HELPERS = '(^|/)testing(/|\\.ts$)|(^|/)fixtures\\.ts$|^hub/store/contract\\.ts$';
const TESTS = '\\.test\\.ts$';
/** What of the assessment reads files and starts processes. */
const ASSESS_SHELLS = 'benchmark|benchmark-worker|command|models|run|run-log|source|thumbnails';
const FEATURES = 'rollouts|evaluations|fleet|monitoring|simulate';

const rule = (name, comment, from, to) => ({ name, comment, severity: 'error', from, to });
const outside = (from, others) =>
  rule(
    `${from}-stays-inside`,
    'Workspaces meet in shared, or as processes. Nobody imports tools.',
    { path: `^${from}/` },
    { path: `^(${others.join('|')})/` },
  );

module.exports = {
  forbidden: [
    outside('shared', ['edge', 'hub', 'trainer', 'tools', 'web']),
    outside('edge', ['hub', 'trainer', 'tools', 'web']),
    outside('hub', ['edge', 'trainer', 'tools', 'web']),
    outside('trainer', ['edge', 'hub', 'tools', 'web']),
    outside('tools', ['edge']),
    rule(
      'web-knows-the-contract',
      'A page knows what is said over the wire, and nothing of who says it.',
      { path: '^web/', pathNot: `${TESTS}|${HELPERS}` },
      { path: '^(shared/(?!contract/)|edge/|hub/|trainer/|tools/)' },
    ),
    rule(
      'web-runs-in-a-browser',
      'A page has no file system and no process.',
      { path: '^web/(kit|labeler)/', pathNot: `${TESTS}|${HELPERS}` },
      { dependencyTypes: ['core'] },
    ),
    rule('no-cycles', 'Of two files that need each other, one part is a third.', {}, { circular: true }),
    rule(
      'hub-wires-at-the-top',
      'Only the command line and the files at the root of hub/ wire; what they wire does not know them.',
      { path: '^hub/[^/]+/', pathNot: `^hub/cli/|${TESTS}|${HELPERS}` },
      { path: '^hub/([^/]+\\.ts$|cli/)' },
    ),
    rule(
      'hub-cli-is-the-end',
      'The command line wires the hub, not the hub the command line.',
      { path: '^hub/[^/]+\\.ts$', pathNot: `${TESTS}|${HELPERS}` },
      { path: '^hub/cli/' },
    ),
    rule(
      'hub-below-the-doors',
      'A feature or a port does not know who asks, over HTTP or MQTT.',
      {
        path: `^hub/(${FEATURES}|training|store|identity|registry|accounts)/`,
        pathNot: `${TESTS}|${HELPERS}`,
      },
      { path: '^hub/(http|broker)/', pathNot: HELPERS },
    ),
    rule(
      'hub-doors-apart',
      'The broker does not know the HTTP server.',
      { path: '^hub/broker/', pathNot: TESTS },
      { path: '^hub/http/' },
    ),
    rule(
      'hub-trust-alone',
      'Who may come in, and what is signed, depends on no feature.',
      { path: '^hub/(identity|registry|accounts)/', pathNot: TESTS },
      { path: `^hub/(${FEATURES}|training)/` },
    ),
    rule(
      'rollouts-core',
      'The gate and what it stands on know neither the store nor who carries out what they decide.',
      { path: '^hub/rollouts/([^/]+\\.ts$|report/|first-gate/)', pathNot: `${TESTS}|${HELPERS}` },
      { path: '^hub/(?!rollouts/|simulate/)|^hub/rollouts/(lifecycle|log)/' },
    ),
    rule(
      'edge-core',
      'What is decided of frames knows no camera, no file and no hub.',
      { path: '^edge/(decide|shadow)/', pathNot: TESTS },
      { path: '^edge/(?!decide/|shadow/)' },
    ),
    rule(
      'pure-core',
      'Decisions take time and chance as parameters and do no I/O. Named are the shells, and a hash and a path.',
      {
        path: `^(shared/evidence|shared/decide|shared/recurrence|edge/decide|edge/shadow|hub/(${FEATURES})|trainer/nn|trainer/assess)/|^edge/models/slots\\.ts$`,
        pathNot: `${TESTS}|${HELPERS}|^hub/rollouts/(lifecycle|log)/|^hub/(evaluations/evaluations|rollouts/cohort|simulate/scenario)\\.ts$|^trainer/assess/(${ASSESS_SHELLS})\\.ts$`,
      },
      { dependencyTypes: ['core'] },
    ),
    rule(
      'product-without-helpers',
      'Nothing that ships needs what does not.',
      { pathNot: `${TESTS}|${HELPERS}|^tools/` },
      { path: HELPERS },
    ),
    rule('not-from-tests', 'A test is imported by nobody.', { pathNot: TESTS }, { path: TESTS }),
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.boundaries.json' },
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)dist/' },
    enhancedResolveOptions: {
      exportsFields: [],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
    },
  },
};
