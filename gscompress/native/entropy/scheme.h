// Choosing the token scheme of a stream.
#pragma once

#include <cstdint>
#include <span>

#include "tokens.h"

namespace gscompress::entropy {

// The bias, direct and mantissa bits under which a sample of the values costs least, and with which
// all values fit 256 tokens. At least one value.
TokenScheme choose_scheme(std::span<const std::int32_t> values);

}  // namespace gscompress::entropy
