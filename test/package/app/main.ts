import { main } from './app.js';

main().then(
  () => console.log('app: ok'),
  (error: unknown) => {
    console.error(error);
    process.exitCode = 1;
  },
);
