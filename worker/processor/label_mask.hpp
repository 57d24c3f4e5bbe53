#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "worker/text/tokenizer/bpe.hpp"

namespace mdl::worker::processor {

/// The labels of a conversation: each assistant turn keeps its ids, from its header (`assistant_start`, the ids of
/// "<|im_start|>assistant\n") up to the next user header (`user_start`) or the end; all else is dataset::kIgnoredLabel.
/// As the Python tool does, a user header ends one turn only: of two assistant turns before the same user header, the
/// second goes on to the user header after it.
std::vector<std::int64_t> label_mask(std::span<const text::tokenizer::TokenId> ids,
                                     std::span<const text::tokenizer::TokenId> user_start,
                                     std::span<const text::tokenizer::TokenId> assistant_start);

}  // namespace mdl::worker::processor
