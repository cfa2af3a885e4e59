# %% [markdown]
# # A tour of a recording
#
# **This notebook shows** what one recording holds, and how to read it with `pathwise_data`: the
# sender's decisions with all candidates and features, what became of them, the state of the paths,
# and events. The recording is of a world: a drive with three mobile operators, 50 messages a second
# with a deadline of 150 ms, under the policy `learned`. `pathwise send --record` writes the same file.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from common import COLOURS, OURS, RULE, WORK, made_by, percent, plain, policies, say, simulate, table
from pathwise_data import read_trace

made_by()
simulate("--world", "drive_three_operators", *policies(["learned"]), "--seeds", "1", "--seed", "7", record=WORK)
trace = read_trace(next(WORK.glob("*.trace")))
sizes = {name: len(getattr(trace, name)) for name in
         ["sessions", "paths", "decisions", "actions", "candidates", "outcomes", "path_bytes", "samples", "events"]}
table(pd.DataFrame({"table": sizes.keys(), "rows": sizes.values()}))

# %% [markdown]
# ## Sessions and paths
#
# A world records both ends; what follows looks at the sender that has most decisions.

# %%
count = trace.decisions.groupby("session").size()
main = int(count.idxmax())
sessions = trace.sessions.assign(decisions=trace.sessions["id"].map(count).fillna(0).astype(int),
                                 seconds=(trace.sessions.ended_ns - trace.sessions.started_ns) / 1e9)
table(sessions[["id", "role", "policy", "seconds", "decisions"]], {"seconds": "{:.1f}"})
table(trace.paths[trace.paths.session == main][["path", "name", "weight", "price_per_gb", "backup", "kind"]])
done = trace.decision_outcomes().query("session == @main")
names = dict(zip(trace.paths[trace.paths.session == main].path, trace.paths[trace.paths.session == main].name))
colour = {name: COLOURS[place] for place, name in enumerate(names.values())}

# %% [markdown]
# ## Which path, when, and how long it took
#
# Above, the smoothed round trip of every path, from samples that are taken 10 times a second; below,
# every decision with its delivery time, coloured by the path that it took. Crosses at the top are late.

# %%
samples = trace.samples.query("session == @main").copy()
start = int(trace.sessions.set_index("id").started_ns[main])
samples["time_s"] = (samples.time_ns - start) / 1e9
figure, (top, bottom) = plt.subplots(2, 1, figsize=(9.5, 6), sharex=True)
for path, name in names.items():
    rows = samples[samples.path == path]
    top.plot(rows.time_s, rows.smoothed_rtt_ns / 1e6, color=colour[name], lw=0.9, label=name)
    hit = done[(done.path == path) & done.delivery_s.notna() & ~done.late.fillna(True).astype(bool)]
    bottom.plot(hit.time_s, hit.delivery_s * 1e3, ".", color=colour[name], ms=2)
late = done[done.late.fillna(False).astype(bool)]
limit = float(done.outcome_deadline_s.median() * 1e3)
bottom.plot(late.time_s, np.full(len(late), limit), "x", color="black", ms=6, label="late")
for moment in trace.events.query("session == @main and kind == 'failover'").time_ns:
    top.axvline((moment - start) / 1e9, color="#999999", lw=0.6, ls=":")
top.set_ylabel("smoothed round trip, ms"); top.set_yscale("log"); plain(top.yaxis, [20, 50, 100, 200, 500]); top.legend(ncol=3)
top.set_title("Round trips; dotted lines are failovers")
bottom.set_ylabel("delivery time, ms"); bottom.set_xlabel("time since the session began, s")
bottom.set_title(f"Deliveries of messages; the deadline is {limit:.0f} ms"); bottom.legend(loc="lower right")
plt.show()

# %% [markdown]
# ## Shares of the paths

# %%
bytes_ = trace.path_bytes.query("session == @main").merge(done[["number", "time_s"]], on="number")
shares = bytes_.assign(second=(bytes_.time_s // 2 * 2)).pivot_table(
    index="second", columns="path", values="bytes", aggfunc="sum", fill_value=0)
shares = shares.div(shares.sum(axis=1), axis=0) * 100
figure, axes = plt.subplots(figsize=(9.5, 3))
axes.stackplot(shares.index, shares.T.to_numpy(), labels=[names[p] for p in shares.columns],
               colors=[colour[names[p]] for p in shares.columns], step="post", alpha=0.85)
axes.set_ylim(0, 100); axes.set_xlabel("time, s"); axes.set_ylabel("share of bytes, %")
axes.set_title("Who carried what, every two seconds"); axes.legend(ncol=3, loc="lower right")
plt.show()
by_path = done.groupby("path_name").agg(decisions=("number", "size"), late=("late", "mean"),
                                         median_ms=("delivery_s", "median"), p99_ms=("time_to_close_s", lambda v: v.quantile(0.99)))
by_path = by_path.reset_index().astype({"late": float})
by_path["late"] *= 100; by_path["median_ms"] *= 1e3; by_path["p99_ms"] *= 1e3
table(by_path, {"late": "{:.2f} %", "median_ms": "{:.1f}", "p99_ms": "{:.1f}"})

# %% [markdown]
# ## What the heuristic predicted
#
# `predicted_s` is the heuristic's delivery time of the chosen path at the decision. The models learn
# the logarithm of delivery over prediction, from the features of the candidate.

# %%
chosen = trace.chosen().query("session == @main and delivery_s == delivery_s").copy()
chosen["log_ratio"] = np.log(chosen.delivery_s / chosen.predicted_s)
figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.8))
for name, rows in chosen.groupby("path_name"):
    left.plot(rows.predicted_s * 1e3, rows.delivery_s * 1e3, ".", ms=2, color=colour[name], label=name)
span = [10, 300]
left.plot(span, span, color="black", lw=0.8)
left.set_xscale("log"); left.set_yscale("log"); left.set_xlim(span); left.set_ylim(span)
for axis in (left.xaxis, left.yaxis):
    plain(axis, [10, 20, 50, 100, 200])
left.set_xlabel("predicted, ms"); left.set_ylabel("delivered, ms"); left.set_title("Delivery against prediction")
left.legend(markerscale=5)
correlation = chosen[[name for name in trace.schema.names if name in chosen]].corrwith(chosen.log_ratio).dropna()
correlation = correlation.reindex(correlation.abs().sort_values().index)[-12:]
right.barh(correlation.index, correlation, color=[OURS if v > 0 else RULE for v in correlation])
right.set_xlabel("correlation with log(delivery / prediction)"); right.set_title("Features that tell the error")
plt.tight_layout(); plt.show()
table(trace.features[trace.features.name.isin(correlation.index[-5:])][["name", "unit", "scaling", "meaning"]])

# %% [markdown]
# ## Exploration
#
# Every decision has the probability with which it was drawn (`propensity`), so other policies can be
# estimated on the recording. `forced` decisions had one action only and are not evaluated.

# %%
free = done[~done.forced]
figure, axes = plt.subplots(figsize=(8.5, 3))
axes.hist(free.propensity, bins=np.linspace(0, 1, 51), color=OURS)
axes.set_yscale("log"); axes.set_xlabel("probability of the action that was taken"); axes.set_ylabel("decisions")
axes.set_title("Propensities of decisions that were free")
plt.show()
possible = trace.actions.query("session == @main").groupby("number").size()

# %% [markdown]
# ## Events

# %%
events = trace.events.query("session == @main").assign(time_s=lambda f: (f.time_ns - start) / 1e9,
                                                         path_name=lambda f: f.path.map(names))
table(events.groupby("kind", observed=True).size().rename("events").reset_index())
around = events[events.kind.isin(["failover", "recovery", "fallback", "restored"])].head(8)
table(around[["time_s", "kind", "path_name", "text"]], {"time_s": "{:.2f}"})

# %% [markdown]
# ## What it found

# %%
best = by_path.loc[by_path.decisions.idxmax()]
ratio = np.exp(chosen.log_ratio)
explored = free[free.propensity < 0.1]
say("\n".join([
    f"- {len(done):,} decisions in {done.time_s.max():.0f} s; {percent(done.forced.mean())} were forced, "
    f"{possible.mean():.2f} actions could be taken on average.",
    f"- {percent(done.late.mean(), 2)} of the messages were late. `{best.path_name}` carried {percent(best.decisions / len(done), 0)} of the "
    f"decisions, with a median of {best.median_ms:.1f} ms.",
    f"- A delivery took {ratio.median():.2f} times its prediction in the median, and between {ratio.quantile(0.05):.2f} and "
    f"{ratio.quantile(0.95):.2f} times in 90 % of cases; the feature that tells most about the rest is `{correlation.index[-1]}` "
    f"(correlation {correlation.iloc[-1]:+.2f}).",
    f"- {percent(len(explored) / max(len(free), 1), 2)} of the free decisions were explorations with a probability below 10 %.",
]))
