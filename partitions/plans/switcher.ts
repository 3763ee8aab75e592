/**
 * Goes round the plans: after FRAMES major frames of one it asks for the next, and says in which frame it finds itself there. Trace codes: 1
 * a request, with the plan; 2 the first slot in a plan, with the plan.
 *
 * Program: TypeScript. Memory: 16 MiB. A system partition. Plan: a slot in each of PLANS plans, the last one a maintenance plan. Ports, health
 * rules: none.
 */
import type { Shims } from '../../kernel/hw/shims.ts';
import { LINE } from '../../kernel/partition/abi.ts';
import { openPartition } from '../sdk/partition.ts';

const PLANS = 3;
const FRAMES = 5;
const ROUNDS = 2;
const REQUEST = 1;
const ENTERED = 2;

export function main(shims: Shims): void {
  const partition = openPartition(shims);
  const { time } = partition;
  let current = -1;
  let slots = 0;
  let switches = 0;

  partition.events.on(LINE.SLOT_START, () => {
    const plan = time.plan();
    if (plan !== current) {
      current = plan;
      slots = 0;
      partition.trace(ENTERED, plan);
      partition.console.line(`switcher: plan ${plan} from frame ${time.frame()} on`);
    }
    slots++;
    if (slots < FRAMES) return;
    if (switches === PLANS * ROUNDS) partition.stop();
    else if (slots === FRAMES) {
      const next = (plan + 1) % PLANS;
      switches++;
      partition.trace(REQUEST, next);
      partition.management.switchPlan(next);
    }
  });
  partition.run();
}
