import { conformanceSystem } from './system.ts';

export default conformanceSystem('lapic');
