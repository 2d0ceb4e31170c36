"""Replay the default unit from its weights file, in plain numpy: an independent reading of docs/weights_file.md.

    python docs/replay.py [FILE] [--cases N]

reads the file (by default the one that is shipped), runs each of the five networks on every input that it can receive,
and N (default 100,000) instructions end to end. It imports nothing of this project. It exits with 1 if a hash or an
answer is wrong, or a margin is not the one that the manifest states.
"""

import argparse
import hashlib
import itertools
import json
import math
import sys
import time
from pathlib import Path

import numpy as np

SHIPPED = Path(__file__).resolve().parent.parent / "learned_units" / "weights" / "shipped" / "ntk-g8-seed0.safetensors"
GROUP = 8  # positions that one network serves
HALF = GROUP // 2
BLOCK = 4096  # inputs predicted at once

# What each network was trained on, in the order of its rows: "conditions at a position > outputs that become 1 there".
# ~ stands for 0; a1 and b1 are the bits one position below; G0 P0, G1 P1, ... describe adjacent intervals, downwards.
FAMILIES = {
    "first": "~a b > x G, a ~b > x, ~a ~b ~a1 b1 > G, a b ~a1 b1 > G, "
    "~a ~b ~a1 ~b1 > P, ~a ~b a1 b1 > P, a b ~a1 ~b1 > P, a b a1 b1 > P",
    "prefix": "G0 > G, P0 G1 > G, P0 P1 G2 > G, P0 P1 P2 G3 > G, P0 P1 P2 P3 > P",
    "difference": "~x G0 > d, ~x P0 G1 > d, x ~G0 ~P0 > d, x P0 ~G1 > d",
    "select": "flag yes > chosen, ~flag no > chosen",
    "any": "bit > some",
}
OUTPUTS = {"first": "x G P", "prefix": "G P", "difference": "d", "select": "chosen", "any": "some"}


def read(path):
    """Tensors by name and the manifest of a safetensors file: 8 bytes of length, a header in JSON, then the data."""
    data = Path(path).read_bytes()
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:end])
    manifest = json.loads(header.pop("__metadata__")["manifest"])
    tensors = {}
    for name, about in header.items():  # all are float32
        start, stop = about["data_offsets"]
        tensors[name] = np.frombuffer(data[end + start : end + stop], "<f4").reshape(about["shape"])
    return tensors, manifest


def tensor_hash(tensors):
    """SHA-256 over names, types, shapes and bytes, in order of names."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(f"{name} float32 {tensors[name].shape} ".encode() + tensors[name].tobytes())
    return digest.hexdigest()


class Network:
    """One network: its families, its weights, and thresholds from the kernel."""

    def __init__(self, name, tensors):
        self.name, self.outputs, self.pooled = name, OUTPUTS[name].split(), name == "any"
        self.families = [[side.split() for side in each.split(">")] for each in FAMILIES[name].split(",")]
        self.lines = sorted({condition.strip("~") for when, _ in self.families for condition in when})
        # Which family asserts which output; the last row stands for no family.
        self.says = np.array([[each in then for each in self.outputs] for _, then in [*self.families, ("", "")]])
        inner, self.outer = tensors[name + ".inner"], tensors[name + ".outer"]
        rows = inner.reshape(len(self.families), GROUP, -1)  # row = family * GROUP + position
        rows = np.concatenate([rows, np.zeros_like(rows[:1])])  # no family: adds nothing
        # The sums of the rows of the lower and of the upper four positions, for every choice of families.
        choices = np.array(list(itertools.product(range(len(rows)), repeat=HALF)))
        self.sums = [rows[choices, np.arange(HALF) + half].sum(1) for half in (0, HALF)]
        # The infinitely wide network's mean for an output that c of k templates assert, m of the n that hold among
        # them, is (d m - beta c) / (1 - b). The threshold lies halfway between m = 0 and m = 1.
        k, b = len(self.families) * GROUP, 1 / (2 * math.pi)
        counts = self.says.sum(0) * (GROUP if self.pooled else 1)
        self.half_gap, self.threshold = np.full(GROUP + 1, 0.5), np.full((GROUP + 1, len(counts)), 0.5)
        for n in range(1, GROUP + 1):
            r = 1 / math.sqrt(n)
            d = (math.sqrt(1 - r * r) + 2 * r * (math.pi - math.acos(r))) / (2 * math.pi) - b
            beta = b / (1 - b + k * b) * (n * d - (1 - b))
            self.half_gap[n] = d / (1 - b) / 2
            self.threshold[n] = self.half_gap[n] - beta / (1 - b) * counts

    def match(self, lines):
        """Bits of the lines, bool [..., GROUP] each -> the family that holds at each position; their number: none."""
        found = np.full(np.broadcast_shapes(*(each.shape for each in lines.values())), len(self.families))
        for number, (when, _) in enumerate(self.families):
            holds = [lines[each.strip("~")] != each.startswith("~") for each in when]
            found[np.logical_and.reduce(np.broadcast_arrays(*holds))] = number
        return found

    def distances(self, family):
        """Families int [inputs, GROUP] -> (prediction - threshold) / half gap, [inputs, outputs, GROUP (pooled: 1)]."""
        powers = (len(self.families) + 1) ** np.arange(HALF)[::-1]
        found = []
        for block in np.split(family, range(BLOCK, len(family), BLOCK)):
            hidden = self.sums[0][block[:, :HALF] @ powers] + self.sums[1][block[:, HALF:] @ powers]
            n = (block < len(self.families)).sum(1)
            value = np.maximum(hidden, 0) @ self.outer / np.sqrt(np.maximum(n, 1))[:, None]
            value = value.reshape(len(block), len(self.outputs), -1)  # column = output * GROUP + position
            found.append((value - self.threshold[n][:, :, None]) / self.half_gap[n][:, None, None])
        return np.concatenate(found)

    def inputs(self):
        """Every input that the network can receive: the family at each position, int [inputs, GROUP]."""
        if self.name == "first":  # neighbouring positions share bits: all bits of eight positions and the one below
            codes = np.arange(1 << 18)[:, None]
            a, b = ((codes >> np.arange(operand, 18, 2)) % 2 == 1 for operand in (0, 1))
            return np.unique(self.match({"a": a[:, 1:], "b": b[:, 1:], "a1": a[:, :-1], "b1": b[:, :-1]}), axis=0)
        here = np.arange(len(self.families) + 1)
        return np.stack(np.meshgrid(*[here] * GROUP, indexing="ij"), -1).reshape(-1, GROUP)

    def enumerate(self):
        """(inputs, those with a wrong output, smallest margin) over every input: margins are negative where wrong."""
        inputs, wrong, smallest = self.inputs(), 0, math.inf
        for block in np.split(inputs, range(BLOCK, len(inputs), BLOCK)):
            asserted = self.says[block]  # [inputs, GROUP, outputs]
            right = asserted.any(1)[:, :, None] if self.pooled else np.moveaxis(asserted, 1, 2)
            margin = np.where(right, 1, -1) * self.distances(block)
            wrong += np.count_nonzero((~(margin > 0)).any((1, 2)))
            smallest = min(smallest, float(margin.min()))
        return len(inputs), wrong, smallest

    def run(self, positions, **lines):
        """One pass over words: lines bool [cases, positions or more] -> outputs by name, bool [cases, positions]."""
        cases, groups = len(next(iter(lines.values()))), -(-positions // GROUP)
        padded = {name: np.zeros((cases, groups * GROUP), bool) for name in lines}
        for name, bits in lines.items():
            bits = np.broadcast_to(bits, padded[name].shape) if name == "flag" else bits  # the flag: at every position
            padded[name][:, : bits.shape[1]] = bits[:, : groups * GROUP]
        family = self.match({name: bits.reshape(-1, GROUP) for name, bits in padded.items()})
        bits = (self.distances(family) > 0).reshape(cases, groups, len(self.outputs), -1)
        kept = groups if self.pooled else positions
        return {name: bits[:, :, k].reshape(cases, -1)[:, :kept] for k, name in enumerate(self.outputs)}


def shift(bits, by, width):
    """Bit i of the result is bit i - by of `bits`, 0 outside; one group longer than the word, as groups read on."""
    return np.pad(bits, ((0, 0), (by, GROUP)))[:, : width + GROUP]


def instruction(networks, a, b, target, following, subleq):
    """Words as bits, bool [cases, width], least significant first -> bits of a - b and of the next pc."""
    width = a.shape[1]
    word = networks["first"].run(width, a=a, b=b, a1=shift(a, 1, width), b1=shift(b, 1, width))
    x, span = word["x"], 2
    while 2 * span < width - 1:
        reads = {f"{name}{t}": shift(word[name], t * span, width) for t in range(4) for name in "GP"}
        word, span = networks["prefix"].run(width, **reads), 4 * span
    reads = {f"{name}{t}": shift(word[name], 1 + t * span, width) for name, t in (("G", 0), ("P", 0), ("G", 1))}
    d = networks["difference"].run(width, x=x, **reads)["d"]
    flag = d[:, -1:]
    if subleq:  # taken: negative or zero; x is 0 everywhere where a = b
        some = x
        while some.shape[1] > 1:
            some = networks["any"].run(some.shape[1], bit=some)["some"]
        flag = networks["select"].run(1, flag=some, yes=flag, no=np.ones_like(flag))["chosen"]
    return d, networks["select"].run(width, flag=flag, yes=target, no=following)["chosen"]


def wrong_cases(networks, width, subleq, cases, rng):
    """How many of these cases come out wrong: half of the pairs are uniform, the others differ in few bits."""
    words = rng.integers(0, 2**width, (4, cases), np.uint64)
    words[1, ::2] = words[0, ::2] ^ (np.uint64(1) << rng.integers(0, width, (cases + 1) // 2, np.uint64))
    words[1, ::8] = words[0, ::8]
    places = np.arange(width, dtype=np.uint64)
    bits = (words[:, :, None] >> places & np.uint64(1)) > 0
    right = (words[0] - words[1]) & np.uint64(2**width - 1)
    taken = (right >> np.uint64(width - 1) > 0) | (subleq & (right == 0))
    results = instruction(networks, bits[0], bits[1], bits[2], bits[3], subleq)
    d, pc = ((each.astype(np.uint64) << places).sum(1) for each in results)
    return int(((d != right) | (pc != np.where(taken, words[2], words[3]))).sum())


def main(arguments):
    parser = argparse.ArgumentParser(description="Replay the default unit from its weights file in plain numpy.")
    parser.add_argument("file", nargs="?", default=SHIPPED)
    parser.add_argument("--cases", type=int, default=100_000)
    options = parser.parse_args(arguments)
    began, (tensors, manifest) = time.monotonic(), read(options.file)
    bad = tensor_hash(tensors) != manifest["tensor_hash"]
    print(f"hash {tensor_hash(tensors)}: {'NOT the' if bad else 'the'} one of the manifest")
    networks = {name: Network(name, tensors) for name in FAMILIES}
    for name, network in networks.items():
        (total, wrong, smallest), stated = network.enumerate(), manifest["networks"][name]
        fits = total == stated["inputs"] and abs(smallest - stated["smallest_margin"]) < 1e-4
        bad |= wrong > 0 or not fits
        said = "as stated" if fits else f"the manifest states {stated['inputs']:,} and {stated['smallest_margin']:.4f}"
        print(f"{name:<10} {total:>9,} inputs, {wrong} wrong, smallest margin {smallest:.4f}: {said}")
    rng, each = np.random.default_rng(0), options.cases // 8
    wrong = sum(wrong_cases(networks, w, subleq, each, rng) for w in (8, 16, 32, 64) for subleq in (False, True))
    print(f"{each * 8:,} instructions of 8 to 64 bits, SBN and SUBLEQ: {wrong} wrong; {time.monotonic() - began:.0f} s")
    return int(bad or wrong > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
