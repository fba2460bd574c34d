import { expect } from 'chai';
import cors from 'cors';
import helmet from 'helmet';
import { EXPRESS_VERSIONS } from '../support/express-versions.js';
import { normalised, parseResponse } from '../support/parse-response.js';
import { get } from '../support/raw-http.js';
import { Bench, describeInterop, POSITIONS } from './interop-suite.js';

const ORIGIN = 'https://a.example';
const allowOrigin = () => cors({ origin: ORIGIN, credentials: true, exposedHeaders: ['X-Page'] });

describe('with helmet', () => {
  describeInterop('helmet', { mount: () => helmet() });
});

describe('with cors', () => {
  describeInterop('cors', { mount: allowOrigin, headers: { Origin: ORIGIN } });

  for (const [version, express] of EXPRESS_VERSIONS) {
    for (const position of POSITIONS) {
      it(`${version}: G8: a preflight with cors ${position}: bytes as without`, async () => {
        const preflight = get('/tainting/json', {
          Origin: ORIGIN,
          'Access-Control-Request-Method': 'POST',
          'Access-Control-Request-Headers': 'mcp-session-id',
          Connection: 'close',
        }).replace('GET', 'OPTIONS');
        const bench = await Bench.open({ express, position, mount: allowOrigin });
        const plain = await Bench.open({ express, position: 'absent', mount: allowOrigin });
        const text = await bench.send(preflight).closed();
        expect(parseResponse(text).status).to.equal(204);
        expect(normalised(text)).to.equal(normalised(await plain.send(preflight).closed()));
        // answered before the middleware, a preflight costs no load
        expect(bench.store.loads.length).to.equal(position === 'before' ? 0 : 1);
        await Promise.all([bench.close(), plain.close()]);
      });
    }

    it(`${version}: G2 P33: with cors before, a browser may read the denial`, async () => {
      const bench = await Bench.open({ express, position: 'before', mount: allowOrigin });
      const wire = bench.send(get('/tainting/json', { Origin: ORIGIN, Connection: 'close' }));
      (await bench.store.nextAppend()).fail();
      const denial = parseResponse(await wire.closed());
      expect(denial.status).to.equal(403);
      expect(denial.header('access-control-allow-origin')).to.equal(ORIGIN);
      expect(denial.header('access-control-allow-credentials')).to.equal('true');
      expect(denial.header('vary')).to.equal('Origin');
      await bench.close();
    });
  }
});
