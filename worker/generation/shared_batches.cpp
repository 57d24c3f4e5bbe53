#include "worker/generation/shared_batches.hpp"

#include <torch/torch.h>

#include <chrono>
#include <future>
#include <optional>
#include <set>
#include <thread>

#include "common/error.hpp"
#include "common/str_cat.hpp"

namespace mdl::worker::generation {
namespace {

/// How long rank 0 waits between two looks for answers of the others.
constexpr std::chrono::milliseconds kLook{20};

std::string name_of(std::size_t batch) {
  return str_cat("answers/", batch);
}

/// Rank 0's list of batches that the others work at.
class Outstanding {
 public:
  Outstanding(distributed::ProcessGroup& group, std::size_t batches,
              const std::function<void(const BatchAnswers&)>& deliver)
      : group_(group), deliver_(deliver) {
    for (std::size_t batch = 0; batch < batches; ++batch) { batches_.insert(batch); }
  }

  void deliver_own(std::size_t batch, const BatchAnswers& answers) {
    batches_.erase(batch);
    deliver_(answers);
  }

  /// Delivers what the others have finished of the batches before `begun`.
  void deliver_others(std::size_t begun) {
    for (auto at = batches_.begin(); at != batches_.end() && *at < begun;) {
      const auto text = group_.take(name_of(*at));
      if (!text) {
        ++at;
        continue;
      }
      deliver_(BatchAnswers::from_json(*text));
      at = batches_.erase(at);
    }
  }

  bool empty() const { return batches_.empty(); }

 private:
  distributed::ProcessGroup& group_;
  const std::function<void(const BatchAnswers&)>& deliver_;
  std::set<std::size_t> batches_;
};

Error rank_lost(const std::string& reason) {
  return Error(str_cat("another rank ended before all answers were there: ", reason),
               "What was answered is kept; start the command again to go on.");
}

}  // namespace

void answer_batches(distributed::ProcessGroup& group, std::size_t batches,
                    const std::function<LoadedRows(std::size_t)>& load,
                    const std::function<BatchAnswers(const LoadedRows&)>& answer,
                    const std::function<void(const BatchAnswers&)>& deliver) {
  struct Begun {
    std::size_t batch;
    std::future<LoadedRows> rows;
  };
  const auto begin_next = [&]() -> std::optional<Begun> {
    const auto batch = static_cast<std::size_t>(group.next_number("batch"));
    if (batch >= batches) { return std::nullopt; }
    return Begun{batch, std::async(std::launch::async, load, batch)};
  };
  Outstanding outstanding(group, group.is_first() ? batches : 0, deliver);
  for (std::optional<Begun> now = begin_next(); now;) {
    const LoadedRows rows = now->rows.get();
    std::optional<Begun> next = begin_next();
    const BatchAnswers answers = answer(rows);
    if (group.is_first()) {
      outstanding.deliver_own(now->batch, answers);
      if (!group.is_alone()) { outstanding.deliver_others(next ? next->batch : batches); }
    } else {
      group.post(name_of(now->batch), answers.to_json());
    }
    now = std::move(next);
  }
  // All ranks meet here. A rank that is gone breaks its connections, so that whoever waits for it hears of it.
  at::Tensor met = torch::ones({1});
  auto meeting = group.start_sum(met);
  try {
    while (!outstanding.empty()) {
      outstanding.deliver_others(batches);
      meeting.check();
      if (!outstanding.empty()) { std::this_thread::sleep_for(kLook); }
    }
    meeting.wait();
  } catch (const Error&) { throw; } catch (const c10::Error& error) {  // the store's, whose connection is lost
    throw rank_lost(error.what_without_backtrace());
  } catch (const std::exception& error) {  // Gloo's, likewise
    throw rank_lost(error.what());
  }
}

}  // namespace mdl::worker::generation
