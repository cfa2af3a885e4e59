# %% [markdown]
# # What duplication buys, by budget
#
# **This notebook shows** how much lateness can be bought with bytes. Every message of a world is sent
# over each path alone, and under `steady`. The load is far below the links' rates, so what a path did
# with a message is what it would have done with a copy, and the share of late messages can be
# computed for any rule that copies a part of them: at random, those with the highest risk that is
# known when they are sent, or, as a bound, exactly those that need it. Policies that send copies are
# then run for real. A message is late here when it takes longer than 80 ms, or never arrives. The
# sender's record of delivery times has an offset, as its clock and the receiver's have no common zero;
# it is taken out run by run, by the median that the simulator knows.

# %%
import re

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from common import COLOURS, OURS, RULE, WORK, change, made_by, percent, plain, policies, say, simulate, table
from pathwise_data import command, read_trace

WORLD, PATHS, SEEDS, FIRST_SEED = "drive", ["op1", "op2", "op3"], 8, 201
LIMIT_MS, INTERVAL = 80, 0.02
DURATION = ("--duration", "60s")
BUDGETS = np.array([0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0])
LIVE = ["steady", "learned", "reinject", "ols", "redundant"]
made_by()
# The drive with three operators that ships; a model of the risk learns with the limit as deadline.
text = command.run("world", "show", "drive_three_operators")
world = WORK / f"{WORLD}.toml"
world.write_text(text)
strict = WORK / "strict.toml"
strict.write_text(re.sub(r'deadline = "[^"]*"', f'deadline = "{LIMIT_MS}ms"', text))
runs = WORK / "runs"
runs.mkdir()
singles = [f"single:{path}" for path in PATHS]
live = simulate(world, *policies(LIVE + singles), "--seeds", str(SEEDS), "--seed", str(FIRST_SEED), *DURATION,
                "--baseline", "steady", record=runs)

# The risk is the late head of a model, trained on other seeds of the same world.
training = WORK / "training"
training.mkdir()
simulate(strict, "--policy", "weighted", "--seeds", "6", "--seed", "1", *DURATION, record=training)
model = WORK / "risk.safetensors"
command.run("train", *sorted(training.glob("*.trace")), "--kind", "ridge", "--kind", "late", "--output", model)
head = command.run_json("model", "info", model)["late"]
say(f"World `drive_three_operators` and a limit of {LIMIT_MS} ms: {len(PATHS)} paths, {SEEDS} seeds; the model of the risk was trained on six other seeds.")

# %% [markdown]
# ## Every message on every path

# %%
TRUE_MEDIAN = {(policy["policy"], int(run["seed"])): run["workloads"][0]["p50"]
               for policy in live["worlds"][0]["policies"] for run in policy["runs"]}

def messages(name, seed, candidates=False):
    """Messages of one run by their place in the schedule, and whether they were late."""
    trace = read_trace(runs / f"{WORLD}.{name.replace(':', '-')}.{seed}.trace", candidates=candidates)
    frame = trace.decision_outcomes()
    frame = frame[(frame["class"] == "message") & frame.late.notna()]
    offset = frame.delivery_s.median() - TRUE_MEDIAN[name, seed]
    frame = frame.assign(slot=((frame.time_s - 0.5) / INTERVAL).round().astype(int),
                         is_late=~((frame.delivery_s - offset) * 1e3 <= LIMIT_MS))
    return trace, frame.drop_duplicates("slot").set_index("slot")

rows = []
for seed in range(FIRST_SEED, FIRST_SEED + SEEDS):
    trace, base = messages("steady", seed, candidates=True)
    alone = {path: messages(name, seed)[1].is_late for path, name in enumerate(singles)}
    names = trace.schema.names
    candidates = trace.candidates.merge(base.reset_index()[["session", "number", "slot", "path"]].rename(
        columns={"path": "taken"}), on=["session", "number"])
    logit = candidates[names].to_numpy() @ np.array([head["weights"][name] for name in names]) + head["intercept"]
    candidates = candidates.assign(risk=1 / (1 + np.exp(-np.clip(logit, -40, 40))))
    mine = candidates[candidates.path == candidates.taken].drop_duplicates("slot").set_index("slot").risk
    others = candidates[candidates.path != candidates.taken].sort_values(["slot", "predicted_s"]).drop_duplicates("slot").set_index("slot")
    frame = pd.DataFrame({"late": base.is_late, "risk": mine, "copy_path": others.path, "joint": mine - mine * others.risk})
    for path, late in alone.items():
        # A message that a path alone could not even send in time is late there.
        frame[f"late_{path}"] = late.reindex(frame.index).fillna(True)
    frame = frame.dropna()
    frame["copy_late"] = np.select([frame.copy_path == path for path in alone], [frame[f"late_{path}"].astype(bool) for path in alone])
    rows.append(frame.assign(seed=seed))
pairs = pd.concat(rows).astype({"late": bool, "copy_late": bool})
pairs["saved"] = pairs.late & ~pairs.copy_late
say(f"{len(pairs):,} messages were sent under `steady` with a second path to choose. Under `steady` {percent(pairs.late.mean(), 2)} are late; the best other "
    f"path would have saved {percent(pairs.saved.sum() / max(pairs.late.sum(), 1), 0)} of those.")

# %% [markdown]
# ## Late share by budget
#
# The budget is the share of messages that are sent twice. The band is a 95 % interval over seeds.

# %%
def curve(order):
    """Late share by budget for each seed, when messages are copied in an order."""
    result = []
    for _, group in pairs.groupby("seed"):
        saved = group.saved.to_numpy()[order(group)].cumsum()
        counts = np.maximum((BUDGETS * len(group)).astype(int), 1)
        result.append((group.late.sum() - saved[counts - 1]) / len(group))
    return np.array(result)

SENT = {seed: len(messages("steady", seed)[1]) for seed in range(FIRST_SEED, FIRST_SEED + SEEDS)}
curves = {
    "at random": np.array([g.late.mean() - BUDGETS * g.saved.mean() for _, g in pairs.groupby("seed")]),
    "by predicted risk": curve(lambda g: np.argsort(-g.joint.to_numpy(), kind="stable")),
    "with hindsight": curve(lambda g: np.argsort(~g.saved.to_numpy(), kind="stable")),
}
figure, axes = plt.subplots(figsize=(8.8, 4.6))
for (name, values), colour in zip(curves.items(), [COLOURS[5], OURS, COLOURS[2]]):
    middle = values.mean(axis=0) * 100
    margin = 1.96 * values.std(axis=0, ddof=1) / np.sqrt(SEEDS) * 100
    axes.plot(BUDGETS * 100, middle, "-", color=colour, label=f"copies {name}")
    axes.fill_between(BUDGETS * 100, middle - margin, middle + margin, color=colour, alpha=0.13, lw=0)
points = []
for policy in live["worlds"][0]["policies"]:
    if policy["policy"] not in LIVE:
        continue
    spent = np.mean([run["copied_bytes"] / run["payload_bytes"] for run in policy["runs"]])
    sent = np.mean([sum(run["link_bytes"]) / run["payload_bytes"] for run in policy["runs"]])
    # Of all messages of the schedule that `steady` sent; those without a decision are late.
    late = [1 - (~messages(policy["policy"], int(run["seed"]))[1].is_late).sum() / max(SENT[int(run["seed"])], 1) for run in policy["runs"]]
    points.append({"policy": policy["policy"], "copies": spent, "bytes": sent, "late": np.mean(late),
                   "margin": 1.96 * np.std(late, ddof=1) / np.sqrt(SEEDS)})
points = pd.DataFrame(points)
base_bytes = points.set_index("policy").bytes["steady"]
points["extra"] = points.bytes / base_bytes - 1
for _, row in points.iterrows():
    place = min(max(row.extra, 0.004), 2.2) * 100
    axes.errorbar(place, row.late * 100, yerr=row.margin * 100, fmt="s", ms=6, capsize=2,
                  color=RULE if row.policy == "steady" else COLOURS[4])
    axes.annotate(f" {row.policy}", (place, row.late * 100), va="bottom", fontsize=9)
axes.set_xscale("log"); plain(axes.xaxis, [0.5, 1, 2, 5, 10, 20, 50, 100, 200])
axes.set_ylim(0)
axes.set_xlabel("budget: messages sent twice, or bytes more than steady sends, %"); axes.set_ylabel("late messages, %")
axes.set_title("Late messages by budget of copies (squares: policies that ran)"); axes.legend(loc="upper right")
plt.show()
table(points.assign(copies=points.copies * 100, extra=points.extra * 100, late=points.late * 100)[["policy", "copies", "extra", "late"]].rename(
    columns={"copies": "payload copied", "extra": "bytes against steady", "late": "late"}),
    {"payload copied": "{:.1f} %", "bytes against steady": "{:+.1f} %", "late": "{:.3f} %"})

# %% [markdown]
# ## How much better than random?
#
# The reduction of late messages for each copy, against copies at random.

# %%
def factor(name):
    saved = np.array([g.late.mean() for _, g in pairs.groupby("seed")])[:, None] - curves[name]
    return saved.mean(axis=0) / (BUDGETS * np.mean([g.saved.mean() for _, g in pairs.groupby("seed")]))

factors = pd.DataFrame({"budget": BUDGETS * 100, "by predicted risk": factor("by predicted risk"), "with hindsight": factor("with hindsight")})
table(factors, {"budget": "{:.1f} %", "by predicted risk": "{:.1f} ×", "with hindsight": "{:.1f} ×"})

# %% [markdown]
# ## What it found

# %%
at = {budget: place for place, budget in enumerate(BUDGETS)}
ours = points.set_index("policy").loc["learned"]
say("\n".join([
    f"- Copying everything on the best other path lowers late messages from {percent(pairs.late.mean(), 2)} to "
    f"{percent((pairs.late & pairs.copy_late).mean(), 3)}; as much is reached with hindsight by copying {percent(pairs.saved.mean(), 2)} of the messages.",
    f"- A budget of 5 % by predicted risk leaves {percent(curves['by predicted risk'][:, at[0.05]].mean(), 2)} late, "
    f"{factors['by predicted risk'][at[0.05]]:.1f} times the effect of copies at random; 1 % has {factors['by predicted risk'][at[0.01]]:.1f} times, and perfect foresight of 1 % would have {factors['with hindsight'][at[0.01]]:.0f} times.",
    f"- `learned` as it ships has {percent(ours.late, 2)} late messages for {change(ours.extra)} bytes against `steady` with {percent(points.set_index('policy').late['steady'], 2)}"
    + (f"; copies by predicted risk of that budget would leave {percent(np.interp(ours.extra, np.r_[0, BUDGETS], np.r_[pairs.late.mean(), curves['by predicted risk'].mean(axis=0)]), 2)}."
       if ours.extra > 0 else "; it buys nothing with bytes."),
    f"- Sending everything everywhere costs {points.set_index('policy').bytes['redundant'] / base_bytes:.1f} times the bytes.",
]))
