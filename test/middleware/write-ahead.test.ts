import { expect } from 'chai';
import { currentSecurity, writeAhead } from '../../lib/context.js';
import { eventually, rejectionOf } from '../support/eventually.js';
import { EXPRESS_VERSIONS } from '../support/express-versions.js';
import { LABEL, SALARY, SwitchedApp } from '../support/switched-app.js';

for (const [version, express] of EXPRESS_VERSIONS) {
  describe(`writeAhead(), ${version}`, () => {
    const running = new SwitchedApp(express);

    let results: string[];
    let wrapped: (fails: boolean) => Promise<string>;
    beforeEach(async () => {
      results = [];
      wrapped = writeAhead(async (fails: boolean) => {
        currentSecurity().labels.add(LABEL);
        if (fails) throw new Error(SALARY);
        return SALARY;
      });
      await running.start((app) => {
        app.get('/tool', async (req, res) => {
          const result = await wrapped(req.query['fails'] === 'yes').catch(
            (error) => `error ${error.code ?? error.message}`,
          );
          results.push(result);
          res.end('over');
        });
      });
    });

    it('G1: a result is returned only after its labels are stored', async () => {
      running.store.mode = 'waits';
      const answer = running.ask('/tool');
      await eventually(() => running.store.appends.length === 1);
      expect(results).to.deep.equal([]);
      running.store.release();
      await answer;
      expect(results).to.deep.equal([SALARY]);
    });

    it('G2: if they cannot be stored, the result is not returned', async () => {
      running.store.mode = 'fails';
      await running.ask('/tool');
      expect(results).to.deep.equal(['error session.persist_failed']);
    });

    it('G2: the error of the handler is not returned either', async () => {
      running.store.mode = 'fails';
      await running.ask('/tool?fails=yes');
      expect(results).to.deep.equal(['error session.persist_failed']);
      running.store.mode = 'works';
      await running.ask('/tool?fails=yes');
      expect(results[1]).to.equal(`error ${SALARY}`);
    });

    it('runs nothing without a request, and rejects streams', async () => {
      let ran = false;
      const handler = writeAhead(async () => {
        ran = true;
      });
      expect(await rejectionOf(handler())).to.include({ code: 'context.missing' });
      expect(ran).to.equal(false);
      await running.start((app) => {
        app.get('/stream', async (_req, res) => {
          const pieces = writeAhead(async function* () {
            yield SALARY;
          } as never);
          res.end(await (pieces as () => Promise<string>)().catch((error) => error.code));
        });
      });
      expect(await running.ask('/stream')).to.include({ text: 'config.invalid' });
    });
  });
}
