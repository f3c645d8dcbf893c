/** The contract over plain maps. */
import { distributedDataManagerContract } from './distributed-data-manager.ts';
import { memoryBench } from './distributed-data-manager-benches.ts';

distributedDataManagerContract('memory', memoryBench);
