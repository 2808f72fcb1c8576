/** For how long the device shows itself: its page asks. Time is milliseconds of a clock that nobody sets. */
export class Beacon {
  #until = 0;

  /** From now on for so many seconds; a longer call that runs already stays. */
  call(seconds: number, now: number): void {
    this.#until = Math.max(this.#until, now + seconds * 1000);
  }

  isOn(now: number): boolean {
    return now < this.#until;
  }
}
