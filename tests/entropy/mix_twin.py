"""The context mixer, written to be read: the native core must give the same bytes."""

from __future__ import annotations

import math

import numpy as np

INPUTS, CONTEXTS, UNARY, MANTISSA, SETS = 4, 128, 20, 10, 8
NODES = 2 + UNARY + MANTISSA
SQUASH = [
    min(max(int(65536 / (1 + math.exp(-(i - 2048) / 256)) + 0.5), 32), 65504) for i in range(4096)
]


def make_stretch():
    table, x = [], -2047
    for i in range(4096):
        while x < 2047 and 65536 / (1 + math.exp(-x / 256)) < (i + 0.5) * 16:
            x += 1
        table.append(x)
    return table


STRETCH = make_stretch()
STEP = [int(8192 / (n + 1.5)) for n in range(256)]


def clamp(x, low, high):
    return max(low, min(high, x))


def bucket(x):
    return x if x < 3 else min(7, (x - 1).bit_length() + 1)


def level_of(a):
    m = abs(a)
    size = m if m < 8 else 7 + m // 8 if m < 64 else 15
    return 15 - size if a < 0 else 15 + size


def fade(total, added):
    return total - total // 4 + 4 * min(added, 255)


def wrap(x):
    return (x + 2**31) % 2**32 - 2**31


class Arithmetic:
    def __init__(self):
        self.low, self.high, self.out = 0, 0xFFFFFFFF, bytearray()

    def code(self, bit, p1):
        middle = self.low + ((self.high - self.low) * p1 >> 16)
        if bit:
            self.high = middle
        else:
            self.low = middle + 1
        while (self.low ^ self.high) >> 24 == 0:
            self.out.append(self.high >> 24)
            self.low = self.low << 8 & 0xFFFFFFFF
            self.high = self.high << 8 & 0xFFFFFFFF | 255

    def finish(self):
        self.out.append(self.high >> 24)
        return bytes(self.out)


class Mixer:
    """The models of one plane."""

    def __init__(self):
        self.coder = None
        self.probability, self.seen, self.weights = {}, {}, {}

    def bit(self, contexts, mixer_set, node, bit):
        keys = [(m, c, node) for m, c in enumerate(contexts)]
        inputs = [STRETCH[self.probability.get(k, 1 << 21) >> 10] for k in keys]
        start = [(1 << 14) * 3 // (2 * INPUTS)] * INPUTS
        weights = self.weights.setdefault((mixer_set, node), start)
        x = sum(w * i for w, i in zip(weights, inputs, strict=True)) >> 14
        p1 = SQUASH[clamp(x, -2047, 2047) + 2048]
        self.coder.code(bit, p1)
        error = ((bit << 16) - p1) * 7
        for i in range(INPUTS):
            moved = weights[i] + (inputs[i] * error + (1 << 18) >> 19)
            weights[i] = clamp(moved, -(4 << 14) + 1, (4 << 14) - 1)
        for k in keys:
            p, n = self.probability.get(k, 1 << 21), self.seen.get(k, 0)
            gap = (2**22 - 1 if bit else 0) - p
            self.probability[k] = p + ((gap >> 4) * STEP[n] >> 9)
            self.seen[k] = min(n + 1, 127)

    def value(self, contexts, mixer_set, value):
        self.bit(contexts, mixer_set, 0, int(value != 0))
        if value == 0:
            return
        self.bit(contexts, mixer_set, 1, int(value < 0))
        exponent = abs(value).bit_length() - 1
        for k in range(exponent + 1):
            self.bit(contexts, mixer_set, 2 + min(k, UNARY - 1), int(k < exponent))
        for k in reversed(range(exponent)):
            b = abs(value) >> k & 1
            if k == exponent - 1 and exponent <= MANTISSA:
                self.bit(contexts, mixer_set, 1 + UNARY + exponent, b)
            else:
                self.coder.code(b, 32768)


def encode_planes_twin(values, planes, side):
    coders = [Arithmetic() for _ in side.levels]
    n = len(side)
    values = np.asarray(values).tolist()
    disagreement, energy = [0] * n, [0] * n
    residuals = []
    gates = planes.gates or (-1,) * len(planes)
    for c in range(len(planes)):
        mixer = Mixer()
        plane, residual = values[c], [0] * n
        partner = residuals[planes.partners[c]] if planes.partners[c] >= 0 else [0] * n
        for i in range(n):
            if gates[c] >= 0 and values[gates[c]][i] == 0:
                continue
            mixer.coder = coders[sum(end <= i for end in side.levels)]
            near = plane[side.references[i]] if i else 0
            off, loud = bucket(disagreement[i] >> 2), bucket(energy[i] >> 2)
            q = partner[i]
            tilt = (q > 0) - (q < 0) + 1 + 3 * min(bucket(abs(q)), 4)
            contexts = (
                off * 4 + int(side.nearness[i]),
                level_of(near) * 4 + min(off, 3),
                int(side.classes[i]) * 8 + loud,
                loud * 15 + tilt,
            )
            predicted = near if disagreement[i] >> 2 <= planes.trust else 0
            residual[i] = wrap(plane[i] - predicted)
            mixer.value(contexts, off, residual[i])
            energy[i] = fade(energy[i], abs(plane[i]))
            disagreement[i] = fade(disagreement[i], abs(plane[i] - near))
        residuals.append(residual)
    return [coder.finish() for coder in coders]
