import { clearTimeout, setTimeout } from '../util/clock.js';

/** What happens to the calls of one operation. */
export type CallBehaviour =
  | { readonly kind: 'work' }
  | { readonly kind: 'hang' }
  | { readonly kind: 'fail'; readonly error: unknown }
  | { readonly kind: 'delay'; readonly ms: number };

/** The pending calls of one operation. They follow each change of the behaviour. */
export class SwitchableCalls<Call> {
  #behaviour: CallBehaviour = { kind: 'work' };
  readonly #hanging = new Set<Call>();
  readonly #onHanging: Array<(call: Call) => void> = [];
  /** Each function continues one pending call. */
  #onChange = new Set<() => void>();

  behave(behaviour: CallBehaviour): void {
    this.#behaviour = behaviour;
    this.#hanging.clear();
    const continued = this.#onChange;
    this.#onChange = new Set();
    for (const resume of continued) resume();
  }

  /** Resolves when the call may reach the inner store; rejects if it fails. */
  async pass(call: Call): Promise<void> {
    for (;;) {
      const behaviour = this.#behaviour;
      if (behaviour.kind === 'work') return;
      if (behaviour.kind === 'fail') throw behaviour.error;
      if (behaviour.kind === 'hang') await this.#hang(call);
      else if (await this.#elapsed(behaviour.ms)) return;
    }
  }

  /** Resolves with the oldest call that hangs, as soon as there is one. */
  hanging(): Promise<Call> {
    const [oldest] = this.#hanging;
    if (oldest !== undefined) return Promise.resolve(oldest);
    return new Promise((resolve) => this.#onHanging.push(resolve));
  }

  #hang(call: Call): Promise<void> {
    this.#hanging.add(call);
    for (const notify of this.#onHanging.splice(0)) notify(call);
    return new Promise((resolve) => this.#onChange.add(resolve));
  }

  /** Resolves with `false` if the behaviour changes before the time is over. */
  #elapsed(ms: number): Promise<boolean> {
    return new Promise((resolve) => {
      const onChange = (): void => {
        clearTimeout(timer);
        resolve(false);
      };
      const timer = setTimeout(() => {
        this.#onChange.delete(onChange);
        resolve(true);
      }, ms).unref();
      this.#onChange.add(onChange);
    });
  }
}
