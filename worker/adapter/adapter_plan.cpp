#include "worker/adapter/adapter_plan.hpp"

#include <algorithm>
#include <cmath>

#include "common/error.hpp"
#include "common/parse_number.hpp"
#include "common/str_cat.hpp"
#include "worker/adapter/name_pattern.hpp"

namespace mdl::worker::adapter {
namespace {

/// LayerNames, ready to be asked.
class NameRule {
 public:
  explicit NameRule(const LayerNames& names) {
    if (const auto* pattern = std::get_if<std::string>(&names)) {
      if (!pattern->empty()) { pattern_.emplace(*pattern); }
    } else {
      endings_ = std::get<std::vector<std::string>>(names);
    }
  }

  bool fits(const std::string& name) const {
    if (pattern_) { return pattern_->matches(name); }
    return std::any_of(endings_.begin(), endings_.end(),
                       [&](const auto& ending) { return name == ending || name.ends_with("." + ending); });
  }

 private:
  std::optional<NamePattern> pattern_;
  std::vector<std::string> endings_;
};

/// Values by the ends of layers' names, which are regular expressions; the first that fits counts.
template <typename Value>
class PatternTable {
 public:
  PatternTable(const std::vector<std::pair<std::string, Value>>& patterns, Value otherwise) : otherwise_(otherwise) {
    for (const auto& [key, value] : patterns) {
      rules_.emplace_back(NamePattern(str_cat("(.*\\.)?(", key, ")$")), value);
    }
  }

  Value at(const std::string& name) const {
    for (const auto& [pattern, value] : rules_) {
      if (pattern.matches(name)) { return value; }
    }
    return otherwise_;
  }

 private:
  std::vector<std::pair<NamePattern, Value>> rules_;
  Value otherwise_;
};

/// Which layers of a stack are meant: layers_to_transform and layers_pattern.
class IndexRule {
 public:
  explicit IndexRule(const LayerSelection& selection) : wanted_(selection.indices) {
    if (wanted_.empty()) { return; }
    if (selection.index_after.empty()) { patterns_.emplace_back(R"(.*?\.[^.]*\.(?P<index>\d+)\..*)"); }
    for (const std::string& word : selection.index_after) {
      patterns_.emplace_back(str_cat("(?:^|.*?\\.)", word, R"(\.(?P<index>\d+)\..*)"));
    }
  }

  bool fits(const std::string& name) const {
    if (wanted_.empty()) { return true; }
    for (const NamePattern& pattern : patterns_) {
      const auto digits = pattern.group(name, "index");
      if (!digits) { continue; }
      const auto index = parse_digits<int64_t>(*digits);
      return index && std::find(wanted_.begin(), wanted_.end(), *index) != wanted_.end();
    }
    return false;
  }

 private:
  std::vector<int64_t> wanted_;
  std::vector<NamePattern> patterns_;
};

bool is_part_of(const std::string& name, const std::string& module) {
  const std::string whole = "." + name + ".";
  return whole.find("." + module + ".") != std::string::npos;
}

}  // namespace

struct AdapterPlan::Rules {
  Rules(const LoraConfig& config, const model::DecoderNames& decoder)
      : Rules(config, decoder, selection_of(config, decoder)) {}
  Rules(const LoraConfig& config, const model::DecoderNames& decoder, const LayerSelection& selection)
      : wanted(selection.wanted),
        excluded(selection.excluded),
        indices(selection),
        whole(modules_to_save(config.targets, decoder)),
        ranks(config.rank_pattern, config.rank),
        alphas(config.alpha_pattern, config.alpha),
        rank_stabilized(config.rank_stabilized) {}

  NameRule wanted, excluded;
  IndexRule indices;
  std::vector<std::string> whole;
  PatternTable<int64_t> ranks;
  PatternTable<double> alphas;
  bool rank_stabilized;
};

AdapterPlan::AdapterPlan(const LoraConfig& config, const model::DecoderNames& decoder) {
  try {
    rules_ = std::make_unique<const Rules>(config, decoder);
  } catch (const Error& error) {
    throw UsageError(str_cat("the adapter's configuration: ", error.problem()), error.advice());
  }
}

AdapterPlan::~AdapterPlan() = default;

bool AdapterPlan::adapts(const std::string& name) const {
  if (rules_->excluded.fits(name)) { return false; }
  for (const std::string& module : rules_->whole) {
    if (is_part_of(name, module)) { return false; }
  }
  return rules_->wanted.fits(name) && rules_->indices.fits(name);
}

int64_t AdapterPlan::rank(const std::string& name) const {
  return rules_->ranks.at(name);
}

double AdapterPlan::scaling(const std::string& name) const {
  const auto r = static_cast<double>(rank(name));
  return rules_->alphas.at(name) / (rules_->rank_stabilized ? std::sqrt(r) : r);
}

}  // namespace mdl::worker::adapter
