/** Boundaries of docs/architecture.md: shared imports nothing of the others; edge, hub and trainer import shared alone. */
const outside = (from, others) => ({
  name: `${from}-stays-inside`,
  severity: 'error',
  comment: 'Workspaces meet in shared, or as processes. Nobody imports tools, which never ship.',
  from: { path: `^${from}/` },
  to: { path: `^(${others.join('|')})/` },
});
module.exports = {
  forbidden: [
    outside('shared', ['edge', 'hub', 'trainer', 'tools']),
    outside('edge', ['hub', 'trainer', 'tools']),
    outside('hub', ['edge', 'trainer', 'tools']),
    outside('trainer', ['edge', 'hub', 'tools']),
    outside('tools', ['edge']),
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'pure-core',
      severity: 'error',
      comment: 'Decisions take time and chance as parameters and do no I/O.',
      from: {
        path: '^(shared/evidence|edge/decide|edge/shadow|edge/models/slots\\.ts|hub/rollouts/(gate|verdicts|windows|apart|silence|health|drift|evidence|cause|explain|forecast|replay|rollout|step|standing|events|words)\\.ts|hub/rollouts/first-gate|hub/fleet/exceptions(-text)?\\.ts|hub/evaluations/(round|text)\\.ts|hub/monitoring|hub/simulate/(living-rooms|feed|room-evidence|programme|simulate)\\.ts|trainer/nn|trainer/assess)',
        pathNot: '\\.test\\.ts$',
      },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'not-from-tests',
      severity: 'error',
      from: { pathNot: '\\.test\\.ts$' },
      to: { path: '\\.test\\.ts$' },
    },
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
