"""A slow, readable decoder of static ``rans`` streams, which the native one must equal bit for bit.

Plain Python integers throughout. Read this to understand the format; the native files say why.
"""

from __future__ import annotations

PROB_BITS = 14
SCALE = 1 << PROB_BITS
FLOOR = 1 << 16
WEIGHT_BITS = 15


class Bytes:
    def __init__(self, data):
        self.data = data
        self.position = 0

    def take(self, size):
        part = self.data[self.position : self.position + size]
        assert len(part) == size
        self.position += size
        return part

    def varint(self):
        value = shift = 0
        while True:
            (octet,) = self.take(1)
            value |= (octet & 0x7F) << shift
            shift += 7
            if octet < 0x80:
                return value


class Bit:
    """Probability of a one, in units of 2^-16: the mean of a fast and a slow average."""

    def __init__(self):
        self.fast = self.slow = 1 << 15

    def learn(self, bit):
        if bit:
            self.fast += (65536 - self.fast) >> 4
            self.slow += (65536 - self.slow) >> 6
        else:
            self.fast -= self.fast >> 4
            self.slow -= self.slow >> 6


class RangeDecoder:
    def __init__(self, data):
        self.data = data
        self.position = 4
        self.range = 0xFFFFFFFF
        self.code = int.from_bytes(data[:4].ljust(4, b"\0"), "big")

    def split(self, bound):
        bit = self.code < bound
        if bit:
            self.range = bound
        else:
            self.code -= bound
            self.range -= bound
        self.settle()
        return bit

    def settle(self):
        while self.range < 1 << 24:
            octet = self.data[self.position] if self.position < len(self.data) else 0
            self.position += 1
            self.code = self.code << 8 | octet
            self.range <<= 8

    def bit(self, model):
        bit = self.split((self.range >> 16) * ((model.fast + model.slow + 1) >> 1))
        model.learn(bit)
        return bit

    def raw(self, count):
        value = 0
        while count > 0:
            bits = min(count, 8)
            count -= bits
            self.range >>= bits
            part = min(self.code // self.range, (1 << bits) - 1)
            self.code -= part * self.range
            value = value << bits | part
            self.settle()
        return value

    def golomb(self, model):
        more, top = model
        bits = 0
        while bits < 32 and self.bit(more[bits]):
            bits += 1
        if bits == 0:
            return 0
        head = 2 | self.bit(top[bits - 1])
        return (head << (bits - 1) | self.raw(bits - 1)) - 1


def golomb_model():
    return [Bit() for _ in range(32)], [Bit() for _ in range(32)]


def unfold(u):
    return u >> 1 ^ -(u & 1)


def to_int32(value):
    return (value + (1 << 31)) % (1 << 32) - (1 << 31)


def read_map(coder):
    """Table of each context; tables are numbered by first appearance."""
    contexts = 1 + coder.golomb(golomb_model())
    same, new = Bit(), Bit()
    tables = 1
    table_of = [0]
    while len(table_of) < contexts:
        if coder.bit(same):
            table_of.append(table_of[-1])
        elif coder.bit(new):
            table_of.append(tables)
            tables += 1
        else:
            table_of.append(coder.raw((tables - 1).bit_length()))
    return table_of, tables


def guess(levels, t, previous, s):
    """What level t should be, and which set of models codes the difference."""
    near = []
    for back in (1, 2):
        if t >= back and levels[t - back]:
            level = levels[t - back]
            if previous and previous[t] and previous[t - back]:
                level += previous[t] - previous[t - back]
            near.append(level)
    known = bool(previous and previous[t])
    if not near:
        level, trust = previous[t] if known else (WEIGHT_BITS - 3) << s, 0
    else:
        level = (near[0] + near[1]) >> 1 if len(near) == 2 else near[0]
        trust = 2 if known else 1
    return max(1, min(level, (WEIGHT_BITS << s) + 1)), trust


def read_levels(coder, max_tokens, tables, s):
    """Logarithms of the frequencies of each table, each guessed from its neighbours."""
    longer = Bit()
    length_model = golomb_model()
    zero = [Bit() for _ in range(8)]
    residual = [(Bit(), Bit(), golomb_model()) for _ in range(3)]
    all_levels = []
    previous, length = None, max_tokens
    for _ in range(tables):
        sign = 1 if coder.bit(longer) else -1
        length += sign * coder.golomb(length_model)
        levels = [0] * 256
        for t in range(length):
            around = (
                bool(t >= 1 and levels[t - 1])
                + 2 * bool(t >= 2 and levels[t - 2])
                + 4 * bool(previous and previous[t])
            )
            if t + 1 < length and coder.bit(zero[around]):
                continue
            levels[t], trust = guess(levels, t, previous, s)
            exact, above, size = residual[trust]
            if not coder.bit(exact):
                sign = 1 if coder.bit(above) else -1
                levels[t] += sign * (1 + coder.golomb(size))
        all_levels.append(levels)
        previous = levels
    return all_levels


def weight(level, s):
    if level == 0:
        return 0
    return ((1 << s) + ((level - 1) & ((1 << s) - 1))) << ((level - 1) >> s)


def normalise(weights):
    total = sum(weights)
    drop = total.bit_length() - 31

    def scaled(x):
        return x >> drop if drop >= 0 else x << -drop

    inverse = (1 << 61) // scaled(total)
    freqs = [max(1, (scaled(w) * inverse + (1 << 46)) >> 47) if w else 0 for w in weights]
    while sum(freqs) != SCALE:
        largest = freqs.index(max(freqs))
        left = SCALE - sum(freqs)
        freqs[largest] += max(left, -((freqs[largest] + 1) // 2))
    return freqs


class Scheme:
    def __init__(self, coder):
        self.direct_bits = 4 + coder.raw(3)
        self.mantissa_bits = coder.raw(2)
        self.bias = unfold(coder.golomb(golomb_model()))

    def raw_bits(self, token):
        return ((token - (1 << self.direct_bits)) >> (self.mantissa_bits + 1)) + (
            self.direct_bits - self.mantissa_bits - 1
        )

    def join(self, token, bits, raw):
        within = token - (1 << self.direct_bits)
        head = 1 << self.mantissa_bits | within >> 1 & ((1 << self.mantissa_bits) - 1)
        return (head << bits | raw) << 1 | within & 1


def decode_static(data, contexts=None):
    """All values of a static stream, as a list."""
    stream = Bytes(data)
    (kind,) = stream.take(1)
    assert kind & 7 == 1
    lanes = 4 if kind & 8 else 1
    count = stream.varint()
    coder = RangeDecoder(stream.take(stream.varint()))
    scheme = Scheme(coder)
    max_tokens = 1 + coder.raw(8)
    table_of, tables = read_map(coder)
    s = coder.raw(2)
    slots = []  # for each table: the (token, start, frequency) of each of its 2^14 slots
    for levels in read_levels(coder, max_tokens, tables, s):
        lines = []
        for token, freq in enumerate(normalise([weight(level, s) for level in levels])):
            lines += [(token, len(lines), freq)] * freq
        slots.append(lines)

    if lanes == 1:
        states = [FLOOR + stream.varint()]
    else:
        states = [int.from_bytes(stream.take(4), "little") for _ in range(lanes)]

    def refill(lane):
        if states[lane] < FLOOR:
            states[lane] = states[lane] << 16 | int.from_bytes(stream.take(2), "little")

    values = []
    for i in range(count):
        lane = i % lanes
        slot = states[lane] % SCALE
        token, start, freq = slots[table_of[contexts[i] if contexts is not None else 0]][slot]
        states[lane] = freq * (states[lane] >> PROB_BITS) + slot - start
        refill(lane)
        folded = token
        if token >= 1 << scheme.direct_bits:
            bits = scheme.raw_bits(token)
            raw = 0
            for done in range(0, bits, 14):
                part = min(bits - done, 14)
                raw |= (states[lane] & ((1 << part) - 1)) << done
                states[lane] >>= part
                refill(lane)
            folded = scheme.join(token, bits, raw)
        values.append(to_int32(unfold(folded) + scheme.bias))
    assert states == [FLOOR] * lanes
    assert stream.position == len(data)
    return values
