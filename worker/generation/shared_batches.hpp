#pragma once

#include <functional>

#include "worker/distributed/process_group.hpp"
#include "worker/generation/batch_answers.hpp"

namespace mdl::worker::generation {

/// Answers `batches` batches on all ranks of the group. Each rank takes the next one that none has begun, loads its
/// rows in the background while it answers the one before, and hands the answers to rank 0, which calls `deliver` for
/// every batch, in no certain order. Returns on rank 0 when all are delivered, on the others when all ranks are done.
/// Throws Error when a rank is gone.
void answer_batches(distributed::ProcessGroup& group, std::size_t batches,
                    const std::function<LoadedRows(std::size_t)>& load,
                    const std::function<BatchAnswers(const LoadedRows&)>& answer,
                    const std::function<void(const BatchAnswers&)>& deliver);

}  // namespace mdl::worker::generation
