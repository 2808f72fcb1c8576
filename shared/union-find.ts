/** Sets that only ever grow together (Tarjan 1975): union by size, paths halved. */
export class UnionFind {
  readonly #parent: Int32Array;
  readonly #size: Int32Array;

  constructor(count: number) {
    this.#parent = Int32Array.from({ length: count }, (_, i) => i);
    this.#size = new Int32Array(count).fill(1);
  }

  /** The one member that stands for the set. */
  find(member: number): number {
    const parent = this.#parent;
    let at = member;
    for (;;) {
      const above = parent[at] ?? at;
      if (above === at) return at;
      const further = parent[above] ?? above;
      parent[at] = further;
      at = further;
    }
  }

  union(a: number, b: number): void {
    const [one, other] = [this.find(a), this.find(b)];
    if (one === other) return;
    const [large, small] = (this.#size[one] ?? 0) >= (this.#size[other] ?? 0) ? [one, other] : [other, one];
    this.#parent[small] = large;
    this.#size[large] = (this.#size[large] ?? 0) + (this.#size[small] ?? 0);
  }

  /** Every set as its members, each list and the list of them in ascending order. */
  sets(): number[][] {
    const sets = new Map<number, number[]>();
    for (let member = 0; member < this.#parent.length; member++) {
      const root = this.find(member);
      const own = sets.get(root);
      if (own === undefined) sets.set(root, [member]);
      else own.push(member);
    }
    return [...sets.values()];
  }
}
