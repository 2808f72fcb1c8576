import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { postgresServer } from '../testing/postgres.js';
import { storeContract } from './contract.js';
import { openStore } from './open.js';

const now = () => new Date('2026-01-01T00:00:00.000Z');

storeContract('PostgreSQL', async () => {
  const [server, folder] = await Promise.all([postgresServer(), temporaryFolder()]);
  const store = await server.database();
  return { open: (wrap) => openStore(folder, now, { store, ...(wrap && { wrap }) }) };
});
