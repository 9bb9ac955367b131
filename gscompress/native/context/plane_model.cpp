#include "plane_model.h"

#include <algorithm>
#include <utility>

#include "plane_math.h"

namespace gscompress {
namespace {

int coarse(uint32_t x) {  // 0, 1-2, 3-8, more
  return x == 0 ? 0 : x < 3 ? 1 : x < 9 ? 2 : 3;
}

}  // namespace

PlaneModel::PlaneModel(const PlaneSide& side, std::vector<PlaneSpec> specs)
    : side_(side),
      specs_(std::move(specs)),
      open_(specs_.size()),
      residuals_(specs_.size()),
      disagreement_(side.count, 0),
      energy_(side.count, 0) {}

const std::vector<uint32_t>* PlaneModel::open(int32_t gate) const {
  return gate >= 0 ? &open_[static_cast<size_t>(gate)] : nullptr;
}

// Calls `visit` for each Gaussian whose value of the next plane is coded, in order.
template <class Visit>
void PlaneModel::each(Visit visit) const {
  if (const auto* indices = open(spec().gate)) {
    for (const uint32_t i : *indices) visit(i);
  } else {
    for (size_t i = 0; i < side_.count; ++i) visit(i);
  }
}

int32_t PlaneModel::predicted(const int32_t* values, size_t i) const {
  const bool trusted = i > 0 && (disagreement_[i] >> 2) <= spec().trust;
  return trusted ? values[side_.references[i]] : 0;
}

size_t PlaneModel::used(size_t count) const {
  const auto* indices = open(spec().gate);
  if (!indices) return count;
  return static_cast<size_t>(std::lower_bound(indices->begin(), indices->end(), count) -
                             indices->begin());
}

void PlaneModel::contexts(uint16_t* out) const {
  const int32_t* partner =
      spec().partner >= 0 ? residuals_[static_cast<size_t>(spec().partner)].data() : nullptr;
  each([&](size_t i) {
    const int off = std::min(bucket(disagreement_[i] >> 2), 5);
    const int loud = coarse(energy_[i] >> 2);
    const int hint = partner ? std::min(bucket(magnitude_of(partner[i])), 3) : side_.nearness[i];
    *out++ = static_cast<uint16_t>((off * 4 + loud) * 4 + hint);
  });
}

void PlaneModel::residuals(const int32_t* values, int32_t* out) {
  std::vector<int32_t> all(side_.count, 0);
  each([&](size_t i) { *out++ = all[i] = wrapped_difference(values[i], predicted(values, i)); });
  each([&](size_t i) { advance(i, values); });
  finish(values, std::move(all));
}

void PlaneModel::values(const int32_t* residuals, int32_t* out) {
  const auto plane = static_cast<int32_t>(next_);
  std::vector<int32_t> all;
  if (std::any_of(specs_.begin(), specs_.end(), [&](auto& s) { return s.partner == plane; })) {
    all.resize(side_.count, 0);
  }
  each([&](size_t i) {
    if (!all.empty()) all[i] = *residuals;
    out[i] = wrapped_sum(predicted(out, i), *residuals++);
    advance(i, out);
  });
  finish(out, std::move(all));
}

void PlaneModel::advance(size_t i, const int32_t* values) {
  const int32_t near = i > 0 ? values[side_.references[i]] : 0;
  disagreement_[i] = fade(disagreement_[i], distance(values[i], near));
  energy_[i] = fade(energy_[i], magnitude_of(values[i]));
}

void PlaneModel::finish(const int32_t* values, std::vector<int32_t> residuals) {
  const auto plane = static_cast<int32_t>(next_);
  const auto later = [&](auto field) {  // whether a later plane looks at this one
    return std::any_of(specs_.begin(), specs_.end(),
                       [&](const PlaneSpec& s) { return s.*field == plane; });
  };
  if (later(&PlaneSpec::partner)) residuals_[next_] = std::move(residuals);
  if (later(&PlaneSpec::gate)) {
    for (size_t i = 0; i < side_.count; ++i) {
      if (values[i] != 0) open_[next_].push_back(static_cast<uint32_t>(i));
    }
  }
  ++next_;
}

}  // namespace gscompress
