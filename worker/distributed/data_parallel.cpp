#include "worker/distributed/data_parallel.hpp"

#include <torch/csrc/autograd/engine.h>
#include <torch/torch.h>
#include <torch/csrc/distributed/c10d/reducer.hpp>

#include <algorithm>
#include <type_traits>
#include <unordered_map>

namespace mdl::worker::distributed {
namespace {

/// The first bucket is small, so that communication starts early in the backward pass; sizes as in
/// DistributedDataParallel.
constexpr int64_t kFirstBucketBytes = c10d::kDefaultFirstBucketBytes;
constexpr int64_t kBucketBytes = c10d::kDefaultBucketBytesCap;

/// A reducer, which since LibTorch 2.11 at the latest takes one thing more: bucket_bytes_cap_list.
template <typename Reducer, typename... Arguments>
std::unique_ptr<Reducer> made(Arguments... arguments) {
  if constexpr (std::is_constructible_v<Reducer, Arguments..., std::vector<int64_t>>) {
    return std::make_unique<Reducer>(arguments..., std::vector<int64_t>{});
  } else {
    return std::make_unique<Reducer>(arguments...);
  }
}

std::unique_ptr<c10d::Reducer> make_reducer(ProcessGroup& group,
                                            const std::vector<std::pair<std::string, at::Tensor>>& parameters,
                                            const std::vector<at::Tensor>& tensors) {
  c10d::verify_params_across_processes(group.c10d_group(), tensors, std::nullopt);
  auto [buckets, limits] = c10d::compute_bucket_assignment_by_size(
      tensors, {static_cast<size_t>(kFirstBucketBytes), static_cast<size_t>(kBucketBytes)});
  // Gradients appear in about the reverse order of the parameters; so must the buckets, to be sent in that order.
  std::reverse(buckets.begin(), buckets.end());
  std::unordered_map<size_t, std::string> names;
  for (size_t i = 0; i < parameters.size(); ++i) { names.emplace(i, parameters[i].first); }
  return made<c10d::Reducer>(tensors, buckets, group.c10d_group(),
                             /*expect_sparse_gradients=*/std::vector<bool>(tensors.size(), false), kBucketBytes,
                             /*find_unused_parameters=*/false, /*gradient_as_bucket_view=*/true, names,
                             kFirstBucketBytes, /*skip_all_reduce_unused_params=*/false, /*use_python_reducer=*/false);
}

}  // namespace

DataParallel::DataParallel(ProcessGroup& group, const std::vector<std::pair<std::string, at::Tensor>>& parameters) {
  for (const auto& [name, tensor] : parameters) { parameters_.push_back(tensor); }
  if (group.is_alone()) { return; }
  reducer_ = make_reducer(group, parameters, parameters_);
  const torch::NoGradGuard no_grad;
  group.broadcast(parameters_);
}

DataParallel::~DataParallel() = default;

void DataParallel::zero_gradients() {
  // Gradients are views of the reducer's buckets, and Tensor::zero_grad would detach them; dropping the view is enough.
  for (at::Tensor& parameter : parameters_) { parameter.mutable_grad().reset(); }
}

void DataParallel::begin_forward(bool last) {
  if (!reducer_ || !last) { return; }
  reducer_->prepare_for_forward();
  reducer_->rebuild_buckets();  // once, after the first step has shown the order in which gradients appear
}

void DataParallel::begin_backward(const at::Tensor& loss, bool last, const std::function<void()>& computed) {
  if (!reducer_ || !last) { return; }
  reducer_->prepare_for_backward({loss});
  if (!computed) { return; }
  // What is queued as the pass begins is called behind it, before the reducer's own wait, which a gradient queues.
  loss.register_hook([computed](const at::Tensor& /*gradient*/) {
    torch::autograd::Engine::get_default_engine().queue_callback(computed);
  });
}

}  // namespace mdl::worker::distributed
