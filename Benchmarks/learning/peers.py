"""The Python libraries compared with training: numpy, scikit-learn, Vowpal Wabbit, safetensors."""
import os
import statistics
import sys
import time

import numpy as np

ROWS = 1_000_000
ROUNDS, TEST, ACTIONS, FEATURES = 50_000, 10_000, 4, 24


def report(what, text):
    print(f"{what:<58} {text}", flush=True)


def timed(body, repeats):
    body()
    times = []
    for _ in range(repeats):
        start, processor = time.perf_counter(), time.process_time()
        body()
        times.append((time.perf_counter() - start, time.process_time() - processor))
    return tuple(statistics.median(column) for column in zip(*times))


def ridge(d):
    import warnings

    from sklearn.linear_model import Ridge

    warnings.filterwarnings("ignore")
    generator = np.random.default_rng(1)
    x = generator.uniform(-1, 1, (ROWS, d))
    y = x @ generator.standard_normal(d) + generator.standard_normal(ROWS)

    def normal_equations():
        a = x.T @ x
        a[np.diag_indices(d)] += 1
        return np.linalg.solve(a, x.T @ y)

    repeats = 3 if d == 256 else 7
    wall, cpu = timed(normal_equations, repeats)
    report(f"numpy normal equations, {d} features", f"{wall * 1e3:.0f} ms, processor {cpu * 1e3:.0f} ms (no intercept)")
    fit = lambda: Ridge(alpha=1.0, solver="cholesky").fit(x, y)
    wall, cpu = timed(fit, repeats)
    report(f"scikit-learn Ridge, {d} features", f"{wall * 1e3:.0f} ms, processor {cpu * 1e3:.0f} ms (intercept)")


def data(folder):
    """Rounds of a bandit with features per action, linear costs and uniform choice."""
    generator = np.random.default_rng(2)
    weights = generator.standard_normal(FEATURES) / 4
    count = ROUNDS + TEST
    x = np.round(generator.uniform(-1, 1, (count, ACTIONS, FEATURES)), 4)
    truth = x @ weights
    action = generator.integers(ACTIONS, size=count)
    cost = np.round(truth[np.arange(count), action] + 0.3 * generator.standard_normal(count), 5)
    rows = np.concatenate(
        [x.reshape(count, -1), action[:, None].astype(float), cost[:, None], truth], axis=1)
    rows[:ROUNDS].tofile(folder + "/train.f64")
    rows[ROUNDS:].tofile(folder + "/test.f64")
    for name, start, end in [("train", 0, ROUNDS), ("test", ROUNDS, count)]:
        with open(f"{folder}/{name}.adf", "w") as adf, open(f"{folder}/{name}.reg", "w") as reg:
            for i in range(start, end):
                lines = [
                    " ".join(f"{j}:{v:.4f}" for j, v in enumerate(x[i, k])) for k in range(ACTIONS)]
                a = action[i]
                reg.write(f"{cost[i]:.5f} |f {lines[a]}\n")
                for k in range(ACTIONS):
                    label = f"0:{cost[i]:.5f}:{1 / ACTIONS} " if k == a else ""
                    adf.write(f"{label}|f {lines[k]}\n")
                adf.write("\n")


def vw(folder):
    import vowpalwabbit

    truth = np.fromfile(folder + "/test.f64").reshape(-1, ACTIONS * FEATURES + 2 + ACTIONS)
    cost, truth = truth[:, -ACTIONS - 1], truth[:, -ACTIONS:]

    def run(arguments):
        start = time.perf_counter()
        workspace = vowpalwabbit.Workspace(arguments + " --quiet", enable_logging=False)
        workspace.finish()
        return time.perf_counter() - start

    model, predictions = folder + "/m.vw", folder + "/p"
    seconds = run(f"-d {folder}/train.reg -f {model}")
    run(f"-i {model} -t -d {folder}/test.reg -p {predictions}")
    error = np.mean((np.loadtxt(predictions) - cost) ** 2)
    report("Vowpal Wabbit regression: test squared error", f"{error:.5f}")
    report("Vowpal Wabbit regression from text", f"{ROUNDS / seconds / 1e3:.0f} thousand rows/s")
    explore = "--cb_explore_adf --squarecb --cb_type mtr"
    seconds = run(f"{explore} -d {folder}/train.adf -f {model}")
    report("Vowpal Wabbit squarecb from text", f"{ROUNDS / seconds / 1e3:.0f} thousand rounds/s")
    run(f"-i {model} -t -d {folder}/test.adf -p {predictions}")
    total, greedy, rounds = 0.0, 0.0, 0
    for line in open(predictions):
        if not line.strip():
            continue
        pairs = [pair.split(":") for pair in line.strip().split(",")]
        for action, probability in pairs:
            total += float(probability) * truth[rounds, int(action)]
        best = max(pairs, key=lambda pair: float(pair[1]))
        greedy += truth[rounds, int(best[0])]
        rounds += 1
    report("Vowpal Wabbit squarecb: true cost of its choices, test", f"{total / rounds:.5f}")
    report("Vowpal Wabbit squarecb: of its likeliest action", f"{greedy / rounds:.5f}")
    report("best possible: true cost", f"{truth.min(axis=1).mean():.5f}")


def model(path):
    from safetensors import safe_open
    from safetensors.numpy import load_file

    tensors = load_file(path)
    with safe_open(path, framework="np") as file:
        metadata = file.metadata()
    assert metadata["format"] == "pathwise", metadata
    names = metadata["features"].split(",")
    size = len(names)
    assert tensors["weights"].shape == (size,) and tensors["precision"].shape == (size + 1,) * 2
    assert np.array_equal(tensors["precision"], tensors["precision"].T)
    assert np.all(np.linalg.eigvalsh(tensors["precision"]) > 0)
    layers = sum(name.startswith("neural.") and name.endswith(".biases") for name in tensors)
    assert tensors["late.calibration"].shape == (2, 256) and layers == 2
    # The program's prediction when all features are one half.
    x = np.full(size, 0.5)
    linear = x @ tensors["weights"] + tensors["intercept"][0]
    late = tensors["late.weights"][:size] @ x + tensors["late.intercept"][0]
    late += tensors["late.weights"][size:] @ (
        np.sqrt(2 / len(tensors["late.phases"]))
        * np.cos(tensors["late.frequencies"] @ x + tensors["late.phases"]))
    hidden = x
    for layer in range(layers):
        hidden = np.tanh(
            hidden @ tensors[f"neural.{layer}.weights"] + tensors[f"neural.{layer}.biases"])
    neural = hidden @ tensors["neural.weights"] + tensors["neural.intercept"][0]
    late = 1 / (1 + np.exp(-late))
    for name, value in [("residual", linear), ("late", late), ("neural", neural)]:
        expected = float(metadata["check_" + name])
        assert abs(value - expected) < 1e-12, (name, value, expected)
    report("safetensors (Python) reads a model; predictions agree", f"{len(tensors)} tensors")


if __name__ == "__main__":
    command, argument = sys.argv[1], sys.argv[2]
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "2")
    if command == "ridge":
        ridge(int(argument))
    else:
        {"data": data, "vw": vw, "model": model}[command](argument)
