#!/bin/sh
# Build libspectune and tune a 1D-CNN for fat in meat, on 215 near-infrared spectra that are in the
# tree: sh examples/quickstart.sh
# A few minutes on 2 cores. Leaves a study, a model and predictions in quickstart-results/; run again,
# it goes on from what is there.
set -eu
cd "$(dirname "$0")/.."
. examples/setup.sh
setup_packages build
build=${BUILD:-build-quickstart}
setup_configure "$build" -Dtests=false
ninja -C "$build" --quiet
out=${OUT:-quickstart-results}
mkdir -p "$out"
PATH=$(cd "$build" && pwd)/examples/spectune:$PATH

show()
{
    printf '\n$ %s\n' "$*"
    "$@"
}

# The official split of these spectra: C and M rows tune, T rows are for the last line only.
# The model is the mean of the networks of the five folds, steadier than one trained on all rows.
show spectune tune examples/data/tecator.csv --target fat --unit absorbance --test split=T \
    --trials 60 --study "$out/tecator.db" --model "$out/fat.xml" --ensemble
show spectune best "$out/tecator.db"
show spectune importance "$out/tecator.db"
show spectune predict "$out/fat.xml" examples/data/tecator.csv --output "$out/predictions.csv"
show spectune evaluate "$out/fat.xml" examples/data/tecator.csv --test split=T
printf '\nStudy, model and predictions are in %s/\n' "$out"
