/** Fifty rules of the forms that policies have, none of which denies for {@link ATTRIBUTES}. */
export const FIFTY_RULES: readonly string[] = Array.from({ length: 10 }, (_, at) => [
  `security.labels contains "label-${at}" & !role.admin${at}: deny('tainted', 'tainted')`,
  `args.amount > ${1_000 * (at + 1)} | claim.plan == 'closed-${at}': deny('too much')`,
  `exists(args.field${at}) & http.method != 'GET': deny`,
  `require(role.hr | role.board${at})`,
  `subject.id in security.labels: deny`,
]).flat();

export const ATTRIBUTES = {
  'security.labels': new Set(['secret', 'PII']),
  'role.hr': true,
  'args.amount': '250',
  'http.method': 'POST',
  'subject.id': 'alice',
  'claim.plan': 'open',
} as const;
