#!/usr/bin/python3
"""Make reference.bin: small random networks, trained by PyTorch in double precision, for tests/unit/nn/test_torch.c.

usage: make_reference.py FILE [SEED]      needs PyTorch (Debian: python3-torch)"""
import sys

import nets

SEED, NETWORKS, MOST_WEIGHTS = 1, 40, 1200


def main():
    path, seed = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else SEED
    made = nets.make(seed, NETWORKS, MOST_WEIGHTS)
    missing = nets.wanted() - set(made.seen)
    if missing:
        sys.exit(f"seed {seed} misses: {', '.join(sorted(missing))}")
    nets.write(path, [(net, double) for net, double, _ in made.cases])
    print(nets.story(seed, made))


main()
