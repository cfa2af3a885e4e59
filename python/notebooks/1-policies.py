# %% [markdown]
# # Learned path choice against every policy
#
# **This notebook shows** how fast messages, transfers and streams are under every policy that
# Pathwise has, in the same worlds. Worlds are drawn at random (links, losses, outages, traffic of
# others, workloads: docs/worlds.md), and 20 more ship with the program. Every policy meets the same
# losses and outages, so differences are paired. The figure is each workload's cost (mean time, or
# the inverse of a rate) against `steady`, the rule that the learned policy falls back to; below zero
# is better. The bars are 95 % intervals over worlds.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from common import OTHER, OURS, RULE, catalogue, change, made_by, percent, policies, say, simulate, table, verdict

WORLDS, FIRST_SEED = 24, 9001
# Arms of `single` are first paths; policies that need settings run with those of their authors.
NAMES = list(catalogue())
made_by()
random = simulate("--random", str(WORLDS), "--seed", str(FIRST_SEED), "--seeds", "1", "--duration", "20s",
                  *policies(NAMES), "--baseline", "steady")
say(f"{len(NAMES)} policies ran in {WORLDS} random worlds (seeds {FIRST_SEED} to "
    f"{FIRST_SEED + WORLDS - 1}).")

# %% [markdown]
# ## Over all random worlds

# %%
def overall(result):
    frame = pd.DataFrame(result["overall"]).set_index("policy")
    frame.loc["steady", ["low", "high"]] = 0.0
    spent = {}
    for world in result["worlds"]:
        for policy in world["policies"]:
            for run in policy["runs"]:
                if run["payload_bytes"] > 0:
                    spent.setdefault(policy["policy"], []).append(
                        sum(run["link_bytes"]) / run["payload_bytes"])
    frame["bytes"] = pd.Series({name: np.median(values) for name, values in spent.items()})
    return frame.sort_values("difference")

def forest(frame, title):
    figure, axes = plt.subplots(figsize=(8.5, 0.26 * len(frame) + 1.2))
    for place, (name, row) in enumerate(frame[::-1].iterrows()):
        colour = OURS if name == "learned" else RULE if name == "steady" else OTHER
        axes.plot([row.low * 100, row.high * 100], [place, place], color=colour, lw=2.5)
        axes.plot(row.difference * 100, place, "o", color=colour, ms=6)
    axes.axvline(0, color=RULE, lw=0.8)
    axes.set_yticks(range(len(frame)), frame.index[::-1])
    axes.set_xlabel("change in cost against steady, % (left is better)")
    axes.set_xscale("symlog", linthresh=10)
    axes.set_xticks([-50, -20, -10, -5, 0, 5, 10, 20, 50, 100, 300],
                    ["-50", "-20", "-10", "-5", "0", "5", "10", "20", "50", "100", "300"])
    axes.set_title(title)
    plt.show()

drawn = overall(random)
forest(drawn, f"All policies in {WORLDS} random worlds, with 95 % intervals")

# %%
shown = drawn.reset_index()
shown["interval"] = [f"[{change(low)}, {change(high)}]" for low, high in zip(shown.low, shown.high)]
shown["difference"] = shown["difference"].map(change)
shown["near_best"] = shown["near_best"] * 100
table(shown[["policy", "difference", "interval", "near_best", "worst_place", "bytes"]].rename(columns={
    "difference": "cost against steady", "near_best": "within 2 % of the best, % of worlds",
    "worst_place": "worst where", "bytes": "IP bytes for a payload byte (median)"}),
    {"within 2 % of the best, % of worlds": "{:.0f}", "IP bytes for a payload byte (median)": "{:.2f}"})

# %% [markdown]
# ## World by world
#
# Each column is one workload of one world. The line spans from the best to the worst of the policies
# that send at most 5 % more bytes than `steady` there; the dots are `learned` and `steady`.

# %%
def by_world(result):
    rows = []
    for world in result["worlds"]:
        bytes_of = {p["policy"]: sum(map(sum, (r["link_bytes"] for r in p["runs"]))) for p in world["policies"]}
        for policy in world["policies"]:
            for workload in policy["workloads"]:
                figures = {k: v for k, v in workload.items() if isinstance(v, dict) and "difference" in v}
                first = next(iter(figures))
                value = figures[first]["value"]
                if value is None or value <= 0:
                    continue
                rows.append({"world": world["name"], "workload": workload["name"], "figure": first,
                             "policy": policy["policy"], "bytes": bytes_of[policy["policy"]],
                             "cost": 1 / value if first == "goodput" else value})
    frame = pd.DataFrame(rows)
    base = frame[frame.policy == "steady"].set_index(["world", "workload"])[["cost", "bytes"]].add_suffix("_steady")
    frame = frame.join(base, on=["world", "workload"]).dropna(subset="cost_steady")
    frame["relative"] = frame.cost / frame.cost_steady - 1
    frame["is_fair"] = frame.bytes <= 1.05 * frame.bytes_steady
    return frame

worlds = by_world(random)
fair = worlds[worlds.is_fair & ~worlds.policy.isin(["redundant", "ols", "reinject"])]
spans = fair.groupby(["world", "workload"]).relative.agg(["min", "max"])
ours = worlds[worlds.policy == "learned"].set_index(["world", "workload"]).relative
spans = spans.join(ours.rename("learned")).dropna().sort_values("learned")
figure, axes = plt.subplots(figsize=(9.5, 4))
places = np.arange(len(spans))
axes.vlines(places, spans["min"] * 100, np.minimum(spans["max"] * 100, 400), color="#d5dadd", lw=4)
axes.plot(places, spans["learned"] * 100, "o", color=OURS, ms=5, label="learned")
axes.axhline(0, color=RULE, lw=1.2, label="steady")
axes.set_yscale("symlog", linthresh=5)
axes.set_yticks([-80, -40, -20, -10, -5, 0, 5, 10, 20, 50, 100, 400],
                ["-80", "-40", "-20", "-10", "-5", "0", "5", "10", "20", "50", "100", "400"])
axes.set_xlabel("workloads of random worlds, sorted by the change of learned")
axes.set_ylabel("change in cost against steady, %")
axes.set_title("From the best to the worst policy of equal bytes, and learned")
axes.legend()
plt.show()
gap = (1 + spans["learned"]) / (1 + spans["min"]) - 1
say(f"In {percent(np.mean(gap <= 0.02), 0)} of {len(spans)} workloads `learned` is the best policy of equal bytes or within 2 % "
    f"of it; in {percent(np.mean(spans.learned > 0.01), 0)} it is more than 1 % slower than `steady`, in "
    f"{percent(np.mean(spans.learned < -0.01), 0)} more than 1 % faster. The policy that is best with hindsight would change "
    f"the mean by {change(spans['min'].mean())}.")

# %% [markdown]
# ## Worlds that ship
#
# The same for worlds that are written down by hand or follow measurements, with three seeds each.

# %%
SHIPPED = ["S1", "S2", "S3", "S4", "flap", "zombie", "dead_zone", "three_paths", "eight_paths", "jit_20",
           "loss_2", "bw_10to1", "dual_lte", "lte_starlink", "congested", "adversary", "rank_steps",
           "symmetric", "metered_lte", "drive_three_operators"]
shipped = simulate(*[word for name in SHIPPED for word in ("--world", name)], "--seeds", "3", "--duration", "15s",
                   "--workload", "messages", *policies(NAMES), "--baseline", "steady")
forest(overall(shipped), f"All policies in {len(SHIPPED)} worlds that ship, messages, three seeds")

# %% [markdown]
# ## What it found

# %%
def sentence(frame, where):
    row = frame.loc["learned"]
    equal = frame[frame["bytes"] <= 1.05 * frame.loc["steady", "bytes"]]
    best = equal.index[0]
    rank = list(equal.index).index("learned") + 1 if "learned" in equal.index else None
    place = f"It is number {rank} of the {len(equal)} policies with no more bytes than `steady` (+5 %)" if rank else "It sends more bytes than `steady`"
    others = "" if best == "learned" else (f"; the best of them is `{best}` with {change(frame.loc[best, 'difference'])} "
             f"[{change(frame.loc[best, 'low'])}, {change(frame.loc[best, 'high'])}]")
    return (f"- In {where}, `learned` changes the cost by {change(row.difference)} "
            f"[{change(row.low)}, {change(row.high)}] against `steady`: {verdict(row.low, row.high)}. {place}{others}. "
            f"Its worst workload is {row.worst_place} ({change(row.worst)}).")

say("\n".join([
    sentence(drawn, f"{WORLDS} random worlds"),
    sentence(overall(shipped), f"{len(SHIPPED)} worlds that ship"),
    f"- Sending everything on all paths (`redundant`) changes the cost by {change(drawn.loc['redundant', 'difference'])} "
    f"in random worlds, for {drawn.loc['redundant', 'bytes'] / drawn.loc['steady', 'bytes']:.1f} times the bytes.",
]))
