#pragma once

#include "worker/dataset/fingerprint.hpp"
#include "worker/inference_options.hpp"
#include "worker/model_choice.hpp"

namespace mdl::worker {

/// What the answers depend on and ranks must agree on. Files of weights and sounds may have other times on other hosts.
dataset::Fingerprint common_facts(const InferenceOptions& options, const ModelChoice& model, at::ScalarType dtype);

/// The files of the weights, as this host has them: names, sizes and times.
void add_weights(dataset::Fingerprint& print, const ModelChoice& model);

}  // namespace mdl::worker
