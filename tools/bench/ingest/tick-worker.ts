import { parentPort } from 'node:worker_threads';
import { tickTime } from './tick.js';

/**
 * The gate's look with 10,000 devices, in a thread of its own: it takes a while, and Ctrl-C must be heard
 * meanwhile.
 */
parentPort?.postMessage(await tickTime());
