#include "worker/training/data/epoch_schedule.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace mdl::worker::training::data {
namespace {

/// The first steps of an epoch of `steps` that are this part of it. What a product lacks of or has beyond a whole
/// number by rounding makes no step.
int64_t steps_of_part(double part, int64_t steps) {
  constexpr double kRounding = 1e-9;
  return static_cast<int64_t>(std::ceil(part * static_cast<double>(steps) - kRounding));
}

}  // namespace

EpochSchedule::EpochSchedule(const DataShape& shape, Mixture mixture, uint64_t seed, std::optional<TokenBatches> tokens)
    : shape_(shape), mixture_(std::move(mixture)), seed_(seed), tokens_(std::move(tokens)) {}

EpochOrder EpochSchedule::order(const DataPosition& position) const {
  if (!tokens_) { return {shape_, mixture_, seed_, position.epoch, position.rows_taken}; }
  const auto sorted = order_by_length(mixed_order(mixture_, seed_, position.epoch), tokens_->lengths);
  return EpochOrder(deal_batches(cut_by_tokens(sorted, *tokens_, position.rows_taken), *tokens_, shape_.world_size));
}

EpochRest EpochSchedule::rest(const EpochOrder& order) const {
  const int64_t batches = order.rounds(), accumulation = shape_.accumulation_steps;
  return {.batches = batches, .steps = (batches + accumulation - 1) / accumulation};
}

int64_t EpochSchedule::steps_left(const DataPosition& position, double epochs) const {
  if (!tokens_) { return data::steps_left(shape_, position, epochs); }
  int64_t steps = 0;
  const auto end = static_cast<int64_t>(std::ceil(epochs));
  for (DataPosition begin = position; begin.epoch < end; begin = {begin.epoch + 1, 0}) {
    int64_t here = steps_at(begin);
    const double part = epochs - static_cast<double>(begin.epoch);
    if (part < 1) {
      const int64_t whole = begin.rows_taken == 0 ? here : steps_at({begin.epoch, 0});
      here = std::max<int64_t>(0, steps_of_part(part, whole) - (whole - here));
    }
    steps += here;
  }
  return steps;
}

DataPosition EpochSchedule::after(const DataPosition& begin, const EpochOrder& order, int64_t batches) const {
  const int64_t taken = begin.rows_taken + order.rows_in(batches);
  return taken >= shape_.rows ? DataPosition{begin.epoch + 1, 0} : DataPosition{begin.epoch, taken};
}

}  // namespace mdl::worker::training::data
