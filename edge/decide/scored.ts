/** A frame of a recording as the model scored it. */
export interface Scored {
  /** Seconds. */
  readonly time: number;
  /** p(ad) */
  readonly probability: number;
  /** Like nothing in training: what the model says of it is worth nothing. */
  readonly unlike?: boolean;
}
