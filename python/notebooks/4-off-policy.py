# %% [markdown]
# # Off-policy estimates against the live truth, and when they fail
#
# **This notebook shows** how far `pathwise evaluate` can be trusted. A policy that draws paths at
# random is recorded (`weighted`); from that recording alone the value of other policies is estimated;
# then those policies really run in the same worlds, with the same losses and outages, which gives the
# truth. Two things are not in a recording. *Load*: the more of a path is our own traffic, the more
# another policy would have changed the path itself. *Knowledge*: a policy that leaves a path learns
# nothing new about it, while the recorded one, which used all, kept every estimate fresh. The world
# stays, and the load grows from hardly anything to most of the smaller link.
#
# The figures are the median and the 95th percentile of the time that a message takes. The truth is the
# simulator's, which knows when a message was sent and when it arrived. The sender's own record of a
# delivery has an error of its own, since two clocks without a common zero measure it; how large that
# is shows the recorded policy itself, for which nothing else can be wrong. It is called the *ruler*
# here, and estimates are shown without and with its correction.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from common import COLOURS, WORK, change, made_by, percent, plain, policies, say, simulate, table
from pathwise_data import command, read_trace

TARGETS = ["steady", "earliest", "min-rtt", "single:near", "single:far"]
# Milliseconds between messages of 1,200 bytes, over links of 4 and 8 Mbit/s.
INTERVALS = [80, 40, 20, 10, 6, 4, 3]
SEEDS = 6
FIGURES = {"p50": "median", "p95": "95th percentile"}
made_by()

WORLD = """
summary = "Two links; a message of 1,200 bytes every {interval} ms."
duration = "{seconds}s"

[[link]]
name = "near"
rate = "4mbit"
delay = "15ms"
jitter = "3ms"
queue = "60kB"
fading = {{ good = "8s", bad = "200ms", loss-bad = 0.3 }}

[[link]]
name = "far"
rate = "8mbit"
delay = "30ms"
jitter = "6ms"
queue = "100kB"

[[workload]]
kind = "messages"
name = "messages"
size = 1200
interval = "{interval}ms"
deadline = "150ms"
arrivals = "poisson"
"""

def live(policy, figure):
    """A figure of a policy that ran: its mean over seeds, and the error of that; milliseconds."""
    values = np.array([run["workloads"][0][figure] for run in policy["runs"]]) * 1e3
    return values.mean(), 1.96 * values.std(ddof=1) / np.sqrt(len(values))

def near_share(path):
    """The share of a run's decisions for the nearer link."""
    return float((read_trace(path, candidates=False).decisions.path == 0).mean())

def audit(interval):
    folder = WORK / f"every-{interval}"
    folder.mkdir()
    world = folder / "load.toml"
    # About as many decisions at each load.
    world.write_text(WORLD.format(interval=interval, seconds=round(min(120, max(20, interval * 3)))))
    ran = simulate(world, *policies(["weighted", *TARGETS]), "--seeds", str(SEEDS), record=folder)
    ran = {policy["policy"]: policy for policy in ran["worlds"][0]["policies"]}
    log = sorted(folder.glob("*.weighted.*.trace"))
    estimate = command.run_json("evaluate", *log, *policies(TARGETS))
    rows = []
    for figure in FIGURES:
        ruler = live(ran["weighted"], figure)[0] / estimate["recorded_network"]["delivery_ms"][figure]["value"]
        for name, policy in zip(TARGETS, estimate["policies"]):
            truth, noise = live(ran[name], figure)
            if figure == "p50":
                chosen = np.mean([near_share(path) for path in folder.glob(f"*.{name.replace(':', '-')}.*.trace")])
            value = policy["network"]["delivery_ms"][figure]
            weights = {part["name"]: part["weight"] for part in policy["by_path"]}
            rows.append({"load": 9.6 / interval, "policy": name, "figure": figure, "ruler": ruler,
                         "estimate": value["value"], "low": value["interval"][0], "high": value["interval"][1],
                         "truth": truth, "noise": noise, "late_estimate": policy["network"]["late_share"],
                         "late_truth": np.mean([run["workloads"][0]["late"] for run in ran[name]["runs"]]),
                         "near_replayed": weights.get("near", 0) / max(sum(weights.values()), 1e-9),
                         "near_live": chosen,
                         "own_load": policy["diagnostics"]["own_load"], "verdict": policy["verdict"]})
    return rows

audits = pd.DataFrame([row for interval in INTERVALS for row in audit(interval)])
audits["raw_error"] = audits.estimate / audits.truth - 1
audits["error"] = audits.estimate * audits.ruler / audits.truth - 1
# The truth has an error, too: it is a mean over seeds.
audits["covers"] = ((audits.low * audits.ruler - audits.noise <= audits.truth)
                    & (audits.truth <= audits.high * audits.ruler + audits.noise))
say(f"{len(INTERVALS)} loads, {SEEDS} seeds each; `weighted` was recorded, {len(TARGETS)} policies estimated and run.")

# %% [markdown]
# ## The ruler
#
# What the recorded sender measured for its own messages, against what they took.

# %%
rulers = audits.drop_duplicates(["load", "figure"]).pivot(index="load", columns="figure", values="ruler")
table((1 / rulers - 1).mul(100).reset_index().rename(columns={"load": "load, Mbit/s", **{k: f"{v} as recorded" for k, v in FIGURES.items()}}),
      {"load, Mbit/s": "{:.2f}", **{f"{v} as recorded": "{:+.1f} %" for v in FIGURES.values()}})

# %% [markdown]
# ## Estimate against truth
#
# Each point is one policy at one load; bars are 95 % intervals. Above zero a policy is estimated slower
# than it is, below zero faster.

# %%
main = audits[audits.figure == "p50"]
colour = dict(zip(TARGETS, COLOURS))
figure, axes = plt.subplots(1, 2, figsize=(9.8, 4.4))
for panel, (key, title) in zip(axes, FIGURES.items()):
    for name, rows in audits[audits.figure == key].groupby("policy"):
        corrected = rows[["low", "high"]].mul(rows.ruler, axis=0).div(rows.truth, axis=0) - 1
        panel.vlines(rows.load, corrected.low * 100, corrected.high * 100, color=colour[name], lw=1)
        panel.plot(rows.load, rows.error * 100, "o-", ms=4, color=colour[name], label=name)
    panel.axhline(0, color="black", lw=0.8)
    panel.set_xscale("log"); plain(panel.xaxis, [0.1, 0.2, 0.5, 1, 2])
    panel.set_xlabel("load offered, Mbit/s (the links carry 4 and 8)")
    panel.set_title(f"{title.capitalize()}, with the ruler's correction")
axes[0].set_ylabel("estimate against truth, %"); axes[0].legend()
plt.tight_layout(); plt.show()

# %% [markdown]
# ## Coverage, and what the verdict says
#
# An interval covers if the truth, with its own error over seeds, is inside. `own_load` is the
# evaluator's figure of the recorded sender's share of the load on the chosen paths.

# %%
by_load = audits.groupby("load").agg(own_load=("own_load", "mean"), covered=("covers", "mean"), raw=("raw_error", lambda v: v.abs().mean()),
                                      error=("error", lambda v: v.abs().mean()), trusted=("verdict", lambda v: (v == "trust").mean()))
shown = by_load.reset_index()
shown[["own_load", "covered", "raw", "error", "trusted"]] *= 100
table(shown.rename(columns={"load": "load, Mbit/s", "own_load": "own load", "covered": "intervals that cover", "raw": "mean error as recorded",
                            "error": "mean error, ruler corrected", "trusted": "verdict 'trust'"}),
      {"load, Mbit/s": "{:.2f}", "own load": "{:.0f} %", "intervals that cover": "{:.0f} %", "mean error as recorded": "{:.1f} %",
       "mean error, ruler corrected": "{:.1f} %", "verdict 'trust'": "{:.0f} %"})
lates = main.groupby("load")[["late_estimate", "late_truth"]].mean().reset_index()
table(lates.assign(late_estimate=lates.late_estimate * 100, late_truth=lates.late_truth * 100).rename(
    columns={"load": "load, Mbit/s", "late_estimate": "late, estimated (mean over policies)", "late_truth": "late, live"}),
    {"load, Mbit/s": "{:.2f}", "late, estimated (mean over policies)": "{:.2f} %", "late, live": "{:.2f} %"})

# %% [markdown]
# ## Choices, replayed and live
#
# The share of decisions for the nearer link: as each policy would have chosen in the recorded states, and
# as it chose when it ran. They differ where its own choices made other queues, or other knowledge.

# %%
shares = main.pivot(index="load", columns="policy", values=["near_replayed", "near_live"])
figure, axes = plt.subplots(figsize=(8.5, 3.4))
for name in TARGETS[:3]:
    axes.plot(shares.index, shares["near_replayed"][name] * 100, "--", color=colour[name])
    axes.plot(shares.index, shares["near_live"][name] * 100, "o-", ms=4, color=colour[name], label=name)
axes.set_xscale("log"); plain(axes.xaxis, [0.1, 0.2, 0.5, 1, 2]); axes.set_ylim(0, 105)
axes.set_xlabel("load offered, Mbit/s"); axes.set_ylabel("decisions for the nearer link, %")
axes.set_title("Choices: replayed on the recording (dashed), and live"); axes.legend()
plt.show()

# %% [markdown]
# ## Another failure: what the log never did
#
# `redundant` sends everything on both paths, which `weighted` never does. No estimator can know what
# that gives, and the evaluator refuses to say so.

# %%
log = sorted((WORK / f"every-{INTERVALS[2]}").glob("*.weighted.*.trace"))
never = command.run_json("evaluate", *log, "--policy", "redundant")["policies"][0]
say(f"Verdict on `redundant`: **{never['verdict']}**. " + "; ".join(never["reasons"]) + ".")

# %% [markdown]
# ## What it found

# %%
loads = by_load.index
light, heavy = audits[audits.load <= loads[len(loads) // 2]], audits[audits.load > loads[len(loads) // 2]]
best_guess = main.loc[main.groupby("load").estimate.idxmin()].set_index("load")
best_truth = main.groupby("load").truth.min()
lost = best_guess.truth / best_truth - 1
bias = heavy.groupby("policy").error.mean()
worst = bias.abs().idxmax()
say("\n".join([
    f"- The sender's record of its own median is {percent((1 / rulers['p50'] - 1).mean())} above the truth on average "
    f"({percent((1 / rulers['p50'] - 1).min())} to {percent((1 / rulers['p50'] - 1).max())} by load); it is the same for all policies that are "
    "estimated from one recording, so comparisons between them do not suffer.",
    f"- Up to {light.load.max():.2f} Mbit/s the estimates, so corrected, are off by {percent(light.error.abs().mean())} on average and "
    f"{percent(light.covers.mean(), 0)} of {len(light)} intervals cover; above that by {percent(heavy.error.abs().mean())}, and "
    f"{percent(heavy.covers.mean(), 0)} of {len(heavy)} cover. The verdict is 'trust' for {percent((light.verdict == 'trust').mean(), 0)} and "
    f"{percent((heavy.verdict == 'trust').mean(), 0)} of them.",
    f"- Choosing the policy with the lowest estimated median costs {percent(lost.mean())} against the truly best one on average, at most {percent(lost.max())}.",
    f"- Under the heavier loads the largest bias is that of `{worst}` ({change(bias[worst])}): "
    + ("it is estimated faster than it is, since its own queue is not in a recording that spread the load."
       if bias[worst] < 0 else "it is estimated slower than it is."),
    f"- `steady` would have sent {percent(shares['near_replayed']['steady'].iloc[-1], 0)} of the messages over the nearer link at the heaviest load in the recorded "
    f"states, and sent {percent(shares['near_live']['steady'].iloc[-1], 0)} when it ran.",
    f"- A policy whose actions are not in the log gets the verdict '{never['verdict']}'.",
]))
