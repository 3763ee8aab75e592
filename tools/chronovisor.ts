/** The command-line program. */
import { Command, CommanderError } from 'commander';
import { VERSION } from '../kernel/version.ts';
import { addBuildCommand } from './commands/build.ts';
import { addCheckCommand } from './commands/check.ts';
import { addConsoleCommand } from './commands/console.ts';
import { addDiffCommand } from './commands/diff.ts';
import { addExperimentCommand } from './commands/experiment.ts';
import { addExportCommand } from './commands/export.ts';
import { addLogCommand } from './commands/log.ts';
import { addReportCommand } from './commands/report.ts';
import { addRunCommand } from './commands/run.ts';
import { addTimelineCommand } from './commands/timeline.ts';
import { addValidateCommand } from './commands/validate.ts';
import { BuildError, CannotRunError, STATUS, UsageError } from './errors.ts';

// Who reads our output may stop reading (`| head`): nobody is left to tell, so leave, taking QEMU along.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(STATUS.HELD);
  process.stderr.write(`chronovisor: standard output can't be written: ${error.message}\n`);
  process.exit(STATUS.CANNOT_RUN);
});

async function main(): Promise<number> {
  let status: number = STATUS.HELD;
  const setStatus = (value: number): void => {
    status = value;
  };
  const program = new Command('chronovisor')
    .description('Boots and inspects Chronovisor, a hypervisor whose subject is time.')
    .version(VERSION)
    .showHelpAfterError('(add --help for the options and examples)')
    .enablePositionalOptions()
    .exitOverride()
    .addHelpText(
      'after',
      `
Examples:
  chronovisor run                       boot the kernel and run its demonstration
  chronovisor run partitions/hello/system.ts
                                        boot a system of partitions
  chronovisor console                   a prompt inside the running kernel
  chronovisor report build/logs/kernel.log
                                        what a log says, in tables
  chronovisor timeline build/logs/demonstration.log
                                        a page to look into: who ran when

Exit codes: 0 held, 1 an assertion or the kernel failed, 2 usage, 3 can't run, 124 time limit, 130 Ctrl-C.`,
    );
  addRunCommand(program, setStatus);
  addValidateCommand(program, setStatus);
  addConsoleCommand(program, setStatus);
  addBuildCommand(program);
  addReportCommand(program, setStatus);
  addCheckCommand(program, setStatus);
  addDiffCommand(program, setStatus);
  addLogCommand(program, setStatus);
  addTimelineCommand(program);
  addExportCommand(program);
  addExperimentCommand(program, setStatus);
  for (const command of program.commands) command.exitOverride();

  try {
    await program.parseAsync();
    return status;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? STATUS.HELD : STATUS.USAGE;
    if (error instanceof CannotRunError || error instanceof UsageError || error instanceof BuildError) {
      process.stderr.write(`chronovisor: ${error.message}\n`);
      return error.status;
    }
    throw error;
  }
}

process.exitCode = await main();
