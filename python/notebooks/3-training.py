# %% [markdown]
# # Training a model: how much data, how well calibrated, and what a warm start is worth
#
# **This notebook shows** the way from recordings to a model. A policy that draws paths at random is
# recorded in random worlds; `pathwise train` fits the residual of the heuristic (`ridge`) and the
# probability of being late (`late`). Then the sender starts *cold* (without a model) or *warm* (from this
# one), in worlds of other seeds, against the rule `steady`.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from common import COLOURS, OURS, RULE, WORK, change, made_by, percent, plain, policies, say, simulate, table, verdict
from pathwise_data import command, read_trace

TRAINING, FIRST_TRAINING, TEST, FIRST_TEST = 24, 5001, 30, 7001
DURATION = ("--duration", "20s")
made_by()
recordings = WORK / "training"
recordings.mkdir()
simulate("--random", str(TRAINING), "--seed", str(FIRST_TRAINING), "--seeds", "1", "--workload", "messages",
         *DURATION, "--policy", "weighted", record=recordings)
traces = sorted(recordings.glob("*.trace"))
warm = WORK / "warm.safetensors"
result = command.run_json("train", *traces, "--kind", "ridge", "--kind", "late", "--output", warm)
say(f"{len(traces)} recordings have {result['decisions']:,} decisions; {result['trained']:,} train, {result['held_out']:,} at the "
    f"end of the sessions are held out, {result['forced']:,} were forced. {percent(result['late_decisions'] / result['decisions'])} "
    "of the bursts were late.")

# %% [markdown]
# ## How the error falls with data
#
# The error is the root mean square of log delivery time on the held-out part, in which 0.1 is about
# ten percent. The line is the heuristic alone.

# %%
curve = pd.DataFrame(result["learning_curve"])
heuristic = result["ridge"]["holdout"]["heuristic_rmse"]
figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 4.2), width_ratios=[1, 1.2])
left.plot(curve.decisions, curve.held_out_rmse, "o-", color=OURS, label="model")
left.axhline(heuristic, color=RULE, label="heuristic alone")
left.set_xscale("log"); left.set_ylim(0); left.legend(loc="lower left")
plain(left.xaxis, [1000, 3000, 10000, 30000, 100000])
left.set_xlabel("decisions trained on"); left.set_ylabel("held-out error of log delivery")
left.set_title("Learning curve")
parts = pd.DataFrame(result["importances"]).sort_values("growth")[-12:]
right.barh(parts.feature, parts.growth * 100, xerr=parts.margin * 100, color=OURS, ecolor="#5c6770", capsize=2)
right.set_xlabel("growth of the held-out error without the feature, %")
right.set_title("What the model uses, with 95 % margins")
plt.tight_layout(); plt.show()

# %% [markdown]
# ## Is P(late) calibrated?
#
# Held-out decisions by their predicted probability: how many were predicted late, how many were, with
# 95 % intervals. On the diagonal a prediction of 10 % is late in 10 % of cases.

# %%
late = result["late"]["holdout"]
bins = pd.DataFrame(result["late"]["calibration"])
EDGES = [0, 1e-4, 1e-3, 0.003, 0.01, 0.03, 0.1, 0.3, 0.7, 0.9, 1.01]
bins["group"] = pd.cut(bins.predicted, EDGES, right=False, labels=False)
tenths = bins.groupby("group").apply(lambda g: pd.Series({
    "decisions": g.decisions.sum(), "late": g.late.sum(), "predicted": np.average(g.predicted, weights=g.decisions),
    "observed": g.late.sum() / g.decisions.sum()}), include_groups=False).reset_index(drop=True)
tenths = tenths.astype({"decisions": int, "late": int})
shown = tenths
floor = 1e-4
low = np.clip(shown.observed - 1.96 * np.sqrt(shown.observed * (1 - shown.observed) / shown.decisions), floor, 1)
high = np.clip(shown.observed + 1.96 * np.sqrt(shown.observed * (1 - shown.observed) / shown.decisions), floor, 1)
figure, axes = plt.subplots(figsize=(5.2, 4.6))
axes.plot([floor, 1], [floor, 1], color="black", lw=0.8)
axes.vlines(np.clip(shown.predicted, floor, 1), low, high, color=OURS)
axes.plot(np.clip(shown.predicted, floor, 1), np.clip(shown.observed, floor, 1), "o", color=OURS)
axes.set_xscale("log"); axes.set_yscale("log")
for axis in (axes.xaxis, axes.yaxis):
    plain(axis, [0.0001, 0.001, 0.01, 0.1, 1])
axes.set_xlabel("predicted share late"); axes.set_ylabel("observed share late")
axes.set_title("Calibration (below 0.0001: at the edge)")
plt.show()
error = float((tenths.decisions * (tenths.predicted - tenths.observed).abs()).sum() / tenths.decisions.sum())
worst = float((tenths.predicted - tenths.observed).abs().max())
table(tenths.assign(predicted=tenths.predicted * 100, observed=tenths.observed * 100)[["decisions", "late", "predicted", "observed"]],
      {"predicted": "{:.3f} %", "observed": "{:.3f} %", "decisions": "{:,}"})

# %% [markdown]
# ## Cold against warm, in other worlds
#
# `learned` starts cold: it knows nothing, as the program ships no model.

# %%
runs = WORK / "test"
runs.mkdir()
CONTENDERS = {"steady": "steady", "learned": "cold", warm.name: "warm"}
outcome = simulate("--random", str(TEST), "--seed", str(FIRST_TEST), "--seeds", "1", "--workload", "messages", *DURATION,
                   *policies(["steady", "learned", warm]), "--baseline", "steady", record=runs)
rows = [dict(row, start=CONTENDERS[row["policy"]]) for row in outcome["overall"] if row["policy"] != "steady"]
rows = pd.DataFrame(rows)
table(rows.assign(difference=rows.difference.map(change), low=rows.low.map(change), high=rows.high.map(change),
                  near_best=rows.near_best * 100)[["start", "difference", "low", "high", "near_best", "worst_place"]].rename(
    columns={"difference": "mean time against steady", "near_best": "within 2 % of the best, % of worlds", "worst_place": "worst where"}),
    {"within 2 % of the best, % of worlds": "{:.0f}"})

# %% [markdown]
# ## When a warm start matters
#
# The time to close of each message (its delivery time, or twice its deadline if late) against that
# of the same message under `steady`, by time since the start, over all worlds. The band is a 95 %
# interval over worlds.

# %%
def closed(path):
    trace = read_trace(path, candidates=False)
    frame = trace.decision_outcomes()
    frame = frame[(frame["class"] == "message") & frame.late.notna()]
    cost = np.where(frame.late.astype(bool), 2 * frame.outcome_deadline_s, frame.delivery_s)
    return pd.Series(cost, index=pd.MultiIndex.from_arrays([frame.session, frame.time_s.floordiv(0.5) * 0.5])).groupby(level=[0, 1]).mean()

STEPS = [0, 1, 2, 4, 8, 20]
series = {}
for world in outcome["worlds"]:
    base = None
    for policy in world["policies"]:
        name = CONTENDERS[policy["policy"]]
        # Recordings of a world are in the order of its policies' names.
        stem = policy["policy"].removesuffix(".safetensors")
        found = [path for path in runs.glob(f"{world['name']}.*.trace") if f".{stem}" in path.name]
        values = closed(found[0])
        if name == "steady":
            base = values
            continue
        ratio = np.log(values / base).dropna()
        bins = pd.cut(ratio.index.get_level_values(1), STEPS, right=False)
        for piece, value in ratio.groupby(bins, observed=True).mean().items():
            series.setdefault((name, piece.left), []).append(value)
figure, axes = plt.subplots(figsize=(8.5, 3.8))
early = {}
for place, name in enumerate(["cold", "warm"]):
    points = [(left, np.array(values)) for (who, left), values in sorted(series.items()) if who == name]
    x = np.array([left for left, _ in points])
    middle = np.array([values.mean() for _, values in points])
    margin = np.array([1.96 * values.std(ddof=1) / np.sqrt(len(values)) for _, values in points])
    early[name] = (np.expm1(middle[0]), np.expm1(middle[0] - margin[0]), np.expm1(middle[0] + margin[0]))
    steps = np.arange(len(x)) + (place - 1) * 0.12
    axes.errorbar(steps, np.expm1(middle) * 100, yerr=margin * 100, fmt="o-", color=COLOURS[place], label=name, capsize=2)
axes.axhline(0, color=RULE, lw=1)
axes.set_xticks(range(len(STEPS) - 1), [f"{a} to {b}" for a, b in zip(STEPS, STEPS[1:])])
axes.set_xlabel("time since the start, s"); axes.set_ylabel("time to close against steady, %")
axes.set_title("Cold and warm starts over time, 95 % intervals over worlds"); axes.legend()
plt.show()

# %% [markdown]
# ## What it found

# %%
gain = result["ridge"]["holdout"]["model_rmse"] / heuristic - 1
quick = curve[curve.held_out_rmse <= 1.05 * curve.held_out_rmse.min()].decisions.min()
lines = [
    f"- The model changes the held-out error of log delivery by {change(gain)} against the heuristic, from {heuristic:.3f} to "
    f"{result['ridge']['holdout']['model_rmse']:.3f}; {quick:,} decisions reach within 5 % of the best error. Most of it comes from "
    f"`{parts.feature.iloc[-1]}` and `{parts.feature.iloc[-2]}`.",
    f"- P(late) is off by {percent(error, 2)} on average and by {percent(worst, 1)} in the worst group; its log loss is "
    f"{late['log_loss']:.4f}, that of a constant {late['base_log_loss']:.4f}.",
]
for _, row in rows.iterrows():
    lines.append(f"- In {TEST} other worlds the {row.start} start changes the mean time by {change(row.difference)} "
                 f"[{change(row.low)}, {change(row.high)}] against `steady`: {verdict(row.low, row.high)}.")
for name, (value, low, high) in early.items():
    lines.append(f"- In the first second the {name} start is at {change(value)} [{change(low)}, {change(high)}] of `steady`.")
say("\n".join(lines))
