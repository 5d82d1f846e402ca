"""What the reference packages say of features that a seed makes; writes peers.json.

python tests/metrics/golden/peers.py
# torch-fidelity 0.4.0, pytorch-fid 0.3.0, clean-fid 0.1.35, prdc 0.2; SciPy 1.17.1, NumPy 2.4.6
"""

import contextlib
import io
import json
import pathlib
import warnings

import numpy as np

SUBSETS, SUBSET_SIZE = 5, 50
"""For the kernel distance; the case `many` has the 1,000 a subset that everybody takes."""


def cases(seed=0):
    """Features (N, D) of reals and (M, D) of fakes, float64, by name."""
    random = np.random.default_rng(seed)
    normal = random.normal
    mixed = normal(size=(24, 24)) + 3 * np.eye(24)
    few_real, few_fake = normal(size=(60, 96)), normal(0.3, 1.2, (70, 96))
    twice, thrice = normal(size=(100, 12)), normal(0.5, 1, (60, 12))
    scales = np.logspace(-3, 3, 24)
    return {
        "random": (normal(size=(400, 24)), normal(0.2, 1.1, (300, 24))),
        "correlated": (normal(size=(500, 24)) @ mixed, normal(0.1, 0.9, (400, 24)) @ mixed),
        "ill_conditioned": (
            (normal(size=(400, 24)) * scales) @ mixed,
            (normal(0.1, 1.3, (300, 24)) * scales) @ mixed,
        ),
        "few": (few_real, few_fake),
        "duplicates": (np.repeat(twice, 2, axis=0), np.repeat(thrice, 3, axis=0)),
        "far_from_zero": (normal(1_000, 1, (300, 8)), normal(1_000.5, 1, (200, 8))),
        "many": (normal(size=(1_200, 4)), normal(0.1, 1, (1_100, 4))),
    }


def logits(seed=0):
    """Logits (N, K) by name: plain ones, ones that are almost sure, and a count no ten divides."""
    random = np.random.default_rng(seed)
    return {
        "plain": random.normal(0, 2, (500, 10)),
        "sure": 60 * np.eye(10)[random.integers(10, size=300)],
        "uneven": random.normal(0, 4, (123, 1008)),
    }


def frechet(real, fake):
    """The Frechet distance by each package; one that fails is left out."""
    import cleanfid.fid
    import pytorch_fid.fid_score
    import torch
    from torch_fidelity import metric_fid

    def of(features):
        return features.mean(axis=0), np.cov(features, rowvar=False)

    def by_torch_fidelity():
        statistics = [
            metric_fid.fid_features_to_statistics(torch.from_numpy(features))
            for features in (real, fake)
        ]
        return metric_fid.fid_statistics_to_metric(*statistics, verbose=False)[
            metric_fid.KEY_METRIC_FID
        ]

    packages = {
        "torch_fidelity": by_torch_fidelity,
        "pytorch_fid": lambda: pytorch_fid.fid_score.calculate_frechet_distance(
            *of(real), *of(fake)
        ),
        "clean_fid": lambda: cleanfid.fid.frechet_distance(*of(real), *of(fake)),
    }
    found = {}
    for name, package in packages.items():
        with contextlib.suppress(ValueError):  # an imaginary part, of a singular product
            found[name] = float(package())
    return found


def kernel(real, fake, subsets, subset_size):
    """The kernel distance by torch-fidelity, (mean, std); and by clean-fid, a mean.

    clean-fid draws from NumPy's global state, from its second input first.
    """
    import cleanfid.fid
    import torch
    from torch_fidelity import metric_kid

    both = metric_kid.kid_features_to_metric(
        torch.from_numpy(real),
        torch.from_numpy(fake),
        kid_subsets=subsets,
        kid_subset_size=subset_size,
        rng_seed=2020,
        verbose=False,
    )
    np.random.seed(2020)
    mean = cleanfid.fid.kernel_distance(
        fake, real, num_subsets=subsets, max_subset_size=subset_size
    )
    return {
        "torch_fidelity": [
            float(both[metric_kid.KEY_METRIC_KID_MEAN]),
            float(both[metric_kid.KEY_METRIC_KID_STD]),
        ],
        "clean_fid": float(mean),
    }


def neighbours(real, fake):
    """Precision, recall, density, coverage by prdc (k = 3 and 5); the first two by the other."""
    import prdc
    import torch
    from torch_fidelity import metric_prc

    found = {}
    for k in (3, 5):
        with contextlib.redirect_stdout(io.StringIO()):
            values = prdc.compute_prdc(real, fake, nearest_k=k)
        found[f"prdc_{k}"] = [
            float(values[name]) for name in ("precision", "recall", "density", "coverage")
        ]
        values = metric_prc.prc_features_to_metric(
            torch.from_numpy(fake), torch.from_numpy(real), prc_neighborhood=k, verbose=False
        )
        found[f"torch_fidelity_{k}"] = [values["precision"], values["recall"]]
    return found


def score(values):
    """The inception score by torch-fidelity, (mean, std)."""
    import torch
    from torch_fidelity import metric_isc

    found = metric_isc.isc_features_to_metric(torch.from_numpy(values))
    return [found[metric_isc.KEY_METRIC_ISC_MEAN], found[metric_isc.KEY_METRIC_ISC_STD]]


def subsets_of(name):
    """How the kernel distance of a case is drawn: (subsets, subset_size)."""
    return (3, 1_000) if name == "many" else (SUBSETS, SUBSET_SIZE)


def figures(seed=0):
    """Everything, by metric and case."""
    found = {"frechet": {}, "kernel": {}, "neighbours": {}}
    for name, (real, fake) in cases(seed).items():
        found["frechet"][name] = frechet(real, fake)
        found["kernel"][name] = kernel(real, fake, *subsets_of(name))
        found["neighbours"][name] = neighbours(real, fake)
    found["score"] = {name: score(values) for name, values in logits(seed).items()}
    return found


def main():
    warnings.simplefilter("ignore")
    file = pathlib.Path(__file__).with_name("peers.json")
    file.write_text(json.dumps(figures(), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
