#include "worker/training/best_model.hpp"

#include <catch2/catch.hpp>
#include <limits>
#include <vector>

using namespace mdl::worker::training;

namespace {

/// The state after evaluations of these values, behind steps 1, 2, …
BestModelState after(const BestModelOptions& options, const std::vector<double>& values) {
  BestModelState state;
  for (std::size_t i = 0; i < values.size(); ++i) {
    take_evaluation(options, state, static_cast<int64_t>(i) + 1, values[i]);
  }
  return state;
}

}  // namespace

TEST_CASE("the best evaluation is the lowest, or the greatest where that is better") {
  BestModelOptions options{.metric = "eval_loss"};
  CHECK(after(options, {3, 1, 2}).step == 2);
  CHECK(after(options, {1, 1}).step == 1);
  options.greater_is_better = true;
  CHECK(after(options, {3, 1, 2}).metric == 3.0);
  CHECK_FALSE(after({}, {3, 1, 2}).step.has_value());
}

TEST_CASE("a run stops after so many evaluations without a gain") {
  const BestModelOptions options{.metric = "eval_loss", .patience = 2};
  CHECK_FALSE(stops_early(options, after(options, {3, 4})));
  CHECK(stops_early(options, after(options, {3, 4, 3})));
  CHECK_FALSE(stops_early(options, after(options, {3, 4, 2, 3})));
  CHECK_FALSE(stops_early({.metric = "eval_loss"}, after(options, {3, 4, 5, 6})));
}

TEST_CASE("a gain below the threshold makes the best one, but does not count against the patience") {
  const BestModelOptions options{.metric = "eval_loss", .patience = 2, .threshold = 0.5};
  const BestModelState state = after(options, {3, 2.9, 2.7});
  CHECK(state.step == 3);
  CHECK(stops_early(options, state));
  CHECK_FALSE(stops_early(options, after(options, {3, 2.9, 2.3})));
}

TEST_CASE("an evaluation that is no number is never the best one") {
  const BestModelOptions options{.metric = "eval_loss", .patience = 1};
  const double none = std::numeric_limits<double>::quiet_NaN();
  CHECK_FALSE(after(options, {none}).metric.has_value());
  CHECK(after(options, {none, 2}).step == 2);
  CHECK(after(options, {2, none}).step == 1);
}

TEST_CASE("a metric is known by several spellings, and error rates are better when they are lower") {
  for (const char* name : {"exact-match", "exact_match", "eval_exact_match"}) {
    CHECK(logged_metric(name) == "eval_exact_match");
  }
  for (const std::string& name : best_model_metrics()) {
    const std::string logged = logged_metric(name);
    const bool lower = name == "loss" || name == "wer" || name == "cer";
    CHECK(is_better_when_greater(logged) == !lower);
    CHECK(needs_answers(logged) == (name != "loss" && name != "token-accuracy"));
  }
}
