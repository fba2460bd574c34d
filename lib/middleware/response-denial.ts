import type { Violation } from '../contract/security.js';
import type { DenialRenderer } from '../denial/denial.js';
import { detailsOf, newInstance } from '../denial/denial-instance.js';
import { defaultDenial, renderDenial } from '../denial/render-denial.js';
import { isStoreFailure, PERSIST_FAILED, toViolation } from '../denial/violations.js';
import type { NodeResponse } from '../node/node-response.js';
import type { Exchange } from './exchange.js';

/** The denial of one response: its violation, its id and its renderer. A violation alone does not make the response a denial. */
export class ResponseDenial {
  readonly #exchange: Exchange;
  #violation: Violation | undefined;
  #instance: string | undefined;
  /** The renderer of a guard. */
  #renderer: DenialRenderer | undefined;

  constructor(exchange: Exchange) {
    this.#exchange = exchange;
  }

  get violation(): Violation | undefined {
    return this.#violation;
  }

  get instance(): string {
    this.#instance ??= newInstance();
    return this.#instance;
  }

  /** Keeps the first violation. */
  record(violation: Violation): void {
    const checked = toViolation(violation);
    this.#violation ??= checked;
  }

  /** @param renderer renders this denial; `undefined`: the renderer of the middleware */
  renderBy(renderer: DenialRenderer | undefined): void {
    this.#renderer = renderer;
  }

  /** Ends the response with the default denial, for its wrappers. */
  send(): void {
    const { res, headersAtEntry } = this.#exchange;
    const details = detailsOf(this.#violation ?? PERSIST_FAILED, this.instance);
    defaultDenial({ details, headersAtEntry }, res);
  }

  /**
   * Renders the denial that leaves.
   * @param create creates a response without a connection
   * @param done takes the rendered response
   * @param secrets texts that no alarm may show
   */
  render(create: () => NodeResponse, done: (denial: NodeResponse) => void, secrets: () => readonly string[]): void {
    const { req, headersAtEntry, mount } = this.#exchange;
    const violation = this.#violation ?? PERSIST_FAILED;
    const { instance } = this;
    const denial = {
      details: detailsOf(violation, instance),
      render: (isStoreFailure(violation) && mount.unavailable) || (this.#renderer ?? mount.denial),
      headersAtEntry,
      onFailure: (error: unknown) =>
        mount.access.alarms.denialNotRendered(error, { at: req, secrets: secrets(), instance }),
    };
    renderDenial(denial, create, done);
  }
}
