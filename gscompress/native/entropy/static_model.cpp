// Static model: one table per group of contexts, stored before the symbols.
// Stream: varint size of the head, head (static_tables.cpp), states, words (rans.h).
#include <array>
#include <memory>
#include <vector>

#include "coder.h"
#include "lanes.h"
#include "rans.h"
#include "static_tables.h"

namespace gscompress::entropy {

namespace {

// A table whose lines are the tokens that have a frequency.
void build_used(DecodeTable& table, const Freqs& freqs, std::uint32_t direct_tokens) {
  std::array<std::uint8_t, kMaxTokens> tokens;
  Freqs used{};
  std::size_t lines = 0;
  for (int token = 0; token < kMaxTokens; ++token) {
    if (freqs[token] == 0) continue;
    tokens[lines] = static_cast<std::uint8_t>(token);
    used[lines++] = freqs[token];
  }
  table.build({tokens.data(), lines}, used, direct_tokens);
}

struct OneEncoder {
  const EncodeTable* table;
  const EncodeEntry& entry(std::size_t /*i*/, std::uint32_t token) const { return (*table)[token]; }
};

struct ContextEncoder {
  const std::uint16_t* contexts;
  const EncodeTable* const* table_of;
  const EncodeEntry& entry(std::size_t i, std::uint32_t token) const {
    return (*table_of[contexts[i]])[token];
  }
};

struct OneDecoder {
  const DecodeTable* only;
  const DecodeTable& table(std::size_t /*i*/) const { return *only; }
  void learn(std::size_t /*i*/, std::ptrdiff_t /*line*/) const {}
};

struct ContextDecoder {
  const std::uint16_t* contexts;
  const DecodeTable* const* table_of;
  const DecodeTable& table(std::size_t i) const { return *table_of[contexts[i]]; }
  void learn(std::size_t /*i*/, std::ptrdiff_t /*line*/) const {}
};

// Pointers by context, so that the loops need one look-up.
template <class Table>
std::vector<const Table*> by_context(const std::vector<std::uint8_t>& table_of,
                                     const std::vector<Table>& tables) {
  std::vector<const Table*> pointers(table_of.size());
  for (std::size_t c = 0; c < table_of.size(); ++c) pointers[c] = &tables[table_of[c]];
  return pointers;
}

template <class Lanes>
class StaticReader : public ValueReader {
 public:
  StaticReader(const StaticTables& head, const Lanes& lanes)
      : scheme_(head.scheme), tables_(head.freqs.size()), lanes_(lanes) {
    for (std::size_t k = 0; k < tables_.size(); ++k) {
      build_used(tables_[k], head.freqs[k], scheme_.direct());
    }
    table_of_ = by_context(head.table_of, tables_);
  }

  void read(std::span<const std::uint16_t> contexts, std::span<std::int32_t> out) override {
    check_contexts(contexts, table_of_.size());
    if (tables_.size() == 1) {
      const OneDecoder model{&tables_[0]};
      lanes_.read(model, scheme_, out);
    } else {
      const ContextDecoder model{contexts.data(), table_of_.data()};
      lanes_.read(model, scheme_, out);
    }
  }

  void finish() override { lanes_.finish(); }

 private:
  TokenScheme scheme_;
  std::vector<DecodeTable> tables_;
  std::vector<const DecodeTable*> table_of_;
  Lanes lanes_;
};

}  // namespace

int encode_static(Bytes& out, const Input& input, const Tokens& tokens) {
  const TokenScheme& scheme = tokens.scheme;
  const StaticTables head = write_tables(out, scheme, tokens.clusters);
  std::vector<EncodeTable> tables(head.freqs.size());
  for (std::size_t k = 0; k < tables.size(); ++k) build(tables[k], head.freqs[k]);
  if (tables.size() == 1) return encode_with(out, OneEncoder{&tables[0]}, scheme, input.values);
  const auto table_of = by_context(head.table_of, tables);
  return encode_with(out, ContextEncoder{input.contexts.data(), table_of.data()}, scheme,
                     input.values);
}

std::unique_ptr<ValueReader> open_static(ByteReader in, int lanes) {
  const std::uint32_t head_size = in.varint();
  const StaticTables head = read_tables(in.take(head_size));
  return with_lanes(in, lanes, [&](auto reader) -> std::unique_ptr<ValueReader> {
    return std::make_unique<StaticReader<decltype(reader)>>(head, reader);
  });
}

}  // namespace gscompress::entropy
