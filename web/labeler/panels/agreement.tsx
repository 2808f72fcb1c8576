import type { Agreement } from '@adbreak/shared/contract/labelling.js';
import { Button } from '../../kit/parts.js';
import { formatClock, formatLength } from '../clock.js';
import type { Desk } from '../desk.js';
import * as state from '../state.js';

/** How far labellers agree, and where somebody has to have the last word. */
export function AgreementPanel({ desk }: { readonly desk: Desk }) {
  const agreement = state.agreement.value;
  if (agreement === null) return <p class="empty">Comparing the labellers …</p>;
  if (agreement.pairs.length === 0)
    return (
      <p class="empty">
        Only one person has labelled so far. When a second one has, this says how far they agree.
      </p>
    );
  return (
    <section aria-label="Agreement of labellers" class="panel">
      <Pairs pairs={agreement.pairs} />
      {agreement.control.length > 0 && <Control control={agreement.control} />}
      <h3>{agreement.disputes.length === 0 ? 'No disputes' : `Disputes: ${agreement.disputes.length}`}</h3>
      <ol class="rows">
        {agreement.disputes.map((dispute) => (
          <Dispute key={`${dispute.recording}${dispute.start}`} desk={desk} dispute={dispute} />
        ))}
      </ol>
    </section>
  );
}

function Pairs({ pairs }: { pairs: Agreement['pairs'] }) {
  return (
    <table class="table">
      <thead>
        <tr>
          <th scope="col">Labellers</th>
          <th scope="col">Cohen’s κ</th>
          <th scope="col">Both labelled</th>
        </tr>
      </thead>
      <tbody>
        {pairs.map(({ a, b, kappa, seconds }) => (
          <tr key={`${a}/${b}`}>
            <td>
              {a} and {b}
            </td>
            <td>{kappa === null ? 'one label only' : kappa.toFixed(2)}</td>
            <td>{formatLength(seconds)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Control({ control }: { control: Agreement['control'] }) {
  return (
    <ul class="control">
      {control
        .filter(({ answered }) => answered > 0)
        .map(({ labeller, answered, right }) => (
          <li key={labeller}>
            {labeller}: {right} of {answered} hidden control items right
          </li>
        ))}
    </ul>
  );
}

type Disputed = Agreement['disputes'][number];

function Dispute({ desk, dispute }: { desk: Desk; dispute: Disputed }) {
  const { recording, start, end, says } = dispute;
  const name = state.recordings.value.find(({ id }) => id === recording)?.name ?? 'another recording';
  const look = async () => {
    await desk.open(recording);
    desk.seek(start);
    desk.choose({ start, end, spot: null });
  };
  return (
    <li class="dispute">
      <p class="row-head">
        <strong>{formatClock(start)}</strong> <span>{formatLength(end - start)}</span>
      </p>
      <p class="row-where">{name}</p>
      <p class="says">
        {Object.entries(says).map(([who, label]) => (
          <span key={who}>
            {who} says <span class={`badge ${label}`}>{label === 'ad' ? 'AD' : 'CONTENT'}</span>
          </span>
        ))}
      </p>
      <div class="buttons">
        <Button onPress={() => void look()}>Look</Button>
        <Button look="ad" onPress={() => desk.settle(dispute, 'ad')}>
          It is an ad
        </Button>
        <Button look="content" onPress={() => desk.settle(dispute, 'content')}>
          It is content
        </Button>
      </div>
    </li>
  );
}
