import type { TrainingJobView } from '@adbreak/shared/contract/http/training.js';
import { aheadOf, type Jobs, type TrainingJob } from './job.js';

type Standing = TrainingJob['standing'];

/** A job as lists have it. */
export function lineOf(jobs: Jobs, job: TrainingJob) {
  const { id, model, version, dataset, who, asked, standing, interruptions, progress } = job;
  return {
    ...{ id, model, version, dataset, who, asked, interruptions, progress },
    state: standing.state,
    ahead: aheadOf(jobs, id),
    begun: 'begun' in standing ? standing.begun : null,
    ended: 'ended' in standing ? standing.ended : null,
    cancelled: cancelledBy(standing),
  };
}

/** The same with all that is known of it. */
export function viewOf(jobs: Jobs, job: TrainingJob): TrainingJobView {
  const { configuration, settings, epochs, standing } = job;
  return {
    ...lineOf(jobs, job),
    ...{ configuration, settings, epochs },
    failure: standing.state === 'failed' ? standing.failure : null,
    result: standing.state === 'finished' ? standing.result : null,
  };
}

function cancelledBy(standing: Standing): string | null {
  return 'cancelled' in standing ? standing.cancelled : null;
}
