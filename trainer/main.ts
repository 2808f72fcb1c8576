import { onInterruption, runProgram } from '@adbreak/shared/program.js';
import { Command } from 'commander';
import { addAssessCommands } from './assess/command.js';
import { addConvertCommand } from './convert/command.js';
import { addDatasetCommands } from './dataset/command.js';
import { addTrainCommand } from './fit/command.js';
import { addModelCommands } from './inspect/command.js';
import { addLabelCommands } from './labeler/command.js';
import { addWeightsCommands } from './weights/command.js';

/** The trainer's commands; `adbreak dataset|label|train|weights|convert|model|evaluate|models compare` starts this file. */
const program = new Command('adbreak').exitOverride().enablePositionalOptions();
const interruption = onInterruption();
const { signal } = interruption;

addDatasetCommands(program, signal);
addLabelCommands(program, signal);
addTrainCommand(program, signal);
addWeightsCommands(program, signal);
addConvertCommand(program, signal);
addModelCommands(program, signal);
addAssessCommands(program, signal);

await runProgram(() => program.parseAsync(), interruption);
