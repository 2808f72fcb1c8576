/** A plan whose stages pass in seconds: windows of one, days of under four, and as few episodes as a plan may ask for. */
export const PLAN = `
name: crash
role: admin
margin: 0.1
tolerance: 0.05
alphaHarm: 0.1
alphaPromote: 0.1
minDevices: 3
deadlineHours: 1
windowSeconds: 1
lagHours: 0.0003
dayHours: 0.001
labels: all
answerHours: 0.02
wrong: 0.01
silence: { windows: 1000, share: 0.9, suspendHours: 1, missing: 0.9 }
watchHours: 0.001
slices: []
stages:
  - { name: shadow, percent: 0, minEpisodes: 20, soakHours: 0.0005 }
  - { name: canary, percent: 34, minEpisodes: 10, soakHours: 0.0005 }
  - { name: all, percent: 100, minEpisodes: 10, soakHours: 0.0005 }
`;
