#!/usr/bin/env python3
"""Tune a network for the fat of meat with the interface of scikit-learn; look at what came of it.

    tune.py [TRIALS [FOLDER]]

With a folder, the model and (where matplotlib is installed) plots are written there.
"""
import sys
from pathlib import Path

import numpy as np
import spectune


def main(trials=6, folder=None):
    data = spectune.Dataset.read_csv(Path(__file__).resolve().parents[1] / "data/tecator.csv", unit="absorbance")
    test = data["split"] == "T"  # tuning never sees these
    x, y = data.spectra(), data["fat"]

    search = spectune.SpectralCNNSearch("small", n_trials=trials, cv=5, axis=data.axis, random_state=1,
                                        study_options={"prune": "racing"})
    search.fit(x[~test], y[~test])
    predicted = search.predict(x[test])
    s = spectune.statistics(y[test], predicted)
    print(f"cross-validation: RMSE {-search.best_score_:.3f}; test samples: RMSE {s.rmse:.3f}, R2 {s.r2:.4f}, RPD {s.rpd:.1f}")

    # One spectrum after the other, as beside an instrument.
    with search.model_.predictor() as predictor:
        assert np.array_equal([predictor.one(row) for row in x[test]], predicted)

    if folder is not None:
        folder = Path(folder)
        folder.mkdir(exist_ok=True)
        search.model_.write(folder / "fat.xml")
        try:
            plots = spectune.plots
            plots.plot_history(search.study_).figure.savefig(folder / "history.svg")
            plots.plot_predicted(y[test], predicted, unit="% fat").figure.savefig(folder / "predicted.svg")
        except ImportError as e:
            print(e)
    return 0


if __name__ == "__main__":
    sys.exit(main(*(int(a) for a in sys.argv[1:2]), *sys.argv[2:3]))
