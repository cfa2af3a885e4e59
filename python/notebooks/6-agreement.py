# %% [markdown]
# # Agreement with Open Bandit Pipeline and Vowpal Wabbit
#
# **This notebook shows** that the evaluator computes what the two best-known tools for logged bandit
# data compute. First, every estimator that Open Bandit Pipeline (OBP) also has, on three logs, beside
# the numbers that OBP gave; they are in `shared/reference` beside the repository, since OBP does not
# install with a Python newer than 3.10. Then Vowpal Wabbit (VW) reads a recording that `pathwise trace export --format dsjson`
# wrote, learns a policy from one part, and says what that policy is worth on the other; the evaluator
# gets the same policy and log. A part whose tool is missing says so.

# %%
import importlib.metadata
import json

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from common import COLOURS, OURS, ROOT, WORK, made_by, say, simulate, table
from pathwise_data import command

made_by()
REFERENCE = ROOT.parent / "shared" / "reference" / "ope"
found = {}
for name in ("vowpalwabbit", "vw-estimators"):
    try:
        found[name] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        found[name] = None
say("; ".join(f"{name} {version or 'is not installed'}" for name, version in found.items()) + ".")

# %% [markdown]
# ## Open Bandit Pipeline

# %%
# The evaluator's estimator, and OBP's name for it; parameters are the same.
NAMES = {"ips": "IPS", "snips": "SNIPS", "dm": "DM", "dr": "DR", "sndr": "SNDR",
         **{f"ips-clip={v}": f"IPS_clip_lambda={v}" for v in (2, 10)}, **{f"dr-clip={v}": f"DR_clip_lambda={v}" for v in (2, 10)},
         **{f"switch-dr={v}": f"SwitchDR_lambda={v}" for v in (2, 10)}, **{f"dr-os={v}": f"DRos_lambda={v}" for v in (2, 10)},
         **{f"sg-ips={v}": f"SGIPS_lambda={v}" for v in (0.1, 0.5)}, **{f"sg-dr={v}": f"SGDR_lambda={v}" for v in (0.1, 0.5)}}

compared = []
if (REFERENCE / "expected.json").exists():
    expected = json.loads((REFERENCE / "expected.json").read_text())
    for log in ("binary", "continuous", "poor_overlap"):
        options = [word for name in NAMES for word in ("--estimator", name)]
        result = command.run_json("evaluate", "--log", REFERENCE / f"{log}.csv", *options)
        for name, estimate in zip(NAMES, result["estimates"]):
            other = expected[log]["estimates"].get(NAMES[name])
            if other is not None and estimate["value"] is not None:
                compared.append({"log": log, "estimator": name, "pathwise": estimate["value"], "obp": other,
                                 "difference": abs(estimate["value"] - other) / max(abs(other), 1e-300)})
    say(f"The numbers are those of OBP {expected['versions'].get('obp', '') if isinstance(expected.get('versions'), dict) else ''} on logs of "
        "5,000, 5,000 and 2,000 rounds, four actions and five features.")
else:
    say("**Skipped**: OBP's reference numbers (`shared/reference/ope` beside the repository) are not here.")
compared = pd.DataFrame(compared)
if len(compared):
    shown = compared.pivot(index="estimator", columns="log", values="difference").reindex(list(NAMES)).reset_index()
    table(shown, {log: "{:.1e}" for log in shown.columns[1:]})
    figure, axes = plt.subplots(figsize=(8.5, 4.6))
    for place, (log, rows) in enumerate(compared.groupby("log")):
        axes.plot(rows.obp, rows.pathwise, "o", ms=6, mfc="none", color=COLOURS[place], label=log)
    span = [compared.obp.min() - 0.03, compared.obp.max() + 0.03]
    axes.plot(span, span, color="black", lw=0.8)
    axes.set_xlabel("Open Bandit Pipeline, mean reward"); axes.set_ylabel("Pathwise, mean reward")
    axes.set_title(f"{len(compared)} estimates by two programs"); axes.legend()
    plt.show()

# %% [markdown]
# ## Vowpal Wabbit on a recording

# %%
def examples(path):
    """Decisions of a recording as lines of dsjson: those with an outcome and both actions."""
    lines = command.run("trace", "export", path, "--format", "dsjson").splitlines()
    kept = []
    for line in lines:
        item = json.loads(line)
        if "_label_cost" in item and not item.get("_skipLearn") and len(item["p"]) == 2:
            kept.append((line, item))
    return kept

def policy_of(lines, folder):
    """Trains VW on the first half; returns its choices on the second, and its own estimate."""
    from vowpalwabbit import Workspace
    half = len(lines) // 2
    learner = Workspace("--dsjson --cb_explore_adf --cb_type mtr --epsilon 0 --quiet "
                        f"-f {folder / 'vw.model'}", enable_logging=False)
    for line, _ in lines[:half]:
        example = learner.parse(line)
        learner.learn(example)
        learner.finish_example(example)
    learner.finish()
    judge = Workspace(f"--dsjson --cb_explore_adf --cb_type mtr --epsilon 0 -t --quiet -i {folder / 'vw.model'}", enable_logging=False)
    choices = []
    for line, _ in lines[half:]:
        example = judge.parse(line)
        choices.append(np.array(judge.predict(example), dtype=float))
        judge.finish_example(example)
    # VW's average loss of a policy that does not learn: the estimate by inverse propensities.
    loss = judge.get_sum_loss() / judge.get_weighted_examples()
    judge.finish()
    return np.array(choices), loss

vw = None
if found["vowpalwabbit"]:
    simulate("--world", "rank_steps", "--policy", "weighted", "--seeds", "1", "--seed", "3", record=WORK)
    recording = next(WORK.glob("rank_steps.weighted.*.trace"))
    lines = examples(recording)
    choices, loss = policy_of(lines, WORK)
    half = len(lines) // 2
    rows = []
    for (_, item), chances in zip(lines[half:], choices):
        # VW lists the actions in the file's order; the label counts from one.
        rows.append({"action": item["_labelIndex"], "reward": -item["_label_cost"], "pscore": item["_label_probability"],
                     "pi_e_0": chances[0], "pi_e_1": chances[1]})
    log = WORK / "vw.csv"
    pd.DataFrame(rows).to_csv(log, index=False, float_format="%.17g")
    result = command.run_json("evaluate", "--log", log, "--estimator", "ips", "--estimator", "snips")
    ours = {item["estimator"]: item for item in result["estimates"]}
    vw = {"examples": len(lines), "loss": loss, "ips": ours["ips"]["value"]}
    say(f"{len(lines):,} decisions went through dsjson; VW learned from the first half. It takes the second path for "
        f"{np.mean(choices[:, 1] > 0.5) * 100:.0f} % of the rest.")
    table(pd.DataFrame([
        {"program": "Vowpal Wabbit, average loss", "value": loss},
        {"program": "Pathwise, minus ips", "value": -ours["ips"]["value"]},
    ]), {"value": "{:.6f}"})
    interval = ours["snips"]["interval"]
    say(f"By `snips` the policy of VW has a cost of {-ours['snips']['value']:.3f} [{-interval[1]:.3f}, {-interval[0]:.3f}]; the recorded one has "
        f"{-np.mean([row['reward'] for row in rows]):.3f}.")
else:
    say("**Skipped**: the package `vowpalwabbit` is not installed.")

# %% [markdown]
# ## Estimators of the VW project
#
# The package `vw-estimators` has the estimates and intervals that the project uses for its own
# reports; rewards have to be within 0 and 1.

# %%
other = []
if found["vw-estimators"] and (REFERENCE / "binary.csv").exists():
    from estimators.bandits import cressieread, ips, snips
    for log in ("binary", "continuous", "poor_overlap"):
        frame = pd.read_csv(REFERENCE / f"{log}.csv")
        target = frame[[f"pi_e_{a}" for a in range(4)]].to_numpy()[np.arange(len(frame)), frame.action]
        theirs = {"ips": ips.Estimator(), "snips": snips.Estimator(), "cressie-read": cressieread.Estimator()}
        for logged, wanted, reward in zip(frame.pscore, target, frame.reward):
            for estimator in theirs.values():
                estimator.add_example(logged, reward, wanted)
        result = command.run_json("evaluate", "--log", REFERENCE / f"{log}.csv", *[w for n in theirs for w in ("--estimator", n)])
        for item in result["estimates"]:
            value = theirs[item["estimator"]].get()
            if item["value"] is not None:
                other.append({"log": log, "estimator": item["estimator"], "pathwise": item["value"], "vw-estimators": value,
                              "difference": abs(item["value"] - value) / abs(value)})
    table(pd.DataFrame(other), {"pathwise": "{:.9f}", "vw-estimators": "{:.9f}", "difference": "{:.1e}"})
else:
    say("**Skipped**: the package `vw-estimators` or the reference logs are missing.")

# %% [markdown]
# ## What it found

# %%
lines_ = []
if len(compared):
    worst = compared.loc[compared.difference.idxmax()]
    lines_.append(f"- {len(compared)} estimates of {compared.estimator.nunique()} estimators agree with Open Bandit Pipeline: the largest relative "
                  f"difference is {worst.difference:.1e} (`{worst.estimator}` on {worst.log}).")
if vw:
    lines_.append(f"- Vowpal Wabbit reads {vw['examples']:,} recorded decisions, and both programs give the policy that it learned the same value: "
                  f"they differ by {abs(vw['loss'] + vw['ips']) / abs(vw['loss']):.1e} (VW computes in single precision).")
if other:
    lines_.append(f"- {len(other)} estimates agree with `vw-estimators` within {max(row['difference'] for row in other):.1e}.")
say("\n".join(lines_) or "- No other tool was there to compare with.")
