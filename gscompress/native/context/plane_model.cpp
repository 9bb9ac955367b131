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
    : side_(side), specs_(std::move(specs)), disagreement_(side.count, 0), energy_(side.count, 0) {}

const int32_t* PlaneModel::gate() const {
  return spec().gate >= 0 ? done_[static_cast<size_t>(spec().gate)].data() : nullptr;
}

const int32_t* PlaneModel::partner() const {
  return spec().partner >= 0 ? residuals_[static_cast<size_t>(spec().partner)].data() : nullptr;
}

int32_t PlaneModel::predicted(const int32_t* values, size_t i) const {
  const bool trusted = i > 0 && (disagreement_[i] >> 2) <= spec().trust;
  return trusted ? values[side_.references[i]] : 0;
}

size_t PlaneModel::used(size_t count) const {
  const int32_t* open = gate();
  return open ? count - static_cast<size_t>(std::count(open, open + count, 0)) : count;
}

size_t PlaneModel::contexts(uint16_t* out) const {
  const int32_t* open = gate();
  const int32_t* q = partner();
  size_t used = 0;
  for (size_t i = 0; i < side_.count; ++i) {
    if (open && open[i] == 0) continue;
    const int off = std::min(bucket(disagreement_[i] >> 2), 5);
    const int loud = coarse(energy_[i] >> 2);
    const int hint = q ? std::min(bucket(magnitude_of(q[i])), 3) : side_.nearness[i];
    out[used++] = static_cast<uint16_t>((off * 4 + loud) * 4 + hint);
  }
  return used;
}

size_t PlaneModel::residuals(const int32_t* values, int32_t* out) {
  const int32_t* open = gate();
  std::vector<int32_t> all(side_.count, 0);
  size_t used = 0;
  for (size_t i = 0; i < side_.count; ++i) {
    if (open && open[i] == 0) continue;
    out[used++] = all[i] = wrapped_difference(values[i], predicted(values, i));
  }
  finish(values, std::move(all));
  return used;
}

void PlaneModel::values(const int32_t* residuals, int32_t* out) {
  const int32_t* open = gate();
  std::vector<int32_t> all(side_.count, 0);
  for (size_t i = 0; i < side_.count; ++i) {
    if (open && open[i] == 0) {
      out[i] = 0;
    } else {
      all[i] = *residuals++;
      out[i] = wrapped_sum(predicted(out, i), all[i]);
    }
  }
  finish(out, std::move(all));
}

void PlaneModel::finish(const int32_t* values, std::vector<int32_t> residuals) {
  const int32_t* open = gate();
  for (size_t i = 0; i < side_.count; ++i) {
    if (open && open[i] == 0) continue;
    const int32_t near = i > 0 ? values[side_.references[i]] : 0;
    disagreement_[i] = fade(disagreement_[i], distance(values[i], near));
    energy_[i] = fade(energy_[i], magnitude_of(values[i]));
  }
  const auto index = static_cast<int32_t>(done_.size());
  const auto later = [&](auto field) {  // whether a later plane looks at this one
    return std::any_of(specs_.begin(), specs_.end(),
                       [&](const PlaneSpec& s) { return s.*field == index; });
  };
  residuals_.push_back(later(&PlaneSpec::partner) ? std::move(residuals) : std::vector<int32_t>());
  done_.emplace_back();
  if (later(&PlaneSpec::gate)) done_.back().assign(values, values + side_.count);
}

}  // namespace gscompress
