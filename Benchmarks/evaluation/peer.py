"""Times Open Bandit Pipeline on the log that EvaluationBenchmarks wrote: reading it with pandas, the
estimators, and both together, which is what the command does."""
import sys
import time
import types

import numpy as np


class Names(type):
    def __getattr__(cls, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return Absent


class Absent(metaclass=Names):
    """Stands in for PyTorch, gigabytes that Open Bandit Pipeline imports for its policy learners
    and annotations: no estimator measured here calls it."""


class AbsentModule(types.ModuleType):
    def __getattr__(self, name):
        return getattr(Absent, name)


try:
    import torch  # noqa: F401
except ImportError:
    for name in ("torch", "torch.nn", "torch.optim", "torch.nn.functional"):
        sys.modules[name] = AbsentModule(name)
        parent, _, last = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], last, sys.modules[name])

import obp.ope as ope  # noqa: E402
import pandas  # noqa: E402


def best(work, repeats):
    least = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        result = work()
        least = min(least, time.perf_counter() - start)
    return least, result


def main(path):
    reading, log = best(lambda: pandas.read_csv(path), 3)
    print(f"pandas {'reading':<11} {reading * 1e3:9.1f} ms")
    k = sum(name.startswith("pi_e_") for name in log.columns)
    block = lambda prefix: np.ascontiguousarray(
        log[[f"{prefix}{i}" for i in range(k)]].to_numpy())[:, :, None]
    action, reward = log["action"].to_numpy(), log["reward"].to_numpy(dtype=float)
    pscore, pi_e, q_hat = log["pscore"].to_numpy(), block("pi_e_"), block("q_hat_")
    ips = dict(reward=reward, action=action, pscore=pscore, action_dist=pi_e)
    dr = dict(ips, estimated_rewards_by_reg_model=q_hat)
    estimators = [
        ("ips", ope.InverseProbabilityWeighting(), ips),
        ("ips-clip=10", ope.InverseProbabilityWeighting(lambda_=10.0), ips),
        ("snips", ope.SelfNormalizedInverseProbabilityWeighting(), ips),
        ("dm", ope.DirectMethod(), dr),
        ("dr", ope.DoublyRobust(), dr),
        ("sndr", ope.SelfNormalizedDoublyRobust(), dr),
        ("dr-clip=10", ope.DoublyRobust(lambda_=10.0), dr),
        ("switch-dr=10", ope.SwitchDoublyRobust(lambda_=10.0), dr),
        ("dr-os=10", ope.DoublyRobustWithShrinkage(lambda_=10.0), dr),
        ("sg-ips=0.1", ope.SubGaussianInverseProbabilityWeighting(lambda_=0.1), ips),
        ("sg-dr=0.1", ope.SubGaussianDoublyRobust(lambda_=0.1), dr),
    ]
    total = 0.0
    for name, estimator, arguments in estimators:
        seconds, value = best(lambda: estimator.estimate_policy_value(**arguments), 3)
        total += seconds
        print(f"obp {name:<14} {seconds * 1e3:9.1f} ms   value {value!r}")
    print(f"obp {'all eleven':<14} {total * 1e3:9.1f} ms, with reading "
          f"{(total + reading) * 1e3:9.1f} ms")
    resamples = 10
    seconds, _ = best(
        lambda: ope.DoublyRobust().estimate_interval(
            **dr, n_bootstrap_samples=resamples, random_state=1), 1)
    print(f"obp dr bootstrap, 1000 resamples from {resamples}: {seconds / resamples * 1e3:.1f} s")


main(sys.argv[1])
