#include "plane_streams.h"

#include <algorithm>
#include <memory>
#include <span>

#include "../entropy/coder.h"

namespace gscompress {
namespace {

constexpr size_t kBlock = 1024;  // Gaussians

// The stream of one plane, and how many of its values are still to come.
class PlaneStream {
 public:
  explicit PlaneStream(std::span<const uint8_t> data)
      : left_(entropy::stored_count(data)), reader_(entropy::open_stream(data)) {}

  void read(std::span<const uint16_t> contexts, std::span<int32_t> out) {
    if (out.size() > left_) throw entropy::CorruptStream("the number of values differs");
    left_ -= out.size();
    if (!out.empty()) reader_->read(contexts, out);
  }

  void finish() {
    if (left_ != 0) throw entropy::CorruptStream("the number of values differs");
    reader_->finish();
  }

 private:
  size_t left_;
  std::unique_ptr<entropy::ValueReader> reader_;
};

std::vector<PlaneStream> open_streams(const Bytes& part, size_t planes) {
  entropy::ByteReader in({part.data, part.size});
  const auto sizes = in.take(4 * planes);
  std::vector<PlaneStream> streams;
  for (size_t c = 0; c < planes; ++c) {
    const uint8_t* b = &sizes[4 * c];
    const auto size = static_cast<uint32_t>(b[0] | b[1] << 8 | b[2] << 16) | uint32_t{b[3]} << 24;
    streams.emplace_back(in.take(size));
  }
  if (!in.rest().empty()) throw entropy::CorruptStream("bytes are left over");
  return streams;
}

}  // namespace

void decode_plane_streams(const PlaneSide& side, const std::vector<PlaneSpec>& specs,
                          const std::vector<Bytes>& parts,
                          const std::vector<PlaneRow<int32_t>>& rows) {
  std::vector<uint16_t> contexts(kBlock);
  std::vector<int32_t> residuals(kBlock);
  size_t begin = 0;
  for (size_t level = 0; level < parts.size(); ++level) {
    auto streams = open_streams(parts[level], specs.size());
    while (begin < side.levels[level]) {
      const size_t end = std::min(begin + kBlock, side.levels[level]);
      PlaneModel model(side, specs, begin, end);
      for (size_t c = 0; c < specs.size(); ++c) {
        const size_t used = model.used(end);
        model.contexts(contexts.data());
        streams[c].read({contexts.data(), used}, {residuals.data(), used});
        model.values(residuals.data(), rows[c]);
      }
      begin = end;
    }
    for (PlaneStream& stream : streams) stream.finish();
  }
}

}  // namespace gscompress
