#pragma once

#include <memory>
#include <string>

#include "worker/adapter/lora_config.hpp"

namespace mdl::worker::adapter {

/// What an adapter's configuration says about each layer, by PEFT's rules (check_target_module_exists and
/// get_pattern_key of PEFT 0.21). Its regular expressions are compiled once.
class AdapterPlan {
 public:
  /// Throws UsageError for a regular expression that cannot be read.
  AdapterPlan(const LoraConfig& config, const model::DecoderNames& decoder);
  ~AdapterPlan();
  AdapterPlan(const AdapterPlan&) = delete;
  AdapterPlan& operator=(const AdapterPlan&) = delete;

  /// Whether the module of this name gets an adapter: it is selected, not excluded, and not trained whole.
  bool adapts(const std::string& name) const;

  int64_t rank(const std::string& name) const;

  /// What the adapter's output is multiplied with.
  double scaling(const std::string& name) const;

 private:
  struct Rules;
  std::unique_ptr<const Rules> rules_;
};

}  // namespace mdl::worker::adapter
