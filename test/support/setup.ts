// Coverage counts what the tests run in their own process; c8 cannot add up what tsx has compiled in several.
process.env['NODE_V8_COVERAGE'] = '';
// Tests read what their child processes print, so a child must not print colours. Some environments ask for them (CI,
// FORCE_COLOR), and some programs take FORCE_COLOR=0 for a yes.
for (const name of ['FORCE_COLOR', 'MOCHA_COLORS', 'CLICOLOR_FORCE', 'DEBUG_COLORS']) delete process.env[name];
process.env['NO_COLOR'] = '1';
