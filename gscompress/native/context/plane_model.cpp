#include "plane_model.h"

#include <algorithm>
#include <array>
#include <utility>

#include "plane_math.h"

namespace gscompress {
namespace {

int coarse(uint32_t x) {  // 0, 1-2, 3-8, more
  return x == 0 ? 0 : x < 3 ? 1 : x < 9 ? 2 : 3;
}

uint8_t hint_of(int32_t residual) {
  return static_cast<uint8_t>(std::min(bucket(magnitude_of(residual)), 3));
}

// What sums that `fade` made say of a value: parts of its context.
constexpr size_t kSums = 4 * 255 + 1;  // a sum of quarters ends where its quarter is what comes in

struct Parts {
  std::array<uint8_t, kSums> off, loud;
  Parts() {
    for (uint32_t sum = 0; sum < kSums; ++sum) {
      off[sum] = static_cast<uint8_t>(16 * std::min(bucket(sum), 5));
      loud[sum] = static_cast<uint8_t>(4 * coarse(sum));
    }
  }
};

}  // namespace

PlaneModel::PlaneModel(const PlaneSide& side, const std::vector<PlaneSpec>& specs, size_t begin,
                       size_t end)
    : side_(side),
      specs_(specs),
      begin_(begin),
      count_(end - begin),
      open_(specs.size()),
      hints_(specs.size()),
      disagreement_(count_, 0),
      energy_(count_, 0) {}

const std::vector<uint32_t>* PlaneModel::open(int32_t gate) const {
  return gate >= 0 ? &open_[static_cast<size_t>(gate)] : nullptr;
}

// Calls `visit` for each Gaussian whose value of the next plane is coded, in order.
template <class Visit>
void PlaneModel::each(Visit visit) const {
  if (const auto* indices = open(spec().gate)) {
    for (const uint32_t i : *indices) visit(i);
  } else {
    for (size_t i = 0; i < count_; ++i) visit(i);
  }
}

size_t PlaneModel::used(size_t end) const {
  const size_t count = end - begin_;
  const auto* indices = open(spec().gate);
  if (!indices) return count;
  return static_cast<size_t>(std::lower_bound(indices->begin(), indices->end(), count) -
                             indices->begin());
}

void PlaneModel::contexts(uint16_t* out) const {
  const uint8_t* partner =
      spec().partner >= 0 ? hints_[static_cast<size_t>(spec().partner)].data() : nullptr;
  static const Parts parts;
  const uint8_t* hints = partner ? partner : side_.nearness + begin_;
  const uint16_t *off = disagreement_.data(), *loud = energy_.data();
  each([=, &out](size_t i) {
    *out++ = static_cast<uint16_t>(parts.off[off[i] >> 2] + parts.loud[loud[i] >> 2] + hints[i]);
  });
}

// Calls `code(predicted, i)` for each value of the next plane, which it gives, and learns from it.
template <class Values, class Code>
void PlaneModel::advance(Values values, Code code) {
  const int32_t* references = side_.references + begin_;
  uint16_t *off = disagreement_.data(), *loud = energy_.data();
  const int32_t trust = spec().trust;
  const size_t first = begin_ == 0 ? 1 : 0;  // the very first refers to nobody
  each([=](size_t i) mutable {
    const int32_t near = i >= first ? values[static_cast<size_t>(references[i])] : 0;
    const bool trusted = i >= first && (off[i] >> 2) <= trust;
    const int32_t value = code(trusted ? near : 0, i);
    off[i] = fade(off[i], distance(value, near));
    loud[i] = fade(loud[i], magnitude_of(value));
  });
}

void PlaneModel::residuals(const int32_t* values, int32_t* out) {
  std::vector<uint8_t> all = new_hints();
  uint8_t* hints = all.empty() ? nullptr : all.data();
  const int32_t* own = values + begin_;
  advance(values, [=](int32_t predicted, size_t i) mutable {
    const int32_t residual = wrapped_difference(own[i], predicted);
    if (hints) hints[i] = hint_of(residual);
    *out++ = residual;
    return own[i];
  });
  finish(values, std::move(all));
}

void PlaneModel::values(const int32_t* residuals, PlaneRow<int32_t> out) {
  std::vector<uint8_t> all = new_hints();
  uint8_t* hints = all.empty() ? nullptr : all.data();
  const PlaneRow<int32_t> own{&out[begin_], out.stride};
  advance(out, [=](int32_t predicted, size_t i) mutable {
    const int32_t residual = *residuals++;
    if (hints) hints[i] = hint_of(residual);
    return own[i] = wrapped_sum(predicted, residual);
  });
  finish(out, std::move(all));
}

// Whether a plane after the next one looks at `plane`, as partner or gate.
bool PlaneModel::wanted(int32_t PlaneSpec::* field, size_t plane) const {
  const auto after = specs_.begin() + static_cast<std::ptrdiff_t>(next_) + 1;
  return std::any_of(after, specs_.end(),
                     [&](const PlaneSpec& s) { return s.*field == static_cast<int32_t>(plane); });
}

std::vector<uint8_t> PlaneModel::new_hints() const {
  return std::vector<uint8_t>(wanted(&PlaneSpec::partner, next_) ? count_ : 0, 0);
}

template <class Values>
void PlaneModel::finish(Values values, std::vector<uint8_t> hints) {
  hints_[next_] = std::move(hints);
  if (wanted(&PlaneSpec::gate, next_)) {
    for (size_t i = 0; i < count_; ++i) {
      if (values[begin_ + i] != 0) open_[next_].push_back(static_cast<uint32_t>(i));
    }
  }
  if (spec().partner >= 0) {
    const auto partner = static_cast<size_t>(spec().partner);
    if (!wanted(&PlaneSpec::partner, partner)) std::vector<uint8_t>().swap(hints_[partner]);
  }
  ++next_;
}

}  // namespace gscompress
