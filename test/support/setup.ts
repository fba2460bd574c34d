// Coverage counts what the tests run in their own process; c8 cannot add up what tsx has compiled in several.
process.env['NODE_V8_COVERAGE'] = '';
