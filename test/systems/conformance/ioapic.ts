import { conformanceSystem } from './system.ts';

export default conformanceSystem('ioapic');
