/** A copy of every recovery point in another vault. */
export interface CopyTo {
  /** ARN of the vault. */
  vault: string;
  /** Days until it is deleted. */
  deleteAfter?: number;
  /** Days until it moves to cold storage. */
  coldAfter?: number;
}

/** A rule. What is left out is as the preset's rule of this name has it, else AWS's own default. */
export interface Rule {
  /** `cron(…)` */
  schedule?: string;
  /** Minutes. */
  startWindow?: number;
  /** Minutes, 60 more than `startWindow` at least. */
  completionWindow?: number;
  /** Days. */
  deleteAfter?: number;
  /** Days. */
  coldAfter?: number;
  /** Whether any moment can be restored; for 35 days at most. */
  continuous?: boolean;
  /** Copies elsewhere. */
  copy?: CopyTo[];
  /** Tags of the recovery points. */
  tags?: Record<string, string>;
  /** `false` leaves out a rule of the preset. */
  enabled?: boolean;
}

export type Preset = "dev" | "prod";

/** The rules of a preset, by name. */
export function presetRules(preset?: Preset): Record<string, Rule> {
  if (!preset) return {};
  const prod = preset === "prod";
  return {
    "daily-backup": {
      schedule: "cron(0 3 * * ? *)",
      startWindow: 60,
      completionWindow: 180,
      deleteAfter: prod ? 35 : 7,
      continuous: prod,
    },
    ...(prod ? { "weekly-backup": { schedule: "cron(0 4 ? * SUN *)", deleteAfter: 90 } } : {}),
  };
}

export interface Settled extends Rule {
  name: string;
  schedule: string;
  startWindow: number;
  completionWindow: number;
  continuous: boolean;
}

/** The preset's rules under those that are given, checked against AWS's own rules. */
export function settle(preset: Preset | undefined, given: Record<string, Rule>): Settled[] {
  const base = presetRules(preset);
  const names = [...new Set([...Object.keys(base), ...Object.keys(given)])].sort();
  const rules = names
    .map((name) => ({ ...base[name], ...given[name], name }))
    .filter((rule) => rule.enabled !== false)
    .map((rule) => ({
      ...rule,
      schedule: rule.schedule ?? "cron(0 5 ? * * *)",
      startWindow: rule.startWindow ?? 480,
      completionWindow: rule.completionWindow ?? 10080,
      continuous: rule.continuous ?? false,
    }));
  if (rules.length === 0) throw new Error('there are no rules: set preset to "dev" or "prod", or give rules');
  for (const rule of rules) {
    const wrong = (what: string) => new Error(`rule ${rule.name}: ${what}`);
    if (rule.startWindow < 60) throw wrong("startWindow is 60 minutes at least");
    if (rule.completionWindow < rule.startWindow + 60) {
      throw wrong("completionWindow is 60 minutes more than startWindow at least");
    }
    const days = rule.deleteAfter;
    if (rule.continuous && (rule.coldAfter !== undefined || days === undefined || days > 35)) {
      throw wrong("continuous backups stay for 1 to 35 days and do not move to cold storage");
    }
    if (rule.coldAfter !== undefined && days !== undefined && days < rule.coldAfter + 90) {
      throw wrong("what moves to cold storage has to stay there for 90 days");
    }
  }
  return rules;
}
