import { type Attributes, type AttributeValue, hasMember, readKey } from './attributes.js';
import type { Condition, Expression, NumberLiteral } from './expression.js';
import { toNumber } from './numbers.js';

/** An evaluation reports these while it runs. */
export interface PredicateListener {
  /** Called for each condition that was evaluated. */
  readonly onCondition?: ((condition: Condition, holds: boolean) => void) | undefined;
  /** Called when `!=` or `not in` reads an attribute that is absent. */
  readonly onAbsent?: (() => void) | undefined;
}

/** Whether a predicate holds. An absent attribute makes every comparison false, and `not in` true. */
export function holds(expression: Expression, attributes: Attributes, listener?: PredicateListener): boolean {
  switch (expression.kind) {
    case 'not':
      return !holds(expression.inner, attributes, listener);
    case 'and':
      for (const part of expression.parts) if (!holds(part, attributes, listener)) return false;
      return true;
    case 'or':
      for (const part of expression.parts) if (holds(part, attributes, listener)) return true;
      return false;
    default: {
      const result = conditionHolds(expression, attributes, listener);
      listener?.onCondition?.(expression, result);
      return result;
    }
  }
}

function conditionHolds(
  condition: Condition,
  attributes: Attributes,
  listener: PredicateListener | undefined,
): boolean {
  const value = readKey(attributes, condition.key);
  switch (condition.kind) {
    case 'key':
      return value === true;
    case 'exists':
      return value !== undefined;
    case 'in': {
      const set = readKey(attributes, condition.set);
      if (condition.negated && (value === undefined || set === undefined)) listener?.onAbsent?.();
      return (typeof value === 'string' && hasMember(set, value)) !== condition.negated;
    }
    case 'compare':
      if (value !== undefined) return compares(condition, value);
      if (condition.operator === '!=') listener?.onAbsent?.();
      return false;
  }
}

function compares(
  { operator, literal, order }: Extract<Condition, { kind: 'compare' }>,
  value: AttributeValue,
): boolean {
  switch (operator) {
    case 'contains':
      return typeof literal === 'string' && hasMember(value, literal);
    case '==':
      return equals(value, literal);
    case '!=':
      return !equals(value, literal);
    default:
      return ordered(operator, typeof value === 'string' ? toNumber(value) : value, order);
  }
}

function equals(value: AttributeValue, literal: string | boolean | NumberLiteral): boolean {
  if (typeof literal !== 'object') return value === literal;
  if (typeof value !== 'number') return false;
  const { number, exact } = literal;
  // an integer of 64 bits compares with an integer digit by digit, and with other numbers as a floating point number
  const isInteger = exact !== undefined && Number.isInteger(value) && Math.abs(value) < 2 ** 63;
  return isInteger ? BigInt(value) === exact : value === number;
}

function ordered(operator: '>' | '>=' | '<' | '<=', left: unknown, right: number | undefined): boolean {
  if (typeof left !== 'number' || right === undefined) return false;
  switch (operator) {
    case '>':
      return left > right;
    case '>=':
      return left >= right;
    case '<':
      return left < right;
    case '<=':
      return left <= right;
  }
}
