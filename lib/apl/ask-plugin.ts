import { isPromiseLike } from '../util/maybe-promise.js';
import type { Attributes } from './attributes.js';
import type { Plugin, PluginCall } from './engines.js';
import { checkedAnswer, type PluginVerdict } from './plugin-answer.js';
import type { Steps } from './settle.js';

interface PluginRun {
  readonly attributes: Attributes;
  readonly plugins: ReadonlyMap<string, Plugin>;
}

/** Calls a plugin. Its errors are a verdict too. */
export function* askPlugin(name: string, call: PluginCall, { plugins, attributes }: PluginRun): Steps<PluginVerdict> {
  const failed = (problem: string) => ({
    taints: [],
    code: `plugin:${name}`,
    reason: `plugin \`${name}\` error: ${problem}`,
  });
  const plugin = plugins.get(name);
  if (!plugin) return failed(`no plugin invoker available for \`${name}\``);
  try {
    const answer: unknown = plugin(call, attributes);
    return checkedAnswer(isPromiseLike(answer) ? yield answer : answer);
  } catch (cause) {
    return { ...failed('the call has failed'), cause };
  }
}
